//! What an engine tells of itself: readings of all its sources, now and as the metrics log.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::outage_log::{OutageLog, Words};
use super::rotating::{LogFiles, RotatingFile};
use super::sample::Sample;
use super::{Event, Metrics};
use riftsync_basics::Timestamp;

/// The version of the log's fields.
pub const VERSION: u32 = 1;
/// How long one source may take to be read.
const READ: Duration = Duration::from_secs(2);

pub type Reading<'s> = Pin<Box<dyn Future<Output = Vec<Sample>> + Send + 's>>;

/// Something that can be read: a kind of actor.
pub trait Source: Send + Sync + fmt::Debug {
    fn read(&self) -> Reading<'_>;
}

/// See the module.
#[derive(Debug)]
pub struct Telemetry {
    engine: Arc<str>,
    metrics: Arc<Metrics>,
    sources: Vec<Arc<dyn Source>>,
    log: Option<Mutex<Log>>,
    /// Where the log is, for who reads it: a write that takes long holds up nobody.
    files: Option<LogFiles>,
}

#[derive(Debug)]
struct Log {
    file: RotatingFile,
    /// What was written last, by actor; what happened since is the next record.
    written: HashMap<String, Sample>,
    written_at: Instant,
    outage: OutageLog,
}

impl Telemetry {
    pub fn new(
        engine: Arc<str>,
        metrics: Arc<Metrics>,
        sources: Vec<Arc<dyn Source>>,
        log: Option<RotatingFile>,
    ) -> Self {
        let files = log.as_ref().map(|log| log.files().clone());
        let log = log.map(|file| {
            Mutex::new(Log {
                file,
                written: HashMap::new(),
                written_at: Instant::now(),
                outage: OutageLog::new(Words {
                    over: "the metrics log can be written again",
                    failures: "tries failed",
                }),
            })
        });
        Self {
            engine,
            metrics,
            sources,
            log,
            files,
        }
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub fn has_log(&self) -> bool {
        self.log.is_some()
    }

    /// Where the log is; none: this engine writes none.
    pub fn log_files(&self) -> Option<&LogFiles> {
        self.files.as_ref()
    }

    /// All sources as they stand. One that does not answer is left out.
    pub async fn read(&self) -> Vec<Sample> {
        let readings = self.sources.iter().map(async |source| {
            let reading = tokio::time::timeout(READ, source.read()).await;
            reading.unwrap_or_default()
        });
        let readings = futures_util::future::join_all(readings).await;
        readings.into_iter().flatten().collect()
    }

    /// Writes a record for each actor of what happened since the last, and the events that wait.
    pub fn write_interval(&self, samples: Vec<Sample>) {
        let Some(log) = &self.log else { return };
        let mut log = lock(log);
        let took = log.written_at.elapsed();
        let now = Timestamp::now();
        let mut lines = Vec::new();
        for sample in &samples {
            let earlier = log.written.get(&sample.actor);
            self.add_line(&mut lines, now, sample.record(earlier, took));
        }
        if Self::write(&mut log, &lines) {
            log.written_at = Instant::now();
            for sample in samples {
                log.written.insert(sample.actor.clone(), sample);
            }
        }
        self.write_waiting(&mut log);
    }

    /// Writes the events that wait.
    pub fn write_events(&self) {
        if let Some(log) = &self.log {
            self.write_waiting(&mut lock(log));
        }
    }

    fn write_waiting(&self, log: &mut Log) {
        let (events, dropped) = self.metrics.events.take();
        let mut lines = Vec::new();
        if dropped > 0 {
            let lost = Event {
                at: Timestamp::now(),
                event: "events_dropped",
                actor: "/engine/metrics".to_owned(),
                detail: dropped.to_string(),
            };
            self.add_event(&mut lines, &lost);
        }
        for event in &events {
            self.add_event(&mut lines, event);
        }
        if !lines.is_empty() && !Self::write(log, &lines) {
            self.metrics.events.put_back(events);
        }
    }

    fn add_event(&self, lines: &mut Vec<u8>, event: &Event) {
        let mut record = Map::new();
        record.insert("actor".to_owned(), json!(event.actor));
        record.insert("kind".to_owned(), json!("event"));
        record.insert("event".to_owned(), json!(event.event));
        if !event.detail.is_empty() {
            record.insert("detail".to_owned(), json!(event.detail));
        }
        self.add_line(lines, event.at, record);
    }

    fn add_line(&self, lines: &mut Vec<u8>, at: Timestamp, record: Map<String, Value>) {
        let mut line = Map::new();
        line.insert("v".to_owned(), json!(VERSION));
        line.insert("at".to_owned(), json!(at.to_string()));
        line.insert("engine".to_owned(), json!(&*self.engine));
        line.extend(record);
        lines.extend_from_slice(Value::Object(line).to_string().as_bytes());
        lines.push(b'\n');
    }

    /// False: it could not be written. What counts is written with the next record.
    fn write(log: &mut Log, lines: &[u8]) -> bool {
        match log.file.write(lines) {
            Ok(()) => {
                log.outage.worked(lines.len() as u64);
                true
            }
            Err(error) => {
                let text = "the metrics log cannot be written now";
                let why = format!("{text}: {error}. What counts is written with the next record");
                log.outage.failed(lines.len() as u64, why);
                false
            }
        }
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    // A panic while it was held has at worst lost a record.
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the metrics log, or says why there is none: an engine runs without it.
pub fn open_log(files: LogFiles) -> Option<RotatingFile> {
    let path = files.path.clone();
    let opened: io::Result<_> = RotatingFile::open(files);
    match opened {
        Ok(Some(log)) => Some(log),
        Ok(None) => {
            tracing::warn!(
                "another engine writes {}; this one writes no metrics log. Set metrics.log to another place",
                path.display()
            );
            None
        }
        Err(error) => {
            tracing::warn!(
                "the metrics log {} cannot be opened: {error}. Set metrics.log to another place",
                path.display()
            );
            None
        }
    }
}

//! `bench control`: no-op jobs submitted over the control socket, as any program does it.
//!
//! Two measurements on one fresh database, by a client on a thread of its own: how soon a single job
//! starts after its line was written, and how many a second are taken in through one connection when
//! they come in batches, while the engine runs them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Place;
use crate::control::{
    About, Advisers, CallCounts, ControlState, HealthReadings, KeyAccess, Limits, Locate,
    SocketPlace, TimeLeft, WaitReasons, server_spec,
};
use crate::engine::{EngineConfig, QueueConfig, Task};
use crate::metrics::Metrics;
use crate::model::waiting::Waiting;
use crate::model::{
    After, Company, JobId, JobRecord, NewJob, Priority, RetryPolicy, Route, Share, Whereabouts,
    Whom,
};
use crate::store::Store;
use crate::store::engine::{Engine, JobContext, Registry, Services, TaskFuture, TaskResult};

const QUEUE: &str = "default";
const KIND: &str = "bench";
/// What has not come in this time will not come.
const PATIENCE: Duration = Duration::from_mins(1);

/// What to measure.
#[derive(Debug, Clone)]
pub struct ControlBench {
    /// Jobs submitted one by one, each after the one before has started.
    pub singles: usize,
    /// Jobs submitted in batches.
    pub jobs: usize,
    /// Requests in one batch.
    pub batch: usize,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct ControlReport {
    pub engine: String,
    pub store: &'static str,
    pub singles: usize,
    /// From before the line is written until the job runs.
    pub submit_to_start_p50_ms: f64,
    pub submit_to_start_p99_ms: f64,
    pub submit_to_start_max_ms: f64,
    pub jobs: usize,
    pub batch: usize,
    /// `job.submit` requests that were answered.
    pub submits_per_s: f64,
}

/// A job that does nothing but tell when it runs.
#[derive(Debug)]
struct NoOp(Mutex<Sender<Instant>>);

impl Task<dyn Store> for NoOp {
    fn kind(&self) -> &'static str {
        KIND
    }
    fn queue(&self) -> &'static str {
        QUEUE
    }
    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(0, 1, 1)
    }
    fn order(&self, args: &str) -> Result<NewJob, String> {
        Ok(NewJob {
            kind: KIND,
            queue: QUEUE,
            lane: "",
            key: None,
            args: args.to_owned(),
            priority: Priority::DEFAULT,
            max_attempts: 1,
            run_at: None,
            after: After::default(),
        })
    }
    fn run(&self, _: JobContext) -> TaskFuture {
        let started = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listens while batches are measured.
        let _ = started.send(Instant::now());
        Box::pin(std::future::ready(TaskResult::complete(Value::Null)))
    }
}

#[derive(Debug)]
struct NoKey;

#[async_trait]
impl KeyAccess for NoKey {
    fn state(&self) -> &'static str {
        "valid"
    }
    fn shares(&self) -> (Share, BTreeMap<Route, Share>) {
        (Share::ALL, BTreeMap::new())
    }
    fn set_share(&self, _: Option<Route>, _: Share) {}
    async fn company(&self) -> Company {
        Company::default()
    }
    fn calls(&self) -> CallCounts {
        CallCounts::default()
    }
    fn replace(&self, _: &str) -> Result<bool, String> {
        Err("a measurement has no key".to_owned())
    }
}

#[derive(Debug)]
struct Unknown;

#[async_trait]
impl TimeLeft for Unknown {
    async fn of(&self, _: &JobRecord) -> Option<Duration> {
        None
    }
}

#[async_trait]
impl WaitReasons for Unknown {
    async fn of(&self, _: JobId) -> Option<Waiting> {
        None
    }
}

#[async_trait]
impl Locate for Unknown {
    async fn locate(&self, _: &Whom) -> Whereabouts {
        Whereabouts::Nobody
    }
}

impl HealthReadings for Unknown {
    fn check(&self) -> BoxFuture<'static, Value> {
        Box::pin(std::future::ready(Value::Null))
    }
}

impl ControlBench {
    /// Runs on a fresh database. Must be called on an actix system. `folder`: for the socket.
    pub async fn run(&self, place: &Place, folder: &Path) -> Result<ControlReport, String> {
        let text = |error: &dyn fmt::Display| error.to_string();
        let store = place.open().await.map_err(|error| text(&error))?;
        let path = folder.join("bench.sock");
        let socket = Arc::new(SocketPlace::open(&path).map_err(|error| text(&error))?);
        let (tell, started) = channel();
        let services = Services {
            above: Box::new(move |engine| {
                let about = About {
                    database: String::new(),
                    socket: Some(socket.path().to_owned()),
                    inside: None,
                    settings: Value::Null,
                };
                let (stop, document) = (watch::Sender::new(false), |_: &JobRecord| json!({}));
                let limits = Limits::default();
                let control = ControlState::new(
                    engine.clone(),
                    about,
                    Advisers {
                        key: Arc::new(NoKey),
                        time_left: Arc::new(Unknown),
                        waiting: Arc::new(Unknown),
                        health: Arc::new(Unknown),
                        locate: Arc::new(Unknown),
                    },
                    limits,
                    document,
                    stop,
                );
                vec![server_spec(socket, control)]
            }),
            ..Services::default()
        };
        let config = EngineConfig {
            queues: vec![QueueConfig {
                name: QUEUE,
                slots: 1_000,
                prefetch: 1_000,
                rate: None,
                paused: false,
            }],
            ..EngineConfig::default()
        };
        let registry = Arc::new(Registry::default().with(NoOp(Mutex::new(tell))));
        let metrics = Arc::new(Metrics::default());
        let engine = Engine::start(config, store.clone(), registry, services, metrics)
            .await
            .map_err(|error| text(&error))?;
        let measure = self.clone();
        let measured = tokio::task::spawn_blocking(move || measure.through(&path, &started)).await;
        engine.stop().await.map_err(|error| text(&error))?;
        store.close().await.map_err(|error| text(&error))?;
        let (waited, took) = measured.map_err(|error| text(&error))??;
        let quantile = |q| waited.value_at_quantile(q) as f64 / 1_000.0;
        Ok(ControlReport {
            engine: format!("riftsync {}", env!("CARGO_PKG_VERSION")),
            store: place.kind(),
            singles: self.singles,
            submit_to_start_p50_ms: quantile(0.5),
            submit_to_start_p99_ms: quantile(0.99),
            submit_to_start_max_ms: quantile(1.0),
            jobs: self.jobs,
            batch: self.batch,
            submits_per_s: self.jobs as f64 / took.as_secs_f64(),
        })
    }

    /// The client: microseconds that single jobs waited, and how long the batches took.
    fn through(
        &self,
        path: &PathBuf,
        started: &Receiver<Instant>,
    ) -> Result<(Histogram<u64>, Duration), String> {
        let mut connection = Connection::connect(path)?;
        let mut waited = Histogram::new(3).expect("3 digits are a valid precision");
        for n in 0..self.singles {
            let begun = Instant::now();
            connection.ask(&request(n), 1)?;
            let at = started.recv_timeout(PATIENCE);
            let at =
                at.map_err(|error: RecvTimeoutError| format!("a job did not start: {error}"))?;
            let us = at.saturating_duration_since(begun).as_micros();
            waited
                .record(u64::try_from(us).unwrap_or(u64::MAX))
                .expect("it grows as it must");
        }
        let requests: Vec<String> = (0..self.jobs).map(request).collect();
        let begun = Instant::now();
        for batch in requests.chunks(self.batch.max(1)) {
            connection.ask(&format!("[{}]", batch.join(",")), batch.len())?;
        }
        Ok((waited, begun.elapsed()))
    }
}

fn request(id: usize) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": "job.submit", "params": { "kind": KIND } })
        .to_string()
}

/// A connection to the socket.
struct Connection {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    answer: String,
}

impl Connection {
    fn connect(path: &PathBuf) -> Result<Self, String> {
        let connect = || {
            let writer = UnixStream::connect(path)?;
            writer.set_read_timeout(Some(PATIENCE))?;
            let reader = BufReader::new(writer.try_clone()?);
            Ok((reader, writer))
        };
        let connected = connect();
        let (reader, writer) = connected.map_err(|error: std::io::Error| error.to_string())?;
        Ok(Self {
            reader,
            writer,
            answer: String::new(),
        })
    }

    /// Writes a line and reads the answer, which must hold so many results.
    fn ask(&mut self, line: &str, results: usize) -> Result<(), String> {
        self.answer.clear();
        let asked = self
            .writer
            .write_all(line.as_bytes())
            .and_then(|()| self.writer.write_all(b"\n"))
            .and_then(|()| self.reader.read_line(&mut self.answer));
        asked.map_err(|error| error.to_string())?;
        let found = self.answer.matches("\"result\"").count();
        if found == results {
            return Ok(());
        }
        let shown: String = self.answer.chars().take(200).collect();
        Err(format!("{found} of {results} jobs were taken: {shown}"))
    }
}

impl fmt::Display for ControlReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {}", self.engine, self.store)?;
        writeln!(
            f,
            "start      p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms after job.submit was written, {} jobs one by one",
            self.submit_to_start_p50_ms,
            self.submit_to_start_p99_ms,
            self.submit_to_start_max_ms,
            self.singles
        )?;
        write!(
            f,
            "submit     {:>9.0} job.submit/s through one connection, {} in batches of {}",
            self.submits_per_s, self.jobs, self.batch
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn a_small_measurement_counts_what_it_did() {
        let folder = tempfile::TempDir::new().unwrap();
        let place = Place::make(None, folder.path()).await.unwrap();
        let bench = ControlBench {
            singles: 5,
            jobs: 50,
            batch: 20,
        };
        let report = bench.run(&place, folder.path()).await.unwrap();
        assert_eq!(
            (report.singles, report.jobs, report.store),
            (5, 50, "sqlite")
        );
        assert!(report.submit_to_start_p99_ms >= report.submit_to_start_p50_ms);
        assert!(report.submits_per_s > 0.0);
    }
}

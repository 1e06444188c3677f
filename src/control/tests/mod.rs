//! The socket as its clients meet it: over the socket, with an engine behind it.

mod abuse;
mod follow;
mod own;
mod requests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::{
    About, CallCounts, Client, ControlState, KeyAccess, Limits, Locate, OwnConnections,
    SocketPlace, TimeLeft, WaitReasons, own_server_spec, server_spec,
};
use crate::engine::{EngineConfig, QueueConfig, Task};
use crate::metrics::Metrics;
use crate::model::waiting::{Reason, Waiting};
use crate::model::{
    After, Company, JobId, JobRecord, JobState, NewJob, Outcome, Priority, RetryPolicy, Route,
    Share, Whereabouts, Whom,
};
use crate::store::Store;
use crate::store::engine::{Engine, JobContext, Registry, Services, TaskFuture, TaskResult};
use crate::store::sqlite::SqliteStore;

/// Whoever runs will be done in a minute.
#[derive(Debug)]
struct Guess;

#[async_trait::async_trait]
impl TimeLeft for Guess {
    async fn of(&self, job: &JobRecord) -> Option<Duration> {
        (job.state == JobState::Running).then_some(Duration::from_mins(1))
    }
}

#[async_trait::async_trait]
impl WaitReasons for Guess {
    async fn of(&self, _: JobId) -> Option<Waiting> {
        Some(Waiting {
            reason: Reason::Budget,
            left: Some(Duration::from_secs(8)),
        })
    }
}

/// Runs until it is told how to go on, or is cancelled.
#[derive(Debug)]
struct Steps {
    kind: &'static str,
    /// How many steps of progress it may show; the end comes after 100.
    gate: watch::Receiver<u8>,
}

impl Task<dyn Store> for Steps {
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn queue(&self) -> &'static str {
        "q"
    }
    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(0, 0, 0)
    }
    fn order(&self, args: &str) -> Result<NewJob, String> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct SubmittedArgs {
            #[serde(default)]
            key: Option<String>,
        }
        let submitted: SubmittedArgs =
            serde_json::from_str(args).map_err(|error| error.to_string())?;
        Ok(NewJob {
            kind: self.kind,
            queue: "q",
            lane: "",
            key: submitted.key,
            args: args.to_owned(),
            priority: Priority::DEFAULT,
            max_attempts: 1,
            run_at: None,
            after: After::default(),
        })
    }
    fn run(&self, context: JobContext) -> TaskFuture {
        let mut gate = self.gate.clone();
        let work = self.kind == "steps";
        Box::pin(async move {
            for percent in 1..=100 {
                if !work {
                    break;
                }
                let cancelled = context.cancel().requested();
                tokio::select! {
                    _ = gate.wait_for(|open| *open >= percent) => {}
                    () = cancelled => return Outcome::Cancel("as asked".to_owned()).into(),
                }
                let _ = context.progress("stepping", percent, json!({})).await;
            }
            TaskResult::complete(json!({ "done": true }))
        })
    }
}

#[derive(Debug)]
struct Well;

impl crate::control::HealthReadings for Well {
    fn check(&self) -> futures_util::future::BoxFuture<'static, Value> {
        Box::pin(std::future::ready(
            json!({ "verdict": "healthy", "findings": [] }),
        ))
    }
}

/// Knows one player.
#[derive(Debug)]
struct Map;

#[async_trait::async_trait]
impl Locate for Map {
    async fn locate(&self, whom: &Whom) -> Whereabouts {
        match whom.riot_id.as_ref().unwrap().tag_line() {
            "KR1" => Whereabouts::On("kr".parse().unwrap()),
            "404" => Whereabouts::Nobody,
            _ => Whereabouts::Untold("the map is torn".to_owned()),
        }
    }
}

#[derive(Debug)]
struct NoKey;

#[async_trait::async_trait]
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
    fn replace(&self, key: &str) -> Result<bool, String> {
        match key {
            "same" => Ok(false),
            "other" => Ok(true),
            _ => Err("that is no key".to_owned()),
        }
    }
}

struct Setup {
    folder: TempDir,
    engine: Engine,
    store: Arc<dyn Store>,
    steps: watch::Sender<u8>,
    stop: watch::Receiver<bool>,
    /// Set when the engine starts.
    control: Arc<OnceLock<Arc<ControlState>>>,
    /// The way in for this process.
    own: OwnConnections,
}

fn document(job: &JobRecord) -> Value {
    json!({ "job_id": job.id, "kind": job.kind, "state": job.state, "percent": job.percent, "result": job.result })
}

async fn start(limits: Limits) -> Setup {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("t.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&database).unwrap());
    let (steps, gate) = watch::channel(0);
    let task = |kind| Steps {
        kind,
        gate: gate.clone(),
    };
    let registry = Registry::default().with(task("steps")).with(task("noop"));
    let place = Arc::new(SocketPlace::open(&folder.path().join("r.sock")).unwrap());
    let (tell_stop, stop) = watch::channel(false);
    let about = About {
        database: database.display().to_string(),
        socket: Some(place.path().to_owned()),
        inside: None,
        settings: json!([]),
    };
    let control: Arc<OnceLock<Arc<ControlState>>> = Arc::default();
    let told = control.clone();
    let own = OwnConnections::default();
    let way_in = own.clone();
    let services = Services {
        above: Box::new(move |engine| {
            let control = |limits| {
                let advisers = crate::control::Advisers {
                    key: Arc::new(NoKey),
                    time_left: Arc::new(Guess),
                    waiting: Arc::new(Guess),
                    health: Arc::new(Well),
                    locate: Arc::new(Map),
                };
                let (about, stop) = (about.clone(), tell_stop.clone());
                ControlState::new(engine.clone(), about, advisers, limits, document, stop)
            };
            let of_others = control(limits);
            let _ = told.set(of_others.clone());
            let own = own_server_spec(way_in, control(Limits::own()));
            vec![server_spec(place, of_others), own]
        }),
        ..Services::default()
    };
    let config = EngineConfig {
        queues: vec![QueueConfig {
            name: "q",
            slots: 4,
            prefetch: 4,
            rate: None,
            paused: false,
        }],
        drain: Duration::from_secs(1),
        keep_finished: Duration::from_hours(1),
        ..EngineConfig::default()
    };
    let metrics = Arc::new(Metrics::default());
    let engine = Engine::start(config, store.clone(), Arc::new(registry), services, metrics);
    Setup {
        engine: engine.await.unwrap(),
        folder,
        store,
        steps,
        stop,
        control,
        own,
    }
}

impl Setup {
    /// How many subscriptions wait for a job.
    fn followers(&self, id: JobId) -> usize {
        self.control.get().unwrap().watch.followers(id)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("r.sock")
    }

    async fn client(&self) -> Client {
        Client::connect(&self.socket()).await.unwrap()
    }

    async fn raw(&self) -> Raw {
        let stream = UnixStream::connect(self.socket()).await.unwrap();
        let (reader, writer) = stream.into_split();
        Raw {
            reader: BufReader::new(reader),
            writer,
        }
    }

    async fn stop(self) {
        self.engine.stop().await.unwrap();
        self.store.close().await.unwrap();
    }
}

/// As `nc -U` has it: bytes in, lines out.
struct Raw {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Raw {
    async fn send(&mut self, line: &str) {
        let line = [line, "\n"].concat();
        self.writer.write_all(line.as_bytes()).await.unwrap();
    }

    /// The same at a door that may be closed: one that is turned away can find it so while it speaks.
    async fn offer(&mut self, line: &str) {
        let line = [line, "\n"].concat();
        let _ = self.writer.write_all(line.as_bytes()).await;
    }

    /// The next line, or nothing when the server has closed.
    async fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.reader.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
        }
    }

    async fn ask(&mut self, line: &str) -> Value {
        self.send(line).await;
        self.line().await.unwrap()
    }
}

/// A request with its number.
fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

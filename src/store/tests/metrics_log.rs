use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::wait;
use crate::engine::{EngineConfig, QueueConfig, Task};
use crate::metrics::{ActorState, LogFiles, Metrics};
use crate::model::{After, NewJob, Outcome, Priority, RetryPolicy, Timestamp};
use crate::store::engine::{Engine, JobContext, Registry, Services, TaskFuture, TaskResult};
use crate::store::sqlite::SqliteStore;
use crate::store::{Database, JobStore, Store};

/// Panics in every third job's first attempt.
struct Clumsy;

impl Task<dyn Store> for Clumsy {
    fn kind(&self) -> &'static str {
        "k"
    }
    fn queue(&self) -> &'static str {
        "q"
    }
    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(1, 0, 0)
    }
    fn run(&self, context: JobContext) -> TaskFuture {
        Box::pin(async move {
            let job = &context.job;
            assert!(
                job.attempt > 1 || job.lease.job.0 % 3 != 0,
                "stumbled over its own feet"
            );
            match job.lease.job.0 % 5 {
                0 => Outcome::Discard(crate::model::Failure::new("test", "no")).into(),
                _ => TaskResult::complete(Value::Null),
            }
        })
    }
}

fn job() -> NewJob {
    NewJob {
        kind: "k",
        queue: "q",
        lane: "",
        key: None,
        args: "{}".to_owned(),
        priority: Priority::DEFAULT,
        max_attempts: 2,
        run_at: None,
        after: After::default(),
    }
}

async fn start(folder: &TempDir, interval: Duration) -> (Engine, Arc<SqliteStore>) {
    let sqlite = Arc::new(SqliteStore::open(&folder.path().join("t.db")).unwrap());
    let store: Arc<dyn Store> = sqlite.clone();
    let config = EngineConfig {
        queues: vec![QueueConfig {
            name: "q",
            slots: 4,
            prefetch: 4,
            rate: None,
            paused: false,
        }],
        metrics_log: Some(LogFiles {
            path: folder.path().join("m.jsonl"),
            file_bytes: 1 << 20,
            files: 2,
        }),
        metrics_interval: interval,
        ..EngineConfig::default()
    };
    let registry = Arc::new(Registry::default().with(Clumsy));
    let metrics = Arc::new(Metrics::default());
    let engine = Engine::start(config, store, registry, Services::default(), metrics);
    (engine.await.unwrap(), sqlite)
}

fn records(folder: &TempDir) -> Vec<Value> {
    let log = std::fs::read_to_string(folder.path().join("m.jsonl")).unwrap();
    let lines = log.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[actix::test]
async fn what_the_records_count_adds_up_to_what_was_done() {
    crate::supervision::watch_panics(str::to_owned);
    let folder = TempDir::new().unwrap();
    let (engine, store) = start(&folder, Duration::from_millis(20)).await;
    for _ in 0..10 {
        store
            .enqueue(vec![job(); 30], Timestamp::now())
            .await
            .unwrap();
        let no_job_is_open = async || store.open_jobs().await.unwrap() == 0;
        wait::until("the end of all jobs", no_job_is_open).await;
    }
    engine.stop().await.unwrap();
    let records = records(&folder);
    assert!(records.iter().all(|record| record["v"] == 1));
    let queue: Vec<_> = records
        .iter()
        .filter(|record| record["actor"] == "/engine/queues/q" && record["kind"] == "queue")
        .collect();
    assert!(queue.len() > 3, "{} records", queue.len());
    let sum = |field: &str| -> u64 {
        let values = queue.iter().map(|record| record[field].as_u64().unwrap());
        values.sum()
    };
    assert_eq!(
        (sum("processed"), sum("failed"), sum("retried")),
        (240, 60, 100)
    );
    let panics = records.iter().filter(|r| r["event"] == "job_panicked");
    assert_eq!(panics.count(), 100);
    let stored = records.iter().filter(|r| r["kind"] == "store");
    let commits: u64 = stored.map(|r| r["commits"].as_u64().unwrap()).sum();
    assert_eq!(commits, store.writer_stats().commits);
}

#[actix::test]
async fn a_panic_and_the_restart_after_it_are_written_at_once() {
    crate::supervision::watch_panics(str::to_owned);
    let folder = TempDir::new().unwrap();
    let (engine, store) = start(&folder, Duration::from_hours(1)).await;
    store.panic_in_writer().await;
    let find = |event: &str| {
        let mut records = records(&folder).into_iter();
        records.find(|r| r["event"] == event && r["actor"] == "/engine/store_writer")
    };
    let restarted = "actor_restarted";
    wait::until(restarted, async || find(restarted).is_some()).await;
    let died = find("actor_died").unwrap();
    assert_eq!(died["detail"], "a bug in a command");
    engine.stop().await.unwrap();
    let events: Vec<_> = records(&folder)
        .into_iter()
        .filter(|record| record["kind"] == "event")
        .map(|record| record["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(events.first().unwrap(), "engine_started");
    assert_eq!(events.last().unwrap(), "engine_stopped");
}

#[actix::test]
async fn every_loop_of_an_engine_says_how_it_stands_also_when_it_was_made_anew() {
    crate::supervision::watch_panics(str::to_owned);
    let folder = TempDir::new().unwrap();
    let (engine, store) = start(&folder, Duration::from_hours(1)).await;
    let actors = &engine.handle().metrics.actors;
    for life in 0..2 {
        // All of them lean on the writer.
        for (name, field) in [
            ("heartbeat", "heard"),
            ("rescuer", "returned"),
            ("stager", "next_due"),
            ("canceller", "requests"),
            ("pruner", "pruned"),
            ("metrics", "interval_s"),
        ] {
            let stands = |actor: &ActorState| {
                let told = actor.state.as_ref();
                actor.up
                    && actor.restarts == life
                    && told.is_some_and(|told| told.get(field).is_some())
            };
            actors.wait_for(&format!("/engine/{name}"), stands).await;
        }
        if life == 0 {
            store.panic_in_writer().await;
        }
    }
    engine.stop().await.unwrap();
}

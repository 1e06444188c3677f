use crate::engine::{EngineConfig, QueueConfig, Task};
use crate::metrics::Metrics;
use crate::model::{After, JobId, NewJob, Priority, RetryPolicy, Timestamp};
use crate::store::Store;
use crate::store::engine::{Engine, JobContext, Registry, Services, TaskFuture, TaskResult};
use crate::store::postgres::PostgresStore;
use crate::store::scratch::Scratch;
use crate::store::sqlite::SqliteStore;
use std::sync::Arc;
use std::time::Duration;

struct NoOp;

impl Task<dyn Store> for NoOp {
    fn kind(&self) -> &'static str {
        "k"
    }
    fn queue(&self) -> &'static str {
        "q"
    }
    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(0, 0, 0)
    }
    fn run(&self, _: JobContext) -> TaskFuture {
        Box::pin(async { TaskResult::complete(serde_json::Value::Null) })
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
        max_attempts: 1,
        run_at: None,
        after: After::default(),
    }
}

/// Enqueues, again as long as the writer is away; a failed enqueue has written nothing.
async fn enqueue(store: &dyn Store, jobs: usize) {
    while store
        .enqueue(vec![job(); jobs], Timestamp::now())
        .await
        .is_err()
    {
        tokio::task::yield_now().await;
    }
}

#[actix::test]
async fn a_panic_of_the_writer_costs_its_group_and_nothing_that_was_promised() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("t.db")).unwrap());
    survives_panics(store.clone(), || store.panic_in_writer()).await;
}

#[actix::test]
async fn a_panic_of_one_of_several_writers_costs_no_more() {
    let scratch = Scratch::new();
    let store = Arc::new(PostgresStore::open(scratch.settings()).await.unwrap());
    survives_panics(store.clone(), || store.panic_in_writer()).await;
}

async fn survives_panics<F: Future<Output = ()>>(store: Arc<dyn Store>, panic: impl Fn() -> F) {
    crate::supervision::watch_panics(str::to_owned);
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
    let registry = Arc::new(Registry::default().with(NoOp));
    let engine = Engine::start(
        config,
        store.clone(),
        registry,
        Services::default(),
        Arc::new(Metrics::default()),
    )
    .await
    .unwrap();
    for _ in 0..3 {
        enqueue(&*store, 50).await;
        panic().await;
    }
    enqueue(&*store, 50).await;
    while store.open_jobs().await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    engine.stop().await.unwrap();
    assert!(store.job(JobId(200)).await.unwrap().is_some());
    assert!(store.job(JobId(201)).await.unwrap().is_none());
}

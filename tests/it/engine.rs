//! The engine over a real store: jobs with simple tasks, and what goes wrong with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use riftsync::engine::{
    Engine, EngineConfig, JobContext, QueueConfig, Registry, Task, TaskFuture, TaskResult,
};
use riftsync::metrics::Metrics;
use riftsync::model::{
    Failure, JobId, JobRecord, JobState, NewJob, Outcome, RetryPolicy, Timestamp,
};
use riftsync::store::Store;
use riftsync::store::sqlite::SqliteStore;
use serde_json::json;
use tempfile::TempDir;

use crate::store::new_job;

/// A kind made of a closure.
struct Simple<F> {
    kind: &'static str,
    queue: &'static str,
    run: F,
}

impl<F: Fn(JobContext) -> TaskFuture + Send + Sync + 'static> Task for Simple<F> {
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn queue(&self) -> &'static str {
        self.queue
    }
    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(2, 0, 0)
    }
    fn run(&self, context: JobContext) -> TaskFuture {
        (self.run)(context)
    }
}

fn done() -> TaskFuture {
    Box::pin(async { TaskResult::complete(json!(null)) })
}

fn config() -> EngineConfig {
    let queue = |name| QueueConfig {
        name,
        slots: 4,
        prefetch: 4,
        rate: None,
    };
    EngineConfig {
        queues: vec![queue("q"), queue("other")],
        drain: Duration::from_millis(50),
        keep_finished: Duration::from_hours(1),
    }
}

async fn start(registry: Registry) -> (TempDir, Arc<dyn Store>, Engine) {
    let folder = TempDir::new().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("t.db")).unwrap());
    let engine = Engine::start(
        config(),
        store.clone(),
        Arc::new(registry),
        Arc::new(Metrics::default()),
    )
    .await
    .unwrap();
    (folder, store, engine)
}

async fn enqueue(store: &dyn Store, jobs: Vec<NewJob>) -> Vec<JobId> {
    let enqueued = store.enqueue(jobs, Timestamp::now()).await.unwrap();
    enqueued.into_iter().map(|job| job.id).collect()
}

/// Waits, by looking, until the job is final. The test runner's time limit is the bound.
async fn finished(store: &dyn Store, id: JobId) -> JobRecord {
    loop {
        let record = store.job(id).await.unwrap().unwrap();
        if record.state.is_final() {
            return record;
        }
        tokio::task::yield_now().await;
    }
}

#[actix::test]
async fn a_thousand_jobs_and_their_children_all_run_once() {
    let runs = Arc::new(AtomicU32::new(0));
    let (parents, children) = (runs.clone(), runs.clone());
    let registry = Registry::default()
        .with(Simple {
            kind: "parent",
            queue: "q",
            run: move |context: JobContext| -> TaskFuture {
                parents.fetch_add(1, Ordering::Relaxed);
                let child = NewJob {
                    queue: "other",
                    ..new_job("child", Some(&context.job.lease.job.to_string()))
                };
                Box::pin(
                    async move { TaskResult::complete(json!(null)).with_children(vec![child]) },
                )
            },
        })
        .with(Simple {
            kind: "child",
            queue: "other",
            run: move |_: JobContext| {
                children.fetch_add(1, Ordering::Relaxed);
                done()
            },
        });
    let (_folder, store, engine) = start(registry).await;
    let ids = enqueue(&*store, vec![new_job("parent", None); 1000]).await;
    for id in ids {
        assert_eq!(finished(&*store, id).await.state, JobState::Completed);
    }
    assert_eq!(runs.load(Ordering::Relaxed), 2000);
    assert_eq!(store.open_jobs().await.unwrap(), 0);
    engine.stop().await.unwrap();
}

#[actix::test]
async fn a_panic_costs_one_attempt_and_the_other_queue_goes_on() {
    riftsync::supervision::watch_panics(str::to_owned);
    let registry = Registry::default()
        .with(Simple {
            kind: "bad",
            queue: "q",
            run: |_: JobContext| -> TaskFuture { Box::pin(async { panic!("I am a bad job") }) },
        })
        .with(Simple {
            kind: "good",
            queue: "other",
            run: |_: JobContext| done(),
        });
    let (_folder, store, engine) = start(registry).await;
    let bad = enqueue(&*store, vec![new_job("bad", None); 20]).await;
    let good = NewJob {
        queue: "other",
        ..new_job("good", None)
    };
    let good = enqueue(&*store, vec![good; 20]).await;
    for id in good {
        assert_eq!(finished(&*store, id).await.state, JobState::Completed);
    }
    for id in bad {
        let record = finished(&*store, id).await;
        assert_eq!((record.state, record.attempt), (JobState::Discarded, 3));
        assert_eq!(record.errors.len(), 3);
        assert!(record.errors[0].failure.message.contains("I am a bad job"));
    }
    engine.stop().await.unwrap();
}

#[actix::test]
async fn an_unknown_kind_is_discarded_with_a_remedy() {
    let (_folder, store, engine) = start(Registry::default()).await;
    let ids = enqueue(&*store, vec![new_job("from_the_future", None)]).await;
    let record = finished(&*store, ids[0]).await;
    assert_eq!(record.state, JobState::Discarded);
    assert!(
        record.errors[0]
            .failure
            .remedy
            .as_ref()
            .unwrap()
            .contains("upgrade")
    );
    engine.stop().await.unwrap();
}

#[actix::test]
async fn a_stop_hands_back_what_does_not_end_in_time_without_spending_its_attempt() {
    let (started, mut has_started) = tokio::sync::mpsc::unbounded_channel();
    let registry = Registry::default().with(Simple {
        kind: "endless",
        queue: "q",
        run: move |_: JobContext| -> TaskFuture {
            started.send(()).unwrap();
            Box::pin(std::future::pending())
        },
    });
    let (_folder, store, engine) = start(registry).await;
    let ids = enqueue(&*store, vec![new_job("endless", None)]).await;
    has_started.recv().await.unwrap();
    engine.stop().await.unwrap();
    let record = store.job(ids[0]).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

#[actix::test]
async fn a_retried_job_succeeds_on_its_next_attempt() {
    let tries = AtomicU32::new(0);
    let registry = Registry::default().with(Simple {
        kind: "flaky",
        queue: "q",
        run: move |_: JobContext| -> TaskFuture {
            let first = tries.fetch_add(1, Ordering::Relaxed) == 0;
            Box::pin(async move {
                if first {
                    Outcome::Retry(Failure::new("weather", "not yet").retryable()).into()
                } else {
                    TaskResult::complete(json!("second"))
                }
            })
        },
    });
    let (_folder, store, engine) = start(registry).await;
    let ids = enqueue(&*store, vec![new_job("flaky", None)]).await;
    let record = finished(&*store, ids[0]).await;
    assert_eq!(
        (record.state, record.attempt, record.errors.len()),
        (JobState::Completed, 2, 1)
    );
    engine.stop().await.unwrap();
}

//! The engine over a real store: jobs with simple tasks, and what goes wrong with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use riftsync::engine::{Clock, EngineConfig, QueueConfig, Task};
use riftsync::metrics::Metrics;
use riftsync::model::{
    Failure, JobId, JobRecord, JobState, NewJob, Outcome, RetryPolicy, Timestamp,
};
use riftsync::store::engine::{Engine, JobContext, Registry, Services, TaskFuture, TaskResult};
use riftsync::store::postgres::PostgresStore;
use riftsync::store::{Cancelled, EngineInfo, Fenced, Store, Wanted};
use serde_json::json;
use tokio::sync::watch;

use crate::place::on_each_store;
use crate::scratch::Scratch;
use crate::store::new_job;

/// A kind made of a closure.
struct Simple<F> {
    kind: &'static str,
    queue: &'static str,
    run: F,
}

impl<F: Fn(JobContext) -> TaskFuture + Send + Sync + 'static> Task<dyn Store> for Simple<F> {
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
        paused: false,
    };
    EngineConfig {
        queues: vec![queue("q"), queue("other")],
        drain: Duration::from_millis(50),
        keep_finished: Duration::from_hours(1),
        ..EngineConfig::default()
    }
}

async fn start(store: &Arc<dyn Store>, registry: Registry) -> Engine {
    Engine::start(
        config(),
        store.clone(),
        Arc::new(registry),
        Services::default(),
        Arc::new(Metrics::default()),
    )
    .await
    .unwrap()
}

on_each_store! { actix::test;
    a_thousand_jobs_and_their_children_all_run_once,
    a_panic_costs_one_attempt_and_the_other_queue_goes_on,
    an_unknown_kind_is_discarded_with_a_remedy,
    a_stop_hands_back_what_does_not_end_in_time_without_spending_its_attempt,
    a_retried_job_succeeds_on_its_next_attempt,
    a_queue_whose_supervisor_panics_is_started_anew_and_loses_no_job,
    a_running_job_that_is_cancelled_is_told_and_ends_as_it_likes,
    a_queue_that_only_panics_leaves_the_slots_of_others_alone,
    a_paused_queue_holds_only_what_runs,
    a_day_passes_for_an_engine_when_its_clock_is_moved,
}

async fn enqueue(store: &dyn Store, jobs: Vec<NewJob>) -> Vec<JobId> {
    let enqueued = store.enqueue(jobs, Timestamp::now()).await.unwrap();
    enqueued.into_iter().map(|job| job.id).collect()
}

async fn a_day_passes_for_an_engine_when_its_clock_is_moved(store: Arc<dyn Store>) {
    let begin = Timestamp::from_millis(1_700_000_000_000);
    let (day, hand) = (Duration::from_hours(24), watch::Sender::new(begin));
    let registry = Registry::default().with(Simple {
        kind: "k",
        queue: "q",
        run: move |context: JobContext| -> TaskFuture {
            let now = context.now();
            let is_late = now >= begin + day;
            let waits = Outcome::Snooze {
                delay: day,
                why: "not yet".to_owned(),
            };
            Box::pin(async move {
                if is_late {
                    TaskResult::complete(json!(now.as_millis()))
                } else {
                    waits.into()
                }
            })
        },
    });
    let config = EngineConfig {
        clock: Clock::told(hand.subscribe()),
        ..config()
    };
    let engine = Engine::start(
        config,
        store.clone(),
        Arc::new(registry),
        Services::default(),
        Arc::new(Metrics::default()),
    );
    let engine = engine.await.unwrap();
    let jobs = vec![new_job("k", None)];
    let id = store.enqueue(jobs, begin).await.unwrap()[0].id;
    loop {
        let record = store.job(id).await.unwrap().unwrap();
        if record.state == JobState::Scheduled {
            assert_eq!(record.run_at, begin + day);
            break;
        }
        tokio::task::yield_now().await;
    }
    hand.send_replace(begin + day);
    let record = finished(&*store, id).await;
    assert_eq!(record.result, Some(json!((begin + day).as_millis())));
    assert_eq!(record.finished_at, Some(begin + day));
    engine.stop().await.unwrap();
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

async fn a_thousand_jobs_and_their_children_all_run_once(store: Arc<dyn Store>) {
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
    let engine = start(&store, registry).await;
    let ids = enqueue(&*store, vec![new_job("parent", None); 1000]).await;
    for id in ids {
        assert_eq!(finished(&*store, id).await.state, JobState::Completed);
    }
    assert_eq!(runs.load(Ordering::Relaxed), 2000);
    assert_eq!(store.open_jobs().await.unwrap(), 0);
    engine.stop().await.unwrap();
}

async fn a_panic_costs_one_attempt_and_the_other_queue_goes_on(store: Arc<dyn Store>) {
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
    let engine = start(&store, registry).await;
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

async fn an_unknown_kind_is_discarded_with_a_remedy(store: Arc<dyn Store>) {
    let engine = start(&store, Registry::default()).await;
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

async fn a_stop_hands_back_what_does_not_end_in_time_without_spending_its_attempt(
    store: Arc<dyn Store>,
) {
    let (started, mut has_started) = tokio::sync::mpsc::unbounded_channel();
    let registry = Registry::default().with(Simple {
        kind: "endless",
        queue: "q",
        run: move |_: JobContext| -> TaskFuture {
            started.send(()).unwrap();
            Box::pin(std::future::pending())
        },
    });
    let engine = start(&store, registry).await;
    let ids = enqueue(&*store, vec![new_job("endless", None)]).await;
    has_started.recv().await.unwrap();
    engine.stop().await.unwrap();
    let record = store.job(ids[0]).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

async fn a_retried_job_succeeds_on_its_next_attempt(store: Arc<dyn Store>) {
    let tries = AtomicU32::new(0);
    let registry = Registry::default().with(Simple {
        kind: "flaky",
        queue: "q",
        run: move |_: JobContext| -> TaskFuture {
            let first = tries.fetch_add(1, Ordering::Relaxed) == 0;
            Box::pin(async move {
                if first {
                    Outcome::Retry(Failure::new("outage", "not yet").retryable()).into()
                } else {
                    TaskResult::complete(json!("second"))
                }
            })
        },
    });
    let engine = start(&store, registry).await;
    let ids = enqueue(&*store, vec![new_job("flaky", None)]).await;
    let record = finished(&*store, ids[0]).await;
    assert_eq!(
        (record.state, record.attempt, record.errors.len()),
        (JobState::Completed, 2, 1)
    );
    engine.stop().await.unwrap();
}

/// A kind whose policy panics the first times it is asked: in the executor, and then in the queue's
/// supervisor, which settles for the dead executor.
struct Treacherous {
    panics: AtomicU32,
}

impl Task<dyn Store> for Treacherous {
    fn kind(&self) -> &'static str {
        "treacherous"
    }
    fn queue(&self) -> &'static str {
        "q"
    }
    fn retry_policy(&self) -> RetryPolicy {
        let again = |left: u32| left.checked_sub(1);
        let left = self
            .panics
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, again);
        assert!(left.is_err(), "a bug outside of the attempt");
        RetryPolicy::new(2, 0, 0)
    }
    fn run(&self, _: JobContext) -> TaskFuture {
        done()
    }
}

async fn a_queue_whose_supervisor_panics_is_started_anew_and_loses_no_job(store: Arc<dyn Store>) {
    riftsync::supervision::watch_panics(str::to_owned);
    let registry = Registry::default()
        .with(Treacherous {
            panics: AtomicU32::new(2),
        })
        .with(Simple {
            kind: "good",
            queue: "other",
            run: |_: JobContext| done(),
        });
    let engine = start(&store, registry).await;
    let bad = enqueue(&*store, vec![new_job("treacherous", None); 10]).await;
    let good = NewJob {
        queue: "other",
        ..new_job("good", None)
    };
    let good = enqueue(&*store, vec![good; 10]).await;
    for id in bad.into_iter().chain(good) {
        assert_eq!(finished(&*store, id).await.state, JobState::Completed);
    }
    engine.stop().await.unwrap();
}

async fn a_running_job_that_is_cancelled_is_told_and_ends_as_it_likes(store: Arc<dyn Store>) {
    let (started, mut has_started) = tokio::sync::mpsc::unbounded_channel();
    let registry = Registry::default().with(Simple {
        kind: "polite",
        queue: "q",
        run: move |context: JobContext| -> TaskFuture {
            started.send(()).unwrap();
            Box::pin(async move {
                context.cancel().requested().await;
                Outcome::Cancel("as you wish".to_owned()).into()
            })
        },
    });
    let engine = start(&store, registry).await;
    let ids = enqueue(&*store, vec![new_job("polite", None)]).await;
    has_started.recv().await.unwrap();
    let cancelled = store.cancel(ids[0], Timestamp::now()).await.unwrap();
    assert_eq!(cancelled, Cancelled::Requested);
    let record = finished(&*store, ids[0]).await;
    assert_eq!(record.state, JobState::Cancelled);
    assert_eq!(record.errors[0].failure.message, "as you wish");
    engine.stop().await.unwrap();
}

/// The queue whose every job panics has slots, retries and a supervisor of its own: while it goes on
/// failing, the other queue runs as many jobs at once as it has slots, and all to their end.
async fn a_queue_that_only_panics_leaves_the_slots_of_others_alone(store: Arc<dyn Store>) {
    riftsync::supervision::watch_panics(str::to_owned);
    let at_once = Arc::new(tokio::sync::Barrier::new(4));
    let barrier = at_once.clone();
    let panics = Arc::new(AtomicU32::new(0));
    let counted = panics.clone();
    let registry = Registry::default()
        .with(Simple {
            kind: "bad",
            queue: "q",
            run: move |_: JobContext| -> TaskFuture {
                counted.fetch_add(1, Ordering::Relaxed);
                panic!("I am a bad job, outside of its future");
            },
        })
        .with(Simple {
            kind: "good",
            queue: "other",
            run: move |_: JobContext| -> TaskFuture {
                let barrier = barrier.clone();
                Box::pin(async move {
                    barrier.wait().await;
                    TaskResult::complete(json!(null))
                })
            },
        });
    let engine = start(&store, registry).await;
    let bad = enqueue(&*store, vec![new_job("bad", None); 300]).await;
    let good = NewJob {
        queue: "other",
        ..new_job("good", None)
    };
    let good = enqueue(&*store, vec![good; 100]).await;
    for id in good {
        let record = finished(&*store, id).await;
        assert_eq!((record.state, record.attempt), (JobState::Completed, 1));
    }
    for id in bad {
        assert_eq!(finished(&*store, id).await.state, JobState::Discarded);
    }
    assert_eq!(
        panics.load(Ordering::Relaxed),
        900,
        "three attempts of each"
    );
    engine.stop().await.unwrap();
}

/// Jobs of kind `k` that end when they are told to.
fn waits_until(
    told: tokio::sync::watch::Receiver<bool>,
    runs: Arc<AtomicU32>,
) -> impl Task<dyn Store> {
    Simple {
        kind: "k",
        queue: "q",
        run: move |_| -> TaskFuture {
            runs.fetch_add(1, Ordering::Relaxed);
            let mut told = told.clone();
            Box::pin(async move {
                told.wait_for(|told| *told).await.unwrap();
                TaskResult::complete(json!(null))
            })
        },
    }
}

async fn a_paused_queue_holds_only_what_runs(store: Arc<dyn Store>) {
    let (tell, told) = tokio::sync::watch::channel(false);
    let runs = Arc::new(AtomicU32::new(0));
    let registry = Registry::default().with(waits_until(told, runs.clone()));
    let ids = enqueue(&*store, vec![new_job("k", None); 8]).await;
    let engine = start(&store, registry).await;
    let held = || async { store.held(engine.id()).await.unwrap().len() };
    while held().await < 8 || runs.load(Ordering::Relaxed) < 4 {
        tokio::task::yield_now().await;
    }
    let queues = &engine.handle().queues;
    let queue = queues.all().iter().find(|queue| queue.name == "q").unwrap();
    queue.set(|settings| settings.paused = true);
    while held().await > 4 {
        tokio::task::yield_now().await;
    }
    tell.send_replace(true);
    while held().await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.open_jobs().await.unwrap(), 4);
    queue.set(|settings| settings.paused = false);
    for id in ids {
        let record = finished(&*store, id).await;
        assert_eq!((record.state, record.attempt), (JobState::Completed, 1));
    }
    engine.stop().await.unwrap();
}

#[actix::test]
async fn an_engine_that_was_taken_for_dead_drops_what_it_lost_and_does_the_rest() {
    let scratch = Scratch::new();
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(scratch.settings()).await.unwrap());
    let (tell, told) = tokio::sync::watch::channel(false);
    let runs = Arc::new(AtomicU32::new(0));
    let registry = Registry::default().with(waits_until(told, runs.clone()));
    enqueue(&*store, vec![new_job("k", None); 12]).await;
    let engine = start(&store, registry).await;
    while runs.load(Ordering::Relaxed) < 4 || store.held(engine.id()).await.unwrap().len() < 8 {
        tokio::task::yield_now().await;
    }
    let another = EngineInfo {
        id: "another".to_owned(),
        pid: 1,
        host: "elsewhere".to_owned(),
        version: "1",
    };
    store.beat(&another).await.unwrap();
    // What another engine does to one that it takes for dead, in the middle of its life.
    scratch.run("UPDATE engines SET heartbeat_at = heartbeat_at - 20000 WHERE id <> 'another'");
    assert_eq!(
        store
            .rescue("another", Timestamp::now())
            .await
            .unwrap()
            .returned,
        8
    );
    let taken = Wanted::of("q", 1);
    let taken = store
        .claim(taken, "another", Timestamp::now())
        .await
        .unwrap();
    assert_eq!(taken.len(), 1, "a suspect");
    engine.handle().standings.beat().await.unwrap();
    while runs.load(Ordering::Relaxed) < 8 {
        tokio::task::yield_now().await;
    }
    // Those that ran before were dropped: now that they may end, none of them writes.
    tell.send_replace(true);
    while store.open_jobs().await.unwrap() > 8 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.writer_stats().stale, 0);
    let done = riftsync::model::attempt::settle(
        1,
        3,
        Outcome::Complete(json!(null)),
        Duration::ZERO,
        Timestamp::now(),
    );
    let done = Arc::new(riftsync::store::Completion::of(done));
    let settled = store.settle(taken[0].lease, done, Timestamp::now()).await;
    assert_eq!(settled.unwrap(), Fenced::Applied);
    while store.open_jobs().await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    engine.stop().await.unwrap();
}

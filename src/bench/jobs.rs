//! `bench jobs`: no-op jobs through the real engine and the real store.
//!
//! Four measurements, one after the other on one fresh database: how fast jobs are enqueued (many in
//! one commit, and one by one), how fast they run (from the engine's start until the store has no
//! unfinished one), how soon a job starts after it was enqueued, and what a backlog costs in memory.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{History, Place};
use crate::engine::{EngineConfig, QueueConfig, Task};
use crate::metrics::Metrics;
use crate::metrics::process;
use crate::model::{After, NewJob, Priority, RetryPolicy, Timestamp};
use crate::store::engine::{Engine, JobContext, Registry, Services, TaskFuture, TaskResult};
use crate::store::{Store, StoreResult};

const QUEUE: &str = "default";
const KIND: &str = "bench";
/// Jobs in one commit of the bulk enqueue.
const BULK: usize = 1_000;
/// Jobs enqueued one by one, each with its own commit.
const SINGLES: usize = 2_000;

/// What to measure.
#[derive(Debug, Clone)]
pub struct JobsBench {
    pub jobs: usize,
    pub slots: usize,
    /// Jobs a second while start latency is measured.
    pub rate: u32,
    /// How long start latency is measured.
    pub latency: Duration,
    /// Jobs queued to see what a backlog costs in memory and at a start; 0 leaves that out.
    pub queued: usize,
    pub history: History,
}

/// What was measured. Rates are jobs a second, latencies milliseconds, memory bytes.
#[derive(Debug, Clone, Serialize)]
pub struct JobsReport {
    pub engine: String,
    pub store: &'static str,
    pub durability: String,
    pub history: History,
    pub jobs: usize,
    pub slots: usize,
    pub enqueue_batch: usize,
    pub enqueue_bulk_per_s: f64,
    pub enqueue_single_per_s: f64,
    pub run_s: f64,
    pub run_per_s: f64,
    pub commits: u64,
    /// Commands that shared a commit, on average, while the jobs ran.
    pub commands_per_commit: f64,
    pub latency_rate_per_s: u32,
    pub start_latency_p50_ms: f64,
    pub start_latency_p99_ms: f64,
    pub start_latency_max_ms: f64,
    pub queued: usize,
    /// What the backlog added to the resident memory while the engine ran on it.
    pub queued_resident_bytes: u64,
    /// From the engine's start on the backlog to the start of its first job.
    pub queued_first_start_ms: f64,
    pub resident_peak_bytes: u64,
    pub cpu_s: f64,
}

/// A job that does nothing, and notes how long it waited for its start if its arguments say when it
/// was enqueued.
#[derive(Debug)]
struct NoOp {
    epoch: Instant,
    started: Arc<AtomicU64>,
}

thread_local! {
    static WAITED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

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
    fn run(&self, context: JobContext) -> TaskFuture {
        if let Ok(enqueued_us) = context.job.args.parse::<u64>() {
            WAITED.with_borrow_mut(|all| all.push(micros(self.epoch.elapsed()) - enqueued_us));
        }
        self.started.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(TaskResult::complete(
            serde_json::Value::Null,
        )))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn job(args: String) -> NewJob {
    NewJob {
        kind: KIND,
        queue: QUEUE,
        lane: "",
        key: None,
        args,
        priority: Priority::DEFAULT,
        max_attempts: 1,
        run_at: None,
        after: After::default(),
    }
}

fn per_s(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

impl JobsBench {
    /// Runs on a fresh database. Must be called on an actix system.
    pub async fn run(&self, place: &Place) -> StoreResult<JobsReport> {
        place.remember(self.history).await?;
        let cpu = process::cpu_time();
        let store = place.open().await?;
        let epoch = Instant::now();
        let started = Arc::new(AtomicU64::new(0));

        let begun = Instant::now();
        for _ in 0..SINGLES {
            store
                .enqueue(vec![job("{}".to_owned())], Timestamp::now())
                .await?;
        }
        let single = per_s(SINGLES, begun.elapsed());
        let begun = Instant::now();
        enqueue_bulk(&*store, self.jobs).await?;
        let bulk = per_s(self.jobs, begun.elapsed());

        let before = store.writer_stats();
        let begun = Instant::now();
        let engine = self.engine(&store, epoch, &started).await?;
        until_empty(&*store, &started, self.jobs + SINGLES).await?;
        let run = begun.elapsed();
        let after = store.writer_stats();

        let waited = self.start_latency(&*store, epoch, &started).await?;
        let resident_peak_bytes = process::resident_peak_bytes();
        let cpu_s = process::cpu_time().saturating_sub(cpu).as_secs_f64();
        engine.stop().await?;

        let (queued_resident_bytes, first) = self.backlog(&store, epoch, &started).await?;
        store.close().await?;
        let quantile = |q| waited.value_at_quantile(q) as f64 / 1_000.0;
        Ok(JobsReport {
            engine: format!("riftsync {}", env!("CARGO_PKG_VERSION")),
            store: place.kind(),
            durability: place.durability().await?,
            history: self.history,
            jobs: self.jobs,
            slots: self.slots,
            enqueue_batch: BULK,
            enqueue_bulk_per_s: bulk,
            enqueue_single_per_s: single,
            run_s: run.as_secs_f64(),
            run_per_s: per_s(self.jobs + SINGLES, run),
            commits: after.commits - before.commits,
            commands_per_commit: (after.commands - before.commands) as f64
                / (after.commits - before.commits).max(1) as f64,
            latency_rate_per_s: self.rate,
            start_latency_p50_ms: quantile(0.5),
            start_latency_p99_ms: quantile(0.99),
            start_latency_max_ms: quantile(1.0),
            queued: self.queued,
            queued_resident_bytes,
            queued_first_start_ms: first.as_secs_f64() * 1_000.0,
            resident_peak_bytes,
            cpu_s,
        })
    }

    async fn engine(
        &self,
        store: &Arc<dyn Store>,
        epoch: Instant,
        started: &Arc<AtomicU64>,
    ) -> StoreResult<Engine> {
        let config = EngineConfig {
            queues: vec![QueueConfig {
                name: QUEUE,
                slots: self.slots,
                prefetch: self.slots,
                rate: None,
                paused: false,
            }],
            drain: Duration::from_secs(5),
            keep_finished: Duration::from_hours(1),
            ..EngineConfig::default()
        };
        let task = NoOp {
            epoch,
            started: started.clone(),
        };
        let registry = Arc::new(Registry::default().with(task));
        Engine::start(
            config,
            store.clone(),
            registry,
            Services::default(),
            Arc::new(Metrics::default()),
        )
        .await
    }

    /// Enqueues at an even rate, each job in a commit of its own, and gathers how long each waited for
    /// its start, from the call of `enqueue` on, in microseconds.
    async fn start_latency(
        &self,
        store: &dyn Store,
        epoch: Instant,
        started: &AtomicU64,
    ) -> StoreResult<Histogram<u64>> {
        WAITED.take();
        started.store(0, Ordering::Relaxed);
        let pause = Duration::from_secs(1) / self.rate.max(1);
        let mut ticks = tokio::time::interval(pause);
        let begun = Instant::now();
        let mut sent = 0;
        let mut pending = futures_util::stream::FuturesUnordered::new();
        while begun.elapsed() < self.latency {
            ticks.tick().await;
            // Not awaited here: a slow commit must not make the next job late.
            let args = micros(epoch.elapsed()).to_string();
            pending.push(store.enqueue(vec![job(args)], Timestamp::now()));
            sent += 1;
            while let Some(Some(done)) =
                futures_util::FutureExt::now_or_never(futures_util::StreamExt::next(&mut pending))
            {
                done?;
            }
        }
        while let Some(done) = futures_util::StreamExt::next(&mut pending).await {
            done?;
        }
        until_empty(store, started, sent).await?;
        let mut waited = Histogram::new(3).expect("3 digits are a valid precision");
        for us in WAITED.take() {
            waited.record(us).expect("it grows as it must");
        }
        Ok(waited)
    }

    /// What a backlog adds to the memory of an engine that runs on it, and how soon its first job starts.
    async fn backlog(
        &self,
        store: &Arc<dyn Store>,
        epoch: Instant,
        started: &Arc<AtomicU64>,
    ) -> StoreResult<(u64, Duration)> {
        if self.queued == 0 {
            return Ok((0, Duration::ZERO));
        }
        let before = process::resident_bytes();
        enqueue_bulk(&**store, self.queued).await?;
        started.store(0, Ordering::Relaxed);
        let begun = Instant::now();
        let engine = self.engine(store, epoch, started).await?;
        while started.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let first = begun.elapsed();
        // Long enough under way that whatever grows with the backlog has grown.
        while started.load(Ordering::Relaxed) < (self.queued / 10) as u64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let grown = process::resident_bytes().saturating_sub(before);
        engine.stop().await?;
        Ok((grown, first))
    }
}

async fn enqueue_bulk(store: &dyn Store, jobs: usize) -> StoreResult<()> {
    let mut left = jobs;
    while left > 0 {
        let batch = left.min(BULK);
        store
            .enqueue(vec![job("{}".to_owned()); batch], Timestamp::now())
            .await?;
        left -= batch;
    }
    Ok(())
}

/// Returns when the store has no unfinished job. Asks it only once all have started: the question
/// looks at all open jobs.
async fn until_empty(store: &dyn Store, started: &AtomicU64, jobs: usize) -> StoreResult<()> {
    while started.load(Ordering::Relaxed) < jobs as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while store.open_jobs().await? > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

impl fmt::Display for JobsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(
            f,
            "{} on {}, {}, {} slots, {}",
            self.engine, self.store, self.durability, self.slots, self.history
        )?;
        writeln!(
            f,
            "enqueued   {:>9.0} jobs/s in batches of {}, {:.0}/s one by one",
            self.enqueue_bulk_per_s, self.enqueue_batch, self.enqueue_single_per_s
        )?;
        writeln!(
            f,
            "run        {:>9.0} jobs/s: {} jobs claimed, run and completed in {:.2} s, {} commits of {:.0} commands",
            self.run_per_s,
            self.jobs + SINGLES,
            self.run_s,
            self.commits,
            self.commands_per_commit
        )?;
        writeln!(
            f,
            "start      p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms after enqueue, at {} jobs/s",
            self.start_latency_p50_ms,
            self.start_latency_p99_ms,
            self.start_latency_max_ms,
            self.latency_rate_per_s
        )?;
        if self.queued > 0 {
            writeln!(
                f,
                "backlog    {} queued jobs add {:.1} MiB of memory; the first starts {:.0} ms after the engine",
                self.queued,
                mib(self.queued_resident_bytes),
                self.queued_first_start_ms
            )?;
        }
        write!(
            f,
            "used       {:.1} MiB of memory at most, {:.1} s of processor time",
            mib(self.resident_peak_bytes),
            self.cpu_s
        )
    }
}

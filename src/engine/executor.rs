//! One actor per running job: it runs the attempt, settles it, reports and ends.
//!
//! Invariants: an attempt is settled exactly once, by its own lease; while the database is away
//! the settlement waits and repeats, it is never dropped. If the queue's supervisor is gone, so is
//! its executor, and the lease is handed back by the supervisor's successor.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use futures_util::FutureExt;
use tracing::Instrument;

use super::attempts::{CancelSignal, Post};
use super::halt::Halt;
use super::metrics::FailedAttempt;
use super::queue::QueueSupervisor;
use super::store::{Completion, Fenced, JobStore, StoreError};
use super::task::{JobContext, Task, TaskResult};
use super::tools::Tools;
use riftsync_basics::attempt::settle;
use riftsync_basics::words::words;
use riftsync_basics::{ClaimedJob, Failure, JobState, Lease, Outcome};
use riftsync_supervision::{ChildGuard, EndReason, last_panic};

/// How long an attempt may take to end by itself once its job is to be cancelled.
const CANCEL_GRACE: Duration = Duration::from_secs(5);
/// Work that took so long leaves its slot to the next while its end is committed.
const WORTH_TELLING: Duration = Duration::from_millis(5);
/// Pause between tries to settle while the database cannot be written.
const SETTLE_RETRY: Duration = Duration::from_millis(500);

/// The work of a job's attempt is done; its end is to be committed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct JobWorked(pub Lease);

/// A job's attempt is over and on the disk.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct JobFinished {
    pub lease: Lease,
    pub state: Option<JobState>,
    pub took: Duration,
}

/// Ends the attempt without settling it: its lease is handed back by whoever sends this.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Abandon;

/// See the module.
#[allow(missing_debug_implementations, reason = "holds a task")]
pub struct Executor<S: JobStore + ?Sized> {
    task: Arc<dyn Task<S>>,
    job: Arc<ClaimedJob>,
    tools: Tools<S>,
    supervisor: Addr<QueueSupervisor<S>>,
    guard: ChildGuard,
}

impl<S: JobStore + ?Sized> Executor<S> {
    pub(super) fn new(
        task: Arc<dyn Task<S>>,
        job: Arc<ClaimedJob>,
        tools: Tools<S>,
        supervisor: Addr<QueueSupervisor<S>>,
        guard: ChildGuard,
    ) -> Self {
        Self {
            task,
            job,
            tools,
            supervisor,
            guard,
        }
    }
}

impl<S: JobStore + ?Sized> Actor for Executor<S> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (lease, supervisor) = (self.job.lease, self.supervisor.clone());
        // One message for each slot, as when it is over.
        let worked = move || supervisor.do_send(JobWorked(lease));
        let attempt = run_attempt(
            self.task.clone(),
            self.job.clone(),
            self.tools.clone(),
            worked,
        );
        // Whatever is logged meanwhile says for which attempt of which job, at every level of the log.
        let queue = self.task.queue();
        let span = tracing::error_span!(
            "job",
            job.id = %self.job.lease.job,
            job.kind = %self.job.kind,
            attempt = self.job.attempt,
            actor = format_args!("/engine/queues/{queue}/{}", self.job.kind),
        );
        let attempt = attempt.instrument(span);
        ctx.spawn(attempt.into_actor(self).map(|finished, this, ctx| {
            this.guard.ends(EndReason::Normal);
            // One message per slot: it cannot pile up, and must not be lost.
            this.supervisor.do_send(finished);
            ctx.stop();
        }));
    }
}

impl<S: JobStore + ?Sized> Handler<Abandon> for Executor<S> {
    type Result = ();
    fn handle(&mut self, _: Abandon, ctx: &mut Self::Context) {
        self.guard.ends(EndReason::Shutdown);
        ctx.stop();
    }
}

async fn run_attempt<S: JobStore + ?Sized>(
    task: Arc<dyn Task<S>>,
    job: Arc<ClaimedJob>,
    tools: Tools<S>,
    worked: impl FnOnce(),
) -> JobFinished {
    let started = Instant::now();
    let post = Post::default();
    let (_listed, cancel, urgency) =
        (tools.attempts).list(job.lease, job.priority, task.queue(), post.clone());
    let context = JobContext::new(
        job.clone(),
        tools.store.clone(),
        cancel.clone(),
        urgency,
        tools.clock.clone(),
        post.clone(),
    );
    let ran = Cell::new(false);
    let run = async {
        let _turn = match tools.floor.turn(&job, &*tools.store).await {
            Ok(turn) => turn,
            Err(instead) => return instead.into(),
        };
        ran.set(true);
        task.run(context).await
    };
    let run = AssertUnwindSafe(run).catch_unwind();
    let run_or_cancel = async {
        tokio::select! {
            biased;
            result = run => result,
            () = overdue(&cancel) => {
                let why = format!("cancelled on request; it did not end within {CANCEL_GRACE:?}");
                Ok(Outcome::Cancel(why).into())
            }
        }
    };
    let result = run_or_cancel.await.unwrap_or_else(|_| {
        let why = last_panic();
        tell_panic(&*task, &job, &why, &tools);
        Outcome::Retry(Failure::new("panic", why).retryable()).into()
    });
    // A job that takes no time is worth no message of its own: what is between two such jobs is their commits.
    if started.elapsed() >= WORTH_TELLING {
        worked();
    }
    note_failure(&job, &result.outcome, &tools);
    if let Outcome::Snooze { why, .. } = &result.outcome {
        tools.put_off.note(job.lease.job, why);
    }
    let end = End {
        post: &post,
        cancel: &cancel,
        ran: ran.get(),
    };
    let state = settle_result(&*task, &job, result, end, &tools).await;
    JobFinished {
        lease: job.lease,
        state,
        took: started.elapsed(),
    }
}

/// Resolves when the attempt had its time to end after the request to cancel its job.
async fn overdue(cancel: &CancelSignal) {
    cancel.requested().await;
    tokio::time::sleep(CANCEL_GRACE).await;
}

/// What else there is to know of an attempt that ends.
struct End<'a> {
    post: &'a Post,
    cancel: &'a CancelSignal,
    /// What did not run has not survived anything.
    ran: bool,
}

/// Writes the end of the attempt; waits out an outage. If its job is to be cancelled meanwhile, it ends without what
/// it did: that is what cannot be written. None: the lease was no longer ours, or the store is closed, and the job will
/// be handed back.
async fn settle_result<S: JobStore + ?Sized>(
    task: &dyn Task<S>,
    job: &ClaimedJob,
    result: TaskResult<S::Effect>,
    end: End<'_>,
    tools: &Tools<S>,
) -> Option<JobState> {
    let mut halted = None;
    let mut late = Late::default();
    let mut given_up = false;
    let (store, clock) = (&tools.store, &tools.clock);
    let now = clock.now();
    let backoff = task.backoff(job.attempt, fastrand::f64());
    log_outcome(job, &result.outcome, backoff);
    let settlement = settle(job.attempt, job.max_attempts, result.outcome, backoff, now);
    let mut completion = Arc::new(Completion {
        settlement,
        effects: result.effects,
        children: result.children,
        survived: end.ran,
    });
    loop {
        match store
            .settle(job.lease, completion.clone(), clock.now())
            .await
        {
            Ok(Fenced::Applied) => {
                late.is_over(tools);
                return Some(completion.settlement.state);
            }
            Ok(Fenced::Stale) => {
                // Why is told once for all of its jobs: this engine was taken for dead, or its queue began anew.
                tracing::debug!(
                    "job {} was taken from this attempt; its result is dropped",
                    job.lease.job
                );
                return None;
            }
            Err(error) if error.is_transient() => {
                // The store has said so once, for everybody.
                halted.get_or_insert_with(|| end.post.halt(Halt::Commit));
                tracing::debug!("the end of job {} waits: {error}", job.lease.job);
                late.waits(job, &error, tools);
                tokio::select! {
                    () = tokio::time::sleep(SETTLE_RETRY) => {}
                    () = end.cancel.requested(), if !given_up => {}
                }
                if end.cancel.is_requested() && !given_up {
                    given_up = true;
                    completion = Arc::new(unstored(job, &error, tools));
                }
            }
            // The engine is about to stop, and whoever stops it says why. The next one starts the job again.
            Err(error) if error.is_end() => {
                tracing::debug!("the end of job {} is lost: {error}", job.lease.job);
                return None;
            }
            Err(StoreError::Panicked(why)) if !completion.effects.is_empty() => {
                completion = Arc::new(panicked(task, job, &why, tools));
            }
            Err(error) => {
                tracing::error!("job {} cannot be settled: {error}", job.lease.job);
                return discard_unsettled(job, &error.to_string(), tools).await;
            }
        }
    }
}

/// The end of an attempt that is cancelled while the database is away.
fn unstored<S: JobStore + ?Sized>(
    job: &ClaimedJob,
    error: &StoreError,
    tools: &Tools<S>,
) -> Completion<S::Effect> {
    let why = format!("cancelled on request; its result could not be stored: {error}");
    ended(job, Outcome::Cancel(why), tools)
}

/// The end of an attempt whose effects cannot be written: it failed, as one whose task panics.
fn panicked<S: JobStore + ?Sized>(
    task: &dyn Task<S>,
    job: &ClaimedJob,
    why: &str,
    tools: &Tools<S>,
) -> Completion<S::Effect> {
    tell_panic(task, job, why, tools);
    let why = format!("what it was to write panicked, and nothing of it was written: {why}");
    let outcome = Outcome::Retry(Failure::new("panic", why).retryable());
    note_failure(job, &outcome, tools);
    let backoff = task.backoff(job.attempt, fastrand::f64());
    log_outcome(job, &outcome, backoff);
    let (attempt, most) = (job.attempt, job.max_attempts);
    Completion::of(settle(attempt, most, outcome, backoff, tools.clock.now()))
}

fn tell_panic<S: JobStore + ?Sized>(
    task: &dyn Task<S>,
    job: &ClaimedJob,
    why: &str,
    tools: &Tools<S>,
) {
    let actor = format!("/engine/queues/{}/{}", task.queue(), job.kind);
    let detail = format!("job {}: {why}", job.lease.job);
    tools.metrics.events.tell("job_panicked", &actor, detail);
}

/// An end that the database refuses (a bug) must not leave the job running for ever.
async fn discard_unsettled<S: JobStore + ?Sized>(
    job: &ClaimedJob,
    why: &str,
    tools: &Tools<S>,
) -> Option<JobState> {
    let failure = Failure::new("store", format!("its result could not be stored: {why}"));
    let completion = ended(job, Outcome::Discard(failure), tools);
    let now = tools.clock.now();
    let settled = tools.store.settle(job.lease, Arc::new(completion), now);
    match settled.await {
        Ok(Fenced::Applied) => Some(JobState::Discarded),
        Ok(Fenced::Stale) | Err(_) => None,
    }
}

/// An end that writes nothing but itself.
fn ended<S: JobStore + ?Sized>(
    job: &ClaimedJob,
    outcome: Outcome,
    tools: &Tools<S>,
) -> Completion<S::Effect> {
    let (attempt, most) = (job.attempt, job.max_attempts);
    let now = tools.clock.now();
    Completion::of(settle(attempt, most, outcome, Duration::ZERO, now))
}

/// How long an end has waited.
#[derive(Default)]
struct Late {
    since: Option<tokio::time::Instant>,
    told: bool,
}

impl Late {
    fn waits<S: JobStore + ?Sized>(
        &mut self,
        job: &ClaimedJob,
        error: &StoreError,
        tools: &Tools<S>,
    ) {
        let since = *self.since.get_or_insert_with(tokio::time::Instant::now);
        let (id, waited) = (job.lease.job, since.elapsed());
        let why = format_args!(
            "the end of job {id} ({}) could not be stored for {waited:.0?}: {error}. Cancel it{} to end it without what \
             it did",
            job.kind,
            words().with_cancel_of(id)
        );
        // It may be the only one that waits. One line for all that do, none if the database is away for everybody.
        self.told |= tools.store.outages().end_waits(since, why);
    }

    fn is_over<S: JobStore + ?Sized>(&self, tools: &Tools<S>) {
        if self.told {
            tools.store.outages().end_stored();
        }
    }
}

/// Remembers it for those who ask what went wrong of late.
fn note_failure<S: ?Sized>(job: &ClaimedJob, outcome: &Outcome, tools: &Tools<S>) {
    let (why, retried) = match outcome {
        Outcome::Retry(why) => (why, job.attempt < job.max_attempts),
        Outcome::Discard(why) => (why, false),
        Outcome::Complete(_) | Outcome::Snooze { .. } | Outcome::Cancel(_) => return,
    };
    tools.metrics.events.failed(FailedAttempt {
        at: tools.clock.now(),
        job_id: job.lease.job.0,
        kind: job.kind.clone(),
        key: job.key.clone(),
        message: why.message.clone(),
        retried,
    });
}

fn log_outcome(job: &ClaimedJob, outcome: &Outcome, backoff: Duration) {
    let (id, kind) = (job.lease.job, &job.kind);
    let key = job.key.as_deref().unwrap_or("-");
    match outcome {
        Outcome::Complete(_) => {
            tracing::debug!("job {id} {kind} {key} is done");
        }
        Outcome::Snooze { delay, why } => {
            tracing::debug!("job {id} {kind} {key} waits {delay:.1?}: {why}");
        }
        Outcome::Retry(why) if job.attempt < job.max_attempts && why.told => {
            tracing::debug!("job {id} {kind} {key} tries again in {backoff:.0?}: {why}");
        }
        Outcome::Retry(why) if job.attempt < job.max_attempts => {
            tracing::warn!(
                "job {id} {kind} {key}, attempt {} of {}: {why}. Next try in {backoff:.0?}",
                job.attempt,
                job.max_attempts
            );
        }
        Outcome::Retry(why) => {
            tracing::warn!("job {id} {kind} {key} failed for good: {why}");
        }
        // Its task knows that no attempt would help: an answer, not an accident.
        Outcome::Discard(why) => {
            tracing::info!("job {id} {kind} {key} is discarded: {why}");
        }
        Outcome::Cancel(why) => {
            tracing::info!("job {id} {kind} {key} cancelled: {why}");
        }
    }
}

//! What a kind of job is to the engine: a name, a queue, a policy and something to run.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::attempts::{CancelSignal, Post, Urgency};
use super::clock::Clock;
use super::store::{Fenced, JobStore, StoreResult};
use riftsync_basics::{ClaimedJob, Form, Lease, NewJob, Outcome, Priority, RetryPolicy, Timestamp};

/// What a task's attempt comes to: the outcome, and what is written with it.
#[derive(Debug)]
pub struct TaskResult<E> {
    pub outcome: Outcome,
    pub effects: Vec<E>,
    /// Jobs to spawn; taken only with `Outcome::Complete`.
    pub children: Vec<NewJob>,
}

impl<E> TaskResult<E> {
    pub fn complete(result: Value) -> Self {
        Outcome::Complete(result).into()
    }

    #[must_use]
    pub fn with_effects(mut self, effects: Vec<E>) -> Self {
        self.effects = effects;
        self
    }

    #[must_use]
    pub fn with_children(mut self, children: Vec<NewJob>) -> Self {
        self.children = children;
        self
    }
}

impl<E> From<Outcome> for TaskResult<E> {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            effects: Vec::new(),
            children: Vec::new(),
        }
    }
}

/// An attempt of a job, as its task sees it.
#[derive(Debug)]
pub struct JobContext<S: ?Sized> {
    pub job: Arc<ClaimedJob>,
    store: Arc<S>,
    cancel: CancelSignal,
    urgency: Urgency,
    clock: Clock,
    post: Post,
}

impl<S: JobStore + ?Sized> JobContext<S> {
    pub fn new(
        job: Arc<ClaimedJob>,
        store: Arc<S>,
        cancel: CancelSignal,
        urgency: Urgency,
        clock: Clock,
        post: Post,
    ) -> Self {
        Self {
            job,
            store,
            cancel,
            urgency,
            clock,
            post,
        }
    }

    /// Resolves when somebody asked to cancel the job: end soon, with `Outcome::Cancel`. An attempt
    /// that does not is dropped where it waits, a few seconds later.
    pub fn cancel(&self) -> &CancelSignal {
        &self.cancel
    }

    /// Where the attempt says what it stands still for.
    pub fn post(&self) -> &Post {
        &self.post
    }

    pub fn lease(&self) -> Lease {
        self.job.lease
    }

    /// As it is now: somebody may come to wait for the job while it runs.
    pub fn priority(&self) -> Priority {
        self.urgency.now()
    }

    pub fn urgency(&self) -> &Urgency {
        &self.urgency
    }

    /// What shares its turns in waiting lines with this job: all that one submitted job spawned.
    pub fn flow(&self) -> u64 {
        self.job.flow.0.unsigned_abs()
    }

    /// Shows how far the job is. A stale attempt learns it here and may stop early.
    pub async fn progress(
        &self,
        step: &'static str,
        percent: u8,
        counters: Value,
    ) -> StoreResult<Fenced> {
        self.store
            .progress(self.lease(), step, percent, counters)
            .await
    }

    /// The program's own store, with whatever else it can read: for tasks that look before they fetch.
    pub fn store(&self) -> &S {
        &self.store
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

pub type TaskFuture<E> = Pin<Box<dyn Future<Output = TaskResult<E>>>>;

/// A kind of job of a program whose jobs are kept in a store `S`. One value per kind is registered; it makes a future
/// for every attempt.
pub trait Task<S: JobStore + ?Sized>: Send + Sync + 'static {
    fn kind(&self) -> &'static str;
    fn queue(&self) -> &'static str;
    fn retry_policy(&self) -> RetryPolicy;
    /// The pause after a failed attempt (the first is 1); `chance` lies in `0..1`. What is written here in the place of
    /// the policy's is a strategy of its own.
    fn backoff(&self, attempt: u32, chance: f64) -> Duration {
        self.retry_policy().backoff(attempt, chance)
    }
    /// A job of this kind from arguments that somebody wrote, or what is wrong with them. A kind that
    /// only other jobs spawn leaves this out.
    fn order(&self, _args: &str) -> Result<NewJob, String> {
        Err("jobs of this kind are made by other jobs alone".to_owned())
    }
    /// What people fill in to have such a job run; none: they do not.
    fn form(&self) -> Option<Form> {
        None
    }
    /// Runs one attempt. A panic costs the attempt and nothing else.
    fn run(&self, context: JobContext<S>) -> TaskFuture<S::Effect>;
}

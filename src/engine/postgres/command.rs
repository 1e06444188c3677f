//! What waits for a commit, and who waits for its answer.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::fault::Fault;
use super::locks::Lessons;
use super::transaction::Transaction;
use crate::store::question::Fate;
use crate::store::schedules::{Schedule, Tick, Ticked};
use crate::store::{
    Batch, Cancelled, Completion, Effect, EngineInfo, Enqueued, Fenced, Rescued, Retried, Staged,
    StoreError, StoreResult,
};
use riftsync_basics::suspicion::Death;
use riftsync_basics::{ClaimedJob, JobId, Lease, NewJob, Timestamp};

/// The caller who waits, and what to tell once the fate of the group is known.
#[derive(Debug)]
pub(super) struct Answer<T> {
    caller: oneshot::Sender<StoreResult<T>>,
    result: Option<StoreResult<T>>,
}

impl<T> Answer<T> {
    pub(super) fn new() -> (Self, oneshot::Receiver<StoreResult<T>>) {
        let (caller, answered) = oneshot::channel();
        let answer = Self {
            caller,
            result: None,
        };
        (answer, answered)
    }

    /// The result, if the group is committed. A later run of the group overwrites it.
    pub(super) fn set(&mut self, result: StoreResult<T>) {
        self.result = Some(result);
    }

    fn deliver(self, committed: StoreResult<()>) {
        let result = self.result.unwrap_or(Err(StoreError::Closed));
        // Whoever asked may be gone; the commit stands all the same.
        let _ = self.caller.send(committed.and(result));
    }
}

/// A command and since when it waits.
#[derive(Debug)]
pub(super) struct Command<E> {
    pub(super) verb: Verb<E>,
    pub(super) since: Instant,
    pub(super) fate: Fate,
}

/// One transition of jobs, with its arguments.
#[derive(Debug)]
pub(super) enum Verb<E> {
    Enqueue(Vec<NewJob>, Timestamp, Answer<Vec<Enqueued>>),
    EnqueueBatch(Vec<NewJob>, Timestamp, Answer<Batch>),
    Settle(Lease, Arc<Completion<E>>, Timestamp, Answer<Fenced>),
    Progress(Progress, Answer<Fenced>),
    Claim(Claim, Answer<Vec<ClaimedJob>>),
    Cancel(JobId, Timestamp, Answer<Cancelled>),
    Retry(JobId, Timestamp, Answer<Retried>),
    Prune(Timestamp, usize, Answer<usize>),
    Stage(Timestamp, Answer<Staged>),
    /// Also of engines that are gone, and since when.
    Rescue(String, Vec<(String, i64)>, Timestamp, Answer<Rescued>),
    RunsAlone(Lease, Answer<Fenced>),
    Died(String, Death, Answer<bool>),
    Release(Release, Answer<usize>),
    PutSchedule(Schedule, Timestamp, Answer<()>),
    RemoveSchedule(String, Answer<bool>),
    AdoptSchedules(Vec<Schedule>, Timestamp, Answer<()>),
    Tick(Box<Tick>, Timestamp, Answer<Ticked>),
    Probe(String, Answer<Option<Timestamp>>),
    EngineStarted(EngineInfo, Answer<()>),
    EngineStopped(String, Answer<()>),
    /// What the program writes besides, and the place that it needs for it alone.
    Own(Box<dyn Work>, Option<String>),
}

/// Work of a program in a transaction, and who waits for it.
pub(super) trait Work: Send {
    /// Again, if the transaction had to be rolled back.
    fn run<'w>(&'w mut self, tx: &'w mut Transaction<'_>) -> BoxFuture<'w, Result<(), Fault>>;
    fn deliver(self: Box<Self>, committed: StoreResult<()>);
}

impl fmt::Debug for dyn Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}

struct Answered<T, F> {
    work: F,
    answer: Answer<T>,
}

impl<T, F> Work for Answered<T, F>
where
    T: Send,
    F: for<'t, 'c> FnMut(&'t mut Transaction<'c>) -> BoxFuture<'t, Result<T, Fault>> + Send,
{
    fn run<'w>(&'w mut self, tx: &'w mut Transaction<'_>) -> BoxFuture<'w, Result<(), Fault>> {
        Box::pin(async move {
            let done = (self.work)(tx).await?;
            self.answer.set(Ok(done));
            Ok(())
        })
    }

    fn deliver(self: Box<Self>, committed: StoreResult<()>) {
        self.answer.deliver(committed);
    }
}

impl<E> Verb<E> {
    /// See [`Self::Own`].
    pub(super) fn own<T, F>(place: Option<String>, work: F, answer: Answer<T>) -> Self
    where
        T: Send + 'static,
        F: for<'t, 'c> FnMut(&'t mut Transaction<'c>) -> BoxFuture<'t, Result<T, Fault>>
            + Send
            + 'static,
    {
        Self::Own(Box::new(Answered { work, answer }), place)
    }

    /// Whether it is carried out with others of its kind. The others decide by what stands in the rows, and are few.
    pub(super) fn is_many(&self) -> bool {
        matches!(
            self,
            Self::Enqueue(..)
                | Self::EnqueueBatch(..)
                | Self::Settle(..)
                | Self::Progress(..)
                | Self::Claim(..)
        )
    }
}

#[derive(Debug)]
pub(super) struct Progress {
    pub(super) lease: Lease,
    pub(super) step: &'static str,
    pub(super) percent: u8,
    pub(super) counters: String,
}

#[derive(Debug)]
pub(super) struct Claim {
    pub(super) queue: String,
    pub(super) limit: usize,
    /// Jobs of these lanes are passed over.
    pub(super) closed: Vec<String>,
    /// The first priority that is meant.
    pub(super) from: u8,
    /// The priority that is too late.
    pub(super) before: u8,
    pub(super) engine: String,
    pub(super) now: Timestamp,
}

#[derive(Debug)]
pub(super) struct Release {
    pub(super) engine: String,
    pub(super) queue: Option<String>,
    pub(super) keep: Vec<Lease>,
    pub(super) now: Timestamp,
}

impl<E: Effect> Command<E> {
    pub(super) fn new(verb: Verb<E>) -> Self {
        Self {
            verb,
            since: Instant::now(),
            fate: Fate::open(),
        }
    }

    /// Answers the caller, once the fate of the group is known.
    pub(super) fn deliver(self, committed: StoreResult<()>) {
        match self.verb {
            Verb::Enqueue(.., answer) => answer.deliver(committed),
            Verb::EnqueueBatch(.., answer) => answer.deliver(committed),
            Verb::Settle(.., answer) | Verb::Progress(_, answer) | Verb::RunsAlone(_, answer) => {
                answer.deliver(committed);
            }
            Verb::Claim(_, answer) => answer.deliver(committed),
            Verb::Cancel(.., answer) => answer.deliver(committed),
            Verb::Retry(.., answer) => answer.deliver(committed),
            Verb::Prune(.., answer) | Verb::Release(_, answer) => answer.deliver(committed),
            Verb::Stage(_, answer) => answer.deliver(committed),
            Verb::Rescue(.., answer) => answer.deliver(committed),
            Verb::EngineStarted(_, answer)
            | Verb::EngineStopped(_, answer)
            | Verb::PutSchedule(.., answer)
            | Verb::AdoptSchedules(.., answer) => answer.deliver(committed),
            Verb::RemoveSchedule(_, answer) | Verb::Died(.., answer) => {
                answer.deliver(committed);
            }
            Verb::Tick(.., answer) => answer.deliver(committed),
            Verb::Probe(_, answer) => answer.deliver(committed),
            Verb::Own(work, _) => work.deliver(committed),
        }
    }

    /// Whether it is left to a transaction of its own.
    pub(super) fn is_left_out(&self, lessons: &Lessons) -> bool {
        matches!(&self.verb, Verb::Settle(lease, ..) if lessons.leaves_out(*lease))
    }

    /// See [`Effect::weight`]: a group is bounded by it too.
    pub(super) fn weight(&self) -> usize {
        match &self.verb {
            Verb::Settle(_, completion, ..) => completion.weight(),
            _ => 0,
        }
    }
}

//! What waits for a commit, and who waits for its answer.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::locks::Lessons;
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::model::suspicion::Death;
use crate::model::{ClaimedJob, JobId, Lease, NewJob, Timestamp};
use crate::store::question::Fate;
use crate::store::schedules::{Schedule, Tick, Ticked};
use crate::store::{
    Batch, BudgetMember, Cancelled, Completion, EngineInfo, Enqueued, Fenced, Rescued, Retried,
    Staged, StoreError, StoreResult,
};

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
pub(super) struct Command {
    pub(super) verb: Verb,
    pub(super) since: Instant,
    pub(super) fate: Fate,
}

/// One transition of jobs, with its arguments.
#[derive(Debug)]
pub(super) enum Verb {
    Enqueue(Vec<NewJob>, Timestamp, Answer<Vec<Enqueued>>),
    EnqueueBatch(Vec<NewJob>, Timestamp, Answer<Batch>),
    Settle(Lease, Arc<Completion>, Timestamp, Answer<Fenced>),
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
    /// With the engine whose calls these are, if others can see whether it lives.
    ShareBudget(
        Box<(BudgetMember, BoardReport, Option<String>)>,
        Answer<BoardGrant>,
    ),
    PutSchedule(Schedule, Timestamp, Answer<()>),
    RemoveSchedule(String, Answer<bool>),
    AdoptSchedules(Vec<Schedule>, Timestamp, Answer<()>),
    Tick(Box<Tick>, Timestamp, Answer<Ticked>),
    Track(Vec<i64>, bool, Answer<usize>),
    Lose(i64, String, Timestamp, Answer<bool>),
    Probe(String, Answer<Option<Timestamp>>),
    EngineStarted(EngineInfo, Answer<()>),
    EngineStopped(String, Answer<()>),
    #[cfg(test)]
    Panic(Answer<()>),
}

impl Verb {
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

impl Command {
    pub(super) fn new(verb: Verb) -> Self {
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
            Verb::ShareBudget(_, answer) => answer.deliver(committed),
            Verb::EngineStarted(_, answer)
            | Verb::EngineStopped(_, answer)
            | Verb::PutSchedule(.., answer)
            | Verb::AdoptSchedules(.., answer) => answer.deliver(committed),
            Verb::RemoveSchedule(_, answer) | Verb::Died(.., answer) => {
                answer.deliver(committed);
            }
            Verb::Tick(.., answer) => answer.deliver(committed),
            Verb::Track(.., answer) => answer.deliver(committed),
            Verb::Lose(.., answer) => answer.deliver(committed),
            Verb::Probe(_, answer) => answer.deliver(committed),
            #[cfg(test)]
            Verb::Panic(answer) => answer.deliver(committed),
        }
    }

    /// Whether it is left to a transaction of its own.
    pub(super) fn is_left_out(&self, lessons: &Lessons) -> bool {
        matches!(&self.verb, Verb::Settle(lease, ..) if lessons.leaves_out(*lease))
    }

    /// Bytes of documents it writes: a group is bounded by them too.
    pub(super) fn weight(&self) -> usize {
        match &self.verb {
            Verb::Settle(_, completion, ..) => completion.weight(),
            _ => 0,
        }
    }
}

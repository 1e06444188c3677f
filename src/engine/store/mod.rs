//! What the engine needs of a database: the traits of a store of jobs, and what they speak of. No SQL.
//!
//! A store decides nothing: it writes what it is told, if the lease of the attempt still matches.
//! Every method that writes is one transaction: all of it is there after any crash, or none.
//!
//! Deliberately absent: retry policy, queues' slots, and whatever the jobs are about. What a job writes is an
//! [`Effect`], a type of the program that the engine is part of.

mod absence;
pub(crate) mod attempts;
mod error;
mod job_store;
pub(crate) mod new_jobs;
pub mod question;
pub mod queue_progress;
pub(crate) mod relations;
pub mod rows;
pub mod schedules;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use riftsync_basics::histogram::Times;
use riftsync_basics::{
    Failure, JobId, JobRecord, JobState, NewJob, Priority, Settlement, Timestamp,
};
use tokio::sync::Notify;

pub use absence::{Absence, Away};
pub use error::{StoreError, TooLate};
pub use job_store::{Database, FleetStore, JobStore};
pub use queue_progress::ProbeStore;
pub use riftsync_basics::words::Words;
pub(crate) use riftsync_basics::words::say;
pub use schedules::ScheduleStore;

pub type StoreResult<T> = Result<T, StoreError>;

/// What a job writes with its end, in the same transaction: a type of the program that the engine is part of. Its store
/// knows how to write it.
pub trait Effect: fmt::Debug + Send + Sync + 'static {
    /// About how many bytes it writes: a group of ends that are committed together is bounded by them.
    fn weight(&self) -> usize {
        0
    }

    /// Refuses what cannot be written before anything is: nobody else's write is held up by it.
    fn check(&self) -> StoreResult<()> {
        Ok(())
    }

    /// What the parents of the job are to tell of it, though it did not fail.
    fn remark(&self) -> Option<Failure> {
        None
    }
}

/// For jobs that write nothing.
impl Effect for std::convert::Infallible {}

/// The end of an attempt: what it came to, what it wrote, which jobs it spawned. One transaction.
#[derive(Debug, Clone)]
pub struct Completion<E> {
    pub settlement: Settlement,
    pub effects: Vec<E>,
    pub children: Vec<NewJob>,
    /// The engine lived to see this end: the job is not suspected of having killed one.
    pub survived: bool,
}

impl<E: Effect> Completion<E> {
    pub fn of(settlement: Settlement) -> Self {
        Self {
            settlement,
            effects: Vec::new(),
            children: Vec::new(),
            survived: true,
        }
    }

    /// See [`Effect::weight`].
    pub fn weight(&self) -> usize {
        self.effects.iter().map(Effect::weight).sum()
    }

    /// See [`Effect::check`]. What a store will ask of the effects besides is asked here once: should they panic, it is
    /// in the attempt that made them.
    pub fn check(&self) -> StoreResult<()> {
        let _ = (self.weight(), self.remark());
        self.effects.iter().try_for_each(Effect::check)
    }

    /// See [`Effect::remark`]; the first.
    pub fn remark(&self) -> Option<Failure> {
        self.effects.iter().find_map(Effect::remark)
    }
}

/// What a write guarded by a lease did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Fenced {
    Applied,
    /// The attempt no longer holds the job: nothing was changed.
    Stale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    pub id: JobId,
    /// An open job with this key was there already.
    pub joined: bool,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub state: Option<JobState>,
    pub kind: Option<String>,
    pub queue: Option<String>,
    /// Only jobs that were enqueued before this one.
    pub before: Option<JobId>,
    pub limit: usize,
}

impl JobFilter {
    pub fn row_limit(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }
}

/// Jobs of a list, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobList {
    pub jobs: Vec<JobRecord>,
    /// Only jobs from this one on were looked at, because nothing but a look at each tells which are meant; none: all
    /// were, or as many were found as were asked for.
    pub searched_to: Option<JobId>,
}

impl JobList {
    /// Before which job the list goes on; none: this was its end.
    pub fn next(&self, limit: usize) -> Option<JobId> {
        let last = self.jobs.last().filter(|_| self.jobs.len() >= limit);
        last.map(|job| job.id).or(self.searched_to)
    }
}

/// Jobs that one list looks at.
pub const SEARCHED_MAX: i64 = 25_000;

/// The ids that a list looks at, of those that there are: from the first to before the second.
pub fn searched_ids(filter: &JobFilter, ids: (i64, i64)) -> (i64, i64) {
    let (oldest, newest) = ids;
    let end = filter
        .before
        .map_or(i64::MAX, |id| id.0)
        .min(newest.saturating_add(1));
    let is_whole = filter.state.is_none() && filter.kind.is_none() && filter.queue.is_none();
    if is_whole {
        return (oldest, end);
    }
    (end.saturating_sub(SEARCHED_MAX).max(oldest), end)
}

/// Open jobs of a queue in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCount {
    pub queue: String,
    pub state: JobState,
    pub jobs: u64,
}

/// Many jobs under one handle: a job that ends with the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub id: JobId,
    /// In the order they were given.
    pub jobs: Vec<Enqueued>,
}

/// The jobs a claim is for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub queue: &'a str,
    pub limit: usize,
    /// Jobs of these lanes are passed over.
    pub closed: &'a [String],
    /// Only jobs that are more urgent than this; none: all.
    pub before: Option<Priority>,
    /// Only jobs that are no more urgent than this; none: all.
    pub from: Option<Priority>,
}

impl<'a> Wanted<'a> {
    /// Any jobs of a queue.
    pub fn of(queue: &'a str, limit: usize) -> Self {
        Self {
            queue,
            limit,
            closed: &[],
            before: None,
            from: None,
        }
    }

    /// The priority that is too late.
    pub fn bound(&self) -> u8 {
        self.before.map_or(u8::MAX, Priority::get)
    }

    /// The first priority that is meant.
    pub fn begin(&self) -> u8 {
        self.from.map_or(Priority::FIRST.get(), Priority::get)
    }
}

/// What asking to cancel a job did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It did not run, and is cancelled now.
    Now,
    /// It runs; it is asked to end, and made to if it does not.
    Requested,
    /// It was final already.
    Final(JobState),
    Unknown,
}

/// What asking to run a failed job again did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It has all its attempts again.
    Available,
    /// Another open job of its kind and key does the same.
    Joined(JobId),
    /// It is not cancelled or discarded.
    NotFailed(JobState),
    Unknown,
}

/// What staging did: jobs whose time has come are available now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Staged {
    pub moved: usize,
    /// When the next waiting job is due.
    pub next_due: Option<Timestamp>,
}

/// What happened to the jobs of a dead engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rescued {
    pub returned: usize,
    /// Of those, jobs that may be what kills engines: they are not tried again at once.
    pub held_back: usize,
    /// Taken for the cause of the deaths, and discarded.
    pub poisoned: usize,
}

impl Rescued {
    pub fn count(&mut self, state: JobState) {
        match state {
            JobState::Discarded => self.poisoned += 1,
            state => {
                self.returned += 1;
                self.held_back += usize::from(state == JobState::Scheduled);
            }
        }
    }
}

/// Which versions of the tables a database has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrations {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
}

impl Migrations {
    /// What is read by this program needs its tables.
    pub fn refuse_older(&self, database: impl std::fmt::Display) -> StoreResult<()> {
        match self.pending.len() {
            0 => Ok(()),
            behind => Err(StoreError::Older {
                database: database.to_string(),
                behind,
            }),
        }
    }
}

/// An engine that was silent so long is dead: its jobs are returned.
pub const DEAD_AFTER: Duration = Duration::from_secs(20);

/// How long an engine leads after it was heard.
pub const LEADS_FOR: Duration = Duration::from_secs(15);

/// What an engine hears when it tells that it lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beat {
    /// It leads, in this term, for [`LEADS_FOR`] from before it asked.
    pub leads: Option<i64>,
    /// It was taken for dead, and its jobs were returned.
    pub was_dead: bool,
    /// Other engines that live.
    pub others: u32,
}

/// An engine, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineRow {
    pub id: String,
    pub pid: u32,
    pub host: String,
    pub version: String,
    pub started_at: Timestamp,
    /// How long it was not heard.
    pub silent: Duration,
    pub state: EngineState,
    pub leads: bool,
    /// Jobs that it holds.
    pub running: u64,
}

/// Whether an engine lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineState {
    Alive,
    /// It was silent too long.
    Dead,
    Stopped,
}

impl EngineState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Dead => "dead",
            Self::Stopped => "stopped",
        }
    }
}

/// This process, as other engines know it.
#[derive(Debug, Clone)]
pub struct EngineInfo {
    /// New at every process start.
    pub id: String,
    pub pid: u32,
    pub host: String,
    pub version: &'static str,
}

/// Commits of the writer, for people and the metrics log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterStats {
    pub commits: u64,
    pub commands: u64,
    /// Writes refused because their lease was no longer theirs.
    pub stale: u64,
    /// Commands that wait for the writer now.
    pub waiting: u64,
    /// A commit is under way, or was tried and could not be made.
    pub busy: bool,
    /// How long its commits took, from the first command of a group to the disk.
    pub times: Times,
}

/// Hints that a queue may have work: set by commits, coalesced, never the truth (the claim is).
#[derive(Debug, Default)]
pub struct Hints {
    queues: DashMap<String, Arc<Notify>>,
    schedule: Notify,
    cancels: Notify,
    schedules: Notify,
}

impl Hints {
    pub fn queue(&self, queue: &str) -> Arc<Notify> {
        self.queues.entry(queue.to_owned()).or_default().clone()
    }

    /// Wakes one waiter of the queue, now or at its next wait.
    pub fn notify(&self, queue: &str) {
        match self.queues.get(queue) {
            Some(notify) => notify.notify_one(),
            None => self.queue(queue).notify_one(),
        }
    }

    /// The same for a queue that somebody waits for; any other is nobody's.
    pub fn notify_if_known(&self, queue: &str) {
        if let Some(notify) = self.queues.get(queue) {
            notify.notify_one();
        }
    }

    /// Wakes all who wait for anything: for a store that does not know what has changed.
    pub fn notify_all(&self) {
        for notify in &self.queues {
            notify.notify_one();
        }
        for notify in [&self.schedule, &self.cancels, &self.schedules] {
            notify.notify_one();
        }
    }

    /// Something was put on the schedule earlier than the stager may know.
    pub fn schedule(&self) -> &Notify {
        &self.schedule
    }

    /// A running job is to be cancelled, or to hurry.
    pub fn cancels(&self) -> &Notify {
        &self.cancels
    }

    /// Somebody changed the schedules.
    pub fn schedules(&self) -> &Notify {
        &self.schedules
    }
}

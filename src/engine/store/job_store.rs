//! The traits of a store of jobs, by what asks for them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use riftsync_basics::suspicion::Death;
use riftsync_basics::{ClaimedJob, JobId, JobRecord, Lease, NewJob, Priority, Timestamp};

use crate::metrics::DatabaseOutageLog;

use super::{
    Away, Batch, Beat, Cancelled, Completion, Effect, EngineInfo, EngineRow, Enqueued, Fenced,
    Hints, JobFilter, JobList, OpenCount, Rescued, Retried, ScheduleStore, Staged, StoreError,
    StoreResult, Wanted, WriterStats,
};

/// Jobs, durable: each verb is one transition, and one transaction. What jobs write with their ends is the store's
/// [`Effect`](Self::Effect).
#[async_trait]
pub trait JobStore: FleetStore + ScheduleStore + Database {
    /// What a job writes with its end.
    type Effect: Effect;

    /// Enqueues in one transaction; a job whose key is open joins it, at the higher priority of both, and takes
    /// its open descendants along. What a job spawns is at least as urgent as the job has become by then.
    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Vec<Enqueued>>;
    /// The same for many jobs under one handle.
    async fn enqueue_batch(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Batch>;
    /// Cancels a job, and with it those of its children that nobody else asked for or waits for. A
    /// running one is asked to end first.
    async fn cancel(&self, id: JobId, now: Timestamp) -> StoreResult<Cancelled>;
    /// Gives a cancelled or discarded job all its attempts again.
    async fn retry(&self, id: JobId, now: Timestamp) -> StoreResult<Retried>;
    /// Makes available jobs running, first by priority, then
    /// by turn (the flows of a queue take turns), then by age.
    /// Jobs that may be what kills engines are claimed in groups (`riftsync_basics::suspicion`), so that one that does
    /// is told from those that were there by chance.
    async fn claim(
        &self,
        wanted: Wanted<'_>,
        engine: &str,
        now: Timestamp,
    ) -> StoreResult<Vec<ClaimedJob>>;
    async fn progress(
        &self,
        lease: Lease,
        step: &'static str,
        percent: u8,
        counters: serde_json::Value,
    ) -> StoreResult<Fenced>;
    /// Ends an attempt: effects, children, links, the job's own state and what follows for its parents.
    async fn settle(
        &self,
        lease: Lease,
        completion: Arc<Completion<Self::Effect>>,
        now: Timestamp,
    ) -> StoreResult<Fenced>;
    /// Makes scheduled and retryable jobs available whose time has come.
    async fn stage(&self, now: Timestamp) -> StoreResult<Staged>;
    /// Hands back running jobs of this engine (of one queue, or all) without spending their attempt,
    /// but those in `keep`.
    async fn release(
        &self,
        engine: &str,
        queue: Option<&str>,
        keep: &[Lease],
        now: Timestamp,
    ) -> StoreResult<usize>;
    /// Deletes up to `limit` jobs that were finished before the moment. Returns how many.
    async fn prune(&self, before: Timestamp, limit: usize) -> StoreResult<usize>;
    /// The running attempts of this engine that are to be cancelled.
    async fn cancel_requests(&self, engine: &str) -> StoreResult<Vec<Lease>>;
    /// The attempts that an engine holds.
    async fn held(&self, engine: &str) -> StoreResult<Vec<(Lease, Priority)>>;
    /// An attempt runs now, and nothing else in its engine does.
    async fn runs_alone(&self, lease: Lease) -> StoreResult<Fenced>;
    async fn job(&self, id: JobId) -> StoreResult<Option<JobRecord>>;
    /// Those of these jobs that there are, in any order.
    async fn jobs_by_id(&self, ids: &[JobId]) -> StoreResult<Vec<JobRecord>>;
    /// Newest first. One list looks at a bounded number of jobs, and says how far it got.
    async fn list_jobs(&self, filter: &JobFilter) -> StoreResult<JobList>;
    /// What is open, by queue and state; none of a queue and state: no line.
    async fn open_counts(&self) -> StoreResult<Vec<OpenCount>>;
    /// Jobs not in a final state.
    async fn open_jobs(&self) -> StoreResult<u64> {
        let counts = self.open_counts().await?;
        Ok(counts.iter().map(|count| count.jobs).sum())
    }
}

/// The engines of one database: who lives, who leads, whose jobs are to be returned.
#[async_trait]
pub trait FleetStore {
    async fn engine_started(&self, engine: EngineInfo, now: Timestamp) -> StoreResult<()>;
    async fn engine_stopped(&self, engine: &str, now: Timestamp) -> StoreResult<()>;
    /// Tells that an engine lives, and takes or keeps the lead for it if nobody else has it.
    async fn beat(&self, engine: &EngineInfo) -> StoreResult<Beat>;
    /// Engines that live, or died or stopped within the last day; oldest first.
    async fn engines(&self) -> StoreResult<Vec<EngineRow>>;
    /// Returns the running jobs of dead engines: those whose session is gone, or that were silent for
    /// [`DEAD_AFTER`](super::DEAD_AFTER), by the clock of the database; on SQLite, which has one engine at a time,
    /// those of every engine but `alive`.
    async fn rescue(&self, alive: &str, now: Timestamp) -> StoreResult<Rescued>;
    /// How an engine died, as it is now known. False: this database knows no such engine.
    async fn died(&self, engine: &str, death: Death) -> StoreResult<bool>;
    /// Other engines are gone whose jobs nobody has returned yet.
    fn knows_of_deaths(&self) -> bool {
        false
    }
    /// Whether others can see that this engine lives. One that they cannot see starts nothing.
    fn is_seen(&self) -> bool {
        true
    }
    /// Whether other engines may use the database too.
    fn is_shared(&self) -> bool;
}

/// The store itself: its writer, whom it wakes, and whether it can be used.
#[async_trait]
pub trait Database: fmt::Debug + Send + Sync + 'static {
    fn hints(&self) -> &Hints;
    fn writer_stats(&self) -> WriterStats;
    /// Whether the database cannot be used now, as far as is known: nothing is asked.
    fn away(&self) -> Option<Away> {
        None
    }
    /// Where it is told that it cannot be written, once for everybody who meets it.
    fn outages(&self) -> &DatabaseOutageLog;
    /// What the database takes on the disk; none if it does not tell.
    async fn size_bytes(&self) -> StoreResult<Option<u64>> {
        Ok(None)
    }
    /// Resolves when the writer has died and must be started again.
    async fn writer_died(&self) -> String;
    /// Resolves when the database can be used no more, by this engine or any other, until somebody has done what the
    /// reason says. Every call fails with that reason then.
    async fn ended(&self) -> StoreError {
        std::future::pending().await
    }
    fn restart_writer(&self) -> StoreResult<()>;
    /// Commits what is queued and closes the files.
    async fn close(&self) -> StoreResult<()>;
}

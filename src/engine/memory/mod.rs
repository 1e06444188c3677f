//! A store of jobs in memory: for tests of tasks, without a database. Nothing of it outlives the process.
//!
//! It does what the databases do, by the reference model that they are held to, one call after the other. What jobs
//! write is kept in the order of their ends.

pub(crate) mod ledger;
mod schedules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use riftsync_basics::job::AttemptError;
use riftsync_basics::suspicion::Death;
use riftsync_basics::{ClaimedJob, JobId, JobRecord, JobState, Lease, NewJob, Priority, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use self::ledger::{Ledger, Row};
use crate::metrics::DatabaseOutageLog;
use crate::store::rows::ERRORS_KEPT;
use crate::store::schedules::StoredSchedule;
use crate::store::{
    Batch, Beat, Cancelled, Completion, Database, Effect, EngineInfo, EngineRow, EngineState,
    Enqueued, Fenced, FleetStore, Hints, JobFilter, JobList, JobStore, OpenCount, Rescued, Retried,
    Staged, StoreError, StoreResult, Wanted, WriterStats,
};

/// See the module.
pub struct MemoryStore<E> {
    state: Mutex<State<E>>,
    hints: Hints,
    outages: DatabaseOutageLog,
    /// How many writes there were.
    writes: watch::Sender<u64>,
}

struct State<E> {
    ledger: Ledger,
    /// What the reference model does not know of a job.
    details: BTreeMap<JobId, Details>,
    /// Ends that were written, in their order.
    ends: Vec<(JobId, Arc<Completion<E>>)>,
    schedules: BTreeMap<String, StoredSchedule>,
    engines: BTreeMap<String, (EngineInfo, Timestamp, EngineState)>,
    stats: WriterStats,
}

#[derive(Debug, Clone, Default)]
struct Details {
    step: Option<String>,
    percent: u8,
    progress: Value,
    result: Option<Value>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

impl<E> Default for MemoryStore<E> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                ledger: Ledger::default(),
                details: BTreeMap::new(),
                ends: Vec::new(),
                schedules: BTreeMap::new(),
                engines: BTreeMap::new(),
                stats: WriterStats::default(),
            }),
            hints: Hints::default(),
            outages: DatabaseOutageLog::default(),
            writes: watch::Sender::default(),
        }
    }
}

impl<E> fmt::Debug for MemoryStore<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl<E> MemoryStore<E> {
    /// What the jobs have written so far, in the order in which it was committed.
    pub fn effects<T>(&self, look: impl Fn(&E) -> T) -> Vec<T> {
        let state = self.lock();
        let effects = state.ends.iter().flat_map(|(_, end)| &end.effects);
        effects.map(look).collect()
    }

    /// All jobs, the oldest first.
    pub fn records(&self) -> Vec<JobRecord> {
        let state = self.lock();
        let ids = state.ledger.jobs.keys();
        ids.filter_map(|id| state.record(*id)).collect()
    }

    /// What a look finds, as soon as it finds something: it looks again after every write.
    pub async fn wait_for<T>(&self, look: impl AsyncFn() -> Option<T>) -> T {
        let mut writes = self.writes.subscribe();
        loop {
            writes.borrow_and_update();
            if let Some(found) = look().await {
                return found;
            }
            // It cannot be closed: this holds the sender.
            let _ = writes.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        // A panic while it was held is a bug of the model, which a test shows by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One write: what follows from it is told to all who wait.
    fn write<T>(&self, now: Timestamp, change: impl FnOnce(&mut State<E>) -> T) -> T {
        let mut state = self.lock();
        let done = change(&mut state);
        state.note_ends(now);
        state.stats.commits += 1;
        state.stats.commands += 1;
        drop(state);
        self.hints.notify_all();
        self.written();
        done
    }

    fn written(&self) {
        self.writes.send_modify(|writes| *writes += 1);
    }
}

impl<E> State<E> {
    /// Remembers since when jobs are final.
    fn note_ends(&mut self, now: Timestamp) {
        for (id, row) in &self.ledger.jobs {
            let details = self.details.entry(*id).or_default();
            if !row.state.is_final() {
                details.finished_at = None;
            } else if details.finished_at.is_none() {
                details.finished_at = Some(now);
            }
        }
    }

    /// Refuses jobs that come after what there is not.
    fn knows_all(&self, jobs: &[NewJob]) -> StoreResult<()> {
        let mut others = jobs.iter().flat_map(|job| &job.after.jobs);
        match others.find(|id| !self.ledger.jobs.contains_key(id)) {
            Some(id) => Err(StoreError::Refused(format!(
                "there is no job {id} to come after"
            ))),
            None => Ok(()),
        }
    }

    fn holds(&self, lease: Lease) -> bool {
        let row = self.ledger.jobs.get(&lease.job);
        let held = row.and_then(|row| row.lease.as_ref());
        held.is_some_and(|(held, _)| *held == lease)
    }

    fn record(&self, id: JobId) -> Option<JobRecord> {
        let row = self.ledger.jobs.get(&id)?;
        let details = self.details.get(&id).cloned().unwrap_or_default();
        Some(record_of(id, row, details))
    }

    /// The attempts that an engine holds.
    fn held<'s>(&'s self, engine: &'s str) -> impl Iterator<Item = (Lease, &'s Row)> {
        self.ledger.jobs.values().filter_map(move |row| {
            let (lease, holder) = row.lease.as_ref()?;
            (holder == engine).then_some((*lease, row))
        })
    }
}

/// As many as the history of a job keeps.
fn last_errors(row: &Row) -> Vec<AttemptError> {
    let errors = &row.errors;
    errors[errors.len().saturating_sub(ERRORS_KEPT)..].to_vec()
}

fn record_of(id: JobId, row: &Row, details: Details) -> JobRecord {
    JobRecord {
        id,
        kind: row.kind.clone(),
        queue: row.queue.clone(),
        key: row.key.clone(),
        args: serde_json::from_str(&row.args).unwrap_or_default(),
        state: row.state,
        priority: row.priority,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        crash_count: row.known.level,
        run_at: row.run_at,
        step: details.step,
        percent: details.percent,
        progress: details.progress,
        rollup: row.rollup.clone(),
        children_pending: u32::try_from(row.children.len()).unwrap_or(u32::MAX),
        result: details.result,
        errors: last_errors(row),
        enqueued_at: row.enqueued_at,
        started_at: details.started_at,
        finished_at: details.finished_at,
        lane: row.lane.to_owned(),
        engine: row.lease.as_ref().map(|(_, engine)| engine.clone()),
    }
}

#[async_trait]
impl<E: Effect> JobStore for MemoryStore<E> {
    type Effect = E;

    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        self.write(now, |state| {
            state.knows_all(&jobs)?;
            Ok(state.ledger.enqueue(&jobs, now))
        })
    }

    async fn enqueue_batch(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Batch> {
        self.write(now, |state| {
            state.knows_all(&jobs)?;
            Ok(state.ledger.enqueue_batch(&jobs, now))
        })
    }

    async fn cancel(&self, id: JobId, now: Timestamp) -> StoreResult<Cancelled> {
        Ok(self.write(now, |state| state.ledger.cancel(id, now)))
    }

    async fn retry(&self, id: JobId, now: Timestamp) -> StoreResult<Retried> {
        Ok(self.write(now, |state| state.ledger.retry(id, now)))
    }

    /// Nothing new comes of a claim: nobody is woken by it.
    async fn claim(
        &self,
        wanted: Wanted<'_>,
        engine: &str,
        now: Timestamp,
    ) -> StoreResult<Vec<ClaimedJob>> {
        let mut state = self.lock();
        let claimed = state.ledger.claim(wanted, engine);
        for job in &claimed {
            state.details.entry(job.lease.job).or_default().started_at = Some(now);
        }
        drop(state);
        self.written();
        Ok(claimed)
    }

    async fn progress(
        &self,
        lease: Lease,
        step: &'static str,
        percent: u8,
        counters: Value,
    ) -> StoreResult<Fenced> {
        let mut state = self.lock();
        if !state.holds(lease) {
            state.stats.stale += 1;
            return Ok(Fenced::Stale);
        }
        let details = state.details.entry(lease.job).or_default();
        details.step = Some(step.to_owned());
        details.percent = percent;
        details.progress = counters;
        drop(state);
        self.written();
        Ok(Fenced::Applied)
    }

    async fn settle(
        &self,
        lease: Lease,
        completion: Arc<Completion<E>>,
        now: Timestamp,
    ) -> StoreResult<Fenced> {
        completion.check()?;
        self.write(now, |state| {
            state.knows_all(&completion.children)?;
            let fenced = state.ledger.settle(lease, &completion, now);
            if fenced == Fenced::Stale {
                state.stats.stale += 1;
                return Ok(fenced);
            }
            let details = state.details.entry(lease.job).or_default();
            let end = &completion.settlement;
            details.result.clone_from(&end.result);
            state.ends.push((lease.job, completion));
            Ok(fenced)
        })
    }

    async fn stage(&self, now: Timestamp) -> StoreResult<Staged> {
        let mut state = self.lock();
        let moved = state.ledger.stage(now);
        let next_due = state.ledger.next_due();
        drop(state);
        if moved > 0 {
            self.hints.notify_all();
            self.written();
        }
        Ok(Staged { moved, next_due })
    }

    async fn release(
        &self,
        engine: &str,
        queue: Option<&str>,
        keep: &[Lease],
        now: Timestamp,
    ) -> StoreResult<usize> {
        Ok(self.write(now, |state| state.ledger.release(engine, queue, keep, now)))
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> StoreResult<usize> {
        let mut state = self.lock();
        let finished = |id: &JobId| state.details.get(id)?.finished_at;
        let ids = state.ledger.jobs.keys();
        let old = ids.filter(|id| finished(id).is_some_and(|at| at < before));
        let old: Vec<JobId> = old.take(limit).copied().collect();
        for id in &old {
            state.ledger.jobs.remove(id);
            state.details.remove(id);
        }
        Ok(old.len())
    }

    async fn cancel_requests(&self, engine: &str) -> StoreResult<Vec<Lease>> {
        let state = self.lock();
        let asked = state.held(engine).filter(|(_, row)| row.cancel_requested);
        Ok(asked.map(|(lease, _)| lease).collect())
    }

    async fn held(&self, engine: &str) -> StoreResult<Vec<(Lease, Priority)>> {
        let state = self.lock();
        let held = state.held(engine);
        Ok(held.map(|(lease, row)| (lease, row.priority)).collect())
    }

    async fn runs_alone(&self, lease: Lease) -> StoreResult<Fenced> {
        Ok(self.lock().ledger.runs_alone(lease))
    }

    async fn job(&self, id: JobId) -> StoreResult<Option<JobRecord>> {
        Ok(self.lock().record(id))
    }

    async fn jobs_by_id(&self, ids: &[JobId]) -> StoreResult<Vec<JobRecord>> {
        let state = self.lock();
        Ok(ids.iter().filter_map(|id| state.record(*id)).collect())
    }

    async fn list_jobs(&self, filter: &JobFilter) -> StoreResult<JobList> {
        let state = self.lock();
        let all = state
            .ledger
            .jobs
            .keys()
            .rev()
            .filter_map(|id| state.record(*id));
        let meant = all.filter(|job| {
            filter.before.is_none_or(|before| job.id < before)
                && filter.state.is_none_or(|state| job.state == state)
                && filter.kind.as_ref().is_none_or(|kind| job.kind == *kind)
                && filter
                    .queue
                    .as_ref()
                    .is_none_or(|queue| job.queue == *queue)
        });
        Ok(JobList {
            jobs: meant.take(filter.limit).collect(),
            searched_to: None,
        })
    }

    async fn open_counts(&self) -> StoreResult<Vec<OpenCount>> {
        let state = self.lock();
        let mut counts: BTreeMap<(&str, &str), (JobState, u64)> = BTreeMap::new();
        for row in state
            .ledger
            .jobs
            .values()
            .filter(|row| !row.state.is_final())
        {
            let place = (row.queue.as_str(), row.state.as_str());
            counts.entry(place).or_insert((row.state, 0)).1 += 1;
        }
        let told = counts
            .into_iter()
            .map(|((queue, _), (state, jobs))| OpenCount {
                queue: queue.to_owned(),
                state,
                jobs,
            });
        Ok(told.collect())
    }
}

#[async_trait]
impl<E: Effect> FleetStore for MemoryStore<E> {
    async fn engine_started(&self, engine: EngineInfo, now: Timestamp) -> StoreResult<()> {
        let id = engine.id.clone();
        self.lock()
            .engines
            .insert(id, (engine, now, EngineState::Alive));
        Ok(())
    }

    async fn engine_stopped(&self, engine: &str, _: Timestamp) -> StoreResult<()> {
        if let Some(known) = self.lock().engines.get_mut(engine) {
            known.2 = EngineState::Stopped;
        }
        Ok(())
    }

    /// Whoever is here leads.
    async fn beat(&self, _: &EngineInfo) -> StoreResult<Beat> {
        Ok(Beat {
            leads: Some(1),
            ..Beat::default()
        })
    }

    async fn engines(&self) -> StoreResult<Vec<EngineRow>> {
        let state = self.lock();
        let row = |(info, started_at, of): &(EngineInfo, Timestamp, EngineState)| EngineRow {
            id: info.id.clone(),
            pid: info.pid,
            host: info.host.clone(),
            version: info.version.to_owned(),
            started_at: *started_at,
            silent: Duration::ZERO,
            state: *of,
            leads: *of == EngineState::Alive,
            running: state.held(&info.id).count() as u64,
        };
        let mut rows: Vec<EngineRow> = state.engines.values().map(row).collect();
        rows.sort_by_key(|row| row.started_at);
        Ok(rows)
    }

    async fn rescue(&self, alive: &str, now: Timestamp) -> StoreResult<Rescued> {
        Ok(self.write(now, |state| state.ledger.rescue(alive, now)))
    }

    async fn died(&self, engine: &str, death: Death) -> StoreResult<bool> {
        let mut state = self.lock();
        let known = state.engines.contains_key(engine);
        if known {
            state.ledger.died(engine, death);
        }
        Ok(known)
    }

    fn is_shared(&self) -> bool {
        false
    }
}

#[async_trait]
impl<E: Effect> Database for MemoryStore<E> {
    fn hints(&self) -> &Hints {
        &self.hints
    }

    fn writer_stats(&self) -> WriterStats {
        self.lock().stats
    }

    fn outages(&self) -> &DatabaseOutageLog {
        &self.outages
    }

    /// It has none.
    async fn writer_died(&self) -> String {
        std::future::pending().await
    }

    fn restart_writer(&self) -> StoreResult<()> {
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

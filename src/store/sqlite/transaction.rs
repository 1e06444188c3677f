//! The verbs on jobs, inside one transaction of the writer.
//!
//! What the children of a job came to is gathered in memory while the commands of a group run, and
//! written once per parent just before the commit: a parent of 600 children that end in one group
//! is updated once, and still in the same transaction as they are.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::job_statements as sql;
use crate::model::job::{self, AttemptError};
use crate::model::rollup::FailedChild;
use crate::model::{
    ClaimedJob, Failure, JobId, JobState, Lease, NewJob, Priority, Rollup, Timestamp,
};
use crate::store::{
    Completion, EngineInfo, Enqueued, Fenced, Rescued, Staged, StoreError, StoreResult,
};

/// Failed attempts that a job's history keeps.
const ERRORS_KEPT: usize = 10;

/// A change of a parent's row that waits for the end of the group.
#[derive(Debug, Default)]
pub(super) struct ParentDelta {
    rollup: Rollup,
    pending: i64,
    now: Option<Timestamp>,
}

/// One open transaction and what it must still do before it commits.
#[allow(missing_debug_implementations, reason = "a connection has no Debug")]
pub(super) struct Transaction<'c> {
    pub(super) conn: &'c mut SqliteConnection,
    parents: BTreeMap<JobId, ParentDelta>,
    /// Queues that have new work once this is committed.
    pub(super) ready: BTreeSet<String>,
    /// A job was put on the schedule.
    pub(super) scheduled: bool,
    pub(super) stale: u64,
}

/// A point to fall back to when a command fails; holds what the statement savepoint does not.
#[derive(Debug)]
pub(super) struct Undo {
    parents: BTreeMap<JobId, ParentDelta>,
    ready: BTreeSet<String>,
    scheduled: bool,
}

impl<'c> Transaction<'c> {
    pub(super) fn new(conn: &'c mut SqliteConnection) -> Self {
        Self {
            conn,
            parents: BTreeMap::new(),
            ready: BTreeSet::new(),
            scheduled: false,
            stale: 0,
        }
    }

    /// Sets the group's pending changes aside, so that a command's own can be dropped alone.
    pub(super) fn begin_command(&mut self) -> Undo {
        Undo {
            parents: std::mem::take(&mut self.parents),
            ready: std::mem::take(&mut self.ready),
            scheduled: std::mem::take(&mut self.scheduled),
        }
    }

    pub(super) fn command_failed(&mut self, undo: Undo) {
        self.parents = undo.parents;
        self.ready = undo.ready;
        self.scheduled = undo.scheduled;
    }

    pub(super) fn command_succeeded(&mut self, undo: Undo) {
        let Undo {
            mut parents,
            mut ready,
            scheduled,
        } = undo;
        for (id, delta) in std::mem::take(&mut self.parents) {
            let sum = parents.entry(id).or_default();
            sum.rollup.merge(&delta.rollup);
            sum.pending += delta.pending;
            sum.now = sum.now.max(delta.now);
        }
        ready.append(&mut self.ready);
        self.parents = parents;
        self.ready = ready;
        self.scheduled |= scheduled;
    }

    fn parent(&mut self, id: JobId, now: Timestamp) -> &mut ParentDelta {
        let delta = self.parents.entry(id).or_default();
        delta.now = delta.now.max(Some(now));
        delta
    }

    pub(super) fn enqueue(
        &mut self,
        jobs: &[NewJob],
        now: Timestamp,
    ) -> StoreResult<Vec<Enqueued>> {
        jobs.iter()
            .map(|job| {
                self.enqueue_one(job, job.run_at.is_none(), now)
                    .map(|(enqueued, _)| enqueued)
            })
            .collect()
    }

    /// The job, and whether it has already done its own work (it was joined while it waits for children).
    fn enqueue_one(
        &mut self,
        job: &NewJob,
        hurry: bool,
        now: Timestamp,
    ) -> StoreResult<(Enqueued, bool)> {
        let run_at = job.run_at.unwrap_or(now);
        let state = if run_at > now {
            JobState::Scheduled
        } else {
            JobState::Available
        };
        let inserted: Option<i64> = sql::InsertJob {
            kind: job.kind,
            queue: job.queue,
            key: job.key.as_deref(),
            args: &job.args,
            state: state.as_str(),
            priority: i32::from(job.priority.get()),
            max_attempts: to_i32(job.max_attempts),
            run_at: run_at.as_millis(),
            enqueued_at: now.as_millis(),
        }
        .get_result(self.conn)
        .optional()?;
        if let Some(id) = inserted {
            if state == JobState::Available {
                self.note_ready(job.queue);
            } else {
                self.scheduled = true;
            }
            return Ok((
                Enqueued {
                    id: JobId(id),
                    joined: false,
                },
                false,
            ));
        }
        let (id, worked_at, state): (i64, Option<i64>, String) = sql::JoinJob {
            hurry,
            priority: i32::from(job.priority.get()),
            kind: job.kind,
            key: job.key.as_deref(),
        }
        .get_result(self.conn)?;
        if state == JobState::Available.as_str() {
            self.note_ready(job.queue);
        }
        if state == JobState::Available.as_str() {
            self.note_ready(job.queue);
        }
        Ok((
            Enqueued {
                id: JobId(id),
                joined: true,
            },
            worked_at.is_some(),
        ))
    }

    fn note_ready(&mut self, queue: &str) {
        if !self.ready.contains(queue) {
            self.ready.insert(queue.to_owned());
        }
    }

    pub(super) fn claim(
        &mut self,
        queue: &str,
        limit: usize,
        engine: &str,
        now: Timestamp,
    ) -> StoreResult<Vec<ClaimedJob>> {
        type Row = (i64, i64, String, Option<String>, String, i32, i32, i32);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows: Vec<Row> = sql::Claim {
            engine,
            now: now.as_millis(),
            queue,
            limit,
        }
        .load(self.conn)?;
        // RETURNING promises no order.
        rows.sort_unstable_by_key(|row| (row.5, row.0));
        Ok(rows
            .into_iter()
            .map(
                |(id, token, kind, key, args, priority, attempt, max_attempts)| ClaimedJob {
                    lease: Lease {
                        job: JobId(id),
                        token,
                    },
                    kind,
                    key,
                    args,
                    priority: Priority::new(u8::try_from(priority).unwrap_or(u8::MAX)),
                    attempt: to_u32(attempt),
                    max_attempts: to_u32(max_attempts),
                },
            )
            .collect())
    }

    pub(super) fn progress(
        &mut self,
        lease: Lease,
        step: &str,
        percent: u8,
        counters: &str,
    ) -> StoreResult<Fenced> {
        let changed = sql::Progress {
            step,
            percent: i32::from(percent),
            progress: counters,
            id: lease.job.0,
            token: lease.token,
        }
        .execute(self.conn)?;
        Ok(self.fenced(changed > 0))
    }

    fn fenced(&mut self, applied: bool) -> Fenced {
        if applied {
            Fenced::Applied
        } else {
            self.stale += 1;
            Fenced::Stale
        }
    }

    pub(super) fn settle(
        &mut self,
        lease: Lease,
        completion: &Completion,
        now: Timestamp,
    ) -> StoreResult<Fenced> {
        type Row = (String, Option<String>, String, String, i32);
        let row: Option<Row> = sql::Fence {
            id: lease.job.0,
            token: lease.token,
        }
        .get_result(self.conn)
        .optional()?;
        let Some((kind, key, queue, errors, attempt)) = row else {
            return Ok(self.fenced(false));
        };
        for effect in &completion.effects {
            self.apply(effect, now)?;
        }
        let settlement = &completion.settlement;
        let waits = settlement.state == JobState::Completed
            && self.spawn(lease.job, &completion.children, now)? > 0;
        let state = if waits {
            JobState::Blocked
        } else {
            settlement.state
        };
        let errors = match &settlement.error {
            None => errors,
            Some(failure) => append_error(&errors, to_u32(attempt), failure, now)?,
        };
        let result = settlement.result.as_ref().map(ToString::to_string);
        sql::Settle {
            state: state.as_str(),
            attempt: to_i32(settlement.attempt),
            run_at: settlement.run_at.as_millis(),
            errors: &errors,
            result: result.as_deref(),
            worked_at: (settlement.state == JobState::Completed).then_some(now.as_millis()),
            finished_at: state.is_final().then_some(now.as_millis()),
            id: lease.job.0,
        }
        .execute(self.conn)?;
        match state {
            JobState::Available => self.note_ready(&queue),
            JobState::Scheduled | JobState::Retryable => self.scheduled = true,
            JobState::Blocked => {
                let parents: Vec<i64> = sql::Parents { child: lease.job.0 }.load(self.conn)?;
                for parent in parents {
                    self.parent(JobId(parent), now)
                        .rollup
                        .child_completed(&kind);
                }
            }
            JobState::Completed | JobState::Cancelled | JobState::Discarded => {
                let reason = settlement
                    .error
                    .as_ref()
                    .map(|failure| failure.message.as_str());
                self.child_ended(lease.job, &kind, key.as_deref(), reason, now)?;
            }
            JobState::Running => unreachable!("no attempt ends running"),
        }
        Ok(Fenced::Applied)
    }

    /// Tells the parents that a job is final: done (no reason) or failed. Its links end here.
    fn child_ended(
        &mut self,
        id: JobId,
        kind: &str,
        key: Option<&str>,
        reason: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<()> {
        let parents: Vec<i64> = sql::TakeParents { child: id.0 }.load(self.conn)?;
        for parent in parents {
            let delta = self.parent(JobId(parent), now);
            delta.pending -= 1;
            match reason {
                None => delta.rollup.child_completed(kind),
                Some(reason) => delta.rollup.child_failed(FailedChild {
                    kind: kind.to_owned(),
                    key: key.unwrap_or_default().to_owned(),
                    reason: reason.to_owned(),
                }),
            }
        }
        Ok(())
    }

    /// Enqueues or joins the children of a job and links them. Returns how many it waits for.
    fn spawn(&mut self, parent: JobId, children: &[NewJob], now: Timestamp) -> StoreResult<usize> {
        let mut linked = 0;
        for child in children {
            let (enqueued, worked) = self.enqueue_one(child, false, now)?;
            let link = sql::LinkChild {
                child: enqueued.id.0,
                parent: parent.0,
            };
            if link.execute(self.conn)? == 0 {
                continue;
            }
            linked += 1;
            let delta = self.parent(parent, now);
            delta.pending += 1;
            delta.rollup.child_linked(child.kind);
            if worked {
                delta.rollup.child_completed(child.kind);
            }
        }
        Ok(linked)
    }

    pub(super) fn stage(&mut self, now: Timestamp) -> StoreResult<Staged> {
        let queues: Vec<String> = sql::Stage {
            now: now.as_millis(),
        }
        .load(self.conn)?;
        let moved = queues.len();
        self.ready.extend(queues);
        let next: Option<i64> = sql::NextDue {}.get_result(self.conn)?;
        Ok(Staged {
            moved,
            next_due: next.map(Timestamp::from_millis),
        })
    }

    pub(super) fn rescue(&mut self, alive: &str, now: Timestamp) -> StoreResult<Rescued> {
        let lost: Vec<(i64, i64, i32, i32)> =
            sql::RunningOfOthers { engine: alive }.load(self.conn)?;
        let mut rescued = Rescued::default();
        for (id, token, attempt, crashes) in lost {
            let (settlement, crashes) = job::rescue(to_u32(attempt), to_u32(crashes), now);
            if settlement.state.is_final() {
                rescued.poisoned += 1;
            } else {
                rescued.returned += 1;
            }
            sql::CountCrash {
                crashes: to_i32(crashes),
                id,
            }
            .execute(self.conn)?;
            let lease = Lease {
                job: JobId(id),
                token,
            };
            let _ = self.settle(lease, &Completion::of(settlement), now)?;
        }
        // Work that was available already has nobody told of it in this process yet.
        let queues: Vec<String> = sql::QueuesWithWork {}.load(self.conn)?;
        self.ready.extend(queues);
        self.scheduled = true;
        Ok(rescued)
    }

    pub(super) fn release(
        &mut self,
        engine: &str,
        queue: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<usize> {
        let queues: Vec<String> = sql::HandBack {
            now: now.as_millis(),
            engine,
            queue,
        }
        .load(self.conn)?;
        let released = queues.len();
        self.ready.extend(queues);
        Ok(released)
    }

    pub(super) fn engine_started(
        &mut self,
        engine: &EngineInfo,
        now: Timestamp,
    ) -> StoreResult<()> {
        sql::EngineStarted {
            id: &engine.id,
            pid: i64::from(engine.pid),
            host: &engine.host,
            version: engine.version,
            started: now.as_millis(),
            beat: now.as_millis(),
        }
        .execute(self.conn)?;
        Ok(())
    }

    pub(super) fn engine_stopped(&mut self, engine: &str, now: Timestamp) -> StoreResult<()> {
        sql::EngineStopped {
            at: now.as_millis(),
            id: engine,
        }
        .execute(self.conn)?;
        Ok(())
    }

    /// Writes what the children of this group came to into their parents, and finishes the parents
    /// that waited for nothing else, and theirs.
    pub(super) fn flush_parents(&mut self) -> StoreResult<()> {
        while let Some((id, delta)) = self.parents.pop_first() {
            self.flush_parent(id, &delta)?;
        }
        Ok(())
    }

    fn flush_parent(&mut self, id: JobId, delta: &ParentDelta) -> StoreResult<()> {
        type Row = (String, String, String, i32, Option<i64>);
        let row: Option<Row> = sql::OpenParent { id: id.0 }
            .get_result(self.conn)
            .optional()?;
        // A parent that is final, by cancellation or by retention, is told no more.
        let Some((kind, state, rollup, pending, worked_at)) = row else {
            return Ok(());
        };
        let now = delta.now.unwrap_or(Timestamp::EPOCH);
        let mut rollup: Rollup = from_json(&rollup)?;
        rollup.merge(&delta.rollup);
        let pending = i64::from(pending) + delta.pending;
        assert!(pending >= 0, "job {id} waits for {pending} children");
        let finished = pending == 0 && worked_at.is_some() && state == JobState::Blocked.as_str();
        sql::UpdateParent {
            state: if finished {
                JobState::Completed.as_str()
            } else {
                &state
            },
            rollup: &to_json(&rollup)?,
            pending: i32::try_from(pending).unwrap_or(i32::MAX),
            finished_at: finished.then_some(now.as_millis()),
            id: id.0,
        }
        .execute(self.conn)?;
        if finished {
            tracing::debug!(job.id = %id, job.kind = kind, "job {id} completed with its last child");
            let parents: Vec<i64> = sql::TakeParents { child: id.0 }.load(self.conn)?;
            for parent in parents {
                let delta = self.parent(JobId(parent), now);
                delta.pending -= 1;
                delta.rollup.merge(&rollup);
            }
        }
        Ok(())
    }
}

fn append_error(
    history: &str,
    attempt: u32,
    failure: &Failure,
    now: Timestamp,
) -> StoreResult<String> {
    let mut errors: Vec<AttemptError> = from_json(history)?;
    errors.push(AttemptError {
        attempt,
        at: now,
        failure: failure.clone(),
    });
    let excess = errors.len().saturating_sub(ERRORS_KEPT);
    errors.drain(..excess);
    to_json(&errors)
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Unexpected(error.to_string()))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> StoreResult<T> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Unexpected(format!("a JSON column: {error}")))
}

pub(super) fn to_u32(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

pub(super) fn to_i32(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

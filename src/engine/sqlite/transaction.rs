//! One open transaction of the writer: a group of commands, and what must still be written with them.
//!
//! What the children of a job came to is gathered in memory while the commands of a group run, and
//! written once per parent just before the commit: a parent of 600 children that end in one group
//! is updated once, and still in the same transaction as they are.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::job_statements as sql;
use crate::store::relations::{Ended, ParentDelta, ParentRow};
use crate::store::rows::to_json;
use crate::store::{EngineInfo, StoreResult};
use riftsync_basics::{JobId, JobState, Timestamp};

/// What follows from commands that ran: parents to update before the commit, and whom to tell after it.
#[derive(Debug, Clone, Default)]
pub(super) struct Consequences {
    parents: BTreeMap<JobId, ParentDelta>,
    /// Queues that have new work once this is committed.
    pub(super) ready: BTreeSet<String>,
    /// A job was put on the schedule.
    pub(super) scheduled: bool,
    /// A running job is to be cancelled, or to hurry.
    pub(super) cancels: bool,
}

impl Consequences {
    fn add(&mut self, mut other: Self) {
        for (id, delta) in other.parents {
            self.parents.entry(id).or_default().add(&delta);
        }
        self.ready.append(&mut other.ready);
        self.scheduled |= other.scheduled;
        self.cancels |= other.cancels;
    }
}

/// The open transaction of the writer, for one that is written to it.
#[allow(missing_debug_implementations, reason = "a connection has no Debug")]
pub struct Transaction<'c> {
    pub(super) conn: &'c mut SqliteConnection,
    /// Of the commands that succeeded.
    group: Consequences,
    /// Of the command that runs: dropped alone if it fails.
    command: Consequences,
    /// The group's before this command touched them.
    group_before: Option<Consequences>,
    pub(super) stale: u64,
}

impl<'c> Transaction<'c> {
    pub(super) fn new(conn: &'c mut SqliteConnection) -> Self {
        Self {
            conn,
            group: Consequences::default(),
            command: Consequences::default(),
            group_before: None,
            stale: 0,
        }
    }

    /// Where rows of your own are written.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        self.conn
    }

    pub(super) fn command_failed(&mut self) {
        self.command = Consequences::default();
        if let Some(before) = self.group_before.take() {
            self.group = before;
        }
    }

    pub(super) fn command_succeeded(&mut self) {
        self.group_before = None;
        self.group.add(std::mem::take(&mut self.command));
    }

    /// A change that waits for the end of the group.
    pub(super) fn parent(&mut self, id: JobId, now: Timestamp) -> &mut ParentDelta {
        self.command.parents.entry(id).or_default().at(now)
    }

    pub(super) fn note_ready(&mut self, queue: &str) {
        if !self.command.ready.contains(queue) {
            self.command.ready.insert(queue.to_owned());
        }
    }

    pub(super) fn note_scheduled(&mut self) {
        self.command.scheduled = true;
    }

    pub(super) fn note_cancels(&mut self) {
        self.command.cancels = true;
    }

    /// A job may run from `run_at` on: whom that concerns is told after the commit.
    pub(super) fn note_state(&mut self, state: JobState, queue: &str) {
        match state {
            JobState::Available => self.note_ready(queue),
            JobState::Scheduled | JobState::Retryable => self.note_scheduled(),
            JobState::Blocked
            | JobState::Running
            | JobState::Completed
            | JobState::Cancelled
            | JobState::Discarded => {}
        }
    }

    /// Brings the rows up to what the commands before this one did, for a command that decides by
    /// what stands in the rows of parents.
    pub(super) fn catch_up(&mut self) -> StoreResult<()> {
        if !self.group.parents.is_empty() {
            self.group_before = Some(self.group.clone());
            let parents = std::mem::take(&mut self.group.parents);
            self.flush(parents)?;
        }
        Ok(())
    }

    /// The last act before the commit; tells what to do after it.
    pub(super) fn finish(&mut self) -> StoreResult<Consequences> {
        let parents = std::mem::take(&mut self.group.parents);
        self.flush(parents)?;
        self.command_succeeded();
        Ok(std::mem::take(&mut self.group))
    }

    /// Writes what the children of a group came to into their parents, and finishes the parents that
    /// waited for nothing else, and theirs.
    fn flush(&mut self, mut parents: BTreeMap<JobId, ParentDelta>) -> StoreResult<()> {
        loop {
            while let Some((id, delta)) = parents.pop_first() {
                self.flush_parent(id, &delta)?;
            }
            if self.command.parents.is_empty() {
                return Ok(());
            }
            parents = std::mem::take(&mut self.command.parents);
        }
    }

    fn flush_parent(&mut self, id: JobId, delta: &ParentDelta) -> StoreResult<()> {
        let row: Option<ParentRow> = sql::OpenParent { id: id.0 }
            .get_result(self.conn)
            .optional()?;
        // A parent that is final, by cancellation or by retention, is told no more.
        let Some(row) = row else {
            return Ok(());
        };
        let told = row.told(id, delta)?;
        sql::UpdateParent {
            state: told.state.as_str(),
            rollup: &to_json(&told.rollup)?,
            pending: told.pending,
            finished_at: told.finished.map(Timestamp::as_millis),
            id: id.0,
        }
        .execute(self.conn)?;
        if let Some(now) = told.finished {
            tracing::debug!(job.id = %id, job.kind = told.kind, "job {id} completed with its last child");
            self.ended(Ended::parent(id, told.rollup, now))?;
        }
        Ok(())
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
}

//! What one job's end means for others: parents count it, successors may run; and the verbs by which
//! a person ends or revives a job.

use diesel::prelude::*;

use super::job_statements as own;
use super::transaction::Transaction;
use crate::sql::jobs as sql;
use crate::store::rows::{append_error, dependency_failed, from_json, to_json, to_u32};
use crate::store::{Cancelled, Retried, StoreError, StoreResult};
use riftsync_basics::attempt::{BATCH_KIND, cancelled_on_request};
use riftsync_basics::rollup::FailedChild;
use riftsync_basics::{Failure, JobId, JobState, Rollup, Timestamp};

/// A job that is final now.
#[derive(Debug)]
pub(super) struct Ended {
    id: JobId,
    state: JobState,
    counts: Counts,
}

/// What its parents count.
#[derive(Debug)]
enum Counts {
    /// The job itself: done, or failed for a reason.
    Itself {
        kind: String,
        key: Option<String>,
        why: Option<Failure>,
    },
    /// Its children: it was counted itself when its own work was done.
    Children(Rollup),
}

impl Ended {
    pub(super) fn by_itself(
        id: JobId,
        state: JobState,
        kind: String,
        key: Option<String>,
        why: Option<Failure>,
    ) -> Self {
        Self {
            id,
            state,
            counts: Counts::Itself { kind, key, why },
        }
    }
}

impl Transaction<'_> {
    /// Tells parents and successors, and those of successors that end by it. The links go: all that
    /// they were for is in the rows now.
    pub(super) fn ended(&mut self, first: Ended, now: Timestamp) -> StoreResult<()> {
        let links = self.take_links(first.id)?;
        self.ended_for(first, links, now)
    }

    /// The same for a job that did its work, and whose name is not known yet: most are nobody's child.
    pub(super) fn completed(&mut self, id: JobId, now: Timestamp) -> StoreResult<()> {
        let links = self.take_links(id)?;
        if links.is_empty() {
            return Ok(());
        }
        let (kind, key) = own::NameOf { id: id.0 }.get_result(self.conn)?;
        let job = Ended::by_itself(id, JobState::Completed, kind, key, None);
        self.ended_for(job, links, now)
    }

    /// Who waited for a job: nobody any more.
    fn take_links(&mut self, of: JobId) -> StoreResult<Vec<(i64, String)>> {
        let links: Vec<(i64, String)> = own::WaitingFor { child: of.0 }.load(self.conn)?;
        if !links.is_empty() {
            own::DropLinksOf { child: of.0 }.execute(self.conn)?;
        }
        Ok(links)
    }

    fn ended_for(
        &mut self,
        first: Ended,
        links: Vec<(i64, String)>,
        now: Timestamp,
    ) -> StoreResult<()> {
        let mut work = vec![(first, links)];
        while let Some((job, links)) = work.pop() {
            for (other, relation) in links {
                if relation == "child" {
                    let delta = self.parent(JobId(other), now);
                    delta.pending -= 1;
                    match &job.counts {
                        Counts::Children(rollup) => delta.rollup.merge(rollup),
                        Counts::Itself {
                            kind, why: None, ..
                        } => delta.rollup.child_completed(kind),
                        Counts::Itself {
                            kind,
                            key,
                            why: Some(why),
                        } => delta.rollup.child_failed(FailedChild::new(
                            kind.clone(),
                            key.clone(),
                            why,
                        )),
                    }
                } else {
                    let cancels = relation == "after_cancel" && job.state != JobState::Completed;
                    let waiter = self.predecessor_ended(JobId(other), &job, cancels, now)?;
                    if let Some(waiter) = waiter {
                        let links = self.take_links(waiter.id)?;
                        work.push((waiter, links));
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn parent_completed(
        &mut self,
        id: JobId,
        rollup: &Rollup,
        now: Timestamp,
    ) -> StoreResult<()> {
        let ended = Ended {
            id,
            state: JobState::Completed,
            counts: Counts::Children(rollup.clone()),
        };
        self.ended(ended, now)
    }

    /// One of the jobs that `waiter` comes after is final. Returns the waiter if that ends it.
    fn predecessor_ended(
        &mut self,
        waiter: JobId,
        job: &Ended,
        cancels: bool,
        now: Timestamp,
    ) -> StoreResult<Option<Ended>> {
        type Row = (String, Option<String>, String, i32, i64, String);
        let row: Option<Row> = sql::Waiter { id: waiter.0 }
            .get_result(self.conn)
            .optional()?;
        let Some((kind, key, queue, waits_for, run_at, errors)) = row else {
            return Ok(None);
        };
        if cancels {
            let failure = dependency_failed(job.id, job.state);
            sql::CancelNow {
                errors: &append_error(&errors, 0, &failure, now)?,
                now: now.as_millis(),
                id: waiter.0,
            }
            .execute(self.conn)?;
            sql::DropLinksTo { parent: waiter.0 }.execute(self.conn)?;
            return Ok(Some(Ended::by_itself(
                waiter,
                JobState::Cancelled,
                kind,
                key,
                Some(failure),
            )));
        }
        let state = if waits_for > 1 {
            JobState::Blocked
        } else if run_at > now.as_millis() {
            JobState::Scheduled
        } else {
            JobState::Available
        };
        sql::WaitsLess {
            state: state.as_str(),
            id: waiter.0,
        }
        .execute(self.conn)?;
        self.note_state(state, &queue);
        Ok(None)
    }

    /// Cancels a job, and with it the children that nobody else waits for or asked for.
    pub(super) fn cancel(&mut self, id: JobId, now: Timestamp) -> StoreResult<Cancelled> {
        self.catch_up()?;
        let outcome = self.cancel_one(id, now)?;
        Ok(outcome)
    }

    fn cancel_one(&mut self, first: JobId, now: Timestamp) -> StoreResult<Cancelled> {
        type Row = (
            String,
            Option<String>,
            String,
            String,
            i32,
            String,
            Option<i64>,
        );
        let mut outcome = None;
        let mut work = vec![first];
        while let Some(id) = work.pop() {
            let row: Option<Row> = sql::JobToCancel { id: id.0 }
                .get_result(self.conn)
                .optional()?;
            let Some((kind, key, state, errors, attempt, rollup, worked_at)) = row else {
                outcome.get_or_insert(Cancelled::Unknown);
                continue;
            };
            let state: JobState = state.parse().map_err(StoreError::Unexpected)?;
            if state.is_final() {
                outcome.get_or_insert(Cancelled::Final(state));
                continue;
            }
            if state == JobState::Running {
                sql::RequestCancel {
                    now: now.as_millis(),
                    id: id.0,
                }
                .execute(self.conn)?;
                self.note_cancels();
                outcome.get_or_insert(Cancelled::Requested);
                continue;
            }
            let failure = cancelled_on_request();
            sql::CancelNow {
                errors: &append_error(&errors, to_u32(attempt), &failure, now)?,
                now: now.as_millis(),
                id: id.0,
            }
            .execute(self.conn)?;
            outcome.get_or_insert(Cancelled::Now);
            let mut rollup: Rollup = from_json(&rollup)?;
            work.extend(self.let_children_go(id, &mut rollup)?);
            let counts = if worked_at.is_some() {
                sql::SetRollup {
                    rollup: &to_json(&rollup)?,
                    id: id.0,
                }
                .execute(self.conn)?;
                Counts::Children(rollup)
            } else {
                Counts::Itself {
                    kind,
                    key,
                    why: Some(failure),
                }
            };
            let state = JobState::Cancelled;
            self.ended(Ended { id, state, counts }, now)?;
        }
        Ok(outcome.unwrap_or(Cancelled::Unknown))
    }

    /// Unlinks what a cancelled job waits for. Children count as failed in its rollup; those that
    /// nobody else waits for are returned, to be cancelled too.
    fn let_children_go(&mut self, parent: JobId, rollup: &mut Rollup) -> StoreResult<Vec<JobId>> {
        type Row = (i64, String, Option<String>, i32, Option<i64>);
        let children: Vec<Row> = sql::ChildrenOf { parent: parent.0 }.load(self.conn)?;
        sql::DropLinksTo { parent: parent.0 }.execute(self.conn)?;
        let mut alone = Vec::new();
        for (id, kind, key, submitted, worked_at) in children {
            if worked_at.is_none() {
                let why = Failure::new("cancelled", "cancelled with its parent");
                rollup.child_failed(FailedChild::new(kind, key, &why));
            }
            let wanted: i64 = sql::CountParents { child: id }.get_result(self.conn)?;
            if submitted == 0 && wanted == 0 {
                alone.push(JobId(id));
            }
        }
        Ok(alone)
    }

    /// Gives a cancelled or discarded job all its attempts again.
    pub(super) fn retry(&mut self, id: JobId, now: Timestamp) -> StoreResult<Retried> {
        type Row = (String, Option<String>, String, String, i32);
        self.catch_up()?;
        let row: Option<Row> = sql::JobToRetry { id: id.0 }
            .get_result(self.conn)
            .optional()?;
        let Some((kind, key, queue, state, priority)) = row else {
            return Ok(Retried::Unknown);
        };
        let state: JobState = state.parse().map_err(StoreError::Unexpected)?;
        if !matches!(state, JobState::Cancelled | JobState::Discarded) {
            return Ok(Retried::NotFailed(state));
        }
        if kind == BATCH_KIND {
            return Err(StoreError::Refused(format!(
                "job {id} is a batch, which has no work of its own: retry the jobs in it"
            )));
        }
        let open: Option<i64> = sql::OpenByKey {
            kind: &kind,
            key: key.as_deref(),
        }
        .get_result(self.conn)
        .optional()?;
        if let Some(open) = open {
            return Ok(Retried::Joined(JobId(open)));
        }
        let turn: Option<i64> = own::NextTurn {
            queue: &queue,
            priority,
        }
        .get_result(self.conn)
        .optional()?;
        sql::Revive {
            now: now.as_millis(),
            turn: turn.unwrap_or(0),
            id: id.0,
        }
        .execute(self.conn)?;
        self.note_ready(&queue);
        Ok(Retried::Available)
    }
}

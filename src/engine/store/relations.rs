//! What one job's end means for others, as far as no database is needed to tell: both stores decide by this. Pure.
//!
//! A parent counts its children in its own row. What a group of commands comes to for it is gathered in a
//! [`ParentDelta`], and written into the row once.

use diesel::Queryable;
use riftsync_basics::attempt::{BATCH_KIND, cancelled_on_request};
use riftsync_basics::rollup::FailedChild;
use riftsync_basics::{Failure, JobId, JobState, NewJob, OnFailure, Rollup, Timestamp};

use super::rows::{after_failed, append_error, dependency_failed, from_json, to_json, to_u32};
use super::{Cancelled, Retried, StoreError, StoreResult};

/// How a link is called whose one end is a parent.
pub(crate) const CHILD: &str = "child";
const AFTER_CANCEL: &str = "after_cancel";
const AFTER_RUN: &str = "after_run";

/// How a link is called whose one end comes after the other.
pub(crate) fn relation(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::Cancel => AFTER_CANCEL,
        OnFailure::RunAnyway => AFTER_RUN,
    }
}

/// A job that is final now.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) id: JobId,
    pub(crate) now: Timestamp,
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
    pub(crate) fn by_itself(
        id: JobId,
        state: JobState,
        kind: String,
        key: Option<String>,
        why: Option<Failure>,
        now: Timestamp,
    ) -> Self {
        let counts = Counts::Itself { kind, key, why };
        Self {
            id,
            now,
            state,
            counts,
        }
    }

    /// A job that completed with the last of its children.
    pub(crate) fn parent(id: JobId, rollup: Rollup, now: Timestamp) -> Self {
        Self {
            id,
            now,
            state: JobState::Completed,
            counts: Counts::Children(rollup),
        }
    }

    /// Whether a job that comes after this one, by such a link, is cancelled by its end.
    pub(crate) fn cancels(&self, relation: &str) -> bool {
        relation == AFTER_CANCEL && self.state != JobState::Completed
    }
}

/// A change of a parent's row that waits to be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParentDelta {
    pub(crate) rollup: Rollup,
    pub(crate) pending: i64,
    now: Option<Timestamp>,
}

impl ParentDelta {
    pub(crate) fn at(&mut self, now: Timestamp) -> &mut Self {
        self.now = self.now.max(Some(now));
        self
    }

    /// A child is final.
    pub(crate) fn child_ended(&mut self, job: &Ended) {
        self.pending -= 1;
        match &job.counts {
            Counts::Children(rollup) => self.rollup.merge(rollup),
            Counts::Itself {
                kind, why: None, ..
            } => self.rollup.child_completed(kind),
            Counts::Itself {
                kind,
                key,
                why: Some(why),
            } => {
                let failed = FailedChild::new(kind.clone(), key.clone(), why);
                self.rollup.child_failed(failed);
            }
        }
    }

    /// A child is linked. `worked`: it has done its own work, and waits for children.
    pub(crate) fn child_linked(&mut self, kind: &str, worked: bool) {
        self.pending += 1;
        self.rollup.child_linked(kind);
        if worked {
            self.rollup.child_completed(kind);
        }
    }

    /// A child is final as it comes: what it was to come after has failed.
    pub(crate) fn child_came_cancelled(&mut self, job: &NewJob) {
        self.rollup.child_linked(job.kind);
        let failed = FailedChild::new(job.kind, job.key.clone(), &after_failed());
        self.rollup.child_failed(failed);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.rollup.merge(&other.rollup);
        self.pending += other.pending;
        self.now = self.now.max(other.now);
    }
}

/// The row of a parent that is not final.
#[derive(Debug, Queryable)]
pub(crate) struct ParentRow {
    kind: String,
    state: String,
    rollup: String,
    pending: i32,
    worked_at: Option<i64>,
}

/// What its row becomes.
#[derive(Debug)]
pub(crate) struct ToldParent {
    pub(crate) kind: String,
    pub(crate) state: JobState,
    pub(crate) rollup: Rollup,
    pub(crate) pending: i32,
    /// When: it ends with the last of its children.
    pub(crate) finished: Option<Timestamp>,
}

impl ParentRow {
    pub(crate) fn told(self, id: JobId, delta: &ParentDelta) -> StoreResult<ToldParent> {
        let mut rollup: Rollup = from_json(&self.rollup)?;
        rollup.merge(&delta.rollup);
        let pending = i64::from(self.pending) + delta.pending;
        assert!(pending >= 0, "job {id} waits for {pending} children");
        let state = self.state.parse().map_err(StoreError::Unexpected)?;
        let finished = pending == 0 && self.worked_at.is_some() && state == JobState::Blocked;
        let now = delta.now.unwrap_or(Timestamp::EPOCH);
        Ok(ToldParent {
            kind: self.kind,
            state: if finished { JobState::Completed } else { state },
            rollup,
            pending: i32::try_from(pending).unwrap_or(i32::MAX),
            finished: finished.then_some(now),
        })
    }
}

/// A job that waits for others to be final.
#[derive(Debug, Queryable)]
pub(crate) struct WaitingJob {
    kind: String,
    key: Option<String>,
    pub(crate) queue: String,
    waits_for: i32,
    run_at: i64,
    errors: String,
}

impl WaitingJob {
    /// Its state when it waits for one less.
    pub(crate) fn next_state(&self, now: Timestamp) -> JobState {
        if self.waits_for > 1 {
            JobState::Blocked
        } else if self.run_at > now.as_millis() {
            JobState::Scheduled
        } else {
            JobState::Available
        }
    }

    /// It is cancelled by the end of a job: its errors then, and its own end.
    pub(crate) fn cancelled_by(self, id: JobId, job: &Ended) -> StoreResult<(String, Ended)> {
        let why = dependency_failed(job.id, job.state);
        let errors = append_error(&self.errors, 0, &why, job.now)?;
        let state = JobState::Cancelled;
        let ended = Ended::by_itself(id, state, self.kind, self.key, Some(why), job.now);
        Ok((errors, ended))
    }
}

/// A job that somebody cancels.
#[derive(Debug, Queryable)]
pub(crate) struct JobToCancel {
    kind: String,
    key: Option<String>,
    state: String,
    errors: String,
    attempt: i32,
    rollup: String,
    worked_at: Option<i64>,
}

/// How a job is cancelled.
#[derive(Debug)]
pub(crate) enum Cancelling {
    /// There is none, or it has ended.
    Not(Cancelled),
    /// Its attempt is asked to end.
    Ask,
    /// It does not run.
    AtOnce(Box<CancelledJob>),
}

/// A job that is cancelled now.
#[derive(Debug)]
pub(crate) struct CancelledJob {
    pub(crate) id: JobId,
    pub(crate) errors: String,
    kind: String,
    key: Option<String>,
    why: Failure,
    rollup: Rollup,
    worked: bool,
}

/// A child of a job that is cancelled.
#[derive(Debug, Queryable)]
pub(crate) struct LinkedChild {
    pub(crate) id: i64,
    kind: String,
    key: Option<String>,
    submitted: i32,
    worked_at: Option<i64>,
}

impl JobToCancel {
    pub(crate) fn how(row: Option<Self>, id: JobId, now: Timestamp) -> StoreResult<Cancelling> {
        let Some(job) = row else {
            return Ok(Cancelling::Not(Cancelled::Unknown));
        };
        let state: JobState = job.state.parse().map_err(StoreError::Unexpected)?;
        if state.is_final() {
            return Ok(Cancelling::Not(Cancelled::Final(state)));
        }
        if state == JobState::Running {
            return Ok(Cancelling::Ask);
        }
        let why = cancelled_on_request();
        Ok(Cancelling::AtOnce(Box::new(CancelledJob {
            id,
            errors: append_error(&job.errors, to_u32(job.attempt), &why, now)?,
            kind: job.kind,
            key: job.key,
            why,
            rollup: from_json(&job.rollup)?,
            worked: job.worked_at.is_some(),
        })))
    }
}

impl CancelledJob {
    /// It waits for a child no more, which counts as failed unless it has done its work. Whether that is to be
    /// cancelled too: nobody asked for it, and none of its `parents` is left.
    pub(crate) fn lets_go(&mut self, child: LinkedChild, parents: i64) -> bool {
        if child.worked_at.is_none() {
            let why = Failure::new("cancelled", "cancelled with its parent");
            let failed = FailedChild::new(child.kind, child.key, &why);
            self.rollup.child_failed(failed);
        }
        child.submitted == 0 && parents == 0
    }

    /// What its row is to tell of its children: of a job that has done its work, and waited for them.
    pub(crate) fn rollup_to_write(&self) -> StoreResult<Option<String>> {
        self.worked.then(|| to_json(&self.rollup)).transpose()
    }

    pub(crate) fn ended(self, now: Timestamp) -> Ended {
        let (id, state) = (self.id, JobState::Cancelled);
        if self.worked {
            let counts = Counts::Children(self.rollup);
            return Ended {
                id,
                now,
                state,
                counts,
            };
        }
        Ended::by_itself(id, state, self.kind, self.key, Some(self.why), now)
    }
}

/// A job that somebody wants to run again.
#[derive(Debug, Queryable)]
pub(crate) struct JobToRetry {
    pub(crate) kind: String,
    pub(crate) key: Option<String>,
    pub(crate) queue: String,
    state: String,
    pub(crate) priority: i32,
}

impl JobToRetry {
    /// Whether it can: none, it has failed and has work of its own.
    pub(crate) fn refusal(&self, id: JobId) -> StoreResult<Option<Retried>> {
        let state: JobState = self.state.parse().map_err(StoreError::Unexpected)?;
        if !matches!(state, JobState::Cancelled | JobState::Discarded) {
            return Ok(Some(Retried::NotFailed(state)));
        }
        if self.kind == BATCH_KIND {
            return Err(StoreError::Refused(format!(
                "job {id} is a batch, which has no work of its own: retry the jobs in it"
            )));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn failed(id: i64) -> Ended {
        let why = Some(Failure::new("gone", "it is gone"));
        Ended::by_itself(
            JobId(id),
            JobState::Discarded,
            "match".to_owned(),
            None,
            why,
            NOW,
        )
    }

    fn parent(pending: i32, worked: bool) -> ParentRow {
        ParentRow {
            kind: "player".to_owned(),
            state: "blocked".to_owned(),
            rollup: "{}".to_owned(),
            pending,
            worked_at: worked.then_some(1),
        }
    }

    #[test]
    fn a_parent_ends_with_the_last_of_its_children_and_not_before_its_own_work_is_done() {
        let mut delta = ParentDelta::default();
        delta.at(NOW).child_ended(&failed(2));
        for (pending, worked, finished) in [(1, true, Some(NOW)), (2, true, None), (1, false, None)]
        {
            let told = parent(pending, worked).told(JobId(1), &delta).unwrap();
            assert_eq!((told.finished, told.pending), (finished, pending - 1));
            assert_eq!(told.state == JobState::Completed, finished.is_some());
            assert_eq!(told.rollup.of("match").failed, 1);
        }
    }

    #[test]
    fn who_comes_after_a_failed_job_is_cancelled_only_if_it_asked_for_that() {
        let ended = failed(2);
        assert!(ended.cancels(relation(OnFailure::Cancel)));
        assert!(!ended.cancels(relation(OnFailure::RunAnyway)));
        let well = Ended::parent(JobId(2), Rollup::default(), NOW);
        assert!(!well.cancels(relation(OnFailure::Cancel)));
    }

    #[test]
    fn a_job_that_waits_for_one_less_runs_when_it_waits_for_none_and_its_time_has_come() {
        let next = |waits_for, run_at| {
            let job = WaitingJob {
                kind: "match".to_owned(),
                key: None,
                queue: "default".to_owned(),
                waits_for,
                run_at,
                errors: "[]".to_owned(),
            };
            job.next_state(NOW)
        };
        assert_eq!(next(2, 0), JobState::Blocked);
        assert_eq!(next(1, 1_001), JobState::Scheduled);
        assert_eq!(next(1, 1_000), JobState::Available);
    }

    #[test]
    fn a_cancelled_job_takes_those_with_it_that_nobody_else_wants() {
        let row = JobToCancel {
            kind: "player".to_owned(),
            key: None,
            state: "blocked".to_owned(),
            errors: "[]".to_owned(),
            attempt: 1,
            rollup: "{}".to_owned(),
            worked_at: Some(1),
        };
        let Ok(Cancelling::AtOnce(mut job)) = JobToCancel::how(Some(row), JobId(1), NOW) else {
            panic!("it does not run");
        };
        let child = |submitted, worked_at| LinkedChild {
            id: 2,
            kind: "match".to_owned(),
            key: None,
            submitted,
            worked_at,
        };
        assert!(job.lets_go(child(0, None), 0));
        assert!(!job.lets_go(child(0, None), 1));
        assert!(!job.lets_go(child(1, Some(1)), 0));
        let told: Rollup = from_json(&job.rollup_to_write().unwrap().unwrap()).unwrap();
        assert_eq!(told.of("match").failed, 2);
    }
}

//! The life of an attempt: claimed, under way, settled, handed back or rescued.

use std::convert::Infallible;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::job_statements as own;
use super::transaction::Transaction;
use crate::sql::jobs as sql;
use crate::store::attempts::{
    CancelRequest, ClaimedRow, LostJob, Rescue, cancelled_attempts, rescues,
};
use crate::store::relations::Ended;
use crate::store::rows::{append_error, no_less_urgent, priority_from, to_i32, to_json, to_u32};
use crate::store::{Completion, Effect, Fenced, Rescued, Staged, StoreResult, Wanted};
use riftsync_basics::rollup::FailedChild;
use riftsync_basics::suspicion::{Death, runs_alone};
use riftsync_basics::{ClaimedJob, JobId, JobState, Lease, Timestamp};

/// Writes an effect of a job.
type Apply<E> = fn(&mut SqliteConnection, &E, Timestamp) -> StoreResult<()>;

/// For ends that write nothing.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "it is an `Apply`")]
fn nothing(_: &mut SqliteConnection, never: &Infallible, _: Timestamp) -> StoreResult<()> {
    match *never {}
}

impl Transaction<'_> {
    pub(super) fn claim(
        &mut self,
        wanted: Wanted<'_>,
        engine: &str,
        now: Timestamp,
    ) -> StoreResult<Vec<ClaimedJob>> {
        let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX);
        let (from, before) = (i32::from(wanted.begin()), i32::from(wanted.bound()));
        let queue = wanted.queue;
        let mut rows: Vec<(ClaimedRow, i32)> = if wanted.closed.is_empty() {
            own::Claim {
                engine,
                now: now.as_millis(),
                suspect_queue: queue,
                suspects_from: from,
                suspects_before: before,
                here: engine,
                queue,
                from,
                before,
                limit,
                limit_all: limit,
            }
            .load(self.conn)?
        } else {
            let lanes = &to_json(&wanted.closed)?;
            own::ClaimPast {
                engine,
                now: now.as_millis(),
                suspect_queue: queue,
                suspects_from: from,
                suspects_before: before,
                suspect_lanes: lanes,
                here: engine,
                queue,
                from,
                before,
                lanes,
                limit,
                limit_all: limit,
            }
            .load(self.conn)?
        };
        rows.sort_unstable_by_key(|(job, _)| job.place());
        let claimed = rows.into_iter();
        Ok(claimed
            .map(|(job, level)| job.into_job(runs_alone(to_u32(level))))
            .collect())
    }

    pub(super) fn progress(
        &mut self,
        lease: Lease,
        step: &str,
        percent: u8,
        counters: &str,
    ) -> StoreResult<Fenced> {
        let changed = own::Progress {
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

    pub(super) fn settle<E: Effect>(
        &mut self,
        lease: Lease,
        completion: &Completion<E>,
        apply: Apply<E>,
        now: Timestamp,
    ) -> StoreResult<Fenced> {
        type Row = (
            String,
            Option<String>,
            String,
            String,
            i32,
            i64,
            Option<i64>,
            i32,
            i32,
        );
        if self.complete(lease, completion, apply, now)? {
            return Ok(Fenced::Applied);
        }
        let row: Option<Row> = own::Fence {
            id: lease.job.0,
            token: lease.token,
        }
        .get_result(self.conn)
        .optional()?;
        let Some((kind, key, queue, errors, attempt, flow, cancel_requested, crashes, priority)) =
            row
        else {
            return Ok(self.fenced(false));
        };
        for effect in &completion.effects {
            apply(self.conn, effect, now)?;
        }
        let mut settlement = completion.settlement.clone();
        let mut children = completion.children.as_slice();
        if cancel_requested.is_some() {
            settlement = settlement.under_cancellation(!children.is_empty(), now);
            children = &[];
        }
        let waits = settlement.state == JobState::Completed && !children.is_empty() && {
            let children = no_less_urgent(children, priority_from(priority));
            self.spawn(lease.job, flow, &children, now)? > 0
        };
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
        own::Settle {
            state: state.as_str(),
            attempt: to_i32(settlement.attempt),
            run_at: settlement.run_at.as_millis(),
            errors: &errors,
            result: result.as_deref(),
            worked_at: (settlement.state == JobState::Completed).then_some(now.as_millis()),
            finished_at: state.is_final().then_some(now.as_millis()),
            crash_count: if completion.survived { 0 } else { crashes },
            id: lease.job.0,
        }
        .execute(self.conn)?;
        self.note_state(state, &queue);
        if crashes > 0 {
            self.note_suspects()?;
        }
        if let Some(why) = completion.remark() {
            for parent in self.parents(lease.job)? {
                let remark = FailedChild::new(kind.clone(), key.clone(), &why);
                self.parent(parent, now).rollup.child_remarked(remark);
            }
        }
        match state {
            JobState::Blocked => {
                for parent in self.parents(lease.job)? {
                    self.parent(parent, now).rollup.child_completed(&kind);
                }
            }
            JobState::Completed | JobState::Cancelled | JobState::Discarded => {
                let why = settlement.error;
                self.ended(Ended::by_itself(lease.job, state, kind, key, why, now))?;
            }
            JobState::Available | JobState::Scheduled | JobState::Retryable => {}
            JobState::Running => unreachable!("no attempt ends running"),
        }
        Ok(Fenced::Applied)
    }

    /// The next suspect may run now.
    fn note_suspects(&mut self) -> StoreResult<()> {
        let queues: Vec<String> = sql::QueuesWithSuspects {}.load(self.conn)?;
        for queue in queues {
            self.note_ready(&queue);
        }
        Ok(())
    }

    fn parents(&mut self, job: JobId) -> StoreResult<Vec<JobId>> {
        let parents: Vec<i64> = own::Parents { child: job.0 }.load(self.conn)?;
        Ok(parents.into_iter().map(JobId).collect())
    }

    /// Settles an attempt that did all its work, as most do, without a look at its job. False: it needs one.
    fn complete<E: Effect>(
        &mut self,
        lease: Lease,
        completion: &Completion<E>,
        apply: Apply<E>,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let settlement = &completion.settlement;
        let plain = settlement.state == JobState::Completed
            && settlement.error.is_none()
            && completion.children.is_empty()
            && completion.survived
            && completion.remark().is_none();
        if !plain {
            return Ok(false);
        }
        let result = settlement.result.as_ref().map(ToString::to_string);
        let changed = own::Complete {
            attempt: to_i32(settlement.attempt),
            run_at: settlement.run_at.as_millis(),
            result: result.as_deref(),
            worked_at: now.as_millis(),
            finished_at: now.as_millis(),
            id: lease.job.0,
            token: lease.token,
        }
        .execute(self.conn)?;
        if changed == 0 {
            return Ok(false);
        }
        for effect in &completion.effects {
            apply(self.conn, effect, now)?;
        }
        self.completed(lease.job, now)?;
        Ok(true)
    }

    pub(super) fn stage(&mut self, now: Timestamp) -> StoreResult<Staged> {
        let queues: Vec<String> = own::Stage {
            now: now.as_millis(),
        }
        .load(self.conn)?;
        for queue in &queues {
            self.note_ready(queue);
        }
        let next: Option<i64> = sql::NextDue {}.get_result(self.conn)?;
        Ok(Staged {
            moved: queues.len(),
            next_due: next.map(Timestamp::from_millis),
        })
    }

    pub(super) fn runs_alone(&mut self, lease: Lease) -> StoreResult<Fenced> {
        let (id, token) = (lease.job.0, lease.token);
        let changed = sql::RunsAlone { id, token }.execute(self.conn)?;
        Ok(self.fenced(changed > 0))
    }

    pub(super) fn died(&mut self, engine: &str, death: Death) -> StoreResult<bool> {
        let death = death.number();
        Ok(sql::Died { death, engine }.execute(self.conn)? > 0)
    }

    pub(super) fn rescue(&mut self, alive: &str, now: Timestamp) -> StoreResult<Rescued> {
        let lost: Vec<(LostJob, i32)> = own::RunningOfOthers { engine: alive }.load(self.conn)?;
        let mut rescued = Rescued::default();
        for of_one in lost.chunk_by(|one, next| one.0.engine == next.0.engine) {
            let left: Vec<&LostJob> = of_one.iter().map(|(job, _)| job).collect();
            let death = Death::of_number(of_one[0].1);
            for Rescue { lease, known, end } in rescues(&left, death, now) {
                rescued.count(end.settlement.state);
                own::Suspect {
                    level: to_i32(known.level),
                    lone: to_i32(known.lone_deaths),
                    quiet: to_i32(known.quiet_deaths),
                    id: lease.job.0,
                }
                .execute(self.conn)?;
                let _ = self.settle(lease, &end, nothing, now)?;
            }
        }
        self.note_scheduled();
        Ok(rescued)
    }

    pub(super) fn release(
        &mut self,
        engine: &str,
        queue: Option<&str>,
        keep: &[Lease],
        now: Timestamp,
    ) -> StoreResult<usize> {
        let tokens: Vec<i64> = keep.iter().map(|lease| lease.token).collect();
        let asked: Vec<CancelRequest> = sql::CancelRequests { engine }.load(self.conn)?;
        for (lease, end) in cancelled_attempts(asked, queue, keep, now) {
            let _ = self.settle(lease, &end, nothing, now)?;
        }
        let queues: Vec<String> = own::HandBack {
            now: now.as_millis(),
            engine,
            queue,
            keep: &to_json(&tokens)?,
        }
        .load(self.conn)?;
        for queue in &queues {
            self.note_ready(queue);
        }
        Ok(queues.len())
    }

    pub(super) fn prune(&mut self, before: Timestamp, limit: usize) -> StoreResult<usize> {
        let pruned = sql::Prune {
            before: before.as_millis(),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        }
        .execute(self.conn)?;
        Ok(pruned)
    }
}

//! Jobs come in: submitted, in batches, or spawned by a parent.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::job_statements as sql;
use super::transaction::Transaction;
use crate::store::new_jobs::{Origin, first_state, look_after};
use crate::store::relations::{CHILD, relation};
use crate::store::rows::{append_error, to_i32, to_json};
use crate::store::{Batch, Enqueued, StoreError, StoreResult};
use riftsync_basics::attempt::BATCH_KIND;
use riftsync_basics::{JobId, JobState, NewJob, Priority, Timestamp};

/// Gives the jobs of one call their turns: each job of a queue and priority one later than the last,
/// from the turn that is next there when the call begins. So the flows of a queue take turns,
/// whatever their size.
#[derive(Debug)]
struct Turns {
    next: Vec<(&'static str, Priority, i64)>,
}

impl Turns {
    fn of(tx: &mut Transaction<'_>, jobs: &[NewJob]) -> StoreResult<Self> {
        let mut next: Vec<(&'static str, Priority, i64)> = Vec::new();
        for job in jobs {
            let here = |place: &(_, _, _)| place.0 == job.queue && place.1 == job.priority;
            if next.iter().any(here) {
                continue;
            }
            let turn: Option<i64> = sql::NextTurn {
                queue: job.queue,
                priority: i32::from(job.priority.get()),
            }
            .get_result(tx.conn)
            .optional()?;
            next.push((job.queue, job.priority, turn.unwrap_or(0)));
        }
        Ok(Self { next })
    }

    fn take(&mut self, job: &NewJob) -> i64 {
        let place = self
            .next
            .iter_mut()
            .find(|(queue, priority, _)| *queue == job.queue && *priority == job.priority);
        let (_, _, next) = place.expect("every job of the call was looked at");
        *next += 1;
        *next - 1
    }
}

/// A job that was brought in, as its parent needs to know it.
struct Came {
    id: JobId,
    joined: bool,
    /// It has done its own work (it was joined while it waits for children).
    worked: bool,
    /// It is final already: what it comes after has failed.
    cancelled: bool,
}

impl Transaction<'_> {
    /// Enqueues jobs, or joins open ones of their keys: with what else is written here, or not at all.
    pub fn enqueue(&mut self, jobs: &[NewJob], now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        let mut turns = Turns::of(self, jobs)?;
        let came: StoreResult<Vec<Enqueued>> = jobs
            .iter()
            .map(|job| {
                let origin = Origin {
                    hurry: job.run_at.is_none(),
                    ..Origin::PERSON
                };
                let came = self.enqueue_one(job, origin, &mut turns, now)?;
                Ok(Enqueued {
                    id: came.id,
                    joined: came.joined,
                })
            })
            .collect();
        let came = came?;
        self.raise_joined(jobs, &came)?;
        Ok(came)
    }

    /// An open job, and what it waits for, is at least as urgent as those that have joined it.
    fn raise_joined(&mut self, jobs: &[NewJob], came: &[Enqueued]) -> StoreResult<()> {
        let mut joined: BTreeMap<Priority, Vec<i64>> = BTreeMap::new();
        for (job, came) in jobs.iter().zip(came).filter(|(_, came)| came.joined) {
            joined.entry(job.priority).or_default().push(came.id.0);
        }
        for (priority, ids) in joined {
            let raised: Vec<(String, String)> = sql::RaiseBelow {
                priority: i32::from(priority.get()),
                ids: &to_json(&ids)?,
            }
            .load(self.conn)?;
            for (queue, state) in raised {
                if state == JobState::Available.as_str() {
                    self.note_ready(&queue);
                } else if state == JobState::Running.as_str() {
                    self.note_cancels();
                }
            }
        }
        Ok(())
    }

    /// A job of no work of its own whose children are `jobs`: it ends with the last of them.
    pub(super) fn enqueue_batch(&mut self, jobs: &[NewJob], now: Timestamp) -> StoreResult<Batch> {
        let id: i64 = sql::InsertBatch {
            kind: BATCH_KIND,
            at: now.as_millis(),
        }
        .get_result(self.conn)?;
        let (came, linked) = self.spawn_from(JobId(id), jobs, Origin::batch(id), now)?;
        if linked == 0 {
            self.parent(JobId(id), now);
        }
        Ok(Batch {
            id: JobId(id),
            jobs: came,
        })
    }

    /// Enqueues or joins the children of a job and links them. Returns how many it waits for.
    pub(super) fn spawn(
        &mut self,
        parent: JobId,
        flow: i64,
        children: &[NewJob],
        now: Timestamp,
    ) -> StoreResult<usize> {
        let origin = Origin::parent(flow);
        Ok(self.spawn_from(parent, children, origin, now)?.1)
    }

    fn spawn_from(
        &mut self,
        parent: JobId,
        children: &[NewJob],
        origin: Origin,
        now: Timestamp,
    ) -> StoreResult<(Vec<Enqueued>, usize)> {
        let mut turns = Turns::of(self, children)?;
        let mut linked = 0;
        let all_came: StoreResult<Vec<Came>> = children
            .iter()
            .map(|child| self.enqueue_one(child, origin, &mut turns, now))
            .collect();
        let all_came = all_came?;
        let all: Vec<Enqueued> = all_came
            .iter()
            .map(|came| Enqueued {
                id: came.id,
                joined: came.joined,
            })
            .collect();
        // Before they are below anything: one that joins a job above its siblings does not make these more urgent.
        self.raise_joined(children, &all)?;
        for (child, came) in children.iter().zip(all_came) {
            if came.cancelled {
                self.parent(parent, now).child_came_cancelled(child);
                continue;
            }
            // A child that waits for its parent, as an ancestor does, would wait for ever.
            if came.joined && self.waits_for(came.id, parent)? {
                continue;
            }
            let link = sql::Link {
                child: came.id.0,
                parent: parent.0,
                relation: CHILD,
            };
            if link.execute(self.conn)? == 0 {
                continue;
            }
            linked += 1;
            self.parent(parent, now)
                .child_linked(child.kind, came.worked);
        }
        Ok((all, linked))
    }

    /// Whether `job` is `other`, or waits for it, directly or through others.
    fn waits_for(&mut self, job: JobId, other: JobId) -> StoreResult<bool> {
        let found: i64 = sql::WaitsFor {
            other: other.0,
            job: job.0,
        }
        .get_result(self.conn)?;
        Ok(found > 0)
    }

    fn enqueue_one(
        &mut self,
        job: &NewJob,
        origin: Origin,
        turns: &mut Turns,
        now: Timestamp,
    ) -> StoreResult<Came> {
        let run_at = job.run_at.unwrap_or(now);
        let (waits, failed) = look_after(job, |other| self.state_of(other))?;
        let state = first_state(failed.is_some(), !waits.is_empty(), run_at, now);
        let turn = turns.take(job);
        let inserted = sql::InsertJob {
            kind: job.kind,
            queue: job.queue,
            key: job.key.as_deref(),
            args: &job.args,
            state: state.as_str(),
            priority: i32::from(job.priority.get()),
            max_attempts: to_i32(job.max_attempts),
            run_at: run_at.as_millis(),
            flow: origin.flow,
            turn,
            submitted: i32::from(origin.submitted),
            waits_for: i32::try_from(waits.len()).unwrap_or(i32::MAX),
            finished_at: state.is_final().then_some(now.as_millis()),
            enqueued_at: now.as_millis(),
            lane: job.lane,
        }
        .execute(self.conn)?;
        if inserted == 0 {
            return self.join(job, origin);
        }
        let id: i64 = sql::LastInserted {}.get_result(self.conn)?;
        for other in waits {
            sql::Link {
                child: other.0,
                parent: id,
                relation: relation(job.after.on_failure),
            }
            .execute(self.conn)?;
        }
        if let Some(failure) = &failed {
            let errors = append_error("[]", 0, failure, now)?;
            sql::SetErrors {
                errors: &errors,
                id,
            }
            .execute(self.conn)?;
        }
        self.note_state(state, job.queue);
        Ok(Came {
            id: JobId(id),
            joined: false,
            worked: false,
            cancelled: failed.is_some(),
        })
    }

    fn state_of(&mut self, job: JobId) -> StoreResult<Option<JobState>> {
        let state: Option<String> = sql::StateOf { id: job.0 }
            .get_result(self.conn)
            .optional()?;
        let state = state.map(|state| state.parse().map_err(StoreError::Unexpected));
        state.transpose()
    }

    /// The open job with this key takes the new one in; `raise_joined` sees to its priority.
    fn join(&mut self, job: &NewJob, origin: Origin) -> StoreResult<Came> {
        let (id, worked_at, state): (i64, Option<i64>, String) = sql::JoinJob {
            submitted: i32::from(origin.submitted),
            hurry: origin.hurry,
            kind: job.kind,
            key: job.key.as_deref(),
        }
        .get_result(self.conn)?;
        if state == JobState::Available.as_str() {
            self.note_ready(job.queue);
        }
        Ok(Came {
            id: JobId(id),
            joined: true,
            worked: worked_at.is_some(),
            cancelled: false,
        })
    }
}

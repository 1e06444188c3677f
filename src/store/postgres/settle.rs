//! Ends of attempts, many at once: what they wrote, which jobs they spawned, what follows for parents.
//!
//! Most ends need no look at their jobs first: one statement fences and writes them. The others (failed,
//! spawning, to be cancelled, suspected) are locked, decided in memory and written together. The documents come before
//! the jobs: that is the order of locks.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use diesel_async::RunQueryDsl;

use super::enqueue::{Brought, Call, From, OpenJobs};
use super::fault::Fault;
use super::job_statements as sql;
use super::locks::Lessons;
use super::relations::Ended;
use super::transaction::Transaction;
use crate::model::rollup::FailedChild;
use crate::model::{Failure, JobId, JobState, Lease, NewJob, Rollup, Settlement, Timestamp};
use crate::store::rows::{
    append_error, from_json, no_less_urgent, priority_from, remark_of, to_i32, to_json, to_u32,
};
use crate::store::{Completion, Effect, Fenced, StoreResult};

/// The end of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) lease: Lease,
    pub(super) completion: &'a Completion,
    pub(super) now: Timestamp,
}

impl End<'_> {
    /// Whether it can be written without a look at its job.
    pub(super) fn is_quick(&self) -> bool {
        self.completion.children.is_empty()
            && self.completion.settlement.error.is_none()
            && self.completion.survived
            && remark_of(&self.completion.effects).is_none()
    }
}

/// A job whose attempt ends, locked.
struct Held<'a> {
    /// Where its end stands among all.
    at: usize,
    end: End<'a>,
    kind: String,
    key: Option<String>,
    queue: String,
    errors: String,
    rollup: String,
    attempt: i32,
    flow: i64,
    crashes: i32,
    settlement: Settlement,
    children: Cow<'a, [NewJob]>,
}

impl Held<'_> {
    fn call(&self) -> Call<'_> {
        Call {
            jobs: &self.children,
            now: self.end.now,
            from: From::Parent {
                id: self.end.lease.job,
                flow: self.flow,
            },
        }
    }

    fn spawns(&self) -> bool {
        self.settlement.state == JobState::Completed && !self.children.is_empty()
    }
}

impl Transaction<'_> {
    /// Writes the documents of attempts that hold their jobs as far as is known; `settle` finds out.
    pub(super) async fn write_effects(&mut self, ends: &[End<'_>]) -> Result<(), Fault> {
        let mut leases = HashSet::new();
        let bring: Vec<&End<'_>> = ends
            .iter()
            .filter(|end| leases.insert(end.lease) && !end.completion.effects.is_empty())
            .filter(|end| self.lessons.writes(end.lease))
            .collect();
        if bring.is_empty() {
            return Ok(());
        }
        let held: Vec<(i64, i64)> = sql::StillHeld {
            ids: bring.iter().map(|end| end.lease.job.0).collect(),
            tokens: bring.iter().map(|end| end.lease.token).collect(),
        }
        .load(&mut self.conn)
        .await?;
        let held: HashSet<(i64, i64)> = held.into_iter().collect();
        let mut effects: Vec<(&Effect, Timestamp)> = Vec::new();
        for end in bring {
            if held.contains(&(end.lease.job.0, end.lease.token)) {
                self.written.insert(end.lease);
                effects.extend((end.completion.effects.iter()).map(|effect| (effect, end.now)));
            }
        }
        self.apply(&effects).await
    }

    /// Settles all attempts that still hold their jobs. Their documents are written.
    pub(super) async fn settle(
        &mut self,
        ends: &[End<'_>],
    ) -> Result<Vec<StoreResult<Fenced>>, Fault> {
        let mut results: Vec<StoreResult<Fenced>> = vec![Ok(Fenced::Stale); ends.len()];
        if ends.is_empty() {
            return Ok(results);
        }
        // The same lease twice: the second is stale by the first.
        let mut leases = HashSet::new();
        let first: Vec<usize> = (0..ends.len())
            .filter(|at| leases.insert(ends[*at].lease))
            .collect();
        let (quick, mut careful): (Vec<usize>, Vec<usize>) =
            first.iter().partition(|at| ends[**at].is_quick());
        careful.extend(self.settle_quickly(ends, quick, &mut results).await?);
        if !careful.is_empty() {
            careful.sort_unstable();
            self.settle_carefully(ends, &careful, &mut results).await?;
        }
        let for_nothing = first
            .into_iter()
            .filter(|at| !matches!(results[*at], Ok(Fenced::Applied)))
            .map(|at| ends[at].lease)
            .filter(|lease| self.written.contains(lease));
        let for_nothing: HashSet<Lease> = for_nothing.collect();
        if !for_nothing.is_empty() {
            return Err(Lessons::without(for_nothing));
        }
        let stale = results
            .iter()
            .filter(|one| matches!(one, Ok(Fenced::Stale)));
        self.after.stale += stale.count() as u64;
        Ok(results)
    }

    /// Returns those that were not written: stale, or in need of a look at their jobs.
    async fn settle_quickly(
        &mut self,
        ends: &[End<'_>],
        mut quick: Vec<usize>,
        results: &mut [StoreResult<Fenced>],
    ) -> Result<Vec<usize>, Fault> {
        type Done = (i64, String, Option<String>, String);
        if quick.is_empty() {
            return Ok(Vec::new());
        }
        // That is the order of the locks.
        quick.sort_unstable_by_key(|at| ends[*at].lease.job);
        let ids = quick.iter().map(|at| ends[*at].lease.job.0);
        self.locks.missing(ids)?;
        let each = || quick.iter().map(|at| &ends[*at]);
        let state = |end: &End<'_>| end.completion.settlement.state;
        let done: Vec<Done> = sql::SettleQuick {
            ids: each().map(|end| end.lease.job.0).collect(),
            tokens: each().map(|end| end.lease.token).collect(),
            states: each().map(|end| state(end).as_str()).collect(),
            attempts: each()
                .map(|end| to_i32(end.completion.settlement.attempt))
                .collect(),
            run_at: each()
                .map(|end| end.completion.settlement.run_at.as_millis())
                .collect(),
            results: each()
                .map(|end| result_text(&end.completion.settlement))
                .collect(),
            worked_at: each()
                .map(|end| worked_at(&end.completion.settlement, end.now))
                .collect(),
            finished_at: each().map(|end| finished_at(state(end), end.now)).collect(),
        }
        .load(&mut self.conn)
        .await?;
        self.after.wrote |= !done.is_empty();
        self.locks.locked(done.iter().map(|row| row.0));
        let places: HashMap<i64, usize> = quick
            .iter()
            .map(|at| (ends[*at].lease.job.0, *at))
            .collect();
        let mut ended = Vec::with_capacity(done.len());
        for (id, kind, key, queue) in done {
            let at = places[&id];
            results[at] = Ok(Fenced::Applied);
            let end = &ends[at];
            self.note_state(state(end), &queue);
            if state(end).is_final() {
                ended.push(Ended::by_itself(
                    JobId(id),
                    state(end),
                    kind,
                    key,
                    None,
                    end.now,
                ));
            }
        }
        self.ended(ended).await?;
        let left = quick.iter().copied();
        Ok(left
            .filter(|at| !matches!(results[*at], Ok(Fenced::Applied)))
            .collect())
    }

    async fn settle_carefully(
        &mut self,
        ends: &[End<'_>],
        careful: &[usize],
        results: &mut [StoreResult<Fenced>],
    ) -> Result<(), Fault> {
        let held = self.fence(ends, careful).await?;
        let calls: Vec<Call<'_>> = held
            .iter()
            .filter(|job| job.spawns())
            .map(Held::call)
            .collect();
        let open = self.open_jobs_of(&calls).await?;
        let settling: HashSet<(&str, &str)> = held
            .iter()
            .filter_map(|job| Some((job.kind.as_str(), job.key.as_deref()?)))
            .collect();
        let entangled: Vec<bool> = held
            .iter()
            .map(|job| job.spawns() && is_entangled(job, &settling, &open))
            .collect();
        drop(settling);
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for (job, entangled) in held.into_iter().zip(entangled) {
            if entangled {
                alone.push(job);
            } else {
                together.push(job);
            }
        }
        // These may join what waits for them, or what ends with them: each is in a transaction of its own.
        if ends.len() > 1 && !alone.is_empty() {
            let alone = alone.iter().map(|job| job.end.lease);
            return Err(Lessons::alone(alone.collect()));
        }
        for job in alone {
            let open = self.open_jobs_of(&[job.call()]).await?;
            self.end_all(vec![job], open, true, results).await?;
        }
        self.end_all(together, open, false, results).await
    }

    /// The jobs that these attempts still hold, locked.
    async fn fence<'a>(
        &mut self,
        ends: &[End<'a>],
        careful: &[usize],
    ) -> Result<Vec<Held<'a>>, Fault> {
        type Row = (
            (i64, String, Option<String>, String, String, String),
            (i32, i64, Option<i64>, i32, i32),
        );
        // That is the order of the locks.
        let mut leases: Vec<Lease> = careful.iter().map(|at| ends[*at].lease).collect();
        leases.sort_unstable_by_key(|lease| lease.job);
        self.locks.missing(leases.iter().map(|lease| lease.job.0))?;
        let rows: Vec<Row> = sql::Fence {
            ids: leases.iter().map(|lease| lease.job.0).collect(),
            tokens: leases.iter().map(|lease| lease.token).collect(),
        }
        .load(&mut self.conn)
        .await?;
        self.locks.locked(rows.iter().map(|row| row.0.0));
        let places: HashMap<i64, usize> = careful
            .iter()
            .map(|at| (ends[*at].lease.job.0, *at))
            .collect();
        let mut held: Vec<Held<'a>> = rows
            .into_iter()
            .map(
                |(
                    (id, kind, key, queue, errors, rollup),
                    (attempt, flow, cancel, crashes, priority),
                )| {
                    let at = places[&id];
                    let end = ends[at];
                    let mut settlement = end.completion.settlement.clone();
                    let mut children = end.completion.children.as_slice();
                    if cancel.is_some() {
                        settlement = settlement.under_cancellation(!children.is_empty(), end.now);
                        children = &[];
                    }
                    Held {
                        at,
                        end,
                        kind,
                        key,
                        queue,
                        errors,
                        rollup,
                        attempt,
                        flow,
                        crashes,
                        settlement,
                        children: no_less_urgent(children, priority_from(priority)),
                    }
                },
            )
            .collect();
        held.sort_unstable_by_key(|job| job.at);
        Ok(held)
    }

    /// Spawns, writes and ends the jobs.
    async fn end_all(
        &mut self,
        held: Vec<Held<'_>>,
        mut open: OpenJobs,
        circles: bool,
        results: &mut [StoreResult<Fenced>],
    ) -> Result<(), Fault> {
        let spawning: Vec<&Held<'_>> = held.iter().filter(|job| job.spawns()).collect();
        let calls: Vec<Call<'_>> = spawning.iter().map(|job| job.call()).collect();
        let brought = if calls.is_empty() {
            Vec::new()
        } else {
            self.bring_in_among(&calls, &mut open, circles).await?
        };
        let mut waits: HashMap<usize, bool> = HashMap::new();
        for (job, brought) in spawning.iter().zip(brought) {
            match brought {
                Ok(Brought { linked, .. }) => {
                    waits.insert(job.at, linked > 0);
                }
                // What cannot be spawned fails the end as a whole.
                Err(error) => results[job.at] = Err(error),
            }
        }
        let jobs: Vec<(&Held<'_>, JobState)> = held
            .iter()
            .filter(|job| results[job.at].is_ok())
            .map(|job| {
                let waits = waits.get(&job.at).copied().unwrap_or(false);
                let state = if waits {
                    JobState::Blocked
                } else {
                    job.settlement.state
                };
                (job, state)
            })
            .collect();
        if jobs.is_empty() {
            return Ok(());
        }
        self.write_ends(&jobs).await?;
        for (job, _) in &jobs {
            results[job.at] = Ok(Fenced::Applied);
        }
        self.tell_ends(&jobs).await
    }

    async fn write_ends(&mut self, jobs: &[(&Held<'_>, JobState)]) -> Result<(), Fault> {
        let mut errors = Vec::with_capacity(jobs.len());
        for (job, _) in jobs {
            errors.push(match &job.settlement.error {
                None => job.errors.clone(),
                Some(failure) => {
                    append_error(&job.errors, to_u32(job.attempt), failure, job.end.now)?
                }
            });
        }
        // What a job's new children mean for it goes into the same version of its row, not into one more.
        let (mut rollups, mut pending) = (Vec::new(), Vec::new());
        for (job, state) in jobs {
            let begun = match state {
                JobState::Blocked => self.take_begun(job.end.lease.job),
                _ => None,
            };
            let mut rollup: Rollup = from_json(&job.rollup)?;
            rollups.push(match &begun {
                Some(delta) => {
                    rollup.merge(&delta.rollup);
                    to_json(&rollup)?
                }
                None => job.rollup.clone(),
            });
            pending.push(begun.map_or(0, |delta| i32::try_from(delta.pending).unwrap_or(i32::MAX)));
        }
        let each = || jobs.iter();
        self.after.wrote = true;
        sql::SettleAll {
            ids: each().map(|(job, _)| job.end.lease.job.0).collect(),
            states: each().map(|(_, state)| state.as_str()).collect(),
            attempts: each()
                .map(|(job, _)| to_i32(job.settlement.attempt))
                .collect(),
            run_at: each()
                .map(|(job, _)| job.settlement.run_at.as_millis())
                .collect(),
            errors,
            results: each()
                .map(|(job, _)| result_text(&job.settlement))
                .collect(),
            worked_at: each()
                .map(|(job, _)| worked_at(&job.settlement, job.end.now))
                .collect(),
            finished_at: each()
                .map(|(job, state)| finished_at(*state, job.end.now))
                .collect(),
            crashes: each()
                .map(|(job, _)| {
                    if job.end.completion.survived {
                        0
                    } else {
                        job.crashes
                    }
                })
                .collect(),
            rollups,
            pending,
        }
        .execute(&mut self.conn)
        .await?;
        Ok(())
    }

    /// What the ends mean for others.
    async fn tell_ends(&mut self, jobs: &[(&Held<'_>, JobState)]) -> Result<(), Fault> {
        let mut ended = Vec::new();
        let mut blocked = HashMap::new();
        for (job, state) in jobs {
            let id = job.end.lease.job;
            self.note_state(*state, &job.queue);
            match state {
                JobState::Blocked => {
                    blocked.insert(id.0, *job);
                }
                JobState::Completed | JobState::Cancelled | JobState::Discarded => {
                    let why = job.settlement.error.clone();
                    let (kind, key) = (job.kind.clone(), job.key.clone());
                    ended.push(Ended::by_itself(id, *state, kind, key, why, job.end.now));
                }
                JobState::Available | JobState::Scheduled | JobState::Retryable => {}
                JobState::Running => unreachable!("no attempt ends running"),
            }
        }
        if jobs.iter().any(|(job, _)| job.crashes > 0) {
            // The next suspect may run now.
            let queues: Vec<String> = sql::AllQueuesWithSuspects {}.load(&mut self.conn).await?;
            for queue in queues {
                self.note_ready(&queue);
            }
        }
        self.tell_remarks(jobs).await?;
        if !blocked.is_empty() {
            let children = blocked.keys().copied().collect();
            let parents: Vec<(i64, i64)> = sql::ParentsOf { children }.load(&mut self.conn).await?;
            for (child, parent) in parents {
                let job = blocked[&child];
                self.parent(JobId(parent), job.end.now)
                    .rollup
                    .child_completed(&job.kind);
            }
        }
        self.ended(ended).await
    }

    /// What parents are to tell of children that brought a document which cannot be read.
    async fn tell_remarks(&mut self, jobs: &[(&Held<'_>, JobState)]) -> Result<(), Fault> {
        let remarks = jobs.iter().filter_map(|(job, _)| {
            let reason = remark_of(&job.end.completion.effects)?;
            Some((job.end.lease.job.0, (*job, reason)))
        });
        let remarks: HashMap<i64, (&Held<'_>, &str)> = remarks.collect();
        if remarks.is_empty() {
            return Ok(());
        }
        let children = remarks.keys().copied().collect();
        let parents: Vec<(i64, i64)> = sql::ParentsOf { children }.load(&mut self.conn).await?;
        for (child, parent) in parents {
            let (job, reason) = remarks[&child];
            let why = Failure::new("unread", reason);
            let remark = FailedChild::new(job.kind.clone(), job.key.clone(), &why);
            let delta = self.parent(JobId(parent), job.end.now);
            delta.rollup.child_remarked(remark);
        }
        Ok(())
    }
}

/// Whether a child of the job is a job that ends in the same batch, or one that waits itself: then the order
/// in which they are written matters, and there may be a circle.
fn is_entangled(job: &Held<'_>, settling: &HashSet<(&str, &str)>, open: &OpenJobs) -> bool {
    job.children.iter().any(|child| {
        let Some(key) = child.key.as_deref() else {
            return false;
        };
        settling.contains(&(child.kind, key))
            || open
                .get(&(child.kind.to_owned(), key.to_owned()))
                .is_some_and(super::enqueue::Open::is_blocked)
    })
}

fn result_text(settlement: &Settlement) -> Option<String> {
    settlement.result.as_ref().map(ToString::to_string)
}

fn worked_at(settlement: &Settlement, now: Timestamp) -> Option<i64> {
    (settlement.state == JobState::Completed).then_some(now.as_millis())
}

fn finished_at(state: JobState, now: Timestamp) -> Option<i64> {
    state.is_final().then_some(now.as_millis())
}

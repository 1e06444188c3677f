//! Ends of attempts, many at once: which jobs they spawned, what follows for parents.
//!
//! Most ends need no look at their jobs first: one statement fences and writes them. The others (failed,
//! spawning, to be cancelled, suspected) are locked, decided in memory and written together. What the attempts wrote
//! (`group`) comes before the jobs: that is the order of locks.

use std::collections::{HashMap, HashSet};
use std::fmt;

use diesel_async::RunQueryDsl;

use super::coming::Coming;
use super::enqueue::{Brought, Call, OpenJobs};
use super::fault::Fault;
use super::held::{Held, HeldRow, held_of, is_entangled};
use super::job_statements as own;
use super::locks::Lessons;
use super::relations::Link;
use super::transaction::Transaction;
use crate::sql::jobs as sql;
use crate::store::relations::Ended;
use crate::store::rows::{append_error, from_json, to_i32, to_json, to_u32};
use crate::store::{Completion, Effect, Fenced, StoreResult};
use riftsync_basics::rollup::FailedChild;
use riftsync_basics::{Failure, JobId, JobState, Lease, NewJob, Rollup, Settlement, Timestamp};

/// The end of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) lease: Lease,
    pub(super) settlement: &'a Settlement,
    pub(super) children: &'a [NewJob],
    pub(super) survived: bool,
    effects: &'a dyn Remarks,
    pub(super) now: Timestamp,
}

/// What the parents of a job are to hear of what it wrote, whatever that is.
trait Remarks: fmt::Debug + Send + Sync {
    fn remark(&self) -> Option<Failure>;
}

impl<E: Effect> Remarks for Completion<E> {
    fn remark(&self) -> Option<Failure> {
        Self::remark(self)
    }
}

impl<'a> End<'a> {
    pub(super) fn of<E: Effect>(
        lease: Lease,
        completion: &'a Completion<E>,
        now: Timestamp,
    ) -> Self {
        Self {
            lease,
            settlement: &completion.settlement,
            children: &completion.children,
            survived: completion.survived,
            effects: completion,
            now,
        }
    }
}

impl End<'_> {
    /// Whether it can be written without a look at its job.
    pub(super) fn is_quick(&self) -> bool {
        self.children.is_empty()
            && self.settlement.error.is_none()
            && self.survived
            && self.remark().is_none()
    }

    fn remark(&self) -> Option<Failure> {
        self.effects.remark()
    }
}

/// A job that ended without a look: its id, kind, key and queue.
type Done = (i64, String, Option<String>, String);

impl Transaction<'_> {
    /// Those that hold their jobs, as far as is known without a lock.
    pub(super) async fn still_held(&self, leases: &[Lease]) -> Result<HashSet<Lease>, Fault> {
        if leases.is_empty() {
            return Ok(HashSet::new());
        }
        let held = own::StillHeld {
            ids: leases.iter().map(|lease| lease.job.0).collect(),
            tokens: leases.iter().map(|lease| lease.token).collect(),
        };
        let held: Vec<(i64, i64)> = held.load(&mut { self.conn }).await?;
        let lease = |(job, token)| Lease {
            job: JobId(job),
            token,
        };
        Ok(held.into_iter().map(lease).collect())
    }

    /// Settles all attempts that still hold their jobs. What they wrote is written.
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
        let (mut quick, mut careful): (Vec<usize>, Vec<usize>) =
            first.iter().partition(|at| ends[**at].is_quick());
        // That is the order of the locks.
        quick.sort_unstable_by_key(|at| ends[*at].lease.job);
        careful.sort_unstable_by_key(|at| ends[*at].lease.job);
        let ids =
            |of: &[usize]| -> Vec<i64> { of.iter().map(|at| ends[*at].lease.job.0).collect() };
        self.locks.missing(ids(&quick))?;
        self.locks.missing(ids(&careful))?;
        // Open jobs are looked for behind all that are locked: then that is known already.
        let children: Vec<End<'_>> = careful.iter().map(|at| ends[*at]).collect();
        let coming = Coming::of(&children, &[]);
        let known = self.locks.hold_all(ids(&careful));
        let tx = &*self;
        let (done, links, rows, found) = tokio::try_join!(
            biased;
            tx.end_quickly(ends, &quick),
            tx.take_links_of_final(ids(&quick)),
            tx.fence(ends, &careful),
            async {
                if known {
                    tx.find_open(&coming).await.map(Some)
                } else {
                    Ok(None)
                }
            },
        )?;
        self.locks.locked(done.iter().map(|row| row.0));
        self.locks.locked(rows.iter().map(|row| row.0.0));
        let open = found.map(|found| self.open_from(found)).transpose()?;
        let mut held = held_of(rows, ends, &careful);
        let left = self
            .ended_quickly(ends, quick, done, links, &mut results)
            .await?;
        if !left.is_empty() {
            self.locks.missing(ids(&left))?;
            let rows = self.fence(ends, &left).await?;
            self.locks.locked(rows.iter().map(|row| row.0.0));
            held.extend(held_of(rows, ends, &left));
        }
        if !held.is_empty() {
            held.sort_unstable_by_key(|job| job.at);
            self.settle_carefully(ends.len(), held, open, &mut results)
                .await?;
        }
        let applied = |at: &usize| matches!(results[*at], Ok(Fenced::Applied));
        let for_nothing = first.into_iter().filter(|at| !applied(at));
        self.check_written(for_nothing.map(|at| ends[at].lease))?;
        let stale = results
            .iter()
            .filter(|one| matches!(one, Ok(Fenced::Stale)));
        self.after.stale += stale.count() as u64;
        Ok(results)
    }

    /// Nothing may be written of attempts that did not end.
    fn check_written(&self, for_nothing: impl Iterator<Item = Lease>) -> Result<(), Fault> {
        let for_nothing = for_nothing.filter(|lease| self.written.contains(lease));
        let for_nothing: HashSet<Lease> = for_nothing.collect();
        if for_nothing.is_empty() {
            return Ok(());
        }
        Err(Lessons::without(for_nothing))
    }

    /// Writes those ends, in the order of their jobs, that need no look at these.
    async fn end_quickly(&self, ends: &[End<'_>], quick: &[usize]) -> Result<Vec<Done>, Fault> {
        if quick.is_empty() {
            return Ok(Vec::new());
        }
        let each = || quick.iter().map(|at| &ends[*at]);
        let state = |end: &End<'_>| end.settlement.state;
        let quick = own::SettleQuick {
            ids: each().map(|end| end.lease.job.0).collect(),
            tokens: each().map(|end| end.lease.token).collect(),
            states: each().map(|end| state(end).as_str()).collect(),
            attempts: each().map(|end| to_i32(end.settlement.attempt)).collect(),
            run_at: each()
                .map(|end| end.settlement.run_at.as_millis())
                .collect(),
            results: each().map(|end| result_text(end.settlement)).collect(),
            worked_at: each()
                .map(|end| worked_at(end.settlement, end.now))
                .collect(),
            finished_at: each().map(|end| finished_at(state(end), end.now)).collect(),
        };
        Ok(quick.load(&mut { self.conn }).await?)
    }

    /// Of jobs that this transaction has just ended.
    async fn take_links_of_final(&self, children: Vec<i64>) -> Result<Vec<Link>, Fault> {
        if children.is_empty() {
            return Ok(Vec::new());
        }
        let links = own::TakeLinksOfFinal { children };
        Ok(links.load(&mut { self.conn }).await?)
    }

    /// Returns those that were not written: stale, or in need of a look at their jobs.
    async fn ended_quickly(
        &mut self,
        ends: &[End<'_>],
        quick: Vec<usize>,
        done: Vec<Done>,
        links: Vec<Link>,
        results: &mut [StoreResult<Fenced>],
    ) -> Result<Vec<usize>, Fault> {
        self.after.wrote |= !done.is_empty();
        let places: HashMap<i64, usize> = quick
            .iter()
            .map(|at| (ends[*at].lease.job.0, *at))
            .collect();
        let mut ended = Vec::with_capacity(done.len());
        for (id, kind, key, queue) in done {
            let at = places[&id];
            results[at] = Ok(Fenced::Applied);
            let (state, now) = (ends[at].settlement.state, ends[at].now);
            self.note_state(state, &queue);
            if state.is_final() {
                ended.push(Ended::by_itself(JobId(id), state, kind, key, None, now));
            }
        }
        self.ended_with(ended, links).await?;
        let left = quick.into_iter();
        Ok(left
            .filter(|at| !matches!(results[*at], Ok(Fenced::Applied)))
            .collect())
    }

    /// `open`: the open jobs with the keys of their children, if they were looked for.
    async fn settle_carefully(
        &mut self,
        ends: usize,
        held: Vec<Held<'_>>,
        open: Option<OpenJobs>,
        results: &mut [StoreResult<Fenced>],
    ) -> Result<(), Fault> {
        let open = if let Some(open) = open {
            open
        } else {
            let calls = held.iter().filter(|job| job.spawns()).map(Held::call);
            self.open_jobs_of(&calls.collect::<Vec<_>>()).await?
        };
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
        if ends > 1 && !alone.is_empty() {
            let alone = alone.iter().map(|job| job.end.lease);
            return Err(Lessons::alone(alone.collect()));
        }
        for job in alone {
            let open = self.open_jobs_of(&[job.call()]).await?;
            self.end_all(vec![job], open, true, results).await?;
        }
        self.end_all(together, open, false, results).await
    }

    /// The jobs that these attempts still hold, locked in their order.
    async fn fence(&self, ends: &[End<'_>], of: &[usize]) -> Result<Vec<HeldRow>, Fault> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let fence = own::Fence {
            ids: of.iter().map(|at| ends[*at].lease.job.0).collect(),
            tokens: of.iter().map(|at| ends[*at].lease.token).collect(),
        };
        Ok(fence.load(&mut { self.conn }).await?)
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
        for (job, _) in &jobs {
            results[job.at] = Ok(Fenced::Applied);
        }
        let write = self.ends_to_write(&jobs)?;
        let of = |which: fn(JobState) -> bool| -> Vec<i64> {
            let these = jobs.iter().filter(|(_, state)| which(*state));
            these.map(|(job, _)| job.end.lease.job.0).collect()
        };
        let heard = jobs
            .iter()
            .filter(|(job, state)| *state == JobState::Blocked || job.end.remark().is_some());
        let heard = heard.map(|(job, _)| job.end.lease.job.0).collect();
        let tx = &*self;
        let ((), parents, links) = tokio::try_join!(
            biased;
            tx.write_ends(write),
            // Before their links are taken.
            tx.parents_of(heard),
            tx.take_links_of(of(JobState::is_final)),
        )?;
        self.tell_ends(&jobs, parents, links).await
    }

    async fn write_ends(&self, write: own::SettleAll<'_>) -> Result<(), Fault> {
        write.execute(&mut { self.conn }).await?;
        Ok(())
    }

    async fn parents_of(&self, children: Vec<i64>) -> Result<Vec<(i64, i64)>, Fault> {
        if children.is_empty() {
            return Ok(Vec::new());
        }
        let parents = own::ParentsOf { children };
        Ok(parents.load(&mut { self.conn }).await?)
    }

    fn ends_to_write(
        &mut self,
        jobs: &[(&Held<'_>, JobState)],
    ) -> Result<own::SettleAll<'static>, Fault> {
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
        Ok(own::SettleAll {
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
                .map(|(job, _)| if job.end.survived { 0 } else { job.crashes })
                .collect(),
            rollups,
            pending,
        })
    }

    /// What the ends mean for others.
    async fn tell_ends(
        &mut self,
        jobs: &[(&Held<'_>, JobState)],
        parents: Vec<(i64, i64)>,
        links: Vec<Link>,
    ) -> Result<(), Fault> {
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
            let queues: Vec<String> = sql::QueuesWithSuspects {}.load(&mut self.conn).await?;
            for queue in queues {
                self.note_ready(&queue);
            }
        }
        self.tell_remarks(jobs, &parents);
        for (child, parent) in parents {
            let Some(job) = blocked.get(&child) else {
                continue;
            };
            self.parent(JobId(parent), job.end.now)
                .rollup
                .child_completed(&job.kind);
        }
        self.ended_with(ended, links).await
    }

    /// What parents are to tell of children that ended well, and with a remark.
    fn tell_remarks(&mut self, jobs: &[(&Held<'_>, JobState)], parents: &[(i64, i64)]) {
        let remarks = jobs.iter().filter_map(|(job, _)| {
            let why = job.end.remark()?;
            Some((job.end.lease.job.0, (*job, why)))
        });
        let remarks: HashMap<i64, (&Held<'_>, Failure)> = remarks.collect();
        for (child, parent) in parents {
            let Some((job, why)) = remarks.get(child) else {
                continue;
            };
            let remark = FailedChild::new(job.kind.clone(), job.key.clone(), why);
            let delta = self.parent(JobId(*parent), job.end.now);
            delta.rollup.child_remarked(remark);
        }
    }
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

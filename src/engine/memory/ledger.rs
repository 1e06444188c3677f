//! What a store of jobs must do, written down as simply as possible: no SQL, no groups, no hints.
//!
//! Property tests hold on this model; the databases are held to it by running the same orders on
//! both; and the simulated engine crashes over it. Every decision is the one that ships
//! (`model::attempt`).

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use crate::store::rows::{dependency_failed, no_less_urgent};
use crate::store::{
    Batch, Cancelled, Completion, Effect, Enqueued, Fenced, Rescued, Retried, Wanted,
};
use riftsync_basics::attempt::{self, BATCH_KIND, cancelled_on_request};
use riftsync_basics::job::AttemptError;
use riftsync_basics::rollup::FailedChild;
use riftsync_basics::suspicion::{Death, Suspicion, after_death, may_join, parts, runs_alone};
use riftsync_basics::{
    ClaimedJob, Failure, JobId, JobState, Lease, NewJob, OnFailure, Outcome, Priority, Rollup,
    Timestamp,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub kind: String,
    pub queue: String,
    pub args: String,
    pub enqueued_at: Timestamp,
    pub lane: &'static str,
    pub key: Option<String>,
    pub priority: Priority,
    pub max_attempts: u32,
    pub state: JobState,
    pub attempt: u32,
    pub known: Suspicion,
    /// The attempt that runs, or ran, alone.
    pub lone: Option<Lease>,
    pub run_at: Timestamp,
    pub lease: Option<(Lease, String)>,
    pub flow: JobId,
    pub turn: i64,
    pub submitted: bool,
    /// Open jobs it comes after.
    pub after: BTreeMap<JobId, OnFailure>,
    /// Children that are not final.
    pub children: BTreeSet<JobId>,
    pub worked: bool,
    pub rollup: Rollup,
    pub cancel_requested: bool,
    pub errors: Vec<AttemptError>,
    /// How often an attempt's effects were written.
    pub effects: usize,
}

impl Row {
    /// A line of its history.
    fn failed(&mut self, why: Option<Failure>, now: Timestamp) {
        let attempt = self.attempt;
        self.errors.extend(why.map(|failure| AttemptError {
            attempt,
            at: now,
            failure,
        }));
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    pub jobs: BTreeMap<JobId, Row>,
    ids: i64,
    tokens: i64,
    deaths: BTreeMap<String, Death>,
}

#[derive(Clone, Copy)]
struct Origin {
    flow: Option<JobId>,
    submitted: bool,
    hurry: bool,
}

impl Ledger {
    fn row(&mut self, id: JobId) -> &mut Row {
        self.jobs.get_mut(&id).expect("a job of the ledger")
    }

    fn next_turn(&self, queue: &str, priority: Priority) -> i64 {
        let waiting = self.jobs.values().filter(|row| {
            row.state == JobState::Available
                && row.known.level == 0
                && row.queue == queue
                && row.priority == priority
        });
        waiting.map(|row| row.turn).min().unwrap_or(0)
    }

    /// The next turn of each queue and priority of the jobs of a call, as its begin finds them.
    fn turns(&self, jobs: &[NewJob]) -> Vec<(&'static str, Priority, i64)> {
        let turn = |job: &NewJob| {
            let next = self.next_turn(job.queue, job.priority);
            (job.queue, job.priority, next)
        };
        jobs.iter().map(turn).collect()
    }

    fn open_by_key(&self, kind: &str, key: Option<&str>) -> Option<JobId> {
        key?;
        self.jobs
            .iter()
            .find(|(_, row)| !row.state.is_final() && row.kind == kind && row.key.as_deref() == key)
            .map(|(id, _)| *id)
    }

    pub fn enqueue(&mut self, jobs: &[NewJob], now: Timestamp) -> Vec<Enqueued> {
        let mut turns = self.turns(jobs);
        jobs.iter()
            .map(|job| {
                let origin = Origin {
                    flow: None,
                    submitted: true,
                    hurry: job.run_at.is_none(),
                };
                self.bring_in(job, origin, &mut turns, now)
            })
            .collect()
    }

    pub fn enqueue_batch(&mut self, jobs: &[NewJob], now: Timestamp) -> Batch {
        let id = self.insert(Row {
            kind: BATCH_KIND.to_owned(),
            queue: "default".to_owned(),
            args: "{}".to_owned(),
            enqueued_at: now,
            lane: "",
            key: None,
            priority: Priority::DEFAULT,
            max_attempts: 1,
            state: JobState::Blocked,
            attempt: 0,
            known: Suspicion::default(),
            lone: None,
            run_at: now,
            lease: None,
            flow: JobId(0),
            turn: 0,
            submitted: true,
            after: BTreeMap::new(),
            children: BTreeSet::new(),
            worked: true,
            rollup: Rollup::default(),
            cancel_requested: false,
            errors: Vec::new(),
            effects: 0,
        });
        let origin = Origin {
            flow: Some(id),
            submitted: false,
            hurry: true,
        };
        let jobs = self.spawn(id, jobs, origin, now);
        self.finish_parent_if_alone(id, now);
        Batch { id, jobs }
    }

    fn insert(&mut self, mut row: Row) -> JobId {
        self.ids += 1;
        let id = JobId(self.ids);
        if row.flow == JobId(0) {
            row.flow = id;
        }
        self.jobs.insert(id, row);
        id
    }

    fn spawn(
        &mut self,
        parent: JobId,
        children: &[NewJob],
        origin: Origin,
        now: Timestamp,
    ) -> Vec<Enqueued> {
        let mut turns = self.turns(children);
        // Whoever joins raises what is below the open job before these are.
        let bring_in = |child| self.bring_in(child, origin, &mut turns, now);
        let all: Vec<Enqueued> = children.iter().map(bring_in).collect();
        for (child, came) in children.iter().zip(&all) {
            if came.id == parent || self.waits_for(came.id, parent) {
                continue;
            }
            let (state, worked) = {
                let row = self.row(came.id);
                (row.state, row.worked)
            };
            let parent_row = self.row(parent);
            if state.is_final() {
                parent_row.rollup.child_linked(child.kind);
                parent_row.rollup.child_failed(FailedChild {
                    kind: child.kind.to_owned(),
                    key: child.key.clone().unwrap_or_default(),
                    reason: String::new(),
                    error: String::new(),
                });
            } else if parent_row.children.insert(came.id) {
                parent_row.rollup.child_linked(child.kind);
                if worked {
                    parent_row.rollup.child_completed(child.kind);
                }
            }
        }
        all
    }

    /// Whether `job` waits for `other`, directly or through others.
    fn waits_for(&self, job: JobId, other: JobId) -> bool {
        let mut work = vec![job];
        let mut seen = BTreeSet::new();
        while let Some(id) = work.pop() {
            let row = &self.jobs[&id];
            for &next in row.children.iter().chain(row.after.keys()) {
                if next == other {
                    return true;
                }
                if seen.insert(next) {
                    work.push(next);
                }
            }
        }
        false
    }

    fn bring_in(
        &mut self,
        job: &NewJob,
        origin: Origin,
        turns: &mut [(&'static str, Priority, i64)],
        now: Timestamp,
    ) -> Enqueued {
        let mut after = BTreeMap::new();
        let mut failed = None;
        for other in &job.after.jobs {
            match self.row(*other).state {
                JobState::Completed => {}
                state if state.is_final() => {
                    if job.after.on_failure == OnFailure::Cancel {
                        failed = Some(dependency_failed(*other, state));
                    }
                }
                _ => {
                    after.insert(*other, job.after.on_failure);
                }
            }
        }
        let run_at = job.run_at.unwrap_or(now);
        let state = match (failed.is_some(), after.is_empty()) {
            (true, _) => JobState::Cancelled,
            (_, false) => JobState::Blocked,
            _ if run_at > now => JobState::Scheduled,
            _ => JobState::Available,
        };
        if failed.is_some() {
            after.clear();
        }
        let place = turns
            .iter_mut()
            .find(|(queue, priority, _)| *queue == job.queue && *priority == job.priority);
        let turn = place.map_or(0, |(_, _, next)| {
            *next += 1;
            *next - 1
        });
        if let (Some(id), None) = (self.open_by_key(job.kind, job.key.as_deref()), &failed) {
            // SQLite uses up an id for a row that conflicts.
            self.ids += 1;
            let row = self.row(id);
            row.submitted |= origin.submitted;
            if origin.hurry && matches!(row.state, JobState::Scheduled | JobState::Retryable) {
                row.state = JobState::Available;
            }
            self.raise(id, job.priority);
            return Enqueued { id, joined: true };
        }
        let id = self.insert(Row {
            kind: job.kind.to_owned(),
            queue: job.queue.to_owned(),
            args: job.args.clone(),
            enqueued_at: now,
            lane: job.lane,
            key: job.key.clone(),
            priority: job.priority,
            max_attempts: job.max_attempts,
            state,
            attempt: 0,
            known: Suspicion::default(),
            lone: None,
            run_at,
            lease: None,
            flow: origin.flow.unwrap_or(JobId(0)),
            turn,
            submitted: origin.submitted,
            after,
            children: BTreeSet::new(),
            worked: false,
            rollup: Rollup::default(),
            cancel_requested: false,
            errors: Vec::new(),
            effects: 0,
        });
        self.row(id).failed(failed, now);
        Enqueued { id, joined: false }
    }

    /// The job becomes as urgent as this, if it is less, and with it all open ones below it.
    fn raise(&mut self, id: JobId, priority: Priority) {
        if self.row(id).priority <= priority {
            return;
        }
        let (mut work, mut seen) = (vec![id], BTreeSet::new());
        while let Some(id) = work.pop() {
            if seen.insert(id) {
                let row = self.row(id);
                row.priority = row.priority.min(priority);
                work.extend(&row.children);
            }
        }
    }

    pub fn claim(&mut self, wanted: Wanted<'_>, engine: &str) -> Vec<ClaimedJob> {
        let mut ready: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, row)| row.state == JobState::Available && row.queue == wanted.queue)
            .filter(|(_, row)| !wanted.closed.iter().any(|lane| lane == row.lane))
            .filter(|(_, row)| (wanted.begin()..wanted.bound()).contains(&row.priority.get()))
            .map(|(id, row)| (row.known.level, row.priority, row.turn, *id))
            .collect();
        ready.sort_unstable();
        // Suspects first, as many as their group has room for.
        let (mut suspects, worst) = self.suspects_in(engine);
        let (innocent, mut suspected): (Vec<_>, Vec<_>) =
            ready.into_iter().partition(|job| job.0 == 0);
        suspected.retain(|job| {
            let joins = may_join(suspects, worst, job.0);
            suspects += u32::from(joins);
            joins
        });
        let mut ready = suspected;
        ready.extend(innocent);
        ready.truncate(wanted.limit);
        ready.sort_unstable_by_key(|job| (job.1, job.2, job.3));
        ready
            .into_iter()
            .map(|(_, _, _, id)| {
                self.tokens += 1;
                let lease = Lease {
                    job: id,
                    token: self.tokens,
                };
                let row = self.row(id);
                row.state = JobState::Running;
                row.attempt += 1;
                row.lease = Some((lease, engine.to_owned()));
                ClaimedJob {
                    lease,
                    flow: row.flow,
                    kind: row.kind.clone(),
                    lane: row.lane.to_owned(),
                    key: row.key.clone(),
                    args: row.args.clone(),
                    priority: row.priority,
                    attempt: row.attempt,
                    max_attempts: row.max_attempts,
                    alone: runs_alone(row.known.level),
                }
            })
            .collect()
    }

    /// How many suspects an engine runs, and the worst of them.
    fn suspects_in(&self, engine: &str) -> (u32, u32) {
        let levels = self.jobs.values().filter_map(|row| {
            let (_, holder) = row.lease.as_ref()?;
            (holder == engine && row.known.level > 0).then_some(row.known.level)
        });
        levels.fold((0, 0), |(count, worst), level| {
            (count + 1, worst.max(level))
        })
    }

    pub fn runs_alone(&mut self, lease: Lease) -> Fenced {
        let mut rows = self.jobs.values_mut();
        match rows.find(|row| row.lease.as_ref().is_some_and(|(held, _)| *held == lease)) {
            None => Fenced::Stale,
            Some(row) => {
                row.lone = Some(lease);
                Fenced::Applied
            }
        }
    }

    pub fn died(&mut self, engine: &str, death: Death) {
        self.deaths.insert(engine.to_owned(), death);
    }

    pub fn settle<E: Effect>(
        &mut self,
        lease: Lease,
        completion: &Completion<E>,
        now: Timestamp,
    ) -> Fenced {
        let held = self
            .jobs
            .get(&lease.job)
            .is_some_and(|row| row.lease.as_ref().is_some_and(|(held, _)| *held == lease));
        if !held {
            return Fenced::Stale;
        }
        let row = self.row(lease.job);
        row.lease = None;
        let mut settlement = completion.settlement.clone();
        let mut children = completion.children.as_slice();
        if row.cancel_requested {
            settlement = settlement.under_cancellation(!children.is_empty(), now);
            children = &[];
        }
        if settlement.state == JobState::Completed {
            row.effects += 1;
            row.worked = true;
        }
        if completion.survived {
            row.known.level = 0;
        }
        row.failed(settlement.error.clone(), now);
        row.attempt = settlement.attempt;
        row.run_at = settlement.run_at;
        row.state = settlement.state;
        if settlement.state == JobState::Completed && !children.is_empty() {
            let flow = row.flow;
            row.state = JobState::Blocked;
            let origin = Origin {
                flow: Some(flow),
                submitted: false,
                hurry: false,
            };
            let children = no_less_urgent(children, self.jobs[&lease.job].priority);
            self.spawn(lease.job, &children, origin, now);
            if self.row(lease.job).children.is_empty() {
                self.row(lease.job).state = JobState::Completed;
            }
        }
        let (state, kind) = {
            let row = self.row(lease.job);
            (row.state, row.kind.clone())
        };
        if state == JobState::Blocked {
            for parent in self.parents_of(lease.job) {
                self.row(parent).rollup.child_completed(&kind);
            }
        } else if state.is_final() {
            self.ended(lease.job, false, now);
        }
        Fenced::Applied
    }

    fn parents_of(&self, child: JobId) -> Vec<JobId> {
        self.jobs
            .iter()
            .filter(|(_, row)| row.children.contains(&child))
            .map(|(id, _)| *id)
            .collect()
    }

    /// A job is final: its parents count it (or, if it was `counted` when its own work was done, its
    /// children), its successors wait for one less.
    fn ended(&mut self, id: JobId, counted: bool, now: Timestamp) {
        let (kind, key, state, rollup) = {
            let row = self.row(id);
            (
                row.kind.clone(),
                row.key.clone(),
                row.state,
                row.rollup.clone(),
            )
        };
        for parent in self.parents_of(id) {
            let row = self.row(parent);
            row.children.remove(&id);
            if counted {
                row.rollup.merge(&rollup);
            } else if state == JobState::Completed {
                row.rollup.child_completed(&kind);
            } else {
                row.rollup.child_failed(FailedChild {
                    kind: kind.clone(),
                    key: key.clone().unwrap_or_default(),
                    reason: String::new(),
                    error: String::new(),
                });
            }
            self.finish_parent_if_alone(parent, now);
        }
        let waiters: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|(_, row)| row.after.contains_key(&id))
            .map(|(id, _)| *id)
            .collect();
        for waiter in waiters {
            let row = self.row(waiter);
            let policy = row.after.remove(&id);
            if state != JobState::Completed && policy == Some(OnFailure::Cancel) {
                row.after.clear();
                row.state = JobState::Cancelled;
                row.failed(Some(dependency_failed(id, state)), now);
                self.ended(waiter, false, now);
            } else if row.after.is_empty() {
                row.state = if row.run_at > now {
                    JobState::Scheduled
                } else {
                    JobState::Available
                };
            }
        }
    }

    fn finish_parent_if_alone(&mut self, id: JobId, now: Timestamp) {
        let row = self.row(id);
        if row.worked && row.state == JobState::Blocked && row.children.is_empty() {
            row.state = JobState::Completed;
            self.ended(id, true, now);
        }
    }

    /// Makes scheduled and retryable jobs available whose time has come.
    pub fn stage(&mut self, now: Timestamp) -> usize {
        let mut moved = 0;
        for row in self.jobs.values_mut() {
            if matches!(row.state, JobState::Scheduled | JobState::Retryable) && row.run_at <= now {
                row.state = JobState::Available;
                moved += 1;
            }
        }
        moved
    }

    /// When the next waiting job is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        let waiting = self
            .jobs
            .values()
            .filter(|row| matches!(row.state, JobState::Scheduled | JobState::Retryable));
        waiting.map(|row| row.run_at).min()
    }

    fn running(&self, mut held_by: impl FnMut(&str) -> bool) -> Vec<Lease> {
        self.jobs
            .values()
            .filter_map(|row| row.lease.as_ref())
            .filter(|(_, engine)| held_by(engine))
            .map(|(lease, _)| *lease)
            .collect()
    }

    pub fn rescue(&mut self, alive: &str, now: Timestamp) -> Rescued {
        let mut rescued = Rescued::default();
        let holders = self.jobs.values().filter_map(|row| row.lease.as_ref());
        let dead: BTreeSet<String> = holders
            .map(|(_, engine)| engine.clone())
            .filter(|engine| engine != alive)
            .collect();
        for engine in dead {
            let death = self.deaths.get(&engine).copied().unwrap_or(Death::Unknown);
            let lost = self.running(|holder| holder == engine);
            let marked: Vec<bool> = lost
                .iter()
                .map(|lease| self.jobs[&lease.job].lone == Some(*lease))
                .collect();
            for (lease, part) in lost.into_iter().zip(parts(&marked)) {
                let row = self.row(lease.job);
                let (settlement, known) = after_death(row.attempt, row.known, death, part, now);
                row.known = known;
                rescued.count(settlement.state);
                let mut end = Completion::<Infallible>::of(settlement);
                end.survived = false;
                let _ = self.settle(lease, &end, now);
            }
        }
        rescued
    }

    pub fn release(
        &mut self,
        engine: &str,
        queue: Option<&str>,
        keep: &[Lease],
        now: Timestamp,
    ) -> usize {
        let mut released = 0;
        for lease in self.running(|holder| holder == engine) {
            let row = self.row(lease.job);
            if keep.contains(&lease) || queue.is_some_and(|queue| queue != row.queue) {
                continue;
            }
            if row.cancel_requested {
                let outcome = Outcome::Cancel(cancelled_on_request().message);
                let end = attempt::settle(
                    row.attempt,
                    row.attempt,
                    outcome,
                    std::time::Duration::ZERO,
                    now,
                );
                let _ = self.settle(lease, &Completion::<Infallible>::of(end), now);
            } else {
                row.state = JobState::Available;
                row.attempt -= 1;
                row.run_at = now;
                row.lease = None;
                released += 1;
            }
        }
        released
    }

    pub fn cancel(&mut self, id: JobId, now: Timestamp) -> Cancelled {
        let Some(row) = self.jobs.get_mut(&id) else {
            return Cancelled::Unknown;
        };
        if row.state.is_final() {
            return Cancelled::Final(row.state);
        }
        if row.state == JobState::Running {
            row.cancel_requested = true;
            return Cancelled::Requested;
        }
        row.state = JobState::Cancelled;
        row.failed(Some(cancelled_on_request()), now);
        row.after.clear();
        let (children, worked) = (std::mem::take(&mut row.children), row.worked);
        let mut alone = Vec::new();
        for child in children {
            let (kind, key, submitted, child_worked) = {
                let row = self.row(child);
                (row.kind.clone(), row.key.clone(), row.submitted, row.worked)
            };
            if !child_worked {
                self.row(id).rollup.child_failed(FailedChild {
                    kind,
                    key: key.unwrap_or_default(),
                    reason: String::new(),
                    error: String::new(),
                });
            }
            if !submitted && self.parents_of(child).is_empty() {
                alone.push(child);
            }
        }
        self.ended(id, worked, now);
        for child in alone {
            let _ = self.cancel(child, now);
        }
        Cancelled::Now
    }

    pub fn retry(&mut self, id: JobId, now: Timestamp) -> Retried {
        let Some(row) = self.jobs.get(&id) else {
            return Retried::Unknown;
        };
        if !matches!(row.state, JobState::Cancelled | JobState::Discarded) {
            return Retried::NotFailed(row.state);
        }
        if let Some(open) = self.open_by_key(&row.kind, row.key.as_deref()) {
            return Retried::Joined(open);
        }
        let turn = self.next_turn(&row.queue, row.priority);
        let row = self.row(id);
        *row = Row {
            state: JobState::Available,
            attempt: 0,
            known: Suspicion::default(),
            run_at: now,
            turn,
            worked: false,
            rollup: Rollup::default(),
            cancel_requested: false,
            submitted: true,
            ..row.clone()
        };
        Retried::Available
    }
}

//! The life of attempts, as far as no database is needed to tell: rows of claims, and how attempts end that no engine
//! ends itself. Both stores decide by this. Pure.

use std::convert::Infallible;
use std::time::Duration;

use diesel::Queryable;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use riftsync_basics::attempt::{cancelled_on_request, settle};
use riftsync_basics::suspicion::{Death, Suspicion, after_death, parts};
use riftsync_basics::{ClaimedJob, JobId, Lease, Outcome, Timestamp};

use super::Completion;
use super::rows::{priority_from, to_u32};

/// The columns of a [`ClaimedRow`].
pub(crate) type ClaimedColumns = (
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    Text,
    Text,
    Nullable<Text>,
    Text,
    Integer,
    Integer,
    Integer,
);

/// A job as a claim returns it.
#[derive(Debug, Queryable)]
pub(crate) struct ClaimedRow {
    pub(crate) id: i64,
    token: i64,
    flow: i64,
    pub(crate) turn: i64,
    kind: String,
    lane: String,
    key: Option<String>,
    args: String,
    pub(crate) priority: i32,
    attempt: i32,
    max_attempts: i32,
}

impl ClaimedRow {
    /// Where it stood among those that waited: RETURNING promises no order.
    pub(crate) fn place(&self) -> (i32, i64, i64) {
        (self.priority, self.turn, self.id)
    }

    /// `alone`: nothing else may be under way in its engine.
    pub(crate) fn into_job(self, alone: bool) -> ClaimedJob {
        ClaimedJob {
            lease: lease(self.id, self.token),
            flow: JobId(self.flow),
            kind: self.kind,
            lane: self.lane,
            key: self.key,
            args: self.args,
            priority: priority_from(self.priority),
            attempt: to_u32(self.attempt),
            max_attempts: to_u32(self.max_attempts),
            alone,
        }
    }
}

fn lease(job: i64, token: i64) -> Lease {
    Lease {
        job: JobId(job),
        token,
    }
}

/// The end of an attempt that wrote nothing.
pub(crate) type EmptyEnd = Completion<Infallible>;

/// The columns of a [`LostJob`].
pub(crate) type LostColumns = (
    BigInt,
    BigInt,
    Integer,
    Integer,
    Integer,
    Integer,
    Text,
    Bool,
);

/// A running job whose engine is dead.
#[derive(Debug, Queryable)]
pub(crate) struct LostJob {
    id: i64,
    token: i64,
    attempt: i32,
    level: i32,
    lone_deaths: i32,
    quiet_deaths: i32,
    pub(crate) engine: String,
    /// Its engine had told that it runs alone.
    marked: bool,
}

/// What becomes of a job that a dead engine left.
#[derive(Debug)]
pub(crate) struct Rescue {
    pub(crate) lease: Lease,
    /// What is known against it now.
    pub(crate) known: Suspicion,
    pub(crate) end: EmptyEnd,
}

/// What becomes of all jobs that an engine left.
pub(crate) fn rescues(left: &[&LostJob], death: Death, now: Timestamp) -> Vec<Rescue> {
    let marked: Vec<bool> = left.iter().map(|job| job.marked).collect();
    let rescue = |(job, part): (&&LostJob, _)| {
        let known = Suspicion {
            level: to_u32(job.level),
            lone_deaths: to_u32(job.lone_deaths),
            quiet_deaths: to_u32(job.quiet_deaths),
        };
        let (settlement, known) = after_death(to_u32(job.attempt), known, death, part, now);
        let mut end = EmptyEnd::of(settlement);
        end.survived = false;
        Rescue {
            lease: lease(job.id, job.token),
            known,
            end,
        }
    };
    left.iter().zip(parts(&marked)).map(rescue).collect()
}

/// An attempt that somebody asked to end.
#[derive(Debug, Queryable)]
pub(crate) struct CancelRequest {
    id: i64,
    token: i64,
    attempt: i32,
    queue: String,
}

impl CancelRequest {
    pub(crate) fn lease(&self) -> Lease {
        lease(self.id, self.token)
    }
}

/// The ends of attempts that are to be cancelled, of an engine that hands its jobs back: they need no other attempt.
/// Only of one queue if it is told, and not of those that it keeps.
pub(crate) fn cancelled_attempts(
    asked: Vec<CancelRequest>,
    queue: Option<&str>,
    keep: &[Lease],
    now: Timestamp,
) -> Vec<(Lease, EmptyEnd)> {
    let handed_back = asked.into_iter().filter(|job| {
        let kept = keep.iter().any(|kept| kept.token == job.token);
        !kept && queue.is_none_or(|queue| queue == job.queue)
    });
    let end = |job: CancelRequest| {
        let attempt = to_u32(job.attempt);
        let outcome = Outcome::Cancel(cancelled_on_request().message);
        let end = settle(attempt, attempt, outcome, Duration::ZERO, now);
        (job.lease(), EmptyEnd::of(end))
    };
    handed_back.map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use riftsync_basics::JobState;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    #[test]
    fn of_jobs_that_are_handed_back_those_end_that_somebody_asked_to_cancel() {
        let asked = |id, queue: &str| CancelRequest {
            id,
            token: id * 10,
            attempt: 1,
            queue: queue.to_owned(),
        };
        let all = || vec![asked(1, "a"), asked(2, "b"), asked(3, "a")];
        let ends = |queue, keep: &[Lease]| -> Vec<i64> {
            let ends = cancelled_attempts(all(), queue, keep, NOW).into_iter();
            ends.map(|(lease, end)| {
                assert_eq!(end.settlement.state, JobState::Cancelled);
                lease.job.0
            })
            .collect()
        };
        assert_eq!(ends(None, &[]), [1, 2, 3]);
        assert_eq!(ends(Some("a"), &[]), [1, 3]);
        assert_eq!(ends(Some("a"), &[lease(3, 30)]), [1]);
    }

    #[test]
    fn the_death_of_an_engine_is_held_against_the_job_that_ran_alone() {
        let left = |id, marked| LostJob {
            id,
            token: id,
            attempt: 1,
            level: 1,
            lone_deaths: 0,
            quiet_deaths: 0,
            engine: "dead".to_owned(),
            marked,
        };
        let (alone, other) = (left(1, true), left(2, false));
        let told = rescues(&[&alone, &other], Death::ByItself, NOW);
        let lone_deaths = |at: usize| (told[at].lease.job.0, told[at].known.lone_deaths);
        assert_eq!([lone_deaths(0), lone_deaths(1)], [(1, 1), (2, 0)]);
        assert!(told.iter().all(|rescue| !rescue.end.survived));
    }
}

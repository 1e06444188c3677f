//! What a job is, and what becomes of it when an attempt ends.
//!
//! `settle` and `backoff` are the whole policy; the store only writes what they decide, and only if
//! the lease of the attempt still matches.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rollup::Rollup;
use super::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a job stands. The last three are final: a job leaves them only by `retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// May be claimed now.
    Available,
    /// Waits for its time: it was enqueued for later, or snoozed.
    Scheduled,
    /// Waits for other jobs: its children, or those it comes after.
    Blocked,
    /// Claimed by an engine that holds its lease.
    Running,
    /// Failed; waits for its next attempt.
    Retryable,
    Completed,
    Cancelled,
    /// Failed for good.
    Discarded,
}

impl JobState {
    pub const ALL: [Self; 8] = [
        Self::Available,
        Self::Scheduled,
        Self::Blocked,
        Self::Running,
        Self::Retryable,
        Self::Completed,
        Self::Cancelled,
        Self::Discarded,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Scheduled => "scheduled",
            Self::Blocked => "blocked",
            Self::Running => "running",
            Self::Retryable => "retryable",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }

    pub fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Cancelled | Self::Discarded => true,
            Self::Available | Self::Scheduled | Self::Blocked | Self::Running | Self::Retryable => {
                false
            }
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a job state"))
    }
}

/// 0 is first, 9 is last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(u8);

impl Priority {
    pub const FIRST: Self = Self(0);
    /// What a person waits for.
    pub const INTERACTIVE: Self = Self(2);
    pub const DEFAULT: Self = Self(5);
    pub const LAST: Self = Self(9);

    /// Numbers above 9 are 9.
    pub fn new(value: u8) -> Self {
        Self(value.min(Self::LAST.0))
    }

    pub fn get(self) -> u8 {
        self.0
    }
}

/// The right to settle one attempt of one job. A new claim has a new token, which makes every
/// earlier one stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    pub job: JobId,
    pub token: i64,
}

/// A job that is to be: what `enqueue` and the spawning of children take.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    pub kind: &'static str,
    pub queue: &'static str,
    /// Two open jobs of one kind never share a key: the second joins the first.
    pub key: Option<String>,
    /// Arguments as JSON text.
    pub args: String,
    pub priority: Priority,
    pub max_attempts: u32,
    /// Not before this moment.
    pub run_at: Option<Timestamp>,
}

/// A job that this engine may run now.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    pub lease: Lease,
    pub kind: String,
    pub key: Option<String>,
    pub args: String,
    pub priority: Priority,
    /// This attempt's number, from 1.
    pub attempt: u32,
    pub max_attempts: u32,
}

/// A job as it stands in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub key: Option<String>,
    pub args: Value,
    pub state: JobState,
    pub priority: Priority,
    pub attempt: u32,
    pub max_attempts: u32,
    pub crash_count: u32,
    pub run_at: Timestamp,
    pub step: Option<String>,
    pub percent: u8,
    /// Counters the job itself reported.
    pub progress: Value,
    /// What its children came to, so far.
    pub rollup: Rollup,
    pub children_pending: u32,
    pub result: Option<Value>,
    /// Newest last.
    pub errors: Vec<AttemptError>,
    pub enqueued_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

/// Why an attempt failed, in the shape every program sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word for programs: `not_found`, `unavailable`, `panic`, ...
    pub kind: String,
    pub message: String,
    pub retryable: bool,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<String>,
}

impl Failure {
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.into(),
            retryable: false,
            remedy: None,
        }
    }

    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// One line of a job's history of failed attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptError {
    pub attempt: u32,
    pub at: Timestamp,
    #[serde(flatten)]
    pub failure: Failure,
}

/// How an attempt ended, as its executor saw it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done; with children still open the job waits for them.
    Complete(Value),
    /// Failed; another attempt may help.
    Retry(Failure),
    /// Not its fault and not its time: later, and the attempt is given back.
    Snooze {
        delay: Duration,
        why: String,
    },
    Cancel(String),
    /// Failed, and no other attempt would help.
    Discard(Failure),
}

/// What the store writes when an attempt ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    pub state: JobState,
    pub attempt: u32,
    /// When it may run again; its last moment when it may not.
    pub run_at: Timestamp,
    pub error: Option<Failure>,
    pub result: Option<Value>,
}

/// Decides what the store writes when an attempt ends. Pure: clock and jittered backoff come in.
pub fn settle(
    attempt: u32,
    max_attempts: u32,
    outcome: Outcome,
    backoff: Duration,
    now: Timestamp,
) -> Settlement {
    assert!(attempt >= 1, "a claimed job has used an attempt");
    let end = |state, error, result| Settlement {
        state,
        attempt,
        run_at: now,
        error,
        result,
    };
    match outcome {
        Outcome::Complete(result) => end(JobState::Completed, None, Some(result)),
        Outcome::Snooze { delay, .. } => Settlement {
            state: JobState::Scheduled,
            attempt: attempt - 1,
            run_at: now + delay,
            error: None,
            result: None,
        },
        Outcome::Retry(why) if attempt < max_attempts => Settlement {
            state: JobState::Retryable,
            attempt,
            run_at: now + backoff,
            error: Some(why),
            result: None,
        },
        Outcome::Retry(why) | Outcome::Discard(why) => end(JobState::Discarded, Some(why), None),
        Outcome::Cancel(why) => end(
            JobState::Cancelled,
            Some(Failure::new("cancelled", why)),
            None,
        ),
    }
}

/// Deaths of engines while one job ran, after which the job is taken for their cause.
pub const CRASHES_MAX: u32 = 3;

/// What becomes of a running job whose engine died: the attempt is given back, for the death was
/// the engine's; after [`CRASHES_MAX`] deaths the job is a poison pill.
pub fn rescue(attempt: u32, crash_count: u32, now: Timestamp) -> (Settlement, u32) {
    let crashes = crash_count + 1;
    let settlement = if crashes >= CRASHES_MAX {
        Settlement {
            state: JobState::Discarded,
            attempt,
            run_at: now,
            error: Some(
                Failure::new(
                    "poison_pill",
                    format!("the engine died {crashes} times while this job ran"),
                )
                .with_remedy("look into the log for what it did last, then `riftsync job retry`"),
            ),
            result: None,
        }
    } else {
        Settlement {
            state: JobState::Available,
            attempt: attempt.saturating_sub(1),
            run_at: now,
            error: None,
            result: None,
        }
    };
    (settlement, crashes)
}

/// How often and how soon a kind of job is tried again. A value, not a subclass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub retries: u32,
    pub base: Duration,
    pub cap: Duration,
}

impl RetryPolicy {
    pub const fn new(retries: u32, base_secs: u64, cap_secs: u64) -> Self {
        Self {
            retries,
            base: Duration::from_secs(base_secs),
            cap: Duration::from_secs(cap_secs),
        }
    }

    pub fn max_attempts(&self) -> u32 {
        self.retries.saturating_add(1)
    }

    /// The pause after failed attempt `attempt`: full jitter, that is, a share `unit` in `0..1` of
    /// `min(cap, base * 2^(attempt-1))`. Full jitter spreads a crowd that failed together.
    pub fn backoff(&self, attempt: u32, unit: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.cap);
        ceiling.mul_f64(unit.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const FOUR: Duration = Duration::from_secs(4);

    fn failure() -> Failure {
        Failure::new("unavailable", "503").retryable()
    }

    #[track_caller]
    fn check(
        attempt: u32,
        outcome: Outcome,
        state: JobState,
        attempt_after: u32,
        run_at: Timestamp,
    ) {
        let settled = settle(attempt, 3, outcome, FOUR, NOW);
        assert_eq!(
            (settled.state, settled.attempt, settled.run_at),
            (state, attempt_after, run_at)
        );
    }

    #[test]
    fn a_snooze_spends_no_attempt_even_on_the_last_one() {
        let snooze = Outcome::Snooze {
            delay: Duration::from_secs(9),
            why: "503".into(),
        };
        check(
            3,
            snooze,
            JobState::Scheduled,
            2,
            NOW + Duration::from_secs(9),
        );
    }

    #[test]
    fn a_failure_is_retried_after_its_backoff_until_the_attempts_are_spent() {
        check(
            1,
            Outcome::Retry(failure()),
            JobState::Retryable,
            1,
            NOW + FOUR,
        );
        check(
            2,
            Outcome::Retry(failure()),
            JobState::Retryable,
            2,
            NOW + FOUR,
        );
        check(3, Outcome::Retry(failure()), JobState::Discarded, 3, NOW);
    }

    #[test]
    fn a_discard_does_not_wait_for_more_attempts_and_keeps_its_reason() {
        let settled = settle(1, 3, Outcome::Discard(failure()), FOUR, NOW);
        assert_eq!(settled.state, JobState::Discarded);
        assert_eq!(settled.error, Some(failure()));
    }

    #[test]
    fn a_dead_engine_costs_no_attempt_and_the_third_death_is_the_jobs_own() {
        assert_eq!(rescue(2, 0, NOW).0.state, JobState::Available);
        assert_eq!(rescue(2, 0, NOW).0.attempt, 1);
        assert_eq!(rescue(2, 1, NOW).1, 2);
        assert_eq!(rescue(2, 2, NOW).0.state, JobState::Discarded);
    }

    proptest! {
        #[test]
        fn backoff_stays_between_zero_and_its_cap_and_never_beyond_its_doubling(
            retries in 0u32..20, base in 0u64..10_000, cap in 0u64..10_000, attempt in 1u32..200, unit in 0.0f64..1.0,
        ) {
            let policy = RetryPolicy::new(retries, base, cap);
            let pause = policy.backoff(attempt, unit);
            prop_assert!(pause <= Duration::from_secs(cap));
            if attempt <= 30 {
                prop_assert!(pause <= Duration::from_secs(base.saturating_mul(1 << (attempt - 1))));
            }
        }

        #[test]
        fn attempts_never_exceed_the_maximum(max in 1u32..10, failures in 1usize..30) {
            let (mut attempt, mut state) = (0, JobState::Available);
            for _ in 0..failures {
                if state.is_final() { break; }
                attempt += 1;
                let settled = settle(attempt, max, Outcome::Retry(failure()), FOUR, NOW);
                attempt = settled.attempt;
                state = settled.state;
            }
            prop_assert!(attempt <= max);
            prop_assert_eq!(state == JobState::Discarded, failures >= max as usize);
        }
    }
}

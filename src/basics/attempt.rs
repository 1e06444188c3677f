//! What becomes of a job when an attempt ends: the whole policy, pure. A store only writes what is
//! decided here, and only if the lease of the attempt still matches.

use std::time::Duration;

use serde_json::Value;

use super::failure::Failure;
use super::job::JobState;
use super::time::Timestamp;
use super::words::words;

/// The kind of a batch: a job without work of its own that ends with the last of its children.
pub const BATCH_KIND: &str = "batch";

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

impl Settlement {
    /// The same end for a job that somebody asked to cancel meanwhile: what is done stays done, but
    /// it is not tried again, and spawns no more (`spawns`: it would wait for children).
    #[must_use]
    pub fn under_cancellation(self, spawns: bool, now: Timestamp) -> Self {
        if self.state.is_final() && !spawns {
            return self;
        }
        Self {
            state: JobState::Cancelled,
            run_at: now,
            error: Some(self.error.unwrap_or_else(cancelled_on_request)),
            ..self
        }
    }
}

/// The reason in the history of a job that was cancelled on request.
pub fn cancelled_on_request() -> Failure {
    Failure::new("cancelled", "cancelled on request")
        .with_remedy(format!("run it again{}", words().with_retry()))
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
    fn where_no_program_says_its_commands_none_is_named() {
        let remedy = cancelled_on_request().remedy;
        assert_eq!(remedy.as_deref(), Some("run it again"));
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

    proptest! {
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

//! How many restarts are too many, and how long to wait before the next: pure decisions, as
//! Erlang/OTP's supervisors make them. Times are durations since any fixed moment.

use std::collections::VecDeque;
use std::time::Duration;

/// More than `max_restarts` within `period` is too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    pub max_restarts: usize,
    pub period: Duration,
}

impl Default for Intensity {
    fn default() -> Self {
        Self {
            max_restarts: 5,
            period: Duration::from_mins(1),
        }
    }
}

/// The restarts of one supervisor, as far as they still count.
#[derive(Debug)]
pub struct RestartBudget {
    intensity: Intensity,
    restarts: VecDeque<Duration>,
}

impl RestartBudget {
    pub fn new(intensity: Intensity) -> Self {
        Self {
            intensity,
            restarts: VecDeque::new(),
        }
    }

    /// Records a restart at `now`; false when it is one too many and the supervisor must give up.
    #[must_use]
    pub fn spend(&mut self, now: Duration) -> bool {
        self.restarts.push_back(now);
        while self
            .restarts
            .front()
            .is_some_and(|&at| now.saturating_sub(at) > self.intensity.period)
        {
            self.restarts.pop_front();
        }
        self.restarts.len() <= self.intensity.max_restarts
    }
}

/// The pause before a restart: `min(max, min * 2^n) * (1 + U[0,1) * jitter)`, where `n` counts the
/// restarts since the child was last quiet for `quiet`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestartBackoff {
    pub min: Duration,
    pub max: Duration,
    pub jitter: f64,
    pub quiet: Duration,
}

impl Default for RestartBackoff {
    fn default() -> Self {
        Self {
            min: Duration::from_millis(50),
            max: Duration::from_secs(5),
            jitter: 0.2,
            quiet: Duration::from_secs(30),
        }
    }
}

impl RestartBackoff {
    /// `restarts` before this one, `lived`: how long the child ran, `unit` in `0..1`.
    /// Returns the pause and the new count of restarts.
    pub fn next(&self, restarts: u32, lived: Duration, unit: f64) -> (Duration, u32) {
        let n = if lived >= self.quiet { 0 } else { restarts };
        let base = self.min.saturating_mul(1 << n.min(20)).min(self.max);
        (
            base.mul_f64(1.0 + unit.clamp(0.0, 1.0) * self.jitter),
            n.saturating_add(1),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_budget_is_exceeded_by_more_than_its_restarts_not_by_as_many() {
        let mut budget = RestartBudget::new(Intensity {
            max_restarts: 2,
            period: secs(10),
        });
        assert!(budget.spend(secs(0)));
        assert!(budget.spend(secs(1)));
        assert!(!budget.spend(secs(2)));
    }

    #[test]
    fn restarts_older_than_the_period_no_longer_count() {
        let mut budget = RestartBudget::new(Intensity {
            max_restarts: 1,
            period: secs(10),
        });
        assert!(budget.spend(secs(0)));
        assert!(budget.spend(secs(11)));
        assert!(
            !budget.spend(secs(21)),
            "a restart exactly one period ago still counts"
        );
    }

    #[test]
    fn a_child_that_was_quiet_starts_over_at_the_smallest_pause() {
        let backoff = RestartBackoff::default();
        assert_eq!(backoff.next(6, secs(31), 0.0), (backoff.min, 1));
        assert_eq!(backoff.next(1, secs(1), 0.0), (backoff.min * 2, 2));
    }

    proptest! {
        #[test]
        fn a_pause_stays_between_its_minimum_and_its_jittered_maximum(restarts in 0u32..100, unit in 0.0f64..1.0) {
            let backoff = RestartBackoff::default();
            let (pause, _) = backoff.next(restarts, secs(0), unit);
            prop_assert!(pause >= backoff.min);
            prop_assert!(pause <= backoff.max.mul_f64(1.0 + backoff.jitter));
        }

        #[test]
        fn the_budget_agrees_with_counting_the_window(gaps in prop::collection::vec(0u64..8, 1..40)) {
            let intensity = Intensity { max_restarts: 3, period: secs(10) };
            let mut budget = RestartBudget::new(intensity);
            let mut times = Vec::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                times.push(now);
                let within = times.iter().filter(|&&at| now - at <= 10).count();
                prop_assert_eq!(budget.spend(secs(now)), within <= 3);
            }
        }
    }
}

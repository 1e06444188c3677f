//! How soon a failed attempt is followed by the next.

use std::time::Duration;

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
    /// `min(cap, base * 2^(attempt-1))`. Full jitter spreads those that failed together.
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
        fn full_jitter_reaches_every_part_of_its_span(base in 1u64..100, attempt in 1u32..5, unit in 0.0f64..1.0) {
            let policy = RetryPolicy::new(9, base, 100_000);
            let span = Duration::from_secs(base << (attempt - 1));
            prop_assert_eq!(policy.backoff(attempt, unit), span.mul_f64(unit));
        }
    }
}

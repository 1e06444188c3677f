//! How long things took, in buckets: a few nanoseconds to note, quantiles to an eighth.
//!
//! Four buckets for each doubling of the microseconds. Buckets only grow, so that the difference of two
//! readings is what happened between them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of one doubling, as a power of two.
const FINE: u32 = 2;
/// The last doubling begins at 2^35 us: nine hours.
const DOUBLINGS: usize = 35;
const BUCKETS: usize = DOUBLINGS << FINE;

/// See the module. Shared by those who note.
#[derive(Debug)]
pub struct Histogram([AtomicU64; BUCKETS]);

/// A reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times([u64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Default for Times {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    pub fn note(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0[bucket(us)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn read(&self) -> Times {
        Times(std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed)))
    }
}

/// Below 4 us each has a bucket of its own; then the two bits after the first.
fn bucket(us: u64) -> usize {
    if us < 1 << FINE {
        return usize::try_from(us).unwrap_or(0);
    }
    let doubling = us.ilog2();
    let fine = (us >> (doubling - FINE)) & ((1 << FINE) - 1);
    let at = ((doubling - FINE + 1) as usize) << FINE | usize::try_from(fine).unwrap_or(0);
    at.min(BUCKETS - 1)
}

/// The largest time of a bucket, which is what a quantile in it is told as.
fn upper_us(at: usize) -> u64 {
    if at < 1 << FINE {
        return at as u64;
    }
    let (doubling, fine) = ((at >> FINE) - 1, at & ((1 << FINE) - 1));
    (((1 << FINE) + fine as u64 + 1) << doubling) - 1
}

impl Times {
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What was noted since an earlier reading; all of it, if that is of another histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        if self.0.iter().zip(&earlier.0).any(|(now, then)| now < then) {
            return *self;
        }
        Self(std::array::from_fn(|at| self.0[at] - earlier.0[at]))
    }

    /// The time that this share (0 to 1) of all was within; none if nothing was noted.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let at = self.0.iter().position(|noted| {
            seen += noted;
            seen >= rank
        })?;
        Some(Duration::from_micros(upper_us(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_noted_has_no_quantile_and_one_is_all_of_them() {
        let histogram = Histogram::default();
        assert_eq!(histogram.read().quantile(0.5), None);
        histogram.note(Duration::from_micros(3));
        for share in [0.0, 0.5, 1.0] {
            let quantile = histogram.read().quantile(share);
            assert_eq!(quantile, Some(Duration::from_micros(3)));
        }
    }

    #[test]
    fn a_reading_of_another_histogram_is_not_subtracted() {
        let (old, new) = (Histogram::default(), Histogram::default());
        old.note(Duration::from_micros(1));
        new.note(Duration::from_micros(2));
        assert_eq!(new.read().since(&old.read()), new.read());
        new.note(Duration::from_micros(2));
        let before = new.read();
        new.note(Duration::from_secs(1));
        assert_eq!(new.read().since(&before).count(), 1);
    }

    proptest! {
        #[test]
        fn every_time_is_in_the_bucket_that_ends_at_it_or_at_most_a_quarter_later(us in 0_u64..1 << 36) {
            let upper = upper_us(bucket(us));
            prop_assert!(upper >= us);
            prop_assert!(upper as f64 <= us as f64 * 1.25);
            prop_assert!(bucket(upper) == bucket(us) && bucket(upper + 1) == bucket(us) + 1 || us >= 1 << 35);
        }

        #[test]
        fn quantiles_agree_with_sorting(mut all in prop::collection::vec(0_u64..10_000_000, 1..200), share in 0.0..1.0_f64) {
            let histogram = Histogram::default();
            for us in &all {
                histogram.note(Duration::from_micros(*us));
            }
            all.sort_unstable();
            let rank = (all.len() as f64 * share).ceil().max(1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let exact = all[rank as usize - 1];
            let told = histogram.read().quantile(share).unwrap();
            prop_assert_eq!(told, Duration::from_micros(upper_us(bucket(exact))));
        }
    }
}

//! How long things took, in buckets: a few nanoseconds to note, quantiles to an eighth.
//!
//! Four buckets for each doubling of the microseconds. Buckets only grow, so that the difference of two
//! readings is what happened between them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of one doubling, as a power of two.
const FINE: u32 = 2;
/// The last doubling begins at 2^35 us: nine hours.
const DOUBLINGS: u32 = 35;
const BUCKETS: usize = (DOUBLINGS as usize) << FINE;

/// See the module. Shared by those who note.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// A reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    buckets: [u64; BUCKETS],
    sum_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            sum_us: AtomicU64::new(0),
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            buckets: [0; BUCKETS],
            sum_us: 0,
        }
    }
}

impl Histogram {
    pub fn note(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(us)].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub fn read(&self) -> Times {
        Times {
            buckets: std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed)),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
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
        self.buckets.iter().sum()
    }

    /// All times together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us)
    }

    /// How many were shorter than 2^`doubling` us, and that time.
    pub fn shorter_than(&self, doubling: u32) -> (Duration, u64) {
        let time = Duration::from_micros(1 << doubling.min(DOUBLINGS));
        let until = bucket(1 << doubling.min(DOUBLINGS));
        (time, self.buckets[..until].iter().sum())
    }

    /// What was noted since an earlier reading; all of it, if that is of another histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut both = self.buckets.iter().zip(&earlier.buckets);
        if both.any(|(now, then)| now < then) {
            return *self;
        }
        Self {
            buckets: std::array::from_fn(|at| self.buckets[at] - earlier.buckets[at]),
            sum_us: self.sum_us.saturating_sub(earlier.sum_us),
        }
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
        let at = self.buckets.iter().position(|noted| {
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

    #[test]
    fn what_was_shorter_than_a_time_is_counted_and_all_is_summed() {
        let histogram = Histogram::default();
        for us in [1_023, 1_024, 5_000] {
            histogram.note(Duration::from_micros(us));
        }
        let times = histogram.read();
        assert_eq!(times.sum(), Duration::from_micros(7_047));
        let ms = Duration::from_micros(1_024);
        assert_eq!(times.shorter_than(10), (ms, 1));
        assert_eq!(times.shorter_than(13).1, 3);
        assert_eq!(times.shorter_than(2).1, 0);
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
        fn quantiles_agree_with_sorting(
            mut all in prop::collection::vec(0_u64..10_000_000, 1..200), share in 0.0..1.0_f64,
        ) {
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

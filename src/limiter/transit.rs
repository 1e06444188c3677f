//! How long calls are on their way, and how much of it is sure.
//!
//! A call is counted somewhere between its sending and its answer. The least a round trip takes is
//! common to all calls: of two calls, the later cannot be counted nearer to the earlier than their
//! sendings and the *excess* of the earlier one's round trip over that least. So only the excess is
//! uncertain, not the whole round trip.

use std::time::Duration;

/// Round trips before the smallest of them says anything.
const SEEN_MIN: u32 = 16;
/// Round trips after which an old minimum is forgotten (once or twice as many): routes change.
const EPOCH: u32 = 256;
/// Mean deviations by which the smallest one seen may miss the least possible one.
const DEVIATIONS: u32 = 4;

/// What the round trips of one host tell.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Transit {
    seen: u32,
    least: Option<Duration>,
    least_before: Option<Duration>,
    mean: Duration,
    deviation: Duration,
}

impl Transit {
    pub(super) fn observe(&mut self, round_trip: Duration) {
        if self.seen.is_multiple_of(EPOCH) && self.seen > 0 {
            self.least_before = self.least.take();
        }
        self.least = Some(self.least.map_or(round_trip, |least| least.min(round_trip)));
        if self.seen == 0 {
            self.mean = round_trip;
            // Not known yet: as if anything was possible.
            self.deviation = round_trip / 2;
        }
        // The smoothing of TCP's retransmission timer, RFC 6298, with half its gain.
        let error = self.mean.abs_diff(round_trip);
        self.deviation = (self.deviation * 15 + error) / 16;
        self.mean = (self.mean * 15 + round_trip) / 16;
        self.seen = self.seen.saturating_add(1);
    }

    /// What every round trip takes at least, as far as can be relied on. Where round trips differ
    /// much, the smallest one seen is luck and tells nothing.
    pub(super) fn floor(&self) -> Duration {
        if self.seen < SEEN_MIN {
            return Duration::ZERO;
        }
        let least = self.least.into_iter().chain(self.least_before).min();
        least
            .unwrap_or_default()
            .saturating_sub(self.deviation * DEVIATIONS)
    }

    /// What a round trip takes of late; zero before the first.
    pub(super) fn mean(&self) -> Duration {
        self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn steady_round_trips_are_relied_on_and_wild_ones_are_not() {
        let mut steady = Transit::default();
        let mut wild = Transit::default();
        for n in 0..100 {
            steady.observe(ms(80 + n % 2));
            wild.observe(ms(40 + n * 37 % 100));
        }
        assert!(steady.floor() > ms(74), "{:?}", steady.floor());
        assert!(steady.floor() < ms(80), "{:?}", steady.floor());
        assert_eq!(wild.floor(), Duration::ZERO);
    }

    #[test]
    fn a_few_round_trips_say_nothing() {
        let mut transit = Transit::default();
        for _ in 0..15 {
            transit.observe(ms(80));
        }
        assert_eq!(transit.floor(), Duration::ZERO);
    }

    #[test]
    fn a_shorter_way_counts_at_once_and_a_longer_one_after_a_while() {
        let mut transit = Transit::default();
        for _ in 0..300 {
            transit.observe(ms(80));
        }
        transit.observe(ms(20));
        assert!(transit.floor() < ms(20));
        for _ in 0..700 {
            transit.observe(ms(80));
        }
        assert!(transit.floor() > ms(78), "{:?}", transit.floor());
    }
}

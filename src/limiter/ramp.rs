//! How many calls may be on their way at once: one after a start or a refusal, few after a silence,
//! twice as many each round trip while the answers are good.
//!
//! What is known of limits is only as fresh as the last answer, and they change without notice. A
//! burst on stale knowledge is a burst of 429s. Some calls ahead cost a few round trips.

use std::time::Duration;

/// Without any sign for so long, what is known is stale.
const SILENCE: Duration = Duration::from_secs(2);
/// A call that has no answer for so long does not hold up the others: some hang for a minute.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Ramp {
    allowed: u32,
    last_departure: Duration,
    last_sign: Duration,
}

impl Default for Ramp {
    fn default() -> Self {
        Self {
            allowed: 1,
            last_departure: Duration::ZERO,
            last_sign: Duration::ZERO,
        }
    }
}

impl Ramp {
    /// When another call may go beside those in flight. After a silence `few` may.
    pub(super) fn ready_at(&mut self, now: Duration, in_flight: u32, few: u32) -> Duration {
        if now.saturating_sub(self.last_sign) > SILENCE {
            self.allowed = self.allowed.min(few);
        }
        if in_flight < self.allowed {
            now
        } else {
            self.last_departure + PATIENCE
        }
    }

    pub(super) fn departed(&mut self, now: Duration) {
        self.last_departure = now;
        self.last_sign = self.last_sign.max(now);
    }

    /// A good answer: what is known holds.
    pub(super) fn grow(&mut self, now: Duration) {
        self.allowed = self.allowed.saturating_add(1);
        self.last_sign = self.last_sign.max(now);
    }

    /// A refusal: the next call is a probe.
    pub(super) fn restart(&mut self) {
        self.allowed = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn each_answer_allows_one_more_and_a_silence_ends_it() {
        let mut ramp = Ramp::default();
        assert_eq!(ramp.ready_at(ms(0), 0, 1), ms(0));
        ramp.departed(ms(0));
        assert_eq!(ramp.ready_at(ms(1), 1, 1), ms(1000), "one probe");
        ramp.grow(ms(80));
        assert_eq!(ramp.ready_at(ms(80), 1, 1), ms(80));
        assert_eq!(ramp.ready_at(ms(2080), 1, 1), ms(2080), "not silent yet");
        assert_eq!(ramp.ready_at(ms(2081), 1, 1), ms(1000), "a probe again");
    }

    #[test]
    fn a_refusal_makes_the_next_call_a_probe() {
        let mut ramp = Ramp::default();
        ramp.departed(ms(0));
        for _ in 0..10 {
            ramp.grow(ms(80));
        }
        assert_eq!(ramp.ready_at(ms(80), 9, 1), ms(80));
        ramp.restart();
        assert_eq!(ramp.ready_at(ms(80), 1, 1), ms(1000));
        assert_eq!(ramp.ready_at(ms(80), 0, 1), ms(80));
    }
}

//! Standing still after a 429.

use std::time::Duration;

/// Added to what `Retry-After` says: it is in whole seconds of another clock.
const GRACE: Duration = Duration::from_millis(100);
/// The longest pause, whatever is told: then one call finds out whether it is over.
pub const PAUSE_MAX: Duration = Duration::from_hours(1);
/// The pause without a `Retry-After`, doubled each time in a row.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Pause {
    until: Duration,
    refused_at: Option<Duration>,
    in_a_row: u32,
    /// What was told, if that was too long, until a call is accepted.
    excess: Option<Duration>,
}

impl Pause {
    /// The call sent at `sent` was refused. Never shorter than told, up to an hour; `growing` pauses also double
    /// when they are told. Says whether this is a new trouble: calls that were on their way when
    /// the first was refused meet the same one.
    pub(super) fn refused(
        &mut self,
        sent: Duration,
        now: Duration,
        told: Option<Duration>,
        growing: bool,
    ) -> bool {
        let new = self.refused_at.is_none_or(|before| sent >= before);
        if new {
            self.in_a_row += 1;
            self.refused_at = Some(now);
        }
        // Zero tells as little as nothing.
        let told = told.filter(|told| !told.is_zero());
        self.excess = told.filter(|told| *told > PAUSE_MAX).or(self.excess);
        let told = told.map(|told| told.min(PAUSE_MAX));
        let backoff = BACKOFF_MIN
            // None in a row: it belongs to a trouble that is over already.
            .saturating_mul(1 << self.in_a_row.saturating_sub(1).min(10))
            .min(BACKOFF_MAX);
        let pause = match told {
            Some(told) if growing => told.saturating_add(GRACE).max(backoff),
            Some(told) => told.saturating_add(GRACE),
            None => backoff,
        };
        // A call of the same trouble begins its pause no later than the first did.
        let begin = if new || told.is_some() {
            now
        } else {
            self.refused_at.unwrap_or(now)
        };
        self.until = self.until.max(begin.saturating_add(pause));
        new
    }

    /// The call sent at `sent` was not refused: the next pause begins small, if it went after the last.
    pub(super) fn accepted(&mut self, sent: Duration) {
        if self.refused_at.is_none_or(|before| sent >= before) {
            self.in_a_row = 0;
            self.excess = None;
        }
    }

    /// A pause that was told and is too long: calls go one at a time until one is accepted.
    pub(super) fn excess(&self) -> Option<Duration> {
        self.excess
    }

    /// Nobody before that, without anybody's fault.
    pub(super) fn hold_until(&mut self, until: Duration) {
        self.until = self.until.max(until);
    }

    pub(super) fn until(&self) -> Duration {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Pauses in seconds of refusals that each come after the pause before.
    #[track_caller]
    fn check(told: &[Option<u64>], growing: bool, expected_ms: &[u128]) {
        let mut pause = Pause::default();
        let mut now = secs(100);
        let pauses: Vec<u128> = told
            .iter()
            .map(|told| {
                assert!(pause.refused(now, now, told.map(secs), growing));
                let length = pause.until().saturating_sub(now);
                now = pause.until();
                length.as_millis()
            })
            .collect();
        assert_eq!(pauses, expected_ms);
    }

    #[test]
    fn a_told_time_is_kept_and_a_little_more() {
        check(&[Some(3), Some(120)], false, &[3_100, 120_100]);
    }

    #[test]
    fn zero_or_nothing_told_doubles_up_to_a_minute() {
        check(&[None, Some(0), None], false, &[1_000, 2_000, 4_000]);
        let many = [None; 9];
        check(
            &many,
            true,
            &[
                1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000,
            ],
        );
    }

    #[test]
    fn a_loaded_service_is_given_more_time_than_it_asks_for_when_it_stays_loaded() {
        check(&[Some(3), Some(3), Some(3)], true, &[3_100, 3_100, 4_000]);
    }

    #[test]
    fn refusals_of_calls_that_were_on_their_way_are_one_trouble() {
        let mut pause = Pause::default();
        assert!(pause.refused(secs(1), secs(2), None, true));
        for _ in 0..20 {
            assert!(!pause.refused(secs(1), secs(2), None, true));
        }
        assert_eq!(pause.until(), secs(3));
        pause.accepted(secs(1));
        assert!(pause.refused(secs(3), secs(3), None, true));
        assert_eq!(pause.until(), secs(5), "the old good answer says nothing");
        pause.accepted(secs(5));
        assert!(pause.refused(secs(6), secs(6), None, true));
        assert_eq!(pause.until(), secs(7));
    }

    #[test]
    fn a_refusal_that_comes_when_its_trouble_is_over_makes_a_small_pause() {
        let mut pause = Pause::default();
        pause.refused(secs(1), secs(2), None, true);
        pause.accepted(secs(3));
        assert!(!pause.refused(secs(1), secs(4), Some(secs(1)), true));
        assert_eq!(pause.until(), secs(5) + GRACE);
    }

    #[test]
    fn an_absurd_time_is_an_hour_until_a_call_is_accepted() {
        for told in [secs(999_999_999), Duration::MAX] {
            let mut pause = Pause::default();
            for now in [1, 4_000] {
                pause.refused(secs(now), secs(now), Some(told), false);
                assert_eq!(pause.until(), secs(now) + PAUSE_MAX + GRACE);
                assert_eq!(pause.excess(), Some(told));
            }
            pause.accepted(secs(1));
            assert_eq!(pause.excess(), Some(told), "it went before the last");
            pause.accepted(secs(8_000));
            assert_eq!(pause.excess(), None);
        }
        let mut pause = Pause::default();
        pause.refused(secs(1), secs(1), Some(PAUSE_MAX), false);
        assert_eq!(pause.excess(), None);
    }
}

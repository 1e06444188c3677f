//! What other engines of a board are likely to have in a count of the server. Pure.
//!
//! The board bounds it: no engine holds more places than its cap. But of a cap a part is of calls that the server's
//! window has forgotten, and a part is not used yet. Whoever takes all of it off a count sees a third of the calls of
//! strangers, where the engines call evenly. So once there are strangers, how many is told by what is likely.

use std::time::Duration;

use super::strangers::whole;
use riftsync_model::budget_share::PARTS;

/// Places of other engines in use, as the board last told them.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Theirs {
    told: Duration,
    /// How many become free in each part of the span from then on.
    free_in: [u32; PARTS],
}

impl Theirs {
    pub(super) fn new(free_in: [u32; PARTS], told: Duration) -> Self {
        Self { told, free_in }
    }

    /// How many of their calls are likely counted by `at` in a window of the server that began at `begun`: of those
    /// they told, the ones that came later, and as many more as came since at that pace. A place is free `after` its
    /// call, which is the span and a margin.
    pub(super) fn likely(&self, [begun, at]: [Duration; 2], [span, after]: [Duration; 2]) -> u32 {
        let parts = PARTS as f64 / span.as_secs_f64();
        // Places that were free by then are of calls before the window; in parts of the span.
        let old = (begun + after).saturating_sub(self.told).as_secs_f64() * parts;
        let young = |(part, calls): (usize, &u32)| {
            let part = part as f64;
            let end = if part + 1.0 < PARTS as f64 {
                part + 1.0
            } else {
                (after.as_secs_f64() * parts).max(part + 1.0)
            };
            f64::from(*calls) * ((end - old) / (end - part)).clamp(0.0, 1.0)
        };
        let told: f64 = self.free_in.iter().enumerate().map(young).sum();
        let pace = f64::from(self.free_in.iter().sum::<u32>()) / span.as_secs_f64();
        let since = at.saturating_sub(self.told.max(begun)).as_secs_f64();
        whole(told + pace * since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: [Duration; 2] = [Duration::from_secs(10), Duration::from_millis(10_250)];

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Engines that make 16 calls a second, evenly, as the board tells it at 100 s.
    fn steady() -> Theirs {
        Theirs::new([10; PARTS], ms(100_000))
    }

    #[test]
    fn calls_of_before_the_window_are_not_in_its_count() {
        let likely = |begun, at| steady().likely([ms(begun), ms(at)], TIMES);
        // It began just now: the last of them are as old as the margin.
        assert!(likely(99_900, 100_000) <= 2, "{}", likely(99_900, 100_000));
        let half = likely(95_000, 100_000);
        assert!((76..=82).contains(&half), "{half}");
        let all = likely(90_000, 100_000);
        assert!((154..=160).contains(&all), "{all}");
    }

    #[test]
    fn since_the_board_told_of_them_they_have_gone_on() {
        let likely = |begun, at| steady().likely([ms(begun), ms(at)], TIMES);
        assert_eq!(likely(95_000, 101_000), likely(95_000, 100_000) + 16);
        // In a window that began after that there are none of before.
        let new = likely(100_500, 101_500);
        assert!((15..=18).contains(&new), "{new}");
    }

    #[test]
    fn who_does_not_call_has_nothing_there() {
        let idle = Theirs::new([0; PARTS], ms(100_000));
        assert_eq!(idle.likely([ms(95_000), ms(104_000)], TIMES), 0);
    }
}

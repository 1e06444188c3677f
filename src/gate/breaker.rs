//! A circuit breaker of one route. Pure: time and chance come in.
//!
//! Single failures are retried by their jobs. When they pile up it is an outage: the circuit opens and
//! no call is sent for a while; then one call, the probe, finds out whether it has passed. While it
//! has not, the pauses grow.

use std::time::Duration;

/// Failures in a row that open the circuit. On a day when 15 % of all calls fail, that many follow
/// each other once in 90,000 calls.
const IN_A_ROW: u32 = 6;
/// The first pause and the longest; each is drawn from its upper half.
const PAUSE_MIN: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// A probe that has not ended by then was lost: another call may be the probe.
const PROBE_MAX: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Duration,
    },
    /// One call is under way since then.
    HalfOpen {
        since: Duration,
    },
}

/// Whether a call may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    Free,
    /// Not before that moment.
    Closed(Duration),
}

/// What changed, for those who tell people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The circuit opened, until then.
    Opened(Duration),
    /// The probe failed too: it stays open until then.
    StaysOpen(Duration),
    /// It is closed again, after so long.
    Closed(Duration),
}

/// See the module.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    in_a_row: u32,
    /// Openings since it was last closed.
    openings: u32,
    opened_at: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed,
            in_a_row: 0,
            openings: 0,
            opened_at: Duration::ZERO,
        }
    }
}

impl Breaker {
    /// Asks for a call to be sent now. `Free` may make it the probe.
    pub fn ask(&mut self, now: Duration) -> Passage {
        match self.state {
            State::Closed => Passage::Free,
            State::Open { until } if now < until => Passage::Closed(until),
            State::HalfOpen { since } if now < since + PROBE_MAX => {
                Passage::Closed(since + PROBE_MAX)
            }
            State::Open { .. } | State::HalfOpen { .. } => {
                self.state = State::HalfOpen { since: now };
                Passage::Free
            }
        }
    }

    /// A call that was sent at `sent` came to an answer of the service, or failed. `chance` is from 0
    /// to 1.
    pub fn ended(
        &mut self,
        sent: Duration,
        good: bool,
        now: Duration,
        chance: f64,
    ) -> Option<Turn> {
        if self.openings > 0 && sent < self.opened_at {
            // It was on its way when the circuit opened: no news.
            return None;
        }
        if good {
            self.in_a_row = 0;
            let was_open = self.state != State::Closed;
            self.state = State::Closed;
            let begun = std::mem::take(&mut self.openings) > 0 && was_open;
            return begun.then(|| Turn::Closed(now.saturating_sub(self.opened_at)));
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        match self.state {
            State::Closed if self.in_a_row >= IN_A_ROW => {
                self.opened_at = now;
                Some(Turn::Opened(self.open(now, chance)))
            }
            State::HalfOpen { .. } => Some(Turn::StaysOpen(self.open(now, chance))),
            State::Closed | State::Open { .. } => None,
        }
    }

    fn open(&mut self, now: Duration, chance: f64) -> Duration {
        let pause = (PAUSE_MIN * (1 << self.openings.min(8))).min(PAUSE_MAX);
        self.openings = self.openings.saturating_add(1);
        let until = now + pause.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0));
        self.state = State::Open { until };
        until
    }

    /// Until when no call passes.
    pub fn open_until(&self, now: Duration) -> Option<Duration> {
        match self.state {
            State::Open { until } if now < until => Some(until),
            State::Open { .. } | State::HalfOpen { .. } | State::Closed => None,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// A breaker that has just opened, at 100 s, until 105 s.
    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 1..IN_A_ROW {
            assert_eq!(breaker.ended(secs(99), false, secs(100), 1.0), None);
        }
        let turn = breaker.ended(secs(99), false, secs(100), 1.0);
        assert_eq!(turn, Some(Turn::Opened(secs(105))));
        breaker
    }

    #[test]
    fn it_opens_when_failures_follow_each_other_and_not_when_successes_are_between() {
        let mut breaker = Breaker::default();
        for n in 0..100 {
            let good = n % 3 == 0;
            assert_eq!(breaker.ended(secs(1), good, secs(1), 0.5), None);
        }
        assert_eq!(breaker.ask(secs(1)), Passage::Free);
        assert_eq!(opened().ask(secs(104)), Passage::Closed(secs(105)));
    }

    #[test]
    fn one_probe_closes_it_or_keeps_it_open_for_longer() {
        let mut breaker = opened();
        assert_eq!(breaker.ask(secs(105)), Passage::Free);
        assert_eq!(breaker.ask(secs(105)), Passage::Closed(secs(120)), "one");
        let turn = breaker.ended(secs(105), false, secs(106), 1.0);
        assert_eq!(turn, Some(Turn::StaysOpen(secs(116))));
        assert_eq!(breaker.ask(secs(116)), Passage::Free);
        let turn = breaker.ended(secs(116), true, secs(117), 1.0);
        assert_eq!(turn, Some(Turn::Closed(secs(17))));
        assert_eq!(breaker.ask(secs(117)), Passage::Free);
        assert_eq!(breaker.ended(secs(117), false, secs(118), 1.0), None);
    }

    #[test]
    fn calls_that_were_on_their_way_are_no_news() {
        let mut breaker = opened();
        assert_eq!(breaker.ended(secs(99), true, secs(101), 1.0), None);
        assert_eq!(breaker.ask(secs(104)), Passage::Closed(secs(105)));
        breaker.ask(secs(105));
        assert_eq!(breaker.ended(secs(99), false, secs(106), 1.0), None);
        assert!(breaker.ended(secs(105), true, secs(106), 1.0).is_some());
    }

    #[test]
    fn a_probe_that_was_lost_is_followed_by_another() {
        let mut breaker = opened();
        assert_eq!(breaker.ask(secs(105)), Passage::Free);
        assert_eq!(breaker.ask(secs(120)), Passage::Free);
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_have_jitter() {
        let mut breaker = opened();
        let mut now = secs(105);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            breaker.ask(now);
            let Some(Turn::StaysOpen(until)) = breaker.ended(now, false, now, 1.0) else {
                unreachable!()
            };
            pauses.push(until.saturating_sub(now).as_secs());
            now = until;
        }
        assert_eq!(pauses, [10, 20, 40, 60, 60, 60]);
        breaker.ask(now);
        let turn = breaker.ended(now, false, now, 0.0);
        assert_eq!(turn, Some(Turn::StaysOpen(now + secs(30))));
    }
}

//! The server's rate windows as far as a client can know them: pure, time comes in.
//!
//! A window opens when its first call arrives there, which is not after its answer came back here.
//! So it surely is over `span` after that answer; the edges of the real windows drift, hence a margin.

use std::collections::BTreeMap;
use std::time::Duration;

/// Windows end this much later than the model says: the real edges drift.
const MARGIN: Duration = Duration::from_millis(500);
/// The wait after a 429 without Retry-After; doubled for each one in a row.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// No call counted.
    Not,
    /// Its first call, sent at the time, has no answer yet.
    Sending(Duration),
    /// First call sent, first call answered.
    Between(Duration, Duration),
}

#[derive(Debug, Clone, Copy)]
struct Window {
    limit: u32,
    used: u32,
    opened: Opened,
}

/// One scope of limits: a route's, or a method's on a route.
#[derive(Debug, Default)]
pub struct Scope {
    /// By seconds.
    windows: BTreeMap<u32, Window>,
    /// Answers with limits were seen.
    known: bool,
    in_flight: u32,
    blocked_until: Duration,
    refusals: u32,
}

/// May a call go now?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Now,
    At(Duration),
    /// When an answer has come: it will open the way or tell a time.
    AfterAnswer,
}

impl Scope {
    pub fn admit(&mut self, now: Duration) -> Admission {
        if now < self.blocked_until {
            return Admission::At(self.blocked_until);
        }
        // Unknown limits: one probe, not a burst.
        if !self.known {
            return if self.in_flight == 0 {
                Admission::Now
            } else {
                Admission::AfterAnswer
            };
        }
        let mut admission = Admission::Now;
        for (&span, window) in &mut self.windows {
            if let Opened::Between(_, answered) = window.opened {
                let end = answered + Duration::from_secs(u64::from(span)) + MARGIN;
                if now >= end {
                    window.used = 0;
                    window.opened = Opened::Not;
                } else if window.used >= window.limit {
                    admission = match admission {
                        Admission::At(other) => Admission::At(other.max(end)),
                        Admission::Now | Admission::AfterAnswer => Admission::At(end),
                    };
                }
            } else if window.used >= window.limit && admission == Admission::Now {
                admission = Admission::AfterAnswer;
            }
        }
        admission
    }

    /// A call leaves now; `admit` said it may.
    pub fn sent(&mut self, now: Duration) {
        self.in_flight += 1;
        for window in self.windows.values_mut() {
            window.used += 1;
            if window.opened == Opened::Not {
                window.opened = Opened::Sending(now);
            }
        }
    }

    /// A call that was admitted was never sent.
    pub fn returned(&mut self, now: Duration) {
        self.answered(now, now, &BTreeMap::new(), &BTreeMap::new());
        for window in self.windows.values_mut() {
            window.used = window.used.saturating_sub(1);
        }
    }

    /// The call sent at `sent` is over, answered (with these limits and counts) or not (none).
    pub fn answered(
        &mut self,
        sent: Duration,
        now: Duration,
        limits: &BTreeMap<u32, u32>,
        counts: &BTreeMap<u32, u32>,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if !limits.is_empty() {
            self.known = true;
            self.windows.retain(|span, _| limits.contains_key(span));
            for (&span, &limit) in limits {
                let window = self.windows.entry(span).or_insert(Window {
                    limit,
                    used: 1 + self.in_flight,
                    opened: Opened::Sending(sent),
                });
                window.limit = limit;
            }
        }
        for (span, window) in &mut self.windows {
            let first = match window.opened {
                Opened::Not => continue,
                Opened::Sending(first) => {
                    window.opened = Opened::Between(first, now);
                    first
                }
                Opened::Between(first, _) => first,
            };
            // A late answer of an earlier window says nothing of this one.
            if sent >= first
                && let Some(&count) = counts.get(span)
            {
                window.used = window.used.max(count);
            }
        }
    }

    /// The answer was good: pauses start small again.
    pub fn accepted(&mut self) {
        self.refusals = 0;
    }

    /// An answer without limits, by which a scope that has none is known to have none.
    pub fn unlimited(&mut self) {
        self.known = true;
    }

    /// A 429 of this scope: nobody goes before it is over.
    pub fn refused(&mut self, now: Duration, retry_after: Option<Duration>) {
        let pause = match retry_after {
            // Whole seconds, rounded somehow, and zero now and then.
            Some(told) => told.max(PAUSE_MIN) + MARGIN,
            None => PAUSE_MIN
                .saturating_mul(1 << self.refusals.min(10))
                .min(PAUSE_MAX),
        };
        self.refusals += 1;
        self.blocked_until = self.blocked_until.max(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn limits(pairs: &[(u32, u32)]) -> BTreeMap<u32, u32> {
        pairs.iter().copied().collect()
    }

    /// A scope that has seen one answer at 100 ms, sent at 0.
    fn known(pairs: &[(u32, u32)]) -> Scope {
        let mut scope = Scope::default();
        scope.sent(ms(0));
        scope.answered(
            ms(0),
            ms(100),
            &limits(pairs),
            &pairs.iter().map(|(span, _)| (*span, 1)).collect(),
        );
        scope
    }

    #[test]
    fn unknown_limits_are_probed_with_one_call() {
        let mut scope = Scope::default();
        assert_eq!(scope.admit(ms(0)), Admission::Now);
        scope.sent(ms(0));
        assert_eq!(scope.admit(ms(1)), Admission::AfterAnswer);
    }

    #[test]
    fn a_full_window_opens_again_after_its_span_counted_from_the_first_answer() {
        let mut scope = known(&[(1, 3)]);
        for _ in 0..2 {
            assert_eq!(scope.admit(ms(200)), Admission::Now);
            scope.sent(ms(200));
        }
        assert_eq!(scope.admit(ms(300)), Admission::At(ms(1_600)));
        assert_eq!(scope.admit(ms(1_600)), Admission::Now);
    }

    #[test]
    fn of_several_full_windows_the_longest_wait_counts() {
        let mut scope = known(&[(1, 1), (120, 1)]);
        assert_eq!(scope.admit(ms(200)), Admission::At(ms(120_600)));
    }

    #[test]
    fn a_count_that_others_used_up_is_believed_and_a_late_one_is_not() {
        let mut scope = known(&[(1, 10)]);
        scope.sent(ms(200));
        scope.answered(ms(200), ms(250), &limits(&[(1, 10)]), &limits(&[(1, 10)]));
        assert_eq!(scope.admit(ms(300)), Admission::At(ms(1_600)));
        assert_eq!(scope.admit(ms(1_700)), Admission::Now);
        scope.sent(ms(1_700));
        scope.answered(ms(300), ms(1_750), &limits(&[(1, 10)]), &limits(&[(1, 10)]));
        assert_eq!(
            scope.admit(ms(1_760)),
            Admission::Now,
            "the late answer was of the last window"
        );
    }

    #[test]
    fn a_429_stops_the_scope_for_its_time_and_pauses_grow_without_one() {
        let mut scope = known(&[(1, 100)]);
        scope.refused(ms(200), Some(Duration::from_secs(3)));
        assert_eq!(scope.admit(ms(3_000)), Admission::At(ms(3_700)));
        scope.refused(ms(4_000), None);
        assert_eq!(scope.admit(ms(4_000)), Admission::At(ms(6_000)));
    }

    #[test]
    fn limits_may_change_while_running() {
        let mut scope = known(&[(1, 100)]);
        scope.sent(ms(150));
        scope.answered(
            ms(150),
            ms(200),
            &limits(&[(1, 2), (10, 50)]),
            &limits(&[(1, 2), (10, 2)]),
        );
        assert_eq!(scope.admit(ms(250)), Admission::At(ms(1_600)));
    }
}

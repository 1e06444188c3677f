//! The counting side: the three ways in which a server may count calls in windows, each exact.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limiter::Pairs;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// A window opens with its first call.
    Opened,
    /// Windows begin at multiples of their length, from some moment.
    Aligned { phase: Duration },
    /// The calls of the last span, at each moment.
    Sliding,
}

/// Calls and seconds, as people write limits.
pub(super) type Limit = (u32, u32);

#[derive(Debug)]
struct Window {
    limit: u32,
    span: Duration,
    begin: Option<Duration>,
    /// How much longer this window is than it says.
    stretch: Duration,
    count: u32,
    log: VecDeque<Duration>,
}

/// One limited thing: a key on a route, or a method of it.
#[derive(Debug)]
pub(super) struct Meter {
    model: Model,
    windows: Vec<Window>,
    /// Ends of windows drift by up to this.
    edge_jitter: Duration,
    rng: fastrand::Rng,
}

impl Meter {
    pub(super) fn new(model: Model, limits: &[Limit]) -> Self {
        Self {
            model,
            windows: limits
                .iter()
                .map(|&(limit, seconds)| Window {
                    limit,
                    span: Duration::from_secs(seconds.into()),
                    begin: None,
                    stretch: Duration::ZERO,
                    count: 0,
                    log: VecDeque::new(),
                })
                .collect(),
            edge_jitter: Duration::ZERO,
            rng: fastrand::Rng::with_seed(7),
        }
    }

    pub(super) fn with_edge_jitter(mut self, edge_jitter: Duration) -> Self {
        self.edge_jitter = edge_jitter;
        self
    }

    /// Counts a call. How long to wait if it is over a limit.
    pub(super) fn count(&mut self, now: Duration) -> Option<Duration> {
        let mut over = None;
        for window in &mut self.windows {
            let end = match self.model {
                Model::Opened => {
                    let running = window
                        .begin
                        .filter(|begin| now < *begin + window.span + window.stretch);
                    if running.is_none() {
                        window.count = 0;
                        window.stretch = self.edge_jitter.mul_f64(self.rng.f64());
                    }
                    window.begin = running.or(Some(now));
                    running.unwrap_or(now) + window.span + window.stretch
                }
                Model::Aligned { phase } => {
                    let span = window.span.as_nanos();
                    let number = (now + phase).as_nanos() / span;
                    let begin = nanos(number * span);
                    if window.begin != Some(begin) {
                        window.count = 0;
                        window.begin = Some(begin);
                    }
                    (begin + window.span).saturating_sub(phase)
                }
                Model::Sliding => {
                    while window
                        .log
                        .front()
                        .is_some_and(|at| *at + window.span <= now)
                    {
                        window.log.pop_front();
                        window.count -= 1;
                    }
                    window.log.push_back(now);
                    window.log[0] + window.span
                }
            };
            window.count += 1;
            if window.count > window.limit {
                over = over.max(Some(end - now));
            }
        }
        over
    }

    pub(super) fn limits(&self) -> Pairs {
        self.pairs(|window| window.limit)
    }

    pub(super) fn counts(&self) -> Pairs {
        self.pairs(|window| window.count)
    }

    fn pairs(&self, of: fn(&Window) -> u32) -> Pairs {
        let seconds = |window: &Window| u32::try_from(window.span.as_secs()).unwrap();
        self.windows.iter().map(|w| (seconds(w), of(w))).collect()
    }
}

fn nanos(n: u128) -> Duration {
    Duration::from_nanos(u64::try_from(n).unwrap())
}

#[test]
fn the_three_models_differ_as_they_should() {
    let over = |model, at_ms: &[u64]| {
        let mut meter = Meter::new(model, &[(2, 1)]);
        let counted: Vec<bool> = at_ms
            .iter()
            .map(|at| meter.count(Duration::from_millis(*at)).is_some())
            .collect();
        counted
    };
    let at = [900, 950, 1100, 1899, 1900];
    assert_eq!(over(Model::Opened, &at), [false, false, true, true, false]);
    let phase = Duration::ZERO;
    assert_eq!(
        over(Model::Aligned { phase }, &at),
        [false, false, false, false, true]
    );
    assert_eq!(over(Model::Sliding, &at), [false, false, true, true, true]);
}

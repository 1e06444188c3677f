//! Drives a budget and a server on a virtual clock: calls on their way there and back.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use super::{ms, secs};
use crate::{
    Admission, Budget, Departure, Margins, MethodId, Observation, Pairs, Refused, RefusedBy,
};
use riftsync_simulator::{Limit, Meter, WindowModel};

/// How long one way, or a round trip, takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Latency {
    Steady {
        median_ms: f64,
    },
    Uniform {
        least_ms: f64,
        most_ms: f64,
    },
    LogNormal {
        median_ms: f64,
        sigma: f64,
    },
    /// Steady, but one of so many takes ten times as long.
    Tailed {
        median_ms: f64,
        one_in: u32,
    },
}

impl Latency {
    fn draw(self, rng: &mut fastrand::Rng) -> Duration {
        let ms = match self {
            Self::Uniform { least_ms, most_ms } => least_ms + (most_ms - least_ms) * rng.f64(),
            Self::LogNormal { median_ms, sigma } => {
                let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * rng.f64()).cos();
                median_ms * (sigma * normal).exp()
            }
            Self::Tailed { median_ms, one_in } if rng.u32(0..one_in) == 0 => median_ms * 10.0,
            Self::Steady { median_ms } | Self::Tailed { median_ms, .. } => median_ms,
        };
        Duration::from_secs_f64(ms / 1000.0)
    }
}

/// The ways of a world: there and back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ways {
    /// A round trip is drawn, and this share of it is the way there.
    Shared { round_trip: Latency, there: f64 },
    /// Both ways are drawn.
    Apart { there: Latency, back: Latency },
}

impl Ways {
    pub(super) fn half(round_trip: Latency) -> Self {
        Self::Shared {
            round_trip,
            there: 0.5,
        }
    }

    fn draw(self, rng: &mut fastrand::Rng) -> [Duration; 2] {
        match self {
            Self::Shared { round_trip, there } => {
                let all = round_trip.draw(rng);
                let there = all.mul_f64(there);
                [there, all.saturating_sub(there)]
            }
            Self::Apart { there, back } => [there.draw(rng), back.draw(rng)],
        }
    }
}

/// Calls that are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Demand {
    /// More than can be.
    Endless,
    /// Up to so many at once, then nothing for up to so long, and again.
    Bursts { calls: u32, pause_ms: u64 },
}

/// What becomes of calls besides being counted, each with its probability.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mishaps {
    /// Permits that come back unsent.
    pub unsent: f64,
    /// Calls that are counted and never answered. Not before the limits are known: who knows nothing
    /// asks once a second, which is more than the limits here allow and less than any real one.
    pub lost: f64,
    /// Answers of somebody in front of the API: not counted, no headers.
    pub in_front: f64,
    /// Calls that leave a while after they were allowed to.
    pub slow_start: f64,
    /// Calls within all limits that the service behind the method refuses for three seconds.
    pub loaded: f64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive(u64),
    Answer(u64),
    Wake,
    Stranger,
}

/// Another program on the key: so many calls at once, each so often.
#[derive(Debug, Clone, Default)]
pub(super) struct Stranger {
    pub calls: u32,
    pub every: Duration,
    /// When its calls were counted, and whether they were refused.
    pub made: Vec<(Duration, bool)>,
}

#[derive(Debug)]
struct Flight {
    departure: Option<Departure>,
    method: MethodId,
    back: Duration,
    /// Of the budget that allowed it; a later one knows nothing of it.
    life: u32,
    answer: Observation,
    lost: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Drive {
    pub budget: Budget,
    pub now: Duration,
    pub methods: u8,
    pub mishaps: Mishaps,
    pub arrivals: Vec<Duration>,
    /// Moments of calls that were over a limit.
    pub overruns: Vec<Duration>,
    /// Calls that a service refused.
    pub turned_away: usize,
    pub stranger: Option<Stranger>,
    /// The server's clock is ahead by this.
    phase: Duration,
    seed: u64,
    model: WindowModel,
    app: Meter,
    of_methods: BTreeMap<MethodId, Meter>,
    ways: Ways,
    demand: Demand,
    wanted: u64,
    flights: BTreeMap<u64, Flight>,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    number: u64,
    wake_at: Option<Duration>,
    life: u32,
    known: BTreeSet<MethodId>,
    rng: fastrand::Rng,
}

impl Drive {
    pub(super) fn new(
        model: WindowModel,
        app: &[Limit],
        method: &[Limit],
        ways: Ways,
        demand: Demand,
        seed: u64,
    ) -> Self {
        let methods = 3;
        let mut rng = fastrand::Rng::with_seed(seed);
        Self {
            budget: Budget::new(Margins::default()),
            now: secs(1),
            methods,
            mishaps: Mishaps::default(),
            arrivals: Vec::new(),
            overruns: Vec::new(),
            turned_away: 0,
            stranger: None,
            phase: ms(rng.u64(0..600_000)),
            seed,
            model,
            app: Meter::new(model, app, 0, seed),
            of_methods: (0..methods)
                .map(|id| (id, Meter::new(model, method, 0, seed)))
                .collect(),
            ways,
            demand,
            wanted: 0,
            flights: BTreeMap::new(),
            events: BinaryHeap::new(),
            number: 0,
            wake_at: None,
            life: 0,
            known: BTreeSet::new(),
            rng,
        }
    }

    /// New limits begin with new windows, whose ends may come late.
    pub(super) fn set_app_limits(&mut self, limits: &[Limit], edge_jitter_ms: u64) {
        self.app = Meter::new(self.model, limits, edge_jitter_ms, self.seed);
    }

    /// A successor that knows nothing, in the middle of everything.
    pub(super) fn restart(&mut self) {
        // Its connections are closed: what is not there within a second never comes.
        let late = self.now + secs(1);
        self.events
            .retain(|Reverse((at, _, event))| *at <= late || !matches!(event, Event::Arrive(_)));
        self.budget = Budget::succeeding(Margins::default(), self.now);
        self.life += 1;
        self.known.clear();
    }

    /// Refused calls do not count.
    pub(super) fn without_refused(&mut self) {
        self.app = self.app.clone().without_refused();
    }

    /// Another program begins; it makes its calls whatever becomes of them.
    pub(super) fn with_stranger(&mut self, calls: u32, every: Duration) {
        let first = self.now + every.mul_f64(self.rng.f64());
        self.stranger = Some(Stranger {
            calls,
            every,
            made: Vec::new(),
        });
        self.at(first, Event::Stranger);
    }

    fn stranger_calls(&mut self) {
        let Some(stranger) = &mut self.stranger else {
            return;
        };
        for _ in 0..stranger.calls {
            let reading = self.app.count(server_ms(self.now, self.phase));
            stranger.made.push((self.now, reading.blocked_ms.is_some()));
        }
        // Never quite in time.
        let next = self.now + stranger.every.mul_f64(0.95 + 0.1 * self.rng.f64());
        self.at(next, Event::Stranger);
    }

    /// Calls of somebody else on the same key, now.
    pub(super) fn others_call(&mut self, calls: u32) {
        for _ in 0..calls {
            self.app.count(server_ms(self.now, self.phase));
        }
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }

    pub(super) fn run_until(&mut self, end: Duration) {
        self.pump();
        while let Some(Reverse((at, _, _))) = self.events.peek()
            && *at <= end
        {
            let Some(Reverse((at, _, event))) = self.events.pop() else {
                break;
            };
            self.now = at;
            match event {
                Event::Arrive(number) => self.arrive(number),
                Event::Answer(number) => self.answer(number),
                Event::Stranger => self.stranger_calls(),
                Event::Wake => self.wake_at = self.wake_at.filter(|wake| *wake > at),
            }
            self.pump();
        }
        self.now = end;
    }

    /// Sends what may go.
    fn pump(&mut self) {
        loop {
            let method = self.rng.u8(0..self.methods);
            match (self.demand, self.wanted) {
                (Demand::Bursts { calls, pause_ms }, 0) => {
                    self.wanted = self.rng.u64(1..=calls.into());
                    let pause = ms(self.rng.u64(0..=pause_ms));
                    self.wake(self.now + pause);
                    return;
                }
                (Demand::Bursts { .. }, _) if self.wake_at.is_some_and(|at| at > self.now) => {
                    return;
                }
                _ => {}
            }
            match self.first_that_may_go(method) {
                Ok(method) => self.send(method),
                Err(Some(at)) => {
                    // A timer of whole milliseconds, rounded up.
                    let at = Duration::from_millis(1 + u64::try_from(at.as_millis()).unwrap());
                    return self.wake(at);
                }
                Err(None) => return,
            }
        }
    }

    /// A call of this method, or else of the next that may; or when one may.
    fn first_that_may_go(&mut self, method: MethodId) -> Result<MethodId, Option<Duration>> {
        let mut opens_at: Option<Duration> = None;
        for next in 0..self.methods {
            let method = (method + next) % self.methods;
            match self.budget.admit(method, self.now) {
                Admission::Now => return Ok(method),
                Admission::At(at) => opens_at = Some(opens_at.map_or(at, |other| other.min(at))),
                Admission::AfterAnswer => {}
            }
        }
        Err(opens_at)
    }

    fn wake(&mut self, at: Duration) {
        if self.wake_at.is_none_or(|set| at < set || set <= self.now) {
            self.wake_at = Some(at);
            self.at(at, Event::Wake);
        }
    }

    fn send(&mut self, method: MethodId) {
        let mut departure = self.budget.depart(method, self.now);
        self.wanted = self.wanted.saturating_sub(1);
        if self.rng.f64() < self.mishaps.unsent {
            self.budget.give_back(&departure);
            return;
        }
        let mut begin = self.now;
        if self.rng.f64() < self.mishaps.slow_start {
            begin += ms(self.rng.u64(0..200));
            departure.sent_at(begin);
        }
        let [there, back] = self.ways.draw(&mut self.rng);
        self.number += 1;
        let number = self.number;
        self.flights.insert(
            number,
            Flight {
                departure: Some(departure),
                method,
                back,
                life: self.life,
                answer: Observation::default(),
                lost: self.known.contains(&method) && self.rng.f64() < self.mishaps.lost,
            },
        );
        self.at(begin + there, Event::Arrive(number));
    }

    fn arrive(&mut self, number: u64) {
        let in_front = self.rng.f64() < self.mishaps.in_front;
        let Some(flight) = self.flights.get_mut(&number) else {
            return;
        };
        let back = if flight.lost { secs(10) } else { flight.back };
        let mut answer = Observation {
            answered: !flight.lost,
            ..Observation::default()
        };
        if !in_front {
            self.arrivals.push(self.now);
            let now_ms = server_ms(self.now, self.phase);
            let of_method = self.of_methods.get_mut(&flight.method).unwrap();
            let [of_app, of_method] = [&mut self.app, of_method].map(|meter| meter.count(now_ms));
            let over = |by, blocked_ms: Option<u64>| {
                let retry_after = Some(secs(blocked_ms?.div_ceil(1000).max(1)));
                Some(Refused { by, retry_after })
            };
            answer.refused = over(RefusedBy::Application, of_app.blocked_ms)
                .or_else(|| over(RefusedBy::Method, of_method.blocked_ms));
            if answer.refused.is_some() {
                self.overruns.push(self.now);
            } else if self.rng.f64() < self.mishaps.loaded {
                self.turned_away += 1;
                answer.refused = Some(Refused {
                    by: RefusedBy::Service,
                    retry_after: Some(secs(3)),
                });
            }
            if answer.answered {
                answer.served = answer.refused.is_none();
                answer.app_limits = pairs(&of_app.limits);
                answer.app_counts = pairs(&of_app.counts);
                answer.method_limits = pairs(&of_method.limits);
                answer.method_counts = pairs(&of_method.counts);
            }
        }
        flight.answer = answer;
        self.at(self.now + back, Event::Answer(number));
    }

    fn answer(&mut self, number: u64) {
        let Some(mut flight) = self.flights.remove(&number) else {
            return;
        };
        if flight.life != self.life {
            return;
        }
        if flight.answer.served {
            self.known.insert(flight.method);
        }
        if let Some(departure) = flight.departure.take() {
            self.budget
                .observe(&departure, self.now, self.now, &flight.answer);
        }
    }
}

/// The server counts in whole milliseconds of its own clock.
fn server_ms(now: Duration, phase: Duration) -> u64 {
    u64::try_from((now + phase).as_millis()).unwrap()
}

fn pairs(limits: &[Limit]) -> Pairs {
    limits
        .iter()
        .map(|(calls, seconds)| (*seconds, *calls))
        .collect()
}

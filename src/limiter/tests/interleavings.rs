//! Engines of one key that begin, die, end, sleep and take over, in every order of the steps that there is: small
//! windows, a few calls, and all that can happen between a grant and a count. The parts are the real ones: budgets, the
//! board's decisions, and the simulator's meter; only time, the network and the engines' lives are played.
//!
//! Each world is explored depth first, and no state twice. What must hold at each arrival: no window of the server is
//! exceeded. What must hold after a take-over: an engine that asks uses what is left, and does not sit it out. And
//! wherever all that can happen has happened, somebody's calls go on.
//!
//! What runs each time is small: every order of the steps at one moment. With time that goes on there are soon too many
//! for each time: those are explored by hand, with `RIFTSYNC_STEPS=1` and more.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::strangers::{Pace, Strangers};
use crate::{Admission, Budget, Departure, Margins, Observation, Pairs};
use riftsync_model::budget_share::{BoardGrant, BoardReport, BoardRow, LEASE_MS, share};
use riftsync_simulator::{Meter, WindowModel};

/// Time goes in steps of so much. A call arrives in the step in which it goes or in the next one: both together are
/// less than `SETTLE`.
const STEP_MS: i64 = 600;
/// What the server tells in its headers may be so old, in a world where it lags.
const LATE_MS: i64 = 300;
/// Whoever takes over is given so long to use what is left.
const TAKE_OVER_MS: i64 = 4_000;
/// The other way an answer takes so many steps at most.
const BACK_STEPS: i64 = 1;

/// What may happen in a world.
#[derive(Debug, Clone, Copy)]
struct Plan {
    model: WindowModel,
    limit: u32,
    seconds: u32,
    /// Calls and reports of each engine at most.
    calls: u8,
    reports: u8,
    /// Engines, the first of which has begun when the exploration does.
    engines: usize,
    deaths: u8,
    /// Last words.
    ends: u8,
    /// Engines that stand still and wake.
    sleeps: u8,
    /// Reports or grants that get lost.
    losses: u8,
    steps: i64,
    /// The first engine knows the limits, and has a grant.
    is_known: bool,
    /// Counts in answers are as old as calls may be late.
    lags: bool,
    /// The next engine begins only when the one before has ended.
    in_turn: bool,
    /// Whoever comes after a death uses what is left, whenever the board hears of it.
    is_live: bool,
}

const PLAN: Plan = Plan {
    model: WindowModel::SlidingLog,
    limit: 2,
    seconds: 3,
    calls: 2,
    reports: 2,
    engines: 2,
    deaths: 1,
    ends: 0,
    sleeps: 0,
    losses: 0,
    steps: 12,
    is_known: true,
    lags: false,
    in_turn: true,
    is_live: false,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Life {
    NotBegun,
    Alive,
    Asleep,
    /// And whether the board has heard of it.
    Dead(bool),
    Left,
}

#[derive(Debug, Clone, Hash)]
enum Exchange {
    Asks(BoardReport, Duration),
    Answered(BoardGrant, Duration),
}

#[derive(Debug, Clone, Hash)]
struct Flight {
    departure: Departure,
    sent_at: i64,
    /// When it was counted, and what the server told.
    counted: Option<(i64, u32)>,
}

#[derive(Debug, Clone, Hash)]
struct Engine {
    life: Life,
    budget: Budget,
    /// Granted and not begun: each with the end of its lease.
    permit: Option<(Departure, Option<Duration>)>,
    flights: Vec<Flight>,
    exchange: Option<Exchange>,
    calls: u8,
    reports: u8,
}

#[derive(Debug, Clone, Hash)]
struct World {
    now: i64,
    meter: Meter,
    /// When calls were counted, and what the server told.
    counts: Vec<(i64, u32)>,
    rows: Vec<BoardRow>,
    engines: Vec<Engine>,
    deaths: u8,
    ends: u8,
    sleeps: u8,
    losses: u8,
}

/// A step, of an engine by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    TimeGoes,
    Begin(usize),
    Grant(usize),
    Send(usize),
    Arrive(usize, usize),
    Vanish(usize, usize),
    Answer(usize, usize),
    Report(usize),
    Board(usize),
    Hear(usize),
    Lose(usize),
    Die(usize),
    Notice(usize),
    Leave(usize),
    Sleep(usize),
    Wake(usize),
}

// They hold floats.
impl Hash for Strangers {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        format!("{self:?}").hash(hasher);
    }
}

impl Hash for Pace {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        format!("{self:?}").hash(hasher);
    }
}

fn time(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap())
}

impl World {
    fn new(plan: &Plan) -> Self {
        let engine = || Engine {
            life: Life::NotBegun,
            budget: Budget::shared(Margins::default()),
            permit: None,
            flights: Vec::new(),
            exchange: None,
            calls: plan.calls,
            reports: plan.reports,
        };
        let mut world = Self {
            // Clear of the moment 0, which an aligned window begins at.
            now: 10 * STEP_MS,
            meter: Meter::new(plan.model, &[(plan.limit, plan.seconds)], 0, 1),
            counts: Vec::new(),
            rows: Vec::new(),
            engines: (0..plan.engines).map(|_| engine()).collect(),
            deaths: plan.deaths,
            ends: plan.ends,
            sleeps: plan.sleeps,
            losses: plan.losses,
        };
        world.take(plan, Step::Begin(0));
        if plan.is_known {
            world.exchange(plan, 0);
            world.call(plan, 0);
            world.exchange(plan, 0);
            // What this was is over.
            world.now += i64::from(plan.seconds) * 1_000 + 2 * STEP_MS;
            world.exchange(plan, 0);
            world.engines[0].calls = plan.calls;
            world.engines[0].reports = plan.reports;
        }
        world
    }

    fn exchange(&mut self, plan: &Plan, engine: usize) {
        for step in [
            Step::Report(engine),
            Step::Board(engine),
            Step::Hear(engine),
        ] {
            self.engines[engine].reports = 1;
            self.take(plan, step);
        }
    }

    fn call(&mut self, plan: &Plan, engine: usize) {
        let last = self.engines[engine].flights.len();
        for step in [
            Step::Grant(engine),
            Step::Send(engine),
            Step::Arrive(engine, last),
            Step::Answer(engine, last),
        ] {
            self.take(plan, step);
        }
    }

    /// All that can happen now.
    fn steps(&mut self, plan: &Plan, begun_at: i64) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut time_goes = self.now < begun_at + plan.steps * STEP_MS;
        let now = self.now;
        for number in 0..self.engines.len() {
            let may_begin = !plan.in_turn
                || number == 0
                || !matches!(self.engines[number - 1].life, Life::Alive | Life::NotBegun);
            let engine = &mut self.engines[number];
            for (place, flight) in engine.flights.iter().enumerate() {
                let age = now - flight.sent_at;
                match (flight.counted, engine.life) {
                    (None, Life::Dead(_)) => {
                        time_goes &= age < STEP_MS;
                        steps.extend([Step::Arrive(number, place), Step::Vanish(number, place)]);
                    }
                    (None, _) => {
                        time_goes &= age < STEP_MS;
                        steps.push(Step::Arrive(number, place));
                    }
                    (Some((at, _)), Life::Alive) => {
                        time_goes &= now - at < BACK_STEPS * STEP_MS;
                        steps.push(Step::Answer(number, place));
                    }
                    (Some(_), _) => {}
                }
            }
            if let (Some(Exchange::Asks(..)), Life::Alive | Life::Asleep | Life::Dead(_)) =
                (&engine.exchange, engine.life)
            {
                steps.push(Step::Board(number));
            }
            match engine.life {
                Life::NotBegun if may_begin => steps.push(Step::Begin(number)),
                Life::Alive => {
                    if engine.permit.is_some() {
                        steps.push(Step::Send(number));
                    } else if engine.calls > 0
                        && engine.budget.admit(0, time(now)) == Admission::Now
                    {
                        steps.push(Step::Grant(number));
                    }
                    if engine.exchange.is_none() && engine.reports > 0 {
                        steps.push(Step::Report(number));
                    }
                    if let Some(Exchange::Answered(..)) = engine.exchange {
                        steps.push(Step::Hear(number));
                    }
                    if engine.exchange.is_some() && self.losses > 0 {
                        steps.push(Step::Lose(number));
                    }
                    if self.deaths > 0 {
                        steps.push(Step::Die(number));
                    }
                    let is_quiet = engine.flights.is_empty() && engine.permit.is_none();
                    if self.ends > 0 && is_quiet && engine.exchange.is_none() {
                        steps.push(Step::Leave(number));
                    }
                    if self.sleeps > 0 {
                        steps.push(Step::Sleep(number));
                    }
                }
                Life::Asleep => steps.push(Step::Wake(number)),
                Life::Dead(false) => steps.push(Step::Notice(number)),
                Life::NotBegun | Life::Dead(true) | Life::Left => {}
            }
        }
        if time_goes {
            steps.push(Step::TimeGoes);
        }
        steps
    }

    /// Takes a step. True: a window of the server was exceeded.
    fn take(&mut self, plan: &Plan, step: Step) -> bool {
        let (at, now) = (self.now, time(self.now));
        match step {
            Step::TimeGoes => self.now += STEP_MS,
            Step::Begin(engine) | Step::Wake(engine) => self.engines[engine].life = Life::Alive,
            Step::Grant(engine) => {
                let engine = &mut self.engines[engine];
                assert_eq!(engine.budget.admit(0, now), Admission::Now);
                let departure = engine.budget.depart(0, now);
                engine.permit = Some((departure, engine.budget.trusted_until()));
                engine.calls = engine.calls.saturating_sub(1);
                // Only who may fall asleep in between waits before it sends.
                if plan.sleeps == 0 {
                    return self.take(plan, Step::Send(step_engine(step)));
                }
            }
            Step::Send(engine) => {
                let engine = &mut self.engines[engine];
                let Some((mut departure, until)) = engine.permit.take() else {
                    return false;
                };
                if until.is_some_and(|until| now > until) {
                    engine.budget.give_back(&departure);
                    return false;
                }
                departure.sent_at(now);
                engine.flights.push(Flight {
                    departure,
                    sent_at: at,
                    counted: None,
                });
            }
            Step::Arrive(engine, flight) => return self.arrive(plan, engine, flight),
            Step::Vanish(engine, flight) => {
                self.engines[engine].flights.remove(flight);
            }
            Step::Answer(engine, flight) => self.answer(plan, engine, flight),
            Step::Report(engine) => {
                let engine = &mut self.engines[engine];
                engine.reports = engine.reports.saturating_sub(1);
                let report = engine.budget.report(now, &[(0, 8)]);
                engine.exchange = Some(Exchange::Asks(report, now));
            }
            Step::Board(engine) => {
                if let Some(Exchange::Asks(report, sent)) = self.engines[engine].exchange.take() {
                    let grant = self.put(engine, &report);
                    self.engines[engine].exchange = Some(Exchange::Answered(grant, sent));
                }
            }
            Step::Hear(engine) => {
                let engine = &mut self.engines[engine];
                if let Some(Exchange::Answered(grant, sent)) = engine.exchange.take() {
                    engine.budget.granted(&grant, sent, now);
                }
            }
            Step::Lose(engine) => {
                self.losses -= 1;
                self.engines[engine].exchange = None;
            }
            Step::Die(engine) => {
                self.deaths -= 1;
                let engine = &mut self.engines[engine];
                engine.life = Life::Dead(false);
                engine.permit = None;
                engine.flights.retain(|flight| flight.counted.is_none());
                // A report that is on its way arrives or does not; its answer is nobody's.
                let asks = |exchange: &Exchange| matches!(exchange, Exchange::Asks(..));
                engine.exchange = engine.exchange.take().filter(asks);
            }
            Step::Notice(engine) => {
                self.engines[engine].life = Life::Dead(true);
                for row in self
                    .rows
                    .iter_mut()
                    .filter(|row| row.engine == name(engine))
                {
                    row.ended_at = Some(at);
                }
            }
            Step::Leave(engine) => {
                self.ends -= 1;
                self.engines[engine].life = Life::Left;
                let report = self.engines[engine].budget.last_report(now);
                self.put(engine, &report);
            }
            Step::Sleep(engine) => {
                self.sleeps -= 1;
                self.engines[engine].life = Life::Asleep;
            }
        }
        false
    }

    /// The last engine wants all it can get from now on, and everything comes at once. Whether it gets what is left of
    /// the window.
    fn uses_what_is_left(mut self, plan: &Plan) -> bool {
        let heir = plan.engines - 1;
        for engine in &mut self.engines[..heir] {
            engine.exchange = None;
        }
        if self.engines[heir].life == Life::NotBegun {
            self.take(plan, Step::Begin(heir));
        }
        let now = u64::try_from(self.now).unwrap();
        let before = self.meter.clone().count(now).counts[0].1 - 1;
        let until = self.now + TAKE_OVER_MS;
        let made = self.runs_until(plan, heir, until);
        // The count of the one that asked is taken for one of the dead's: it may be so old.
        before + made + 1 >= plan.limit
    }

    /// Everything has come that was on its way, and everybody who still can be is awake and wants all: calls go.
    fn goes_on(mut self, plan: &Plan) -> bool {
        let Some(last) = (self.engines.iter())
            .rposition(|engine| matches!(engine.life, Life::Alive | Life::Asleep | Life::NotBegun))
        else {
            return true;
        };
        self.engines[last].life = Life::Alive;
        self.take(plan, Step::Send(last));
        let until = self.now + i64::from(plan.seconds) * 1_000 + LEASE_MS + TAKE_OVER_MS;
        self.runs_until(plan, last, until) > 0
    }

    /// One engine wants all it can get, and everything comes at once: how many calls it makes.
    fn runs_until(&mut self, plan: &Plan, engine: usize, until: i64) -> u32 {
        for (number, other) in self.engines.iter_mut().enumerate() {
            if number != engine {
                other.flights.clear();
            }
        }
        (self.engines[engine].calls, self.engines[engine].reports) = (200, 200);
        while self.now < until {
            for _ in 0..8 {
                if self.engines[engine].exchange.is_none() {
                    self.take(plan, Step::Report(engine));
                }
                self.take(plan, Step::Board(engine));
                self.take(plan, Step::Hear(engine));
                while !self.engines[engine].flights.is_empty() {
                    let last = self.engines[engine].flights.len() - 1;
                    if self.engines[engine].flights[last].counted.is_none() {
                        assert!(!self.arrive(plan, engine, last), "one too many");
                    }
                    self.answer(plan, engine, last);
                }
                if self.engines[engine].budget.admit(0, time(self.now)) == Admission::Now {
                    self.take(plan, Step::Grant(engine));
                    self.take(plan, Step::Send(engine));
                }
            }
            self.take(plan, Step::TimeGoes);
        }
        u32::from(200 - self.engines[engine].calls)
    }

    fn put(&mut self, engine: usize, report: &BoardReport) -> BoardGrant {
        let (entry, grant) = share(&self.rows, &name(engine), report, self.now);
        let now = self.now;
        self.rows
            .retain(|row| row.engine != name(engine) && !row.is_over(now));
        self.rows.push(BoardRow {
            engine: name(engine),
            entry,
            reported_at: now,
            ended_at: None,
        });
        grant
    }

    fn arrive(&mut self, plan: &Plan, engine: usize, flight: usize) -> bool {
        let reading = self.meter.count(u64::try_from(self.now).unwrap());
        let (mut told, _) = reading.counts[0];
        self.counts.push((self.now, told));
        if plan.lags {
            let settled = |(at, _): &&(i64, u32)| at + LATE_MS <= self.now;
            let settled = self.counts.iter().rposition(|count| settled(&count));
            // Nothing older than the last that is told matters any more.
            self.counts.drain(..settled.unwrap_or(0));
            told = settled.map_or(1, |_| self.counts[0].1);
        } else {
            self.counts.clear();
        }
        let flights = &mut self.engines[engine].flights;
        flights[flight].counted = Some((self.now, told));
        if let Life::Dead(_) = self.engines[engine].life {
            self.engines[engine].flights.remove(flight);
        }
        reading.blocked_ms.is_some()
    }

    fn answer(&mut self, plan: &Plan, engine: usize, flight: usize) {
        let engine = &mut self.engines[engine];
        let Flight {
            departure, counted, ..
        } = engine.flights.remove(flight);
        let (_, told) = counted.unwrap();
        let seen = Observation {
            app_limits: Pairs::from([(plan.seconds, plan.limit)]),
            app_counts: Pairs::from([(plan.seconds, told)]),
            answered: true,
            served: true,
            ..Observation::default()
        };
        let now = time(self.now);
        engine.budget.observe(&departure, now, now, &seen);
    }
}

fn name(engine: usize) -> String {
    engine.to_string()
}

fn step_engine(step: Step) -> usize {
    match step {
        Step::Grant(engine) => engine,
        _ => unreachable!("{step:?}"),
    }
}

fn hash_of(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// Explores all; how many states there are. Panics with the steps that led to a window that was exceeded.
fn explore(plan: &Plan) -> usize {
    let mut first = World::new(plan);
    let begun_at = first.now;
    let mut seen = HashSet::from([hash_of(&first)]);
    let steps = first.steps(plan, begun_at);
    let mut path: Vec<(World, Vec<Step>, Step)> = vec![(first, steps, Step::Begin(0))];
    while let Some((world, steps, _)) = path.last_mut() {
        let Some(step) = steps.pop() else {
            path.pop();
            continue;
        };
        let mut next = world.clone();
        if next.take(plan, step) {
            let mut told: Vec<String> = path
                .iter()
                .map(|(world, _, step)| format!("{:6} {step:?}", world.now))
                .collect();
            told.push(format!("{:6} {step:?}: one too many", next.now));
            panic!("{plan:#?}\n{}\n{:#?}", told.join("\n"), next.rows);
        }
        if plan.is_live && matches!(step, Step::Notice(_)) {
            let told = || path.iter().map(|(_, _, step)| step).collect::<Vec<_>>();
            assert!(
                next.clone().uses_what_is_left(plan),
                "{plan:?} {:?}: sat out",
                told()
            );
        }
        if seen.insert(hash_of(&next)) {
            let steps = next.steps(plan, begun_at);
            if steps.is_empty() {
                let told = || path.iter().map(|(_, _, step)| step).collect::<Vec<_>>();
                assert!(
                    next.clone().goes_on(plan),
                    "{plan:?} {:?}: stands still",
                    told()
                );
            }
            path.push((next, steps, step));
        }
    }
    seen.len()
}

/// Steps of time; more by hand: `RIFTSYNC_STEPS=4` for four more.
fn steps(usual: i64) -> i64 {
    let told = std::env::var("RIFTSYNC_STEPS").ok();
    usual + told.and_then(|told| told.parse::<i64>().ok()).unwrap_or(0)
}

fn explore_all(name: &str, plan: Plan) {
    for model in WindowModel::ALL {
        let plan = Plan { model, ..plan };
        let begun = std::time::Instant::now();
        let states = explore(&plan);
        println!(
            "{name}, {model:?}: {states} states in {:.1?}",
            begun.elapsed()
        );
        assert!(states > 500, "{states} states are no exploration");
    }
}

#[test]
fn whenever_an_engine_dies_and_another_takes_over_no_window_is_exceeded() {
    explore_all(
        "death",
        Plan {
            steps: steps(0),
            ..PLAN
        },
    );
}

#[test]
fn an_engine_that_dies_before_it_knows_the_limits_is_reckoned_with() {
    explore_all(
        "unknown",
        Plan {
            // Two each, and none knows of the other's.
            limit: 4,
            is_known: false,
            steps: steps(0),
            ..PLAN
        },
    );
}

#[test]
fn whoever_takes_over_uses_what_is_left_and_does_not_sit_it_out() {
    explore_all(
        "heir",
        Plan {
            seconds: 6,
            limit: 4,
            is_live: true,
            steps: steps(0),
            ..PLAN
        },
    );
}

#[test]
#[ignore = "explores for minutes"]
fn counts_that_lag_behind_mislead_nobody_who_takes_over() {
    explore_all(
        "lag",
        Plan {
            lags: true,
            steps: steps(2),
            ..PLAN
        },
    );
}

#[test]
#[ignore = "explores for minutes"]
fn a_lost_report_beside_another_engine_exceeds_nothing() {
    explore_all(
        "lost",
        Plan {
            limit: 4,
            losses: 1,
            deaths: 0,
            in_turn: false,
            steps: steps(1),
            ..PLAN
        },
    );
}

#[test]
fn a_clean_end_or_a_death_and_then_another_exceed_nothing() {
    explore_all(
        "line",
        Plan {
            engines: 3,
            ends: 1,
            calls: 1,
            reports: 1,
            steps: steps(0),
            ..PLAN
        },
    );
}

/// It stands still for longer than its lease, between a grant and the call too, while another has its places.
#[test]
#[ignore = "explores for minutes"]
fn an_engine_that_slept_makes_no_call_before_it_knows_that_its_grant_still_holds() {
    explore_all(
        "sleep",
        Plan {
            seconds: 1,
            sleeps: 1,
            deaths: 0,
            calls: 1,
            reports: 1,
            steps: steps(19),
            ..PLAN
        },
    );
}

//! What a job waits for, as a person is told it. Pure: readings of the engine come in.
//!
//! An attempt says what it stands still for ([`Halt`]); all else is read. A job waits for what its open descendants
//! wait for. Of these the ones that are nearest to an end speak: those that run, then those that may start, then those
//! that another engine has, then those that come back later.

use std::fmt;
use std::time::Duration;

use riftsync_basics::counted;
use serde_json::{Value, json};

use super::Rate;
use super::Timestamp;
use super::ids::Route;
use super::job::{JobId, JobState};
use super::missing::is_not_served_yet;

/// Why nothing goes on. Shown as a sentence without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The calls that the key allows in this time are made.
    Budget,
    /// Riot said how long to be quiet, or refused calls without saying it.
    RetryAfter(Route),
    /// Calls failed one after the other.
    RouteDown {
        route: Route,
        why: String,
    },
    /// Engines that share the key have the rest of its budget.
    Share,
    /// Documents in memory are as many as there may be, until some are committed.
    Room,
    /// A call is on its way.
    Answer {
        route: Route,
        first: bool,
    },
    /// Another call finds out whether the key is good.
    KeySuspected,
    KeyRejected(u16),
    /// The queue starts no more jobs in this time.
    Rate {
        queue: String,
        rate: Rate,
    },
    /// By an operator.
    Paused(String),
    /// This engine does not run the queue.
    NotHere(String),
    Slot {
        queue: String,
        running: usize,
    },
    /// It may start at any moment.
    Turn(String),
    /// An attempt failed; there will be another.
    Pause {
        jobs: usize,
        why: String,
    },
    /// Riot lists what it does not serve yet.
    Young {
        jobs: usize,
        why: String,
    },
    /// Put off without a failure: a busy key.
    Later {
        jobs: usize,
        why: String,
    },
    OtherEngine(String),
    SilentEngine {
        engine: String,
        silent: Duration,
    },
    /// Jobs that it was told to come after.
    Others,
    /// It takes no writes.
    Database,
    /// It runs, and calls nobody.
    Work(Option<String>),
}

/// What is waited for, and for how long if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub reason: Reason,
    pub left: Option<Duration>,
}

/// An engine that is silent for so long is told to be.
const SILENT: Duration = Duration::from_secs(5);

impl Reason {
    /// A stable word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Share => "share",
            Self::Room => "room",
            Self::RetryAfter(_) => "retry_after",
            Self::RouteDown { .. } => "route_down",
            Self::Answer { .. } => "answer",
            Self::KeySuspected => "key_suspected",
            Self::KeyRejected(_) => "key_rejected",
            Self::Rate { .. } => "queue_rate",
            Self::Paused(_) => "queue_paused",
            Self::NotHere(_) => "no_queue",
            Self::Slot { .. } => "slot",
            Self::Turn(_) => "turn",
            Self::Pause { .. } => "pause",
            Self::Young { .. } => "young_match",
            Self::Later { .. } => "later",
            Self::OtherEngine(_) => "other_engine",
            Self::SilentEngine { .. } => "silent_engine",
            Self::Others => "other_jobs",
            Self::Database => "database",
            Self::Work(_) => "work",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget => write!(f, "the key's budget is used up"),
            Self::Share => write!(
                f,
                "the key's budget is used up by other engines or an earlier run"
            ),
            Self::Room => write!(
                f,
                "documents in memory take all they may (engine.bodies_mb); some have to be stored first"
            ),
            Self::RetryAfter(route) => {
                write!(f, "Riot asked for a pause on {route} (Retry-After)")
            }
            Self::RouteDown { route, why } if why.is_empty() => {
                write!(f, "{route} does not work; it is tried again")
            }
            Self::RouteDown { route, why } => {
                write!(f, "{route} does not work ({why}); it is tried again")
            }
            Self::Answer { route, first: true } => {
                write!(f, "Riot's first answer on {route} has not come yet")
            }
            Self::Answer { route, .. } => write!(f, "Riot has not answered on {route} yet"),
            Self::KeySuspected => write!(
                f,
                "Riot refused a call; another one finds out whether the key is good"
            ),
            Self::KeyRejected(status) => write!(
                f,
                "Riot rejects the API key (HTTP {status}); it is tried again, and another is taken at once: `riftsync key set`"
            ),
            Self::Rate { queue, rate } => write!(f, "the rate of queue {queue} is {rate}"),
            Self::Paused(queue) => write!(
                f,
                "queue {queue} is paused; `riftsync queue resume {queue}` lets it go on"
            ),
            Self::NotHere(queue) => {
                write!(f, "this engine does not run queue {queue}; another has to")
            }
            Self::Slot { queue, running } => {
                let running = counted(*running as u64, "job runs", "jobs run");
                write!(f, "no slot of queue {queue} is free; {running}")
            }
            Self::Turn(queue) => write!(f, "its turn in queue {queue} has not come yet"),
            Self::Pause { jobs: 0 | 1, why } => {
                write!(f, "an attempt failed ({why}); the next comes")
            }
            Self::Pause { jobs, why } => {
                write!(f, "{jobs} jobs are tried again after a pause ({why})")
            }
            Self::Young { jobs: 0 | 1, why } => write!(f, "{why}; it is asked for again"),
            Self::Young { jobs, .. } => write!(
                f,
                "Riot does not serve {jobs} young matches or timelines yet; they are asked for again"
            ),
            Self::Later { jobs: 0 | 1, why } => write!(f, "{why}; it is tried again"),
            Self::Later { jobs, why } => write!(f, "{jobs} jobs come back later ({why})"),
            Self::OtherEngine(engine) => write!(f, "it runs in another engine, {engine}"),
            Self::SilentEngine { engine, silent } => write!(
                f,
                "{engine} holds it and was not heard for {} s; others take over then",
                silent.as_secs()
            ),
            Self::Others => write!(f, "jobs that it comes after are not done"),
            Self::Database => write!(
                f,
                "the database takes no writes now; another program may hold it locked"
            ),
            Self::Work(None) => write!(f, "it is at work"),
            Self::Work(Some(step)) => write!(f, "it is at work: {step}"),
        }
    }
}

impl Reason {
    /// What is waited for, in a few words: "waiting for ...".
    pub fn briefly(&self) -> String {
        match self {
            Self::Budget => "the key's budget".to_owned(),
            Self::Share => "its share of the key's budget".to_owned(),
            Self::Room => "room for documents".to_owned(),
            Self::RetryAfter(route) => format!("a pause on {route} (Retry-After)"),
            Self::RouteDown { route, .. } => format!("{route}, which is down"),
            Self::Answer { route, .. } => format!("an answer on {route}"),
            Self::KeySuspected => "a try of the API key".to_owned(),
            Self::KeyRejected(_) => "an API key that Riot takes".to_owned(),
            Self::Rate { rate, .. } => format!("the queue's rate of {rate}"),
            Self::Paused(_) => "the paused queue".to_owned(),
            Self::NotHere(_) => "an engine with its queue".to_owned(),
            Self::Slot { .. } => "a slot".to_owned(),
            Self::Turn(_) => "its turn".to_owned(),
            Self::Pause { .. } => "another try".to_owned(),
            Self::Young { .. } => "a young match".to_owned(),
            Self::Later { .. } => "its time".to_owned(),
            Self::OtherEngine(_) | Self::SilentEngine { .. } => "another engine".to_owned(),
            Self::Others => "other jobs".to_owned(),
            Self::Database => "the database".to_owned(),
            Self::Work(_) => "work".to_owned(),
        }
    }
}

/// What an attempt stands still for, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// Room for a document in memory.
    Room,
    /// The key is rejected, or suspected.
    Key,
    /// Its turn to call.
    Permit(Route),
    /// The database cannot be written.
    Commit,
}

impl Waiting {
    fn until(reason: Reason, left: Duration) -> Self {
        Self {
            reason,
            left: Some(left),
        }
    }

    fn open(reason: Reason) -> Self {
        Self { reason, left: None }
    }

    /// For programs: `reason` a stable word, `text` a sentence for people, `for` the same in a few words, `left_s`
    /// whole seconds or null.
    pub fn document(&self) -> Value {
        json!({
            "reason": self.reason.word(), "text": self.reason.to_string(), "for": self.reason.briefly(),
            "left_s": self.left.map(|left| left.as_millis().div_ceil(1_000)),
        })
    }
}

/// A job that is not done: the one that is asked about, or a descendant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenJob {
    pub id: JobId,
    pub queue: String,
    pub lane: String,
    pub state: JobState,
    pub run_at: Timestamp,
    /// Which engine holds it.
    pub engine: Option<String>,
    /// This engine works on it now. One that it only holds ready waits for its queue.
    pub at_work: bool,
    /// What its attempt stands still for.
    pub halt: Option<Halt>,
    pub step: Option<String>,
    /// Why its last attempt failed, or why it was put off.
    pub why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyReading {
    #[default]
    Good,
    Suspected,
    Rejected(u16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueReading {
    pub name: String,
    pub slots: usize,
    /// Jobs that run, without those that are only held ready.
    pub running: usize,
    pub paused: bool,
    pub rate: Option<Rate>,
    /// How long its rate still holds jobs back.
    pub rate_opens: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteReading {
    pub route: Route,
    /// How long no call is made as they failed, and why they did.
    pub down: Option<(Duration, String)>,
    /// How long the route, or a method that is waited for, stands still after a 429.
    pub paused: Duration,
    /// Calls that wait for a permit, and the time until the first of them may go.
    pub waiting: usize,
    pub opens_in: Option<Duration>,
    pub in_flight: u32,
    /// Those who wait could go if other engines left more of the key.
    pub wants_share: bool,
    /// An answer has come before.
    pub has_answered: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineReading {
    pub id: String,
    /// As people know it.
    pub name: String,
    pub silent: Duration,
}

/// All that is known at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    pub now: Timestamp,
    /// This engine.
    pub here: String,
    /// The job first, then those of its descendants that are open. Empty: calls are made for no job.
    pub jobs: Vec<OpenJob>,
    pub key: KeyReading,
    /// How long until a rejected key is tried again.
    pub key_tried_in: Option<Duration>,
    /// Writes wait, and none was done for a while.
    pub database_stuck: bool,
    pub queues: Vec<QueueReading>,
    pub routes: Vec<RouteReading>,
    pub engines: Vec<EngineReading>,
}

/// What a job waits for; none: it is over, or nobody can know.
pub fn waiting_for(readings: &Readings) -> Option<Waiting> {
    if readings.database_stuck {
        return Some(Waiting::open(Reason::Database));
    }
    let jobs = &readings.jobs;
    let calls = jobs.is_empty() || jobs.iter().any(|job| !job.lane.is_empty());
    match readings.key {
        KeyReading::Rejected(status) if calls => {
            return Some(rejected(readings, status));
        }
        KeyReading::Suspected if calls => return Some(Waiting::open(Reason::KeySuspected)),
        _ => {}
    }
    if jobs.is_empty() {
        let routes: Vec<&RouteReading> = readings.routes.iter().collect();
        return standing_still(&routes).or_else(|| on_its_way(&routes));
    }
    let of = |wanted: &dyn Fn(&&OpenJob) -> bool| -> Vec<&OpenJob> {
        jobs.iter().filter(wanted).collect()
    };
    let is_here = |job: &OpenJob| job.engine.as_deref().is_none_or(|id| id == readings.here);
    let here = of(&|job| job.state == JobState::Running && job.at_work);
    let held = |job: &OpenJob| job.state == JobState::Running && !job.at_work && is_here(job);
    let available = of(&|job| job.state == JobState::Available || held(job));
    let elsewhere = of(&|job| job.state == JobState::Running && !is_here(job));
    let later = of(&|job| matches!(job.state, JobState::Scheduled | JobState::Retryable));
    if !here.is_empty() {
        return running_here(readings, &here);
    }
    available
        .first()
        .map(|job| in_the_queue(readings, job))
        .or_else(|| elsewhere.first().map(|job| running_there(readings, job)))
        .or_else(|| coming_back(readings, &later))
        .or_else(|| {
            let root = jobs.first()?;
            (root.state == JobState::Blocked).then_some(Waiting::open(Reason::Others))
        })
}

fn rejected(readings: &Readings, status: u16) -> Waiting {
    Waiting {
        reason: Reason::KeyRejected(status),
        left: readings.key_tried_in,
    }
}

/// What an attempt stands still for.
pub fn halted(readings: &Readings, halt: Halt) -> Waiting {
    match (halt, readings.key) {
        (Halt::Room, _) => Waiting::open(Reason::Room),
        (Halt::Commit, _) => Waiting::open(Reason::Database),
        (_, KeyReading::Rejected(status)) => rejected(readings, status),
        (Halt::Key, _) => Waiting::open(Reason::KeySuspected),
        (Halt::Permit(route), _) => {
            // Whoever asks for a permit waits, also if that is not seen yet.
            let of_route = readings.routes.iter().find(|known| known.route == route);
            let of_route = of_route.map(|known| RouteReading {
                waiting: known.waiting.max(1),
                ..known.clone()
            });
            let first = Reason::Answer { route, first: true };
            of_route
                .and_then(|known| standing_still(&[&known]).or_else(|| on_its_way(&[&known])))
                .unwrap_or_else(|| Waiting::open(first))
        }
    }
}

/// What a job alone waits for, whatever its descendants do; none: it works, or is over, or waits for them, or another
/// engine knows.
pub fn waits_alone(readings: &Readings, job: &OpenJob) -> Option<Waiting> {
    let is_here = job.engine.as_deref().is_none_or(|id| id == readings.here);
    match job.state {
        JobState::Running if !is_here => None,
        JobState::Running if job.at_work => job.halt.map(|halt| halted(readings, halt)),
        JobState::Running | JobState::Available => {
            let calls = readings
                .routes
                .iter()
                .any(|route| route.route.as_str() == job.lane);
            match readings.key {
                KeyReading::Rejected(status) if calls => Some(rejected(readings, status)),
                _ => Some(in_the_queue(readings, job)),
            }
        }
        JobState::Scheduled | JobState::Retryable => coming_back(readings, &[job]),
        JobState::Blocked | JobState::Completed | JobState::Cancelled | JobState::Discarded => None,
    }
}

/// What the jobs of a queue do that an engine holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub working: usize,
    /// How many wait for what, the most first.
    pub waits: Vec<(Waiting, usize)>,
}

impl Tally {
    fn count(&mut self, waiting: Waiting, jobs: usize) {
        match self.waits.iter_mut().find(|(known, _)| *known == waiting) {
            Some((_, count)) => *count += jobs,
            None => self.waits.push((waiting, jobs)),
        }
        self.waits.sort_by_key(|(_, jobs)| std::cmp::Reverse(*jobs));
    }

    pub fn add(&mut self, other: Self) {
        self.working += other.working;
        for (waiting, jobs) in other.waits {
            self.count(waiting, jobs);
        }
    }
}

/// `halts`: of each attempt at work what it stands still for. `ready`: jobs that are held and have not begun.
pub fn tally(readings: &Readings, queue: &str, halts: &[Option<Halt>], ready: usize) -> Tally {
    let mut told = Tally::default();
    for halt in halts {
        match halt {
            Some(halt) => told.count(halted(readings, *halt), 1),
            None => told.working += 1,
        }
    }
    if ready > 0
        && let Some(queue) = readings.queues.iter().find(|known| known.name == queue)
    {
        told.count(in_an_open_queue(queue), ready);
    }
    told
}

/// Jobs that this engine works on.
fn running_here(readings: &Readings, jobs: &[&OpenJob]) -> Option<Waiting> {
    // What all of them stand still for that no route tells.
    let own = [Halt::Room, Halt::Commit];
    if let Some(halt) = own
        .into_iter()
        .find(|halt| jobs.iter().all(|job| job.halt == Some(*halt)))
    {
        return Some(halted(readings, halt));
    }
    let calls = jobs.iter().any(|job| !job.lane.is_empty());
    // A job may call other routes than the one it is named for: those it is named for come first.
    let (mut routes, others): (Vec<_>, Vec<_>) = readings
        .routes
        .iter()
        .partition(|route| jobs.iter().any(|job| job.lane == route.route.as_str()));
    routes.extend(others);
    if !calls {
        routes.clear();
    }
    let rate = || {
        jobs.iter()
            .filter_map(|job| queue_of(readings, job))
            .find_map(by_rate)
    };
    let step = || jobs.iter().find_map(|job| job.step.clone());
    standing_still(&routes)
        .or_else(rate)
        .or_else(|| on_its_way(&routes))
        .or_else(|| {
            let step = step().map(|step| step.replace('_', " "));
            Some(Waiting::open(Reason::Work(step)))
        })
}

/// Calls that may not go now.
fn standing_still(routes: &[&RouteReading]) -> Option<Waiting> {
    let wanted = || routes.iter().filter(|route| route.waiting > 0);
    let down = || {
        let down = routes
            .iter()
            .find_map(|route| Some((route.route, route.down.as_ref()?)));
        let (route, (left, why)) = down?;
        let why = why.clone();
        Some(Waiting::until(Reason::RouteDown { route, why }, *left))
    };
    wanted()
        .find(|route| !route.paused.is_zero())
        .map(|route| Waiting::until(Reason::RetryAfter(route.route), route.paused))
        .or_else(|| {
            wanted()
                .find_map(|route| route.opens_in)
                .map(|left| Waiting::until(Reason::Budget, left))
        })
        .or_else(|| {
            wanted()
                .any(|route| route.wants_share)
                .then_some(Waiting::open(Reason::Share))
        })
        .or_else(down)
}

/// Calls that were sent, and calls that wait for the answer of another.
fn on_its_way(routes: &[&RouteReading]) -> Option<Waiting> {
    let route = routes
        .iter()
        .find(|route| route.in_flight > 0 || route.waiting > 0)?;
    Some(Waiting::open(Reason::Answer {
        route: route.route,
        first: !route.has_answered,
    }))
}

fn queue_of<'r>(readings: &'r Readings, job: &OpenJob) -> Option<&'r QueueReading> {
    readings.queues.iter().find(|queue| queue.name == job.queue)
}

fn by_rate(queue: &QueueReading) -> Option<Waiting> {
    let reason = Reason::Rate {
        queue: queue.name.clone(),
        rate: queue.rate?,
    };
    Some(Waiting::until(reason, queue.rate_opens?))
}

/// A job that may start.
fn in_the_queue(readings: &Readings, job: &OpenJob) -> Waiting {
    let name = || job.queue.clone();
    let open = Waiting::open;
    let Some(queue) = queue_of(readings, job) else {
        return open(Reason::NotHere(name()));
    };
    if queue.paused {
        return open(Reason::Paused(name()));
    }
    let of_lane = readings
        .routes
        .iter()
        .find(|route| route.route.as_str() == job.lane);
    if let Some((route, (left, why))) =
        of_lane.and_then(|route| Some((route.route, route.down.clone()?)))
    {
        return Waiting::until(Reason::RouteDown { route, why }, left);
    }
    in_an_open_queue(queue)
}

/// A job whose lane is open.
fn in_an_open_queue(queue: &QueueReading) -> Waiting {
    let name = || queue.name.clone();
    if queue.paused {
        return Waiting::open(Reason::Paused(name()));
    }
    if let Some(waiting) = by_rate(queue) {
        return waiting;
    }
    if queue.running >= queue.slots {
        let running = queue.running;
        return Waiting::open(Reason::Slot {
            queue: name(),
            running,
        });
    }
    Waiting::open(Reason::Turn(name()))
}

/// A job that another engine has.
fn running_there(readings: &Readings, job: &OpenJob) -> Waiting {
    let id = job.engine.as_deref().unwrap_or_default();
    let engine = readings.engines.iter().find(|engine| engine.id == id);
    let name = engine.map_or_else(|| format!("engine {id}"), |engine| engine.name.clone());
    let silent = engine.map_or(Duration::ZERO, |engine| engine.silent);
    let reason = if silent < SILENT {
        Reason::OtherEngine(name)
    } else {
        Reason::SilentEngine {
            engine: name,
            silent,
        }
    };
    Waiting::open(reason)
}

/// Jobs whose time has not come: the first of them speaks for those of its state.
fn coming_back(readings: &Readings, later: &[&OpenJob]) -> Option<Waiting> {
    let first = later.iter().min_by_key(|job| job.run_at)?;
    let left = first.run_at.since(readings.now);
    if left.is_zero() {
        return Some(Waiting::open(Reason::Turn(first.queue.clone())));
    }
    let lane = readings
        .routes
        .iter()
        .find(|route| route.route.as_str() == first.lane);
    if let Some((route, (_, why))) = lane.and_then(|route| Some((route.route, route.down.clone()?)))
    {
        return Some(Waiting::until(Reason::RouteDown { route, why }, left));
    }
    let jobs = later.iter().filter(|job| job.state == first.state).count();
    let why = first.why.clone();
    let reason = if first.state == JobState::Retryable {
        let why = why.unwrap_or_else(|| "the reason is in its history".to_owned());
        Reason::Pause { jobs, why }
    } else {
        match why {
            Some(why) if is_not_served_yet(&why) => Reason::Young { jobs, why },
            why => {
                let why = why.unwrap_or_else(|| "it was put off".to_owned());
                Reason::Later { jobs, why }
            }
        }
    };
    Some(Waiting::until(reason, left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Platform, Region};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const EUROPE: Route = Route::Region(Region::Europe);

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn job(state: JobState, queue: &str) -> OpenJob {
        OpenJob {
            id: JobId(1),
            queue: queue.to_owned(),
            lane: "europe".to_owned(),
            state,
            run_at: NOW,
            engine: (state == JobState::Running).then(|| "here".to_owned()),
            at_work: state == JobState::Running,
            halt: None,
            step: None,
            why: None,
        }
    }

    fn route(route: Route) -> RouteReading {
        RouteReading {
            route,
            down: None,
            paused: Duration::ZERO,
            waiting: 0,
            opens_in: None,
            in_flight: 0,
            wants_share: false,
            has_answered: true,
        }
    }

    fn queue(name: &str) -> QueueReading {
        QueueReading {
            name: name.to_owned(),
            slots: 4,
            running: 0,
            paused: false,
            rate: None,
            rate_opens: None,
        }
    }

    /// A player's job that waits for these.
    fn readings(children: Vec<OpenJob>) -> Readings {
        let mut jobs = vec![job(JobState::Blocked, "player_sync")];
        jobs.extend(children);
        Readings {
            now: NOW,
            here: "here".to_owned(),
            jobs,
            key: KeyReading::Good,
            key_tried_in: None,
            database_stuck: false,
            queues: vec![queue("player_sync"), queue("match_processing")],
            routes: vec![route(Route::Platform(Platform::Euw1)), route(EUROPE)],
            engines: Vec::new(),
        }
    }

    #[track_caller]
    fn check(readings: &Readings, text: &str, left: Option<u64>) {
        let waiting = waiting_for(readings).unwrap();
        assert_eq!(
            (waiting.reason.to_string().as_str(), waiting.left),
            (text, left.map(secs))
        );
    }

    fn running() -> Readings {
        readings(vec![job(JobState::Running, "match_processing")])
    }

    #[test]
    fn a_call_without_a_permit_tells_when_the_window_opens() {
        let mut read = running();
        read.routes[1].waiting = 3;
        read.routes[1].in_flight = 2;
        read.routes[1].opens_in = Some(secs(8));
        check(&read, "the key's budget is used up", Some(8));
        read.routes[1].paused = secs(20);
        check(
            &read,
            "Riot asked for a pause on europe (Retry-After)",
            Some(20),
        );
    }

    #[test]
    fn a_job_also_waits_for_a_route_that_it_is_not_named_for() {
        let mut read = readings(vec![job(JobState::Running, "player_sync")]);
        read.routes[0].waiting = 1;
        read.routes[0].opens_in = Some(secs(100));
        check(&read, "the key's budget is used up", Some(100));
        read.routes[1].in_flight = 1;
        check(&read, "the key's budget is used up", Some(100));
    }

    #[test]
    fn a_call_that_was_sent_is_told_with_its_route_and_whether_it_is_the_first() {
        let mut read = running();
        read.routes[1].in_flight = 1;
        check(&read, "Riot has not answered on europe yet", None);
        read.routes[1].has_answered = false;
        check(
            &read,
            "Riot's first answer on europe has not come yet",
            None,
        );
    }

    #[test]
    fn jobs_that_are_held_ready_wait_for_the_rate_of_their_queue() {
        let mut read = running();
        read.queues[1].rate = Some(Rate::parse("30/m").unwrap());
        read.queues[1].rate_opens = Some(secs(2));
        read.routes[1].in_flight = 1;
        check(&read, "the rate of queue match_processing is 30/m", Some(2));
        read.routes[1].waiting = 0;
        read.jobs[1].at_work = false;
        check(&read, "the rate of queue match_processing is 30/m", Some(2));
        let mut waits = readings(vec![job(JobState::Available, "match_processing")]);
        waits.queues[1] = read.queues[1].clone();
        check(
            &waits,
            "the rate of queue match_processing is 30/m",
            Some(2),
        );
    }

    #[test]
    fn a_job_that_may_start_tells_what_its_queue_lacks() {
        let mut read = readings(vec![job(JobState::Available, "match_processing")]);
        check(
            &read,
            "its turn in queue match_processing has not come yet",
            None,
        );
        read.queues[1].running = 4;
        check(
            &read,
            "no slot of queue match_processing is free; 4 jobs run",
            None,
        );
        read.routes[1].down = Some((secs(5), "HTTP 503".to_owned()));
        check(
            &read,
            "europe does not work (HTTP 503); it is tried again",
            Some(5),
        );
        read.queues[1].paused = true;
        check(
            &read,
            "queue match_processing is paused; `riftsync queue resume match_processing` lets it go on",
            None,
        );
        read.queues.truncate(1);
        check(
            &read,
            "this engine does not run queue match_processing; another has to",
            None,
        );
    }

    #[test]
    fn the_first_that_comes_back_tells_its_reason_and_how_many_do() {
        let mut soon = job(JobState::Scheduled, "match_processing");
        soon.run_at = NOW + secs(30);
        soon.why = Some("Riot does not serve the match of EUW1_1 yet".to_owned());
        let mut later = soon.clone();
        later.run_at = NOW + secs(90);
        let mut failed = job(JobState::Retryable, "match_processing");
        failed.run_at = NOW + secs(60);
        failed.why = Some("Riot is unavailable: HTTP 500".to_owned());
        let mut read = readings(vec![failed.clone(), later, soon.clone()]);
        check(
            &read,
            "Riot does not serve 2 young matches or timelines yet; they are asked for again",
            Some(30),
        );
        read.jobs = vec![failed, soon];
        read.jobs[1].run_at = NOW + secs(61);
        check(
            &read,
            "an attempt failed (Riot is unavailable: HTTP 500); the next comes",
            Some(60),
        );
        read.routes[1].down = Some((secs(5), String::new()));
        check(&read, "europe does not work; it is tried again", Some(60));
    }

    #[test]
    fn what_another_engine_has_names_it_and_whether_it_is_silent() {
        let mut theirs = job(JobState::Running, "match_processing");
        theirs.engine = Some("there".to_owned());
        theirs.at_work = false;
        let mut read = readings(vec![theirs]);
        check(&read, "it runs in another engine, engine there", None);
        read.engines = vec![EngineReading {
            id: "there".to_owned(),
            name: "engine there on box (pid 7)".to_owned(),
            silent: secs(1),
        }];
        check(
            &read,
            "it runs in another engine, engine there on box (pid 7)",
            None,
        );
        read.engines[0].silent = secs(12);
        check(
            &read,
            "engine there on box (pid 7) holds it and was not heard for 12 s; others take over then",
            None,
        );
    }

    #[test]
    fn the_key_and_the_database_come_before_all_else_but_the_key_only_for_those_who_call() {
        let mut read = running();
        read.routes[1].waiting = 1;
        read.key = KeyReading::Suspected;
        check(
            &read,
            "Riot refused a call; another one finds out whether the key is good",
            None,
        );
        read.key = KeyReading::Rejected(403);
        read.key_tried_in = Some(secs(9));
        check(
            &read,
            "Riot rejects the API key (HTTP 403); it is tried again, and another is taken at once: `riftsync key set`",
            Some(9),
        );
        read.database_stuck = true;
        let database = "the database takes no writes now; another program may hold it locked";
        check(&read, database, None);
        let mut cleanup = job(JobState::Running, "maintenance");
        cleanup.lane.clear();
        cleanup.step = Some("deleting_matches".to_owned());
        read.jobs = vec![cleanup];
        read.database_stuck = false;
        check(&read, "it is at work: deleting matches", None);
    }

    #[test]
    fn a_blocked_job_without_children_comes_after_others_and_one_that_is_over_waits_for_nothing() {
        check(
            &readings(Vec::new()),
            "jobs that it comes after are not done",
            None,
        );
        let mut over = readings(Vec::new());
        over.jobs[0].state = JobState::Completed;
        assert_eq!(waiting_for(&over), None);
    }

    #[test]
    fn calls_for_no_job_are_told_by_their_routes() {
        let mut read = running();
        read.jobs.clear();
        assert_eq!(waiting_for(&read), None);
        read.routes[0].in_flight = 1;
        check(&read, "Riot has not answered on euw1 yet", None);
        read.routes[0].down = Some((secs(9), "HTTP 502".to_owned()));
        check(
            &read,
            "euw1 does not work (HTTP 502); it is tried again",
            Some(9),
        );
    }

    #[test]
    fn a_job_alone_is_told_apart_from_its_queue_by_what_its_attempt_stands_still_for() {
        let mut read = running();
        read.queues[1].running = 4;
        let told = |read: &Readings, job: &OpenJob| {
            waits_alone(read, job).map(|waiting| (waiting.reason.word(), waiting.left))
        };
        let mut job = job(JobState::Running, "match_processing");
        assert_eq!(told(&read, &job), None, "it works");
        job.halt = Some(Halt::Room);
        assert_eq!(told(&read, &job), Some(("room", None)));
        job.halt = Some(Halt::Permit(EUROPE));
        assert_eq!(told(&read, &job), Some(("answer", None)));
        read.routes[1].wants_share = true;
        assert_eq!(told(&read, &job), Some(("share", None)));
        read.routes[1].opens_in = Some(secs(8));
        assert_eq!(told(&read, &job), Some(("budget", Some(secs(8)))));
        read.routes[1].paused = secs(20);
        assert_eq!(told(&read, &job), Some(("retry_after", Some(secs(20)))));
        job.halt = Some(Halt::Commit);
        assert_eq!(told(&read, &job), Some(("database", None)));
        job.at_work = false;
        assert_eq!(told(&read, &job), Some(("slot", None)));
        read.queues[1].rate = Some(Rate::parse("30/m").unwrap());
        read.queues[1].rate_opens = Some(secs(2));
        assert_eq!(told(&read, &job), Some(("queue_rate", Some(secs(2)))));
        (read.key, read.key_tried_in) = (KeyReading::Rejected(401), Some(secs(48)));
        assert_eq!(told(&read, &job), Some(("key_rejected", Some(secs(48)))));
        job.engine = Some("there".to_owned());
        assert_eq!(told(&read, &job), None, "the other engine knows");
    }

    #[test]
    fn the_jobs_of_a_queue_are_counted_by_what_they_wait_for() {
        let mut read = running();
        read.routes[1].opens_in = Some(secs(8));
        let permit = Some(Halt::Permit(EUROPE));
        let halts = [None, permit, permit, None, permit, Some(Halt::Room)];
        let told = tally(&read, "match_processing", &halts, 2);
        let waits: Vec<_> = told
            .waits
            .iter()
            .map(|(waiting, jobs)| (waiting.reason.briefly(), *jobs))
            .collect();
        assert_eq!(told.working, 2);
        assert_eq!(
            waits,
            [
                ("the key's budget".to_owned(), 3),
                ("its turn".to_owned(), 2),
                ("room for documents".to_owned(), 1),
            ]
        );
        assert_eq!(tally(&read, "match_processing", &[], 0), Tally::default());
    }

    #[test]
    fn programs_get_a_word_a_sentence_and_whole_seconds() {
        let waiting = Waiting {
            reason: Reason::Budget,
            left: Some(Duration::from_millis(7_200)),
        };
        assert_eq!(
            waiting.document(),
            json!({
                "reason": "budget", "text": "the key's budget is used up", "for": "the key's budget", "left_s": 8,
            })
        );
    }
}

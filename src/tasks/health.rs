//! `health_check`: takes readings of the engine and what it stands on, and judges them.
//!
//! The same check answers `riftsync health` at once, through the control socket, and is kept in the log when
//! the schedule runs it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};

use super::MAINTENANCE;
use crate::basics::{Form, form};
use crate::engine::scheduler::SET_RIGHT;
use crate::engine::{CancelSignal, Post, Task, Urgency};
use crate::gate::{Caller, Gate, KeyState};
use crate::limiter::LimiterState;
use crate::model::cadence::{Cadence, Turn};
use crate::model::health::{
    DatabaseReading, ExcessReading, LostReading, QueueReading, Reached, Readings, RouteReading,
    Verdict, judge, verdict,
};
use crate::model::{
    After, MatchId, NewJob, Outcome, Platform, Priority, RetryPolicy, Route, Share, Timestamp,
};
use crate::riot::{Call, Method, RiotError};
use crate::store::Store;
use crate::store::StoreError;
use crate::store::engine::{EngineHandle, JobContext, TaskFuture, TaskResult};
use crate::store::people::{LostPlayer, shown};
use crate::store::schedules::{Schedule, StoredSchedule};

/// How long a call may wait for its turn and its answer.
const CALL_MAX: Duration = Duration::from_secs(10);
/// How long the database may take.
const DATABASE_MAX: Duration = Duration::from_secs(15);
/// Lost players that are looked at.
const LOST_MAX: usize = 1_000;
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// Checks share no turn with anybody's jobs.
const FLOW: u64 = u64::MAX;

/// Takes readings. The engine is known once it has started.
#[derive(Debug)]
pub struct HealthProbe {
    gate: Gate,
    /// The folder of the database's file; none: it is on a server.
    folder: Option<PathBuf>,
    /// Looked at when no call has been made yet.
    platform: Option<Platform>,
    engine: OnceLock<EngineHandle>,
}

impl HealthProbe {
    pub fn new(gate: Gate, folder: Option<PathBuf>, platform: Option<Platform>) -> Arc<Self> {
        Arc::new(Self {
            gate,
            folder,
            platform,
            engine: OnceLock::new(),
        })
    }

    /// The engine has started.
    pub fn attach(&self, engine: EngineHandle) {
        // A second engine in a process would be a bug that a first one's health does not hide.
        let _ = self.engine.set(engine);
    }

    /// The check as every program sees it.
    pub fn check(self: Arc<Self>) -> BoxFuture<'static, Value> {
        Box::pin(async move {
            let Some(engine) = self.engine.get() else {
                return json!({ "verdict": "unhealthy", "findings": [], "checked_at": Timestamp::now().to_string() });
            };
            self.document(engine).await
        })
    }

    async fn document(&self, engine: &EngineHandle) -> Value {
        let now = Timestamp::now();
        let in_use = self.gate.api.limiter_states().await;
        let stored = async {
            tokio::join!(
                self.read_database(engine),
                read_queues(engine, now),
                read_lost(engine, now)
            )
        };
        let calls = self.read_routes(&in_use);
        let (mut stored, mut calls) = (std::pin::pin!(stored), std::pin::pin!(calls));
        let ((database, queues, lost), (routes, api_clock)) = tokio::select! {
            calls = &mut calls => (stored.await, calls),
            stored = &mut stored => {
                // Calls need a database that shares their budget: what is wrong is told without them.
                let calls = if stored.0.is_ok() { calls.await } else { (self.not_tried(&in_use), None) };
                (stored, calls)
            }
        };
        let (database, queues, database_clock, astray) = match (database, queues) {
            (Ok(read), Ok(queues)) => (Ok(read.database), queues, read.clock, read.astray),
            (Err(why), _) | (_, Err(why)) => (Err(why), Vec::new(), None, Vec::new()),
        };
        let clocks = [("the database's", database_clock), ("Riot's", api_clock)];
        // As they stand after those calls, which are of their budget too.
        let limiters = self.gate.api.limiter_states().await;
        let routes = with_strangers(routes, &limiters);
        let readings = Readings {
            database,
            queues,
            key: key_word(*self.gate.availability.key().borrow()),
            routes,
            excesses: excesses(&limiters),
            lost,
            deaths: deaths(engine, now),
            clocks: clocks
                .into_iter()
                .filter_map(|(whose, off)| Some((whose, off?)))
                .collect(),
            set_right: set_right(engine, now),
            astray,
            uptime: now.since(engine.started_at),
        };
        let findings = judge(&readings);
        json!({
            "verdict": verdict(&findings), "findings": findings, "checked_at": now.to_string(),
            "engine": &*engine.id, "uptime_s": readings.uptime.as_secs(),
            "database": match &readings.database {
                Ok(database) => json!({
                    "write_ms": millis(database.write), "read_ms": millis(database.read),
                    "size_bytes": database.size_bytes, "free_bytes": database.free_bytes,
                    "unread_matches": database.unread[0], "unread_timelines": database.unread[1],
                }),
                Err(_) => Value::Null,
            },
            "queues": readings.queues.iter().map(queue_document).collect::<Vec<_>>(),
            "key": readings.key, "key_shared_with": self.gate.company().await.databases,
            "routes": readings.routes.iter().map(|route| route_document(route, &limiters)).collect::<Vec<_>>(),
            "actor_deaths": readings.deaths,
            "clocks": readings.clocks.iter().map(|(whose, ms)| json!({ "against": whose, "ahead_ms": ms })).collect::<Vec<_>>(),
        })
    }

    /// A write and a read that are really made, and how far its clock is from ours.
    async fn read_database(&self, engine: &EngineHandle) -> Result<DatabaseRead, String> {
        let readings = async {
            let begun = Instant::now();
            let its_time = engine.store.probe(&engine.id).await?;
            let write = begun.elapsed();
            let clock = its_time.map(|its| Timestamp::now().as_millis() - its.as_millis());
            let begun = Instant::now();
            let schedules = engine.store.schedules().await?;
            let read = begun.elapsed();
            let size_bytes = engine.store.size_bytes().await?;
            let unread = engine.store.count_unread().await?;
            let database = DatabaseReading {
                write,
                read,
                size_bytes,
                free_bytes: self.free_bytes(),
                unread,
            };
            Ok(DatabaseRead {
                database,
                clock,
                astray: astray(&schedules, engine.clock.now()),
            })
        };
        match tokio::time::timeout(DATABASE_MAX, readings).await {
            Ok(Ok(readings)) => Ok(readings),
            Ok(Err(error)) => Err(StoreError::to_string(&error)),
            Err(_) => Err(format!("it did not answer within {DATABASE_MAX:?}")),
        }
    }

    fn free_bytes(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(self.folder.as_deref()?).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn routes(&self, limiters: &[LimiterState]) -> BTreeSet<Route> {
        let mut routes: BTreeSet<Route> = limiters.iter().map(|limiter| limiter.route).collect();
        if routes.is_empty() {
            routes.extend(self.platform.map(Route::Platform));
        }
        routes
    }

    fn not_tried(&self, limiters: &[LimiterState]) -> Vec<RouteReading> {
        let not_tried = |route: Route| RouteReading {
            route: route.to_string(),
            reached: Reached::NotTried,
            strangers: None,
            share: Share::ALL.percent(),
        };
        self.routes(limiters).into_iter().map(not_tried).collect()
    }

    /// A call to each route that is in use; also how far the API's clock is from ours.
    async fn read_routes(&self, limiters: &[LimiterState]) -> (Vec<RouteReading>, Option<i64>) {
        let routes = self.routes(limiters);
        let calls = routes.iter().map(|route| self.reach(*route));
        let mut readings = Vec::new();
        let mut clock = None;
        for (route, (reached, ahead)) in routes.iter().zip(join_all(calls).await) {
            readings.push(RouteReading {
                route: route.to_string(),
                reached,
                strangers: None,
                share: Share::ALL.percent(),
            });
            clock = clock.or(ahead);
        }
        (readings, clock)
    }

    async fn reach(&self, route: Route) -> (Reached, Option<i64>) {
        if *self.gate.availability.key().borrow() != KeyState::Valid {
            return (Reached::NotTried, None);
        }
        let Some(call) = probe_of(route) else {
            return (Reached::NotTried, None);
        };
        let (_tell, cancel) = CancelSignal::pair();
        let caller = Caller {
            urgency: Urgency::fixed(Priority::FIRST),
            flow: FLOW,
            cancel,
            post: Post::default(),
        };
        let answer = tokio::time::timeout(CALL_MAX, self.gate.api.call(caller, &call)).await;
        match answer {
            Ok(Ok(response)) => {
                let theirs = response.date.map(Timestamp::as_millis);
                let ahead = theirs.map(|theirs| Timestamp::now().as_millis() - theirs);
                (Reached::Yes, ahead)
            }
            // The route answers and takes the key.
            Ok(Err(RiotError::NotFound)) => (Reached::Yes, None),
            // No call of ours is longer on its way: it was still waiting.
            Err(_) | Ok(Err(RiotError::RateLimited { .. })) => (Reached::NoTurn, None),
            Ok(Err(error)) => (Reached::Failed(error.to_string()), None),
        }
    }
}

/// What the limiters know of others on the key.
fn with_strangers(mut routes: Vec<RouteReading>, limiters: &[LimiterState]) -> Vec<RouteReading> {
    for route in &mut routes {
        let mut its = limiters.iter();
        if let Some(limiter) = its.find(|limiter| limiter.route.to_string() == route.route) {
            route.strangers = limiter.strangers;
            route.share = limiter.share.percent();
        }
    }
    routes
}

/// What was read of the database at once.
struct DatabaseRead {
    database: DatabaseReading,
    /// How far our clock is ahead of its, in ms; none: they are the same.
    clock: Option<i64>,
    astray: Vec<String>,
}

/// Schedules that a wrong clock moved into the future.
fn astray(schedules: &[StoredSchedule], now: Timestamp) -> Vec<String> {
    let is_astray = |stored: &&StoredSchedule| {
        let Schedule {
            expression,
            zone,
            catch_up,
            ..
        } = &stored.schedule;
        Cadence::parse(expression, zone).is_ok_and(|cadence| {
            let turn = cadence.turn(*catch_up, stored.last_tick, stored.made, now);
            matches!(turn, Turn::Astray(_))
        })
    };
    let names = schedules.iter().filter(is_astray);
    names.map(|stored| stored.schedule.name.clone()).collect()
}

/// Schedules that were set right of late, each once.
fn set_right(engine: &EngineHandle, now: Timestamp) -> Vec<String> {
    let (events, _) = engine.metrics.events.recent();
    let names: BTreeSet<String> = events
        .into_iter()
        .filter(|event| event.event == SET_RIGHT && now.since(event.at) < DAY)
        .map(|event| event.detail)
        .collect();
    names.into_iter().collect()
}

/// Waits that were asked for and are too long to be believed.
fn excesses(limiters: &[LimiterState]) -> Vec<ExcessReading> {
    let of_one = |limiter: &LimiterState| {
        let excesses = limiter.excesses.iter().map(|(method, asked)| {
            let of_method = |(of, left): &(u8, Duration)| (Some(*of) == *method).then_some(*left);
            let paused = limiter.paused_methods.iter().find_map(of_method);
            ExcessReading {
                route: limiter.route.to_string(),
                method: method.map(Method::name),
                asked: *asked,
                left: paused.unwrap_or_default().max(limiter.paused),
            }
        });
        excesses.collect::<Vec<_>>()
    };
    limiters.iter().flat_map(of_one).collect()
}

/// A call that tells whether a route works. Regional routes have no status: that they answer is told by a match that
/// never was.
fn probe_of(route: Route) -> Option<Call> {
    match route {
        Route::Platform(platform) => Some(Call::status(platform)),
        Route::Region(region) => {
            let platform = Platform::ALL
                .iter()
                .find(|platform| platform.region() == region)?;
            Some(Call::match_document(MatchId::new(*platform, 1)))
        }
    }
}

async fn read_queues(engine: &EngineHandle, now: Timestamp) -> Result<Vec<QueueReading>, String> {
    let all = tokio::time::timeout(DATABASE_MAX, engine.store.queue_progress(now - HOUR)).await;
    let all = match all {
        Ok(Ok(all)) => all,
        // A backlog that takes long to look through is no sickness.
        Ok(Err(StoreError::Busy(_))) => Vec::new(),
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("it did not answer within {DATABASE_MAX:?}")),
    };
    let queues = engine.queues.all().iter().map(|queue| {
        let progress = all.iter().find(|progress| progress.queue == queue.name);
        let settings = queue.settings();
        let ago = |at: Timestamp| now.since(at);
        let ended_here = match queue.counters.ended_at.load(Ordering::Relaxed) {
            0 => None,
            at => Some(Timestamp::from_millis(at)),
        };
        let ended = progress.and_then(|progress| progress.last_completed);
        QueueReading {
            queue: queue.name.to_owned(),
            running: queue.running(),
            waiting: progress.map_or(0, |progress| progress.waiting),
            oldest_waiting: progress
                .and_then(|progress| progress.oldest_waiting)
                .map(ago),
            last_completed: ended.max(ended_here).map(ago),
            held_back: progress.map_or(0, |progress| progress.held_back),
            paused: settings.paused,
            held: engine.queues.is_held(queue),
            rate_period: settings.rate.map(|rate| rate.period),
        }
    });
    Ok(queues.collect())
}

/// Tracked players who were asked for in vain. That the database cannot be read is told by itself.
async fn read_lost(engine: &EngineHandle, now: Timestamp) -> Vec<LostReading> {
    let lost = tokio::time::timeout(DATABASE_MAX, engine.store.lost_players(LOST_MAX)).await;
    let lost = lost.ok().and_then(Result::ok).unwrap_or_default();
    let reading = |lost: LostPlayer| LostReading {
        who: shown(&lost.player),
        puuid: lost.player.puuid.to_string(),
        why: lost.why,
        ago: now.since(lost.since),
    };
    lost.into_iter().map(reading).collect()
}

fn deaths(engine: &EngineHandle, now: Timestamp) -> Vec<String> {
    let (events, _) = engine.metrics.events.recent();
    events
        .into_iter()
        .filter(|event| event.event == "actor_died" && now.since(event.at) < HOUR)
        .map(|event| event.actor)
        .collect()
}

fn key_word(state: KeyState) -> &'static str {
    match state {
        KeyState::Valid => "valid",
        KeyState::Suspected => "suspected",
        KeyState::Rejected { .. } => "rejected",
        KeyState::Closed => "closed",
    }
}

#[allow(clippy::cast_possible_truncation, reason = "milliseconds of a check")]
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

fn queue_document(queue: &QueueReading) -> Value {
    json!({
        "queue": queue.queue, "running": queue.running, "waiting": queue.waiting,
        "oldest_waiting_s": queue.oldest_waiting.map(|ago| ago.as_secs()),
        "last_completed_s": queue.last_completed.map(|ago| ago.as_secs()),
        "paused": queue.paused, "held": queue.held, "held_back": queue.held_back,
    })
}

fn route_document(route: &RouteReading, limiters: &[LimiterState]) -> Value {
    let limiter = limiters
        .iter()
        .find(|limiter| limiter.route.to_string() == route.route);
    let (state, error) = match &route.reached {
        Reached::Yes => ("reached", None),
        Reached::NoTurn => ("no_turn", None),
        Reached::NotTried => ("not_tried", None),
        Reached::Failed(why) => ("failed", Some(why)),
    };
    // Of calls of late: how long this one stood in line says nothing of the API.
    let latency = limiter
        .filter(|_| route.reached == Reached::Yes)
        .map(|limiter| millis(limiter.round_trip));
    let windows: Vec<Value> = limiter
        .iter()
        .flat_map(|limiter| &limiter.windows)
        .map(|window| {
            json!({
                "method": window.method.map(Method::name), "seconds": window.seconds,
                "left": window.limit.saturating_sub(window.used), "limit": window.limit,
            })
        })
        .collect();
    json!({
        "route": route.route, "state": state, "latency_ms": latency, "error": error, "budget": windows,
        "waiting_calls": limiter.map(|limiter| limiter.waiting),
        "paused_s": limiter.map(|limiter| limiter.paused.as_secs()),
        "share": limiter.map(|limiter| limiter.share),
        "strangers_percent": limiter.and_then(|limiter| limiter.strangers),
    })
}

/// A check has no arguments.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// See the module.
#[derive(Debug, Clone)]
pub struct HealthCheck {
    probe: Arc<HealthProbe>,
}

impl HealthCheck {
    pub const KIND: &str = "health_check";

    pub fn new(probe: Arc<HealthProbe>) -> Self {
        Self { probe }
    }
}

impl Task<dyn Store> for HealthCheck {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        MAINTENANCE
    }

    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(1, 300, 300)
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let Nothing {} = serde_json::from_str(args).map_err(|error| error.to_string())?;
        Ok(NewJob {
            kind: Self::KIND,
            queue: MAINTENANCE,
            lane: "",
            key: Some("engine".to_owned()),
            args: "{}".to_owned(),
            priority: Priority::DEFAULT,
            max_attempts: self.retry_policy().max_attempts(),
            run_at: None,
            after: After::default(),
        })
    }

    fn form(&self) -> Option<Form> {
        let about = "Takes readings of everything, and judges them.";
        Some(form!(Self::KIND, about, Nothing {}))
    }

    /// The check is done, whatever it finds.
    fn run(&self, context: JobContext) -> TaskFuture {
        let probe = self.probe.clone();
        Box::pin(async move {
            let check = tokio::select! {
                check = probe.clone().check() => check,
                () = context.cancel().requested() => {
                    return Outcome::Cancel("somebody cancelled it".to_owned()).into();
                }
            };
            tell(&probe, &check);
            TaskResult::complete(check)
        })
    }
}

/// Keeps a check in the log and among the events.
fn tell(probe: &HealthProbe, check: &Value) {
    let findings = check["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let lines: Vec<String> = findings
        .iter()
        .map(|finding| {
            let text = |field: &str| finding[field].as_str().unwrap_or_default();
            format!("{}: {} ({})", text("part"), text("message"), text("remedy"))
        })
        .collect();
    let verdict = check["verdict"].as_str().unwrap_or_default();
    let why = lines.join("; ");
    if verdict == Verdict::Healthy.as_str() {
        tracing::info!("health: {verdict}");
    } else {
        tracing::warn!("health: {verdict}. {why}");
    }
    if let Some(engine) = probe.engine.get() {
        let detail = if why.is_empty() {
            verdict.to_owned()
        } else {
            format!("{verdict}: {why}")
        };
        engine.metrics.events.tell("health", "/engine", detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::RefusedCounts;
    use crate::model::Region;

    #[test]
    fn a_route_is_as_fast_as_the_api_answers_however_long_a_check_stood_in_line() {
        let limiter = LimiterState {
            excesses: Vec::new(),
            route: Route::Region(Region::Asia),
            windows: Vec::new(),
            waiting: 70,
            opens_in: None,
            in_flight: 1,
            granted: 100,
            given_back: 0,
            refused: RefusedCounts::default(),
            paused: Duration::ZERO,
            paused_methods: Vec::new(),
            share: Share::ALL,
            strangers: None,
            wants_share: false,
            round_trip: Duration::from_millis(80),
        };
        let told = |reached| {
            let route = RouteReading {
                route: limiter.route.to_string(),
                reached,
                strangers: None,
                share: 100,
            };
            let document = route_document(&route, std::slice::from_ref(&limiter));
            (document["state"].clone(), document["latency_ms"].clone())
        };
        assert_eq!(told(Reached::Yes), (json!("reached"), json!(80.0)));
        assert_eq!(told(Reached::NoTurn), (json!("no_turn"), Value::Null));
    }
}

//! `engine.*`.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Answer, queue};
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::control::waits;
use crate::metrics::{VERSION, history};
use crate::model::Timestamp;
use crate::store::{EngineRow, question};

/// How far back the history goes.
const HISTORY_MS: i64 = 3_600_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) async fn status(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    // An outage of the database must not hide the rest.
    let count = queue::count(control).await.ok();
    let engine = &control.engine;
    let queues = engine.queues.all();
    let running: usize = queues.iter().map(|queue| queue.running()).sum();
    let all_paused = queues.iter().all(|queue| queue.settings().paused);
    let state = match (control.is_stopping(), all_paused, running) {
        (true, ..) => "stopping",
        (false, true, 0) => "drained",
        (false, true, _) => "draining",
        (false, false, _) => "running",
    };
    let mut queues: Vec<Value> = queues
        .iter()
        .map(|queue| queue::document(control, queue, count.as_ref().map(|count| &*count.counts)))
        .collect();
    let tally = waits::of_queues(control, &mut queues).await;
    let writer = engine.store.writer_stats();
    let engines = engine.store.engines().await.ok();
    let engines = engines.map(|engines| engines.iter().map(engine_document).collect::<Vec<_>>());
    let company = control.key.company().await;
    let calls = control.key.calls();
    let mut status = json!({
        "engine": &*engine.id, "state": state, "pid": std::process::id(), "version": env!("CARGO_PKG_VERSION"),
        "started_at": engine.started_at.to_string(),
        "uptime_s": Timestamp::now().since(engine.started_at).as_secs(),
        "database": control.about.database, "socket": control.about.socket, "key": control.key.state(),
        "running": running, "queues": queues, "counted_at": queue::Count::at(count.as_ref()),
        "database_away": away_document(control),
        "calls": calls.sent,
        "rate_limited": calls.rate_limited,
        "commits": writer.commits, "stale_writes": writer.stale, "engines": engines,
        "key_shared_with": company.databases, "strangers_percent": company.strangers,
        "inside": control.about.inside, "followed": control.followed().len(),
    });
    waits::put(&mut status, &tally);
    Ok(status)
}

/// Since when the database is away, and why; null while it can be used.
fn away_document(control: &ControlState) -> Value {
    control.engine.store.away().map_or(Value::Null, |away| {
        json!({ "since": away.since.to_string(), "why": away.why, "readable": away.readable, "text": away.to_string() })
    })
}

/// What calls wait for that are made for no job, as one that finds a player: as `job.waiting` has it.
pub(super) async fn waiting(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    let waiting = control.waiting.of_calls().await;
    Ok(json!({ "waiting": waiting.map(|waiting| waiting.document()) }))
}

/// Takes readings of everything, now, and judges them. Who asks meanwhile gets the same.
pub(super) async fn health(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    let asked = Instant::now();
    let mut checked = control.checked.lock().await;
    if let Some((ended, check)) = &*checked
        && *ended >= asked
    {
        return Ok(check.clone());
    }
    // The wait for the turn is not the database's.
    let check = question::asked(control.health.check()).await;
    *checked = Some((Instant::now(), check.clone()));
    Ok(check)
}

/// One of the engines that share the database.
fn engine_document(engine: &EngineRow) -> Value {
    json!({
        "engine": engine.id, "state": engine.state.as_str(), "leads": engine.leads, "host": engine.host, "pid": engine.pid,
        "version": engine.version, "started_at": engine.started_at.to_string(), "silent_s": engine.silent.as_secs_f64(),
        "running": engine.running,
    })
}

/// All readings since the engine began, the tree of its actors, and what happened of late.
pub(super) async fn metrics(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    let engine = &control.engine;
    let totals: Vec<Value> = engine
        .telemetry
        .read()
        .await
        .iter()
        .map(|sample| Value::Object(sample.totals()))
        .collect();
    let actors: Vec<Value> = engine
        .metrics
        .actors
        .all()
        .iter()
        .map(|(path, actor)| {
            let mut told = json!({ "actor": path, "up": actor.up, "restarts": actor.restarts, "since": actor.since.to_string() });
            if let Some(state) = &actor.state {
                told["state"] = state.clone();
            }
            told
        })
        .collect();
    let (events, failures) = engine.metrics.events.recent();
    Ok(
        json!({ "v": VERSION, "totals": totals, "actors": actors, "events": events, "failures": failures }),
    )
}

/// What engines did here in the last hour, as the metrics log has it; nothing where this engine writes none.
pub(super) async fn history(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    let Some(files) = control.engine.telemetry.log_files().cloned() else {
        return Ok(json!({ "intervals": [] }));
    };
    let since = Timestamp::from_millis(Timestamp::now().as_millis() - HISTORY_MS);
    // The end of a file, and its lines: off the threads that serve others.
    let read = move || {
        let log = files.newest(history::BYTES_MAX)?;
        Ok::<_, std::io::Error>(history::intervals(&log, since))
    };
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.map_err(std::io::Error::other).flatten();
    let intervals = read.map_err(|error| {
        let why =
            format!("the metrics log cannot be read: {error}. Check metrics.log of the settings");
        RpcError::new(RpcError::INTERNAL, why)
    })?;
    let document = |one: &history::Interval| {
        json!({
            "from": one.from.to_string(), "to": one.to.to_string(), "jobs": one.jobs, "failed": one.failed,
            "calls": one.calls, "commit_p99_ms": one.commit_p99_ms, "database_bytes": one.database_bytes,
        })
    };
    let intervals: Vec<Value> = intervals.iter().map(document).collect();
    Ok(json!({ "intervals": intervals }))
}

/// The settings it began with, and where each comes from. What a flag says stands above them.
pub(super) fn settings(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    Ok(json!({ "settings": control.about.settings }))
}

/// Starts no more jobs; those that run go on to their end. `queue.resume` takes it back.
pub(super) async fn drain(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    control.engine.queues.pause_all();
    status(control, Params::default()).await
}

/// Ends the engine as SIGTERM does. The connection closes when it has ended.
pub(super) fn stop(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    control.ask_to_stop();
    Ok(json!({ "state": "stopping", "pid": std::process::id() }))
}

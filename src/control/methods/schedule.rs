//! `schedule.*`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Answer;
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::engine::scheduler::check_schedule;
use crate::model::cadence::{Cadence, CatchUp, Turn};
use crate::model::{JobId, Timestamp};
use crate::store::schedules::{Schedule, StoredSchedule};

/// Arguments of a schedule's jobs at most, in bytes.
const ARGS_BYTES_MAX: usize = 64 << 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    name: String,
    /// A cron expression, `every 6h`, `at 2026-12-01T03:00` or `off`.
    when: String,
    kind: String,
    #[serde(default)]
    args: Option<Box<RawValue>>,
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    catch_up: Option<CatchUp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    name: String,
}

pub(super) async fn list(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    let schedules = control.engine.store.schedules().await?;
    Ok(schedules_document(&schedules, Timestamp::now()))
}

pub(super) async fn add(control: &ControlState, params: Params<'_>) -> Answer {
    let add = params.read::<Add>()?;
    let args = add.args.as_deref().map_or("{}", RawValue::get);
    if args.len() > ARGS_BYTES_MAX {
        return Err(RpcError::invalid(format!(
            "args have {} bytes; at most {ARGS_BYTES_MAX} are taken",
            args.len()
        )));
    }
    if !args.starts_with('{') {
        return Err(RpcError::invalid("args must be an object"));
    }
    let mut schedule = Schedule {
        name: add.name,
        expression: add.when.trim().to_owned(),
        zone: add.timezone.unwrap_or_else(|| "UTC".to_owned()),
        catch_up: CatchUp::Skip,
        kind: add.kind,
        args: args.to_owned(),
    };
    let now = Timestamp::now();
    let cadence = check_schedule(&control.engine.registry, &schedule).map_err(RpcError::invalid)?;
    schedule.catch_up = add.catch_up.unwrap_or_else(|| cadence.usual_catch_up());
    let next = cadence.next_after(now, now);
    if next.is_none() && !cadence.is_off() {
        return Err(RpcError::invalid(format!(
            "'{}' never comes: it lies in the past, or on no day of any month",
            schedule.expression
        )));
    }
    let name = schedule.name.clone();
    let store = &control.engine.store;
    store.put_schedule(schedule, now).await?;
    store.hints().schedules().notify_one();
    Ok(json!({ "name": name, "next": next.map(|next| next.to_string()) }))
}

pub(super) async fn remove(control: &ControlState, params: Params<'_>) -> Answer {
    let name = params.read::<Remove>()?.name;
    let store = &control.engine.store;
    if !store.remove_schedule(&name).await? {
        let name: String = name.chars().take(100).collect();
        let text = format!("there is no schedule '{name}'");
        return Err(RpcError::new(RpcError::NOT_FOUND, text));
    }
    store.hints().schedules().notify_one();
    Ok(json!({ "name": name, "removed": true }))
}

/// Schedules as every program sees them.
pub fn schedules_document(schedules: &[StoredSchedule], now: Timestamp) -> Value {
    let lines: Vec<Value> = schedules.iter().map(|stored| line(stored, now)).collect();
    json!({ "schedules": lines })
}

fn line(stored: &StoredSchedule, now: Timestamp) -> Value {
    let schedule = &stored.schedule;
    let cadence = Cadence::parse(&schedule.expression, &schedule.zone);
    let (next, problem) = match &cadence {
        Ok(cadence) => {
            let turn = cadence.turn(schedule.catch_up, stored.last_tick, stored.made, now);
            let next = match turn {
                Turn::Wait(next) => next,
                // It is dealt with just now.
                Turn::Run(at) => Some(at),
                Turn::Pass(at) => cadence.next_after(at.max(now), stored.made),
                Turn::Astray(_) => cadence.next_after(now, stored.made),
            };
            (next.map(|next| next.to_string()), None)
        }
        Err(why) => (None, Some(why)),
    };
    let args: Value = serde_json::from_str(&schedule.args).unwrap_or_default();
    json!({
        "name": schedule.name, "when": schedule.expression, "timezone": schedule.zone,
        "catch_up": schedule.catch_up, "kind": schedule.kind, "args": args, "origin": stored.origin.as_str(),
        "last": stored.last_tick.map(|last| last.to_string()), "last_job": stored.last_job.map(|JobId(id)| id),
        "next": next, "problem": problem,
    })
}

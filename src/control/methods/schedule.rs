//! `schedule.*`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Answer;
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::control::view;
use crate::engine::OrderError;
use crate::engine::scheduler::check_schedule;
use crate::model::cadence::{Cadence, CatchUp, Turn};
use crate::model::{JobId, JobRecord, Timestamp};
use crate::store::JobFilter;
use crate::store::schedules::{Schedule, StoredSchedule};

/// Arguments of a schedule's jobs at most, in bytes.
const ARGS_BYTES_MAX: usize = 64 << 10;
/// Runs of one answer.
const RUNS_DEFAULT: usize = 20;
const RUNS_MAX: usize = 200;
/// Jobs of one kind that a look compares, and looks for the runs of one schedule.
const RUNS_LOOKED_AT: usize = 200;
const SEARCHES_OF_ONE: usize = 8;

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
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Runs {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

pub(super) async fn list(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    let schedules = control.engine.store.schedules().await?;
    let mut document = schedules_document(&schedules, Timestamp::now());
    for (line, stored) in document["schedules"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .zip(&schedules)
    {
        let schedule = &stored.schedule;
        if line["problem"].is_null() && !is_off(&schedule.expression) {
            // What its job is made of may not be what this engine has settings for.
            let order = control
                .engine
                .registry
                .order(&schedule.kind, &schedule.args);
            line["problem"] = match order {
                Ok(_) => Value::Null,
                Err(OrderError::Arguments(why)) => json!(why),
                Err(OrderError::UnknownKind { .. }) => {
                    json!(format!("no task of kind '{}' is known here", schedule.kind))
                }
            };
        }
    }
    Ok(document)
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
    let name = params.read::<Named>()?.name;
    let store = &control.engine.store;
    if !store.remove_schedule(&name).await? {
        return Err(unknown(&name));
    }
    store.hints().schedules().notify_one();
    Ok(json!({ "name": name, "removed": true }))
}

fn unknown(name: &str) -> RpcError {
    let name: String = name.chars().take(100).collect();
    let text = format!("there is no schedule '{name}'");
    RpcError::new(RpcError::NOT_FOUND, text)
}

/// Starts no more jobs of a schedule until it is resumed. One of the configuration is changed there.
pub(super) async fn pause(control: &ControlState, params: Params<'_>) -> Answer {
    set_paused(control, params, true).await
}

/// Its next run is the first that comes: what it missed is not made up for.
pub(super) async fn resume(control: &ControlState, params: Params<'_>) -> Answer {
    set_paused(control, params, false).await
}

async fn set_paused(control: &ControlState, params: Params<'_>, paused: bool) -> Answer {
    let name = params.read::<Named>()?.name;
    let store = &control.engine.store;
    let mut schedules = store.schedules().await?.into_iter();
    let known = schedules.find(|stored| stored.schedule.name == name);
    let mut schedule = known.ok_or_else(|| unknown(&name))?.schedule;
    schedule.expression = if paused {
        put_off(&schedule.expression)
    } else {
        let on = put_on(&schedule.expression);
        on.ok_or_else(|| {
            let text = format!(
                "the schedule '{name}' has no times to go on with: give it some with riftsync schedule add"
            );
            RpcError::new(RpcError::CONFLICT, text)
        })?
    };
    let now = Timestamp::now();
    store.put_schedule(schedule, now).await?;
    store.hints().schedules().notify_one();
    let schedules = store.schedules().await?;
    let changed = schedules.iter().find(|stored| stored.schedule.name == name);
    Ok(changed.map_or(Value::Null, |stored| line(stored, now)))
}

/// An expression that is off, and has what it goes on with.
fn put_off(expression: &str) -> String {
    if is_off(expression) {
        expression.to_owned()
    } else {
        format!("off {expression}")
    }
}

/// What an expression goes on with; none: it has nothing.
fn put_on(expression: &str) -> Option<String> {
    let mut rest = expression.trim();
    while is_off(rest) {
        rest = rest.strip_prefix("off")?.trim();
    }
    (!rest.is_empty()).then(|| rest.to_owned())
}

fn is_off(expression: &str) -> bool {
    expression == "off" || expression.starts_with("off ")
}

/// The last jobs of all schedules or of one, the newest first: those of its kind with its arguments, whoever had them
/// run. They are looked for among the newest jobs of the kind; the last one that a schedule itself started is known by
/// its number, and found however many came after it.
pub(super) async fn runs(control: &ControlState, params: Params<'_>) -> Answer {
    let asked = params.read::<Runs>()?;
    let limit = asked.limit.unwrap_or(RUNS_DEFAULT);
    if limit > RUNS_MAX {
        return Err(RpcError::invalid(format!(
            "limit is {limit}; at most {RUNS_MAX}"
        )));
    }
    let store = &control.engine.store;
    let mut schedules = store.schedules().await?;
    let searches = match &asked.name {
        Some(name) => {
            schedules.retain(|stored| stored.schedule.name == *name);
            if schedules.is_empty() {
                return Err(unknown(name));
            }
            SEARCHES_OF_ONE
        }
        None => 1,
    };
    let wanted: Vec<Wanted> = schedules
        .iter()
        .map(|stored| Wanted::of(control, stored))
        .collect();
    let kinds: BTreeSet<&str> = wanted.iter().map(|one| &*one.kind).collect();
    let mut found: BTreeMap<JobId, (&str, JobRecord)> = BTreeMap::new();
    for kind in kinds {
        let mut filter = JobFilter {
            kind: Some(kind.to_owned()),
            limit: RUNS_LOOKED_AT,
            ..JobFilter::default()
        };
        for _ in 0..searches {
            let list = store.list_jobs(&filter).await?;
            filter.before = list.next(filter.limit);
            for job in list.jobs {
                let mut wanted = wanted.iter();
                if let Some(of) = wanted.find(|one| one.kind == kind && one.args == job.args) {
                    found.insert(job.id, (&of.name, job));
                }
            }
            if filter.before.is_none() || found.len() >= limit {
                break;
            }
        }
    }
    let too_many = found.len().saturating_sub(limit);
    let mut newest = match found.keys().nth(too_many).copied() {
        Some(first) => found.split_off(&first),
        None => BTreeMap::new(),
    };
    for stored in &schedules {
        if let Some(id) = stored.last_job.filter(|id| !newest.contains_key(id))
            && let Some(job) = store.job(id).await?
        {
            newest.insert(id, (&stored.schedule.name, job));
        }
    }
    let newest = newest.values().rev().map(|(name, job)| {
        let mut line = view::line(control.document, job);
        line["schedule"] = json!(name);
        line
    });
    Ok(json!({ "runs": newest.collect::<Vec<Value>>() }))
}

/// What jobs of a schedule look like.
struct Wanted {
    name: String,
    kind: String,
    args: Value,
}

impl Wanted {
    fn of(control: &ControlState, stored: &StoredSchedule) -> Self {
        let schedule = &stored.schedule;
        let order = control
            .engine
            .registry
            .order(&schedule.kind, &schedule.args);
        // A job has them as its kind writes them.
        let args = order.map_or_else(|_| schedule.args.clone(), |job| job.args);
        Self {
            name: schedule.name.clone(),
            kind: schedule.kind.clone(),
            args: serde_json::from_str(&args).unwrap_or_default(),
        }
    }
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
        "paused": is_off(&schedule.expression),
        "name": schedule.name, "when": schedule.expression, "timezone": schedule.zone,
        "catch_up": schedule.catch_up, "kind": schedule.kind, "args": args, "origin": stored.origin.as_str(),
        "last": stored.last_tick.map(|last| last.to_string()), "last_job": stored.last_job.map(|JobId(id)| id),
        "next": next, "problem": problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_off_goes_on_with_what_it_was() {
        for expression in ["every 6h", "0 4 * * *", "at 2026-12-01T03:00"] {
            let off = put_off(expression);
            assert!(Cadence::parse(&off, "UTC").unwrap().is_off(), "{off}");
            assert_eq!(put_off(&off), off);
            assert_eq!(put_on(&off).as_deref(), Some(expression));
            assert_eq!(put_on(expression).as_deref(), Some(expression));
        }
        assert_eq!((put_off("off"), put_on("off")), ("off".to_owned(), None));
        assert_eq!(put_on("off off every 1h").as_deref(), Some("every 1h"));
        assert_eq!(put_on("off off"), None);
        assert!(!is_off("often"));
    }
}

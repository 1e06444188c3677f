//! `job.*`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Answer;
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::control::{view, waits};
use crate::engine::OrderError;
use crate::model::{After, JobId, JobState, NewJob, OnFailure, Priority, Rollup, Timestamp};
use crate::store::{Cancelled, JobFilter, Retried};

/// Arguments of one job at most, in bytes.
const ARGS_BYTES_MAX: usize = 64 << 10;
/// Jobs that one may wait for.
const AFTER_MAX: usize = 1_000;
const LIST_DEFAULT: usize = 50;
const LIST_MAX: usize = 1_000;
/// The latest that a job may be put off.
const DELAY_S_MAX: u64 = 10 * 366 * 86_400;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Submit {
    kind: String,
    #[serde(default)]
    args: Option<Box<RawValue>>,
    #[serde(default)]
    priority: Option<u8>,
    #[serde(default)]
    delay_s: Option<u64>,
    #[serde(default)]
    after: Vec<i64>,
    #[serde(default)]
    on_failure: Policy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    #[default]
    Cancel,
    RunAnyway,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmitBatch {
    jobs: Vec<Submit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct OneJob {
    pub job_id: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    state: Option<JobState>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    before: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct OneSubscription {
    pub subscription: u64,
}

impl Submit {
    fn into_job(self, control: &ControlState, now: Timestamp) -> Result<NewJob, RpcError> {
        let args = self.args.as_deref().map_or("{}", RawValue::get);
        if args.len() > ARGS_BYTES_MAX {
            return Err(RpcError::invalid(format!(
                "args have {} bytes; at most {ARGS_BYTES_MAX} are taken",
                args.len()
            )));
        }
        if !args.starts_with('{') {
            return Err(RpcError::invalid("args must be an object"));
        }
        let mut job =
            control
                .engine
                .registry
                .order(&self.kind, args)
                .map_err(|error| match error {
                    OrderError::UnknownKind { known } => RpcError::invalid(format!(
                        "there is no kind of job '{}'. Known: {known}",
                        self.kind.chars().take(100).collect::<String>()
                    )),
                    OrderError::Arguments(why) => {
                        RpcError::invalid(format!("args of {}: {why}", self.kind))
                    }
                })?;
        match self.priority {
            Some(priority @ 0..=9) => job.priority = Priority::new(priority),
            Some(other) => {
                return Err(RpcError::invalid(format!(
                    "priority is {other}; it must be 0 (first) to 9"
                )));
            }
            None => {}
        }
        if let Some(delay_s) = self.delay_s {
            if delay_s > DELAY_S_MAX {
                return Err(RpcError::invalid(format!(
                    "delay_s is {delay_s}; at most {DELAY_S_MAX} (ten years) are taken"
                )));
            }
            job.run_at = Some(now + std::time::Duration::from_secs(delay_s));
        }
        if self.after.len() > AFTER_MAX {
            return Err(RpcError::invalid(format!(
                "a job comes after at most {AFTER_MAX} others; for more, use one batch"
            )));
        }
        job.after = After {
            jobs: self.after.into_iter().map(JobId).collect(),
            on_failure: match self.on_failure {
                Policy::Cancel => OnFailure::Cancel,
                Policy::RunAnyway => OnFailure::RunAnyway,
            },
        };
        Ok(job)
    }
}

fn accepts(control: &ControlState) -> Result<(), RpcError> {
    if control.is_stopping() {
        let why =
            "the engine is stopping and takes no new jobs; start it again with: riftsync serve";
        return Err(RpcError::new(RpcError::UNAVAILABLE, why));
    }
    Ok(())
}

pub(super) async fn submit(control: &ControlState, params: Params<'_>) -> Answer {
    accepts(control)?;
    let now = Timestamp::now();
    let job = params.read::<Submit>()?.into_job(control, now)?;
    let enqueued = control.engine.store.enqueue(vec![job], now).await?;
    let enqueued = enqueued
        .first()
        .ok_or_else(|| RpcError::new(RpcError::INTERNAL, "the store enqueued nothing"))?;
    Ok(json!({ "job_id": enqueued.id, "joined": enqueued.joined }))
}

pub(super) async fn submit_batch(control: &ControlState, params: Params<'_>) -> Answer {
    accepts(control)?;
    let now = Timestamp::now();
    let orders = params.read::<SubmitBatch>()?.jobs;
    let max = control.limits.jobs;
    if orders.len() > max {
        return Err(RpcError::invalid(format!(
            "a batch of {} jobs is too large; at most {max} go in one",
            orders.len()
        )));
    }
    let jobs: Result<Vec<NewJob>, RpcError> = orders
        .into_iter()
        .enumerate()
        .map(|(number, order)| {
            order.into_job(control, now).map_err(|mut error| {
                error.message = format!("jobs[{number}]: {}", error.message);
                error
            })
        })
        .collect();
    let batch = control.engine.store.enqueue_batch(jobs?, now).await?;
    let jobs: Vec<Value> = batch
        .jobs
        .iter()
        .map(|job| json!({ "job_id": job.id, "joined": job.joined }))
        .collect();
    Ok(json!({ "job_id": batch.id, "jobs": jobs }))
}

pub(super) async fn get(control: &ControlState, params: Params<'_>) -> Answer {
    let id = JobId(params.read::<OneJob>()?.job_id);
    let job = control.engine.store.job(id).await?;
    let job = job.ok_or_else(|| unknown(id))?;
    let mut document = view::whole(control.document, &job);
    // With what its descendants wait for.
    let waiting = if job.state.is_final() {
        None
    } else {
        control.waiting.of(id).await
    };
    document["waiting"] = json!(waiting.map(|waiting| waiting.document()));
    Ok(document)
}

/// How long the job will take by what is known now; null when nothing is.
pub(super) async fn time_left(control: &ControlState, params: Params<'_>) -> Answer {
    let id = JobId(params.read::<OneJob>()?.job_id);
    let job = control.engine.store.job(id).await?;
    let job = job.ok_or_else(|| unknown(id))?;
    let left = control.time_left.of(&job).await;
    let so_far = control.engine.store.so_far(id).await?;
    let counts = Rollup {
        kinds: so_far.rollup.kinds,
        ..Rollup::default()
    };
    Ok(json!({ "job_id": id, "eta_s": left.map(|left| left.as_secs()), "rollup": counts }))
}

/// What the job waits for now: `waiting` with `reason` (a stable word), `text` (a sentence) and `left_s`; null when it is
/// over or nobody can know.
pub(super) async fn waiting(control: &ControlState, params: Params<'_>) -> Answer {
    let id = JobId(params.read::<OneJob>()?.job_id);
    // A database that does not answer is itself what the job waits for.
    if let Ok(None) = control.engine.store.job(id).await {
        return Err(unknown(id));
    }
    let waiting = control.waiting.of(id).await;
    Ok(json!({ "job_id": id, "waiting": waiting.map(|waiting| waiting.document()) }))
}

pub(super) async fn list(control: &ControlState, params: Params<'_>) -> Answer {
    let list = params.read::<List>()?;
    let limit = list.limit.unwrap_or(LIST_DEFAULT);
    if limit > LIST_MAX {
        return Err(RpcError::invalid(format!(
            "limit is {limit}; at most {LIST_MAX}. Ask for more with before: the last job_id of a list"
        )));
    }
    let filter = JobFilter {
        state: list.state,
        kind: list.kind,
        queue: list.queue,
        before: list.before.map(JobId),
        limit,
    };
    let list = control.engine.store.list_jobs(&filter).await?;
    let mut lines: Vec<Value> = (list.jobs.iter())
        .map(|job| view::line(control.document, job))
        .collect();
    waits::of_jobs(control, &list.jobs, &mut lines).await;
    // Jobs before that one were not looked at; `before` goes on there.
    Ok(json!({ "jobs": lines, "searched_to": list.searched_to }))
}

pub(super) async fn cancel(control: &ControlState, params: Params<'_>) -> Answer {
    let id = JobId(params.read::<OneJob>()?.job_id);
    match control.engine.store.cancel(id, Timestamp::now()).await? {
        Cancelled::Now => Ok(json!({ "job_id": id, "cancelled": true })),
        // It runs, and is asked to end.
        Cancelled::Requested => Ok(json!({ "job_id": id, "cancelled": false, "requested": true })),
        Cancelled::Final(state) => Err(RpcError::new(
            RpcError::CONFLICT,
            format!("job {id} is {state} already"),
        )),
        Cancelled::Unknown => Err(unknown(id)),
    }
}

pub(super) async fn retry(control: &ControlState, params: Params<'_>) -> Answer {
    accepts(control)?;
    let id = JobId(params.read::<OneJob>()?.job_id);
    match control.engine.store.retry(id, Timestamp::now()).await? {
        Retried::Available => Ok(json!({ "job_id": id, "joined": false })),
        Retried::Joined(other) => Ok(json!({ "job_id": other, "joined": true })),
        Retried::NotFailed(state) => Err(RpcError::new(
            RpcError::CONFLICT,
            format!("job {id} is {state}; only cancelled and discarded jobs are run again"),
        )),
        Retried::Unknown => Err(unknown(id)),
    }
}

pub(in crate::control) fn unknown(id: JobId) -> RpcError {
    RpcError::new(RpcError::NOT_FOUND, format!("there is no job {id}"))
}

/// Open children of one answer.
const CHILDREN_MAX: usize = 50;

/// Whom a job belongs to, and what is open below it: each as a list has it, and its counts of its own children.
pub(super) async fn family(control: &ControlState, params: Params<'_>) -> Answer {
    let id = JobId(params.read::<OneJob>()?.job_id);
    let store = &control.engine.store;
    let mut above = Vec::new();
    let mut below = Vec::new();
    for (id, steps) in store.family(id, CHILDREN_MAX + 1).await? {
        // It may have ended and been deleted since.
        let Some(record) = store.job(id).await? else {
            continue;
        };
        let mut line = view::line(control.document, &record);
        line["children_pending"] = json!(record.children_pending);
        if steps < 0 { &mut above } else { &mut below }.push(line);
    }
    let more = below.len() > CHILDREN_MAX;
    below.truncate(CHILDREN_MAX);
    Ok(json!({ "parents": above, "children": below, "more": more }))
}

//! `job list|show|wait|cancel|retry`: through the engine, or, if none runs, on the database itself.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::doing::waiting_of;
use super::table::table;
use super::{Ask as _, Reach, text};
use crate::cli::waits::{self, Bars};
use crate::cli::{CliError, JobVerb, ListArgs};
use crate::control::client::ClientError;
use crate::control::{Client, view};
use crate::model::{JobId, Timestamp};
use crate::store::{Cancelled, JobFilter, Location, Retried};
use crate::tasks::job_document;

/// The column of the state.
const STATE: usize = 3;
/// How often it is looked whether something moves.
const LOOK: Duration = Duration::from_millis(500);

pub async fn job(reach: &Reach, verb: JobVerb) -> Result<(), CliError> {
    let engine = reach.engine_if_any().await?;
    match (verb, engine) {
        (JobVerb::List(args), Some(engine)) => list(reach, engine, &args).await,
        (JobVerb::List(args), None) => list_offline(reach, &args).await,
        (JobVerb::Show { id }, Some(mut engine)) => {
            let job = engine.ask("job.get", json!({ "job_id": id })).await?;
            crate::outln!("{job:#}");
            Ok(())
        }
        (JobVerb::Show { id }, None) => {
            crate::outln!("{:#}", read(reach, id).await?);
            Ok(())
        }
        (JobVerb::Wait { ids }, Some(engine)) => wait(reach, engine, &ids).await,
        (JobVerb::Wait { ids }, None) => wait_offline(reach, &ids).await,
        (JobVerb::Cancel { id }, Some(mut engine)) => {
            let answer = engine.ask("job.cancel", json!({ "job_id": id })).await?;
            let said = if answer["cancelled"] == true {
                format!("job {id} is cancelled")
            } else {
                format!("job {id} runs; it is asked to end, and is then cancelled")
            };
            reach.show(&answer, |_| said);
            Ok(())
        }
        (JobVerb::Retry { id }, Some(mut engine)) => {
            let answer = engine.ask("job.retry", json!({ "job_id": id })).await?;
            let said = if answer["joined"] == true {
                format!("job {} does the same already", answer["job_id"])
            } else {
                format!("job {id} has all its attempts again")
            };
            reach.show(&answer, |_| said);
            Ok(())
        }
        (JobVerb::Cancel { id }, None) => cancel_offline(reach, JobId(id)).await,
        (JobVerb::Retry { id }, None) => retry_offline(reach, JobId(id)).await,
    }
}

async fn list(reach: &Reach, mut engine: Client, args: &ListArgs) -> Result<(), CliError> {
    let mut params = json!({ "limit": args.limit });
    for (name, value) in [
        ("state", args.state.map(|state| state.to_string())),
        ("kind", args.kind.clone()),
        ("queue", args.queue.clone()),
    ] {
        if let Some(value) = value {
            params[name] = json!(value);
        }
    }
    if let Some(before) = args.before {
        params["before"] = json!(before);
    }
    let mut jobs: Vec<Value> = Vec::new();
    let wait = waits::reasons();
    // One answer looks at a bounded number of jobs; the rest is asked for until there are enough.
    loop {
        let mut answer = engine.ask("job.list", params.clone()).await?;
        if let Some(more) = answer["jobs"].as_array_mut() {
            jobs.append(more);
        }
        let wanted = usize::from(args.limit).saturating_sub(jobs.len());
        let Some(before) = answer["searched_to"].as_i64().filter(|_| wanted > 0) else {
            break;
        };
        wait.reason(
            "search",
            &format!("jobs before {before} are looked at"),
            None,
        );
        params["before"] = json!(before);
        params["limit"] = json!(wanted);
    }
    drop(wait);
    reach.show(&json!({ "jobs": jobs }), jobs_table);
    Ok(())
}

async fn list_offline(reach: &Reach, args: &ListArgs) -> Result<(), CliError> {
    let mut filter = JobFilter {
        state: args.state,
        kind: args.kind.clone(),
        queue: args.queue.clone(),
        before: args.before.map(JobId),
        limit: usize::from(args.limit),
    };
    let store = reach.read_only().await?;
    let mut jobs = Vec::new();
    while filter.limit > 0 {
        let more = store.list_jobs(&filter).await?;
        filter.limit -= more.jobs.len();
        jobs.extend(more.jobs);
        let Some(before) = more.searched_to else {
            break;
        };
        filter.before = Some(before);
    }
    let jobs: Vec<Value> = jobs
        .iter()
        .map(|job| view::line(job_document, job))
        .collect();
    reach.show(&json!({ "jobs": jobs }), jobs_table);
    Ok(())
}

fn jobs_table(answer: &Value) -> String {
    let jobs = answer["jobs"].as_array();
    if jobs.is_none_or(Vec::is_empty) {
        return "no such jobs".to_owned();
    }
    let rows = jobs.into_iter().flatten().map(|job| {
        let fields = ["job_id", "kind", "key", "state", "percent", "attempt"];
        let mut row: Vec<String> = fields.map(|field| text(&job[field])).into();
        let waiting = waiting_of(job);
        if waiting.is_some() && job["state"] == "running" {
            "waits".clone_into(&mut row[STATE]);
        }
        row.push(match (waiting, &job["error"]["message"]) {
            (Some(waiting), _) => waiting,
            (None, Value::Null) => text(&job["step"]),
            (None, message) => text(message),
        });
        row
    });
    let header = [
        "job",
        "kind",
        "key",
        "state",
        "%",
        "attempt",
        "step, wait or error",
    ];
    table(&header, rows)
}

/// Waits for all of them; the first that failed decides the exit code.
async fn wait(reach: &Reach, mut engine: Client, ids: &[i64]) -> Result<(), CliError> {
    let mut waiting = HashMap::new();
    for id in ids {
        let (subscription, _) = engine.subscribe(JobId(*id)).await?;
        waiting.insert(subscription, *id);
    }
    let wait = waits::reasons();
    let mut bars = Bars::new(&format!("job wait {}", joined(waiting.values())));
    let mut look = tokio::time::interval(LOOK);
    let mut failed = Vec::new();
    let mut stopped = std::pin::pin!(crate::cli::terminal::stop_signal());
    while !waiting.is_empty() {
        let mut told = tokio::select! {
            told = engine.notification() => told?,
            _ = look.tick() => {
                if bars.ask() && let Some(id) = waiting.values().min() {
                    wait.document(&super::waiting(&mut engine, JobId(*id)).await?);
                }
                continue;
            }
            () = &mut stopped => {
                drop(bars);
                crate::errln!("job {} goes on in the engine", joined(waiting.values()));
                return Err(CliError::Stopped);
            }
        };
        let subscription = told.params["subscription"].as_u64().unwrap_or(0);
        bars.set(told.params["job"].to_string(), |scene| {
            let open = waiting.len();
            let one = |job: &Value| text(&job["step"]).replace('_', " ");
            scene.status = match open {
                1 => vec![one(&told.params["job"])],
                open => vec![format!("{open} jobs are open")],
            };
        });
        if told.method != "job.ended" {
            continue;
        }
        if let Some(id) = waiting.remove(&subscription) {
            let job = told.params["job"].take();
            ended(reach, id, &job, &mut failed);
        }
    }
    outcome(&failed)
}

fn joined<'i>(ids: impl Iterator<Item = &'i i64>) -> String {
    let ids: Vec<String> = ids.map(ToString::to_string).collect();
    ids.join(", ")
}

async fn wait_offline(reach: &Reach, ids: &[i64]) -> Result<(), CliError> {
    let mut failed = Vec::new();
    for id in ids {
        let job = read(reach, *id).await?;
        let over = job["finished_at"].is_string();
        if !over {
            // It would wait for ever.
            return Err(ClientError::NoEngine(reach.socket.clone()).into());
        }
        ended(reach, *id, &job, &mut failed);
    }
    outcome(&failed)
}

fn ended(reach: &Reach, id: i64, job: &Value, failed: &mut Vec<i64>) {
    if job["success"] != true {
        failed.push(id);
    }
    reach.show(job, |job| {
        let why = match &job["error"]["message"] {
            Value::Null => String::new(),
            message => format!(": {}", text(message)),
        };
        format!(
            "job {id} {} is {}{why}",
            text(&job["kind"]),
            text(&job["state"])
        )
    });
}

fn outcome(failed: &[i64]) -> Result<(), CliError> {
    if failed.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = failed.iter().map(ToString::to_string).collect();
    let ids = ids.join(", ");
    Err(CliError::JobFailed(format!(
        "not completed: job {ids}. `riftsync job show ID` says more"
    )))
}

async fn read(reach: &Reach, id: i64) -> Result<Value, CliError> {
    let job = reach.read_only().await?.job(JobId(id)).await?;
    job.map(|job| view::whole(job_document, &job))
        .ok_or_else(|| unknown(reach, JobId(id)))
}

fn unknown(reach: &Reach, id: JobId) -> CliError {
    CliError::JobFailed(format!("{} has no job {id}", reach.database))
}

async fn cancel_offline(reach: &Reach, id: JobId) -> Result<(), CliError> {
    let opening = waits::opening(&reach.database);
    let store = reach.database.open_present().await?;
    drop(opening);
    let cancelled = store.cancel(id, Timestamp::now()).await;
    store.close().await?;
    let (now, said) = match cancelled? {
        Cancelled::Now => (true, format!("job {id} is cancelled")),
        Cancelled::Requested => (
            false,
            match reach.database {
                Location::Sqlite(_) => {
                    format!("job {id} ran when its engine ended; it is cancelled at the next start")
                }
                Location::Postgres(_) => format!("job {id} runs; its engine is asked to end it"),
            },
        ),
        Cancelled::Final(state) => {
            return Err(CliError::JobFailed(format!("job {id} is {state} already")));
        }
        Cancelled::Unknown => return Err(unknown(reach, id)),
    };
    reach.show(&json!({ "job_id": id, "cancelled": now }), |_| said);
    Ok(())
}

async fn retry_offline(reach: &Reach, id: JobId) -> Result<(), CliError> {
    let opening = waits::opening(&reach.database);
    let store = reach.database.open_present().await?;
    drop(opening);
    let retried = store.retry(id, Timestamp::now()).await;
    store.close().await?;
    let (job, said) = match retried? {
        Retried::Available => (
            id,
            format!("job {id} has all its attempts again; `riftsync serve` runs it"),
        ),
        Retried::Joined(other) => (
            other,
            format!("job {other} does the same already; `riftsync serve` runs it"),
        ),
        Retried::NotFailed(state) => {
            return Err(CliError::JobFailed(format!(
                "job {id} is {state}; only cancelled and discarded jobs are run again"
            )));
        }
        Retried::Unknown => return Err(unknown(reach, id)),
    };
    reach.show(&json!({ "job_id": job, "joined": job != id }), |_| said);
    Ok(())
}

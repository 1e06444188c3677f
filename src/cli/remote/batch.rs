//! Jobs of many syncs through a running engine: submit, follow, report.

use std::time::Duration;

use serde_json::{Value, json};

use super::sync::waiting;
use super::{Ask as _, Reach};
use crate::cli::batch::{BatchBars, BatchCount, BatchReport, Failed};
use crate::cli::{CliError, terminal};
use crate::control::{Client, ClientError};
use crate::model::{JobId, Rollup};

/// How often the engine is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// Submits by `method`, and follows unless told not to.
pub async fn batch(
    reach: &Reach,
    mut engine: Client,
    title: &str,
    method: &str,
    submit: Value,
    detach: bool,
) -> Result<(), CliError> {
    let submitted = engine.ask(method, submit).await?;
    let id = JobId(submitted["job_id"].as_i64().unwrap_or(0));
    if detach {
        reach.show(&json!({ "job_id": id }), |_| {
            format!("job {id} is in the engine's hands; `riftsync job wait {id}` waits for it")
        });
        return Ok(());
    }
    let mut bars = BatchBars::new(title);
    let followed = tokio::select! {
        followed = follow(&mut engine, id, &mut bars) => followed,
        () = terminal::stop_signal() => Err(CliError::Detached(id)),
    };
    let took = bars.clear();
    let report = followed?;
    if reach.json {
        crate::outln!("{}", report.document());
    } else {
        crate::outln!("{}", report.text(took));
    }
    report.outcome()
}

/// What its descendants came to so far, and how long it will take; null: the engine is an older one.
async fn outlook(engine: &mut Client, id: JobId) -> Result<Value, CliError> {
    match engine.ask("job.time_left", json!({ "job_id": id })).await {
        Ok(answer) => Ok(answer),
        Err(ClientError::Refused(_)) => Ok(Value::Null),
        Err(error) => Err(error.into()),
    }
}

async fn follow(
    engine: &mut Client,
    id: JobId,
    bars: &mut BatchBars,
) -> Result<BatchReport, CliError> {
    // What it tells is asked for besides; but an engine that could end knows then that it is waited for.
    engine.subscribe(id).await?;
    loop {
        let job = engine.ask("job.get", json!({ "job_id": id })).await?;
        let rollup: Rollup = serde_json::from_value(job["rollup"].clone()).unwrap_or_default();
        let state = job["state"].as_str().unwrap_or_default();
        let is_over = ["completed", "cancelled", "discarded"].contains(&state);
        let outlook = if is_over {
            Value::Null
        } else {
            outlook(engine, id).await?
        };
        // An older engine tells only of players that are done.
        let so_far = serde_json::from_value(outlook["rollup"].clone());
        let count = BatchCount::of(so_far.as_ref().unwrap_or(&rollup));
        bars.show(count, is_over || state == "blocked");
        bars.left(outlook["eta_s"].as_u64().map(Duration::from_secs));
        if is_over {
            let mut report = BatchReport::of(id, state, &rollup);
            if let Some(why) = job["error"]["message"].as_str() {
                report.job_failed(Failed {
                    kind: job["kind"].as_str().unwrap_or_default().to_owned(),
                    key: job["key"].as_str().unwrap_or_default().to_owned(),
                    reason: why.to_owned(),
                });
            }
            return Ok(report);
        }
        if bars.ask() {
            bars.wait().document(&waiting(engine, id).await?);
        }
        let status = engine.ask("engine.status", json!({})).await?;
        if status["key"] == "rejected" {
            return Err(CliError::EngineKeyRejected);
        }
        let gone = async {
            loop {
                if let Err(error) = engine.notification().await {
                    return error;
                }
            }
        };
        if let Ok(error) = tokio::time::timeout(LOOK, gone).await {
            return Err(error.into());
        }
    }
}

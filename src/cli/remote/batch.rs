//! Jobs of many syncs: submit, follow, report.

use serde_json::{Value, json};

use super::follow::{follow, show_detached, submit, whole};
use super::{Reach, Session};
use crate::cli::CliError;
use crate::cli::batch::{BatchBars, BatchReport, Failed};
use crate::model::Rollup;

/// Submits by `method`, and follows unless told not to.
pub async fn batch(
    reach: &Reach,
    session: &mut Session,
    title: &str,
    (method, order): (&str, Value),
    detach: bool,
) -> Result<(), CliError> {
    let (id, submitted) = submit(session, method, order).await?;
    if detach {
        show_detached(reach, id, &json!({ "job_id": submitted["job_id"] }));
        return Ok(());
    }
    let mut bars = BatchBars::new(title);
    follow(session, id, &mut bars).await?;
    let job = whole(session, id, &bars).await?;
    let took = bars.clear();
    let rollup: Rollup = serde_json::from_value(job["rollup"].clone()).unwrap_or_default();
    let state = job["state"].as_str().unwrap_or_default();
    let mut report = BatchReport::of(id, state, &rollup);
    if let Some(why) = job["error"]["message"].as_str() {
        report.job_failed(Failed {
            kind: job["kind"].as_str().unwrap_or_default().to_owned(),
            key: job["key"].as_str().unwrap_or_default().to_owned(),
            reason: why.to_owned(),
        });
    }
    reach.show(&report.document(), |_| report.text(took));
    report.outcome()
}

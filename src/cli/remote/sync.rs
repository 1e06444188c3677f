//! `sync` of a player, and jobs that one waits for: submit, follow, show.

use std::time::Duration;

use serde_json::{Value, json};

use super::follow::{follow, show_detached, submit, succeeded, time_left};
use super::{Reach, Session};
use crate::cli::follow::{
    Follow, called, next_text, plan_text, report_of, summary_of, tell_notes, typed,
};
use crate::cli::{CliError, stats};
use crate::control::ClientError;
use crate::model::{JobId, Priority, Route};
use crate::tasks::{PlayerReport, PlayerSync, PlayerSyncArgs};

/// Brings the order to the engine, and follows it unless told not to.
pub async fn sync(
    reach: &Reach,
    session: &mut Session,
    order: &PlayerSyncArgs,
    detach: bool,
) -> Result<(), CliError> {
    // Nobody waits for what is left to the engine: a shell's loop over many players is a crawl.
    let priority = if detach {
        Priority::DEFAULT
    } else {
        Priority::INTERACTIVE
    };
    let job = json!({ "kind": PlayerSync::KIND, "args": order, "priority": priority });
    let (id, submitted) = submit(session, "job.submit", job).await?;
    if detach {
        show_detached(reach, id, &submitted);
        return Ok(());
    }
    let title = format!("{} on {}, {}", order.who(), order.platform, order.year);
    let (mut job, took, calls) = until_ended(session, id, &title).await?;
    if order.dry_run && job["success"] == true {
        job["eta_s"] = time_left(session, id).await?["eta_s"].take();
    }
    succeeded(reach, id, &job)?;
    tell_notes(&job["result"]);
    let report = report_of(&job);
    if order.dry_run {
        if !reach.json {
            let route = Route::Region(order.platform.region());
            let left = job["eta_s"].as_u64().map(Duration::from_secs);
            crate::outln!("{}", plan_text(&report, route, left));
        }
        return Ok(());
    }
    crate::errln!("{}", summary_of(&report, order.year, took, calls));
    show_player(reach, session, order, &job, &report).await?;
    let world = if reach.simulated {
        " (a simulated world: nothing in it is real)"
    } else {
        ""
    };
    crate::errln!("stored in {}{world}", session.database());
    // A player without a name can be named in no command.
    if report.is_first()
        && let Some(name) = called(&job, order)
    {
        let named = typed(reach.typed.as_deref());
        crate::errln!("{}", next_text(&name, reach.simulated, named));
    }
    CliError::unless_complete(report.shortfall())
}

/// What is stored of the player's year now.
async fn show_player(
    reach: &Reach,
    session: &mut Session,
    order: &PlayerSyncArgs,
    job: &Value,
    report: &PlayerReport,
) -> Result<(), CliError> {
    let puuid = &job["result"]["puuid"];
    if !puuid.is_string() {
        return Ok(());
    }
    let asked = json!({ "puuid": puuid, "year": order.year.get() });
    match session.ask("player.stats", asked).await {
        Ok(told) => stats::show_year(reach.json, order, report, &told),
        // It is done all the same.
        Err(ClientError::Refused(error)) => crate::errln!(
            "what is stored of the year cannot be shown now: {}. `riftsync stats` shows it",
            error.message
        ),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Runs a job in the engine and waits for its end; returns its document, how long it took, and the calls.
pub async fn run(
    reach: &Reach,
    session: &mut Session,
    kind: &str,
    args: Value,
    title: &str,
) -> Result<(Value, Duration, u64), CliError> {
    let job = json!({ "kind": kind, "args": args, "priority": Priority::INTERACTIVE });
    let (id, _) = submit(session, "job.submit", job).await?;
    let (job, took, calls) = until_ended(session, id, title).await?;
    succeeded(reach, id, &job)?;
    Ok((job, took, calls))
}

async fn until_ended(
    session: &mut Session,
    id: JobId,
    title: &str,
) -> Result<(Value, Duration, u64), CliError> {
    let mut bars = Follow::new(title);
    let (job, calls) = follow(session, id, &mut bars).await?;
    Ok((job, bars.clear(), calls))
}

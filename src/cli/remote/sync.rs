//! `sync` through a running engine: submit, follow, show.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Ask as _, Reach, text};
use crate::cli::follow::{
    Follow, Progress, called, has_report, next_text, plan_text, summary_of, tell_notes, typed,
};
use crate::cli::{CliError, stats, terminal};
use crate::control::{Client, ClientError};
use crate::model::{JobId, Priority, Puuid, Route};
use crate::tasks::{PlayerReport, PlayerSync, PlayerSyncArgs};

/// How often the engine is asked for what its jobs do not tell: calls, and whether the key is taken.
const STATUS: Duration = Duration::from_secs(1);

/// Brings the order to the engine, and follows it unless told not to.
pub async fn sync(
    reach: &Reach,
    engine: &mut Client,
    order: &PlayerSyncArgs,
    detach: bool,
) -> Result<(), CliError> {
    // Nobody waits for what is left to the engine: a shell's loop over many players is a crawl.
    let priority = if detach {
        Priority::DEFAULT
    } else {
        Priority::INTERACTIVE
    };
    let submit = json!({ "kind": PlayerSync::KIND, "args": order, "priority": priority });
    let submitted = engine.ask("job.submit", submit).await?;
    let id = JobId(submitted["job_id"].as_i64().unwrap_or(0));
    if detach {
        reach.show(&submitted, |_| {
            format!("job {id} is in the engine's hands; `riftsync job wait {id}` waits for it")
        });
        return Ok(());
    }
    let title = format!("{} on {}, {}", order.who(), order.platform, order.year);
    let mut bars = Follow::new(&title);
    let followed = tokio::select! {
        followed = follow(engine, id, &mut bars) => followed,
        () = terminal::stop_signal() => Err(CliError::Detached(id)),
    };
    let took = bars.clear();
    let (mut job, calls) = followed?;
    let mut left = None;
    if order.dry_run && job["success"] == true {
        left = time_left(engine, id).await?;
        job["eta_s"] = json!(left.map(|left| left.as_secs()));
    }
    succeeded(reach, id, &job)?;
    tell_notes(&job["result"]);
    let report = report_of(&job);
    if order.dry_run {
        if !reach.json {
            let route = Route::Region(order.platform.region());
            crate::outln!("{}", plan_text(&report, route, left));
        }
        return Ok(());
    }
    eprintln!("{}", summary_of(&report, order.year, took, calls));
    if !reach.json {
        let store = reach.read_only().await?;
        let puuid = job["result"]["puuid"].as_str();
        let puuid: Vec<Puuid> = puuid
            .and_then(|text| text.parse().ok())
            .into_iter()
            .collect();
        if let Some(player) = store.players_by_puuid(&puuid).await?.first() {
            let year = order.year.get();
            let rows = store.yearly_stats(player.id, Some(year)).await?;
            let aborted = store.aborted_matches(player.id, year).await?;
            stats::show_year(reach.json, order, &report, &rows, aborted);
            stats::show_list_end(&*store, player.id, order).await?;
        }
        if report.is_first()
            && let Some(name) = called(&job, order)
        {
            let named = reach.typed.as_deref();
            eprintln!("{}", next_text(&name, false, typed(named)));
        }
    }
    CliError::unless_complete(report.shortfall())
}

/// Shows a job that has ended; an error if it failed.
fn succeeded(reach: &Reach, id: JobId, job: &Value) -> Result<(), CliError> {
    if reach.json {
        crate::outln!("{job}");
    }
    if job["success"] == true {
        return Ok(());
    }
    let error = &job["error"];
    let mut why = match &error["message"] {
        Value::Null => format!("job {id} is {}", text(&job["state"])),
        message => text(message),
    };
    if let Value::String(remedy) = &error["remedy"] {
        why = format!("{why}; {remedy}");
    }
    Err(CliError::JobFailed(why))
}

/// Runs a job in the engine and waits for its end; returns its document, how long it took, and the calls.
pub async fn run(
    reach: &Reach,
    engine: &mut Client,
    kind: &str,
    args: Value,
    title: &str,
) -> Result<(Value, Duration, u64), CliError> {
    let submit = json!({ "kind": kind, "args": args, "priority": Priority::INTERACTIVE });
    let submitted = engine.ask("job.submit", submit).await?;
    let id = JobId(submitted["job_id"].as_i64().unwrap_or(0));
    let mut bars = Follow::new(title);
    let followed = tokio::select! {
        followed = follow(engine, id, &mut bars) => followed,
        () = terminal::stop_signal() => Err(CliError::Detached(id)),
    };
    let took = bars.clear();
    let (job, calls) = followed?;
    succeeded(reach, id, &job)?;
    Ok((job, took, calls))
}

/// The job when it has ended, and how many calls the engine made meanwhile.
async fn follow(
    engine: &mut Client,
    id: JobId,
    bars: &mut Follow,
) -> Result<(Value, u64), CliError> {
    let mut calls = Calls::look(engine).await?;
    let (_, mut job) = engine.subscribe(id).await?;
    let mut look = tokio::time::interval(STATUS);
    loop {
        bars.show_progress(&progress_of(&job, calls.made()));
        tokio::select! {
            told = engine.notification() => {
                let mut told = told?;
                job = told.params["job"].take();
                if told.method == "job.ended" {
                    calls.look_again(engine).await?;
                    return Ok((job, calls.made()));
                }
            }
            _ = look.tick() => {
                calls.look_again(engine).await?;
                let blocked = job["state"] == "blocked";
                bars.left(if blocked { time_left(engine, id).await? } else { None });
                if bars.ask() {
                    bars.wait().document(&waiting(engine, id).await?);
                }
            }
        }
    }
}

/// How long the job will take; none: nobody can know, or the engine is an older one.
async fn time_left(engine: &mut Client, id: JobId) -> Result<Option<Duration>, CliError> {
    match engine.ask("job.time_left", json!({ "job_id": id })).await {
        Ok(answer) => Ok(answer["eta_s"].as_u64().map(Duration::from_secs)),
        Err(ClientError::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the job waits for; null: nobody knows, or the engine is an older one.
pub(super) async fn waiting(engine: &mut Client, id: JobId) -> Result<Value, CliError> {
    match engine.ask("job.waiting", json!({ "job_id": id })).await {
        Ok(mut answer) => Ok(answer["waiting"].take()),
        Err(ClientError::Refused(_)) => Ok(Value::Null),
        Err(error) => Err(error.into()),
    }
}

/// The engine's calls, counted from when it was first asked.
struct Calls {
    before: u64,
    now: u64,
}

impl Calls {
    async fn look(engine: &mut Client) -> Result<Self, CliError> {
        let mut calls = Self { before: 0, now: 0 };
        calls.look_again(engine).await?;
        calls.before = calls.now;
        Ok(calls)
    }

    async fn look_again(&mut self, engine: &mut Client) -> Result<(), CliError> {
        let status = engine.ask("engine.status", json!({})).await?;
        if status["key"] == "rejected" {
            return Err(CliError::EngineKeyRejected);
        }
        self.now = status["calls"].as_u64().unwrap_or(self.now);
        Ok(())
    }

    fn made(&self) -> u64 {
        self.now - self.before
    }
}

pub fn report_of(job: &Value) -> PlayerReport {
    // An answer of a newer engine may have more; one of an older less.
    serde_json::from_value(job["result"].clone()).unwrap_or_default()
}

fn progress_of(job: &Value, calls: u64) -> Progress {
    let error = &job["error"];
    let trouble = match (&error["message"], &error["remedy"]) {
        (Value::String(message), Value::String(remedy)) => Some(format!("{message}; {remedy}")),
        _ => None,
    };
    Progress {
        step: job["step"].as_str().unwrap_or("waiting").to_owned(),
        state: text(&job["state"]),
        report: (has_report(&text(&job["kind"])) && job["result"].is_object())
            .then(|| report_of(job)),
        calls,
        trouble,
    }
}

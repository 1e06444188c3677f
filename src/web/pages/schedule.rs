//! What runs by the clock.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use riftsync_basics::snapshot::Job;
use serde::Deserialize;
use serde_json::{Value, json};

use super::query;
use crate::ask::{AskError, ask};
use crate::respond;
use crate::shell::Shell;
use crate::show::{self, JobRow, When, duration};
use crate::site::Site;

/// Runs that the page shows.
const RUNS: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Schedules {
    schedules: Vec<Schedule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Schedule {
    name: String,
    kind: String,
    args: Value,
    when: String,
    timezone: String,
    origin: String,
    last: Option<String>,
    last_job: Option<i64>,
    next: Option<String>,
    problem: Option<String>,
    paused: bool,
}

/// `schedule.runs`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Runs {
    runs: Vec<Run>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    schedule: String,
    #[serde(flatten)]
    job: Job,
}

#[derive(Debug)]
struct Row {
    name: String,
    link: String,
    kind: String,
    args: String,
    when: String,
    timezone: String,
    by_hand: bool,
    /// It goes on with its times when it is resumed.
    paused: bool,
    /// It has none.
    is_off: bool,
    last: String,
    last_job: Option<i64>,
    next: String,
    problem: String,
}

#[derive(Debug)]
struct RunRow {
    schedule: String,
    job: JobRow,
    began: Option<When>,
    took: String,
}

#[derive(Template)]
#[template(path = "schedules.html")]
struct Page {
    shell: Shell,
    /// Whose runs are shown; empty: all of them.
    chosen: String,
    rows: Vec<Row>,
    runs: Vec<RunRow>,
    /// Why they are not shown.
    runs_untold: String,
    kinds: Vec<&'static str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chosen {
    name: String,
}

pub(crate) async fn schedules(
    State(site): State<Arc<Site>>,
    Query(chosen): Query<Chosen>,
) -> Response {
    let shell = Shell::new(&site, "schedules");
    let list: Schedules = match ask(&site.engine, "schedule.list", json!({})).await {
        Ok(list) => list,
        Err(error) => return respond::refused(shell, &error),
    };
    let chosen = chosen.name;
    let params = if chosen.is_empty() {
        json!({ "limit": RUNS })
    } else {
        json!({ "name": chosen, "limit": RUNS })
    };
    let (runs, runs_untold) = match ask::<Runs>(&site.engine, "schedule.runs", params).await {
        Ok(runs) => (runs.runs, String::new()),
        Err(error) if error.code == AskError::NOT_FOUND => return respond::refused(shell, &error),
        // The rest of the page is as good as ever.
        Err(error) => (Vec::new(), error.message),
    };
    respond::page(&Page {
        shell,
        rows: list.schedules.into_iter().map(row).collect(),
        runs: runs.iter().map(run_row).collect(),
        runs_untold,
        kinds: site.forms.iter().map(|form| form.kind).collect(),
        chosen,
    })
}

fn row(schedule: Schedule) -> Row {
    let when = schedule.when.strip_prefix("off ");
    Row {
        args: match &schedule.args {
            Value::Object(args) if !args.is_empty() => schedule.args.to_string(),
            _ => String::new(),
        },
        link: query(&[("name", &schedule.name)]),
        when: when.map_or_else(|| schedule.when.clone(), str::to_owned),
        name: schedule.name,
        kind: schedule.kind,
        timezone: schedule.timezone,
        by_hand: schedule.origin != "config",
        paused: schedule.paused && when.is_some(),
        is_off: schedule.paused && when.is_none(),
        last: schedule.last.unwrap_or_default(),
        last_job: schedule.last_job,
        next: schedule.next.unwrap_or_default(),
        problem: schedule.problem.unwrap_or_default(),
    }
}

fn run_row(run: &Run) -> RunRow {
    let took = match (run.job.started_at, run.job.finished_at) {
        (Some(began), Some(ended)) if ended >= began => {
            let took = ended.since(began);
            if took < Duration::from_secs(1) {
                format!("{} ms", took.as_millis())
            } else {
                duration(took.as_secs())
            }
        }
        _ => String::new(),
    };
    RunRow {
        schedule: run.schedule.clone(),
        job: show::job_row(&run.job),
        began: run.job.started_at.map(When::from),
        took,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    change: String,
    name: String,
    kind: String,
    when: String,
    timezone: String,
    args: String,
}

pub(crate) async fn change_schedule(
    State(site): State<Arc<Site>>,
    Form(wanted): Form<Wanted>,
) -> Response {
    let shell = Shell::new(&site, "schedules");
    let args: Value = match serde_json::from_str(if wanted.args.trim().is_empty() {
        "{}"
    } else {
        &wanted.args
    }) {
        Ok(args) => args,
        Err(error) => {
            let why = format!("The arguments are no JSON: {error}.");
            let remedy = r#"Write an object, such as {"max_players": 10}, or nothing."#;
            return respond::problem(
                shell,
                StatusCode::BAD_REQUEST,
                "That was not understood",
                &why,
                remedy,
            );
        }
    };
    let base = &site.place.settings.prefix;
    let (method, params, shown) = match &*wanted.change {
        "run" => {
            let params = json!({ "kind": wanted.kind, "args": args });
            ("job.submit", params, None)
        }
        "remove" => (
            "schedule.remove",
            json!({ "name": wanted.name }),
            Some("schedules"),
        ),
        "pause" | "resume" => {
            let method = match &*wanted.change {
                "pause" => "schedule.pause",
                _ => "schedule.resume",
            };
            (method, json!({ "name": wanted.name }), Some("schedules"))
        }
        "add" => {
            let mut params = json!({
                "name": wanted.name.trim(), "kind": wanted.kind, "when": wanted.when.trim(), "args": args,
            });
            if !wanted.timezone.trim().is_empty() {
                params["timezone"] = json!(wanted.timezone.trim());
            }
            ("schedule.add", params, Some("schedules"))
        }
        _ => {
            let message = "A schedule can be added, removed, paused, resumed, or run now.";
            return respond::problem(shell, StatusCode::NOT_FOUND, "No such change", message, "");
        }
    };
    match (site.engine.call(method, params).await, shown) {
        (Ok(_), Some(page)) => respond::see(&format!("{base}/{page}")),
        (Ok(done), None) => respond::see(&format!(
            "{base}/jobs/{}",
            done["job_id"].as_i64().unwrap_or(0)
        )),
        (Err(error), _) => respond::refused(shell, &error),
    }
}

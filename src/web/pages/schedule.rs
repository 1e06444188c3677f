//! What runs by the clock.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::ask;
use crate::respond;
use crate::shell::Shell;
use crate::site::Site;

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
}

#[derive(Debug)]
struct Row {
    name: String,
    kind: String,
    args: String,
    when: String,
    timezone: String,
    by_hand: bool,
    last: String,
    last_job: Option<i64>,
    next: String,
    problem: String,
}

#[derive(Template)]
#[template(path = "schedules.html")]
struct Page {
    shell: Shell,
    rows: Vec<Row>,
    kinds: Vec<&'static str>,
}

pub(crate) async fn schedules(State(site): State<Arc<Site>>) -> Response {
    let shell = Shell::new(&site, "schedules");
    let list: Schedules = match ask(&site.engine, "schedule.list", json!({})).await {
        Ok(list) => list,
        Err(error) => return respond::refused(shell, &error),
    };
    let row = |schedule: Schedule| Row {
        args: match &schedule.args {
            Value::Object(args) if !args.is_empty() => schedule.args.to_string(),
            _ => String::new(),
        },
        name: schedule.name,
        kind: schedule.kind,
        when: schedule.when,
        timezone: schedule.timezone,
        by_hand: schedule.origin != "config",
        last: schedule.last.unwrap_or_default(),
        last_job: schedule.last_job,
        next: schedule.next.unwrap_or_default(),
        problem: schedule.problem.unwrap_or_default(),
    };
    respond::page(&Page {
        shell,
        rows: list.schedules.into_iter().map(row).collect(),
        kinds: super::KINDS.iter().map(|kind| kind.name).collect(),
    })
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
            let message = "A schedule can be added, removed, or run now.";
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

//! Jobs: lists of them, one, and what can be done to one or to all of a list. And their queues.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream;
use riftsync_basics::Timestamp;
use riftsync_basics::job::AttemptError;
use riftsync_basics::rollup::{FailedChild, KindCount, Rollup};
use riftsync_basics::snapshot::Job;
use serde::Deserialize;
use serde_json::{Value, json};

use super::query;
use crate::ask::{AskError, ask};
use crate::respond;
use crate::shell::Shell;
use crate::show::{self, JobRow, When, duration, grouped};
use crate::site::Site;

const STATES: [&str; 8] = [
    "running",
    "available",
    "blocked",
    "scheduled",
    "retryable",
    "completed",
    "discarded",
    "cancelled",
];
/// Jobs of one page.
const PAGE: usize = 50;
/// Jobs of one question, and questions of one page, when a text is looked for.
const SEARCHED: usize = 1_000;
const SEARCHES_MAX: usize = 10;
/// Jobs that one change of all is for.
const ALL_MAX: usize = 10_000;
/// Children that failed, of those that one page names.
const LOST_MAX: usize = 20;
/// Changes under way at once: as many as share a commit or two.
const AT_ONCE: usize = 64;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    state: String,
    kind: String,
    queue: String,
    text: String,
    before: String,
}

impl Filter {
    fn query(&self, before: Option<i64>) -> String {
        let before = before.map_or_else(String::new, |id| id.to_string());
        query(&[
            ("state", &self.state),
            ("kind", &self.kind),
            ("queue", &self.queue),
            ("text", &self.text),
            ("before", &before),
        ])
    }

    fn params(&self, before: Option<i64>, limit: usize) -> Value {
        let mut params = json!({ "limit": limit });
        for (name, value) in [
            ("state", &self.state),
            ("kind", &self.kind),
            ("queue", &self.queue),
        ] {
            if !value.is_empty() {
                params[name] = json!(value);
            }
        }
        if let Some(before) = before {
            params["before"] = json!(before);
        }
        params
    }

    fn is_meant(&self, job: &Job) -> bool {
        let text = self.text.trim().to_lowercase();
        let has = |field: &str| field.to_lowercase().contains(&text);
        text.is_empty()
            || job.key.as_deref().is_some_and(has)
            || has(&job.kind)
            || job.error.as_ref().is_some_and(|error| has(&error.message))
    }
}

/// Jobs that are meant, newest first, and from where the search can go on.
#[derive(Debug, Default)]
struct Found {
    jobs: Vec<Job>,
    next: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    jobs: Vec<Job>,
    searched_to: Option<i64>,
}

/// Looks for jobs until there are so many, or it has looked at enough.
async fn search(
    site: &Site,
    filter: &Filter,
    most: usize,
    searches: usize,
) -> Result<Found, AskError> {
    let mut found = Found {
        next: filter.before.parse().ok(),
        ..Found::default()
    };
    let limit = if filter.text.trim().is_empty() {
        most.min(SEARCHED)
    } else {
        SEARCHED
    };
    for _ in 0..searches {
        let params = filter.params(found.next, limit);
        let list: List = ask(&site.engine, "job.list", params).await?;
        let is_full = list.jobs.len() >= limit;
        let oldest = list.jobs.last().map(|job| job.job_id).filter(|_| is_full);
        found.next = oldest.or(list.searched_to);
        for job in list.jobs {
            if !filter.is_meant(&job) {
                continue;
            }
            if found.jobs.len() == most {
                // It is the first of the next page.
                found.next = found.jobs.last().map(|job| job.job_id);
                return Ok(found);
            }
            found.jobs.push(job);
        }
        if found.next.is_none() || found.jobs.len() == most {
            break;
        }
    }
    Ok(found)
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct ListPage<'a> {
    shell: Shell,
    filter: &'a Filter,
    states: &'static [&'static str],
    kinds: Vec<&'static str>,
    jobs: Vec<JobRow>,
    next: Option<String>,
    first: bool,
    all: String,
    can_cancel: bool,
    can_retry: bool,
}

pub(crate) async fn jobs(State(site): State<Arc<Site>>, Query(filter): Query<Filter>) -> Response {
    let shell = Shell::new(&site, "jobs");
    let found = match search(&site, &filter, PAGE, SEARCHES_MAX).await {
        Ok(found) => found,
        Err(error) => return respond::refused(shell, &error),
    };
    let open = |state: &str| {
        matches!(
            state,
            "" | "available" | "blocked" | "scheduled" | "retryable" | "running"
        )
    };
    let failed = |state: &str| matches!(state, "discarded" | "cancelled");
    respond::page(&ListPage {
        shell,
        states: &STATES,
        kinds: site.forms.iter().map(|form| form.kind).collect(),
        jobs: found.jobs.iter().map(show::job_row).collect(),
        next: found.next.map(|next| filter.query(Some(next))),
        first: filter.before.is_empty(),
        all: filter.query(None),
        can_cancel: !found.jobs.is_empty() && !filter.state.is_empty() && open(&filter.state),
        can_retry: !found.jobs.is_empty() && failed(&filter.state),
        filter: &filter,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Whole {
    #[serde(flatten)]
    job: Job,
    args: Value,
    result: Value,
    errors: Vec<AttemptError>,
    max_attempts: u64,
    priority: u64,
    children_pending: u64,
    rollup: Rollup,
    success: bool,
}

/// `job.family`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Family {
    parents: Vec<Job>,
    children: Vec<Job>,
    more: bool,
}

#[derive(Template)]
#[template(path = "job.html")]
struct OneJob {
    shell: Shell,
    row: JobRow,
    args: String,
    result: String,
    errors: Vec<(AttemptError, When)>,
    attempts: String,
    priority: u64,
    children: Vec<(String, KindCount)>,
    parents: Vec<JobRow>,
    /// Of the children, those that are open.
    open_children: Vec<JobRow>,
    more_children: bool,
    /// Of the children, those that failed, and how many more did.
    lost: Vec<FailedChild>,
    lost_more: usize,
    children_pending: u64,
    times: Vec<(&'static str, When)>,
    left: String,
    open: bool,
    failed: bool,
}

pub(crate) async fn job(State(site): State<Arc<Site>>, Path(id): Path<i64>) -> Response {
    let shell = Shell::new(&site, "jobs");
    let whole: Whole = match ask(&site.engine, "job.get", json!({ "job_id": id })).await {
        Ok(whole) => whole,
        Err(error) => return respond::refused(shell, &error),
    };
    let open = !matches!(&*whole.job.state, "completed" | "discarded" | "cancelled");
    let left = if open {
        time_left(&site, id).await
    } else {
        String::new()
    };
    // Nobody belongs to a job that is over.
    let family = if open {
        ask(&site.engine, "job.family", json!({ "job_id": id })).await
    } else {
        Ok(Family::default())
    };
    let family = match family {
        Ok(family) => family,
        Err(error) => return respond::refused(shell, &error),
    };
    let job = &whole.job;
    let moments = [
        ("enqueued", job.enqueued_at),
        ("started", job.started_at),
        ("finished", job.finished_at),
    ];
    let moment = |(name, at): (&'static str, Option<Timestamp>)| Some((name, When::from(at?)));
    let mut lost = whole.rollup.failures;
    let lost_more = lost.len().saturating_sub(LOST_MAX);
    lost.truncate(LOST_MAX);
    let errors = whole.errors.into_iter().map(|error| {
        let at = When::from(error.at);
        (error, at)
    });
    respond::page(&OneJob {
        shell,
        row: show::job_row(job),
        args: pretty(&whole.args),
        result: pretty(&whole.result),
        errors: errors.collect(),
        parents: family.parents.iter().map(show::job_row).collect(),
        open_children: family.children.iter().map(show::job_row).collect(),
        more_children: family.more,
        lost,
        lost_more,
        attempts: format!("{} of {}", job.attempt, whole.max_attempts),
        priority: whole.priority,
        children: whole.rollup.kinds.into_iter().collect(),
        children_pending: whole.children_pending,
        times: moments.into_iter().filter_map(moment).collect(),
        left,
        open,
        failed: !open && !whole.success && job.state != "completed",
    })
}

/// How long a sync will take yet, as far as anybody knows.
async fn time_left(site: &Site, id: i64) -> String {
    let answer = site
        .engine
        .call("job.time_left", json!({ "job_id": id }))
        .await;
    let left = answer.ok().and_then(|answer| answer["eta_s"].as_u64());
    let left = left.filter(|left| *left > 0);
    left.map_or_else(String::new, |left| format!("about {} left", duration(left)))
}

fn pretty(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    serde_json::to_string_pretty(value).unwrap_or_default()
}

pub(crate) async fn change_job(
    State(site): State<Arc<Site>>,
    Path((id, change)): Path<(i64, String)>,
) -> Response {
    let shell = Shell::new(&site, "jobs");
    let Some(method) = method_of(&change) else {
        return no_such_change(shell);
    };
    match site.engine.call(method, json!({ "job_id": id })).await {
        // A job that is run again may have joined another.
        Ok(done) => {
            let id = done["job_id"].as_i64().unwrap_or(id);
            respond::see(&format!("{}/jobs/{id}", site.place.settings.prefix))
        }
        Err(error) => respond::refused(shell, &error),
    }
}

fn method_of(change: &str) -> Option<&'static str> {
    match change {
        "cancel" => Some("job.cancel"),
        "retry" => Some("job.retry"),
        _ => None,
    }
}

fn no_such_change(shell: Shell) -> Response {
    let message = "A job can be cancelled or run again.";
    respond::problem(shell, StatusCode::NOT_FOUND, "No such change", message, "")
}

#[derive(Debug, Deserialize)]
pub(crate) struct All {
    change: String,
    #[serde(flatten)]
    filter: Filter,
}

#[derive(Template)]
#[template(path = "jobs_all.html")]
struct AskAboutAll<'a> {
    shell: Shell,
    change: &'a str,
    count: String,
    more: bool,
    filter: &'a Filter,
    back: String,
    sample: Vec<JobRow>,
}

/// How many it would be, before anything is done.
pub(crate) async fn ask_about_all(
    State(site): State<Arc<Site>>,
    Query(all): Query<All>,
) -> Response {
    let shell = Shell::new(&site, "jobs");
    if method_of(&all.change).is_none() {
        return no_such_change(shell);
    }
    let found = match search(
        &site,
        &all.filter,
        ALL_MAX,
        ALL_MAX / SEARCHED + SEARCHES_MAX,
    )
    .await
    {
        Ok(found) => found,
        Err(error) => return respond::refused(shell, &error),
    };
    respond::page(&AskAboutAll {
        shell,
        change: &all.change,
        count: grouped(found.jobs.len() as u64),
        more: found.next.is_some(),
        back: all.filter.query(None),
        sample: found.jobs.iter().take(10).map(show::job_row).collect(),
        filter: &all.filter,
    })
}

#[derive(Template)]
#[template(path = "jobs_done.html")]
struct AllDone<'a> {
    shell: Shell,
    change: &'a str,
    done: String,
    not: usize,
    why: Vec<String>,
    more: bool,
    back: String,
}

pub(crate) async fn change_all(State(site): State<Arc<Site>>, Form(all): Form<All>) -> Response {
    let shell = Shell::new(&site, "jobs");
    let Some(method) = method_of(&all.change) else {
        return no_such_change(shell);
    };
    let found = match search(
        &site,
        &all.filter,
        ALL_MAX,
        ALL_MAX / SEARCHED + SEARCHES_MAX,
    )
    .await
    {
        Ok(found) => found,
        Err(error) => return respond::refused(shell, &error),
    };
    let ids: Vec<i64> = found.jobs.iter().map(|job| job.job_id).collect();
    let engine = &site.engine;
    let changed: Vec<Result<Value, AskError>> = stream::iter(ids)
        .map(|id| engine.call(method, json!({ "job_id": id })))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut why: Vec<String> = Vec::new();
    let (done, not): (Vec<_>, Vec<_>) = changed.into_iter().partition(Result::is_ok);
    for error in not.iter().filter_map(|one| one.as_ref().err()).take(5) {
        why.push(error.message.clone());
    }
    respond::page(&AllDone {
        shell,
        change: &all.change,
        done: grouped(done.len() as u64),
        not: not.len(),
        why,
        more: found.next.is_some(),
        back: all.filter.query(None),
    })
}

#[derive(Debug, Deserialize)]
pub(crate) struct OneQueue {
    queue: String,
    #[serde(default)]
    slots: String,
    #[serde(default)]
    rate: String,
}

pub(crate) async fn change_queue(
    State(site): State<Arc<Site>>,
    Path(change): Path<String>,
    Form(wanted): Form<OneQueue>,
) -> Response {
    let shell = Shell::new(&site, "");
    let mut params = json!({ "queue": wanted.queue });
    let method = match &*change {
        "pause" => "queue.pause",
        "resume" => "queue.resume",
        "set" => {
            if let Ok(slots) = wanted.slots.trim().parse::<u64>() {
                params["slots"] = json!(slots);
            }
            if !wanted.rate.trim().is_empty() {
                params["rate"] = json!(wanted.rate.trim());
            }
            "queue.set"
        }
        _ => return no_such_change(shell),
    };
    match site.engine.call(method, params).await {
        Ok(_) => {
            site.live.changed().await;
            respond::see(&format!("{}/", site.place.settings.prefix))
        }
        Err(error) => respond::refused(shell, &error),
    }
}

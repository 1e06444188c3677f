//! What each list has in it, in which order, and how a row is told apart from others.

use super::app::Panel;
use crate::model::snapshot::{Actor, Job, RateWindow, Snapshot, Trouble};

/// A line of the limits: a route, or a window of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Limit<'s> {
    Route {
        name: &'s str,
        waiting: u64,
        in_flight: u64,
        paused_s: f64,
        strangers_percent: f64,
    },
    Window {
        route: &'s str,
        window: &'s RateWindow,
    },
}

/// The names of a panel's rows.
pub(super) fn names(snapshot: &Snapshot, panel: Panel) -> Vec<String> {
    match panel {
        Panel::Queues => {
            let queues = snapshot.status.queues.iter();
            queues.map(|queue| queue.queue.clone()).collect()
        }
        Panel::Jobs => {
            let jobs = jobs(snapshot).into_iter();
            jobs.map(|job| job.job_id.to_string()).collect()
        }
        Panel::Limits => limits(snapshot).iter().map(limit_name).collect(),
        Panel::Actors => {
            let actors = snapshot.metrics.actors.iter();
            actors.map(|actor| actor.actor.clone()).collect()
        }
        Panel::Errors => {
            let troubles = snapshot.troubles().into_iter();
            troubles.map(|trouble| trouble.job_id.to_string()).collect()
        }
    }
}

/// First those that tell how far they are, which others work for; then those that run; then those that
/// wait for their children.
pub(super) fn jobs(snapshot: &Snapshot) -> Vec<&Job> {
    let mut jobs: Vec<&Job> = snapshot.jobs.iter().collect();
    jobs.sort_by_key(|job| {
        let silent = job.step.is_none();
        (silent, silent && job.state != "running", job.job_id)
    });
    // Between two questions one may have gone from one state to the other.
    jobs.dedup_by_key(|job| job.job_id);
    jobs
}

/// The route that was called most is first: it is the one that a sync waits for.
pub(super) fn limits(snapshot: &Snapshot) -> Vec<Limit<'_>> {
    let totals = snapshot.metrics.totals.iter();
    let mut limiters: Vec<_> = totals.filter(|total| total.kind == "limiter").collect();
    limiters.sort_by_key(|total| std::cmp::Reverse(total.granted));
    let mut limits = Vec::new();
    for total in limiters {
        let route = last_part(&total.actor);
        limits.push(Limit::Route {
            name: route,
            waiting: total.waiting,
            in_flight: total.in_flight,
            paused_s: total.paused_s,
            strangers_percent: total.strangers_percent,
        });
        let windows = total.windows.iter();
        limits.extend(windows.map(|window| Limit::Window { route, window }));
    }
    limits
}

fn limit_name(limit: &Limit<'_>) -> String {
    match limit {
        Limit::Route { name, .. } => (*name).to_owned(),
        Limit::Window { route, window } => {
            let method = window.method.as_deref().unwrap_or_default();
            format!("{route} {method} {}", window.seconds)
        }
    }
}

/// `/engine/queues/recovery` is `recovery`.
pub(super) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// How deep an actor is in the tree.
pub(super) fn depth(actor: &Actor) -> usize {
    actor.actor.matches('/').count().saturating_sub(2)
}

/// What a job is for, in a few words.
pub(super) fn title(job: &Job) -> String {
    name(&job.kind, job.key.as_deref())
}

pub(super) fn trouble_title(trouble: &Trouble) -> String {
    name(&trouble.kind, trouble.key.as_deref())
}

/// The key says more than the kind, which most jobs share; without one the kind has to do.
fn name(kind: &str, key: Option<&str>) -> String {
    let kind = kind.strip_prefix("sync_").unwrap_or(kind);
    let kind = kind.strip_suffix("_data").unwrap_or(kind);
    match key {
        Some(key) => format!("{kind} {key}"),
        None => kind.to_owned(),
    }
}

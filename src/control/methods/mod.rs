//! What can be asked: one function a method, one file a noun.

mod data;
mod engine;
mod job;
mod key;
mod one_match;
mod player;
mod queue;
mod schedule;
mod year;

pub(super) use data::Measured;
pub(super) use job::{OneJob, OneSubscription, unknown as unknown_job};
pub use player::{PlayerStats, rank_document, stats_document, track_document, tracked_document};
pub(super) use queue::Counted;
pub use schedule::schedules_document;
pub use year::{YearFigures, time_zone};

use std::future::{Future, ready};
use std::pin::Pin;

use serde_json::{Value, json};

use super::rpc::{Params, RpcError};
use super::state::ControlState;
use crate::store::{StoreError, question};

pub(super) type Answer = Result<Value, RpcError>;
type Call =
    for<'c> fn(&'c ControlState, Params<'c>) -> Pin<Box<dyn Future<Output = Answer> + Send + 'c>>;

/// Methods that belong to a connection, which answers them itself.
pub(super) const SUBSCRIBE: &str = "job.subscribe";
pub(super) const UNSUBSCRIBE: &str = "job.unsubscribe";

const METHODS: &[(&str, Call)] = &[
    ("job.submit", |control, params| {
        Box::pin(job::submit(control, params))
    }),
    ("job.submit_batch", |control, params| {
        Box::pin(job::submit_batch(control, params))
    }),
    ("job.get", |control, params| {
        Box::pin(job::get(control, params))
    }),
    ("job.list", |control, params| {
        Box::pin(job::list(control, params))
    }),
    ("job.cancel", |control, params| {
        Box::pin(job::cancel(control, params))
    }),
    ("job.retry", |control, params| {
        Box::pin(job::retry(control, params))
    }),
    ("job.time_left", |control, params| {
        Box::pin(job::time_left(control, params))
    }),
    ("job.waiting", |control, params| {
        Box::pin(job::waiting(control, params))
    }),
    ("job.family", |control, params| {
        Box::pin(job::family(control, params))
    }),
    ("queue.list", |control, params| {
        Box::pin(queue::list(control, params))
    }),
    ("queue.pause", |control, params| {
        Box::pin(queue::pause(control, params))
    }),
    ("queue.resume", |control, params| {
        Box::pin(queue::resume(control, params))
    }),
    ("queue.set", |control, params| {
        Box::pin(queue::set(control, params))
    }),
    ("engine.status", |control, params| {
        Box::pin(engine::status(control, params))
    }),
    ("engine.health", |control, params| {
        Box::pin(engine::health(control, params))
    }),
    ("engine.waiting", |control, params| {
        Box::pin(engine::waiting(control, params))
    }),
    ("engine.metrics", |control, params| {
        Box::pin(engine::metrics(control, params))
    }),
    ("engine.history", |control, params| {
        Box::pin(engine::history(control, params))
    }),
    ("engine.settings", |control, params| {
        Box::pin(ready(engine::settings(control, params)))
    }),
    ("engine.drain", |control, params| {
        Box::pin(engine::drain(control, params))
    }),
    ("engine.stop", |control, params| {
        Box::pin(ready(engine::stop(control, params)))
    }),
    ("data.sizes", |control, params| {
        Box::pin(data::sizes(control, params))
    }),
    ("key.set", |control, params| {
        Box::pin(ready(key::set(control, params)))
    }),
    ("key.share", |control, params| {
        Box::pin(ready(key::share(control, params)))
    }),
    ("player.stats", |control, params| {
        Box::pin(player::stats(control, params))
    }),
    ("player.rank", |control, params| {
        Box::pin(player::rank(control, params))
    }),
    ("player.year", |control, params| {
        Box::pin(year::year(control, params))
    }),
    ("match.get", |control, params| {
        Box::pin(one_match::get(control, params))
    }),
    ("player.locate", |control, params| {
        Box::pin(player::locate(control, params))
    }),
    ("player.track", |control, params| {
        Box::pin(player::track(control, params))
    }),
    ("player.untrack", |control, params| {
        Box::pin(player::untrack(control, params))
    }),
    ("player.tracked", |control, params| {
        Box::pin(player::tracked(control, params))
    }),
    ("schedule.list", |control, params| {
        Box::pin(schedule::list(control, params))
    }),
    ("schedule.add", |control, params| {
        Box::pin(schedule::add(control, params))
    }),
    ("schedule.remove", |control, params| {
        Box::pin(schedule::remove(control, params))
    }),
    ("schedule.pause", |control, params| {
        Box::pin(schedule::pause(control, params))
    }),
    ("schedule.resume", |control, params| {
        Box::pin(schedule::resume(control, params))
    }),
    ("schedule.runs", |control, params| {
        Box::pin(schedule::runs(control, params))
    }),
];

/// Without these a verb has nothing to do: where they may, they wait for the database.
const WAITED_FOR: &[&str] = &[
    "job.submit",
    "job.submit_batch",
    "player.locate",
    "player.stats",
    "player.rank",
];

/// Answers a request, within a second as far as the database is concerned, unless the client would rather wait.
pub(super) async fn call(control: &ControlState, method: &str, params: Params<'_>) -> Answer {
    let waits = control.limits.is_patient && WAITED_FOR.contains(&method);
    match METHODS.iter().find(|(name, _)| *name == method) {
        Some((_, call)) if waits => call(control, params).await,
        Some((_, call)) => question::asked(call(control, params)).await,
        None => Err(unknown_method(method)),
    }
}

fn unknown_method(method: &str) -> RpcError {
    let known = METHODS.iter().map(|(name, _)| *name);
    let known: Vec<&str> = known.chain([SUBSCRIBE, UNSUBSCRIBE]).collect();
    let method: String = method.chars().take(100).collect();
    let mut error = RpcError::new(
        RpcError::METHOD_NOT_FOUND,
        format!("there is no method '{method}'"),
    );
    error.data = Some(json!({ "methods": known }));
    error
}

impl From<StoreError> for RpcError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Unavailable(_)
            | StoreError::Full(_)
            | StoreError::Away(_)
            | StoreError::Busy(_)
            | StoreError::Closed => Self::UNAVAILABLE,
            StoreError::Refused(_) => Self::CONFLICT,
            StoreError::Unopenable { .. }
            | StoreError::UnfinishedCopy { .. }
            | StoreError::CopyStopped(_)
            | StoreError::Unreadable { .. }
            | StoreError::NotADatabase { .. }
            | StoreError::Damaged { .. }
            | StoreError::Moved { .. }
            | StoreError::Newer { .. }
            | StoreError::OtherProgram { .. }
            | StoreError::InUse { .. }
            | StoreError::Unreachable { .. }
            | StoreError::Absent { .. }
            | StoreError::Encoding { .. }
            | StoreError::Older { .. }
            | StoreError::Url(_)
            | StoreError::PostgresUrl { .. }
            | StoreError::Panicked(_)
            | StoreError::Unexpected(_) => Self::INTERNAL,
        };
        Self::new(code, error.to_string())
    }
}

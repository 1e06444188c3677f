//! What can be asked: one function a method, one file a noun.

mod engine;
mod job;
mod key;
mod player;
mod queue;
mod schedule;

pub(super) use job::{OneJob, OneSubscription, unknown as unknown_job};
pub use player::{PlayerStats, stats_document, track_document, tracked_document};
pub(super) use queue::Counted;
pub use schedule::schedules_document;

use std::future::{Future, ready};
use std::pin::Pin;

use serde_json::{Value, json};

use super::desk::Desk;
use super::rpc::{Params, RpcError};
use crate::store::{StoreError, question};

pub(super) type Answer = Result<Value, RpcError>;
type Call = for<'c> fn(&'c Desk, Params<'c>) -> Pin<Box<dyn Future<Output = Answer> + Send + 'c>>;

/// Methods that belong to a connection, which answers them itself.
pub(super) const SUBSCRIBE: &str = "job.subscribe";
pub(super) const UNSUBSCRIBE: &str = "job.unsubscribe";

const METHODS: &[(&str, Call)] = &[
    ("job.submit", |desk, params| {
        Box::pin(job::submit(desk, params))
    }),
    ("job.submit_batch", |desk, params| {
        Box::pin(job::submit_batch(desk, params))
    }),
    ("job.get", |desk, params| Box::pin(job::get(desk, params))),
    ("job.list", |desk, params| Box::pin(job::list(desk, params))),
    ("job.cancel", |desk, params| {
        Box::pin(job::cancel(desk, params))
    }),
    ("job.retry", |desk, params| {
        Box::pin(job::retry(desk, params))
    }),
    ("job.time_left", |desk, params| {
        Box::pin(job::time_left(desk, params))
    }),
    ("job.waiting", |desk, params| {
        Box::pin(job::waiting(desk, params))
    }),
    ("queue.list", |desk, params| {
        Box::pin(queue::list(desk, params))
    }),
    ("queue.pause", |desk, params| {
        Box::pin(queue::pause(desk, params))
    }),
    ("queue.resume", |desk, params| {
        Box::pin(queue::resume(desk, params))
    }),
    ("queue.set", |desk, params| {
        Box::pin(queue::set(desk, params))
    }),
    ("engine.status", |desk, params| {
        Box::pin(engine::status(desk, params))
    }),
    ("engine.health", |desk, params| {
        Box::pin(engine::health(desk, params))
    }),
    ("engine.metrics", |desk, params| {
        Box::pin(engine::metrics(desk, params))
    }),
    ("engine.drain", |desk, params| {
        Box::pin(engine::drain(desk, params))
    }),
    ("engine.stop", |desk, params| {
        Box::pin(ready(engine::stop(desk, params)))
    }),
    ("key.set", |desk, params| {
        Box::pin(ready(key::set(desk, params)))
    }),
    ("key.share", |desk, params| {
        Box::pin(ready(key::share(desk, params)))
    }),
    ("player.stats", |desk, params| {
        Box::pin(player::stats(desk, params))
    }),
    ("player.locate", |desk, params| {
        Box::pin(player::locate(desk, params))
    }),
    ("player.track", |desk, params| {
        Box::pin(player::track(desk, params))
    }),
    ("player.untrack", |desk, params| {
        Box::pin(player::untrack(desk, params))
    }),
    ("player.tracked", |desk, params| {
        Box::pin(player::tracked(desk, params))
    }),
    ("schedule.list", |desk, params| {
        Box::pin(schedule::list(desk, params))
    }),
    ("schedule.add", |desk, params| {
        Box::pin(schedule::add(desk, params))
    }),
    ("schedule.remove", |desk, params| {
        Box::pin(schedule::remove(desk, params))
    }),
];

/// Answers a request, within a second as far as the database is concerned.
pub(super) async fn call(desk: &Desk, method: &str, params: Params<'_>) -> Answer {
    match METHODS.iter().find(|(name, _)| *name == method) {
        Some((_, call)) => question::asked(call(desk, params)).await,
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
            | StoreError::InUse { .. }
            | StoreError::Unreachable { .. }
            | StoreError::Encoding { .. }
            | StoreError::Older { .. }
            | StoreError::Url(_)
            | StoreError::PostgresUrl { .. }
            | StoreError::Unexpected(_) => Self::INTERNAL,
        };
        Self::new(code, error.to_string())
    }
}

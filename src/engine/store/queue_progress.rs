//! Whether a database works and its queues move, as a check of health asks.

use async_trait::async_trait;

use super::{StoreError, StoreResult};
use riftsync_basics::Timestamp;

/// How a queue moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueProgress {
    pub queue: String,
    /// Since when the job waits that has waited longest and may run; none: none waits.
    pub oldest_waiting: Option<Timestamp>,
    pub waiting: u64,
    /// When a job of it last completed, since the moment that was asked for, and among the thousands that ended last.
    pub last_completed: Option<Timestamp>,
    /// Jobs that may be what ends engines, and are held back for a while.
    pub held_back: u64,
}

#[async_trait]
pub trait ProbeStore {
    /// Makes a write that changes nothing, durably; the clock of the database if it has one of its own.
    async fn probe(&self, engine: &str) -> StoreResult<Option<Timestamp>>;
    /// Queues with jobs that wait, or that completed since then.
    async fn queue_progress(&self, since: Timestamp) -> StoreResult<Vec<QueueProgress>>;
}

/// (queue, oldest waiting, how many wait, last completed, how many are held back)
pub type ProgressTuple = (String, Option<i64>, i64, Option<i64>, i64);

/// One line a queue of lines that each tell one thing.
pub fn progress_from(rows: Vec<ProgressTuple>) -> Vec<QueueProgress> {
    let mut all: Vec<QueueProgress> = Vec::new();
    for (queue, oldest, waiting, completed, held_back) in rows {
        let at = if let Some(at) = all.iter().position(|progress| progress.queue == queue) {
            at
        } else {
            all.push(QueueProgress {
                queue,
                oldest_waiting: None,
                waiting: 0,
                last_completed: None,
                held_back: 0,
            });
            all.len() - 1
        };
        let progress = &mut all[at];
        let oldest = oldest.map(Timestamp::from_millis);
        progress.oldest_waiting = match (progress.oldest_waiting, oldest) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        progress.waiting += u64::try_from(waiting).unwrap_or(0);
        progress.held_back += u64::try_from(held_back).unwrap_or(0);
        progress.last_completed = progress
            .last_completed
            .max(completed.map(Timestamp::from_millis));
    }
    all
}

/// The engine's row is written by itself when it starts.
pub fn no_such_engine(engine: &str) -> StoreError {
    StoreError::Unexpected(format!("engine {engine} has no row"))
}

//! What the actors did, and the actor metrics log.
//!
//! Counters are cheap on the hot path: relaxed atomics, looked up once. `sample` and `telemetry` read
//! them now and then and write what changed, `prometheus` is the same as another text; `events` are told
//! one by one; `outage_log` tells of trouble that lasts.

mod actors;
mod events;
mod outage_log;
pub mod process;
mod rotating;
mod sample;
mod telemetry;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;

pub use actors::{ActorState, Actors};
pub use events::{Event, Events, FailedAttempt};
pub use outage_log::{DatabaseOutageLog, OutageLog, Words};
pub use rotating::{LogFiles, RotatingFile};
pub use sample::{Sample, WindowSample};
pub use telemetry::{Reading, Source, Telemetry, VERSION, open_log};

// When trouble is told.
pub use riftsync_basics::{Before, Bursts, Outage, OutageNews, Telling, UNTIL_QUIET};

use riftsync_basics::histogram::Histogram;
use riftsync_basics::{JobState, Timestamp};

/// All counters of one process.
#[derive(Debug, Default)]
pub struct Metrics {
    queues: DashMap<&'static str, Arc<QueueCounters>>,
    pub actors: Actors,
    pub events: Events,
}

/// What became of the attempts of one queue.
#[derive(Debug, Default)]
pub struct QueueCounters {
    pub running: AtomicU64,
    /// Jobs held ready in memory beyond them.
    pub ready: AtomicU64,
    pub processed: AtomicU64,
    pub retried: AtomicU64,
    pub snoozed: AtomicU64,
    pub failed: AtomicU64,
    /// When a job last came to its end here, in ms since 1970; 0: none did.
    pub ended_at: AtomicI64,
    /// Time that attempts took, summed, in microseconds.
    pub busy_us: AtomicU64,
    pub times: Histogram,
}

impl Metrics {
    pub fn queue(&self, name: &'static str) -> Arc<QueueCounters> {
        self.queues.entry(name).or_default().clone()
    }
}

impl QueueCounters {
    pub fn finished(&self, state: Option<JobState>, duration: Duration) {
        let counter = match state {
            Some(JobState::Completed | JobState::Blocked) => &self.processed,
            Some(JobState::Retryable | JobState::Available) => &self.retried,
            Some(JobState::Scheduled) => &self.snoozed,
            Some(JobState::Discarded | JobState::Cancelled | JobState::Running) | None => {
                &self.failed
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if matches!(state, Some(JobState::Completed | JobState::Blocked)) {
            let now = Timestamp::now().as_millis();
            self.ended_at.store(now, Ordering::Relaxed);
        }
        let took = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.busy_us.fetch_add(took, Ordering::Relaxed);
        self.times.note(duration);
    }
}

/// Sets a gauge.
pub fn bump(gauge: &AtomicU64, value: usize) {
    gauge.store(value as u64, Ordering::Relaxed);
}

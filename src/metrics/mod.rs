//! What the calls came to, all that an engine tells of itself as Prometheus' text, and its metrics log, read again.
//!
//! What the actors did, and the actor metrics log, are the engine's (`engine::metrics`), and are found here too.

pub mod history;
pub mod prometheus;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use crate::engine::metrics::{
    ActorState, Actors, Before, Bursts, Event, Events, FailedAttempt, LogFiles, Metrics, Outage,
    OutageLog, OutageNews, Reading, RotatingFile, Sample, Source, Telemetry, Telling, UNTIL_QUIET,
    VERSION, WindowSample, Words, open_log, process,
};

/// What the calls of one process came to.
#[derive(Debug, Default)]
pub struct CallCounters {
    /// Calls that were sent to the API.
    pub calls: AtomicU64,
    /// Answers that said 429.
    pub rate_limited: AtomicU64,
    pub documents: Arc<DocumentTimes>,
}

/// Processor time that documents took, in nanoseconds.
#[derive(Debug, Default)]
pub struct DocumentTimes {
    pub unpack_ns: AtomicU64,
    pub parse_ns: AtomicU64,
}

impl DocumentTimes {
    pub fn note(&self, unpack: Duration, parse: Duration) {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.unpack_ns.fetch_add(ns(unpack), Ordering::Relaxed);
        self.parse_ns.fetch_add(ns(parse), Ordering::Relaxed);
    }
}

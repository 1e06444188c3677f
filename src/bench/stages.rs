//! Where the processor time of a pipeline goes.
//!
//! Documents are metered one by one; the store works on threads of its own, which the operating system meters. What is
//! left is HTTP, the limiter and the engine's actors on the main thread.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use crate::metrics::CallCounters;
use crate::metrics::process::cpu_of_threads;

/// Threads that work for the databases alone.
const STORE_THREADS: [&str; 3] = ["store-writer", "store-checkpoin", "store"];

/// Processor time by stage, since the process began or between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stages {
    unpack: Duration,
    parse: Duration,
    store: Duration,
}

/// The same in milliseconds a match with its timeline.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StageTimes {
    pub unpack_ms: f64,
    pub parse_ms: f64,
    /// Of this process; a server's is its own.
    pub store_ms: f64,
    /// HTTP, the limiter, the engine's actors, reads of the database.
    pub rest_ms: f64,
}

impl Stages {
    pub fn read(counters: &CallCounters) -> Self {
        let documents = &counters.documents;
        Self {
            unpack: Duration::from_nanos(documents.unpack_ns.load(Ordering::Relaxed)),
            parse: Duration::from_nanos(documents.parse_ns.load(Ordering::Relaxed)),
            store: STORE_THREADS.iter().map(|name| cpu_of_threads(name)).sum(),
        }
    }

    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            unpack: self.unpack.saturating_sub(before.unpack),
            parse: self.parse.saturating_sub(before.parse),
            store: self.store.saturating_sub(before.store),
        }
    }

    /// `all`: what the process used meanwhile.
    pub fn per_pair(&self, all: Duration, pairs: f64) -> StageTimes {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0 / pairs;
        let known = self.unpack + self.parse + self.store;
        StageTimes {
            unpack_ms: ms(self.unpack),
            parse_ms: ms(self.parse),
            store_ms: ms(self.store),
            rest_ms: ms(all.saturating_sub(known)),
        }
    }
}

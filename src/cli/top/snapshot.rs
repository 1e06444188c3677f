//! What the engine said of itself at one moment. Fields that an older engine does not tell are empty.
#![allow(clippy::struct_field_names, reason = "they are the protocol's names")]

use std::collections::HashSet;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::model::Timestamp;

/// One look at everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Snapshot {
    pub(super) status: Status,
    pub(super) metrics: Readings,
    /// Jobs that run, and jobs that wait for their children.
    pub(super) jobs: Vec<Job>,
    /// Jobs that failed for good or were cancelled.
    pub(super) failed: Vec<Job>,
}

/// `engine.status`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) engine: String,
    pub(super) version: String,
    pub(super) state: String,
    pub(super) pid: u64,
    pub(super) uptime_s: u64,
    pub(super) database: String,
    pub(super) key: String,
    pub(super) key_shared_with: Vec<String>,
    pub(super) calls: u64,
    pub(super) rate_limited: u64,
    pub(super) running: u64,
    pub(super) commits: u64,
    pub(super) queues: Vec<Queue>,
    pub(super) working: u64,
    pub(super) waits: Vec<Wait>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Queue {
    pub(super) queue: String,
    pub(super) slots: u64,
    pub(super) rate: Option<String>,
    pub(super) running: u64,
    pub(super) paused: bool,
    pub(super) held: bool,
    pub(super) waits: Vec<Wait>,
    /// None: the database could not be asked.
    pub(super) available: Option<u64>,
    pub(super) scheduled: Option<u64>,
    pub(super) retryable: Option<u64>,
    pub(super) blocked: Option<u64>,
}

/// How many jobs wait for something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Wait {
    #[serde(rename = "for")]
    pub(super) what: String,
    pub(super) jobs: u64,
    pub(super) left_s: Option<u64>,
}

/// What a job waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Waiting {
    pub(super) text: String,
    #[serde(rename = "for")]
    pub(super) what: String,
    pub(super) left_s: Option<u64>,
}

/// `engine.metrics`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Readings {
    pub(super) totals: Vec<Total>,
    pub(super) actors: Vec<Actor>,
    pub(super) events: Vec<Happened>,
    pub(super) failures: Vec<Failure>,
}

/// What one actor did since the engine began.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Total {
    pub(super) actor: String,
    pub(super) kind: String,
    pub(super) processed: u64,
    pub(super) failed: u64,
    pub(super) granted: u64,
    pub(super) waiting: u64,
    pub(super) in_flight: u64,
    pub(super) paused_s: f64,
    /// Of the limits, by other programs on the key; 0: nobody is known to.
    pub(super) strangers_percent: f64,
    pub(super) database_bytes: u64,
    pub(super) rss_bytes: u64,
    pub(super) cpu_ms: u64,
    pub(super) windows: Vec<RateWindow>,
    pub(super) ms: Quantiles,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Quantiles {
    pub(super) p99: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct RateWindow {
    /// None: of the whole route.
    pub(super) method: Option<String>,
    pub(super) seconds: u64,
    pub(super) used: u64,
    pub(super) limit: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Actor {
    pub(super) actor: String,
    pub(super) up: bool,
    pub(super) restarts: u64,
    #[serde(deserialize_with = "time")]
    pub(super) since: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Happened {
    #[serde(deserialize_with = "time")]
    pub(super) at: Option<Timestamp>,
    pub(super) event: String,
    pub(super) actor: String,
    pub(super) detail: String,
}

/// An attempt that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Failure {
    #[serde(deserialize_with = "time")]
    pub(super) at: Option<Timestamp>,
    pub(super) job_id: i64,
    pub(super) kind: String,
    pub(super) key: Option<String>,
    pub(super) message: String,
    pub(super) retried: bool,
}

/// A job as `job.list` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    pub(super) job_id: i64,
    pub(super) kind: String,
    pub(super) queue: String,
    pub(super) key: Option<String>,
    pub(super) state: String,
    pub(super) attempt: u64,
    pub(super) step: Option<String>,
    pub(super) percent: u64,
    #[serde(deserialize_with = "time")]
    pub(super) enqueued_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub(super) started_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub(super) finished_at: Option<Timestamp>,
    pub(super) error: Option<JobError>,
    pub(super) waiting: Option<Waiting>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct JobError {
    pub(super) message: String,
    pub(super) remedy: Option<String>,
}

/// Something that went wrong, of whichever list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) at: Option<Timestamp>,
    pub(super) job_id: i64,
    pub(super) kind: String,
    pub(super) key: Option<String>,
    /// `retried`, `discarded` or `cancelled`.
    pub(super) fate: String,
    pub(super) message: String,
    pub(super) remedy: Option<String>,
}

impl Snapshot {
    /// Jobs that failed for good, and attempts of the others that did, newest first, each job once. Of
    /// those that ended together the oldest is first: with a parent end its children.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let attempts = self.metrics.failures.iter().map(|failure| Trouble {
            at: failure.at,
            job_id: failure.job_id,
            kind: failure.kind.clone(),
            key: failure.key.clone(),
            fate: if failure.retried { "retried" } else { "failed" }.to_owned(),
            message: failure.message.clone(),
            remedy: None,
        });
        let ended = self.failed.iter().map(|job| {
            let error = job.error.clone().unwrap_or_default();
            Trouble {
                at: job.finished_at,
                job_id: job.job_id,
                kind: job.kind.clone(),
                key: job.key.clone(),
                fate: job.state.clone(),
                message: error.message,
                remedy: error.remedy,
            }
        });
        // A job's end says more than its attempts; of equal age the end is first.
        let mut all: Vec<Trouble> = ended.chain(attempts).collect();
        let ended: HashSet<i64> = self.failed.iter().map(|job| job.job_id).collect();
        all.retain(|trouble| {
            !matches!(&*trouble.fate, "retried" | "failed") || !ended.contains(&trouble.job_id)
        });
        all.sort_by_key(|trouble| (std::cmp::Reverse(trouble.at), trouble.job_id));
        let mut seen = HashSet::new();
        all.retain(|trouble| seen.insert(trouble.job_id));
        all
    }

    pub(super) fn total(&self, kind: &str) -> Option<&Total> {
        self.metrics.totals.iter().find(|total| total.kind == kind)
    }

    /// What a queue has done: attempts that ended.
    pub(super) fn done_of(&self, queue: &str) -> u64 {
        let path = format!("/engine/queues/{queue}");
        let mut totals = self.metrics.totals.iter();
        totals
            .find(|total| total.actor == path)
            .map_or(0, |total| total.processed + total.failed)
    }
}

/// Reads an answer; what is not understood is empty.
pub(super) fn read<T: Default + for<'de> Deserialize<'de>>(answer: Value) -> T {
    serde_json::from_value(answer).unwrap_or_default()
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let time = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    Ok(time.map(|time| Timestamp::from_millis(time.as_millisecond())))
}

//! What the engine said of itself at one moment. Fields that an older engine does not tell are empty.
#![allow(clippy::struct_field_names, reason = "they are the protocol's names")]

use std::collections::HashSet;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::time::Timestamp;

/// One look at everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    pub status: Status,
    pub metrics: Readings,
    /// Jobs that run, and jobs that wait for their children.
    pub jobs: Vec<Job>,
    /// Jobs that failed for good or were cancelled.
    pub failed: Vec<Job>,
}

/// `engine.status`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    pub engine: String,
    pub version: String,
    pub state: String,
    pub pid: u64,
    pub uptime_s: u64,
    pub database: String,
    pub key: String,
    pub key_shared_with: Vec<String>,
    pub calls: u64,
    pub rate_limited: u64,
    pub running: u64,
    pub commits: u64,
    pub queues: Vec<Queue>,
    pub working: u64,
    pub waits: Vec<Wait>,
    /// All that share the database; none: it could not be asked.
    pub engines: Option<Vec<Engine>>,
}

/// One of the engines that share a database.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Engine {
    pub engine: String,
    pub state: String,
    /// It looks after schedules and what is left behind, for all of them.
    pub leads: bool,
    pub host: String,
    pub pid: u64,
    pub version: String,
    #[serde(deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
    /// Since it last said that it lives.
    pub silent_s: f64,
    pub running: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Queue {
    pub queue: String,
    pub slots: u64,
    pub rate: Option<String>,
    pub running: u64,
    pub paused: bool,
    pub held: bool,
    pub waits: Vec<Wait>,
    /// None: the database could not be asked.
    pub available: Option<u64>,
    pub scheduled: Option<u64>,
    pub retryable: Option<u64>,
    pub blocked: Option<u64>,
}

/// How many jobs wait for something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Wait {
    #[serde(rename = "for")]
    pub what: String,
    pub jobs: u64,
    pub left_s: Option<u64>,
}

/// What a job waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Waiting {
    pub text: String,
    #[serde(rename = "for")]
    pub what: String,
    pub left_s: Option<u64>,
}

/// `engine.metrics`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Readings {
    pub totals: Vec<Total>,
    pub actors: Vec<Actor>,
    pub events: Vec<Happened>,
    pub failures: Vec<Failure>,
}

/// What one actor did since the engine began.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Total {
    pub actor: String,
    pub kind: String,
    pub processed: u64,
    pub failed: u64,
    pub commits: u64,
    /// Messages that wait; none: it has no mailbox.
    pub mailbox: Option<u64>,
    pub granted: u64,
    pub waiting: u64,
    pub in_flight: u64,
    pub paused_s: f64,
    /// Of the limits, by other programs on the key; 0: nobody is known to.
    pub strangers_percent: f64,
    pub database_bytes: u64,
    pub rss_bytes: u64,
    pub cpu_ms: u64,
    pub windows: Vec<RateWindow>,
    pub ms: Quantiles,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Quantiles {
    pub p99: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RateWindow {
    /// None: of the whole route.
    pub method: Option<String>,
    pub seconds: u64,
    pub used: u64,
    pub limit: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Actor {
    pub actor: String,
    pub up: bool,
    pub restarts: u64,
    #[serde(deserialize_with = "time")]
    pub since: Option<Timestamp>,
    /// What it says of itself: an object. None: it says nothing.
    pub state: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Happened {
    #[serde(deserialize_with = "time")]
    pub at: Option<Timestamp>,
    pub event: String,
    pub actor: String,
    pub detail: String,
}

/// An attempt that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Failure {
    #[serde(deserialize_with = "time")]
    pub at: Option<Timestamp>,
    pub job_id: i64,
    pub kind: String,
    pub key: Option<String>,
    pub message: String,
    pub retried: bool,
}

/// A job as `job.list` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Job {
    pub job_id: i64,
    pub kind: String,
    pub queue: String,
    pub key: Option<String>,
    pub state: String,
    pub attempt: u64,
    pub step: Option<String>,
    pub percent: u64,
    #[serde(deserialize_with = "time")]
    pub enqueued_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub finished_at: Option<Timestamp>,
    pub error: Option<JobError>,
    pub waiting: Option<Waiting>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JobError {
    pub message: String,
    pub remedy: Option<String>,
}

/// Something that went wrong, of whichever list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub at: Option<Timestamp>,
    pub job_id: i64,
    pub kind: String,
    pub key: Option<String>,
    /// `retried`, `discarded` or `cancelled`.
    pub fate: String,
    pub message: String,
    pub remedy: Option<String>,
}

impl Snapshot {
    /// Jobs that failed for good, and attempts of the others that did, newest first, each job once. Of
    /// those that ended together the oldest is first: with a parent end its children.
    pub fn troubles(&self) -> Vec<Trouble> {
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

    pub fn total(&self, kind: &str) -> Option<&Total> {
        self.metrics.totals.iter().find(|total| total.kind == kind)
    }

    /// What a queue has done: attempts that ended.
    pub fn done_of(&self, queue: &str) -> u64 {
        let path = format!("/engine/queues/{queue}");
        let mut totals = self.metrics.totals.iter();
        totals
            .find(|total| total.actor == path)
            .map_or(0, |total| total.processed + total.failed)
    }
}

/// Reads an answer; what is not understood is empty.
pub fn read<T: Default + for<'de> Deserialize<'de>>(answer: Value) -> T {
    serde_json::from_value(answer).unwrap_or_default()
}

/// A moment as an answer has it, for serde; none where it has none.
pub fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let time = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    Ok(time.map(|time| Timestamp::from_millis(time.as_millisecond())))
}

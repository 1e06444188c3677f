//! What a job is. What becomes of it is decided in [`super::attempt`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::Failure;
use super::rollup::Rollup;
use super::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a job stands. The last three are final: a job leaves them only by `retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// May be claimed now.
    Available,
    /// Waits for its time: it was enqueued for later, or snoozed.
    Scheduled,
    /// Waits for other jobs: its children, or those it comes after.
    Blocked,
    /// Claimed by an engine that holds its lease.
    Running,
    /// Failed; waits for its next attempt.
    Retryable,
    Completed,
    Cancelled,
    /// Failed for good.
    Discarded,
}

impl JobState {
    pub const ALL: [Self; 8] = [
        Self::Available,
        Self::Scheduled,
        Self::Blocked,
        Self::Running,
        Self::Retryable,
        Self::Completed,
        Self::Cancelled,
        Self::Discarded,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Scheduled => "scheduled",
            Self::Blocked => "blocked",
            Self::Running => "running",
            Self::Retryable => "retryable",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }

    pub fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Cancelled | Self::Discarded => true,
            Self::Available | Self::Scheduled | Self::Blocked | Self::Running | Self::Retryable => {
                false
            }
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a job state"))
    }
}

/// 0 is first, 9 is last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(u8);

impl Priority {
    pub const FIRST: Self = Self(0);
    /// What a person waits for.
    pub const INTERACTIVE: Self = Self(2);
    pub const DEFAULT: Self = Self(5);
    pub const LAST: Self = Self(9);

    /// Numbers above 9 are 9.
    pub fn new(value: u8) -> Self {
        Self(value.min(Self::LAST.0))
    }

    pub fn get(self) -> u8 {
        self.0
    }

    /// Somebody waits for it now: it goes before all that fills queues.
    pub fn is_urgent(self) -> bool {
        self < Self::DEFAULT
    }
}

/// The right to settle one attempt of one job. A new claim has a new token, which makes every
/// earlier one stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    pub job: JobId,
    pub token: i64,
}

/// A job that is to be: what `enqueue` and the spawning of children take.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    pub kind: &'static str,
    pub queue: &'static str,
    /// What it needs that may be scarce, such as one host of an API: jobs of one lane leave room for
    /// those of others in their queue, and a lane can be closed. Empty: none.
    pub lane: &'static str,
    /// Two open jobs of one kind never share a key: the second joins the first.
    pub key: Option<String>,
    /// Arguments as JSON text.
    pub args: String,
    pub priority: Priority,
    pub max_attempts: u32,
    /// Not before this moment.
    pub run_at: Option<Timestamp>,
    /// Not before these jobs are final.
    pub after: After,
}

/// Jobs that another one waits for, and what it does when one of them fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct After {
    pub jobs: Vec<JobId>,
    pub on_failure: OnFailure,
}

/// What a job does when one that it comes after was cancelled or discarded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It is cancelled too.
    #[default]
    Cancel,
    RunAnyway,
}

/// A job that this engine may run now.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    pub lease: Lease,
    /// The job that somebody submitted, whose descendant this one is: itself if it has no parent. Jobs
    /// of one flow share one turn where flows take turns.
    pub flow: JobId,
    pub kind: String,
    pub lane: String,
    pub key: Option<String>,
    pub args: String,
    pub priority: Priority,
    /// This attempt's number, from 1.
    pub attempt: u32,
    pub max_attempts: u32,
    /// It may be what kills engines: nothing else may be under way in this one while it runs.
    pub alone: bool,
}

/// A job as it stands in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub key: Option<String>,
    pub args: Value,
    pub state: JobState,
    pub priority: Priority,
    pub attempt: u32,
    pub max_attempts: u32,
    pub crash_count: u32,
    pub run_at: Timestamp,
    pub step: Option<String>,
    pub percent: u8,
    /// Counters the job itself reported.
    pub progress: Value,
    /// What its children came to, so far.
    pub rollup: Rollup,
    pub children_pending: u32,
    pub result: Option<Value>,
    /// Newest last.
    pub errors: Vec<AttemptError>,
    pub enqueued_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub lane: String,
    /// Which engine holds it, while it runs.
    pub engine: Option<String>,
}

/// One line of a job's history of failed attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptError {
    pub attempt: u32,
    pub at: Timestamp,
    #[serde(flatten)]
    pub failure: Failure,
}

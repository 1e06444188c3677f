//! Rows of jobs and engines as both databases have them, and what they mean.

use std::borrow::Cow;
use std::time::Duration;

use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use riftsync_basics::job::AttemptError;
use riftsync_basics::words::words;
use riftsync_basics::{
    Failure, JobId, JobRecord, JobState, Lease, NewJob, Priority, Rollup, Timestamp,
};

use super::{EngineRow, EngineState, JobFilter, JobList, OpenCount, StoreError, StoreResult};

/// Jobs that a job of this priority spawns: none is less urgent than it has become by now.
pub fn no_less_urgent(children: &[NewJob], priority: Priority) -> Cow<'_, [NewJob]> {
    if children.iter().all(|child| child.priority <= priority) {
        return Cow::Borrowed(children);
    }
    let raised = children.iter().map(|child| NewJob {
        priority: child.priority.min(priority),
        ..child.clone()
    });
    Cow::Owned(raised.collect())
}

/// A priority as a row has it.
pub fn priority_from(priority: i32) -> Priority {
    Priority::new(u8::try_from(priority).unwrap_or(u8::MAX))
}

pub fn to_json<T: serde::Serialize>(value: &T) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Unexpected(error.to_string()))
}

pub fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> StoreResult<T> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Unexpected(format!("a JSON column: {error}")))
}

pub fn to_u32(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

pub fn to_i32(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Failed attempts that a job's history keeps.
pub const ERRORS_KEPT: usize = 10;

pub fn append_error(
    history: &str,
    attempt: u32,
    failure: &Failure,
    now: Timestamp,
) -> StoreResult<String> {
    let mut errors: Vec<AttemptError> = from_json(history)?;
    errors.push(AttemptError {
        attempt,
        at: now,
        failure: failure.clone(),
    });
    let excess = errors.len().saturating_sub(ERRORS_KEPT);
    errors.drain(..excess);
    to_json(&errors)
}

/// Why a child counts as failed whose predecessor had failed before it came.
pub fn after_failed() -> Failure {
    Failure::new("dependency", "what it was to come after has failed")
}

/// Why a job is cancelled whose predecessor failed.
pub fn dependency_failed(other: JobId, state: JobState) -> Failure {
    Failure::new(
        "dependency",
        format!("job {other}, which it was to come after, is {state}"),
    )
    .with_remedy(format!(
        "look at job {other}; then run both again{}",
        words().with_retry()
    ))
}

/// A whole job.
pub type JobRow = (
    (
        BigInt,
        Text,
        Text,
        Nullable<Text>,
        Text,
        Text,
        Integer,
        Integer,
        Integer,
        Integer,
    ),
    (
        BigInt,
        Nullable<Text>,
        Integer,
        Text,
        Text,
        Integer,
        Nullable<Text>,
        Text,
        BigInt,
        Nullable<BigInt>,
        Nullable<BigInt>,
        Text,
        Nullable<Text>,
    ),
);

/// The columns of `JobById`, in their order. Two tuples, for one has at most 16 or 32 members.
pub type JobTuple = (
    (
        i64,
        String,
        String,
        Option<String>,
        String,
        String,
        i32,
        i32,
        i32,
        i32,
    ),
    (
        i64,
        Option<String>,
        i32,
        String,
        String,
        i32,
        Option<String>,
        String,
        i64,
        Option<i64>,
        Option<i64>,
        String,
        Option<String>,
    ),
);

/// A list of these rows, of jobs from `from` on if not all were looked at.
pub fn listed(rows: Vec<JobTuple>, from: Option<i64>, filter: &JobFilter) -> StoreResult<JobList> {
    let is_full = rows.len() >= filter.limit;
    let jobs: StoreResult<Vec<JobRecord>> = rows.into_iter().map(job_from).collect();
    Ok(JobList {
        jobs: jobs?,
        searched_to: from.filter(|_| !is_full).map(JobId),
    })
}

pub fn job_from(row: JobTuple) -> StoreResult<JobRecord> {
    let (
        (id, kind, queue, key, args, state, priority, attempt, max_attempts, crash_count),
        (
            run_at,
            step,
            percent,
            progress,
            rollup,
            pending,
            result,
            errors,
            enqueued_at,
            started_at,
            finished_at,
            lane,
            engine,
        ),
    ) = row;
    let rollup: Rollup = from_json(&rollup)?;
    Ok(JobRecord {
        id: JobId(id),
        kind,
        queue,
        key,
        args: from_json(&args)?,
        state: state.parse().map_err(StoreError::Unexpected)?,
        priority: priority_from(priority),
        attempt: to_u32(attempt),
        max_attempts: to_u32(max_attempts),
        crash_count: to_u32(crash_count),
        run_at: Timestamp::from_millis(run_at),
        step,
        percent: u8::try_from(percent).unwrap_or(100),
        progress: from_json(&progress)?,
        rollup,
        children_pending: to_u32(pending),
        result: result.as_deref().map(from_json).transpose()?,
        errors: from_json(&errors)?,
        enqueued_at: Timestamp::from_millis(enqueued_at),
        started_at: started_at.map(Timestamp::from_millis),
        finished_at: finished_at.map(Timestamp::from_millis),
        lane,
        engine,
    })
}

/// Open jobs: (queue, state, how many). A queue and state may come twice.
pub type CountTuple = (String, String, i64);

pub fn counts_from(rows: Vec<CountTuple>) -> StoreResult<Vec<OpenCount>> {
    let mut counts: Vec<OpenCount> = Vec::new();
    for (queue, state, jobs) in rows {
        let state = state.parse().map_err(StoreError::Unexpected)?;
        let jobs = u64::try_from(jobs).unwrap_or(0);
        // What may have killed an engine is counted apart, and is available all the same.
        match counts
            .iter_mut()
            .find(|count| count.queue == queue && count.state == state)
        {
            Some(count) => count.jobs += jobs,
            None => counts.push(OpenCount { queue, state, jobs }),
        }
    }
    Ok(counts)
}

pub fn held_from((id, token, priority): (i64, i64, i32)) -> (Lease, Priority) {
    let lease = Lease {
        job: JobId(id),
        token,
    };
    (lease, priority_from(priority))
}

/// A row of `engines`, with how long it was silent, its state, whether it leads, and its jobs.
pub type EngineTuple = ((String, i64, String, String), (i64, i64, String, bool, i64));

pub fn engine_from(row: EngineTuple) -> EngineRow {
    let ((id, pid, host, version), (started_at, silent_ms, state, leads, running)) = row;
    EngineRow {
        id,
        pid: u32::try_from(pid).unwrap_or(0),
        host,
        version,
        started_at: Timestamp::from_millis(started_at),
        silent: Duration::from_millis(u64::try_from(silent_ms).unwrap_or(0)),
        state: match state.as_str() {
            "alive" => EngineState::Alive,
            "stopped" => EngineState::Stopped,
            _ => EngineState::Dead,
        },
        leads,
        running: u64::try_from(running).unwrap_or(0),
    }
}

//! What is open under a job, for those who tell what it waits for.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::rows::{from_json, priority_from};
use super::{StoreError, StoreResult};
use crate::model::job::AttemptError;
use crate::model::waiting::OpenJob;
use crate::model::{JobId, Priority, Rollup, Timestamp};

#[async_trait]
pub trait OpenTree {
    /// The job and its open descendants, itself first and parents before their children; at most `limit` of them. Empty:
    /// there is no such job.
    async fn open_tree(&self, root: JobId, limit: usize) -> StoreResult<Vec<OpenJob>>;
    /// What the descendants of a job came to so far, those of its open children included. Of nobody, if there is no such job.
    async fn so_far(&self, root: JobId) -> StoreResult<SoFar>;
    /// The jobs that count this one, and its open children: relatives with how many steps they are below it, those
    /// above it less than 0. At most `limit` children.
    async fn family(&self, job: JobId, limit: usize) -> StoreResult<Vec<(JobId, i64)>>;
    /// Jobs that may be claimed, by queue and priority.
    async fn backlog(&self) -> StoreResult<Vec<Backlog>>;
}

/// See [`OpenTree::so_far`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SoFar {
    pub rollup: Rollup,
    /// Open children of its open children.
    pub children_pending: u64,
}

/// Jobs of a queue that are as urgent as each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    pub queue: String,
    pub priority: Priority,
    pub jobs: u64,
}

pub(super) fn so_far_from(rows: Vec<(String, i64)>) -> StoreResult<SoFar> {
    let mut so_far = SoFar::default();
    for (rollup, pending) in rows {
        so_far.rollup.merge(&from_json(&rollup)?);
        so_far.children_pending += pending.unsigned_abs();
    }
    Ok(so_far)
}

pub(super) fn backlog_from((queue, priority, jobs): (String, i32, i64)) -> Backlog {
    Backlog {
        queue,
        priority: priority_from(priority),
        jobs: jobs.unsigned_abs(),
    }
}

/// A job of a tree: id, queue, lane, state, due time, engine, step, history of errors.
pub(super) type OpenRow = (
    BigInt,
    Text,
    Text,
    Text,
    BigInt,
    Nullable<Text>,
    Nullable<Text>,
    Text,
);

pub(super) type OpenTuple = (
    i64,
    String,
    String,
    String,
    i64,
    Option<String>,
    Option<String>,
    String,
);

pub(super) fn open_from(root: JobId, rows: Vec<OpenTuple>) -> StoreResult<Vec<OpenJob>> {
    let read = |(id, queue, lane, state, run_at, engine, step, errors): OpenTuple| {
        let errors: Vec<AttemptError> = from_json(&errors)?;
        Ok(OpenJob {
            id: JobId(id),
            queue,
            lane,
            state: state.parse().map_err(StoreError::Unexpected)?,
            run_at: Timestamp::from_millis(run_at),
            engine,
            at_work: false,
            halt: None,
            step,
            why: errors
                .into_iter()
                .next_back()
                .map(|last| last.failure.message),
        })
    };
    let jobs: StoreResult<Vec<OpenJob>> = rows.into_iter().map(read).collect();
    let mut jobs = jobs?;
    jobs.sort_by_key(|job| (job.id != root, job.id));
    Ok(jobs)
}

pub(super) mod sql {
    use diesel::sql_types::{BigInt, Integer, Text};

    use super::OpenRow;
    use crate::store::statement::shared_statement;

    shared_statement! {
        /// Walks down from a job. The walk ends with as many as are wanted.
        Tree { root: i64 => BigInt, limit: i64 => BigInt } -> OpenRow =
        "WITH RECURSIVE tree (id) AS (
             SELECT id FROM jobs WHERE id = ?
             UNION SELECT child_id FROM job_links JOIN tree ON parent_id = tree.id)
         SELECT jobs.id, queue, lane, state, run_at, engine_id, step, errors
         FROM (SELECT id FROM tree LIMIT ?) AS first JOIN jobs ON jobs.id = first.id";
    }

    shared_statement! {
        /// One look: a child that ends is in its parent's counts at the moment at which its own are gone.
        SoFar { root: i64 => BigInt, parent: i64 => BigInt } -> (Text, BigInt) =
        "SELECT rollup, CAST(0 AS BIGINT) FROM jobs WHERE id = ?
         UNION ALL
         SELECT rollup, CAST(children_pending AS BIGINT) FROM jobs
         WHERE id IN (SELECT child_id FROM job_links WHERE parent_id = ? AND relation = 'child') AND rollup <> '{}'";
    }

    shared_statement! {
        /// Up to whoever submitted the first of them, and one step down. A job that is final is nobody's child any more.
        Family { child: i64 => BigInt, parent: i64 => BigInt, limit: i64 => BigInt } -> (BigInt, BigInt) =
        "WITH RECURSIVE above (id, steps) AS (
             SELECT parent_id, CAST(-1 AS BIGINT) FROM job_links WHERE child_id = ? AND relation = 'child'
             UNION SELECT parent_id, steps - 1 FROM job_links JOIN above ON child_id = above.id
             WHERE relation = 'child' AND steps > -8)
         SELECT id, steps FROM above
         UNION ALL
         SELECT child_id, CAST(1 AS BIGINT) FROM (
             SELECT child_id FROM job_links WHERE parent_id = ? AND relation = 'child' ORDER BY child_id LIMIT ?) AS below";
    }

    shared_statement! {
        Backlog {} -> (Text, Integer, BigInt) =
        "SELECT queue, priority, count(*) FROM jobs WHERE state = 'available' AND crash_count = 0 GROUP BY queue, priority";
    }
}

pub(super) fn family_from(rows: Vec<(i64, i64)>) -> Vec<(JobId, i64)> {
    let mut family: Vec<(JobId, i64)> = rows
        .into_iter()
        .map(|(id, steps)| (JobId(id), steps))
        .collect();
    family.sort_by_key(|(id, steps)| (*steps, *id));
    family
}

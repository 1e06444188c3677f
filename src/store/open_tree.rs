//! What is open under a job, for those who tell what it waits for.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::rows::from_json;
use super::{StoreError, StoreResult};
use crate::model::job::AttemptError;
use crate::model::waiting::OpenJob;
use crate::model::{JobId, Timestamp};

#[async_trait]
pub trait OpenTree {
    /// The job and its open descendants, itself first and parents before their children; at most `limit` of them. Empty:
    /// there is no such job.
    async fn open_tree(&self, root: JobId, limit: usize) -> StoreResult<Vec<OpenJob>>;
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

/// Walks down from a job. The walk ends with as many as are wanted.
macro_rules! open_tree {
    () => {
        "WITH RECURSIVE tree (id) AS (
             SELECT id FROM jobs WHERE id = ?
             UNION SELECT child_id FROM job_links JOIN tree ON parent_id = tree.id)
         SELECT jobs.id, queue, lane, state, run_at, engine_id, step, errors
         FROM (SELECT id FROM tree LIMIT ?) AS first JOIN jobs ON jobs.id = first.id"
    };
}
pub(super) use open_tree;

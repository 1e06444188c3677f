//! The SQL of jobs and of how they wait for each other that is the same on both databases.
//!
//! Rows are locked where a database has locks of rows (`{for update}`): SQLite has one writer.

use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::shared_statement;
use crate::statement::List;
use crate::store::rows::JobRow;

type Opt<T> = Nullable<T>;

shared_statement! { DropLinksTo { parent: i64 => BigInt } -> () = "DELETE FROM job_links WHERE parent_id = ?"; }

shared_statement! {
    CountParents { child: i64 => BigInt } -> BigInt =
    "SELECT count(*) FROM job_links WHERE child_id = ? AND relation = 'child'";
}

shared_statement! {
    ChildrenOf { parent: i64 => BigInt } -> (BigInt, Text, Opt<Text>, Integer, Opt<BigInt>) =
    "SELECT jobs.id, jobs.kind, jobs.key, jobs.submitted, jobs.worked_at
     FROM job_links JOIN jobs ON jobs.id = job_links.child_id
     WHERE job_links.parent_id = ? AND job_links.relation = 'child' ORDER BY jobs.id";
}

shared_statement! {
    /// A job that waits for others to be final.
    Waiter { id: i64 => BigInt } -> (Text, Opt<Text>, Text, Integer, BigInt, Text) =
    "SELECT kind, key, queue, waits_for, run_at, errors FROM jobs WHERE id = ? AND state = 'blocked' AND waits_for > 0 {for update}";
}

shared_statement! {
    WaitsLess<'a> { state: &'a str => Text, id: i64 => BigInt } -> () =
    "UPDATE jobs SET state = ?, waits_for = waits_for - 1 WHERE id = ?";
}

shared_statement! {
    JobToCancel { id: i64 => BigInt } -> (Text, Opt<Text>, Text, Text, Integer, Text, Opt<BigInt>) =
    "SELECT kind, key, state, errors, attempt, rollup, worked_at FROM jobs WHERE id = ? {for update}";
}

shared_statement! {
    CancelNow<'a> { errors: &'a str => Text, now: i64 => BigInt, id: i64 => BigInt } -> () =
    "UPDATE jobs SET state = 'cancelled', errors = ?, finished_at = ?, waits_for = 0, children_pending = 0 WHERE id = ?";
}

shared_statement! {
    SetRollup<'a> { rollup: &'a str => Text, id: i64 => BigInt } -> () = "UPDATE jobs SET rollup = ? WHERE id = ?";
}

shared_statement! {
    RequestCancel { now: i64 => BigInt, id: i64 => BigInt } -> () =
    "UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ?";
}

shared_statement! {
    /// The attempts of an engine that somebody asked to end.
    CancelRequests<'a> { engine: &'a str => Text } -> (BigInt, BigInt, Integer, Text) =
    "SELECT id, lease_token, attempt, queue FROM jobs
     WHERE state = 'running' AND cancel_requested_at IS NOT NULL AND engine_id = ? ORDER BY id";
}

shared_statement! {
    JobToRetry { id: i64 => BigInt } -> (Text, Opt<Text>, Text, Text, Integer) =
    "SELECT kind, key, queue, state, priority FROM jobs WHERE id = ? {for update}";
}

shared_statement! {
    OpenByKey<'a> { kind: &'a str => Text, key: Option<&'a str> => Opt<Text> } -> BigInt =
    "SELECT id FROM jobs WHERE kind = ? AND key = ? AND key IS NOT NULL AND finished_at IS NULL";
}

shared_statement! {
    /// A failed job starts over; its history stays.
    Revive { now: i64 => BigInt, turn: i64 => BigInt, id: i64 => BigInt } -> () =
    "UPDATE jobs SET state = 'available', run_at = ?, turn = ?, attempt = 0, crash_count = 0, lone_deaths = 0,
            quiet_deaths = 0, finished_at = NULL, worked_at = NULL, result = NULL, step = NULL, percent = 0, progress = '{}', rollup = '{}',
            children_pending = 0, waits_for = 0, cancel_requested_at = NULL, submitted = 1
     WHERE id = ?";
}

shared_statement! {
    Prune { before: i64 => BigInt, limit: i64 => BigInt } -> () =
    "DELETE FROM jobs WHERE id IN (
         SELECT id FROM jobs WHERE finished_at < ? ORDER BY finished_at LIMIT ? {for update skip locked})";
}

shared_statement! { NextDue {} -> Opt<BigInt> = "SELECT min(run_at) FROM jobs WHERE state IN ('scheduled', 'retryable')"; }

shared_statement! {
    /// PostgreSQL's planner must not see a partial index here: see its own `job_statements`.
    RunsAlone { id: i64 => BigInt, token: i64 => BigInt } -> () =
    "UPDATE jobs SET lone_lease = lease_token WHERE id = ? AND lease_token = ? AND state || '' = 'running'";
}

shared_statement! {
    Died<'a> { death: i32 => Integer, engine: &'a str => Text } -> () = "UPDATE engines SET death = ? WHERE id = ?";
}

shared_statement! {
    /// Queues with jobs that ran when an engine died.
    QueuesWithSuspects {} -> Text = "SELECT DISTINCT queue FROM jobs WHERE state = 'available' AND crash_count > 0";
}

shared_statement! {
    Held<'a> { engine: &'a str => Text } -> (BigInt, BigInt, Integer) =
    "SELECT id, coalesce(lease_token, 0), priority FROM jobs WHERE state = 'running' AND engine_id = ?";
}

/// A job as it is read, and what is behind it.
macro_rules! job_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, queue, key, args, state, priority, attempt, max_attempts, crash_count, \
             run_at, step, percent, progress, rollup, children_pending, result, errors, enqueued_at, started_at, finished_at, lane, engine_id \
             FROM jobs ",
            $rest
        )
    };
}

pub(super) use job_columns;

shared_statement! { JobById { id: i64 => BigInt } -> JobRow = job_columns!("WHERE id = ?"); }

shared_statement! { JobsById<'a> { ids: &'a [i64] => List<BigInt> } -> JobRow = job_columns!("WHERE id {in ?}"); }

shared_statement! {
    /// Open jobs of each queue by state, each from the index that knows them. Every blocked job has a link to one that
    /// it waits for.
    OpenCounts {} -> (Text, Text, BigInt) =
    "SELECT queue, 'available', count(*) FROM jobs WHERE state = 'available' AND crash_count = 0 GROUP BY queue
     UNION ALL
     SELECT queue, 'available', count(*) FROM jobs WHERE state = 'available' AND crash_count > 0 GROUP BY queue
     UNION ALL
     SELECT queue, state, count(*) FROM jobs WHERE state IN ('scheduled', 'retryable') GROUP BY queue, state
     UNION ALL
     SELECT queue, 'running', count(*) FROM jobs WHERE state = 'running' GROUP BY queue
     UNION ALL
     SELECT queue, 'blocked', count(*) FROM jobs
         WHERE state = 'blocked' AND id IN (SELECT parent_id FROM job_links) GROUP BY queue";
}

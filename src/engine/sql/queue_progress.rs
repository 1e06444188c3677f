//! The SQL of how queues move.

use diesel::sql_types::{BigInt, Nullable, Text};

use crate::shared_statement;

shared_statement! {
    /// Of the jobs that ended last: in an hour there may be millions.
    QueueProgress { since: i64 => BigInt } -> (Text, Nullable<BigInt>, BigInt, Nullable<BigInt>, BigInt) =
    "SELECT queue, min(run_at), count(*), CAST(NULL AS BIGINT), CAST(0 AS BIGINT)
     FROM jobs WHERE state = 'available' AND crash_count = 0 GROUP BY queue
     UNION ALL
     SELECT queue, min(run_at), count(*), CAST(NULL AS BIGINT), CAST(0 AS BIGINT)
     FROM jobs WHERE state = 'available' AND crash_count > 0 GROUP BY queue
     UNION ALL
     SELECT queue, CAST(NULL AS BIGINT), CAST(0 AS BIGINT), max(finished_at), CAST(0 AS BIGINT) FROM (
         SELECT queue, state, finished_at FROM jobs WHERE finished_at >= ? ORDER BY finished_at DESC LIMIT 5000) AS newest
     WHERE state = 'completed' GROUP BY queue
     UNION ALL
     SELECT queue, CAST(NULL AS BIGINT), CAST(0 AS BIGINT), CAST(NULL AS BIGINT), count(*)
     FROM jobs WHERE state = 'scheduled' AND crash_count > 0 GROUP BY queue";
}

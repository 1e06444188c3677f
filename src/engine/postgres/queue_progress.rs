//! Whether the database works and its queues move.

use async_trait::async_trait;
use diesel::result::OptionalExtension;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::Backend;
use super::command::Verb;
use super::database::PostgresDatabase;
use super::fault::Fault;
use super::reader::read;
use super::seam::PostgresJobs;
use super::transaction::Transaction;
use crate::store::StoreResult;
use crate::store::queue_progress::{
    ProbeStore, ProgressTuple, QueueProgress, no_such_engine, progress_from,
};
use riftsync_basics::Timestamp;

mod sql {
    use super::{BigInt, Nullable, Text};
    use crate::statement;

    statement! {
        Probe<'a> { engine: &'a str => Text } -> BigInt =
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM engines WHERE id = ?";
    }

    statement! {
        /// Of the jobs that ended last: in an hour there may be millions.
        QueueProgress { since: i64 => BigInt } -> (Text, Nullable<BigInt>, BigInt, Nullable<BigInt>, BigInt) =
        "SELECT queue, min(run_at), count(*), NULL::bigint, 0::bigint FROM jobs WHERE state = 'available' AND crash_count = 0 GROUP BY queue
         UNION ALL
         SELECT queue, min(run_at), count(*), NULL::bigint, 0::bigint FROM jobs WHERE state = 'available' AND crash_count > 0 GROUP BY queue
         UNION ALL
         SELECT queue, NULL::bigint, 0::bigint, max(finished_at), 0::bigint FROM (
             SELECT queue, state, finished_at FROM jobs WHERE finished_at >= ? ORDER BY finished_at DESC LIMIT 5000) AS newest
         WHERE state = 'completed' GROUP BY queue
         UNION ALL
         SELECT queue, NULL::bigint, 0::bigint, NULL::bigint, count(*) FROM jobs WHERE state = 'scheduled' AND crash_count > 0 GROUP BY queue";
    }
}

impl Transaction<'_> {
    /// What is written is the mark of the group. The engine's own row is left alone: its heartbeat would wait for this
    /// group.
    pub(super) async fn probe(&mut self, engine: &str) -> Result<Option<Timestamp>, Fault> {
        self.after.wrote = true;
        let now: Option<i64> = sql::Probe { engine }
            .get_result(&mut self.conn)
            .await
            .optional()?;
        match now {
            Some(now) => Ok(Some(Timestamp::from_millis(now))),
            None => Err(no_such_engine(engine).into()),
        }
    }
}

#[async_trait]
impl<J: PostgresJobs> ProbeStore for PostgresDatabase<J> {
    async fn probe(&self, engine: &str) -> StoreResult<Option<Timestamp>> {
        let engine = engine.to_owned();
        self.give(|answer| Verb::Probe(engine, answer)).await
    }

    async fn queue_progress(&self, since: Timestamp) -> StoreResult<Vec<QueueProgress>> {
        let since = since.as_millis();
        let rows: Vec<ProgressTuple> =
            read!(self.readers, conn => sql::QueueProgress { since }.load(conn).await);
        Ok(progress_from(rows))
    }
}

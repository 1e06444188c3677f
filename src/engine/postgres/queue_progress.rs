//! Whether the database works and its queues move.

use async_trait::async_trait;
use diesel::result::OptionalExtension;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::Backend;
use super::command::Verb;
use super::database::PostgresDatabase;
use super::fault::Fault;
use super::reader::read;
use super::seam::PostgresJobs;
use super::transaction::Transaction;
use crate::sql::queue_progress as sql;
use crate::store::StoreResult;
use crate::store::queue_progress::{
    ProbeStore, ProgressTuple, QueueProgress, no_such_engine, progress_from,
};
use riftsync_basics::Timestamp;

mod own {
    use super::{BigInt, Text};
    use crate::statement;

    statement! {
        /// The clock. SQLite has none of its own, and writes the engine's row.
        Probe<'a> { engine: &'a str => Text } -> BigInt =
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM engines WHERE id = ?";
    }
}

impl Transaction<'_> {
    /// What is written is the mark of the group. The engine's own row is left alone: its heartbeat would wait for this
    /// group.
    pub(super) async fn probe(&mut self, engine: &str) -> Result<Option<Timestamp>, Fault> {
        self.after.wrote = true;
        let now: Option<i64> = own::Probe { engine }
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

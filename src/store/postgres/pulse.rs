//! Whether the database works and its queues move.

use async_trait::async_trait;
use diesel::result::OptionalExtension;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::command::Verb;
use super::fault::Fault;
use super::reader::{Patience, read};
use super::transaction::Transaction;
use super::{Backend, PostgresStore};
use crate::model::Timestamp;
use crate::store::StoreResult;
use crate::store::pulse::{PulseStore, PulseTuple, QueuePulse, no_such_engine, pulses_from};

mod sql {
    use super::{BigInt, Nullable, Text};
    use crate::store::statement::statement;

    statement! {
        Probe<'a> { engine: &'a str => Text } -> BigInt =
        "UPDATE engines SET heartbeat_at = heartbeat_at WHERE id = ?
         RETURNING (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    }

    statement! {
        Pulse { since: i64 => BigInt } -> (Text, Nullable<BigInt>, BigInt, Nullable<BigInt>) =
        "SELECT queue, min(run_at), count(*), NULL::bigint FROM jobs WHERE state = 'available' AND crash_count = 0 GROUP BY queue
         UNION ALL
         SELECT queue, min(run_at), count(*), NULL::bigint FROM jobs WHERE state = 'available' AND crash_count > 0 GROUP BY queue
         UNION ALL
         SELECT queue, NULL::bigint, 0::bigint, max(finished_at) FROM jobs WHERE finished_at >= ? AND state = 'completed' GROUP BY queue";
    }
}

impl Transaction<'_> {
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
impl PulseStore for PostgresStore {
    async fn probe(&self, engine: &str) -> StoreResult<Option<Timestamp>> {
        let engine = engine.to_owned();
        self.write(|answer| Verb::Probe(engine, answer)).await
    }

    async fn pulse(&self, since: Timestamp) -> StoreResult<Vec<QueuePulse>> {
        let since = since.as_millis();
        let rows: Vec<PulseTuple> =
            read!(self.readers, conn => sql::Pulse { since }.load(conn).await);
        Ok(pulses_from(rows))
    }
}

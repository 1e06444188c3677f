//! Whether the database works and its queues move.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::reader::ReadDsl;
use super::{Backend, SqliteJobs};
use crate::store::StoreResult;
use crate::store::queue_progress::{
    ProbeStore, ProgressTuple, QueueProgress, no_such_engine, progress_from,
};
use riftsync_basics::Timestamp;

mod sql {
    use super::{BigInt, Nullable, Text};
    use crate::statement;

    statement! {
        Probe<'a> { engine: &'a str => Text } -> () =
        "UPDATE engines SET heartbeat_at = heartbeat_at WHERE id = ?";
    }

    statement! {
        /// Of the jobs that ended last: in an hour there may be millions.
        QueueProgress { since: i64 => BigInt } -> (Text, Nullable<BigInt>, BigInt, Nullable<BigInt>, BigInt) =
        "SELECT queue, min(run_at), count(*), NULL, 0 FROM jobs WHERE state = 'available' AND crash_count = 0 GROUP BY queue
         UNION ALL
         SELECT queue, min(run_at), count(*), NULL, 0 FROM jobs WHERE state = 'available' AND crash_count > 0 GROUP BY queue
         UNION ALL
         SELECT queue, NULL, 0, max(finished_at), 0 FROM (
             SELECT queue, state, finished_at FROM jobs WHERE finished_at >= ? ORDER BY finished_at DESC LIMIT 5000) AS newest
         WHERE state = 'completed' GROUP BY queue
         UNION ALL
         SELECT queue, NULL, 0, NULL, count(*) FROM jobs WHERE state = 'scheduled' AND crash_count > 0 GROUP BY queue";
    }
}

#[async_trait]
impl<S: SqliteJobs> ProbeStore for S {
    async fn probe(&self, engine: &str) -> StoreResult<Option<Timestamp>> {
        let engine = engine.to_owned();
        self.file()
            .write(move |tx| {
                let probe = sql::Probe { engine: &engine };
                match diesel::RunQueryDsl::execute(probe, tx.conn)? {
                    0 => Err(no_such_engine(&engine)),
                    _ => Ok(None),
                }
            })
            .await
    }

    async fn queue_progress(&self, since: Timestamp) -> StoreResult<Vec<QueueProgress>> {
        let mut reader = self.file().readers().borrow().await?;
        let since = since.as_millis();
        let rows: Vec<ProgressTuple> = sql::QueueProgress { since }.load(reader.conn()).await?;
        Ok(progress_from(rows))
    }
}

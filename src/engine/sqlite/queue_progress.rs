//! Whether the database works and its queues move.

use async_trait::async_trait;
use diesel::sql_types::Text;

use super::reader::ReadDsl;
use super::{Backend, SqliteJobs};
use crate::sql::queue_progress as sql;
use crate::store::StoreResult;
use crate::store::queue_progress::{
    ProbeStore, ProgressTuple, QueueProgress, no_such_engine, progress_from,
};
use riftsync_basics::Timestamp;

mod own {
    use super::Text;
    use crate::statement;

    statement! {
        /// PostgreSQL leaves the engine's row alone: its heartbeat would wait for that.
        Probe<'a> { engine: &'a str => Text } -> () =
        "UPDATE engines SET heartbeat_at = heartbeat_at WHERE id = ?";
    }
}

#[async_trait]
impl<S: SqliteJobs> ProbeStore for S {
    async fn probe(&self, engine: &str) -> StoreResult<Option<Timestamp>> {
        let engine = engine.to_owned();
        self.file()
            .write(move |tx| {
                let probe = own::Probe { engine: &engine };
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

//! Reads: on connections of their own, which in WAL mode neither wait for the writer nor hold it up.

use diesel::sqlite::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::open;
use crate::model::rollup::Rollup;
use crate::model::{JobId, JobRecord, Priority, Timestamp};
use crate::store::{StoreError, StoreResult};

pub(super) type ReadConnection = SyncConnectionWrapper<SqliteConnection>;

/// A few connections; a caller takes the first that is free, or waits.
#[derive(Debug)]
pub(super) struct Readers {
    path: String,
    connections: [Mutex<Option<Reader>>; 2],
}

pub(super) struct Reader(ReadConnection);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

/// A connection, ours until dropped.
pub(super) struct Borrowed<'r>(MutexGuard<'r, Option<Reader>>);

impl Borrowed<'_> {
    pub(super) fn conn(&mut self) -> &mut ReadConnection {
        &mut self.0.as_mut().expect("filled when it was borrowed").0
    }
}

impl Readers {
    pub(super) fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            connections: [Mutex::new(None), Mutex::new(None)],
        }
    }

    pub(super) async fn borrow(&self) -> StoreResult<Borrowed<'_>> {
        let [first, second] = &self.connections;
        let mut slot = match first.try_lock() {
            Ok(slot) => slot,
            Err(_) => second.lock().await,
        };
        if slot.is_none() {
            let mut conn = ReadConnection::establish(&self.path)
                .await
                .map_err(|error| StoreError::Unavailable(format!("{}: {error}", self.path)))?;
            conn.batch_execute(open::reader_pragmas()).await?;
            *slot = Some(Reader(conn));
        }
        Ok(Borrowed(slot))
    }

    pub(super) async fn close(&self) {
        for slot in &self.connections {
            slot.lock().await.take();
        }
    }
}

/// The columns of `JobById`, in their order. Two tuples, for one has at most 16 or 32 members.
pub(super) type JobTuple = (
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
    ),
);

pub(super) fn job_from(row: JobTuple) -> StoreResult<JobRecord> {
    use super::transaction::{from_json, to_u32};
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
        priority: Priority::new(u8::try_from(priority).unwrap_or(u8::MAX)),
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
    })
}

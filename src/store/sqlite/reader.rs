//! Reads: on connections of their own, which in WAL mode neither wait for the writer nor hold it up.

use diesel::sqlite::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::open;
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

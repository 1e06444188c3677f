//! Reads: on connections of their own, which in WAL mode neither wait for the writer nor hold it up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, ConnectionError, QueryResult};
use diesel_async::RunQueryDsl;
use diesel_async::methods::LoadQuery;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, MutexGuard};

use super::codes::located;
use super::ground::Ground;
use super::open::{self, Access};
use crate::store::{StoreError, StoreResult};

type ReadConnection = SyncConnectionWrapper<SqliteConnection>;

/// A few connections; a caller takes the first that is free, or waits.
#[derive(Debug)]
pub(super) struct Readers {
    ground: Arc<Ground>,
    connections: [Mutex<Option<Reader>>; 2],
}

struct Reader {
    conn: ReadConnection,
    access: Access,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

/// A connection, ours until dropped.
pub(super) struct Borrowed<'r> {
    slot: MutexGuard<'r, Option<Reader>>,
    ground: &'r Ground,
}

/// A connection whose answers are looked through for damage of the file.
pub(super) struct Watched<'c> {
    conn: &'c mut ReadConnection,
    ground: &'c Ground,
}

impl Borrowed<'_> {
    pub(super) fn conn(&mut self) -> Watched<'_> {
        Watched {
            conn: &mut self
                .slot
                .as_mut()
                .expect("filled when it was borrowed")
                .conn,
            ground: self.ground,
        }
    }
}

impl Watched<'_> {
    /// Reads on the connection's own thread.
    pub(super) async fn spawn_blocking<R: Send + 'static>(
        self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<R> + Send + 'static,
    ) -> QueryResult<R> {
        let read = ToItsEnd(Some(self.conn.spawn_blocking(work))).await;
        heard(self.ground, read)
    }
}

async fn connect(url: String) -> StoreResult<QueryResult<SqliteConnection>> {
    let unavailable = |why: String| StoreError::Unavailable(format!("{url}: {why}"));
    let path = url.clone();
    let connected = tokio::task::spawn_blocking(move || {
        let mut conn = SqliteConnection::establish(&path)?;
        Ok::<_, ConnectionError>(conn.batch_execute(open::reader_pragmas()).map(|()| conn))
    });
    let connected = connected
        .await
        .map_err(|error| unavailable(error.to_string()))?;
    connected.map_err(|error| unavailable(error.to_string()))
}

/// Damage that a read meets ends the store as damage that a write meets does.
fn heard<T>(ground: &Ground, read: QueryResult<T>) -> QueryResult<T> {
    read.map_err(|error| {
        let error = located(error, ground.path());
        ground.hear(&error);
        error
    })
}

/// A read that goes on by itself, on its thread, when nobody waits for it any more. diesel-async would wait for it in
/// the drop, which panics on a runtime of one thread; so it is forgotten. Who uses the connection next waits for it.
struct ToItsEnd<'q, T>(Option<BoxFuture<'q, T>>);

impl<T> Future for ToItsEnd<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(read) = &mut self.0 else {
            return Poll::Pending;
        };
        let polled = read.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T> Drop for ToItsEnd<'_, T> {
    fn drop(&mut self) {
        std::mem::forget(self.0.take());
    }
}

/// Statements as they are read here: as [`RunQueryDsl`] does it, on a connection that is watched.
pub(super) trait ReadDsl: Sized {
    fn load<'q, U>(self, watched: Watched<'q>) -> BoxFuture<'q, QueryResult<Vec<U>>>
    where
        U: Send + 'q,
        Self: LoadQuery<'q, ReadConnection, U> + 'q,
    {
        let Watched { conn, ground } = watched;
        let read = ToItsEnd(Some(RunQueryDsl::load(self, conn).boxed()));
        read.map(|read| heard(ground, read)).boxed()
    }

    fn get_result<'q, U>(self, watched: Watched<'q>) -> BoxFuture<'q, QueryResult<U>>
    where
        U: Send + 'q,
        Self: LoadQuery<'q, ReadConnection, U> + 'q,
    {
        let Watched { conn, ground } = watched;
        let read = ToItsEnd(Some(RunQueryDsl::get_result(self, conn).boxed()));
        read.map(|read| heard(ground, read)).boxed()
    }
}

impl<T: RunQueryDsl<ReadConnection>> ReadDsl for T {}

impl Readers {
    pub(super) fn new(ground: Arc<Ground>) -> Self {
        Self {
            ground,
            connections: [Mutex::new(None), Mutex::new(None)],
        }
    }

    pub(super) async fn borrow(&self) -> StoreResult<Borrowed<'_>> {
        self.ground.stands()?;
        let [first, second] = &self.connections;
        let mut slot = match first.try_lock() {
            Ok(slot) => slot,
            Err(_) => second.lock().await,
        };
        let path = self.ground.path();
        // Nobody could change the file when it was opened; by now somebody may.
        if matches!(&*slot, Some(reader) if reader.access == Access::Unchanging && open::has_log(path))
        {
            *slot = None;
        }
        if slot.is_none() {
            // A file that was put in the place of the open one is none of ours.
            self.ground.check()?;
            let access = open::access(path)?;
            let conn = connect(open::url(path, access)?).await?;
            let conn = ReadConnection::new(heard(&self.ground, conn)?);
            *slot = Some(Reader { conn, access });
        }
        Ok(Borrowed {
            slot,
            ground: &self.ground,
        })
    }

    pub(super) async fn close(&self) {
        for slot in &self.connections {
            slot.lock().await.take();
        }
    }
}

//! Reads: on connections of their own, which in WAL mode neither wait for the writer nor hold it up.
//!
//! Nobody waits for somebody less urgent: requests to cancel and what the engine holds have one connection, its work
//! has others, and questions from outside have theirs; apart from these are lists, which look at many rows, and
//! reports, which read them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use diesel::connection::SimpleConnection;
use diesel::result::Error as DieselError;
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
use super::open;
use super::place::{self, Access};
use crate::store::TooLate;
use crate::store::question::{Question, WaitingLine};
use crate::store::{StoreError, StoreResult};

/// What statements are read on.
pub type ReadConnection = SyncConnectionWrapper<SqliteConnection>;

/// Connections for reads, by who may wait for whom.
#[derive(Debug)]
pub struct Readers {
    ground: Arc<Ground>,
    vital: Pool,
    work: Pool,
    questions: Pool,
    searches: Pool,
    reports: Pool,
}

/// A few connections; a caller takes the first that is free, or waits.
#[derive(Debug)]
struct Pool {
    connections: Vec<Mutex<Option<Reader>>>,
    line: WaitingLine,
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
#[derive(Debug)]
pub struct Borrowed<'r> {
    slot: MutexGuard<'r, Option<Reader>>,
    ground: &'r Ground,
}

/// A connection whose answers are looked through for damage of the file.
#[allow(missing_debug_implementations, reason = "a connection has no Debug")]
pub struct Watched<'c> {
    conn: &'c mut ReadConnection,
    ground: &'c Ground,
}

impl Borrowed<'_> {
    pub fn conn(&mut self) -> Watched<'_> {
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
    pub async fn spawn_blocking<R: Send + 'static>(
        self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<R> + Send + 'static,
    ) -> QueryResult<R> {
        let read = in_time(ToItsEnd(Some(self.conn.spawn_blocking(work)))).await;
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
pub trait ReadDsl: Sized {
    fn load<'q, U>(self, watched: Watched<'q>) -> BoxFuture<'q, QueryResult<Vec<U>>>
    where
        U: Send + 'q,
        Self: LoadQuery<'q, ReadConnection, U> + 'q,
    {
        let Watched { conn, ground } = watched;
        let read = ToItsEnd(Some(RunQueryDsl::load(self, conn).boxed()));
        in_time(read).map(|read| heard(ground, read)).boxed()
    }

    fn get_result<'q, U>(self, watched: Watched<'q>) -> BoxFuture<'q, QueryResult<U>>
    where
        U: Send + 'q,
        Self: LoadQuery<'q, ReadConnection, U> + 'q,
    {
        let Watched { conn, ground } = watched;
        let read = ToItsEnd(Some(RunQueryDsl::get_result(self, conn).boxed()));
        in_time(read).map(|read| heard(ground, read)).boxed()
    }
}

impl<T: RunQueryDsl<ReadConnection>> ReadDsl for T {}

impl Pool {
    fn new(connections: usize) -> Self {
        Self {
            connections: (0..connections).map(|_| Mutex::new(None)).collect(),
            line: WaitingLine::default(),
        }
    }

    async fn free(&self) -> MutexGuard<'_, Option<Reader>> {
        let free = self
            .connections
            .iter()
            .find_map(|slot| slot.try_lock().ok());
        match (free, self.connections.last()) {
            (Some(slot), _) => slot,
            (None, Some(last)) => last.lock().await,
            (None, None) => unreachable!("a pool has connections"),
        }
    }

    async fn in_turn(&self) -> StoreResult<MutexGuard<'_, Option<Reader>>> {
        let Some(question) = Question::current() else {
            return Ok(self.free().await);
        };
        let _place = self.line.enter()?;
        let free = question.in_time(self.free()).await;
        free.ok_or_else(|| self.line.too_long())
    }
}

impl Readers {
    pub(super) fn new(ground: Arc<Ground>) -> Self {
        Self {
            ground,
            vital: Pool::new(1),
            work: Pool::new(2),
            questions: Pool::new(1),
            searches: Pool::new(1),
            reports: Pool::new(2),
        }
    }

    /// For what looks at a few rows.
    pub async fn borrow(&self) -> StoreResult<Borrowed<'_>> {
        let pool = match Question::current() {
            Some(_) => &self.questions,
            None => &self.work,
        };
        self.borrow_of(pool).await
    }

    /// For lists.
    pub async fn search(&self) -> StoreResult<Borrowed<'_>> {
        let pool = match Question::current() {
            Some(_) => &self.searches,
            None => &self.work,
        };
        self.borrow_of(pool).await
    }

    /// For reports, which read thousands of rows: two parts of one at once.
    pub async fn report(&self) -> StoreResult<Borrowed<'_>> {
        let pool = match Question::current() {
            Some(_) => &self.reports,
            None => &self.work,
        };
        self.borrow_of(pool).await
    }

    /// For what must not wait.
    pub async fn vital(&self) -> StoreResult<Borrowed<'_>> {
        self.borrow_of(&self.vital).await
    }

    async fn borrow_of<'r>(&'r self, pool: &'r Pool) -> StoreResult<Borrowed<'r>> {
        self.ground.stands()?;
        let mut slot = pool.in_turn().await?;
        let path = self.ground.path();
        // Nobody could change the file when it was opened; by now somebody may.
        if matches!(&*slot, Some(reader) if reader.access == Access::Unchanging && place::has_log(path))
        {
            *slot = None;
        }
        if slot.is_none() {
            // A file that was put in the place of the open one is none of ours.
            self.ground.check()?;
            let access = place::access(path)?;
            let conn = connect(place::url(path, access)?).await?;
            let conn = ReadConnection::new(heard(&self.ground, conn)?);
            *slot = Some(Reader { conn, access });
        }
        Ok(Borrowed {
            slot,
            ground: &self.ground,
        })
    }

    pub(super) async fn close(&self) {
        let questions = [&self.questions, &self.searches, &self.reports];
        for pool in [&self.vital, &self.work].into_iter().chain(questions) {
            for slot in &pool.connections {
                slot.lock().await.take();
            }
        }
    }
}

/// Makes a read, for as long as it may take. What takes longer goes on by itself.
async fn in_time<T>(read: impl Future<Output = QueryResult<T>>) -> QueryResult<T> {
    let Some(question) = Question::current() else {
        return read.await;
    };
    let read = question.in_time(read).await;
    read.unwrap_or_else(|| Err(DieselError::QueryBuilderError(Box::new(TooLate))))
}

//! A store for effects of your own.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::BoxFuture;
use riftsync_basics::Timestamp;

use super::address::Address;
use super::database::PostgresDatabase;
use super::fault::Fault;
use super::migrate::{ENGINE, Format, LOCK, said};
use super::reader::read;
use super::seam::{PostgresJobs, guarded, guarded_now};
use super::settings::Settings;
use super::transaction::Transaction;
use crate::store::{Effect, StoreError, StoreResult};

/// How often somebody who waits looks for what another engine may have committed.
const LOOK: Duration = Duration::from_millis(200);

/// What your jobs write with their ends, and to which tables.
///
/// Tables and rows are yours; the database has those of the engine besides: `jobs`, `job_links`, `engines`,
/// `leadership`, `schedules`, `store_commits`.
#[async_trait]
pub trait PostgresEffect: Effect + Sized {
    /// Makes your tables, if they are not there yet. Called by every engine that connects, in a transaction of its own,
    /// one engine at a time.
    async fn make_tables(conn: &mut AsyncPgConnection) -> Result<(), Fault>;

    /// Where this stands among all effects of a transaction, which are written in this order. Rows that several jobs
    /// change should be named here: transactions that meet at them wait in a line then. Where they do not, the server
    /// ends one of them, and it is run again.
    fn place(&self) -> String {
        String::new()
    }

    /// Writes the effect, in the transaction of the end of its job, which the lease of the attempt guards: what is
    /// written here was written by the one attempt that ended the job. An error undoes that end too, and nobody else's,
    /// and the job is discarded. After a panic the same is undone, and the attempt has failed: the job is tried again,
    /// if it has attempts left. It runs again if the transaction had to be rolled back.
    async fn write(&self, conn: &AsyncPgConnection, now: Timestamp) -> Result<(), Fault>;
}

/// For jobs that write nothing.
#[async_trait]
impl PostgresEffect for Infallible {
    async fn make_tables(_: &mut AsyncPgConnection) -> Result<(), Fault> {
        Ok(())
    }

    async fn write(&self, _: &AsyncPgConnection, _: Timestamp) -> Result<(), Fault> {
        match *self {}
    }
}

/// How such effects are written: one after the other, in their order.
#[derive(Debug)]
pub struct InOrder<E>(PhantomData<fn() -> E>);

impl<E> Default for InOrder<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

#[async_trait]
impl<E: PostgresEffect> PostgresJobs for InOrder<E> {
    type Effect = E;

    async fn write(
        &mut self,
        tx: &mut Transaction<'_>,
        effects: &[(&E, Timestamp)],
    ) -> Result<(), Fault> {
        let mut effects = effects.to_vec();
        effects.sort_by_cached_key(|(effect, _)| effect.place());
        for (effect, now) in effects {
            effect.write(tx.conn(), now).await?;
        }
        Ok(())
    }
}

/// Jobs in a PostgreSQL database, with the rows that they write beside them.
#[derive(Debug)]
pub struct PostgresStore<E: PostgresEffect> {
    database: PostgresDatabase<InOrder<E>>,
}

impl<E: PostgresEffect> PostgresStore<E> {
    pub(super) const FORMAT: &Format = &Format {
        migrations: &[(
            "engine00000000000001",
            "jobs",
            include_str!("../migrations/postgres/engine00000000000001_jobs/up.sql"),
        )],
        versions: ENGINE,
        made_by: "an engine",
        words: None,
        channel: "riftsync_engine",
        ready: make_tables::<E>,
    };

    /// Connects for an engine to the database of this URL, `postgres://user:password@host:5432/database`: makes its
    /// tables or brings them up to date, and starts its writers. Any number of engines may have it.
    pub async fn open(url: &str) -> StoreResult<Self> {
        Self::open_as(Settings::new(url.parse()?)).await
    }

    /// The same with settings of your own.
    pub async fn open_as(settings: Settings) -> StoreResult<Self> {
        let database = PostgresDatabase::open(settings, Self::FORMAT).await?;
        Ok(Self { database })
    }

    /// Reads beside the writers. It reads again if it lost its connection. What its session is set to stands in
    /// [the module](super).
    pub async fn read<T>(
        &self,
        look: impl for<'c> Fn(&'c AsyncPgConnection) -> BoxFuture<'c, diesel::QueryResult<T>> + Sync,
    ) -> StoreResult<T> {
        Ok(read!(self.database.readers(), conn => look(conn).await))
    }

    /// What a look finds, as soon as it finds something: it looks again after every commit of this process, and
    /// every so often for those of others.
    pub async fn wait_for<T>(
        &self,
        look: impl AsyncFn() -> StoreResult<Option<T>>,
    ) -> StoreResult<T> {
        let mut commits = self.database.commits();
        loop {
            commits.borrow_and_update();
            if let Some(found) = look().await? {
                return Ok(found);
            }
            let _ = tokio::time::timeout(LOOK, commits.changed()).await;
        }
    }

    /// Writes rows of yours, and enqueues jobs with them ([`Transaction::enqueue`]): all of it or nothing. The answer
    /// comes when it is committed. Work may run more than once, and then what the times before wrote is undone. It has
    /// a transaction of its own. What its session is set to stands in [the module](super).
    pub async fn write<T, F>(&self, mut work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'t, 'c> FnMut(&'t mut Transaction<'c>) -> BoxFuture<'t, Result<T, Fault>>
            + Send
            + 'static,
    {
        let write = self.database.write(move |tx| {
            let work = &mut work;
            match guarded_now(move || work(tx)) {
                Ok(work) => Box::pin(guarded(work)),
                Err(fault) => Box::pin(std::future::ready(Err(fault))),
            }
        });
        write.await
    }
}

crate::is_store_of_jobs!([E: PostgresEffect] PostgresStore<E>, database: PostgresDatabase<InOrder<E>>);

fn make_tables<'c, E: PostgresEffect>(
    conn: &'c mut AsyncPgConnection,
    address: &'c Address,
) -> BoxFuture<'c, StoreResult<()>> {
    Box::pin(async move {
        let failed = |why: String| StoreError::Unreachable {
            database: address.to_string(),
            cause: format!("the program's tables could not be made: {why}"),
        };
        let statement = format!(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL client_min_messages = warning; {LOCK}"
        );
        let begun = conn.batch_execute(&statement).await;
        begun.map_err(|error| failed(said(&error).into()))?;
        let made = E::make_tables(conn).await;
        // In a transaction that has failed a COMMIT rolls back, and says nothing.
        let end = if made.is_ok() {
            "SELECT 1; COMMIT"
        } else {
            "ROLLBACK"
        };
        let ended = conn.batch_execute(end).await;
        made.map_err(|fault| failed(fault.into_error().to_string()))?;
        ended.map_err(|error| failed(said(&error).into()))
    })
}

//! A store for effects of your own.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::path::Path;

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use riftsync_basics::Timestamp;

use super::open::{ENGINE_ID, Format, failed};
use super::writer::guarded;
use super::{SqliteFile, SqliteJobs, Transaction};
use crate::store::{Effect, StoreError, StoreResult};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// What your jobs write with their ends, and to which tables.
///
/// Tables and rows are yours; the file has those of the engine besides: `jobs`, `job_links`, `engines`, `schedules`.
pub trait SqliteEffect: Effect + Sized {
    /// Makes your tables, if they are not there yet. Called whenever the file is opened to write, in a transaction of
    /// its own. Migrations of diesel can run here too: those of the engine are in the same list, and begin with
    /// `engine`.
    fn make_tables(conn: &mut SqliteConnection) -> StoreResult<()>;

    /// Writes the effect, in the transaction of the end of its job, which the lease of the attempt guards: what is
    /// written here was written by the one attempt that ended the job. An error undoes that end too, and nobody else's,
    /// and the job is discarded. After a panic the same is undone, and the attempt has failed: the job is tried again,
    /// if it has attempts left.
    fn write(&self, conn: &mut SqliteConnection, now: Timestamp) -> StoreResult<()>;
}

/// For jobs that write nothing.
impl SqliteEffect for Infallible {
    fn make_tables(_: &mut SqliteConnection) -> StoreResult<()> {
        Ok(())
    }

    fn write(&self, _: &mut SqliteConnection, _: Timestamp) -> StoreResult<()> {
        match *self {}
    }
}

/// Jobs in an SQLite file, with the rows that they write beside them.
#[derive(Debug)]
pub struct SqliteStore<E> {
    file: SqliteFile,
    effect: PhantomData<fn() -> E>,
}

impl<E: SqliteEffect> SqliteStore<E> {
    pub(super) const FORMAT: &Format = &Format {
        application_id: ENGINE_ID,
        migrations: || MIGRATIONS,
        versions: "engine",
        made_by: "an engine",
        words: None,
        ready: make_tables::<E>,
    };

    /// Opens the file for an engine: makes it, or brings its tables up to date, and starts its writer. One process has
    /// it at a time.
    pub fn open(path: impl AsRef<Path>) -> StoreResult<Self> {
        let file = SqliteFile::open(path.as_ref(), Self::FORMAT)?;
        Ok(Self {
            file,
            effect: PhantomData,
        })
    }

    /// Reads beside the writer, on a thread for that.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let mut reader = self.file.readers().borrow().await?;
        Ok(reader.conn().spawn_blocking(look).await?)
    }

    /// What a look finds, as soon as it finds something: it looks again after every commit of this process.
    pub async fn wait_for<T>(
        &self,
        look: impl AsyncFn() -> StoreResult<Option<T>>,
    ) -> StoreResult<T> {
        let mut commits = self.file.counters.made.subscribe();
        loop {
            commits.borrow_and_update();
            if let Some(found) = look().await? {
                return Ok(found);
            }
            // It cannot be closed: this holds the sender.
            let _ = commits.changed().await;
        }
    }

    /// Writes rows of yours, and enqueues jobs with them ([`Transaction::enqueue`]): all of it or nothing. The answer
    /// comes when it is on the disk. Work may run more than once, and then what the times before wrote is undone.
    pub async fn write<T, F>(&self, mut work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> StoreResult<T> + Send + 'static,
    {
        self.file.write(move |tx| guarded(|| work(tx))).await
    }
}

impl<E: SqliteEffect> SqliteJobs for SqliteStore<E> {
    type Effect = E;

    fn file(&self) -> &SqliteFile {
        &self.file
    }

    fn apply(conn: &mut SqliteConnection, effect: &E, now: Timestamp) -> StoreResult<()> {
        effect.write(conn, now)
    }
}

/// Why the tables of a program could not be made.
enum Unmade {
    ByDatabase(DieselError),
    ByProgram(StoreError),
}

impl From<DieselError> for Unmade {
    fn from(error: DieselError) -> Self {
        Self::ByDatabase(error)
    }
}

fn make_tables<E: SqliteEffect>(conn: &mut SqliteConnection, path: &Path) -> StoreResult<()> {
    let made = conn.immediate_transaction(|conn| E::make_tables(conn).map_err(Unmade::ByProgram));
    made.map_err(|unmade| match unmade {
        Unmade::ByDatabase(error) => failed(path, &error),
        Unmade::ByProgram(error) => error.located(path),
    })
}

//! The embedded database: the engine's file of jobs (`engine::sqlite`), with League's tables in it.

mod backup;
mod batch;
mod budgets;
mod data;
mod data_statements;
mod details;
mod export;
mod jobs;
mod lake;
mod league;
mod names;
mod one_match;
pub(in crate::store) mod open;
mod open_tree;
mod people;
mod repack;
mod sizes;
mod standing;
mod timeline_details;
mod transaction;
mod upkeep;
mod upkeep_statements;
mod year;

use std::path::Path;

pub use self::backup::{Backup, Written};
use self::transaction::Transaction;
use super::repack::Dictionaries;
use super::rows::Tallies;
use super::upkeep::{PlayersGame, YearTuple, add_up};
use super::upkeep_statements as sql;
use super::{Migrations, StoreResult};
use crate::engine::sqlite::reader::{self, ReadDsl, Readers};
pub use crate::engine::sqlite::tune;
use crate::engine::sqlite::{self, SqliteFile};

/// What the statements of this module are for.
type Backend = diesel::sqlite::Sqlite;

/// A riftsync database in one file.
#[derive(Debug)]
pub struct SqliteStore {
    file: SqliteFile,
    dictionaries: Dictionaries,
}

impl SqliteStore {
    /// Opens the file for an engine: locks it, makes or migrates it, starts the writer.
    pub fn open(path: &Path) -> StoreResult<Self> {
        SqliteFile::open(path, &open::FORMAT).map(Self::over)
    }

    /// An error if there is no such file.
    pub fn refuse_absent(path: &Path) -> StoreResult<()> {
        open::FORMAT.refuse_absent(path)
    }

    /// Opens the file to read only, beside an engine that may be running.
    pub fn open_read_only(path: &Path) -> StoreResult<Self> {
        SqliteFile::open_read_only(path, &open::FORMAT).map(Self::over)
    }

    /// Which migrations a file has and which it lacks; changes nothing.
    pub fn inspect(path: &Path) -> StoreResult<Migrations> {
        open::FORMAT.inspect(path)
    }

    fn over(file: SqliteFile) -> Self {
        Self {
            file,
            dictionaries: Dictionaries::default(),
        }
    }

    fn readers(&self) -> &Readers {
        self.file.readers()
    }

    /// Runs work in a group of the writer; the answer comes after its commit.
    async fn write<T, F>(&self, mut work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> StoreResult<T> + Send + 'static,
    {
        let work = move |tx: &mut sqlite::Transaction<'_>| work(&mut Transaction::of(tx));
        self.file.write(work).await
    }

    /// What players' games add up to.
    async fn tallies(&self, players: &[i64]) -> StoreResult<Tallies> {
        let mut reader = self.readers().borrow().await?;
        let games: Vec<PlayersGame> = sql::GamesOfPlayers { players }.load(reader.conn()).await?;
        let cleaned: Vec<YearTuple> = sql::CleanedOfPlayers { players }
            .load(reader.conn())
            .await?;
        add_up(games, cleaned)
    }

    /// Makes the writer's thread panic in the middle of a group.
    #[cfg(test)]
    pub(crate) async fn panic_in_writer(&self) {
        let _ = self.write::<(), _>(|_| panic!("a bug in a command")).await;
    }
}

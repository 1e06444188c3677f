//! A PostgreSQL server: the engine's database of jobs (`engine::postgres`), with League's tables in it.

mod batch;
mod budgets;
mod data;
mod data_statements;
mod details;
mod documents;
pub(in crate::store) mod export;
pub(in crate::store) mod format;
mod jobs;
mod lake;
mod league;
mod locks;
mod names;
mod one_match;
mod open_tree;
mod people;
mod players;
mod repack;
mod scratch_database;
mod sizes;
mod standing;
mod statistics;
mod timeline_details;
mod transaction;
mod upkeep;
mod upkeep_statements;
mod year;

use std::sync::Arc;

use diesel_async::RunQueryDsl;

use self::jobs::Rows;
use self::reader::{Readers, read};
use super::rows::Tallies;
use super::upkeep::{PlayersGame, YearTuple, add_up};
use super::upkeep_statements as sql;
use super::{Migrations, StoreResult};
pub(in crate::store) use crate::engine::postgres::Fault;
use crate::engine::postgres::connect::{self, Link};
pub use crate::engine::postgres::{Address, Settings, is_postgres};
use crate::engine::postgres::{PostgresDatabase, reader};
use crate::store::repack::Dictionaries;

/// What the statements of this module are for.
type Backend = diesel::pg::Pg;

/// A riftsync database on a PostgreSQL server.
#[derive(Debug)]
pub struct PostgresStore {
    database: PostgresDatabase<Rows>,
    readers: Arc<Readers>,
    dictionaries: Dictionaries,
}

/// As the server shows whose connections these are.
fn named(settings: Settings) -> Settings {
    Settings {
        application: "riftsync",
        ..settings
    }
}

/// Connects for the first time: what is wrong now is wrong with the address, and told.
pub(in crate::store) async fn first(settings: &Settings) -> StoreResult<Link> {
    connect::first(&named(settings.clone())).await
}

impl PostgresStore {
    /// Connects for an engine: makes or migrates the tables, starts the writers.
    pub async fn open(settings: Settings) -> StoreResult<Self> {
        let database = PostgresDatabase::open(named(settings), &format::FORMAT).await?;
        Ok(Self::over(database))
    }

    /// Connects to read only.
    pub async fn open_read_only(settings: Settings) -> StoreResult<Self> {
        let database = PostgresDatabase::open_read_only(named(settings), &format::FORMAT).await?;
        Ok(Self::over(database))
    }

    /// The same, also of the target of an unfinished copy.
    pub(in crate::store) async fn open_target(settings: Settings) -> StoreResult<Self> {
        let database = PostgresDatabase::open_unready(named(settings), &format::FORMAT).await?;
        Ok(Self::over(database))
    }

    /// Which migrations a database has and which it lacks; changes nothing.
    pub async fn inspect(settings: Settings) -> StoreResult<Migrations> {
        PostgresDatabase::<Rows>::inspect(named(settings), &format::FORMAT).await
    }

    fn over(database: PostgresDatabase<Rows>) -> Self {
        Self {
            readers: database.readers().clone(),
            database,
            dictionaries: Dictionaries::default(),
        }
    }

    /// What players' games add up to.
    async fn tallies(&self, players: &[i64]) -> StoreResult<Tallies> {
        let games: Vec<PlayersGame> = read!(self.readers, conn =>
            sql::GamesOfPlayers { players }.load(conn).await);
        let cleaned: Vec<YearTuple> = read!(self.readers, conn =>
            sql::CleanedOfPlayers { players }.load(conn).await);
        add_up(games, cleaned)
    }

    /// Makes a writer panic in the middle of a group.
    #[cfg(test)]
    pub(crate) async fn panic_in_writer(&self) {
        let bug = self
            .database
            .write::<(), _>(|_| panic!("a bug in a command"));
        let _ = bug.await;
    }
}

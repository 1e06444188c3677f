//! Which simulated world a database belongs to.
//!
//! A simulated world is a function of its settings, and so are its ids: what two worlds call by one name is not the same.
//! So a database belongs to one world. It bears the world's name in a table of its own, which real data never has.

use std::io::ErrorKind;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use super::postgres::format::{FORMAT, refuse_unfinished_copy};
use super::postgres::{Settings, first};
use super::sqlite::open;
use super::{Location, StoreError, StoreResult};
use crate::engine::postgres::migrate;

/// The table that marks a database as a simulated world's, with its name.
pub(super) const WORLD_TABLE: &str = "simulated_world";

/// Whether anything was ever done with a database, or an engine is at work on it: also the limits that were learnt are
/// of a world.
const IS_USED: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM matches) OR EXISTS (SELECT 1 FROM players)
    OR EXISTS (SELECT 1 FROM jobs) OR EXISTS (SELECT 1 FROM rate_budgets) THEN 1
    WHEN EXISTS (SELECT 1 FROM engines WHERE stopped_at IS NULL AND rescued_at IS NULL) THEN 2 ELSE 0 END AS value";

/// How a database became a world's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It was already.
    Same,
    /// There was nothing in it.
    Fresh,
    /// It had another world, which is gone; none: one without a name, of an older version.
    Renewed { was: Option<String> },
}

/// What a database was.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Before {
    Empty,
    World(String),
    Data,
    /// Nothing is in it, and an engine is at work on it, or died.
    Engine,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    value: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

impl Location {
    /// Gives the database to a simulated world, before it is opened; it is made if it is not there.
    ///
    /// One that holds another world, or something else, is refused; with `may_renew`, for a file that holds nothing but
    /// simulated worlds by its place, it is made anew.
    pub async fn take_for_world(&self, world: &str, may_renew: bool) -> StoreResult<Taken> {
        match self {
            Self::Sqlite(path) => {
                let refused = |before| self.refuse_world(world, before);
                take_file(path, world, may_renew, refused)
            }
            Self::Postgres(settings) => match take_server(settings, world).await? {
                Ok(taken) => Ok(taken),
                Err(before) => Err(self.refuse_world(world, before)),
            },
        }
    }

    /// The simulated world that a database is of, which is open already; none: of none.
    pub async fn simulated_world(&self) -> StoreResult<Option<String>> {
        let found = match self {
            Self::Sqlite(path) => before(&mut open::open_to_look(path)?)?,
            Self::Postgres(settings) => before_there(&mut first(settings).await?.conn).await?,
        };
        Ok(match found {
            Before::World(world) => Some(world),
            Before::Empty | Before::Data | Before::Engine => None,
        })
    }

    /// An error if the database is a simulated world's: what an API gives is not mixed with it.
    pub async fn refuse_simulated(&self) -> StoreResult<()> {
        let Some(world) = self.simulated_world().await? else {
            return Ok(());
        };
        Err(StoreError::Refused(format!(
            "{self} holds a simulated world ({world}), and what an API gives is not mixed with that. Nothing was \
             fetched. Name another database with --database; to go on with that world, sync with --simulate, this \
             --database and the world's own options"
        )))
    }

    /// Whether a copy of this may go into another database: both are of one world, or the other is of none yet.
    pub(super) async fn refuse_other_world(&self, to: &Self) -> StoreResult<()> {
        let Some(there) = to.simulated_world().await? else {
            return Ok(());
        };
        if self.simulated_world().await?.as_ref() == Some(&there) {
            return Ok(());
        }
        Err(StoreError::Refused(format!(
            "{to} is kept for a simulated world ({there}), and {self} is of another or of none. Nothing was changed. \
             Name another database with --to"
        )))
    }

    /// A copy of this, which is open already, becomes of the same world.
    pub(super) async fn hand_on_world(&self, to: &Self) -> StoreResult<()> {
        let Some(world) = self.simulated_world().await? else {
            return Ok(());
        };
        if to.simulated_world().await?.is_some() {
            return Ok(());
        }
        match to {
            Self::Sqlite(path) => set_name(&mut open::open_beside(path)?, &world),
            Self::Postgres(settings) => {
                set_name_there(&mut first(settings).await?.conn, &world).await
            }
        }
    }

    fn refuse_world(&self, world: &str, before: Before) -> StoreError {
        let holds = match before {
            Before::World(was) => format!("another simulated world ({was})"),
            Before::Engine => {
                return StoreError::Refused(format!(
                    "an engine is at work on {self}, or was killed, and its calls are of no simulated world. Nothing was \
                     changed. Stop it with `riftsync engine stop`, or start and stop it again, or name another database"
                ));
            }
            Before::Empty | Before::Data => "data that is of no simulated world".to_owned(),
        };
        StoreError::Refused(format!(
            "{self} holds {holds}, and is not mixed with this one ({world}). Nothing was changed. Name a new file with \
             --database sqlite://PATH, or leave --database and --dry-run out: the usual simulated database is made anew then"
        ))
    }
}

fn take_file(
    path: &Path,
    world: &str,
    may_renew: bool,
    refused: impl Fn(Before) -> StoreError,
) -> StoreResult<Taken> {
    open::make_folder(path)?;
    open::FORMAT.check_file(path, open::Purpose::Write)?;
    // Nobody works on it while it is looked at, and made anew.
    let _lock = open::lock(path)?;
    let mut conn = open::FORMAT.open_writer(path)?;
    let was = match before(&mut conn)? {
        Before::World(name) if name == world => return Ok(Taken::Same),
        // Of a file the lock tells that nobody is at work on it.
        Before::Empty | Before::Engine => {
            set_name(&mut conn, world)?;
            return Ok(Taken::Fresh);
        }
        other if !may_renew => return Err(refused(other)),
        Before::World(name) => Some(name),
        Before::Data => None,
    };
    drop(conn);
    remove(path)?;
    set_name(&mut open::FORMAT.open_writer(path)?, world)?;
    Ok(Taken::Renewed { was })
}

fn before(conn: &mut SqliteConnection) -> StoreResult<Before> {
    let there = format!("SELECT count(*) AS value FROM sqlite_master WHERE name = '{WORLD_TABLE}'");
    if number(conn, &there)? > 0 {
        let name = format!("SELECT name AS value FROM {WORLD_TABLE}");
        let name: Option<Name> = diesel::sql_query(name).get_result(conn).optional()?;
        if let Some(name) = name {
            return Ok(Before::World(name.value));
        }
    }
    Ok(match number(conn, IS_USED)? {
        0 => Before::Empty,
        2 => Before::Engine,
        _ => Before::Data,
    })
}

fn number(conn: &mut SqliteConnection, query: &str) -> StoreResult<i64> {
    let number: Number = diesel::sql_query(query).get_result(conn)?;
    Ok(number.value)
}

fn set_name(conn: &mut SqliteConnection, world: &str) -> StoreResult<()> {
    conn.batch_execute(&format!(
        "CREATE TABLE IF NOT EXISTS {WORLD_TABLE} (name TEXT NOT NULL) STRICT"
    ))?;
    diesel::sql_query(format!("INSERT INTO {WORLD_TABLE} (name) VALUES (?)"))
        .bind::<Text, _>(world)
        .execute(conn)?;
    Ok(())
}

/// Takes a file away, with what SQLite keeps beside it: that first, or it would belong to an empty file.
fn remove(path: &Path) -> StoreResult<()> {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    for end in ["-wal", "-shm", ""] {
        let mut name = real.as_os_str().to_owned();
        name.push(end);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::Unopenable {
                    path: path.to_owned(),
                    cause: format!("it cannot be made anew: {error}"),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The same of a server's database, which is never made anew: somebody named it.
async fn take_server(settings: &Settings, world: &str) -> StoreResult<Result<Taken, Before>> {
    let mut link = first(settings).await?;
    migrate::run(&mut link.conn, &settings.address, &FORMAT).await?;
    refuse_unfinished_copy(&mut link.conn, &settings.address).await?;
    Ok(match before_there(&mut link.conn).await? {
        Before::World(name) if name == world => Ok(Taken::Same),
        Before::Empty => {
            set_name_there(&mut link.conn, world).await?;
            Ok(Taken::Fresh)
        }
        other => Err(other),
    })
}

async fn set_name_there(conn: &mut AsyncPgConnection, world: &str) -> StoreResult<()> {
    let make = format!("CREATE TABLE IF NOT EXISTS {WORLD_TABLE} (name TEXT NOT NULL)");
    conn.batch_execute(&make).await?;
    let name = diesel::sql_query(format!("INSERT INTO {WORLD_TABLE} (name) VALUES ($1)"));
    let name = name.bind::<Text, _>(world);
    diesel_async::RunQueryDsl::execute(name, conn).await?;
    Ok(())
}

async fn before_there(conn: &mut AsyncPgConnection) -> StoreResult<Before> {
    use diesel_async::RunQueryDsl;
    let there =
        format!("SELECT count(*) AS value FROM pg_class WHERE oid = to_regclass('{WORLD_TABLE}')");
    let there: Number = RunQueryDsl::get_result(diesel::sql_query(there), conn).await?;
    if there.value > 0 {
        let name = diesel::sql_query(format!("SELECT name AS value FROM {WORLD_TABLE}"));
        let names: Vec<Name> = RunQueryDsl::load(name, conn).await?;
        if let Some(name) = names.into_iter().next() {
            return Ok(Before::World(name.value));
        }
    }
    let used = diesel::sql_query(IS_USED.replace("END AS value", "END::bigint AS value"));
    let used: Number = RunQueryDsl::get_result(used, conn).await?;
    Ok(match used.value {
        0 => Before::Empty,
        2 => Before::Engine,
        _ => Before::Data,
    })
}

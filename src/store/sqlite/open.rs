//! riftsync's files: what marks them, and which tables they have.

use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use crate::engine::sqlite::open::Format;
use crate::store::copy::MARK_TABLE;
use crate::store::words::WORDS;
use crate::store::{StoreError, StoreResult};

pub(in crate::store) use crate::engine::sqlite::open::Purpose;
pub(super) use crate::engine::sqlite::open::{failed, look_through};
pub(in crate::store) use crate::engine::sqlite::open::{open_beside, open_to_look};
pub(super) use crate::engine::sqlite::place::{Access, beside, url};
pub(in crate::store) use crate::engine::sqlite::place::{EngineLock, lock, make_folder};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

pub(in crate::store) static FORMAT: Format = Format {
    application_id: 0x5249_4654, // "RIFT"
    migrations: || MIGRATIONS,
    versions: "",
    made_by: "`riftsync sync`",
    words: Some(&WORDS),
    ready: refuse_unfinished,
};

/// The target of an unfinished copy is nobody's.
fn refuse_unfinished(conn: &mut SqliteConnection, path: &Path) -> StoreResult<()> {
    match copy_mark(conn).map_err(|error| failed(path, &error))? {
        Some(source_name) => Err(StoreError::UnfinishedCopy {
            database: path.display().to_string(),
            source_name,
        }),
        None => Ok(()),
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    value: String,
}

/// The source of the unfinished copy in a file, if there is one.
pub(in crate::store) fn copy_mark(conn: &mut SqliteConnection) -> QueryResult<Option<String>> {
    let there = format!("SELECT count(*) AS value FROM sqlite_master WHERE name = '{MARK_TABLE}'");
    if diesel::sql_query(there).get_result::<Number>(conn)?.value == 0 {
        return Ok(None);
    }
    let mark: Option<Word> = diesel::sql_query(format!("SELECT source AS value FROM {MARK_TABLE}"))
        .get_result(conn)
        .optional()?;
    Ok(mark.map(|mark| mark.value))
}

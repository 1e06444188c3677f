//! Opening a database file: whose it is, what version it has, how it is set.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::store::copy::MARK_TABLE;
use crate::store::{Migrations, StoreError, StoreResult};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// "RIFT": marks a SQLite file as ours, so that another program's file is never migrated.
const APPLICATION_ID: i64 = 0x5249_4654;

/// In pages, so 32 MiB: a checkpoint waits for the disk, and the writer with it.
const CHECKPOINT: &str = "PRAGMA wal_autocheckpoint = 8192";

/// A locked file is waited for. In milliseconds.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 10000";

/// What every connection must have. Durability is not a default to rely on: it is read back.
/// (pragma, value as written, value as read)
const PRAGMAS: &[(&str, &str, &str)] = &[
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", "2"),
    ("busy_timeout", "10000", "10000"),
    ("foreign_keys", "ON", "1"),
    ("cache_size", "-16384", "-16384"),
    ("temp_store", "MEMORY", "2"),
];

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

/// The lock that keeps a second engine off the file, with the holder's pid inside. Held until dropped.
#[derive(Debug)]
pub(in crate::store) struct EngineLock(#[expect(dead_code, reason = "held for its lock")] File);

/// The folder of a file that may be made.
pub(in crate::store) fn make_folder(path: &Path) -> StoreResult<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)
        .map_err(|cause| unopenable(path, format!("its folder: {cause}")))
}

pub(in crate::store) fn lock(database: &Path) -> StoreResult<EngineLock> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let unopenable = |cause: std::io::Error| StoreError::Unopenable {
        path: database.to_owned(),
        cause: cause.to_string(),
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(unopenable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            return Err(StoreError::InUse {
                path: database.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(cause)) => return Err(unopenable(cause)),
    }
    let pid = std::process::id().to_string();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(pid.as_bytes()))
        .map_err(unopenable)?;
    Ok(EngineLock(file))
}

/// Opens the writer's connection as [`open_any`] does; a file that is the target of an unfinished copy is refused.
pub(in crate::store) fn open_writer(path: &Path) -> StoreResult<SqliteConnection> {
    let mut conn = open_any(path)?;
    match copy_mark(&mut conn)? {
        Some(source_name) => Err(StoreError::UnfinishedCopy {
            database: path.display().to_string(),
            source_name,
        }),
        None => Ok(conn),
    }
}

/// A connection beside the writer's, set as that one is.
pub(super) fn open_beside(path: &Path) -> StoreResult<SqliteConnection> {
    let mut conn = connect(path)?;
    set_pragmas(&mut conn, path)?;
    Ok(conn)
}

/// The source of the unfinished copy in a file, if there is one.
pub(in crate::store) fn copy_mark(conn: &mut SqliteConnection) -> QueryResult<Option<String>> {
    let there = format!("SELECT count(*) AS value FROM sqlite_master WHERE name = '{MARK_TABLE}'");
    if number(conn, &there)? == 0 {
        return Ok(None);
    }
    let mark: Option<Word> = diesel::sql_query(format!("SELECT source AS value FROM {MARK_TABLE}"))
        .get_result(conn)
        .optional()?;
    Ok(mark.map(|mark| mark.value))
}

/// Makes the file if it is not there, checks that it is ours and not newer than this program, and brings it up to date.
pub(in crate::store) fn open_any(path: &Path) -> StoreResult<SqliteConnection> {
    check_header(path)?;
    let mut conn = connect(path)?;
    let fresh = number(&mut conn, "SELECT count(*) AS value FROM sqlite_master")
        .map_err(|error| not_ours(path, &error))?
        == 0;
    let owner = number(
        &mut conn,
        "SELECT application_id AS value FROM pragma_application_id",
    )
    .map_err(|error| not_ours(path, &error))?;
    if fresh {
        // Both must be set before the first page is written.
        run(&mut conn, path, "PRAGMA page_size = 4096")?;
        run(&mut conn, path, "PRAGMA auto_vacuum = INCREMENTAL")?;
        run(
            &mut conn,
            path,
            &format!("PRAGMA application_id = {APPLICATION_ID}"),
        )?;
    } else if owner != APPLICATION_ID {
        return Err(foreign(path));
    }
    refuse_newer(&mut conn, path)?;
    set_pragmas(&mut conn, path)?;
    run(&mut conn, path, CHECKPOINT)?;
    conn.run_pending_migrations(MIGRATIONS)
        .map_err(|error| unopenable(path, format!("its migration failed: {error}")))?;
    Ok(conn)
}

/// Checks that a file is ours and not newer, without changing it.
pub(super) fn check(path: &Path) -> StoreResult<()> {
    check_header(path)?;
    let mut conn = connect(path)?;
    let owner = number(
        &mut conn,
        "SELECT application_id AS value FROM pragma_application_id",
    )
    .map_err(|error| not_ours(path, &error))?;
    if owner == APPLICATION_ID {
        refuse_newer(&mut conn, path)
    } else {
        Err(foreign(path))
    }
}

/// Settings of a connection that only reads.
pub(super) fn reader_pragmas() -> &'static str {
    "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA cache_size = -8192;"
}

/// SQLite looks at a file's content only when it first reads, and then says little; a person who
/// names the wrong file should hear it at once. Fails also when the file may not be read or written.
fn check_header(path: &Path) -> StoreResult<()> {
    let mut head = [0_u8; 16];
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unopenable(path, error.to_string())),
    };
    let length = file
        .metadata()
        .map_err(|error| unopenable(path, error.to_string()))?
        .len();
    if length == 0 {
        return Ok(());
    }
    if file.read_exact(&mut head).is_err() || &head != b"SQLite format 3\0" {
        return Err(StoreError::NotADatabase {
            path: path.to_owned(),
            cause: "it is no SQLite file".to_owned(),
        });
    }
    Ok(())
}

fn connect(path: &Path) -> StoreResult<SqliteConnection> {
    let text = path
        .to_str()
        .ok_or_else(|| unopenable(path, "its path is not UTF-8".to_owned()))?;
    let mut conn =
        SqliteConnection::establish(text).map_err(|error| unopenable(path, error.to_string()))?;
    // Before anything is read: after a crash another process may be replaying the log just now.
    run(&mut conn, path, BUSY_TIMEOUT)?;
    Ok(conn)
}

/// Which migrations a file has and which it lacks, without changing it.
pub(super) fn inspect(path: &Path) -> StoreResult<Migrations> {
    if !path.exists() {
        return Ok(Migrations {
            applied: Vec::new(),
            pending: known(path)?,
        });
    }
    check(path)?;
    let applied = applied(&mut connect(path)?, path)?;
    let mut pending = known(path)?;
    pending.retain(|version| !applied.contains(version));
    Ok(Migrations { applied, pending })
}

/// The migrations of this program, oldest first.
fn known(path: &Path) -> StoreResult<Vec<String>> {
    let known = diesel::migration::MigrationSource::<Sqlite>::migrations(&MIGRATIONS)
        .map_err(|error| unopenable(path, error.to_string()))?;
    let mut versions: Vec<String> = known
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    versions.sort();
    Ok(versions)
}

/// Those of a file, oldest first.
fn applied(conn: &mut SqliteConnection, path: &Path) -> StoreResult<Vec<String>> {
    let applied = conn
        .applied_migrations()
        .map_err(|error| unopenable(path, error.to_string()))?;
    let mut versions: Vec<String> = applied.iter().map(ToString::to_string).collect();
    versions.sort();
    Ok(versions)
}

/// A database with a migration that this program does not know was written by a newer one.
fn refuse_newer(conn: &mut SqliteConnection, path: &Path) -> StoreResult<()> {
    let known = known(path)?;
    let unknown = applied(conn, path)?
        .into_iter()
        .find(|version| !known.contains(version));
    match unknown {
        Some(version) => Err(StoreError::Newer {
            path: path.to_owned(),
            version,
        }),
        None => Ok(()),
    }
}

fn set_pragmas(conn: &mut SqliteConnection, path: &Path) -> StoreResult<()> {
    for (pragma, value, expected) in PRAGMAS {
        run(conn, path, &format!("PRAGMA {pragma} = {value}"))?;
        let read: Word = diesel::sql_query(format!(
            "SELECT CAST({column} AS TEXT) AS value FROM pragma_{pragma}",
            column = pragma_column(pragma)
        ))
        .get_result(conn)
        .map_err(|error| unopenable(path, error.to_string()))?;
        if read.value != *expected {
            return Err(unopenable(
                path,
                format!(
                    "this file system does not take PRAGMA {pragma} = {value} (it is {})",
                    read.value
                ),
            ));
        }
    }
    Ok(())
}

/// The column that a pragma's table-valued function names.
fn pragma_column(pragma: &str) -> &str {
    match pragma {
        "busy_timeout" => "timeout",
        other => other,
    }
}

fn number(conn: &mut SqliteConnection, query: &str) -> QueryResult<i64> {
    diesel::sql_query(query)
        .get_result::<Number>(conn)
        .map(|row| row.value)
}

fn run(conn: &mut SqliteConnection, path: &Path, statement: &str) -> StoreResult<()> {
    use diesel::connection::SimpleConnection;
    conn.batch_execute(statement)
        .map_err(|error| unopenable(path, error.to_string()))
}

fn unopenable(path: &Path, cause: String) -> StoreError {
    StoreError::Unopenable {
        path: path.to_owned(),
        cause,
    }
}

fn foreign(path: &Path) -> StoreError {
    StoreError::NotADatabase {
        path: path.to_owned(),
        cause: "it is a SQLite database of another program".to_owned(),
    }
}

fn not_ours(path: &Path, error: &diesel::result::Error) -> StoreError {
    if error.to_string().contains("locked") {
        let cause = format!("another program holds it ({error}); try again when it is done");
        return unopenable(path, cause);
    }
    StoreError::NotADatabase {
        path: path.to_owned(),
        cause: error.to_string(),
    }
}

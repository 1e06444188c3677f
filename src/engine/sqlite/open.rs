//! Opening a database file: whose it is, what version it has, how it is set.

use std::path::Path;

use diesel::prelude::*;
use diesel::result::Error::DatabaseError;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use super::codes::{Class, broken, class_of, is_damage};
use super::place::{Access, access, has_log, like_it, lock_path, unopenable, url};
use super::{log, peek};
use crate::store::{Migrations, StoreError, StoreResult, Words, say};

/// The mark of the files of [`SqliteStore`](super::SqliteStore), "RIFJ".
pub(super) const ENGINE_ID: i32 = 0x5249_464A;

/// Where a program's mark stands in the first page, and what must be read to see it.
const APPLICATION_ID_AT: usize = 68;
const HEAD_BYTES: usize = 72;

/// A file of this size is looked through whenever it is opened: some hundredths of a second.
const EXAMINED_BYTES: u64 = 16 << 20;
/// And one of this size when it was not closed well: then damage is likely, and half a second is well spent.
const EXAMINED_BYTES_AFTER_A_CRASH: u64 = 256 << 20;

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

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Read,
    Write,
}

/// Whose a database file is, and which tables it has.
#[derive(Debug)]
pub struct Format {
    /// Marks a file, so that another program's is never migrated.
    pub application_id: i32,
    pub migrations: fn() -> EmbeddedMigrations,
    /// How the versions of these begin. Others may be in the file: they are none of theirs.
    pub versions: &'static str,
    /// How a person makes such a file, as an error says it: "`riftsync sync`".
    pub made_by: &'static str,
    /// How errors say what is to be done; none: in words of their own.
    pub words: Option<&'static Words>,
    /// Looks at a file that is to be written, once its tables are up to date: an error refuses it.
    pub ready: fn(&mut SqliteConnection, &Path) -> StoreResult<()>,
}

impl Format {
    /// Opens the writer's connection as [`Format::open_any`] does, and asks whether the file is ready.
    pub fn open_writer(&self, path: &Path) -> StoreResult<SqliteConnection> {
        let mut conn = self.open_any(path)?;
        (self.ready)(&mut conn, path)?;
        Ok(conn)
    }

    /// An error if there is no such file.
    pub fn refuse_absent(&self, path: &Path) -> StoreResult<()> {
        if path.exists() {
            return Ok(());
        }
        say(self.words);
        let mut cause = format!("it does not exist yet; {} makes it", self.made_by);
        let others = like_it(path);
        if !others.is_empty() {
            cause.push_str(". In its folder: ");
            cause.push_str(&others.join(", "));
        }
        Err(unopenable(path, cause))
    }

    /// Makes the file if it is not there, checks that it is ours, whole and not newer than this program, and brings it
    /// up to date. What kind of file it is was looked at by [`Format::check_file`].
    pub fn open_any(&self, path: &Path) -> StoreResult<SqliteConnection> {
        say(self.words);
        let was_cut_off = has_log(path);
        let remembered = if was_cut_off {
            log::remember(path)
        } else {
            None
        };
        let mut conn = connect(path, Access::Usual)?;
        if is_fresh(&mut conn, path)? {
            // Both must be set before the first page is written.
            run(&mut conn, path, "PRAGMA page_size = 4096")?;
            run(&mut conn, path, "PRAGMA auto_vacuum = INCREMENTAL")?;
            run(
                &mut conn,
                path,
                &format!("PRAGMA application_id = {}", self.application_id),
            )?;
        } else {
            self.refuse_foreign(&mut conn, path)?;
            // A log that belonged to another file fits in places; what does not fit then are tables and their indexes.
            let (check, limit) = if was_cut_off {
                ("integrity_check", EXAMINED_BYTES_AFTER_A_CRASH)
            } else {
                ("quick_check", EXAMINED_BYTES)
            };
            if let Some(remembered) = remembered {
                self.refuse_shortened(&mut conn, path, &remembered)?;
            }
            examine(&mut conn, path, check, limit)?;
        }
        self.refuse_newer(&mut conn, path)?;
        set_pragmas(&mut conn, path)?;
        run(&mut conn, path, CHECKPOINT)?;
        conn.run_pending_migrations((self.migrations)())
            .map_err(|error| failed_by(path, "its migration failed: ", &*error))?;
        Ok(conn)
    }

    /// Checks that a file is ours and not newer, without changing it, and that it is whole if that is soon done. Its
    /// connection.
    pub fn check(&self, path: &Path) -> StoreResult<SqliteConnection> {
        self.check_file(path, Purpose::Read)?;
        let mut conn = connect(path, access(path)?)?;
        self.refuse_foreign(&mut conn, path)?;
        self.refuse_newer(&mut conn, path)?;
        examine(&mut conn, path, "quick_check", EXAMINED_BYTES)?;
        Ok(conn)
    }

    /// SQLite looks at a file's content only when it first reads, and then says little; a person who names the wrong
    /// file should hear it at once, and find nothing made beside it. Fails also when the file may not be read, or
    /// written.
    pub fn check_file(&self, path: &Path, purpose: Purpose) -> StoreResult<()> {
        say(self.words);
        let cannot = |error: std::io::Error| unopenable(path, error.to_string());
        let there = match std::fs::metadata(path) {
            Ok(there) => there,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot(error)),
        };
        if there.is_dir() {
            return Err(unopenable(path, "it is a folder, not a file".to_owned()));
        }
        if !there.is_file() {
            return Err(unopenable(path, "it is not a file".to_owned()));
        }
        let mut head = [0_u8; HEAD_BYTES];
        let read = peek::head(path, &mut head).map_err(cannot)?;
        if purpose == Purpose::Write {
            rustix::fs::access(path, rustix::fs::Access::WRITE_OK)
                .map_err(|error| cannot(error.into()))?;
        }
        if read == 0 {
            return self.check_empty(path, purpose);
        }
        let is_whole = read == HEAD_BYTES;
        // Only our engines leave a lock.
        let was_ours = lock_path(path).exists();
        if !head.starts_with(b"SQLite format 3\0") {
            let cause = "it does not begin as a SQLite file does".to_owned();
            return Err(if was_ours {
                damaged(path, cause)
            } else {
                StoreError::NotADatabase {
                    path: path.to_owned(),
                    cause,
                }
            });
        }
        let owner = head[APPLICATION_ID_AT..].first_chunk().copied();
        let owner = owner.map(i32::from_be_bytes);
        let is_ours = owner == Some(self.application_id);
        // What another program left to be replayed would be replayed into its file if it was opened.
        if is_whole && !is_ours && !was_ours && !has_log(path) {
            return Err(foreign(path, owner));
        }
        Ok(())
    }

    fn check_empty(&self, path: &Path, purpose: Purpose) -> StoreResult<()> {
        if has_log(path) {
            // SQLite would delete the log, and with it what is left.
            let cause = "it is empty, and the log beside it is not".to_owned();
            return Err(damaged(path, cause));
        }
        match purpose {
            Purpose::Write => Ok(()),
            Purpose::Read => Err(unopenable(
                path,
                format!("it is empty; {} makes a database of it", self.made_by),
            )),
        }
    }

    /// Which migrations a file has and which it lacks, without changing it.
    pub fn inspect(&self, path: &Path) -> StoreResult<Migrations> {
        say(self.words);
        if !path.exists() {
            return Ok(Migrations {
                applied: Vec::new(),
                pending: self.known(path)?,
            });
        }
        self.migrations_of(&mut self.check(path)?, path)
    }

    /// An error of a file that is not to be read: it is older than this program, or not ready.
    pub fn check_to_read(&self, path: &Path) -> StoreResult<()> {
        self.refuse_absent(path)?;
        let mut conn = self.check(path)?;
        self.migrations_of(&mut conn, path)?
            .refuse_older(path.display())?;
        (self.ready)(&mut conn, path)
    }

    fn migrations_of(&self, conn: &mut SqliteConnection, path: &Path) -> StoreResult<Migrations> {
        let applied = self.applied(conn, path)?;
        let mut pending = self.known(path)?;
        pending.retain(|version| !applied.contains(version));
        Ok(Migrations { applied, pending })
    }

    /// The migrations of this program, oldest first.
    fn known(&self, path: &Path) -> StoreResult<Vec<String>> {
        let known = diesel::migration::MigrationSource::<Sqlite>::migrations(&(self.migrations)())
            .map_err(|error| unopenable(path, error.to_string()))?;
        let mut versions: Vec<String> = known
            .iter()
            .map(|migration| migration.name().version().to_string())
            .collect();
        versions.sort();
        Ok(versions)
    }

    /// Those of a file, oldest first.
    fn applied(&self, conn: &mut SqliteConnection, path: &Path) -> StoreResult<Vec<String>> {
        let applied = conn
            .applied_migrations()
            .map_err(|error| failed_by(path, "", &*error))?;
        let mut versions: Vec<String> = applied.iter().map(ToString::to_string).collect();
        versions.retain(|version| version.starts_with(self.versions));
        versions.sort();
        Ok(versions)
    }

    /// A database with a migration that this program does not know was written by a newer one.
    fn refuse_newer(&self, conn: &mut SqliteConnection, path: &Path) -> StoreResult<()> {
        let known = self.known(path)?;
        let unknown = self
            .applied(conn, path)?
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

    fn refuse_foreign(&self, conn: &mut SqliteConnection, path: &Path) -> StoreResult<()> {
        let owner = "SELECT application_id AS value FROM pragma_application_id";
        let owner = number(conn, owner).map_err(|error| not_ours(path, &error))?;
        if owner == i64::from(self.application_id) {
            Ok(())
        } else {
            Err(foreign(path, i32::try_from(owner).ok()))
        }
    }

    /// A log that has lost what was copied from it into the file: older pages of it would hide newer ones of the file.
    fn refuse_shortened(
        &self,
        conn: &mut SqliteConnection,
        path: &Path,
        remembered: &log::Remembered,
    ) -> StoreResult<()> {
        #[derive(QueryableByName)]
        struct Checkpoint {
            /// -1: somebody else is just making the index anew.
            #[diesel(sql_type = BigInt)]
            log: i64,
        }
        let mut pages = -1;
        while pages < 0 && remembered.is_still_there(path) {
            // Waits for others, and fails if that takes too long.
            self.refuse_foreign(conn, path)?;
            // It copies nothing.
            let look = diesel::sql_query("PRAGMA wal_checkpoint(NOOP)");
            let found: Checkpoint = look
                .get_result(conn)
                .map_err(|error| failed(path, &error))?;
            pages = found.log;
        }
        if pages >= i64::from(remembered.needed) || !remembered.is_still_there(path) {
            return Ok(());
        }
        let cause = format!(
            "of the log beside it {pages} pages can be read, and {} may be in the file already",
            remembered.needed
        );
        Err(damaged(path, cause))
    }
}

/// A connection beside the writer's, set as that one is.
pub fn open_beside(path: &Path) -> StoreResult<SqliteConnection> {
    let mut conn = connect(path, Access::Usual)?;
    set_pragmas(&mut conn, path)?;
    Ok(conn)
}

/// One that only reads, whoever has the file; it makes nothing beside it.
pub fn open_to_look(path: &Path) -> StoreResult<SqliteConnection> {
    let mut conn = connect(path, access(path)?)?;
    run(&mut conn, path, "PRAGMA query_only = ON")?;
    Ok(conn)
}

/// Looks whether the parts of a file fit together, however large it is.
pub fn look_through(path: &Path) -> StoreResult<()> {
    let mut conn = connect(path, Access::Unchanging)?;
    examine(&mut conn, path, "quick_check", u64::MAX)
}

/// Settings of a connection that only reads.
pub(super) fn reader_pragmas() -> &'static str {
    "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA cache_size = -8192;"
}

fn connect(path: &Path, access: Access) -> StoreResult<SqliteConnection> {
    let mut conn = SqliteConnection::establish(&url(path, access)?)
        .map_err(|error| unopenable(path, error.to_string()))?;
    // Before anything is read: after a crash another process may be replaying the log just now.
    run(&mut conn, path, BUSY_TIMEOUT)?;
    Ok(conn)
}

/// Whether nothing was ever in it.
fn is_fresh(conn: &mut SqliteConnection, path: &Path) -> StoreResult<bool> {
    let mut ask = |query| number(conn, query).map_err(|error| not_ours(path, &error));
    if ask("SELECT count(*) AS value FROM sqlite_master")? > 0 {
        return Ok(false);
    }
    // A first start that was cut off leaves a page; what has more had tables.
    let pages = ask("SELECT page_count AS value FROM pragma_page_count")?;
    if pages > 2 {
        let cause = format!("it has {pages} pages, and no table");
        return Err(damaged(path, cause));
    }
    Ok(true)
}

/// Looks whether the parts of a file fit together, if it is small enough: that takes as long as to read it all.
fn examine(
    conn: &mut SqliteConnection,
    path: &Path,
    check: &str,
    bytes_max: u64,
) -> StoreResult<()> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > bytes_max) {
        return Ok(());
    }
    let found: Vec<Word> =
        diesel::sql_query(format!("SELECT {check} AS value FROM pragma_{check}"))
            .load(conn)
            .map_err(|error| failed(path, &error))?;
    match found.iter().find_map(|found| broken(&found.value)) {
        Some(cause) => Err(damaged(path, cause)),
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
        .map_err(|error| failed(path, &error))?;
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
        .map_err(|error| failed(path, &error))
}

/// Why a file cannot be opened, by what SQLite says of it.
pub fn failed(path: &Path, error: &diesel::result::Error) -> StoreError {
    failed_by(path, "", error)
}

/// The same for an error that has SQLite's somewhere beneath it.
fn failed_by(path: &Path, what: &str, error: &(dyn std::error::Error + 'static)) -> StoreError {
    let mut beneath = Some(error);
    while let Some(cause) = beneath {
        if let Some(DatabaseError(_, told)) = cause.downcast_ref()
            && is_damage(told.message())
        {
            return damaged(path, told.message().to_owned());
        }
        beneath = cause.source();
    }
    unopenable(path, format!("{what}{error}"))
}

fn damaged(path: &Path, cause: String) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        cause,
    }
}

/// `owner`: the program's mark in it.
fn foreign(path: &Path, owner: Option<i32>) -> StoreError {
    let cause = if owner == Some(ENGINE_ID) {
        "it holds the jobs of another program, which is built with the same engine"
    } else {
        "it is a SQLite database of another program"
    };
    StoreError::NotADatabase {
        path: path.to_owned(),
        cause: cause.to_owned(),
    }
}

fn not_ours(path: &Path, error: &diesel::result::Error) -> StoreError {
    let told = match error {
        diesel::result::Error::DatabaseError(_, told) => told.message(),
        _ => "",
    };
    if class_of(told) == Some(Class::Locked) {
        let cause = format!("another program holds it ({error}); try again when it is done");
        return unopenable(path, cause);
    }
    failed(path, error)
}

#[cfg(test)]
mod tests;

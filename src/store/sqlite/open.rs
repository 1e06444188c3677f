//! Opening a database file: whose it is, what version it has, how it is set.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::result::Error::DatabaseError;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{log, peek};
use crate::config::open_lock;
use crate::engine::sqlite::codes::{Class, broken, class_of, is_damage};
use crate::store::copy::MARK_TABLE;
use crate::store::{Migrations, StoreError, StoreResult};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// "RIFT": marks a SQLite file as ours, so that another program's file is never migrated.
const APPLICATION_ID: i64 = 0x5249_4654;

/// Where that stands in the first page, and what must be read to see it.
const APPLICATION_ID_AT: usize = 68;
const HEAD_BYTES: usize = 72;

/// A file of this size is looked through whenever it is opened: some hundredths of a second.
const EXAMINED_BYTES: u64 = 16 << 20;
/// And one of this size when it was not closed well: then damage is likely, and half a second is well spent.
const EXAMINED_BYTES_AFTER_A_CRASH: u64 = 256 << 20;

/// SQLite's longest path, less what it puts behind it.
const PATH_BYTES_MAX: usize = 504;

/// What need not be escaped in a file's URL.
const IN_A_URL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

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

/// A file named after the database, beside it.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn lock_path(database: &Path) -> PathBuf {
    beside(database, ".lock")
}

pub(in crate::store) fn lock(database: &Path) -> StoreResult<EngineLock> {
    let path = lock_path(database);
    let unopenable = |cause: std::io::Error| {
        unopenable(database, format!("its lock {}: {cause}", path.display()))
    };
    let mut file = open_lock(&path).map_err(unopenable)?;
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
    match copy_mark(&mut conn).map_err(|error| failed(path, &error))? {
        Some(source_name) => Err(StoreError::UnfinishedCopy {
            database: path.display().to_string(),
            source_name,
        }),
        None => Ok(conn),
    }
}

/// A connection beside the writer's, set as that one is.
pub(super) fn open_beside(path: &Path) -> StoreResult<SqliteConnection> {
    let mut conn = connect(path, Access::Usual)?;
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

/// Makes the file if it is not there, checks that it is ours, whole and not newer than this program, and brings it up to
/// date. What kind of file it is was looked at by [`check_file`].
pub(in crate::store) fn open_any(path: &Path) -> StoreResult<SqliteConnection> {
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
            &format!("PRAGMA application_id = {APPLICATION_ID}"),
        )?;
    } else {
        refuse_foreign(&mut conn, path)?;
        // A log that belonged to another file fits in places; what does not fit then are tables and their indexes.
        let (check, limit) = if was_cut_off {
            ("integrity_check", EXAMINED_BYTES_AFTER_A_CRASH)
        } else {
            ("quick_check", EXAMINED_BYTES)
        };
        if let Some(remembered) = remembered {
            refuse_shortened(&mut conn, path, &remembered)?;
        }
        examine(&mut conn, path, check, limit)?;
    }
    refuse_newer(&mut conn, path)?;
    set_pragmas(&mut conn, path)?;
    run(&mut conn, path, CHECKPOINT)?;
    conn.run_pending_migrations(MIGRATIONS)
        .map_err(|error| failed_by(path, "its migration failed: ", &*error))?;
    Ok(conn)
}

/// Checks that a file is ours and not newer, without changing it, and that it is whole if that is soon done. Its
/// connection.
pub(super) fn check(path: &Path) -> StoreResult<SqliteConnection> {
    check_file(path, Purpose::Read)?;
    let mut conn = connect(path, access(path)?)?;
    refuse_foreign(&mut conn, path)?;
    refuse_newer(&mut conn, path)?;
    examine(&mut conn, path, "quick_check", EXAMINED_BYTES)?;
    Ok(conn)
}

/// Looks whether the parts of a file fit together, however large it is.
pub(super) fn look_through(path: &Path) -> StoreResult<()> {
    let mut conn = connect(path, Access::Unchanging)?;
    examine(&mut conn, path, "quick_check", u64::MAX)
}

/// Settings of a connection that only reads.
pub(super) fn reader_pragmas() -> &'static str {
    "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA cache_size = -8192;"
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Purpose {
    Read,
    Write,
}

/// SQLite looks at a file's content only when it first reads, and then says little; a person who names the wrong file
/// should hear it at once, and find nothing made beside it. Fails also when the file may not be read, or written.
pub(in crate::store) fn check_file(path: &Path, purpose: Purpose) -> StoreResult<()> {
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
        return check_empty(path, purpose);
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
    let is_ours = owner.map(i32::from_be_bytes).map(i64::from) == Some(APPLICATION_ID);
    // What another program left to be replayed would be replayed into its file if it was opened.
    if is_whole && !is_ours && !was_ours && !has_log(path) {
        return Err(foreign(path));
    }
    Ok(())
}

fn check_empty(path: &Path, purpose: Purpose) -> StoreResult<()> {
    if has_log(path) {
        // SQLite would delete the log, and with it what is left.
        let cause = "it is empty, and the log beside it is not".to_owned();
        return Err(damaged(path, cause));
    }
    match purpose {
        Purpose::Write => Ok(()),
        Purpose::Read => Err(unopenable(
            path,
            "it is empty; `riftsync sync` makes a database of it".to_owned(),
        )),
    }
}

/// How a file can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Beside others, who may write.
    Usual,
    /// As it stands: nothing can be made beside it, and nobody writes to it.
    Unchanging,
}

/// How a file can be read by us, here. SQLite writes beside a file that it reads, to know of those who write.
pub(super) fn access(path: &Path) -> StoreResult<Access> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let may = |path: &Path, what| rustix::fs::access(path, what).is_ok();
    if may(path, rustix::fs::Access::WRITE_OK) && may(folder, rustix::fs::Access::WRITE_OK) {
        return Ok(Access::Usual);
    }
    if !has_log(path) {
        return Ok(Access::Unchanging);
    }
    let (log, index) = (beside(path, "-wal"), beside(path, "-shm"));
    if may(&log, rustix::fs::Access::READ_OK) && may(&index, rustix::fs::Access::READ_OK) {
        return Ok(Access::Usual);
    }
    Err(StoreError::Unreadable {
        path: path.to_owned(),
        log,
    })
}

/// Whether there is something in the log beside the file, which belongs to it.
pub(super) fn has_log(path: &Path) -> bool {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    std::fs::metadata(beside(&real, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// A file's name as SQLite takes it, whatever bytes are in it.
pub(super) fn url(path: &Path, access: Access) -> StoreResult<String> {
    let path = std::path::absolute(path).map_err(|error| unopenable(path, error.to_string()))?;
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() > PATH_BYTES_MAX {
        let cause = format!(
            "its path has {} bytes, and SQLite takes {PATH_BYTES_MAX} at most",
            bytes.len()
        );
        return Err(unopenable(&path, cause));
    }
    let name = percent_encode(bytes, IN_A_URL);
    Ok(match access {
        Access::Usual => format!("file://{name}"),
        Access::Unchanging => format!("file://{name}?immutable=1"),
    })
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

fn refuse_foreign(conn: &mut SqliteConnection, path: &Path) -> StoreResult<()> {
    let owner = "SELECT application_id AS value FROM pragma_application_id";
    if number(conn, owner).map_err(|error| not_ours(path, &error))? == APPLICATION_ID {
        Ok(())
    } else {
        Err(foreign(path))
    }
}

/// A log that has lost what was copied from it into the file: older pages of it would hide newer ones of the file.
fn refuse_shortened(
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
        refuse_foreign(conn, path)?;
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

/// Which migrations a file has and which it lacks, without changing it.
pub(super) fn inspect(path: &Path) -> StoreResult<Migrations> {
    if !path.exists() {
        return Ok(Migrations {
            applied: Vec::new(),
            pending: known(path)?,
        });
    }
    let applied = applied(&mut check(path)?, path)?;
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
        .map_err(|error| failed_by(path, "", &*error))?;
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
pub(super) fn failed(path: &Path, error: &diesel::result::Error) -> StoreError {
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
mod tests {
    use super::*;

    /// A file and its log as a killed process leaves them, with most of the log in the file already.
    fn cut_off() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::TempDir::new().unwrap();
        let (made, path) = (folder.path().join("made.db"), folder.path().join("t.db"));
        let mut conn = open_any(&made).unwrap();
        run(&mut conn, &made, "PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        fill(&mut conn, &made);
        for change in ["UPDATE pages SET page = 'x'", "UPDATE pages SET page = 'y'"] {
            run(&mut conn, &made, change).unwrap();
        }
        run(&mut conn, &made, "PRAGMA wal_checkpoint(PASSIVE)").unwrap();
        for end in ["", "-wal", "-shm"] {
            std::fs::copy(beside(&made, end), beside(&path, end)).unwrap();
        }
        (folder, path)
    }

    fn fill(conn: &mut SqliteConnection, path: &Path) {
        run(
            conn,
            path,
            "CREATE TABLE pages AS WITH RECURSIVE n(i) AS
                 (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
             SELECT i, randomblob(4096) AS page FROM n",
        )
        .unwrap();
    }

    /// Whoever opens the file meanwhile finds it in use: without its lock the other would begin the index of the log
    /// anew, under the feet of this process.
    #[test]
    fn what_is_looked_into_stays_locked() {
        let (_folder, path) = cut_off();
        let remembered = log::remember(&path).unwrap();
        let _conn = open_any(&path).unwrap();
        assert!(holds_a_lock_on(&path) && holds_a_lock_on(&beside(&path, "-shm")));
        let _ = remembered.is_still_there(&path);
        check_file(&path, Purpose::Write).unwrap();
        drop(check(&path).unwrap());
        assert!(holds_a_lock_on(&path), "the file");
        assert!(holds_a_lock_on(&beside(&path, "-shm")), "the index");
    }

    /// As the kernel knows it.
    fn holds_a_lock_on(path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let inode = format!(":{}", std::fs::metadata(path).unwrap().ino());
        let us = std::process::id().to_string();
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(4) == Some(&us.as_str()) && words.iter().any(|word| word.ends_with(&inode))
        })
    }

    type Other = fn(SqliteConnection, &Path) -> Option<SqliteConnection>;

    #[test]
    fn a_log_that_somebody_else_copies_meanwhile_is_not_damaged() {
        let others: [(&str, Other); 4] = [
            ("ends and removes the log", |conn, _| {
                drop(conn);
                None
            }),
            ("empties the log", |mut conn, path| {
                run(&mut conn, path, "PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
                Some(conn)
            }),
            (
                "begins the log anew, only in the index",
                |mut conn, path| {
                    run(&mut conn, path, "PRAGMA wal_checkpoint(RESTART)").unwrap();
                    Some(conn)
                },
            ),
            ("writes from the log's beginning", |mut conn, path| {
                run(&mut conn, path, "PRAGMA wal_checkpoint(RESTART)").unwrap();
                run(&mut conn, path, "UPDATE pages SET page = 'x' WHERE i = 1").unwrap();
                Some(conn)
            }),
        ];
        for (what, other) in others {
            let (_folder, path) = cut_off();
            let remembered = log::remember(&path).unwrap();
            assert!(remembered.needed > 50);
            let first = open_any(&path).unwrap();
            let _first = other(first, &path);
            let mut second = connect(&path, Access::Usual).unwrap();
            let opened = refuse_shortened(&mut second, &path, &remembered);
            assert!(opened.is_ok(), "{what}: {opened:?}");
        }
    }

    #[test]
    fn a_log_that_lost_what_was_copied_from_it_is_damaged() {
        let (_folder, path) = cut_off();
        let log = beside(&path, "-wal");
        let bytes = std::fs::metadata(&log).unwrap().len();
        let cut = File::options().write(true).open(&log).unwrap();
        cut.set_len(bytes - 1).unwrap();
        let error = open_any(&path).map(drop);
        assert!(
            matches!(error, Err(StoreError::Damaged { .. })),
            "{error:?}"
        );
    }
}

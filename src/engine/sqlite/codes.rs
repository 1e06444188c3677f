//! What SQLite's result code was, as far as it can be told from what diesel keeps of it.
//!
//! diesel asks for the code of a failure, keeps whether it is a constraint, and drops the rest; it does not give its
//! raw connection away either. What is left is the message. For the codes that matter here SQLite takes the message
//! from its own table, so it is compared with that table (`sqlite3_errstr`) and not with English of ours: a whole text
//! that is the table's is as good as the code. Extended codes have the text of their primary code. SQLite makes
//! up two texts in another way; they stand below, and a test holds them against the SQLite that is compiled in.

use std::ffi::CStr;
use std::ffi::c_int;

use diesel::result::{DatabaseErrorInformation, Error as DieselError};
use libsqlite3_sys::{
    SQLITE_BUSY, SQLITE_CANTOPEN, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR, SQLITE_LOCKED,
    SQLITE_NOMEM, SQLITE_NOTADB, SQLITE_PROTOCOL, SQLITE_READONLY,
};

/// Codes of a file that is not, or no longer, a database. A short read (`SQLITE_IOERR_SHORT_READ`) of a file that was
/// cut off comes as `SQLITE_CORRUPT`: SQLite itself takes what is missing for zeros, and finds no page there.
const DAMAGE: [c_int; 2] = [SQLITE_CORRUPT, SQLITE_NOTADB];

/// How the message of `SQLITE_CORRUPT` begins where a statement of the schema cannot be read.
const MALFORMED_SCHEMA: &str = "malformed database schema";
/// The message of a header that names a format which no SQLite writes.
const UNKNOWN_FORMAT: &str = "unsupported file format";
/// How `PRAGMA quick_check` begins if the pages of the file do not fit together. What it says of values in rows begins
/// otherwise.
const BROKEN_PAGES: &str = "*** in database ";
/// What `PRAGMA integrity_check` says of an index that lacks rows of its table, or has others.
const OF_AN_INDEX: &str = " index ";

/// Codes of a file that another holds.
const LOCKED: [c_int; 3] = [SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL];
/// Codes of a disk without room. One that fails otherwise takes small writes now and then, as a full one does.
const FULL: [c_int; 2] = [SQLITE_FULL, SQLITE_IOERR];
/// Codes of a file that cannot be written or opened now.
const TRANSIENT: [c_int; 3] = [SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_NOMEM];

/// What a code of SQLite says is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The file is no longer what was written to it.
    Damage,
    /// Another program has it.
    Locked,
    /// No room for so much: later, or less.
    Full,
    /// It cannot be written or opened now.
    Transient,
}

/// None: the same would fail again.
pub fn class_of(message: &str) -> Option<Class> {
    let is_of = |codes: &[c_int]| codes.iter().any(|code| message == text_of(*code));
    if is_damage(message) {
        Some(Class::Damage)
    } else if is_of(&LOCKED) {
        Some(Class::Locked)
    } else if is_of(&FULL) {
        Some(Class::Full)
    } else if is_of(&TRANSIENT) {
        Some(Class::Transient)
    } else {
        None
    }
}

/// Whether SQLite says with this message that the file is damaged.
pub fn is_damage(message: &str) -> bool {
    DAMAGE.iter().any(|code| message == text_of(*code))
        || message.starts_with(MALFORMED_SCHEMA)
        || message == UNKNOWN_FORMAT
}

/// What a line of a check says is wrong with the pages of the file, or between a table and its indexes.
pub fn broken(found: &str) -> Option<String> {
    if let Some(told) = found.strip_prefix(BROKEN_PAGES) {
        // The first line names the database, which is always "main".
        let cause = told.split_once('\n').map_or(told, |(_, cause)| cause);
        return Some(cause.lines().next().unwrap_or(cause).to_owned());
    }
    found.contains(OF_AN_INDEX).then(|| found.to_owned())
}

/// SQLite's text of a result code.
#[allow(unsafe_code, reason = "a text of SQLite is had by a C function only")]
fn text_of(code: c_int) -> &'static str {
    // SAFETY: `sqlite3_errstr` takes any number, touches no connection, and answers with a string that is part of
    // the program and ends with a zero; it is never null.
    let text = unsafe { CStr::from_ptr(libsqlite3_sys::sqlite3_errstr(code)) };
    text.to_str().unwrap_or_default()
}

/// What was wrong with a database file, and with which: diesel's errors have room for it.
#[derive(Debug)]
struct Damage {
    message: String,
    path: String,
}

impl DatabaseErrorInformation for Damage {
    fn message(&self) -> &str {
        &self.message
    }
    fn details(&self) -> Option<&str> {
        Some(&self.path)
    }
    fn hint(&self) -> Option<&str> {
        None
    }
    fn table_name(&self) -> Option<&str> {
        None
    }
    fn column_name(&self) -> Option<&str> {
        None
    }
    fn constraint_name(&self) -> Option<&str> {
        None
    }
    fn statement_position(&self) -> Option<i32> {
        None
    }
}

/// The same error, saying which file is damaged, if it says that one is.
pub fn located(error: DieselError, path: &std::path::Path) -> DieselError {
    match error {
        DieselError::DatabaseError(kind, told) if is_damage(told.message()) => {
            let damage = Damage {
                message: told.message().to_owned(),
                path: path.display().to_string(),
            };
            DieselError::DatabaseError(kind, Box::new(damage))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::sqlite::SqliteConnection;

    /// A database with a table, changed on the disk.
    fn changed(change: impl Fn(&mut Vec<u8>)) -> (tempfile::TempDir, SqliteConnection) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("t.db");
        let url = path.to_str().unwrap();
        let mut conn = SqliteConnection::establish(url).unwrap();
        conn.batch_execute(
            "CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO words SELECT i, printf('word %d', i) FROM n;",
        )
        .unwrap();
        drop(conn);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        (folder, SqliteConnection::establish(url).unwrap())
    }

    fn message(conn: &mut SqliteConnection) -> String {
        let failed = conn.batch_execute("SELECT sum(length(word)) FROM words");
        match failed.unwrap_err() {
            DieselError::DatabaseError(_, told) => told.message().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
        let at = bytes
            .windows(from.len())
            .position(|part| part == from)
            .unwrap();
        bytes[at..at + from.len()].copy_from_slice(to);
    }

    #[test]
    fn the_sqlite_that_is_compiled_in_says_what_is_looked_for_of_each_kind_of_damage() {
        type Change = fn(&mut Vec<u8>);
        let kinds: [(&str, Change); 5] = [
            ("a page", |bytes| bytes[4096 * 3..4096 * 3 + 100].fill(0xa5)),
            ("cut off", |bytes| bytes.truncate(4096 * 2)),
            ("its header", |bytes| bytes[16..100].fill(0xa5)),
            ("its schema", |bytes| {
                replace(bytes, b"CREATE TABLE words", b"CREATE TABXE words");
            }),
            ("its format", |bytes| bytes[47] = 9),
        ];
        let mut seen = Vec::new();
        for (what, change) in kinds {
            let (_folder, mut conn) = changed(change);
            let message = message(&mut conn);
            assert!(is_damage(&message), "{what}: {message}");
            seen.push(message);
        }
        assert!(seen[3].starts_with(MALFORMED_SCHEMA), "{seen:?}");
        assert_eq!(seen[4], UNKNOWN_FORMAT);
    }

    #[test]
    fn what_is_no_damage_is_not_taken_for_it() {
        for code in [
            libsqlite3_sys::SQLITE_FULL,
            libsqlite3_sys::SQLITE_BUSY,
            libsqlite3_sys::SQLITE_IOERR,
            libsqlite3_sys::SQLITE_READONLY,
            libsqlite3_sys::SQLITE_CANTOPEN,
            libsqlite3_sys::SQLITE_ERROR,
        ] {
            assert!(!is_damage(text_of(code)), "{}", text_of(code));
        }
        assert!(!is_damage("no such table: words"));
        assert!(!is_damage(
            "a player called 'database disk image is malformed'"
        ));
    }

    #[test]
    fn a_check_tells_of_an_index_that_is_not_its_tables() {
        #[derive(QueryableByName)]
        struct Found {
            #[diesel(sql_type = diesel::sql_types::Text)]
            integrity_check: String,
        }
        let (_folder, mut conn) = changed(|_| {});
        // The index is read as one of other rows.
        conn.batch_execute(
            "CREATE INDEX some ON words (word) WHERE id > 1000;
             PRAGMA writable_schema = ON;
             UPDATE sqlite_master SET sql = replace(sql, '1000', '990') WHERE name = 'some';
             PRAGMA writable_schema = RESET;",
        )
        .unwrap();
        let found: Vec<Found> = diesel::sql_query("PRAGMA integrity_check")
            .load(&mut conn)
            .unwrap();
        assert!(!found.is_empty());
        for Found { integrity_check } in found {
            assert!(broken(&integrity_check).is_some(), "{integrity_check}");
        }
    }

    #[test]
    fn a_check_tells_pages_that_do_not_fit_from_rows_that_do_not() {
        #[derive(QueryableByName)]
        struct Found {
            #[diesel(sql_type = diesel::sql_types::Text)]
            quick_check: String,
        }
        let check = |conn: &mut SqliteConnection| {
            let found: Found = diesel::sql_query("PRAGMA quick_check(1)")
                .get_result(conn)
                .unwrap();
            found.quick_check
        };
        let (_folder, mut conn) = changed(|bytes| bytes[4096 * 3..4096 * 3 + 100].fill(0xa5));
        let found = check(&mut conn);
        assert!(broken(&found).unwrap().contains("page 4"), "{found}");
        let (_folder, mut conn) = changed(|_| {});
        assert_eq!(broken(&check(&mut conn)), None);
        conn.batch_execute(
            "PRAGMA ignore_check_constraints = ON;
             CREATE TABLE odd (n INTEGER CHECK (n > 0)); INSERT INTO odd VALUES (-1);
             PRAGMA ignore_check_constraints = OFF",
        )
        .unwrap();
        let found = check(&mut conn);
        assert_ne!(found, "ok");
        assert_eq!(broken(&found), None, "{found}");
    }
}

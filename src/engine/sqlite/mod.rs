//! A store of jobs in an SQLite file: one writer thread with group commit, readers beside it.
//!
//! [`SqliteStore`] is whole: an effect of yours, a [`SqliteEffect`], is written to tables of yours in the transaction
//! of the end of its job. A store that has more than that in its file holds a [`SqliteFile`], says how its effects are
//! written ([`SqliteJobs`]), and is a [`JobStore`](crate::store::JobStore) by that alone.
//!
//! Invariants: one engine per file (a lock file with its pid); every write goes through the one writer; nothing is
//! reported as written before its commit is on the disk (`journal_mode=WAL`, `synchronous=FULL`).

mod attempts;
mod checkpoints;
pub mod codes;
mod enqueue;
mod error;
mod file;
mod ground;
mod job_statements;
mod jobs;
mod lists;
mod log;
pub mod open;
mod peek;
pub mod place;
mod queue_progress;
pub mod reader;
mod relations;
mod schedules;
mod store;
#[cfg(test)]
mod tests;
mod transaction;
mod writer;

use std::fmt;

use diesel::sqlite::SqliteConnection;
use riftsync_basics::Timestamp;

pub use self::file::SqliteFile;
pub use self::store::{SqliteEffect, SqliteStore};
pub use self::transaction::Transaction;
use crate::store::{Effect, StoreResult};

/// What the statements of this module are for.
type Backend = diesel::sqlite::Sqlite;

/// A store of jobs in one file. Whoever has such a file open, and can write its effects, is one: the traits of the
/// engine follow.
pub trait SqliteJobs: fmt::Debug + Send + Sync + 'static {
    type Effect: Effect;

    fn file(&self) -> &SqliteFile;

    /// Writes an effect, in the transaction of the end of its job. An error undoes that end too, and nobody else's.
    fn apply(conn: &mut SqliteConnection, effect: &Self::Effect, now: Timestamp)
    -> StoreResult<()>;

    /// What else is written when an engine starts: those before it have ended.
    fn engine_starts(_: &mut SqliteConnection, _: Timestamp) -> StoreResult<()> {
        Ok(())
    }
}

/// Sets SQLite for this program. Its own locks around every connection and every allocation guard against what
/// safe code cannot do: without one, a connection must be used by one thread at a time, and diesel's are used by
/// `&mut` alone. (Of this project `.cargo/config.toml` compiles them out; not of others that use the crate.)
///
/// # Safety
/// No other thread may use SQLite meanwhile: to be called before there is one.
#[allow(unsafe_code, reason = "SQLite is configured by C functions only")]
pub unsafe fn tune() {
    use libsqlite3_sys::{SQLITE_CONFIG_MEMSTATUS, SQLITE_CONFIG_MULTITHREAD, sqlite3_config};
    // SAFETY: the caller's promise is what `sqlite3_config` asks for. A refusal changes nothing.
    unsafe {
        sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0_i32);
    }
}

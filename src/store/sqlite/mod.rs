//! The embedded database: SQLite, one writer thread with group commit, readers beside it.
//!
//! Invariants: one engine per file (a lock file with its pid); every write goes through the one
//! writer; nothing is reported as written before its commit is on the disk.

mod attempts;
mod backup;
mod budgets;
mod checkpoints;
mod data;
mod data_statements;
mod details;
mod enqueue;
mod export;
mod ground;
mod job_statements;
mod jobs;
mod league;
mod lists;
mod log;
mod names;
pub(in crate::store) mod open;
mod open_tree;
mod peek;
mod people;
mod queue_progress;
mod reader;
mod relations;
mod repack;
mod schedules;
mod standing;
mod timeline_details;
mod transaction;
mod upkeep;
mod upkeep_statements;
mod writer;
mod year;

use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

pub use self::backup::{Backup, Written};
use self::ground::Ground;
use self::reader::{ReadDsl, Readers};
use self::transaction::Transaction;
use self::writer::{Command, Counters};
use super::Database as _;
use super::question;
use super::repack::Dictionaries;
use super::rows::Tallies;
use super::rows::to_json;
use super::upkeep::{PlayersGame, YearTuple, add_up};
use super::{Hints, Migrations, StoreError, StoreResult};

/// What the statements of this module are for.
type Backend = diesel::sqlite::Sqlite;

/// A riftsync database in one file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    ground: Arc<Ground>,
    writer: Mutex<Option<Writer>>,
    readers: Readers,
    dictionaries: Dictionaries,
    hints: Arc<Hints>,
    counters: Arc<Counters>,
    /// The reason why the writer died; `None` while it lives.
    death: watch::Sender<Option<String>>,
    _lock: Option<open::EngineLock>,
}

#[derive(Debug)]
struct Writer {
    commands: mpsc::Sender<Box<dyn Command>>,
    thread: JoinHandle<()>,
}

/// Sets SQLite for this program. Its own locks around every connection and every allocation guard against what
/// safe code cannot do: without one, a connection must be used by one thread at a time, and diesel's are used by
/// `&mut` alone.
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

impl SqliteStore {
    /// Opens the file for an engine: locks it, makes or migrates it, starts the writer.
    pub fn open(path: &Path) -> StoreResult<Self> {
        open::make_folder(path)?;
        open::check_file(path, open::Purpose::Write)?;
        let lock = open::lock(path)?;
        let store = Self::without_writer(path, Some(lock));
        store.restart_writer()?;
        Ok(store)
    }

    /// An error if there is no such file.
    pub fn refuse_absent(path: &Path) -> StoreResult<()> {
        if path.exists() {
            return Ok(());
        }
        Err(StoreError::Unopenable {
            path: path.to_owned(),
            cause: "it does not exist yet; `riftsync sync` makes it".to_owned(),
        })
    }

    /// Opens the file to read only, beside an engine that may be running.
    pub fn open_read_only(path: &Path) -> StoreResult<Self> {
        Self::refuse_absent(path)?;
        Self::inspect(path)?.refuse_older(path.display())?;
        Ok(Self::without_writer(path, None))
    }

    /// Which migrations a file has and which it lacks; changes nothing.
    pub fn inspect(path: &Path) -> StoreResult<Migrations> {
        open::inspect(path)
    }

    fn without_writer(path: &Path, lock: Option<open::EngineLock>) -> Self {
        let ground = Arc::new(Ground::new(path));
        Self {
            path: path.to_owned(),
            writer: Mutex::new(None),
            readers: Readers::new(ground.clone()),
            ground,
            dictionaries: Dictionaries::default(),
            hints: Arc::default(),
            counters: Arc::default(),
            death: watch::Sender::new(None),
            _lock: lock,
        }
    }

    /// Runs work in a group of the writer; the answer comes after its commit.
    async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> StoreResult<T> + Send + 'static,
    {
        self.write_heavy(0, work).await
    }

    /// The same with so many bytes of documents.
    async fn write_heavy<T, F>(&self, weight: u64, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> StoreResult<T> + Send + 'static,
    {
        let commands = self
            .lock_writer()
            .as_ref()
            .map(|writer| writer.commands.clone())
            .ok_or(StoreError::Closed)?;
        let (command, fate, answered) = writer::command(work, weight);
        let written = async {
            commands.send(command).await.map_err(|_| writer_gone())?;
            answered.await.map_err(|_| writer_gone())?
        };
        question::written(&fate, written, false, || ready(self.stuck())).await
    }

    /// Why a write that takes its time is not made; none: the writer is at work.
    fn stuck(&self) -> Option<StoreError> {
        let why = "another program holds it locked";
        if self.counters.is_locked_out() {
            self.counters.absence.unwritable(why);
        }
        self.counters.absence.now().map(StoreError::from)
    }

    /// What players' games add up to.
    async fn tallies(&self, players: &[i64]) -> StoreResult<Tallies> {
        let players = &to_json(&players)?;
        let mut reader = self.readers.borrow().await?;
        let games: Vec<PlayersGame> = upkeep_statements::GamesOfPlayers { players }
            .load(reader.conn())
            .await?;
        let cleaned: Vec<YearTuple> = upkeep_statements::CleanedOfPlayers { players }
            .load(reader.conn())
            .await?;
        add_up(games, cleaned)
    }

    /// Makes the writer's thread panic in the middle of a group.
    #[cfg(test)]
    pub(crate) async fn panic_in_writer(&self) {
        let _ = self.write::<(), _>(|_| panic!("a bug in a command")).await;
    }

    fn lock_writer(&self) -> std::sync::MutexGuard<'_, Option<Writer>> {
        // The lock guards two plain values; a panic elsewhere cannot leave them half written.
        self.writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The writer died before the commit: nothing was written, the supervisor starts a new one.
fn writer_gone() -> StoreError {
    StoreError::Unavailable("the writer was interrupted before the commit".to_owned())
}

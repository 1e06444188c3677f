//! A database file that is open.

use std::future::ready;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use super::checkpoints::Checkpoints;
use super::ground::Ground;
use super::open::{self, Format, Purpose};
use super::place::{self, EngineLock};
use super::reader::Readers;
use super::transaction::Transaction;
use super::writer::{self, Command, Counters};
use crate::store::{Hints, StoreError, StoreResult, WriterStats, question, say};

/// A file with its one writer, and its readers beside that.
#[derive(Debug)]
pub struct SqliteFile {
    format: &'static Format,
    pub(super) ground: Arc<Ground>,
    writer: Mutex<Option<Writer>>,
    readers: Readers,
    pub(super) hints: Arc<Hints>,
    pub(super) counters: Arc<Counters>,
    /// The reason why the writer died; `None` while it lives.
    pub(super) death: watch::Sender<Option<String>>,
    _lock: Option<EngineLock>,
}

#[derive(Debug)]
struct Writer {
    commands: mpsc::Sender<Box<dyn Command>>,
    thread: JoinHandle<()>,
}

impl SqliteFile {
    /// Opens the file for an engine: locks it, makes or migrates it, starts the writer.
    pub fn open(path: &Path, format: &'static Format) -> StoreResult<Self> {
        say(format.words);
        place::make_folder(path)?;
        format.check_file(path, Purpose::Write)?;
        let lock = place::lock(path)?;
        let file = Self::without_writer(path, format, Some(lock));
        file.restart_writer()?;
        Ok(file)
    }

    /// Opens the file to read only, beside an engine that may be running. It has to be there, with all its tables.
    pub fn open_read_only(path: &Path, format: &'static Format) -> StoreResult<Self> {
        format.check_to_read(path)?;
        Ok(Self::without_writer(path, format, None))
    }

    fn without_writer(path: &Path, format: &'static Format, lock: Option<EngineLock>) -> Self {
        let ground = Arc::new(Ground::new(path));
        Self {
            format,
            writer: Mutex::new(None),
            readers: Readers::new(ground.clone()),
            ground,
            hints: Arc::default(),
            counters: Arc::default(),
            death: watch::Sender::new(None),
            _lock: lock,
        }
    }

    pub fn path(&self) -> &Path {
        self.ground.path()
    }

    /// Connections to read on.
    pub fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Runs work in a group of the writer; the answer comes after its commit. Work that fails undoes itself alone.
    /// It runs again if its group had to be rolled back.
    pub async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> StoreResult<T> + Send + 'static,
    {
        self.write_heavy(0, work).await
    }

    /// The same with so many bytes of documents.
    pub(super) async fn write_heavy<T, F>(&self, weight: u64, work: F) -> StoreResult<T>
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

    pub(super) fn writer_stats(&self) -> WriterStats {
        let waiting = self.lock_writer().as_ref().map_or(0, |writer| {
            writer.commands.max_capacity() - writer.commands.capacity()
        });
        self.counters.read(waiting)
    }

    pub(super) fn restart_writer(&self) -> StoreResult<()> {
        let no_thread =
            |error| StoreError::Unavailable(format!("no thread for the writer: {error}"));
        // A second start must not make a file anew that is gone.
        self.ground.check()?;
        let ends = |error| self.ground.hears(error);
        let conn = self.format.open_writer(self.path()).map_err(ends)?;
        let beside = open::open_beside(self.path()).map_err(ends)?;
        self.ground.opened_now();
        let checkpoints = Checkpoints::start(beside, self.ground.clone()).map_err(no_thread)?;
        let (commands, waiting) = mpsc::channel(writer::QUEUE_MAX);
        self.death.send_replace(None);
        let thread = writer::start(
            conn,
            waiting,
            self.hints.clone(),
            self.counters.clone(),
            self.death.clone(),
            checkpoints,
            self.ground.clone(),
        )
        .map_err(no_thread)?;
        *self.lock_writer() = Some(Writer { commands, thread });
        Ok(())
    }

    pub(super) async fn close(&self) -> StoreResult<()> {
        self.readers.close().await;
        let Some(Writer { commands, thread }) = self.lock_writer().take() else {
            return Ok(());
        };
        drop(commands);
        tokio::task::spawn_blocking(move || thread.join())
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?
            .map_err(|_| writer_gone())
    }

    fn lock_writer(&self) -> MutexGuard<'_, Option<Writer>> {
        // The lock guards two plain values; a panic elsewhere cannot leave them half written.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer died before the commit: nothing was written, the supervisor starts a new one.
fn writer_gone() -> StoreError {
    StoreError::Unavailable("the writer was interrupted before the commit".to_owned())
}

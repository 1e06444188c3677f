//! The log is brought into the database beside the writer, so that the writer seldom waits for it.
//!
//! SQLite would do all of it in the commit that finds the log long: tens of milliseconds in which nobody's commit
//! is made. Here a thread does it a little at a time. It cannot shorten the log while commits go on, so the
//! writer's own checkpoint, at [`super::open`]'s length, still comes; it then has next to nothing left to do.
//!
//! Nothing depends on it: a checkpoint that fails is made by the next, or by the writer.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::RunQueryDsl;
use diesel::sqlite::SqliteConnection;

use super::ground::Ground;

/// Commits are gathered so long before a checkpoint: what several of them changed is copied once.
const GATHER: Duration = Duration::from_millis(200);

/// Tells the thread of commits. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    committed: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread on a connection of its own.
    pub(super) fn start(conn: SqliteConnection, ground: Arc<Ground>) -> std::io::Result<Self> {
        let (committed, commits) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("store-checkpoints".to_owned())
            .spawn(move || run(conn, &commits, &ground))?;
        Ok(Self {
            committed: Some(committed),
            thread: Some(thread),
        })
    }

    /// There is something in the log. Never waits.
    pub(super) fn committed(&self) {
        if let Some(committed) = &self.committed {
            match committed.try_send(()) {
                // It knows already; or it is gone, and the writer does its work.
                Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
            }
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.committed = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was logged where it was; nothing was lost by it.
            let _ = thread.join();
        }
    }
}

fn run(mut conn: SqliteConnection, commits: &Receiver<()>, ground: &Ground) {
    while commits.recv().is_ok() {
        let until = Instant::now() + GATHER;
        loop {
            match commits.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                // The last connection that closes makes the last one.
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        // What becomes of a file that was moved is the writer's to decide.
        if ground.check().is_err() {
            continue;
        }
        if let Err(error) = diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut conn) {
            ground.hear(&error);
            tracing::debug!("a checkpoint failed, the writer will make it: {error}");
        }
    }
}

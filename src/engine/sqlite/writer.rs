//! The one thread that writes: it groups the commands that are waiting into one commit.
//!
//! A command that fails takes nothing with it: its group is rolled back and run again, each command in
//! a savepoint. (Savepoints always would copy every page a command touches.) Callers hear of success
//! only after the commit is on the disk (`synchronous=FULL`). A panic in what a program writes with its jobs fails
//! that command alone. A panic in any other part rolls the group back and ends the thread: the connection's state is no
//! longer known, the supervisor starts a new one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot, watch};

use super::checkpoints::Checkpoints;
use super::ground::Ground;
use super::job_statements as sql;
use super::transaction::{Consequences, Transaction};
use crate::metrics::DatabaseOutageLog;
use crate::store::Absence;
use crate::store::question::Fate;
use crate::store::{Hints, StoreError, StoreResult, WriterStats};
use riftsync_basics::histogram::Histogram;
use riftsync_supervision::{caught_panic, panic_message};

/// Commands that may wait; callers beyond wait for room.
pub(super) const QUEUE_MAX: usize = 4_096;
/// Commands in one commit.
const GROUP_MAX: usize = 1_024;

/// Work for the writer, and the caller who waits for it.
pub(super) trait Command: Send {
    /// Runs in the transaction; again, if its group had to be rolled back.
    fn run(&mut self, tx: &mut Transaction<'_>) -> StoreResult<()>;
    /// Bytes of documents it writes.
    fn weight(&self) -> u64;
    /// Answers the caller, once the fate of the group is known.
    fn deliver(self: Box<Self>, committed: StoreResult<()>);
}

struct Work<T, F> {
    run: F,
    weight: u64,
    result: Option<StoreResult<T>>,
    answer: oneshot::Sender<StoreResult<T>>,
    fate: Fate,
}

impl<T, F> Command for Work<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut Transaction<'_>) -> StoreResult<T> + Send + 'static,
{
    fn run(&mut self, tx: &mut Transaction<'_>) -> StoreResult<()> {
        // Who has given up must not find it done.
        if !self.fate.seal() {
            return Ok(());
        }
        let result = (self.run)(tx);
        let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        outcome
    }

    fn weight(&self) -> u64 {
        self.weight
    }

    fn deliver(self: Box<Self>, committed: StoreResult<()>) {
        if committed.is_err() {
            self.fate.unseal();
        }
        let result = self.result.unwrap_or(Err(StoreError::Closed));
        // Whoever asked may be gone; the commit stands all the same.
        let _ = self.answer.send(committed.and(result));
    }
}

/// Counters the thread shares.
#[derive(Debug)]
pub(super) struct Counters {
    commits: AtomicU64,
    commands: AtomicU64,
    stale: AtomicU64,
    busy: AtomicBool,
    /// Counts commits for those who wait for one.
    pub(super) made: watch::Sender<u64>,
    /// A group waits for the lock of the file.
    begins: AtomicBool,
    /// What is told to those who ask.
    pub(super) absence: Absence,
    times: Histogram,
    /// A disk that is full, a lock that is held.
    pub(super) outages: DatabaseOutageLog,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            commits: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            made: watch::Sender::new(0),
            begins: AtomicBool::new(false),
            absence: Absence::default(),
            times: Histogram::default(),
            outages: DatabaseOutageLog::default(),
        }
    }
}

impl Counters {
    pub(super) fn is_locked_out(&self) -> bool {
        self.begins.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self, waiting: usize) -> WriterStats {
        WriterStats {
            commits: self.commits.load(Ordering::Relaxed),
            commands: self.commands.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
            waiting: waiting as u64,
            busy: self.busy.load(Ordering::Relaxed),
            times: self.times.read(),
        }
    }
}

/// Packs work and its answer into a command. `weight`: bytes of documents it writes.
pub(super) fn command<T, F>(
    work: F,
    weight: u64,
) -> (Box<dyn Command>, Fate, oneshot::Receiver<StoreResult<T>>)
where
    T: Send + 'static,
    F: FnMut(&mut Transaction<'_>) -> StoreResult<T> + Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    let fate = Fate::open();
    let work = Work {
        run: work,
        weight,
        result: None,
        answer,
        fate: fate.clone(),
    };
    (Box::new(work), fate, answered)
}

/// Starts the thread. It ends when every sender is gone (with what is queued committed), or by a
/// panic, which `death` then tells.
pub(super) fn start(
    mut conn: SqliteConnection,
    mut commands: mpsc::Receiver<Box<dyn Command>>,
    hints: Arc<Hints>,
    counters: Arc<Counters>,
    death: watch::Sender<Option<String>>,
    checkpoints: Checkpoints,
    ground: Arc<Ground>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            let mut waiting = Vec::with_capacity(GROUP_MAX);
            while commands.blocking_recv_many(&mut waiting, GROUP_MAX) > 0 {
                if let Err(end) = ground.check() {
                    if matches!(end, StoreError::Moved { .. }) {
                        finish_file(&mut conn);
                    }
                    fail(&mut waiting, &end);
                    continue;
                }
                let group = AssertUnwindSafe(|| {
                    commit_group(&mut conn, &mut waiting, &hints, &counters, &ground);
                    checkpoints.committed();
                });
                if let Err(panic) = catch_unwind(group) {
                    ground.writer_died();
                    // Nothing of the group is committed: dropping the connection rolls it back, dropping
                    // the commands tells their callers that the store was closed under them.
                    death.send_replace(Some(panic_message(&*panic)));
                    return;
                }
            }
        })
}

fn commit_group(
    conn: &mut SqliteConnection,
    waiting: &mut Vec<Box<dyn Command>>,
    hints: &Hints,
    counters: &Counters,
    ground: &Ground,
) {
    let begun = Instant::now();
    counters.busy.store(true, Ordering::Relaxed);
    let weight = waiting.iter().map(|command| command.weight()).sum();
    let outcome = run_group(conn, waiting, counters);
    // An outage is not over before a commit is made.
    let is_transient = matches!(&outcome, Err(error) if error.is_transient());
    counters.busy.store(is_transient, Ordering::Relaxed);
    match outcome {
        Ok((effects, stale)) => {
            counters.absence.written();
            counters.outages.worked(weight);
            counters.times.note(begun.elapsed());
            counters.commits.fetch_add(1, Ordering::Relaxed);
            counters
                .commands
                .fetch_add(waiting.len() as u64, Ordering::Relaxed);
            counters.stale.fetch_add(stale, Ordering::Relaxed);
            for command in waiting.drain(..) {
                command.deliver(Ok(()));
            }
            counters.made.send_modify(|made| *made += 1);
            for queue in &effects.ready {
                hints.notify(queue);
            }
            if effects.scheduled {
                hints.schedule().notify_one();
            }
            if effects.cancels {
                hints.cancels().notify_one();
            }
        }
        Err(error) => {
            if let StoreError::Unavailable(why) | StoreError::Full(why) = &error {
                counters.absence.unwritable(why);
            }
            // Once, not for each of those who wait.
            if error.is_transient() {
                let weight = if error.is_for_want_of_room() {
                    weight.max(1)
                } else {
                    0
                };
                counters.outages.failed(weight, &error);
            }
            let _ = diesel::sql_query("ROLLBACK").execute(conn);
            let error = ground.hears(error);
            fail(waiting, &error);
        }
    }
}

fn fail(waiting: &mut Vec<Box<dyn Command>>, error: &StoreError) {
    for command in waiting.drain(..) {
        command.deliver(Err(error.clone()));
    }
}

/// Brings what was committed from the log into the file, both still open here under whatever names: the file is whole
/// then, and the log that is left where it was is empty, so that it does not get into another file of that name. Doing
/// it again does nothing.
fn finish_file(conn: &mut SqliteConnection) {
    if let Err(error) = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").execute(conn) {
        tracing::warn!("the last commits are left in the log of the file that was moved: {error}");
    }
}

fn run_group(
    conn: &mut SqliteConnection,
    waiting: &mut [Box<dyn Command>],
    counters: &Counters,
) -> StoreResult<(Consequences, u64)> {
    begin(conn, counters)?;
    let mut tx = Transaction::new(conn);
    for command in &mut *waiting {
        match command.run(&mut tx) {
            Ok(()) => tx.command_succeeded(),
            // A full disk may have rolled everything back already; nothing of the group can stand.
            Err(error) if error.is_told() => return Err(error),
            Err(_) => {
                sql::Rollback {}.execute(conn)?;
                return run_each(conn, waiting, counters);
            }
        }
    }
    commit(tx)
}

/// Opens a transaction; another program may hold the file locked meanwhile.
fn begin(conn: &mut SqliteConnection, counters: &Counters) -> StoreResult<()> {
    counters.begins.store(true, Ordering::Relaxed);
    let begun = sql::Begin {}.execute(conn);
    counters.begins.store(false, Ordering::Relaxed);
    begun?;
    Ok(())
}

/// The same with a savepoint for each command, so that those that fail undo only themselves.
fn run_each(
    conn: &mut SqliteConnection,
    waiting: &mut [Box<dyn Command>],
    counters: &Counters,
) -> StoreResult<(Consequences, u64)> {
    begin(conn, counters)?;
    let mut tx = Transaction::new(conn);
    for command in waiting {
        sql::Savepoint {}.execute(tx.conn)?;
        match command.run(&mut tx) {
            Ok(()) => tx.command_succeeded(),
            Err(error) if error.is_told() => return Err(error),
            Err(_) => {
                sql::RollbackTo {}.execute(tx.conn)?;
                tx.command_failed();
            }
        }
        sql::Release {}.execute(tx.conn)?;
    }
    commit(tx)
}

fn commit(mut tx: Transaction<'_>) -> StoreResult<(Consequences, u64)> {
    let consequences = tx.finish()?;
    let stale = tx.stale;
    sql::Commit {}.execute(tx.conn)?;
    Ok((consequences, stale))
}

/// A program's own part of a command: its panic is an error of whoever brought it. What it wrote is rolled back.
pub(super) fn guarded<T>(part: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
    catch_unwind(AssertUnwindSafe(part))
        .unwrap_or_else(|panic| Err(StoreError::Panicked(caught_panic(&*panic))))
}

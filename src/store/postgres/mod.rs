//! A PostgreSQL server: any number of engines over one database.
//!
//! Invariants: a transaction locks in one order (see `locks`), so that engines that meet wait in a line; whether a
//! commit was made is asked, not guessed; nothing is reported as written before its commit. The store has a thread of its own: no actor holds up a connection.
//!
//! Deliberately absent: triggers, functions and any other logic in the database; `NOTIFY` in a transaction.

mod address;
mod attempts;
mod binding;
mod budgets;
mod claim_cursors;
mod codes;
mod coming;
mod command;
mod commit_marks;
pub(in crate::store) mod connect;
mod data;
mod data_statements;
mod details;
mod documents;
mod enqueue;
mod export;
pub(in crate::store) mod fault;
mod gather;
mod group;
mod held;
mod job_statements;
mod jobs;
mod lake;
mod league;
mod lists;
mod locks;
pub(in crate::store) mod migrate;
mod names;
mod notifier;
mod one_match;
mod open_tree;
mod people;
mod players;
mod presence;
mod queue_progress;
mod reader;
mod relations;
mod repack;
mod schedules;
mod scratch_database;
mod settle;
mod shared;
mod sizes;
mod standing;
mod statistics;
mod timeline_details;
mod tls;
mod transaction;
mod upkeep;
mod upkeep_statements;
mod writer;
mod year;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diesel_async::RunQueryDsl;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;

pub use self::address::{Address, is_postgres};
use self::command::{Answer, Command, Verb};
use self::reader::{Patience, Readers, read};
use self::shared::Shared;
use super::Database as _;
use super::rows::Tallies;
use super::upkeep::{PlayersGame, YearTuple, add_up};
use super::upkeep_statements as sql;
use super::{Migrations, StoreError, StoreResult};
use crate::store::question;
use crate::store::repack::Dictionaries;

/// What the statements of this module are for.
type Backend = diesel::pg::Pg;

/// A writer that has not ended by then may wait for a database that is away.
const CLOSE_LOOK: Duration = Duration::from_millis(300);

/// How a store uses its database.
#[derive(Debug, Clone)]
pub struct Settings {
    pub address: Address,
    /// Connections that write.
    pub writers: usize,
    /// A pooler may give every transaction another session: nothing is kept in one.
    pub pooler: bool,
    /// Tell other engines of new work, and listen to them. Not behind a pooler.
    pub notify: bool,
}

impl Settings {
    pub fn new(address: Address) -> Self {
        Self {
            address,
            writers: 3,
            pooler: false,
            notify: true,
        }
    }
}

/// A riftsync database on a PostgreSQL server.
#[derive(Debug)]
pub struct PostgresStore {
    shared: Arc<Shared>,
    writer: Mutex<Option<Writers>>,
    readers: Readers,
    dictionaries: Dictionaries,
    notifier: Mutex<Option<AbortHandle>>,
    presence: Mutex<Option<AbortHandle>>,
    runtime: Mutex<Option<Runtime>>,
}

#[derive(Debug)]
struct Writers {
    commands: mpsc::Sender<Command>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // A plain drop would wait for its tasks, which no async code may do.
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The locks guard plain values; a panic elsewhere cannot leave them half written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PostgresStore {
    /// Connects for an engine: makes or migrates the tables, starts the writers.
    pub async fn open(settings: Settings) -> StoreResult<Self> {
        let store = Self::without_writer(settings)?;
        let settings = store.shared.settings.clone();
        let ready = store.handle()?.spawn(async move {
            let mut link = connect::first(&settings).await?;
            migrate::run(&mut link.conn, &settings.address).await?;
            migrate::refuse_unfinished_copy(&mut link.conn, &settings.address).await
        });
        ready.await.map_err(|_| StoreError::Closed)??;
        store.restart_writer()?;
        store.listen()?;
        Ok(store)
    }

    fn listen(&self) -> StoreResult<()> {
        let settings = &self.shared.settings;
        if settings.notify && !settings.pooler {
            let handle = self.handle()?;
            let _on_the_stores_runtime = handle.enter();
            *lock(&self.notifier) = Some(notifier::start(&self.shared));
        }
        Ok(())
    }

    /// Connects to read only.
    pub async fn open_read_only(settings: Settings) -> StoreResult<Self> {
        let store = Self::without_writer(settings)?;
        let migrations = store.migrations().await?;
        if migrations.applied.is_empty() {
            return Err(StoreError::Unreachable {
                database: store.shared.settings.address.to_string(),
                cause: "it has no riftsync tables yet; `riftsync sync` makes them".to_owned(),
            });
        }
        migrations.refuse_older(&store.shared.settings.address)?;
        Ok(store)
    }

    /// Which migrations a database has and which it lacks; changes nothing.
    pub async fn inspect(settings: Settings) -> StoreResult<Migrations> {
        Self::without_writer(settings)?.migrations().await
    }

    async fn migrations(&self) -> StoreResult<Migrations> {
        let settings = self.shared.settings.clone();
        let checked = self.handle()?.spawn(async move {
            let mut link = connect::first(&settings).await?;
            migrate::check(&mut link.conn, &settings.address).await
        });
        checked.await.map_err(|_| StoreError::Closed)?
    }

    fn without_writer(settings: Settings) -> StoreResult<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| {
                StoreError::Unavailable(format!("no thread for the store: {error}"))
            })?;
        let shared = Arc::new(Shared::new(settings));
        Ok(Self {
            readers: Readers::new(&shared.settings, runtime.handle(), &shared.absence),
            dictionaries: Dictionaries::default(),
            shared,
            writer: Mutex::new(None),
            notifier: Mutex::new(None),
            presence: Mutex::new(None),
            runtime: Mutex::new(Some(runtime)),
        })
    }

    fn handle(&self) -> StoreResult<Handle> {
        let runtime = lock(&self.runtime);
        runtime
            .as_ref()
            .map(|runtime| runtime.handle().clone())
            .ok_or(StoreError::Closed)
    }

    /// Gives a command to the writers; the answer comes after its commit.
    async fn write<T>(&self, verb: impl FnOnce(Answer<T>) -> Verb) -> StoreResult<T> {
        let (answer, answered): (_, oneshot::Receiver<StoreResult<T>>) = Answer::new();
        let commands = lock(&self.writer)
            .as_ref()
            .map(|writer| writer.commands.clone())
            .ok_or(StoreError::Closed)?;
        let command = Command::new(verb(answer));
        let fate = command.fate.clone();
        let written = async {
            commands.send(command).await.map_err(|_| writer_gone())?;
            answered.await.map_err(|_| writer_gone())?
        };
        let away = self.shared.absence.is_unreached();
        question::written(&fate, written, away, || self.readers.stuck()).await
    }

    /// What players' games add up to.
    async fn tallies(&self, players: &[i64]) -> StoreResult<Tallies> {
        let games: Vec<PlayersGame> = read!(self.readers, conn =>
            sql::GamesOfPlayers { players }.load(conn).await);
        let cleaned: Vec<YearTuple> = read!(self.readers, conn =>
            sql::CleanedOfPlayers { players }.load(conn).await);
        add_up(games, cleaned)
    }

    /// Waits for a writer's last group; not for a database that is away.
    async fn ended(&self, mut task: JoinHandle<()>) -> StoreResult<()> {
        loop {
            match timeout(CLOSE_LOOK, &mut task).await {
                Ok(ended) => return ended.map_err(|_| writer_gone()),
                Err(_) if self.readers.stuck().await.is_some() => {
                    task.abort();
                    return Ok(());
                }
                Err(_) => {}
            }
        }
    }

    /// Makes a writer panic in the middle of a group.
    #[cfg(test)]
    pub(crate) async fn panic_in_writer(&self) {
        let _ = self.write(Verb::Panic).await;
    }
}

/// The writer died before the commit: nothing was written, the supervisor starts a new one.
fn writer_gone() -> StoreError {
    StoreError::Unavailable("the writer was interrupted before the commit".to_owned())
}

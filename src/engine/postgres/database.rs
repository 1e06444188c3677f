//! A database that is open.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use futures_util::future::BoxFuture;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;

use super::command::{Answer, Command, Verb};
use super::connect::{self, Link, Purpose};
use super::fault::Fault;
use super::locks::Lessons;
use super::migrate::{self, Format};
use super::reader::Readers;
use super::seam::PostgresJobs;
use super::settings::Settings;
use super::shared::Shared;
use super::transaction::Transaction;
use super::{notifier, writer};
use crate::store::{Migrations, StoreError, StoreResult, question, say};

/// A writer that has not ended by then may wait for a database that is away.
const CLOSE_LOOK: Duration = Duration::from_millis(300);
/// How often work apart is tried that others were in the way of, or whose connection was lost.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(200);

/// A database with its writers, and its readers beside them.
pub struct PostgresDatabase<J: PostgresJobs> {
    pub(super) shared: Arc<Shared>,
    writer: Mutex<Option<Writers<J::Effect>>>,
    pub(super) readers: Arc<Readers>,
    notifier: Mutex<Option<AbortHandle>>,
    pub(super) presence: Mutex<Option<AbortHandle>>,
    runtime: Mutex<Option<Runtime>>,
}

#[derive(Debug)]
struct Writers<E> {
    commands: mpsc::Sender<Command<E>>,
    tasks: Vec<JoinHandle<()>>,
}

impl<J: PostgresJobs> fmt::Debug for PostgresDatabase<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDatabase")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl<J: PostgresJobs> Drop for PostgresDatabase<J> {
    fn drop(&mut self) {
        // A plain drop would wait for its tasks, which no async code may do.
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The locks guard plain values; a panic elsewhere cannot leave them half written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<J: PostgresJobs> PostgresDatabase<J> {
    /// Connects for an engine: makes or migrates the tables, starts the writers.
    pub async fn open(settings: Settings, format: &'static Format) -> StoreResult<Self> {
        let database = Self::without_writer(settings, format)?;
        let settings = database.shared.settings.clone();
        let ready = database.handle()?.spawn(async move {
            let mut link = connect::first(&settings).await?;
            migrate::run(&mut link.conn, &settings.address, format).await?;
            (format.ready)(&mut link.conn, &settings.address).await
        });
        ready.await.map_err(|_| StoreError::Closed)??;
        database.start_writers()?;
        database.listen()?;
        Ok(database)
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
    pub async fn open_read_only(settings: Settings, format: &'static Format) -> StoreResult<Self> {
        Self::open_to_read(settings, format, true).await
    }

    /// The same of one that need not be ready for others.
    pub async fn open_unready(settings: Settings, format: &'static Format) -> StoreResult<Self> {
        Self::open_to_read(settings, format, false).await
    }

    async fn open_to_read(
        settings: Settings,
        format: &'static Format,
        is_ready: bool,
    ) -> StoreResult<Self> {
        let database = Self::without_writer(settings, format)?;
        let address = &database.shared.settings.address;
        let migrations = database.migrations(format, is_ready).await?;
        if migrations.applied.is_empty() {
            return Err(StoreError::Unreachable {
                database: address.to_string(),
                cause: format!(
                    "its tables are not there yet; {} makes them",
                    format.made_by
                ),
            });
        }
        migrations.refuse_older(address)?;
        Ok(database)
    }

    /// Which migrations a database has and which it lacks; changes nothing.
    pub async fn inspect(settings: Settings, format: &'static Format) -> StoreResult<Migrations> {
        Self::without_writer(settings, format)?
            .migrations(format, false)
            .await
    }

    /// `is_ready`: an error unless it is ready for others.
    async fn migrations(&self, format: &'static Format, is_ready: bool) -> StoreResult<Migrations> {
        let settings = self.shared.settings.clone();
        let checked = self.handle()?.spawn(async move {
            let mut link = connect::first(&settings).await?;
            let migrations = migrate::check(&mut link.conn, &settings.address, format).await?;
            if is_ready {
                (format.ready)(&mut link.conn, &settings.address).await?;
            }
            Ok(migrations)
        });
        checked.await.map_err(|_| StoreError::Closed)?
    }

    fn without_writer(settings: Settings, format: &'static Format) -> StoreResult<Self> {
        say(format.words);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| {
                StoreError::Unavailable(format!("no thread for the store: {error}"))
            })?;
        let shared = Arc::new(Shared::new(settings, format.channel));
        Ok(Self {
            readers: Arc::new(Readers::new(
                &shared.settings,
                runtime.handle(),
                &shared.absence,
            )),
            shared,
            writer: Mutex::new(None),
            notifier: Mutex::new(None),
            presence: Mutex::new(None),
            runtime: Mutex::new(Some(runtime)),
        })
    }

    /// Connections to read on.
    pub fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// This engine, once others can see by its session whether it lives.
    pub fn seen_as(&self) -> Option<String> {
        self.shared.presence.holder()
    }

    pub(super) fn handle(&self) -> StoreResult<Handle> {
        let runtime = lock(&self.runtime);
        runtime
            .as_ref()
            .map(|runtime| runtime.handle().clone())
            .ok_or(StoreError::Closed)
    }

    /// Runs work in a transaction of a writer; the answer comes after its commit. It runs again if the transaction had
    /// to be rolled back. See [`Transaction::enqueue`] for jobs.
    pub async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'t, 'c> FnMut(&'t mut Transaction<'c>) -> BoxFuture<'t, Result<T, Fault>>
            + Send
            + 'static,
    {
        self.give(|answer| Verb::own(None, work, answer)).await
    }

    /// The same at a place that engines share, for work that is small: what is at a place may share a transaction with
    /// others, in the order of their places. Its first lock is that of the place.
    ///
    /// It brings no jobs with it: places come before all jobs in the order of locks ([`Locks`](super::Locks)), and the
    /// next place of the same transaction would come behind those jobs. Enqueue with [`Self::write`], which has a
    /// transaction of its own.
    pub async fn write_at<T, F>(&self, place: String, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'t, 'c> FnMut(&'t mut Transaction<'c>) -> BoxFuture<'t, Result<T, Fault>>
            + Send
            + 'static,
    {
        self.give(|answer| Verb::own(Some(place), work, answer))
            .await
    }

    /// Runs work in a transaction on a connection of its own: it waits behind no group, and comes to its end also when
    /// nobody waits for it any more. Whether a commit was made whose answer was lost is not asked: to do it twice must
    /// be as good as to do it once.
    ///
    /// It brings no jobs with it: they would be there twice after such a commit, and no queue would hear of them.
    /// Enqueue with [`Self::write`], which asks what became of a commit, and tells the queues.
    pub async fn apart<T, F>(&self, mut work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'t, 'c> FnMut(&'t mut Transaction<'c>) -> BoxFuture<'t, Result<T, Fault>>
            + Send
            + 'static,
    {
        let shared = self.shared.clone();
        let work = self.handle()?.spawn(async move {
            let mut tries = 0;
            loop {
                tries += 1;
                match once(&shared, &mut work).await {
                    Ok(done) => return Ok(done),
                    Err(Fault::Command(error)) => return Err(error),
                    Err(fault) if tries == TRIES => return Err(fault.into_error()),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        });
        work.await.map_err(|_| StoreError::Closed)?
    }

    /// Gives a command to the writers; the answer comes after its commit.
    pub(super) async fn give<T>(
        &self,
        verb: impl FnOnce(Answer<T>) -> Verb<J::Effect>,
    ) -> StoreResult<T> {
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

    pub(super) fn start_writers(&self) -> StoreResult<()> {
        let handle = self.handle()?;
        let _on_the_stores_runtime = handle.enter();
        self.shared.death.send_replace(None);
        let (commands, tasks) = writer::start::<J>(&self.shared);
        *lock(&self.writer) = Some(Writers { commands, tasks });
        Ok(())
    }

    /// Counts the commits of this process.
    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.shared.made.subscribe()
    }

    /// Commands that wait for a writer.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.writer).as_ref().map_or(0, |writer| {
            writer.commands.max_capacity() - writer.commands.capacity()
        })
    }

    /// Waits for what is queued to be committed, and ends all that runs for the store.
    pub(super) async fn end(&self) -> StoreResult<()> {
        if let Some(notifier) = lock(&self.notifier).take() {
            notifier.abort();
        }
        let writers = lock(&self.writer).take();
        if let Some(Writers { commands, tasks }) = writers {
            drop(commands);
            for task in tasks {
                self.ended(task).await?;
            }
        }
        if let Some(presence) = lock(&self.presence).take() {
            presence.abort();
        }
        self.readers.close().await;
        Ok(())
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
}

/// One try of work apart.
async fn once<T, F>(shared: &Shared, work: &mut F) -> Result<T, Fault>
where
    F: for<'t, 'c> FnMut(&'t mut Transaction<'c>) -> BoxFuture<'t, Result<T, Fault>>,
{
    let link = Link::connect(&shared.settings, Purpose::Read)
        .await
        .map_err(|error| Fault::Lost(error.cause))?;
    let mut conn = &link.conn;
    conn.batch_execute(connect::begin(&shared.settings)).await?;
    let mut tx = Transaction::new(
        conn,
        &shared.cursors,
        Lessons::default(),
        shared.house.clone(),
    );
    let done = work(&mut tx).await?;
    // Without this the connection is dropped, and the transaction with it. In one that has failed a COMMIT rolls
    // back and says nothing, where a SELECT is refused.
    conn.batch_execute("SELECT 1; COMMIT").await?;
    Ok(done)
}

/// The writer died before the commit: nothing was written, the supervisor starts a new one.
fn writer_gone() -> StoreError {
    StoreError::Unavailable("the writer was interrupted before the commit".to_owned())
}

//! Reads: on connections of their own, which do not wait for the writers. A read that loses its connection
//! is made again on another.
//!
//! Nobody waits for somebody less urgent. The heartbeat, and the lead with it, has a connection that nothing else uses;
//! requests to cancel and what the engine holds have one; its work has others; and questions from outside have theirs.
//! Apart from these are lists, which look at many rows, and reports, which read them. How long those may take is said
//! in `store::question`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::result::Error as DieselError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connect::{Link, Purpose};
use super::fault::Fault;
use super::settings::Settings;
use crate::store::Absence;
use crate::store::question::{PING_MAX, Question, WaitingLine};
use crate::store::{StoreError, StoreResult};
use riftsync_basics::Timestamp;

/// How long a read waits for a database that is away.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
/// Who answered so lately is there, and who did not is not.
const JUST_NOW: Duration = Duration::from_millis(300);
const SILENT: &str = "it does not answer";
/// What is vital is not waited for any longer: it is tried again.
const VITAL_MAX: Duration = Duration::from_secs(3);

/// Connections for reads, by who may wait for whom.
#[derive(Debug)]
pub struct Readers {
    pub(super) heartbeat: Arc<Vital>,
    pub(super) vital: Vital,
    work: Pool,
    questions: Pool,
    searches: Pool,
    reports: Pool,
    absence: Arc<Absence>,
}

/// For what is vital.
#[derive(Debug)]
pub struct Vital(Pool);

/// For questions that look at many rows, on connections of their own.
#[derive(Debug)]
pub struct Apart<'r>(&'r Readers, &'r Pool);

/// A few connections; a caller takes the first that is free, or waits.
#[derive(Debug)]
struct Pool {
    settings: Settings,
    purpose: Purpose,
    runtime: Handle,
    connections: Vec<Mutex<Option<Link>>>,
    line: WaitingLine,
    absence: Arc<Absence>,
    /// What tells a database that is away from one that is busy.
    heartbeat: Option<Arc<Vital>>,
}

/// One read, and until when it is tried.
#[derive(Debug)]
pub struct Patience {
    until: Instant,
    begun: Timestamp,
    question: Option<Question>,
}

impl Patience {
    pub fn begin() -> Self {
        Self {
            until: Instant::now() + PATIENCE,
            begun: Timestamp::now(),
            question: Question::current(),
        }
    }

    /// Pauses before the next try; the error when there is none.
    async fn wait(&self, error: StoreError) -> StoreResult<()> {
        if Instant::now() >= self.until {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// A connection, ours until dropped.
#[allow(missing_debug_implementations, reason = "a connection has no Debug")]
pub struct Borrowed<'r> {
    slot: MutexGuard<'r, Option<Link>>,
    pool: &'r Pool,
}

impl Borrowed<'_> {
    pub fn conn(&self) -> &AsyncPgConnection {
        &self
            .slot
            .as_ref()
            .expect("filled when it was borrowed")
            .conn
    }

    /// Makes a read, for as long as it may take. None: it took longer.
    pub async fn in_time<F: Future>(&self, patience: &Patience, read: F) -> Option<F::Output> {
        match (self.pool.purpose, patience.question) {
            (Purpose::Vital, _) => timeout(VITAL_MAX, read).await.ok(),
            (_, Some(question)) => question.in_time(read).await,
            (_, None) => Some(read.await),
        }
    }

    /// What a read comes to: none, if it is worth another try.
    pub async fn outcome<T>(
        mut self,
        read: Option<Result<T, DieselError>>,
        patience: &Patience,
    ) -> StoreResult<Option<T>> {
        let error = match read {
            Some(Ok(rows)) => {
                self.pool.absence.heard();
                return Ok(Some(rows));
            }
            // It may still be at work: the next would wait for it.
            None => {
                self.slot.take();
                return Err(self.pool.too_late(patience).await);
            }
            Some(Err(error)) => error,
        };
        let closed = self.slot.as_ref().is_none_or(Link::is_closed);
        match Fault::from(error) {
            Fault::Command(error) if !closed => Err(error),
            // The server ended it.
            Fault::Again(_) if !closed && patience.question.is_some() => {
                Err(self.pool.line.too_long())
            }
            fault => {
                let lost = closed || matches!(fault, Fault::Lost(_));
                if lost {
                    self.slot.take();
                }
                drop(self.slot);
                // A question has one more try at once, which meets whatever is in the way of a new connection.
                if !lost || patience.question.is_none() {
                    let error = match fault {
                        // The connection is what is gone.
                        Fault::Command(error) => StoreError::Unavailable(error.to_string()),
                        fault => fault.into_error(),
                    };
                    patience.wait(error).await?;
                }
                Ok(None)
            }
        }
    }
}

impl Pool {
    fn new(
        settings: &Settings,
        runtime: &Handle,
        absence: &Arc<Absence>,
        purpose: Purpose,
    ) -> Self {
        Self {
            settings: settings.clone(),
            purpose,
            runtime: runtime.clone(),
            connections: vec![Mutex::new(None)],
            line: WaitingLine::default(),
            absence: absence.clone(),
            heartbeat: None,
        }
    }

    /// A connection that works as far as is known.
    async fn borrow(&self, patience: &Patience) -> StoreResult<Borrowed<'_>> {
        let _place = match patience.question {
            Some(_) => Some(self.line.enter()?),
            None => None,
        };
        let slot = match patience.question {
            None => self.free().await,
            Some(question) => match question.in_time(self.free()).await {
                Some(slot) => slot,
                None => return Err(self.too_late(patience).await),
            },
        };
        let mut borrowed = Borrowed { slot, pool: self };
        if borrowed.slot.as_ref().is_some_and(Link::is_closed) {
            borrowed.slot.take();
        }
        while borrowed.slot.is_none() {
            let settings = self.settings.clone();
            let purpose = self.purpose;
            let connecting = async move { Link::connect(&settings, purpose).await };
            // On the store's own runtime, which drives the connection; ended with whoever wants it.
            let mut task = JoinSet::new();
            task.spawn_on(connecting, &self.runtime);
            match borrowed.in_time(patience, task.join_next()).await {
                Some(Some(Ok(Ok(link)))) => *borrowed.slot = Some(link),
                Some(Some(Ok(Err(error)))) => {
                    let away = self.absence.unreached(&error.cause);
                    match patience.question {
                        Some(_) => return Err(away.into()),
                        None => patience.wait(StoreError::Unavailable(error.cause)).await?,
                    }
                }
                Some(Some(Err(_)) | None) => return Err(StoreError::Closed),
                None => return Err(self.too_late(patience).await),
            }
        }
        Ok(borrowed)
    }

    async fn free(&self) -> MutexGuard<'_, Option<Link>> {
        let free = self
            .connections
            .iter()
            .find_map(|slot| slot.try_lock().ok());
        match (free, self.connections.last()) {
            (Some(slot), _) => slot,
            (None, Some(last)) => last.lock().await,
            (None, None) => unreachable!("a pool has connections"),
        }
    }

    /// The database does not answer; or it does, and only this took too long.
    async fn too_late(&self, patience: &Patience) -> StoreError {
        let mut lives = self.absence.has_answered_since(patience.begun);
        if let (false, Some(heartbeat)) = (lives, &self.heartbeat) {
            // In a box: it borrows from a pool, too.
            lives = Box::pin(heartbeat.answers()).await;
        }
        if lives {
            return self.line.too_long();
        }
        self.absence.unreached(SILENT).into()
    }

    async fn close(&self) {
        for slot in &self.connections {
            slot.lock().await.take();
        }
    }
}

impl Vital {
    pub async fn borrow(&self, patience: &Patience) -> StoreResult<Borrowed<'_>> {
        self.0.borrow(patience).await
    }

    /// Whether the database answers at once, or did so just now.
    async fn answers(&self) -> bool {
        let just_now = Timestamp::now() - JUST_NOW;
        if self.0.absence.has_answered_since(just_now) {
            return true;
        }
        // Nor is it asked by everybody who asks.
        if self.0.absence.was_silent_since(just_now) {
            return false;
        }
        let ping = async {
            // Also when the time of a question is up.
            let patience = Patience {
                question: None,
                ..Patience::begin()
            };
            let mut slot = self.0.borrow(&patience).await.ok()?.slot;
            let link = slot.as_mut().filter(|link| !link.is_closed())?;
            let answer = link.conn.batch_execute("SELECT 1").await;
            if answer.is_err() {
                slot.take();
            }
            answer.ok()
        };
        let answered = matches!(timeout(PING_MAX, ping).await, Ok(Some(())));
        if answered {
            self.0.absence.heard();
        } else {
            self.0.absence.silent();
        }
        answered
    }
}

impl<'r> Apart<'r> {
    pub async fn borrow(&self, patience: &Patience) -> StoreResult<Borrowed<'r>> {
        match patience.question {
            Some(_) => self.0.ask(self.1, patience).await,
            None => self.0.work.borrow(patience).await,
        }
    }
}

impl Readers {
    pub(super) fn new(settings: &Settings, runtime: &Handle, absence: &Arc<Absence>) -> Self {
        let pool = |purpose| Pool::new(settings, runtime, absence, purpose);
        let heartbeat = Arc::new(Vital(pool(Purpose::Vital)));
        let watched = |purpose| Pool {
            heartbeat: Some(heartbeat.clone()),
            ..pool(purpose)
        };
        let mut work = pool(Purpose::Read);
        work.connections.push(Mutex::new(None));
        let mut reports = watched(Purpose::Ask);
        reports.connections.push(Mutex::new(None));
        Self {
            vital: Vital(watched(Purpose::Vital)),
            work,
            questions: watched(Purpose::Ask),
            searches: watched(Purpose::Ask),
            reports,
            heartbeat: heartbeat.clone(),
            absence: absence.clone(),
        }
    }

    pub async fn borrow(&self, patience: &Patience) -> StoreResult<Borrowed<'_>> {
        match patience.question {
            Some(_) => self.ask(&self.questions, patience).await,
            None => self.work.borrow(patience).await,
        }
    }

    /// For lists.
    pub fn searches(&self) -> Apart<'_> {
        Apart(self, &self.searches)
    }

    /// For reports, which read thousands of rows: two parts of one at once.
    pub fn reports(&self) -> Apart<'_> {
        Apart(self, &self.reports)
    }

    /// A connection for a question. A database that is known to be away has to show first that it is back.
    async fn ask<'r>(&'r self, pool: &'r Pool, patience: &Patience) -> StoreResult<Borrowed<'r>> {
        if let Some(why) = self.away_still().await {
            return Err(why);
        }
        pool.borrow(patience).await
    }

    async fn away_still(&self) -> Option<StoreError> {
        if !self.absence.is_unreached() || self.heartbeat.answers().await {
            return None;
        }
        self.absence.now().map(StoreError::from)
    }

    /// Why a write that takes its time is not made; none: the database works.
    pub(super) async fn stuck(&self) -> Option<StoreError> {
        if let Some(away) = self.absence.now().filter(|away| away.readable) {
            return Some(away.into());
        }
        if self.heartbeat.answers().await {
            return None;
        }
        Some(self.absence.unreached(SILENT).into())
    }

    pub(super) async fn close(&self) {
        let own = [&self.heartbeat.0, &self.vital.0, &self.work];
        for pool in own
            .into_iter()
            .chain([&self.questions, &self.searches, &self.reports])
        {
            pool.close().await;
        }
    }
}

/// Makes a read until it succeeds, fails by itself, or patience ends. `conn` names the connection in it.
#[doc(hidden)]
#[macro_export]
macro_rules! read_postgres {
    ($readers:expr, $conn:ident => $query:expr) => {{
        let patience = $crate::postgres::reader::Patience::begin();
        loop {
            let reader = $readers.borrow(&patience).await?;
            let read = {
                let $conn = &mut reader.conn();
                reader.in_time(&patience, async { $query }).await
            };
            if let Some(rows) = reader.outcome(read, &patience).await? {
                break rows;
            }
        }
    }};
}
pub use crate::read_postgres as read;

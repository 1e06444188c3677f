//! An outage with its clock, and the log that it is told to.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use riftsync_basics::outage::{Before, DatabaseOutage, Outage, OutageNews};

/// What is said of an outage besides its cause.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// What is so again when it is over: "the database can be written again".
    pub over: &'static str,
    /// What its failures are: "writes failed".
    pub failures: &'static str,
}

/// Writes it to the log. `why`: a sentence that names the trouble and what is done about it.
fn write(news: OutageNews, words: Words, why: &dyn Display) {
    match news {
        OutageNews::Nothing => {}
        OutageNews::Begins { untold } => tracing::warn!("{why}{}", Before(untold)),
        OutageNews::Lasts { so_far, failures } => {
            let failed = words.failures;
            tracing::warn!("{why}. This has lasted for {so_far:.0?}; {failures} {failed}");
        }
        OutageNews::Ends { after, failures } => {
            let Words { over, failures: of } = words;
            tracing::info!("{over} after {after:.0?}; {failures} {of} meanwhile");
        }
    }
}

/// An outage with its clock, and the log that it is told to.
#[derive(Debug)]
pub struct OutageLog {
    words: Words,
    epoch: Instant,
    outage: Mutex<Outage>,
    /// So that a success costs nothing while all is well.
    is_on: AtomicBool,
}

impl OutageLog {
    pub fn new(words: Words) -> Self {
        Self {
            words,
            epoch: Instant::now(),
            outage: Mutex::default(),
            is_on: AtomicBool::new(false),
        }
    }

    /// See [`Outage::failed`].
    pub fn failed(&self, weight: u64, why: impl Display) {
        let news = {
            let mut outage = self.lock();
            self.is_on.store(true, Ordering::Release);
            outage.failed(weight, self.epoch.elapsed())
        };
        write(news, self.words, &why);
    }

    /// See [`Outage::worked`].
    pub fn worked(&self, weight: u64) {
        if !self.is_on() {
            return;
        }
        let news = {
            let mut outage = self.lock();
            let news = outage.worked(weight, self.epoch.elapsed());
            self.is_on.store(outage.is_on(), Ordering::Release);
            news
        };
        // A success begins none.
        write(news, self.words, &"");
    }

    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// How long it has lasted; none: all is well.
    pub fn lasts(&self) -> Option<Duration> {
        let began = self.lock().began()?;
        Some(self.epoch.elapsed().saturating_sub(began))
    }

    fn lock(&self) -> MutexGuard<'_, Outage> {
        // Plain values: a panic elsewhere cannot leave them half changed.
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const WRITES: Words = Words {
    over: "everything goes on: the database can be written again",
    failures: "writes failed",
};

const ENDS: Words = Words {
    over: "the ends of jobs are stored again",
    failures: "tries failed",
};

/// What is told of a database that cannot be written, by all who write: its writer, and those whose jobs cannot end.
#[derive(Debug)]
pub struct DatabaseOutageLog {
    epoch: Instant,
    outage: Mutex<DatabaseOutage>,
    /// So that a success costs nothing while all is well.
    is_on: AtomicBool,
}

impl Default for DatabaseOutageLog {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            outage: Mutex::default(),
            is_on: AtomicBool::new(false),
        }
    }
}

impl DatabaseOutageLog {
    /// A write failed. See [`Outage::failed`].
    pub fn failed(&self, weight: u64, why: impl Display) {
        let news = {
            let mut outage = self.lock();
            self.is_on.store(true, Ordering::Release);
            outage.failed(weight, self.epoch.elapsed())
        };
        write(news, WRITES, &why);
    }

    /// A write was made. See [`Outage::worked`].
    pub fn worked(&self, weight: u64) {
        if !self.is_on() {
            return;
        }
        let news = {
            let mut outage = self.lock();
            let news = outage.worked(weight, self.epoch.elapsed());
            self.is_on.store(outage.is_on(), Ordering::Release);
            news
        };
        write(news, WRITES, &"");
    }

    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// The end of a job could not be stored once more, and waits since then. False: an outage explains that, or
    /// it is not for long.
    pub fn end_waits(&self, since: Instant, why: impl Display) -> bool {
        let since = since.saturating_duration_since(self.epoch);
        let news = self.lock().end_waits(since, self.epoch.elapsed());
        write(news.unwrap_or(OutageNews::Nothing), ENDS, &why);
        news.is_some()
    }

    /// An end of which that was true is stored.
    pub fn end_stored(&self) {
        let news = self.lock().end_stored(self.epoch.elapsed());
        write(news, ENDS, &"");
    }

    fn lock(&self) -> MutexGuard<'_, DatabaseOutage> {
        // Plain values: a panic elsewhere cannot leave them half changed.
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

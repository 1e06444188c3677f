//! An outage with its clock, and the log that it is told to.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use riftsync_basics::outage::{Before, Outage, OutageNews};

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

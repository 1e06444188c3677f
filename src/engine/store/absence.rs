//! Since when a database is away, in memory: whoever asks is told at once.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::StoreError;
use riftsync_basics::Timestamp;

/// A database that cannot be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    pub since: Timestamp,
    pub why: String,
    /// It can be read all the same.
    pub readable: bool,
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, why, .. } = self;
        if self.readable {
            write!(f, "the database takes no writes since {since} ({why})")
        } else {
            write!(f, "the database is away since {since} ({why})")
        }
    }
}

impl From<Away> for StoreError {
    fn from(away: Away) -> Self {
        Self::Away(away.to_string())
    }
}

/// What is known of a database's absence.
#[derive(Debug, Default)]
pub struct Absence {
    unreached: Mutex<Option<Away>>,
    unwritable: Mutex<Option<Away>>,
    /// When it last answered anything.
    heard: AtomicI64,
    /// When it last was asked for a sign of life in vain.
    silent: AtomicI64,
}

impl Absence {
    /// It did something that it was asked for.
    pub fn heard(&self) {
        self.heard
            .store(Timestamp::now().as_millis(), Ordering::Relaxed);
        self.silent.store(0, Ordering::Relaxed);
        if let Some(mut away) = self.unreached.try_lock().ok().filter(|away| away.is_some()) {
            *away = None;
        }
    }

    pub fn has_answered_since(&self, asked: Timestamp) -> bool {
        self.heard.load(Ordering::Relaxed) >= asked.as_millis()
    }

    /// It gave no sign of life.
    pub fn silent(&self) {
        self.silent
            .store(Timestamp::now().as_millis(), Ordering::Relaxed);
    }

    pub fn was_silent_since(&self, moment: Timestamp) -> bool {
        self.silent.load(Ordering::Relaxed) >= moment.as_millis()
    }

    /// It could not be reached, or did not answer. Away it is since it was last heard; if that was never, since now.
    pub fn unreached(&self, why: &str) -> Away {
        let heard = self.heard.load(Ordering::Relaxed);
        let since = match heard {
            0 => Timestamp::now(),
            heard => Timestamp::from_millis(heard),
        };
        begin(&self.unreached, since, why, false)
    }

    /// It was reached, and could not write.
    pub fn unwritable(&self, why: &str) {
        begin(&self.unwritable, Timestamp::now(), why, true);
    }

    pub fn written(&self) {
        self.heard();
        lock(&self.unwritable).take();
    }

    /// See [`super::Database::away`].
    pub fn now(&self) -> Option<Away> {
        let unreached = lock(&self.unreached).clone();
        unreached.or_else(|| lock(&self.unwritable).clone())
    }

    pub fn is_unreached(&self) -> bool {
        lock(&self.unreached).is_some()
    }
}

/// The first reason stands until it is over.
fn begin(away: &Mutex<Option<Away>>, since: Timestamp, why: &str, readable: bool) -> Away {
    let new = || Away {
        since,
        why: why.to_owned(),
        readable,
    };
    lock(away).get_or_insert_with(new).clone()
}

fn lock(away: &Mutex<Option<Away>>) -> MutexGuard<'_, Option<Away>> {
    // Plain values cannot be left half written.
    away.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_has_one_beginning_and_ends_with_the_next_answer() {
        let absence = Absence::default();
        absence.heard();
        assert!(absence.now().is_none());
        let first = absence.unreached("refused");
        absence.unreached("no answer");
        assert_eq!(absence.now(), Some(first));
        absence.heard();
        assert!(absence.now().is_none());
    }

    #[test]
    fn a_full_disk_is_no_absence_for_readers_and_ends_with_a_write() {
        let absence = Absence::default();
        absence.unwritable("disk is full");
        absence.heard();
        let away = absence.now().unwrap();
        assert!(away.readable && !absence.is_unreached());
        assert!(away.to_string().contains("takes no writes since"), "{away}");
        absence.written();
        assert!(absence.now().is_none());
    }
}

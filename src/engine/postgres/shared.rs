//! What the tasks of a store share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::claim_cursors::ClaimCursors;
use super::notifier::Notifier;
use super::presence::Presence;
use super::settings::Settings;
use super::transaction::House;
use crate::metrics::DatabaseOutageLog;
use crate::store::Absence;
use crate::store::{Hints, StoreError, WriterStats};
use riftsync_basics::histogram::Histogram;

/// Documents that were stored in this time are stored as soon as they come. If the last ones took longer, a group
/// gathers for a part of the time that was too long, and so longer the more engines there are, whose small groups would
/// stand in each other's way: what a group costs hardly depends on how much is in it.
const QUICK: Duration = Duration::from_millis(8);
const GATHERS_FOR: u32 = 2;
/// But no longer than this, for each engine.
const GATHERS_MAX: Duration = Duration::from_millis(20);

/// What the writers of a store share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    /// Where engines tell each other of new work.
    pub(super) channel: &'static str,
    pub(super) hints: Hints,
    pub(super) notifier: Notifier,
    pub(super) cursors: ClaimCursors,
    pub(super) presence: Presence,
    pub(super) counters: Counters,
    /// Counts commits for those who wait for one.
    pub(super) made: watch::Sender<u64>,
    /// The reason why a writer died; `None` while all live.
    pub(super) death: watch::Sender<Option<String>>,
    /// The store closes: nobody waits for a database that is away any longer.
    pub(super) closing: AtomicBool,
    /// Other engines that live, as the last heartbeat told.
    pub(super) others: AtomicU32,
    /// What is told of it to those who ask.
    pub(super) absence: Arc<Absence>,
    /// The database is away, or cannot be written.
    pub(super) outages: DatabaseOutageLog,
    /// Writers in the middle of a group.
    pub(super) busy: AtomicU32,
    /// One of them has come to its end.
    pub(super) freed: Notify,
    /// How long the last group with documents took, in microseconds.
    took: AtomicU32,
    pub(super) house: Arc<House>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) times: Histogram,
}

impl Counters {
    pub(super) fn read(&self, waiting: usize, busy: bool) -> WriterStats {
        WriterStats {
            commits: self.commits.load(Ordering::Relaxed),
            commands: self.commands.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
            waiting: waiting as u64,
            busy,
            times: self.times.read(),
        }
    }
}

impl Shared {
    pub(super) fn took(&self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.took.store(took, Ordering::Relaxed);
    }

    pub(super) fn gathers_for(&self) -> Duration {
        let took = Duration::from_micros(self.took.load(Ordering::Relaxed).into());
        (took.saturating_sub(QUICK) / GATHERS_FOR).min(GATHERS_MAX) * self.engines()
    }

    /// Those that live and share the database, as far as that makes a difference.
    fn engines(&self) -> u32 {
        self.others.load(Ordering::Relaxed).min(9) + 1
    }

    pub(super) fn new(settings: Settings, channel: &'static str) -> Self {
        Self {
            channel,
            settings,
            hints: Hints::default(),
            notifier: Notifier::new(),
            cursors: ClaimCursors::default(),
            presence: Presence::default(),
            counters: Counters::default(),
            made: watch::Sender::new(0),
            death: watch::Sender::new(None),
            closing: AtomicBool::new(false),
            others: AtomicU32::new(0),
            absence: Arc::default(),
            outages: DatabaseOutageLog::default(),
            busy: AtomicU32::new(0),
            freed: Notify::new(),
            took: AtomicU32::new(0),
            house: Arc::default(),
        }
    }

    /// A commit is under way, or was tried and could not be made.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0 || self.outages.is_on()
    }

    /// Told once, not for each of those who wait. `weight`: bytes for which there was no room; 0 if that is not why.
    pub(super) fn write_failed(&self, why: &str, weight: usize) {
        self.absence.unwritable(why);
        let error = StoreError::Unavailable(why.to_owned());
        self.outages.failed(weight as u64, error);
    }

    pub(super) fn write_worked(&self, weight: usize) {
        self.absence.written();
        self.outages.worked(weight as u64);
    }
}

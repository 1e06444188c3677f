//! The queues of an engine as an operator sees and sets them.
//!
//! Settings live outside of the queues' actors, so that they outlive their restarts; a queue heeds
//! them as it heeds what services hold. They last until the engine ends: the configuration is what a
//! start begins with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::lanes::Holds;
use super::metrics::{Metrics, QueueCounters};
use riftsync_basics::{JobId, Rate};

/// Jobs that one queue may run at once, whatever an operator says.
pub const SLOTS_MAX: usize = 1_000;

/// How a queue is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueConfig {
    pub name: &'static str,
    /// Jobs that run at once.
    pub slots: usize,
    /// Jobs held ready beyond them.
    pub prefetch: usize,
    /// Jobs that may start in a time; none: as many as there are slots for.
    pub rate: Option<Rate>,
    /// It starts no job until somebody lets it go on.
    pub paused: bool,
}

/// What an operator can change while the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    pub slots: usize,
    /// Jobs held ready beyond them.
    pub prefetch: usize,
    pub rate: Option<Rate>,
    /// By an operator. What the services hold is held apart from this.
    pub paused: bool,
}

/// One queue, shared by its actor's incarnations and those who look after it.
#[derive(Debug)]
pub struct QueueControl {
    pub name: &'static str,
    settings: watch::Sender<QueueSettings>,
    running: watch::Sender<usize>,
    /// When the queue's rate lets the next job start; none: it holds none back.
    rate_opens: Mutex<Option<Instant>>,
    pub counters: Arc<QueueCounters>,
}

impl QueueControl {
    fn new(config: &QueueConfig, metrics: &Metrics) -> Self {
        Self {
            name: config.name,
            settings: watch::Sender::new(QueueSettings {
                slots: config.slots,
                prefetch: config.prefetch,
                rate: config.rate,
                paused: config.paused,
            }),
            running: watch::Sender::new(0),
            rate_opens: Mutex::default(),
            counters: metrics.queue(config.name),
        }
    }

    pub fn settings(&self) -> QueueSettings {
        *self.settings.borrow()
    }

    pub(super) fn watch_settings(&self) -> watch::Receiver<QueueSettings> {
        self.settings.subscribe()
    }

    /// Changes settings; what is not changed stays.
    pub fn set(&self, change: impl FnOnce(&mut QueueSettings)) -> QueueSettings {
        self.settings.send_modify(|settings| {
            change(settings);
            settings.slots = settings.slots.clamp(1, SLOTS_MAX);
        });
        self.settings()
    }

    pub(super) fn now_running(&self, jobs: usize) {
        self.running
            .send_if_modified(|running| std::mem::replace(running, jobs) != jobs);
    }

    pub fn running(&self) -> usize {
        *self.running.borrow()
    }

    pub(super) fn rate_opens_at(&self, at: Option<Instant>) {
        *self
            .rate_opens
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// How long the queue's rate still holds jobs back that are there; none: it holds none.
    pub fn rate_opens_in(&self) -> Option<Duration> {
        let at = *self
            .rate_opens
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    async fn idle(&self) {
        // It cannot be closed: this holds the sender.
        let _ = self.running.subscribe().wait_for(|jobs| *jobs == 0).await;
    }
}

/// All queues of an engine.
#[derive(Debug)]
pub struct QueueControls {
    queues: Vec<Arc<QueueControl>>,
    holds: watch::Receiver<Holds>,
}

impl QueueControls {
    pub(super) fn new(
        configs: &[QueueConfig],
        holds: watch::Receiver<Holds>,
        metrics: &Metrics,
    ) -> Self {
        let control = |config| Arc::new(QueueControl::new(config, metrics));
        Self {
            queues: configs.iter().map(control).collect(),
            holds,
        }
    }

    pub fn all(&self) -> &[Arc<QueueControl>] {
        &self.queues
    }

    pub fn named(&self, name: &str) -> Option<&Arc<QueueControl>> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    /// Whether a service holds the queue.
    pub fn is_held(&self, queue: &QueueControl) -> bool {
        self.holds.borrow().queues.contains(queue.name)
    }

    /// Starts no more jobs, in any queue, until they are resumed.
    pub fn pause_all(&self) {
        for queue in &self.queues {
            queue.set(|settings| settings.paused = true);
        }
    }

    /// Resolves when no job runs.
    pub async fn idle(&self) {
        for queue in &self.queues {
            queue.idle().await;
        }
    }
}

/// Jobs whose reasons are remembered.
const PUT_OFF_MAX: usize = 1_000;

/// Why jobs were put off that have not failed: the database keeps until when, and those who follow them ask why. Only of
/// this engine's life, and of the latest.
#[derive(Debug, Default)]
pub struct PutOff(Mutex<BTreeMap<JobId, String>>);

impl PutOff {
    pub(super) fn note(&self, job: JobId, why: &str) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.insert(job, why.to_owned());
        if jobs.len() > PUT_OFF_MAX {
            jobs.pop_first();
        }
    }

    pub fn why(&self, job: JobId) -> Option<String> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get(&job).cloned()
    }
}

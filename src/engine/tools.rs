//! What queues and attempts work with.

use std::sync::Arc;

use tokio::sync::watch;

use super::attempts::Attempts;
use super::clock::Clock;
use super::controls::PutOff;
use super::heartbeat::Standing;
use super::lanes::Holds;
use super::metrics::Metrics;
use super::registry::Registry;
use super::solo::Floor;

/// What attempts work with.
#[derive(Debug)]
pub(super) struct Tools<S: ?Sized> {
    pub(super) store: Arc<S>,
    pub(super) attempts: Arc<Attempts>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    pub(super) put_off: Arc<PutOff>,
    pub(super) floor: Floor,
}

impl<S: ?Sized> Clone for Tools<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            attempts: self.attempts.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            put_off: self.put_off.clone(),
            floor: self.floor.clone(),
        }
    }
}

/// What all queues of an engine share.
#[allow(missing_debug_implementations, reason = "holds tasks")]
pub(super) struct Shared<S: ?Sized> {
    pub(super) engine: Arc<str>,
    pub(super) registry: Arc<Registry<S>>,
    pub(super) holds: watch::Receiver<Holds>,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) tools: Tools<S>,
}

impl<S: ?Sized> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            registry: self.registry.clone(),
            holds: self.holds.clone(),
            standing: self.standing.clone(),
            tools: self.tools.clone(),
        }
    }
}

//! An engine as those see it that serve and watch it, and what its tasks lean on.

use std::sync::Arc;

use tokio::sync::watch;

use super::attempts::Attempts;
use super::clock::Clock;
use super::controls::{PutOff, QueueControls};
use super::heartbeat::Standings;
use super::lanes::Holds;
use super::metrics::{Metrics, Source, Telemetry};
use super::registry::Registry;
use riftsync_basics::Timestamp;
use riftsync_supervision::ChildSpec;

/// What the tasks lean on.
#[allow(missing_debug_implementations, reason = "specifications are functions")]
pub struct Services<S: ?Sized> {
    /// Started before the queues.
    pub children: Vec<ChildSpec>,
    /// What the services say may not start now.
    pub holds: watch::Receiver<Holds>,
    /// Readings of what the services did.
    pub sources: Vec<Arc<dyn Source>>,
    /// Started last: those that serve and watch the engine.
    pub above: Above<S>,
}

/// Makes the services that lean on the engine.
pub type Above<S> = Box<dyn FnOnce(&EngineHandle<S>) -> Vec<ChildSpec>>;

/// An engine as those see it that serve and watch it.
#[derive(Debug)]
pub struct EngineHandle<S: ?Sized> {
    pub id: Arc<str>,
    pub started_at: Timestamp,
    pub queues: Arc<QueueControls>,
    pub store: Arc<S>,
    pub registry: Arc<Registry<S>>,
    pub metrics: Arc<Metrics>,
    pub telemetry: Arc<Telemetry>,
    pub standings: Arc<Standings<S>>,
    pub clock: Clock,
    /// What this engine does now.
    pub attempts: Arc<Attempts>,
    /// Why jobs of this engine were put off.
    pub put_off: Arc<PutOff>,
}

impl<S: ?Sized> Clone for EngineHandle<S> {
    fn clone(&self) -> Self {
        Self {
            id: self.id.clone(),
            started_at: self.started_at,
            queues: self.queues.clone(),
            store: self.store.clone(),
            registry: self.registry.clone(),
            metrics: self.metrics.clone(),
            telemetry: self.telemetry.clone(),
            standings: self.standings.clone(),
            clock: self.clock.clone(),
            attempts: self.attempts.clone(),
            put_off: self.put_off.clone(),
        }
    }
}

impl<S: ?Sized> Default for Services<S> {
    fn default() -> Self {
        Self {
            children: Vec::new(),
            holds: watch::channel(Holds::default()).1,
            sources: Vec::new(),
            above: Box::new(|_| Vec::new()),
        }
    }
}

//! The engine: queues over a durable store, run by supervised actors. It knows no League word.
//!
//! ```text
//! EngineSupervisor (rest-for-one)
//!  ├─ store_writer     watches the store's writer thread
//!  ├─ ...              services that tasks lean on, such as the gate to an API
//!  ├─ queues           (one-for-one) a QueueSupervisor per queue ─ an Executor per running job
//!  ├─ stager           scheduled and retryable jobs whose time has come
//!  ├─ canceller        requests to cancel running jobs
//!  └─ pruner           finished jobs that were kept long enough
//! ```

mod attempts;
mod executor;
mod lanes;
mod pruner;
mod queue;
mod registry;
#[cfg(test)]
mod simulation;
mod stager;
mod task;
mod window;
mod writer;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::watch;

pub use attempts::CancelSignal;
pub use lanes::Holds;
pub use queue::{Claim, Drain, Pause, QueueConfig, QueueSupervisor, Resume};
pub use registry::Registry;
pub use task::{JobContext, Task, TaskFuture, TaskResult};

use self::attempts::Attempts;
use self::queue::Shared;
use crate::metrics::Metrics;
use crate::model::Timestamp;
use crate::store::{EngineInfo, Store, StoreResult};
use crate::supervision::{
    ChildHandle, ChildSpec, Intensity, Shutdown, Strategy, Supervisor, supervisor_handle,
};

/// How an engine is set.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    pub queues: Vec<QueueConfig>,
    /// How long running jobs may take to end when the engine stops.
    pub drain: Duration,
    /// How long finished jobs are kept.
    pub keep_finished: Duration,
}

/// What the tasks lean on.
#[allow(missing_debug_implementations, reason = "specifications are functions")]
pub struct Services {
    /// Started before the queues.
    pub children: Vec<ChildSpec>,
    /// What the services say may not start now.
    pub holds: watch::Receiver<Holds>,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            children: Vec::new(),
            holds: watch::channel(Holds::default()).1,
        }
    }
}

/// A running engine. Dropping it stops nothing; `stop` does.
#[derive(Debug)]
pub struct Engine {
    id: Arc<str>,
    root: Addr<Supervisor>,
    store: Arc<dyn Store>,
    escalated: watch::Receiver<Option<String>>,
}

impl Engine {
    /// Returns the jobs of dead engines and starts the actors. Must be called on an actix system.
    pub async fn start(
        config: EngineConfig,
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        services: Services,
        metrics: Arc<Metrics>,
    ) -> StoreResult<Self> {
        let id: Arc<str> = format!("{:016x}", fastrand::u64(..)).into();
        let info = EngineInfo {
            id: id.to_string(),
            pid: std::process::id(),
            host: hostname(),
            version: env!("CARGO_PKG_VERSION"),
        };
        let now = Timestamp::now();
        store.engine_started(info, now).await?;
        let rescued = store.rescue(&id, now).await?;
        if rescued.returned + rescued.poisoned > 0 {
            tracing::info!(
                "{} jobs of an engine that ended abruptly run again; {} were discarded after too many such ends",
                rescued.returned,
                rescued.poisoned
            );
        }
        let attempts = Arc::new(Attempts::default());
        let (tell, escalated) = watch::channel(None);
        let mut specs = vec![writer_spec(store.clone())];
        specs.extend(services.children);
        specs.extend([
            queues_spec(
                &config,
                &Shared {
                    engine: id.clone(),
                    store: store.clone(),
                    registry,
                    attempts: attempts.clone(),
                    holds: services.holds,
                },
                &metrics,
            ),
            stager_spec(store.clone()),
            canceller_spec(id.clone(), store.clone(), attempts),
            pruner_spec(store.clone(), config.keep_finished),
        ]);
        let root = Supervisor::new("/engine", Strategy::RestForOne, Intensity::default(), specs)
            .on_escalation(move |why| {
                tell.send_replace(Some(why));
            })
            .start();
        Ok(Self {
            id,
            root,
            store,
            escalated,
        })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Resolves with the reason when the engine's supervisors have given up.
    pub async fn escalated(&self) -> String {
        let mut escalated = self.escalated.clone();
        match escalated.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "the engine's supervisor is gone".to_owned(),
        }
    }

    /// Drains the queues and stops the actors, in reverse order of their start.
    pub async fn stop(&self) -> StoreResult<()> {
        // A root that escalated has stopped already.
        let _ = self.root.send(Shutdown).await;
        let now = Timestamp::now();
        self.store.release(&self.id, None, &[], now).await?;
        self.store.engine_stopped(&self.id, now).await
    }
}

fn writer_spec(store: Arc<dyn Store>) -> ChildSpec {
    let restart = Cell::new(false);
    ChildSpec::permanent("store_writer", move |guard| {
        let addr = writer::StoreWriter::new(store.clone(), restart.replace(true), guard).start();
        ChildHandle {
            stop: Box::new(move || {
                Box::pin(async move {
                    let _ = addr.send(writer::StopWriter).await;
                })
            }),
        }
    })
}

fn stager_spec(store: Arc<dyn Store>) -> ChildSpec {
    ChildSpec::permanent("stager", move |guard| {
        let addr = stager::Stager::new(store.clone(), guard).start();
        ChildHandle {
            stop: Box::new(move || {
                Box::pin(async move {
                    let _ = addr.send(stager::StopStager).await;
                })
            }),
        }
    })
}

fn canceller_spec(engine: Arc<str>, store: Arc<dyn Store>, attempts: Arc<Attempts>) -> ChildSpec {
    ChildSpec::permanent("canceller", move |guard| {
        let canceller =
            attempts::Canceller::new(engine.clone(), store.clone(), attempts.clone(), guard);
        let addr = canceller.start();
        ChildHandle {
            stop: Box::new(move || {
                Box::pin(async move {
                    let _ = addr.send(attempts::StopCanceller).await;
                })
            }),
        }
    })
}

fn pruner_spec(store: Arc<dyn Store>, keep: Duration) -> ChildSpec {
    ChildSpec::permanent("pruner", move |guard| {
        let addr = pruner::Pruner::new(store.clone(), keep, guard).start();
        ChildHandle {
            stop: Box::new(move || {
                Box::pin(async move {
                    let _ = addr.send(pruner::StopPruner).await;
                })
            }),
        }
    })
}

fn queues_spec(config: &EngineConfig, shared: &Shared, metrics: &Arc<Metrics>) -> ChildSpec {
    let (config, shared, metrics) = (config.clone(), shared.clone(), metrics.clone());
    let stop_timeout = config.drain + Duration::from_secs(5);
    let mut spec = ChildSpec::permanent("queues", move |guard| {
        let specs = config
            .queues
            .iter()
            .map(|queue| {
                let counters = metrics.queue(queue.name);
                let (queue, shared, drain) = (queue.clone(), shared.clone(), config.drain);
                let mut spec = ChildSpec::permanent(queue.name, move |guard| {
                    let addr = QueueSupervisor::new(
                        queue.clone(),
                        shared.clone(),
                        counters.clone(),
                        guard,
                    )
                    .start();
                    ChildHandle {
                        stop: Box::new(move || {
                            Box::pin(async move {
                                let _ = addr.send(Drain(drain)).await;
                            })
                        }),
                    }
                });
                spec.stop_timeout = drain + Duration::from_secs(5);
                spec
            })
            .collect();
        supervisor_handle(
            Supervisor::new(
                "/engine/queues",
                Strategy::OneForOne,
                Intensity::default(),
                specs,
            )
            .guarded(guard)
            .start(),
        )
    });
    spec.stop_timeout = stop_timeout + Duration::from_secs(5);
    spec
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

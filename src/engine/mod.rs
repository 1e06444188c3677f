#![doc = include_str!("README.md")]
//!
//! # Inside
//!
//! ```text
//! EngineSupervisor (rest-for-one)
//!  ├─ store_writer     watches the store's writer thread
//!  ├─ heartbeat        tells other engines that this one lives; who leads
//!  ├─ ...              services that tasks lean on, such as the gate to an API
//!  ├─ queues           (one-for-one) a QueueSupervisor per queue ─ an Executor per running job
//!  ├─ stager           scheduled and retryable jobs whose time has come
//!  ├─ canceller        requests to cancel running jobs
//!  ├─ rescuer          jobs of dead engines
//!  ├─ scheduler        jobs of schedules that are due
//!  └─ pruner           finished jobs that were kept long enough
//! ```
//!
//! `task`, `registry` (kinds of jobs), `queue`, `slot_window`, `executor` (how they run), `heartbeat`, `rescuer`,
//! `trace`, `solo` (engines that die), `stager`, `scheduler`, `pruner` (what is done by the clock), `store` (the traits
//! of a store of jobs, and what both databases decide alike), `memory` (one in memory), `conformance` (what every store
//! must do), `metrics` (counters, events and their log), `sql` (what both databases are told alike), `sqlite` (one in a
//! file), `postgres` (one on a server).

mod attempts;
mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod controls;
mod executor;
mod halt;
mod handle;
mod heartbeat;
mod lanes;
mod lock_file;
pub mod memory;
pub mod metrics;
mod metrics_actor;
#[cfg(feature = "postgres")]
pub mod postgres;
mod pruner;
mod queue;
mod registry;
mod rescuer;
pub mod scheduler;
#[cfg(test)]
mod simulation;
mod slot_window;
mod solo;
mod sources;
mod sql;
pub mod sqlite;
mod stager;
#[doc(hidden)]
pub mod statement;
pub mod store;
mod task;
mod tools;
mod trace;
mod trouble;
mod writer;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::watch;

pub use attempts::{Attempts, CancelSignal, Halted, Post, Urgency};
pub use clock::Clock;
pub use controls::{PutOff, QueueConfig, QueueControl, QueueControls, QueueSettings, SLOTS_MAX};
pub use halt::Halt;
pub use handle::{Above, EngineHandle, Services};
pub use heartbeat::Standings;
pub use lanes::Holds;
pub use lock_file::open_lock;
pub use queue::{Claim, Drain, QueueSupervisor};
pub use registry::{OrderError, Registry};
pub use slot_window::express_slots;
pub use task::{JobContext, Task, TaskFuture, TaskResult};

#[doc(hidden)]
pub mod __macros {
    //! What macros name.
    pub use async_trait::async_trait;
    pub use riftsync_basics::suspicion::Death;
    pub use serde_json::Value;

    pub use crate::store::queue_progress::{ProbeStore, QueueProgress};
}

// What jobs are made of, for those who have no other need of `riftsync-basics`.
pub use riftsync_basics::{
    After, CatchUp, ClaimedJob, Failure, Form, JobId, JobRecord, JobState, Lease, NewJob,
    OnFailure, Outcome, Priority, Rate, RetryPolicy, Shown, Timestamp, form,
};

use self::metrics::{LogFiles, Metrics, Source, Telemetry, open_log};
use self::solo::Floor;
use self::sources::{ActorSource, ProcessSource, QueueSource, StoreSource};
use self::store::schedules::Schedule;
use self::store::{EngineInfo, JobStore, StoreError, StoreResult};
use self::tools::{Shared, Tools};
use riftsync_supervision::{
    ChildHandle, ChildSpec, Intensity, ListChildren, Shutdown, Strategy, Supervisor,
    supervisor_handle,
};

/// How an engine is set.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    pub queues: Vec<QueueConfig>,
    /// How long running jobs may take to end when the engine stops.
    pub drain: Duration,
    /// How long finished jobs are kept.
    pub keep_finished: Duration,
    /// Jobs that run by the clock. None: no scheduler runs.
    pub schedules: Option<Vec<Schedule>>,
    /// Where the metrics log is; none: none is written.
    pub metrics_log: Option<LogFiles>,
    pub metrics_interval: Duration,
    /// Where engines of this machine leave traces of how they ended; none: it is not known of this one.
    pub traces: Option<PathBuf>,
    /// What time it is to the engine and its tasks.
    pub clock: Clock,
    /// Of the program that the engine is part of, as others see it in the list of engines.
    pub version: &'static str,
}

impl Default for EngineConfig {
    /// An engine without queues and without a log.
    fn default() -> Self {
        Self {
            queues: Vec::new(),
            drain: Duration::from_secs(10),
            keep_finished: Duration::from_hours(24 * 30),
            schedules: None,
            metrics_log: None,
            metrics_interval: Duration::from_secs(10),
            traces: None,
            clock: Clock::default(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// A running engine. Dropping it stops nothing; `stop` does.
#[derive(Debug)]
pub struct Engine<S: ?Sized> {
    handle: EngineHandle<S>,
    root: Addr<Supervisor>,
    escalated: watch::Receiver<Option<String>>,
}

impl<S: JobStore + ?Sized> Engine<S> {
    /// Returns the jobs of dead engines and starts the actors. Must be called on an actix system.
    pub async fn start(
        config: EngineConfig,
        store: Arc<S>,
        registry: Arc<Registry<S>>,
        services: Services<S>,
        metrics: Arc<Metrics>,
    ) -> StoreResult<Self> {
        let id: Arc<str> = format!("{:016x}", fastrand::u64(..)).into();
        let info = EngineInfo {
            id: id.to_string(),
            pid: std::process::id(),
            host: hostname(),
            version: config.version,
        };
        let clock = config.clock;
        let now = clock.now();
        let trace = rescuer::trace(config.traces.as_ref(), &id);
        store.engine_started(info.clone(), now).await?;
        let standings = Arc::new(Standings::new(info, store.clone(), metrics.clone()));
        standings.beat().await?;
        let duty = Arc::new(rescuer::Duty {
            engine: id.clone(),
            store: store.clone(),
            standings: standings.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            traces: config.traces,
            trace,
        });
        duty.look().await?;
        let queues = QueueControls::new(&config.queues, services.holds.clone(), &metrics);
        let queues = Arc::new(queues);
        let own = sources_of(&queues, &store, &metrics);
        let sources = own.into_iter().chain(services.sources).collect();
        let log = config.metrics_log.and_then(open_log);
        let telemetry = Telemetry::new(id.clone(), metrics.clone(), sources, log);
        let telemetry = Arc::new(telemetry);
        metrics.events.tell("engine_started", "/engine", "");
        let attempts = Arc::new(Attempts::default());
        let handle = EngineHandle {
            id: id.clone(),
            started_at: now,
            telemetry: telemetry.clone(),
            queues,
            store: store.clone(),
            registry: registry.clone(),
            metrics,
            standings: standings.clone(),
            clock: clock.clone(),
            attempts: attempts.clone(),
            put_off: Arc::default(),
        };
        let (tell, escalated) = watch::channel(None);
        let mut specs = vec![
            writer_spec(store.clone()),
            heartbeat_spec(standings.clone()),
        ];
        specs.extend(services.children);
        specs.extend([
            queues_spec(
                &handle.queues,
                config.drain,
                &Shared {
                    engine: id.clone(),
                    registry: registry.clone(),
                    holds: services.holds,
                    standing: standings.watch(),
                    tools: tools_of(&handle),
                },
            ),
            stager_spec(store.clone(), clock.clone()),
            canceller_spec(id.clone(), store.clone(), attempts),
            rescuer_spec(duty),
            pruner_spec(&handle, config.keep_finished),
        ]);
        if let Some(schedules) = config.schedules {
            let leader = standings.watch_lead();
            specs.push(scheduler_spec(
                store,
                registry,
                leader,
                schedules.into(),
                clock,
                handle.metrics.clone(),
            ));
        }
        if telemetry.has_log() {
            specs.push(metrics_spec(telemetry, config.metrics_interval));
        }
        specs.extend((services.above)(&handle));
        let root = Supervisor::new("/engine", Strategy::RestForOne, Intensity::default(), specs)
            .observed(&handle.metrics)
            .on_escalation(move |why| {
                tell.send_replace(Some(why));
            })
            .start();
        Ok(Self {
            handle,
            root,
            escalated,
        })
    }

    pub fn id(&self) -> &str {
        &self.handle.id
    }

    pub fn handle(&self) -> &EngineHandle<S> {
        &self.handle
    }

    /// Resolves with the reason when the engine's supervisors have given up.
    pub async fn escalated(&self) -> String {
        let mut escalated = self.escalated.clone();
        match escalated.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "the engine's supervisor is gone".to_owned(),
        }
    }

    /// The engine's children, and how often each was restarted since it was last quiet.
    pub async fn restarts(&self) -> Vec<(String, u64)> {
        // A root that has stopped has no children.
        self.root.send(ListChildren).await.unwrap_or_default()
    }

    /// Starts no more jobs and lets those that run end, as long as they take or the time lasts.
    pub async fn drain(&self, time: Duration) {
        let queues = &self.handle.queues;
        queues.pause_all();
        // What has not ended then is handed back by `stop`.
        let idle = tokio::select! {
            idle = tokio::time::timeout(time, queues.idle()) => idle.is_ok(),
            () = in_vain(&*self.handle.store) => false,
        };
        let how = if idle { "" } else { "jobs are left" };
        let events = &self.handle.metrics.events;
        events.tell("engine_drained", "/engine", how);
    }

    /// Drains the queues and stops the actors, in reverse order of their start.
    pub async fn stop(&self) -> StoreResult<()> {
        // A root that escalated has stopped already.
        let _ = self.root.send(Shutdown).await;
        let released = self.release().await;
        let events = &self.handle.metrics.events;
        events.tell("engine_stopped", "/engine", "");
        // What was done since the last record is not lost.
        metrics_actor::write_interval(&self.handle.telemetry).await;
        released
    }

    async fn release(&self) -> StoreResult<()> {
        let (store, id, now) = (&self.handle.store, &self.handle.id, self.handle.clock.now());
        if let Some(away) = store.away().filter(|_| store.is_shared()) {
            return Err(away.into());
        }
        store.release(id, None, &[], now).await?;
        store.engine_stopped(id, now).await
    }
}

/// Looks at a database that is away, before nobody waits for it any longer.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Resolves when a stop waits in vain for jobs to end: the database that is to hold their ends is away.
async fn in_vain<S: JobStore + ?Sized>(store: &S) {
    for _ in 0..LOOKS {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        while store.away().is_none() {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// Logs that the store failed, unless that is told once for everybody who meets it.
fn store_failed(what: &str, error: &StoreError) {
    if error.is_told() {
        tracing::debug!("{what}: {error}");
    } else {
        tracing::warn!("{what}: {error}");
    }
}

/// What attempts work with.
fn tools_of<S: ?Sized>(engine: &EngineHandle<S>) -> Tools<S> {
    Tools {
        store: engine.store.clone(),
        attempts: engine.attempts.clone(),
        metrics: engine.metrics.clone(),
        clock: engine.clock.clone(),
        put_off: engine.put_off.clone(),
        floor: Floor::default(),
    }
}

/// What the engine itself tells of its work.
fn sources_of<S: JobStore + ?Sized>(
    queues: &Arc<QueueControls>,
    store: &Arc<S>,
    metrics: &Arc<Metrics>,
) -> Vec<Arc<dyn Source>> {
    vec![
        Arc::new(QueueSource {
            queues: queues.clone(),
            metrics: metrics.clone(),
        }),
        Arc::new(StoreSource(store.clone())),
        Arc::new(ProcessSource),
        Arc::new(ActorSource(metrics.clone())),
    ]
}

fn writer_spec<S: JobStore + ?Sized>(store: Arc<S>) -> ChildSpec {
    let restart = Cell::new(false);
    ChildSpec::looped("store_writer", move || {
        writer::watch(store.clone(), restart.replace(true))
    })
}

fn heartbeat_spec<S: JobStore + ?Sized>(standings: Arc<Standings<S>>) -> ChildSpec {
    ChildSpec::looped("heartbeat", move || heartbeat::beat_on(standings.clone()))
}

fn rescuer_spec<S: JobStore + ?Sized>(duty: Arc<rescuer::Duty<S>>) -> ChildSpec {
    ChildSpec::looped("rescuer", move || duty.clone().look_on())
}

fn stager_spec<S: JobStore + ?Sized>(store: Arc<S>, clock: Clock) -> ChildSpec {
    ChildSpec::looped("stager", move || {
        stager::stage_on(store.clone(), clock.clone())
    })
}

fn canceller_spec<S: JobStore + ?Sized>(
    engine: Arc<str>,
    store: Arc<S>,
    attempts: Arc<Attempts>,
) -> ChildSpec {
    ChildSpec::looped("canceller", move || {
        attempts::heed_requests(engine.clone(), store.clone(), attempts.clone())
    })
}

fn pruner_spec<S: JobStore + ?Sized>(engine: &EngineHandle<S>, keep: Duration) -> ChildSpec {
    let (store, leads) = (engine.store.clone(), engine.standings.watch_lead());
    let clock = engine.clock.clone();
    ChildSpec::looped("pruner", move || {
        pruner::prune_on(store.clone(), keep, leads.clone(), clock.clone())
    })
}

fn scheduler_spec<S: JobStore + ?Sized>(
    store: Arc<S>,
    registry: Arc<Registry<S>>,
    leader: watch::Receiver<bool>,
    configured: Arc<[Schedule]>,
    clock: Clock,
    metrics: Arc<Metrics>,
) -> ChildSpec {
    ChildSpec::looped("scheduler", move || {
        scheduler::schedule_on(
            store.clone(),
            registry.clone(),
            leader.clone(),
            configured.clone(),
            clock.clone(),
            metrics.clone(),
        )
    })
}

fn metrics_spec(telemetry: Arc<Telemetry>, interval: Duration) -> ChildSpec {
    ChildSpec::looped("metrics", move || {
        metrics_actor::write_on(telemetry.clone(), interval)
    })
}

fn queues_spec<S: JobStore + ?Sized>(
    queues: &Arc<QueueControls>,
    drain: Duration,
    shared: &Shared<S>,
) -> ChildSpec {
    let (queues, shared) = (queues.clone(), shared.clone());
    let mut spec = ChildSpec::permanent("queues", move |guard| {
        let specs = queues
            .all()
            .iter()
            .map(|queue| {
                let (queue, shared) = (queue.clone(), shared.clone());
                let mut spec = ChildSpec::permanent(queue.name, move |guard| {
                    let addr = QueueSupervisor::new(queue.clone(), shared.clone(), guard).start();
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
            .observed(&shared.tools.metrics)
            .guarded(guard)
            .start(),
        )
    });
    spec.stop_timeout = drain + Duration::from_secs(10);
    spec
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

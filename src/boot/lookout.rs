//! What the jobs of an engine wait for: readings of all its parts, for the pure decision of `model::waiting`.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::control::WaitReasons;
use crate::engine::QueueControl;
use crate::gate::halts::heard;
use crate::gate::{Gate, KeyState};
use crate::limiter::LimiterState;
use crate::model::waiting::{
    EngineReading, Halt, KeyReading, OpenJob, QueueReading, Readings, Reason, RouteReading, Tally,
    Waiting, tally, waiting_for, waits_alone,
};
use crate::model::{JobId, JobRecord, JobState, Route};
use crate::store::engine::EngineHandle;
use crate::store::{EngineRow, EngineState, StoreResult};

/// Jobs that are looked at: enough to know what they wait for.
const TREE_MAX: usize = 500;
/// A database that has done no write for so long, while some wait, takes none.
const STUCK: Duration = Duration::from_secs(2);
/// A look that takes longer waits for the database itself.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// Limiters answer in a moment, or are passed over.
const READ_MAX: Duration = Duration::from_millis(500);

const DATABASE: Waiting = Waiting {
    reason: Reason::Database,
    left: None,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Lookout {
    gate: Gate,
    engine: EngineHandle,
    /// Commits when they last changed or nothing waited, and when that was.
    commits: Mutex<Option<(u64, Instant)>>,
}

#[async_trait]
impl WaitReasons for Lookout {
    async fn of(&self, job: JobId) -> Option<Waiting> {
        let look = tokio::time::timeout(LOOK_MAX, self.look(Some(job))).await;
        look.unwrap_or(Some(DATABASE))
    }

    async fn of_calls(&self) -> Option<Waiting> {
        self.look(None).await
    }

    async fn of_each(&self, jobs: &[JobRecord]) -> Vec<Option<Waiting>> {
        let is_open = |job: &JobRecord| !job.state.is_final() && job.state != JobState::Blocked;
        if !jobs.iter().any(is_open) {
            return vec![None; jobs.len()];
        }
        let readings = self.readings().await;
        jobs.iter()
            .map(|job| waits_alone(&readings, &self.open_job(job)))
            .collect()
    }

    async fn of_queues(&self) -> HashMap<String, Tally> {
        let readings = self.readings().await;
        let mut halts: HashMap<&str, Vec<Option<Halt>>> = HashMap::new();
        for (_, queue, halt) in self.engine.attempts.all() {
            halts.entry(queue).or_default().push(halt.and_then(heard));
        }
        let told = |queue: &Arc<QueueControl>| {
            let ready = queue.counters.ready.load(Ordering::Relaxed);
            let ready = usize::try_from(ready).unwrap_or(usize::MAX);
            let halts = halts.remove(queue.name).unwrap_or_default();
            let told = tally(&readings, queue.name, &halts, ready);
            (queue.name.to_owned(), told)
        };
        self.engine.queues.all().iter().map(told).collect()
    }
}

impl Lookout {
    pub(super) fn new(gate: Gate, engine: EngineHandle) -> Self {
        Self {
            gate,
            engine,
            commits: Mutex::default(),
        }
    }

    async fn look(&self, job: Option<JobId>) -> Option<Waiting> {
        let store = &*self.engine.store;
        let database_stuck = self.database_is_stuck();
        let jobs = match job {
            Some(_) if database_stuck => Vec::new(),
            Some(job) => match self.tree(job).await {
                Ok(jobs) if jobs.is_empty() => return None,
                Ok(jobs) => jobs,
                Err(_) => return Some(DATABASE),
            },
            None => Vec::new(),
        };
        let theirs = jobs.iter().any(|job| {
            job.engine
                .as_ref()
                .is_some_and(|id| **id != *self.engine.id)
        });
        let engines = if theirs {
            store.engines().await.unwrap_or_default()
        } else {
            Vec::new()
        };
        let readings = Readings {
            jobs,
            database_stuck,
            engines: engines.iter().map(engine_reading).collect(),
            ..self.readings().await
        };
        waiting_for(&readings)
    }

    /// What is known without the database.
    async fn readings(&self) -> Readings {
        // A limiter that is too busy to answer is left out.
        let routes = tokio::time::timeout(READ_MAX, self.routes()).await;
        Readings {
            now: self.engine.clock.now(),
            here: self.engine.id.to_string(),
            jobs: Vec::new(),
            key: self.key(),
            key_tried_in: self.gate.availability.key_tried_in(),
            database_stuck: false,
            queues: self.queues(),
            routes: routes.unwrap_or_default(),
            engines: Vec::new(),
        }
    }

    fn open_job(&self, job: &JobRecord) -> OpenJob {
        let halt = self.engine.attempts.halt_of(job.id);
        let why = match job.state {
            JobState::Scheduled => self.engine.put_off.why(job.id),
            _ => job.errors.last().map(|last| last.failure.message.clone()),
        };
        OpenJob {
            id: job.id,
            queue: job.queue.clone(),
            lane: job.lane.clone(),
            state: job.state,
            run_at: job.run_at,
            engine: job.engine.clone(),
            at_work: halt.is_some(),
            halt: halt.flatten().and_then(heard),
            step: job.step.clone(),
            why,
        }
    }

    /// The job and its open descendants, with why they were put off.
    async fn tree(&self, job: JobId) -> StoreResult<Vec<OpenJob>> {
        let mut jobs = self.engine.store.open_tree(job, TREE_MAX).await?;
        for job in &mut jobs {
            let halt = self.engine.attempts.halt_of(job.id);
            job.at_work = job.state == JobState::Running && halt.is_some();
            job.halt = halt.flatten().and_then(heard);
            if job.state == JobState::Scheduled {
                job.why = self.engine.put_off.why(job.id);
            }
        }
        Ok(jobs)
    }

    fn key(&self) -> KeyReading {
        match *self.gate.availability.key().borrow() {
            KeyState::Valid | KeyState::Closed => KeyReading::Good,
            KeyState::Suspected => KeyReading::Suspected,
            KeyState::Rejected { status, .. } => KeyReading::Rejected(status),
        }
    }

    fn database_is_stuck(&self) -> bool {
        let stats = self.engine.store.writer_stats();
        let mut seen = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        match *seen {
            Some((commits, since))
                if commits == stats.commits && (stats.busy || stats.waiting > 0) =>
            {
                since.elapsed() >= STUCK
            }
            _ => {
                *seen = Some((stats.commits, Instant::now()));
                false
            }
        }
    }

    fn queues(&self) -> Vec<QueueReading> {
        let reading = |queue: &Arc<QueueControl>| {
            let settings = queue.settings();
            QueueReading {
                name: queue.name.to_owned(),
                slots: settings.slots,
                running: queue.running(),
                paused: settings.paused,
                rate: settings.rate,
                rate_opens: queue.rate_opens_in(),
            }
        };
        self.engine.queues.all().iter().map(reading).collect()
    }

    async fn routes(&self) -> Vec<RouteReading> {
        let outages = self.gate.availability.outages();
        let mut routes: Vec<RouteReading> = self
            .gate
            .api
            .limiter_states()
            .await
            .iter()
            .map(route_reading)
            .collect();
        for (route, left, why) in outages {
            if !routes.iter().any(|reading| reading.route == route) {
                routes.push(quiet(route));
            }
            if let Some(reading) = routes.iter_mut().find(|reading| reading.route == route) {
                reading.down = Some((left, why));
            }
        }
        routes
    }
}

fn quiet(route: Route) -> RouteReading {
    RouteReading {
        route,
        down: None,
        paused: Duration::ZERO,
        waiting: 0,
        opens_in: None,
        in_flight: 0,
        wants_share: false,
        has_answered: true,
    }
}

fn route_reading(state: &LimiterState) -> RouteReading {
    let methods = state.paused_methods.iter().map(|(_, left)| *left);
    RouteReading {
        // A method's pause concerns those who wait only if nothing else holds them back for longer.
        paused: methods.fold(state.paused, Duration::max),
        waiting: state.waiting,
        opens_in: state.opens_in,
        in_flight: state.in_flight,
        wants_share: state.wants_share,
        has_answered: !state.round_trip.is_zero(),
        ..quiet(state.route)
    }
}

fn engine_reading(engine: &EngineRow) -> EngineReading {
    let state = match engine.state {
        EngineState::Alive => "",
        EngineState::Dead | EngineState::Stopped => ", which has ended",
    };
    EngineReading {
        id: engine.id.clone(),
        name: format!(
            "engine {} on {} (pid {}){state}",
            engine.id, engine.host, engine.pid
        ),
        silent: engine.silent,
    }
}

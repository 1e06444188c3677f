//! Enqueues the jobs of schedules when they are due.
//!
//! `model::cadence` decides when that is; the store moves a schedule's last tick and enqueues its job in one
//! transaction, if nobody has moved it before: whatever engines look at the same time, a tick runs once. Only the
//! leader looks, so that the others do not contend for nothing.
//!
//! A schedule whose last tick is yet to come was moved there by a wrong clock: it goes on from now, and that is told.
//!
//! A job whose unique key is open is joined: a schedule whose last job still runs does not pile up.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use super::clock::Clock;
use super::metrics::Metrics;
use super::registry::{OrderError, Registry};
use super::store::schedules::{Schedule, StoredSchedule, Tick, Ticked};
use super::store::{JobStore, StoreResult};
use super::trouble::Trouble;
use riftsync_basics::cadence::{Cadence, Turn};
use riftsync_basics::time::as_text_if_any;
use riftsync_basics::{NewJob, Timestamp};
use riftsync_supervision::report_state;

/// A look at least this often: another engine's operator may have changed a schedule, or somebody the clock.
const LOOK_MAX: Duration = Duration::from_secs(20);
/// The event of a schedule that a wrong clock had moved; its detail is the schedule's name.
pub const SET_RIGHT: &str = "schedule_set_right";
/// A look at most this often, whatever the schedules say.
const LOOK_MIN: Duration = Duration::from_millis(20);

/// How the scheduler stands.
#[derive(Debug, Default, Serialize)]
struct SchedulerState {
    /// Of several engines the one that leads looks after schedules.
    leads: bool,
    #[serde(serialize_with = "as_text_if_any")]
    looked_at: Option<Timestamp>,
    /// None: nothing is to run.
    #[serde(serialize_with = "as_text_if_any")]
    next_run: Option<Timestamp>,
}

/// Starts the jobs of schedules that are due, while this engine leads. `configured`: the schedules of the
/// configuration.
pub(super) async fn schedule_on<S: JobStore + ?Sized>(
    store: Arc<S>,
    registry: Arc<Registry<S>>,
    mut leader: watch::Receiver<bool>,
    configured: Arc<[Schedule]>,
    clock: Clock,
    metrics: Arc<Metrics>,
) {
    let mut looker = Looker::new(store, registry);
    loop {
        report_state(&SchedulerState::default());
        // Who will never be the leader has nothing to do.
        if leader.wait_for(|leads| *leads).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::select! {
            () = lead(&mut looker, &configured, &clock, &metrics) => {}
            () = deposed(&mut leader) => {}
        }
    }
}

/// Resolves when this engine leads no more.
async fn deposed(leader: &mut watch::Receiver<bool>) {
    if leader.wait_for(|leads| !leads).await.is_err() {
        // Nobody can say so any more.
        std::future::pending::<()>().await;
    }
}

/// Looks again and again; never ends by itself.
async fn lead<S: JobStore + ?Sized>(
    looker: &mut Looker<S>,
    configured: &[Schedule],
    clock: &Clock,
    metrics: &Metrics,
) {
    let store = looker.store.clone();
    let mut adopted = false;
    let trouble = Trouble::new("schedules cannot be looked at now");
    loop {
        let now = clock.now();
        let round = async {
            if !adopted {
                store.adopt_schedules(configured.to_vec(), now).await?;
                adopted = true;
            }
            looker.look(now).await
        };
        let next = round.await;
        trouble.heed(&next);
        if let Ok(next) = &next {
            report_state(&SchedulerState {
                leads: true,
                looked_at: Some(now),
                next_run: *next,
            });
        }
        for name in looker.set_right.drain(..) {
            metrics.events.tell(SET_RIGHT, "/engine/scheduler", name);
        }
        let pause = match next {
            Ok(Some(next)) => next.since(clock.now()).clamp(LOOK_MIN, LOOK_MAX),
            Ok(None) | Err(_) => LOOK_MAX,
        };
        let schedules = store.hints().schedules();
        tokio::select! {
            _ = tokio::time::timeout(pause, schedules.notified()) => {}
            () = clock.moved_from(now) => {}
        }
    }
}

/// Looks at schedules and deals with those that are due.
#[derive(Debug)]
pub struct Looker<S: ?Sized> {
    store: Arc<S>,
    registry: Arc<Registry<S>>,
    /// Trouble that was told, each once.
    told: HashSet<(String, String)>,
    /// Schedules that a wrong clock had moved, and that were set right since somebody asked.
    set_right: Vec<String>,
}

impl<S: JobStore + ?Sized> Looker<S> {
    pub fn new(store: Arc<S>, registry: Arc<Registry<S>>) -> Self {
        Self {
            store,
            registry,
            told: HashSet::new(),
            set_right: Vec::new(),
        }
    }

    /// Names of schedules that a wrong clock had moved, and that were set right.
    pub fn set_right(&self) -> &[String] {
        &self.set_right
    }

    /// Deals with every schedule that is due. When the first of them is due next.
    pub async fn look(&mut self, now: Timestamp) -> StoreResult<Option<Timestamp>> {
        let mut first: Option<Timestamp> = None;
        for stored in self.store.schedules().await? {
            let next = match self.deal_with(&stored, now).await {
                Ok(next) => next?,
                Err(why) => {
                    self.tell(&stored.schedule.name, why);
                    None
                }
            };
            first = [first, next].into_iter().flatten().min();
        }
        Ok(first)
    }

    /// When the schedule is due next, or what is wrong with it: then its ticks wait for an engine that knows better.
    async fn deal_with(
        &mut self,
        stored: &StoredSchedule,
        now: Timestamp,
    ) -> Result<StoreResult<Option<Timestamp>>, String> {
        let schedule = &stored.schedule;
        let name = &schedule.name;
        let cadence = Cadence::parse(&schedule.expression, &schedule.zone)?;
        let turn = cadence.turn(schedule.catch_up, stored.last_tick, stored.made, now);
        let tick = match turn {
            Turn::Wait(next) => return Ok(Ok(next)),
            Turn::Pass(at) => {
                tracing::info!("the schedule {name} passes over {at}: no engine ran then");
                Tick::of(stored, at, None)
            }
            Turn::Run(at) => Tick::of(stored, at, Some(job_of(&self.registry, schedule)?)),
            Turn::Astray(_) => Tick::of(stored, now, None),
        };
        let at = tick.at;
        let next = cadence.next_after(at.max(now), stored.made);
        match self.store.tick(tick, now).await {
            Ok(Ticked::Enqueued(job)) => {
                let joined = if job.joined {
                    ", which was open already"
                } else {
                    ""
                };
                tracing::info!(job.id = %job.id, "the schedule {name} enqueued job {}{joined}", job.id);
            }
            Ok(Ticked::Passed) => {
                if let Turn::Astray(ahead) = turn {
                    let next = next.map_or_else(|| "never".to_owned(), |next| next.to_string());
                    tracing::warn!(
                        "the schedule {name} was at {ahead}, which is yet to come: the clock was wrong then, or is wrong \
                         now ({now}). It is set right: next {next}"
                    );
                    self.set_right.push(name.clone());
                }
            }
            Ok(Ticked::Elsewhere) => {}
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(next))
    }

    fn tell(&mut self, name: &str, why: String) {
        let trouble = (name.to_owned(), why);
        if !self.told.contains(&trouble) {
            tracing::warn!("the schedule {name} cannot run: {}", trouble.1);
            self.told.insert(trouble);
        }
    }
}

/// The job of a schedule's tick, or what is wrong with it.
pub fn job_of<S: JobStore + ?Sized>(
    registry: &Registry<S>,
    schedule: &Schedule,
) -> Result<NewJob, String> {
    let Schedule { kind, args, .. } = schedule;
    registry.order(kind, args).map_err(|error| match error {
        OrderError::UnknownKind { known } => {
            format!("there is no kind of job '{kind}'. Known: {known}")
        }
        OrderError::Arguments(why) => format!("args of {kind}: {why}"),
    })
}

/// What is wrong with a schedule that somebody wrote, before it is stored.
pub fn check_schedule<S: JobStore + ?Sized>(
    registry: &Registry<S>,
    schedule: &Schedule,
) -> Result<Cadence, String> {
    let name = &schedule.name;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        let name: String = name.chars().take(100).collect();
        return Err(format!(
            "'{name}' is no name of a schedule: use a to z, 0 to 9, _ and -, at most 64"
        ));
    }
    let cadence = Cadence::parse(&schedule.expression, &schedule.zone)?;
    // What is off need not be known: a configuration may name kinds of a later version.
    if !cadence.is_off() {
        job_of(registry, schedule)?;
    }
    Ok(cadence)
}

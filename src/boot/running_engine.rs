//! An engine inside this process, wired from the settings, and how a job in it is followed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::forecast::Forecast;
use super::locations::{beside, machine, metrics_log};
use super::lookout::Lookout;
use super::serve;
use super::show::player_of_job;
use crate::cli::follow::{Follow, called, next_text, summary_of, tell_notes, typed};
use crate::cli::stats::{show_list_end, show_year};
use crate::cli::terminal::{stop_signal, watch_panics};
use crate::cli::waits::{self, Wait};
use crate::cli::{CliError, Global};
use crate::config::{Config, read_by_others};
use crate::control::{TimeLeft, WaitReasons};
use crate::engine::scheduler::check_schedule;
use crate::engine::{Engine, EngineConfig, Registry};
use crate::gate::{Gate, KeptShares, KeySource, KeyState, Sharing};
use crate::metrics::Metrics;
use crate::model::{JobId, JobRecord, JobState, Priority, RetryPolicy, Timestamp};
use crate::riot::{ApiKey, BaseUrl, RiotClient};
use crate::store::schedules::Schedule;
use crate::store::{Location, Store};
use crate::tasks::{
    self, HealthCheck, HealthProbe, MatchSync, Pacing, PlayerReport, PlayerSync, PlayerSyncArgs,
    Policies, Recover, TimelineSync, job_document,
};

/// How often a followed job is looked at.
const FOLLOW: Duration = Duration::from_millis(100);
const FOLLOW_FIRST: Duration = Duration::from_millis(5);
/// How often the time left is estimated anew.
const LOOK_AHEAD: Duration = Duration::from_secs(1);

/// An engine inside this process, with what it stands on.
pub(super) struct RunningEngine {
    pub(super) store: Arc<dyn Store>,
    pub(super) engine: Engine,
    pub(super) metrics: Arc<Metrics>,
    pub(super) gate: Gate,
    pub(super) forecast: Forecast,
    pub(super) lookout: Lookout,
    pub(super) policies: Policies,
    pub(super) registry: Arc<Registry>,
    /// The socket, at which others may have joined.
    pub(super) control: Option<serve::Control>,
}

fn key_of(key: &str, source: &KeySource) -> Result<ApiKey, CliError> {
    let place = if source.from_file {
        "the file that RIOT_API_KEY_FILE names"
    } else {
        "RIOT_API_KEY"
    };
    ApiKey::new(key).map_err(|why| CliError::Usage(format!("{why}. Check {place}")))
}

/// Files that are there keep their modes: somebody may have meant them. That others can read them is told.
fn warn_of_readers(config: &Config, database: &Location, source: &KeySource) {
    let file = match database {
        Location::Sqlite(path) => Some(("database", path)),
        Location::Postgres(_) => None,
    };
    let key = source.file.as_ref().map(|path| ("API key file", path));
    for (what, path) in file.into_iter().chain(key) {
        if let Some(mode) = read_by_others(path, config.files.readable_by) {
            let path = path.display();
            tracing::warn!(
                "the {what} {path} can be read by other users of this machine (mode {mode:04o}). Type chmod go= '{path}', \
                 or say in files.readable_by who may read"
            );
        }
    }
}

impl RunningEngine {
    pub(super) async fn start(
        config: &Config,
        database: &Location,
        (key, source): (String, KeySource),
        base: &str,
        control: Option<&serve::Control>,
        only: &[&str],
    ) -> Result<Self, CliError> {
        let key = key_of(&key, &source)?;
        let base = BaseUrl::new(base).map_err(CliError::Usage)?;
        let machine = machine(&base, database);
        let client = RiotClient::new(base).map_err(|error| CliError::Engine(error.to_string()))?;
        let metrics = Arc::new(Metrics::default());
        let opening = waits::opening(database);
        let store = database.open().await?;
        warn_of_readers(config, database, &source);
        let (gate, mut services) = Gate::new(
            key,
            source,
            Arc::new(client),
            tasks::API_QUEUES,
            Some(Sharing::on(machine, store.clone())),
            metrics.clone(),
            config.engine.bodies_mb,
        );
        gate.begin_with_shares(&KeptShares {
            share: config.riot.share,
            routes: config.riot.shares.clone(),
        });
        watch_panics();
        let policies = policies(config);
        let folder = match database {
            Location::Sqlite(_) => Some(beside(database)),
            Location::Postgres(_) => None,
        };
        let health = HealthProbe::new(gate.clone(), folder, config.platform()?);
        let registry = tasks::registry(&gate.api, policies).with(HealthCheck::new(health.clone()));
        let registry = Arc::new(registry);
        if let Some(control) = control {
            services.above = control.above(&gate, &health, database, config.platform()?);
        }
        let mut queues = tasks::queues();
        let is_wanted = |name| only.is_empty() || only.contains(&name);
        match control {
            Some(_) => queues.retain(|queue| is_wanted(queue.name)),
            // What an earlier command left is not done on the way; but how fast it would be is known.
            None => queues
                .iter_mut()
                .for_each(|queue| queue.paused = !is_wanted(queue.name)),
        }
        for queue in &mut queues {
            if let Some(settings) = config.queues.get(queue.name) {
                queue.slots = settings.slots;
                queue.prefetch = settings.slots;
                // Checked when the configuration was read.
                queue.rate = settings.rate().unwrap_or_default();
            }
        }
        let pace = Pacing::of(&queues);
        gate.availability.set_pace(pace.pace(
            "the rates of the queues",
            "Run with --profile production to use it all",
        ));
        let engine_config = EngineConfig {
            queues,
            drain: config.drain(),
            keep_finished: config.keep_finished(),
            schedules: match control {
                Some(control) if control.is_service() => Some(schedules(config, &registry)?),
                _ => None,
            },
            metrics_log: metrics_log(config, database),
            metrics_interval: Duration::from_secs(config.metrics.interval_s),
            traces: Some(beside(database).join("engines")),
            ..EngineConfig::default()
        };
        let engine = Engine::start(
            engine_config,
            store.clone(),
            registry.clone(),
            services,
            metrics.clone(),
        )
        .await?;
        let forecast = Forecast {
            api: gate.api.clone(),
            queues: engine.handle().queues.clone(),
            store: store.clone(),
        };
        drop(opening);
        health.attach(engine.handle().clone());
        let lookout = Lookout::new(gate.clone(), engine.handle().clone());
        Ok(Self {
            store,
            engine,
            metrics,
            gate,
            forecast,
            lookout,
            policies,
            registry,
            control: control.cloned(),
        })
    }

    /// The job when it is done; for a dry run also how long the real one would take.
    pub(super) async fn sync_and_follow(
        &self,
        order: &PlayerSyncArgs,
    ) -> Result<(JobRecord, Option<Duration>), CliError> {
        let job = order.job(Priority::INTERACTIVE, self.policies.player);
        let calls_before = self.metrics.calls.load(Ordering::Relaxed);
        let enqueued = self.store.enqueue(vec![job], Timestamp::now()).await?;
        let id = enqueued[0].id;
        let mut bars = Follow::new(&format!(
            "{} on {}, {}",
            order.who(),
            order.platform,
            order.year
        ));
        let outcome = tokio::select! {
            job = self.follow(id, &mut bars) => job,
            status = self.key_rejected() => Err(CliError::KeyRejected(status)),
            error = self.gave_up() => Err(error),
            () = self.stopped() => Err(CliError::Interrupted),
        };
        let took = bars.clear();
        let mut time_left = None;
        if let Ok(job) = &outcome
            && job.state == JobState::Completed
        {
            if order.dry_run {
                time_left = self.forecast.of(job).await;
            } else {
                let calls = self.metrics.calls.load(Ordering::Relaxed) - calls_before;
                let report = PlayerReport::of(job);
                eprintln!("{}", summary_of(&report, order.year, took, calls));
            }
        }
        Ok((outcome?, time_left))
    }

    pub(super) async fn follow(&self, id: JobId, bars: &mut Follow) -> Result<JobRecord, CliError> {
        let mut looked_at: Option<Instant> = None;
        let begun = Instant::now();
        loop {
            let job = self.read(id, bars.wait()).await?;
            if looked_at.is_none_or(|at| at.elapsed() >= LOOK_AHEAD) {
                looked_at = Some(Instant::now());
                bars.left(match job.state {
                    JobState::Blocked => self.forecast.of(&job).await,
                    _ => None,
                });
            }
            bars.show(&job, &self.metrics);
            if job.state.is_final() {
                return Ok(job);
            }
            if bars.ask() {
                bars.wait().waiting(self.lookout.of(id).await.as_ref());
            }
            // What is done in a moment is told in a moment.
            let pause = FOLLOW_FIRST + begun.elapsed() / 8;
            tokio::time::sleep(pause.min(FOLLOW)).await;
        }
    }

    /// The job as it stands. A database that is away for a while is waited for, as the engine does.
    pub(super) async fn read(&self, id: JobId, wait: &Wait) -> Result<JobRecord, CliError> {
        let _reading = waits::on("database", "the database has not answered yet");
        loop {
            match self.store.job(id).await {
                Ok(Some(job)) => return Ok(job),
                Ok(None) => {
                    let gone = format!("job {id} is gone from the database");
                    return Err(CliError::JobFailed(gone));
                }
                Err(error) if error.is_transient() => {
                    wait.reason("database", &error.to_string(), None);
                    tokio::time::sleep(LOOK_AHEAD).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Resolves when the key was tried again after its rejection, and rejected again.
    pub(super) async fn key_rejected(&self) -> u16 {
        let mut key = self.gate.availability.key();
        loop {
            if let KeyState::Rejected { status, again: 1.. } = *key.borrow_and_update() {
                return status;
            }
            if key.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Resolves when the engine cannot go on: its database is at its end, or its supervisors have given up.
    pub(super) async fn gave_up(&self) -> CliError {
        tokio::select! {
            biased;
            end = self.store.ended() => end.into(),
            why = self.engine.escalated() => CliError::Engine(why),
        }
    }

    /// Resolves when somebody stops this engine: here, or through its socket.
    pub(super) async fn stopped(&self) {
        let asked = async {
            match &self.control {
                Some(control) => control.asked_to_stop().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop_signal() => {}
            () = asked => {}
        }
    }

    /// Jobs that run now, of all queues.
    pub(super) fn running_jobs(&self) -> usize {
        let queues = self.engine.handle().queues.all();
        queues.iter().map(|queue| queue.running()).sum()
    }

    pub(super) async fn stop(&self) -> Result<(), CliError> {
        let _stopping = waits::on(
            "stop",
            "the engine inside this process lets its jobs end and closes the database",
        );
        // Calls that wait for their turn are given up, so that a stop need not wait for them.
        self.gate.availability.close();
        self.engine.stop().await?;
        Ok(())
    }

    pub(super) async fn report(
        &self,
        global: &Global,
        order: &PlayerSyncArgs,
        job: &JobRecord,
        database: &Location,
        simulated: bool,
    ) -> Result<(), CliError> {
        if global.json {
            crate::outln!("{}", job_document(job));
        }
        if job.state == JobState::Completed {
            let document = job_document(job);
            tell_notes(&document["result"]);
            let year = order.year.get();
            if let Some(player) = player_of_job(&*self.store, &document).await? {
                let rows = self.store.yearly_stats(player.id, Some(year)).await?;
                let aborted = self.store.aborted_matches(player.id, year).await?;
                show_year(global.json, order, &PlayerReport::of(job), &rows, aborted);
                show_list_end(&*self.store, player.id, order).await?;
            }
            let world = if simulated {
                " (a simulated world: nothing in it is real)"
            } else {
                ""
            };
            eprintln!("stored in {database}{world}");
            // A player without a name can be named in no command.
            if PlayerReport::of(job).is_first()
                && let Some(name) = called(&document, order)
            {
                let named = global.database.is_some().then(|| database.to_string());
                eprintln!("{}", next_text(&name, simulated, typed(named.as_deref())));
            }
        }
        Ok(())
    }
}

pub(super) fn failure_text(job: &JobRecord) -> String {
    match job.errors.last() {
        Some(error) => match &error.failure.remedy {
            Some(remedy) => format!("{}; {remedy}", error.failure.message),
            None => error.failure.message.clone(),
        },
        None => format!("job {} is {}", job.id, job.state),
    }
}

pub(super) fn policies(config: &Config) -> Policies {
    let default = Policies::default();
    let of = |kind: &str, policy: RetryPolicy| config.policy(kind, policy);
    Policies {
        player: of(PlayerSync::KIND, default.player),
        matches: of(MatchSync::KIND, default.matches),
        timelines: of(TimelineSync::KIND, default.timelines),
        recovery: of(Recover::KIND, default.recovery),
        maintenance: of("cleanup_old_data", default.maintenance),
        retention: config.riot.retention(),
    }
}

/// The schedules of the configuration, or what is wrong with one.
pub(super) fn schedules(config: &Config, registry: &Registry) -> Result<Vec<Schedule>, CliError> {
    let schedules = config.schedules.iter().map(|(name, settings)| {
        let wrong = |why: String| {
            CliError::Usage(format!(
                "the configuration is wrong: schedules.{name}: {why}"
            ))
        };
        let usual = settings.cadence().map_err(wrong)?.usual_catch_up();
        let args = settings.args.as_ref().map(ToString::to_string);
        let schedule = Schedule {
            name: name.clone(),
            expression: settings.when.trim().to_owned(),
            zone: settings.zone().to_owned(),
            catch_up: settings.catch_up.unwrap_or(usual),
            kind: settings.kind.clone(),
            args: args.unwrap_or_else(|| "{}".to_owned()),
        };
        check_schedule(registry, &schedule).map_err(wrong)?;
        Ok(schedule)
    });
    schedules.collect()
}

//! An engine inside this process, wired from the settings.

use std::sync::Arc;
use std::time::Duration;

use super::control::Control;
use super::locations::{beside, machine, metrics_log};
use crate::cli::terminal::{stop_signal, watch_panics};
use crate::cli::{CliError, waits};
use crate::config::{Config, owner_is_us, read_by_others};
use crate::engine::EngineConfig;
use crate::engine::scheduler::check_schedule;
use crate::export::lake::LakePlace;
use crate::gate::{Gate, KeptShares, KeySource, KeyState, Sharing};
use crate::metrics::Metrics;
use crate::model::{JobRecord, RetryPolicy};
use crate::riot::{ApiKey, BaseUrl, Published, PublishedClient, RiotClient};
use crate::store::engine::{Engine, Registry};
use crate::store::schedules::Schedule;
use crate::store::{Location, Store};
use crate::tasks::{
    self, HealthCheck, HealthProbe, LakeExport, MatchSync, Pacing, PlayerSync, Policies, Recover,
    Standing, StaticSync, TimelineSync,
};

/// An engine inside this process, with what it stands on.
pub(super) struct RunningEngine {
    pub(super) store: Arc<dyn Store>,
    pub(super) engine: Engine,
    pub(super) gate: Gate,
    pub(super) policies: Policies,
    /// The socket, at which others may have joined.
    pub(super) control: Option<Control>,
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
        Location::Sqlite(path) => Some(("database".to_owned(), path.as_path())),
        Location::Postgres(_) => None,
    };
    let key = source.file.as_deref();
    let key = key.map(|path| ("API key file".to_owned(), path));
    let settings = config.file_with_secret();
    let settings = settings.map(|(path, secret)| (format!("settings file with {secret}"), path));
    for (what, path) in file.into_iter().chain(key).chain(settings) {
        if let Some(mode) = read_by_others(path, config.files.readable_by) {
            let is_ours = owner_is_us(path);
            let path = path.display();
            let remedy = if is_ours {
                format!("Type chmod go= '{path}', or say in files.readable_by who may read")
            } else {
                format!("Its owner types chmod o= '{path}'")
            };
            tracing::warn!(
                "the {what} {path} can be read by other users of this machine (mode {mode:04o}). {remedy}"
            );
        }
    }
}

/// Opens a database for an engine. One of a simulated world is none for what Riot gives.
async fn open(database: &Location, source: &KeySource) -> Result<Arc<dyn Store>, CliError> {
    let store = database.open().await?;
    if !source.made_up
        && let Err(refused) = database.refuse_simulated().await
    {
        store.close().await?;
        return Err(refused.into());
    }
    Ok(store)
}

impl RunningEngine {
    pub(super) async fn start(
        config: &Config,
        database: &Location,
        (key, source): (String, KeySource),
        base: &str,
        control: Option<&Control>,
        only: &[&str],
    ) -> Result<Self, CliError> {
        let key = key_of(&key, &source)?;
        let base = BaseUrl::new(base).map_err(CliError::Usage)?;
        let machine = machine(&base, database);
        let client = RiotClient::new(base).map_err(|error| CliError::Engine(error.to_string()))?;
        let metrics = Arc::new(Metrics::default());
        let opening = waits::opening(database);
        let store = open(database, &source).await?;
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
        let registry = tasks::registry(&gate.api, policies)
            .with(HealthCheck::new(health.clone()))
            .with(static_sync(config)?)
            .with(lake_export(config, control)?);
        let registry = Arc::new(registry);
        if let Some(control) = control {
            services.above = control.above(&gate, &health, database, config, config.platform()?);
        }
        let mut queues = tasks::queues();
        let is_wanted = |name| only.is_empty() || only.contains(&name);
        if control.is_some_and(Control::is_open) {
            queues.retain(|queue| is_wanted(queue.name));
        } else {
            // What an earlier command left is not done on the way; but how fast it would be is known.
            for queue in &mut queues {
                queue.paused = !is_wanted(queue.name);
            }
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
            version: env!("CARGO_PKG_VERSION"),
            ..EngineConfig::default()
        };
        let engine = Engine::start(
            engine_config,
            store.clone(),
            registry.clone(),
            services,
            metrics,
        )
        .await?;
        drop(opening);
        health.attach(engine.handle().clone());
        Ok(Self {
            store,
            engine,
            gate,
            policies,
            control: control.cloned(),
        })
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
        timeline_detail: config.data.timeline_rows,
        standing: Standing {
            ranks: config.data.ranks,
            mastery: config.data.mastery,
        },
    }
}

/// The job that fetches the published files, or what is wrong with where they are said to be.
fn static_sync(config: &Config) -> Result<StaticSync, CliError> {
    let published = Published {
        base_url: config.names.base_url.clone(),
        constants_url: config.names.constants_url.clone(),
        language: config.names.language.clone(),
    };
    let wrong = |why| CliError::Usage(format!("the configuration is wrong: names.{why}"));
    published.check().map_err(wrong)?;
    let client = PublishedClient::new().map_err(CliError::Engine)?;
    let policy = config.policy(StaticSync::KIND, StaticSync::RETRIES);
    Ok(StaticSync::new(client, published, policy))
}

/// The job that brings the lake up to date, or what is wrong with where it is said to be.
fn lake_export(config: &Config, control: Option<&Control>) -> Result<LakeExport, CliError> {
    let wrong = |why: String| CliError::Usage(format!("the configuration is wrong: lake: {why}"));
    let address = config.lake.address().map_err(wrong)?;
    let policy = config.policy(LakeExport::KIND, LakeExport::RETRIES);
    let Some(address) = address else {
        return Ok(LakeExport::nowhere(policy));
    };
    match LakePlace::new(&address, &config.lake) {
        Ok(place) => Ok(LakeExport::to(place, policy)),
        // Who exports nothing, or at a terminal that has them, needs none here.
        Err(error) if !config.lake.has_credentials() => {
            if control.is_some_and(Control::is_service) {
                tracing::warn!(
                    "lake.dir is {error}. Until then no lake is exported; all else goes on"
                );
            }
            Ok(LakeExport::refused(&error, policy))
        }
        Err(error) => Err(wrong(error.to_string())),
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

//! The one place that wires the rooms: settings in, exit code out.

mod copy;
mod crowd;
mod forecast;
mod measure;
mod order;
mod serve;
mod service;
mod upkeep;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use self::forecast::Forecast;
use self::order::{PlayedOn, read_years};
use crate::bench::{
    ControlBench, JobsBench, LimiterBench, PipelineBench, PipelineReport, Place, SimulatorProcess,
    Stages,
};
use crate::cli::configshow::{self, Places};
use crate::cli::follow::{Follow, plan_text, summary};
use crate::cli::terminal::stop_signal;
use crate::cli::top::top;
use crate::cli::{
    Bench, BenchControlArgs, BenchJobsArgs, BenchLimiterArgs, BenchPipelineArgs, Cli, CliError,
    ConfigVerb, DbArgs, DbVerb, EngineVerb, ExportArgs, Global, KeyVerb, SimulateArgs, StatsArgs,
    SyncArgs, Verb, WeatherArgs, WorldArgs, dbinfo, stats, terminal,
};
use crate::cli::{pages, remote};
use crate::config::{self, Config, Profile};
use crate::control::{self, TimeLeft};
use crate::engine::scheduler::check_schedule;
use crate::engine::{Engine, EngineConfig, Registry};
use crate::export::{self, Export, Format};
use crate::gate::{Gate, KeySource, KeyState};
use crate::metrics::process::{cpu_time, resident_peak_bytes};
use crate::metrics::{LogFiles, Metrics};
use crate::model::{
    DatabaseUrl, JobId, JobRecord, JobState, Platform, Priority, RetryPolicy, RiotId, Route,
    Timestamp, Year,
};
use crate::riot::{ApiKey, BaseUrl, RiotClient, install_tls};
use crate::simulator::{
    SIMULATED_KEY, SettingError, Simulator, SimulatorConfig, World, WorldConfig, read_limits,
};
use crate::store::export::ExportFilter;
use crate::store::schedules::Schedule;
use crate::store::{Location, Store};
use crate::supervision::watch_panics;
use crate::tasks::{
    self, HealthCheck, HealthProbe, MatchSync, Pacing, PlayerReport, PlayerSync, PlayerSyncArgs,
    Policies, Recover, TimelineSync, job_document,
};

/// How often a followed job is looked at.
const FOLLOW: Duration = Duration::from_millis(100);
const FOLLOW_FIRST: Duration = Duration::from_millis(5);
/// How often the time left is estimated anew.
const LOOK_AHEAD: Duration = Duration::from_secs(1);

/// Runs one verb on a fresh actor system.
pub fn run(cli: Cli) -> Result<(), CliError> {
    // These need no settings, and work where those are wrong.
    match &cli.verb {
        Verb::Completions { shell } => {
            pages::completions(*shell);
            return Ok(());
        }
        Verb::Man { folder } => return pages::man(folder.as_deref()),
        _ => {}
    }
    let simulates = match &cli.verb {
        Verb::Sync(args) => args.simulate,
        Verb::Bench(_) => true,
        _ => false,
    };
    let usual = if simulates {
        Profile::Production
    } else {
        Profile::Development
    };
    let config = Config::load(cli.global.profile, usual, cli.global.config.as_deref())?;
    let level = if matches!(cli.verb, Verb::Serve(_) | Verb::Simulate(_)) {
        "info"
    } else {
        "warn"
    };
    // The live view has the whole terminal: a log line would tear it.
    if !matches!(cli.verb, Verb::Top) {
        terminal::start_log(level, config.log.format);
    }
    install_tls();
    actix::System::new().block_on(async move {
        match cli.verb {
            Verb::Sync(args) => match args.file.clone() {
                Some(file) => crowd::sync_file(&cli.global, &config, &args, &file).await,
                None => sync(&cli.global, &config, args).await,
            },
            Verb::Ladder(args) => crowd::ladder(&cli.global, &config, &args).await,
            Verb::Stats(args) => show_stats(&cli.global, &config, &args).await,
            Verb::Serve(args) => serve::serve(&cli.global, &config, &args).await,
            // Done above.
            Verb::Completions { .. } | Verb::Man { .. } => Ok(()),
            Verb::Recover(args) => upkeep::recover(&cli.global, &config, args).await,
            Verb::Cleanup(args) => upkeep::cleanup(&cli.global, &config, args).await,
            Verb::Replay(args) => upkeep::replay(&cli.global, &config, args).await,
            Verb::Recompress(args) => upkeep::recompress(&cli.global, &config, args).await,
            Verb::Simulate(args) => simulate(&cli.global, &args).await,
            Verb::Job(args) => remote::job(&reach(&cli.global, &config)?, args.what).await,
            Verb::Queue(args) => remote::queue(&reach(&cli.global, &config)?, args.what).await,
            Verb::Export(args) => export_table(&cli.global, &config, &args).await,
            Verb::Health => remote::health(&reach(&cli.global, &config)?).await,
            Verb::Schedule(args) => {
                remote::schedule(&reach(&cli.global, &config)?, args.what).await
            }
            Verb::Track(args) => {
                remote::set_tracked(&reach(&cli.global, &config)?, &args.riot_id, true).await
            }
            Verb::Untrack(args) => {
                remote::set_tracked(&reach(&cli.global, &config)?, &args.riot_id, false).await
            }
            Verb::Tracked => remote::show_tracked(&reach(&cli.global, &config)?).await,
            Verb::Status => remote::show_status(&reach(&cli.global, &config)?).await,
            Verb::Top => top(reach(&cli.global, &config)?).await,
            Verb::Engine(args) => {
                let reach = reach(&cli.global, &config)?;
                match args.what {
                    EngineVerb::Drain => remote::drain(&reach).await,
                    EngineVerb::Stop => remote::stop(&reach).await,
                }
            }
            Verb::Key(args) => match args.what {
                KeyVerb::Set => remote::set_key(&reach(&cli.global, &config)?).await,
            },
            Verb::Config(args) => match args.what {
                ConfigVerb::Show => show_config(&cli.global, &config),
            },
            Verb::Db(args) => db(&cli.global, &config, &args).await,
            Verb::Bench(args) => match args.what {
                Bench::Jobs(args) => bench_jobs(&cli.global, &config, &args).await,
                Bench::Pipeline(args) => bench_pipeline(&cli.global, &config, &args).await,
                Bench::Control(args) => bench_control(&cli.global, &config, &args).await,
                Bench::Recovery(args) => measure::recovery(&cli.global, &config, args).await,
                Bench::Export(args) => measure::export(&cli.global, &config, args).await,
                Bench::Limiter(args) => bench_limiter(&cli.global, &args).await,
            },
        }
    })
}

async fn sync(global: &Global, config: &Config, args: SyncArgs) -> Result<(), CliError> {
    let riot_id: RiotId = args.riot_id.as_deref().unwrap_or_default().parse()?;
    let place = PlayedOn::read(config, args.platform.as_deref())?;
    let years = read_years(args.year.as_deref(), Timestamp::now())?;
    if !args.simulate {
        let reach = reach(global, config)?;
        let engine = if args.detach {
            Some(reach.engine().await?)
        } else {
            reach.engine_if_any().await?
        };
        if let Some(mut engine) = engine {
            let platform = place.there(&mut engine, &riot_id).await?;
            for year in years {
                let order = order(&args, &riot_id, platform, year);
                remote::sync(&reach, &mut engine, &order, args.detach).await?;
            }
            return Ok(());
        }
    }
    let simulator = if args.simulate {
        let players = vec![(riot_id.clone(), place.made_up())];
        Some(start_simulator(players, &args.world, None, localhost(0)).await?)
    } else {
        None
    };
    let (key, base) = match &simulator {
        Some(simulator) => {
            let key = (SIMULATED_KEY.to_owned(), KeySource::default());
            (key, simulator.base_url())
        }
        None => (required_key(false)?, config.riot.base_url.clone()),
    };
    let database = locate(global, config, args.simulate)?;
    let running = Running::start(config, &database, key, &base, None, &[]).await?;
    let outcome = async {
        let platform = if args.simulate {
            place.made_up()
        } else {
            place.here(&running, &riot_id).await?
        };
        for year in years {
            let order = order(&args, &riot_id, platform, year);
            sync_here(global, &running, &order, &database, args.simulate).await?;
        }
        Ok::<(), CliError>(())
    };
    let outcome = outcome.await;
    let stopped = running.stop().await;
    let closed = running.store.close().await;
    outcome?;
    stopped?;
    closed?;
    drop(simulator);
    Ok(())
}

/// One year, with the engine inside this process.
async fn sync_here(
    global: &Global,
    running: &Running,
    order: &PlayerSyncArgs,
    database: &Location,
    simulated: bool,
) -> Result<(), CliError> {
    let (job, time_left) = running.sync_and_follow(order).await?;
    if order.dry_run && job.state == JobState::Completed {
        show_plan(global, order, &job, time_left);
    } else {
        running
            .report(global, order, &job, database, simulated)
            .await?;
    }
    match job.state {
        JobState::Completed => Ok(()),
        _ => Err(CliError::JobFailed(failure_text(&job))),
    }
}

fn order(args: &SyncArgs, riot_id: &RiotId, platform: Platform, year: Year) -> PlayerSyncArgs {
    PlayerSyncArgs {
        riot_id: riot_id.clone(),
        platform,
        year,
        timelines: !args.no_timelines,
        dry_run: args.dry_run,
        track: !args.no_track,
    }
}

/// What a sync would fetch.
fn show_plan(
    global: &Global,
    order: &PlayerSyncArgs,
    job: &JobRecord,
    time_left: Option<Duration>,
) {
    if global.json {
        let mut document = job_document(job);
        document["eta_s"] = json!(time_left.map(|left| left.as_secs()));
        crate::outln!("{document}");
    } else {
        let route = Route::Region(order.platform.region());
        crate::outln!("{}", plan_text(&PlayerReport::of(job), route, time_left));
    }
}

/// The key, and where new ones come from; `watch`: while the engine runs.
fn required_key(watch: bool) -> Result<(String, KeySource), CliError> {
    let found = config::api_key()?.ok_or_else(|| {
        CliError::Usage(
            "there is no API key. Set RIOT_API_KEY (a development key is free at developer.riotgames.com), \
             or try --simulate, which needs none"
                .to_owned(),
        )
    })?;
    let source = KeySource {
        file: config::api_key_file(),
        from_file: found.from_file,
        watch,
    };
    Ok((found.text, source))
}

/// Where the database is. A simulated world has a file of its own, so that it never mixes with real data.
fn locate(global: &Global, config: &Config, simulated: bool) -> Result<Location, CliError> {
    let url = global.database.as_ref().unwrap_or(&config.database.url);
    if url.is_empty() {
        return Ok(Location::Sqlite(usual_file(simulated)));
    }
    location(config, url)
}

/// The database file of those who name none.
fn usual_file(simulated: bool) -> PathBuf {
    config::data_folder().join(if simulated {
        "simulated.db"
    } else {
        "riftsync.db"
    })
}

/// What a URL means, used as the settings say.
fn location(config: &Config, url: &DatabaseUrl) -> Result<Location, CliError> {
    let mut location = Location::try_from(url)?;
    if let Location::Postgres(settings) = &mut location {
        settings.writers = config.database.writers;
        settings.pooler = config.database.pooler;
        settings.notify = config.database.notify;
    }
    Ok(location)
}

/// Where an engine may be that runs already.
fn reach(global: &Global, config: &Config) -> Result<remote::Reach, CliError> {
    let database = locate(global, config, false)?;
    let named = global.database.is_some() || !config.database.url.is_empty();
    Ok(remote::Reach {
        socket: socket_path(global, config, &database),
        named: named.then(|| database.clone()),
        database,
        json: global.json,
    })
}

/// Where the control socket is: as told, or in its usual place, or beside the data.
fn socket_path(global: &Global, config: &Config, database: &Location) -> PathBuf {
    if let Some(path) = &global.socket {
        return path.clone();
    }
    if !config.control.socket.is_empty() {
        return PathBuf::from(&config.control.socket);
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    control::default_path(runtime.as_deref(), &beside(database))
}

/// The folder for what stands beside the data.
fn beside(database: &Location) -> PathBuf {
    match database {
        Location::Sqlite(path) => path.parent().unwrap_or(Path::new(".")).to_owned(),
        Location::Postgres(_) => config::data_folder(),
    }
}

/// Where the metrics log is: as told, or beside the data.
fn metrics_log(config: &Config, database: &Location) -> Option<LogFiles> {
    let settings = &config.metrics;
    let path = match settings.log.as_str() {
        "none" => return None,
        // The simulated world's is apart from the real one's, as its database is.
        "" => {
            let simulated =
                matches!(database, Location::Sqlite(path) if path.ends_with("simulated.db"));
            beside(database).join(if simulated {
                "simulated-metrics.jsonl"
            } else {
                "metrics.jsonl"
            })
        }
        path => PathBuf::from(path),
    };
    Some(LogFiles {
        path,
        file_bytes: settings.file_mb << 20,
        files: settings.files,
    })
}

/// An engine inside this process, with what it stands on.
struct Running {
    store: Arc<dyn Store>,
    engine: Engine,
    metrics: Arc<Metrics>,
    gate: Gate,
    forecast: Forecast,
    policies: Policies,
    registry: Arc<Registry>,
}

impl Running {
    async fn start(
        config: &Config,
        database: &Location,
        (key, source): (String, KeySource),
        base: &str,
        control: Option<&serve::Control>,
        only: &[&str],
    ) -> Result<Self, CliError> {
        let key = ApiKey::new(&key).map_err(|why| {
            CliError::Usage(format!(
                "{why}. Check {}",
                if source.from_file {
                    "the file that RIOT_API_KEY_FILE names"
                } else {
                    "RIOT_API_KEY"
                }
            ))
        })?;
        let base = BaseUrl::new(base).map_err(CliError::Usage)?;
        let client = RiotClient::new(base).map_err(|error| CliError::Engine(error.to_string()))?;
        let metrics = Arc::new(Metrics::default());
        let store = database.open().await?;
        let (gate, mut services) = Gate::new(
            key,
            source,
            Arc::new(client),
            tasks::API_QUEUES,
            Some(store.clone()),
            metrics.clone(),
            config.engine.bodies_mb,
        );
        let ring = gate.ring.clone();
        watch_panics(move |text| ring.redact(text));
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
        queues.retain(|queue| only.is_empty() || only.contains(&queue.name));
        for queue in &mut queues {
            if let Some(settings) = config.queues.get(queue.name) {
                queue.slots = settings.slots;
                queue.prefetch = settings.slots;
                // Checked when the configuration was read.
                queue.rate = settings.rate().unwrap_or_default();
            }
        }
        let pace = Pacing::of(&queues);
        gate.weather.set_pace(pace.pace(
            "the rates of the queues",
            "Run with --profile production to use it all",
        ));
        let engine_config = EngineConfig {
            queues,
            drain: config.drain(),
            keep_finished: config.keep_finished(),
            schedules: match control {
                Some(_) => Some(schedules(config, &registry)?),
                None => None,
            },
            metrics_log: metrics_log(config, database),
            metrics_interval: Duration::from_secs(config.metrics.interval_s),
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
        };
        health.attach(engine.handle().clone());
        Ok(Self {
            store,
            engine,
            metrics,
            gate,
            forecast,
            policies,
            registry,
        })
    }

    /// The job when it is done; for a dry run also how long the real one would take.
    async fn sync_and_follow(
        &self,
        order: &PlayerSyncArgs,
    ) -> Result<(JobRecord, Option<Duration>), CliError> {
        let job = order.job(Priority::INTERACTIVE, self.policies.player);
        let enqueued = self.store.enqueue(vec![job], Timestamp::now()).await?;
        let id = enqueued[0].id;
        let mut bars = Follow::new(&format!(
            "{} on {}, {}",
            order.riot_id, order.platform, order.year
        ));
        let outcome = tokio::select! {
            job = self.follow(id, &mut bars) => job,
            status = self.key_rejected() => Err(CliError::KeyRejected(status)),
            why = self.engine.escalated() => Err(CliError::Engine(why)),
            () = stop_signal() => Err(CliError::Interrupted),
        };
        let took = bars.clear();
        let mut time_left = None;
        if let Ok(job) = &outcome
            && job.state == JobState::Completed
        {
            if order.dry_run {
                time_left = self.forecast.of(job).await;
            } else {
                eprintln!("{}", summary(job, took, &self.metrics));
            }
        }
        Ok((outcome?, time_left))
    }

    async fn follow(&self, id: JobId, bars: &mut Follow) -> Result<JobRecord, CliError> {
        let mut left = None;
        let mut looked_at: Option<Instant> = None;
        let begun = Instant::now();
        loop {
            let job = self.store.job(id).await?;
            let job = job.ok_or_else(|| {
                CliError::JobFailed(format!("job {id} is gone from the database"))
            })?;
            if looked_at.is_none_or(|at| at.elapsed() >= LOOK_AHEAD) {
                looked_at = Some(Instant::now());
                left = match job.state {
                    JobState::Blocked => self.forecast.of(&job).await,
                    _ => None,
                };
            }
            bars.show(&job, &self.metrics, left);
            if job.state.is_final() {
                return Ok(job);
            }
            // What is done in a moment is told in a moment.
            let pause = FOLLOW_FIRST + begun.elapsed() / 8;
            tokio::time::sleep(pause.min(FOLLOW)).await;
        }
    }

    /// Resolves when the key was tried again after its rejection, and rejected again.
    async fn key_rejected(&self) -> u16 {
        let mut key = self.gate.weather.key();
        loop {
            if let KeyState::Rejected { status, again: 1.. } = *key.borrow_and_update() {
                return status;
            }
            if key.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn stop(&self) -> Result<(), CliError> {
        // Calls that wait for their turn are given up, so that a stop need not wait for them.
        self.gate.weather.close();
        self.engine.stop().await?;
        Ok(())
    }

    async fn report(
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
            let rows = rows_of(&*self.store, &order.riot_id, Some(order.year.get())).await?;
            if !global.json {
                crate::outln!("{}", stats::table(&rows));
            }
            let world = if simulated {
                " (a simulated world: nothing in it is real)"
            } else {
                ""
            };
            eprintln!("stored in {database}{world}");
        }
        Ok(())
    }
}

fn failure_text(job: &JobRecord) -> String {
    match job.errors.last() {
        Some(error) => match &error.failure.remedy {
            Some(remedy) => format!("{}; {remedy}", error.failure.message),
            None => error.failure.message.clone(),
        },
        None => format!("job {} is {}", job.id, job.state),
    }
}

fn policies(config: &Config) -> Policies {
    let default = Policies::default();
    let of = |kind: &str, policy: RetryPolicy| config.policy(kind, policy);
    Policies {
        player: of(PlayerSync::KIND, default.player),
        matches: of(MatchSync::KIND, default.matches),
        timelines: of(TimelineSync::KIND, default.timelines),
        recovery: of(Recover::KIND, default.recovery),
        maintenance: of("cleanup_old_data", default.maintenance),
    }
}

/// The schedules of the configuration, or what is wrong with one.
fn schedules(config: &Config, registry: &Registry) -> Result<Vec<Schedule>, CliError> {
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

async fn rows_of(
    store: &dyn Store,
    riot_id: &RiotId,
    year: Option<i16>,
) -> Result<Vec<crate::store::YearlyStats>, CliError> {
    match store.player(riot_id).await? {
        Some(player) => Ok(store.yearly_stats(player.id, year).await?),
        None => Err(unknown_player(riot_id)),
    }
}

async fn show_stats(global: &Global, config: &Config, args: &StatsArgs) -> Result<(), CliError> {
    let riot_id: RiotId = args.riot_id.parse()?;
    let year = match &args.year {
        Some(text) => Some(Year::parse(text, Timestamp::now())?.get()),
        None => None,
    };
    let database = locate(global, config, args.simulate)?;
    let store = database.open_read_only().await?;
    let rows = rows_of(&*store, &riot_id, year).await?;
    if global.json {
        crate::outln!("{}", control::stats_document(&riot_id, &rows));
    } else if rows.is_empty() {
        crate::outln!(
            "no match of {riot_id} is stored{}",
            year.map(|year| format!(" for {year}")).unwrap_or_default()
        );
    } else {
        crate::outln!("{}", stats::table(&rows));
    }
    Ok(())
}

async fn export_table(global: &Global, config: &Config, args: &ExportArgs) -> Result<(), CliError> {
    let format = match (args.format, &args.out) {
        (Some(format), _) => format,
        (None, None) => Format::Parquet,
        (None, Some(file)) => Format::of(file).ok_or_else(|| {
            CliError::Usage(format!(
                "{} ends neither with .parquet nor with .csv. Say which of them it is to be with --format",
                file.display()
            ))
        })?,
    };
    let usual = || PathBuf::from(format!("{}.{}", args.what, format.as_str()));
    let years = match &args.year {
        Some(text) => read_range(text)?,
        None => (i16::MIN, i16::MAX),
    };
    let database = locate(global, config, args.simulate)?;
    let store = database.open_read_only().await?;
    let player = match &args.player {
        Some(text) => {
            let riot_id: RiotId = text.parse()?;
            let player = store.player(&riot_id).await?;
            Some(player.ok_or_else(|| unknown_player(&riot_id))?.id)
        }
        None => None,
    };
    let order = Export {
        what: args.what,
        format,
        filter: ExportFilter { years, player },
        path: args.out.clone().unwrap_or_else(usual),
    };
    let begun = Instant::now();
    let exported = tokio::select! {
        exported = export::export(&*store, &order) => exported?,
        () = stop_signal() => return Err(CliError::Stopped),
    };
    let took = begun.elapsed();
    if global.json {
        let mut document = json!(exported);
        document["seconds"] = took.as_secs_f64().into();
        document["resident_peak_bytes"] = resident_peak_bytes().into();
        crate::outln!("{document}");
    } else {
        crate::outln!(
            "{}: {} rows, {:.1} MiB, in {:.1} s",
            exported.file.display(),
            exported.rows,
            exported.bytes as f64 / f64::from(1 << 20),
            took.as_secs_f64()
        );
    }
    match exported.unreadable.len() {
        0 => Ok(()),
        count => Err(CliError::JobFailed(format!(
            "{count} stored timelines cannot be read and are not in the file; `riftsync recover --verify` mends them"
        ))),
    }
}

/// `2025`, or `2024..2026`.
fn read_range(text: &str) -> Result<(i16, i16), CliError> {
    let year = |text: &str| {
        let year: Result<i16, _> = text.trim().parse();
        year.map_err(|_| {
            CliError::Usage(format!(
                "'{text}' is not a year. Write it as 2025 or 2024..2026"
            ))
        })
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (year(first)?, year(last)?),
        None => (year(text)?, year(text)?),
    };
    if first > last {
        return Err(CliError::Usage(format!(
            "'{text}' ends before it begins. Write it as 2024..2026"
        )));
    }
    Ok((first, last))
}

fn unknown_player(riot_id: &RiotId) -> CliError {
    CliError::JobFailed(format!(
        "the database has no player '{riot_id}'. Bring the player in with: riftsync sync \"{riot_id}\" --platform ..."
    ))
}

fn show_config(global: &Global, config: &Config) -> Result<(), CliError> {
    let database = locate(global, config, false)?;
    let key = match (config::api_key()?, config::api_key_file()) {
        (None, _) => "none: set RIOT_API_KEY or RIOT_API_KEY_FILE".to_owned(),
        (Some(found), Some(file)) if found.from_file => format!("in {}", file.display()),
        (Some(_), _) => "in RIOT_API_KEY".to_owned(),
    };
    let places = Places {
        file: global.config.as_deref(),
        database: &database.to_string(),
        socket: &socket_path(global, config, &database),
        metrics_log: metrics_log(config, &database).map(|log| log.path),
        key: &key,
    };
    if global.json {
        crate::outln!("{}", configshow::document(config, &places));
    } else {
        crate::outln!("{}", configshow::text(config, &places));
    }
    Ok(())
}

/// Shows a database, or brings its tables up to date.
async fn db(global: &Global, config: &Config, args: &DbArgs) -> Result<(), CliError> {
    if let DbVerb::Copy(what) = &args.what {
        return copy::copy(global, config, what, args.simulate).await;
    }
    let database = locate(global, config, args.simulate)?;
    if args.what == DbVerb::Migrate {
        database.open().await?.close().await?;
    }
    let migrations = database.migrations().await?;
    let holds = if migrations.applied.is_empty() {
        None
    } else {
        let store = database.open_read_only().await?;
        Some((store.census().await?, store.size_bytes().await?))
    };
    if global.json {
        crate::outln!("{}", dbinfo::document(&database, &migrations, holds));
    } else {
        crate::outln!("{}", dbinfo::text(&database, &migrations, holds));
    }
    Ok(())
}

async fn bench_jobs(
    global: &Global,
    config: &Config,
    args: &BenchJobsArgs,
) -> Result<(), CliError> {
    let folder = args.folder.clone().unwrap_or_else(config::data_folder);
    let folder = folder.join(format!("bench-{}", std::process::id()));
    let bench = JobsBench {
        jobs: args.jobs as usize,
        slots: args.slots as usize,
        rate: args.rate,
        latency: Duration::from_secs(u64::from(args.latency_seconds)),
        queued: args.queued as usize,
        history: args.history.read(),
    };
    let place = Place::make(bench_server(global, config)?, &folder).await?;
    let outcome = tokio::select! {
        report = bench.run(&place) => report.map_err(CliError::from),
        () = stop_signal() => Err(CliError::Stopped),
    };
    place.remove().await?;
    let report = outcome?;
    if global.json {
        crate::outln!("{}", json!(report));
    } else {
        crate::outln!("{report}");
    }
    Ok(())
}

async fn bench_pipeline(
    global: &Global,
    config: &Config,
    args: &BenchPipelineArgs,
) -> Result<(), CliError> {
    let folder = args.folder.clone().unwrap_or_else(config::data_folder);
    let folder = folder.join(format!("bench-{}", std::process::id()));
    let bench = PipelineBench {
        players: args.players,
        matches: args.matches,
        timelines: !args.no_timelines,
        history: args.history.read(),
    };
    let place = Place::make(bench_server(global, config)?, &folder).await?;
    let outcome = tokio::select! {
        report = run_pipeline(&bench, config, &place) => report,
        () = stop_signal() => Err(CliError::Stopped),
    };
    place.remove().await?;
    let report = outcome?;
    if global.json {
        crate::outln!("{}", json!(report));
    } else {
        crate::outln!("{report}");
    }
    Ok(())
}

async fn bench_control(
    global: &Global,
    config: &Config,
    args: &BenchControlArgs,
) -> Result<(), CliError> {
    let folder = args.folder.clone().unwrap_or_else(config::data_folder);
    let folder = folder.join(format!("bench-{}", std::process::id()));
    let bench = ControlBench {
        singles: args.singles as usize,
        jobs: args.jobs as usize,
        batch: args.batch as usize,
    };
    let place = Place::make(bench_server(global, config)?, &folder).await?;
    let outcome = tokio::select! {
        report = bench.run(&place, &folder) => report.map_err(CliError::Engine),
        () = stop_signal() => Err(CliError::Stopped),
    };
    place.remove().await?;
    let report = outcome?;
    if global.json {
        crate::outln!("{}", json!(report));
    } else {
        crate::outln!("{report}");
    }
    Ok(())
}

async fn run_pipeline(
    bench: &PipelineBench,
    config: &Config,
    place: &Place,
) -> Result<PipelineReport, CliError> {
    place.remember(bench.history).await?;
    let mut simulator = SimulatorProcess::start(bench).map_err(CliError::Engine)?;
    let mut config = config.clone();
    "none".clone_into(&mut config.metrics.log);
    let key = (SIMULATED_KEY.to_owned(), KeySource::default());
    let (base, location) = (simulator.base_url(), place.location());
    let running = Running::start(&config, &location, key, base, None, &[]).await?;
    let (now, store) = (Timestamp::now(), running.store.clone());
    let (empty, had) = (
        store.size_bytes().await?.unwrap_or(0),
        store.census().await?,
    );
    let (before, cpu, begun) = (store.writer_stats(), cpu_time(), Instant::now());
    let stages = Stages::read(&running.metrics);
    let year = Year::new(now.year().unwrap_or(Year::FIRST), now)?;
    let jobs = bench.names().map(|name| {
        let order = PlayerSyncArgs {
            riot_id: name.parse()?,
            platform: "euw1".parse()?,
            year,
            timelines: bench.timelines,
            dry_run: false,
            track: false,
        };
        Ok(order.job(Priority::DEFAULT, running.policies.player))
    });
    let jobs = jobs.collect::<Result<Vec<_>, CliError>>()?;
    let jobs = store.enqueue(jobs, now).await?;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    // A parent ends with the last of its children. To count all open jobs would be work of its own.
    while (store.jobs_by_id(&ids).await?.iter()).any(|job| !job.state.is_final()) {
        if simulator.has_ended() {
            return Err(CliError::Engine("the simulator has ended".to_owned()));
        }
        tokio::time::sleep(FOLLOW / 4).await;
    }
    let (took, used) = (
        begun.elapsed().as_secs_f64(),
        cpu_time().saturating_sub(cpu),
    );
    let stages = Stages::read(&running.metrics).since(&stages);
    let resident_peak_bytes = resident_peak_bytes();
    let after = store.writer_stats();
    for job in jobs {
        let job = store.job(job.id).await?;
        if let Some(job) = job.filter(|job| job.state != JobState::Completed) {
            return Err(CliError::JobFailed(failure_text(&job)));
        }
    }
    let census = store.census().await?;
    running.stop().await?;
    store.close().await?;
    let stored = place.size_bytes().await?.saturating_sub(empty);
    let (stored_matches, timelines) = (
        census.matches - had.matches,
        census.timelines - had.timelines,
    );
    let (matches, commits) = (stored_matches.max(1) as f64, after.commits - before.commits);
    let received = simulator.body_bytes().await.map_err(CliError::Engine)?;
    Ok(PipelineReport {
        engine: format!("riftsync {}", env!("CARGO_PKG_VERSION")),
        store: place.kind(),
        durability: place.durability().await?,
        history: bench.history,
        players: bench.players,
        matches: stored_matches,
        timelines,
        seconds: took,
        pairs_per_s: matches / took,
        cpu_ms_per_pair: used.as_secs_f64() * 1_000.0 / matches,
        stages: stages.per_pair(used, matches),
        commits,
        commands_per_commit: (after.commands - before.commands) as f64 / commits.max(1) as f64,
        resident_peak_bytes,
        body_bytes_per_pair: received as f64 / matches,
        stored_bytes_per_pair: stored as f64 / matches,
    })
}

/// The server of a measurement, if one is named: never the one of the settings, which has work to do.
fn bench_server(global: &Global, config: &Config) -> Result<Option<Location>, CliError> {
    let named = global.database.as_ref();
    let location = named.map(|url| location(config, url)).transpose()?;
    if let Some(Location::Sqlite(path)) = &location {
        return Err(CliError::Usage(format!(
            "a measurement makes a file of its own: name its folder with --folder, not {} with --database",
            path.display()
        )));
    }
    Ok(location)
}

async fn bench_limiter(global: &Global, args: &BenchLimiterArgs) -> Result<(), CliError> {
    let wrong = |error: SettingError| CliError::Usage(error.to_string());
    let limits = read_limits(&args.limits).map_err(wrong)?;
    // Later than that, saturated windows are full: then no first call is free.
    let spans = limits.iter().map(|limit| limit.1);
    let span = spans.filter(|span| *span <= args.seconds).max();
    let restart_at = Duration::from_secs(span.unwrap_or(args.seconds).into()).mul_f64(0.3);
    let shrink = args.shrink.as_deref().map(read_limits);
    let bench = LimiterBench {
        limits,
        duration: Duration::from_secs(args.seconds.into()),
        latency: args.latency.parse().map_err(wrong)?,
        window: args.window.parse().map_err(wrong)?,
        edge_jitter: Duration::from_millis(args.edge_jitter.into()),
        callers: args.callers as usize,
        restart: args.restart.then_some(restart_at),
        shrink: shrink.transpose().map_err(wrong)?,
    };
    let report = tokio::select! {
        report = bench.run() => report.map_err(CliError::Engine)?,
        () = stop_signal() => return Err(CliError::Stopped),
    };
    if global.json {
        crate::outln!("{}", json!(report));
    } else {
        crate::outln!("{report}");
    }
    Ok(())
}

async fn simulate(global: &Global, args: &SimulateArgs) -> Result<(), CliError> {
    let platform: Platform = args.platform.parse()?;
    let players: Vec<(RiotId, Platform)> = args
        .players
        .iter()
        .map(|text| Ok((text.parse()?, platform)))
        .collect::<Result<_, CliError>>()?;
    let names = players
        .iter()
        .map(|(id, _)| id.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let simulator = start_simulator(
        players,
        &args.world,
        Some(&args.weather),
        localhost(args.port),
    )
    .await?;
    let stopped = stop_signal();
    if global.json {
        let ready = json!({
            "ready": true, "pid": std::process::id(), "base_url": simulator.base_url(), "key": SIMULATED_KEY,
            "players": args.players, "platform": platform,
            "counters": format!("http://{}/__simulator/counters", simulator.addr()),
        });
        crate::outln!("{ready}");
    } else {
        say_simulated(args, &simulator, &names, platform);
    }
    stopped.await;
    simulator.stop().await;
    Ok(())
}

fn say_simulated(args: &SimulateArgs, simulator: &Simulator, names: &str, platform: Platform) {
    crate::outln!("base URL   {}", simulator.base_url());
    crate::outln!("API key    {SIMULATED_KEY}");
    crate::outln!(
        "players    {names} on {platform}, {} matches a year",
        args.world.matches
    );
    crate::outln!("limits     {}", args.world.limits);
    for fault in &args.weather.faults {
        crate::outln!("fault      {fault}");
    }
    crate::outln!(
        "try        curl -H 'X-Riot-Token: {SIMULATED_KEY}' http://{}/{platform}/lol/status/v4/platform-data",
        simulator.addr()
    );
    crate::outln!(
        "counters   curl http://{}/__simulator/counters",
        simulator.addr()
    );
}

async fn start_simulator(
    players: Vec<(RiotId, Platform)>,
    args: &WorldArgs,
    weather: Option<&WeatherArgs>,
    listen: SocketAddr,
) -> Result<Simulator, CliError> {
    let app_limits =
        read_limits(&args.limits).map_err(|why| CliError::Usage(format!("--limits: {why}")))?;
    let kind = SimulatorConfig {
        listen,
        app_limits,
        ..SimulatorConfig::default()
    };
    let config = match weather {
        Some(weather) => weather.over(kind)?,
        None => kind,
    };
    let world = World::new(WorldConfig {
        seed: args.seed,
        players,
        matches_per_year: args.matches,
        last_year: Timestamp::now().year().unwrap_or(Year::FIRST),
        now: Timestamp::now(),
        ..WorldConfig::default()
    });
    Simulator::start(Arc::new(world), config)
        .await
        .map_err(|error| {
            CliError::Usage(format!(
                "the simulator cannot listen on {listen}: {error}. Choose another --port"
            ))
        })
}

fn localhost(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

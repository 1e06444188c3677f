//! The one place that wires the rooms: settings in, exit code out.

mod backup;
mod batch;
mod copy;
mod forecast;
mod join;
mod locations;
mod lookout;
mod measure;
mod pipeline;
mod running_engine;
mod serve;
mod service;
mod show;
mod simulate;
mod sync_target;
mod upkeep;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::json;

use self::join::{Engine, Joining};
use self::locations::{locate, reach};
use self::running_engine::{RunningEngine, failure_text};
use self::simulate::{localhost, start_simulator, take_database};
use self::sync_target::{PlayedOn, read_years};
use crate::cli::follow::{plan_text, tell_notes};
use crate::cli::top::top;
use crate::cli::waits::{self, Ticker, Voice};
use crate::cli::{
    Cli, CliError, ConfigVerb, EngineVerb, Global, KeyVerb, SyncArgs, Verb, pages, remote, terminal,
};
use crate::config::{self, Config, Profile, Readers};
use crate::control::Client;
use crate::gate::KeySource;
use crate::model::{JobRecord, JobState, Platform, Route, Timestamp, Whom, Year};
use crate::riot::install_tls;
use crate::simulator::SIMULATED_KEY;
use crate::store::Location;
use crate::tasks::{DRY_RUN, PlayerReport, PlayerSyncArgs, job_document};

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
    // Whatever is made from here on is its owner's alone, by whichever library it is made.
    make_files_for(Readers::Owner);
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
    make_files_for(config.files.readable_by);
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
    // Ends when the verb has: what is drawn is taken away before anything else is said.
    let _ticker = ticker(&cli.verb);
    let _work = word_of(&cli.verb).map(|word| waits::on("work", format!("{word} is at work")));
    actix::System::new().block_on(async move {
        match cli.verb {
            Verb::Sync(args) => match args.file.clone() {
                Some(file) => batch::sync_file(&cli.global, &config, &args, &file).await,
                None => sync(&cli.global, &config, args).await,
            },
            Verb::Ladder(args) => batch::ladder(&cli.global, &config, &args).await,
            Verb::Stats(args) => show::show_stats(&cli.global, &config, &args).await,
            Verb::Serve(args) => serve::serve(&cli.global, &config, &args).await,
            // Done above.
            Verb::Completions { .. } | Verb::Man { .. } => Ok(()),
            Verb::Recover(args) => upkeep::recover(&cli.global, &config, args).await,
            Verb::Cleanup(args) => upkeep::cleanup(&cli.global, &config, args).await,
            Verb::Replay(args) => upkeep::replay(&cli.global, &config, args).await,
            Verb::Recompress(args) => upkeep::recompress(&cli.global, &config, args).await,
            Verb::Simulate(args) => simulate::simulate(&cli.global, &args).await,
            Verb::Job(args) => remote::job(&reach(&cli.global, &config)?, args.what).await,
            Verb::Queue(args) => remote::queue(&reach(&cli.global, &config)?, args.what).await,
            Verb::Export(args) => show::export_table(&cli.global, &config, &args).await,
            Verb::Health => remote::health(&reach(&cli.global, &config)?).await,
            Verb::Schedule(args) => {
                remote::schedule(&reach(&cli.global, &config)?, args.what).await
            }
            Verb::Track(args) => {
                remote::set_tracked(&reach(&cli.global, &config)?, &args.player.read()?, true).await
            }
            Verb::Untrack(args) => {
                remote::set_tracked(&reach(&cli.global, &config)?, &args.player.read()?, false)
                    .await
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
                KeyVerb::Share { share, route } => {
                    remote::share(&reach(&cli.global, &config)?, share, route).await
                }
            },
            Verb::Config(args) => match args.what {
                ConfigVerb::Show => show::show_config(&cli.global, &config),
            },
            Verb::Db(args) => show::db(&cli.global, &config, &args).await,
            Verb::Bench(args) => measure::bench(&cli.global, &config, args.what).await,
        }
    })
}

/// Who may read what this process makes. Before there is another thread.
fn make_files_for(readers: Readers) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(readers.umask()));
}

/// Who tells what a verb waits for. A view of the whole terminal and measurements speak for themselves.
fn ticker(verb: &Verb) -> Option<Ticker> {
    match verb {
        Verb::Top | Verb::Bench(_) | Verb::Simulate(_) => None,
        Verb::Serve(_) => Some(Ticker::start(Voice::Log)),
        _ => Some(Ticker::start(Voice::Person)),
    }
}

/// What a verb is called that ends by itself.
fn word_of(verb: &Verb) -> Option<&'static str> {
    Some(match verb {
        Verb::Sync(_) => "sync",
        Verb::Ladder(_) => "ladder",
        Verb::Recover(_) => "recover",
        Verb::Cleanup(_) => "cleanup",
        Verb::Replay(_) => "replay",
        Verb::Recompress(_) => "recompress",
        Verb::Export(_) => "export",
        Verb::Stats(_) => "stats",
        Verb::Job(_) => "job",
        Verb::Queue(_) => "queue",
        Verb::Health => "health",
        Verb::Schedule(_) => "schedule",
        Verb::Track(_) => "track",
        Verb::Untrack(_) => "untrack",
        Verb::Tracked => "tracked",
        Verb::Status => "status",
        Verb::Engine(_) => "engine",
        Verb::Config(_) => "config",
        Verb::Db(_) => "db",
        // Somebody may be pasting a key: nothing is drawn over that.
        Verb::Key(_)
        | Verb::Serve(_)
        | Verb::Top
        | Verb::Bench(_)
        | Verb::Simulate(_)
        | Verb::Completions { .. }
        | Verb::Man { .. } => return None,
    })
}

async fn sync(global: &Global, config: &Config, args: SyncArgs) -> Result<(), CliError> {
    let whom = args.player()?;
    let place = PlayedOn::read(config, args.platform.as_deref())?;
    let years = read_years(args.year.as_deref(), Timestamp::now())?;
    let reach = reach(global, config)?;
    let mut joined = Joining::new(&reach, "sync", args.detach);
    let mut years = VecDeque::from(years);
    if !args.simulate {
        while let Engine::There(mut engine) = joined.find().await? {
            let outcome = sync_there(&reach, &mut engine, &args, (&whom, place), &mut years).await;
            if !joined.goes_on(&outcome) {
                return outcome;
            }
        }
    }
    let simulator = if args.simulate {
        let riot_id = whom.riot_id.clone().into_iter();
        let players = riot_id.map(|riot_id| (riot_id, place.made_up())).collect();
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
    let mut config = config.clone();
    if args.simulate {
        // The simulated API deletes nothing.
        config.riot.matches_kept_days = 0;
        config.riot.timelines_kept_days = 0;
        if let Some(player) = &whom.riot_id {
            // Only the place that is for nothing else is cleared, and by nobody who only looks.
            let may_renew = global.database.is_none() && !args.dry_run;
            let platform = place.made_up();
            take_database(&database, player, platform, &args.world, may_renew).await?;
        }
    }
    // One that only looks has no place for others: it does nothing that they could wait for.
    let (control, only): (_, &[&str]) = if args.dry_run {
        (None, &DRY_RUN)
    } else {
        (joined.control(), &[])
    };
    let running = RunningEngine::start(&config, &database, key, &base, control, only).await?;
    let outcome = async {
        let platform = if args.simulate {
            place.made_up()
        } else {
            place.here(&running, &whom).await?
        };
        let mut complete = Ok(());
        for year in years {
            let order = order(&args, &whom, platform, year);
            let synced = sync_here(global, &running, &order, &database, args.simulate).await;
            CliError::put_off(synced, &mut complete)?;
        }
        complete
    };
    let outcome = outcome.await;
    let ended = running.end(outcome).await;
    drop(simulator);
    ended
}

/// Through an engine that runs; a year that is done is taken away.
async fn sync_there(
    reach: &remote::Reach,
    engine: &mut Client,
    args: &SyncArgs,
    (whom, place): (&Whom, PlayedOn),
    years: &mut VecDeque<Year>,
) -> Result<(), CliError> {
    let platform = place.there(engine, whom).await?;
    let mut complete = Ok(());
    while let Some(year) = years.front() {
        let order = order(args, whom, platform, *year);
        let synced = remote::sync(reach, engine, &order, args.detach).await;
        CliError::put_off(synced, &mut complete)?;
        years.pop_front();
    }
    complete
}

/// One year, with the engine inside this process.
async fn sync_here(
    global: &Global,
    running: &RunningEngine,
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
        JobState::Completed => CliError::unless_complete(PlayerReport::of(&job).shortfall()),
        _ => Err(CliError::JobFailed(failure_text(&job))),
    }
}

fn order(args: &SyncArgs, whom: &Whom, platform: Platform, year: Year) -> PlayerSyncArgs {
    PlayerSyncArgs {
        timelines: !args.no_timelines,
        dry_run: args.dry_run,
        track: !args.no_track,
        old_timelines: args.old_timelines,
        wait: args.wait,
        ..PlayerSyncArgs::of(whom, platform, year)
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
        tell_notes(&job_document(job)["result"]);
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

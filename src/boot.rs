//! The one place that wires the rooms: settings in, exit code out.

mod backup;
mod batch;
mod control;
mod copy;
mod forecast;
mod join;
mod lake;
mod locations;
mod lookout;
mod measure;
mod pipeline;
mod report;
mod running_engine;
mod serve;
mod service;
mod show;
mod simulate;
mod sync_target;
mod upkeep;
mod web;

use std::collections::VecDeque;

use self::join::{Inside, Joining, once_free};
use self::locations::{locate, reach};
use self::simulate::{localhost, start_simulator, take_database};
use self::sync_target::{PlayedOn, read_years};
use crate::cli::remote::{Reach, Session};
use crate::cli::top::top;
use crate::cli::waits::{self, Ticker, Voice};
use crate::cli::{
    Cli, CliError, ConfigVerb, EngineVerb, Global, KeyVerb, SyncArgs, Verb, pages, remote, terminal,
};
use crate::config::{self, Config, Profile, Readers};
use crate::gate::KeySource;
use crate::model::{Platform, Timestamp, Whom, Year};
use crate::riot::install_tls;
use crate::simulator::SIMULATED_KEY;
use crate::tasks::{DRY_RUN, PlayerSyncArgs};

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
            Verb::Rank(args) => remote::show_rank(&reach(&cli.global, &config)?, &args).await,
            Verb::Report(args) => report::report(&cli.global, &config, &args).await,
            Verb::Serve(args) => serve::serve(&cli.global, &config, &args).await,
            // Done above.
            Verb::Completions { .. } | Verb::Man { .. } => Ok(()),
            Verb::Recover(args) => upkeep::recover(&cli.global, &config, args).await,
            Verb::Cleanup(args) => upkeep::cleanup(&cli.global, &config, args).await,
            Verb::Replay(args) => upkeep::replay(&cli.global, &config, args).await,
            Verb::Recompress(args) => upkeep::recompress(&cli.global, &config, args).await,
            Verb::Names(args) => upkeep::names(&cli.global, &config, &args).await,
            Verb::Simulate(args) => simulate::simulate(&cli.global, &args).await,
            Verb::Job(args) => remote::job(&reach(&cli.global, &config)?, args.what).await,
            Verb::Queue(args) => remote::queue(&reach(&cli.global, &config)?, args.what).await,
            Verb::Export(args) if args.lake.all => {
                lake::export_all(&cli.global, &config, &args).await
            }
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
        Verb::Rank(_) => "rank",
        Verb::Names(_) => "names",
        Verb::Report(_) => "report",
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
    let years = VecDeque::from(read_years(args.year.as_deref(), Timestamp::now())?);
    if args.simulate {
        return sync_simulated(global, config, &args, (&whom, place.made_up()), years).await;
    }
    let reach = reach(global, config)?;
    let mut years = years;
    let mut inside = Inside::of(config);
    let mut joining = Joining::new(&reach, "sync").detached(args.detach);
    if args.dry_run {
        // It does nothing that others could wait for.
        inside.only = &DRY_RUN;
        joining = joining.without_company();
    }
    joining
        .work(&inside, async |session| {
            all_years(&reach, session, &args, (&whom, place), &mut years).await
        })
        .await
}

/// From a world that is made up for this, in a database of its own.
async fn sync_simulated(
    global: &Global,
    config: &Config,
    args: &SyncArgs,
    (whom, platform): (&Whom, Platform),
    mut years: VecDeque<Year>,
) -> Result<(), CliError> {
    let players = whom.riot_id.iter().map(|id| (id.clone(), platform));
    let simulator = start_simulator(players.collect(), &args.world, None, localhost(0)).await?;
    let reach = Reach {
        database: locate(global, config, true)?,
        simulated: true,
        ..reach(global, config)?
    };
    if let Some(player) = &whom.riot_id {
        // Only the place that is for nothing else is cleared, and by nobody who only looks.
        let may_renew = global.database.is_none() && !args.dry_run;
        once_free(async || {
            take_database(&reach.database, player, platform, &args.world, may_renew).await
        })
        .await?;
    }
    let mut config = config.clone();
    // The simulated API deletes nothing.
    config.riot.matches_kept_days = 0;
    config.riot.timelines_kept_days = 0;
    let inside = Inside {
        config: &config,
        base: &simulator.base_url(),
        key: Some((SIMULATED_KEY.to_owned(), KeySource::made_up())),
        only: if args.dry_run { &DRY_RUN } else { &[] },
    };
    let place = PlayedOn::at(platform);
    Joining::new(&reach, "sync")
        .alone()
        .work(&inside, async |session| {
            all_years(&reach, session, args, (whom, place), &mut years).await
        })
        .await
}

/// One year after the other; one that is done is taken away.
async fn all_years(
    reach: &Reach,
    session: &mut Session,
    args: &SyncArgs,
    (whom, place): (&Whom, PlayedOn),
    years: &mut VecDeque<Year>,
) -> Result<(), CliError> {
    let platform = place.find(session, whom).await?;
    let mut complete = Ok(());
    while let Some(year) = years.front() {
        let order = order(args, whom, platform, *year);
        let synced = remote::sync(reach, session, &order, args.detach).await;
        CliError::put_off(synced, &mut complete)?;
        years.pop_front();
    }
    complete
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
        made_up: false,
    };
    Ok((found.text, source))
}

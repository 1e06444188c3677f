//! `recover`, `cleanup`, `replay` and `recompress`: through the engine that runs, else with one inside this process.

use serde_json::{Value, json};

use super::join::{Engine, Joining};
use super::locations::{locate, open_read_only, reach};
use super::required_key;
use super::running_engine::{RunningEngine, failure_text};
use super::sync_target::{PlayedOn, read_years};
use crate::cli::follow::{Follow, plan_text, summary_of, tell_notes};
use crate::cli::{
    CleanupArgs, CliError, Global, RecompressArgs, RecoverArgs, ReplayArgs, remote, upkeep,
};
use crate::config::Config;
use crate::control::Client;
use crate::gate::KeySource;
use crate::model::{JobState, NewJob, Platform, Priority, Route, Timestamp, Whom, Year};
use crate::store::{Location, StoredPlayer};
use crate::tasks::{
    self, CleanOld, DRY_RUN, MAINTENANCE, PlayerReport, PlayerSyncArgs, Recompress, Recover,
    Replay, job_document,
};

pub(super) async fn recover(
    global: &Global,
    config: &Config,
    args: RecoverArgs,
) -> Result<(), CliError> {
    let years = read_years(args.year.as_deref(), Timestamp::now())?;
    let players = players(global, config, &args).await?;
    let reach = reach(global, config)?;
    let mut failures = Failures::default();
    let mut joined = Joining::new(&reach, "recover", false);
    while let Engine::There(mut engine) = joined.find().await? {
        let outcome = all_there(&reach, &mut engine, &args, &players, &years).await;
        if !joined.goes_on(&outcome) {
            return outcome?.outcome(players.len() * years.len());
        }
    }
    let key = required_key(false)?;
    let database = locate(global, config, false)?;
    let base = &config.riot.base_url;
    // One that only looks has no place for others: it does nothing that they could wait for.
    let (control, only): (_, &[&str]) = if args.dry_run {
        (None, &DRY_RUN)
    } else {
        (joined.control(), &[])
    };
    let running = RunningEngine::start(config, &database, key, base, control, only).await?;
    let outcome = async {
        for (whom, place) in &players {
            let found = place.here(&running, whom).await;
            let Some(platform) = failures.unless_failed(whom.to_string(), found)? else {
                continue;
            };
            for year in &years {
                let order = order(&args, whom, platform, *year);
                let outcome = recover_here(global, &running, &order).await;
                failures.unless_failed(title(&order), outcome)?;
            }
        }
        Ok::<(), CliError>(())
    };
    let outcome = outcome.await;
    running.end(outcome).await?;
    failures.outcome(players.len() * years.len())
}

/// All of them through an engine that runs.
async fn all_there(
    reach: &remote::Reach,
    engine: &mut Client,
    args: &RecoverArgs,
    players: &[(Whom, PlayedOn)],
    years: &[Year],
) -> Result<Failures, CliError> {
    let mut failures = Failures::default();
    for (whom, place) in players {
        let found = place.there(engine, whom).await;
        let Some(platform) = failures.unless_failed(whom.to_string(), found)? else {
            continue;
        };
        for year in years {
            let order = order(args, whom, platform, *year);
            let outcome = recover_there(reach, engine, &order).await;
            failures.unless_failed(title(&order), outcome)?;
        }
    }
    Ok(failures)
}

/// Recoveries that failed: the others go on without them.
#[derive(Default)]
struct Failures(Vec<(String, String)>);

impl Failures {
    /// An error that concerns more than this player ends them all.
    fn unless_failed<T>(
        &mut self,
        who: String,
        outcome: Result<T, CliError>,
    ) -> Result<Option<T>, CliError> {
        match outcome {
            Err(CliError::JobFailed(why)) => {
                self.0.push((who, why));
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    fn outcome(mut self, of: usize) -> Result<(), CliError> {
        if self.0.is_empty() {
            return Ok(());
        }
        if of == 1 {
            return Err(CliError::JobFailed(self.0.remove(0).1));
        }
        let failed: Vec<String> = self
            .0
            .iter()
            .map(|(who, why)| format!("\n  {who}: {why}"))
            .collect();
        Err(CliError::JobFailed(format!(
            "{} of {of} recoveries failed; the others are done{}",
            failed.len(),
            failed.concat()
        )))
    }
}

/// Whom to recover, and where they are said to play.
async fn players(
    global: &Global,
    config: &Config,
    args: &RecoverArgs,
) -> Result<Vec<(Whom, PlayedOn)>, CliError> {
    if args.all {
        let players = tracked(global, config).await?.into_iter();
        let there = players.map(|(whom, platform)| (whom, PlayedOn::at(platform)));
        return Ok(there.collect());
    }
    let place = PlayedOn::read(config, args.platform.as_deref())?;
    let named = args.players()?.into_iter().map(|whom| (whom, place));
    Ok(named.collect())
}

fn order(args: &RecoverArgs, whom: &Whom, platform: Platform, year: Year) -> tasks::RecoverArgs {
    tasks::RecoverArgs {
        // A recovery leaves alone whether the player is tracked.
        player: PlayerSyncArgs {
            timelines: !args.no_timelines,
            dry_run: args.dry_run,
            old_timelines: args.old_timelines,
            ..PlayerSyncArgs::of(whom, platform, year)
        },
        verify: args.verify,
        due_only: false,
    }
}

async fn tracked(global: &Global, config: &Config) -> Result<Vec<(Whom, Platform)>, CliError> {
    let store = open_read_only(&locate(global, config, false)?).await?;
    let players = store.players_to_recover().await?;
    store.close().await?;
    let whom = |player: StoredPlayer| {
        let whom = Whom {
            riot_id: player.riot_id,
            puuid: Some(player.puuid),
        };
        (whom, player.platform)
    };
    Ok(players.into_iter().map(whom).collect())
}

fn title(order: &tasks::RecoverArgs) -> String {
    let player = &order.player;
    format!("{} on {}, {}", player.who(), player.platform, player.year)
}

async fn recover_there(
    reach: &remote::Reach,
    engine: &mut Client,
    order: &tasks::RecoverArgs,
) -> Result<(), CliError> {
    let title = title(order);
    let (job, took, calls) =
        remote::run(reach, engine, Recover::KIND, json!(order), &title).await?;
    let report = remote::report_of(&job);
    if !reach.json {
        show(order, &report, &job["result"], || {
            summary_of(&report, order.player.year, took, calls)
        });
    }
    CliError::unless_complete(report.shortfall())
}

fn show(
    order: &tasks::RecoverArgs,
    report: &PlayerReport,
    result: &Value,
    summary: impl Fn() -> String,
) {
    tell_notes(result);
    let route = Route::Region(order.player.platform.region());
    let text = if order.player.dry_run {
        let left = result["eta_s"].as_u64().map(std::time::Duration::from_secs);
        plan_text(report, route, left)
    } else {
        summary()
    };
    let found = upkeep::findings(result, order.player.dry_run);
    crate::outln!("{}\n{text}{found}", title(order));
}

async fn recover_here(
    global: &Global,
    running: &RunningEngine,
    order: &tasks::RecoverArgs,
) -> Result<(), CliError> {
    let job = order.job(Priority::INTERACTIVE, running.policies.recovery);
    let calls = &running.metrics.calls;
    let before = calls.load(std::sync::atomic::Ordering::Relaxed);
    let (document, report, took) = run_here(running, job, &title(order)).await?;
    let made = calls.load(std::sync::atomic::Ordering::Relaxed) - before;
    if global.json {
        crate::outln!("{document}");
    } else {
        show(order, &report, &document["result"], || {
            summary_of(&report, order.player.year, took, made)
        });
    }
    CliError::unless_complete(report.shortfall())
}

async fn run_here(
    running: &RunningEngine,
    job: NewJob,
    title: &str,
) -> Result<(Value, PlayerReport, std::time::Duration), CliError> {
    let enqueued = running.store.enqueue(vec![job], Timestamp::now()).await?;
    let mut bars = Follow::new(title);
    let outcome = tokio::select! {
        job = running.follow(enqueued[0].id, &mut bars) => job,
        status = running.key_rejected() => Err(CliError::KeyRejected(status)),
        error = running.gave_up() => Err(error),
        () = running.stopped() => Err(CliError::Interrupted),
    };
    let took = bars.clear();
    let job = outcome?;
    if job.state != JobState::Completed {
        return Err(CliError::JobFailed(failure_text(&job)));
    }
    Ok((job_document(&job), PlayerReport::of(&job), took))
}

pub(super) async fn cleanup(
    global: &Global,
    config: &Config,
    args: CleanupArgs,
) -> Result<(), CliError> {
    if args.dry_run {
        let store = open_read_only(&locate(global, config, false)?).await?;
        let age = std::time::Duration::from_hours(24) * args.days;
        let found = store.leftovers(Timestamp::now() - age).await?;
        if global.json {
            crate::outln!("{}", json!(found));
        } else {
            crate::outln!("{}", upkeep::leftovers(args.days, &found));
        }
        return Ok(());
    }
    let order = json!({ "days": args.days, "adjust_stats": args.adjust_stats });
    maintain(global, config, CleanOld::KIND, order, "cleanup").await
}

pub(super) async fn replay(
    global: &Global,
    config: &Config,
    args: ReplayArgs,
) -> Result<(), CliError> {
    let order = json!({ "dry_run": args.dry_run });
    maintain(global, config, Replay::KIND, order, "replay").await
}

pub(super) async fn recompress(
    global: &Global,
    config: &Config,
    args: RecompressArgs,
) -> Result<(), CliError> {
    let order = tasks::RecompressArgs {
        dry_run: args.dry_run,
        undo: args.undo,
        level: args.level,
        cpu_percent: args.cpu_percent,
    };
    if args.dry_run {
        let store = open_read_only(&locate(global, config, false)?).await?;
        let estimate = tasks::estimate_recompression(&*store, order).await?;
        store.close().await?;
        if global.json {
            crate::outln!("{estimate}");
        } else {
            crate::outln!("{}", upkeep::done(&estimate));
        }
        return Ok(());
    }
    let title = if args.undo {
        "recompress, back to gzip"
    } else {
        "recompress"
    };
    maintain(global, config, Recompress::KIND, json!(order), title).await
}

/// Runs a job that makes no call.
async fn maintain(
    global: &Global,
    config: &Config,
    kind: &str,
    order: Value,
    title: &str,
) -> Result<(), CliError> {
    let reach = reach(global, config)?;
    if let Some(mut engine) = reach.engine_if_any().await? {
        let (job, ..) = remote::run(&reach, &mut engine, kind, order, title).await?;
        if !global.json {
            crate::outln!("{}", upkeep::done(&job["result"]));
        }
        return Ok(());
    }
    let database: Location = locate(global, config, false)?;
    database.refuse_absent()?;
    // Its queue makes no call: any key will do.
    let key = ("none".to_owned(), KeySource::default());
    let base = &config.riot.base_url;
    let running = RunningEngine::start(config, &database, key, base, None, &[MAINTENANCE]).await?;
    let job = running.registry.order(kind, &order.to_string());
    let outcome = match job {
        Ok(job) => run_here(&running, job, title).await,
        Err(error) => Err(CliError::Engine(format!("{kind}: {error:?}"))),
    };
    running.stop().await?;
    running.store.close().await?;
    let (document, ..) = outcome?;
    if global.json {
        crate::outln!("{document}");
    } else {
        crate::outln!("{}", upkeep::done(&document["result"]));
    }
    Ok(())
}

//! `recover`, `cleanup`, `replay` and `recompress`: through the engine that runs, else with one inside this process.

use serde_json::{Value, json};

use super::{Running, failure_text, locate, reach, required_key};
use crate::cli::follow::{Follow, plan_text, summary_of};
use crate::cli::terminal::stop_signal;
use crate::cli::{
    CleanupArgs, CliError, Global, RecompressArgs, RecoverArgs, ReplayArgs, remote, upkeep,
};
use crate::config::Config;
use crate::control::Client;
use crate::gate::KeySource;
use crate::model::{JobState, NewJob, Platform, Priority, RiotId, Route, Timestamp, Year};
use crate::store::Location;
use crate::tasks::{
    self, CleanOld, MAINTENANCE, PlayerReport, PlayerSyncArgs, Recompress, Recover, Replay,
    job_document,
};

pub(super) async fn recover(
    global: &Global,
    config: &Config,
    args: RecoverArgs,
) -> Result<(), CliError> {
    let orders = recoveries(global, config, &args).await?;
    let reach = reach(global, config)?;
    if let Some(mut engine) = reach.engine_if_any().await? {
        for order in &orders {
            recover_there(&reach, &mut engine, order).await?;
        }
        return Ok(());
    }
    let key = required_key(false)?;
    let database = locate(global, config, false)?;
    let base = &config.riot.base_url;
    let running = Running::start(config, &database, key, base, None, None).await?;
    let mut outcome = Ok(());
    for order in &orders {
        outcome = recover_here(global, &running, order).await;
        if outcome.is_err() {
            break;
        }
    }
    running.stop().await?;
    running.store.close().await?;
    outcome
}

/// One order a player and year.
async fn recoveries(
    global: &Global,
    config: &Config,
    args: &RecoverArgs,
) -> Result<Vec<tasks::RecoverArgs>, CliError> {
    let now = Timestamp::now();
    let years = match &args.year {
        Some(text) => read_years(text, now)?,
        None => vec![Year::new(now.year().unwrap_or(Year::FIRST), now)?],
    };
    let platform = match &args.platform {
        Some(text) => Some(text.parse()?),
        None => config.platform()?,
    };
    let players = if args.all {
        tracked(global, config).await?
    } else {
        let platform = platform.ok_or_else(|| {
            CliError::Usage(format!(
                "name the server the players play on with --platform (or riot.platform in the configuration). Known: {}",
                Platform::known()
            ))
        })?;
        let named = args
            .riot_ids
            .iter()
            .map(|text| Ok((text.parse()?, platform)));
        named.collect::<Result<_, CliError>>()?
    };
    let orders = players.iter().flat_map(|(riot_id, platform)| {
        years.iter().map(|year| tasks::RecoverArgs {
            player: PlayerSyncArgs {
                riot_id: riot_id.clone(),
                platform: *platform,
                year: *year,
                timelines: !args.no_timelines,
                dry_run: args.dry_run,
                // A recovery leaves that as it is.
                track: false,
            },
            verify: args.verify,
        })
    });
    Ok(orders.collect())
}

async fn tracked(global: &Global, config: &Config) -> Result<Vec<(RiotId, Platform)>, CliError> {
    let store = locate(global, config, false)?.open_read_only().await?;
    let players = store.players_to_recover().await?;
    store.close().await?;
    let players = players.into_iter();
    Ok(players
        .filter_map(|player| Some((player.riot_id?, player.platform)))
        .collect())
}

/// `2025`, or `2024..2026` with both ends.
fn read_years(text: &str, now: Timestamp) -> Result<Vec<Year>, CliError> {
    let Some((from, to)) = text.split_once("..") else {
        return Ok(vec![Year::parse(text, now)?]);
    };
    let [from, to] = [Year::parse(from, now)?, Year::parse(to, now)?];
    let years: Result<Vec<Year>, _> = (from.get()..=to.get())
        .map(|year| Year::new(year, now))
        .collect();
    let years = years?;
    if years.is_empty() {
        let why = format!("--year {text} has no year in it; the earlier one comes first");
        return Err(CliError::Usage(why));
    }
    Ok(years)
}

fn title(order: &tasks::RecoverArgs) -> String {
    let player = &order.player;
    format!("{} on {}, {}", player.riot_id, player.platform, player.year)
}

async fn recover_there(
    reach: &remote::Reach,
    engine: &mut Client,
    order: &tasks::RecoverArgs,
) -> Result<(), CliError> {
    let title = title(order);
    let (job, took, calls) =
        remote::run(reach, engine, Recover::KIND, json!(order), &title).await?;
    if !reach.json {
        let report = remote::report_of(&job);
        show(order, &report, &job["result"], || {
            summary_of(&report, took, calls)
        });
    }
    Ok(())
}

fn show(
    order: &tasks::RecoverArgs,
    report: &PlayerReport,
    result: &Value,
    summary: impl Fn() -> String,
) {
    let route = Route::Region(order.player.platform.region());
    let text = if order.player.dry_run {
        let left = result["eta_s"].as_u64().map(std::time::Duration::from_secs);
        plan_text(report, route, left)
    } else {
        summary()
    };
    crate::outln!("{}\n{text}{}", title(order), upkeep::findings(result));
}

async fn recover_here(
    global: &Global,
    running: &Running,
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
            summary_of(&report, took, made)
        });
    }
    Ok(())
}

async fn run_here(
    running: &Running,
    job: NewJob,
    title: &str,
) -> Result<(Value, PlayerReport, std::time::Duration), CliError> {
    let enqueued = running.store.enqueue(vec![job], Timestamp::now()).await?;
    let mut bars = Follow::new(title);
    let outcome = tokio::select! {
        job = running.follow(enqueued[0].id, &mut bars) => job,
        status = running.key_rejected() => Err(CliError::KeyRejected(status)),
        why = running.engine.escalated() => Err(CliError::Engine(why)),
        () = stop_signal() => Err(CliError::Interrupted),
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
        let store = locate(global, config, false)?.open_read_only().await?;
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
        let store = locate(global, config, false)?.open_read_only().await?;
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
    // Its queue makes no call: any key will do.
    let key = ("none".to_owned(), KeySource::default());
    let base = &config.riot.base_url;
    let running = Running::start(config, &database, key, base, None, Some(MAINTENANCE)).await?;
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

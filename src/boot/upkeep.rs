//! `recover`, `cleanup`, `replay` and `recompress`.
//!
//! What only looks reads the database itself: an engine would take its lock, and write to it, for a count.

use serde_json::{Value, json};

use super::join::{Inside, Joining};
use super::locations::{locate, open_read_only, reach};
use super::sync_target::{PlayedOn, read_years};
use crate::cli::follow::{plan_text, report_of, summary_of, tell_notes};
use crate::cli::remote::{Reach, Session};
use crate::cli::{
    CleanupArgs, CliError, Global, NamesArgs, RecompressArgs, RecoverArgs, ReplayArgs, remote,
    upkeep,
};
use crate::config::Config;
use crate::gate::KeySource;
use crate::model::{Platform, Route, Timestamp, Whom, Year};
use crate::store::StoredPlayer;
use crate::tasks::{
    self, CleanOld, DRY_RUN, MAINTENANCE, PlayerSyncArgs, Recompress, Recover, Replay, StaticSync,
};

pub(super) async fn recover(
    global: &Global,
    config: &Config,
    args: RecoverArgs,
) -> Result<(), CliError> {
    let years = read_years(args.year.as_deref(), Timestamp::now())?;
    let players = players(global, config, &args).await?;
    let reach = reach(global, config)?;
    let joining = Joining::new(&reach, "recover");
    let mut inside = Inside::of(config);
    // One that only looks has no place for others: it does nothing that they could wait for.
    let joining = if args.dry_run {
        inside.only = &DRY_RUN;
        joining.without_company()
    } else {
        joining
    };
    let failures = joining.work(&inside, async |session| {
        all(&reach, session, &args, &players, &years).await
    });
    failures.await?.outcome(players.len() * years.len())
}

/// All of them, one after the other.
async fn all(
    reach: &Reach,
    session: &mut Session,
    args: &RecoverArgs,
    players: &[(Whom, PlayedOn)],
    years: &[Year],
) -> Result<Failures, CliError> {
    let mut failures = Failures::default();
    for (whom, place) in players {
        let found = place.find(session, whom).await;
        let Some(platform) = failures.unless_failed(whom.to_string(), found)? else {
            continue;
        };
        for year in years {
            let order = order(args, whom, platform, *year);
            let outcome = recover_one(reach, session, &order).await;
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

async fn recover_one(
    reach: &Reach,
    session: &mut Session,
    order: &tasks::RecoverArgs,
) -> Result<(), CliError> {
    let title = title(order);
    let (job, took, calls) =
        remote::run(reach, session, Recover::KIND, json!(order), &title).await?;
    let report = report_of(&job);
    if !reach.json {
        let result = &job["result"];
        tell_notes(result);
        let text = if order.player.dry_run {
            let left = result["eta_s"].as_u64().map(std::time::Duration::from_secs);
            let route = Route::Region(order.player.platform.region());
            plan_text(&report, route, left)
        } else {
            summary_of(&report, order.player.year, took, calls)
        };
        let found = upkeep::findings(result, order.player.dry_run);
        crate::outln!("{title}\n{text}{found}");
    }
    CliError::unless_complete(report.shortfall())
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
    maintain(
        global,
        config,
        ("cleanup", CleanOld::KIND),
        order,
        "cleanup",
    )
    .await
}

pub(super) async fn replay(
    global: &Global,
    config: &Config,
    args: ReplayArgs,
) -> Result<(), CliError> {
    let order = json!({ "dry_run": args.dry_run });
    maintain(global, config, ("replay", Replay::KIND), order, "replay").await
}

pub(super) async fn names(
    global: &Global,
    config: &Config,
    args: &NamesArgs,
) -> Result<(), CliError> {
    let order = json!({ "all": args.all });
    maintain(global, config, ("names", StaticSync::KIND), order, "names").await
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
    let what = ("recompress", Recompress::KIND);
    maintain(global, config, what, json!(order), title).await
}

/// Runs a job that makes no call.
async fn maintain(
    global: &Global,
    config: &Config,
    (verb, kind): (&'static str, &str),
    order: Value,
    title: &str,
) -> Result<(), CliError> {
    let reach = reach(global, config)?;
    let inside = Inside {
        // Its queue makes no call: any key will do.
        key: Some(("none".to_owned(), KeySource::made_up())),
        only: &[MAINTENANCE],
        ..Inside::of(config)
    };
    // An engine without a key is of no use to others.
    let joining = Joining::new(&reach, verb)
        .without_company()
        .on_what_is_there();
    let done = joining.work(&inside, async |session| {
        remote::run(&reach, session, kind, order.clone(), title).await
    });
    let (job, ..) = done.await?;
    if !global.json {
        crate::outln!("{}", upkeep::done(&job["result"]));
    }
    Ok(())
}

//! `sync --file` and `ladder`: many players under one job.

use std::path::Path;

use serde_json::{Value, json};

use super::join::{Inside, Joining};
use super::locations::reach;
use super::sync_target::read_years;
use crate::cli::players::{Listed, read_players};
use crate::cli::{CliError, Global, LadderOptions, SyncArgs, remote};
use crate::config::{Config, read_at_most};
use crate::model::{Platform, Priority, Timestamp, Year, counted};
use crate::tasks::{LadderArgs, LadderSync, PlayerSync, PlayerSyncArgs};

/// A file of players at most: far more than the longest one takes.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Behind a single player whom somebody waits for, before what runs by schedule. Not urgent: a crawl that was would take
/// from people what is kept for them.
const PRIORITY: Priority = Priority::DEFAULT;

/// Syncs the players of a file.
pub(super) async fn sync_file(
    global: &Global,
    config: &Config,
    args: &SyncArgs,
    file: &Path,
) -> Result<(), CliError> {
    let wrong = |why: String| CliError::Usage(format!("{}: {why}", file.display()));
    let text = read_at_most(file, FILE_BYTES_MAX).map_err(|error| wrong(error.to_string()))?;
    let usual = match &args.platform {
        Some(text) => Some(text.parse()?),
        None => config.platform()?,
    };
    let players = read_players(&text, usual).map_err(wrong)?;
    let now = Timestamp::now();
    let years = read_years(args.year.as_deref(), now)?;
    let order = |listed: &Listed, year| PlayerSyncArgs {
        timelines: !args.no_timelines,
        track: !args.no_track,
        old_timelines: args.old_timelines,
        wait: args.wait,
        ..PlayerSyncArgs::new(listed.riot_id.clone(), listed.platform, year)
    };
    let orders: Vec<PlayerSyncArgs> = players
        .iter()
        .flat_map(|listed| years.iter().map(|year| order(listed, *year)))
        .collect();
    let asked = args.year.clone().unwrap_or_else(|| years[0].to_string());
    let title = format!(
        "{}, {asked}",
        counted(players.len() as u64, "player", "players")
    );
    let jobs: Vec<Value> = orders
        .iter()
        .map(|order| json!({ "kind": PlayerSync::KIND, "args": order, "priority": PRIORITY }))
        .collect();
    let submit = json!({ "jobs": jobs });
    let reach = reach(global, config)?;
    let joining = Joining::new(&reach, "sync --file").detached(args.detach);
    joining
        .work(&Inside::of(config), async |session| {
            let submit = ("job.submit_batch", submit.clone());
            remote::batch(&reach, session, &title, submit, args.detach).await
        })
        .await
}

/// Syncs the players of a ladder.
pub(super) async fn ladder(
    global: &Global,
    config: &Config,
    args: &LadderOptions,
) -> Result<(), CliError> {
    let platform = match &args.platform {
        Some(text) => text.parse()?,
        None => config.platform()?.ok_or_else(|| {
            CliError::Usage(format!(
                "name the server with --platform (or riot.platform in the configuration). Known: {}",
                Platform::known()
            ))
        })?,
    };
    let now = Timestamp::now();
    let year = match &args.year {
        Some(text) => Some(Year::parse(text, now)?.get()),
        None => None,
    };
    let order = LadderArgs {
        platform,
        queue: args.queue.clone(),
        tier: args.tier.clone(),
        division: args.division.clone(),
        limit: usize::try_from(args.limit).unwrap_or(usize::MAX),
        year,
        timelines: !args.no_timelines,
    };
    let order = order.checked(now).map_err(CliError::Usage)?;
    let title = format!(
        "{} of {} on {platform}",
        order.tier.to_lowercase(),
        order.queue
    );
    let submit = json!({ "kind": LadderSync::KIND, "args": order });
    let reach = reach(global, config)?;
    let joining = Joining::new(&reach, "ladder").detached(args.detach);
    joining
        .work(&Inside::of(config), async |session| {
            let submit = ("job.submit", submit.clone());
            remote::batch(&reach, session, &title, submit, args.detach).await
        })
        .await
}

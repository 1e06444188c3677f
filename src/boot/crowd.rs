//! `sync --file` and `ladder`: many players under one job, through the running engine or with one inside.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::order::read_years;
use super::places::{locate, reach};
use super::required_key;
use super::running::Running;
use crate::cli::batch::{Crowd, CrowdCount, CrowdReport};
use crate::cli::players::{Listed, read_players};
use crate::cli::terminal::stop_signal;
use crate::cli::{CliError, Global, LadderOptions, SyncArgs, remote};
use crate::config::Config;
use crate::control::WaitingDesk as _;
use crate::model::{JobId, JobRecord, JobState, NewJob, Platform, Priority, Timestamp, Year};
use crate::tasks::{LadderArgs, LadderSync, PlayerSync, PlayerSyncArgs};

/// How often a followed job is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Behind a single player whom somebody waits for, before what runs by schedule.
const PRIORITY: u8 = 4;

/// Syncs the players of a file.
pub(super) async fn sync_file(
    global: &Global,
    config: &Config,
    args: &SyncArgs,
    file: &Path,
) -> Result<(), CliError> {
    let wrong = |why: String| CliError::Usage(format!("{}: {why}", file.display()));
    let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
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
    let title = format!("{} players, {asked}", players.len());
    let there = reach(global, config)?;
    if let Some(engine) = engine_of(&there, args.detach).await? {
        let jobs: Vec<Value> = orders
            .iter()
            .map(|order| json!({ "kind": PlayerSync::KIND, "args": order, "priority": PRIORITY }))
            .collect();
        let submit = json!({ "jobs": jobs });
        return remote::crowd(
            &there,
            engine,
            &title,
            "job.submit_batch",
            submit,
            args.detach,
        )
        .await;
    }
    let running = start(global, config).await?;
    let jobs: Vec<NewJob> = orders
        .iter()
        .map(|order| order.job(Priority::new(PRIORITY), running.policies.player))
        .collect();
    let batch = running.store.enqueue_batch(jobs, Timestamp::now()).await;
    let job = match batch {
        Ok(batch) => running.follow_crowd(batch.id, &title).await,
        Err(error) => Err(error.into()),
    };
    running.report_crowd(global, job).await
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
    let there = reach(global, config)?;
    if let Some(engine) = engine_of(&there, args.detach).await? {
        let submit = json!({ "kind": LadderSync::KIND, "args": order });
        return remote::crowd(&there, engine, &title, "job.submit", submit, args.detach).await;
    }
    let running = start(global, config).await?;
    let text = json!(order).to_string();
    let job = match running
        .engine
        .handle()
        .registry
        .order(LadderSync::KIND, &text)
    {
        Ok(job) => match running.store.enqueue(vec![job], Timestamp::now()).await {
            Ok(enqueued) => running.follow_crowd(enqueued[0].id, &title).await,
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(CliError::Usage(format!("{error:?}"))),
    };
    running.report_crowd(global, job).await
}

/// The engine that is to do it; none: one inside this process.
async fn engine_of(
    there: &remote::Reach,
    detach: bool,
) -> Result<Option<crate::control::Client>, CliError> {
    if detach {
        return there.engine().await.map(Some);
    }
    there.engine_if_any().await
}

async fn start(global: &Global, config: &Config) -> Result<Running, CliError> {
    let database = locate(global, config, false)?;
    let key = required_key(false)?;
    Running::start(config, &database, key, &config.riot.base_url, None, &[]).await
}

impl Running {
    async fn follow_crowd(
        &self,
        id: JobId,
        title: &str,
    ) -> Result<(JobRecord, Duration), CliError> {
        let mut bars = Crowd::new(title);
        let ended = async {
            loop {
                let job = self.read(id, bars.wait()).await?;
                // What a job spawns comes when its own work is done.
                bars.show(
                    CrowdCount::of(&job.rollup),
                    job.state == JobState::Blocked || job.state.is_final(),
                );
                if job.state.is_final() {
                    return Ok(job);
                }
                if bars.ask() {
                    bars.wait().waiting(self.lookout.of(id).await.as_ref());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let outcome = tokio::select! {
            job = ended => job,
            status = self.key_rejected() => Err(CliError::KeyRejected(status)),
            error = self.gave_up() => Err(error),
            () = stop_signal() => Err(CliError::Interrupted),
        };
        let took = bars.clear();
        Ok((outcome?, took))
    }

    /// Stops the engine and tells what the job came to.
    async fn report_crowd(
        self,
        global: &Global,
        outcome: Result<(JobRecord, Duration), CliError>,
    ) -> Result<(), CliError> {
        let stopped = self.stop().await;
        let closed = self.store.close().await;
        let (job, took) = outcome?;
        stopped?;
        closed?;
        let mut report = CrowdReport::of(&job);
        if let Some(error) = job.errors.last().filter(|_| report.state != "completed") {
            report.failed.push(crate::cli::batch::Failed {
                kind: job.kind.clone(),
                key: job.key.clone().unwrap_or_default(),
                reason: error.failure.message.clone(),
            });
        }
        if global.json {
            crate::outln!("{}", report.document());
        } else {
            crate::outln!("{}", report.text(took));
        }
        report.outcome()
    }
}

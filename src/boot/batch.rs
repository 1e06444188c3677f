//! `sync --file` and `ladder`: many players under one job, through the running engine or with one inside.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::join::{Engine, Joining};
use super::locations::{locate, reach};
use super::required_key;
use super::running_engine::RunningEngine;
use super::serve::Control;
use super::sync_target::read_years;
use crate::cli::batch::{BatchBars, BatchCount, BatchReport};
use crate::cli::players::{Listed, read_players};
use crate::cli::{CliError, Global, LadderOptions, SyncArgs, remote};
use crate::config::{Config, read_at_most};
use crate::control::{TimeLeft as _, WaitReasons as _};
use crate::model::{JobId, JobRecord, JobState, NewJob, Platform, Priority, Timestamp, Year};
use crate::tasks::{LadderArgs, LadderSync, PlayerSync, PlayerSyncArgs};

/// How often a followed job is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often the time left is estimated anew.
const LOOK_AHEAD: Duration = Duration::from_secs(2);
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
    let title = format!("{} players, {asked}", players.len());
    let there = reach(global, config)?;
    let mut joined = Joining::new(&there, "sync --file", args.detach);
    while let Engine::There(engine) = joined.find().await? {
        let jobs: Vec<Value> = orders
            .iter()
            .map(|order| json!({ "kind": PlayerSync::KIND, "args": order, "priority": PRIORITY }))
            .collect();
        let submit = json!({ "jobs": jobs });
        let method = "job.submit_batch";
        let outcome = remote::batch(&there, *engine, &title, method, submit, args.detach).await;
        if !joined.goes_on(&outcome) {
            return outcome;
        }
    }
    let running = start(global, config, joined.control()).await?;
    let jobs: Vec<NewJob> = orders
        .iter()
        .map(|order| order.job(PRIORITY, running.policies.player))
        .collect();
    let batch = running.store.enqueue_batch(jobs, Timestamp::now()).await;
    let job = match batch {
        Ok(batch) => running.follow_batch(batch.id, &title).await,
        Err(error) => Err(error.into()),
    };
    running.report_batch(global, job).await
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
    let mut joined = Joining::new(&there, "ladder", args.detach);
    while let Engine::There(engine) = joined.find().await? {
        let submit = json!({ "kind": LadderSync::KIND, "args": order });
        let outcome =
            remote::batch(&there, *engine, &title, "job.submit", submit, args.detach).await;
        if !joined.goes_on(&outcome) {
            return outcome;
        }
    }
    let running = start(global, config, joined.control()).await?;
    let text = json!(order).to_string();
    let job = match running
        .engine
        .handle()
        .registry
        .order(LadderSync::KIND, &text)
    {
        Ok(job) => match running.store.enqueue(vec![job], Timestamp::now()).await {
            Ok(enqueued) => running.follow_batch(enqueued[0].id, &title).await,
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(CliError::Usage(format!("{error:?}"))),
    };
    running.report_batch(global, job).await
}

async fn start(
    global: &Global,
    config: &Config,
    control: Option<&Control>,
) -> Result<RunningEngine, CliError> {
    let database = locate(global, config, false)?;
    let key = required_key(false)?;
    let base = &config.riot.base_url;
    RunningEngine::start(config, &database, key, base, control, &[]).await
}

impl RunningEngine {
    async fn follow_batch(
        &self,
        id: JobId,
        title: &str,
    ) -> Result<(JobRecord, Duration), CliError> {
        let mut bars = BatchBars::new(title);
        let mut looked_ahead: Option<Instant> = None;
        let ended = async {
            loop {
                let job = self.read(id, bars.wait()).await?;
                if looked_ahead.is_none_or(|at| at.elapsed() >= LOOK_AHEAD) {
                    looked_ahead = Some(Instant::now());
                    bars.left(self.forecast.of(&job).await);
                }
                // What a job spawns comes when its own work is done. A database that is away is told of by the next read.
                let so_far = self.store.so_far(id).await.unwrap_or_default();
                bars.show(
                    BatchCount::of(&so_far.rollup),
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
            () = self.stopped() => Err(CliError::Interrupted),
        };
        let took = bars.clear();
        Ok((outcome?, took))
    }

    /// Tells what the job came to, and stops the engine when nobody waits for it any more.
    async fn report_batch(
        self,
        global: &Global,
        outcome: Result<(JobRecord, Duration), CliError>,
    ) -> Result<(), CliError> {
        let outcome = outcome.and_then(|(job, took)| told(global, &job, took));
        self.end(outcome).await
    }
}

/// Tells what the job came to; an error if that is no good.
fn told(global: &Global, job: &JobRecord, took: Duration) -> Result<(), CliError> {
    let mut report = BatchReport::of(job.id, job.state.as_str(), &job.rollup);
    if let Some(error) = job.errors.last().filter(|_| report.state != "completed") {
        report.job_failed(crate::cli::batch::Failed {
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

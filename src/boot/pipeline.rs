//! `bench pipeline`: the engine as a user runs it, between the simulator and a fresh database.

use std::time::{Duration, Instant};

use super::running_engine::{RunningEngine, failure_text};
use crate::bench::{PipelineBench, PipelineReport, Place, SimulatorProcess, Stages};
use crate::cli::CliError;
use crate::config::Config;
use crate::gate::KeySource;
use crate::metrics::process::{cpu_time, resident_peak_bytes};
use crate::model::{JobId, JobState, Priority, Timestamp, Year};
use crate::simulator::SIMULATED_KEY;
use crate::tasks::PlayerSyncArgs;

/// How often the syncs are looked at.
const LOOK: Duration = Duration::from_millis(25);

/// Into an empty place, or beside what is there already.
pub(super) async fn run(
    bench: &PipelineBench,
    config: &Config,
    place: &Place,
) -> Result<PipelineReport, CliError> {
    place.remember(bench.history).await?;
    let mut simulator = SimulatorProcess::start(bench).map_err(CliError::Engine)?;
    let mut config = config.clone();
    "none".clone_into(&mut config.metrics.log);
    let key = (SIMULATED_KEY.to_owned(), KeySource::made_up());
    let (base, location) = (simulator.base_url(), place.location());
    let running = RunningEngine::start(&config, &location, key, base, None, &[]).await?;
    let (now, store) = (Timestamp::now(), running.store.clone());
    let (empty, had) = (
        store.size_bytes().await?.unwrap_or(0),
        store.census().await?,
    );
    let (before, cpu, begun) = (store.writer_stats(), cpu_time(), Instant::now());
    let stages = Stages::read(&running.gate.api.counters);
    let year = Year::new(now.year().unwrap_or(Year::FIRST), now)?;
    let jobs = bench.names().map(|name| {
        let order = PlayerSyncArgs {
            timelines: bench.timelines,
            ..PlayerSyncArgs::new(name.parse()?, "euw1".parse()?, year)
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
        tokio::time::sleep(LOOK).await;
    }
    let (took, used) = (
        begun.elapsed().as_secs_f64(),
        cpu_time().saturating_sub(cpu),
    );
    let stages = Stages::read(&running.gate.api.counters).since(&stages);
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

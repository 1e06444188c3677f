//! `bench`: what is measured, where, and how it is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::locations::location;
use super::pipeline;
use crate::bench::{
    ControlBench, ExportBench, JobsBench, LimiterBench, PipelineBench, Place, RecoveryBench,
};
use crate::cli::terminal::stop_signal;
use crate::cli::{
    Bench, BenchControlArgs, BenchExportArgs, BenchJobsArgs, BenchLimiterArgs, BenchPipelineArgs,
    BenchRecoveryArgs, CliError, Global,
};
use crate::config::{self, Config};
use crate::simulator::{SettingError, read_limits};
use crate::store::Location;

pub(super) async fn bench(global: &Global, config: &Config, what: Bench) -> Result<(), CliError> {
    match what {
        Bench::Jobs(args) => jobs(global, config, args).await,
        Bench::Pipeline(args) => pipeline(global, config, args).await,
        Bench::Control(args) => control(global, config, args).await,
        Bench::Recovery(args) => recovery(global, config, args).await,
        Bench::Export(args) => export(global, config, args).await,
        Bench::Limiter(args) => limiter(global, &args).await,
    }
}

async fn jobs(global: &Global, config: &Config, args: BenchJobsArgs) -> Result<(), CliError> {
    let bench = JobsBench {
        jobs: args.jobs as usize,
        slots: args.slots as usize,
        rate: args.rate,
        latency: Duration::from_secs(u64::from(args.latency_seconds)),
        queued: args.queued as usize,
        history: args.history.read(),
    };
    let folder = folder_of(args.folder);
    let report = at_place(global, config, &folder, async |place| {
        Ok(bench.run(place).await?)
    });
    tell(global, &report.await?);
    Ok(())
}

async fn pipeline(
    global: &Global,
    config: &Config,
    args: BenchPipelineArgs,
) -> Result<(), CliError> {
    let bench = PipelineBench {
        players: args.players,
        matches: args.matches,
        timelines: !args.no_timelines,
        history: args.history.read(),
    };
    let folder = folder_of(args.folder);
    let report = at_place(global, config, &folder, async |place| {
        pipeline::run(&bench, config, place).await
    });
    tell(global, &report.await?);
    Ok(())
}

async fn control(global: &Global, config: &Config, args: BenchControlArgs) -> Result<(), CliError> {
    let bench = ControlBench {
        singles: args.singles as usize,
        jobs: args.jobs as usize,
        batch: args.batch as usize,
    };
    let folder = folder_of(args.folder);
    let report = at_place(global, config, &folder, async |place| {
        bench.run(place, &folder).await.map_err(CliError::Engine)
    });
    tell(global, &report.await?);
    Ok(())
}

async fn recovery(
    global: &Global,
    config: &Config,
    args: BenchRecoveryArgs,
) -> Result<(), CliError> {
    if args.of_player > args.matches {
        return Err(CliError::Usage(format!(
            "a player cannot have {} of {} matches: --of-player is at most --matches",
            args.of_player, args.matches
        )));
    }
    let bench = RecoveryBench {
        matches: args.matches,
        of_player: args.of_player,
    };
    let folder = folder_of(args.folder);
    let report = at_place(global, config, &folder, async |place| {
        Ok(bench.run(place).await?)
    });
    tell(global, &report.await?);
    Ok(())
}

async fn export(global: &Global, config: &Config, args: BenchExportArgs) -> Result<(), CliError> {
    let bench = ExportBench {
        rows: args.rows,
        server: global.database.clone(),
    };
    let folder = folder_of(args.folder);
    std::fs::create_dir_all(&folder)
        .map_err(|error| CliError::Usage(format!("{}: {error}", folder.display())))?;
    let report = at_place(global, config, &folder, async |place| {
        bench.run(place, &folder).await.map_err(CliError::Engine)
    });
    let report = report.await;
    // It was made for this alone.
    let _ = std::fs::remove_dir_all(&folder);
    tell(global, &report?);
    Ok(())
}

async fn limiter(global: &Global, args: &BenchLimiterArgs) -> Result<(), CliError> {
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
    tell(global, &report);
    Ok(())
}

/// Measures in a fresh database, which is gone afterwards, however it ends.
async fn at_place<R>(
    global: &Global,
    config: &Config,
    folder: &Path,
    measure: impl AsyncFnOnce(&Place) -> Result<R, CliError>,
) -> Result<R, CliError> {
    let place = Place::make(server(global, config)?, folder).await?;
    let outcome = tokio::select! {
        report = measure(&place) => report,
        () = stop_signal() => Err(CliError::Stopped),
    };
    place.remove().await?;
    outcome
}

/// The server of a measurement, if one is named: never the one of the settings, which has work to do.
fn server(global: &Global, config: &Config) -> Result<Option<Location>, CliError> {
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

fn folder_of(named: Option<PathBuf>) -> PathBuf {
    let folder = named.unwrap_or_else(config::data_folder);
    folder.join(format!("bench-{}", std::process::id()))
}

fn tell(global: &Global, report: &(impl Serialize + std::fmt::Display)) {
    if global.json {
        crate::outln!("{}", json!(report));
    } else {
        crate::outln!("{report}");
    }
}

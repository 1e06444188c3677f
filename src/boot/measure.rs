//! `bench recovery` and `bench export`: measurements over a made-up database.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::bench_server;
use crate::bench::{ExportBench, Place, RecoveryBench};
use crate::cli::terminal::stop_signal;
use crate::cli::{BenchExportArgs, BenchRecoveryArgs, CliError, Global};
use crate::config::{self, Config};

pub(super) async fn recovery(
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
    let place = Place::make(bench_server(global, config)?, &folder_of(args.folder)).await?;
    let outcome = tokio::select! {
        report = bench.run(&place) => report.map_err(CliError::from),
        () = stop_signal() => Err(CliError::Stopped),
    };
    place.remove().await?;
    tell(global, &outcome?);
    Ok(())
}

pub(super) async fn export(
    global: &Global,
    config: &Config,
    args: BenchExportArgs,
) -> Result<(), CliError> {
    let bench = ExportBench {
        rows: args.rows,
        server: global.database.clone(),
    };
    let folder = folder_of(args.folder);
    std::fs::create_dir_all(&folder)
        .map_err(|error| CliError::Usage(format!("{}: {error}", folder.display())))?;
    let outcome = export_into(&bench, global, config, &folder).await;
    // It was made for this alone.
    let _ = std::fs::remove_dir_all(&folder);
    tell(global, &outcome?);
    Ok(())
}

async fn export_into(
    bench: &ExportBench,
    global: &Global,
    config: &Config,
    folder: &Path,
) -> Result<crate::bench::ExportReport, CliError> {
    let place = Place::make(bench_server(global, config)?, folder).await?;
    let outcome = tokio::select! {
        report = bench.run(&place, folder) => report.map_err(CliError::Engine),
        () = stop_signal() => Err(CliError::Stopped),
    };
    place.remove().await?;
    outcome
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

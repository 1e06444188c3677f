//! `export --all`: a lake is brought up to date.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use super::locations::{locate, open_read_only};
use super::show::LOOK;
use crate::cli::terminal::stop_signal;
use crate::cli::view::Meter;
use crate::cli::waits::Bars;
use crate::cli::{CliError, ExportArgs, Global};
use crate::config::{Config, LakeAddress};
use crate::export::lake::{self, LakeExported, LakeFailure, LakePlace, LakeProgress};
use crate::metrics::process::resident_peak_bytes;
use crate::model::counted;

/// Brings a lake up to date.
pub(super) async fn export_all(
    global: &Global,
    config: &Config,
    args: &ExportArgs,
) -> Result<(), CliError> {
    let place = place(config, args.lake.dir.as_ref())?;
    let database = locate(global, config, args.simulate)?;
    let store = open_read_only(&database).await?;
    let begun = Instant::now();
    let told = Arc::default();
    let exported = tokio::select! {
        exported = lake::export_lake(&*store, &place, args.lake.full, &told) => exported?,
        never = show_partitions(&told) => match never {},
        () = stop_signal() => return Err(CliError::Stopped),
    };
    show_lake(global, &exported, begun.elapsed());
    Ok(())
}

/// Where the lake is: as it is told, or as it is set.
fn place(config: &Config, told: Option<&LakeAddress>) -> Result<LakePlace, CliError> {
    // Checked when the configuration was read.
    let set = config.lake.address().map_err(CliError::Usage)?;
    let address = told.cloned().or(set).ok_or_else(|| {
        CliError::Usage(
            "where the lake is to be is not told. Add --dir with a folder or s3://bucket/prefix, or set lake.dir"
                .to_owned(),
        )
    })?;
    Ok(LakePlace::new(&address, &config.lake).map_err(LakeFailure::Place)?)
}

fn show_lake(global: &Global, exported: &LakeExported, took: Duration) {
    if global.json {
        let mut document = json!(exported);
        document["seconds"] = took.as_secs_f64().into();
        document["resident_peak_bytes"] = resident_peak_bytes().into();
        crate::outln!("{document}");
        return;
    }
    let LakeExported {
        lake,
        generation,
        written,
        unchanged,
        restored,
        emptied,
        ..
    } = exported;
    if written.is_empty() && emptied.is_empty() && *unchanged == 0 {
        crate::outln!("{lake}: the database has nothing to export yet");
        return;
    }
    if written.is_empty() && emptied.is_empty() {
        crate::outln!("{lake}: nothing has changed since generation {generation}");
        return;
    }
    if *restored > 0 {
        crate::errln!(
            "{lake}: files of {} were missing or not as they were written; they are written anew",
            counted(*restored as u64, "partition", "partitions")
        );
    }
    crate::outln!(
        "{lake}: generation {generation}, {} of {} written: {}, {}, {:.1} MiB, in {:.1} s",
        written.len(),
        counted(
            (written.len() + emptied.len() + unchanged) as u64,
            "partition",
            "partitions"
        ),
        counted(exported.files as u64, "file", "files"),
        counted(exported.rows, "row", "rows"),
        exported.bytes as f64 / f64::from(1 << 20),
        took.as_secs_f64()
    );
    if !emptied.is_empty() {
        crate::outln!(
            "{} no row any more, and none here",
            counted(emptied.len() as u64, "partition has", "partitions have")
        );
    }
    if !exported.unmade.is_empty() {
        crate::errln!(
            "there is no row of {} and its like: an older version stored these matches. `riftsync replay` makes them of \
             the stored documents, without a call",
            exported.unmade.join(", ")
        );
    }
}

/// Shows how far the export of a lake is, as long as it takes.
async fn show_partitions(told: &LakeProgress) -> Infallible {
    let bars = Bars::new("export of all tables");
    loop {
        let [rows, done, wanted] =
            [&told.rows, &told.done, &told.wanted].map(|count| count.load(Ordering::Relaxed));
        bars.set(rows, |scene| {
            scene.meters = vec![
                Meter {
                    name: "partitions",
                    done,
                    whole: Some(wanted),
                },
                Meter {
                    name: "rows",
                    done: rows,
                    whole: None,
                },
            ];
            scene.is_long = true;
        });
        tokio::time::sleep(LOOK).await;
    }
}

//! `bench export`: how fast a table becomes a file, and all tables a lake, and how much memory that takes.
//!
//! Each export is a process of its own, as when somebody types it, so that its memory is its alone.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;
use serde_json::Value;

use super::Place;
use crate::model::DatabaseUrl;
use crate::store::synthetic::Synthetic;

const PARTICIPANTS: u32 = 10;
/// All tables, where the others are of one.
const LAKE: &str = "lake";

/// What to measure.
#[derive(Debug, Clone)]
pub struct ExportBench {
    /// Participants' rows.
    pub rows: u32,
    /// Of the server; none: a file.
    pub server: Option<DatabaseUrl>,
}

/// One file, or a lake.
#[derive(Debug, Clone, Serialize)]
pub struct ExportTime {
    pub format: &'static str,
    pub rows: u64,
    pub bytes: u64,
    pub seconds: f64,
    pub rows_per_s: f64,
    pub resident_peak_bytes: u64,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    pub engine: String,
    pub store: &'static str,
    pub exports: Vec<ExportTime>,
}

impl ExportBench {
    /// `folder`: for the files; it must be there.
    pub async fn run(&self, place: &Place, folder: &Path) -> Result<ExportReport, String> {
        let made = Synthetic {
            matches: self.rows.div_ceil(PARTICIPANTS),
            // Nobody's: all matches are there.
            of_player: 0,
            finished_jobs: 0,
        };
        let filled = made.fill(&place.location()).await;
        filled.map_err(|error| error.to_string())?;
        let url = place.url(self.server.as_ref());
        let mut exports = Vec::new();
        for format in ["csv", "parquet", LAKE] {
            let out = folder.join("bench").with_extension(format);
            let (url, measured) = (url.clone(), out.clone());
            let done = tokio::task::spawn_blocking(move || export(&url, format, &measured)).await;
            let done = done.map_err(|error| error.to_string())?;
            // It was written to be measured.
            let _ = if format == LAKE {
                std::fs::remove_dir_all(&out)
            } else {
                std::fs::remove_file(&out)
            };
            exports.push(done?);
        }
        Ok(ExportReport {
            engine: format!("riftsync {}", env!("CARGO_PKG_VERSION")),
            store: place.kind(),
            exports,
        })
    }
}

fn export(url: &DatabaseUrl, format: &'static str, out: &Path) -> Result<ExportTime, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    if format == LAKE {
        command.args(["export", "--all", "--json", "--dir"]);
    } else {
        command.args(["export", "--what", "participants", "--json", "--format"]);
        command.arg(format).arg("--out");
    }
    command.arg(out);
    // Others can read a command line, and the URL may hold a password.
    command.env("DATABASE_URL", url.expose());
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let told: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let number = |name: &str| told[name].as_u64().unwrap_or(0);
    let seconds = told["seconds"].as_f64().unwrap_or(f64::NAN);
    Ok(ExportTime {
        format,
        rows: number("rows"),
        bytes: number("bytes"),
        seconds,
        rows_per_s: number("rows") as f64 / seconds,
        resident_peak_bytes: number("resident_peak_bytes"),
    })
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.engine, self.store)?;
        for export in &self.exports {
            write!(
                f,
                "\n{:<10} {:>9.0} rows/s: {} rows in {:.2} s, {:.1} MiB; {:.1} MiB of memory at most",
                export.format,
                export.rows_per_s,
                export.rows,
                export.seconds,
                export.bytes as f64 / f64::from(1 << 20),
                export.resident_peak_bytes as f64 / f64::from(1 << 20)
            )?;
        }
        Ok(())
    }
}

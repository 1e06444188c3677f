//! What `db copy` shows.

use std::fmt::Write;
use std::time::{Duration, Instant};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::terminal::bars;
use crate::store::Location;
use crate::store::copy::CopyProgress;

/// Rows of all tables, and where it is.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    started: Instant,
}

impl Bar {
    pub fn new() -> Self {
        let style = ProgressStyle::with_template(
            "{prefix:20} [{bar:40}] {pos}/{len} rows, {msg}, {eta} left",
        )
        .expect("a fixed template")
        .progress_chars("=> ");
        Self {
            bar: bars().add(ProgressBar::new(0).with_style(style)),
            started: Instant::now(),
        }
    }

    pub fn show(&mut self, progress: &CopyProgress) {
        let tables = &progress.tables;
        self.bar
            .set_length(tables.iter().map(|table| table.rows).sum());
        self.bar
            .set_position(tables.iter().map(|table| table.done).sum());
        let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
        self.bar.set_message(mib(bytes));
        if let Some(table) = tables.iter().find(|table| table.done < table.rows) {
            self.bar.set_prefix(table.name);
        }
    }

    pub fn clear(self) -> Duration {
        self.bar.finish_and_clear();
        self.started.elapsed()
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// For people.
pub fn text(from: &Location, to: &Location, done: &CopyProgress, took: Duration) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["table", "rows", "size"]);
    for copied in &done.tables {
        table.add_row([
            copied.name.to_owned(),
            copied.rows.to_string(),
            mib(copied.bytes),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let written: u64 = done.tables.iter().map(|table| table.written).sum();
    let replaced: u64 = done.tables.iter().map(|table| table.replaced).sum();
    let mut text = format!(
        "{table}\n{from} is copied to {to} and verified, row by row, in {:.1} s",
        took.as_secs_f64()
    );
    if done.resumed {
        let _ = write!(
            text,
            "\nit went on from an earlier run: {written} rows were still to write"
        );
        if replaced > 0 {
            let _ = write!(text, ", {replaced} had changed meanwhile and were replaced");
        }
    }
    text.push_str("\nuse it from now on: --database, DATABASE_URL or database.url");
    text
}

/// For programs.
pub fn document(from: &Location, to: &Location, done: &CopyProgress, took: Duration) -> Value {
    let tables: serde_json::Map<String, Value> = done
        .tables
        .iter()
        .map(|table| {
            let counts = json!({
                "rows": table.rows, "bytes": table.bytes, "written": table.written, "replaced": table.replaced,
            });
            (table.name.to_owned(), counts)
        })
        .collect();
    json!({
        "success": true,
        "from": from.to_string(),
        "to": to.to_string(),
        "resumed": done.resumed,
        "tables": tables,
        "seconds": took.as_secs_f64(),
    })
}

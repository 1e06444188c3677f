//! What `db copy` shows.

use std::fmt::Write;
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::view::Meter;
use super::waits::Bars;
use crate::model::counted;
use crate::store::Location;
use crate::store::copy::{COPIED, CopyProgress};

/// Before that, the pace tells nothing of the rest.
const SAYS_SOMETHING: Duration = Duration::from_secs(3);

/// Rows of all tables, and where it is.
#[derive(Debug)]
pub struct Bar(Bars);

impl Bar {
    pub fn new(title: &str) -> Self {
        Self(Bars::new(title))
    }

    pub fn show(&self, progress: &CopyProgress) {
        let tables = &progress.tables;
        let all_counted = tables.len() == COPIED.len();
        let whole = all_counted.then(|| tables.iter().map(|table| table.rows).sum());
        let done = tables.iter().map(|table| table.done).sum();
        let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
        self.0.set((tables.len(), done), |scene| {
            let at = tables.iter().find(|table| table.done < table.rows);
            scene.status = at.map(|table| table.name.to_owned()).into_iter().collect();
            scene.status.push(mib(bytes));
            scene.meters = vec![Meter {
                name: "rows",
                done,
                whole,
            }];
            scene.is_long = true;
        });
        let took = self.0.elapsed();
        if let Some(whole) = whole
            && took >= SAYS_SOMETHING
            && done > 0
        {
            let left: u64 = whole;
            let rest = left.saturating_sub(done) as f64 / done as f64;
            self.0.left(Some(took.mul_f64(rest)));
        }
    }

    pub fn clear(self) -> Duration {
        self.0.clear()
    }
}

pub(super) fn mib(bytes: u64) -> String {
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
    let seconds = took.as_secs_f64();
    if done.complete {
        return format!(
            "{table}\n{from} was copied to {to} before: all rows were compared in {seconds:.1} s, and nothing had to be written"
        );
    }
    let mut text =
        format!("{table}\n{from} is copied to {to} and verified, row by row, in {seconds:.1} s");
    if done.resumed {
        let _ = write!(
            text,
            "\nit went on from an earlier run: {} still to write",
            counted(written, "row was", "rows were")
        );
        if replaced > 0 {
            let replaced = counted(
                replaced,
                "had changed meanwhile and was replaced",
                "had changed meanwhile and were replaced",
            );
            let _ = write!(text, ", {replaced}");
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
        "complete_before": done.complete,
        "tables": tables,
        "seconds": took.as_secs_f64(),
    })
}

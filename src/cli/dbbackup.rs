//! What `db backup` and `db restore` show.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::dbcopy::mib;
use super::follow::shell_quoted;
use super::view::Meter;
use super::waits::Bars;
use crate::store::Location;
use crate::store::sqlite::Written;

/// What is written of how much.
#[derive(Debug)]
pub struct Bar {
    bars: Bars,
    /// In MiB; a backup is smaller when the database has room that nobody uses.
    whole: u64,
}

impl Bar {
    pub fn new(title: &str, from: &Path) -> Self {
        Self {
            bars: Bars::new(title),
            whole: std::fs::metadata(from).map_or(0, |file| file.len()) >> 20,
        }
    }

    pub fn show(&self, bytes: u64) {
        self.bars.set(bytes, |scene| {
            scene.meters = vec![Meter {
                name: "MiB",
                done: (bytes >> 20).min(self.whole),
                whole: Some(self.whole),
            }];
            scene.is_long = true;
        });
    }

    pub fn clear(self) -> Duration {
        self.bars.clear()
    }
}

/// For programs, and for people; `same_place`: the words by which the database was named.
pub fn backed_up(
    database: &Location,
    file: &Path,
    same_place: &str,
    written: &Written,
    took: Duration,
) -> (Value, String) {
    let document = json!({
        "success": true, "database": database.to_string(), "file": file, "bytes": written.bytes,
        "duration_s": took.as_secs_f64(),
    });
    let text = format!(
        "{database} is backed up to {}, {}, and read through, in {:.1} s\nbring it back with: riftsync db restore {}{same_place}",
        file.display(),
        mib(written.bytes),
        took.as_secs_f64(),
        shell_quoted(&file.display().to_string()),
    );
    (document, text)
}

/// For programs, and for people.
pub fn restored(
    database: &Location,
    file: &Path,
    written: &Written,
    took: Duration,
) -> (Value, String) {
    let document = json!({
        "success": true, "database": database.to_string(), "file": file, "bytes": written.bytes,
        "replaced": written.replaced, "duration_s": took.as_secs_f64(),
    });
    let mut text = format!(
        "{database} is what {} holds, {}, read through, in {:.1} s",
        file.display(),
        mib(written.bytes),
        took.as_secs_f64(),
    );
    if let Some(replaced) = &written.replaced {
        text.push_str("\nwhat was there before is ");
        text.push_str(&replaced.display().to_string());
    }
    text.push_str("\njobs that were not done then go on at the next `riftsync serve`");
    (document, text)
}

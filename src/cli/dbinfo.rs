//! What `db info` and `db migrate` show.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::model::counted;
use crate::store::{Census, Location, Migrations};
use crate::tasks::unread_text;

/// What is in a database, what of it could not be read (matches, timelines), and how much of the disk it takes.
type Holds = (Census, [u64; 2], Option<u64>);

/// For people.
pub fn text(database: &Location, migrations: &Migrations, holds: Option<Holds>) -> String {
    let version = match (migrations.applied.last(), migrations.pending.len()) {
        (None, _) => "none yet; `riftsync db migrate` or the first sync makes them".to_owned(),
        (Some(version), 0) => format!("version {}, up to date", short(version)),
        (Some(version), pending) => format!(
            "version {}, {pending} behind this program; `riftsync db migrate` or the next start of an engine brings them up to date",
            short(version)
        ),
    };
    let mut text = format!(
        "database   {} ({})\ntables     {version}",
        database,
        database.kind()
    );
    if let Some((census, unread, bytes)) = holds {
        let mib = bytes.unwrap_or(0) as f64 / f64::from(1 << 20);
        let _ = write!(
            text,
            "\nholds      {}, {}, {}, {}; {mib:.1} MiB",
            counted(census.players, "player", "players"),
            counted(census.matches, "match", "matches"),
            counted(census.timelines, "timeline", "timelines"),
            counted(census.open_jobs, "open job", "open jobs")
        );
        if let Some(unread) = unread_text(unread) {
            let _ = write!(text, "\nunread     {unread}");
        }
    }
    text
}

/// For programs.
pub fn document(database: &Location, migrations: &Migrations, holds: Option<Holds>) -> Value {
    json!({
        "database": database.to_string(),
        "kind": database.kind(),
        "migrations": { "applied": migrations.applied, "pending": migrations.pending },
        "holds": holds.map(|(census, [matches, timelines], bytes)| json!({
            "players": census.players,
            "matches": census.matches,
            "timelines": census.timelines,
            "open_jobs": census.open_jobs,
            "unread_matches": matches,
            "unread_timelines": timelines,
            "bytes": bytes,
        })),
    })
}

/// Versions count from 1, with zeros in front.
fn short(version: &str) -> &str {
    version.trim_start_matches('0')
}

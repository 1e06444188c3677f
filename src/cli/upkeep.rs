//! What recoveries and the jobs of maintenance tell a person.

use std::fmt::Write;

use serde_json::Value;

use crate::model::counted;
use crate::store::Leftovers;
use crate::tasks::UNREAD_REMEDY;

/// Differences that are shown; `--json` lists more.
const SHOWN: usize = 20;

/// What a recovery found beside the numbers that a sync has too. `dry_run`: what it would do is told.
pub fn findings(result: &Value, dry_run: bool) -> String {
    let number = |name: &str| result[name].as_u64().unwrap_or(0);
    let mut text = String::new();
    if number("cleaned_matches") > 0 {
        let cleaned = counted(number("cleaned_matches"), "match", "matches");
        let _ = write!(text, "\n{cleaned} cleaned away");
    }
    if dry_run && number("discarded_jobs") > 0 {
        let _ = write!(
            text,
            "\njobs that failed before and are done again: {}",
            number("discarded_jobs")
        );
    }
    let calls = result["calls"].as_array().filter(|_| dry_run);
    for call in calls.into_iter().flatten() {
        let [route, method] = ["route", "method"].map(|name| call[name].as_str().unwrap_or("-"));
        let calls = counted(call["calls"].as_u64().unwrap_or(0), "call", "calls");
        let _ = write!(text, "\n  {calls} of {method} to {route}");
    }
    if result["verified_matches"].is_u64() {
        let _ = write!(
            text,
            "\nverified {} and the statistics of {}: {}",
            counted(number("verified_matches"), "match", "matches"),
            counted(number("verified_players"), "player", "players"),
            counted(number("differences_found"), "difference", "differences"),
        );
        let differences = result["differences"].as_array();
        for one in differences.into_iter().flatten().take(SHOWN) {
            let [id, what, from] =
                ["id", "what", "from"].map(|name| one[name].as_str().unwrap_or("-"));
            let _ = write!(text, "\n  {id}: {what}; mended from: {from}");
        }
        let more = number("differences_found").saturating_sub(SHOWN as u64);
        if more > 0 {
            let _ = write!(text, "\n  ... and {more} more; --json lists up to 1000");
        }
    }
    text
}

/// What came of a look at the published files.
fn named(result: &Value) -> String {
    let number = |name: &str| result[name].as_u64().unwrap_or(0);
    match (&result["note"], number("names")) {
        (Value::String(note), _) => note.clone(),
        (_, 0) => "the names are as they were".to_owned(),
        (_, names) => format!(
            "{} of version {}",
            counted(names, "name", "names"),
            result["version"].as_str().unwrap_or("-")
        ),
    }
}

/// What a cleanup would delete.
pub fn leftovers(days: u32, found: &Leftovers) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    format!(
        "stored more than {} ago: {}, {}, {}, {} of {:.1} MB\n\
         documents of no match: {} of {:.1} MB\n\
         unread documents of no match: {}\n\
         finished jobs: {}, engines that ended: {}",
        counted(days.into(), "day", "days"),
        counted(found.matches, "match", "matches"),
        counted(found.participants, "participant", "participants"),
        counted(found.timelines, "timeline", "timelines"),
        counted(found.payloads, "document", "documents"),
        mb(found.payload_bytes),
        found.orphaned_payloads,
        mb(found.orphaned_bytes),
        found.unread_payloads,
        found.finished_jobs,
        found.engines,
    )
}

/// What a maintenance job did.
pub fn done(result: &Value) -> String {
    let number = |name: &str| result[name].as_u64().unwrap_or(0);
    if result["undo"].is_boolean() {
        recompressed(result)
    } else if result["names"].is_u64() {
        named(result)
    } else if result["cleaned_matches"].is_u64() {
        format!(
            "{} cleaned away; documents of {:.1} MB",
            counted(number("cleaned_matches"), "match", "matches"),
            number("payload_bytes") as f64 / 1e6
        )
    } else {
        let mut text = format!(
            "{} replayed: {}",
            counted(number("matches"), "match", "matches"),
            counted(number("changed"), "change", "changes")
        );
        for (count, one, many) in [
            (
                number("read"),
                "document could not be read before, and has rows now",
                "documents could not be read before, and have rows now",
            ),
            (
                number("unreadable"),
                "document is broken; `riftsync recover --verify` fetches it again",
                "documents are broken; `riftsync recover --verify` fetches them again",
            ),
        ] {
            if count > 0 {
                let _ = write!(text, "\n  {}", counted(count, one, many));
            }
        }
        if number("unread") > 0 {
            let kept = counted(
                number("unread"),
                "document still cannot be read and is kept",
                "documents still cannot be read and are kept",
            );
            let _ = write!(text, "\n  {kept}; {UNREAD_REMEDY}");
        }
        text
    }
}

/// What a recompression did, or would do.
fn recompressed(result: &Value) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let percent = |before: u64, after: u64| match before {
        0 => 0.0,
        before => (after as f64 / before as f64 - 1.0) * 100.0,
    };
    let mut lines = Vec::new();
    for (kind, name) in [("match", "matches"), ("timeline", "timelines")] {
        let number = |name: &str| result[kind][name].as_u64().unwrap_or(0);
        let (before, after) = (number("bytes_before"), number("bytes_after"));
        let would = match (&result["dry_run"], number("documents")) {
            (Value::Bool(true), _) => "would take",
            (_, 1) => "takes",
            _ => "take",
        };
        let mut line = format!("{name}: ");
        if result["dry_run"] == true && number("tried") == 0 {
            let _ = write!(
                line,
                "{} are as they came; that is too few for a dictionary",
                number("documents")
            );
        } else {
            let _ = write!(
                line,
                "{} of {:.1} MB {would} {:.1} MB ({:+.1} %)",
                counted(number("documents"), "document", "documents"),
                mb(before),
                mb(after),
                percent(before, after)
            );
        }
        if number("tried") > 0 {
            let _ = write!(
                line,
                ", by a trial with {}; a new dictionary takes {:.1} MB",
                number("tried"),
                mb(number("dictionary_bytes"))
            );
        }
        for (count, what) in [
            (number("too_few"), "are too few for a dictionary, and stay"),
            (number("kept"), "would not be smaller, and stay"),
            (number("changed"), "were changed meanwhile, and stay"),
            (
                number("unreadable"),
                "cannot be read: `riftsync recover --verify` fetches them again",
            ),
        ] {
            if count > 0 {
                let _ = write!(line, "\n  {count} {what}");
            }
        }
        lines.push(line);
    }
    lines.join("\n")
}

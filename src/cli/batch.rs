//! Files of players, and the view of a job of many syncs.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::CliError;
use super::terminal::bars;
use crate::model::{Platform, RiotId};

/// Players of one file.
pub const PLAYERS_MAX: usize = 10_000;
/// Lines that are told to be wrong, and failures that a summary names.
const TOLD_MAX: usize = 20;

/// A line of a file of players.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub riot_id: RiotId,
    pub platform: Platform,
}

/// Reads a file of players: `Name#TAG` a line, with the platform behind a comma where it is not the usual one. Empty
/// lines and those that begin with `#` are passed over. All that is wrong is told at once.
pub fn read_players(text: &str, usual: Option<Platform>) -> Result<Vec<Listed>, String> {
    let mut players: Vec<Listed> = Vec::new();
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match read_line(line, usual) {
            Ok(player) => {
                if !players.contains(&player) {
                    players.push(player);
                }
            }
            Err(why) => wrong.push(format!("line {number}: {why}")),
        }
    }
    if !wrong.is_empty() {
        let more = wrong.len().saturating_sub(TOLD_MAX);
        wrong.truncate(TOLD_MAX);
        if more > 0 {
            wrong.push(format!("... and {more} more lines"));
        }
        return Err(wrong.join("\n"));
    }
    if players.is_empty() {
        return Err("it names no player. Write one Name#TAG a line".to_owned());
    }
    if players.len() > PLAYERS_MAX {
        return Err(format!(
            "it names {} players; at most {PLAYERS_MAX} go in one",
            players.len()
        ));
    }
    Ok(players)
}

fn read_line(line: &str, usual: Option<Platform>) -> Result<Listed, String> {
    let (name, platform) = match line.rsplit_once([',', '\t']) {
        Some((name, platform)) => (name.trim(), Some(platform.trim())),
        None => (line, None),
    };
    let riot_id = name
        .parse()
        .map_err(|error: crate::model::IdError| error.to_string())?;
    let platform = match platform {
        Some(text) => text
            .parse()
            .map_err(|error: crate::model::IdError| error.to_string())?,
        None => usual.ok_or_else(|| {
            format!("no platform. Write '{line}, euw1', or name one for all with --platform")
        })?,
    };
    Ok(Listed { riot_id, platform })
}

/// One bar for a job of many syncs.
#[derive(Debug)]
pub struct Crowd {
    bar: ProgressBar,
    started: Instant,
}

/// What the descendants of a job came to, so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CrowdCount {
    pub players: u64,
    pub players_done: u64,
    pub documents: u64,
    pub failed: u64,
}

impl CrowdCount {
    /// From a rollup by kind, as a job's row has it.
    pub fn of(rollup: &crate::model::Rollup) -> Self {
        let mut count = Self::default();
        for (kind, of) in &rollup.kinds {
            let done = u64::from(of.completed);
            match kind.as_str() {
                "sync_player_data" => {
                    count.players += u64::from(of.total);
                    count.players_done += done + u64::from(of.failed);
                }
                "sync_match_data" | "sync_match_timeline" => count.documents += done,
                _ => {}
            }
            count.failed += u64::from(of.failed);
        }
        count
    }
}

impl Crowd {
    pub fn new(title: &str) -> Self {
        let style = ProgressStyle::with_template("{prefix}  [{bar:30}] {pos}/{len} {msg}")
            .expect("a fixed template")
            .progress_chars("=> ");
        let bar = bars().add(ProgressBar::new(0).with_style(style));
        bar.set_prefix(title.to_owned());
        Self {
            bar,
            started: Instant::now(),
        }
    }

    pub fn show(&self, count: CrowdCount) {
        self.bar.set_length(count.players);
        self.bar.set_position(count.players_done);
        let failed = match count.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        self.bar.set_message(format!(
            "players looked at, {} matches and timelines{failed}, {:.0?}",
            count.documents,
            Duration::from_secs(self.started.elapsed().as_secs())
        ));
    }

    pub fn clear(self) -> Duration {
        self.bar.finish_and_clear();
        self.started.elapsed()
    }
}

/// What became of each player, and of what failed why.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct CrowdReport {
    pub job_id: i64,
    pub state: String,
    pub players: u64,
    pub fetched: u64,
    pub failed: Vec<Failed>,
    /// Also those that the list leaves out.
    pub failed_count: u64,
}

#[derive(Debug, Clone, serde::Serialize)]
pub struct Failed {
    pub kind: String,
    pub key: String,
    pub reason: String,
}

impl CrowdReport {
    pub fn of(job: &crate::model::JobRecord) -> Self {
        let count = CrowdCount::of(&job.rollup);
        let failures = job.rollup.failures.iter();
        Self {
            job_id: job.id.0,
            state: job.state.to_string(),
            players: count.players,
            fetched: count.documents,
            failed: failures
                .map(|failed| Failed {
                    kind: failed.kind.clone(),
                    key: failed.key.clone(),
                    reason: failed.reason.clone(),
                })
                .collect(),
            failed_count: count.failed,
        }
    }

    pub fn document(&self) -> Value {
        serde_json::to_value(self).expect("names and numbers are JSON")
    }

    pub fn text(&self, took: Duration) -> String {
        let mut text = format!(
            "{} players, {} matches and timelines fetched in {:.1} s, {} failed",
            self.players,
            self.fetched,
            took.as_secs_f64(),
            self.failed_count
        );
        for failed in self.failed.iter().take(TOLD_MAX) {
            let what = match failed.kind.as_str() {
                "sync_player_data" => "player",
                "sync_match_data" => "match",
                "sync_match_timeline" => "timeline",
                other => other,
            };
            text.push_str(&["\n  ", what, " ", &failed.key, ": ", &failed.reason].concat());
        }
        let more = self
            .failed_count
            .saturating_sub(TOLD_MAX.min(self.failed.len()) as u64);
        if more > 0 {
            text.push_str(
                &[
                    "\n  ... and ",
                    &more.to_string(),
                    " more; --json lists them",
                ]
                .concat(),
            );
        }
        text
    }

    /// A player that could not be synced makes the whole a failure; a match that is gone does not.
    pub fn outcome(&self) -> Result<(), CliError> {
        let lost = self
            .failed
            .iter()
            .filter(|failed| failed.kind == "sync_player_data" || failed.kind == "sync_puuid");
        match (self.state.as_str(), lost.count()) {
            ("completed", 0) => Ok(()),
            ("completed", lost) => Err(CliError::JobFailed(format!(
                "{lost} players could not be synced; the others are complete"
            ))),
            (state, _) => Err(CliError::JobFailed(format!(
                "job {} is {state}",
                self.job_id
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_players_with_their_platform_or_the_usual_one() {
        let text = "\u{feff}Faker#KR1\n\n# friends\nQuiet Otter#SIM, euw1\r\nFaker#KR1\nTab Bed#NA1\tna1\n";
        let players = read_players(text, Some(Platform::Kr)).unwrap();
        let told: Vec<String> = players
            .iter()
            .map(|player| format!("{} {}", player.riot_id, player.platform))
            .collect();
        assert_eq!(
            told,
            ["Faker#KR1 kr", "Quiet Otter#SIM euw1", "Tab Bed#NA1 na1"]
        );
    }

    #[test]
    fn all_that_is_wrong_with_a_file_is_told_at_once() {
        let why = read_players("Faker\nFaker#KR1\nOtter#SIM, mars\n", None).unwrap_err();
        let lines: Vec<&str> = why.lines().collect();
        assert_eq!(lines.len(), 3, "{why}");
        assert!(
            lines[0].starts_with("line 1: ") && lines[0].contains("Faker"),
            "{why}"
        );
        assert!(lines[1].contains("--platform"), "{why}");
        assert!(lines[2].contains("mars"), "{why}");
        assert!(
            read_players("# nobody\n", None)
                .unwrap_err()
                .contains("Name#TAG")
        );
        let many = "x\n".repeat(100);
        assert_eq!(
            read_players(&many, None).unwrap_err().lines().count(),
            TOLD_MAX + 1
        );
    }
}

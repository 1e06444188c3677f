//! The view of a job of many syncs.

use std::time::Duration;

use serde::Deserialize as _;
use serde_json::Value;

use super::CliError;
use super::follow::Shown;
use super::view::Meter;
use super::waits::{Bars, Wait, reasons};
use crate::model::counted;
use crate::model::rollup::FailedChild;
use crate::model::{JobId, Rollup};

/// Failures that a summary names.
const TOLD_MAX: usize = 20;

/// One bar for a job of many syncs, and what it waits for.
#[derive(Debug)]
pub struct BatchBars {
    bars: Bars,
    wait: Wait,
}

/// What the descendants of a job came to, so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct BatchCount {
    pub players: u64,
    pub players_done: u64,
    pub documents: u64,
    /// Those that have ended, and all that are known.
    pub matches: [u64; 2],
    pub timelines: [u64; 2],
    /// Discarded or cancelled.
    pub failed: u64,
    /// What Riot does not have, or does not give now.
    pub unavailable: u64,
}

/// A player that is not found is no document that Riot does not have.
fn is_document(kind: &str) -> bool {
    ["sync_match_data", "sync_match_timeline"].contains(&kind)
}

impl BatchCount {
    /// From a rollup by kind, as a job's row has it.
    pub fn of(rollup: &Rollup) -> Self {
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
            let ended = [done + u64::from(of.failed), u64::from(of.total)];
            match kind.as_str() {
                "sync_match_data" => count.matches = ended,
                "sync_match_timeline" => count.timelines = ended,
                _ => {}
            }
            let lost = if is_document(kind) {
                of.lost
            } else {
                of.failed
            };
            count.failed += u64::from(lost);
            count.unavailable += u64::from(of.failed.saturating_sub(lost));
        }
        count
    }
}

impl BatchBars {
    pub fn new(title: &str) -> Self {
        Self {
            bars: Bars::new(title),
            wait: reasons(),
        }
    }

    /// `all_named`: no more players will come.
    fn show(&self, count: BatchCount, all_named: bool) {
        self.bars.set((count, all_named), |scene| {
            scene.is_long = true;
            scene.status = Vec::new();
            if count.failed > 0 {
                scene.status.push(format!("{} failed", count.failed));
            }
            let all_listed = all_named && count.players_done >= count.players;
            let [matches, timelines] = [count.matches, count.timelines];
            scene.meters = vec![
                // A player is one whose matches are listed.
                Meter {
                    name: "players",
                    done: count.players_done,
                    whole: all_named.then_some(count.players),
                },
                Meter {
                    name: "matches",
                    done: matches[0],
                    whole: all_listed.then_some(matches[1]),
                },
                Meter {
                    name: "timelines",
                    done: timelines[0],
                    // Each match brings its own: all are known with the last match.
                    whole: (all_listed && matches[0] >= matches[1]).then_some(timelines[1]),
                },
            ];
        });
    }

    pub fn clear(self) -> Duration {
        self.bars.clear()
    }
}

impl Shown for BatchBars {
    fn job(&mut self, _: &Value, _: u64, _: bool) {}

    fn so_far(&mut self, job: &Value, rollup: &Value) {
        // What a job spawns comes when its own work is done.
        let all_named = job["state"] == "blocked" || job["finished_at"].is_string();
        if let Ok(rollup) = Rollup::deserialize(rollup) {
            self.show(BatchCount::of(&rollup), all_named);
        }
    }

    fn bars(&mut self) -> &mut Bars {
        &mut self.bars
    }

    fn wait(&self) -> &Wait {
        &self.wait
    }
}

/// What became of each player, and of what failed why.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct BatchReport {
    pub job_id: i64,
    pub state: String,
    pub players: u64,
    pub fetched: u64,
    /// Discarded or cancelled: not for want of what Riot has.
    pub failed: Vec<Failed>,
    /// Also those that the list leaves out.
    pub failed_count: u64,
    /// What Riot does not have, or does not give now; also what the list leaves out.
    pub unavailable: Vec<Failed>,
    pub unavailable_count: u64,
}

#[derive(Debug, Clone, serde::Serialize)]
pub struct Failed {
    pub kind: String,
    pub key: String,
    pub reason: String,
}

impl From<&FailedChild> for Failed {
    fn from(failed: &FailedChild) -> Self {
        Self {
            kind: failed.kind.clone(),
            key: failed.key.clone(),
            reason: failed.reason.clone(),
        }
    }
}

impl BatchReport {
    pub fn of(id: JobId, state: &str, rollup: &Rollup) -> Self {
        let count = BatchCount::of(rollup);
        let (unavailable, failed): (Vec<_>, Vec<_>) = rollup
            .failures
            .iter()
            .partition(|failed| is_document(&failed.kind) && failed.is_missing());
        Self {
            job_id: id.0,
            state: state.to_owned(),
            players: count.players,
            fetched: count.documents,
            failed_count: count.failed.max(failed.len() as u64),
            failed: failed.into_iter().map(Failed::from).collect(),
            unavailable_count: count.unavailable,
            unavailable: unavailable.into_iter().map(Failed::from).collect(),
        }
    }

    /// The job itself failed too.
    pub fn job_failed(&mut self, why: Failed) {
        self.failed.push(why);
        self.failed_count = self.failed_count.max(self.failed.len() as u64);
    }

    pub fn document(&self) -> Value {
        serde_json::to_value(self).expect("names and numbers are JSON")
    }

    pub fn text(&self, took: Duration) -> String {
        let mut text = format!(
            "{}, {} fetched in {:.1} s, {} failed",
            counted(self.players, "player", "players"),
            counted(self.fetched, "match or timeline", "matches and timelines"),
            took.as_secs_f64(),
            self.failed_count
        );
        if self.unavailable_count > 0 {
            let count = self.unavailable_count;
            text.push_str(&[", ", &count.to_string(), " that Riot does not give"].concat());
        }
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

    /// What failed makes the whole a failure; what Riot does not have does not.
    pub fn outcome(&self) -> Result<(), CliError> {
        let lost = self
            .failed
            .iter()
            .filter(|failed| failed.kind == "sync_player_data" || failed.kind == "sync_puuid");
        match (self.state.as_str(), lost.count()) {
            ("completed", 0) if self.failed_count == 0 => Ok(()),
            ("completed", 0) => Err(CliError::Incomplete(counted(
                self.failed_count,
                "match or timeline was",
                "matches and timelines were",
            ))),
            ("completed", lost) => Err(CliError::JobFailed(format!(
                "{} could not be synced; the others are complete",
                counted(lost as u64, "player", "players")
            ))),
            (state, _) => Err(CliError::JobFailed(format!(
                "job {} is {state}",
                self.job_id
            ))),
        }
    }
}

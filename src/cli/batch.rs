//! The view of a job of many syncs.

use std::time::Duration;

use serde_json::Value;

use super::CliError;
use super::view::Meter;
use super::waits::{Bars, Wait, reasons};

/// Failures that a summary names.
const TOLD_MAX: usize = 20;

/// One bar for a job of many syncs, and what it waits for.
#[derive(Debug)]
pub struct Crowd {
    bars: Bars,
    wait: Wait,
}

/// What the descendants of a job came to, so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
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
        Self {
            bars: Bars::new(title),
            wait: reasons(),
        }
    }

    /// `all_named`: no more players will come.
    pub fn show(&self, count: CrowdCount, all_named: bool) {
        self.bars.set((count, all_named), |scene| {
            let documents = format!("{} matches and timelines", count.documents);
            scene.status = vec![documents];
            if count.failed > 0 {
                scene.status.push(format!("{} failed", count.failed));
            }
            scene.meters = vec![Meter {
                name: "players",
                done: count.players_done,
                whole: all_named.then_some(count.players),
            }];
        });
    }

    /// Whether to ask now what it waits for.
    pub fn ask(&mut self) -> bool {
        self.bars.ask()
    }

    /// What it waits for.
    pub fn wait(&self) -> &Wait {
        &self.wait
    }

    pub fn clear(self) -> Duration {
        self.bars.clear()
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

//! `bench recovery`: how long it takes to find what of a player is missing, in a large made-up database.
//!
//! What is measured is what a recovery does between the match list and its first document: no call is made.

use std::fmt;
use std::time::Instant;

use serde::Serialize;

use super::Place;
use crate::model::Timestamp;
use crate::store::StoreResult;
use crate::store::synthetic::Synthetic;
use crate::tasks::GapAnalysis;

/// Analyses that are timed, the first on connections that were never used.
const ROUNDS: usize = 9;
/// The year of the made-up matches.
const YEAR: i16 = 2025;

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct RecoveryBench {
    pub matches: u32,
    /// Matches of the player who is recovered.
    pub of_player: u32,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct RecoveryReport {
    pub engine: String,
    pub store: &'static str,
    pub matches: u64,
    pub of_player: usize,
    pub database_bytes: u64,
    pub fill_s: f64,
    /// The first analysis, the one in the middle, and the slowest.
    pub first_ms: f64,
    pub median_ms: f64,
    pub slowest_ms: f64,
    /// What it found.
    pub match_calls: usize,
    pub timeline_calls: usize,
    pub discarded_jobs: u64,
}

impl RecoveryBench {
    pub async fn run(self, place: &Place) -> StoreResult<RecoveryReport> {
        let made = Synthetic {
            matches: self.matches,
            of_player: self.of_player,
            finished_jobs: 0,
        };
        let begun = Instant::now();
        made.fill(&place.location()).await?;
        let fill_s = begun.elapsed().as_secs_f64();
        let store = place.open().await?;
        let listed = made.players_matches();
        let mut times = Vec::with_capacity(ROUNDS);
        let mut found = ([0, 0], 0);
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let known = store.players_by_puuid(&[made.player()]).await?;
            if let Some(player) = known.first() {
                // Only a recovery that verifies asks for these too.
                store.matches_of(player.id, YEAR).await?;
            }
            let analysis = GapAnalysis::of(&*store, &listed, Timestamp::now()).await?;
            found = (analysis.calls(), analysis.discarded_jobs());
            times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        let matches = store.census().await?.matches;
        let database_bytes = store.size_bytes().await?.unwrap_or(0);
        store.close().await?;
        let first_ms = times[0];
        times.sort_by(f64::total_cmp);
        Ok(RecoveryReport {
            engine: format!("riftsync {}", env!("CARGO_PKG_VERSION")),
            store: place.kind(),
            matches,
            of_player: listed.len(),
            database_bytes,
            fill_s,
            first_ms,
            median_ms: times[ROUNDS / 2],
            slowest_ms: times[ROUNDS - 1],
            match_calls: found.0[0],
            timeline_calls: found.0[1],
            discarded_jobs: found.1,
        })
    }
}

impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} on {}: {} made-up matches, {:.0} MiB, filled in {:.1} s",
            self.engine,
            self.store,
            self.matches,
            self.database_bytes as f64 / f64::from(1 << 20),
            self.fill_s
        )?;
        writeln!(
            f,
            "analysis   {:>9.1} ms, the first {:.1} ms, the slowest {:.1} ms: of {} matches of a player",
            self.median_ms, self.first_ms, self.slowest_ms, self.of_player
        )?;
        write!(
            f,
            "found      {} matches and {} timelines to fetch, {} failed jobs",
            self.match_calls, self.timeline_calls, self.discarded_jobs
        )
    }
}

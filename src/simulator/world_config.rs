//! What a world is made from, and what is told about it to those who check a client against it.

use crate::game::GameKind;
use riftsync_model::{MatchId, Platform, RiotId, Timestamp, Year};

/// What a world is made of. The same configuration gives the same world on every machine, for ever.
#[derive(Debug, Clone)]
pub struct WorldConfig {
    pub seed: u64,
    /// The listed players, and where each one lives. Only their platforms have any people.
    pub players: Vec<(RiotId, Platform)>,
    /// Other players per platform.
    pub population: usize,
    /// Matches that each listed player owns in every year; at most 100,000.
    pub matches_per_year: u32,
    /// 2021 or later.
    pub first_year: i16,
    pub last_year: i16,
    /// What time it is in the world, until its clock is set (`World::set_now`): what ends later was not played yet.
    pub now: Timestamp,
    /// Only ordinary ten-player games, every document of which is there: for benchmarks.
    pub plain: bool,
    /// Match documents are gone after two years and timelines after one, counted back from the world's now.
    pub retention: bool,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            players: Vec::new(),
            population: 2000,
            matches_per_year: 300,
            first_year: Year::FIRST,
            last_year: 2026,
            now: DEFAULT_NOW,
            plain: false,
            retention: false,
        }
    }
}

/// 2026-11-01T00:00:00Z. Fixed: a default that read the clock would be another world every day.
const DEFAULT_NOW: Timestamp = Timestamp::from_millis(1_793_491_200_000);

/// What is true of one match of one player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedMatch {
    pub id: MatchId,
    pub start_ms: i64,
    pub duration_ms: u32,
    pub kind: GameKind,
    pub queue_id: u32,
    /// The match document is served; otherwise it is a 404 for ever.
    pub has_match: bool,
    pub has_timeline: bool,
    /// A list asked for with `startTime` or `endTime` can hold it.
    pub in_time_filter: bool,
    /// Made for this player, not for another one who met him.
    pub owned: bool,
}

/// How large a world is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorldCounts {
    pub listed_players: u64,
    pub people: u64,
    pub matches: u64,
    pub match_documents: u64,
    pub timelines: u64,
}

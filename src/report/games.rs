//! What is told of a year: its games, and with and against whom they were.

use serde::{Deserialize, Serialize};

/// What a team may be the first to do, in the order of [`Game::firsts`].
pub const OBJECTIVES: [&str; 7] = [
    "First blood",
    "First tower",
    "First dragon",
    "Rift Herald",
    "Void grubs",
    "First Baron",
    "First inhibitor",
];

/// A game of the player, as the database has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Game {
    pub match_id: String,
    pub platform: String,
    /// Milliseconds since 1970 in UTC.
    pub started_ms: i64,
    /// Zero: it never took place.
    pub seconds: i64,
    pub queue_id: i32,
    pub patch: Option<String>,
    pub is_remake: bool,
    pub team_id: i32,
    pub win: bool,
    pub champion: String,
    /// As Riot writes it; empty: none.
    pub position: String,
    /// Who had the same position in the other team.
    pub opponent: Option<String>,
    pub kills: i32,
    pub deaths: i32,
    pub assists: i32,
    pub cs: i32,
    pub gold: i32,
    pub damage: i32,
    pub vision: i32,
    /// Damage to champions of the whole team.
    pub team_damage: i64,
    /// Whether the player's team was the first with each of [`OBJECTIVES`]; none: the match does not tell.
    pub firsts: [Option<bool>; 7],
    /// Double, triple, quadra and penta kills; none: the match does not tell.
    pub multikills: [Option<i32>; 4],
}

impl Game {
    /// It took place and was no remake: statistics count it.
    pub fn counts(&self) -> bool {
        !self.is_remake && self.seconds > 0
    }
}

/// Somebody of the same games, in the same team or against it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Companion {
    /// None: the name is not known.
    pub riot_id: Option<String>,
    pub games: u64,
    /// Those that the player of the year won.
    pub wins: u64,
}

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
    /// Eleven is that of Summoner's Rift.
    pub map_id: i32,
    pub is_remake: bool,
    pub team_id: i32,
    pub win: bool,
    pub champion: String,
    pub champion_id: i32,
    /// As Riot writes it; empty: none.
    pub position: String,
    /// Who had the same position in the other team.
    pub opponent: Option<String>,
    pub opponent_champion_id: Option<i32>,
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
    /// By how many kills the player's team was behind at the worst of it; none: the match does not tell.
    pub kills_behind: Option<i32>,
    /// Its timeline is stored, whether or not rows were made of it.
    pub has_timeline: bool,
    /// None: there are no minutes of it.
    pub lead: Option<Lead>,
}

/// How far the player was ahead of the opponent at each minute from the first on; none: the timeline does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lead {
    pub gold: Vec<Option<i32>>,
    pub xp: Vec<Option<i32>>,
}

/// A champion that the player killed, or that killed the player, on Summoner's Rift.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kill {
    pub at_ms: i64,
    /// Where the victim fell, in units of the game from the lower left.
    pub x: i32,
    pub y: i32,
    /// The player's team.
    pub team_id: i32,
    pub is_death: bool,
}

/// A rank as it was first seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenRank {
    pub queue: String,
    /// Milliseconds since 1970 in UTC.
    pub seen_ms: i64,
    /// None: in no league of the queue.
    pub tier: Option<String>,
    pub division: Option<String>,
    pub league_points: Option<i32>,
    /// All tiers as one ladder: 100 a division.
    pub points: Option<i32>,
    pub wins: Option<i32>,
    pub losses: Option<i32>,
}

impl Game {
    /// It took place and was no remake: statistics count it.
    pub fn counts(&self) -> bool {
        !self.is_remake && self.seconds > 0
    }

    /// Other maps have no lanes, dragons or sides that mean the same.
    pub fn is_on_the_rift(&self) -> bool {
        self.map_id == 11
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

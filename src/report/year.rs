//! The figures of a year. What is not told is empty, so that they can come from an older program.

use serde::{Deserialize, Serialize};

use super::games::Companion;
use super::kills::KillMap;
use super::leads::Leads;
use super::ranks::RankLine;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Year {
    pub player: Player,
    pub year: i16,
    /// The platforms of the games.
    pub platforms: Vec<String>,
    pub timezone: String,
    /// When the figures were made, in that zone.
    pub made_at: String,
    /// All games that count.
    pub all: Tally,
    pub remakes: u64,
    /// Matches that never took place.
    pub aborted: u64,
    /// Games that were cleaned away: statistics count them, and no figure here does.
    pub cleaned: u64,
    pub wholeness: Vec<Wholeness>,
    pub span: YearSpan,
    /// Days with a game.
    pub days: Vec<Day>,
    pub months: Vec<GameGroup>,
    pub weekdays: Vec<GameGroup>,
    pub hours: Vec<GameGroup>,
    pub rolling: Vec<Point>,
    /// Games that each of these rates is of.
    pub rolling_games: u64,
    pub champions: Vec<GameGroup>,
    pub roles: Vec<GameGroup>,
    pub queues: Vec<GameGroup>,
    /// Of games on Summoner's Rift.
    pub sides: Vec<GameGroup>,
    pub patches: Vec<GameGroup>,
    pub lengths: Vec<GameGroup>,
    /// By the champion of the same position in the other team.
    pub opponents: Vec<GameGroup>,
    pub duos: Vec<Companion>,
    pub rivals: Vec<Companion>,
    /// Of each queue with one, the last first.
    pub ranks: Vec<RankLine>,
    /// Games that count and whose timelines are stored.
    pub timelines: u64,
    pub leads: Leads,
    pub kill_map: KillMap,
    /// The last games, the newest first.
    pub recent: Vec<Recent>,
    /// Of games on Summoner's Rift.
    pub objectives: Vec<Objective>,
    pub multikills: Vec<Fact>,
    pub won: Streak,
    pub lost: Streak,
    pub records: Vec<Best>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Player {
    pub riot_id: Option<String>,
    pub puuid: String,
    /// The last one first.
    pub former_names: Vec<String>,
}

/// First and last day of the year in the reader's zone, as 2025-12-31.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct YearSpan {
    pub first: String,
    pub last: String,
}

/// What some games add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    pub games: u64,
    pub wins: u64,
    pub seconds: u64,
    pub kills: u64,
    pub deaths: u64,
    pub assists: u64,
    pub cs: u64,
    pub gold: u64,
    pub damage: u64,
    /// Of the player's teams.
    pub team_damage: u64,
    pub vision: u64,
    /// Games of which the lead at minute 15 is known, and what it adds up to in gold.
    pub lead_games: u64,
    pub lead_gold: i64,
}

impl Tally {
    pub fn losses(&self) -> u64 {
        self.games - self.wins.min(self.games)
    }

    /// Percent.
    pub fn win_rate(&self) -> f64 {
        ratio(100 * self.wins, self.games)
    }

    /// As the yearly statistics have it.
    pub fn kda(&self) -> f64 {
        ratio(self.kills + self.assists, self.deaths.max(1))
    }

    pub fn cs_per_minute(&self) -> f64 {
        ratio(60 * self.cs, self.seconds)
    }

    /// Gold before the opponent at minute 15, on average; none: of no game.
    pub fn lead(&self) -> Option<i64> {
        let games = i64::try_from(self.lead_games)
            .ok()
            .filter(|games| *games > 0)?;
        Some((2 * self.lead_gold + games).div_euclid(2 * games))
    }

    /// Percent of the team's.
    pub fn damage_share(&self) -> f64 {
        ratio(100 * self.damage, self.team_damage)
    }
}

/// Zero of nothing is nothing.
pub(crate) fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    }
}

/// Games that have something in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GameGroup {
    pub name: String,
    #[serde(flatten)]
    pub tally: Tally,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Day {
    /// As 2025-03-09.
    pub date: String,
    pub games: u64,
    pub wins: u64,
}

/// How many of the last games were won.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Point {
    /// The day of the last of them.
    pub date: String,
    /// Its number in the year, from 1.
    pub game: u64,
    pub wins: u64,
}

/// How whole the year is on a platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wholeness {
    pub platform: String,
    /// Matches that Riot lists; none: nobody asked.
    pub listed: Option<u64>,
    pub missing: u64,
    pub pending: u64,
    pub unread: u64,
    pub text: String,
}

/// Games in which it is told who was first with something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Objective {
    pub name: String,
    /// With the player's team first, and those of them that were won.
    pub first: u64,
    pub first_wins: u64,
    /// With another team first, or nobody.
    pub other: u64,
    pub other_wins: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fact {
    pub name: String,
    pub count: u64,
}

/// Games in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Streak {
    pub games: u64,
    pub from: String,
    pub to: String,
}

/// The game with the most of something; the first of several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Best {
    pub name: String,
    pub value: u64,
    pub champion: String,
    pub date: String,
    pub match_id: String,
}

/// A game as a line of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recent {
    pub match_id: String,
    pub date: String,
    pub champion: String,
    pub queue: String,
    pub win: bool,
    pub seconds: u64,
    pub kills: i32,
    pub deaths: i32,
    pub assists: i32,
}

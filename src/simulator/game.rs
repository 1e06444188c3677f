//! One match of the world: when, whose, which script, and what is odd about it.
//!
//! A `Game` is the little that is kept of a match; everything else follows from its seed.

use crate::hash::{Draw, hash};
use crate::script::{self, Shape};
use riftsync_model::Timestamp;

/// How match documents were written at a time. The real API's form changed far more often; these
/// are the steps that broke clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// Before patch 11.20: `gameDuration` in milliseconds, no `gameEndTimestamp`, no challenges.
    Milliseconds,
    /// Until the end of 2023: no `endOfGameResult`, names in `summonerName`.
    SummonerNames,
    /// `riotIdGameName` and `riotIdTagline`, `endOfGameResult`, missions.
    RiotIds,
}

/// 2021-10-06: patch 11.20.
pub const SECONDS_SINCE_MS: i64 = 1_633_478_400_000;
/// 2024-01-10: patch 14.1.
pub const RIOT_IDS_SINCE_MS: i64 = 1_704_844_800_000;
/// 2024-05-01: Arena with sixteen players.
const ARENA_SINCE_MS: i64 = 1_714_521_600_000;

impl Era {
    pub const ALL: [Self; 3] = [Self::Milliseconds, Self::SummonerNames, Self::RiotIds];

    pub fn at(start: Timestamp) -> Self {
        match start.as_millis() {
            ms if ms < SECONDS_SINCE_MS => Self::Milliseconds,
            ms if ms < RIOT_IDS_SINCE_MS => Self::SummonerNames,
            _ => Self::RiotIds,
        }
    }
}

/// What kind of documents a match has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GameKind {
    Played(Shape),
    /// The server failed before the game began: ten puuids, and nothing else in the document.
    Empty,
}

/// One match, as the world keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Game {
    /// `gameStartTimestamp`.
    pub start: Timestamp,
    /// The number in its match id; greater than that of every earlier match of the platform.
    pub id: u64,
    /// The listed player it was made for: a number as in `Player`.
    pub owner: u32,
    pub seed: u64,
    /// Empty whatever its chances: every player's year has one of these.
    pub surely_empty: bool,
}

/// What follows from a match's seed.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    pub kind: GameKind,
    pub queue_id: u32,
    pub script: u32,
    /// The clock at its end; 0 for an empty match.
    pub length_ms: u32,
    /// The match document exists. A few matches are listed and 404 for ever.
    pub has_match: bool,
    pub has_timeline: bool,
    /// `Abort_Unexpected` over a document that is whole.
    pub aborted: bool,
}

impl Game {
    pub fn draw(&self, what: u64) -> Draw {
        Draw::new(hash(&[self.seed, what]))
    }

    pub fn era(&self) -> Era {
        Era::at(self.start)
    }

    /// `gameCreation`: the lobby was made a minute or two before the start.
    pub fn creation(&self) -> Timestamp {
        Timestamp::from_millis(self.start.as_millis() - self.draw(3).between(40_000, 110_000))
    }

    pub fn end(&self, facts: &Facts) -> Timestamp {
        Timestamp::from_millis(self.start.as_millis() + i64::from(facts.length_ms))
    }

    /// `gameEndTimestamp`: now and then minutes later than the end.
    pub fn written(&self, facts: &Facts) -> Timestamp {
        let mut draw = self.draw(4);
        let late_ms = if draw.chance(20) {
            draw.between(10_000, 280_000)
        } else {
            draw.between(0, 2_000)
        };
        Timestamp::from_millis(self.end(facts).as_millis() + late_ms)
    }

    pub fn facts(&self, world_seed: u64, plain: bool) -> Facts {
        let mut draw = self.draw(1);
        let kind = match draw.below(1000) {
            _ if plain => GameKind::Played(Shape::Classic),
            _ if self.surely_empty => GameKind::Empty,
            0..5 => GameKind::Empty,
            5..7 => GameKind::Played(Shape::NoWinner),
            7..37 => GameKind::Played(Shape::Remake),
            37..52 => GameKind::Played(Shape::Bots),
            52..132 if self.start.as_millis() >= ARENA_SINCE_MS => GameKind::Played(Shape::Arena),
            52..320 => GameKind::Played(Shape::Aram),
            _ => GameKind::Played(Shape::Classic),
        };
        let queue_id = match kind {
            GameKind::Empty => 0,
            GameKind::Played(Shape::Aram) => 450,
            GameKind::Played(Shape::Arena) => 1700,
            GameKind::Played(Shape::Bots) => 850,
            GameKind::Played(Shape::Classic | Shape::NoWinner | Shape::Remake) => {
                [420, 420, 420, 420, 420, 420, 440, 440, 400, 400][draw.below(10) as usize]
            }
        };
        let (script, length_ms) = match kind {
            GameKind::Empty => (0, 0),
            GameKind::Played(shape) => {
                let number = draw.below(shape.scripts());
                (number, script::length_ms(world_seed, shape, number))
            }
        };
        Facts {
            kind,
            queue_id,
            script,
            length_ms,
            has_match: plain || kind == GameKind::Empty || !draw.chance(3),
            has_timeline: plain || kind == GameKind::Empty || !draw.chance(10),
            aborted: !plain && kind == GameKind::Played(Shape::Classic) && draw.chance(10),
        }
    }
}

/// Which `type` of the match list a queue belongs to.
pub fn queue_type(queue_id: u32) -> &'static str {
    match queue_id {
        420 | 440 => "ranked",
        0 => "",
        _ => "normal",
    }
}

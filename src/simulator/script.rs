//! What happened in a game: who killed whom and when, which towers fell, what everyone earned.
//!
//! A world has far more matches than stories. Each shape of game has a few dozen scripts, numbered;
//! a match is one of them played by other people at another time. So match document and timeline
//! agree with each other (kills, gold, winner, length), and their text can be compressed once
//! (see `fragments`). A script depends on the world's seed, its shape and its number alone.

use crate::hash::{Draw, hash};
use crate::tables::{Champion, level_at};

/// A kind of game with documents of its own form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// Summoner's Rift, five against five.
    Classic,
    /// The same, but the server went down: nobody won.
    NoWinner,
    /// The same, ended after three to four minutes because somebody never came.
    Remake,
    /// One lane, five against five, many kills.
    Aram,
    /// Eight pairs of two.
    Arena,
    /// Five people against five bots.
    Bots,
}

impl Shape {
    pub const ALL: [Self; 6] = [
        Self::Classic,
        Self::NoWinner,
        Self::Remake,
        Self::Aram,
        Self::Arena,
        Self::Bots,
    ];

    /// How many scripts there are. Rendering one costs about 10 ms of CPU and 60 to 130 kB of memory.
    pub fn scripts(self) -> u32 {
        match self {
            Self::Classic => 96,
            Self::NoWinner => 2,
            Self::Remake => 8,
            Self::Aram => 24,
            Self::Arena => 12,
            Self::Bots => 6,
        }
    }

    pub fn participants(self) -> usize {
        if self == Self::Arena { 16 } else { 10 }
    }

    /// People among the participants; they come first.
    pub fn people(self) -> usize {
        if self == Self::Bots {
            5
        } else {
            self.participants()
        }
    }

    /// Kills in a hundred minutes.
    pub(super) fn kills_per_100_min(self) -> u32 {
        match self {
            Self::Classic | Self::NoWinner | Self::Bots => 190,
            Self::Remake => 40,
            Self::Aram => 520,
            Self::Arena => 440,
        }
    }
}

#[derive(Debug)]
pub struct Kill {
    pub at_ms: u32,
    /// Positions in `Script::lines`.
    pub killer: usize,
    pub victim: usize,
    pub assists: Vec<usize>,
    /// Kills of the killer since its last death, before this one.
    pub streak: u32,
    /// Which kill of the killer within ten seconds this is.
    pub multi: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildingKind {
    OuterTurret,
    InnerTurret,
    BaseTurret,
    Inhibitor,
    NexusTurret,
}

#[derive(Debug)]
pub struct Building {
    pub at_ms: u32,
    /// The side (0 or 1) that lost it.
    pub loser: usize,
    pub lane: usize,
    pub kind: BuildingKind,
    pub killer: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beast {
    Dragon(&'static str),
    Herald,
    Baron,
}

#[derive(Debug)]
pub struct Monster {
    pub at_ms: u32,
    pub side: usize,
    pub killer: usize,
    pub beast: Beast,
}

/// One participant's game, as both documents tell it.
#[derive(Debug)]
pub struct ScoreLine {
    /// 0 or 1: team 100 or 200. In Arena the halves of the lobby, which mean nothing.
    pub side: usize,
    /// Arena only: the pair, 1 to 8, and its rank, 1 to 8. Otherwise 0.
    pub subteam: u32,
    pub placement: u32,
    pub win: bool,
    pub bot: bool,
    pub role: usize,
    pub champion: Champion,
    pub kills: u32,
    pub deaths: u32,
    pub assists: u32,
    /// How often two, three, four, five kills came in one go.
    pub multi: [u32; 4],
    pub sprees: u32,
    pub spree_max: u32,
    pub dead_s: u32,
    pub gold: u32,
    pub xp: u32,
    pub minions: u32,
    pub neutral: u32,
    pub turrets: u32,
    pub inhibitors: u32,
    pub dragons: u32,
    pub barons: u32,
    pub wards: u32,
    pub control_wards: u32,
    pub wards_killed: u32,
    /// To champions: magic, physical, true.
    pub damage: [u32; 3],
    /// To everything, the same order.
    pub damage_all: [u32; 3],
    pub taken: [u32; 3],
    pub items: [u32; 7],
    /// Everything else about this participant is drawn from here.
    pub seed: u64,
}

impl ScoreLine {
    pub fn level(&self) -> u32 {
        level_at(self.xp)
    }
}

#[derive(Debug)]
pub struct Script {
    pub shape: Shape,
    pub seed: u64,
    /// The game's clock when it ended.
    pub length_ms: u32,
    /// The side that won, if one did. In Arena nobody is a side.
    pub winner: Option<usize>,
    pub surrendered: bool,
    pub lines: Vec<ScoreLine>,
    /// Each of these in the order of time.
    pub kills: Vec<Kill>,
    pub buildings: Vec<Building>,
    pub monsters: Vec<Monster>,
}

pub(super) fn seed_of(world_seed: u64, shape: Shape, number: u32) -> u64 {
    hash(&[world_seed, 0x5C21_0000, shape as u64, u64::from(number)])
}

/// The clock at the end of a script, without writing it: the list of matches needs nothing else.
pub fn length_ms(world_seed: u64, shape: Shape, number: u32) -> u32 {
    let mut draw = Draw::new(seed_of(world_seed, shape, number));
    let (base, spread) = match shape {
        Shape::Classic | Shape::NoWinner => (840, 520),
        Shape::Remake => (180, 23),
        Shape::Aram => (800, 250),
        Shape::Arena => (1250, 150),
        Shape::Bots => (850, 150),
    };
    let seconds = base + (0..3).map(|_| draw.below(spread)).sum::<u32>();
    // The clock ends up to a second later than the whole seconds that `gameDuration` tells.
    seconds * 1000 + 450 + draw.below(500)
}

impl Script {
    pub fn duration_s(&self) -> u32 {
        self.length_ms / 1000
    }

    /// Whole minutes that began after the start: frames of the timeline between the first and the last.
    pub fn minutes(&self) -> u32 {
        self.length_ms / 60_000
    }

    pub fn side_kills(&self, side: usize) -> u32 {
        self.lines
            .iter()
            .filter(|line| line.side == side)
            .map(|line| line.kills)
            .sum()
    }

    pub fn same_team(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.lines[a], &self.lines[b]);
        if self.shape == Shape::Arena {
            a.subteam == b.subteam
        } else {
            a.side == b.side
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_the_same_each_time_and_another_for_another_seed() {
        let text = |seed| format!("{:?}", Script::new(seed, Shape::Classic, 3));
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn kills_are_someones_deaths_and_times_are_in_order() {
        for shape in Shape::ALL {
            for number in 0..shape.scripts() {
                let script = Script::new(9, shape, number);
                let sum = |of: fn(&ScoreLine) -> u32| script.lines.iter().map(of).sum::<u32>();
                assert_eq!(sum(|l| l.kills), sum(|l| l.deaths));
                assert_eq!(sum(|l| l.kills) as usize, script.kills.len());
                assert!(script.kills.is_sorted_by_key(|k| k.at_ms));
                assert!(
                    script.kills.iter().all(
                        |k| k.at_ms < script.length_ms && !script.same_team(k.killer, k.victim)
                    )
                );
                assert!(
                    script
                        .buildings
                        .iter()
                        .all(|b| b.at_ms < script.length_ms - 5_000)
                );
                let winners = script.lines.iter().filter(|l| l.win).count();
                let expected = if shape == Shape::NoWinner {
                    0
                } else {
                    shape.participants() / 2
                };
                assert_eq!(winners, expected, "{shape:?}");
                assert_eq!(
                    script.lines.iter().filter(|l| !l.bot).count(),
                    shape.people()
                );
            }
        }
    }

    #[test]
    fn lengths_are_those_of_real_games() {
        let seconds =
            |shape: Shape| (0..shape.scripts()).map(move |n| length_ms(5, shape, n) / 1000);
        assert!(seconds(Shape::Remake).all(|s| (180..=250).contains(&s)));
        assert!(seconds(Shape::Classic).all(|s| (840..=2400).contains(&s)));
        let mean = seconds(Shape::Classic).sum::<u32>() / Shape::Classic.scripts();
        assert!((1500..=1740).contains(&mean), "{mean}");
    }
}

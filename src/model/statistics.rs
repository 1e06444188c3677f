//! A player's year: the tally that matches are added to, and the row it becomes.
//!
//! The same `add` serves the transaction that stores a match and the recomputation that checks it,
//! so the two cannot differ by rule. Adding is commutative: the order of arrival does not show.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::records::MatchClass;

/// What one participant's game adds to a year.
#[derive(Debug, Clone, PartialEq)]
pub struct GameFacts {
    pub class: MatchClass,
    pub win: bool,
    pub kills: i32,
    pub deaths: i32,
    pub assists: i32,
    pub gold_earned: i32,
    pub total_minions_killed: i32,
    pub neutral_minions_killed: i32,
    pub damage_to_champions: i32,
    pub champion_id: i32,
    pub champion_name: Arc<str>,
    pub role: Arc<str>,
    pub lane: Arc<str>,
}

/// Exact sums of a year. Integers only: nothing is lost however often it is written and read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct YearlyTally {
    pub wins: i64,
    pub losses: i64,
    pub remakes: i64,
    pub kills: i64,
    pub deaths: i64,
    pub assists: i64,
    pub gold_earned: i64,
    pub total_minions_killed: i64,
    pub neutral_minions_killed: i64,
    pub damage_to_champions: i64,
    pub counts: Counts,
}

/// How often each champion, role and lane was played; kept beside the row as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    #[serde(rename = "c", default)]
    pub champions: BTreeMap<i32, ChampionCount>,
    #[serde(rename = "r", default)]
    pub roles: BTreeMap<Arc<str>, u32>,
    #[serde(rename = "l", default)]
    pub lanes: BTreeMap<Arc<str>, u32>,
}

/// Games on one champion, and its name. Spellings differ between patches; the smallest is kept, so
/// that the order of arrival does not show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChampionCount(pub u32, pub Arc<str>);

impl YearlyTally {
    pub fn add(&mut self, game: &GameFacts) {
        match game.class {
            MatchClass::Void => return,
            MatchClass::Remake => {
                self.remakes += 1;
                return;
            }
            MatchClass::Played => {}
        }
        if game.win {
            self.wins += 1;
        } else {
            self.losses += 1;
        }
        self.kills += i64::from(game.kills);
        self.deaths += i64::from(game.deaths);
        self.assists += i64::from(game.assists);
        self.gold_earned += i64::from(game.gold_earned);
        self.total_minions_killed += i64::from(game.total_minions_killed);
        self.neutral_minions_killed += i64::from(game.neutral_minions_killed);
        self.damage_to_champions += i64::from(game.damage_to_champions);
        self.counts
            .champions
            .entry(game.champion_id)
            .and_modify(|ChampionCount(games, name)| {
                *games += 1;
                if game.champion_name < *name {
                    *name = game.champion_name.clone();
                }
            })
            .or_insert_with(|| ChampionCount(1, game.champion_name.clone()));
        for (map, value) in [
            (&mut self.counts.roles, &game.role),
            (&mut self.counts.lanes, &game.lane),
        ] {
            if !value.is_empty() {
                *map.entry(value.clone()).or_default() += 1;
            }
        }
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: &Self) {
        self.wins += other.wins;
        self.losses += other.losses;
        self.remakes += other.remakes;
        self.kills += other.kills;
        self.deaths += other.deaths;
        self.assists += other.assists;
        self.gold_earned += other.gold_earned;
        self.total_minions_killed += other.total_minions_killed;
        self.neutral_minions_killed += other.neutral_minions_killed;
        self.damage_to_champions += other.damage_to_champions;
        for (id, ChampionCount(games, name)) in &other.counts.champions {
            self.counts
                .champions
                .entry(*id)
                .and_modify(|ChampionCount(sum, known)| {
                    *sum += games;
                    if name < known {
                        known.clone_from(name);
                    }
                })
                .or_insert_with(|| ChampionCount(*games, name.clone()));
        }
        for (map, more) in [
            (&mut self.counts.roles, &other.counts.roles),
            (&mut self.counts.lanes, &other.counts.lanes),
        ] {
            for (value, games) in more {
                *map.entry(value.clone()).or_default() += games;
            }
        }
    }

    /// Games that count: neither remakes nor void ones.
    pub fn total_matches(&self) -> i64 {
        self.wins + self.losses
    }

    /// The champion played most and how often; of several, the one with the smallest id.
    pub fn most_played_champion(&self) -> Option<(&str, u32)> {
        self.counts
            .champions
            .values()
            .rev()
            .max_by_key(|ChampionCount(games, _)| *games)
            .map(|ChampionCount(games, name)| (&**name, *games))
    }

    /// Riot's number of the same champion.
    pub fn most_played_champion_id(&self) -> Option<i32> {
        let champions = self.counts.champions.iter().rev();
        let most = champions.max_by_key(|(_, ChampionCount(games, _))| *games);
        most.map(|(id, _)| *id)
    }

    /// Wins per 100 games; 0 without games.
    pub fn win_rate(&self) -> f64 {
        100.0 * self.per_match(self.wins)
    }

    /// (kills + assists) / deaths, or kills + assists without a death.
    pub fn kda_ratio(&self) -> f64 {
        let part = self.kills + self.assists;
        if self.deaths == 0 {
            part as f64
        } else {
            part as f64 / self.deaths as f64
        }
    }

    /// `sum` a game; 0 without games.
    pub fn per_match(&self, sum: i64) -> f64 {
        match self.total_matches() {
            0 => 0.0,
            games => sum as f64 / games as f64,
        }
    }

    /// Minions of lanes and jungle a game.
    pub fn average_cs(&self) -> f64 {
        self.per_match(self.total_minions_killed + self.neutral_minions_killed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn game(class: MatchClass, win: bool, champion: i32) -> GameFacts {
        GameFacts {
            class,
            win,
            kills: 5,
            deaths: 2,
            assists: 7,
            gold_earned: 10_000,
            total_minions_killed: 150,
            neutral_minions_killed: 10,
            damage_to_champions: 20_000,
            champion_id: champion,
            champion_name: format!("C{champion}").into(),
            role: "SOLO".into(),
            lane: "TOP".into(),
        }
    }

    #[test]
    fn a_remake_counts_as_a_remake_and_as_nothing_else_even_when_won() {
        let mut tally = YearlyTally::default();
        tally.add(&game(MatchClass::Remake, true, 1));
        assert_eq!(
            tally,
            YearlyTally {
                remakes: 1,
                ..YearlyTally::default()
            }
        );
    }

    #[test]
    fn a_void_game_counts_nowhere() {
        let mut tally = YearlyTally::default();
        tally.add(&game(MatchClass::Void, false, 1));
        assert_eq!(tally, YearlyTally::default());
    }

    #[test]
    fn without_a_death_the_ratio_is_kills_and_assists() {
        let mut tally = YearlyTally::default();
        assert_eq!(
            (tally.kda_ratio(), tally.win_rate(), tally.average_cs()),
            (0.0, 0.0, 0.0)
        );
        tally.add(&GameFacts {
            deaths: 0,
            ..game(MatchClass::Played, true, 1)
        });
        assert_eq!(
            (tally.kda_ratio(), tally.win_rate(), tally.average_cs()),
            (12.0, 100.0, 160.0)
        );
        tally.add(&game(MatchClass::Played, false, 1));
        assert_eq!((tally.kda_ratio(), tally.win_rate()), (12.0, 50.0));
    }

    #[test]
    fn of_champions_played_equally_often_the_smallest_id_is_named() {
        let mut tally = YearlyTally::default();
        for champion in [9, 3, 9, 3, 5] {
            tally.add(&game(MatchClass::Played, true, champion));
        }
        assert_eq!(tally.most_played_champion(), Some(("C3", 2)));
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_show(
            games in prop::collection::vec((0u8..3, any::<bool>(), 0i32..5, 0i32..20, any::<bool>()), 0..60), seed in any::<u64>(),
        ) {
            let facts: Vec<_> = games.iter().map(|(class, win, champion, kills, other)| {
                let class = [MatchClass::Played, MatchClass::Remake, MatchClass::Void][*class as usize];
                let name = if *other { "Fiddlesticks" } else { "FiddleSticks" };
                GameFacts { kills: *kills, champion_name: name.into(), ..game(class, *win, *champion) }
            }).collect();
            let mut shuffled = facts.clone();
            fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
            let (mut one, mut other) = (YearlyTally::default(), YearlyTally::default());
            for f in &facts { one.add(f); }
            for f in &shuffled { other.add(f); }
            prop_assert_eq!(&one, &other);
            let json = serde_json::to_string(&one.counts).unwrap();
            prop_assert_eq!(serde_json::from_str::<Counts>(&json).unwrap(), one.counts);
        }
    }
}

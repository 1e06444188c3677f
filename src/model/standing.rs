//! Where a player stands: in the leagues, and with each champion. Only changes are kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A player's place in the ladder of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// In the API's word: `RANKED_SOLO_5x5`.
    pub queue: String,
    /// None: in no league of the queue any more.
    pub tier: Option<String>,
    pub division: Option<String>,
    pub league_points: Option<i32>,
    pub wins: Option<i32>,
    pub losses: Option<i32>,
    pub hot_streak: Option<bool>,
}

impl Rank {
    fn none(queue: &str) -> Self {
        Self {
            queue: queue.to_owned(),
            tier: None,
            division: None,
            league_points: None,
            wins: None,
            losses: None,
            hot_streak: None,
        }
    }

    /// Its height on one ladder of all tiers: 100 a division from the foot of Iron IV on. None: it has no height
    /// that is
    /// known here. The view `v_ranks` says the same.
    pub fn points(&self) -> Option<i32> {
        const TIERS: [&str; 7] = [
            "IRON", "BRONZE", "SILVER", "GOLD", "PLATINUM", "EMERALD", "DIAMOND",
        ];
        const APEX: [&str; 3] = ["MASTER", "GRANDMASTER", "CHALLENGER"];
        let (tier, points) = (self.tier.as_deref()?, self.league_points?);
        if APEX.contains(&tier) {
            return points.checked_add(400 * i32::try_from(TIERS.len()).ok()?);
        }
        let tier = TIERS.iter().position(|known| *known == tier)?;
        let division = ["IV", "III", "II", "I"];
        let division = division
            .iter()
            .position(|known| Some(*known) == self.division.as_deref())?;
        points.checked_add(i32::try_from(400 * tier + 100 * division).ok()?)
    }
}

/// What a player has come to with a champion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mastery {
    pub champion_id: i32,
    pub level: Option<i32>,
    pub points: Option<i64>,
    /// Milliseconds since 1970.
    pub last_played: Option<i64>,
}

/// Something that is seen again and again, of which changes are kept.
pub trait Seen: Clone + PartialEq {
    type Key<'a>: Ord
    where
        Self: 'a;
    fn key(&self) -> Self::Key<'_>;
}

impl Seen for Rank {
    type Key<'a> = &'a str;
    fn key(&self) -> &str {
        &self.queue
    }
}

impl Seen for Mastery {
    type Key<'a> = i32;
    fn key(&self) -> i32 {
        self.champion_id
    }
}

/// What of it changed: all that is not what was seen last. What was seen at that moment or later stands: this was asked
/// before, and came late.
pub fn changed<S: Seen>(stored: &[(S, Timestamp)], told: &[S], at: Timestamp) -> Vec<S> {
    let last: BTreeMap<S::Key<'_>, &(S, Timestamp)> =
        stored.iter().map(|one| (one.0.key(), one)).collect();
    let mut told_of = BTreeSet::new();
    let news = told.iter().filter(|one| {
        told_of.insert(one.key())
            && last
                .get(&one.key())
                .is_none_or(|(was, seen_at)| *seen_at < at && was != *one)
    });
    news.cloned().collect()
}

/// The ranks that Riot tells, and that there is none any more in a queue that had one. `whole`: all of the answer
/// could be
/// read.
pub fn with_lost_ranks(stored: &[(Rank, Timestamp)], told: &[Rank], whole: bool) -> Vec<Rank> {
    let mut all = told.to_vec();
    if whole {
        let queues: BTreeSet<&str> = told.iter().map(|one| one.queue.as_str()).collect();
        let lost = stored.iter().map(|(rank, _)| rank);
        let lost = lost.filter(|rank| rank.tier.is_some() && !queues.contains(rank.queue.as_str()));
        all.extend(lost.map(|rank| Rank::none(&rank.queue)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(queue: &str, tier: &str, division: &str, points: i32) -> Rank {
        Rank {
            tier: Some(tier.to_owned()),
            division: Some(division.to_owned()),
            league_points: Some(points),
            wins: Some(3),
            ..Rank::none(queue)
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn only_what_is_not_as_it_was_seen_last_is_a_change() {
        let (gold, flex) = (
            rank("solo", "GOLD", "II", 50),
            rank("flex", "IRON", "IV", 0),
        );
        let stored = [(gold.clone(), at(5)), (flex.clone(), at(5))];
        let same = [gold.clone(), flex.clone()];
        assert_eq!(changed(&stored, &same, at(9)), []);
        let up = rank("solo", "GOLD", "I", 1);
        let told = [up.clone(), flex.clone(), rank("solo", "GOLD", "I", 2)];
        assert_eq!(changed(&stored, &told, at(9)), [up], "each queue once");
        let late = [rank("solo", "GOLD", "III", 1)];
        assert_eq!(changed(&stored, &late, at(5)), [], "asked before");
        assert_eq!(changed(&[], &same, at(0)), same);
    }

    #[test]
    fn a_queue_without_a_rank_any_more_is_a_change_once_if_the_whole_answer_was_read() {
        let gold = rank("solo", "GOLD", "II", 50);
        let stored = [(gold.clone(), at(5))];
        let lost = with_lost_ranks(&stored, &[], true);
        assert_eq!(lost, [Rank::none("solo")]);
        assert_eq!(changed(&stored, &lost, at(6)), lost);
        assert_eq!(with_lost_ranks(&stored, &[], false), []);
        let stored = [(Rank::none("solo"), at(6))];
        assert_eq!(with_lost_ranks(&stored, &[], true), []);
        assert_eq!(
            with_lost_ranks(&stored, std::slice::from_ref(&gold), true),
            [gold]
        );
    }

    #[test]
    fn all_tiers_are_one_ladder() {
        let points = |tier, division, points| rank("solo", tier, division, points).points();
        assert_eq!(points("IRON", "IV", 0), Some(0));
        assert_eq!(points("GOLD", "II", 56), Some(1_456));
        assert_eq!(points("DIAMOND", "I", 99), Some(2_799));
        assert_eq!(points("MASTER", "I", 0), Some(2_800));
        assert_eq!(points("CHALLENGER", "I", 1_200), Some(4_000));
        assert_eq!(points("WOOD", "I", 1), None);
        assert_eq!(points("GOLD", "V", 1), None);
        assert_eq!(points("CHALLENGER", "I", i32::MAX), None);
        assert_eq!(Rank::none("solo").points(), None);
    }
}

//! Where players stand: what is written of it, and what is read.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use super::StoreResult;
use crate::model::standing::{Mastery, Rank};
use crate::model::{Puuid, Timestamp};

/// What Riot told of a player at a moment; the player is in a row, or comes with the same end. Of it only what
/// changed is
/// written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldStanding {
    pub puuid: Puuid,
    pub at: Timestamp,
    pub what: Told,
}

/// See [`ToldStanding`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Ranks {
        ranks: Vec<Rank>,
        /// All of the answer could be read: a queue that is not in it has no rank any more.
        whole: bool,
    },
    Mastery(Vec<Mastery>),
}

/// What is stored of a player.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerStanding {
    pub tracked: bool,
    /// When Riot last told the ranks, and the mastery; none: it never did.
    pub ranks_at: Option<Timestamp>,
    pub mastery_at: Option<Timestamp>,
    /// The newest first in each queue.
    pub ranks: Vec<(Rank, Timestamp)>,
    /// As they are, the most points first.
    pub masteries: Vec<(Mastery, Timestamp)>,
}

#[async_trait]
pub trait StandingStore {
    /// A player's standing, with up to `changes` ranks of each queue and up to `champions`. None: there is no such
    /// player.
    async fn standing(
        &self,
        player_id: i64,
        changes: usize,
        champions: usize,
    ) -> StoreResult<Option<PlayerStanding>>;
}

type Opt<T> = Nullable<T>;

/// Tracked, and when ranks and mastery were told.
pub(super) type AskedTuple = (bool, Option<i64>, Option<i64>);

pub(super) type RankRow = (
    Text,
    BigInt,
    Opt<Text>,
    Opt<Text>,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Bool>,
);
pub(super) type RankTuple = (
    String,
    i64,
    Option<String>,
    Option<String>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<bool>,
);

pub(super) type MasteryRow = (Integer, BigInt, Opt<Integer>, Opt<BigInt>, Opt<BigInt>);
pub(super) type MasteryTuple = (i32, i64, Option<i32>, Option<i64>, Option<i64>);

/// What is written anew is each database's own: JSON is taken apart in other ways.
pub(super) mod sql {
    use super::{BigInt, MasteryRow, RankRow, Text};
    use crate::store::statement::{List, shared_statement};

    shared_statement! {
        Ranks { player: i64 => BigInt, limit: i64 => BigInt } -> RankRow =
        "SELECT queue, seen_at, tier, division, league_points, wins, losses, hot_streak
         FROM (SELECT *, row_number() OVER (PARTITION BY queue ORDER BY seen_at DESC) AS place FROM rank_history WHERE player_id = ?) r
         WHERE place <= ? ORDER BY queue DESC, seen_at DESC";
    }

    shared_statement! {
        Masteries { player: i64 => BigInt, limit: i64 => BigInt } -> MasteryRow =
        "SELECT champion_id, seen_at, level, points, last_played
         FROM (SELECT *, row_number() OVER (PARTITION BY champion_id ORDER BY seen_at DESC) AS place FROM mastery_history WHERE player_id = ?) m
         WHERE place = 1 ORDER BY points DESC NULLS LAST, champion_id LIMIT ?";
    }

    shared_statement! {
        /// Whose standing is written has a row that this transaction holds from here on. None: there is no such
        /// player, or what was asked for later is stored already.
        RanksTold<'a> { at: i64 => BigInt, puuid: &'a str => Text, now: i64 => BigInt } -> BigInt =
        "UPDATE players SET ranks_at = ? WHERE puuid = ? AND coalesce(ranks_at, -1) < ? RETURNING id";
    }

    shared_statement! {
        MasteryTold<'a> { at: i64 => BigInt, puuid: &'a str => Text, now: i64 => BigInt } -> BigInt =
        "UPDATE players SET mastery_at = ? WHERE puuid = ? AND coalesce(mastery_at, -1) < ? RETURNING id";
    }

    shared_statement! {
        MoveRanks<'a> { to: i64 => BigInt, from: &'a [i64] => List<BigInt> } -> () =
        "INSERT INTO rank_history (player_id, queue, seen_at, tier, division, league_points, wins, losses, hot_streak)
         SELECT ?, queue, seen_at, tier, division, league_points, wins, losses, hot_streak FROM rank_history WHERE player_id {in ?}
         ON CONFLICT DO NOTHING";
    }

    shared_statement! {
        DropRanks<'a> { players: &'a [i64] => List<BigInt> } -> () = "DELETE FROM rank_history WHERE player_id {in ?}";
    }

    shared_statement! {
        /// Of two that follow each other and say the same, the later one goes.
        ThinRanks { player: i64 => BigInt, of: i64 => BigInt } -> () =
        "DELETE FROM rank_history WHERE player_id = ? AND (queue, seen_at) IN
            (SELECT queue, seen_at FROM (
                SELECT queue, seen_at, row_number() OVER w > 1
                    AND tier IS NOT DISTINCT FROM lag(tier) OVER w AND division IS NOT DISTINCT FROM lag(division) OVER w
                    AND league_points IS NOT DISTINCT FROM lag(league_points) OVER w
                    AND wins IS NOT DISTINCT FROM lag(wins) OVER w AND losses IS NOT DISTINCT FROM lag(losses) OVER w
                    AND hot_streak IS NOT DISTINCT FROM lag(hot_streak) OVER w AS same
                FROM rank_history WHERE player_id = ? WINDOW w AS (PARTITION BY queue ORDER BY seen_at)) r
             WHERE same)";
    }

    shared_statement! {
        MoveMasteries<'a> { to: i64 => BigInt, from: &'a [i64] => List<BigInt> } -> () =
        "INSERT INTO mastery_history (player_id, champion_id, seen_at, level, points, last_played)
         SELECT ?, champion_id, seen_at, level, points, last_played FROM mastery_history WHERE player_id {in ?} ON CONFLICT DO NOTHING";
    }

    shared_statement! {
        DropMasteries<'a> { players: &'a [i64] => List<BigInt> } -> () = "DELETE FROM mastery_history WHERE player_id {in ?}";
    }

    shared_statement! {
        ThinMasteries { player: i64 => BigInt, of: i64 => BigInt } -> () =
        "DELETE FROM mastery_history WHERE player_id = ? AND (champion_id, seen_at) IN
            (SELECT champion_id, seen_at FROM (
                SELECT champion_id, seen_at, row_number() OVER w > 1
                    AND level IS NOT DISTINCT FROM lag(level) OVER w AND points IS NOT DISTINCT FROM lag(points) OVER w
                    AND last_played IS NOT DISTINCT FROM lag(last_played) OVER w AS same
                FROM mastery_history WHERE player_id = ? WINDOW w AS (PARTITION BY champion_id ORDER BY seen_at)) m
             WHERE same)";
    }
}

pub(super) fn ranks_from(rows: Vec<RankTuple>) -> Vec<(Rank, Timestamp)> {
    let rank = |row: RankTuple| {
        let (queue, seen_at, tier, division, league_points, wins, losses, hot_streak) = row;
        let rank = Rank {
            queue,
            tier,
            division,
            league_points,
            wins,
            losses,
            hot_streak,
        };
        (rank, Timestamp::from_millis(seen_at))
    };
    rows.into_iter().map(rank).collect()
}

pub(super) fn masteries_from(rows: Vec<MasteryTuple>) -> Vec<(Mastery, Timestamp)> {
    let mastery = |(champion_id, seen_at, level, points, last_played): MasteryTuple| {
        let mastery = Mastery {
            champion_id,
            level,
            points,
            last_played,
        };
        (mastery, Timestamp::from_millis(seen_at))
    };
    rows.into_iter().map(mastery).collect()
}

pub(super) fn standing_from(
    asked: Option<AskedTuple>,
    ranks: Vec<RankTuple>,
    masteries: Vec<MasteryTuple>,
) -> Option<PlayerStanding> {
    let (tracked, ranks_at, mastery_at) = asked?;
    Some(PlayerStanding {
        tracked,
        ranks_at: ranks_at.map(Timestamp::from_millis),
        mastery_at: mastery_at.map(Timestamp::from_millis),
        ranks: ranks_from(ranks),
        masteries: masteries_from(masteries),
    })
}

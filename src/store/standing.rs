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
pub(super) type AskedRow = (Bool, Opt<BigInt>, Opt<BigInt>);
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

/// The selects, once for both databases.
macro_rules! ranks_select {
    () => {
        "SELECT queue, seen_at, tier, division, league_points, wins, losses, hot_streak
         FROM (SELECT *, row_number() OVER (PARTITION BY queue ORDER BY seen_at DESC) AS place FROM rank_history WHERE player_id = ?) r
         WHERE place <= ? ORDER BY queue DESC, seen_at DESC"
    };
}

macro_rules! mastery_select {
    () => {
        "SELECT champion_id, seen_at, level, points, last_played
         FROM (SELECT *, row_number() OVER (PARTITION BY champion_id ORDER BY seen_at DESC) AS place FROM mastery_history WHERE player_id = ?) m
         WHERE place = 1 ORDER BY points DESC NULLS LAST, champion_id LIMIT ?"
    };
}

pub(super) use {mastery_select, ranks_select};

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

//! Where players stand.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Text};

use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
use crate::store::StoreResult;
use crate::store::standing::{
    AskedRow, AskedTuple, MasteryRow, MasteryTuple, PlayerStanding, RankRow, RankTuple,
    StandingStore, mastery_select, ranks_select, standing_from,
};

mod sql {
    use super::{AskedRow, BigInt, MasteryRow, RankRow, Text, mastery_select, ranks_select};
    use crate::store::statement::statement;

    statement! {
        Asked { player: i64 => BigInt } -> AskedRow =
        "SELECT tracked, ranks_at, mastery_at FROM players WHERE id = ?";
    }

    statement! { Ranks { player: i64 => BigInt, limit: i64 => BigInt } -> RankRow = ranks_select!(); }

    statement! { Masteries { player: i64 => BigInt, limit: i64 => BigInt } -> MasteryRow = mastery_select!(); }

    statement! {
        PutRanks<'a> { player: i64 => BigInt, at: i64 => BigInt, ranks: &'a str => Text } -> () =
        "INSERT INTO rank_history (player_id, queue, seen_at, tier, division, league_points, wins, losses, hot_streak)
         SELECT ?, value ->> 'queue', ?, value ->> 'tier', value ->> 'division', value ->> 'league_points', value ->> 'wins',
                value ->> 'losses', value ->> 'hot_streak'
         FROM json_each(?)";
    }

    statement! {
        PutMasteries<'a> { player: i64 => BigInt, at: i64 => BigInt, masteries: &'a str => Text } -> () =
        "INSERT INTO mastery_history (player_id, champion_id, seen_at, level, points, last_played)
         SELECT ?, value ->> 'champion_id', ?, value ->> 'level', value ->> 'points', value ->> 'last_played' FROM json_each(?)";
    }

    statement! {
        /// None: there is no such player, or what was asked for later is stored already.
        RanksTold<'a> { at: i64 => BigInt, puuid: &'a str => Text, now: i64 => BigInt } -> BigInt =
        "UPDATE players SET ranks_at = ? WHERE puuid = ? AND coalesce(ranks_at, -1) < ? RETURNING id";
    }

    statement! {
        MasteryTold<'a> { at: i64 => BigInt, puuid: &'a str => Text, now: i64 => BigInt } -> BigInt =
        "UPDATE players SET mastery_at = ? WHERE puuid = ? AND coalesce(mastery_at, -1) < ? RETURNING id";
    }

    statement! {
        MoveRanks { to: i64 => BigInt, from: i64 => BigInt } -> () =
        "UPDATE OR IGNORE rank_history SET player_id = ? WHERE player_id = ?";
    }

    statement! { DropRanks { player: i64 => BigInt } -> () = "DELETE FROM rank_history WHERE player_id = ?"; }

    statement! {
        /// Of two that follow each other and say the same, the later one goes.
        ThinRanks { player: i64 => BigInt, of: i64 => BigInt } -> () =
        "DELETE FROM rank_history WHERE player_id = ? AND (queue, seen_at) IN
            (SELECT queue, seen_at FROM (
                SELECT queue, seen_at, row_number() OVER w > 1 AND tier IS lag(tier) OVER w AND division IS lag(division) OVER w
                    AND league_points IS lag(league_points) OVER w AND wins IS lag(wins) OVER w AND losses IS lag(losses) OVER w
                    AND hot_streak IS lag(hot_streak) OVER w AS same
                FROM rank_history WHERE player_id = ? WINDOW w AS (PARTITION BY queue ORDER BY seen_at)) r
             WHERE same)";
    }

    statement! {
        MoveMasteries { to: i64 => BigInt, from: i64 => BigInt } -> () =
        "UPDATE OR IGNORE mastery_history SET player_id = ? WHERE player_id = ?";
    }

    statement! { DropMasteries { player: i64 => BigInt } -> () = "DELETE FROM mastery_history WHERE player_id = ?"; }

    statement! {
        ThinMasteries { player: i64 => BigInt, of: i64 => BigInt } -> () =
        "DELETE FROM mastery_history WHERE player_id = ? AND (champion_id, seen_at) IN
            (SELECT champion_id, seen_at FROM (
                SELECT champion_id, seen_at, row_number() OVER w > 1 AND level IS lag(level) OVER w AND points IS lag(points) OVER w
                    AND last_played IS lag(last_played) OVER w AS same
                FROM mastery_history WHERE player_id = ? WINDOW w AS (PARTITION BY champion_id ORDER BY seen_at)) m
             WHERE same)";
    }
}

mod write {
    //! Apart from what is read beside the writer: both have a trait with the same verbs.
    use diesel::{OptionalExtension, RunQueryDsl};

    use super::super::transaction::Transaction;
    use super::sql;
    use crate::model::standing::{changed, with_lost_ranks};
    use crate::store::StoreResult;
    use crate::store::rows::to_json;
    use crate::store::standing::{
        MasteryTuple, RankTuple, Told, ToldStanding, masteries_from, ranks_from,
    };

    impl Transaction<'_> {
        pub(in crate::store::sqlite) fn store_standing(
            &mut self,
            told: &ToldStanding,
        ) -> StoreResult<()> {
            let (puuid, at) = (told.puuid.as_str(), told.at.as_millis());
            match &told.what {
                Told::Ranks { ranks, whole } => {
                    let row = sql::RanksTold { at, puuid, now: at };
                    let player: Option<i64> = row.get_result(self.conn).optional()?;
                    let Some(player) = player else { return Ok(()) };
                    let rows: Vec<RankTuple> = sql::Ranks { player, limit: 1 }.load(self.conn)?;
                    let stored = ranks_from(rows);
                    let ranks = changed(&stored, &with_lost_ranks(&stored, ranks, *whole), told.at);
                    if !ranks.is_empty() {
                        let ranks = &to_json(&ranks)?;
                        sql::PutRanks { player, at, ranks }.execute(self.conn)?;
                    }
                }
                Told::Mastery(masteries) => {
                    let row = sql::MasteryTold { at, puuid, now: at };
                    let player: Option<i64> = row.get_result(self.conn).optional()?;
                    let Some(player) = player else { return Ok(()) };
                    let last = sql::Masteries {
                        player,
                        limit: i64::MAX,
                    };
                    let rows: Vec<MasteryTuple> = last.load(self.conn)?;
                    let masteries = changed(&masteries_from(rows), masteries, told.at);
                    if !masteries.is_empty() {
                        let masteries = &to_json(&masteries)?;
                        let put = sql::PutMasteries {
                            player,
                            at,
                            masteries,
                        };
                        put.execute(self.conn)?;
                    }
                }
            }
            Ok(())
        }

        /// What one row of a person has come to goes to another.
        pub(in crate::store::sqlite) fn move_standing(
            &mut self,
            to: i64,
            from: i64,
        ) -> StoreResult<()> {
            let player = from;
            sql::MoveRanks { to, from }.execute(self.conn)?;
            sql::DropRanks { player }.execute(self.conn)?;
            sql::MoveMasteries { to, from }.execute(self.conn)?;
            sql::DropMasteries { player }.execute(self.conn)?;
            let (player, of) = (to, to);
            sql::ThinRanks { player, of }.execute(self.conn)?;
            sql::ThinMasteries { player, of }.execute(self.conn)?;
            Ok(())
        }
    }
}

#[async_trait]
impl StandingStore for SqliteStore {
    async fn standing(
        &self,
        player: i64,
        changes: usize,
        champions: usize,
    ) -> StoreResult<Option<PlayerStanding>> {
        let limit = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let asked: Vec<AskedTuple> = sql::Asked { player }.load(reader.conn()).await?;
        let ranks = sql::Ranks {
            player,
            limit: limit(changes),
        };
        let ranks: Vec<RankTuple> = ranks.load(reader.conn()).await?;
        let masteries = sql::Masteries {
            player,
            limit: limit(champions),
        };
        let masteries: Vec<MasteryTuple> = masteries.load(reader.conn()).await?;
        Ok(standing_from(asked.into_iter().next(), ranks, masteries))
    }
}

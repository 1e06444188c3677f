//! Where players stand.

use async_trait::async_trait;
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::RunQueryDsl;

use super::Fault;
use super::reader::read;
use super::transaction::Transaction;
use super::{Backend, PostgresStore};
use crate::model::standing::{changed, with_lost_ranks};
use crate::store::StoreResult;
use crate::store::rows::to_json;
use crate::store::standing::{
    AskedRow, AskedTuple, MasteryRow, MasteryTuple, PlayerStanding, RankRow, RankTuple,
    StandingStore, Told, ToldStanding, masteries_from, mastery_select, ranks_from, ranks_select,
    standing_from,
};

mod sql {
    use super::{Array, AskedRow, BigInt, MasteryRow, RankRow, Text, mastery_select, ranks_select};
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
         SELECT ?, queue, ?, tier, division, league_points, wins, losses, hot_streak
         FROM jsonb_to_recordset(?::jsonb) AS told (queue text, tier text, division text, league_points int, wins int, losses int,
                                                    hot_streak boolean)";
    }

    statement! {
        PutMasteries<'a> { player: i64 => BigInt, at: i64 => BigInt, masteries: &'a str => Text } -> () =
        "INSERT INTO mastery_history (player_id, champion_id, seen_at, level, points, last_played)
         SELECT ?, champion_id, ?, level, points, last_played
         FROM jsonb_to_recordset(?::jsonb) AS told (champion_id int, level int, points bigint, last_played bigint)";
    }

    statement! {
        /// Whose standing is written has a row that this transaction holds from here on. None: there is no such
        /// player, or
        /// what was asked for later is stored already.
        RanksTold<'a> { at: i64 => BigInt, puuid: &'a str => Text, now: i64 => BigInt } -> BigInt =
        "UPDATE players SET ranks_at = ? WHERE puuid = ? AND coalesce(ranks_at, -1) < ? RETURNING id";
    }

    statement! {
        MasteryTold<'a> { at: i64 => BigInt, puuid: &'a str => Text, now: i64 => BigInt } -> BigInt =
        "UPDATE players SET mastery_at = ? WHERE puuid = ? AND coalesce(mastery_at, -1) < ? RETURNING id";
    }

    statement! {
        MoveRanks { to: i64 => BigInt, from: Vec<i64> => Array<BigInt> } -> () =
        "INSERT INTO rank_history (player_id, queue, seen_at, tier, division, league_points, wins, losses, hot_streak)
         SELECT ?, queue, seen_at, tier, division, league_points, wins, losses, hot_streak FROM rank_history WHERE player_id = ANY(?)
         ON CONFLICT DO NOTHING";
    }

    statement! { DropRanks { players: Vec<i64> => Array<BigInt> } -> () = "DELETE FROM rank_history WHERE player_id = ANY(?)"; }

    statement! {
        /// Of two that follow each other and say the same, the later one goes.
        ThinRanks { player: i64 => BigInt, of: i64 => BigInt } -> () =
        "DELETE FROM rank_history WHERE player_id = ? AND (queue, seen_at) IN
            (SELECT queue, seen_at FROM (
                SELECT queue, seen_at, row_number() OVER w > 1
                    AND (tier, division, league_points, wins, losses, hot_streak) IS NOT DISTINCT FROM
                        (lag(tier) OVER w, lag(division) OVER w, lag(league_points) OVER w, lag(wins) OVER w, lag(losses) OVER w,
                         lag(hot_streak) OVER w) AS same
                FROM rank_history WHERE player_id = ? WINDOW w AS (PARTITION BY queue ORDER BY seen_at)) r
             WHERE same)";
    }

    statement! {
        MoveMasteries { to: i64 => BigInt, from: Vec<i64> => Array<BigInt> } -> () =
        "INSERT INTO mastery_history (player_id, champion_id, seen_at, level, points, last_played)
         SELECT ?, champion_id, seen_at, level, points, last_played FROM mastery_history WHERE player_id = ANY(?) ON CONFLICT DO NOTHING";
    }

    statement! { DropMasteries { players: Vec<i64> => Array<BigInt> } -> () = "DELETE FROM mastery_history WHERE player_id = ANY(?)"; }

    statement! {
        ThinMasteries { player: i64 => BigInt, of: i64 => BigInt } -> () =
        "DELETE FROM mastery_history WHERE player_id = ? AND (champion_id, seen_at) IN
            (SELECT champion_id, seen_at FROM (
                SELECT champion_id, seen_at, row_number() OVER w > 1
                    AND (level, points, last_played) IS NOT DISTINCT FROM
                        (lag(level) OVER w, lag(points) OVER w, lag(last_played) OVER w) AS same
                FROM mastery_history WHERE player_id = ? WINDOW w AS (PARTITION BY champion_id ORDER BY seen_at)) m
             WHERE same)";
    }
}

impl Transaction<'_> {
    /// Writes what changed. The player's row is locked first: of two that bring the same player, the second sees
    /// what the
    /// first has written.
    pub(super) async fn put_standing(&mut self, told: &ToldStanding) -> Result<(), Fault> {
        let (puuid, at) = (told.puuid.as_str(), told.at.as_millis());
        let mut conn = self.conn;
        match &told.what {
            Told::Ranks { ranks, whole } => {
                let row = sql::RanksTold { at, puuid, now: at };
                let player: Option<i64> = row.get_result(&mut conn).await.optional()?;
                let Some(player) = player else { return Ok(()) };
                let last = sql::Ranks { player, limit: 1 };
                let rows: Vec<RankTuple> = last.load(&mut conn).await?;
                let stored = ranks_from(rows);
                let ranks = changed(&stored, &with_lost_ranks(&stored, ranks, *whole), told.at);
                if !ranks.is_empty() {
                    let ranks = &to_json(&ranks)?;
                    let put = sql::PutRanks { player, at, ranks };
                    put.execute(&mut conn).await?;
                }
            }
            Told::Mastery(masteries) => {
                let row = sql::MasteryTold { at, puuid, now: at };
                let player: Option<i64> = row.get_result(&mut conn).await.optional()?;
                let Some(player) = player else { return Ok(()) };
                let limit = i64::MAX;
                let last = sql::Masteries { player, limit };
                let rows: Vec<MasteryTuple> = last.load(&mut conn).await?;
                let masteries = changed(&masteries_from(rows), masteries, told.at);
                if !masteries.is_empty() {
                    let masteries = &to_json(&masteries)?;
                    let put = sql::PutMasteries {
                        player,
                        at,
                        masteries,
                    };
                    put.execute(&mut conn).await?;
                }
            }
        }
        Ok(())
    }

    /// What rows of a person have come to goes to another.
    pub(super) async fn move_standing(&mut self, to: i64, from: &[i64]) -> Result<(), Fault> {
        let mut conn = self.conn;
        let of_those = || from.to_vec();
        let (player, of) = (to, to);
        let ranks = sql::MoveRanks {
            to,
            from: of_those(),
        };
        ranks.execute(&mut conn).await?;
        let players = of_those();
        sql::DropRanks { players }.execute(&mut conn).await?;
        sql::ThinRanks { player, of }.execute(&mut conn).await?;
        let masteries = sql::MoveMasteries {
            to,
            from: of_those(),
        };
        masteries.execute(&mut conn).await?;
        let players = of_those();
        sql::DropMasteries { players }.execute(&mut conn).await?;
        sql::ThinMasteries { player, of }.execute(&mut conn).await?;
        Ok(())
    }
}

#[async_trait]
impl StandingStore for PostgresStore {
    async fn standing(
        &self,
        player: i64,
        changes: usize,
        champions: usize,
    ) -> StoreResult<Option<PlayerStanding>> {
        let limit = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let (changes, champions) = (limit(changes), limit(champions));
        let asked: Option<AskedTuple> =
            read!(self.readers, conn => sql::Asked { player }.get_result(conn).await.optional());
        let ranks: Vec<RankTuple> =
            read!(self.readers, conn => sql::Ranks { player, limit: changes }.load(conn).await);
        let masteries = || sql::Masteries {
            player,
            limit: champions,
        };
        let masteries: Vec<MasteryTuple> =
            read!(self.readers, conn => masteries().load(conn).await);
        Ok(standing_from(asked, ranks, masteries))
    }
}

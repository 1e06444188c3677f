//! Where players stand.

use async_trait::async_trait;
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::Fault;
use super::reader::read;
use super::transaction::Transaction;
use super::{Backend, PostgresStore};
use crate::model::standing::{changed, with_lost_ranks};
use crate::store::rows::to_json;
use crate::store::standing::{
    AskedTuple, MasteryTuple, PlayerStanding, RankTuple, StandingStore, Told, ToldStanding,
    masteries_from, ranks_from, sql, standing_from,
};
use crate::store::{StoreResult, plain};

mod own {
    use super::{BigInt, Text};
    use crate::store::statement::statement;

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
                    let put = own::PutRanks { player, at, ranks };
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
                    let put = own::PutMasteries {
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
        let conn = &mut { self.conn };
        let (players, player, of) = (from, to, to);
        sql::MoveRanks { to, from }.execute(conn).await?;
        sql::DropRanks { players }.execute(conn).await?;
        sql::ThinRanks { player, of }.execute(conn).await?;
        sql::MoveMasteries { to, from }.execute(conn).await?;
        sql::DropMasteries { players }.execute(conn).await?;
        sql::ThinMasteries { player, of }.execute(conn).await?;
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
            read!(self.readers, conn => plain::asked(player).get_result(conn).await.optional());
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

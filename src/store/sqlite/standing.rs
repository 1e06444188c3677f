//! Where players stand.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Text};

use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
use crate::store::standing::{
    AskedTuple, MasteryTuple, PlayerStanding, RankTuple, StandingStore, sql, standing_from,
};
use crate::store::{StoreResult, plain};

mod own {
    use super::{BigInt, Text};
    use crate::store::statement::statement;

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
}

mod write {
    //! Apart from what is read beside the writer: both have a trait with the same verbs.
    use diesel::{OptionalExtension, RunQueryDsl};

    use super::super::transaction::Transaction;
    use super::own;
    use crate::model::standing::{changed, with_lost_ranks};
    use crate::store::StoreResult;
    use crate::store::rows::to_json;
    use crate::store::standing::{
        MasteryTuple, RankTuple, Told, ToldStanding, masteries_from, ranks_from, sql,
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
                        own::PutRanks { player, at, ranks }.execute(self.conn)?;
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
                        let put = own::PutMasteries {
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

        /// What rows of a person have come to goes to another.
        pub(in crate::store::sqlite) fn move_standing(
            &mut self,
            to: i64,
            from: &[i64],
        ) -> StoreResult<()> {
            let (players, player, of) = (from, to, to);
            sql::MoveRanks { to, from }.execute(self.conn)?;
            sql::DropRanks { players }.execute(self.conn)?;
            sql::ThinRanks { player, of }.execute(self.conn)?;
            sql::MoveMasteries { to, from }.execute(self.conn)?;
            sql::DropMasteries { players }.execute(self.conn)?;
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
        let asked: Vec<AskedTuple> = plain::asked(player).load(reader.conn()).await?;
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

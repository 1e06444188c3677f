//! Who is kept up to date.

use async_trait::async_trait;
use diesel::OptionalExtension;
use diesel_async::RunQueryDsl;

use super::Fault;
use super::data::clean;
use super::reader::read;
use super::transaction::Transaction;
use super::{Backend, PostgresStore};
use crate::model::{Puuid, RiotId, Timestamp};
use crate::store::people::{Appearance, LostPlayer, PeopleStore, TrackedPlayer};
use crate::store::people::{AppearanceTuple, LostTuple, TrackedTuple};
use crate::store::people::{appearances_from, lost_from, sql, tracked_from};
use crate::store::rows::{PlayerTuple, id_texts, player_from};
use crate::store::{ListedYear, StoreResult, StoredPlayer, data_statements};

mod own {
    use diesel::sql_types::{Array, BigInt, Bool};

    use crate::store::statement::statement;

    statement! {
        Track { tracked: bool => Bool, ids: Vec<i64> => Array<BigInt> } -> () =
        "WITH told AS MATERIALIZED (SELECT ?::bool AS tracked),
              found AS MATERIALIZED (SELECT id FROM players WHERE id = ANY(?) ORDER BY puuid FOR UPDATE)
         UPDATE players SET tracked = told.tracked FROM found, told WHERE players.id = found.id";
    }
}

impl Transaction<'_> {
    pub(super) async fn put_listed(
        &mut self,
        listed: &ListedYear,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (puuid, platform) = (listed.puuid.as_str(), listed.platform.as_str());
        let year = i32::from(listed.year);
        let ends = listed.end.to_column();
        data_statements::PutPlayerYear {
            year,
            platform,
            at: now.as_millis(),
            matches: i64::from(listed.matches),
            ends: ends.as_deref(),
            puuid,
        }
        .execute(&mut self.conn)
        .await?;
        data_statements::ForgetListed {
            puuid,
            year,
            platform,
        }
        .execute(&mut self.conn)
        .await?;
        data_statements::PutListed {
            year,
            platform,
            ids: &id_texts(&listed.unstored),
            puuid,
        }
        .execute(&mut self.conn)
        .await?;
        Ok(())
    }

    pub(super) async fn track(&mut self, players: &[i64], tracked: bool) -> Result<usize, Fault> {
        let ids = players.to_vec();
        Ok(own::Track { tracked, ids }.execute(&mut self.conn).await?)
    }

    pub(super) async fn lose(&mut self, id: i64, why: &str, now: Timestamp) -> Result<bool, Fault> {
        let (now, why) = (now.as_millis(), &*clean(why));
        let lose = sql::Lose { now, why, id };
        let tracked: Option<bool> = lose.get_result(&mut self.conn).await.optional()?;
        Ok(tracked.unwrap_or(false))
    }
}

#[async_trait]
impl PeopleStore for PostgresStore {
    async fn tracked_players(&self, limit: usize) -> StoreResult<Vec<TrackedPlayer>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<TrackedTuple> =
            read!(self.readers, conn => sql::Tracked { limit }.load(conn).await);
        rows.into_iter().map(tracked_from).collect()
    }

    async fn track(&self, player_ids: Vec<i64>, tracked: bool) -> StoreResult<usize> {
        self.database
            .write(move |tx| {
                let players = player_ids.clone();
                Box::pin(async move { Transaction::of(tx).track(&players, tracked).await })
            })
            .await
    }

    async fn aborted_matches(&self, player_id: i64, year: i16) -> StoreResult<u64> {
        let aborted = || sql::Aborted {
            player: player_id,
            year: i32::from(year),
        };
        let count: i64 = read!(self.readers, conn => aborted().get_result(conn).await);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn players_by_puuid(&self, puuids: &[Puuid]) -> StoreResult<Vec<StoredPlayer>> {
        let puuids: Vec<&str> = puuids.iter().map(Puuid::as_str).collect();
        let puuids = &puuids;
        let rows: Vec<PlayerTuple> =
            read!(self.readers, conn => sql::ByPuuid { puuids }.load(conn).await);
        rows.into_iter().map(player_from).collect()
    }

    async fn former_holders(&self, riot_id: &RiotId) -> StoreResult<Vec<StoredPlayer>> {
        let name = &riot_id.folded();
        let rows: Vec<PlayerTuple> = read!(self.readers, conn => {
            let (not, of) = (name, name);
            sql::Formerly { name, not, of }.load(conn).await
        });
        rows.into_iter().map(player_from).collect()
    }

    async fn appearances(&self, player: i64, limit: usize) -> StoreResult<Vec<Appearance>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<AppearanceTuple> =
            read!(self.readers, conn => sql::Appearances { player, limit }.load(conn).await);
        Ok(appearances_from(rows))
    }

    async fn lose(&self, player_id: i64, why: String, now: Timestamp) -> StoreResult<bool> {
        self.database
            .write(move |tx| {
                let why = why.clone();
                Box::pin(async move { Transaction::of(tx).lose(player_id, &why, now).await })
            })
            .await
    }

    async fn lost_players(&self, limit: usize) -> StoreResult<Vec<LostPlayer>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<LostTuple> =
            read!(self.readers, conn => sql::Lost { limit }.load(conn).await);
        rows.into_iter().map(lost_from).collect()
    }
}

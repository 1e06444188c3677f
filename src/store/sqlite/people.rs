//! Who is kept up to date.

use async_trait::async_trait;
use diesel::OptionalExtension;

use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
use crate::model::{Puuid, RiotId, Timestamp};
use crate::store::people::{Appearance, LostPlayer, PeopleStore, TrackedPlayer};
use crate::store::people::{AppearanceTuple, LostTuple, TrackedTuple};
use crate::store::people::{appearances_from, lost_from, sql, tracked_from};
use crate::store::rows::{PlayerTuple, player_from, to_json};
use crate::store::{StoreResult, StoredPlayer};

mod own {
    use diesel::sql_types::{Bool, Text};

    use crate::store::statement::statement;

    statement! {
        Track<'a> { tracked: bool => Bool, ids: &'a str => Text } -> () =
        "UPDATE players SET tracked = ? WHERE id IN (SELECT value FROM json_each(?))";
    }
}

#[async_trait]
impl PeopleStore for SqliteStore {
    async fn tracked_players(&self, limit: usize) -> StoreResult<Vec<TrackedPlayer>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<TrackedTuple> = sql::Tracked { limit }.load(reader.conn()).await?;
        rows.into_iter().map(tracked_from).collect()
    }

    async fn track(&self, player_ids: Vec<i64>, tracked: bool) -> StoreResult<usize> {
        self.write(move |tx| {
            let ids = &to_json(&player_ids)?;
            Ok(diesel::RunQueryDsl::execute(
                own::Track { tracked, ids },
                tx.conn,
            )?)
        })
        .await
    }

    async fn aborted_matches(&self, player_id: i64, year: i16) -> StoreResult<u64> {
        let mut reader = self.readers().borrow().await?;
        let count: i64 = sql::Aborted {
            player: player_id,
            year: i32::from(year),
        }
        .get_result(reader.conn())
        .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn players_by_puuid(&self, puuids: &[Puuid]) -> StoreResult<Vec<StoredPlayer>> {
        let puuids: Vec<&str> = puuids.iter().map(Puuid::as_str).collect();
        let puuids = &puuids;
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<PlayerTuple> = sql::ByPuuid { puuids }.load(reader.conn()).await?;
        rows.into_iter().map(player_from).collect()
    }

    async fn former_holders(&self, riot_id: &RiotId) -> StoreResult<Vec<StoredPlayer>> {
        let name = &riot_id.folded();
        let (not, of) = (name, name);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<PlayerTuple> = sql::Formerly { name, not, of }.load(reader.conn()).await?;
        rows.into_iter().map(player_from).collect()
    }

    async fn appearances(&self, player: i64, limit: usize) -> StoreResult<Vec<Appearance>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<AppearanceTuple> = sql::Appearances { player, limit }
            .load(reader.conn())
            .await?;
        Ok(appearances_from(rows))
    }

    async fn lose(&self, id: i64, why: String, now: Timestamp) -> StoreResult<bool> {
        self.write(move |tx| {
            let now = now.as_millis();
            let tracked: Option<bool> =
                diesel::RunQueryDsl::get_result(sql::Lose { now, why: &why, id }, tx.conn)
                    .optional()?;
            Ok(tracked.unwrap_or(false))
        })
        .await
    }

    async fn lost_players(&self, limit: usize) -> StoreResult<Vec<LostPlayer>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<LostTuple> = sql::Lost { limit }.load(reader.conn()).await?;
        rows.into_iter().map(lost_from).collect()
    }
}

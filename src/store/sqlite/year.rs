//! A player's year as a report reads it.

use async_trait::async_trait;

use super::SqliteStore;
use super::reader::ReadDsl;
use crate::report::{Companion, Game, Kill, Lead, SeenRank};
use crate::store::year::{
    CompanyTuple, GameTuple, KillTuple, LeadTuple, Played, SeenTuple, YearOf, YearStore,
    companion_from, game_from, kills_from, leads_from, seen_from, sql,
};
use crate::store::{StoreResult, plain};

#[async_trait]
impl YearStore for SqliteStore {
    async fn games_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Game>> {
        let games = || sql::Games {
            player: of.player_id,
            year: of.year.into(),
            platform: of.platform,
        };
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<GameTuple> = games().load(reader.conn()).await?;
        Ok(rows.into_iter().map(game_from).collect())
    }

    async fn company_of(
        &self,
        of: YearOf<'_>,
        same_team: bool,
        limit: usize,
    ) -> StoreResult<Vec<Companion>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let company = || sql::Company {
            player: of.player_id,
            year: of.year.into(),
            platform: of.platform,
            same_team,
            limit,
        };
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<CompanyTuple> = company().load(reader.conn()).await?;
        Ok(rows.into_iter().map(companion_from).collect())
    }

    async fn leads_of(&self, of: YearOf<'_>, played: Played) -> StoreResult<Vec<(String, Lead)>> {
        let leads = || sql::Leads {
            player: of.player_id,
            year: of.year.into(),
            platform: of.platform,
            from: played.from_ms,
            to: played.to_ms,
        };
        let rows: Vec<LeadTuple> = {
            let mut reader = self.readers().borrow().await?;
            leads().load(reader.conn()).await?
        };
        Ok(leads_from(rows).await)
    }

    async fn kills_of(&self, of: YearOf<'_>, played: Played) -> StoreResult<(u64, Vec<Kill>)> {
        let kills = || sql::Kills {
            player: of.player_id,
            year: of.year.into(),
            platform: of.platform,
            from: played.from_ms,
            to: played.to_ms,
        };
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<KillTuple> = kills().load(reader.conn()).await?;
        Ok(kills_from(rows))
    }

    async fn ranks_of(&self, player: i64, year: i16, limit: usize) -> StoreResult<Vec<SeenRank>> {
        let year = year.into();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<SeenTuple> = sql::Ranks {
            player,
            year,
            limit,
        }
        .load(reader.conn())
        .await?;
        Ok(seen_from(rows))
    }

    async fn former_names(&self, player: i64, limit: usize) -> StoreResult<Vec<String>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<(String, String)> = plain::names_before(player, limit)
            .load(reader.conn())
            .await?;
        let names = rows.into_iter().map(|(name, tag)| format!("{name}#{tag}"));
        Ok(names.collect())
    }
}

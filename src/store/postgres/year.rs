//! A player's year as a report reads it.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::PostgresStore;
use super::reader::read;
use crate::report::{Companion, Game, Kill, Lead, SeenRank};
use crate::store::year::{
    CompanyTuple, GameTuple, KillTuple, LeadTuple, Played, SeenTuple, YearOf, YearStore,
    companion_from, game_from, kills_from, leads_from, seen_from, sql,
};
use crate::store::{StoreResult, plain};

#[async_trait]
impl YearStore for PostgresStore {
    async fn games_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Game>> {
        let games = || sql::Games {
            player: of.player_id,
            year: of.year.into(),
            platform: of.platform,
        };
        let rows: Vec<GameTuple> = read!(self.readers, conn => games().load(conn).await);
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
        let rows: Vec<CompanyTuple> = read!(self.readers, conn => company().load(conn).await);
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
        let rows: Vec<LeadTuple> = read!(self.readers, conn => leads().load(conn).await);
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
        let rows: Vec<KillTuple> = read!(self.readers, conn => kills().load(conn).await);
        Ok(kills_from(rows))
    }

    async fn ranks_of(&self, player: i64, year: i16, limit: usize) -> StoreResult<Vec<SeenRank>> {
        let year = year.into();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<SeenTuple> =
            read!(self.readers, conn => sql::Ranks { player, year, limit }.load(conn).await);
        Ok(seen_from(rows))
    }

    async fn former_names(&self, player: i64, limit: usize) -> StoreResult<Vec<String>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<(String, String)> =
            read!(self.readers, conn => plain::names_before(player, limit).load(conn).await);
        let names = rows.into_iter().map(|(name, tag)| format!("{name}#{tag}"));
        Ok(names.collect())
    }
}

//! A player's year as a report reads it.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::reader::read;
use super::{Backend, PostgresStore};
use crate::report::{Game, Kill, Lead, SeenRank};
use crate::store::year::{
    Company, CompanyTuple, GameTuple, KillTuple, LeadTuple, SeenTuple, YearOf, YearStore,
    company_from, game_from, kills_from, lead_from, seen_from, sql,
};
use crate::store::{StoreResult, plain};

mod own {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};

    use crate::store::statement::statement;
    use crate::store::year::CompanyRow;

    statement! {
        /// All who were in the games are looked at once, for both lists. The server groups them as fast as it looks at
        /// them, and they are too many to be sent.
        Company<'a> {
            player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text>, limit: i64 => BigInt,
        } -> CompanyRow =
        "SELECT d.same_team, pl.game_name, pl.tag_line, d.games, d.wins
     FROM (SELECT met.*, row_number() OVER (PARTITION BY met.same_team ORDER BY met.games DESC, met.wins DESC, met.player_id) AS place
           FROM (SELECT q.player_id AS player_id,
                        q.team_id = p.team_id AND coalesce(q.subteam_id, 0) = coalesce(p.subteam_id, 0) AS same_team,
                        count(*) AS games, sum(CASE WHEN p.win THEN 1 ELSE 0 END) AS wins
                 FROM match_participants p
                 JOIN matches m ON m.match_id = p.match_id
                 JOIN match_participants q ON q.match_id = p.match_id AND q.player_id <> p.player_id
                 WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform) AND NOT m.is_remake
                       AND m.game_duration_s > 0
                 GROUP BY 1, 2 HAVING count(*) > 1) met) d
     JOIN players pl ON pl.id = d.player_id
     WHERE d.place <= ? ORDER BY d.place";
    }
}

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

    async fn company_of(&self, of: YearOf<'_>, limit: usize) -> StoreResult<Company> {
        let company = || own::Company {
            player: of.player_id,
            year: of.year.into(),
            platform: of.platform,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        let rows: Vec<CompanyTuple> =
            read!(self.readers.searches(), conn => company().load(conn).await);
        Ok(company_from(rows))
    }

    async fn leads_of(&self, of: YearOf<'_>) -> StoreResult<Vec<(String, Lead)>> {
        let leads = || sql::Leads {
            player: of.player_id,
            year: of.year.into(),
            platform: of.platform,
        };
        let rows: Vec<LeadTuple> = read!(self.readers.searches(), conn => leads().load(conn).await);
        Ok(rows.into_iter().filter_map(lead_from).collect())
    }

    async fn kills_of(&self, player: i64, matches: &[&str]) -> StoreResult<(u64, Vec<Kill>)> {
        let rows: Vec<KillTuple> =
            read!(self.readers, conn => sql::Kills { player, matches }.load(conn).await);
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

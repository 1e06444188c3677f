//! A player's year as a report reads it.

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::QueryResult;
use diesel::sqlite::SqliteConnection;

use super::reader::{Borrowed, ReadDsl};
use super::{Backend, SqliteStore};
use crate::report::{Game, Kill, Lead, SeenRank};
use crate::store::year::{
    Company, GameTuple, KillTuple, LeadTuple, SeenTuple, YearOf, YearStore, company_from,
    game_from, kills_from, lead_from, most_met, seen_from, sql,
};
use crate::store::{StoreResult, plain};

mod own {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

    use crate::store::statement::{List, statement};

    statement! {
        /// Everybody who was in the games, once for each of them: to group them takes SQLite twice as long as to look
        /// at them.
        Met<'a> { player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text> }
            -> (BigInt, Bool, Bool) =
        "SELECT q.player_id, q.team_id = p.team_id AND coalesce(q.subteam_id, 0) = coalesce(p.subteam_id, 0), p.win
     FROM match_participants p
     JOIN matches m ON m.match_id = p.match_id
     JOIN match_participants q ON q.match_id = p.match_id AND q.player_id <> p.player_id
     WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform) AND NOT m.is_remake
           AND m.game_duration_s > 0";
    }

    statement! {
        Names<'a> { players: &'a [i64] => List<BigInt> } -> (BigInt, Nullable<Text>, Nullable<Text>) =
        "SELECT id, game_name, tag_line FROM players WHERE id IN (SELECT value FROM json_each(?))";
    }
}

/// Reads rows on the connection's own thread, each where it lies: `ReadDsl` copies all of their values before it makes
/// anything of them, which takes as long as the question itself.
async fn in_place<T: Send + 'static>(
    mut reader: Borrowed<'_>,
    read: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
) -> StoreResult<T> {
    Ok(reader.conn().spawn_blocking(read).await?)
}

#[async_trait]
impl YearStore for SqliteStore {
    async fn games_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Game>> {
        let (player, year) = (of.player_id, of.year.into());
        let platform = of.platform.map(str::to_owned);
        let reader = self.readers().borrow().await?;
        in_place(reader, move |conn| {
            let platform = platform.as_deref();
            let games = sql::Games {
                player,
                year,
                platform,
            };
            let rows: Vec<GameTuple> = diesel::RunQueryDsl::load(games, conn)?;
            Ok(rows.into_iter().map(game_from).collect())
        })
        .await
    }

    async fn company_of(&self, of: YearOf<'_>, limit: usize) -> StoreResult<Company> {
        let (player, year) = (of.player_id, of.year.into());
        let platform = of.platform.map(str::to_owned);
        let reader = self.readers().search().await?;
        in_place(reader, move |conn| {
            let platform = platform.as_deref();
            let met = own::Met {
                player,
                year,
                platform,
            };
            let met: Vec<(i64, bool, bool)> = diesel::RunQueryDsl::load(met, conn)?;
            let most = most_met(met, limit);
            let players: Vec<i64> = most.iter().map(|(player, ..)| *player).collect();
            let names = own::Names { players: &players };
            let names: Vec<(i64, Option<String>, Option<String>)> =
                diesel::RunQueryDsl::load(names, conn)?;
            let names: HashMap<_, _> = (names.into_iter())
                .map(|(player, name, tag)| (player, (name, tag)))
                .collect();
            let rows = most.into_iter().map(|(player, same_team, games, wins)| {
                let (name, tag) = names.get(&player).cloned().unwrap_or_default();
                (same_team, name, tag, games, wins)
            });
            Ok(company_from(rows.collect()))
        })
        .await
    }

    async fn leads_of(&self, of: YearOf<'_>) -> StoreResult<Vec<(String, Lead)>> {
        let (player, year) = (of.player_id, of.year.into());
        let platform = of.platform.map(str::to_owned);
        let reader = self.readers().search().await?;
        in_place(reader, move |conn| {
            let platform = platform.as_deref();
            let leads = sql::Leads {
                player,
                year,
                platform,
            };
            let rows: Vec<LeadTuple> = diesel::RunQueryDsl::load(leads, conn)?;
            Ok(rows.into_iter().filter_map(lead_from).collect())
        })
        .await
    }

    async fn kills_of(&self, player: i64, matches: &[&str]) -> StoreResult<(u64, Vec<Kill>)> {
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<KillTuple> = sql::Kills { player, matches }.load(reader.conn()).await?;
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

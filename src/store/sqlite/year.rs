//! A player's year as a report reads it.

use async_trait::async_trait;
use diesel::QueryResult;
use diesel::sqlite::SqliteConnection;

use super::reader::{Borrowed, ReadDsl};
use super::{Backend, SqliteStore};
use crate::report::{Game, Kill, Lead, SeenRank};
use crate::store::rows::to_json;
use crate::store::year::people::{Pair, Person, PersonTuple, person_from};
use crate::store::year::{
    GameTuple, KillTuple, LeadTuple, SeenTuple, YearOf, YearStore, game_from, kills_from,
    lead_from, riot_id_from, seen_from, sql,
};
use crate::store::{StoreResult, plain};

mod own {
    use diesel::sql_types::Text;

    use crate::store::statement::statement;
    use crate::store::year::LeadRow;

    statement! {
        /// Pairs are lists in JSON here, and three arrays on PostgreSQL.
        Leads<'a> { pairs: &'a str => Text } -> LeadRow =
        "SELECT t.match_id, t.minutes, u.minutes FROM json_each(?) j
     CROSS JOIN participant_timelines t ON t.match_id = j.value ->> 0 AND t.participant_id = j.value ->> 1
     CROSS JOIN participant_timelines u ON u.match_id = t.match_id AND u.participant_id = j.value ->> 2";
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
        let reader = self.readers().report().await?;
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

    async fn people_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Person>> {
        let (player, year) = (of.player_id, of.year.into());
        let platform = of.platform.map(str::to_owned);
        let reader = self.readers().report().await?;
        in_place(reader, move |conn| {
            let platform = platform.as_deref();
            let people = sql::People {
                player,
                year,
                platform,
            };
            let rows: Vec<PersonTuple> = diesel::RunQueryDsl::load(people, conn)?;
            Ok(rows.into_iter().map(person_from).collect())
        })
        .await
    }

    async fn riot_ids_of(&self, players: &[i64]) -> StoreResult<Vec<(i64, String)>> {
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<(i64, String, String)> = sql::RiotIds { players }.load(reader.conn()).await?;
        Ok(rows.into_iter().map(riot_id_from).collect())
    }

    async fn leads_of(&self, pairs: &[Pair]) -> StoreResult<Vec<(String, Lead)>> {
        let (one, other) = pairs.split_at(pairs.len() / 2);
        let read = |reader, half: &[Pair]| {
            let lists = half
                .iter()
                .map(|pair| (&pair.match_id, pair.own, pair.opponent));
            let pairs = to_json(&lists.collect::<Vec<_>>());
            async move {
                let pairs = pairs?;
                in_place(reader, move |conn| {
                    let leads = own::Leads { pairs: &pairs };
                    let rows: Vec<LeadTuple> = diesel::RunQueryDsl::load(leads, conn)?;
                    Ok(rows.into_iter().filter_map(lead_from).collect::<Vec<_>>())
                })
                .await
            }
        };
        let (mut leads, rest) = tokio::try_join!(
            async { read(self.readers().report().await?, one).await },
            async { read(self.readers().report().await?, other).await },
        )?;
        leads.extend(rest);
        Ok(leads)
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

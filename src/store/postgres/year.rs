//! A player's year as a report reads it.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::reader::read;
use super::{Backend, PostgresStore};
use crate::report::{Game, Kill, Lead, SeenRank};
use crate::store::year::people::{Pair, Person, PersonTuple, person_from};
use crate::store::year::{
    GameTuple, KillTuple, LeadTuple, SeenTuple, YearOf, YearStore, game_from, kills_from,
    lead_from, riot_id_from, seen_from, sql,
};
use crate::store::{StoreResult, plain};

mod own {
    use diesel::sql_types::{Array, Integer, Text};

    use crate::store::statement::statement;
    use crate::store::year::LeadRow;

    statement! {
        /// Pairs are three arrays here, and lists in JSON on SQLite.
        Leads<'a> {
            matches: Vec<&'a str> => Array<Text>, own: Vec<i32> => Array<Integer>, opponents: Vec<i32> => Array<Integer>,
        } -> LeadRow =
        "SELECT t.match_id, t.minutes, u.minutes FROM unnest(?, ?, ?) AS j (match_id, own, opponent)
     JOIN participant_timelines t ON t.match_id = j.match_id AND t.participant_id = j.own
     JOIN participant_timelines u ON u.match_id = j.match_id AND u.participant_id = j.opponent";
    }
}

/// The pairs as three arrays.
fn leads(pairs: &[Pair]) -> own::Leads<'_> {
    own::Leads {
        matches: pairs.iter().map(|pair| &*pair.match_id).collect(),
        own: pairs.iter().map(|pair| pair.own).collect(),
        opponents: pairs.iter().map(|pair| pair.opponent).collect(),
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
        let rows: Vec<GameTuple> = read!(self.readers.reports(), conn => games().load(conn).await);
        Ok(rows.into_iter().map(game_from).collect())
    }

    async fn people_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Person>> {
        let people = || sql::People {
            player: of.player_id,
            year: of.year.into(),
            platform: of.platform,
        };
        let rows: Vec<PersonTuple> =
            read!(self.readers.reports(), conn => people().load(conn).await);
        Ok(rows.into_iter().map(person_from).collect())
    }

    async fn riot_ids_of(&self, players: &[i64]) -> StoreResult<Vec<(i64, String)>> {
        let rows: Vec<(i64, String, String)> =
            read!(self.readers, conn => sql::RiotIds { players }.load(conn).await);
        Ok(rows.into_iter().map(riot_id_from).collect())
    }

    async fn leads_of(&self, pairs: &[Pair]) -> StoreResult<Vec<(String, Lead)>> {
        let (one, other) = pairs.split_at(pairs.len() / 2);
        let first = async {
            let rows: Vec<LeadTuple> =
                read!(self.readers.reports(), conn => leads(one).load(conn).await);
            StoreResult::Ok(rows)
        };
        let second = async {
            let rows: Vec<LeadTuple> =
                read!(self.readers.reports(), conn => leads(other).load(conn).await);
            StoreResult::Ok(rows)
        };
        let (first, second) = tokio::try_join!(first, second)?;
        Ok(first
            .into_iter()
            .chain(second)
            .filter_map(lead_from)
            .collect())
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

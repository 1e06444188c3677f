//! Who is kept up to date.

use async_trait::async_trait;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::command::Verb;
use super::fault::Fault;
use super::reader::{Patience, read};
use super::transaction::Transaction;
use super::{Backend, PostgresStore};
use crate::model::{Puuid, Timestamp};
use crate::store::people::{PeopleStore, TrackedPlayer};
use crate::store::rows::{PlayerTuple, player_from};
use crate::store::{StoreResult, StoredPlayer};

mod sql {
    use super::{Array, BigInt, Bool, Integer, Nullable, Text};
    use crate::store::statement::statement;

    type Opt<T> = Nullable<T>;
    type Player = (
        BigInt,
        Text,
        Text,
        Opt<Text>,
        Opt<Text>,
        Text,
        Opt<Integer>,
        Opt<BigInt>,
    );

    statement! {
        /// The newest match of a platform has the highest id: one look into the index for each player.
        Tracked { limit: i64 => BigInt } -> (Player, Opt<BigInt>) =
        "SELECT * FROM (
            SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level,
                (SELECT m.game_start FROM match_participants p JOIN matches m ON m.match_id = p.match_id
                 WHERE p.player_id = players.id ORDER BY p.match_id DESC LIMIT 1) AS last_played
            FROM players WHERE tracked AND game_name IS NOT NULL) AS known
         ORDER BY last_played DESC NULLS LAST, id LIMIT ?";
    }

    statement! {
        Track { tracked: bool => Bool, ids: Vec<i64> => Array<BigInt> } -> () =
        "UPDATE players SET tracked = ? WHERE id = ANY(?)";
    }

    statement! {
        ByPuuid<'a> { puuids: Vec<&'a str> => Array<Text> } -> Player =
        "SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level
         FROM players WHERE puuid = ANY(?)";
    }
}

impl Transaction<'_> {
    pub(super) async fn track(&mut self, players: &[i64], tracked: bool) -> Result<usize, Fault> {
        self.after.wrote = true;
        let ids = players.to_vec();
        Ok(sql::Track { tracked, ids }.execute(&mut self.conn).await?)
    }
}

#[async_trait]
impl PeopleStore for PostgresStore {
    async fn tracked_players(&self, limit: usize) -> StoreResult<Vec<TrackedPlayer>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<(PlayerTuple, Option<i64>)> =
            read!(self.readers, conn => sql::Tracked { limit }.load(conn).await);
        let tracked = rows.into_iter().map(|(player, last)| {
            Ok(TrackedPlayer {
                player: player_from(player)?,
                last_played: last.map(Timestamp::from_millis),
            })
        });
        tracked.collect()
    }

    async fn track(&self, player_ids: Vec<i64>, tracked: bool) -> StoreResult<usize> {
        self.write(|answer| Verb::Track(player_ids, tracked, answer))
            .await
    }

    async fn players_by_puuid(&self, puuids: &[Puuid]) -> StoreResult<Vec<StoredPlayer>> {
        let rows: Vec<PlayerTuple> = read!(self.readers, conn => {
            let puuids = puuids.iter().map(Puuid::as_str).collect();
            sql::ByPuuid { puuids }.load(conn).await
        });
        rows.into_iter().map(player_from).collect()
    }
}

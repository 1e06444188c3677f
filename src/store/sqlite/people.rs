//! Who is kept up to date.

use async_trait::async_trait;
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
use crate::model::{Puuid, RiotId, Timestamp};
use crate::store::people::{Appearance, LostPlayer, PeopleStore, TrackedPlayer};
use crate::store::people::{AppearanceTuple, LostTuple, TrackedTuple};
use crate::store::people::{appearances_from, lost_from, tracked_from};
use crate::store::rows::{PlayerTuple, player_from, to_json};
use crate::store::{StoreResult, StoredPlayer};

mod sql {
    use super::{BigInt, Bool, Integer, Nullable, Text};
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
        Tracked { limit: i64 => BigInt }
            -> (Player, Opt<BigInt>, (Opt<BigInt>, Opt<Integer>, Opt<BigInt>, Opt<BigInt>, Opt<Text>)) =
        "SELECT * FROM (
            SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level,
                (SELECT m.game_start FROM match_participants p JOIN matches m ON m.match_id = p.match_id
                 WHERE p.player_id = players.id ORDER BY p.match_id DESC LIMIT 1) AS last_played,
                (SELECT y.listed_at FROM player_years y WHERE y.player_id = players.id ORDER BY y.listed_at DESC, y.year DESC LIMIT 1) AS listed_at,
                (SELECT y.year FROM player_years y WHERE y.player_id = players.id ORDER BY y.listed_at DESC, y.year DESC LIMIT 1) AS listed_year,
                (SELECT y.listed_matches FROM player_years y WHERE y.player_id = players.id ORDER BY y.listed_at DESC, y.year DESC LIMIT 1) AS listed,
                lost_since, lost_why
            FROM players WHERE tracked = 1) AS known
         ORDER BY last_played IS NULL, last_played DESC, id LIMIT ?";
    }

    statement! {
        Track<'a> { tracked: bool => Bool, ids: &'a str => Text } -> () =
        "UPDATE players SET tracked = ? WHERE id IN (SELECT value FROM json_each(?))";
    }

    statement! {
        Formerly<'a> { name: &'a str => Text, not: &'a str => Text, of: &'a str => Text } -> Player =
        "SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level
         FROM players WHERE id IN (SELECT player_id FROM former_names WHERE name_folded = ?)
         AND name_folded IS NOT ?
         ORDER BY (SELECT max(valid_to) FROM former_names WHERE player_id = players.id AND name_folded = ?) DESC, id LIMIT 10";
    }

    statement! {
        Appearances { player: i64 => BigInt, limit: i64 => BigInt } -> (Text, Integer, BigInt) =
        "SELECT p.match_id, p.participant_id, m.game_start FROM match_participants p JOIN matches m ON m.match_id = p.match_id
         WHERE p.player_id = ? ORDER BY p.match_id DESC LIMIT ?";
    }

    statement! {
        Lose<'a> { now: i64 => BigInt, why: &'a str => Text, id: i64 => BigInt } -> Bool =
        "UPDATE players SET lost_since = coalesce(lost_since, ?), lost_why = ? WHERE id = ? RETURNING tracked";
    }

    statement! {
        Lost { limit: i64 => BigInt } -> (Player, BigInt, Text) =
        "SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level,
                lost_since, coalesce(lost_why, '')
         FROM players WHERE tracked = 1 AND lost_since IS NOT NULL ORDER BY lost_since, id LIMIT ?";
    }

    statement! {
        Aborted { player: i64 => BigInt, year: i32 => Integer } -> BigInt =
        "SELECT count(*) FROM match_participants p JOIN matches m ON m.match_id = p.match_id
         WHERE p.player_id = ? AND m.year = ? AND m.game_duration_s = 0";
    }

    statement! {
        ByPuuid<'a> { puuids: &'a str => Text } -> Player =
        "SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level
         FROM players WHERE puuid IN (SELECT value FROM json_each(?))";
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
                sql::Track { tracked, ids },
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
        let puuids = &to_json(&puuids)?;
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

//! A player's year as a report reads it.

use async_trait::async_trait;

use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
use crate::report::{Companion, Game};
use crate::store::StoreResult;
use crate::store::year::{CompanyTuple, GameTuple, YearOf, YearStore, companion_from, game_from};

mod sql {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

    use crate::store::statement::statement;
    use crate::store::year::{COMPANY, CompanyRow, FORMER, GAMES, GameRow};

    statement! {
        Games<'a> { player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text> } -> GameRow =
        GAMES;
    }

    statement! {
        Company<'a> {
            player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text>, same_team: bool => Bool,
            limit: i64 => BigInt,
        } -> CompanyRow = COMPANY;
    }

    statement! { Former { player: i64 => BigInt, limit: i64 => BigInt } -> (Text, Text) = FORMER; }
}

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

    async fn former_names(&self, player: i64, limit: usize) -> StoreResult<Vec<String>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<(String, String)> = sql::Former { player, limit }.load(reader.conn()).await?;
        let names = rows.into_iter().map(|(name, tag)| format!("{name}#{tag}"));
        Ok(names.collect())
    }
}

//! The data as an export reads it: page by page, so that memory does not grow with the database.

mod match_tables;

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, Text};

pub(super) use self::match_tables::details_columns;
pub use self::match_tables::{BAN_COLUMNS, MINUTE_COLUMNS, MatchTable, PURCHASE_COLUMNS};
use super::StoreResult;
use crate::model::table::RowBatch;

/// Rows, or players, of one page at most.
pub const PAGE_MAX: usize = 1_000;

/// Which rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportFilter {
    /// First and last.
    pub years: (i16, i16),
    /// Matches that this player was in.
    pub player: Option<i64>,
}

crate::model::exported_table! {
    /// A player's year on a platform.
    stats {
        { player_id: i64, puuid: String, game_name: Option<String>, tag_line: Option<String>, year: i32, platform: String }
        {
            total_matches: i64, wins: i64, losses: i64, remakes: i64, total_kills: i64, total_deaths: i64,
            total_assists: i64, total_gold_earned: i64, total_minions_killed: i64, total_neutral_minions_killed: i64,
            total_damage_to_champions: i64, unique_champions_played: i64, most_played_champion: Option<String>,
            most_played_champion_count: i64, unique_roles_played: i64, unique_lanes_played: i64,
        }
        {
            win_rate: f64, kda_ratio: f64, average_kills: f64, average_deaths: f64, average_assists: f64,
            average_gold_per_match: f64, average_cs_per_match: f64,
        }
    }
}

crate::model::exported_table! {
    /// A change of a player's rank in a queue.
    ranks {
        {
            player_id: i64, puuid: String, game_name: Option<String>, tag_line: Option<String>, platform: String,
            queue: String, year: i32, seen_at: i64 => time,
        }
        {
            tier: Option<String>, division: Option<String>, league_points: Option<i32>, points: Option<i32>,
            wins: Option<i32>, losses: Option<i32>, hot_streak: Option<bool>,
        }
    }
}

crate::model::exported_table! {
    /// A change of what a player has come to with a champion.
    mastery {
        {
            player_id: i64, puuid: String, game_name: Option<String>, tag_line: Option<String>, platform: String,
            champion_id: i32, champion: Option<String>, year: i32, seen_at: i64 => time,
        }
        { level: Option<i32>, points: Option<i64>, last_played: Option<i64> => time }
    }
}

crate::model::exported_table! {
    /// What something is called in a patch.
    names {
        {
            kind: String, id: String, patch: String, language: String, name: String, image: Option<String>,
            stored_at: i64 => time,
        }
    }
}

#[async_trait]
pub trait ExportStore {
    /// Ids of matches after this one, in their order; with a stored timeline only, if asked for.
    async fn match_page(
        &self,
        filter: ExportFilter,
        after: &str,
        with_timeline: bool,
        limit: usize,
    ) -> StoreResult<Vec<String>>;
    /// The rows of these matches, in their order.
    async fn export_rows(
        &self,
        table: &'static MatchTable,
        ids: &[String],
    ) -> StoreResult<RowBatch>;
    /// Statistics of players after this one, all years of a player in one page.
    async fn export_stats(
        &self,
        filter: ExportFilter,
        after: i64,
        limit: usize,
    ) -> StoreResult<Vec<stats::Row>>;
    /// Changes of ranks after this one (player, queue, moment).
    async fn export_ranks(
        &self,
        filter: ExportFilter,
        after: (i64, &str, i64),
        limit: usize,
    ) -> StoreResult<Vec<ranks::Row>>;
    /// Changes of mastery after this one (player, champion, moment).
    async fn export_mastery(
        &self,
        filter: ExportFilter,
        after: (i64, i32, i64),
        limit: usize,
    ) -> StoreResult<Vec<mastery::Row>>;
    /// Names after this one (kind, id, patch, language).
    async fn export_names(&self, after: [&str; 4], limit: usize) -> StoreResult<Vec<names::Row>>;
}

// The SQL types of the rows, in their nesting.

type Opt<T> = Nullable<T>;

pub(super) type StatsRow = (
    (BigInt, Text, Opt<Text>, Opt<Text>, Integer, Text),
    (
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        Opt<Text>,
        BigInt,
        BigInt,
        BigInt,
    ),
    (Double, Double, Double, Double, Double, Double, Double),
);

pub(super) type RanksRow = (
    (
        BigInt,
        Text,
        Opt<Text>,
        Opt<Text>,
        Text,
        Text,
        Integer,
        BigInt,
    ),
    (
        Opt<Text>,
        Opt<Text>,
        Opt<Integer>,
        Opt<Integer>,
        Opt<Integer>,
        Opt<Integer>,
        Opt<Bool>,
    ),
);

pub(super) type MasteryRow = (
    (
        BigInt,
        Text,
        Opt<Text>,
        Opt<Text>,
        Text,
        Integer,
        Opt<Text>,
        Integer,
        BigInt,
    ),
    (Opt<Integer>, Opt<BigInt>, Opt<BigInt>),
);

pub(super) type NamesRow = ((Text, Text, Text, Text, Text, Opt<Text>, BigInt),);

pub(super) mod sql {
    use super::{BigInt, Integer, MasteryRow, NamesRow, RanksRow, StatsRow, Text};
    use crate::store::statement::shared_statement;

    shared_statement! {
        Page<'a> { after: &'a str => Text, first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt } -> Text =
        "SELECT match_id FROM matches WHERE match_id > ? AND year BETWEEN ? AND ? ORDER BY match_id LIMIT ?";
    }

    shared_statement! {
        TimelinePage<'a> { after: &'a str => Text, first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt } -> Text =
        "SELECT t.match_id FROM match_timelines t JOIN matches m ON m.match_id = t.match_id
         WHERE t.match_id > ? AND m.year BETWEEN ? AND ? ORDER BY t.match_id LIMIT ?";
    }

    shared_statement! {
        PlayerPage<'a> {
            player: i64 => BigInt, after: &'a str => Text, first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt,
        } -> Text =
        "SELECT p.match_id FROM match_participants p JOIN matches m ON m.match_id = p.match_id
         WHERE p.player_id = ? AND p.match_id > ? AND m.year BETWEEN ? AND ? ORDER BY p.match_id LIMIT ?";
    }

    shared_statement! {
        PlayerTimelinePage<'a> {
            player: i64 => BigInt, after: &'a str => Text, first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt,
        } -> Text =
        "SELECT p.match_id FROM match_participants p JOIN matches m ON m.match_id = p.match_id
            JOIN match_timelines t ON t.match_id = p.match_id
         WHERE p.player_id = ? AND p.match_id > ? AND m.year BETWEEN ? AND ? ORDER BY p.match_id LIMIT ?";
    }

    shared_statement! {
        Stats {
            after: i64 => BigInt, first_id: i64 => BigInt, last_id: i64 => BigInt, first: i32 => Integer,
            last: i32 => Integer, limit: i64 => BigInt, first_year: i32 => Integer, last_year: i32 => Integer,
        } -> StatsRow =
        "SELECT s.player_id, pl.puuid, pl.game_name, pl.tag_line, s.year, s.platform, s.total_matches, s.wins, s.losses, s.remakes,
            s.total_kills, s.total_deaths, s.total_assists, s.total_gold_earned, s.total_minions_killed,
            s.total_neutral_minions_killed, s.total_damage_to_champions, s.unique_champions_played,
            s.most_played_champion, s.most_played_champion_count, s.unique_roles_played, s.unique_lanes_played, s.win_rate,
            s.kda_ratio, s.average_kills, s.average_deaths, s.average_assists, s.average_gold_per_match, s.average_cs_per_match
         FROM (SELECT DISTINCT player_id FROM player_yearly_stats
               WHERE player_id > ? AND player_id BETWEEN ? AND ? AND year BETWEEN ? AND ? ORDER BY player_id LIMIT ?) page
         JOIN player_yearly_stats s ON s.player_id = page.player_id
         JOIN players pl ON pl.id = s.player_id
         WHERE s.year BETWEEN ? AND ? ORDER BY s.player_id, s.year, s.platform";
    }

    shared_statement! {
        Ranks<'a> {
            player: i64 => BigInt, queue: &'a str => Text, seen_at: i64 => BigInt, first_id: i64 => BigInt, last_id: i64 => BigInt,
            first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt,
        } -> RanksRow =
        "SELECT player_id, puuid, game_name, tag_line, platform, queue, year, seen_at, tier, division, league_points, points, wins,
            losses, hot_streak
         FROM v_ranks
         WHERE (player_id, queue, seen_at) > (?, ?, ?) AND player_id BETWEEN ? AND ? AND year BETWEEN ? AND ?
         ORDER BY player_id, queue, seen_at LIMIT ?";
    }

    shared_statement! {
        Mastery {
            player: i64 => BigInt, champion: i32 => Integer, seen_at: i64 => BigInt, first_id: i64 => BigInt, last_id: i64 => BigInt,
            first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt,
        } -> MasteryRow =
        "SELECT player_id, puuid, game_name, tag_line, platform, champion_id, champion, year, seen_at, level, points, last_played
         FROM v_mastery
         WHERE (player_id, champion_id, seen_at) > (?, ?, ?) AND player_id BETWEEN ? AND ? AND year BETWEEN ? AND ?
         ORDER BY player_id, champion_id, seen_at LIMIT ?";
    }

    shared_statement! {
        Names<'a> { kind: &'a str => Text, id: &'a str => Text, patch: &'a str => Text, language: &'a str => Text, limit: i64 => BigInt } -> NamesRow =
        "SELECT kind, id, patch, language, name, image, stored_at FROM static_names
         WHERE (kind, id, patch, language) > (?, ?, ?, ?) ORDER BY kind, id, patch, language LIMIT ?";
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::match_tables::MATCH_TABLES;
    use crate::store::{Store, StoreResult};

    /// Every table whose rows belong to matches.
    pub(in crate::store) async fn read_all(store: &dyn Store) -> StoreResult<()> {
        let first = crate::store::synthetic::FIRST_GAME;
        let ids: Vec<String> = (first..first + 100)
            .map(|game| format!("EUW1_{game}"))
            .collect();
        for table in MATCH_TABLES.iter() {
            store.export_rows(table, &ids).await?;
        }
        Ok(())
    }
}

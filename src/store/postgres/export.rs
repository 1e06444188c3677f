//! The data, page by page.

use async_trait::async_trait;
use diesel::sql_types::{Array, BigInt, Integer, Text};
use diesel_async::RunQueryDsl;

use super::reader::read;
use super::{Backend, PostgresStore};
use crate::store::StoreResult;
use crate::store::export::{
    DetailColumns, DetailRow, DetailTable, ExportFilter, ExportStore, MasteryRow, MatchRow,
    NamesRow, ParticipantRow, RanksRow, StatsRow, mastery, mastery_select, match_columns, matches,
    names, names_select, participant_columns, participants, ranks, ranks_select, stats,
    stats_select,
};
use crate::store::rows::details_from;

mod sql {
    use super::{
        Array, BigInt, Integer, MasteryRow, MatchRow, NamesRow, ParticipantRow, RanksRow, StatsRow,
        Text,
    };
    use super::{
        mastery_select, match_columns, names_select, participant_columns, ranks_select,
        stats_select,
    };
    use crate::store::statement::statement;

    statement! {
        Page<'a> { after: &'a str => Text, first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt } -> Text =
        "SELECT match_id FROM matches WHERE match_id > ? AND year BETWEEN ? AND ? ORDER BY match_id LIMIT ?";
    }

    statement! {
        TimelinePage<'a> { after: &'a str => Text, first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt } -> Text =
        "SELECT t.match_id FROM match_timelines t JOIN matches m ON m.match_id = t.match_id
         WHERE t.match_id > ? AND m.year BETWEEN ? AND ? ORDER BY t.match_id LIMIT ?";
    }

    statement! {
        PlayerPage<'a> {
            player: i64 => BigInt, after: &'a str => Text, first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt,
        } -> Text =
        "SELECT p.match_id FROM match_participants p JOIN matches m ON m.match_id = p.match_id
         WHERE p.player_id = ? AND p.match_id > ? AND m.year BETWEEN ? AND ? ORDER BY p.match_id LIMIT ?";
    }

    statement! {
        PlayerTimelinePage<'a> {
            player: i64 => BigInt, after: &'a str => Text, first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt,
        } -> Text =
        "SELECT p.match_id FROM match_participants p JOIN matches m ON m.match_id = p.match_id
            JOIN match_timelines t ON t.match_id = p.match_id
         WHERE p.player_id = ? AND p.match_id > ? AND m.year BETWEEN ? AND ? ORDER BY p.match_id LIMIT ?";
    }

    statement! {
        Matches<'a> { ids: Vec<&'a str> => Array<Text> } -> MatchRow =
        concat!("SELECT ", match_columns!(), " FROM matches m WHERE m.match_id = ANY(?) ORDER BY m.match_id");
    }

    statement! {
        Participants<'a> { ids: Vec<&'a str> => Array<Text> } -> ParticipantRow =
        concat!("SELECT ", participant_columns!(), " FROM matches m
            JOIN match_participants p ON p.match_id = m.match_id LEFT JOIN players pl ON pl.id = p.player_id
            WHERE m.match_id = ANY(?) ORDER BY p.match_id, p.participant_id");
    }

    statement! {
        Stats {
            after: i64 => BigInt, first_id: i64 => BigInt, last_id: i64 => BigInt, first: i32 => Integer,
            last: i32 => Integer, limit: i64 => BigInt, first_year: i32 => Integer, last_year: i32 => Integer,
        } -> StatsRow = stats_select!();
    }

    statement! {
        Ranks<'a> {
            player: i64 => BigInt, queue: &'a str => Text, seen_at: i64 => BigInt, first_id: i64 => BigInt, last_id: i64 => BigInt,
            first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt,
        } -> RanksRow = ranks_select!();
    }

    statement! {
        Mastery {
            player: i64 => BigInt, champion: i32 => Integer, seen_at: i64 => BigInt, first_id: i64 => BigInt, last_id: i64 => BigInt,
            first: i32 => Integer, last: i32 => Integer, limit: i64 => BigInt,
        } -> MasteryRow = mastery_select!();
    }

    statement! {
        Names<'a> { kind: &'a str => Text, id: &'a str => Text, patch: &'a str => Text, language: &'a str => Text, limit: i64 => BigInt } -> NamesRow =
        names_select!();
    }
}

/// A table beside the first rows of a match.
macro_rules! tables {
    ($(
        $table:ident $name:ident $number:literal $id:ident $(then $then:ident)? {
            $($column:ident: $kind:ident = $key:literal,)*
        }
    )*) => {
        use diesel::sql_types::{Array, Text};

        use super::DetailColumns;
        use crate::store::postgres::upkeep_statements::told;
        use crate::store::statement::statement;

        $(
            statement! {
                $name<'a> { ids: Vec<&'a str> => Array<Text> } -> DetailColumns =
                concat!("SELECT m.match_id, m.platform, m.year, m.patch, json_build_array(", stringify!($id), $(told!($kind $column),)*
                    ")::text FROM matches m JOIN ", stringify!($table), " d ON d.match_id = m.match_id WHERE m.match_id = ANY(?)
                    ORDER BY d.match_id, d.", stringify!($id) $(, ", d.", stringify!($then))?);
            }
        )*
    };
}

mod of_participants {
    crate::model::participant_sheets!(tables);
}

mod of_teams {
    crate::model::team_sheet!(tables);
}

mod of_timelines {
    tables! {
        participant_minutes Minutes 16 participant_id then minute {
            minute: int = "", gold: int = "", xp: int = "", cs: int = "", jungle_cs: int = "", level: int = "", x: int = "",
            y: int = "", damage: int = "", damage_taken: int = "", is_last: flag = "",
        }
        participant_purchases Purchases 17 participant_id then purchase {
            purchase: int = "", item_id: int = "", at_ms: int = "",
        }
    }
}

mod of_bans {
    tables! {
        match_bans Bans 15 ban { team_id: int = "teamId", turn: int = "pickTurn", champion_id: int = "championId", }
    }
}

fn texts(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

#[async_trait]
impl ExportStore for PostgresStore {
    async fn match_page(
        &self,
        filter: ExportFilter,
        after: &str,
        with_timeline: bool,
        limit: usize,
    ) -> StoreResult<Vec<String>> {
        let (first, last) = (filter.years.0.into(), filter.years.1.into());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let page: Vec<String> = read!(self.readers, conn => {
            match (filter.player, with_timeline) {
                (None, false) => sql::Page { after, first, last, limit }.load(conn).await,
                (None, true) => sql::TimelinePage { after, first, last, limit }.load(conn).await,
                (Some(player), false) => {
                    sql::PlayerPage { player, after, first, last, limit }.load(conn).await
                }
                (Some(player), true) => {
                    sql::PlayerTimelinePage { player, after, first, last, limit }.load(conn).await
                }
            }
        });
        Ok(page)
    }

    async fn export_matches(&self, ids: &[String]) -> StoreResult<Vec<matches::Row>> {
        let rows = read!(self.readers, conn => sql::Matches { ids: texts(ids) }.load(conn).await);
        Ok(rows)
    }

    async fn export_participants(&self, ids: &[String]) -> StoreResult<Vec<participants::Row>> {
        let rows =
            read!(self.readers, conn => sql::Participants { ids: texts(ids) }.load(conn).await);
        Ok(rows)
    }

    async fn export_details(
        &self,
        table: DetailTable,
        ids: &[String],
    ) -> StoreResult<Vec<DetailRow>> {
        let rows = read!(self.readers, conn => {
            let ids = texts(ids);
            match table {
                DetailTable::Damage => of_participants::Damage { ids }.load(conn).await,
                DetailTable::Combat => of_participants::Combat { ids }.load(conn).await,
                DetailTable::Vision => of_participants::Vision { ids }.load(conn).await,
                DetailTable::Loadout => of_participants::Loadout { ids }.load(conn).await,
                DetailTable::Teams => of_teams::Teams { ids }.load(conn).await,
                DetailTable::Bans => of_bans::Bans { ids }.load(conn).await,
                DetailTable::Minutes => of_timelines::Minutes { ids }.load(conn).await,
                DetailTable::Purchases => of_timelines::Purchases { ids }.load(conn).await,
            }
        });
        details_from(rows)
    }

    async fn export_stats(
        &self,
        filter: ExportFilter,
        after: i64,
        limit: usize,
    ) -> StoreResult<Vec<stats::Row>> {
        let (first, last) = (filter.years.0.into(), filter.years.1.into());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (first_id, last_id) = filter.player.map_or((0, i64::MAX), |id| (id, id));
        let rows = read!(self.readers, conn => {
            let stats = sql::Stats { after, first_id, last_id, first, last, limit, first_year: first, last_year: last };
            stats.load(conn).await
        });
        Ok(rows)
    }

    async fn export_ranks(
        &self,
        filter: ExportFilter,
        (player, queue, seen_at): (i64, &str, i64),
        limit: usize,
    ) -> StoreResult<Vec<ranks::Row>> {
        let (first, last) = (filter.years.0.into(), filter.years.1.into());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (first_id, last_id) = filter.player.map_or((0, i64::MAX), |id| (id, id));
        Ok(read!(self.readers, conn => sql::Ranks {
            player,
            queue,
            seen_at,
            first_id,
            last_id,
            first,
            last,
            limit,
        }.load(conn).await))
    }

    async fn export_mastery(
        &self,
        filter: ExportFilter,
        (player, champion, seen_at): (i64, i32, i64),
        limit: usize,
    ) -> StoreResult<Vec<mastery::Row>> {
        let (first, last) = (filter.years.0.into(), filter.years.1.into());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (first_id, last_id) = filter.player.map_or((0, i64::MAX), |id| (id, id));
        Ok(read!(self.readers, conn => sql::Mastery {
            player,
            champion,
            seen_at,
            first_id,
            last_id,
            first,
            last,
            limit,
        }.load(conn).await))
    }

    async fn export_names(
        &self,
        [kind, id, patch, language]: [&str; 4],
        limit: usize,
    ) -> StoreResult<Vec<names::Row>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(
            read!(self.readers, conn => sql::Names { kind, id, patch, language, limit }.load(conn).await),
        )
    }
}

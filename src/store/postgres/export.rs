//! The data, page by page.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::reader::read;
use super::{Backend, PostgresStore};
use crate::store::StoreResult;
use crate::store::export::{
    DetailColumns, DetailRow, DetailTable, ExportFilter, ExportStore, MatchRow, ParticipantRow,
    mastery, match_columns, matches, names, participant_columns, participants, ranks, sql, stats,
};
use crate::store::rows::details_from;

mod own {
    use diesel::sql_types::{Array, Text};

    use super::{MatchRow, ParticipantRow, match_columns, participant_columns};
    use crate::store::statement::statement;

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
}

/// A column as JSON has it: a flag is a number.
macro_rules! told {
    (flag $column:ident) => {
        concat!(", ", stringify!($column), "::int")
    };
    ($kind:ident $column:ident) => {
        concat!(", ", stringify!($column))
    };
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
        let rows = read!(self.readers, conn => own::Matches { ids: texts(ids) }.load(conn).await);
        Ok(rows)
    }

    async fn export_participants(&self, ids: &[String]) -> StoreResult<Vec<participants::Row>> {
        let rows =
            read!(self.readers, conn => own::Participants { ids: texts(ids) }.load(conn).await);
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

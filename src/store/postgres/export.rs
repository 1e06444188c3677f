//! The data, page by page.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::PostgresStore;
use super::batch::{self, OfIds, RowsOfMatches};
use super::reader::read;
use crate::model::table::{Column, RowBatch};
use crate::store::StoreResult;
use crate::store::export::{
    ExportFilter, ExportStore, MatchTable, mastery, names, ranks, sql, stats,
};

fn told(place: &str, column: &Column) -> String {
    format!("{place}.{}", batch::told(column))
}

fn matches_text(table: &MatchTable) -> String {
    let columns = table.list(&["m"], told);
    format!("SELECT {columns} FROM matches m WHERE m.match_id = ANY($1) ORDER BY m.match_id")
}

/// What the matches are, and behind that the rows, as [`RowsOfMatches::read`] takes them: of one moment, as it is one
/// statement, and with what the rows of a match have in common told once. Each of the two comes as its index has it;
/// joined, they took half as long again.
fn rows_text(table: &MatchTable) -> String {
    let (matches, own) = (table.list(&["m"], told), table.list(&["d"], told));
    let name = table.name;
    let (no_player, player) = if table.has_players() {
        (", NULL", ", d.player_id::int8")
    } else {
        ("", "")
    };
    let no_row = ", NULL".repeat(table.at("d").len());
    let no_match = ", NULL".repeat(table.shared() - 1);
    let key = ["match_id"].into_iter().chain(table.order());
    let key: Vec<String> = key.map(|column| format!("d.{column}")).collect();
    let key = key.join(", ");
    format!(
        "(SELECT false, {matches}{no_player}{no_row} FROM matches m WHERE m.match_id = ANY($1) ORDER BY m.match_id) \
         UNION ALL \
         (SELECT true, d.match_id{no_match}{player}, {own} FROM {name} d WHERE d.match_id = ANY($1) ORDER BY {key})"
    )
}

/// What [`batch::player_columns`] names. Joined with the rows, each player was looked for by itself.
fn players_text(table: &MatchTable) -> String {
    let columns = table.list(&["pl"], told);
    format!("SELECT pl.id::int8, {columns} FROM players pl WHERE pl.id = ANY($1)")
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

    async fn export_rows(
        &self,
        table: &'static MatchTable,
        ids: &[String],
    ) -> StoreResult<RowBatch> {
        if table.is_matches() {
            let text = matches_text(table);
            return Ok(read!(self.readers, conn => {
                batch::read(conn, &table.columns, OfIds::new(&text, ids)).await
            }));
        }
        let (rows_text, players_text) = (rows_text(table), players_text(table));
        let columns = batch::player_columns(table);
        let mut gone = Vec::new();
        loop {
            let rows = read!(self.readers, conn => {
                RowsOfMatches::read(conn, table, OfIds::new(&rows_text, ids)).await
            });
            let wanted = rows.player_ids();
            if wanted.is_empty() {
                return Ok(rows.called(&RowBatch::of(&columns)));
            }
            let players = read!(self.readers, conn => {
                batch::read(conn, &columns, OfIds::new(&players_text, &wanted)).await
            });
            // Two rows of a person became one since: their games are the other's now.
            let missing = batch::missing(&wanted, &players);
            if missing.is_empty() || missing == gone {
                return Ok(rows.called(&players));
            }
            gone = missing;
        }
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

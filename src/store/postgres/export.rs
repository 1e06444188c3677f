//! The data, page by page.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::PostgresStore;
use super::batch::{self, OfIds, RowsOfMatches};
use super::reader::{read, read_snapshot};
use crate::model::table::{Column, RowBatch};
use crate::store::StoreResult;
use crate::store::export::{
    ExportFilter, ExportStore, MatchTable, mastery, names, ranks, sql, stats,
};

fn told(place: &str, column: &Column) -> String {
    format!("{place}.{}", batch::told(column))
}

/// What all rows of a match have in common; of the table of matches, its rows.
fn matches_text(table: &MatchTable) -> String {
    let columns = table.list(&["m"], told);
    format!("SELECT {columns} FROM matches m WHERE m.match_id = ANY($1) ORDER BY m.match_id")
}

/// The other columns, behind whose they are. Alone they come as their index has them. Joined with others they took
/// twice as long: each player was looked for by itself, and the rows were sorted.
fn rows_text(table: &MatchTable) -> String {
    let (columns, name) = (table.list(&["d"], told), table.name);
    let player = if table.has_players() {
        ", d.player_id::int8"
    } else {
        ""
    };
    let key = ["match_id"].into_iter().chain(table.order());
    let key: Vec<String> = key.map(|column| format!("d.{column}")).collect();
    let key = key.join(", ");
    format!(
        "SELECT d.match_id{player}, {columns} FROM {name} d WHERE d.match_id = ANY($1) ORDER BY {key}"
    )
}

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
        let matches = matches_text(table);
        if table.is_matches() {
            return Ok(read!(self.readers, conn => {
                batch::read(conn, &table.columns, OfIds::new(&matches, ids)).await
            }));
        }
        let (rows, players) = (rows_text(table), players_text(table));
        Ok(read_snapshot!(self.readers, conn => {
            let mut reading = RowsOfMatches::of(table);
            reading.read_matches(conn, OfIds::new(&matches, ids)).await?;
            reading.read_rows(conn, OfIds::new(&rows, ids)).await?;
            if table.has_players() {
                let ids = reading.player_ids();
                reading.read_players(conn, OfIds::new(&players, &ids)).await?;
            }
            Ok(reading.batch)
        }))
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

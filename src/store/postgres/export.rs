//! The data, page by page.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::PostgresStore;
use super::batch::{self, OfIds};
use super::reader::read;
use crate::model::table::RowBatch;
use crate::store::StoreResult;
use crate::store::export::{
    ExportFilter, ExportStore, MatchTable, mastery, names, ranks, sql, stats,
};

/// The database chooses its own way from the ids to the rows, which are sorted.
fn text(table: &MatchTable) -> String {
    let columns = table.list(&["m", "d", "pl"], |place, column| {
        format!("{place}.{}", batch::told(column))
    });
    let (rows, key) = if table.is_matches() {
        (String::new(), "m.match_id".to_owned())
    } else {
        let name = table.name;
        let key = ["match_id"].into_iter().chain(table.order());
        let key: Vec<String> = key.map(|column| format!("d.{column}")).collect();
        (
            format!(" JOIN {name} d ON d.match_id = m.match_id"),
            key.join(", "),
        )
    };
    let players = if table.has_players() {
        " LEFT JOIN players pl ON pl.id = d.player_id"
    } else {
        ""
    };
    format!(
        "SELECT {columns} FROM matches m{rows}{players} WHERE m.match_id = ANY($1) ORDER BY {key}"
    )
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
        let text = text(table);
        let batch = read!(self.readers, conn => {
            batch::read(conn, &table.columns, OfIds::new(&text, ids)).await
        });
        Ok(batch)
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

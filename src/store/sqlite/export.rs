//! The data, page by page.

use async_trait::async_trait;

use super::SqliteStore;
use super::batch::{self, OfIds, told};
use super::reader::ReadDsl;
use crate::model::table::RowBatch;
use crate::store::StoreResult;
use crate::store::export::{
    ExportFilter, ExportStore, MatchTable, mastery, names, ranks, sql, stats,
};
use crate::store::rows::to_json;

/// What a match is, in the order of the ids. `CROSS JOIN` is SQLite's word for this order of its loops.
fn matches_text(table: &MatchTable) -> String {
    let columns = table.list(&["m"], told);
    format!("SELECT {columns} FROM json_each(?) j CROSS JOIN matches m ON m.match_id = j.value")
}

/// The same, behind where the match stands among the ids.
fn shared_text(table: &MatchTable) -> String {
    matches_text(table).replacen("SELECT ", "SELECT j.key, ", 1)
}

/// The other columns, behind the same. Of each match they come in the order of the key, which tables are stored by.
fn rows_text(table: &MatchTable) -> String {
    let (columns, name) = (table.list(&["d", "pl"], told), table.name);
    let players = if table.has_players() {
        " LEFT JOIN players pl ON pl.id = d.player_id"
    } else {
        ""
    };
    format!(
        "SELECT j.key, {columns} FROM json_each(?) j CROSS JOIN {name} d ON d.match_id = j.value{players}"
    )
}

#[async_trait]
impl ExportStore for SqliteStore {
    async fn match_page(
        &self,
        filter: ExportFilter,
        after: &str,
        with_timeline: bool,
        limit: usize,
    ) -> StoreResult<Vec<String>> {
        let (first, last) = (filter.years.0.into(), filter.years.1.into());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let conn = reader.conn();
        let page = match (filter.player, with_timeline) {
            (None, false) => {
                sql::Page {
                    after,
                    first,
                    last,
                    limit,
                }
                .load(conn)
                .await
            }
            (None, true) => {
                sql::TimelinePage {
                    after,
                    first,
                    last,
                    limit,
                }
                .load(conn)
                .await
            }
            (Some(player), false) => {
                sql::PlayerPage {
                    player,
                    after,
                    first,
                    last,
                    limit,
                }
                .load(conn)
                .await
            }
            (Some(player), true) => {
                sql::PlayerTimelinePage {
                    player,
                    after,
                    first,
                    last,
                    limit,
                }
                .load(conn)
                .await
            }
        };
        Ok(page?)
    }

    async fn export_rows(
        &self,
        table: &'static MatchTable,
        ids: &[String],
    ) -> StoreResult<RowBatch> {
        let (count, ids) = (ids.len(), to_json(&ids)?);
        let mut reader = self.readers().borrow().await?;
        let read = reader.conn().spawn_blocking(move |conn| {
            if table.is_matches() {
                let rows = OfIds::new(matches_text(table), ids);
                return batch::read(conn, &table.columns, rows);
            }
            let shared = OfIds::new(shared_text(table), ids.clone());
            let rows = OfIds::new(rows_text(table), ids);
            batch::read_of_matches(conn, table, count, shared, rows)
        });
        Ok(read.await?)
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
        let mut reader = self.readers().borrow().await?;
        let stats = sql::Stats {
            after,
            first_id,
            last_id,
            first,
            last,
            limit,
            first_year: first,
            last_year: last,
        };
        Ok(stats.load(reader.conn()).await?)
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
        let mut reader = self.readers().borrow().await?;
        Ok(sql::Ranks {
            player,
            queue,
            seen_at,
            first_id,
            last_id,
            first,
            last,
            limit,
        }
        .load(reader.conn())
        .await?)
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
        let mut reader = self.readers().borrow().await?;
        Ok(sql::Mastery {
            player,
            champion,
            seen_at,
            first_id,
            last_id,
            first,
            last,
            limit,
        }
        .load(reader.conn())
        .await?)
    }

    async fn export_names(
        &self,
        [kind, id, patch, language]: [&str; 4],
        limit: usize,
    ) -> StoreResult<Vec<names::Row>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        Ok(sql::Names {
            kind,
            id,
            patch,
            language,
            limit,
        }
        .load(reader.conn())
        .await?)
    }
}

//! The data, page by page.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::PostgresStore;
use super::batch::{self, OfIds, RowsOfMatches};
use super::reader::read;
use crate::model::table::{Column, RowBatch};
use crate::store::export::{
    ExportFilter, ExportStore, MatchTable, mastery, names, ranks, sql, stats,
};
use crate::store::{StoreError, StoreResult};

/// More rows than there are. What has a limit is no part of a parallel plan, which takes rows of both parts as they
/// come.
const ALL: i32 = i32::MAX;

fn told(place: &str, column: &Column) -> String {
    format!("{place}.{}", batch::told(column))
}

fn matches_text(table: &MatchTable) -> String {
    let columns = table.list(&["m"], told);
    format!("SELECT {columns} FROM matches m WHERE m.match_id = ANY($1) ORDER BY m.match_id")
}

/// What the matches are, and the rows, as [`RowsOfMatches::read`] takes them: with what the rows of a match have in
/// common told once. Each of the two comes as its index has it; joined, they took half as long again.
fn parts(table: &MatchTable) -> [String; 2] {
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
    [
        format!(
            "(SELECT false, {matches}{no_player}{no_row} FROM matches m WHERE m.match_id = ANY($1) \
             ORDER BY m.match_id LIMIT {ALL})"
        ),
        format!(
            "(SELECT true, d.match_id{no_match}{player}, {own} FROM {name} d WHERE d.match_id = ANY($1) ORDER BY {key})"
        ),
    ]
}

/// Both as one statement, so that they are of one moment.
fn rows_text(parts: &[String; 2]) -> String {
    parts.join(" UNION ALL ")
}

/// The same for a server whose plan mixes the parts: sorted once more, as a whole.
fn sorted(table: &MatchTable, rows_text: &str) -> String {
    let own = table.at("d").into_iter().map(|at| table.columns[at].name);
    let own: Vec<&str> = own.collect();
    // Counted from 1, behind whether it is a row.
    let first = 2 + table.shared() + usize::from(table.has_players());
    let places = table.order().map(|name| {
        let at = own.iter().position(|column| *column == name);
        (first + at.expect("a table tells its key")).to_string()
    });
    let places: Vec<String> = places.collect();
    format!("{rows_text} ORDER BY 1, 2, {}", places.join(", "))
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
        let players_text = players_text(table);
        let columns = batch::player_columns(table);
        let mut text = rows_text(&parts(table));
        let (mut is_sorted, mut gone) = (false, Vec::new());
        loop {
            let rows = read!(self.readers, conn => {
                RowsOfMatches::read(conn, table, OfIds::new(&text, ids)).await
            });
            let Some(rows) = rows else {
                if is_sorted {
                    let why = format!("the rows of {} came in no order", table.name);
                    return Err(StoreError::Unexpected(why));
                }
                text = sorted(table, &text);
                is_sorted = true;
                continue;
            };
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

#[cfg(test)]
pub(in crate::store) mod tests {
    use diesel_async::{AsyncConnection, AsyncPgConnection};

    use super::*;
    use crate::store::Location;
    use crate::store::scratch::Scratch;
    use crate::store::synthetic::Synthetic;

    async fn filled(matches: u32) -> Scratch {
        let scratch = Scratch::new();
        let made = Synthetic {
            matches,
            of_player: 0,
            finished_jobs: 0,
        };
        made.fill(&Location::Postgres(Box::new(scratch.settings())))
            .await
            .unwrap();
        scratch
    }

    /// Gives matches bans. The ids of the matches.
    fn with_bans(scratch: &Scratch) -> Vec<String> {
        scratch.run(
            "INSERT INTO match_bans (match_id, ban, team_id, turn, champion_id)
             SELECT match_id, ban, 100, ban, ban FROM matches, generate_series(1, 10) ban ON CONFLICT DO NOTHING;
             ANALYZE",
        );
        let ids = scratch.rows("SELECT match_id FROM matches ORDER BY match_id");
        ids.into_iter().flatten().flatten().collect()
    }

    /// Those whose plan must not matter.
    fn tables() -> [&'static MatchTable; 2] {
        ["match_participants", "match_bans"].map(|name| MatchTable::named(name).unwrap())
    }

    /// Rows that come in another order than their matches, and what is made of them.
    pub(in crate::store) async fn read_mixed(scratch: &Scratch) {
        let ids = with_bans(scratch);
        let conn = AsyncPgConnection::establish(scratch.url()).await.unwrap();
        let read = async |table, text: &str| {
            let rows = RowsOfMatches::read(&conn, table, OfIds::new(text, &ids)).await;
            rows.unwrap().map(|rows| format!("{rows:?}"))
        };
        for table in tables() {
            let [matches, rows] = parts(table);
            let usual = read(table, &rows_text(&[matches.clone(), rows.clone()])).await;
            assert!(usual.is_some(), "{}", table.name);
            let [backwards, forwards] = ["DESC", "ASC"].map(|order| {
                let key = format!("ORDER BY d.match_id {order}");
                rows.replace("ORDER BY d.match_id", &key)
            });
            for (first, second) in [(&forwards, &matches), (&matches, &backwards)] {
                let mixed = format!("{first} UNION ALL {second}");
                assert_eq!(read(table, &mixed).await, None);
                assert_eq!(read(table, &sorted(table, &mixed)).await, usual);
            }
        }
    }

    #[tokio::test]
    async fn rows_that_come_mixed_with_their_matches_are_sorted() {
        read_mixed(&filled(30).await).await;
    }

    #[tokio::test]
    async fn a_plan_does_not_mix_the_parts() {
        let scratch = filled(3_000).await;
        let ids = with_bans(&scratch);
        let ids = format!("'{{{}}}'::text[]", ids[..250].join(","));
        let eager = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET enable_gathermerge = off;
             SET enable_seqscan = off; SET enable_bitmapscan = off; EXPLAIN";
        let plan = |text: &str| {
            let plan = scratch.rows(&format!("{eager} {}", text.replace("$1", &ids)));
            let plan: Vec<String> = plan.into_iter().flatten().flatten().collect();
            plan.join("\n")
        };
        for table in tables() {
            let text = rows_text(&parts(table));
            let without = text.replace(&format!(" LIMIT {ALL}"), "");
            let (plan, without) = (plan(&text), plan(&without));
            assert!(!plan.contains("Parallel Append"), "{plan}");
            // Else the server would.
            assert!(without.contains("Parallel Append"), "{without}");
        }
    }
}

//! The partitions of a lake, and their rows column by column.

use async_trait::async_trait;
use diesel::pg::Pg;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::batch::{self, OfIds};
use super::reader::read;
use super::{Backend, PostgresStore};
use crate::model::table::RowBatch;
use crate::store::StoreResult;
use crate::store::lake::{Group, KeyPart, LakeStore, LakeTable, Rows};

/// Year and month of a moment, as the triggers write it.
macro_rules! month {
    ($of:literal) => {
        concat!(
            "CASE WHEN ",
            $of,
            " BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(",
            $of,
            " / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END"
        )
    };
}

/// Apart on both: each has its own functions of time, and PostgreSQL keeps several rows of a stamp, so that those who
/// write at once do not wait for each other.
mod sql {
    use super::{BigInt, Text};
    use crate::store::statement::statement;

    statement! {
        Stamps {} -> (Text, Text) =
        "SELECT partition, sum(stamp)::text FROM partition_stamps GROUP BY partition ORDER BY partition";
    }

    statement! {
        Matches<'a> { after: &'a str => Text, limit: i64 => BigInt } -> (Text, Text) =
        concat!("SELECT match_id, 'matches|' || platform || '|' || ", month!("game_start"),
            " FROM matches WHERE match_id > ? ORDER BY match_id LIMIT ?");
    }
}

/// The partition of a row.
fn partition(group: Group) -> &'static str {
    match group {
        Group::Matches => "matches",
        Group::Stats => "'stats|' || platform || '|' || year",
        Group::Players => "'players|' || platform",
        Group::Ranks => concat!("'ranks|' || ", month!("seen_at")),
        Group::Mastery => concat!("'mastery|' || ", month!("seen_at")),
        Group::Names => "'names'",
        Group::FormerNames => concat!("'former|' || ", month!("valid_to")),
        Group::Missing => concat!("'missing|' || ", month!("first_seen")),
        Group::PlayerYears => "'years|' || platform || '|' || year",
    }
}

fn list(table: &LakeTable) -> String {
    let columns: Vec<String> = table.columns.iter().map(batch::told).collect();
    columns.join(", ")
}

fn of_matches(table: &LakeTable) -> String {
    let (columns, name, keys) = (list(table), table.name, table.key_list());
    // A view's rows of a match may have one key of two columns: the third is then their number.
    let order = match table.name {
        "participant_minutes" => "match_id, participant_id, minute",
        "participant_purchases" => "match_id, participant_id, purchase",
        _ => &keys,
    };
    format!("SELECT {columns} FROM {name} WHERE match_id = ANY($1) ORDER BY {order}")
}

fn after<'q>(
    table: &LakeTable,
    wanted: &'q str,
    key: Option<&'q [KeyPart]>,
    limit: usize,
) -> BoxedSqlQuery<'q, Pg, SqlQuery> {
    let (columns, name, keys) = (list(table), table.name, table.key_list());
    let places: Vec<String> = (0..table.key).map(|at| format!("${}", at + 2)).collect();
    let places = places.join(", ");
    let after = key.map(|_| format!(" AND ({keys}) > ({places})"));
    let after = after.unwrap_or_default();
    let part = partition(table.group);
    let text = format!(
        "SELECT {columns} FROM {name} WHERE {part} = $1{after} ORDER BY {keys} LIMIT {limit}"
    );
    let mut query = diesel::sql_query(text).into_boxed().bind::<Text, _>(wanted);
    for part in key.into_iter().flatten() {
        query = match part {
            KeyPart::Number(number) => query.bind::<BigInt, _>(*number),
            KeyPart::Text(text) => query.bind::<Text, _>(text.as_str()),
        };
    }
    query
}

#[async_trait]
impl LakeStore for PostgresStore {
    async fn partition_stamps(&self) -> StoreResult<Vec<(String, String)>> {
        Ok(read!(self.readers, conn => sql::Stamps {}.load(conn).await))
    }

    async fn lake_matches(&self, after: &str, limit: usize) -> StoreResult<Vec<(String, String)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(read!(self.readers, conn => sql::Matches { after, limit }.load(conn).await))
    }

    async fn lake_rows(&self, table: &'static LakeTable, rows: Rows) -> StoreResult<RowBatch> {
        let columns = &table.columns;
        match &rows {
            Rows::OfMatches(ids) => {
                let text = of_matches(table);
                Ok(read!(self.readers, conn => {
                    batch::read(conn, columns, OfIds::new(&text, ids)).await
                }))
            }
            Rows::After {
                partition,
                key,
                limit,
            } => Ok(read!(self.readers, conn => {
                batch::read(conn, columns, after(table, partition, key.as_deref(), *limit)).await
            })),
        }
    }
}

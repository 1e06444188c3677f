//! The partitions of a lake, and their rows column by column.

use async_trait::async_trait;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;

use super::batch::{self, OfIds};
use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
use crate::model::table::RowBatch;
use crate::store::StoreResult;
use crate::store::lake::{Group, KeyPart, LakeStore, LakeTable, Rows};
use crate::store::rows::to_json;

/// Year and month of a moment, as the triggers write it.
macro_rules! month {
    ($of:literal) => {
        concat!(
            "CASE WHEN ",
            $of,
            " BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', ",
            $of,
            " / 1000, 'unixepoch') ELSE '0000|00' END"
        )
    };
}

/// Apart on both: each has its own functions of time, and PostgreSQL keeps several rows of a stamp, so that those who
/// write at once do not wait for each other.
mod sql {
    use super::{BigInt, Text};
    use crate::store::statement::statement;

    statement! {
        Stamps {} -> (Text, BigInt) = "SELECT partition, stamp FROM partition_stamps ORDER BY partition";
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
    let columns = table.columns.iter();
    let columns: Vec<String> = columns.map(|column| batch::told("t", column)).collect();
    columns.join(", ")
}

/// In the order of the ids, and of each match in the order of the key, which tables are stored by.
fn of_matches(table: &LakeTable) -> String {
    let (columns, name) = (list(table), table.name);
    format!("SELECT {columns} FROM json_each(?) j CROSS JOIN {name} t ON t.match_id = j.value")
}

fn after(
    table: &LakeTable,
    wanted: String,
    key: Option<Vec<KeyPart>>,
    limit: usize,
) -> BoxedSqlQuery<'static, Sqlite, SqlQuery> {
    let (columns, name, keys) = (list(table), table.name, table.key_list());
    let places = vec!["?"; table.key].join(", ");
    let after = key.as_ref().map(|_| format!(" AND ({keys}) > ({places})"));
    let after = after.unwrap_or_default();
    let part = partition(table.group);
    let text = format!(
        "SELECT {columns} FROM {name} t WHERE {part} = ?{after} ORDER BY {keys} LIMIT {limit}"
    );
    let mut query = diesel::sql_query(text).into_boxed();
    query = query.bind::<Text, _>(wanted);
    for part in key.into_iter().flatten() {
        query = match part {
            KeyPart::Number(number) => query.bind::<BigInt, _>(number),
            KeyPart::Text(text) => query.bind::<Text, _>(text),
        };
    }
    query
}

#[async_trait]
impl LakeStore for SqliteStore {
    async fn partition_stamps(&self) -> StoreResult<Vec<(String, String)>> {
        let mut reader = self.readers().borrow().await?;
        let stamps: Vec<(String, i64)> = sql::Stamps {}.load(reader.conn()).await?;
        let told = stamps.into_iter();
        Ok(told
            .map(|(name, stamp)| (name, stamp.to_string()))
            .collect())
    }

    async fn lake_matches(&self, after: &str, limit: usize) -> StoreResult<Vec<(String, String)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        Ok(sql::Matches { after, limit }.load(reader.conn()).await?)
    }

    async fn lake_rows(&self, table: &'static LakeTable, rows: Rows) -> StoreResult<RowBatch> {
        let mut reader = self.readers().borrow().await?;
        let conn = reader.conn();
        let columns = &table.columns;
        match rows {
            Rows::OfMatches(ids) => {
                let rows = OfIds::new(of_matches(table), to_json(&ids)?);
                Ok(conn
                    .spawn_blocking(move |conn| batch::read(conn, columns, rows))
                    .await?)
            }
            Rows::After {
                partition,
                key,
                limit,
            } => {
                let rows = after(table, partition, key, limit);
                Ok(conn
                    .spawn_blocking(move |conn| batch::read(conn, columns, rows))
                    .await?)
            }
        }
    }
}

//! The partitions of a lake, and their rows column by column.

use async_trait::async_trait;
use diesel::QueryResult;
use diesel::connection::LoadConnection;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::row::{Field, Row};
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
use crate::model::table::Column;
use crate::store::StoreResult;
use crate::store::lake::{Batch, Cells, Group, KeyPart, LakeStore, LakeTable, Rows, Values};
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
    }
}

fn query(table: &LakeTable, rows: Rows) -> StoreResult<BoxedSqlQuery<'static, Sqlite, SqlQuery>> {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    let (columns, name) = (columns.join(", t."), table.name);
    match rows {
        // In the order of the ids, and of each match in the order of the key, which tables are stored by.
        Rows::OfMatches(ids) => {
            let text = format!(
                "SELECT t.{columns} FROM json_each(?) j CROSS JOIN {name} t ON t.match_id = j.value"
            );
            let query = diesel::sql_query(text).into_boxed();
            Ok(query.bind::<Text, _>(to_json(&ids)?))
        }
        Rows::After {
            partition: wanted,
            key,
            limit,
        } => {
            let keys = table.key_list();
            let places = vec!["?"; table.key].join(", ");
            let after = key.as_ref().map(|_| format!(" AND ({keys}) > ({places})"));
            let after = after.unwrap_or_default();
            let part = partition(table.group);
            let text = format!(
                "SELECT t.{columns} FROM {name} t WHERE {part} = ?{after} ORDER BY {keys} LIMIT {limit}"
            );
            let mut query = diesel::sql_query(text).into_boxed();
            query = query.bind::<Text, _>(wanted);
            for part in key.into_iter().flatten() {
                query = match part {
                    KeyPart::Number(number) => query.bind::<BigInt, _>(number),
                    KeyPart::Text(text) => query.bind::<Text, _>(text),
                };
            }
            Ok(query)
        }
    }
}

/// Adds the value of a row to its column.
fn push<'r>(cells: &mut Cells, column: &Column, field: &impl Field<'r, Sqlite>) -> QueryResult<()> {
    let value = field.value();
    if column.optional {
        cells.present.push(i16::from(value.is_some()));
    }
    let Some(mut value) = value else {
        if column.optional {
            return Ok(());
        }
        let why = format!("{} is nothing", column.name);
        return Err(diesel::result::Error::DeserializationError(why.into()));
    };
    match &mut cells.values {
        Values::Int(values) => values.push(value.read_integer()),
        Values::Long(values) => values.push(value.read_long()),
        Values::Double(values) => values.push(value.read_double()),
        Values::Bool(values) => values.push(value.read_integer() != 0),
        Values::Text(bytes, ends) => {
            bytes.extend_from_slice(value.read_text().as_bytes());
            ends.push(bytes.len());
        }
    }
    Ok(())
}

fn read(
    conn: &mut SqliteConnection,
    table: &LakeTable,
    query: BoxedSqlQuery<'static, Sqlite, SqlQuery>,
) -> QueryResult<Batch> {
    let mut batch = Batch::of(table);
    for row in LoadConnection::load(conn, query)? {
        let row = row?;
        for (at, (cells, column)) in batch.columns.iter_mut().zip(&table.columns).enumerate() {
            let field = row.get(at).ok_or(diesel::result::Error::NotFound)?;
            push(cells, column, &field)?;
        }
        batch.rows += 1;
    }
    Ok(batch)
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

    async fn lake_rows(&self, table: &'static LakeTable, rows: Rows) -> StoreResult<Batch> {
        let query = query(table, rows)?;
        let mut reader = self.readers().borrow().await?;
        let read = reader
            .conn()
            .spawn_blocking(move |conn| read(conn, table, query));
        Ok(read.await?)
    }
}

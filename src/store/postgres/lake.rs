//! The partitions of a lake, and their rows column by column.

use async_trait::async_trait;
use diesel::pg::Pg;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::result::Error as DieselError;
use diesel::row::{Field, Row};
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection, RunQueryDsl};
use futures_util::TryStreamExt;

use super::reader::read;
use super::{Backend, PostgresStore};
use crate::model::table::{Column, Kind};
use crate::store::StoreResult;
use crate::store::lake::{Batch, Cells, Group, KeyPart, LakeStore, LakeTable, Rows, Values};

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
    }
}

/// A column in the width that it is read in.
fn told(column: &Column) -> String {
    let width = match column.kind {
        Kind::Int => "::int4",
        Kind::Long | Kind::Time => "::int8",
        Kind::Double => "::float8",
        Kind::Bool => "::bool",
        Kind::Text => "",
    };
    format!("{}{width}", column.name)
}

fn query<'q>(table: &LakeTable, rows: &'q Rows) -> BoxedSqlQuery<'q, Pg, SqlQuery> {
    let columns: Vec<String> = table.columns.iter().map(told).collect();
    let (columns, name, keys) = (columns.join(", "), table.name, table.key_list());
    match rows {
        Rows::OfMatches(ids) => {
            // A view's rows of a match may have one key of two columns: the third is then their number.
            let order = match table.name {
                "participant_minutes" => "match_id, participant_id, minute",
                "participant_purchases" => "match_id, participant_id, purchase",
                _ => &keys,
            };
            let text =
                format!("SELECT {columns} FROM {name} WHERE match_id = ANY($1) ORDER BY {order}");
            diesel::sql_query(text)
                .into_boxed()
                .bind::<Array<Text>, _>(ids)
        }
        Rows::After {
            partition: wanted,
            key,
            limit,
        } => {
            let places: Vec<String> = (0..table.key).map(|at| format!("${}", at + 2)).collect();
            let places = places.join(", ");
            let after = key.as_ref().map(|_| format!(" AND ({keys}) > ({places})"));
            let after = after.unwrap_or_default();
            let part = partition(table.group);
            let text = format!(
                "SELECT {columns} FROM {name} WHERE {part} = $1{after} ORDER BY {keys} LIMIT {limit}"
            );
            let mut query = diesel::sql_query(text)
                .into_boxed()
                .bind::<Text, _>(wanted.as_str());
            for part in key.iter().flatten() {
                query = match part {
                    KeyPart::Number(number) => query.bind::<BigInt, _>(*number),
                    KeyPart::Text(text) => query.bind::<Text, _>(text.as_str()),
                };
            }
            query
        }
    }
}

/// Adds the value of a row to its column. Values come in the form of PostgreSQL's own protocol.
fn push<'r>(
    cells: &mut Cells,
    column: &Column,
    field: &impl Field<'r, Pg>,
) -> Result<(), DieselError> {
    let value = field.value();
    if column.optional {
        cells.present.push(i16::from(value.is_some()));
    }
    let wrong = || {
        let why = format!("{} is not as it should be", column.name);
        DieselError::DeserializationError(why.into())
    };
    let Some(value) = value else {
        return if column.optional {
            Ok(())
        } else {
            Err(wrong())
        };
    };
    let bytes = value.as_bytes();
    match &mut cells.values {
        Values::Int(values) => {
            let bytes = bytes.try_into().map_err(|_| wrong())?;
            values.push(i32::from_be_bytes(bytes));
        }
        Values::Long(values) => {
            let bytes = bytes.try_into().map_err(|_| wrong())?;
            values.push(i64::from_be_bytes(bytes));
        }
        Values::Double(values) => {
            let bytes = bytes.try_into().map_err(|_| wrong())?;
            values.push(f64::from_be_bytes(bytes));
        }
        Values::Bool(values) => values.push(bytes != [0]),
        Values::Text(all, ends) => {
            all.extend_from_slice(bytes);
            ends.push(all.len());
        }
    }
    Ok(())
}

async fn load(
    mut conn: &AsyncPgConnection,
    table: &LakeTable,
    rows: &Rows,
) -> Result<Batch, DieselError> {
    let mut batch = Batch::of(table);
    let mut stream = AsyncConnectionCore::load(&mut conn, query(table, rows)).await?;
    while let Some(row) = stream.try_next().await? {
        for (at, (cells, column)) in batch.columns.iter_mut().zip(&table.columns).enumerate() {
            let field = row.get(at).ok_or(DieselError::NotFound)?;
            push(cells, column, &field)?;
        }
        batch.rows += 1;
    }
    Ok(batch)
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

    async fn lake_rows(&self, table: &'static LakeTable, rows: Rows) -> StoreResult<Batch> {
        Ok(read!(self.readers, conn => load(conn, table, &rows).await))
    }
}

//! Rows column by column, as exports and lakes read them.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::row::{Field, Row};
use diesel::sql_types::{Array, Text, Untyped};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection};
use futures_util::TryStreamExt;

use crate::model::table::{Cells, Column, Kind, RowBatch, Values};

/// A statement that is put together, whose `$1` is an array of ids. It is prepared once per connection and text,
/// where `sql_query` is at every use.
#[derive(Debug)]
pub(super) struct OfIds<'q> {
    text: &'q str,
    ids: &'q [String],
}

impl<'q> OfIds<'q> {
    pub(super) fn new(text: &'q str, ids: &'q [String]) -> Self {
        Self { text, ids }
    }
}

impl QueryId for OfIds<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for OfIds<'_> {
    type SqlType = Untyped;
}

impl QueryFragment<Pg> for OfIds<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (before, after) = self.text.split_once("$1").unwrap_or((self.text, ""));
        out.push_sql(before);
        out.push_bind_param::<Array<Text>, _>(&self.ids)?;
        out.push_sql(after);
        Ok(())
    }
}

/// A column in the width that it is read in.
pub(super) fn told(column: &Column) -> String {
    let width = match column.kind {
        Kind::Int => "::int4",
        Kind::Long | Kind::Time => "::int8",
        Kind::Double => "::float8",
        Kind::Bool => "::bool",
        Kind::Text => "",
    };
    format!("{}{width}", column.name)
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
        Values::Text(texts, ends) => {
            texts.push_str(str::from_utf8(bytes).map_err(|_| wrong())?);
            ends.push(texts.len());
        }
    }
    Ok(())
}

pub(super) async fn read<'q, Q>(
    mut conn: &AsyncPgConnection,
    columns: &[Column],
    query: Q,
) -> Result<RowBatch, DieselError>
where
    Q: Query<SqlType = Untyped> + QueryFragment<Pg> + QueryId + Send + 'q,
{
    let mut batch = RowBatch::of(columns);
    let mut rows = AsyncConnectionCore::load(&mut conn, query).await?;
    while let Some(row) = rows.try_next().await? {
        for (at, (cells, column)) in batch.columns.iter_mut().zip(columns).enumerate() {
            let Some(field) = row.get(at) else {
                return Err(DieselError::NotFound);
            };
            push(cells, column, &field)?;
        }
        batch.rows += 1;
    }
    Ok(batch)
}

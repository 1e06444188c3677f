//! Rows column by column, as exports and lakes read them.

use diesel::QueryResult;
use diesel::connection::LoadConnection;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::row::{Field, Row};
use diesel::sql_types::{Text, Untyped};
use diesel::sqlite::{Sqlite, SqliteConnection};

use crate::model::table::{Cells, Column, RowBatch, Values};

/// A statement that is put together, whose one `?` is a list of ids in JSON. It is prepared once per connection and
/// text, where `sql_query` is at every use.
#[derive(Debug)]
pub(super) struct OfIds {
    text: String,
    ids: String,
}

impl OfIds {
    pub(super) fn new(text: String, ids: String) -> Self {
        Self { text, ids }
    }
}

impl QueryId for OfIds {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for OfIds {
    type SqlType = Untyped;
}

impl QueryFragment<Sqlite> for OfIds {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let (before, after) = self.text.split_once('?').unwrap_or((&self.text, ""));
        out.push_sql(before);
        out.push_bind_param::<Text, _>(&self.ids)?;
        out.push_sql(after);
        Ok(())
    }
}

/// Adds the value of a row to its column.
fn push<'r>(cells: &mut Cells, column: &Column, field: &impl Field<'r, Sqlite>) -> QueryResult<()> {
    let mut value = field.value();
    if column.optional {
        cells.present.push(i16::from(value.is_some()));
    }
    // It is read where it lies: to move it takes longer than to read it.
    let Some(value) = &mut value else {
        if column.optional {
            return Ok(());
        }
        let why = format!("{} is nothing", column.name);
        return Err(DieselError::DeserializationError(why.into()));
    };
    match &mut cells.values {
        Values::Int(values) => values.push(value.read_integer()),
        Values::Long(values) => values.push(value.read_long()),
        Values::Double(values) => values.push(value.read_double()),
        Values::Bool(values) => values.push(value.read_integer() != 0),
        Values::Text(texts, ends) => {
            texts.push_str(value.read_text());
            ends.push(texts.len());
        }
    }
    Ok(())
}

pub(super) fn read<Q>(
    conn: &mut SqliteConnection,
    columns: &[Column],
    query: Q,
) -> QueryResult<RowBatch>
where
    Q: Query<SqlType = Untyped> + QueryFragment<Sqlite> + QueryId,
{
    let mut batch = RowBatch::of(columns);
    for row in LoadConnection::load(conn, query)? {
        let row = row?;
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

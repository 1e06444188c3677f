//! Rows column by column, as exports and lakes read them.

use std::collections::{HashMap, HashSet};

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::row::{Field, Row};
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, BigInt, HasSqlType, Text, Untyped};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection};
use futures_util::TryStreamExt;

use crate::model::table::{Cell, Cells, Column, Cursor, Kind, RowBatch, Values};
use crate::store::export::MatchTable;

/// A statement that is put together, whose `$1` is an array of ids or numbers. It is prepared once per connection and
/// text, where `sql_query` is at every use.
#[derive(Debug)]
pub(super) struct OfIds<'q, I> {
    text: &'q str,
    ids: &'q [I],
}

impl<'q, I> OfIds<'q, I> {
    pub(super) fn new(text: &'q str, ids: &'q [I]) -> Self {
        Self { text, ids }
    }
}

impl<I> QueryId for OfIds<'_, I> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<I> Query for OfIds<'_, I> {
    type SqlType = Untyped;
}

impl QueryFragment<Pg> for OfIds<'_, String> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        walk::<Text, _>(self.text, &self.ids, out)
    }
}

impl QueryFragment<Pg> for OfIds<'_, i64> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        walk::<BigInt, _>(self.text, &self.ids, out)
    }
}

fn walk<'b, T: 'static, I>(text: &str, ids: &'b I, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()>
where
    Pg: HasSqlType<Array<T>>,
    I: ToSql<Array<T>, Pg>,
{
    let (before, after) = text.split_once("$1").unwrap_or((text, ""));
    out.push_sql(before);
    out.push_bind_param::<Array<T>, _>(ids)?;
    // Further ones in it are the same.
    out.push_sql(after);
    Ok(())
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

fn wrong(column: &Column) -> DieselError {
    DieselError::DeserializationError(format!("{} is not as it should be", column.name).into())
}

/// Columns of a batch while rows are read into them. Values come in the form of PostgreSQL's own protocol.
struct Reading<'b> {
    columns: &'b [Column],
    cells: &'b mut [Cells],
    /// Of each column of texts: whether they are UTF-8 is looked at for all of them together.
    texts: Vec<Vec<u8>>,
}

impl<'b> Reading<'b> {
    fn new(columns: &'b [Column], cells: &'b mut [Cells]) -> Self {
        Self {
            columns,
            cells,
            texts: vec![Vec::new(); columns.len()],
        }
    }

    /// Adds a value of a row to the column at this place.
    fn push<'r>(&mut self, at: usize, row: &impl Row<'r, Pg>, place: usize) -> QueryResult<()> {
        let (column, cells) = (&self.columns[at], &mut self.cells[at]);
        let field = row.get(place).ok_or_else(|| DieselError::NotFound)?;
        let value = field.value();
        if column.optional {
            cells.present.push(i16::from(value.is_some()));
        }
        let Some(value) = value else {
            return if column.optional {
                Ok(())
            } else {
                Err(wrong(column))
            };
        };
        let bytes = value.as_bytes();
        match &mut cells.values {
            Values::Int(values) => {
                let bytes = bytes.try_into().map_err(|_| wrong(column))?;
                values.push(i32::from_be_bytes(bytes));
            }
            Values::Long(values) => values.push(long(bytes).ok_or_else(|| wrong(column))?),
            Values::Double(values) => {
                let bytes = bytes.try_into().map_err(|_| wrong(column))?;
                values.push(f64::from_be_bytes(bytes));
            }
            Values::Bool(values) => values.push(bytes != [0]),
            Values::Text(_, ends) => {
                let text = &mut self.texts[at];
                text.extend_from_slice(bytes);
                ends.push(text.len());
            }
        }
        Ok(())
    }

    fn finish(self) {
        for (cells, text) in self.cells.iter_mut().zip(self.texts) {
            cells.set_text(text);
        }
    }
}

/// A number of 64 bits.
fn long(bytes: &[u8]) -> Option<i64> {
    bytes.try_into().ok().map(i64::from_be_bytes)
}

pub(super) async fn read<'q, Q>(
    mut conn: &AsyncPgConnection,
    columns: &[Column],
    query: Q,
) -> QueryResult<RowBatch>
where
    Q: Query<SqlType = Untyped> + QueryFragment<Pg> + QueryId + Send + 'q,
{
    let mut batch = RowBatch::of(columns);
    let mut reading = Reading::new(columns, &mut batch.columns);
    let mut rows = AsyncConnectionCore::load(&mut conn, query).await?;
    while let Some(row) = rows.try_next().await? {
        for at in 0..columns.len() {
            reading.push(at, &row, at)?;
        }
        batch.rows += 1;
    }
    reading.finish();
    Ok(batch)
}

/// Whose number a row of players begins with.
pub(super) fn player_columns(table: &MatchTable) -> Vec<Column> {
    let names = table.at("pl").into_iter().map(|at| table.columns[at]);
    std::iter::once(Column::of::<i64>("id"))
        .chain(names)
        .collect()
}

/// The rows of matches, without what their players are called.
#[derive(Debug)]
pub(super) struct RowsOfMatches {
    table: &'static MatchTable,
    batch: RowBatch,
    /// Who each row is of, in tables with players.
    players: Vec<Option<i64>>,
}

impl RowsOfMatches {
    /// Reads them; none if they come in another order than their matches, or before them. A row of the statement
    /// begins with whether it is one of the table; else it is a match. Then comes what all rows of a match have in
    /// common, with its id first; in tables with players whose row it is; and the other columns.
    pub(super) async fn read(
        mut conn: &AsyncPgConnection,
        table: &'static MatchTable,
        query: OfIds<'_, String>,
    ) -> QueryResult<Option<Self>> {
        let shared = table.shared();
        let (own, own_first) = (table.at("d"), 1 + shared + usize::from(table.has_players()));
        let mut batch = RowBatch::sharing(&table.columns, shared);
        let mut reading = Reading::new(&table.columns, &mut batch.columns);
        let mut players = Vec::new();
        // Of each match the place of its span.
        let mut places = HashMap::new();
        let mut current = (Vec::new(), None);
        let (mut last, mut rows_come) = (0, false);
        let mut rows = AsyncConnectionCore::load(&mut conn, query).await?;
        while let Some(row) = rows.try_next().await? {
            let field = row.get(1).ok_or_else(|| DieselError::NotFound)?;
            let id = field.value().ok_or_else(|| DieselError::NotFound)?;
            let id = id.as_bytes();
            let field = row.get(0).ok_or_else(|| DieselError::NotFound)?;
            if field.value().is_some_and(|is_row| is_row.as_bytes() == [0]) {
                // Its rows would be lost.
                if rows_come {
                    return Ok(None);
                }
                places.insert(id.to_vec(), batch.spans.len());
                batch.spans.push(0);
                for at in 0..shared {
                    reading.push(at, &row, 1 + at)?;
                }
                continue;
            }
            rows_come = true;
            if id != current.0 {
                current = (id.to_vec(), places.get(id).copied());
            }
            // Rows without a match are not told.
            let Some(place) = current.1 else { continue };
            // One in another order would get what another match is.
            if place < last {
                return Ok(None);
            }
            last = place;
            batch.spans[place] += 1;
            batch.rows += 1;
            if table.has_players() {
                let field = row.get(1 + shared).ok_or_else(|| DieselError::NotFound)?;
                players.push(field.value().and_then(|player| long(player.as_bytes())));
            }
            for (nth, at) in own.iter().enumerate() {
                reading.push(*at, &row, own_first + nth)?;
            }
        }
        reading.finish();
        Ok(Some(Self {
            table,
            batch,
            players,
        }))
    }

    /// Each once.
    pub(super) fn player_ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.players.iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// With what their players are called: rows of [`player_columns`].
    pub(super) fn called(mut self, players: &RowBatch) -> RowBatch {
        let mut cursors: Vec<Cursor<'_>> = players.columns.iter().map(Cells::cursor).collect();
        let mut found = HashMap::with_capacity(players.rows);
        for _ in 0..players.rows {
            let cells: Vec<Cell<'_>> = cursors.iter_mut().map(Cursor::next_cell).collect();
            if let [Cell::Int(id), names @ ..] = &cells[..] {
                found.insert(*id, names.to_vec());
            }
        }
        let places = self.table.at("pl");
        for player in &self.players {
            let names = player.and_then(|id| found.get(&id));
            for (nth, at) in places.iter().enumerate() {
                let name = names.map_or(Cell::None, |names| names[nth]);
                self.batch.columns[*at].push(name);
            }
        }
        self.batch
    }
}

/// Those of the ids that are not the first of a row.
pub(super) fn missing(ids: &[i64], rows: &RowBatch) -> Vec<i64> {
    let mut cursor = rows.columns[0].cursor();
    let there = (0..rows.rows).filter_map(|_| match cursor.next_cell() {
        Cell::Int(id) => Some(id),
        _ => None,
    });
    let there: HashSet<i64> = there.collect();
    let ids = ids.iter().copied();
    ids.filter(|id| !there.contains(id)).collect()
}

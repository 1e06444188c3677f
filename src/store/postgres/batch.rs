//! Rows column by column, as exports and lakes read them.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::row::{Field, Row};
use diesel::sql_types::{Array, BigInt, Text, Untyped};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection};
use futures_util::TryStreamExt;

use crate::model::table::{Cell, Cells, Column, Cursor, Kind, RowBatch, Values};
use crate::store::export::MatchTable;

/// A statement that is put together, whose `$1` is an array of ids: texts, or numbers. It is prepared once per
/// connection and text, where `sql_query` is at every use.
#[derive(Debug)]
pub(super) struct OfIds<'q, T> {
    text: &'q str,
    ids: &'q [T],
}

impl<'q, T> OfIds<'q, T> {
    pub(super) fn new(text: &'q str, ids: &'q [T]) -> Self {
        Self { text, ids }
    }
}

impl<T> QueryId for OfIds<'_, T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T> Query for OfIds<'_, T> {
    type SqlType = Untyped;
}

impl QueryFragment<Pg> for OfIds<'_, String> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (before, after) = self.text.split_once("$1").unwrap_or((self.text, ""));
        out.push_sql(before);
        out.push_bind_param::<Array<Text>, _>(&self.ids)?;
        out.push_sql(after);
        Ok(())
    }
}

impl QueryFragment<Pg> for OfIds<'_, i64> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (before, after) = self.text.split_once("$1").unwrap_or((self.text, ""));
        out.push_sql(before);
        out.push_bind_param::<Array<BigInt>, _>(&self.ids)?;
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

fn wrong(column: &Column) -> DieselError {
    let why = format!("{} is not as it should be", column.name);
    DieselError::DeserializationError(why.into())
}

/// A number as it comes.
fn long(bytes: &[u8]) -> Option<i64> {
    bytes.try_into().ok().map(i64::from_be_bytes)
}

/// Adds the value of a row to its column. Values come in the form of PostgreSQL's own protocol.
fn push<'r>(
    cells: &mut Cells,
    column: &Column,
    row: &impl Row<'r, Pg>,
    at: usize,
) -> Result<(), DieselError> {
    let field = row.get(at).ok_or(DieselError::NotFound)?;
    let value = field.value();
    if column.optional {
        cells.present.push(i16::from(value.is_some()));
    }
    let wrong = || wrong(column);
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
        Values::Long(values) => values.push(long(bytes).ok_or_else(wrong)?),
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
            push(cells, column, &row, at)?;
        }
        batch.rows += 1;
    }
    Ok(batch)
}

/// Rows of matches while they are read: what the rows of a match have in common, the rows, and who played.
#[derive(Debug)]
pub(super) struct RowsOfMatches {
    table: &'static MatchTable,
    pub(super) batch: RowBatch,
    /// Of each match the place of its span.
    places: HashMap<Vec<u8>, usize>,
    /// Who each row is of.
    players: Vec<Option<i64>>,
}

impl RowsOfMatches {
    pub(super) fn of(table: &'static MatchTable) -> Self {
        Self {
            table,
            batch: RowBatch::sharing(&table.columns, table.shared()),
            places: HashMap::new(),
            players: Vec::new(),
        }
    }

    /// The first column is the id.
    pub(super) async fn read_matches(
        &mut self,
        mut conn: &AsyncPgConnection,
        query: OfIds<'_, String>,
    ) -> Result<(), DieselError> {
        let mut rows = AsyncConnectionCore::load(&mut conn, query).await?;
        while let Some(row) = rows.try_next().await? {
            let field = row.get(0).ok_or(DieselError::NotFound)?;
            let id = field.value().ok_or(DieselError::NotFound)?;
            let id = id.as_bytes().to_vec();
            self.places.insert(id, self.batch.spans.len());
            self.batch.spans.push(0);
            for (at, _, column) in self.table.at(&["m"]) {
                push(&mut self.batch.columns[at], column, &row, at)?;
            }
        }
        Ok(())
    }

    /// Before the columns stand the id of the match, and of tables with players who it is of.
    pub(super) async fn read_rows(
        &mut self,
        mut conn: &AsyncPgConnection,
        query: OfIds<'_, String>,
    ) -> Result<(), DieselError> {
        let has_players = self.table.has_players();
        let columns: Vec<(usize, &Column)> = self
            .table
            .at(&["d"])
            .map(|(at, _, column)| (at, column))
            .collect();
        let mut current = (Vec::new(), None);
        let mut rows = AsyncConnectionCore::load(&mut conn, query).await?;
        while let Some(row) = rows.try_next().await? {
            let field = row.get(0).ok_or(DieselError::NotFound)?;
            let id = field.value().ok_or(DieselError::NotFound)?;
            if id.as_bytes() != current.0 {
                current = (
                    id.as_bytes().to_vec(),
                    self.places.get(id.as_bytes()).copied(),
                );
            }
            // Rows without a match are not told.
            let Some(place) = current.1 else { continue };
            self.batch.spans[place] += 1;
            self.batch.rows += 1;
            if has_players {
                let player = row.get(1).ok_or(DieselError::NotFound)?;
                let player = player.value();
                self.players
                    .push(player.and_then(|value| long(value.as_bytes())));
            }
            let first = 1 + usize::from(has_players);
            for (behind, (at, column)) in columns.iter().enumerate() {
                push(&mut self.batch.columns[*at], column, &row, first + behind)?;
            }
        }
        Ok(())
    }

    /// Each once.
    pub(super) fn player_ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.players.iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The first column is the player's number.
    pub(super) async fn read_players(
        &mut self,
        conn: &AsyncPgConnection,
        query: OfIds<'_, i64>,
    ) -> Result<(), DieselError> {
        let who: Vec<(usize, &Column)> = self
            .table
            .at(&["pl"])
            .map(|(at, _, column)| (at, column))
            .collect();
        let mut columns = vec![Column::of::<i64>("id")];
        columns.extend(who.iter().map(|(_, column)| **column));
        let players = read(conn, &columns, query).await?;
        let mut cursors: Vec<Cursor<'_>> = players.columns.iter().map(Cells::cursor).collect();
        let mut found = HashMap::with_capacity(players.rows);
        for _ in 0..players.rows {
            let (id, cells) = cursors.split_first_mut().expect("the number is the first");
            let Cell::Int(id) = id.next_cell() else {
                continue;
            };
            let cells: Vec<Cell<'_>> = cells.iter_mut().map(Cursor::next_cell).collect();
            found.insert(id, cells);
        }
        for player in &self.players {
            let cells = player.and_then(|id| found.get(&id));
            for (nth, (at, _)) in who.iter().enumerate() {
                let cell = cells.map_or(Cell::None, |cells| cells[nth]);
                self.batch.columns[*at].push(cell);
            }
        }
        Ok(())
    }
}

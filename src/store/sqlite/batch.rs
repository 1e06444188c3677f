//! Rows column by column, as exports and lakes read them.

use diesel::QueryResult;
use diesel::connection::{Connection, LoadConnection};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::row::{Field, Row};
use diesel::sql_types::{Text, Untyped};
use diesel::sqlite::{Sqlite, SqliteConnection};

use crate::model::table::{Cells, Column, Kind, RowBatch, Values};
use crate::store::export::MatchTable;

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

/// A column as [`read`] and [`read_of_matches`] take it: texts as bytes. Whether they are UTF-8 is looked at for all of
/// a column together, where the crate looks at each, twice.
pub(super) fn told(place: &str, column: &Column) -> String {
    match column.kind {
        Kind::Text => format!("CAST({place}.{} AS BLOB)", column.name),
        _ => format!("{place}.{}", column.name),
    }
}

/// Columns of a batch while rows are read into them.
struct Reading<'b> {
    columns: &'b [Column],
    cells: &'b mut [Cells],
    /// Of each column of texts.
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

    /// Adds the values of a row, from one of its columns on, to theirs.
    fn push<'r>(&mut self, row: &impl Row<'r, Sqlite>, first: usize) -> QueryResult<()> {
        let columns = self.columns.iter().zip(self.cells.iter_mut());
        for (at, ((column, cells), text)) in columns.zip(&mut self.texts).enumerate() {
            let field = row.get(first + at).ok_or_else(|| DieselError::NotFound)?;
            let mut value = field.value();
            if column.optional {
                cells.present.push(i16::from(value.is_some()));
            }
            // It is read where it lies: to move it takes longer than to read it.
            let Some(value) = &mut value else {
                if column.optional {
                    continue;
                }
                let why = format!("{} is nothing", column.name);
                return Err(DieselError::DeserializationError(why.into()));
            };
            match &mut cells.values {
                Values::Int(values) => values.push(value.read_integer()),
                Values::Long(values) => values.push(value.read_long()),
                Values::Double(values) => values.push(value.read_double()),
                Values::Bool(values) => values.push(value.read_integer() != 0),
                Values::Text(_, ends) => {
                    text.extend_from_slice(value.read_blob());
                    ends.push(text.len());
                }
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

pub(super) fn read<Q>(
    conn: &mut SqliteConnection,
    columns: &[Column],
    query: Q,
) -> QueryResult<RowBatch>
where
    Q: Query<SqlType = Untyped> + QueryFragment<Sqlite> + QueryId,
{
    let mut batch = RowBatch::of(columns);
    let mut reading = Reading::new(columns, &mut batch.columns);
    for row in LoadConnection::load(conn, query)? {
        reading.push(&row?, 0)?;
        batch.rows += 1;
    }
    reading.finish();
    Ok(batch)
}

/// The rows of matches, in the order of `count` ids. What all rows of a match have in common is read once for them.
/// Both statements tell first where the match stands among the ids.
pub(super) fn read_of_matches(
    conn: &mut SqliteConnection,
    table: &MatchTable,
    count: usize,
    shared: OfIds,
    rows: OfIds,
) -> QueryResult<RowBatch> {
    let mut batch = RowBatch::sharing(&table.columns, table.shared());
    let (columns, own_columns) = table.columns.split_at(batch.shared);
    let (cells, own_cells) = batch.columns.split_at_mut(batch.shared);
    // SQLite may have ended the transaction by itself: then the rollback fails, and its error tells nothing.
    let mut failed = None;
    // Both see the same moment.
    let read = |conn: &mut SqliteConnection| -> QueryResult<()> {
        // Of each id the place of its span.
        let mut places = vec![None; count];
        let mut reading = Reading::new(columns, cells);
        for row in LoadConnection::load(conn, shared)? {
            let row = row?;
            places[number(&row)?] = Some(batch.spans.len());
            batch.spans.push(0);
            reading.push(&row, 1)?;
        }
        reading.finish();
        let mut reading = Reading::new(own_columns, own_cells);
        let mut last = 0;
        for row in LoadConnection::load(conn, rows)? {
            let row = row?;
            // Rows without a match are not told.
            let Some(place) = places[number(&row)?] else {
                continue;
            };
            // One in another order would get what another match is.
            if place < last {
                let why = format!(
                    "the rows of {} came in another order than their matches",
                    table.name
                );
                return Err(DieselError::DeserializationError(why.into()));
            }
            last = place;
            batch.spans[place] += 1;
            reading.push(&row, 1)?;
            batch.rows += 1;
        }
        reading.finish();
        Ok(())
    };
    let done = conn.transaction(|conn| {
        read(conn).map_err(|error| {
            failed = Some(error);
            DieselError::RollbackTransaction
        })
    });
    done.map_err(|error| failed.unwrap_or(error))?;
    Ok(batch)
}

/// The number in the first column.
fn number<'r>(row: &impl Row<'r, Sqlite>) -> QueryResult<usize> {
    let field = row.get(0).ok_or_else(|| DieselError::NotFound)?;
    let value = field.value().map(|mut value| value.read_integer());
    value
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| DieselError::NotFound)
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::model::table::Cell;

    const BANS: &str = "match_bans";

    fn read(conn: &mut SqliteConnection, rows: &str) -> QueryResult<RowBatch> {
        let ids = || "[\"KR_1\", \"KR_2\", \"KR_3\"]".to_owned();
        let shared = "SELECT j.key, j.value, 'KR', 2026, NULL FROM json_each(?) j WHERE j.key <> 1";
        let shared = OfIds::new(shared.to_owned(), ids());
        let rows = OfIds::new(rows.to_owned(), ids());
        read_of_matches(conn, MatchTable::named(BANS).unwrap(), 3, shared, rows)
    }

    fn connection() -> SqliteConnection {
        SqliteConnection::establish(":memory:").unwrap()
    }

    #[test]
    fn a_row_is_of_its_match_or_refused() {
        let conn = &mut connection();
        let three = "SELECT j.key, j.key, 100, 1, j.key FROM json_each(?) j ORDER BY j.key";
        let batch = read(conn, three).unwrap();
        // The match in the middle is not there.
        assert_eq!((batch.rows, &*batch.spans), (2, &[1, 1][..]));
        let mut champions = batch.columns.last().unwrap().cursor();
        assert_eq!(
            [0, 2].map(Cell::Int),
            [champions.next_cell(), champions.next_cell()]
        );
        let error = read(conn, &format!("{three} DESC")).unwrap_err();
        assert!(error.to_string().contains(BANS), "{error}");
    }

    #[test]
    fn an_error_that_ends_the_transaction_is_told_as_itself() {
        let conn = &mut connection();
        let made =
            "CREATE TABLE t (id INTEGER PRIMARY KEY, ids TEXT); INSERT INTO t VALUES (1, '')";
        conn.batch_execute(made).unwrap();
        let error = read(conn, "INSERT OR ROLLBACK INTO t VALUES (1, ?)").unwrap_err();
        assert!(error.to_string().contains("UNIQUE"), "{error}");
        // And the next has a transaction of its own.
        read(conn, "SELECT j.key, 1, 100, 1, 1 FROM json_each(?) j").unwrap();
    }

    #[test]
    fn a_text_that_is_none_costs_neither_its_row_nor_others() {
        let conn = &mut connection();
        let made = "CREATE TABLE t (match_id TEXT); INSERT INTO t
             VALUES ('ß'), (''), (CAST(x'61ff62' AS TEXT)), (CAST(x'c3' AS TEXT)), (7)";
        conn.batch_execute(made).unwrap();
        let columns = [Column::of::<String>("match_id")];
        let query = format!("SELECT {} FROM t WHERE ? <> ''", told("t", &columns[0]));
        let batch = super::read(conn, &columns, OfIds::new(query, "-".to_owned())).unwrap();
        assert_eq!(batch.rows, 5);
        let mut texts = batch.columns[0].cursor();
        for wanted in ["ß", "", "a\u{fffd}b", "\u{fffd}", "7"] {
            assert_eq!(texts.next_cell(), Cell::Text(wanted));
        }
    }
}

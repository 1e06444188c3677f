//! Tables as they are written to files: columns, and rows, cell by cell or column by column. No format, no I/O.

use std::mem;
use std::string::FromUtf8Error;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    Double,
    Bool,
    Text,
    /// Milliseconds since 1970 in UTC.
    Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Some rows have nothing there.
    pub optional: bool,
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    None,
    /// Of an `Int`, `Long` or `Time` column.
    Int(i64),
    Double(f64),
    Bool(bool),
    Text(&'a str),
}

/// A value that stands in a column.
pub trait Value {
    const KIND: Kind;
    const OPTIONAL: bool = false;
    fn cell(&self) -> Cell<'_>;
}

impl Value for i32 {
    const KIND: Kind = Kind::Int;
    fn cell(&self) -> Cell<'_> {
        Cell::Int((*self).into())
    }
}

impl Value for i64 {
    const KIND: Kind = Kind::Long;
    fn cell(&self) -> Cell<'_> {
        Cell::Int(*self)
    }
}

impl Value for f64 {
    const KIND: Kind = Kind::Double;
    fn cell(&self) -> Cell<'_> {
        Cell::Double(*self)
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Bool;
    fn cell(&self) -> Cell<'_> {
        Cell::Bool(*self)
    }
}

impl Value for String {
    const KIND: Kind = Kind::Text;
    fn cell(&self) -> Cell<'_> {
        Cell::Text(self)
    }
}

impl<V: Value> Value for Option<V> {
    const KIND: Kind = V::KIND;
    const OPTIONAL: bool = true;
    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::None, Value::cell)
    }
}

impl Column {
    /// A column of such values. Names of moments end as the tables' do.
    pub const fn of<V: Value>(name: &'static str) -> Self {
        Self {
            name,
            kind: V::KIND,
            optional: V::OPTIONAL,
        }
    }

    /// Its name in a file: a word of Rust's own has an underscore behind it here.
    pub fn name(&self) -> &'static str {
        self.name.strip_suffix('_').unwrap_or(self.name)
    }

    #[must_use]
    pub const fn time(mut self) -> Self {
        self.kind = Kind::Time;
        self
    }
}

/// Rows column by column.
#[derive(Debug)]
pub struct RowBatch {
    pub rows: usize,
    pub columns: Vec<Cells>,
    /// So many columns, from the first, have one value for several rows: what is the same for all rows of a match.
    pub shared: usize,
    /// For how many rows each value of those columns stands.
    pub spans: Vec<usize>,
    /// Where the next cell goes.
    next: usize,
}

/// The values of one column of a batch.
#[derive(Debug)]
pub struct Cells {
    pub optional: bool,
    /// Whether there is one; empty where there always is.
    pub present: Vec<i16>,
    /// Only those that are there.
    pub values: Values,
}

#[derive(Debug)]
pub enum Values {
    Int(Vec<i32>),
    /// Numbers and times.
    Long(Vec<i64>),
    Double(Vec<f64>),
    Bool(Vec<bool>),
    /// One after the other, and where each ends.
    Text(String, Vec<usize>),
}

/// The cells of a column, one after the other.
#[derive(Debug)]
pub struct Cursor<'a> {
    cells: &'a Cells,
    cell: usize,
    value: usize,
}

impl RowBatch {
    pub fn of(columns: &[Column]) -> Self {
        Self::sharing(columns, 0)
    }

    /// `shared`: so many columns have one value for several rows.
    pub fn sharing(columns: &[Column], shared: usize) -> Self {
        let cells = |column: &Column| Cells {
            optional: column.optional,
            present: Vec::new(),
            values: match column.kind {
                Kind::Int => Values::Int(Vec::new()),
                Kind::Long | Kind::Time => Values::Long(Vec::new()),
                Kind::Double => Values::Double(Vec::new()),
                Kind::Bool => Values::Bool(Vec::new()),
                Kind::Text => Values::Text(String::new(), Vec::new()),
            },
        };
        Self {
            rows: 0,
            columns: columns.iter().map(cells).collect(),
            shared,
            spans: Vec::new(),
            next: 0,
        }
    }

    /// Puts the rows of another batch of the same columns behind its own.
    pub fn append(&mut self, mut other: Self) {
        if self.rows == 0 && self.spans.is_empty() {
            self.shared = other.shared;
        }
        assert_eq!(self.shared, other.shared, "two batches of other columns");
        self.rows += other.rows;
        self.spans.append(&mut other.spans);
        for (cells, others) in self.columns.iter_mut().zip(other.columns) {
            cells.append(others);
        }
    }

    /// Adds a cell to the row that is being written.
    pub fn cell(&mut self, cell: Cell<'_>) {
        self.columns[self.next].push(cell);
        self.next += 1;
    }

    /// Ends that row.
    pub fn end_row(&mut self) {
        self.next = 0;
        self.rows += 1;
    }
}

impl Cells {
    pub fn push(&mut self, cell: Cell<'_>) {
        if self.optional {
            self.present.push(i16::from(cell != Cell::None));
        }
        match (&mut self.values, cell) {
            (_, Cell::None) => assert!(self.optional, "a column that is always there has nothing"),
            (Values::Int(values), Cell::Int(value)) => {
                values.push(i32::try_from(value).expect("made of 32 bits"));
            }
            (Values::Long(values), Cell::Int(value)) => values.push(value),
            (Values::Double(values), Cell::Double(value)) => values.push(value),
            (Values::Bool(values), Cell::Bool(value)) => values.push(value),
            (Values::Text(texts, ends), Cell::Text(value)) => {
                texts.push_str(value);
                ends.push(texts.len());
            }
            (_, cell) => panic!("{cell:?} does not fit its column"),
        }
    }

    /// Gives a column its texts: `bytes` are one after the other, and where each ends is told already. In the place of
    /// bytes that are no UTF-8 stands U+FFFD.
    pub fn set_text(&mut self, bytes: Vec<u8>) {
        let Values::Text(texts, ends) = &mut self.values else {
            return;
        };
        *texts = match String::from_utf8(bytes) {
            Ok(whole) if ends.iter().all(|end| whole.is_char_boundary(*end)) => whole,
            // Each text by itself: the beginning of a character may stand in one, and its end in the next.
            other => {
                let bytes = other.map_or_else(FromUtf8Error::into_bytes, String::into_bytes);
                let (mut begin, mut whole) = (0, String::with_capacity(bytes.len()));
                for end in ends {
                    whole.push_str(&String::from_utf8_lossy(&bytes[begin..*end]));
                    begin = mem::replace(end, whole.len());
                }
                whole
            }
        };
    }

    fn append(&mut self, mut other: Self) {
        self.present.append(&mut other.present);
        match (&mut self.values, other.values) {
            (Values::Int(values), Values::Int(mut others)) => values.append(&mut others),
            (Values::Long(values), Values::Long(mut others)) => values.append(&mut others),
            (Values::Double(values), Values::Double(mut others)) => values.append(&mut others),
            (Values::Bool(values), Values::Bool(mut others)) => values.append(&mut others),
            (Values::Text(texts, ends), Values::Text(others, their_ends)) => {
                let before = texts.len();
                texts.push_str(&others);
                ends.extend(their_ends.into_iter().map(|end| before + end));
            }
            _ => panic!("two batches of other columns"),
        }
    }

    pub fn cursor(&self) -> Cursor<'_> {
        Cursor {
            cells: self,
            cell: 0,
            value: 0,
        }
    }
}

impl<'a> Cursor<'a> {
    /// The next cell.
    ///
    /// # Panics
    ///
    /// Behind the last.
    #[inline]
    pub fn next_cell(&mut self) -> Cell<'a> {
        if self.cells.optional {
            self.cell += 1;
            if self.cells.present[self.cell - 1] == 0 {
                return Cell::None;
            }
        }
        let at = self.value;
        self.value += 1;
        match &self.cells.values {
            Values::Int(values) => Cell::Int(values[at].into()),
            Values::Long(values) => Cell::Int(values[at]),
            Values::Double(values) => Cell::Double(values[at]),
            Values::Bool(values) => Cell::Bool(values[at]),
            Values::Text(texts, ends) => {
                let begin = at.checked_sub(1).map_or(0, |before| ends[before]);
                Cell::Text(&texts[begin..ends[at]])
            }
        }
    }
}

/// Columns: `name kind, ...`; a kind with `"?"` is optional.
#[macro_export]
macro_rules! table_columns {
    ($($name:ident $kind:ident $($optional:literal)?),* $(,)?) => {
        vec![$($crate::table::Column {
            name: stringify!($name),
            kind: $crate::table::Kind::$kind,
            optional: $crate::table_columns!(@ $($optional)?),
        }),*]
    };
    (@) => { false };
    (@ $optional:literal) => { true };
}

/// Declares a table of rows: nested tuples of values, their columns, and how a row becomes the last of a batch.
#[macro_export]
macro_rules! exported_table {
    ($(#[$meta:meta])* $module:ident { $( { $($column:ident : $rust:ty $(=> $time:ident)?),* $(,)? } )* }) => {
        $(#[$meta])*
        pub mod $module {
            use $crate::table::{Column, RowBatch, Value};

            pub type Row = ( $( ( $($rust,)* ), )* );

            pub const COLUMNS: &[Column] = &[
                $($( Column::of::<$rust>(stringify!($column))$(.$time())? ),*),*
            ];

            pub fn push(row: &Row, batch: &mut RowBatch) {
                let ( $( ( $($column,)* ), )* ) = row;
                $($( batch.cell($column.cell()); )*)*
                batch.end_row();
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_cost_no_other_text() {
        // The third and fourth are one character together, and none apart.
        let all: [(&[u8], &str); 6] = [
            ("ß".as_bytes(), "ß"),
            (b"", ""),
            (b"a\xc3", "a\u{fffd}"),
            (b"\x9f", "\u{fffd}"),
            (b"\xff\xff b", "\u{fffd}\u{fffd} b"),
            ("名".as_bytes(), "名"),
        ];
        for some in [&all[..2], &all[..4], &all[..]] {
            let mut cells = RowBatch::of(&[Column::of::<String>("t")]).columns.remove(0);
            let mut bytes = Vec::new();
            for (text, _) in some {
                bytes.extend_from_slice(text);
                let Values::Text(_, ends) = &mut cells.values else {
                    panic!("a column of texts");
                };
                ends.push(bytes.len());
            }
            cells.set_text(bytes);
            let mut cursor = cells.cursor();
            for (_, wanted) in some {
                assert_eq!(cursor.next_cell(), Cell::Text(wanted));
            }
        }
    }
}

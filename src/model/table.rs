//! Tables as they are written to files: columns, and rows, cell by cell or column by column. No format, no I/O.

use std::io;

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

/// Takes the cells of a table, row by row, in the order of its columns.
pub trait Rows {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()>;
    fn end_row(&mut self) -> io::Result<()>;
}

/// Rows column by column.
#[derive(Debug)]
pub struct RowBatch {
    pub rows: usize,
    pub columns: Vec<Cells>,
    /// Where the next cell goes.
    next: usize,
}

/// The values of one column of a batch.
#[derive(Debug)]
pub struct Cells {
    pub optional: bool,
    /// Whether each row has one; empty where all must.
    pub present: Vec<i16>,
    /// Only of rows that have one.
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

impl RowBatch {
    pub fn of(columns: &[Column]) -> Self {
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
            next: 0,
        }
    }

    /// Puts the rows of another batch of the same columns behind its own.
    pub fn append(&mut self, other: Self) {
        self.rows += other.rows;
        for (cells, others) in self.columns.iter_mut().zip(other.columns) {
            cells.append(others);
        }
    }

    /// Hands over its cells.
    pub fn write(&self, rows: &mut impl Rows) -> io::Result<()> {
        // How many values of each column are handed over.
        let mut told = vec![0; self.columns.len()];
        for row in 0..self.rows {
            for (cells, told) in self.columns.iter().zip(&mut told) {
                if cells.optional && cells.present[row] == 0 {
                    rows.cell(Cell::None)?;
                    continue;
                }
                rows.cell(cells.values.get(*told))?;
                *told += 1;
            }
            rows.end_row()?;
        }
        Ok(())
    }
}

/// Takes rows behind its own.
impl Rows for RowBatch {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        self.columns[self.next].push(cell);
        self.next += 1;
        Ok(())
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.next = 0;
        self.rows += 1;
        Ok(())
    }
}

impl Cells {
    fn push(&mut self, cell: Cell<'_>) {
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
}

impl Values {
    #[inline]
    fn get(&self, at: usize) -> Cell<'_> {
        match self {
            Self::Int(values) => Cell::Int(values[at].into()),
            Self::Long(values) => Cell::Int(values[at]),
            Self::Double(values) => Cell::Double(values[at]),
            Self::Bool(values) => Cell::Bool(values[at]),
            Self::Text(texts, ends) => {
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

/// Declares a table of rows: nested tuples of values, their columns, and how a row is written.
#[macro_export]
macro_rules! exported_table {
    ($(#[$meta:meta])* $module:ident { $( { $($column:ident : $rust:ty $(=> $time:ident)?),* $(,)? } )* }) => {
        $(#[$meta])*
        pub mod $module {
            use $crate::table::{Column, Rows, Value};

            pub type Row = ( $( ( $($rust,)* ), )* );

            pub const COLUMNS: &[Column] = &[
                $($( Column::of::<$rust>(stringify!($column))$(.$time())? ),*),*
            ];

            pub fn write(row: &Row, rows: &mut dyn Rows) -> std::io::Result<()> {
                let ( $( ( $($column,)* ), )* ) = row;
                $($( rows.cell($column.cell())?; )*)*
                rows.end_row()
            }
        }
    };
}

//! Tables as they are written to files: columns, and cells one after the other. No format, no I/O.

/// A text. A short one, of up to 24 bytes, stands in the value itself.
pub use compact_str::CompactString;

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

/// Most texts of a row are short, and stand in the row itself.
impl Value for CompactString {
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
    fn cell(&mut self, cell: Cell<'_>) -> std::io::Result<()>;
    fn end_row(&mut self) -> std::io::Result<()>;
}

/// Declares a table of rows: nested tuples of values, their columns, and how a row is written.
#[macro_export]
macro_rules! exported_table {
    ($(#[$meta:meta])* $module:ident { $( { $($column:ident : $rust:ty $(=> $time:ident)?),* $(,)? } )* }) => {
        $(#[$meta])*
        pub mod $module {
            #[allow(unused_imports, reason = "not every table has short texts")]
            use $crate::table::CompactString;
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

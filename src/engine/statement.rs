//! Hand-written SQL as diesel statements that are prepared once per connection.
//!
//! diesel's `sql_query` is prepared anew at every use; a `QueryFragment` with a static `QueryId` is cached by its type.
//! The macros write the fragment: each `?` of the text takes the next field. `statement!` is for one database: the
//! module above the statements says with `type Backend` for which. `shared_statement!` is for both: what they spell
//! differently stands in braces, and the word of each is filled in when it is compiled (`words`). A parameter that is a
//! list has the type [`List`].
//!
//! With the feature `statements` each puts itself on a list, so that a test can prepare them all against the tables.

/// The text around the `?`s of a statement, cut when it is compiled: at run time it is walked at every use.
#[doc(hidden)]
pub const fn pieces<const N: usize>(text: &'static str) -> [&'static str; N] {
    let mut pieces = [""; N];
    let (mut left, mut found, mut at) = (text, 0, 0);
    while at < left.len() {
        if left.as_bytes()[at] == b'?' {
            let (piece, rest) = left.split_at(at);
            pieces[found] = piece;
            left = rest.split_at(1).1;
            (found, at) = (found + 1, 0);
        } else {
            at += 1;
        }
    }
    assert!(found + 1 == N, "a field for every '?'");
    pieces[found] = left;
    pieces
}

/// Declares a statement: `Name { field: RustType => SqlType, ... } -> (SqlTypes of a row) = "text";`
#[macro_export]
macro_rules! statement {
    ($(#[$meta:meta])* $name:ident<'a> { $($fields:tt)* } -> $row:ty = $text:expr;) => {
        $crate::statement!(@struct [$(#[$meta])*] [pub(super)] $name [<'a>] [<'static>] ['a,] { $($fields)* } $row);
        $crate::statement!(@fragment [super::Backend] $name [<'a>] { $($fields)* } $row, $text);
    };
    ($(#[$meta:meta])* $name:ident { $($fields:tt)* } -> $row:ty = $text:expr;) => {
        $crate::statement!(@struct [$(#[$meta])*] [pub(super)] $name [] [] [] { $($fields)* } $row);
        $crate::statement!(@fragment [super::Backend] $name [] { $($fields)* } $row, $text);
    };
    (@struct [$($meta:tt)*] [$vis:vis] $name:ident [$($lt:tt)*] [$($static:tt)*] [$($generic:tt)*]
        { $($field:ident: $rust:ty => $sql:ty),* $(,)? } $row:ty) => {
        $($meta)*
        #[derive(Debug)]
        #[allow(clippy::struct_field_names, reason = "fields are named as columns are")]
        $vis struct $name $($lt)* { $($vis $field: $rust),* }

        impl $($lt)* diesel::query_builder::QueryId for $name $($lt)* {
            type QueryId = $name $($static)*;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl $($lt)* diesel::query_builder::Query for $name $($lt)* {
            type SqlType = $row;
        }

        impl<$($generic)* C> diesel::RunQueryDsl<C> for $name $($lt)* {}
    };
    (@fragment [$backend:ty] $name:ident [$($lt:tt)*]
        { $($field:ident: $rust:ty => $sql:ty),* $(,)? } $row:ty, $text:expr) => {
        impl $($lt)* diesel::query_builder::QueryFragment<$backend> for $name $($lt)* {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, $backend>,
            ) -> diesel::QueryResult<()> {
                const FIELDS: &[&str] = &[$(stringify!($field)),*];
                // A '?' too many or too few does not compile.
                const PIECES: [&str; FIELDS.len() + 1] = $crate::statement::pieces($text);
                let [first, rest @ ..] = &PIECES;
                out.push_sql(first);
                #[allow(unused_mut, unused_variables, reason = "a statement without fields has none left")]
                let mut rest = rest.iter();
                $(
                    out.push_bind_param::<$sql, $rust>(&self.$field)?;
                    out.push_sql(rest.next().expect("a piece after every field"));
                )*
                Ok(())
            }
        }

        $crate::declare!([$backend], $name, $text, [$($sql),*], $row);
    };
}

/// Declares a statement of both databases, as [`statement!`] does one of one: its text stands once.
#[macro_export]
macro_rules! shared_statement {
    ($(#[$meta:meta])* $name:ident<'a> { $($fields:tt)* } -> $row:ty = $text:expr;) => {
        $crate::statement!(@struct [$(#[$meta])*] [pub(crate)] $name [<'a>] [<'static>] ['a,] { $($fields)* } $row);
        $crate::shared_statement!(@fragments $name [<'a>] { $($fields)* } $row, $text);
    };
    ($(#[$meta:meta])* $name:ident { $($fields:tt)* } -> $row:ty = $text:expr;) => {
        $crate::statement!(@struct [$(#[$meta])*] [pub(crate)] $name [] [] [] { $($fields)* } $row);
        $crate::shared_statement!(@fragments $name [] { $($fields)* } $row, $text);
    };
    (@fragments $name:ident $lt:tt $fields:tt $row:ty, $text:expr) => {
        $crate::statement!(@fragment [diesel::sqlite::Sqlite] $name $lt $fields $row, $crate::text_for!(Sqlite, $text));
        $crate::for_postgres! {
            $crate::statement!(@fragment [diesel::pg::Pg] $name $lt $fields $row, $crate::text_for!(Postgres, $text));
        }
    };
}

/// A text with the words of a database.
#[doc(hidden)]
#[macro_export]
macro_rules! text_for {
    ($server:ident, $text:expr) => {{
        use $crate::statement::{Server, filled, length, text};
        const TEXT: &str = $text;
        const FILLED: [u8; length(TEXT, Server::$server)] = filled(TEXT, Server::$server);
        text(&FILLED)
    }};
}

/// What is there for PostgreSQL alone.
#[cfg(feature = "postgres")]
#[doc(hidden)]
#[macro_export]
macro_rules! for_postgres {
    ($($item:tt)*) => { $($item)* };
}

/// Nobody asked for PostgreSQL.
#[cfg(not(feature = "postgres"))]
#[doc(hidden)]
#[macro_export]
macro_rules! for_postgres {
    ($($item:tt)*) => {};
}

/// Puts a statement on the list of all.
#[cfg(feature = "statements")]
#[doc(hidden)]
#[macro_export]
macro_rules! declare {
    ([$backend:ty], $name:ident, $text:expr, [$($sql:ty),*], $row:ty) => {
        $crate::statement::inventory::submit! {
            $crate::statement::Declared {
                name: stringify!($name),
                place: (file!(), line!()),
                database: <$backend as $crate::statement::Typed>::DATABASE,
                text: $text,
                fields: || <[Vec<u32>]>::concat(&[
                    $(<$backend as $crate::statement::Typed>::types::<$sql>()),*
                ]),
                columns: || {
                    #[allow(unused_imports, reason = "a statement without rows has no types")]
                    use $crate::statement::RowTypes as _;
                    $crate::statement::Row::<$backend, $row>::NEW.types()
                },
            }
        }
    };
}

/// There is no list.
#[cfg(not(feature = "statements"))]
#[doc(hidden)]
#[macro_export]
macro_rules! declare {
    ($($declared:tt)*) => {};
}

#[cfg(feature = "statements")]
mod declared;
mod list;
mod words;

pub use self::list::List;
pub use self::words::{Server, filled, length, text};
#[cfg(feature = "statements")]
pub use declared::{Declared, Row, RowTypes, Typed};
#[cfg(feature = "statements")]
#[doc(hidden)]
pub use inventory;

//! Hand-written SQL as diesel statements that are prepared once per connection.
//!
//! diesel's `sql_query` is prepared anew at every use; a `QueryFragment` with a static `QueryId` is
//! cached by its type. `statement!` writes the fragment: each `?` of the text takes the next field. The module
//! above the statements says with `type Backend` which database they are for.
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
        $crate::statement!(@write [$(#[$meta])*] $name [<'a>] [<'static>] ['a,] { $($fields)* } $row, $text);
    };
    ($(#[$meta:meta])* $name:ident { $($fields:tt)* } -> $row:ty = $text:expr;) => {
        $crate::statement!(@write [$(#[$meta])*] $name [] [] [] { $($fields)* } $row, $text);
    };
    (@write [$($meta:tt)*] $name:ident [$($lt:tt)*] [$($static:tt)*] [$($generic:tt)*]
        { $($field:ident: $rust:ty => $sql:ty),* $(,)? } $row:ty, $text:expr) => {
        $($meta)*
        #[derive(Debug)]
        #[allow(clippy::struct_field_names, reason = "fields are named as columns are")]
        pub(super) struct $name $($lt)* { $(pub(super) $field: $rust),* }

        impl $($lt)* diesel::query_builder::QueryFragment<super::Backend> for $name $($lt)* {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, super::Backend>,
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

        impl $($lt)* diesel::query_builder::QueryId for $name $($lt)* {
            type QueryId = $name $($static)*;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl $($lt)* diesel::query_builder::Query for $name $($lt)* {
            type SqlType = $row;
        }

        impl<$($generic)* C> diesel::RunQueryDsl<C> for $name $($lt)* {}

        $crate::declare!($name, $text, [$($sql),*], $row);
    };
}

/// Puts a statement on the list of all.
#[cfg(feature = "statements")]
#[doc(hidden)]
#[macro_export]
macro_rules! declare {
    ($name:ident, $text:expr, [$($sql:ty),*], $row:ty) => {
        $crate::statement::inventory::submit! {
            $crate::statement::Declared {
                name: stringify!($name),
                place: (file!(), line!()),
                database: <super::Backend as $crate::statement::Typed>::DATABASE,
                text: $text,
                fields: || <[Vec<u32>]>::concat(&[
                    $(<super::Backend as $crate::statement::Typed>::types::<$sql>()),*
                ]),
                columns: || {
                    #[allow(unused_imports, reason = "a statement without rows has no types")]
                    use $crate::statement::RowTypes as _;
                    $crate::statement::Row::<super::Backend, $row>::NEW.types()
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

#[cfg(feature = "statements")]
pub use declared::{Declared, Row, RowTypes, Server, Typed};
#[cfg(feature = "statements")]
#[doc(hidden)]
pub use inventory;

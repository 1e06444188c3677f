//! Hand-written SQL as diesel statements that are prepared once per connection.
//!
//! diesel's `sql_query` is prepared anew at every use; a `QueryFragment` with a static `QueryId` is
//! cached by its type. `statement!` writes the fragment: each `?` of the text takes the next field. The module
//! above the statements says with `type Backend` which database they are for.

/// Declares a statement: `Name { field: RustType => SqlType, ... } -> (SqlTypes of a row) = "text";`
macro_rules! statement {
    ($(#[$meta:meta])* $name:ident<'a> { $($fields:tt)* } -> $row:ty = $text:expr;) => {
        statement!(@write [$(#[$meta])*] $name [<'a>] [<'static>] ['a,] { $($fields)* } $row, $text);
    };
    ($(#[$meta:meta])* $name:ident { $($fields:tt)* } -> $row:ty = $text:expr;) => {
        statement!(@write [$(#[$meta])*] $name [] [] [] { $($fields)* } $row, $text);
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
                const TEXT: &str = $text;
                let mut pieces = TEXT.split('?');
                out.push_sql(pieces.next().unwrap_or_default());
                $(
                    out.push_bind_param::<$sql, $rust>(&self.$field)?;
                    out.push_sql(pieces.next().expect("a '?' for every field"));
                )*
                debug_assert!(pieces.next().is_none(), "a field for every '?'");
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
    };
}

pub(super) use statement;

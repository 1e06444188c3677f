//! A list of values that is one parameter.

use std::fmt::Debug;
use std::marker::PhantomData;

use diesel::query_builder::QueryId;
use diesel::serialize::{IsNull, Output, Result, ToSql};
use diesel::sql_types::{HasSqlType, SingleValue, SqlType, Text, is_nullable};
use diesel::sqlite::{Sqlite, SqliteType};
use serde::Serialize;

/// The SQL type of a list: an array of PostgreSQL, a text in JSON for SQLite. So the statement is the same for a list
/// of any length, and is prepared once.
#[derive(Debug, Clone, Copy, QueryId)]
pub struct List<T>(PhantomData<T>);

impl<T: 'static> SqlType for List<T> {
    type IsNull = is_nullable::NotNull;
}

impl<T: 'static> SingleValue for List<T> {}

impl<T: 'static> HasSqlType<List<T>> for Sqlite {
    fn metadata(lookup: &mut Self::MetadataLookup) -> SqliteType {
        <Self as HasSqlType<Text>>::metadata(lookup)
    }
}

impl<T: 'static, V: Serialize + Debug> ToSql<List<T>, Sqlite> for [V] {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> Result {
        out.set_value(serde_json::to_string(self)?);
        Ok(IsNull::No)
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use diesel::pg::{Pg, PgTypeMetadata};
    use diesel::serialize::{Output, Result, ToSql};
    use diesel::sql_types::{Array, HasSqlType};

    use super::List;

    impl<T: 'static> HasSqlType<List<T>> for Pg
    where
        Self: HasSqlType<Array<T>>,
    {
        fn metadata(lookup: &mut Self::MetadataLookup) -> PgTypeMetadata {
            <Self as HasSqlType<Array<T>>>::metadata(lookup)
        }
    }

    impl<T: 'static, V> ToSql<List<T>, Pg> for [V]
    where
        Self: ToSql<Array<T>, Pg>,
    {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> Result {
            ToSql::<Array<T>, Pg>::to_sql(self, out)
        }
    }
}

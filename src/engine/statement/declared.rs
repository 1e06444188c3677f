//! The list of all statements, for a test that prepares them.

use std::marker::PhantomData;

use diesel::expression::QueryMetadata;
use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata};
use diesel::sqlite::Sqlite;

use super::Server;

/// A statement, as its declaration lists it.
#[derive(Debug)]
pub struct Declared {
    pub name: &'static str,
    /// File and line.
    pub place: (&'static str, u32),
    pub database: Server,
    pub text: &'static str,
    /// PostgreSQL's numbers of the types that its fields are sent as.
    pub fields: fn() -> Vec<u32>,
    /// The types that its columns are read as; none where no row is read.
    pub columns: fn() -> Vec<u32>,
}

inventory::collect!(Declared);

/// A database, and the numbers of its types. SQLite has none: a column may hold anything there.
pub trait Typed: diesel::backend::Backend + Sized {
    const DATABASE: Server;

    fn types<T>() -> Vec<u32>
    where
        Self: QueryMetadata<T>;
}

impl Typed for Sqlite {
    const DATABASE: Server = Server::Sqlite;

    fn types<T>() -> Vec<u32>
    where
        Self: QueryMetadata<T>,
    {
        let mut types = Vec::new();
        Self::row_metadata(&mut (), &mut types);
        vec![0; types.len()]
    }
}

impl Typed for Pg {
    const DATABASE: Server = Server::Postgres;

    fn types<T>() -> Vec<u32>
    where
        Self: QueryMetadata<T>,
    {
        /// Types of the server alone are used, whose numbers are known.
        struct Nowhere;
        impl PgMetadataLookup for Nowhere {
            fn lookup_type(&mut self, name: &str, _: Option<&str>) -> PgTypeMetadata {
                panic!("{name} is no type of the server")
            }
        }
        let mut types = Vec::new();
        Self::row_metadata(&mut Nowhere, &mut types);
        let number = |known: Option<PgTypeMetadata>| {
            let known = known.expect("each column has a type");
            known
                .oid()
                .expect("the numbers of the server's types are known")
        };
        types.into_iter().map(number).collect()
    }
}

/// The rows of a statement. Those of `()` have no types, so the method of that name comes before the trait's.
#[derive(Debug)]
pub struct Row<DB, T>(PhantomData<(DB, T)>);

impl<DB, T> Row<DB, T> {
    pub const NEW: Self = Self(PhantomData);
}

impl<DB> Row<DB, ()> {
    #[allow(clippy::unused_self, reason = "it stands before a trait's method")]
    pub fn types(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// The types of the columns of a row.
pub trait RowTypes {
    fn types(&self) -> Vec<u32>;
}

impl<DB: Typed + QueryMetadata<T>, T> RowTypes for Row<DB, T> {
    fn types(&self) -> Vec<u32> {
        DB::types::<T>()
    }
}

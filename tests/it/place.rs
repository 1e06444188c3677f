//! A fresh database of either kind.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::row::NamedRow;
use diesel::sql_types::{Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};
use riftsync::store::Store;
use riftsync::store::postgres::PostgresStore;
use riftsync::store::sqlite::SqliteStore;
use tempfile::TempDir;

use crate::scratch::Scratch;

/// A row whatever its columns are.
struct Texts(Vec<Option<String>>);

impl QueryableByName<Sqlite> for Texts {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> diesel::deserialize::Result<Self> {
        let text = |at| row.get_value::<Nullable<Text>, Option<String>, usize>(at);
        let texts: Result<_, _> = (0..row.field_count()).map(text).collect();
        texts.map(Self)
    }
}

/// Where a test's database is; gone when dropped.
#[derive(Debug)]
pub enum Place {
    Sqlite(TempDir),
    Postgres(Scratch),
}

impl Place {
    pub fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().unwrap())
    }

    pub fn postgres() -> Self {
        Self::Postgres(Scratch::new())
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}/t.db", folder.path().display()),
            Self::Postgres(scratch) => scratch.url().to_owned(),
        }
    }

    /// The rows of a query as text, the same of both databases: a boolean is 0 or 1.
    pub fn rows(&self, query: &str) -> Vec<Vec<Option<String>>> {
        match self {
            Self::Postgres(scratch) => {
                let mut rows = scratch.rows(query);
                for cell in rows.iter_mut().flatten().flatten() {
                    match cell.as_str() {
                        "t" => "1".clone_into(cell),
                        "f" => "0".clone_into(cell),
                        _ => {}
                    }
                }
                rows
            }
            Self::Sqlite(_) => sqlite_rows(self.url().trim_start_matches("sqlite://"), query),
        }
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(folder) => {
                Arc::new(SqliteStore::open(&folder.path().join("t.db")).unwrap())
            }
            Self::Postgres(scratch) => {
                Arc::new(PostgresStore::open(scratch.settings()).await.unwrap())
            }
        }
    }
}

/// The rows of a query on a file, as text.
pub fn sqlite_rows(path: &str, query: &str) -> Vec<Vec<Option<String>>> {
    let mut conn = SqliteConnection::establish(path).unwrap();
    let rows: Vec<Texts> = diesel::sql_query(query).load(&mut conn).unwrap();
    rows.into_iter().map(|row| row.0).collect()
}

/// Runs each of the named cases on a fresh database of each kind.
macro_rules! on_each_store {
    ($test:path; $($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[$test]
            async fn $case() {
                let place = crate::place::Place::sqlite();
                super::$case(place.open().await).await;
            })*
        }
        mod postgres {
            $(#[$test]
            async fn $case() {
                let place = crate::place::Place::postgres();
                super::$case(place.open().await).await;
            })*
        }
    };
}
pub(crate) use on_each_store;

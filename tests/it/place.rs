//! A fresh database of either kind.

use std::sync::Arc;

use riftsync::store::Store;
use riftsync::store::postgres::PostgresStore;
use riftsync::store::sqlite::SqliteStore;
use tempfile::TempDir;

use crate::scratch::Scratch;

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

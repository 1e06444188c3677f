//! Where a measurement puts its database: always a fresh one, gone afterwards.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::metrics::process::forget_resident_peak;
use crate::model::DatabaseUrl;
use crate::store::postgres::{PostgresStore, Settings};
use crate::store::synthetic::Synthetic;
use crate::store::{Location, Store, StoreResult};

/// What a database holds before the clock starts: the work done is to cost the same, whatever was done before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct History {
    pub stored_matches: u32,
    pub finished_jobs: u32,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stored_matches,
            finished_jobs,
        } = self;
        if *self == Self::default() {
            write!(f, "empty before")
        } else {
            write!(
                f,
                "{stored_matches} matches and {finished_jobs} finished jobs before"
            )
        }
    }
}

/// A fresh database.
#[derive(Debug)]
pub enum Place {
    /// A file in a folder of its own.
    Sqlite(PathBuf),
    /// A database beside the named one.
    Postgres {
        server: Box<Settings>,
        scratch: Box<Settings>,
    },
}

impl Place {
    /// `folder`: for the file of an embedded database; it is made, and removed at the end.
    pub async fn make(server: Option<Location>, folder: &Path) -> StoreResult<Self> {
        match server {
            Some(Location::Postgres(server)) => {
                let scratch = Box::new(PostgresStore::make_scratch(&server).await?);
                Ok(Self::Postgres { server, scratch })
            }
            _ => Ok(Self::Sqlite(folder.to_owned())),
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres { .. } => "postgres",
        }
    }

    pub async fn open(&self) -> StoreResult<Arc<dyn Store>> {
        self.location().open().await
    }

    pub fn location(&self) -> Location {
        match self {
            Self::Sqlite(folder) => Location::Sqlite(folder.join("bench.db")),
            Self::Postgres { scratch, .. } => Location::Postgres(scratch.clone()),
        }
    }

    /// For another process. `server`: as the caller named it.
    pub fn url(&self, server: Option<&DatabaseUrl>) -> DatabaseUrl {
        match (self, server) {
            (Self::Postgres { scratch, .. }, Some(server)) => {
                let (place, query) = server
                    .expose()
                    .split_once('?')
                    .unwrap_or((server.expose(), ""));
                let (scheme, rest) = place.split_once("://").unwrap_or(("postgres", place));
                let host = rest.split_once('/').map_or(rest, |(host, _)| host);
                let name = PostgresStore::scratch_name(scratch);
                DatabaseUrl::from(format!("{scheme}://{host}/{name}?{query}"))
            }
            _ => DatabaseUrl::from(format!("sqlite://{}", self.location())),
        }
    }

    /// How it keeps commits.
    pub async fn durability(&self) -> StoreResult<String> {
        match self {
            // Set, and read back, at every start.
            Self::Sqlite(_) => Ok("synchronous=FULL".to_owned()),
            Self::Postgres { scratch, .. } => PostgresStore::durability(scratch).await,
        }
    }

    /// Puts made-up matches and jobs there, before anybody opens it.
    pub async fn remember(&self, history: History) -> StoreResult<()> {
        if history == History::default() {
            return Ok(());
        }
        let made = Synthetic {
            matches: history.stored_matches.max(1),
            of_player: 0,
            finished_jobs: history.finished_jobs,
        };
        made.fill(&self.location()).await?;
        // What it took to make them up is not what is measured.
        forget_resident_peak();
        Ok(())
    }

    /// What it takes on the disk once its store is closed.
    pub async fn size_bytes(&self) -> StoreResult<u64> {
        let store = self.location().open_read_only().await?;
        let size = store.size_bytes().await?;
        store.close().await?;
        Ok(size.unwrap_or(0))
    }

    /// Removes it.
    pub async fn remove(self) -> StoreResult<()> {
        match self {
            Self::Sqlite(folder) => {
                // It was made for this alone.
                let _ = std::fs::remove_dir_all(folder);
                Ok(())
            }
            Self::Postgres { server, scratch } => {
                PostgresStore::drop_scratch(&server, &scratch).await
            }
        }
    }
}

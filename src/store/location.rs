//! Which database a URL means, and how to open it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::postgres::{Address, PostgresStore, Settings, is_postgres};
use super::sqlite::SqliteStore;
use super::{Migrations, Store, StoreError, StoreResult};
use crate::model::{DatabaseUrl, is_pairs, redact};

/// Links to links that are followed, as many as the kernel follows.
const LINKS_MAX: usize = 40;

/// Where a database is. Shown without a password.
#[derive(Debug, Clone)]
pub enum Location {
    Sqlite(PathBuf),
    Postgres(Box<Settings>),
}

/// `postgres:user@host/db`: meant for a server, and no address of one.
fn is_without_slashes(url: &str) -> bool {
    let scheme = url
        .split_once(':')
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("postgres" | "postgresql"))
}

impl TryFrom<&DatabaseUrl> for Location {
    type Error = StoreError;
    fn try_from(url: &DatabaseUrl) -> StoreResult<Self> {
        let url = url.expose();
        if is_postgres(url) {
            let address = Address::from_str(url)?;
            return Ok(Self::Postgres(Box::new(Settings::new(address))));
        }
        let url = match url.strip_prefix("sqlite:") {
            // As other programs write it.
            Some(path) if !path.starts_with("//") => path,
            _ => url,
        };
        match url.split_once("://") {
            None if is_without_slashes(url) => Err(StoreError::Url(redact(url))),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::file(path)),
            None if !url.is_empty() && !is_pairs(url) => Ok(Self::file(url)),
            _ => Err(StoreError::Url(redact(url))),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(settings) => settings.address.fmt(f),
        }
    }
}

impl Location {
    /// A database file; of a link, what it leads to. Its lock and its log stand beside the file itself, so that whoever
    /// uses it by another name is met.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let mut path = path.into();
        for _ in 0..LINKS_MAX {
            let Ok(to) = std::fs::read_link(&path) else {
                break;
            };
            path = path.parent().unwrap_or(Path::new("")).join(to);
        }
        Self::Sqlite(path)
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Whether this is the database that an engine shows so.
    pub fn is_shown_as(&self, theirs: &str) -> bool {
        match self {
            Self::Sqlite(path) => {
                let real = |path: &Path| std::fs::canonicalize(path).unwrap_or(path.to_owned());
                real(path) == real(Path::new(theirs))
            }
            Self::Postgres(settings) => settings.address.to_string() == theirs,
        }
    }

    /// Opens the database for an engine: makes it or brings it up to date.
    pub async fn open(&self) -> StoreResult<Arc<dyn Store>> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path)?),
            Self::Postgres(settings) => Arc::new(PostgresStore::open((**settings).clone()).await?),
        })
    }

    /// The same for those who change what is there: a database that is not there yet is not made.
    pub async fn open_present(&self) -> StoreResult<Arc<dyn Store>> {
        self.refuse_absent()?;
        self.open().await
    }

    /// An error if there is no such file. Of a server's database only the server knows.
    pub fn refuse_absent(&self) -> StoreResult<()> {
        match self {
            Self::Sqlite(path) => SqliteStore::refuse_absent(path),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Opens the database to read only, beside engines that may be running.
    pub async fn open_read_only(&self) -> StoreResult<Arc<dyn Store>> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open_read_only(path)?),
            Self::Postgres(settings) => {
                Arc::new(PostgresStore::open_read_only((**settings).clone()).await?)
            }
        })
    }

    /// Which migrations the database has and lacks; changes nothing.
    pub async fn migrations(&self) -> StoreResult<Migrations> {
        match self {
            Self::Sqlite(path) => SqliteStore::inspect(path),
            Self::Postgres(settings) => PostgresStore::inspect((**settings).clone()).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(url: &str) -> StoreResult<Location> {
        Location::try_from(&DatabaseUrl::from(url.to_owned()))
    }

    #[test]
    fn a_url_says_which_database_and_a_plain_path_is_a_file() {
        for (url, kind, shown) in [
            ("sqlite:///tmp/x.db", "sqlite", "/tmp/x.db"),
            ("x.db", "sqlite", "x.db"),
            ("sqlite:x.db", "sqlite", "x.db"),
            ("sqlite:/tmp/x.db", "sqlite", "/tmp/x.db"),
            ("postgres://h/db", "postgres", "postgres://h/db"),
            (
                "postgresql://u:p@h/db",
                "postgres",
                "postgresql://u:***@h/db",
            ),
        ] {
            let location = location(url).unwrap();
            assert_eq!(
                (location.kind(), location.to_string().as_str()),
                (kind, shown)
            );
        }
        for url in [
            "",
            "sqlite://",
            "sqlite:",
            "postgres:u:sesame@h/db",
            "PostgreSQL:u:sesame@h/db",
            "sqlite:postgres:u:sesame@h/db",
            "mysql://u:sesame@h/db",
            "host=h user=u password=sesame",
        ] {
            let error = location(url).unwrap_err();
            assert!(matches!(error, StoreError::Url(_)), "{url}");
            assert!(!format!("{error} {error:?}").contains("sesame"));
        }
    }
}

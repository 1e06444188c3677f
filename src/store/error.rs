//! What can go wrong with a database: one variant per reaction.

use std::path::PathBuf;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Weather: the disk is full, a lock is held, a connection is cut. The same write may succeed later.
    #[error("the database cannot be written now: {0}. riftsync goes on by itself when it can")]
    Unavailable(String),
    #[error(
        "the database {path} cannot be opened: {cause}. Choose another place with --database sqlite://PATH"
    )]
    Unopenable { path: PathBuf, cause: String },
    #[error(
        "{path} is not a riftsync database: {cause}. Choose another file with --database sqlite://PATH; this one was not changed"
    )]
    NotADatabase { path: PathBuf, cause: String },
    #[error(
        "the database {path} was written by a newer riftsync (its migration {version} is unknown here). Upgrade riftsync; nothing was changed"
    )]
    Newer { path: PathBuf, version: String },
    #[error(
        "the database {path} is in use by another riftsync engine (pid {pid}). Wait for it or stop it"
    )]
    InUse { path: PathBuf, pid: String },
    #[error(
        "the database {database} cannot be used: {cause}. Check that it runs, and what --database or DATABASE_URL says"
    )]
    Unreachable { database: String, cause: String },
    #[error(
        "'{0}' is not a database URL. Write sqlite:///path/to/file.db or postgres://user@host/database"
    )]
    Url(String),
    #[error(
        "'{url}' is not a database URL: {cause}. Write postgres://user:password@host:5432/database"
    )]
    PostgresUrl { url: String, cause: String },
    /// The statement is wrong, or a row is not what only riftsync writes.
    #[error("the database gave an unexpected answer: {0}. Please report this")]
    Unexpected(String),
    /// What was asked for cannot be; nothing was changed.
    #[error("{0}")]
    Refused(String),
    #[error(
        "{database} holds an unfinished copy of {source_name}. Finish it with `riftsync db copy --from ... --to ...` of the same two, or use another database"
    )]
    UnfinishedCopy {
        database: String,
        source_name: String,
    },
    #[error("the copy stopped: {0}. What was copied stays; the same command goes on from there")]
    CopyStopped(String),
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Would the same call succeed when the weather is better?
    pub fn is_weather(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Unopenable { .. }
            | Self::NotADatabase { .. }
            | Self::Newer { .. }
            | Self::InUse { .. }
            | Self::Unreachable { .. }
            | Self::Url(_)
            | Self::PostgresUrl { .. }
            | Self::Unexpected(_)
            | Self::Refused(_)
            | Self::UnfinishedCopy { .. }
            | Self::CopyStopped(_)
            | Self::Closed => false,
        }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        let text = error.to_string();
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => {
                Self::Unavailable(text)
            }
            // SQLite tells these apart only by its message (diesel keeps no code).
            DieselError::DatabaseError(..)
                if [
                    "disk is full",
                    "locked",
                    "disk I/O",
                    "busy",
                    "readonly",
                    "unable to open",
                ]
                .iter()
                .any(|part| text.contains(part)) =>
            {
                Self::Unavailable(text)
            }
            _ => Self::Unexpected(text),
        }
    }
}

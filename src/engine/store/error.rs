//! What can go wrong with a database: one variant per reaction.

use std::path::{Path, PathBuf};

#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Transient: the disk is full, a lock is held, a connection is cut. The same write may succeed later.
    #[error("the database cannot be written now: {0}. riftsync goes on by itself when it can")]
    Unavailable(String),
    /// The same for want of room: a smaller write may succeed now.
    #[error("the database cannot be written now: {0}. riftsync goes on by itself when it can")]
    Full(String),
    /// The same as the first, for those who ask from outside and do not wait: since when, and why.
    #[error("{0}. riftsync goes on by itself when it is back")]
    Away(String),
    /// Too many ask at once.
    #[error("the database is busy: {0}. Ask again in a moment")]
    Busy(String),
    #[error(
        "the database {path} cannot be opened: {cause}. Choose another place with --database sqlite://PATH"
    )]
    Unopenable { path: PathBuf, cause: String },
    /// It could be read if it was closed well, or somewhere else.
    #[error(
        "the database {path} cannot be read here: what {log} holds belongs to it, and neither the file nor its folder may be written. Copy both files to a folder of your own, and read the copy with --database sqlite://PATH"
    )]
    Unreadable { path: PathBuf, log: PathBuf },
    #[error(
        "{path} is not a riftsync database: {cause}. Choose another file with --database sqlite://PATH; this one was not changed"
    )]
    NotADatabase { path: PathBuf, cause: String },
    /// The file is no longer what was written to it. No retry helps, and what is written now makes it worse.
    #[error("{}", damaged_text(.path, .cause))]
    Damaged { path: PathBuf, cause: String },
    /// Somebody changed the file's place while it was open.
    #[error(
        "the database {path} is not the file any more that was opened: {cause}. Nothing more was written. What was done until then is in the file that was there: put that one back, or name its new place with --database sqlite://PATH, and type the same command again"
    )]
    Moved { path: PathBuf, cause: String },
    #[error(
        "the database {path} was written by a newer riftsync (its migration {version} is unknown here). Upgrade riftsync; nothing was changed"
    )]
    Newer { path: PathBuf, version: String },
    /// It is read by nobody before its tables are up to date: half of what is asked for would not be there.
    #[error(
        "the database {database} was written by an older riftsync, and its tables are {behind} {} behind. Bring them up to date with `riftsync db migrate` (and the same --database, if one was typed), which keeps everything; `riftsync sync` and `riftsync serve` do it too when they start. Nothing was changed",
        if *.behind == 1 { "version" } else { "versions" }
    )]
    Older {
        database: String,
        /// Migrations that it lacks.
        behind: usize,
    },
    #[error(
        "the database {path} is in use by another riftsync engine (pid {pid}). Wait for it or stop it"
    )]
    InUse { path: PathBuf, pid: String },
    #[error(
        "the database {database} cannot be used: {cause}. Check that it runs, and what --database or DATABASE_URL says"
    )]
    Unreachable { database: String, cause: String },
    /// Nothing of it is touched.
    #[error(
        "the database {database} is encoded in {encoding}, which cannot hold every player's name: riftsync needs UTF8. Nothing was changed. Make another with `{create}` and name it in --database or DATABASE_URL; `riftsync db copy --from ... --to ...` brings over what riftsync stored in this one, if it did"
    )]
    Encoding {
        database: String,
        encoding: String,
        /// A command that makes one.
        create: String,
    },
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
    /// Would the same call succeed later, without any change?
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Full(_) | Self::Away(_) | Self::Busy(_) => true,
            Self::Unopenable { .. }
            | Self::NotADatabase { .. }
            | Self::Unreadable { .. }
            | Self::Damaged { .. }
            | Self::Moved { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::InUse { .. }
            | Self::Unreachable { .. }
            | Self::Encoding { .. }
            | Self::Url(_)
            | Self::PostgresUrl { .. }
            | Self::Unexpected(_)
            | Self::Refused(_)
            | Self::UnfinishedCopy { .. }
            | Self::CopyStopped(_)
            | Self::Closed => false,
        }
    }

    /// Would a smaller write perhaps have succeeded?
    pub fn is_for_want_of_room(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Has the store ended for good, for everybody? Whoever runs the engine stops it and says why, once.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Moved { .. })
    }

    /// Is it told elsewhere, once for everybody who meets it?
    pub fn is_told(&self) -> bool {
        self.is_transient() || self.is_end()
    }

    /// The same error, saying which file is damaged, if it is known only here.
    #[must_use]
    pub fn located(self, database: &Path) -> Self {
        match self {
            Self::Damaged { path, cause } if path.as_os_str().is_empty() => Self::Damaged {
                path: database.to_owned(),
                cause,
            },
            other => other,
        }
    }
}

/// Says what to type, with the path as a shell takes it.
fn damaged_text(path: &Path, cause: &str) -> String {
    let file = match path.display().to_string() {
        unknown if unknown.is_empty() => "FILE".to_owned(),
        known => known,
    };
    let typed = |end: &str| shell_word(&format!("{file}{end}"));
    format!(
        "the database {file} is damaged: {cause}. Nothing more is written to it. Either put a backup in its place, and remove {file}-wal and {file}-shm; \
         or save what can be read with `sqlite3 {} .recover | sqlite3 {}` and use that file (your sqlite3 must have the command .recover, as the one of sqlite.org has); \
         or move all three files away and sync again: everything that Riot still has is fetched anew",
        typed(""),
        typed(".saved")
    )
}

fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A read that took longer than its question may.
#[derive(Debug, thiserror::Error)]
#[error("this question takes it too long")]
pub struct TooLate;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_saves_what_can_be_read_is_one_that_a_shell_takes() {
        for (path, typed) in [
            (
                "/data/r.db",
                "sqlite3 /data/r.db .recover | sqlite3 /data/r.db.saved",
            ),
            (
                "/my data/it's.db",
                r"sqlite3 '/my data/it'\''s.db' .recover | sqlite3 '/my data/it'\''s.db.saved'",
            ),
        ] {
            let (path, cause) = (path.into(), "x".to_owned());
            let text = StoreError::Damaged { path, cause }.to_string();
            assert!(text.contains(&format!("`{typed}`")), "{text}");
        }
    }
}

//! What can go wrong with a database: one variant per reaction.

use std::path::{Path, PathBuf};

use riftsync_basics::words::words;

#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Transient: the disk is full, a lock is held, a connection is cut. The same write may succeed later.
    #[error("the database cannot be written now: {0}. {who} goes on by itself when it can", who = words().who)]
    Unavailable(String),
    /// The same for want of room: a smaller write may succeed now.
    #[error("the database cannot be written now: {0}. {who} goes on by itself when it can", who = words().who)]
    Full(String),
    /// The same as the first, for those who ask from outside and do not wait: since when, and why.
    #[error("{0}. {who} goes on by itself when it is back", who = words().who)]
    Away(String),
    /// Too many ask at once.
    #[error("the database is busy: {0}. Ask again in a moment")]
    Busy(String),
    #[error(
        "the database {path} cannot be opened: {cause}. Choose another place{}",
        words().another_file
    )]
    Unopenable { path: PathBuf, cause: String },
    /// It could be read if it was closed well, or somewhere else.
    #[error(
        "the database {path} cannot be read here: what {log} holds belongs to it, and neither the file nor its folder may be written. Copy both files to a folder of your own, and read the copy{}",
        words().another_file
    )]
    Unreadable { path: PathBuf, log: PathBuf },
    #[error(
        "{path} is not {}: {cause}. Choose another file{}; this one was not changed",
        words().database,
        words().another_file
    )]
    NotADatabase { path: PathBuf, cause: String },
    /// The file is no longer what was written to it. No retry helps, and what is written now makes it worse.
    #[error("{}", damaged_text(.path, .cause))]
    Damaged { path: PathBuf, cause: String },
    /// Somebody changed the file's place while it was open.
    #[error(
        "the database {path} is not the file any more that was opened: {cause}. Nothing more was written. What was done until then is in the file that was there: put that one back, or name its new place{}, and type the same command again",
        words().another_file
    )]
    Moved { path: PathBuf, cause: String },
    #[error(
        "the database {path} was written by a newer {} (its migration {version} is unknown here). Upgrade {}; nothing was changed",
        words().version,
        words().program
    )]
    Newer { path: PathBuf, version: String },
    /// Nothing of it is touched.
    #[error(
        "the database {database} is not {}: {cause}. Nothing was changed. Choose another one, or make one, \
         and correct {}",
        words().database,
        words().address
    )]
    OtherProgram { database: String, cause: String },
    /// It is read by nobody before its tables are up to date: half of what is asked for would not be there.
    #[error(
        "the database {database} was written by an older {}, and its tables are {behind} {} behind. {}. Nothing was changed",
        words().version,
        if *.behind == 1 { "version" } else { "versions" },
        words().migrate
    )]
    Older {
        database: String,
        /// Migrations that it lacks.
        behind: usize,
    },
    #[error(
        "the database {path} is in use by another {} (pid {pid}). Wait for it or stop it",
        words().engine
    )]
    InUse { path: PathBuf, pid: String },
    #[error(
        "the database {database} cannot be used: {cause}. Check that it runs, and {}",
        words().address
    )]
    Unreachable { database: String, cause: String },
    /// The server is there, the database is not.
    #[error(
        "there is no database {database}: {cause}. Make it with `{create}`, or check {}",
        words().address
    )]
    Absent {
        database: String,
        cause: String,
        /// A command that makes it.
        create: String,
    },
    /// Nothing of it is touched.
    #[error(
        "the database {database} is encoded in {encoding}, which cannot hold every text: UTF8 is needed. Nothing was changed. Make another with `{create}`{}",
        words().use_it
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
    /// The statement is wrong, or a row is not what only this program writes.
    #[error("the database gave an unexpected answer: {0}. Please report this")]
    Unexpected(String),
    /// What the program writes with a job, or its own work in a transaction. The attempt has failed; another may not.
    #[error("what was to be written panicked, and nothing of it was written: {0}")]
    Panicked(String),
    /// What was asked for cannot be; nothing was changed.
    #[error("{0}")]
    Refused(String),
    #[error(
        "{database} holds an unfinished copy of {source_name}. Finish it{}, or use another database",
        words().to_finish(source_name, database)
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
            | Self::OtherProgram { .. }
            | Self::Older { .. }
            | Self::InUse { .. }
            | Self::Unreachable { .. }
            | Self::Absent { .. }
            | Self::Encoding { .. }
            | Self::Url(_)
            | Self::PostgresUrl { .. }
            | Self::Unexpected(_)
            | Self::Panicked(_)
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
         or {}",
        typed(""),
        typed(".saved"),
        words().anew
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

    /// One of each.
    fn all() -> Vec<StoreError> {
        let text = "x".to_owned();
        let mut all = of_files();
        all.extend(of_addresses());
        all.extend([
            StoreError::Unavailable(text.clone()),
            StoreError::Full(text.clone()),
            StoreError::Away(text.clone()),
            StoreError::Busy(text.clone()),
            StoreError::Unexpected(text.clone()),
            StoreError::Panicked(text.clone()),
            StoreError::CopyStopped(text),
            StoreError::Closed,
        ]);
        all
    }

    fn of_files() -> Vec<StoreError> {
        let (path, text) = (PathBuf::from("/data/r.db"), "x".to_owned());
        let cause = text.clone();
        vec![
            StoreError::Unopenable {
                path: path.clone(),
                cause: cause.clone(),
            },
            StoreError::Unreadable {
                path: path.clone(),
                log: path.clone(),
            },
            StoreError::NotADatabase {
                path: path.clone(),
                cause: cause.clone(),
            },
            StoreError::Damaged {
                path: path.clone(),
                cause: cause.clone(),
            },
            StoreError::Moved {
                path: path.clone(),
                cause: cause.clone(),
            },
            StoreError::Newer {
                path: path.clone(),
                version: text.clone(),
            },
            StoreError::InUse { path, pid: text },
        ]
    }

    fn of_addresses() -> Vec<StoreError> {
        let text = "x".to_owned();
        let (cause, database) = (text.clone(), text.clone());
        vec![
            StoreError::OtherProgram {
                database: database.clone(),
                cause: cause.clone(),
            },
            StoreError::Older {
                database: database.clone(),
                behind: 2,
            },
            StoreError::Unreachable {
                database: database.clone(),
                cause: cause.clone(),
            },
            StoreError::Absent {
                database: database.clone(),
                cause: cause.clone(),
                create: text.clone(),
            },
            StoreError::Encoding {
                database: database.clone(),
                encoding: text.clone(),
                create: text.clone(),
            },
            StoreError::Url(text.clone()),
            StoreError::PostgresUrl {
                url: text.clone(),
                cause,
            },
            StoreError::UnfinishedCopy {
                database,
                source_name: text,
            },
        ]
    }

    #[test]
    fn a_program_that_says_nothing_is_given_no_other_programs_name_or_options() {
        for error in all() {
            let told = error.to_string();
            assert!(!told.contains("riftsync") && !told.contains("--"), "{told}");
        }
    }
}

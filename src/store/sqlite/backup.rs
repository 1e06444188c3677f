//! A backup of a database file, made while an engine writes to it, and a backup put in a database's place.
//!
//! Both write a whole new file beside where it goes, read it through and hand it to the disk, before it takes its name:
//! whatever is cut off, under a file's name is all of it or what was there before.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;

use super::SqliteStore;
use super::open::{self, Access, Purpose, beside};
use crate::store::{StoreError, StoreResult};

/// Ends of the names of files that are not whole yet.
const PARTIAL: &str = ".partial";
/// Of the file that a backup has replaced; with a number if there is one of these already.
const REPLACED: &str = ".before-restore";
/// Files that were replaced and are still there, at most.
const REPLACED_MAX: u32 = 1_000;
/// What SQLite keeps beside a database, and what belongs to it alone.
const LOGS: [&str; 2] = ["-wal", "-shm"];

/// A copy on its way into a file, from another thread. It can be given up until the file takes its name.
#[derive(Debug)]
pub struct Backup {
    from: PathBuf,
    to: PathBuf,
    partial: PathBuf,
    /// Held while the file takes its name.
    fate: Mutex<Fate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    GivenUp,
    Named,
}

/// What has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Of the new file.
    pub bytes: u64,
    /// Where the database is now that was there before.
    pub replaced: Option<PathBuf>,
}

impl Backup {
    /// Of the database `from`, into the new file `to`.
    pub fn new(from: &Path, to: &Path) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            partial: beside(to, PARTIAL),
            fate: Mutex::new(Fate::Open),
        }
    }

    /// Bytes that are written so far.
    pub fn so_far(&self) -> u64 {
        fs::metadata(&self.partial).map_or(0, |partial| partial.len())
    }

    /// Leaves nothing of it, unless the file has its name already: whether it was given up.
    pub fn give_up(&self) -> bool {
        let mut fate = self.fate();
        if *fate == Fate::Open {
            *fate = Fate::GivenUp;
            let _ = fs::remove_file(&self.partial);
        }
        *fate == Fate::GivenUp
    }

    fn fate(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all of the database as it is at one moment into a new file. An engine may go on meanwhile.
    pub fn write(&self) -> StoreResult<Written> {
        SqliteStore::refuse_absent(&self.from)?;
        if fs::symlink_metadata(&self.to).is_ok() {
            return Err(self.refused("there is something of that name already. Name a new file"));
        }
        let mut source = open::FORMAT.check(&self.from)?;
        let bytes = self.copy(&mut source)?;
        self.finish(|| Ok(None), bytes)
    }

    /// Puts a backup in the place of a database that no engine uses. What was there is moved aside, if that is wanted,
    /// and is refused to be touched if not.
    pub fn restore(&self, replace: bool) -> StoreResult<Written> {
        SqliteStore::refuse_absent(&self.from).map_err(|_| self.no_backup("it does not exist"))?;
        if is_same(&self.from, &self.to) {
            return Err(self.refused("it is the backup itself"));
        }
        if fs::symlink_metadata(&self.to).is_ok() {
            // What is damaged may be replaced; what is another program's may not.
            match open::FORMAT.check_file(&self.to, Purpose::Write) {
                Ok(()) | Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
            if !replace {
                return Err(self.refused(
                    "there is a database already. With --replace it is moved aside, and nothing of it is lost",
                ));
            }
        }
        open::make_folder(&self.to)?;
        let _lock = open::lock(&self.to)?;
        let mut source = open::FORMAT
            .check(&self.from)
            .map_err(|error| self.of_the_backup(error))?;
        if let Some(source_name) =
            open::copy_mark(&mut source).map_err(|error| self.failed(&error))?
        {
            return Err(StoreError::UnfinishedCopy {
                database: self.from.display().to_string(),
                source_name,
            });
        }
        let bytes = self
            .copy(&mut source)
            .map_err(|error| self.of_the_backup(error))?;
        self.finish(|| self.move_aside(), bytes)
    }

    /// Fills the partial file, reads it through and hands it to the disk.
    fn copy(&self, source: &mut SqliteConnection) -> StoreResult<u64> {
        let cannot = |error: io::Error| self.refused(&error.to_string());
        match fs::remove_file(&self.partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        // SQLite fills an empty file as well, and this one is nobody else's to read.
        options.write(true).create_new(true).mode(0o600);
        let file = {
            let fate = self.fate();
            if *fate == Fate::GivenUp {
                return Err(self.refused("it was given up"));
            }
            options.open(&self.partial).map_err(cannot)?
        };
        let copied = self
            .fill(source)
            .and_then(|()| file.sync_all().map_err(cannot));
        if let Err(error) = copied {
            let _ = fs::remove_file(&self.partial);
            return Err(error);
        }
        Ok(self.so_far())
    }

    fn fill(&self, source: &mut SqliteConnection) -> StoreResult<()> {
        // One statement, which sees one moment. Pages that nobody uses are left out.
        diesel::sql_query("VACUUM INTO ?")
            .bind::<Text, _>(open::url(&self.partial, Access::Usual)?)
            .execute(source)
            .map_err(|error| match open::failed(&self.from, &error) {
                damaged @ StoreError::Damaged { .. } => damaged,
                _ => self.failed(&error),
            })?;
        open::FORMAT.check_file(&self.partial, Purpose::Read)?;
        open::look_through(&self.partial)
    }

    /// Gives the whole file its name, unless it was given up.
    fn finish(
        &self,
        make_room: impl FnOnce() -> io::Result<Option<PathBuf>>,
        bytes: u64,
    ) -> StoreResult<Written> {
        let mut fate = self.fate();
        if *fate == Fate::GivenUp {
            return Err(self.refused("it was given up"));
        }
        let renamed = make_room().and_then(|replaced| {
            fs::rename(&self.partial, &self.to)?;
            // The names are on the disk, too.
            File::open(folder_of(&self.to))?.sync_all()?;
            Ok(replaced)
        });
        match renamed {
            Ok(replaced) => {
                *fate = Fate::Named;
                Ok(Written { bytes, replaced })
            }
            Err(error) => {
                let _ = fs::remove_file(&self.partial);
                Err(self.refused(&error.to_string()))
            }
        }
    }

    /// The file first: what is left of a log alone is nobody's, and comes after it the next time.
    fn move_aside(&self) -> io::Result<Option<PathBuf>> {
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        let logs = LOGS.map(|end| beside(&self.to, end));
        if !is_there(&self.to) && !logs.iter().any(|log| is_there(log)) {
            return Ok(None);
        }
        let names = (1..=REPLACED_MAX).map(|n| match n {
            1 => beside(&self.to, REPLACED),
            n => beside(&self.to, &format!("{REPLACED}.{n}")),
        });
        let free = |aside: &PathBuf| {
            !is_there(aside) && LOGS.iter().all(|end| !is_there(&beside(aside, end)))
        };
        let Some(aside) = { names }.find(free) else {
            let why =
                "too many files that earlier backups have replaced stand beside it; remove some";
            return Err(io::Error::other(why));
        };
        for (path, aside) in std::iter::once((self.to.clone(), aside.clone())).chain(
            LOGS.iter()
                .zip(logs)
                .map(|(end, log)| (log, beside(&aside, end))),
        ) {
            if is_there(&path) {
                fs::rename(&path, &aside)?;
            }
        }
        Ok(Some(aside))
    }

    /// What is wrong with the file that is to be brought back. The remedies for a database that is used would lead
    /// away from it.
    fn of_the_backup(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unopenable { cause, .. } => self.no_backup(&cause),
            StoreError::NotADatabase { cause, .. } => {
                self.no_backup(&format!("it is not a riftsync database: {cause}"))
            }
            StoreError::Damaged { path, cause } if path == self.from => {
                self.no_backup(&format!("it is damaged: {cause}"))
            }
            other => other,
        }
    }

    fn no_backup(&self, why: &str) -> StoreError {
        StoreError::Refused(format!(
            "{} cannot be brought back: {why}. Name a file that `riftsync db backup` has written; nothing was changed",
            self.from.display()
        ))
    }

    fn failed(&self, error: &diesel::result::Error) -> StoreError {
        self.refused(&error.to_string())
    }

    fn refused(&self, why: &str) -> StoreError {
        StoreError::Refused(format!("{} cannot be written: {why}", self.to.display()))
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

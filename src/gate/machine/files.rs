//! Files of the machine's board: a private folder, locks that say who is there, rows that are replaced as a whole.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::model::budget_share::BoardEntry;

/// A row of all windows of a route's methods has some 20 kB.
const ROW_BYTES_MAX: u64 = 256 * 1024;

/// What files of all boards begin with; the number is the format's. Riftsyncs of another format are strangers.
pub(super) const ALL: &str = "budget1-";
/// Ends of names: the lock, before it is locked, the row, and before it is whole.
const ALIVE: &str = "alive";
const NEW: &str = "new";
const ROW: &str = "json";
const HALF: &str = "half";

/// How often it is tried to become a member: each try is lost only to somebody else who begins in the same moment.
const TRIES: u32 = 100;

/// Cannot be used, and why.
pub(super) fn trouble(path: &Path, cause: &io::Error) -> String {
    format!("{} cannot be used: {cause}", path.display())
}

/// Makes the folder, or finds that it is ours alone.
pub(super) fn private_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let there = std::fs::symlink_metadata(folder)?;
    let is_ours = there.is_dir()
        && there.uid() == rustix::process::geteuid().as_raw()
        && there.permissions().mode() & 0o777 == 0o700;
    if is_ours {
        Ok(())
    } else {
        let why = "it is not a folder of yours that nobody else can enter (mode 700). Remove it";
        Err(io::Error::new(ErrorKind::PermissionDenied, why))
    }
}

/// What is in the file of a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RowFile {
    /// For people.
    pub database: String,
    pub pid: u32,
    pub reported_at: i64,
    pub ended_at: Option<i64>,
    pub entry: BoardEntry,
}

/// What a row's file holds.
#[derive(Debug)]
pub(super) enum Content {
    Row(RowFile),
    /// Nothing was written yet.
    Nothing,
    /// It cannot be read; it is so many milliseconds old.
    Damaged(i64),
}

/// The files of one member.
#[derive(Debug, Clone)]
pub(super) struct MemberFiles {
    folder: PathBuf,
    name: String,
}

impl MemberFiles {
    pub(super) fn new(folder: &Path, name: String) -> Self {
        Self {
            folder: folder.to_owned(),
            name,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn path(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{}.{end}", self.name))
    }

    pub(super) fn alive_path(&self) -> PathBuf {
        self.path(ALIVE)
    }

    /// Becomes the member: the lock is held as long as the file is open. It has no name that others look for until it is
    /// locked.
    pub(super) fn take(&self) -> io::Result<File> {
        self.take_with(|| ())
    }

    /// The same; `made` is called when the file is there and not locked yet.
    pub(super) fn take_with(&self, mut made: impl FnMut()) -> io::Result<File> {
        for _ in 1..TRIES {
            match self.take_once(&mut made) {
                // Somebody who begins at the same time took it for what a dead process left.
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::WouldBlock) => {}
                taken => return taken,
            }
        }
        self.take_once(&mut made)
    }

    fn take_once(&self, made: &mut impl FnMut()) -> io::Result<File> {
        let new = self.path(NEW);
        // What an earlier try left.
        let _ = std::fs::remove_file(&new);
        let file = options().create_new(true).open(&new)?;
        made();
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => ErrorKind::WouldBlock.into(),
        })?;
        std::fs::rename(&new, self.path(ALIVE))?;
        Ok(file)
    }

    /// Whether this is the lock that others find. Keeps it from those who remove what is old.
    pub(super) fn is_taken_by(&self, file: &File) -> io::Result<bool> {
        let there = match std::fs::symlink_metadata(self.path(ALIVE)) {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let ours = file.metadata()?;
        if (there.ino(), there.dev()) != (ours.ino(), ours.dev()) {
            return Ok(false);
        }
        file.set_modified(SystemTime::now())?;
        Ok(true)
    }

    /// The lock, if nobody holds it: the member is gone. None: it is there. An error `NotFound`: the member is not
    /// there any more.
    pub(super) fn lock_of_gone(&self) -> io::Result<Option<File>> {
        lock(&self.path(ALIVE))
    }

    pub(super) fn read(&self) -> io::Result<Content> {
        let mut file = match options().write(false).open(self.path(ROW)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Content::Nothing),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        (&mut file).take(ROW_BYTES_MAX).read_to_end(&mut bytes)?;
        if let Ok(row) = serde_json::from_slice(&bytes) {
            return Ok(Content::Row(row));
        }
        let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Ok(Content::Damaged(age))
    }

    /// Replaces the row; a reader finds the old one or the new one. `writer` has one such file at a time.
    pub(super) fn write(&self, row: &RowFile, writer: &Self) -> io::Result<()> {
        let half = writer.path(HALF);
        let bytes = serde_json::to_vec(row)?;
        let mut file = options().create(true).truncate(true).open(&half)?;
        file.write_all(&bytes)?;
        drop(file);
        std::fs::rename(half, self.path(ROW))
    }

    /// The lock of a member that is not there, for a row that is written already.
    pub(super) fn leave_empty(&self) -> io::Result<()> {
        options()
            .create(true)
            .truncate(false)
            .open(self.path(ALIVE))
            .map(drop)
    }

    /// Removes what somebody left who is gone; its lock is held. The lock is last: without it nobody would look.
    pub(super) fn remove(&self) {
        for end in [ROW, HALF, NEW, ALIVE] {
            // What cannot be removed now is looked at again.
            let _ = std::fs::remove_file(self.path(end));
        }
    }
}

/// The members, also those that are gone: the names of all files of it without their ends.
pub(super) fn members(folder: &Path, beginning: &str) -> io::Result<Vec<MemberFiles>> {
    let mut found = Vec::new();
    for there in std::fs::read_dir(folder)? {
        let name = there?.file_name();
        let name = name.to_string_lossy();
        if let Some((member, ALIVE)) = name.rsplit_once('.')
            && member.starts_with(beginning)
        {
            found.push(MemberFiles::new(folder, member.to_owned()));
        }
    }
    Ok(found)
}

/// Removes what was made and never locked.
pub(super) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for there in std::fs::read_dir(folder)? {
        let there = there?;
        let name = there.file_name();
        let name = name.to_string_lossy();
        let is_new = name.starts_with(ALL) && name.ends_with(&format!(".{NEW}"));
        if is_new && matches!(lock(&there.path()), Ok(Some(_))) {
            let _ = std::fs::remove_file(there.path());
        }
    }
    Ok(())
}

fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = options().open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Nothing is followed out of the folder.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(flags);
    options
}

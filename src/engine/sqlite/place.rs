//! Where a database file is: its name as SQLite takes it, what lies beside it, and the lock of its engine.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::lock_file::open_lock;
use crate::store::{StoreError, StoreResult};

/// SQLite's longest path, less what it puts behind it.
const PATH_BYTES_MAX: usize = 504;

/// What need not be escaped in a file's URL.
const IN_A_URL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// The lock that keeps a second engine off the file, with the holder's pid inside. Held until dropped.
#[derive(Debug)]
pub struct EngineLock(#[expect(dead_code, reason = "held for its lock")] File);

/// The folder of a file that may be made.
pub fn make_folder(path: &Path) -> StoreResult<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)
        .map_err(|cause| unopenable(path, format!("its folder: {cause}")))
}

/// A file named after the database, beside it.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// The files beside one that end as it does, by their names: whoever looks for it may want another. Of many some, and
/// how many more there are.
pub(super) fn like_it(path: &Path) -> Vec<String> {
    const MAX: usize = 5;
    if path.extension().is_none() {
        return Vec::new();
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let like_it = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let ends_so = Path::new(&name).extension() == path.extension();
        let is_file = ends_so && entry.metadata().is_ok_and(|there| there.is_file());
        (is_file && !name.contains(char::is_control)).then_some(name)
    });
    let mut names: Vec<String> = like_it.collect();
    names.sort_unstable();
    if names.len() > MAX {
        let more = names.split_off(MAX).len();
        names.push(format!("{more} more"));
    }
    names
}

pub(super) fn lock_path(database: &Path) -> PathBuf {
    beside(database, ".lock")
}

/// Takes the lock of a file; fails while an engine of another process has it, with that one's pid.
pub fn lock(database: &Path) -> StoreResult<EngineLock> {
    let path = lock_path(database);
    let unopenable = |cause: std::io::Error| {
        unopenable(database, format!("its lock {}: {cause}", path.display()))
    };
    let mut file = open_lock(&path).map_err(unopenable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            return Err(StoreError::InUse {
                path: database.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(cause)) => return Err(unopenable(cause)),
    }
    let pid = std::process::id().to_string();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(pid.as_bytes()))
        .map_err(unopenable)?;
    Ok(EngineLock(file))
}

/// How a file can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Beside others, who may write.
    Usual,
    /// As it stands: nothing can be made beside it, and nobody writes to it.
    Unchanging,
}

/// How a file can be read by us, here. SQLite writes beside a file that it reads, to know of those who write.
pub fn access(path: &Path) -> StoreResult<Access> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let may = |path: &Path, what| rustix::fs::access(path, what).is_ok();
    if may(path, rustix::fs::Access::WRITE_OK) && may(folder, rustix::fs::Access::WRITE_OK) {
        return Ok(Access::Usual);
    }
    if !has_log(path) {
        return Ok(Access::Unchanging);
    }
    let (log, index) = (beside(path, "-wal"), beside(path, "-shm"));
    if may(&log, rustix::fs::Access::READ_OK) && may(&index, rustix::fs::Access::READ_OK) {
        return Ok(Access::Usual);
    }
    Err(StoreError::Unreadable {
        path: path.to_owned(),
        log,
    })
}

/// Whether there is something in the log beside the file, which belongs to it.
pub fn has_log(path: &Path) -> bool {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    std::fs::metadata(beside(&real, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// A file's name as SQLite takes it, whatever bytes are in it.
pub fn url(path: &Path, access: Access) -> StoreResult<String> {
    let path = std::path::absolute(path).map_err(|error| unopenable(path, error.to_string()))?;
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() > PATH_BYTES_MAX {
        let cause = format!(
            "its path has {} bytes, and SQLite takes {PATH_BYTES_MAX} at most",
            bytes.len()
        );
        return Err(unopenable(&path, cause));
    }
    let name = percent_encode(bytes, IN_A_URL);
    Ok(match access {
        Access::Usual => format!("file://{name}"),
        Access::Unchanging => format!("file://{name}?immutable=1"),
    })
}

pub(super) fn unopenable(path: &Path, cause: String) -> StoreError {
    StoreError::Unopenable {
        path: path.to_owned(),
        cause,
    }
}

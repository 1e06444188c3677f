//! Looks into files that SQLite may have open in this process.
//!
//! Whoever closes a file takes all POSIX locks of the process on it away, also those of SQLite, which hears nothing of
//! it ("How To Corrupt An SQLite Database File", 2.2). Another process then takes the index of the log for one that
//! nobody uses, and cuts it to nothing under the feet of this one: it ends with SIGBUS. So a file that was looked into
//! stays open for as long as it is there: one descriptor a file, however often it is looked into.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

static LOOKED_INTO: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// The first bytes of a file, as many as there are.
pub(super) fn head(path: &Path, bytes: &mut [u8]) -> io::Result<usize> {
    let wanted = id(&std::fs::metadata(path)?);
    let mut files = LOOKED_INTO.lock().unwrap_or_else(PoisonError::into_inner);
    // Locks on what was deleted protect nothing any more.
    files.retain(|file| file.metadata().is_ok_and(|there| there.nlink() > 0));
    let is_it = |file: &File| file.metadata().is_ok_and(|there| id(&there) == wanted);
    let known = files.iter().position(is_it);
    let place = known.unwrap_or(files.len());
    if known.is_none() {
        files.push(File::open(path)?);
    }
    read(&files[place], bytes)
}

fn id(there: &Metadata) -> (u64, u64) {
    (there.dev(), there.ino())
}

fn read(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

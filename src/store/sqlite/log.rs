//! What the index beside a log remembers of it after a crash.
//!
//! SQLite rebuilds the index from the log when it opens the file, and takes the log to end where a frame of it is
//! broken. That is right for a log that was cut off by a crash: what is behind was never committed. But pages of a
//! log that was damaged later may be in the file already, and then the file is neither old nor new. Only the index,
//! which is still as the dead process left it, tells that. Its format is documented ("WAL-mode File Format").

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::open::beside;

/// Where the index has the log's salts, how many of its pages are in the file for sure, and how many may be.
const SALTS_AT: usize = 32;
const COPIED_AT: usize = 96;
const BEGUN_AT: usize = 128;
/// Where the log has its salts.
const LOG_SALTS_AT: usize = 16;

/// Pages that a log must have to be used with its file; none: the index says nothing.
pub(super) fn needed(path: &Path) -> Option<u32> {
    let real = std::fs::canonicalize(path).ok()?;
    let index: [u8; BEGUN_AT + 4] = head(&beside(&real, "-shm"))?;
    let log: [u8; LOG_SALTS_AT + 8] = head(&beside(&real, "-wal"))?;
    let number = |at: usize| index[at..at + 4].try_into().map(u32::from_ne_bytes);
    let (copied, begun) = (number(COPIED_AT).ok()?, number(BEGUN_AT).ok()?);
    let same = index[SALTS_AT..SALTS_AT + 8] == log[LOG_SALTS_AT..];
    // Of a log that is unreadable as a whole nothing is taken: then the file is as the last whole copy left it.
    let needed = if same || begun > copied {
        begun.max(copied)
    } else {
        0
    };
    (needed > 0).then_some(needed)
}

fn head<const BYTES: usize>(path: &Path) -> Option<[u8; BYTES]> {
    let mut head = [0; BYTES];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    Some(head)
}

//! What the index beside a log remembers of it after a crash.
//!
//! SQLite rebuilds the index from the log when it opens the file, and takes the log to end where a frame of it is
//! broken. That is right for a log that was cut off by a crash: what is behind was never committed. But pages of a
//! log that was damaged later may be in the file already, and then the file is neither old nor new. Only the index,
//! which is still as the dead process left it, tells that. Its format is documented ("WAL-mode File Format").

use std::path::Path;

use super::peek;
use super::place::beside;

/// Where the index has the log's salts, how many of its pages are in the file for sure, and how many may be.
const SALTS_AT: usize = 32;
const COPIED_AT: usize = 96;
const BEGUN_AT: usize = 128;
/// Where the log has its salts.
const LOG_SALTS_AT: usize = 16;
/// What is read of either.
const INDEX_HEAD: usize = BEGUN_AT + 4;
const LOG_HEAD: usize = 32;

/// What was known of a log before SQLite opened its file.
#[derive(Debug)]
pub(super) struct Remembered {
    /// Pages that the log must have to be used with its file.
    pub needed: u32,
    /// How the log began.
    head: [u8; LOG_HEAD],
}

/// None: the index says nothing that the log could fall short of.
pub(super) fn remember(path: &Path) -> Option<Remembered> {
    let (index, log) = heads(path)?;
    let number = |at: usize| index[at..at + 4].try_into().map(u32::from_ne_bytes);
    let (copied, begun) = (number(COPIED_AT).ok()?, number(BEGUN_AT).ok()?);
    // Of a log that is unreadable as a whole nothing is taken: then the file is as the last whole copy left it.
    let needed = if salts_of(&index, SALTS_AT) == salts_of(&log, LOG_SALTS_AT) || begun > copied {
        begun.max(copied)
    } else {
        0
    };
    (needed > 0).then_some(Remembered { needed, head: log })
}

impl Remembered {
    /// Whether the log beside the file is the one that was looked at. Somebody else who has opened the file may have
    /// copied all of it and begun it anew, or removed it: nothing is known of the new one, and nothing was lost.
    pub(super) fn is_still_there(&self, path: &Path) -> bool {
        let Some((index, log)) = heads(path) else {
            return false;
        };
        // Begun anew, it has salts of which the first is one more; they are in the index before they are in the log.
        let salt = |head: &[u8], at: usize| u32::from_be_bytes(salts_of(head, at)[0]);
        let is_begun_anew = salt(&index, SALTS_AT) == salt(&log, LOG_SALTS_AT).wrapping_add(1);
        log == self.head && !is_begun_anew
    }
}

/// The beginnings of the index and of the log.
fn heads(path: &Path) -> Option<([u8; INDEX_HEAD], [u8; LOG_HEAD])> {
    let real = std::fs::canonicalize(path).ok()?;
    Some((head(&beside(&real, "-shm"))?, head(&beside(&real, "-wal"))?))
}

fn salts_of(head: &[u8], at: usize) -> [[u8; 4]; 2] {
    [0, 4].map(|from| std::array::from_fn(|byte| head[at + from + byte]))
}

fn head<const BYTES: usize>(path: &Path) -> Option<[u8; BYTES]> {
    let mut head = [0; BYTES];
    let read = peek::head(path, &mut head).ok()?;
    (read == BYTES).then_some(head)
}

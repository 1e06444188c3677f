//! What an answer tells of a window.

use std::time::Duration;

/// What an answer told of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub count: u32,
    /// It was a 429 of this scope, and no window is over its limit: refused calls do not count.
    pub uncounted: bool,
    /// Calls of an earlier process may have been on their way when it went.
    pub is_early: bool,
    /// So many calls of ours went until now.
    pub departed: u64,
    /// When it was sent and when it was answered.
    pub moments: [Duration; 2],
}

//! Whether a call may go now, and else when.

use std::time::Duration;

/// When a call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Now,
    At(Duration),
    /// When an answer has come: it will open the way or tell a time.
    AfterAnswer,
}

impl Admission {
    /// Both have to allow it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::AfterAnswer, _) | (_, Self::AfterAnswer) => Self::AfterAnswer,
            (Self::At(a), Self::At(b)) => Self::At(a.max(b)),
            (Self::At(at), Self::Now) | (Self::Now, Self::At(at)) => Self::At(at),
            (Self::Now, Self::Now) => Self::Now,
        }
    }
}

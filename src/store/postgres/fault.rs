//! What a failed statement means for the group that it was part of: one variant per reaction.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::store::StoreError;

/// Why a group did not come to its end. Nothing of it is committed.
#[derive(Debug, Clone)]
pub(in crate::store) enum Fault {
    /// The connection is gone, or its server may not be written to any more: another one.
    Lost(String),
    /// Another transaction was in the way: the same again.
    Again(String),
    /// The server lives and cannot write: later.
    Weather(String),
    /// A command asks for what cannot be done.
    Command(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Command(error)
    }
}

/// In the words of the server. diesel keeps no code of an error, only its message, which a server may
/// tell in another language: then it is taken for the command's fault, after it was tried twice.
const AGAIN: [&str; 4] = [
    "deadlock detected",
    "could not serialize",
    "lock timeout",
    "statement timeout",
];
const WEATHER: [&str; 6] = [
    "No space left",
    "could not extend",
    "could not write",
    "out of memory",
    "out of shared memory",
    "disk full",
];
const LOST: [&str; 5] = [
    "terminating connection",
    "server closed the connection",
    "connection closed",
    "shutting down",
    "read-only",
];

impl From<DieselError> for Fault {
    fn from(error: DieselError) -> Self {
        let text = error.to_string();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        match &error {
            DieselError::DatabaseError(kind, _) => match kind {
                DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::ReadOnlyTransaction => Self::Lost(text),
                // Two inserted the same open key at once: the second finds the first's row next time.
                DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::UniqueViolation => {
                    Self::Again(text)
                }
                _ if says(&LOST) => Self::Lost(text),
                _ if says(&WEATHER) => Self::Weather(text),
                _ if says(&AGAIN) => Self::Again(text),
                _ => Self::Command(StoreError::Unexpected(text)),
            },
            _ => Self::Command(StoreError::Unexpected(text)),
        }
    }
}

impl Fault {
    /// For those who ask alone, and try no more.
    pub(in crate::store) fn into_error(self) -> StoreError {
        match self {
            Self::Lost(why) | Self::Again(why) | Self::Weather(why) => StoreError::Unavailable(why),
            Self::Command(error) => error,
        }
    }
}

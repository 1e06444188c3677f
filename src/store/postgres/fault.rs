//! What a failed statement means for the group that it was part of: one variant per reaction.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::locks::Lessons;
use crate::store::StoreError;

/// Why a group did not come to its end. Nothing of it is committed.
#[derive(Debug, Clone)]
pub(in crate::store) enum Fault {
    /// The connection is gone, or its server may not be written to any more: another one.
    Lost(String),
    /// Another transaction was in the way: the same again.
    Again(String),
    /// Another wrote the same key at the same time, perhaps: again a few times, and then it is the command's fault.
    Raced(String),
    /// The server lives and cannot write: later.
    Weather(String),
    /// It would have to lock out of order: at once again, with what it knows now.
    Lesson(Box<Lessons>),
    /// A command asks for what cannot be done.
    Command(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Command(error)
    }
}

/// Constraints that two engines may run into without a fault of either: the second finds the first's row next time.
/// All other keys are taken by statements that say what happens then.
const RACED: [&str; 1] = ["jobs_open_key"];

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
            DieselError::DatabaseError(kind, information) => match kind {
                DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::ReadOnlyTransaction => Self::Lost(text),
                DatabaseErrorKind::SerializationFailure => Self::Again(text),
                DatabaseErrorKind::UniqueViolation
                    if information
                        .constraint_name()
                        .is_some_and(|name| RACED.contains(&name)) =>
                {
                    Self::Raced(text)
                }
                // What a constraint refuses it refuses always. Its words may hold a name that says anything.
                DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::RestrictViolation
                | DatabaseErrorKind::ExclusionViolation => {
                    Self::Command(StoreError::Unexpected(text))
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
            Self::Lesson(_) => StoreError::Unavailable(
                "other engines changed the same jobs again and again".to_owned(),
            ),
            Self::Raced(why) => StoreError::Unexpected(why),
            Self::Command(error) => error,
        }
    }
}

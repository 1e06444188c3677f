//! What a failed statement means for the group that it was part of: one variant per reaction.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::codes::{Class, class_of, code_of};
use super::locks::Lessons;
use crate::store::StoreError;
use riftsync_basics::Foreign;

/// Why a group did not come to its end. Nothing of it is committed.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is gone, or its server may not be written to any more: another one.
    Lost(String),
    /// Another transaction was in the way: the same again.
    Again(String),
    /// Another wrote the same key at the same time, perhaps: again a few times, and then it is the command's fault.
    Raced(String),
    /// The server lives and cannot write: later.
    Transient(String),
    /// The same, for want of room.
    Full(String),
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

impl From<DieselError> for Fault {
    fn from(error: DieselError) -> Self {
        let text = String::from(Foreign::from(error.to_string()));
        let DieselError::DatabaseError(kind, information) = &error else {
            return Self::Command(StoreError::Unexpected(text));
        };
        match kind {
            DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::ReadOnlyTransaction => return Self::Lost(text),
            DatabaseErrorKind::SerializationFailure => return Self::Again(text),
            DatabaseErrorKind::UniqueViolation
                if information
                    .constraint_name()
                    .is_some_and(|name| RACED.contains(&name)) =>
            {
                return Self::Raced(text);
            }
            _ => {}
        }
        // What a constraint refuses it refuses always, and its code says so as any other that is not known.
        let code = code_of(information.message());
        match code.as_ref().and_then(class_of) {
            Some(Class::Lost) => Self::Lost(text),
            Some(Class::Again) => Self::Again(text),
            Some(Class::Full) => Self::Full(text),
            Some(Class::Transient) => Self::Transient(text),
            None => {
                let code = code.map(|code| format!(" (SQLSTATE {})", code.code()));
                let text = text + &code.unwrap_or_default();
                Self::Command(StoreError::Unexpected(text))
            }
        }
    }
}

impl Fault {
    /// For those who ask alone, and try no more.
    pub fn into_error(self) -> StoreError {
        match self {
            Self::Lost(why) | Self::Again(why) | Self::Transient(why) => {
                StoreError::Unavailable(why)
            }
            Self::Full(why) => StoreError::Full(why),
            Self::Lesson(_) => StoreError::Unavailable(
                "other engines changed the same jobs again and again".to_owned(),
            ),
            Self::Raced(why) => StoreError::Unexpected(why),
            Self::Command(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::result::DatabaseErrorInformation;

    /// An error of a constraint.
    struct Of(&'static str);

    impl DatabaseErrorInformation for Of {
        fn message(&self) -> &'static str {
            "doppelter Schlüssel"
        }
        fn details(&self) -> Option<&str> {
            None
        }
        fn hint(&self) -> Option<&str> {
            None
        }
        fn table_name(&self) -> Option<&str> {
            None
        }
        fn column_name(&self) -> Option<&str> {
            None
        }
        fn constraint_name(&self) -> Option<&str> {
            Some(self.0)
        }
        fn statement_position(&self) -> Option<i32> {
            None
        }
    }

    #[test]
    fn a_key_that_is_taken_is_tried_again_only_where_two_engines_may_take_it() {
        let taken = |constraint| {
            let kind = DatabaseErrorKind::UniqueViolation;
            Fault::from(DieselError::DatabaseError(kind, Box::new(Of(constraint))))
        };
        assert!(matches!(taken("jobs_open_key"), Fault::Raced(_)));
        for constraint in ["match_participants_pkey", "players_puuid_key", "jobs_pkey"] {
            assert!(
                matches!(taken(constraint), Fault::Command(_)),
                "{constraint}"
            );
        }
    }
}

//! What SQLite's errors are to a store of jobs.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::codes::{Class, class_of};
use crate::store::{StoreError, TooLate};
use riftsync_basics::Foreign;

/// Of SQLite: PostgreSQL's errors are judged where it is known what follows from them (`postgres::fault`).
impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        let text = String::from(Foreign::from(error.to_string()));
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => {
                Self::Unavailable(text)
            }
            DieselError::DatabaseError(_, told) => match class_of(told.message()) {
                Some(Class::Damage) => Self::Damaged {
                    path: told.details().unwrap_or_default().into(),
                    cause: text,
                },
                Some(Class::Full) => Self::Full(text),
                Some(Class::Transient | Class::Locked) => Self::Unavailable(text),
                None => Self::Unexpected(text),
            },
            DieselError::QueryBuilderError(why) if why.is::<TooLate>() => Self::Busy(text),
            _ => Self::Unexpected(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn damage_is_not_transient_and_is_told_with_its_file_wherever_that_is_known() {
        let told = || Box::new("database disk image is malformed".to_owned());
        let error = || {
            StoreError::from(DieselError::DatabaseError(
                DatabaseErrorKind::Unknown,
                told(),
            ))
        };
        assert!(error().is_end() && error().is_told() && !error().is_transient());
        let located = error()
            .located(Path::new("/a.db"))
            .located(Path::new("/b.db"));
        assert!(
            located.to_string().contains("/a.db is damaged"),
            "{located}"
        );
    }
}

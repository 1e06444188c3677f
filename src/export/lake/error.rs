//! What goes wrong with a lake: the place, the cause and the remedy.

use std::io;

use crate::store::StoreError;

/// What went wrong with a place.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{place}: {cause}. {remedy}")]
pub struct LakeError {
    pub place: String,
    pub cause: String,
    pub remedy: String,
    /// It may be over by itself.
    pub passes: bool,
}

impl LakeError {
    pub(super) fn of_file(place: &str, error: &io::Error) -> Self {
        let (cause, remedy, passes) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
                "there is no room left".to_owned(),
                "Free some, or name another place; what was there before is whole, and the same command goes on",
                true,
            ),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
                error.to_string(),
                "Let this user write there, or name another place",
                false,
            ),
            io::ErrorKind::ResourceBusy => (
                "another export writes there just now".to_owned(),
                "Wait until it is done",
                true,
            ),
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => (
                "a file is there, and no folder".to_owned(),
                "Name a folder, or one that is not there yet",
                false,
            ),
            io::ErrorKind::NotFound => (
                error.to_string(),
                "Name a folder that can be made there",
                false,
            ),
            _ => (
                error.to_string(),
                "What was there before is whole; the same command tries again",
                true,
            ),
        };
        Self {
            place: place.to_owned(),
            cause,
            remedy: remedy.to_owned(),
            passes,
        }
    }

    /// Its manifest says what this export cannot go on from.
    pub(super) fn of_manifest(place: String, cause: String) -> Self {
        Self {
            place,
            cause,
            remedy: "Name another place, or write all of it anew with --full".to_owned(),
            passes: false,
        }
    }

    /// A file that no export wrote has a name that one would write.
    pub(super) fn of_stranger(place: String, name: &str) -> Self {
        Self {
            place,
            cause: format!("{name} is there, and no export wrote it"),
            remedy: format!("Name another place, or move {name} away"),
            passes: false,
        }
    }

    pub(super) fn overtaken(place: String) -> Self {
        Self {
            place,
            cause: "another export wrote there meanwhile".to_owned(),
            remedy: "What it wrote stands, and is whole; the same command goes on from there"
                .to_owned(),
            passes: true,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LakeFailure {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Place(#[from] LakeError),
}

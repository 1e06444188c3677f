//! The file beneath an open store: whether it is still the one that was opened, and whether it can still be used.
//!
//! A name of a file that is open can be given to another file, or go. SQLite writes on into the file it has open, which
//! nobody may find again. So before each commit the names are looked at: a few calls of `stat`, which cost
//! microseconds.
//! A file that was overwritten in place has its name still; what is wrong with it is told by SQLite as damage.
//!
//! Invariant: once the store has ended it stays so, for the first reason there was.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel::result::Error as DieselError;
use tokio::sync::watch;

use super::place::beside;
use crate::store::{StoreError, StoreResult};

/// See the module.
#[derive(Debug)]
pub(super) struct Ground {
    path: PathBuf,
    /// The files as the writer opened them; none: nobody writes.
    opened: Mutex<Vec<Opened>>,
    /// Why nothing is read or written any more.
    end: watch::Sender<Option<StoreError>>,
}

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    file: FileId,
}

/// Which file it is, whatever its name: its device and its number there.
type FileId = (u64, u64);

impl Ground {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            opened: Mutex::default(),
            end: watch::Sender::new(None),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the store has ended.
    pub(super) fn stands(&self) -> StoreResult<()> {
        match &*self.end.borrow() {
            Some(end) => Err(end.clone()),
            None => Ok(()),
        }
    }

    /// Fails if the store has ended, or ends it because the file is not the one that was opened.
    pub(super) fn check(&self) -> StoreResult<()> {
        self.stands()?;
        let changed = self.opened().iter().find_map(Opened::changed);
        match changed {
            None => Ok(()),
            Some(cause) => Err(self.ends(StoreError::Moved {
                path: self.path.clone(),
                cause,
            })),
        }
    }

    /// Remembers which files the writer has open, itself and those that SQLite keeps beside it.
    pub(super) fn opened_now(&self) {
        // SQLite names the files beside it after the file that a link leads to.
        let real = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let names = [
            self.path.clone(),
            beside(&real, "-wal"),
            beside(&real, "-shm"),
        ];
        *self.opened() = names
            .into_iter()
            .filter_map(|path| {
                let file = file_id(&path).ok()?;
                Some(Opened { path, file })
            })
            .collect();
    }

    /// The writer has died: when its connections close and no other is open, SQLite takes the files beside it away, and
    /// makes them anew for the next one. The file itself has to stay.
    pub(super) fn writer_died(&self) {
        self.opened().retain(|opened| opened.path == self.path);
    }

    /// Ends the store if an error says that it has.
    pub(super) fn hear(&self, error: &DieselError) {
        if let DieselError::DatabaseError(_, told) = error
            && super::codes::is_damage(told.message())
        {
            self.ends(StoreError::Damaged {
                path: self.path.clone(),
                cause: told.message().to_owned(),
            });
        }
    }

    /// The same for an error of the store, which comes back as it is told.
    pub(super) fn hears(&self, error: StoreError) -> StoreError {
        if error.is_end() {
            self.ends(error)
        } else {
            error
        }
    }

    /// Ends the store, unless it has ended already; tells why it has.
    pub(super) fn ends(&self, why: StoreError) -> StoreError {
        let why = why.located(&self.path);
        let mut reason = why.clone();
        self.end.send_if_modified(|end| {
            if let Some(first) = end {
                reason = first.clone();
                return false;
            }
            *end = Some(why);
            true
        });
        reason
    }

    /// Resolves when the store has ended, with the reason.
    pub(super) async fn ended(&self) -> StoreError {
        let mut end = self.end.subscribe();
        match end.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(StoreError::Closed),
            Err(_) => StoreError::Closed,
        }
    }

    fn opened(&self) -> MutexGuard<'_, Vec<Opened>> {
        // The lock guards a list that is replaced as a whole.
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    /// What has become of the name, if it is not the file's any more.
    fn changed(&self) -> Option<String> {
        let path = self.path.display();
        match file_id(&self.path) {
            Ok(file) if file == self.file => None,
            Ok(_) => Some(format!("another file was put in the place of {path}")),
            Err(error)
                if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) =>
            {
                Some(format!("{path} was moved or deleted"))
            }
            // It cannot be told; if the file cannot be used either, SQLite says so.
            Err(_) => None,
        }
    }
}

fn file_id(path: &Path) -> std::io::Result<FileId> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Files(tempfile::TempDir);

    impl Files {
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// A store's files, open.
        fn open() -> (Self, Ground) {
            let files = Self(tempfile::TempDir::new().unwrap());
            for name in ["t.db", "t.db-wal", "t.db-shm"] {
                fs::write(files.path(name), name).unwrap();
            }
            let ground = Ground::new(&files.path("t.db"));
            ground.opened_now();
            ground.check().unwrap();
            (files, ground)
        }
    }

    #[test]
    fn a_name_that_is_gone_or_of_another_file_ends_the_store_and_what_is_written_in_place_does_not()
    {
        for name in ["t.db", "t.db-wal", "t.db-shm"] {
            let (files, ground) = Files::open();
            fs::write(files.path(name), "longer than it was").unwrap();
            ground.check().unwrap();

            fs::rename(files.path(name), files.path("elsewhere")).unwrap();
            let error = ground.check().unwrap_err();
            assert!(matches!(error, StoreError::Moved { .. }), "{name}: {error}");
            assert!(error.to_string().contains("moved or deleted"), "{error}");
            // It does not come back by itself: what was read meanwhile is not known.
            fs::rename(files.path("elsewhere"), files.path(name)).unwrap();
            assert!(ground.check().is_err());

            let (files, ground) = Files::open();
            fs::write(files.path("other"), name).unwrap();
            fs::rename(files.path("other"), files.path(name)).unwrap();
            let error = ground.check().unwrap_err().to_string();
            assert!(error.contains("another file"), "{name}: {error}");
        }
    }

    #[test]
    fn a_folder_that_was_renamed_takes_its_files_along() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("data")).unwrap();
        fs::write(path("data/t.db"), "x").unwrap();
        let ground = Ground::new(&path("data/t.db"));
        ground.opened_now();
        fs::rename(path("data"), path("old")).unwrap();
        assert!(ground.check().is_err());
    }

    #[test]
    fn behind_a_link_the_files_that_it_leads_to_are_looked_at() {
        let (files, _) = Files::open();
        std::os::unix::fs::symlink(files.path("t.db"), files.path("link.db")).unwrap();
        let ground = Ground::new(&files.path("link.db"));
        ground.opened_now();
        ground.check().unwrap();
        fs::remove_file(files.path("t.db-wal")).unwrap();
        assert!(ground.check().is_err());
    }

    #[tokio::test]
    async fn the_first_reason_stays() {
        let (files, ground) = Files::open();
        fs::remove_file(files.path("t.db")).unwrap();
        let first = ground.check().unwrap_err().to_string();
        let damaged = StoreError::Damaged {
            path: PathBuf::new(),
            cause: "later".to_owned(),
        };
        assert_eq!(ground.ends(damaged).to_string(), first);
        assert_eq!(ground.ended().await.to_string(), first);
    }
}

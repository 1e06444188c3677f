//! A lake in a folder.
//!
//! A file is written beside its place by a name that no reader looks for, reaches the disk, and then gets its name,
//! which no file had before. The manifest is replaced the same way, once the names of all files are on the disk.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::manifest;
use super::place::{Draft, Place};
use super::{LakeError, is_ours};

/// Held by the one export that writes.
const LOCK: &str = ".riftsync-lock";
/// What a file is called until it is whole.
const UNFINISHED: &str = ".unfinished";

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    lock: Arc<Mutex<Option<File>>>,
    /// The lock, and the folder, were not there before.
    made_lock: Arc<AtomicBool>,
    made_root: Arc<AtomicBool>,
    /// Folders with new names in them.
    changed: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            lock: Arc::default(),
            made_lock: Arc::default(),
            made_root: Arc::default(),
            changed: Arc::default(),
        }
    }

    /// Runs what waits for the disk on a thread of its own.
    async fn on_disk<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<R> + Send + 'static,
    ) -> Result<R, LakeError> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        let done = done.unwrap_or_else(|panic| Err(io::Error::other(panic.to_string())));
        done.map_err(|error| self.failed(&error))
    }

    fn take(&self) -> io::Result<()> {
        self.made_root.store(!self.root.exists(), Ordering::Relaxed);
        fs::create_dir_all(&self.root)?;
        let path = self.root.join(LOCK);
        self.made_lock.store(!path.exists(), Ordering::Relaxed);
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match lock.try_lock() {
            Ok(()) => {
                let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
                *held = Some(lock);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(ErrorKind::ResourceBusy.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// While the lock is held, so that nobody else has it.
    fn clear(&self) -> io::Result<()> {
        if self.made_lock.load(Ordering::Relaxed) {
            fs::remove_file(self.root.join(LOCK))?;
        }
        if self.made_root.load(Ordering::Relaxed) {
            fs::remove_dir(&self.root)?;
        }
        Ok(())
    }

    fn note(&self, path: &Path) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let above = path.ancestors().skip(1);
        changed.extend(
            above
                .take_while(|folder| folder.starts_with(&self.root))
                .map(Path::to_owned),
        );
    }

    /// Names that are new stay so, also if the power goes.
    fn settle(&self) -> io::Result<()> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        for folder in std::mem::take(&mut *changed) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        let draft = self.root.join(format!("{UNFINISHED}-{name}"));
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        self.note(&path);
        self.settle()
    }

    /// Goes into no link: what it finds may be taken away, and a link can be another name of what is to stay.
    fn find(&self, folder: &Path, found: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                self.find(&path, found)?;
                continue;
            }
            let below = path.strip_prefix(&self.root).unwrap_or(&path);
            let Some(name) = below.to_str() else { continue };
            let whole = name.replace(UNFINISHED, "");
            if is_ours(&whole) {
                found.push(name.to_owned());
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Place for Folder {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    /// Relative: a folder may be moved, and is read from inside.
    fn prefix(&self) -> String {
        String::new()
    }

    /// Whoever writes holds the lock, and that is us.
    fn is_alone(&self) -> bool {
        true
    }

    async fn begin(&self) -> Result<(), LakeError> {
        self.on_disk(Self::take).await
    }

    async fn leave(&self) {
        // What cannot be taken away does no harm.
        let _ = self.on_disk(Self::clear).await;
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, LakeError> {
        let name = name.to_owned();
        self.on_disk(move |this| match fs::read(this.root.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    fn draft(&self, path: &str) -> io::Result<Draft> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.root.join(folder);
        fs::create_dir_all(&folder)?;
        let file = File::options()
            .write(true)
            .read(true)
            .create_new(true)
            .open(folder.join(format!("{name}{UNFINISHED}")))?;
        Ok(Draft {
            file,
            path: path.to_owned(),
        })
    }

    async fn keep(&self, draft: Draft) -> Result<u64, LakeError> {
        self.on_disk(move |this| {
            draft.file.sync_all()?;
            let path = this.root.join(&draft.path);
            let mut unfinished = path.clone().into_os_string();
            unfinished.push(UNFINISHED);
            fs::rename(unfinished, &path)?;
            this.note(&path);
            Ok(draft.file.metadata()?.len())
        })
        .await
    }

    fn failed(&self, error: &io::Error) -> LakeError {
        LakeError::of_file(&self.root.display().to_string(), error)
    }

    async fn publish(&self, bytes: Vec<u8>) -> Result<bool, LakeError> {
        self.on_disk(move |this| {
            this.settle()?;
            this.replace(manifest::NAME, &bytes)?;
            Ok(true)
        })
        .await
    }

    async fn replace(&self, name: &'static str, bytes: Vec<u8>) -> Result<bool, LakeError> {
        self.on_disk(move |this| this.replace(name, &bytes)).await?;
        Ok(true)
    }

    async fn lacks(&self, files: &[manifest::File]) -> Result<BTreeSet<String>, LakeError> {
        let files: Vec<(String, u64)> = (files.iter())
            .map(|file| (file.path.clone(), file.bytes))
            .collect();
        // Where a part is kept on another disk, a link leads to it.
        self.on_disk(move |this| {
            let mut lost = BTreeSet::new();
            for (path, bytes) in files {
                match fs::metadata(this.root.join(&path)) {
                    Ok(there) if there.len() == bytes => {}
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error),
                    _ => drop(lost.insert(path)),
                }
            }
            Ok(lost)
        })
        .await
    }

    async fn list(&self) -> Result<Vec<String>, LakeError> {
        self.on_disk(|this| {
            let mut found = Vec::new();
            for table in super::tables() {
                let folder = this.root.join(table);
                if folder.is_dir() {
                    this.find(&folder, &mut found)?;
                }
            }
            Ok(found)
        })
        .await
    }

    async fn remove(&self, paths: Vec<String>) -> Result<(), LakeError> {
        self.on_disk(move |this| {
            for path in paths {
                let path = this.root.join(path);
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                // Folders that are empty now; one that is not stays.
                let above = path.ancestors().skip(1);
                for folder in above.take_while(|folder| *folder != this.root) {
                    if fs::remove_dir(folder).is_err() {
                        break;
                    }
                }
            }
            Ok(())
        })
        .await
    }
}

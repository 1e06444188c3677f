//! Where the control socket is, and that it is ours alone.
//!
//! The file lock beside the socket says which engine has it; the kernel lets go of the lock however
//! the engine ends. The socket is made in a folder that nobody else can enter, given its mode there,
//! and then moved into place: it is never open wider than 0600, and what a dead engine left is
//! replaced in one step.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the kernel takes as a socket's path.
const PATH_BYTES_MAX: usize = 107;
/// How long a lock is tried for: somebody may only be looking who holds it.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Why the socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error(
        "the control socket {path} is in use by another riftsync engine (pid {pid}). Stop it with: riftsync engine stop, or choose another place with --socket PATH"
    )]
    InUse { path: PathBuf, pid: String },
    #[error(
        "another program listens on {path}. Choose another place for the control socket with --socket PATH"
    )]
    Foreign { path: PathBuf },
    #[error(
        "{path} is there already and is not a socket; it was not changed. Choose another place for the control socket with --socket PATH"
    )]
    NotASocket { path: PathBuf },
    #[error(
        "the control socket {path} cannot be opened: {cause}. Choose another place with --socket PATH"
    )]
    Io { path: PathBuf, cause: io::Error },
}

/// The socket's default place: `$XDG_RUNTIME_DIR/riftsync.sock`, or beside the data.
pub fn default_path(runtime_folder: Option<&Path>, data_folder: &Path) -> PathBuf {
    runtime_folder
        .filter(|folder| folder.is_absolute())
        .unwrap_or(data_folder)
        .join("riftsync.sock")
}

/// An open control socket. Dropped: the socket is gone, and another engine may have its place.
#[derive(Debug)]
pub struct SocketPlace {
    path: PathBuf,
    listener: UnixListener,
    _lock: File,
}

impl SocketPlace {
    pub fn open(path: &Path) -> Result<Self, SocketError> {
        let error = |cause| SocketError::Io {
            path: path.to_owned(),
            cause,
        };
        if path.as_os_str().len() > PATH_BYTES_MAX {
            let cause = format!("its path is longer than {PATH_BYTES_MAX} bytes");
            return Err(error(io::Error::new(io::ErrorKind::InvalidInput, cause)));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(error)?;
        let lock = lock(path)?;
        check_vacant(path)?;
        let listener = bind_private(folder, path).map_err(error)?;
        Ok(Self {
            path: path.to_owned(),
            listener,
            _lock: lock,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The listener, for a server that is started, or started anew: those who wait keep waiting.
    pub fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        tokio::net::UnixListener::from_std(listener)
    }
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        // The lock is still held: the file is ours. If it is gone, so much the better.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn lock(path: &Path) -> Result<File, SocketError> {
    let error = |cause| SocketError::Io {
        path: path.to_owned(),
        cause,
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(lock_path(path))
        .map_err(error)?;
    let mut tries = 0;
    let locked = loop {
        tries += 1;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => std::thread::sleep(LOCK_PAUSE),
            locked => break locked,
        }
    };
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            return Err(SocketError::InUse {
                path: path.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(cause)) => return Err(error(cause)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()))
        .map_err(error)?;
    Ok(file)
}

fn lock_path(path: &Path) -> PathBuf {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    PathBuf::from(lock)
}

/// The pid of the engine that holds the socket's place, if one does: also while it starts or stops.
pub(super) fn holder(path: &Path) -> Option<String> {
    let mut file = File::open(lock_path(path)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid).ok()?;
            Some(pid.trim().to_owned())
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Nothing is there, or the socket of an engine that has ended.
fn check_vacant(path: &Path) -> Result<(), SocketError> {
    let path_buf = || path.to_owned();
    let there = match std::fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => {
            return Err(SocketError::Io {
                path: path_buf(),
                cause,
            });
        }
    };
    if !there.file_type().is_socket() {
        return Err(SocketError::NotASocket { path: path_buf() });
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::Foreign { path: path_buf() }),
        Err(cause)
            if [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound]
                .contains(&cause.kind()) =>
        {
            Ok(())
        }
        Err(cause) => Err(SocketError::Io {
            path: path_buf(),
            cause,
        }),
    }
}

fn bind_private(folder: &Path, path: &Path) -> io::Result<UnixListener> {
    let private = folder.join(format!(".rs{}", std::process::id()));
    // What an engine of the same pid may have left.
    let _ = std::fs::remove_dir_all(&private);
    DirBuilder::new().mode(0o700).create(&private)?;
    let bound = bind_in(&private, path);
    let removed = std::fs::remove_dir_all(&private);
    let listener = bound?;
    removed?;
    Ok(listener)
}

fn bind_in(private: &Path, path: &Path) -> io::Result<UnixListener> {
    let made = private.join("s");
    let listener = UnixListener::bind(&made)?;
    std::fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    std::fs::rename(&made, path)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use tempfile::TempDir;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn the_socket_and_the_folder_that_is_made_for_it_are_for_nobody_else() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("deep/er/r.sock");
        let place = SocketPlace::open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        UnixStream::connect(&path).unwrap();
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 2, "the socket and its lock: {left:?}");
        drop(place);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_socket_is_refused_with_its_holder_and_left_alone() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("r.sock");
        let place = SocketPlace::open(&path).unwrap();
        let error = SocketPlace::open(&path).unwrap_err().to_string();
        assert!(
            error.contains(&format!("pid {}", std::process::id())),
            "{error}"
        );
        assert!(error.contains("--socket"), "{error}");
        assert_eq!(holder(&path), Some(std::process::id().to_string()));
        UnixStream::connect(&path).unwrap();
        drop(place);
        assert_eq!(holder(&path), None);
        SocketPlace::open(&path).unwrap();
    }

    #[test]
    fn what_a_dead_engine_left_is_replaced() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("r.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _place = SocketPlace::open(&path).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn what_belongs_to_others_is_left_as_it_was() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "mine").unwrap();
        let error = SocketPlace::open(&file).unwrap_err();
        assert!(matches!(error, SocketError::NotASocket { .. }));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        let other = folder.path().join("other.sock");
        let _listener = UnixListener::bind(&other).unwrap();
        let error = SocketPlace::open(&other).unwrap_err();
        assert!(matches!(error, SocketError::Foreign { .. }));
        UnixStream::connect(&other).unwrap();
    }

    #[test]
    fn a_place_that_cannot_be_is_named_with_its_remedy() {
        let long = "x".repeat(200);
        for path in [format!("/tmp/{long}.sock"), "/proc/none/r.sock".to_owned()] {
            let error = SocketPlace::open(Path::new(&path)).unwrap_err().to_string();
            assert!(
                error.contains("--socket") && error.contains(&path),
                "{error}"
            );
        }
    }
}

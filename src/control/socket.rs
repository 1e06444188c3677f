//! Where the control socket is, and that it is ours alone.
//!
//! The file lock beside the socket says which engine has it; the kernel lets go of the lock however
//! the engine ends. The socket is made in a folder that nobody else can enter, given its mode there,
//! and then moved into place: it is never open wider than 0600, and what a dead engine left is
//! replaced in one step.
//!
//! The kernel takes no long path for a socket. Beside data that lies deep the socket is in the temp folder instead,
//! in a folder of this user that nobody else can enter, under a name made of where it would be: whoever names the same
//! database finds it there.

use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::open_lock;
use crate::model::fingerprint;

/// What the kernel takes as a socket's path.
const PATH_BYTES_MAX: usize = 107;
/// The name under which a socket is made before it is moved into place, at its longest.
const MADE_BYTES_MAX: usize = "/.rs4194304/s".len();
/// How long a lock is tried for: somebody may only be looking who holds it.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// So that the name before it is moved fits too.
const FOLDER_BYTES_MAX: usize = PATH_BYTES_MAX - MADE_BYTES_MAX;

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
        "the path of the control socket {path} is too long: it has {bytes} bytes, and the system takes {PATH_BYTES_MAX}, or {FOLDER_BYTES_MAX} for its folder. Choose a shorter one with --socket PATH"
    )]
    TooLong { path: PathBuf, bytes: usize },
    #[error(
        "the folder {folder} of the control socket is not yours alone. Remove it, or choose another place with --socket PATH"
    )]
    NotPrivate { folder: PathBuf },
    #[error(
        "the control socket {path} cannot be opened: {cause}. Choose another place with --socket PATH"
    )]
    Io { path: PathBuf, cause: io::Error },
}

/// The socket's default place: `$XDG_RUNTIME_DIR/riftsync.sock`, or beside the data, or, where that is too long for a
/// socket, under a short name in the temp folder.
pub fn default_path(runtime_folder: Option<&Path>, data_folder: &Path) -> PathBuf {
    let usual = runtime_folder
        .filter(|folder| folder.is_absolute())
        .unwrap_or(data_folder)
        .join("riftsync.sock");
    // However the folder was named: whoever names it otherwise must find the same place.
    let real = real_path(&usual);
    if check_length(&real).is_ok() {
        return usual;
    }
    let name = fingerprint(real.as_os_str().as_bytes());
    short_folder().join(format!("{name}.sock"))
}

/// Where all riftsyncs of this user on this machine can find each other, whatever their databases are; the first one
/// that can be used is. The temp folder comes first: a terminal has a runtime folder, and cron has none.
pub fn meeting_folders(runtime_folder: Option<&Path>) -> Vec<PathBuf> {
    let mut folders = vec![std::env::temp_dir().join(private_name())];
    let runtime_folder = runtime_folder.filter(|folder| folder.is_absolute());
    folders.extend(runtime_folder.map(|folder| folder.join("riftsync")));
    folders
}

/// Whether a socket can have this path.
pub fn check_length(path: &Path) -> Result<(), SocketError> {
    let bytes = path.as_os_str().len();
    if bytes <= PATH_BYTES_MAX && folder_of(path).as_os_str().len() <= FOLDER_BYTES_MAX {
        return Ok(());
    }
    Err(SocketError::TooLong {
        path: path.to_owned(),
        bytes,
    })
}

/// The same file has one name, also where parts of its path are still to be made.
fn real_path(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in path.ancestors() {
        if let Ok(real) = there.canonicalize() {
            return match path.strip_prefix(there) {
                Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
                _ => real,
            };
        }
    }
    path
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// This user's folder for sockets that can be nowhere else.
fn short_folder() -> PathBuf {
    let name = private_name();
    let folder = std::env::temp_dir().join(&name);
    if folder.as_os_str().len() + "/0123456789abcdef.sock".len() <= PATH_BYTES_MAX {
        folder
    } else {
        Path::new("/tmp").join(name)
    }
}

fn private_name() -> String {
    format!("riftsync-{}", rustix::process::geteuid().as_raw())
}

/// In the temp folder anybody can make a folder of any name: a socket there is ours only if the folder is.
pub(super) fn is_trusted(path: &Path) -> bool {
    let folder = folder_of(path);
    if folder != short_folder() {
        return true;
    }
    let ours = rustix::process::geteuid().as_raw();
    std::fs::symlink_metadata(folder).is_ok_and(|there| {
        there.is_dir() && there.uid() == ours && there.permissions().mode() & 0o777 == 0o700
    })
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
        check_length(path)?;
        let folder = folder_of(path);
        // Beside the data, others may read the data if the settings say so; the socket has a mode of its own.
        let mode = if folder == short_folder() {
            0o700
        } else {
            0o755
        };
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(folder)
            .map_err(error)?;
        if !is_trusted(path) {
            let folder = folder.to_owned();
            return Err(SocketError::NotPrivate { folder });
        }
        // Beside what is no socket, nothing is made.
        look(path)?;
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
    let mut file = open_lock(&lock_path(path)).map_err(error)?;
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

/// Whether there is a socket; an error if something else is there.
fn look(path: &Path) -> Result<bool, SocketError> {
    let path_buf = || path.to_owned();
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => Ok(true),
        Ok(_) => Err(SocketError::NotASocket { path: path_buf() }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(SocketError::Io {
            path: path_buf(),
            cause,
        }),
    }
}

/// Nothing is there, or the socket of an engine that has ended.
fn check_vacant(path: &Path) -> Result<(), SocketError> {
    let path_buf = || path.to_owned();
    if !look(path)? {
        return Ok(());
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
    use tempfile::TempDir;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn the_socket_is_for_nobody_else_and_nobody_else_writes_in_its_folder() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("deep/er/r.sock");
        let place = SocketPlace::open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()) & 0o022, 0);
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
    fn a_place_beside_data_that_lie_deep_is_short_and_the_same_however_they_are_named() {
        let temp = TempDir::new().unwrap();
        let deep = temp.path().join("d".repeat(60)).join("e".repeat(60));
        let before = default_path(None, &deep);
        assert!(check_length(&before).is_ok(), "{}", before.display());
        std::fs::create_dir_all(&deep).unwrap();
        let link = temp.path().join("link");
        std::os::unix::fs::symlink(&deep, &link).unwrap();
        for named in [
            &deep,
            &link,
            &deep.join("."),
            &deep.join("../").join("e".repeat(60)),
        ] {
            assert_eq!(default_path(None, named), before, "{}", named.display());
        }
        assert_ne!(default_path(None, &deep.join("other")), before);
        // What is short stays where it was.
        let usual = temp.path().join("riftsync.sock");
        assert_eq!(default_path(None, temp.path()), usual);
        assert_eq!(default_path(Some(temp.path()), &deep), usual);
        assert_eq!(default_path(Some(&deep), temp.path()), before);
    }

    #[test]
    fn every_path_that_is_not_too_long_can_be_opened() {
        let temp = TempDir::new().unwrap();
        for length in 85..=115 {
            let room = length - temp.path().as_os_str().len() - 2;
            for split in [1, room - 1] {
                let folder = temp.path().join("f".repeat(split));
                let path = folder.join("s".repeat(room - split));
                let opened = SocketPlace::open(&path);
                match check_length(&path) {
                    Ok(()) => drop(opened.unwrap()),
                    Err(_) => assert!(matches!(opened, Err(SocketError::TooLong { .. }))),
                }
            }
        }
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

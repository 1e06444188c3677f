//! Where an export goes: a file that gets its name when it is complete, or stdout.
//!
//! Only a regular file is ever replaced, or a new one made. A link is not followed, and a device, a pipe or a folder is
//! left as it is: a rename would put a file in its place, and whoever wrote to it would write to that from then on.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use rustix::fs::Advice;
use rustix::fs::OFlags;

use super::Out;
use crate::model::fingerprint;

/// What the temporary name has behind the file's own.
/// No other program writes files of such names: browsers call theirs `.part`.
const PART: &str = ".riftsync-part";
/// The longest name that file systems take.
const NAME_BYTES_MAX: usize = 255;
/// Bytes that the disk begins to write while more of them come: at the end it is waited for.
const AHEAD: u64 = 8 << 20;
/// How often what a killed export left is taken away and found there again.
const TRIES: u32 = 3;

/// Where the bytes go.
#[derive(Debug)]
pub(super) enum Output {
    File(PartFile),
    Stdout { out: io::Stdout, bytes: u64 },
}

impl Output {
    pub(super) fn open(out: &Out) -> io::Result<Self> {
        Ok(match out {
            Out::Stdout => Self::Stdout {
                out: io::stdout(),
                bytes: 0,
            },
            Out::File { path, make_folder } => Self::File(PartFile::create(path, *make_folder)?),
        })
    }

    /// It is complete: a file gets its name. Returns its size.
    pub(super) fn keep(self) -> io::Result<u64> {
        match self {
            Self::File(file) => file.keep(),
            Self::Stdout { mut out, bytes } => out.flush().map(|()| bytes),
        }
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(part) => part.write(buffer),
            Self::Stdout { out, bytes } => {
                let written = out.write(buffer)?;
                *bytes += written as u64;
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(part) => part.file.flush(),
            Self::Stdout { out, .. } => out.flush(),
        }
    }
}

/// Removed when dropped, unless it was kept.
#[derive(Debug)]
pub(super) struct PartFile {
    /// Locked, so that two exports to one file do not mix.
    file: File,
    part: PathBuf,
    path: PathBuf,
    /// Bytes of it, and of these how many were given to the disk.
    written: u64,
    given: u64,
    kept: bool,
}

impl PartFile {
    fn create(path: &Path, make_folder: bool) -> io::Result<Self> {
        check_target(path)?;
        check_folder(path, make_folder)?;
        let part = part_of(path)?;
        for _ in 0..TRIES {
            if let Some(file) = create_part(&part)? {
                return Ok(Self {
                    file,
                    part,
                    path: path.to_owned(),
                    written: 0,
                    given: 0,
                    kept: false,
                });
            }
        }
        Err(in_use())
    }

    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.written += written as u64;
        if self.written - self.given >= AHEAD {
            self.give_to_disk();
            self.given = self.written;
        }
        Ok(written)
    }

    /// Linux takes the advice that nobody needs these pages as an order to write them. What it does not do now, the end
    /// does.
    #[cfg(target_os = "linux")]
    fn give_to_disk(&self) {
        let bytes = std::num::NonZeroU64::new(self.written - self.given);
        let _ = rustix::fs::fadvise(&self.file, self.given, bytes, Advice::DontNeed);
    }

    #[cfg(not(target_os = "linux"))]
    fn give_to_disk(&self) {}

    fn keep(mut self) -> io::Result<u64> {
        // A crash must not leave the name on a file whose content never reached the disk.
        self.file.sync_all()?;
        // It took its time: what stands there now may be something else.
        check_target(&self.path)?;
        std::fs::rename(&self.part, &self.path)?;
        self.kept = true;
        Ok(self.file.metadata()?.len())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.kept {
            // What is half written helps nobody.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

/// Fails unless there is a regular file, or nothing.
fn check_target(path: &Path) -> io::Result<()> {
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(wrong(
            "its name ends with /, as that of a folder".to_owned(),
        ));
    }
    let there = match std::fs::symlink_metadata(path) {
        Ok(there) => there,
        // What is wrong with its folder is told with that.
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    match what_else(&there) {
        None => Ok(()),
        Some("a link") => {
            let to = std::fs::read_link(path)?;
            let to = to.display();
            Err(wrong(format!(
                "it is a link to {to}, and what a link leads to is not written over"
            )))
        }
        Some("a folder") => Err(wrong("it is a folder".to_owned())),
        Some(what) => Err(wrong(format!(
            "it is {what}, which no file takes the place of. `--out -` writes to stdout"
        ))),
    }
}

/// What it is, if it is no regular file.
fn what_else(there: &Metadata) -> Option<&'static str> {
    let kind = there.file_type();
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some("a link")
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

fn check_folder(path: &Path, make: bool) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => return Ok(()),
    };
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => Err(wrong(format!("{shown} is no folder"))),
        Err(error) if error.kind() == ErrorKind::NotFound && make => DirBuilder::new()
            .recursive(true)
            .create(folder)
            .map_err(|error| wrong(format!("its folder {shown} cannot be made: {error}"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(wrong(format!(
            "there is no folder {shown}. --mkdir makes it"
        ))),
        Err(error) => Err(error),
    }
}

/// The temporary name: the file's own with more behind it, or a short one where that is too long.
fn part_of(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| wrong("it names no file".to_owned()))?;
    if name.len() + PART.len() > NAME_BYTES_MAX {
        let short = fingerprint(name.as_bytes());
        return Ok(path.with_file_name(format!("{short}{PART}")));
    }
    let mut part = name.to_owned();
    part.push(PART);
    Ok(path.with_file_name(part))
}

/// Makes the temporary file, which must not be there. None: what a killed export had left was taken away.
fn create_part(part: &Path) -> io::Result<Option<File>> {
    let made = OpenOptions::new().write(true).create_new(true).open(part);
    match made {
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(in_use()),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            remove_left(part)?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Takes away the temporary file of an export that was killed. What is something else is left alone.
fn remove_left(part: &Path) -> io::Result<()> {
    let shown = part.display();
    let foreign = || {
        wrong(format!(
            "{shown}, which is its name until it is complete, is there already and not an export's. Remove it"
        ))
    };
    let file = OpenOptions::new()
        .read(true)
        // A pipe would be waited for.
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(part);
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(_) => return Err(foreign()),
    };
    let there = file.metadata()?;
    if what_else(&there).is_some() || there.uid() != rustix::process::geteuid().as_raw() {
        return Err(foreign());
    }
    match file.try_lock() {
        Ok(()) => std::fs::remove_file(part),
        Err(TryLockError::WouldBlock) => Err(in_use()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn in_use() -> io::Error {
    wrong("another export writes it just now".to_owned())
}

fn wrong(why: String) -> io::Error {
    io::Error::other(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn create(path: &Path) -> io::Result<PartFile> {
        PartFile::create(path, false)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_when_it_is_complete_and_what_was_there_stays_until_then() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("m.csv");
        std::fs::write(&path, "of yesterday").unwrap();
        let mut file = Output::File(create(&path).unwrap());
        file.write_all(b"of today").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "of yesterday");
        let error = create(&path).unwrap_err().to_string();
        assert!(error.contains("another export"), "{error}");
        assert_eq!(file.keep().unwrap(), 8);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "of today");
        drop(create(&path).unwrap());
        assert_eq!(names(folder.path()), ["m.csv"]);
    }

    #[test]
    fn what_a_killed_export_left_is_no_obstacle_and_what_is_not_an_exports_is_left_alone() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("m.csv");
        let part = folder.path().join(format!("m.csv{PART}"));
        std::fs::write(&part, "half of it").unwrap();
        // A browser's.
        let download = folder.path().join("m.csv.part");
        std::fs::write(&download, "mine").unwrap();
        create(&path).unwrap().keep().unwrap();
        assert_eq!(std::fs::read_to_string(&download).unwrap(), "mine");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        let other = folder.path().join("other");
        std::fs::write(&other, "mine").unwrap();
        symlink(&other, &part).unwrap();
        let error = create(&path).unwrap_err().to_string();
        assert!(error.contains("Remove it"), "{error}");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine");
        assert!(part.is_symlink());
    }

    #[test]
    fn the_longest_name_there_is_can_be_written() {
        let folder = TempDir::new().unwrap();
        let name = format!("{}.csv", "n".repeat(NAME_BYTES_MAX - 4));
        create(&folder.path().join(&name)).unwrap().keep().unwrap();
        assert_eq!(names(folder.path()), [name]);
    }

    #[test]
    fn what_comes_into_the_way_meanwhile_is_not_replaced() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("m.csv");
        let file = create(&path).unwrap();
        symlink("/dev/null", &path).unwrap();
        let error = file.keep().unwrap_err().to_string();
        assert!(error.contains("/dev/null"), "{error}");
        assert!(path.is_symlink());
        assert_eq!(names(folder.path()), ["m.csv"]);
    }
}

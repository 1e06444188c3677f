//! A log file that never outgrows its limit: full files are moved aside, the oldest is deleted.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::lock_file::open_lock;

/// Where the log is, and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFiles {
    pub path: PathBuf,
    /// One file at most.
    pub file_bytes: u64,
    /// Files at most, the one that is written included.
    pub files: u32,
}

impl LogFiles {
    /// The newest whole lines, so many bytes of them at most: of the file that is written, and of the one before it.
    pub fn newest(&self, bytes_max: u64) -> io::Result<Vec<u8>> {
        // The older one first: what is moved aside between the two is left out then, and else it would be read twice.
        let before = open_if_any(&with_suffix(&self.path, "1"))?;
        let now = open_if_any(&self.path)?;
        let mut newest = now.map_or_else(|| Ok(Vec::new()), |file| end_of(file, bytes_max))?;
        let room = bytes_max.saturating_sub(newest.len() as u64);
        if let Some(file) = before.filter(|_| room > 0) {
            let mut lines = end_of(file, room)?;
            lines.append(&mut newest);
            newest = lines;
        }
        Ok(newest)
    }
}

fn open_if_any(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Err(io::Error::other("it is not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The last lines of a file, without one that is cut.
fn end_of(mut file: File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let start = file.metadata()?.len().saturating_sub(bytes_max);
    // From the byte before: if that ends a line, none is cut.
    let from = start.saturating_sub(1);
    file.seek(SeekFrom::Start(from))?;
    let mut lines = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut lines)?;
    if start > 0 {
        let cut = lines.iter().position(|byte| *byte == b'\n');
        lines.drain(..cut.map_or(lines.len(), |at| at + 1));
    }
    Ok(lines)
}

/// See the module.
#[derive(Debug)]
pub struct RotatingFile {
    files: LogFiles,
    file: Option<File>,
    bytes: u64,
    /// One engine writes it.
    _lock: File,
}

impl RotatingFile {
    pub fn files(&self) -> &LogFiles {
        &self.files
    }

    /// Opens the log to go on where it ended. None: another engine writes it.
    pub fn open(files: LogFiles) -> io::Result<Option<Self>> {
        if let Some(folder) = files.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // A device would be renamed when it is full, which it never is.
        match std::fs::metadata(&files.path) {
            Ok(there) if !there.is_file() => return Err(io::Error::other("it is not a file")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let lock = open_lock(&with_suffix(&files.path, "lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut log = Self {
            files,
            file: None,
            bytes: 0,
            _lock: lock,
        };
        log.remove_beyond();
        log.open_file()?;
        Ok(Some(log))
    }

    /// Files of a time when there could be more of them, or larger ones: the limit of today holds at once.
    fn remove_beyond(&self) {
        let numbered = |n: u32| with_suffix(&self.files.path, &n.to_string());
        let kept = (1..self.files.files).map(numbered);
        for path in kept.chain([self.files.path.clone()]) {
            let length = std::fs::metadata(&path).map_or(0, |file| file.len());
            if length > self.files.file_bytes {
                let _ = std::fs::remove_file(path);
            }
        }
        let mut n = self.files.files.max(1);
        while std::fs::remove_file(with_suffix(&self.files.path, &n.to_string())).is_ok() {
            n += 1;
        }
    }

    fn open_file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(&self.files.path)?;
            self.bytes = file.metadata()?.len();
            self.file = Some(file);
        }
        self.file
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Writes whole lines, all in one file. More than a file may hold is refused.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let length = lines.len() as u64;
        if length > self.files.file_bytes {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "more at once than one file may hold",
            ));
        }
        self.open_file()?;
        if self.bytes + length > self.files.file_bytes {
            self.rotate()?;
        }
        let whole = self.bytes;
        let file = self.open_file()?;
        if let Err(error) = file.write_all(lines) {
            // Half a line would spoil the next one too.
            let _ = file.set_len(whole);
            self.file = None;
            return Err(error);
        }
        self.bytes = whole + length;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        let numbered = |n: u32| with_suffix(&self.files.path, &n.to_string());
        let oldest = self.files.files.saturating_sub(1);
        if oldest == 0 {
            std::fs::remove_file(&self.files.path)?;
        } else {
            for n in (1..oldest).rev() {
                match std::fs::rename(numbered(n), numbered(n + 1)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            std::fs::rename(&self.files.path, numbered(1))?;
        }
        self.bytes = 0;
        self.open_file().map(|_| ())
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tempfile::TempDir;

    fn open(folder: &Path, file_bytes: u64, files: u32) -> Option<RotatingFile> {
        RotatingFile::open(LogFiles {
            path: folder.join("m.jsonl"),
            file_bytes,
            files,
        })
        .unwrap()
    }

    fn sizes(folder: &Path) -> Vec<u64> {
        let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        files
            .filter(|file| !file.file_name().to_str().unwrap().ends_with("lock"))
            .map(|file| file.metadata().unwrap().len())
            .collect()
    }

    #[test]
    fn the_newest_lines_stay_and_the_oldest_go() {
        let folder = TempDir::new().unwrap();
        let mut log = open(folder.path(), 10, 3).unwrap();
        for n in 0..9 {
            log.write(format!("line{n}\n").as_bytes()).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let [now, before, oldest] = ["m.jsonl", "m.jsonl.1", "m.jsonl.2"].map(read);
        assert_eq!(
            [&*now, &*before, &*oldest],
            ["line8\n", "line7\n", "line6\n"]
        );
        assert_eq!(sizes(folder.path()).len(), 3);
    }

    #[test]
    fn the_newest_lines_are_read_whole_and_no_more_of_them_than_asked_for() {
        let folder = TempDir::new().unwrap();
        let mut log = open(folder.path(), 10, 3).unwrap();
        for n in 0..9 {
            log.write(format!("line{n}\n").as_bytes()).unwrap();
        }
        let files = log.files.clone();
        let newest = |bytes| String::from_utf8(files.newest(bytes).unwrap()).unwrap();
        assert_eq!(newest(100), "line7\nline8\n");
        assert_eq!(newest(12), "line7\nline8\n");
        for cut in 6..12 {
            assert_eq!(newest(cut), "line8\n", "{cut}");
        }
        assert_eq!(newest(5), "");
        let nothing = LogFiles {
            path: folder.path().join("none"),
            ..files.clone()
        };
        assert_eq!(nothing.newest(100).unwrap(), b"");
        let device = LogFiles {
            path: PathBuf::from("/dev/zero"),
            ..files
        };
        assert!(device.newest(100).is_err());
    }

    #[test]
    fn a_log_goes_on_where_it_ended_and_belongs_to_one_engine() {
        let folder = TempDir::new().unwrap();
        let mut log = open(folder.path(), 100, 2).unwrap();
        log.write(b"a\n").unwrap();
        assert!(open(folder.path(), 100, 2).is_none());
        drop(log);
        open(folder.path(), 100, 2).unwrap().write(b"b\n").unwrap();
        let text = std::fs::read_to_string(folder.path().join("m.jsonl")).unwrap();
        assert_eq!(text, "a\nb\n");
    }

    #[test]
    fn what_is_not_a_file_is_left_as_it_is() {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("m.jsonl")).unwrap();
        for path in [folder.path().join("m.jsonl"), PathBuf::from("/dev/full")] {
            let files = LogFiles {
                path,
                file_bytes: 10,
                files: 2,
            };
            let error = RotatingFile::open(files).unwrap_err().to_string();
            assert!(error.contains("not a file"), "{error}");
        }
        assert!(!Path::new("/dev/full.lock").exists());
    }

    #[test]
    fn a_limit_that_was_lowered_holds_from_the_next_start() {
        let folder = TempDir::new().unwrap();
        let mut log = open(folder.path(), 100, 4).unwrap();
        for _ in 0..8 {
            log.write(&[b'x'; 60]).unwrap();
        }
        drop(log);
        let mut log = open(folder.path(), 50, 3).unwrap();
        log.write(&[b'y'; 40]).unwrap();
        assert!(sizes(folder.path()).iter().sum::<u64>() <= 150);
        assert!(sizes(folder.path()).len() <= 3);
    }

    proptest! {
        #[test]
        fn the_log_never_exceeds_its_limit(lines in prop::collection::vec(1_usize..60, 1..80), file_bytes in 20_u64..200, files in 1_u32..5) {
            let folder = TempDir::new().unwrap();
            let mut log = open(folder.path(), file_bytes, files).unwrap();
            for length in lines {
                let refused = length as u64 > file_bytes;
                prop_assert_eq!(log.write(&vec![b'x'; length]).is_err(), refused);
                let sizes = sizes(folder.path());
                prop_assert!(sizes.iter().sum::<u64>() <= file_bytes * u64::from(files));
                prop_assert!(sizes.len() <= files as usize);
            }
        }
    }
}

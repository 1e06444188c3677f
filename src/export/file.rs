//! A file that gets its name when it is complete.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Removed when dropped, unless it was kept.
#[derive(Debug)]
pub(super) struct PartFile {
    file: File,
    part: PathBuf,
    path: PathBuf,
    kept: bool,
}

impl PartFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part)?;
        Ok(Self {
            file,
            part,
            path: path.to_owned(),
            kept: false,
        })
    }

    /// Puts the complete file in its place. Returns its size.
    pub(super) fn keep(mut self) -> io::Result<u64> {
        // A crash must not leave the name on a file whose content never reached the disk.
        self.file.sync_all()?;
        std::fs::rename(&self.part, &self.path)?;
        self.kept = true;
        Ok(self.file.metadata()?.len())
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
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

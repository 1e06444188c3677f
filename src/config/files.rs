//! Files as this program takes and makes them: what is read has a bound, and what is made is its owner's.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use config::{Config as Source, File, FileFormat};
pub use riftsync_basics::read_at_most;
use riftsync_basics::redact;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// A file with settings at most; nobody writes so many.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// A key file at most.
const KEY_FILE_BYTES_MAX: u64 = 4_096;

/// Who may read the files that are made: databases, logs, exports. Nobody but their owner writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Readers {
    Owner,
    /// The owner's group too.
    Group,
    /// Every user of the machine.
    All,
}

impl Readers {
    /// The bits that new files and folders do not get.
    pub fn umask(self) -> u32 {
        match self {
            Self::Owner => 0o077,
            Self::Group => 0o027,
            Self::All => 0o022,
        }
    }
}

/// Who can read a file beside those who may, as its mode says; none: nobody, or there is no such file. A file of
/// another user that is ours to read by its group (as root's settings of a service are) is read by that group.
pub fn read_by_others(path: &Path, readers: Readers) -> Option<u32> {
    let file = std::fs::metadata(path).ok()?;
    let mode = file.mode() & 0o777;
    let others = if is_ours(&file) { 0o044 } else { 0o004 };
    (mode & others & readers.umask() != 0).then_some(mode)
}

/// Whether a file is this user's, who alone can change its mode.
pub fn owner_is_us(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| is_ours(&file))
}

fn is_ours(file: &Metadata) -> bool {
    file.uid() == rustix::process::geteuid().as_raw()
}

impl Config {
    /// The file with settings, and one of them that nobody else is to read, if there is one in it.
    pub fn file_with_secret(&self) -> Option<(&Path, &'static str)> {
        let file = self.file.as_deref()?;
        let origin = file.display().to_string();
        let (lake, url) = (&self.lake, self.database.url.expose());
        let secrets = [
            ("lake.secret_access_key", !lake.secret_access_key.is_empty()),
            ("lake.session_token", !lake.session_token.is_empty()),
            ("database.url", redact(url) != url),
        ];
        let in_file = |(setting, is_set): &(&'static str, bool)| {
            *is_set && self.origins.of_setting(setting) == origin
        };
        let secret = secrets.into_iter().find(in_file)?;
        Some((file, secret.0))
    }
}

/// The text of a file with settings, once it can be read as such.
pub(super) fn settings_of(path: &Path) -> Result<String, ConfigError> {
    let invalid = |why: String| ConfigError::Invalid(format!("{}: {why}", path.display()));
    let text = read_at_most(path, FILE_BYTES_MAX).map_err(|error| invalid(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| invalid("it is no text".to_owned()))?;
    let source = File::from_str(&text, FileFormat::Toml);
    match Source::builder().add_source(source).build() {
        Ok(_) => Ok(text),
        Err(error) => Err(invalid(without_lines(&error.to_string()))),
    }
}

/// What is wrong with a file, without the line that it is in: a secret may stand there that nobody has read yet.
fn without_lines(told: &str) -> String {
    let is_of_file = |line: &&str| {
        let line = line
            .trim_start()
            .trim_start_matches(|c: char| c.is_ascii_digit());
        !line.trim_start().starts_with('|')
    };
    let kept: Vec<&str> = told.lines().filter(is_of_file).collect();
    kept.join("; ")
}

/// The text of a key file.
pub fn read_key_file(path: &Path) -> io::Result<String> {
    let bytes = read_at_most(path, KEY_FILE_BYTES_MAX)?;
    // What stands in it instead is not repeated.
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    #[test]
    fn what_is_wrong_with_a_file_is_told_without_the_line_that_it_is_in() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "[lake]\nsecret_access_key = \"of nobody\n").unwrap();
        let told = settings_of(&path).unwrap_err().to_string();
        assert!(told.contains("line 2"), "{told}");
        assert!(!told.contains("nobody"), "{told}");
    }

    #[test]
    fn a_key_file_without_an_end_is_refused_and_so_is_one_that_is_no_text() {
        let why = |path: &Path| read_key_file(path).unwrap_err().to_string();
        assert_eq!(why(Path::new("/dev/zero")), "it has more than 4096 bytes");
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(why(&path), "it is no text");
    }

    #[test]
    fn a_pipe_is_read_unless_nobody_writes_to_it() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert!(read_at_most(&path, 9).is_err());
        // As a shell has it that was told `<(command)`.
        let (ours, theirs) = std::io::pipe().unwrap();
        let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&ours));
        let reader = std::thread::spawn(move || read_at_most(Path::new(&name), 9));
        std::io::Write::write_all(&mut { theirs }, b"words").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), b"words");
        drop(ours);
    }

    #[test]
    fn who_reads_a_file_beside_those_who_may_is_told_by_its_mode() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("t.db");
        assert_eq!(read_by_others(&path, Readers::Owner), None);
        std::fs::write(&path, "").unwrap();
        for (mode, told) in [
            (0o600, [false; 3]),
            (0o620, [false; 3]),
            (0o640, [true, false, false]),
            (0o644, [true, true, false]),
        ] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            for (readers, told) in [Readers::Owner, Readers::Group, Readers::All]
                .into_iter()
                .zip(told)
            {
                let others = read_by_others(&path, readers);
                assert_eq!(others, told.then_some(mode), "{mode:o} {readers:?}");
            }
        }
    }
}

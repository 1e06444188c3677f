//! Files that are held as locks.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens the file of a lock, or makes it. Whoever can open it can hold the lock, so it is the owner's alone, whoever
/// may read the rest.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // A link could lead to a file that is then written over.
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    let there = file.metadata()?;
    if !there.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let us = rustix::process::geteuid();
    if there.uid() == us.as_raw() {
        // Older versions let everybody read it.
        if there.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
    } else if !us.is_root() {
        let why = format!("it belongs to another user (uid {})", there.uid());
        return Err(io::Error::other(why));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_lock_is_its_owners_alone_also_one_of_an_older_version() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("t.lock");
        open_lock(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        open_lock(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_lock_behind_a_link_is_not_opened() {
        let folder = TempDir::new().unwrap();
        let (notes, path) = (folder.path().join("notes"), folder.path().join("t.lock"));
        std::fs::write(&notes, "mine").unwrap();
        symlink(&notes, &path).unwrap();
        assert!(open_lock(&path).is_err());
        assert!(open_lock(folder.path()).is_err());
    }
}

//! What a lake is made of: one file that names all others that belong together.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// The manifest's name.
pub(super) const NAME: &str = "manifest.json";
/// Changed when an older program could no longer read it.
const FORMAT: u32 = 1;

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// Counts the exports that wrote something.
    pub(super) generation: u64,
    pub(super) made_at: String,
    pub(super) made_by: String,
    pub(super) schema_version: u32,
    pub(super) notice: String,
    /// The stamp of the database.
    pub(super) database: String,
    /// What its partitions hold, also those without a row.
    pub(super) partitions: Vec<Partition>,
    pub(super) files: Vec<File>,
    /// Files that the generation before had and this one has not: they stay until the next.
    pub(super) former: Vec<String>,
}

/// A part of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Partition {
    pub(super) name: String,
    /// Of its content: another content has another.
    pub(super) version: String,
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) table: String,
    pub(super) partition: String,
    /// From the lake's own place.
    pub(super) path: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Manifest {
    pub(super) fn new(database: String, schema_version: u32, notice: &str) -> Self {
        Self {
            format: FORMAT,
            generation: 0,
            made_at: Timestamp::now().to_string(),
            made_by: concat!("riftsync ", env!("CARGO_PKG_VERSION")).to_owned(),
            schema_version,
            notice: notice.to_owned(),
            database,
            partitions: Vec::new(),
            files: Vec::new(),
            former: Vec::new(),
        }
    }

    /// Why it cannot be gone on from is told.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("its {NAME} is not one that an export wrote: {error}"))?;
        if read.format != FORMAT {
            return Err(format!("its {NAME} is of a newer riftsync"));
        }
        Ok(read)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("names and numbers are JSON")
    }

    pub(super) fn version_of(&self, partition: &str) -> Option<&str> {
        let known = self.partitions.iter().find(|one| one.name == partition);
        known.map(|one| &*one.version)
    }

    /// All files that somebody may be reading.
    pub(super) fn kept(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().map(|file| &*file.path);
        files.chain(self.former.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_no_manifest_is_refused() {
        let manifest = Manifest::new("7".to_owned(), 15, "");
        let read = Manifest::read(&manifest.write()).unwrap();
        assert_eq!(read.database, "7");
        for other in [&b"{}"[..], b"", b"[1]"] {
            assert!(Manifest::read(other).is_err());
        }
        let newer = String::from_utf8(manifest.write()).unwrap();
        let newer = newer.replace("\"format\": 1", "\"format\": 2");
        assert!(
            Manifest::read(newer.as_bytes())
                .unwrap_err()
                .contains("newer")
        );
    }
}

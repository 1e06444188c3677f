//! Names from published files: what is written of them, and what is read.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::StoreResult;
use crate::model::Timestamp;
use crate::model::names::{NamedKind, StaticName};

/// A published file as it was fetched, or seen to be as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticFile {
    pub file: String,
    pub url: String,
    pub etag: Option<String>,
    /// The newest version of the game then.
    pub version: String,
    pub checked_at: Timestamp,
    /// What it names; none: it is as it was, or names nothing.
    pub names: Option<StaticNames>,
}

/// See [`StaticFile::names`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticNames {
    pub kind: NamedKind,
    pub patch: String,
    pub language: String,
    pub names: Vec<StaticName>,
}

#[async_trait]
pub trait NamesStore {
    /// The files as they were last seen, without their names.
    async fn static_files(&self) -> StoreResult<Vec<StaticFile>>;
    /// One name of each thing of a kind, the newest.
    async fn names(&self, kind: NamedKind) -> StoreResult<Vec<StaticName>>;
    /// How many names are stored of each kind, counted over all patches.
    async fn count_names(&self) -> StoreResult<Vec<(String, u64)>>;
}

type Opt<T> = Nullable<T>;

pub(super) type FileTuple = (String, String, Option<String>, String, i64);
pub(super) type NameRow = (Text, Text, Opt<Text>);
pub(super) type NameTuple = (String, String, Option<String>);

/// `PutNames` is each database's own: JSON is taken apart in other ways.
pub(super) mod sql {
    use super::{BigInt, NameRow, Opt, Text};
    use crate::store::statement::shared_statement;

    shared_statement! {
        PutFile<'a> { file: &'a str => Text, url: &'a str => Text, etag: Option<&'a str> => Opt<Text>, version: &'a str => Text,
            at: i64 => BigInt } -> () =
        "INSERT INTO static_files (file, url, etag, version, checked_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (file) DO UPDATE SET url = excluded.url, etag = excluded.etag, version = excluded.version,
            checked_at = excluded.checked_at";
    }

    shared_statement! {
        Names<'a> { kind: &'a str => Text } -> NameRow =
        "SELECT id, name, image FROM v_names WHERE kind = ? ORDER BY number, id";
    }
}

pub(super) fn files_from(rows: Vec<FileTuple>) -> Vec<StaticFile> {
    let file = |(file, url, etag, version, checked_at): FileTuple| StaticFile {
        file,
        url,
        etag,
        version,
        checked_at: Timestamp::from_millis(checked_at),
        names: None,
    };
    rows.into_iter().map(file).collect()
}

pub(super) fn names_from(rows: Vec<NameTuple>) -> Vec<StaticName> {
    let name = |(id, name, image): NameTuple| StaticName { id, name, image };
    rows.into_iter().map(name).collect()
}

pub(super) fn counts_from(rows: Vec<(String, i64)>) -> Vec<(String, u64)> {
    let count = |(kind, count): (String, i64)| (kind, u64::try_from(count).unwrap_or(0));
    rows.into_iter().map(count).collect()
}

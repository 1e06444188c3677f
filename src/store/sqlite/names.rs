//! Names from published files.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::reader::ReadDsl;
use super::transaction::Transaction;
use super::{Backend, SqliteStore};
use crate::model::names::{NamedKind, StaticName};
use crate::store::StoreResult;
use crate::store::names::{
    FileRow, FileTuple, NameRow, NameTuple, NamesStore, StaticFile, counts_from, files_from,
    names_from,
};
use crate::store::rows::to_json;

mod sql {
    use super::{BigInt, FileRow, NameRow, Nullable, Text};
    use crate::store::statement::statement;

    statement! {
        PutNames<'a> { kind: &'a str => Text, patch: &'a str => Text, language: &'a str => Text, at: i64 => BigInt, names: &'a str => Text } -> () =
        "INSERT INTO static_names (kind, id, patch, language, name, image, stored_at)
         SELECT told.kind, one.value ->> 'id', told.patch, told.language, one.value ->> 'name', one.value ->> 'image', told.at
         FROM (SELECT ? AS kind, ? AS patch, ? AS language, ? AS at) told, json_each(?) one WHERE true
         ON CONFLICT (kind, id, patch, language) DO UPDATE SET name = excluded.name, image = excluded.image, stored_at = excluded.stored_at";
    }

    statement! {
        PutFile<'a> { file: &'a str => Text, url: &'a str => Text, etag: Option<&'a str> => Nullable<Text>, version: &'a str => Text,
            at: i64 => BigInt } -> () =
        "INSERT INTO static_files (file, url, etag, version, checked_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (file) DO UPDATE SET url = excluded.url, etag = excluded.etag, version = excluded.version,
            checked_at = excluded.checked_at";
    }

    statement! { Files {} -> FileRow = "SELECT file, url, etag, version, checked_at FROM static_files ORDER BY file"; }

    statement! {
        Names<'a> { kind: &'a str => Text } -> NameRow =
        "SELECT id, name, image FROM v_names WHERE kind = ? ORDER BY number, id";
    }

    statement! { Counts {} -> (Text, BigInt) = "SELECT kind, count(*) FROM static_names GROUP BY kind ORDER BY kind"; }
}

impl Transaction<'_> {
    pub(super) fn store_names(&mut self, file: &StaticFile) -> StoreResult<()> {
        let at = file.checked_at.as_millis();
        if let Some(of) = &file.names {
            let put = sql::PutNames {
                kind: of.kind.as_str(),
                patch: &of.patch,
                language: &of.language,
                at,
                names: &to_json(&of.names)?,
            };
            diesel::RunQueryDsl::execute(put, self.conn)?;
        }
        let put = sql::PutFile {
            file: &file.file,
            url: &file.url,
            etag: file.etag.as_deref(),
            version: &file.version,
            at,
        };
        diesel::RunQueryDsl::execute(put, self.conn)?;
        Ok(())
    }
}

#[async_trait]
impl NamesStore for SqliteStore {
    async fn static_files(&self) -> StoreResult<Vec<StaticFile>> {
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<FileTuple> = sql::Files {}.load(reader.conn()).await?;
        Ok(files_from(rows))
    }

    async fn names(&self, kind: NamedKind) -> StoreResult<Vec<StaticName>> {
        let kind = kind.as_str();
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<NameTuple> = sql::Names { kind }.load(reader.conn()).await?;
        Ok(names_from(rows))
    }

    async fn count_names(&self) -> StoreResult<Vec<(String, u64)>> {
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<(String, i64)> = sql::Counts {}.load(reader.conn()).await?;
        Ok(counts_from(rows))
    }
}

//! Names from published files.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Text};

use super::reader::ReadDsl;
use super::transaction::Transaction;
use super::{Backend, SqliteStore};
use crate::model::names::{NamedKind, StaticName};
use crate::store::names::{
    FileTuple, NameTuple, NamesStore, StaticFile, counts_from, files_from, names_from, sql,
};
use crate::store::rows::to_json;
use crate::store::{StoreResult, plain};

mod own {
    use super::{BigInt, Text};
    use crate::store::statement::statement;

    statement! {
        PutNames<'a> { kind: &'a str => Text, patch: &'a str => Text, language: &'a str => Text, at: i64 => BigInt, names: &'a str => Text } -> () =
        "INSERT INTO static_names (kind, id, patch, language, name, image, stored_at)
         SELECT told.kind, one.value ->> 'id', told.patch, told.language, one.value ->> 'name', one.value ->> 'image', told.at
         FROM (SELECT ? AS kind, ? AS patch, ? AS language, ? AS at) told, json_each(?) one WHERE true
         ON CONFLICT (kind, id, patch, language) DO UPDATE SET name = excluded.name, image = excluded.image, stored_at = excluded.stored_at";
    }
}

impl Transaction<'_> {
    pub(super) fn store_names(&mut self, file: &StaticFile) -> StoreResult<()> {
        let at = file.checked_at.as_millis();
        if let Some(of) = &file.names {
            let put = own::PutNames {
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
        let rows: Vec<FileTuple> = plain::files().load(reader.conn()).await?;
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
        let rows: Vec<(String, i64)> = plain::count_names().load(reader.conn()).await?;
        Ok(counts_from(rows))
    }
}

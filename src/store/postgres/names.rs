//! Names from published files.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::Fault;
use super::reader::read;
use super::transaction::Transaction;
use super::{Backend, PostgresStore};
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
         SELECT told.kind, one.id, told.patch, told.language, one.name, one.image, told.at
         FROM (SELECT ?::text AS kind, ?::text AS patch, ?::text AS language, ?::bigint AS at) told,
              jsonb_to_recordset(?::jsonb) AS one (id text, name text, image text)
         ORDER BY one.id COLLATE \"C\"
         ON CONFLICT (kind, id, patch, language) DO UPDATE SET name = excluded.name, image = excluded.image, stored_at = excluded.stored_at";
    }
}

impl Transaction<'_> {
    pub(super) async fn put_names(&mut self, file: &StaticFile) -> Result<(), Fault> {
        let at = file.checked_at.as_millis();
        let mut conn = self.conn;
        if let Some(of) = &file.names {
            let put = own::PutNames {
                kind: of.kind.as_str(),
                patch: &of.patch,
                language: &of.language,
                at,
                names: &to_json(&of.names)?,
            };
            put.execute(&mut conn).await?;
        }
        let put = sql::PutFile {
            file: &file.file,
            url: &file.url,
            etag: file.etag.as_deref(),
            version: &file.version,
            at,
        };
        put.execute(&mut conn).await?;
        Ok(())
    }
}

#[async_trait]
impl NamesStore for PostgresStore {
    async fn static_files(&self) -> StoreResult<Vec<StaticFile>> {
        let rows: Vec<FileTuple> = read!(self.readers, conn => plain::files().load(conn).await);
        Ok(files_from(rows))
    }

    async fn names(&self, kind: NamedKind) -> StoreResult<Vec<StaticName>> {
        let kind = kind.as_str();
        let rows: Vec<NameTuple> =
            read!(self.readers, conn => sql::Names { kind }.load(conn).await);
        Ok(names_from(rows))
    }

    async fn count_names(&self) -> StoreResult<Vec<(String, u64)>> {
        let rows: Vec<(String, i64)> =
            read!(self.readers, conn => plain::count_names().load(conn).await);
        Ok(counts_from(rows))
    }
}

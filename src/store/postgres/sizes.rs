//! How much of everything a database holds.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::reader::read;
use super::{Backend, PostgresStore};
use crate::store::StoreResult;
use crate::store::sizes::{
    DocumentSize, DocumentTuple, SizesStore, TableSize, TableTuple, document_from, sql, table_from,
};

/// Of its own tables, each database tells in its own.
mod own {
    use crate::store::statement::statement;
    use diesel::sql_types::{BigInt, Text};

    statement! {
        Tables {} -> (Text, BigInt) =
            "SELECT relname::text, pg_total_relation_size(pg_class.oid)
             FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
             WHERE relkind = 'r' AND nspname = current_schema() ORDER BY 2 DESC, 1";
    }
}

#[async_trait]
impl SizesStore for PostgresStore {
    async fn table_sizes(&self) -> StoreResult<Vec<TableSize>> {
        let rows: Vec<TableTuple> = read!(self.readers, conn => own::Tables {}.load(conn).await);
        Ok(rows.into_iter().map(table_from).collect())
    }

    async fn document_sizes(&self) -> StoreResult<Vec<DocumentSize>> {
        let rows: Vec<DocumentTuple> =
            read!(self.readers, conn => sql::Documents {}.load(conn).await);
        Ok(rows.into_iter().map(document_from).collect())
    }
}

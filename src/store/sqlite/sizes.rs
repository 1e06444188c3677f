//! How much of everything a file holds.

use async_trait::async_trait;

use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
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
            "SELECT coalesce(tbl_name, dbstat.name) AS held, CAST(sum(pgsize) AS INTEGER)
             FROM dbstat LEFT JOIN sqlite_schema ON sqlite_schema.name = dbstat.name
             WHERE aggregate = TRUE GROUP BY held ORDER BY 2 DESC, 1";
    }
}

#[async_trait]
impl SizesStore for SqliteStore {
    async fn table_sizes(&self) -> StoreResult<Vec<TableSize>> {
        let mut reader = self.readers().search().await?;
        let rows: Vec<TableTuple> = own::Tables {}.load(reader.conn()).await?;
        Ok(rows.into_iter().map(table_from).collect())
    }

    async fn document_sizes(&self) -> StoreResult<Vec<DocumentSize>> {
        let mut reader = self.readers().search().await?;
        let rows: Vec<DocumentTuple> = sql::Documents {}.load(reader.conn()).await?;
        Ok(rows.into_iter().map(document_from).collect())
    }
}

//! How much of everything a database holds, for those who look after it.

use async_trait::async_trait;

use super::StoreResult;

#[async_trait]
pub trait SizesStore {
    /// Every table with its indexes, the largest first. It looks at all pages of a file: a large one takes its time.
    async fn table_sizes(&self) -> StoreResult<Vec<TableSize>>;
    /// The stored documents by what they are and how they are packed.
    async fn document_sizes(&self) -> StoreResult<Vec<DocumentSize>>;
}

/// A table on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    pub table: String,
    pub bytes: u64,
}

/// Documents that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSize {
    /// `match` or `timeline`.
    pub kind: String,
    /// Packed anew by a recompression; else as they came.
    pub repacked: bool,
    pub documents: u64,
    /// As they are packed.
    pub bytes: u64,
}

pub(super) type TableTuple = (String, i64);
pub(super) type DocumentTuple = (String, i32, i64, i64);

pub(super) fn table_from((table, bytes): TableTuple) -> TableSize {
    TableSize {
        table,
        bytes: bytes.unsigned_abs(),
    }
}

pub(super) fn document_from((kind, codec, documents, bytes): DocumentTuple) -> DocumentSize {
    DocumentSize {
        kind,
        repacked: codec != 1,
        documents: documents.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
    }
}

pub(super) mod sql {
    use diesel::sql_types::{BigInt, Integer, Text};

    use crate::store::statement::shared_statement;

    shared_statement! {
        Documents {} -> (Text, Integer, BigInt, BigInt) =
        "SELECT kind, CAST(codec AS INTEGER), count(*), CAST(coalesce(sum(length(body)), 0) AS BIGINT)
         FROM payloads GROUP BY kind, codec ORDER BY kind, codec";
    }
}

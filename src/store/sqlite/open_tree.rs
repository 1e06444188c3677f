//! What is open under a job.

use async_trait::async_trait;

use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
use crate::model::JobId;
use crate::model::waiting::OpenJob;
use crate::store::StoreResult;
use crate::store::open_tree::{OpenTree, OpenTuple, open_from};

mod sql {
    use crate::store::open_tree::{OpenRow, open_tree};
    use crate::store::statement::statement;
    use diesel::sql_types::BigInt;

    statement! {
        Tree { root: i64 => BigInt, limit: i64 => BigInt } -> OpenRow = open_tree!();
    }
}

#[async_trait]
impl OpenTree for SqliteStore {
    async fn open_tree(&self, root: JobId, limit: usize) -> StoreResult<Vec<OpenJob>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<OpenTuple> = sql::Tree {
            root: root.0,
            limit,
        }
        .load(reader.conn())
        .await?;
        open_from(root, rows)
    }
}

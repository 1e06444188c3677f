//! What is open under a job.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::reader::{Patience, read};
use super::{Backend, PostgresStore};
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
impl OpenTree for PostgresStore {
    async fn open_tree(&self, root: JobId, limit: usize) -> StoreResult<Vec<OpenJob>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<OpenTuple> =
            read!(self.readers, conn => sql::Tree { root: root.0, limit }.load(conn).await);
        open_from(root, rows)
    }
}

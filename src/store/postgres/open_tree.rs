//! What is open under a job.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::PostgresStore;
use super::reader::read;
use crate::model::JobId;
use crate::model::waiting::OpenJob;
use crate::store::StoreResult;
use crate::store::open_tree::{
    Backlog, OpenTree, OpenTuple, SoFar, backlog_from, family_from, open_from, so_far_from, sql,
};

#[async_trait]
impl OpenTree for PostgresStore {
    async fn open_tree(&self, root: JobId, limit: usize) -> StoreResult<Vec<OpenJob>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<OpenTuple> =
            read!(self.readers, conn => sql::Tree { root: root.0, limit }.load(conn).await);
        open_from(root, rows)
    }

    async fn so_far(&self, root: JobId) -> StoreResult<SoFar> {
        let (root, parent) = (root.0, root.0);
        so_far_from(read!(self.readers, conn => sql::SoFar { root, parent }.load(conn).await))
    }

    async fn family(&self, job: JobId, limit: usize) -> StoreResult<Vec<(JobId, i64)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (child, parent) = (job.0, job.0);
        let rows: Vec<(i64, i64)> =
            read!(self.readers, conn => sql::Family { child, parent, limit }.load(conn).await);
        Ok(family_from(rows))
    }

    async fn backlog(&self) -> StoreResult<Vec<Backlog>> {
        let rows: Vec<(String, i32, i64)> =
            read!(self.readers, conn => sql::Backlog {}.load(conn).await);
        Ok(rows.into_iter().map(backlog_from).collect())
    }
}

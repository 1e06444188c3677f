//! What is open under a job.

use async_trait::async_trait;

use super::SqliteStore;
use super::reader::ReadDsl;
use crate::model::JobId;
use crate::model::waiting::OpenJob;
use crate::store::StoreResult;
use crate::store::open_tree::{
    Backlog, OpenTree, OpenTuple, SoFar, backlog_from, family_from, open_from, so_far_from, sql,
};

#[async_trait]
impl OpenTree for SqliteStore {
    async fn open_tree(&self, root: JobId, limit: usize) -> StoreResult<Vec<OpenJob>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<OpenTuple> = sql::Tree {
            root: root.0,
            limit,
        }
        .load(reader.conn())
        .await?;
        open_from(root, rows)
    }

    async fn so_far(&self, root: JobId) -> StoreResult<SoFar> {
        let mut reader = self.readers().borrow().await?;
        let (root, parent) = (root.0, root.0);
        so_far_from(sql::SoFar { root, parent }.load(reader.conn()).await?)
    }

    async fn family(&self, job: JobId, limit: usize) -> StoreResult<Vec<(JobId, i64)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<(i64, i64)> = sql::Family {
            child: job.0,
            parent: job.0,
            limit,
        }
        .load(reader.conn())
        .await?;
        Ok(family_from(rows))
    }

    async fn backlog(&self) -> StoreResult<Vec<Backlog>> {
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<(String, i32, i64)> = sql::Backlog {}.load(reader.conn()).await?;
        Ok(rows.into_iter().map(backlog_from).collect())
    }
}

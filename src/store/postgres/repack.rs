//! Documents packed anew.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use diesel::result::OptionalExtension;
use diesel_async::RunQueryDsl;

use super::Fault;
use super::PostgresStore;
use super::reader::read;
use super::transaction::Transaction;
use super::upkeep::Upkeep;
use crate::model::Timestamp;
use crate::model::records::PayloadKind;
use crate::store::repack::{
    DictionaryRow, NewestTuple, PackedBody, Packing, RepackStore, Repacked, Spot, Trained,
    newest_from, spots_from, sql,
};
use crate::store::{StoreError, StoreResult, plain};

impl Transaction<'_> {
    pub(super) async fn repack(&mut self, repacked: &[Repacked]) -> Result<u64, Fault> {
        let mut replaced = 0;
        for one in repacked {
            let dictionary = one.now.codec.dictionary();
            let replace = sql::Replace {
                codec: one.now.codec.number(),
                dictionary,
                body: &one.now.body,
                id: &one.id.to_string(),
                kind: one.kind.as_str(),
                was_codec: one.was.codec.number(),
                was_body: &one.was.body,
                needs: dictionary,
                needed: dictionary,
            };
            replaced += replace.execute(&mut self.conn).await? as u64;
        }
        Ok(replaced)
    }

    pub(super) async fn add_dictionary(
        &mut self,
        trained: &Trained,
        now: Timestamp,
    ) -> Result<u64, Fault> {
        let (kind, body) = (trained.kind.as_str(), &*trained.body);
        let same = plain::same_dictionary(kind, body);
        let same: Option<i32> = same.get_result(&mut self.conn).await.optional()?;
        let id = if let Some(id) = same {
            id
        } else {
            let samples = i32::try_from(trained.samples).unwrap_or(i32::MAX);
            let insert = plain::insert_dictionary(kind, now.as_millis(), samples, body);
            insert.get_result(&mut self.conn).await?
        };
        Ok(u64::from(id.unsigned_abs()))
    }

    pub(super) async fn drop_dictionaries(&mut self, before: Timestamp) -> Result<u64, Fault> {
        let before = before.as_millis();
        let drop = sql::DropDictionaries { before };
        Ok(drop.execute(&mut self.conn).await? as u64)
    }
}

#[async_trait]
impl RepackStore for PostgresStore {
    async fn packed_after(
        &self,
        packing: Packing,
        after: &Spot,
        limit: usize,
    ) -> StoreResult<Vec<Spot>> {
        let (id, kind) = (after.match_id.as_str(), after.kind.as_str());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = match packing {
            Packing::Gzip => read!(self.readers, conn =>
                sql::GzipAfter { id, kind, limit }.load(conn).await),
            Packing::Zstd => read!(self.readers, conn =>
                sql::ZstdAfter { id, kind, limit }.load(conn).await),
        };
        Ok(spots_from(rows))
    }

    async fn packed_body(&self, kind: PayloadKind, id: &str) -> StoreResult<Option<PackedBody>> {
        let kind = kind.as_str();
        Ok(read!(self.readers, conn =>
            sql::PayloadOf { kind, id }.get_result(conn).await.optional()))
    }

    async fn dictionary(&self, id: i32) -> StoreResult<Option<Bytes>> {
        let body: Option<Vec<u8>> = read!(self.readers, conn =>
            plain::dictionary(id).get_result(conn).await.optional());
        Ok(body.map(Bytes::from))
    }

    async fn newest_dictionary(&self, kind: PayloadKind) -> StoreResult<Option<DictionaryRow>> {
        let kind = kind.as_str();
        let newest: Option<NewestTuple> = read!(self.readers, conn =>
            plain::newest_dictionary(kind).get_result(conn).await.optional());
        Ok(newest.map(newest_from))
    }

    async fn add_dictionary(&self, trained: Trained, now: Timestamp) -> StoreResult<i32> {
        let id = self.upkeep(Upkeep::Dictionary(Arc::new(trained), now));
        i32::try_from(id.await?)
            .map_err(|_| StoreError::Unexpected("the dictionaries' numbers are used up".to_owned()))
    }

    async fn repack(&self, repacked: Vec<Repacked>) -> StoreResult<u64> {
        self.upkeep(Upkeep::Repack(Arc::new(repacked))).await
    }

    async fn drop_dictionaries(&self, before: Timestamp) -> StoreResult<u64> {
        self.upkeep(Upkeep::DropDictionaries(before)).await
    }
}

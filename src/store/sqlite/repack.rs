//! Documents packed anew.

use async_trait::async_trait;
use bytes::Bytes;
use diesel::OptionalExtension;

use super::SqliteStore;
use super::reader::ReadDsl;
use super::transaction::Transaction;
use crate::model::Timestamp;
use crate::model::records::PayloadKind;
use crate::store::repack::{
    DictionaryRow, NewestTuple, PackedBody, Packing, RepackStore, Repacked, Spot, Trained,
    newest_from, spots_from, sql,
};
use crate::store::{StoreResult, plain};

impl Transaction<'_> {
    fn repack(&mut self, repacked: &[Repacked]) -> StoreResult<u64> {
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
            replaced += diesel::RunQueryDsl::execute(replace, self.conn)? as u64;
        }
        Ok(replaced)
    }

    fn add_dictionary(&mut self, trained: &Trained, now: Timestamp) -> StoreResult<i32> {
        let (kind, body) = (trained.kind.as_str(), &*trained.body);
        let same = plain::same_dictionary(kind, body);
        let same: Option<i32> = diesel::RunQueryDsl::get_result(same, self.conn).optional()?;
        if let Some(id) = same {
            return Ok(id);
        }
        let samples = i32::try_from(trained.samples).unwrap_or(i32::MAX);
        let insert = plain::insert_dictionary(kind, now.as_millis(), samples, body);
        Ok(diesel::RunQueryDsl::get_result(insert, self.conn)?)
    }

    pub(super) fn drop_dictionaries(&mut self, before: Timestamp) -> StoreResult<u64> {
        let before = before.as_millis();
        let drop = sql::DropDictionaries { before };
        Ok(diesel::RunQueryDsl::execute(drop, self.conn)? as u64)
    }
}

#[async_trait]
impl RepackStore for SqliteStore {
    async fn packed_after(
        &self,
        packing: Packing,
        after: &Spot,
        limit: usize,
    ) -> StoreResult<Vec<Spot>> {
        let (id, kind) = (after.match_id.as_str(), after.kind.as_str());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.readers().borrow().await?;
        let rows = match packing {
            Packing::Gzip => {
                let after = sql::GzipAfter { id, kind, limit };
                after.load(reader.conn()).await?
            }
            Packing::Zstd => {
                let after = sql::ZstdAfter { id, kind, limit };
                after.load(reader.conn()).await?
            }
        };
        Ok(spots_from(rows))
    }

    async fn packed_body(&self, kind: PayloadKind, id: &str) -> StoreResult<Option<PackedBody>> {
        let kind = kind.as_str();
        let body = sql::PayloadOf { kind, id };
        let mut reader = self.readers().borrow().await?;
        Ok(body.get_result(reader.conn()).await.optional()?)
    }

    async fn dictionary(&self, id: i32) -> StoreResult<Option<Bytes>> {
        let mut reader = self.readers().borrow().await?;
        let body = plain::dictionary(id).get_result(reader.conn()).await;
        let body: Option<Vec<u8>> = body.optional()?;
        Ok(body.map(Bytes::from))
    }

    async fn newest_dictionary(&self, kind: PayloadKind) -> StoreResult<Option<DictionaryRow>> {
        let kind = kind.as_str();
        let mut reader = self.readers().borrow().await?;
        let newest = plain::newest_dictionary(kind)
            .get_result(reader.conn())
            .await;
        let newest: Option<NewestTuple> = newest.optional()?;
        Ok(newest.map(newest_from))
    }

    async fn add_dictionary(&self, trained: Trained, now: Timestamp) -> StoreResult<i32> {
        self.write(move |tx| tx.add_dictionary(&trained, now)).await
    }

    async fn repack(&self, repacked: Vec<Repacked>) -> StoreResult<u64> {
        self.write(move |tx| tx.repack(&repacked)).await
    }

    async fn drop_dictionaries(&self, before: Timestamp) -> StoreResult<u64> {
        self.write(move |tx| tx.drop_dictionaries(before)).await
    }
}

//! Documents packed anew, and the dictionaries they are packed with.
//!
//! Invariants: a body is replaced only while it is the one that was read, and only if the dictionary of the new
//! one is there. A dictionary never changes and its number is never given again, so whoever read it may keep it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dashmap::DashMap;

use super::StoreResult;
use super::rows::payload_from;
use crate::model::records::{Dictionary, Payload, PayloadKind};
use crate::model::{MatchId, Timestamp};

/// Documents by how they are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zstd,
}

/// Where a document stands in the order of all: its match, and which of the two it is. As the table has them: somebody
/// may have written other words there.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Spot {
    pub match_id: String,
    pub kind: String,
}

/// A body that takes the place of another.
#[derive(Debug, Clone)]
pub struct Repacked {
    pub kind: PayloadKind,
    pub id: MatchId,
    pub was: Payload,
    pub now: Payload,
}

/// A dictionary as it was trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trained {
    pub kind: PayloadKind,
    pub samples: u32,
    pub body: Bytes,
}

/// What is known of a stored dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DictionaryRow {
    pub id: i32,
    pub trained_at: Timestamp,
    pub samples: u32,
}

/// A row of `payloads`: codec, number of its dictionary, body.
pub type PackedBody = (i32, Option<i32>, Vec<u8>);

#[async_trait]
pub trait RepackStore: Sync {
    /// Documents behind a spot, in the order of spots. Bodies are not read.
    async fn packed_after(
        &self,
        packing: Packing,
        after: &Spot,
        limit: usize,
    ) -> StoreResult<Vec<Spot>>;
    async fn packed_body(&self, kind: PayloadKind, id: &str) -> StoreResult<Option<PackedBody>>;
    /// As it is in the database now.
    async fn dictionary(&self, id: i32) -> StoreResult<Option<Bytes>>;
    async fn newest_dictionary(&self, kind: PayloadKind) -> StoreResult<Option<DictionaryRow>>;
    /// Returns its number; one that is there already is not stored twice.
    async fn add_dictionary(&self, trained: Trained, now: Timestamp) -> StoreResult<i32>;
    /// Replaces bodies that are still what they were, in one transaction. Returns how many.
    async fn repack(&self, repacked: Vec<Repacked>) -> StoreResult<u64>;
    /// Deletes dictionaries that were trained before the moment and that no document needs. Returns how many.
    async fn drop_dictionaries(&self, before: Timestamp) -> StoreResult<u64>;
}

/// A dictionary whose row is gone.
pub(super) fn gone(id: i32) -> Dictionary {
    let body = Bytes::new();
    Dictionary { id, body }
}

/// Dictionaries that were read once. There are few.
#[derive(Debug, Default)]
pub(super) struct Dictionaries(DashMap<i32, Arc<Dictionary>>);

impl Dictionaries {
    async fn find(&self, store: &dyn RepackStore, id: i32) -> StoreResult<Arc<Dictionary>> {
        if let Some(known) = self.0.get(&id) {
            return Ok(known.clone());
        }
        let Some(body) = store.dictionary(id).await? else {
            return Ok(Arc::new(gone(id)));
        };
        let found = Arc::new(Dictionary { id, body });
        self.0.insert(id, found.clone());
        Ok(found)
    }
}

/// A stored document with all that is needed to read it.
pub(super) async fn payload(
    store: &dyn RepackStore,
    known: &Dictionaries,
    kind: PayloadKind,
    id: &str,
) -> StoreResult<Option<Payload>> {
    let mut once_more = true;
    loop {
        let Some((codec, number, body)) = store.packed_body(kind, id).await? else {
            return Ok(None);
        };
        let dictionary = match number {
            None => None,
            Some(number) => Some(known.find(store, number).await?),
        };
        let is_gone = |one: &Arc<Dictionary>| one.body.is_empty();
        // Was it packed anew, and its dictionary dropped, between the two reads? Then the body is another now.
        if once_more && dictionary.as_ref().is_some_and(is_gone) {
            once_more = false;
            continue;
        }
        return payload_from((codec, body), dictionary, id).map(Some);
    }
}

/// A row of `NewestDictionary`: number, when, samples.
pub(super) type NewestTuple = (i32, i64, i32);

pub(super) fn newest_from((id, at, samples): NewestTuple) -> DictionaryRow {
    DictionaryRow {
        id,
        trained_at: Timestamp::from_millis(at),
        samples: u32::try_from(samples).unwrap_or(0),
    }
}

pub(super) fn spots_from(rows: Vec<(String, String)>) -> Vec<Spot> {
    let spot = |(match_id, kind)| Spot { match_id, kind };
    rows.into_iter().map(spot).collect()
}

pub(super) mod sql {
    use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};

    use crate::store::statement::shared_statement;

    shared_statement! {
        PayloadOf<'a> { kind: &'a str => Text, id: &'a str => Text } -> (Integer, Nullable<Integer>, Binary) =
        "SELECT codec, dictionary, body FROM payloads WHERE kind = ? AND match_id = ?";
    }

    shared_statement! {
        /// Both indexes have all that is asked for: no row is looked at.
        GzipAfter<'a> { id: &'a str => Text, kind: &'a str => Text, limit: i64 => BigInt } -> (Text, Text) =
        "SELECT match_id, kind FROM payloads p WHERE (match_id, kind) > (?, ?)
            AND NOT EXISTS (SELECT 1 FROM payloads z WHERE z.codec = 2 AND z.match_id = p.match_id AND z.kind = p.kind)
         ORDER BY match_id, kind LIMIT ?";
    }

    shared_statement! {
        ZstdAfter<'a> { id: &'a str => Text, kind: &'a str => Text, limit: i64 => BigInt } -> (Text, Text) =
        "SELECT match_id, kind FROM payloads WHERE codec = 2 AND (match_id, kind) > (?, ?) ORDER BY match_id, kind LIMIT ?";
    }

    shared_statement! {
        DropDictionaries { before: i64 => BigInt } -> () =
        "DELETE FROM payload_dictionaries WHERE trained_at < ?
            AND NOT EXISTS (SELECT 1 FROM payloads p WHERE p.codec = 2 AND p.dictionary = payload_dictionaries.id)";
    }

    shared_statement! {
        Replace<'a> {
            codec: i32 => Integer, dictionary: Option<i32> => Nullable<Integer>, body: &'a [u8] => Binary, id: &'a str => Text,
            kind: &'a str => Text, was_codec: i32 => Integer, was_body: &'a [u8] => Binary,
            needs: Option<i32> => Nullable<Integer>, needed: Option<i32> => Nullable<Integer>,
        } -> () =
        "UPDATE payloads SET codec = ?, dictionary = ?, body = ?
         WHERE match_id = ? AND kind = ? AND codec = ? AND body = ?
            AND (CAST(? AS INTEGER) IS NULL OR EXISTS (SELECT 1 FROM payload_dictionaries d WHERE d.id = ?))";
    }
}

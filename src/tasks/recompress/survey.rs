//! What there is to recompress, and with what: documents are counted, some are taken, dictionaries are chosen or
//! trained.

use std::sync::Arc;

use serde::Serialize;

use super::choose::{DOCUMENTS_MIN, SAMPLES, Sample, TRIALS, for_training, serves};
use crate::model::records::{Dictionary, PayloadKind};
use crate::model::{MatchId, Timestamp};
use crate::riot::{Packer, Repack, document_of, train};
use crate::store::repack::{Packing, Spot, Trained};
use crate::store::{Store, StoreError, StoreResult};

/// Spots that are read at once.
const PAGE: usize = 2_000;

pub(super) const KINDS: [PayloadKind; 2] = [PayloadKind::Match, PayloadKind::Timeline];

/// The documents of one kind that are as they were received.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: PayloadKind,
    pub(super) sample: Sample<MatchId>,
}

/// What recompressing documents of one kind would save, by a trial with some of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// As they were received.
    pub documents: u64,
    /// Of those, packed for the trial; none: there are too few for a dictionary.
    pub tried: u64,
    /// What the tried ones take, before and after.
    pub tried_before: u64,
    pub tried_after: u64,
    /// What all of them take, by what the tried ones do.
    pub bytes_before: u64,
    pub bytes_after: u64,
    /// The dictionary beside them, if it has to be made.
    pub dictionary_bytes: u64,
    /// Tried, and cannot be read.
    pub unreadable: u64,
}

/// Counts the documents and takes a sample of each kind.
pub(super) async fn survey(store: &dyn Store) -> StoreResult<[Found; 2]> {
    let mut found = KINDS.map(|kind| Found {
        kind,
        sample: Sample::new(SAMPLES + TRIALS, 1),
    });
    let mut after = Spot::default();
    loop {
        let page = store.packed_after(Packing::Gzip, &after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = last.clone();
        for (kind, id) in page.iter().filter_map(read_spot) {
            found[usize::from(kind == PayloadKind::Timeline)]
                .sample
                .offer(id);
        }
    }
}

/// How many documents are packed so.
pub(super) async fn count(store: &dyn Store, packing: Packing) -> StoreResult<u64> {
    let (mut count, mut after) = (0, Spot::default());
    loop {
        let page = store.packed_after(packing, &after, PAGE).await?;
        count += page.len() as u64;
        match page.into_iter().last() {
            Some(last) => after = last,
            None => return Ok(count),
        }
    }
}

/// None: somebody wrote it by hand.
pub(super) fn read_spot(spot: &Spot) -> Option<(PayloadKind, MatchId)> {
    Some((PayloadKind::parse(&spot.kind)?, spot.match_id.parse().ok()?))
}

/// The dictionary that these documents are packed with, as it reads in the database; trained and stored if none serves.
/// None: there are too few of them.
pub(super) async fn dictionary(
    store: &dyn Store,
    found: &Found,
    now: Timestamp,
) -> StoreResult<Option<Arc<Dictionary>>> {
    if let Some(known) = serving(store, found, now).await? {
        return Ok(Some(known));
    }
    let ids = found.sample.taken();
    if ids.len() < DOCUMENTS_MIN {
        return Ok(None);
    }
    let ids = &ids[..ids.len().min(SAMPLES)];
    let Some(trained) = train_on(store, found.kind, ids).await? else {
        return Ok(None);
    };
    let body = trained.body.clone();
    let id = store.add_dictionary(trained, now).await?;
    match read_dictionary(store, id).await? {
        Some(dictionary) if dictionary.body == body => Ok(Some(dictionary)),
        _ => Err(StoreError::Unexpected(format!(
            "dictionary {id} reads other than it was written; nothing was packed with it"
        ))),
    }
}

/// A stored dictionary that is good enough.
async fn serving(
    store: &dyn Store,
    found: &Found,
    now: Timestamp,
) -> StoreResult<Option<Arc<Dictionary>>> {
    match store.newest_dictionary(found.kind).await? {
        Some(known) if serves(known, found.sample.offered(), now) => {
            read_dictionary(store, known.id).await
        }
        _ => Ok(None),
    }
}

pub(super) async fn read_dictionary(
    store: &dyn Store,
    id: i32,
) -> StoreResult<Option<Arc<Dictionary>>> {
    let body = store.dictionary(id).await?;
    Ok(body.map(|body| Arc::new(Dictionary { id, body })))
}

/// None: too few of them are there and can be read.
async fn train_on(
    store: &dyn Store,
    kind: PayloadKind,
    ids: &[MatchId],
) -> StoreResult<Option<Trained>> {
    let mut documents = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(payload) = store.payload(kind, *id).await? else {
            continue;
        };
        let text = off_the_arbiter(move || document_of(&payload)).await?;
        documents.extend(text.ok());
    }
    if for_training(DOCUMENTS_MIN) > documents.len() {
        return Ok(None);
    }
    let samples = u32::try_from(documents.len()).unwrap_or(u32::MAX);
    match off_the_arbiter(move || train(&documents)).await? {
        Ok(body) => Ok(Some(Trained {
            kind,
            samples,
            body: body.into(),
        })),
        Err(why) => {
            tracing::warn!("no dictionary can be trained on {samples} documents: {why}");
            Ok(None)
        }
    }
}

/// Packs some documents and tells what all of them would come to. Writes nothing.
pub(super) async fn try_out(
    store: &dyn Store,
    found: &Found,
    level: i32,
    now: Timestamp,
) -> StoreResult<Estimate> {
    let taken = found.sample.taken();
    let mut estimate = Estimate {
        documents: found.sample.offered(),
        ..Estimate::default()
    };
    if taken.len() < DOCUMENTS_MIN {
        return Ok(estimate);
    }
    let (training, trials) = taken.split_at(for_training(taken.len()));
    let dictionary = match serving(store, found, now).await? {
        Some(known) => known,
        None => match train_on(store, found.kind, training).await? {
            Some(Trained { body, .. }) => {
                estimate.dictionary_bytes = body.len() as u64;
                Arc::new(Dictionary { id: 0, body })
            }
            None => return Ok(estimate),
        },
    };
    let mut packer = new_packer(level, dictionary)?;
    for id in trials {
        let Some(payload) = store.payload(found.kind, *id).await? else {
            continue;
        };
        let (back, before, repacked) = off_the_arbiter(move || {
            let repacked = packer.repack(&payload);
            (packer, payload.body.len(), repacked)
        })
        .await?;
        packer = back;
        let after = match repacked {
            Ok(Repack::Done(smaller)) => smaller.body.len(),
            Ok(Repack::Kept) => before,
            Err(_) => {
                estimate.unreadable += 1;
                continue;
            }
        };
        estimate.tried += 1;
        estimate.tried_before += before as u64;
        estimate.tried_after += after as u64;
    }
    let of_all = |bytes: u64| bytes * estimate.documents / estimate.tried.max(1);
    estimate.bytes_before = of_all(estimate.tried_before);
    estimate.bytes_after = of_all(estimate.tried_after);
    Ok(estimate)
}

pub(super) fn new_packer(level: i32, dictionary: Arc<Dictionary>) -> StoreResult<Packer> {
    let id = dictionary.id;
    Packer::new(level, dictionary)
        .map_err(|error| StoreError::Unexpected(format!("dictionary {id}: {error}")))
}

pub(super) async fn off_the_arbiter<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> StoreResult<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Unexpected(error.to_string()))
}

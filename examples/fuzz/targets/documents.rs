//! Documents of matches, packed and not, from their bytes to rows of a database.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use riftsync::model::records::{Codec, MatchRecord, Payload};
use riftsync::model::timeline_details::TimelineDetail;
use riftsync::model::{
    After, MatchId, NewJob, Outcome, Platform, Priority, Timestamp, attempt, secrets,
};
use riftsync::riot::timeline_rows::{read_events, read_frames};
use riftsync::riot::{
    RiotError, as_gzip, document_of, understand_match, understand_timeline, unpack, unpacked,
};
use riftsync::store::sqlite::SqliteStore;
use riftsync::store::{Completion, DataStore, Effect, Fenced, JobStore, Wanted};
use serde_json::json;
use tokio::runtime::Runtime;

use super::super::bytes;
use super::super::corpus::{Corpus, Document};
use super::is_showable;

/// Bytes of a text in a column.
const TEXT_MAX: usize = 1_000;
/// Bytes of a document.
const DOCUMENT_MAX: usize = 8 * 1024 * 1024;

/// A short document most of the time.
fn any<'c>(documents: &'c [Document], short: usize, rng: &mut Rng) -> &'c Document {
    let whole = rng.u8(..50) == 0;
    let from = if whole {
        short..documents.len()
    } else {
        0..short
    };
    &documents[rng.usize(from)]
}

fn changed(documents: &[Document], short: usize, rng: &mut Rng) -> (MatchId, Vec<u8>) {
    let document = any(documents, short, rng);
    let other = any(documents, short, rng);
    (document.id, document.json.changed(rng, &other.json))
}

/// What may become of an error of the reading.
fn is_told(error: &RiotError) {
    is_showable(&error.to_string(), 400);
}

pub fn matches(corpus: &Corpus, rng: &mut Rng) {
    let (id, text) = changed(&corpus.matches, corpus.short[0], rng);
    match understand_match(id, &text) {
        Ok(understood) => is_sound(id, &understood.record),
        Err(error) => is_told(&error),
    }
    secrets::may_hold_key(&text);
}

fn is_sound(id: MatchId, record: &MatchRecord) {
    assert_eq!(record.id, id);
    assert!((2009..2200).contains(&record.year), "{}", record.year);
    assert!((0..=864_000).contains(&record.game_duration_s) || record.participants.is_empty());
    assert!(record.participants.len() <= 64);
    let mut numbers = HashSet::new();
    let mut puuids = HashSet::new();
    for one in &record.participants {
        assert!(one.participant_id > 0 && numbers.insert(one.participant_id));
        if let Some(player) = &one.player {
            assert!(puuids.insert(player.puuid.as_str()), "two of one puuid");
        }
        let texts = [
            &*one.champion_name,
            &one.team_position,
            &one.role,
            &one.lane,
        ];
        for text in texts {
            is_showable(text, TEXT_MAX);
        }
    }
    let texts = [
        &record.data_version,
        &record.game_mode,
        &record.game_type,
        &record.game_version,
    ];
    texts
        .into_iter()
        .chain(&record.end_of_game_result)
        .for_each(|text| is_showable(text, TEXT_MAX));
}

pub fn timelines(corpus: &Corpus, rng: &mut Rng) {
    let (id, text) = changed(&corpus.timelines, corpus.short[1], rng);
    let understood = understand_timeline(id, &text, TimelineDetail::All);
    let events = read_events("KR_1", &text);
    let frames = read_frames("KR_1", &text);
    match understood {
        Ok(understood) => {
            assert!(understood.record.frame_count >= 0);
            let counted = usize::try_from(understood.record.event_count).expect("a count");
            let rows = events.expect("what is counted is read").rows;
            // Beyond its bounds a list is counted only.
            assert!(rows.len() <= counted, "{} of {counted}", rows.len());
            assert!(rows.len() == counted || counted > 5_000);
            for row in rows {
                let texts = [
                    row.0.5, row.2.6, row.2.7, row.2.8, row.3.0, row.4.0, row.4.5,
                ];
                texts
                    .iter()
                    .flatten()
                    .for_each(|text| is_showable(text, TEXT_MAX));
            }
            let mut there = HashSet::new();
            for row in frames.expect("what is counted is read").rows {
                assert!(
                    there.insert((row.0.1, row.0.4)),
                    "a participant twice in a frame"
                );
            }
        }
        Err(error) => {
            is_told(&error);
            [events.err(), frames.err()]
                .iter()
                .flatten()
                .for_each(is_told);
        }
    }
}

thread_local! {
    /// A database of this thread.
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

struct Place {
    store: SqliteStore,
    runtime: Runtime,
    matches: u64,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let store = SqliteStore::open(&folder.path().join("t.db")).expect("a database can be made");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            store,
            runtime: runtime.expect("a runtime can be made"),
            matches: 0,
            _folder: folder,
        }
    }
}

/// A match is stored, and what it adds to its players' years is what they come to when they are counted anew.
pub fn rows(corpus: &Corpus, rng: &mut Rng) {
    let (id, text) = changed(&corpus.matches, corpus.short[0], rng);
    let Ok(understood) = understand_match(id, &text) else {
        return;
    };
    let mut place = PLACE.take().unwrap_or_else(Place::new);
    place.matches += 1;
    let mut record = understood.record;
    record.id = MatchId::new(Platform::Euw1, place.matches);
    let payload = Payload {
        codec: Codec::Gzip,
        body: as_gzip(&text),
    };
    place
        .runtime
        .block_on(stored(&place.store, record, payload));
    if place.matches < 100 {
        PLACE.set(Some(place));
    }
}

async fn stored(store: &SqliteStore, record: MatchRecord, payload: Payload) {
    let job = NewJob {
        kind: "fuzz",
        queue: "q",
        lane: "",
        key: None,
        args: "{}".to_owned(),
        priority: Priority::DEFAULT,
        max_attempts: 1,
        run_at: None,
        after: After::default(),
    };
    let now = Timestamp::from_millis(1_795_449_600_000);
    store.enqueue(vec![job], now).await.expect("a job is taken");
    let claimed = store
        .claim(Wanted::of("q", 1), "e", now)
        .await
        .expect("it is given");
    let settlement = attempt::settle(1, 1, Outcome::Complete(json!(null)), Duration::ZERO, now);
    let id = record.id;
    let completion = Completion {
        effects: vec![Effect::Match {
            record: Arc::new(record),
            payload,
            key_fingerprint: "f".into(),
        }],
        ..Completion::of(settlement)
    };
    let end = store
        .settle(claimed[0].lease, Arc::new(completion), now)
        .await;
    assert_eq!(
        end.expect("a match that was understood can be stored"),
        Fenced::Applied,
        "{id}"
    );
    for player in 1..=3 {
        let mut added = store.yearly_stats(player, None).await.expect("its years");
        let mut counted = store
            .recomputed_stats(player)
            .await
            .expect("its years, counted");
        for years in [&mut added, &mut counted] {
            years.sort_by_key(|row| (row.year, row.platform.clone()));
        }
        assert_eq!(added, counted, "player {player}");
    }
}

/// Bodies as servers pack them.
pub fn gzip(corpus: &Corpus, rng: &mut Rng) {
    let text = &any(&corpus.matches, corpus.short[0], rng).json.text;
    let mut body = match rng.u8(..16) {
        0 => bomb(rng),
        1 => [as_gzip(text), as_gzip(b"!")].concat(),
        2 => text.clone(),
        _ => as_gzip(text).to_vec(),
    };
    if rng.u8(..16) > 0 {
        let other = body.clone();
        bytes::change(&mut body, rng, &other);
    }
    let whole = unpack(&body);
    let seen = unpacked(&body, |text| Ok(text.to_vec()));
    assert_eq!(whole, seen, "both ways read the same");
    match whole {
        Ok(text) => {
            assert!(text.len() <= DOCUMENT_MAX);
            assert_eq!(unpack(&as_gzip(&text)), Ok(text));
        }
        Err(error) => is_told(&error),
    }
}

/// A body that says or holds far more than it is.
fn bomb(rng: &mut Rng) -> Vec<u8> {
    let text = vec![b' '; 1 << rng.u32(10..25)];
    let mut body = as_gzip(&text).to_vec();
    if rng.bool() {
        let end = body.len() - 4;
        body.splice(end.., rng.u32(..).to_le_bytes());
    }
    body
}

/// Bodies as they are stored when they were packed anew.
pub fn zstd(corpus: &Corpus, rng: &mut Rng) {
    let text = &any(&corpus.matches, corpus.short[0], rng).json.text;
    let mut body = ::zstd::bulk::compress(text, 1).expect("memory takes it");
    let other = body.clone();
    bytes::change(&mut body, rng, &other);
    let payload = Payload {
        codec: Codec::Zstd(None),
        body: body.into(),
    };
    match document_of(&payload) {
        Ok(text) => assert!(text.len() <= DOCUMENT_MAX),
        Err(error) => is_told(&error),
    }
}

use super::*;
use crate::model::records::{Codec, Payload};
use crate::riot::{as_gzip, unpack};
use std::collections::HashMap;

fn stored(body: Vec<u8>, record: &TimelineRecord) -> StoredDocuments {
    let payload = Payload {
        codec: Codec::Gzip,
        body: body.into(),
    };
    StoredDocuments {
        id: record.id,
        record: None,
        platform: None,
        participants: Vec::new(),
        details: MatchDetails::default(),
        timeline: Some(record.clone()),
        timeline_details: TimelineDetails::default(),
        payloads: HashMap::from([(PayloadKind::Timeline, Ok(payload))]),
        unread: HashMap::new(),
    }
}

#[test]
fn whichever_byte_is_corrupted_the_document_is_found_broken_or_is_as_it_was() {
    let text = br#"{"metadata":{"dataVersion":"2","matchId":"KR_1"},"info":{"frameInterval":60000,"frames":[{"events":[{},{}]}]}}"#;
    let id = "KR_1".parse().unwrap();
    let record = crate::riot::parse_timeline(id, text).unwrap();
    let good = as_gzip(text).to_vec();
    let examine = |one: &StoredDocuments| examine(one, Rows::Just(TimelineDetail::Off));
    assert!(examine(&stored(good.clone(), &record)).is_empty());
    let mut found = 0;
    for at in 0..good.len() {
        for bit in [0x01, 0x10, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            let same = unpack(&bad).is_ok_and(|unpacked| unpacked == text);
            let findings = examine(&stored(bad, &record));
            assert_eq!(findings.is_empty(), same, "byte {at} with {bit:x}");
            found += findings.len();
        }
    }
    // All but the time, the level and the system of the header, which say nothing of the document.
    assert!(
        found >= (good.len() - 7) * 3,
        "{found} of {}",
        good.len() * 3
    );
}

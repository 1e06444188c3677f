//! Whatever stands in whichever place of a real document, it is rows or it is kept.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::timeline_rows::{read_events, read_frames};
use super::{kept, understand_match, understand_timeline, unpack};
use crate::model::MatchId;
use crate::model::records::{MatchRecord, PayloadKind};
use crate::model::timeline_details::TimelineDetail;
use crate::simulator::{World, WorldConfig};

struct Document {
    id: MatchId,
    value: Value,
    /// JSON pointers of all its values.
    places: Vec<String>,
}

fn documents(kind: PayloadKind) -> Vec<Document> {
    let name = "Odd#SIM".parse().expect("a Riot ID");
    let world = World::new(WorldConfig {
        players: vec![("Odd#SIM".parse().unwrap(), "euw1".parse().unwrap())],
        plain: true,
        ..WorldConfig::default()
    });
    let truths = world.player_matches(&name, 2025).into_iter();
    let whole = truths.filter(|truth| truth.has_match && truth.has_timeline);
    let documents = whole.step_by(7).take(6).map(|truth| {
        let text = unpack(&world.document(truth.id, kind).unwrap()).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        let mut places = Vec::new();
        list(&value, String::new(), &mut places);
        Document {
            id: truth.id,
            value,
            places,
        }
    });
    documents.collect()
}

fn list(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        // What no reader looks at would take most of the tries.
        Value::Object(entries) => entries
            .iter()
            .filter(|(name, _)| *name != "challenges")
            .for_each(|(name, value)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                list(value, format!("{place}/{name}"), places);
            }),
        Value::Array(entries) => entries.iter().enumerate().for_each(|(index, value)| {
            list(value, format!("{place}/{index}"), places);
        }),
        _ => {}
    }
    places.push(place);
}

static MATCHES: LazyLock<Vec<Document>> = LazyLock::new(|| documents(PayloadKind::Match));
static TIMELINES: LazyLock<Vec<Document>> = LazyLock::new(|| documents(PayloadKind::Timeline));

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-50_i64..50).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-1e4..1e4).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9]{1,12}(\\.[0-9]{1,3})?".prop_map(Value::from),
        Just(Value::from("BOT")),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("participantId|puuid|x|type|[a-z]{0,3}", inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A document with something else in one place, and that place.
fn with(
    documents: &[Document],
    which: prop::sample::Index,
    at: prop::sample::Index,
    value: Value,
) -> (MatchId, String, Vec<u8>) {
    let document = which.get(documents);
    let place = at.get(&document.places);
    let mut changed = document.value.clone();
    *changed.pointer_mut(place).unwrap() = value;
    (
        document.id,
        place.clone(),
        serde_json::to_vec(&changed).unwrap(),
    )
}

fn check_rows(record: &MatchRecord) -> Result<(), TestCaseError> {
    let mut numbers: Vec<i32> = record
        .participants
        .iter()
        .map(|one| one.participant_id)
        .collect();
    numbers.sort_unstable();
    prop_assert!(numbers.iter().all(|number| *number > 0));
    prop_assert!(
        numbers.windows(2).all(|pair| pair[0] < pair[1]),
        "{numbers:?}"
    );
    let players = record
        .participants
        .iter()
        .filter_map(|one| one.player.as_ref());
    let mut puuids: Vec<&str> = players.map(|player| player.puuid.as_str()).collect();
    puuids.sort_unstable();
    prop_assert!(puuids.windows(2).all(|pair| pair[0] != pair[1]));
    prop_assert!(record.game_duration_s >= 0 && (2009..2200).contains(&record.year));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_value_in_any_place_of_a_match_leaves_rows_or_a_document_to_keep(
        which: prop::sample::Index, at: prop::sample::Index, value in any_json(),
    ) {
        let (id, place, text) = with(&MATCHES, which, at, value);
        let count = |place: &str| which.get(&MATCHES).value.pointer(place).and_then(Value::as_array).map_or(0, Vec::len);
        let participants = count("/info/participants");
        match kept(&text, |text| understand_match(id, text)) {
            Ok(Ok(understood)) => {
                check_rows(&understood.record)?;
                // One odd field costs no participant, and one odd participant no other.
                if let Some(rest) = place.strip_prefix("/info/participants/") {
                    let lost = usize::from(!rest.contains('/'));
                    prop_assert!(understood.record.participants.len() >= participants - lost, "{place}");
                }
            }
            Ok(Err(why)) => {
                prop_assert!(why != "its reader failed");
                let whole = ["/info", "/info/participants", "/metadata", "/metadata/matchId"];
                prop_assert!(whole.contains(&&*place) || participants == 0, "{place}: {why}");
            }
            Err(error) => prop_assert!(place.is_empty(), "{place}: {error}"),
        }
    }

}

proptest! {
    // Timelines are large, and made anew for each.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_value_in_any_place_of_a_timeline_leaves_its_rows_and_its_export(
        which: prop::sample::Index, at: prop::sample::Index, value in any_json(),
    ) {
        let (id, place, text) = with(&TIMELINES, which, at, value);
        match kept(&text, |text| understand_timeline(id, text, TimelineDetail::All)) {
            Ok(Ok(understood)) => {
                let events = read_events("KR_1", &text).unwrap().rows;
                prop_assert_eq!(i32::try_from(events.len()).unwrap(), understood.record.event_count);
                let frames = read_frames("KR_1", &text).unwrap().rows;
                let whole = read_frames("KR_1", &serde_json::to_vec(&which.get(&TIMELINES).value).unwrap()).unwrap();
                if place.contains("/events/") || place.matches('/').count() > 5 {
                    prop_assert_eq!(frames.len(), whole.rows.len(), "{}", place);
                }
                let mut keys: Vec<(i32, i32)> = frames.iter().map(|row| (row.0.1, row.0.4)).collect();
                keys.dedup();
                prop_assert_eq!(keys.len(), frames.len(), "each participant once a frame");
            }
            Ok(Err(why)) => prop_assert!(["/info", "/info/frames"].contains(&&*place), "{place}: {why}"),
            Err(error) => prop_assert!(place.is_empty(), "{place}: {error}"),
        }
    }
}

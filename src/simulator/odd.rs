//! Documents in which one thing is not as in all others: what patches without notice, crashes and bugs of the API have
//! put into them. Which thing it is follows from the seed and the match: a document is odd in the same way each time.

use serde_json::{Value, json};

use crate::hash::Draw;

/// Numbers of a participant that a reader may want.
const NUMBERS: [&str; 12] = [
    "kills",
    "deaths",
    "assists",
    "goldEarned",
    "visionScore",
    "totalDamageDealtToChampions",
    "champLevel",
    "totalMinionsKilled",
    "championId",
    "item3",
    "summoner1Id",
    "timePlayed",
];
const TEXTS: [&str; 4] = [
    "teamPosition",
    "individualPosition",
    "championName",
    "summonerName",
];
const OF_THE_MATCH: [&str; 6] = [
    "gameDuration",
    "gameEndTimestamp",
    "queueId",
    "mapId",
    "gameVersion",
    "gameMode",
];

/// The ways in which a match's document can be odd.
const MATCH_WAYS: [fn(&mut Value, &mut Draw); 12] = [
    |document, draw| {
        let field = *draw.pick(&TEXTS);
        set(participant(document, draw), field, Value::Null);
    },
    |document, draw| {
        let field = *draw.pick(&NUMBERS);
        set(participant(document, draw), field, Value::Null);
    },
    |document, draw| {
        let field = *draw.pick(&NUMBERS);
        let odd = json!(f64::from(draw.below(90)) + 0.5);
        set(participant(document, draw), field, odd);
    },
    |document, draw| {
        let field = *draw.pick(&NUMBERS);
        let odd = [
            json!(3_000_000_000_u64),
            json!(-3_000_000_000_i64),
            json!(1e30),
        ];
        let odd = draw.pick(&odd).clone();
        set(participant(document, draw), field, odd);
    },
    |document, draw| {
        let field = *draw.pick(&NUMBERS);
        let odd = [json!("17"), json!(true), json!({}), json!([1])];
        let odd = draw.pick(&odd).clone();
        set(participant(document, draw), field, odd);
    },
    |document, draw| set(participant(document, draw), "puuid", json!("")),
    |document, draw| {
        let uuid = format!(
            "{:08x}-0000-4000-8000-{:012x}",
            draw.below(u32::MAX),
            draw.below(u32::MAX)
        );
        set(participant(document, draw), "puuid", json!(uuid));
    },
    |document, draw| {
        let number = draw.below(2) + 1;
        set(participant(document, draw), "participantId", json!(number));
    },
    |document, _| set(info(document), "participants", json!([])),
    |document, draw| {
        let field = *draw.pick(&["win", "puuid", "championId", "teamId", "kills"]);
        remove(participant(document, draw), field);
    },
    |document, draw| {
        let field = *draw.pick(&OF_THE_MATCH);
        set(info(document), field, Value::Null);
    },
    |document, draw| {
        let seconds = 1_000.0 + f64::from(draw.below(2_000));
        set(info(document), "gameDuration", json!(seconds + 0.25));
    },
];

/// The ways in which a timeline can be odd.
const TIMELINE_WAYS: [fn(&mut Value, &mut Draw); 10] = [
    |document, draw| set(event(document, draw, "bounty"), "bounty", json!(300.5)),
    |document, draw| remove(event(document, draw, "type"), "type"),
    |document, draw| set(event(document, draw, "type"), "timestamp", Value::Null),
    |document, draw| {
        let events = frame(document, draw).and_then(|frame| frame["events"].as_array_mut());
        if let Some(events) = events {
            events.push(Value::Null);
        }
    },
    |document, draw| {
        let number = (draw.below(8) + 1).to_string();
        let frames = frame(document, draw).and_then(|frame| frame.get_mut("participantFrames"));
        set(frames, &number, Value::Null);
    },
    |document, draw| {
        let odd = json!({ "x": 7012.5, "y": 123.0 });
        set(event(document, draw, "position"), "position", odd);
    },
    |document, draw| {
        let at = f64::from(draw.below(60_000)) + 0.5;
        set(frame(document, draw), "timestamp", json!(at));
    },
    |document, draw| {
        let of_one =
            frame(document, draw).and_then(|frame| frame.pointer_mut("/participantFrames/1"));
        set(of_one, "totalGold", json!(3_000_000_000_u64));
    },
    |document, draw| set(event(document, draw, "killerId"), "killerId", json!("4")),
    |document, _| set(info(document), "participants", Value::Null),
];

/// A match's document with one thing odd.
pub fn spoilt_match(document: &[u8], seed: u64) -> Vec<u8> {
    spoilt(document, seed, &MATCH_WAYS)
}

/// A timeline with one thing odd.
pub fn spoilt_timeline(document: &[u8], seed: u64) -> Vec<u8> {
    spoilt(document, seed, &TIMELINE_WAYS)
}

fn spoilt(document: &[u8], seed: u64, ways: &[fn(&mut Value, &mut Draw)]) -> Vec<u8> {
    let mut value: Value =
        serde_json::from_slice(document).expect("documents of the simulator are JSON");
    let before = value.clone();
    let mut draw = Draw::new(seed);
    let way = *draw.pick(ways);
    way(&mut value, &mut draw);
    if value == before {
        // A match that never began has no participants and no kills.
        set(info(&mut value), "gameId", Value::Null);
    }
    value.to_string().into_bytes()
}

fn info(document: &mut Value) -> Option<&mut Value> {
    document.get_mut("info")
}

/// One of the participants.
fn participant<'a>(document: &'a mut Value, draw: &mut Draw) -> Option<&'a mut Value> {
    one_of(info(document)?.get_mut("participants")?, draw, |_| true)
}

/// One of the frames.
fn frame<'a>(document: &'a mut Value, draw: &mut Draw) -> Option<&'a mut Value> {
    one_of(info(document)?.get_mut("frames")?, draw, |_| true)
}

/// One of the events that have such a field, in the first frame that has any.
fn event<'a>(document: &'a mut Value, draw: &mut Draw, field: &str) -> Option<&'a mut Value> {
    let has_field = |event: &Value| event.get(field).is_some();
    let mut frames = info(document)?
        .get_mut("frames")?
        .as_array_mut()?
        .iter_mut();
    let frame = frames.find(|frame| {
        let events = frame["events"].as_array();
        events.is_some_and(|events| events.iter().any(has_field))
    })?;
    one_of(frame.get_mut("events")?, draw, has_field)
}

/// One of those in a list that fit.
fn one_of<'a>(
    list: &'a mut Value,
    draw: &mut Draw,
    fits: impl Fn(&Value) -> bool,
) -> Option<&'a mut Value> {
    let mut found: Vec<&mut Value> = list.as_array_mut()?.iter_mut().collect();
    found.retain(|value| fits(value));
    if found.is_empty() {
        return None;
    }
    let number = u32::try_from(found.len()).unwrap_or(u32::MAX);
    Some(found.swap_remove(draw.below(number) as usize))
}

/// Nothing if there is no object.
fn set(object: Option<&mut Value>, field: &str, value: Value) {
    if let Some(object) = object.and_then(Value::as_object_mut) {
        object.insert(field.to_owned(), value);
    }
}

fn remove(object: Option<&mut Value>, field: &str) {
    if let Some(object) = object.and_then(Value::as_object_mut) {
        object.remove(field);
    }
}

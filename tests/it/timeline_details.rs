//! Rows of timelines: every column of every real document is what its JSON says, read here on its own, on both
//! databases; and what is not wanted is not there.

use std::collections::BTreeMap;

use riftsync::model::MatchId;
use riftsync::model::timeline_details::TimelineDetail;
use riftsync::riot::understand_timeline;
use riftsync::store::Effect;
use serde_json::{Value, json};

use crate::data::write;
use crate::place::Place;
use crate::rig::{Rig, on_each_place};
use crate::samples::{payload, samples};
use crate::setup::text;

on_each_place! {
    a_replay_makes_the_rows_that_are_wanted_and_takes_the_others_away_without_a_call,
}

type Cells = Vec<Option<String>>;

/// The first of these that an object has, as a column has it.
fn first(object: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match &object[*name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(i32::from(*flag).to_string()),
        number => Some(number.to_string()),
    })
}

fn sum(object: &Value, names: [&str; 2]) -> Option<String> {
    let sum = object[names[0]].as_i64()? + object[names[1]].as_i64()?;
    Some(sum.to_string())
}

/// Rows of minutes, purchases and events.
#[derive(Default)]
struct Expected {
    minutes: Vec<Cells>,
    purchases: Vec<Cells>,
    events: Vec<Cells>,
}

impl Expected {
    fn add(&mut self, id: MatchId, document: &Value) {
        let frames = document["info"]["frames"].as_array().unwrap();
        let id = Some(id.to_string());
        let mut bought: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
        let mut number = 0;
        for (minute, frame) in frames.iter().enumerate() {
            let standings = frame["participantFrames"].as_object();
            for one in standings.into_iter().flat_map(|all| all.values()) {
                let mut row = vec![
                    id.clone(),
                    first(one, &["participantId"]),
                    Some(minute.to_string()),
                ];
                row.extend(["totalGold", "xp"].map(|name| first(one, &[name])));
                row.push(sum(one, ["minionsKilled", "jungleMinionsKilled"]));
                row.extend(["jungleMinionsKilled", "level"].map(|name| first(one, &[name])));
                row.extend(["x", "y"].map(|name| first(&one["position"], &[name])));
                let damage = ["totalDamageDoneToChampions", "totalDamageTaken"];
                row.extend(damage.map(|name| first(&one["damageStats"], &[name])));
                row.push(Some(u8::from(minute + 1 == frames.len()).to_string()));
                self.minutes.push(row);
            }
            for event in frame["events"].as_array().unwrap() {
                let who = event["participantId"].as_i64();
                match event["type"].as_str().unwrap() {
                    "ITEM_PURCHASED" => bought.entry(who.unwrap()).or_default().push((
                        event["itemId"].as_i64().unwrap(),
                        event["timestamp"].as_i64().unwrap(),
                    )),
                    "ITEM_UNDO" => {
                        let all = bought.entry(who.unwrap()).or_default();
                        let item = event["beforeId"].as_i64().unwrap();
                        if let Some(at) = all.iter().rposition(|(bought, _)| *bought == item) {
                            all.remove(at);
                        }
                    }
                    _ => {}
                }
                self.events.push(event_row(id.clone(), number, event));
                number += 1;
            }
        }
        // Riot's Arena has purchases of a participant 0, who is nobody.
        bought.retain(|who, _| *who > 0);
        for (who, all) in bought {
            for (at, (item, ms)) in all.into_iter().enumerate() {
                let numbers = [who, i64::try_from(at).unwrap() + 1, item, ms];
                let mut row = vec![id.clone()];
                row.extend(numbers.map(|number| Some(number.to_string())));
                self.purchases.push(row);
            }
        }
    }
}

fn event_row(id: Option<String>, number: i64, event: &Value) -> Cells {
    let assists = event["assistingParticipantIds"].as_array().map(|list| {
        let list: Vec<String> = list.iter().map(Value::to_string).collect();
        list.join(";")
    });
    let position = &event["position"];
    vec![
        id,
        Some(number.to_string()),
        first(event, &["timestamp"]),
        first(event, &["type"]),
        first(event, &["participantId", "killerId", "creatorId"]),
        first(event, &["victimId"]),
        first(event, &["teamId", "killerTeamId", "winningTeam"]),
        assists,
        first(position, &["x"]),
        first(position, &["y"]),
        first(event, &["itemId", "beforeId"]),
        first(event, &["skillSlot", "level", "multiKillLength"]),
        first(event, &["bounty"]),
        first(
            event,
            &[
                "wardType",
                "monsterType",
                "buildingType",
                "killType",
                "levelUpType",
                "transformType",
                "name",
            ],
        ),
        first(event, &["monsterSubType", "towerType"]),
        first(event, &["laneType"]),
    ]
}

/// Compares rows in the order of their first columns.
fn check(place: &Place, keys: usize, query: &str, expected: &[Cells]) {
    let sorted = |mut rows: Vec<Cells>| {
        rows.sort_by(|one, other| one[..keys].cmp(&other[..keys]));
        rows
    };
    let (stored, expected) = (sorted(place.rows(query)), sorted(expected.to_vec()));
    for (stored, expected) in stored.iter().zip(&expected) {
        assert_eq!(stored, expected, "{query}");
    }
    assert_eq!(stored.len(), expected.len(), "{query}");
}

const MINUTES: &str = "SELECT match_id, participant_id, minute, gold, xp, cs, jungle_cs, level, x, y, damage, damage_taken, is_last FROM participant_minutes";
const PURCHASES: &str =
    "SELECT match_id, participant_id, purchase, item_id, at_ms FROM participant_purchases";
const EVENTS: &str = "SELECT match_id, event, at_ms, type, participant_id, victim_id, team_id, assists, x, y, item_id, value, bounty, about, about_more, lane FROM match_events";

#[tokio::test]
async fn every_column_of_every_real_timeline_is_what_its_json_says_on_both_databases() {
    let documents = samples("timelines");
    if documents.is_empty() {
        return;
    }
    assert!(documents.len() >= 30);
    let mut expected = Expected::default();
    for (id, text) in &documents {
        expected.add(*id, &serde_json::from_slice(text).unwrap());
    }
    assert!(expected.minutes.len() > 7_000 && expected.events.len() > 25_000);
    assert!(expected.purchases.len() > 4_000);
    for (detail, place) in [
        (TimelineDetail::All, Place::sqlite()),
        (TimelineDetail::All, Place::postgres()),
        (TimelineDetail::Minutes, Place::sqlite()),
        (TimelineDetail::Minutes, Place::postgres()),
        (TimelineDetail::Off, Place::sqlite()),
    ] {
        let store = place.open().await;
        for (id, text) in &documents {
            let record = understand_timeline(*id, text, detail).unwrap().record;
            let payload = payload(text);
            write(&*store, vec![vec![Effect::Timeline { record, payload }]]).await;
        }
        store.close().await.unwrap();
        let (minutes, events) = match detail {
            TimelineDetail::Off => (false, false),
            TimelineDetail::Minutes => (true, false),
            TimelineDetail::All => (true, true),
        };
        let wanted = |rows: &[Cells], wanted: bool| if wanted { rows.to_vec() } else { Vec::new() };
        check(&place, 3, MINUTES, &wanted(&expected.minutes, minutes));
        check(&place, 3, PURCHASES, &wanted(&expected.purchases, minutes));
        check(&place, 2, EVENTS, &wanted(&expected.events, events));
    }
}

#[test]
fn a_timeline_that_is_odd_gives_what_can_be_read_of_it() {
    let id: MatchId = "KR_1".parse().unwrap();
    let standing = |number: i64, gold: Value| json!({ "participantId": number, "totalGold": gold, "position": 7, "xp": "12" });
    let buys = |who: Value, item: i64, at: Value| json!({ "type": "ITEM_PURCHASED", "participantId": who, "itemId": item, "timestamp": at });
    let document = json!({ "metadata": { "matchId": "KR_1" }, "info": { "frames": [
        { "participantFrames": { "1": standing(1, json!(500)), "2": standing(2, json!(1.4)) }, "events": [
            buys(json!(1), 1_001, json!(9)), buys(json!(1), 1_055, json!(10)),
            buys(json!(1), 1_055, json!(null)), buys(json!(null), 4, json!(1)),
            buys(json!(9), 4, json!(1)), { "type": "ITEM_UNDO", "participantId": 1, "beforeId": 1_055, "afterId": 0 },
            { "type": "ITEM_UNDO", "participantId": 2, "beforeId": 0, "afterId": 3 }, null, 7, [], "x"] },
        null,
        { "participantFrames": { "2": standing(2, json!({})), "3": standing(3, json!(7)) }, "events": "none" },
    ] } });
    // A letter of a word may be escaped.
    let whole = document.to_string();
    let text = whole.replacen("ITEM_PURCHASED", "ITEM\\u005fPURCHASED", 1);
    assert_ne!(text, whole);
    for detail in [TimelineDetail::Minutes, TimelineDetail::All] {
        let understood = understand_timeline(id, text.as_bytes(), detail).unwrap();
        let record = understood.record;
        assert_eq!((record.frame_count, record.event_count), (3, 11));
        let none = "[null,null,null,null,null,null,null,null,null]";
        let row = |gold: &str| format!("[{gold},12,null,null,null,null,null,null,null]");
        let rows: Vec<_> = (record.details.participants.iter())
            .map(|one| (one.participant_id, &*one.minutes, &*one.purchases))
            .collect();
        let minutes = [
            format!("[{},{none},{none}]", row("500")),
            format!("[{},{none},{}]", row("1"), row("null")),
            format!("[{none},{none},{}]", row("7")),
        ];
        assert_eq!(
            rows,
            [
                (1, &*minutes[0], "[[1001,9],[1055,10]]"),
                (2, &*minutes[1], "[]"),
                (3, &*minutes[2], "[]")
            ]
        );
        for odd in ["position", "xp", "totalGold", "frames"] {
            assert!(understood.odd.names().contains(&odd), "{odd}");
        }
        let events = if detail == TimelineDetail::All { 11 } else { 0 };
        assert_eq!(record.details.events.len(), events);
    }
}

async fn a_replay_makes_the_rows_that_are_wanted_and_takes_the_others_away_without_a_call(
    place: Place,
) {
    let rig = Rig::synced(place, 30).await;
    let count = |table: &str| rig.number(&format!("SELECT count(*) FROM {table}"));
    let (minutes, timelines) = (
        rig.lines("SELECT match_id || participant_id || minutes || purchases AS row FROM participant_timelines"),
        count("match_timelines"),
    );
    assert!(minutes.len() > 100);
    assert_eq!(count("match_events"), 0);
    let told = rig.number("SELECT sum(event_count) FROM match_timelines");
    for (wanted, participants, events) in [
        ("all", minutes.len() as u64, told),
        ("off", 0, 0),
        ("minutes", minutes.len() as u64, 0),
    ] {
        let called = rig.setup.simulator.counters().calls;
        let mut replay = rig.command(&["replay", "--json"]);
        replay.env("RIFTSYNC_DATA__TIMELINE_ROWS", wanted);
        replay.env_remove("RIOT_API_KEY");
        let output = crate::setup::run(replay).await;
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(rig.setup.simulator.counters().calls, called);
        assert_eq!(count("participant_timelines"), participants, "{wanted}");
        assert_eq!(count("match_events"), events, "{wanted}");
        assert_eq!(count("match_timelines"), timelines, "{wanted}");
        if wanted == "all" {
            // A verification by the usual setting takes nothing away that is right.
            let verified = rig.recover(&["--verify"]).await;
            assert_eq!(verified["result"]["differences_found"], 0, "{verified:#}");
            assert_eq!(count("match_events"), events);
            // Nor when one of them is wrong.
            rig.execute(
                "DELETE FROM match_events WHERE match_id = (SELECT max(match_id) FROM match_events) AND event = 0;
                 UPDATE match_timelines SET event_count = 1 WHERE match_id = (SELECT min(match_id) FROM match_events)",
            );
            let verified = rig.recover(&["--verify"]).await;
            assert_eq!(verified["result"]["differences_found"], 2, "{verified:#}");
            assert_eq!(count("match_events"), events);
            assert_eq!(
                rig.number("SELECT sum(event_count) FROM match_timelines"),
                told
            );
        }
    }
    assert_eq!(
        rig.lines("SELECT match_id || participant_id || minutes || purchases AS row FROM participant_timelines"),
        minutes
    );
    let verified = rig.recover(&["--verify"]).await;
    assert_eq!(verified["result"]["differences_found"], 0, "{verified:#}");
}

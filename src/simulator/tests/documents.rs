use serde_json::Value;

use super::{ALPHA, BETA, config, riot_id, world};
use crate::game::{RIOT_IDS_SINCE_MS, SECONDS_SINCE_MS};
use crate::gzip::tests::gunzip;
use crate::people::KeyScope;
use crate::world::Found;
use crate::{
    ExpectedMatch, GameKind, Shape, World, WorldConfig, match_document, timeline_document,
};

const SCOPE: KeyScope = KeyScope::SHARED;

type Write = fn(&World, &Found<'_>, KeyScope, bool) -> Option<Vec<u8>>;

/// The document as text, after checking that both ways to send it are the same.
fn text(world: &World, of: &ExpectedMatch, write: Write) -> Option<(Vec<u8>, usize)> {
    let found = world.find(of.id).unwrap();
    let plain = write(world, &found, SCOPE, false)?;
    let zipped = write(world, &found, SCOPE, true).unwrap();
    assert_eq!(
        String::from_utf8(gunzip(&zipped)).unwrap(),
        String::from_utf8(plain.clone()).unwrap()
    );
    Some((plain, zipped.len()))
}

fn parsed(world: &World, of: &ExpectedMatch, write: Write) -> Value {
    serde_json::from_slice(&text(world, of, write).unwrap().0).unwrap()
}

/// Matches of every kind and era, a few of each.
fn some_of_each(world: &World) -> Vec<ExpectedMatch> {
    let mut chosen: Vec<ExpectedMatch> = Vec::new();
    for year in 2021..=2026 {
        for found in world.player_matches(&riot_id(ALPHA), year) {
            let alike = chosen.iter().filter(|m| {
                m.kind == found.kind
                    && m.start_ms / 20_000_000_000 == found.start_ms / 20_000_000_000
            });
            if found.has_match && found.has_timeline && alike.count() < 1 {
                chosen.push(found);
            }
        }
    }
    assert!(chosen.len() > 25);
    chosen
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a Vec<Value> {
    value
        .pointer(pointer)
        .unwrap_or(&Value::Null)
        .as_array()
        .unwrap_or_else(|| panic!("{pointer}"))
}

fn int(value: &Value, key: &str) -> i64 {
    value[key]
        .as_i64()
        .unwrap_or_else(|| panic!("{key} of {value}"))
}

#[test]
fn a_match_document_holds_what_every_match_document_holds() {
    let world = world(400);
    for truth in some_of_each(&world) {
        let document = parsed(&world, &truth, match_document::write);
        let (metadata, info) = (&document["metadata"], &document["info"]);
        let people = list(metadata, "/participants");
        assert_eq!(metadata["matchId"], truth.id.to_string());
        let participants = list(info, "/participants");
        let GameKind::Played(shape) = truth.kind else {
            assert_eq!(
                (people.len(), participants.len(), int(info, "gameId")),
                (10, 0, 0)
            );
            continue;
        };
        assert_eq!(participants.len(), shape.participants());
        let puuids: Vec<&Value> = participants
            .iter()
            .map(|p| &p["puuid"])
            .filter(|p| **p != "BOT")
            .collect();
        assert_eq!(
            puuids,
            people.iter().collect::<Vec<_>>(),
            "the order of metadata, bots left out"
        );
        assert_eq!(puuids.len(), shape.people());
        let mine = world.puuid(&riot_id(ALPHA), SCOPE).unwrap();
        assert!(people.iter().any(|p| *p == mine.as_str()));
        let old = truth.start_ms < SECONDS_SINCE_MS;
        let seconds = int(info, "gameDuration") / if old { 1000 } else { 1 };
        assert_eq!(info.get("gameEndTimestamp").is_none(), old);
        assert_eq!(
            info.get("endOfGameResult").is_none(),
            truth.start_ms < RIOT_IDS_SINCE_MS
        );
        assert_eq!(int(info, "gameStartTimestamp"), truth.start_ms);
        assert!(int(info, "gameCreation") < truth.start_ms);
        assert_eq!(
            int(info, "gameId"),
            i64::try_from(truth.id.game_id()).unwrap()
        );
        assert_eq!(int(info, "queueId"), i64::from(truth.queue_id));
        let sum = |key: &str| participants.iter().map(|p| int(p, key)).sum::<i64>();
        assert_eq!(sum("kills"), sum("deaths"));
        let ids: Vec<i64> = list(info, "/teams")
            .iter()
            .map(|team| int(team, "teamId"))
            .collect();
        assert_eq!(
            ids,
            if shape == Shape::Arena {
                [100, 0]
            } else {
                [100, 200]
            }
        );
        let remake = participants
            .iter()
            .all(|p| p["gameEndedInEarlySurrender"] == true);
        assert_eq!(remake, shape == Shape::Remake);
        for p in participants {
            let magic =
                int(p, "magicDamageDealtToChampions") + int(p, "physicalDamageDealtToChampions");
            assert_eq!(
                magic + int(p, "trueDamageDealtToChampions"),
                int(p, "totalDamageDealtToChampions")
            );
            assert_eq!(int(p, "timePlayed"), seconds);
            let bot = p["puuid"] == "BOT";
            assert_eq!(p.get("challenges").is_some(), !old && !bot, "{truth:?}");
            if truth.start_ms >= RIOT_IDS_SINCE_MS && !bot {
                assert!(!p["riotIdGameName"].as_str().unwrap().is_empty());
            }
            if shape == Shape::Arena {
                assert_eq!(p["win"], int(p, "placement") <= 4);
            }
        }
    }
}

#[test]
fn a_timeline_agrees_with_its_match() {
    let world = world(400);
    for truth in some_of_each(&world) {
        let timeline = parsed(&world, &truth, timeline_document::write);
        let info = &timeline["info"];
        let frames = list(info, "/frames");
        let events: Vec<&Value> = frames
            .iter()
            .flat_map(|frame| list(frame, "/events"))
            .collect();
        assert_eq!(events.last().unwrap()["type"], "GAME_END");
        let GameKind::Played(shape) = truth.kind else {
            assert_eq!((frames.len(), events.len()), (1, 1));
            assert!(frames[0]["participantFrames"].is_null());
            continue;
        };
        let document = parsed(&world, &truth, match_document::write);
        let length_ms = i64::from(truth.duration_ms);
        assert_eq!(i64::try_from(frames.len()).unwrap(), length_ms / 60_000 + 2);
        assert_eq!(events[0]["type"], "PAUSE_END");
        let times: Vec<i64> = events.iter().map(|event| int(event, "timestamp")).collect();
        assert!(times.is_sorted());
        assert_eq!(*times.last().unwrap(), length_ms);
        for (number, frame) in frames.iter().enumerate() {
            let at_ms = int(frame, "timestamp");
            if number + 1 < frames.len() {
                assert!((0..400).contains(&(at_ms - i64::try_from(number).unwrap() * 60_000)));
            } else {
                assert_eq!(at_ms, length_ms);
            }
            assert!(
                list(frame, "/events")
                    .iter()
                    .all(|event| int(event, "timestamp") <= at_ms)
            );
            assert_eq!(
                frame["participantFrames"].as_object().unwrap().len(),
                shape.participants()
            );
        }
        let participants = list(&document, "/info/participants");
        let last = &frames.last().unwrap()["participantFrames"];
        for p in participants {
            let id = int(p, "participantId");
            let kills = events
                .iter()
                .filter(|e| e["type"] == "CHAMPION_KILL" && int(e, "killerId") == id)
                .count();
            assert_eq!(i64::try_from(kills).unwrap(), int(p, "kills"));
            let frame = &last[id.to_string()];
            assert_eq!(int(frame, "level"), int(p, "champLevel"));
            assert!((int(frame, "totalGold") - int(p, "goldEarned")).abs() <= 1);
            assert!(frames.windows(2).all(|pair| {
                let gold =
                    |frame: &Value| int(&frame["participantFrames"][id.to_string()], "totalGold");
                gold(&pair[0]) <= gold(&pair[1])
            }));
        }
        let ids: Vec<&Value> = list(info, "/participants")
            .iter()
            .map(|p| &p["puuid"])
            .collect();
        assert_eq!(
            ids,
            participants.iter().map(|p| &p["puuid"]).collect::<Vec<_>>()
        );
        assert_eq!(timeline["metadata"], document["metadata"]);
    }
}

/// Mean of the sizes as sent, plain and compressed, of a player's matches of 2025 of one shape.
fn sizes(world: &World, shape: Shape, write: Write) -> (usize, usize, usize) {
    let matches = world.player_matches(&riot_id(BETA), 2025);
    let chosen = matches
        .iter()
        .filter(|m| m.kind == GameKind::Played(shape) && m.has_match && m.has_timeline);
    let all: Vec<(usize, usize)> = chosen
        .take(30)
        .map(|m| text(world, m, write).map(|(t, z)| (t.len(), z)).unwrap())
        .collect();
    assert!(all.len() > 4);
    let mean = |of: fn(&(usize, usize)) -> usize| all.iter().map(of).sum::<usize>() / all.len();
    (mean(|s| s.0), mean(|s| s.1), all.len())
}

#[test]
fn documents_are_as_large_as_real_ones() {
    let world = world(400);
    let (plain, zipped, _) = sizes(&world, Shape::Classic, match_document::write);
    assert!(
        (62_000..76_000).contains(&plain) && (8_500..13_000).contains(&zipped),
        "match {plain} {zipped}"
    );
    let (plain, zipped, _) = sizes(&world, Shape::Arena, match_document::write);
    assert!(
        (98_000..122_000).contains(&plain) && (11_000..20_000).contains(&zipped),
        "arena match {plain} {zipped}"
    );
    let (plain, zipped, _) = sizes(&world, Shape::Classic, timeline_document::write);
    assert!(
        (440_000..600_000).contains(&plain) && (40_000..62_000).contains(&zipped),
        "timeline {plain} {zipped}"
    );
}

#[test]
fn long_names_cost_time_but_break_nothing() {
    let name = "가나다라마바사아자차카타파하가나#\"\\태그태그태그";
    let mut config = config(20);
    config
        .players
        .push((riot_id(name), riftsync_model::Platform::Euw1));
    let world = World::new(WorldConfig {
        plain: true,
        ..config
    });
    let truth = world.player_matches(&riot_id(name), 2025)[3];
    let document = parsed(&world, &truth, match_document::write);
    assert!(
        list(&document, "/info/participants")
            .iter()
            .any(|p| p["riotIdTagline"] == "\"\\태그태그태그")
    );
}

#[test]
fn a_remake_is_the_fault_of_one_team_and_a_win_of_the_other() {
    let world = world(400);
    let matches = world.player_matches(&riot_id(ALPHA), 2025);
    let remakes = matches
        .iter()
        .filter(|m| m.kind == GameKind::Played(Shape::Remake) && m.has_match);
    for truth in remakes.take(4) {
        let document = parsed(&world, truth, match_document::write);
        let participants = list(&document, "/info/participants");
        assert!(
            participants
                .iter()
                .all(|p| p["win"] != p["teamEarlySurrendered"])
        );
        assert_eq!(participants.iter().filter(|p| p["win"] == true).count(), 5);
    }
}

#[test]
fn an_aborted_match_can_have_a_whole_document() {
    let world = world(2000);
    let matches = world.player_matches(&riot_id(ALPHA), 2025);
    let mut results = [0, 0];
    for truth in matches
        .iter()
        .filter(|m| m.has_match && m.kind == GameKind::Played(Shape::Classic))
        .take(1000)
    {
        let found = world.find(truth.id).unwrap();
        let head = match_document::write(&world, &found, SCOPE, false).unwrap();
        let head = String::from_utf8(head[..1500].to_vec()).unwrap();
        let aborted = head.contains(r#""endOfGameResult":"Abort_Unexpected""#);
        assert_eq!(aborted, found.facts.aborted);
        results[usize::from(aborted)] += 1;
    }
    assert!(results[1] > 0 && results[0] > 100, "{results:?}");
}

/// Whoever changes these numbers changes every world that somebody's tests rely on.
#[test]
fn a_world_says_the_same_words_in_every_release() {
    let world = world(300);
    let words = [(2021, 20), (2022, 5), (2025, 100)].map(|(year, nth)| {
        let truth = world.player_matches(&riot_id(ALPHA), year)[nth];
        [match_document::write, timeline_document::write as Write].map(|write| {
            let mut crc = flate2::Crc::new();
            crc.update(&text(&world, &truth, write).unwrap().0);
            crc.sum()
        })
    });
    assert_eq!(
        words,
        [
            [4_165_894_937, 2_409_103_850],
            [1_700_663_778, 1_755_115_287],
            [1_748_353_370, 882_143_238]
        ]
    );
}

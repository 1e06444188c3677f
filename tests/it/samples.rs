//! Real documents, where they are at hand: each is read, stored, and compared with an independent
//! reading of its JSON. They hold real names, so they are not part of the project; set
//! `RIFTSYNC_SAMPLES` to their folder, or put it at `../shared/samples`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use riftsync::model::records::{Codec, Payload, PayloadKind};
use riftsync::model::{MatchId, Outcome, Timestamp, attempt};
use riftsync::riot::{as_gzip, parse_match, parse_timeline, unpack};
use riftsync::store::sqlite::SqliteStore;
use riftsync::store::{Completion, DataStore, Effect, JobStore, Wanted};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::store::new_job;

const NOW: Timestamp = Timestamp::from_millis(1_795_449_600_000);

pub fn samples(kind: &str) -> Vec<(MatchId, Vec<u8>)> {
    let folder = std::env::var_os("RIFTSYNC_SAMPLES")
        .map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/samples"),
            PathBuf::from,
        )
        .join(kind);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: no sample documents in {}", folder.display());
        return Vec::new();
    };
    let mut samples: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            let id = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            (id, std::fs::read(path).unwrap())
        })
        .collect();
    samples.sort();
    samples
}

pub fn payload(text: &[u8]) -> Payload {
    Payload {
        codec: Codec::Gzip,
        body: as_gzip(text),
    }
}

async fn store_effect(store: &SqliteStore, effect: Effect) {
    store
        .enqueue(vec![new_job("sample", None)], NOW)
        .await
        .unwrap();
    let lease = store.claim(Wanted::of("q", 1), "e", NOW).await.unwrap()[0].lease;
    let settlement = attempt::settle(1, 1, Outcome::Complete(json!(null)), Duration::ZERO, NOW);
    let completion = Completion {
        effects: vec![effect],
        ..Completion::of(settlement)
    };
    let _ = store
        .settle(lease, Arc::new(completion), NOW)
        .await
        .unwrap();
}

#[derive(QueryableByName)]
struct MatchRow {
    #[diesel(sql_type = Text)]
    platform: String,
    #[diesel(sql_type = Text)]
    game_type: String,
    #[diesel(sql_type = Integer)]
    map_id: i32,
    #[diesel(sql_type = BigInt)]
    game_creation: i64,
    #[diesel(sql_type = BigInt)]
    game_start: i64,
    #[diesel(sql_type = BigInt)]
    game_duration_s: i64,
    #[diesel(sql_type = Integer)]
    queue_id: i32,
    #[diesel(sql_type = Text)]
    game_mode: String,
    #[diesel(sql_type = Text)]
    game_version: String,
    #[diesel(sql_type = Nullable<Text>)]
    end_of_game_result: Option<String>,
    #[diesel(sql_type = Integer)]
    year: i32,
    #[diesel(sql_type = Integer)]
    is_remake: i32,
}

#[derive(QueryableByName)]
struct ParticipantRow {
    #[diesel(sql_type = Nullable<Text>)]
    puuid: Option<String>,
    /// The numbers of a participant as a JSON object whose names are the document's.
    #[diesel(sql_type = Text)]
    numbers: String,
    #[diesel(sql_type = Integer)]
    primary: i32,
    #[diesel(sql_type = Integer)]
    sub: i32,
}

const PARTICIPANTS: &str = "SELECT p.puuid, json_object('participantId', s.participant_id, 'teamId', s.team_id,
    'championId', s.champion_id, 'championName', s.champion_name, 'teamPosition', s.team_position, 'role', s.role,
    'lane', s.lane, 'kills', s.kills, 'deaths', s.deaths, 'assists', s.assists, 'win', json(iif(s.win, 'true', 'false')),
    'goldEarned', s.gold_earned, 'totalMinionsKilled', s.total_minions_killed,
    'neutralMinionsKilled', s.neutral_minions_killed, 'totalDamageDealtToChampions', s.damage_to_champions,
    'visionScore', s.vision_score, 'champLevel', s.champ_level, 'placement', s.placement,
    'playerSubteamId', s.subteam_id, 'item0', s.item0, 'item1', s.item1, 'item2', s.item2, 'item3', s.item3,
    'item4', s.item4, 'item5', s.item5, 'item6', s.item6, 'summoner1Id', s.spell1, 'summoner2Id', s.spell2) AS numbers,
    s.perk_primary_style AS \"primary\", s.perk_sub_style AS sub
    FROM match_participants s LEFT JOIN players p ON p.id = s.player_id
    WHERE s.match_id = ? ORDER BY s.participant_id";

fn check_match(conn: &mut SqliteConnection, id: MatchId, document: &Value) {
    let info = &document["info"];
    let row: MatchRow = diesel::sql_query("SELECT * FROM matches WHERE match_id = ?")
        .bind::<Text, _>(id.to_string())
        .get_result(conn)
        .unwrap();
    let number = |name: &str| info[name].as_i64().unwrap_or(0);
    assert_eq!(
        (row.game_creation, row.game_start),
        (number("gameCreation"), number("gameStartTimestamp")),
        "{id}"
    );
    let unit = if info.get("gameEndTimestamp").is_some() {
        1
    } else {
        1000
    };
    assert_eq!(row.game_duration_s, number("gameDuration") / unit, "{id}");
    assert_eq!(
        (i64::from(row.queue_id), json!(row.game_mode)),
        (number("queueId"), info["gameMode"].clone()),
        "{id}"
    );
    assert_eq!(json!(row.game_version), info["gameVersion"], "{id}");
    assert_eq!(
        (json!(row.game_type), i64::from(row.map_id)),
        (info["gameType"].clone(), number("mapId")),
        "{id}"
    );
    assert_eq!(
        Some(row.platform.to_uppercase().as_str()),
        id.to_string().split('_').next(),
        "{id}"
    );
    assert_eq!(
        row.end_of_game_result.as_deref(),
        info["endOfGameResult"].as_str(),
        "{id}"
    );
    let dated = if number("gameStartTimestamp") > 0 {
        "gameStartTimestamp"
    } else {
        "gameEndTimestamp"
    };
    assert_eq!(
        row.year,
        1970 + i32::try_from(number(dated) / 31_556_952_000).unwrap(),
        "{id}"
    );
    let participants = info["participants"].as_array().unwrap();
    let remake = participants
        .iter()
        .any(|participant| participant["gameEndedInEarlySurrender"] == json!(true));
    assert_eq!(row.is_remake != 0, remake, "{id}");

    let rows: Vec<ParticipantRow> = diesel::sql_query(PARTICIPANTS)
        .bind::<Text, _>(id.to_string())
        .load(conn)
        .unwrap();
    assert_eq!(rows.len(), participants.len(), "{id}");
    for (row, participant) in rows.iter().zip(participants) {
        check_participant(id, row, participant);
    }
}

fn check_participant(id: MatchId, row: &ParticipantRow, participant: &Value) {
    let human = participant["puuid"]
        .as_str()
        .filter(|puuid| *puuid != "BOT");
    assert_eq!(row.puuid.as_deref(), human, "{id}");
    let style = |index: usize| {
        participant["perks"]["styles"][index]["style"]
            .as_i64()
            .unwrap_or(0)
    };
    assert_eq!(
        (i64::from(row.primary), i64::from(row.sub)),
        (style(0), style(1)),
        "{id}"
    );
    let numbers: Value = serde_json::from_str(&row.numbers).unwrap();
    for (name, value) in numbers.as_object().unwrap() {
        assert_eq!(
            value,
            participant.get(name).unwrap_or(&Value::Null),
            "{id} {name}"
        );
    }
}

#[tokio::test]
async fn every_real_match_is_stored_as_its_json_says() {
    let samples = samples("matches");
    if samples.is_empty() {
        return;
    }
    assert!(samples.len() >= 37);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.db");
    let store = SqliteStore::open(&path).unwrap();
    for (id, text) in &samples {
        let record = Arc::new(parse_match(*id, text).unwrap());
        store_effect(
            &store,
            Effect::Match {
                record,
                payload: payload(text),
                key_fingerprint: "f".into(),
            },
        )
        .await;
    }
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    for (id, text) in &samples {
        check_match(&mut conn, *id, &serde_json::from_slice(text).unwrap());
        let stored = store
            .payload(PayloadKind::Match, *id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&unpack(&stored.body).unwrap(), text, "{id}");
    }
    check_statistics(&store, &mut conn, &samples).await;
}

#[derive(QueryableByName)]
struct PlayerRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    puuid: String,
}

/// Each player's rows equal the recomputation, and wins, losses and remakes equal a count over the JSON.
async fn check_statistics(
    store: &SqliteStore,
    conn: &mut SqliteConnection,
    samples: &[(MatchId, Vec<u8>)],
) {
    let documents: Vec<Value> = samples
        .iter()
        .map(|(_, text)| serde_json::from_slice(text).unwrap())
        .collect();
    let players: Vec<PlayerRow> = diesel::sql_query("SELECT id, puuid FROM players")
        .load(conn)
        .unwrap();
    assert!(players.iter().all(|player| player.puuid != "BOT"));
    for player in players {
        let mut stored = store.yearly_stats(player.id, None).await.unwrap();
        let mut recomputed = store.recomputed_stats(player.id).await.unwrap();
        stored.sort_by_key(|row| (row.year, row.platform.clone()));
        recomputed.sort_by_key(|row| (row.year, row.platform.clone()));
        assert_eq!(stored, recomputed);
        let (mut wins, mut losses, mut remakes) = (0, 0, 0);
        for document in documents
            .iter()
            .filter(|document| document["info"]["gameDuration"] != json!(0))
        {
            for participant in document["info"]["participants"].as_array().unwrap() {
                if participant["puuid"].as_str() == Some(&player.puuid) {
                    match (
                        &participant["gameEndedInEarlySurrender"],
                        &participant["win"],
                    ) {
                        (Value::Bool(true), _) => remakes += 1,
                        (_, Value::Bool(true)) => wins += 1,
                        _ => losses += 1,
                    }
                }
            }
        }
        let sum = |part: fn(&riftsync::model::statistics::YearlyTally) -> i64| {
            stored.iter().map(|row| part(&row.tally)).sum::<i64>()
        };
        assert_eq!(
            (sum(|t| t.wins), sum(|t| t.losses), sum(|t| t.remakes)),
            (wins, losses, remakes)
        );
    }
}

#[tokio::test]
async fn every_real_timeline_is_stored_as_its_json_says() {
    let samples = samples("timelines");
    if samples.is_empty() {
        return;
    }
    assert!(samples.len() >= 30);
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(&folder.path().join("t.db")).unwrap();
    for (id, text) in &samples {
        let record = parse_timeline(*id, text).unwrap();
        let document: Value = serde_json::from_slice(text).unwrap();
        let frames = document["info"]["frames"].as_array().unwrap();
        let events: usize = frames
            .iter()
            .map(|frame| frame["events"].as_array().unwrap().len())
            .sum();
        assert_eq!(
            usize::try_from(record.frame_count).unwrap(),
            frames.len(),
            "{id}"
        );
        assert_eq!(usize::try_from(record.event_count).unwrap(), events, "{id}");
        assert_eq!(
            json!(record.frame_interval_ms),
            document["info"]["frameInterval"],
            "{id}"
        );
        store_effect(
            &store,
            Effect::Timeline {
                record,
                payload: payload(text),
            },
        )
        .await;
        let stored = store
            .payload(PayloadKind::Timeline, *id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&unpack(&stored.body).unwrap(), text, "{id}");
        assert_eq!(store.stored_matches(&[*id]).await.unwrap().timelines, [*id]);
    }
}

/// The two odd documents, as generated ones: always there, whoever runs the tests.
#[tokio::test]
async fn an_aborted_game_counts_nowhere_and_a_bot_is_no_player() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.db");
    let store = SqliteStore::open(&path).unwrap();
    let human = "h".repeat(78);
    let participant = |id: i32, puuid: &str| json!({ "participantId": id, "puuid": puuid, "championName": "Ryze", "championId": 13, "teamId": 100, "win": true });
    let aborted = json!({ "metadata": { "dataVersion": "2", "matchId": "EUW1_1", "participants": [human] },
        "info": { "endOfGameResult": "Abort_Unexpected", "gameCreation": 0, "gameDuration": 0, "gameStartTimestamp": 0,
                  "gameEndTimestamp": 1_709_066_369_858_i64, "gameId": 0, "participants": [] } });
    let with_bots = json!({ "metadata": { "matchId": "EUW1_2" },
        "info": { "gameDuration": 900, "gameStartTimestamp": 1_709_066_369_858_i64, "gameEndTimestamp": 1_709_067_269_858_i64,
                  "participants": [participant(1, &human), participant(2, "BOT"), participant(3, "BOT")] } });
    for document in [&aborted, &with_bots] {
        let id: MatchId = document["metadata"]["matchId"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let text = serde_json::to_vec(document).unwrap();
        let record = Arc::new(parse_match(id, &text).unwrap());
        assert_eq!(record.year, 2024);
        store_effect(
            &store,
            Effect::Match {
                record,
                payload: payload(&text),
                key_fingerprint: "f".into(),
            },
        )
        .await;
    }
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let players: Vec<PlayerRow> = diesel::sql_query("SELECT id, puuid FROM players")
        .load(&mut conn)
        .unwrap();
    assert_eq!(players.len(), 1);
    let rows = store.yearly_stats(players[0].id, None).await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].tally.wins, rows[0].tally.losses),
        (1, 1, 0)
    );
}

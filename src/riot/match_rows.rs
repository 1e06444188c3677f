//! A match document as rows. Only the needed fields are named, each may be missing or of another form (`lenient`);
//! a column that cannot be empty has 0, or no text, where the document has nothing that can be read.

use super::error::RiotError;
use super::lenient::{List, Odd, lenient_object};
use super::match_details::{Challenges, OwnCells, Perks, Team, details, teams};
use super::reading::{
    Metadata, Understood, check_id, document, no_document, participant_numbers, place,
};
use crate::model::records::{MatchClass, MatchRecord, ParticipantRecord, SeenPlayer};
use crate::model::{MatchId, Puuid, RiotId, Timestamp};

/// The largest games have 18.
const PARTICIPANTS_MAX: usize = 64;
/// Nobody played before 2009; what is after 2199 is no time of a game.
const TIMES_MS: std::ops::Range<i64> = 1_230_768_000_000..7_258_118_400_000;
/// Patch 11.20, since which documents tell their end and their duration in seconds.
const SECONDS_SINCE_MS: i64 = 1_633_478_400_000;
/// Of a game in seconds; more is milliseconds.
const SECONDS_MAX: i64 = 20_000;
const DURATION_MS_MAX: i64 = 10 * 24 * 3_600_000;

lenient_object! {
    MatchDocument { metadata: Metadata = "metadata", info: MatchInfo = "info" }
}

lenient_object! {
    MatchInfo {
        end_of_game_result: String = "endOfGameResult",
        game_creation: i64 = "gameCreation",
        game_duration: i64 = "gameDuration",
        game_end_timestamp: i64 = "gameEndTimestamp",
        game_id: i64 = "gameId",
        game_mode: String = "gameMode",
        game_start_timestamp: i64 = "gameStartTimestamp",
        game_type: String = "gameType",
        game_version: String = "gameVersion",
        map_id: i32 = "mapId",
        platform_id: String = "platformId",
        queue_id: i32 = "queueId",
        participants: List<Participant> = "participants",
        teams: List<Team> = "teams",
    }
}

lenient_object! {
    Participant {
        participant_id: i32 = "participantId",
        puuid: String = "puuid",
        riot_id_game_name: String = "riotIdGameName",
        riot_id_tagline: String = "riotIdTagline",
        team_id: i32 = "teamId",
        champion_id: i32 = "championId",
        champion_name: String = "championName",
        team_position: String = "teamPosition",
        role: String = "role",
        lane: String = "lane",
        kills: i32 = "kills",
        deaths: i32 = "deaths",
        assists: i32 = "assists",
        win: bool = "win",
        gold_earned: i32 = "goldEarned",
        total_minions_killed: i32 = "totalMinionsKilled",
        neutral_minions_killed: i32 = "neutralMinionsKilled",
        total_damage_dealt_to_champions: i32 = "totalDamageDealtToChampions",
        vision_score: i32 = "visionScore",
        champ_level: i32 = "champLevel",
        placement: i32 = "placement",
        player_subteam_id: i32 = "playerSubteamId",
        item0: i32 = "item0",
        item1: i32 = "item1",
        item2: i32 = "item2",
        item3: i32 = "item3",
        item4: i32 = "item4",
        item5: i32 = "item5",
        item6: i32 = "item6",
        summoner1_id: i32 = "summoner1Id",
        summoner2_id: i32 = "summoner2Id",
        perks: Perks = "perks",
        challenges: Challenges = "challenges",
        game_ended_in_early_surrender: bool = "gameEndedInEarlySurrender",
        .. others: OwnCells
    }
}

/// Reads the match document of `id`. A document of another match, and what is no document, is an error of the answer;
/// one that cannot be made into rows is [`RiotError::Unread`].
pub fn parse_match(id: MatchId, text: &[u8]) -> Result<MatchRecord, RiotError> {
    understand_match(id, text).map(|understood| understood.record)
}

/// The same, and which fields were odd.
pub fn understand_match(id: MatchId, text: &[u8]) -> Result<Understood<MatchRecord>, RiotError> {
    let MatchDocument {
        metadata,
        info,
        mut odd,
    } = document(text)?;
    if metadata.is_none() && info.is_none() {
        return Err(no_document());
    }
    let metadata = metadata.unwrap_or_default();
    let game = info.as_ref().and_then(|info| info.game_id);
    let platform = info.as_ref().and_then(|info| info.platform_id.as_deref());
    check_id(id, &metadata, game, platform)?;
    let mut info = info.ok_or_else(|| unread("it has no info"))?;
    odd.note_all(&metadata.odd);
    odd.note_all(&info.odd);
    let list = info.participants.take();
    let facts = Facts::of(&info, list.as_ref(), &mut odd)?;
    let (teams, bans) = teams(info.teams.take(), &mut odd);
    Ok(Understood {
        record: MatchRecord {
            id,
            data_version: metadata.data_version.unwrap_or_default(),
            game_creation: facts.creation,
            game_start: facts.start,
            game_end: facts.end,
            game_duration_s: facts.duration_s,
            queue_id: info.queue_id.unwrap_or(0),
            map_id: info.map_id.unwrap_or(0),
            game_mode: info.game_mode.unwrap_or_default(),
            game_type: info.game_type.unwrap_or_default(),
            game_version: info.game_version.unwrap_or_default(),
            end_of_game_result: info.end_of_game_result,
            year: facts.year,
            class: facts.class,
            participants: read_participants(list, &mut odd),
            teams,
            bans,
        },
        odd,
    })
}

fn unread(why: &str) -> RiotError {
    RiotError::Unread(why.into())
}

/// When a game was, and whether it counts.
struct Facts {
    class: MatchClass,
    creation: Timestamp,
    start: Timestamp,
    end: Timestamp,
    duration_s: i64,
    year: i16,
}

impl Facts {
    fn of(
        info: &MatchInfo,
        list: Option<&List<Participant>>,
        odd: &mut Odd,
    ) -> Result<Self, RiotError> {
        let mut moment = |ms: Option<i64>, name| {
            let ms = ms.filter(|ms| *ms != 0)?;
            if TIMES_MS.contains(&ms) {
                return Some(ms);
            }
            odd.note(name);
            None
        };
        let start = moment(info.game_start_timestamp, "gameStartTimestamp");
        let creation = moment(info.game_creation, "gameCreation");
        let end = moment(info.game_end_timestamp, "gameEndTimestamp");
        // The empty document of an aborted game.
        let is_empty = list.is_some_and(|list| list.total == 0)
            && info.game_mode.as_deref().unwrap_or_default().is_empty();
        let said = duration_ms(info, start.or(creation));
        let (class, duration) = if is_empty || said == Some(0) {
            (MatchClass::Void, said.unwrap_or(0).clamp(0, TIMES_MS.end))
        } else {
            let class = class_of_game(list)?;
            (class, game_duration(said, start, end, odd)?)
        };
        // The document's own end can be minutes late; the start and the duration are exact. The empty document of an
        // aborted game has an end only.
        let begun = match class {
            MatchClass::Void => start,
            _ => start.or(creation).or(end.map(|end| end - duration)),
        };
        let finished = match (begun, end) {
            (None, Some(end)) => end,
            _ => begun.unwrap_or(0).saturating_add(duration),
        };
        let dated = [start, creation, Some(finished)].into_iter().flatten();
        let moment = { dated }.find(|ms| TIMES_MS.contains(ms));
        let year = moment
            .and_then(|ms| Timestamp::from_millis(ms).year())
            .ok_or_else(|| unread("it says nowhere when the game was"))?;
        Ok(Self {
            class,
            creation: Timestamp::from_millis(creation.unwrap_or(0)),
            start: Timestamp::from_millis(begun.unwrap_or(0)),
            end: Timestamp::from_millis(finished),
            duration_s: duration / 1000,
            year,
        })
    }
}

/// What the document says, in milliseconds.
fn duration_ms(info: &MatchInfo, begun: Option<i64>) -> Option<i64> {
    let said = info.game_duration?;
    // Until patch 11.19 the duration was in milliseconds; those documents have no end.
    let newer = begun.is_some_and(|ms| ms >= SECONDS_SINCE_MS) && said < SECONDS_MAX;
    Some(if info.game_end_timestamp.is_some() || newer {
        said.saturating_mul(1000)
    } else {
        said
    })
}

/// How long a game took, in milliseconds: what the document says, else from its start to its end.
fn game_duration(
    said: Option<i64>,
    start: Option<i64>,
    end: Option<i64>,
    odd: &mut Odd,
) -> Result<i64, RiotError> {
    let possible = |ms: &i64| (1_000..=DURATION_MS_MAX).contains(ms);
    if let Some(said) = said.filter(possible) {
        return Ok(said);
    }
    if said.is_some() {
        odd.note("gameDuration");
    }
    let counted = start.zip(end).map(|(start, end)| end - start);
    counted
        .filter(possible)
        .ok_or_else(|| unread("it does not say how long the game took"))
}

fn class_of_game(list: Option<&List<Participant>>) -> Result<MatchClass, RiotError> {
    let known = || {
        list.into_iter()
            .flat_map(|list| list.entries.iter().flatten())
    };
    if known().next().is_none() {
        return Err(unread("it names no participants"));
    }
    let total = list.map_or(0, |list| list.total);
    if total > PARTICIPANTS_MAX {
        let why = format!("it names {total} participants; at most {PARTICIPANTS_MAX} are read");
        return Err(RiotError::Unread(why.into()));
    }
    Ok(
        if known().any(|one| one.game_ended_in_early_surrender == Some(true)) {
            MatchClass::Remake
        } else {
            MatchClass::Played
        },
    )
}

/// The rows of those who can be read; their numbers are the same whoever cannot.
fn read_participants(list: Option<List<Participant>>, odd: &mut Odd) -> Vec<ParticipantRecord> {
    let mut entries = list.map(|list| list.entries).unwrap_or_default();
    entries.truncate(PARTICIPANTS_MAX);
    let said = entries.iter().enumerate().map(|(index, one)| {
        let number = one.as_ref().and_then(|one| one.participant_id);
        (number, place(index))
    });
    let said: Vec<_> = said.collect();
    let numbers = participant_numbers(&said);
    let mut rows: Vec<ParticipantRecord> = Vec::with_capacity(entries.len());
    for ((one, number), (said, _)) in entries.into_iter().zip(numbers).zip(said) {
        let Some(one) = one else { continue };
        if said.is_some_and(|said| said != 0 && said != number) {
            odd.note("participantId");
        }
        odd.note_all(&one.odd);
        if let Some(perks) = &one.perks {
            perks.note_odd(odd);
        }
        let player = read_player(&one, &rows, odd);
        rows.push(read_participant(one, number, player, odd));
    }
    rows
}

/// Who a participant is. None: a bot, or somebody whose puuid is none, or is that of another participant.
fn read_player(
    one: &Participant,
    others: &[ParticipantRecord],
    odd: &mut Odd,
) -> Option<SeenPlayer> {
    let text = one.puuid.as_deref().unwrap_or_default();
    if text == "BOT" {
        return None;
    }
    let puuid: Option<Puuid> = text.parse().ok();
    let is_new = |puuid: &Puuid| {
        let known = |other: &ParticipantRecord| {
            let player = other.player.as_ref();
            player.is_some_and(|player| player.puuid == *puuid)
        };
        !others.iter().any(known)
    };
    let Some(puuid) = puuid.filter(is_new) else {
        odd.note("puuid");
        return None;
    };
    let riot_id = match (&one.riot_id_game_name, &one.riot_id_tagline) {
        (Some(name), Some(tag)) => RiotId::new(name, tag).ok(),
        _ => None,
    };
    Some(SeenPlayer { puuid, riot_id })
}

fn read_participant(
    one: Participant,
    participant_id: i32,
    player: Option<SeenPlayer>,
    odd: &mut Odd,
) -> ParticipantRecord {
    let number = |field: Option<i32>| field.unwrap_or(0);
    let style = |of: &str| one.perks.as_ref().map_or(0, |perks| perks.style(of));
    ParticipantRecord {
        participant_id,
        player,
        team_id: number(one.team_id),
        champion_id: number(one.champion_id),
        champion_name: one.champion_name.unwrap_or_default().into(),
        team_position: one.team_position.unwrap_or_default(),
        role: one.role.unwrap_or_default(),
        lane: one.lane.unwrap_or_default(),
        kills: number(one.kills),
        deaths: number(one.deaths),
        assists: number(one.assists),
        win: one.win.unwrap_or(false),
        gold_earned: number(one.gold_earned),
        total_minions_killed: number(one.total_minions_killed),
        neutral_minions_killed: number(one.neutral_minions_killed),
        damage_to_champions: number(one.total_damage_dealt_to_champions),
        vision_score: number(one.vision_score),
        champ_level: number(one.champ_level),
        placement: one.placement,
        subteam_id: one.player_subteam_id,
        items: [
            one.item0, one.item1, one.item2, one.item3, one.item4, one.item5, one.item6,
        ]
        .map(number),
        spells: [one.summoner1_id, one.summoner2_id].map(number),
        perk_primary_style: style("primaryStyle"),
        perk_sub_style: style("subStyle"),
        details: details(one.others, one.challenges, one.perks.as_ref(), odd),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const START: i64 = 1_741_000_000_000;

    fn puuid(letter: &str) -> String {
        letter.repeat(Puuid::LEN)
    }

    /// A match of two, played for 25 minutes.
    fn sample() -> Value {
        let participant = |number: i32, letter: &str| {
            json!({ "participantId": number, "puuid": puuid(letter), "riotIdGameName": letter, "riotIdTagline": "TST",
                "teamId": 100, "championId": 13, "championName": "Ryze", "teamPosition": "MIDDLE", "role": "SOLO",
                "lane": "MIDDLE", "kills": 1, "deaths": 2, "assists": 3, "win": true, "goldEarned": 9_000,
                "visionScore": 10, "totalDamageDealtToChampions": 12_000, "item0": 7, "placement": 4 })
        };
        json!({ "metadata": { "dataVersion": "2", "matchId": "EUW1_7" }, "info": { "gameId": 7, "platformId": "EUW1",
            "gameCreation": START - 30_000, "gameStartTimestamp": START, "gameEndTimestamp": START + 1_500_000,
            "gameDuration": 1_500, "gameMode": "CLASSIC", "mapId": 11, "queueId": 420,
            "participants": [participant(1, "a"), participant(2, "b")] } })
    }

    fn understand(document: &Value) -> Result<Understood<MatchRecord>, RiotError> {
        let text = serde_json::to_vec(document).unwrap();
        understand_match("EUW1_7".parse().unwrap(), &text)
    }

    /// The sample with something else in one place.
    fn with(place: &str, value: Value) -> Result<Understood<MatchRecord>, RiotError> {
        let mut document = sample();
        let (parent, name) = place.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[name] = value;
        understand(&document)
    }

    #[track_caller]
    fn record(place: &str, value: Value) -> MatchRecord {
        with(place, value).unwrap().record
    }

    #[test]
    fn an_odd_field_is_read_as_far_as_it_can_be_and_costs_nothing_else() {
        let usual = understand(&sample()).unwrap();
        assert_eq!(usual.odd, Odd::default());
        for (name, value, expected, odd) in [
            ("teamPosition", json!(null), json!(""), false),
            ("visionScore", json!(12.5), json!(13), true),
            ("visionScore", json!(12.0), json!(12), false),
            ("visionScore", json!("14"), json!(14), true),
            ("visionScore", json!({ "is": 5 }), json!(0), true),
            (
                "totalDamageDealtToChampions",
                json!(3_000_000_000_u32),
                json!(0),
                true,
            ),
            ("goldEarned", json!(u64::MAX), json!(0), true),
            ("win", json!("false"), json!(false), true),
            ("win", json!(null), json!(false), false),
            ("placement", json!("first"), json!(null), true),
            ("item0", json!([1]), json!(0), true),
            ("championName", json!("x".repeat(5_000)), json!(""), true),
        ] {
            let read = with(&["/info/participants/1/", name].concat(), value.clone()).unwrap();
            let one = &read.record.participants[1];
            let found = match name {
                "teamPosition" => json!(one.team_position),
                "visionScore" => json!(one.vision_score),
                "totalDamageDealtToChampions" => json!(one.damage_to_champions),
                "goldEarned" => json!(one.gold_earned),
                "win" => json!(one.win),
                "placement" => json!(one.placement),
                "item0" => json!(one.items[0]),
                _ => json!(&*one.champion_name),
            };
            assert_eq!(found, expected, "{name}: {value}");
            let names: &[&str] = if odd { &[name] } else { &[] };
            assert_eq!(read.odd.names(), names, "{name}: {value}");
            assert_eq!(read.record.participants[0], usual.record.participants[0]);
            assert_eq!(one.player, usual.record.participants[1].player);
        }
    }

    #[test]
    fn a_participant_without_a_puuid_that_is_one_has_a_row_and_no_player() {
        let uuid = json!("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
        // The last is that of the first participant: it is one player's once.
        for odd in [
            json!(""),
            uuid,
            json!(null),
            json!(5),
            json!(["BOT"]),
            json!(puuid("a")),
        ] {
            let read = with("/info/participants/1/puuid", odd.clone()).unwrap();
            let [first, second] = &read.record.participants[..] else {
                panic!("{odd}")
            };
            assert_eq!(
                (second.player.clone(), &*second.champion_name),
                (None, "Ryze"),
                "{odd}"
            );
            assert!(first.player.is_some(), "{odd}");
            assert_eq!(read.odd.names(), ["puuid"], "{odd}");
        }
        let bot = with("/info/participants/1/puuid", json!("BOT")).unwrap();
        assert_eq!(
            (bot.record.participants[1].player.clone(), bot.odd.names()),
            (None, &[][..])
        );
        let nameless = record("/info/participants/1/riotIdTagline", json!(7));
        let player = nameless.participants[1].player.clone().unwrap();
        assert_eq!(
            (player.puuid.as_str(), player.riot_id),
            (&*puuid("b"), None)
        );
    }

    #[test]
    fn participants_of_one_number_get_their_places_and_one_that_is_none_is_left_out() {
        let numbers = |record: MatchRecord| -> Vec<i32> {
            record
                .participants
                .iter()
                .map(|one| one.participant_id)
                .collect()
        };
        for (place, value, expected) in [
            ("/info/participants/1/participantId", json!(1), vec![1, 2]),
            ("/info/participants/1/participantId", json!(0), vec![1, 2]),
            ("/info/participants/0/participantId", json!(2), vec![1, 2]),
            ("/info/participants/0/participantId", json!(-3), vec![1, 2]),
            ("/info/participants/0/participantId", json!(9), vec![9, 2]),
            ("/info/participants/0/participantId", json!("x"), vec![1, 2]),
            (
                "/info/participants/1/participantId",
                json!(9.4e9),
                vec![1, 2],
            ),
        ] {
            assert_eq!(
                numbers(record(place, value.clone())),
                expected,
                "{place} {value}"
            );
        }
        for none in [json!(null), json!(7), json!("x"), json!([])] {
            let mut document = sample();
            document["info"]["participants"][0] = none.clone();
            let read = understand(&document).unwrap();
            assert_eq!(numbers(read.record), [2], "{none}");
            assert_eq!(read.odd.names(), ["participants"], "{none}");
        }
    }

    #[test]
    fn times_and_durations_that_cannot_be_are_made_good_by_the_others() {
        let facts = |record: MatchRecord| {
            let start = record.game_start.as_millis();
            (start, record.game_duration_s, record.year, record.class)
        };
        let usual = (START, 1_500, 2025, MatchClass::Played);
        for (name, value) in [
            ("gameDuration", json!(1500.0)),
            ("gameDuration", json!(1499.6)),
            ("gameDuration", json!("1500")),
            // Odd, so the time from the start to the end counts.
            ("gameDuration", json!(-5)),
            ("gameDuration", json!(null)),
            ("gameDuration", json!({})),
            ("gameDuration", json!(9_000_000_000_000_u64)),
            // Milliseconds, which no game takes as seconds.
            ("gameDuration", json!(1_500_000)),
            ("gameEndTimestamp", json!(null)),
            ("gameEndTimestamp", json!("x")),
            ("gameCreation", json!(-1)),
            ("gameCreation", json!([])),
        ] {
            let read = record(&["/info/", name].concat(), value.clone());
            assert_eq!(facts(read), usual, "{name}: {value}");
        }
        // The years 1969 and 30000, a number of seconds, and nothing.
        for odd in [
            json!(-1_000_000),
            json!(884_541_340_800_000_i64),
            json!(1_741_000_000),
            json!(null),
        ] {
            let read = record("/info/gameStartTimestamp", odd.clone());
            let created = (START - 30_000, 1_500, 2025, MatchClass::Played);
            assert_eq!(facts(read), created, "{odd}");
        }
        assert_eq!(
            facts(record("/info/gameDuration", json!(0))),
            (START, 0, 2025, MatchClass::Void)
        );
    }

    #[test]
    fn the_empty_document_of_an_aborted_game_is_void_however_long_it_says() {
        for duration in [
            json!(0),
            json!(1_618_919_109_695_i64),
            json!(null),
            json!(-1),
        ] {
            let document = json!({ "metadata": { "matchId": "EUW1_7" }, "info": { "gameId": 0, "platformId": "",
                "gameMode": "", "gameStartTimestamp": 0, "gameEndTimestamp": START, "gameDuration": duration,
                "participants": [] } });
            let read = understand(&document).unwrap().record;
            assert_eq!(
                (read.class, read.year),
                (MatchClass::Void, 2025),
                "{duration}"
            );
        }
    }

    #[test]
    fn a_document_of_the_match_that_makes_no_rows_is_unread_and_any_other_answer_is_broken() {
        let why = |result: Result<Understood<MatchRecord>, RiotError>| match result {
            Err(RiotError::Unread(why)) => why.to_string(),
            other => panic!("{other:?}"),
        };
        for none in [
            json!([]),
            json!(null),
            json!({}),
            json!([null, 7]),
            json!("x"),
        ] {
            let result = with("/info/participants", none.clone());
            assert_eq!(why(result), "it names no participants", "{none}");
        }
        let many = |size| json!(vec![sample()["info"]["participants"][0].clone(); size]);
        assert!(with("/info/participants", many(64)).is_ok());
        for size in [65, 200] {
            let why = why(with("/info/participants", many(size)));
            assert!(why.contains(&format!("{size} participants")), "{why}");
        }
        assert_eq!(why(with("/info", json!(null))), "it has no info");
        let mut nameless = sample();
        nameless["metadata"] = json!(null);
        assert!(understand(&nameless).is_ok());
        nameless["info"]["gameId"] = json!(null);
        assert_eq!(
            understand(&nameless).unwrap().record.id,
            "EUW1_7".parse().unwrap()
        );
        let mut timeless = sample();
        for name in ["gameStartTimestamp", "gameEndTimestamp", "gameCreation"] {
            timeless["info"][name] = json!(null);
        }
        assert_eq!(
            why(understand(&timeless)),
            "it says nowhere when the game was"
        );
        let mut endless = sample();
        endless["info"]["gameDuration"] = json!(null);
        endless["info"]["gameEndTimestamp"] = json!(null);
        assert_eq!(
            why(understand(&endless)),
            "it does not say how long the game took"
        );

        let id: MatchId = "EUW1_7".parse().unwrap();
        let whole = serde_json::to_vec(&sample()).unwrap();
        let other = String::from_utf8(whole.clone())
            .unwrap()
            .replace("EUW1_7", "EUW1_8");
        let status = br#"{"status":{"message":"Data not found","status_code":404}}"#;
        for text in [
            &whole[..whole.len() / 2],
            other.as_bytes(),
            status,
            b"<html></html>",
            b"",
            b"null",
            b"[1]",
            b"\"x\"",
        ] {
            let result = understand_match(id, text);
            let text = String::from_utf8_lossy(&text[..text.len().min(60)]);
            assert!(
                matches!(result, Err(RiotError::Payload(_))),
                "{text}: {result:?}"
            );
        }
    }

    #[test]
    fn what_rust_cannot_hold_costs_only_its_field() {
        let id: MatchId = "EUW1_7".parse().unwrap();
        let text = serde_json::to_string(&sample()).unwrap();
        let text = text.replacen("\"a\"", "\"\\ud83d\"", 1);
        let text = text.replacen("\"goldEarned\":9000", "\"goldEarned\":1e999", 1);
        let read = understand_match(id, text.as_bytes()).unwrap().record;
        let first = &read.participants[0];
        assert_eq!((first.gold_earned, first.kills), (0, 1));
        let name = first.player.as_ref().unwrap().riot_id.as_ref().unwrap();
        assert_eq!(name.game_name(), "\u{fffd}");
    }
}

//! A timeline document as rows: one for each participant and frame, one for each event. A document that leaves a
//! field out has nothing in that column; what is not named here is in the stored payload.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::RiotError;

crate::exported_table! {
    /// How a participant stood at a frame, one a minute.
    timeline_frames {
        { match_id: String, frame: i32, minute: i32, timestamp_ms: i64, participant_id: i32, puuid: Option<String> }
        {
            level: i32, xp: i32, total_gold: i32, current_gold: i32, gold_per_second: i32, minions_killed: i32,
            jungle_minions_killed: i32, cs: i32, position_x: Option<i32>, position_y: Option<i32>,
            time_enemy_spent_controlled_ms: i32,
        }
        {
            total_damage_done: i32, total_damage_done_to_champions: i32, total_damage_taken: i32,
            magic_damage_done_to_champions: i32, physical_damage_done_to_champions: i32, true_damage_done_to_champions: i32,
        }
        {
            health: i32, health_max: i32, power: i32, power_max: i32, attack_damage: i32, ability_power: i32,
            armor: i32, magic_resist: i32, attack_speed: i32, ability_haste: i32, movement_speed: i32,
        }
    }
}

crate::exported_table! {
    /// Something that happened.
    timeline_events {
        { match_id: String, event: i32, frame: i32, minute: i32, timestamp_ms: i64, type_: String, real_timestamp: Option<i64> => time }
        {
            participant_id: Option<i32>, killer_id: Option<i32>, victim_id: Option<i32>, creator_id: Option<i32>,
            team_id: Option<i32>, killer_team_id: Option<i32>, assisting_participant_ids: Option<String>,
            position_x: Option<i32>, position_y: Option<i32>,
        }
        {
            item_id: Option<i32>, before_id: Option<i32>, after_id: Option<i32>, gold_gain: Option<i32>,
            level: Option<i32>, skill_slot: Option<i32>, level_up_type: Option<String>, ward_type: Option<String>,
            transform_type: Option<String>,
        }
        {
            kill_type: Option<String>, multi_kill_length: Option<i32>, kill_streak_length: Option<i32>,
            bounty: Option<i32>, shutdown_bounty: Option<i32>, damage_dealt_by_victim: Option<i32>,
            damage_received_by_victim: Option<i32>,
        }
        {
            building_type: Option<String>, tower_type: Option<String>, lane_type: Option<String>,
            monster_type: Option<String>, monster_sub_type: Option<String>, name: Option<String>,
            winning_team: Option<i32>, feat_type: Option<i32>, feat_value: Option<i32>,
        }
    }
}

#[derive(Deserialize)]
struct Document<T> {
    info: Info<T>,
}

#[derive(Deserialize)]
struct Info<T> {
    frames: Vec<T>,
    #[serde(default)]
    participants: Vec<Seat>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seat {
    participant_id: i32,
    puuid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StandingsFrame {
    #[serde(default)]
    timestamp: i64,
    /// `null` in the timeline of a match that never began.
    #[serde(default)]
    participant_frames: Option<BTreeMap<String, Standing>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Standing {
    participant_id: i32,
    level: i32,
    xp: i32,
    total_gold: i32,
    current_gold: i32,
    gold_per_second: i32,
    minions_killed: i32,
    jungle_minions_killed: i32,
    position: Option<Position>,
    time_enemy_spent_controlled: i32,
    damage_stats: Damage,
    champion_stats: Champion,
}

#[derive(Deserialize, Clone, Copy)]
struct Position {
    x: i32,
    y: i32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Damage {
    total_damage_done: i32,
    total_damage_done_to_champions: i32,
    total_damage_taken: i32,
    magic_damage_done_to_champions: i32,
    physical_damage_done_to_champions: i32,
    true_damage_done_to_champions: i32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Champion {
    health: i32,
    health_max: i32,
    power: i32,
    power_max: i32,
    attack_damage: i32,
    ability_power: i32,
    armor: i32,
    magic_resist: i32,
    attack_speed: i32,
    ability_haste: i32,
    movement_speed: i32,
}

#[derive(Deserialize)]
struct EventsFrame {
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    timestamp: i64,
    #[serde(rename = "type")]
    kind: String,
    real_timestamp: Option<i64>,
    participant_id: Option<i32>,
    killer_id: Option<i32>,
    victim_id: Option<i32>,
    creator_id: Option<i32>,
    team_id: Option<i32>,
    killer_team_id: Option<i32>,
    assisting_participant_ids: Option<Vec<i32>>,
    position: Option<Position>,
    item_id: Option<i32>,
    before_id: Option<i32>,
    after_id: Option<i32>,
    gold_gain: Option<i32>,
    level: Option<i32>,
    skill_slot: Option<i32>,
    level_up_type: Option<String>,
    ward_type: Option<String>,
    transform_type: Option<String>,
    kill_type: Option<String>,
    multi_kill_length: Option<i32>,
    kill_streak_length: Option<i32>,
    bounty: Option<i32>,
    shutdown_bounty: Option<i32>,
    victim_damage_dealt: Option<Vec<Hit>>,
    victim_damage_received: Option<Vec<Hit>>,
    building_type: Option<String>,
    tower_type: Option<String>,
    lane_type: Option<String>,
    monster_type: Option<String>,
    monster_sub_type: Option<String>,
    name: Option<String>,
    winning_team: Option<i32>,
    feat_type: Option<i32>,
    feat_value: Option<i32>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Hit {
    #[serde(rename = "magicDamage")]
    magic: i32,
    #[serde(rename = "physicalDamage")]
    physical: i32,
    #[serde(rename = "trueDamage")]
    real: i32,
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, RiotError> {
    serde_json::from_slice(text)
        .map_err(|error| RiotError::Payload(format!("its JSON is broken: {error}")))
}

fn number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

fn minute(ms: i64) -> i32 {
    i32::try_from(ms / 60_000).unwrap_or(i32::MAX)
}

/// The standings of a timeline document, frame by frame in the order of the seats.
pub fn read_frames(match_id: &str, text: &[u8]) -> Result<Vec<timeline_frames::Row>, RiotError> {
    let info = parse::<Document<StandingsFrame>>(text)?.info;
    let puuids: BTreeMap<i32, &str> = info
        .participants
        .iter()
        .map(|seat| (seat.participant_id, seat.puuid.as_str()))
        .collect();
    let mut rows = Vec::new();
    for (index, frame) in info.frames.iter().enumerate() {
        let Some(standings) = &frame.participant_frames else {
            continue;
        };
        let mut standings: Vec<&Standing> = standings.values().collect();
        standings.sort_by_key(|standing| standing.participant_id);
        for it in standings {
            let puuid = puuids
                .get(&it.participant_id)
                .filter(|puuid| **puuid != "BOT");
            let (damage, champion) = (&it.damage_stats, &it.champion_stats);
            rows.push((
                (
                    match_id.to_owned(),
                    number(index),
                    minute(frame.timestamp),
                    frame.timestamp,
                    it.participant_id,
                    puuid.map(|puuid| (*puuid).to_owned()),
                ),
                (
                    it.level,
                    it.xp,
                    it.total_gold,
                    it.current_gold,
                    it.gold_per_second,
                    it.minions_killed,
                    it.jungle_minions_killed,
                    it.minions_killed + it.jungle_minions_killed,
                    it.position.map(|position| position.x),
                    it.position.map(|position| position.y),
                    it.time_enemy_spent_controlled,
                ),
                (
                    damage.total_damage_done,
                    damage.total_damage_done_to_champions,
                    damage.total_damage_taken,
                    damage.magic_damage_done_to_champions,
                    damage.physical_damage_done_to_champions,
                    damage.true_damage_done_to_champions,
                ),
                (
                    champion.health,
                    champion.health_max,
                    champion.power,
                    champion.power_max,
                    champion.attack_damage,
                    champion.ability_power,
                    champion.armor,
                    champion.magic_resist,
                    champion.attack_speed,
                    champion.ability_haste,
                    champion.movement_speed,
                ),
            ));
        }
    }
    Ok(rows)
}

/// The events of a timeline document, in their order.
pub fn read_events(match_id: &str, text: &[u8]) -> Result<Vec<timeline_events::Row>, RiotError> {
    let info = parse::<Document<EventsFrame>>(text)?.info;
    let frames = info.frames.into_iter().enumerate();
    let events = frames
        .flat_map(|(frame, events)| events.events.into_iter().map(move |event| (frame, event)));
    let rows = events.enumerate().map(|(index, (frame, it))| {
        let assisting = it.assisting_participant_ids.map(|ids| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            ids.join(";")
        });
        (
            (
                match_id.to_owned(),
                number(index),
                number(frame),
                minute(it.timestamp),
                it.timestamp,
                it.kind,
                it.real_timestamp,
            ),
            (
                it.participant_id,
                it.killer_id,
                it.victim_id,
                it.creator_id,
                it.team_id,
                it.killer_team_id,
                assisting,
                it.position.map(|position| position.x),
                it.position.map(|position| position.y),
            ),
            (
                it.item_id,
                it.before_id,
                it.after_id,
                it.gold_gain,
                it.level,
                it.skill_slot,
                it.level_up_type,
                it.ward_type,
                it.transform_type,
            ),
            (
                it.kill_type,
                it.multi_kill_length,
                it.kill_streak_length,
                it.bounty,
                it.shutdown_bounty,
                it.victim_damage_dealt.as_deref().map(sum),
                it.victim_damage_received.as_deref().map(sum),
            ),
            (
                it.building_type,
                it.tower_type,
                it.lane_type,
                it.monster_type,
                it.monster_sub_type,
                it.name,
                it.winning_team,
                it.feat_type,
                it.feat_value,
            ),
        )
    });
    Ok(rows.collect())
}

fn sum(hits: &[Hit]) -> i32 {
    let each = hits.iter().map(|hit| hit.magic + hit.physical + hit.real);
    each.fold(0, i32::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMELINE: &str = r#"{"metadata":{"matchId":"KR_1"},"info":{"frameInterval":60000,"frames":[
        {"timestamp":0,"events":[{"realTimestamp":1700000000000,"timestamp":0,"type":"PAUSE_END"}],"participantFrames":{
            "10":{"participantId":10,"level":1,"xp":0,"totalGold":500,"minionsKilled":0,"jungleMinionsKilled":0},
            "2":{"participantId":2,"level":3,"xp":700,"totalGold":900,"minionsKilled":12,"jungleMinionsKilled":4,
                 "position":{"x":5,"y":-6},"damageStats":{"totalDamageTaken":77},"championStats":{"healthMax":640}}}},
        {"timestamp":60012,"participantFrames":null,"events":[
            {"timestamp":60001,"type":"CHAMPION_KILL","killerId":2,"victimId":10,"assistingParticipantIds":[3,4],
             "position":{"x":1,"y":2},"bounty":300,"victimDamageReceived":[{"magicDamage":10,"physicalDamage":5,"trueDamage":1}]},
            {"timestamp":60002,"type":"SOMETHING_NEW","nobodyKnows":{"a":[1]}}]}],
        "participants":[{"participantId":2,"puuid":"p2"},{"participantId":10,"puuid":"BOT"}]}}"#;

    #[test]
    fn frames_are_rows_by_minute_and_seat() {
        let rows = read_frames("KR_1", TIMELINE.as_bytes()).unwrap();
        let key = |row: &timeline_frames::Row| (row.0.1, row.0.2, row.0.4, row.0.5.clone());
        let keys: Vec<_> = rows.iter().map(key).collect();
        assert_eq!(keys, [(0, 0, 2, Some("p2".to_owned())), (0, 0, 10, None)]);
        let (_, (level, xp, gold, .., cs, x, y, _), damage, champion) = &rows[0];
        assert_eq!(
            (level, xp, gold, cs, x, y),
            (&3, &700, &900, &16, &Some(5), &Some(-6))
        );
        assert_eq!((damage.2, champion.1), (77, 640));
        assert_eq!(rows[1].1.8, None);
    }

    #[test]
    fn events_keep_their_order_and_what_is_not_known_is_a_row_too() {
        let rows = read_events("KR_1", TIMELINE.as_bytes()).unwrap();
        let key = |row: &timeline_events::Row| (row.0.1, row.0.2, row.0.3, row.0.5.clone());
        let keys: Vec<_> = rows.iter().map(key).collect();
        let expected = [
            (0, 0, 0, "PAUSE_END"),
            (1, 1, 1, "CHAMPION_KILL"),
            (2, 1, 1, "SOMETHING_NEW"),
        ];
        assert_eq!(
            keys,
            expected.map(|(event, frame, minute, kind)| (event, frame, minute, kind.to_owned()))
        );
        assert_eq!(rows[0].0.6, Some(1_700_000_000_000));
        let (_, who, _, kill, _) = &rows[1];
        assert_eq!(
            (who.1, who.2, who.6.as_deref(), who.7),
            (Some(2), Some(10), Some("3;4"), Some(1))
        );
        assert_eq!((kill.3, kill.5, kill.6), (Some(300), None, Some(16)));
    }

    #[test]
    fn a_timeline_of_a_match_that_never_began_has_no_frames_and_a_broken_one_is_an_error() {
        let empty = br#"{"info":{"frameInterval":0,"frames":[{"events":[{"type":"GAME_END","timestamp":0}],"participantFrames":null}]}}"#;
        assert!(read_frames("KR_1", empty).unwrap().is_empty());
        assert_eq!(read_events("KR_1", empty).unwrap().len(), 1);
        assert!(read_events("KR_1", b"{\"info\":").is_err());
    }
}

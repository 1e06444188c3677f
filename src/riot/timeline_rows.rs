//! A timeline document as rows: one for each participant and frame, one for each event. A document that leaves a
//! field out, or has something there that cannot be read, has nothing in that column; what is not named here is in the
//! stored payload.

use std::collections::HashMap;

use super::error::RiotError;
use super::lenient::{List, Named, Odd, lenient_object};
use super::reading::{Metadata, document, participant_numbers, place};
use crate::model::Puuid;

crate::model::exported_table! {
    /// How a participant stood at a frame, one a minute.
    timeline_frames {
        { match_id: String, frame: i32, minute: Option<i32>, timestamp_ms: Option<i64>, participant_id: i32, puuid: Option<String> }
        {
            level: Option<i32>, xp: Option<i32>, total_gold: Option<i32>, current_gold: Option<i32>, gold_per_second: Option<i32>, minions_killed: Option<i32>,
            jungle_minions_killed: Option<i32>, cs: Option<i32>, position_x: Option<i32>, position_y: Option<i32>,
            time_enemy_spent_controlled_ms: Option<i32>,
        }
        {
            total_damage_done: Option<i32>, total_damage_done_to_champions: Option<i32>, total_damage_taken: Option<i32>,
            magic_damage_done_to_champions: Option<i32>, physical_damage_done_to_champions: Option<i32>, true_damage_done_to_champions: Option<i32>,
        }
        {
            health: Option<i32>, health_max: Option<i32>, power: Option<i32>, power_max: Option<i32>, attack_damage: Option<i32>, ability_power: Option<i32>,
            armor: Option<i32>, magic_resist: Option<i32>, attack_speed: Option<i32>, ability_haste: Option<i32>, movement_speed: Option<i32>,
        }
    }
}

crate::model::exported_table! {
    /// Something that happened.
    timeline_events {
        { match_id: String, event: i32, frame: i32, minute: Option<i32>, timestamp_ms: Option<i64>, type_: Option<String>, real_timestamp: Option<i64> => time }
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

/// What all forms of the document have.
pub(super) struct Parts<F> {
    pub(super) metadata: Option<Metadata>,
    /// None: it has no info.
    pub(super) game: Option<Game<F>>,
    pub(super) odd: Odd,
}

pub(super) struct Game<F> {
    pub(super) id: Option<i64>,
    pub(super) frame_interval: Option<i64>,
    pub(super) frames: Option<List<F>>,
}

/// A document with what is wanted of its frames.
macro_rules! timeline_document {
    ($document:ident, $info:ident, $frame:ident) => {
        impl $document {
            pub(super) fn parts(self) -> $crate::riot::timeline_rows::Parts<$frame> {
                let mut odd = self.odd;
                let game = self.info.map(|info| {
                    odd.note_all(&info.odd);
                    $crate::riot::timeline_rows::Game {
                        id: info.game_id,
                        frame_interval: info.frame_interval,
                        frames: info.frames,
                    }
                });
                $crate::riot::timeline_rows::Parts { metadata: self.metadata, game, odd }
            }
        }
        timeline_document!(@objects $document, $info, $frame);
    };
    (@objects $document:ident, $info:ident, $frame:ident) => {
        lenient_object! {
            $document { metadata: Metadata = "metadata", info: $info = "info" }
        }
        lenient_object! {
            $info {
                frame_interval: i64 = "frameInterval",
                game_id: i64 = "gameId",
                frames: List<$frame> = "frames",
                participants: List<Participant> = "participants",
            }
        }
    };
}

pub(super) use timeline_document;

timeline_document!(@objects StandingsDocument, StandingsInfo, StandingsFrame);
timeline_document!(@objects EventsDocument, EventsInfo, EventsFrame);

lenient_object! {
    pub(super) Participant { participant_id: i32 = "participantId", puuid: String = "puuid" }
}

lenient_object! {
    StandingsFrame {
        timestamp: i64 = "timestamp",
        // `null` in the timeline of a match that never began.
        participant_frames: Named<Standing> = "participantFrames",
    }
}

lenient_object! {
    Standing {
        participant_id: i32 = "participantId",
        level: i32 = "level",
        xp: i32 = "xp",
        total_gold: i32 = "totalGold",
        current_gold: i32 = "currentGold",
        gold_per_second: i32 = "goldPerSecond",
        minions_killed: i32 = "minionsKilled",
        jungle_minions_killed: i32 = "jungleMinionsKilled",
        position: Position = "position",
        time_enemy_spent_controlled: i32 = "timeEnemySpentControlled",
        damage_stats: Damage = "damageStats",
        champion_stats: Champion = "championStats",
    }
}

lenient_object! { pub(super) Position { x: i32 = "x", y: i32 = "y" } }

lenient_object! {
    Damage {
        total_damage_done: i32 = "totalDamageDone",
        total_damage_done_to_champions: i32 = "totalDamageDoneToChampions",
        total_damage_taken: i32 = "totalDamageTaken",
        magic_damage_done_to_champions: i32 = "magicDamageDoneToChampions",
        physical_damage_done_to_champions: i32 = "physicalDamageDoneToChampions",
        true_damage_done_to_champions: i32 = "trueDamageDoneToChampions",
    }
}

lenient_object! {
    Champion {
        health: i32 = "health",
        health_max: i32 = "healthMax",
        power: i32 = "power",
        power_max: i32 = "powerMax",
        attack_damage: i32 = "attackDamage",
        ability_power: i32 = "abilityPower",
        armor: i32 = "armor",
        magic_resist: i32 = "magicResist",
        attack_speed: i32 = "attackSpeed",
        ability_haste: i32 = "abilityHaste",
        movement_speed: i32 = "movementSpeed",
    }
}

lenient_object! { EventsFrame { events: List<Event> = "events" } }

lenient_object! {
    pub(super) Event {
        timestamp: i64 = "timestamp",
        kind: String = "type",
        real_timestamp: i64 = "realTimestamp",
        participant_id: i32 = "participantId",
        killer_id: i32 = "killerId",
        victim_id: i32 = "victimId",
        creator_id: i32 = "creatorId",
        team_id: i32 = "teamId",
        killer_team_id: i32 = "killerTeamId",
        assisting_participant_ids: List<i32> = "assistingParticipantIds",
        position: Position = "position",
        item_id: i32 = "itemId",
        before_id: i32 = "beforeId",
        after_id: i32 = "afterId",
        gold_gain: i32 = "goldGain",
        level: i32 = "level",
        skill_slot: i32 = "skillSlot",
        level_up_type: String = "levelUpType",
        ward_type: String = "wardType",
        transform_type: String = "transformType",
        kill_type: String = "killType",
        multi_kill_length: i32 = "multiKillLength",
        kill_streak_length: i32 = "killStreakLength",
        bounty: i32 = "bounty",
        shutdown_bounty: i32 = "shutdownBounty",
        victim_damage_dealt: List<Hit> = "victimDamageDealt",
        victim_damage_received: List<Hit> = "victimDamageReceived",
        building_type: String = "buildingType",
        tower_type: String = "towerType",
        lane_type: String = "laneType",
        monster_type: String = "monsterType",
        monster_sub_type: String = "monsterSubType",
        name: String = "name",
        winning_team: i32 = "winningTeam",
        feat_type: i32 = "featType",
        feat_value: i32 = "featValue",
    }
}

lenient_object! {
    pub(super) Hit { magic: i32 = "magicDamage", physical: i32 = "physicalDamage", real: i32 = "trueDamage" }
}

pub(super) fn number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

fn minute(ms: i64) -> Option<i32> {
    i32::try_from(ms / 60_000).ok()
}

pub(super) fn both(one: Option<i32>, other: Option<i32>) -> Option<i32> {
    one?.checked_add(other?)
}

/// Rows of a timeline, and which fields of its document were odd.
#[derive(Debug)]
pub struct TimelineRows<R> {
    pub rows: Vec<R>,
    pub odd: Odd,
}

/// The standings of a timeline document, frame by frame in the order of the participants.
pub fn read_frames(
    match_id: &str,
    text: &[u8],
) -> Result<TimelineRows<timeline_frames::Row>, RiotError> {
    let StandingsDocument { info, mut odd, .. } = document(text)?;
    let info = info.unwrap_or_default();
    odd.note_all(&info.odd);
    let puuids = puuids_of(info.participants, &mut odd);
    let mut rows = Vec::new();
    let frames = info.frames.map(|frames| frames.entries).unwrap_or_default();
    for (index, frame) in frames.into_iter().enumerate() {
        let Some(frame) = frame else { continue };
        odd.note_all(&frame.odd);
        for (participant_id, it) in in_order(frame.participant_frames, |it| it.participant_id) {
            note_standing(&it, &mut odd);
            let key = (
                match_id.to_owned(),
                number(index),
                frame.timestamp.and_then(minute),
                frame.timestamp,
                participant_id,
                puuids.get(&participant_id).cloned(),
            );
            rows.push(standing_row(key, it));
        }
    }
    Ok(TimelineRows { rows, odd })
}

/// The players by their numbers, which are those of the match document. Bots, and who has no puuid that is one, are
/// left out.
fn puuids_of(list: Option<List<Participant>>, odd: &mut Odd) -> HashMap<i32, String> {
    let entries = list.map(|list| list.entries).unwrap_or_default();
    let said = entries.iter().enumerate().map(|(index, one)| {
        let number = one.as_ref().and_then(|one| one.participant_id);
        (number, place(index))
    });
    let numbers = participant_numbers(&said.collect::<Vec<_>>());
    let mut puuids = HashMap::new();
    for (number, one) in numbers.into_iter().zip(entries) {
        let Some(one) = one else { continue };
        odd.note_all(&one.odd);
        let puuid = one.puuid.unwrap_or_default();
        if puuid.parse::<Puuid>().is_ok() {
            puuids.insert(number, puuid);
        } else if puuid != "BOT" {
            odd.note("puuid");
        }
    }
    puuids
}

/// The standings of a frame by the participants' numbers: the name of an entry is its place.
pub(super) fn in_order<S>(
    standings: Option<Named<S>>,
    said: impl Fn(&S) -> Option<i32>,
) -> Vec<(i32, S)> {
    let entries = standings.map(|named| named.0).unwrap_or_default();
    let places = (entries.into_iter().enumerate()).map(|(index, (name, standing))| {
        let named: Option<i32> = name.parse().ok().filter(|number| *number > 0);
        (named.unwrap_or(place(index)), standing)
    });
    let mut entries: Vec<(i32, S)> = places.collect();
    entries.sort_by_key(|(place, _)| *place);
    let numbered: Vec<_> = (entries.iter())
        .map(|(place, standing)| (said(standing), *place))
        .collect();
    let numbers = participant_numbers(&numbered);
    let standings = entries.into_iter().map(|(_, standing)| standing);
    let mut rows: Vec<(i32, S)> = numbers.into_iter().zip(standings).collect();
    rows.sort_by_key(|(number, _)| *number);
    rows
}

fn note_standing(it: &Standing, odd: &mut Odd) {
    odd.note_all(&it.odd);
    let parts = [
        it.position.as_ref().map(|part| &part.odd),
        it.damage_stats.as_ref().map(|part| &part.odd),
        it.champion_stats.as_ref().map(|part| &part.odd),
    ];
    parts
        .into_iter()
        .flatten()
        .for_each(|part| odd.note_all(part));
}

fn standing_row(
    key: (String, i32, Option<i32>, Option<i64>, i32, Option<String>),
    it: Standing,
) -> timeline_frames::Row {
    let position = it.position.unwrap_or_default();
    let damage = it.damage_stats.unwrap_or_default();
    let champion = it.champion_stats.unwrap_or_default();
    (
        key,
        (
            it.level,
            it.xp,
            it.total_gold,
            it.current_gold,
            it.gold_per_second,
            it.minions_killed,
            it.jungle_minions_killed,
            both(it.minions_killed, it.jungle_minions_killed),
            position.x,
            position.y,
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
    )
}

/// The events of a timeline document, in their order. One that cannot be read at all is a row all the same, with
/// nothing but its number.
pub fn read_events(
    match_id: &str,
    text: &[u8],
) -> Result<TimelineRows<timeline_events::Row>, RiotError> {
    let EventsDocument { info, mut odd, .. } = document(text)?;
    let info = info.unwrap_or_default();
    odd.note_all(&info.odd);
    let mut rows = Vec::new();
    let frames = info.frames.map(|frames| frames.entries).unwrap_or_default();
    for (index, frame) in frames.into_iter().enumerate() {
        let Some(frame) = frame else { continue };
        odd.note_all(&frame.odd);
        for it in frame
            .events
            .map(|events| events.entries)
            .unwrap_or_default()
        {
            let it = it.unwrap_or_default();
            odd.note_all(&it.odd);
            if let Some(position) = &it.position {
                odd.note_all(&position.odd);
            }
            let key = (match_id.to_owned(), number(rows.len()), number(index));
            rows.push(event_row(key, it));
        }
    }
    Ok(TimelineRows { rows, odd })
}

fn event_row((match_id, event, frame): (String, i32, i32), it: Event) -> timeline_events::Row {
    let position = it.position.unwrap_or_default();
    (
        (
            match_id,
            event,
            frame,
            it.timestamp.and_then(minute),
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
            it.assisting_participant_ids.map(joined),
            position.x,
            position.y,
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
            it.victim_damage_dealt.and_then(damage_of),
            it.victim_damage_received.and_then(damage_of),
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
}

/// Those of the numbers that can be read.
fn joined(ids: List<i32>) -> String {
    let ids = ids.entries.into_iter().flatten();
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(";")
}

/// What the hits of a list add up to. None: a hit cannot be read, or no column holds the sum.
fn damage_of(hits: List<Hit>) -> Option<i32> {
    let mut sum = 0_i64;
    for hit in hits.entries {
        let hit = hit?;
        let parts = [hit.magic, hit.physical, hit.real];
        sum += parts.into_iter().flatten().map(i64::from).sum::<i64>();
    }
    i32::try_from(sum).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MatchId;
    use crate::riot::parse_timeline;

    fn puuid(letter: &str) -> String {
        letter.repeat(Puuid::LEN)
    }

    fn timeline() -> String {
        r#"{"metadata":{"matchId":"KR_1"},"info":{"frameInterval":60000,"frames":[
        {"timestamp":0,"events":[{"realTimestamp":1700000000000,"timestamp":0,"type":"PAUSE_END"}],"participantFrames":{
            "10":{"participantId":10,"level":1,"xp":0,"totalGold":500,"minionsKilled":0,"jungleMinionsKilled":0},
            "2":{"participantId":2,"level":3,"xp":700,"totalGold":900,"minionsKilled":12,"jungleMinionsKilled":4,
                 "position":{"x":5,"y":-6},"damageStats":{"totalDamageTaken":77},"championStats":{"healthMax":640}}}},
        {"timestamp":60012,"participantFrames":null,"events":[
            {"timestamp":60001,"type":"CHAMPION_KILL","killerId":2,"victimId":10,"assistingParticipantIds":[3,4],
             "position":{"x":1,"y":2},"bounty":300,"victimDamageReceived":[{"magicDamage":10,"physicalDamage":5,"trueDamage":1}]},
            {"timestamp":60002,"type":"SOMETHING_NEW","nobodyKnows":{"a":[1]}}]}],
        "participants":[{"participantId":2,"puuid":"PUUID"},{"participantId":10,"puuid":"BOT"}]}}"#
            .replace("PUUID", &puuid("p"))
    }

    #[test]
    fn frames_are_rows_by_minute_and_participant() {
        let TimelineRows { rows, odd } = read_frames("KR_1", timeline().as_bytes()).unwrap();
        assert_eq!(odd, Odd::default());
        let key = |row: &timeline_frames::Row| (row.0.1, row.0.2, row.0.4, row.0.5.clone());
        let keys: Vec<_> = rows.iter().map(key).collect();
        assert_eq!(
            keys,
            [(0, Some(0), 2, Some(puuid("p"))), (0, Some(0), 10, None)]
        );
        let (_, (level, xp, gold, .., cs, x, y, _), damage, champion) = &rows[0];
        assert_eq!(
            [level, xp, gold, cs, x, y],
            [
                &Some(3),
                &Some(700),
                &Some(900),
                &Some(16),
                &Some(5),
                &Some(-6)
            ]
        );
        assert_eq!((damage.2, champion.1), (Some(77), Some(640)));
        // What the document leaves out is nothing, and not 0.
        assert_eq!((rows[1].1.8, rows[1].2.2, rows[1].3.1), (None, None, None));
    }

    #[test]
    fn events_keep_their_order_and_what_is_not_known_is_a_row_too() {
        let TimelineRows { rows, odd } = read_events("KR_1", timeline().as_bytes()).unwrap();
        assert_eq!(odd, Odd::default());
        let key = |row: &timeline_events::Row| (row.0.1, row.0.2, row.0.3, row.0.5.clone());
        let keys: Vec<_> = rows.iter().map(key).collect();
        let expected = [
            (0, 0, 0, "PAUSE_END"),
            (1, 1, 1, "CHAMPION_KILL"),
            (2, 1, 1, "SOMETHING_NEW"),
        ];
        assert_eq!(
            keys,
            expected.map(|(event, frame, minute, kind)| {
                (event, frame, Some(minute), Some(kind.to_owned()))
            })
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
        assert!(read_frames("KR_1", empty).unwrap().rows.is_empty());
        assert_eq!(read_events("KR_1", empty).unwrap().rows.len(), 1);
        assert!(read_events("KR_1", b"{\"info\":").is_err());
    }

    /// The events' document with one event in it.
    fn event(event: &str) -> (timeline_events::Row, Vec<&'static str>) {
        let text = format!(r#"{{"info":{{"frames":[{{"events":[{event},{{"type":"LAST"}}]}}]}}}}"#);
        let TimelineRows { mut rows, odd } = read_events("KR_1", text.as_bytes()).unwrap();
        assert_eq!(rows.len(), 2, "{event}");
        assert_eq!(rows[1].0.5.as_deref(), Some("LAST"), "{event}");
        (rows.swap_remove(0), odd.names().to_vec())
    }

    #[test]
    fn an_odd_field_of_an_event_is_nothing_and_the_rest_stays() {
        let (row, odd) = event(
            r#"{"type":"CHAMPION_KILL","timestamp":61000,"bounty":300.5,"killerId":null,"victimId":"3","creatorId":[],
            "position":{"x":1.25,"y":{}},"assistingParticipantIds":[1,null,"4",{}],"winningTeam":99999999999,
            "victimDamageDealt":[{"magicDamage":2000000000},{"trueDamage":2000000000}],"victimDamageReceived":[null],"name":7}"#,
        );
        assert_eq!((row.0.3, row.0.4), (Some(1), Some(61_000)));
        let (_, who, _, kill, thing) = &row;
        assert_eq!((who.1, who.2, who.3), (None, Some(3), None));
        assert_eq!(
            (who.6.as_deref(), who.7, who.8),
            (Some("1;4"), Some(1), None)
        );
        assert_eq!((kill.3, kill.5, kill.6), (Some(301), None, None));
        assert_eq!((thing.5.as_deref(), thing.6), (None, None));
        assert!(odd.contains(&"bounty") && odd.contains(&"x") && odd.contains(&"name"));
        assert!(!odd.contains(&"killerId"), "null is absent: {odd:?}");
    }

    #[test]
    fn an_event_that_is_none_is_a_row_with_nothing_in_it() {
        for text in [
            "null",
            "7",
            "\"x\"",
            "[]",
            "{}",
            r#"{"type":null,"timestamp":null}"#,
        ] {
            let (row, _) = event(text);
            assert_eq!(
                (row.0.1, row.0.3, row.0.4, &row.0.5),
                (0, None, None, &None),
                "{text}"
            );
        }
    }

    #[test]
    fn odd_frames_cost_the_others_nothing() {
        let text = format!(
            r#"{{"info":{{"participants":[{{"participantId":1,"puuid":"{}"}},{{"participantId":1,"puuid":""}},null],"frames":[null,7,
            {{"timestamp":60000.4,"participantFrames":[],"events":{{}}}},
            {{"timestamp":null,"participantFrames":{{"1":{{"participantId":1,"level":2}},"2":{{"participantId":1,"xp":"x","position":5}},
              "3":null,"4":{{"minionsKilled":2147483647,"jungleMinionsKilled":1,"damageStats":7}}}},"events":null}}]}}}}"#,
            puuid("a")
        );
        let TimelineRows { rows, odd } = read_frames("KR_1", text.as_bytes()).unwrap();
        let key = |row: &timeline_frames::Row| (row.0.1, row.0.4, row.0.5.clone());
        let keys: Vec<_> = rows.iter().map(key).collect();
        // Two of one number have their places instead, here as in the match.
        assert_eq!(keys, [(3, 1, Some(puuid("a"))), (3, 2, None), (3, 4, None)]);
        assert_eq!(
            (rows[0].0.3, rows[0].1.0, rows[1].1.1),
            (None, Some(2), None)
        );
        assert_eq!((rows[2].1.5, rows[2].1.7), (Some(i32::MAX), None));
        assert!(odd.names().contains(&"participantFrames") && odd.names().contains(&"puuid"));
        let text = text.replace("{\"info\"", "{\"metadata\":{\"matchId\":\"KR_1\"},\"info\"");
        let record = parse_timeline("KR_1".parse().unwrap(), text.as_bytes()).unwrap();
        assert_eq!((record.frame_count, record.event_count), (4, 0));
    }

    #[test]
    fn a_timeline_without_frames_is_kept_unread_and_one_of_another_match_is_not() {
        let id: MatchId = "KR_1".parse().unwrap();
        for info in ["{}", r#"{"frames":null}"#, r#"{"frames":7}"#, "null", "[]"] {
            let text = format!(r#"{{"metadata":{{"matchId":"KR_1"}},"info":{info}}}"#);
            let result = parse_timeline(id, text.as_bytes());
            assert!(
                matches!(result, Err(RiotError::Unread(_))),
                "{info}: {result:?}"
            );
        }
        let nameless = br#"{"metadata":null,"info":{"gameId":1,"frames":[]}}"#;
        assert!(parse_timeline(id, nameless).is_ok());
        for text in [
            r#"{"metadata":{"matchId":"KR_2"},"info":{"frames":[]}}"#,
            "{}",
            "null",
            "[]",
            "<html>",
        ] {
            let result = parse_timeline(id, text.as_bytes());
            assert!(
                matches!(result, Err(RiotError::Payload(_))),
                "{text}: {result:?}"
            );
        }
    }
}

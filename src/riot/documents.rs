//! Documents of the API, read into records. Only the needed fields are named; unknown ones are
//! ignored, and everything that some documents leave out is optional here.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::RiotError;
use crate::model::records::{
    MatchClass, MatchRecord, ParticipantRecord, SeenPlayer, TimelineRecord,
};
use crate::model::{MatchId, Puuid, RiotId, Timestamp};

pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, RiotError> {
    serde_json::from_slice(text)
        .map_err(|error| RiotError::Payload(format!("its JSON is broken: {error}")))
}

#[derive(Deserialize)]
struct MatchDocument {
    metadata: Metadata,
    info: MatchInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    data_version: String,
    match_id: MatchId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct MatchInfo {
    end_of_game_result: Option<String>,
    game_creation: i64,
    game_duration: i64,
    game_end_timestamp: Option<i64>,
    game_mode: String,
    game_start_timestamp: i64,
    game_type: String,
    game_version: String,
    map_id: i32,
    queue_id: i32,
    participants: Vec<Participant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
#[allow(
    clippy::struct_field_names,
    reason = "fields are named as in the document"
)]
struct Participant {
    participant_id: i32,
    puuid: String,
    riot_id_game_name: Option<String>,
    riot_id_tagline: Option<String>,
    team_id: i32,
    champion_id: i32,
    champion_name: String,
    team_position: String,
    role: String,
    lane: String,
    kills: i32,
    deaths: i32,
    assists: i32,
    win: bool,
    gold_earned: i32,
    total_minions_killed: i32,
    neutral_minions_killed: i32,
    total_damage_dealt_to_champions: i32,
    vision_score: i32,
    champ_level: i32,
    placement: Option<i32>,
    player_subteam_id: Option<i32>,
    item0: i32,
    item1: i32,
    item2: i32,
    item3: i32,
    item4: i32,
    item5: i32,
    item6: i32,
    summoner1_id: i32,
    summoner2_id: i32,
    perks: Perks,
    game_ended_in_early_surrender: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Perks {
    styles: Vec<PerkStyle>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PerkStyle {
    description: String,
    style: i32,
}

impl Perks {
    fn style(&self, description: &str) -> i32 {
        self.styles
            .iter()
            .find(|style| style.description == description)
            .map_or(0, |style| style.style)
    }
}

/// Reads the match document of `id`; a document of another match is an error.
pub fn parse_match(id: MatchId, text: &[u8]) -> Result<MatchRecord, RiotError> {
    let MatchDocument { metadata, info } = parse(text)?;
    check_id(id, metadata.match_id)?;
    // Until patch 11.19 the duration was in milliseconds; those documents have no end.
    let duration_ms = match info.game_end_timestamp {
        Some(_) => info.game_duration.saturating_mul(1000),
        None => info.game_duration,
    };
    let duration = Duration::from_millis(u64::try_from(duration_ms).unwrap_or(0));
    let start = Timestamp::from_millis(info.game_start_timestamp);
    // The document's own end can be minutes late; the start and the duration are exact. The empty
    // document of an aborted game has an end only.
    let end = match (info.game_start_timestamp, info.game_end_timestamp) {
        (0, Some(end)) => Timestamp::from_millis(end),
        _ => start + duration,
    };
    let dated = [
        info.game_start_timestamp,
        info.game_creation,
        end.as_millis(),
    ];
    let moment = dated
        .into_iter()
        .find(|&ms| ms > 0)
        .map(Timestamp::from_millis);
    let year = moment
        .and_then(Timestamp::year)
        .ok_or_else(|| RiotError::Payload("it says nowhere when the game was".to_owned()))?;
    let remake = info
        .participants
        .iter()
        .any(|seat| seat.game_ended_in_early_surrender);
    let class = if duration.as_secs() == 0 || info.participants.is_empty() {
        MatchClass::Void
    } else if remake {
        MatchClass::Remake
    } else {
        MatchClass::Played
    };
    let participants = info
        .participants
        .into_iter()
        .enumerate()
        .map(|(index, seat)| read_seat(index, seat))
        .collect::<Result<_, _>>()?;
    Ok(MatchRecord {
        id,
        data_version: metadata.data_version,
        game_creation: Timestamp::from_millis(info.game_creation),
        game_start: start,
        game_end: end,
        game_duration_s: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        queue_id: info.queue_id,
        map_id: info.map_id,
        game_mode: info.game_mode,
        game_type: info.game_type,
        game_version: info.game_version,
        end_of_game_result: info.end_of_game_result,
        year,
        class,
        participants,
    })
}

fn check_id(asked: MatchId, answered: MatchId) -> Result<(), RiotError> {
    if asked == answered {
        Ok(())
    } else {
        Err(RiotError::Payload(format!(
            "{asked} was asked for, {answered} was answered"
        )))
    }
}

fn read_seat(index: usize, seat: Participant) -> Result<ParticipantRecord, RiotError> {
    let player = if seat.puuid == "BOT" {
        None
    } else {
        let puuid: Puuid = seat
            .puuid
            .parse()
            .map_err(|error| RiotError::Payload(format!("{error}")))?;
        let riot_id = match (&seat.riot_id_game_name, &seat.riot_id_tagline) {
            (Some(name), Some(tag)) => RiotId::new(name, tag).ok(),
            _ => None,
        };
        Some(SeenPlayer { puuid, riot_id })
    };
    Ok(ParticipantRecord {
        participant_id: match seat.participant_id {
            0 => i32::try_from(index + 1).unwrap_or(i32::MAX),
            id => id,
        },
        player,
        team_id: seat.team_id,
        champion_id: seat.champion_id,
        champion_name: seat.champion_name.into(),
        team_position: seat.team_position,
        role: seat.role,
        lane: seat.lane,
        kills: seat.kills,
        deaths: seat.deaths,
        assists: seat.assists,
        win: seat.win,
        gold_earned: seat.gold_earned,
        total_minions_killed: seat.total_minions_killed,
        neutral_minions_killed: seat.neutral_minions_killed,
        damage_to_champions: seat.total_damage_dealt_to_champions,
        vision_score: seat.vision_score,
        champ_level: seat.champ_level,
        placement: seat.placement,
        subteam_id: seat.player_subteam_id,
        items: [
            seat.item0, seat.item1, seat.item2, seat.item3, seat.item4, seat.item5, seat.item6,
        ],
        spells: [seat.summoner1_id, seat.summoner2_id],
        perk_primary_style: seat.perks.style("primaryStyle"),
        perk_sub_style: seat.perks.style("subStyle"),
    })
}

#[derive(Deserialize)]
struct TimelineDocument {
    metadata: Metadata,
    info: TimelineInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimelineInfo {
    #[serde(default)]
    frame_interval: i64,
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(default)]
    events: Vec<IgnoredAny>,
}

/// Reads the timeline document of `id`: its events are counted, not kept; the payload keeps them.
pub fn parse_timeline(id: MatchId, text: &[u8]) -> Result<TimelineRecord, RiotError> {
    let TimelineDocument { metadata, info } = parse(text)?;
    check_id(id, metadata.match_id)?;
    let events: usize = info.frames.iter().map(|frame| frame.events.len()).sum();
    Ok(TimelineRecord {
        id,
        data_version: metadata.data_version,
        frame_interval_ms: info.frame_interval,
        frame_count: i32::try_from(info.frames.len()).unwrap_or(i32::MAX),
        event_count: i32::try_from(events).unwrap_or(i32::MAX),
    })
}

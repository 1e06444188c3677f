//! What upkeep sees of a database, and what it asks of it: the same on both.

mod sums;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use diesel::sql_types::{Binary, Integer, Nullable, SmallInt, Text};
use serde::Deserialize;

pub(super) use self::sums::{
    PlayersGame, PlayersGameRow, StatsRow, StatsTuple, YearRow, YearTuple, add_up, differing,
};
use super::repack::gone;
use super::rows::{from_json, payload_from};
use super::{GivenUp, StoreError, StoreResult, check_match};
use crate::model::details::{BanRecord, Cell, Details, MatchDetails, SHEETS, TeamRecord};
use crate::model::records::{
    Dictionary, MatchClass, MatchRecord, ParticipantRecord, Payload, PayloadKind, SeenPlayer,
    TimelineRecord,
};
use crate::model::timeline_details::{EventRecord, ParticipantTimeline, TimelineDetails};
use crate::model::{JobId, MatchId, Timestamp};

/// Puts the rows of one thing right. Of a match that was cleaned away it changes nothing.
#[derive(Debug, Clone)]
pub enum Repair {
    /// Its rows become what the document says, and the statistics of all who sat there, before or after,
    /// what they add up to.
    Match {
        record: Arc<MatchRecord>,
        /// None: the stored one is good.
        payload: Option<Payload>,
        /// Of the key that the puuids belong to; empty: not known.
        key_fingerprint: Arc<str>,
    },
    /// The tables of details become what the document says; all other rows of the match are as it says.
    Details { record: Arc<MatchRecord> },
    Timeline {
        record: TimelineRecord,
        payload: Option<Payload>,
    },
    /// A stored document still cannot be made into rows, for this reason.
    Unread {
        kind: PayloadKind,
        id: MatchId,
        reason: String,
    },
    /// The statistics of these players become what they add up to.
    Statistics { players: Vec<i64> },
}

impl Repair {
    /// Refuses what the tables cannot hold before anything is written.
    pub(super) fn check(&self) -> StoreResult<()> {
        match self {
            Self::Match { record, .. } | Self::Details { record } => check_match(record),
            Self::Timeline { .. } | Self::Unread { .. } | Self::Statistics { .. } => Ok(()),
        }
    }
}

/// All that is stored of one match.
#[derive(Debug, Clone)]
pub struct StoredDocuments {
    pub id: MatchId,
    /// As the rows tell, without the names of players. None: no row of `matches`.
    pub record: Option<MatchRecord>,
    pub platform: Option<String>,
    pub participants: Vec<ParticipantRow>,
    pub details: MatchDetails,
    /// Without its details.
    pub timeline: Option<TimelineRecord>,
    pub timeline_details: TimelineDetails,
    /// What cannot be read has a reason.
    pub payloads: HashMap<PayloadKind, Result<Payload, String>>,
    /// Documents that could not be made into rows.
    pub unread: HashMap<PayloadKind, UnreadRow>,
}

/// A row of `unread_payloads`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadRow {
    pub reason: String,
    /// Of riftsync, that could not read it.
    pub version: String,
    /// Of the key that its puuids belong to; empty: not known.
    pub key_fingerprint: String,
}

/// A row of `match_participants`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParticipantRow {
    pub participant: ParticipantRecord,
    /// May name a player who is not there: then the participant is nobody known.
    pub player_id: Option<i64>,
}

/// One step of a cleanup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleanup {
    /// Matches that were stored before.
    pub before: Timestamp,
    /// Matches of this step at most.
    pub limit: usize,
    /// Statistics lose what the matches count for; else they keep it.
    pub adjust_stats: bool,
}

/// What a cleanup would delete: rows, and bytes of documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Leftovers {
    pub matches: u64,
    pub participants: u64,
    pub timelines: u64,
    pub payloads: u64,
    pub payload_bytes: u64,
    pub orphaned_payloads: u64,
    pub orphaned_bytes: u64,
    /// Documents of no match that were kept unread.
    pub unread_payloads: u64,
    pub finished_jobs: u64,
    pub engines: u64,
}

pub(super) type LeftoversTuple = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);

pub(super) fn leftovers_from(row: LeftoversTuple) -> Leftovers {
    let n = |number| u64::try_from(number).unwrap_or(0);
    Leftovers {
        matches: n(row.0),
        participants: n(row.1),
        timelines: n(row.2),
        payloads: n(row.3),
        payload_bytes: n(row.4),
        orphaned_payloads: n(row.5),
        orphaned_bytes: n(row.6),
        unread_payloads: n(row.7),
        finished_jobs: n(row.8),
        engines: n(row.9),
    }
}

/// A line of `Documents`: table, match, its columns as a JSON array (of a payload: its kind), codec,
/// dictionary, body. An unread document has its kind and its row. A dictionary has its number in the place of the codec, and no match.
pub(super) type DocumentRow = (
    SmallInt,
    Text,
    Text,
    Integer,
    Nullable<Integer>,
    Nullable<Binary>,
);
pub(super) type DocumentTuple = (i16, String, String, i32, Option<i32>, Option<Vec<u8>>);

#[derive(Deserialize)]
struct MatchColumns(
    String,
    String,
    i64,
    i64,
    i64,
    i64,
    i32,
    i32,
    String,
    String,
    String,
    Option<String>,
    i16,
    i64,
    Option<String>,
);

#[derive(Deserialize)]
struct ParticipantColumns(ParticipantWho, ParticipantScore, ParticipantThings);

#[derive(Deserialize)]
struct ParticipantWho(
    i32,
    Option<i64>,
    Option<String>,
    i32,
    i32,
    String,
    String,
    String,
    String,
);

#[derive(Deserialize)]
struct ParticipantScore(
    i32,
    i32,
    i32,
    i64,
    i32,
    i32,
    i32,
    i32,
    i32,
    i32,
    Option<i32>,
    Option<i32>,
);

#[derive(Deserialize)]
struct ParticipantThings([i32; 7], [i32; 2], i32, i32);

#[derive(Deserialize)]
struct TimelineColumns(String, i64, i32, i32);

#[derive(Deserialize)]
struct UnreadColumns(String, String, String, String);

#[derive(Deserialize)]
struct BanColumns(i32, Cell, Cell, Cell);

#[derive(Deserialize)]
struct TimelineOfParticipant(i32, String, String);

impl From<TimelineOfParticipant> for ParticipantTimeline {
    fn from(row: TimelineOfParticipant) -> Self {
        Self {
            participant_id: row.0,
            minutes: row.1,
            purchases: row.2,
        }
    }
}

#[derive(Deserialize)]
struct EventColumns(
    i32,
    Cell,
    Option<String>,
    Cell,
    Cell,
    Cell,
    Option<String>,
    Cell,
    Cell,
    Cell,
    Cell,
    Cell,
    Option<String>,
    Option<String>,
    Option<String>,
);

impl From<EventColumns> for EventRecord {
    fn from(row: EventColumns) -> Self {
        Self {
            event: row.0,
            at_ms: row.1,
            kind: row.2,
            participant_id: row.3,
            victim_id: row.4,
            team_id: row.5,
            assists: row.6,
            x: row.7,
            y: row.8,
            item_id: row.9,
            value: row.10,
            bounty: row.11,
            about: row.12,
            about_more: row.13,
            lane: row.14,
        }
    }
}

/// The tables of lines that hold details of participants, one after the other; then teams, and bans.
const DETAILS: std::ops::Range<i16> = 10..14;
const TEAM: i16 = 14;
const BAN: i16 = 15;
/// Those of timelines.
const PARTICIPANT_TIMELINE: i16 = 16;
const EVENT: i16 = 17;

/// The table of a line that holds a dictionary.
const DICTIONARY: i16 = 4;

pub(super) fn documents_from(mut rows: Vec<DocumentTuple>) -> StoreResult<Vec<StoredDocuments>> {
    let dictionaries: HashMap<i32, Arc<Dictionary>> = rows
        .extract_if(.., |row| row.0 == DICTIONARY)
        .map(|(.., id, _, body)| {
            let body = body.unwrap_or_default().into();
            (id, Arc::new(Dictionary { id, body }))
        })
        .collect();
    let mut all: BTreeMap<String, StoredDocuments> = BTreeMap::new();
    for (table, id, columns, codec, dictionary, body) in rows {
        let match_id = parse_id(&id)?;
        let one = all.entry(id.clone()).or_insert_with(|| StoredDocuments {
            id: match_id,
            record: None,
            platform: None,
            participants: Vec::new(),
            details: MatchDetails::default(),
            timeline: None,
            timeline_details: TimelineDetails::default(),
            payloads: HashMap::new(),
            unread: HashMap::new(),
        });
        match table {
            0 => {
                let (record, platform, patch) = match_of(match_id, &columns)?;
                one.record = Some(record);
                one.details.patch = patch;
                one.platform = Some(platform);
            }
            1 => one.participants.push(participant_of(&columns)?),
            2 => one.timeline = Some(timeline_of(match_id, &columns)?),
            5 => one.unread.extend(unread_of(&columns)?),
            PARTICIPANT_TIMELINE => {
                let row: TimelineOfParticipant = from_json(&columns)?;
                one.timeline_details.participants.push(row.into());
            }
            EVENT => {
                let row: EventColumns = from_json(&columns)?;
                one.timeline_details.events.push(row.into());
            }
            table if DETAILS.contains(&table) || table == TEAM || table == BAN => {
                detail_of(&mut one.details, table, &columns)?;
            }
            _ => {
                let kind = match columns.as_str() {
                    "timeline" => PayloadKind::Timeline,
                    _ => PayloadKind::Match,
                };
                let dictionary = dictionary.map(|id| {
                    let gone = || Arc::new(gone(id));
                    dictionaries.get(&id).cloned().unwrap_or_else(gone)
                });
                let payload = payload_from((codec, body.unwrap_or_default()), dictionary, &id);
                one.payloads
                    .insert(kind, payload.map_err(|error| error.to_string()));
            }
        }
    }
    let mut all: Vec<StoredDocuments> = all.into_values().collect();
    all.iter_mut().for_each(StoredDocuments::sort);
    Ok(all)
}

impl StoredDocuments {
    /// Rows come in no order.
    fn sort(&mut self) {
        self.participants
            .sort_by_key(|row| row.participant.participant_id);
        self.details.teams.sort_by_key(|team| team.team_id);
        self.details.bans.sort_by_key(|ban| ban.ban);
        let timeline = &mut self.timeline_details;
        timeline.participants.sort_by_key(|row| row.participant_id);
        timeline.events.sort_by_key(|row| row.event);
    }
}

fn timeline_of(id: MatchId, columns: &str) -> StoreResult<TimelineRecord> {
    let TimelineColumns(data_version, frame_interval_ms, frame_count, event_count) =
        from_json(columns)?;
    Ok(TimelineRecord {
        id,
        data_version,
        frame_interval_ms,
        frame_count,
        event_count,
        details: TimelineDetails::default(),
    })
}

/// A line of a document that could not be read; none: of no kind that we know.
fn unread_of(columns: &str) -> StoreResult<Option<(PayloadKind, UnreadRow)>> {
    let UnreadColumns(kind, reason, version, key_fingerprint) = from_json(columns)?;
    let row = UnreadRow {
        reason,
        version,
        key_fingerprint,
    };
    Ok(PayloadKind::parse(&kind).map(|kind| (kind, row)))
}

/// A line of details: its number, then its cells.
fn detail_of(details: &mut MatchDetails, table: i16, columns: &str) -> StoreResult<()> {
    if table == BAN {
        let BanColumns(ban, team_id, turn, champion_id) = from_json(columns)?;
        details.bans.push(BanRecord {
            ban,
            team_id,
            turn,
            champion_id,
        });
        return Ok(());
    }
    let cells: Vec<Cell> = from_json(columns)?;
    let Some((Some(number), cells)) = cells.split_first() else {
        return Err(StoreError::Unexpected(
            "a row of details is empty".to_owned(),
        ));
    };
    if table == TEAM {
        details.teams.push(TeamRecord {
            team_id: *number,
            cells: cells.to_vec(),
        });
        return Ok(());
    }
    let at = usize::from(table.abs_diff(DETAILS.start));
    let one = details.participants.entry(*number).or_default();
    one.rows[at] = true;
    one.details.set(&SHEETS[at], cells);
    Ok(())
}

pub(super) fn parse_id(id: &str) -> StoreResult<MatchId> {
    id.parse()
        .map_err(|error: crate::model::IdError| StoreError::Unexpected(error.to_string()))
}

/// The keys that jobs for the documents of these matches may have.
pub(super) fn job_keys(ids: &[MatchId]) -> Vec<String> {
    ids.iter()
        .flat_map(|id| ["", "/no-timeline", "/mend"].map(|what| format!("{id}{what}")))
        .collect()
}

pub(super) fn given_up_from(rows: Vec<(String, String, i64)>) -> Vec<GivenUp> {
    let one = |(kind, key, job): (String, String, i64)| {
        let kind = match kind.as_str() {
            "sync_match_data" => PayloadKind::Match,
            _ => PayloadKind::Timeline,
        };
        let id = key.split('/').next()?.parse().ok()?;
        let job = JobId(job);
        Some(GivenUp { kind, id, job })
    };
    rows.into_iter().filter_map(one).collect()
}

/// Ids that are none, which somebody wrote by hand, are passed over.
pub(super) fn ids_from(rows: &[String]) -> Vec<MatchId> {
    rows.iter().filter_map(|id| id.parse().ok()).collect()
}

fn match_of(id: MatchId, columns: &str) -> StoreResult<(MatchRecord, String, Option<String>)> {
    let MatchColumns(
        platform,
        data_version,
        creation,
        start,
        end,
        duration,
        queue_id,
        map_id,
        game_mode,
        game_type,
        game_version,
        end_of_game_result,
        year,
        is_remake,
        patch,
    ) = from_json(columns)?;
    let class = match (duration, is_remake) {
        (0, _) => MatchClass::Void,
        (_, 0) => MatchClass::Played,
        _ => MatchClass::Remake,
    };
    let record = MatchRecord {
        id,
        data_version,
        game_creation: Timestamp::from_millis(creation),
        game_start: Timestamp::from_millis(start),
        game_end: Timestamp::from_millis(end),
        game_duration_s: duration,
        queue_id,
        map_id,
        game_mode,
        game_type,
        game_version,
        end_of_game_result,
        year,
        class,
        participants: Vec::new(),
        teams: Vec::new(),
        bans: Vec::new(),
    };
    Ok((record, platform, patch))
}

fn participant_of(columns: &str) -> StoreResult<ParticipantRow> {
    let ParticipantColumns(who, score, things) = from_json(columns)?;
    let player = who.2.and_then(|puuid| puuid.parse().ok());
    let participant = ParticipantRecord {
        participant_id: who.0,
        player: player.map(|puuid| SeenPlayer {
            puuid,
            riot_id: None,
        }),
        team_id: who.3,
        champion_id: who.4,
        champion_name: who.5.into(),
        team_position: who.6,
        role: who.7,
        lane: who.8,
        kills: score.0,
        deaths: score.1,
        assists: score.2,
        win: score.3 != 0,
        gold_earned: score.4,
        total_minions_killed: score.5,
        neutral_minions_killed: score.6,
        damage_to_champions: score.7,
        vision_score: score.8,
        champ_level: score.9,
        placement: score.10,
        subteam_id: score.11,
        items: things.0,
        spells: things.1,
        perk_primary_style: things.2,
        perk_sub_style: things.3,
        // See `StoredDocuments::details`.
        details: Details::default(),
    };
    Ok(ParticipantRow {
        participant,
        player_id: who.1,
    })
}

//! Rows of the data tables, free of where they come from and where they go.

use std::sync::Arc;

use bytes::Bytes;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::details::{BanRecord, Details, MatchDetails, StoredDetails, TeamRecord, patch_of};
use super::ids::{MatchId, Platform, Puuid, RiotId};
use super::timeline_details::TimelineDetails;

/// How a stored body is packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// gzip: byte for byte as it was received, or packed so again.
    Gzip,
    /// zstd, with what it was packed with beside the document.
    Zstd(Option<Arc<Dictionary>>),
}

impl Codec {
    /// The number is a contract of the table `payloads`.
    pub fn number(&self) -> i32 {
        match self {
            Self::Gzip => 1,
            Self::Zstd(_) => 2,
        }
    }

    /// The row of the dictionary.
    pub fn dictionary(&self) -> Option<i32> {
        match self {
            Self::Gzip => None,
            Self::Zstd(dictionary) => dictionary.as_ref().map(|dictionary| dictionary.id),
        }
    }
}

/// What many documents have in common, so that it need not stand in each.
#[derive(Clone, PartialEq, Eq)]
pub struct Dictionary {
    pub id: i32,
    /// Empty: its row is gone, and nothing that was packed with it can be read.
    pub body: Bytes,
}

impl std::fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "dictionary {} of {} bytes", self.id, self.body.len())
    }
}

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    pub codec: Codec,
    pub body: Bytes,
}

/// The two documents of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadKind {
    Match,
    Timeline,
}

impl PayloadKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Timeline => "timeline",
        }
    }

    /// None: a word that somebody wrote by hand.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Match, Self::Timeline]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Does a match count in statistics, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchClass {
    /// A game like any other.
    Played,
    /// Ended by an early surrender: counts as a remake and as nothing else.
    Remake,
    /// Never took place (duration 0, or the empty document): counts nowhere.
    Void,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MatchRecord {
    pub id: MatchId,
    pub data_version: String,
    pub game_creation: Timestamp,
    pub game_start: Timestamp,
    pub game_end: Timestamp,
    pub game_duration_s: i64,
    pub queue_id: i32,
    pub map_id: i32,
    pub game_mode: String,
    pub game_type: String,
    pub game_version: String,
    pub end_of_game_result: Option<String>,
    /// Calendar year (UTC) of the match's own start.
    pub year: i16,
    pub class: MatchClass,
    pub participants: Vec<ParticipantRecord>,
    pub teams: Vec<TeamRecord>,
    /// In the order of the document.
    pub bans: Vec<BanRecord>,
}

impl MatchRecord {
    /// See [`patch_of`].
    pub fn patch(&self) -> Option<String> {
        patch_of(&self.game_version)
    }

    /// What is stored beside its first rows.
    pub fn details(&self) -> MatchDetails {
        let participants = self.participants.iter();
        let mut teams = self.teams.clone();
        teams.sort_by_key(|team| team.team_id);
        MatchDetails {
            patch: self.patch(),
            participants: participants
                .filter_map(|one| Some((one.participant_id, StoredDetails::told(&one.details)?)))
                .collect(),
            teams,
            bans: self.bans.clone(),
        }
    }
}

/// Who a participant is.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenPlayer {
    pub puuid: Puuid,
    /// The name the document has for the player; older documents have none.
    pub riot_id: Option<RiotId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ParticipantRecord {
    /// Positive, and each participant's own.
    pub participant_id: i32,
    /// None: a bot, or somebody whose puuid in the document is none, or is that of a participant before.
    pub player: Option<SeenPlayer>,
    pub team_id: i32,
    pub champion_id: i32,
    pub champion_name: Arc<str>,
    pub team_position: String,
    pub role: String,
    pub lane: String,
    pub kills: i32,
    pub deaths: i32,
    pub assists: i32,
    pub win: bool,
    pub gold_earned: i32,
    pub total_minions_killed: i32,
    pub neutral_minions_killed: i32,
    pub damage_to_champions: i32,
    pub vision_score: i32,
    pub champ_level: i32,
    pub placement: Option<i32>,
    pub subteam_id: Option<i32>,
    pub items: [i32; 7],
    pub spells: [i32; 2],
    pub perk_primary_style: i32,
    pub perk_sub_style: i32,
    pub details: Details,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TimelineRecord {
    pub id: MatchId,
    pub data_version: String,
    pub frame_interval_ms: i64,
    pub frame_count: i32,
    pub event_count: i32,
    /// What is stored beside its row.
    pub details: TimelineDetails,
}

/// A player as account-v1 and summoner-v4 tell.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayerRecord {
    pub puuid: Puuid,
    /// None: the account tells no name; the one that is known stays.
    pub riot_id: Option<RiotId>,
    pub platform: Platform,
    pub profile_icon_id: Option<i32>,
    pub summoner_level: Option<i64>,
    /// Is synced again by schedule from now on; false changes nothing.
    pub tracked: bool,
}

/// A document that cannot be made into rows, kept for a version that can.
#[derive(Debug, Clone, PartialEq)]
pub struct UnreadPayload {
    pub kind: PayloadKind,
    pub id: MatchId,
    pub reason: String,
    pub payload: Payload,
    /// Of the key that its puuids belong to.
    pub key_fingerprint: Arc<str>,
    /// It takes the place of a stored document that is broken, also where that one has rows.
    pub replaces: bool,
}

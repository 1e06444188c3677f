//! Durable state: the `Store` trait and the databases behind it. The only SQL of the project.
//!
//! A store is two halves over one database. The jobs' is the engine's (`engine::store`); here are the rows that they
//! write with their ends, and what is read of these. Every method that writes is one transaction: all of it is there
//! after any crash, or none.
//!
//! Deliberately absent: retry policy, queues' slots, League rules beyond "a match is counted once".

#[cfg(test)]
mod agreement;
mod budget_statements;
pub mod copy;
mod data_statements;
mod data_store;
pub mod engine;
pub mod export;
pub mod lake;
mod location;
pub mod names;
pub mod one_match;
pub mod open_tree;
pub mod people;
mod plain;
pub mod postgres;
#[cfg(test)]
mod prepared;
pub mod repack;
mod rows;
mod schema;
#[cfg(test)]
#[path = "../../tests/support/scratch.rs"]
pub(crate) mod scratch;
pub mod sizes;
pub mod sqlite;
pub mod standing;
mod statement;
pub mod synthetic;
#[cfg(test)]
mod tests;
mod traits;
pub mod upkeep;
mod upkeep_statements;
mod words;
pub mod world;
pub mod year;

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use data_store::{BudgetBoard, DataStore, UpkeepStore};
pub use export::ExportStore;
pub use lake::LakeStore;
pub use location::Location;
pub use names::NamesStore;
pub use one_match::OneMatchStore;
pub use open_tree::OpenTree;
pub use people::PeopleStore;
pub use repack::RepackStore;
pub use sizes::SizesStore;
pub use standing::StandingStore;
pub use traits::Store;
pub use upkeep::{Cleanup, Leftovers, ParticipantRow, Repair, StoredDocuments, UnreadRow};
pub use year::YearStore;

// The jobs' half is the engine's, and is found here too.
pub use crate::engine::store::{
    Away, Batch, Beat, Cancelled, DEAD_AFTER, Database, EngineInfo, EngineRow, EngineState,
    Enqueued, Fenced, FleetStore, Hints, JobFilter, JobList, JobStore, LEADS_FOR, Migrations,
    OpenCount, ProbeStore, Rescued, Retried, ScheduleStore, Staged, StoreError, StoreResult,
    Wanted, WriterStats, question, queue_progress, schedules,
};
use crate::model::missing::MissingCounts;
use crate::model::records::{
    MatchRecord, Payload, PayloadKind, PlayerRecord, TimelineRecord, UnreadPayload,
};
use crate::model::statistics::YearlyTally;
use crate::model::{Failure, JobId, MatchId, MissingDocument, Platform, Puuid, RiotId, Timestamp};

/// The end of an attempt of a League job.
pub type Completion = crate::engine::store::Completion<Effect>;

impl crate::engine::store::Effect for Effect {
    /// Bytes of the documents that it stores.
    fn weight(&self) -> usize {
        match self {
            Self::Match { payload, .. } | Self::Timeline { payload, .. } => payload.body.len(),
            Self::Unread(unread) => unread.payload.body.len(),
            Self::Player { .. }
            | Self::Missing(_)
            | Self::Repair(_)
            | Self::Listed(_)
            | Self::Standing(_)
            | Self::Names(_) => 0,
        }
    }

    fn check(&self) -> StoreResult<()> {
        match self {
            Self::Match { record, .. } => check_match(record),
            _ => Ok(()),
        }
    }

    /// A document which cannot be read.
    fn remark(&self) -> Option<Failure> {
        match self {
            Self::Unread(unread) => Some(Failure::new("unread", unread.reason.as_str())),
            _ => None,
        }
    }
}

/// A change of data that belongs to the completion of a job.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A match with its participants, players and statistics. Stored before: nothing changes.
    Match {
        record: Arc<MatchRecord>,
        payload: Payload,
        key_fingerprint: Arc<str>,
    },
    Timeline {
        record: TimelineRecord,
        payload: Payload,
    },
    Player {
        record: PlayerRecord,
        key_fingerprint: Arc<str>,
        /// Rows of the same person, with puuids of other keys: they become one row.
        was: Vec<i64>,
    },
    /// A document that the API does not give; `first_seen` stays what it was.
    Missing(MissingDocument),
    /// A document without rows. Where there are rows of it, nothing changes, unless it `replaces` what is broken.
    Unread(UnreadPayload),
    Repair(Repair),
    /// A player's year as Riot lists it; the player is in a row, or comes with the same end.
    Listed(ListedYear),
    Standing(standing::ToldStanding),
    Names(names::StaticFile),
}

/// A player's year as Riot listed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedYear {
    pub puuid: Puuid,
    pub platform: Platform,
    pub year: i16,
    /// Matches of that year in the list.
    pub matches: u32,
    pub end: ListEnd,
    /// What of it was not stored.
    pub unstored: Vec<MatchId>,
}

/// Whether a player's list reaches back to the beginning of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListEnd {
    /// It does, or did when it was first looked at.
    Before,
    /// It ends with this match of the year; none: it has none of the year.
    At(Option<MatchId>),
}

impl ListEnd {
    /// As the column `list_ends_at` has it.
    pub(crate) fn to_column(self) -> Option<String> {
        match self {
            Self::Before => None,
            Self::At(oldest) => Some(oldest.map(|id| id.to_string()).unwrap_or_default()),
        }
    }

    pub(crate) fn from_column(text: Option<&str>) -> Self {
        // What somebody else wrote there is no match that could be looked up.
        text.map_or(Self::Before, |text| Self::At(text.parse().ok()))
    }
}

/// What of a player's year there is, and what Riot does not give of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YearCoverage {
    pub year: i16,
    pub platform: String,
    /// As it was listed the last time; none: it never was, and what is stored came with other players' matches.
    pub listed: Option<Listing>,
    pub missing_matches: MissingCounts,
    pub missing_timelines: MissingCounts,
    /// Listed matches whose document is stored and could not be read.
    pub unread_matches: u64,
    /// Listed matches that are to be fetched yet: a sync is under way, or did not come to its end.
    pub pending_matches: u64,
    /// Timelines of the player's matches that are stored and could not be read.
    pub unread_timelines: u64,
    /// Timelines of the player's matches that Riot may have, and that were not fetched: nobody wanted them, or not yet.
    pub pending_timelines: u64,
}

/// See [`YearCoverage::listed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    pub at: Timestamp,
    pub matches: u32,
    pub end: ListEnd,
    /// When the match was played with which the list ends; none: it does not, or that match is not stored.
    pub ends_at: Option<Timestamp>,
}

/// A participant is known by the match and its number there.
fn check_match(record: &MatchRecord) -> StoreResult<()> {
    let mut numbers: Vec<i32> = record
        .participants
        .iter()
        .map(|participant| participant.participant_id)
        .collect();
    numbers.sort_unstable();
    match numbers.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(StoreError::Refused(format!(
            "the match {} has two participants of the number {}; nothing of it was stored",
            record.id, pair[0]
        ))),
        None => Ok(()),
    }
}

/// A match that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredMatch {
    pub id: MatchId,
    pub game_start: Timestamp,
    pub year: i16,
}

/// What is known of the documents of a list of matches.
#[derive(Debug, Clone, Default)]
pub struct StoredMatches {
    pub matches: Vec<StoredMatch>,
    pub timelines: Vec<MatchId>,
    /// What the API did not give when it was asked.
    pub missing: Vec<MissingDocument>,
    /// Cleaned away on purpose.
    pub cleaned: Vec<MatchId>,
    /// Stored, and not made into rows.
    pub unread: Vec<(PayloadKind, MatchId)>,
    /// What ended the engines that fetched it; only where that was asked for.
    pub given_up: Vec<GivenUp>,
}

/// A document whose job was discarded because it ended its engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    pub kind: PayloadKind,
    pub id: MatchId,
    pub job: JobId,
}

impl StoredMatches {
    /// Those of the matches that are neither stored nor cleaned away.
    pub fn unstored(&self, ids: &[MatchId]) -> Vec<MatchId> {
        let there = self.matches.iter().map(|there| there.id);
        let there: HashSet<MatchId> = there.chain(self.cleaned.iter().copied()).collect();
        ids.iter()
            .filter(|id| !there.contains(id))
            .copied()
            .collect()
    }
}

/// A player and where to find the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPlayer {
    pub id: i64,
    pub puuid: Puuid,
    pub key_fingerprint: String,
    pub riot_id: Option<RiotId>,
    pub platform: Platform,
    pub profile_icon_id: Option<i32>,
    pub summoner_level: Option<i64>,
}

/// One row of `player_yearly_stats`.
#[derive(Debug, Clone, PartialEq)]
pub struct YearlyStats {
    pub player_id: i64,
    pub year: i16,
    pub platform: String,
    pub tally: YearlyTally,
}

/// What a database holds, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    pub players: u64,
    pub matches: u64,
    pub timelines: u64,
    pub open_jobs: u64,
}

/// Who reports on a board of budgets, and on which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetMember {
    pub key_fingerprint: Arc<str>,
    pub route: &'static str,
    /// New for every life of a limiter.
    pub engine: Arc<str>,
}

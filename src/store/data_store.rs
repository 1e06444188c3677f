//! What the League half of a store is asked for.

use async_trait::async_trait;

use super::{
    BudgetMember, Census, Cleanup, GivenUp, Leftovers, Repair, StoreResult, StoredDocuments,
    StoredMatches, StoredPlayer, YearCoverage, YearlyStats,
};
use crate::model::board_time::BoardTime;
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::model::records::{Payload, PayloadKind};
use crate::model::{MatchId, MissingDocument, RiotId, Timestamp};

/// What is stored of matches and players, for those who look before they fetch and those who show it.
#[async_trait]
pub trait DataStore {
    /// The gap analysis: what of these matches is stored, with rows or unread, and what the API did not give.
    async fn stored_matches(&self, ids: &[MatchId]) -> StoreResult<StoredMatches>;
    /// Missing documents that are to be asked for again by now, those that are due longest first.
    async fn due_documents(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<MissingDocument>>;
    /// A match of one of these platforms that was stored lately and played since the moment, if there is one among
    /// those stored last.
    async fn witness_match(
        &self,
        platforms: &[&str],
        played_since: Timestamp,
    ) -> StoreResult<Option<MatchId>>;
    async fn player(&self, riot_id: &RiotId) -> StoreResult<Option<StoredPlayer>>;
    /// All rows of that name, newest first: one person has several if puuids came from several keys.
    async fn namesakes(&self, riot_id: &RiotId) -> StoreResult<Vec<StoredPlayer>>;
    /// A player's years, as Riot listed them and by what is missing of them. Timelines of matches that were played
    /// before `timelines_gone` are counted as too old where they are not stored.
    async fn coverage(
        &self,
        player_id: i64,
        timelines_gone: Option<Timestamp>,
    ) -> StoreResult<Vec<YearCoverage>>;
    async fn yearly_stats(
        &self,
        player_id: i64,
        year: Option<i16>,
    ) -> StoreResult<Vec<YearlyStats>>;
    /// The same rows, recomputed from `match_participants` and from what cleaned matches count for.
    async fn recomputed_stats(&self, player_id: i64) -> StoreResult<Vec<YearlyStats>>;
    async fn payload(&self, kind: PayloadKind, id: MatchId) -> StoreResult<Option<Payload>>;
    async fn census(&self) -> StoreResult<Census>;
    /// Matches and timelines that are stored and could not be made into rows.
    async fn count_unread(&self) -> StoreResult<[u64; 2]>;
}

/// What is looked at and put right when a database is verified, repaired or cleaned.
#[async_trait]
pub trait UpkeepStore {
    /// All that is stored of these matches, at one moment.
    async fn documents(&self, ids: &[MatchId]) -> StoreResult<Vec<StoredDocuments>>;
    /// Stored matches that a player is a participant of.
    async fn matches_of(&self, player_id: i64, year: i16) -> StoreResult<Vec<MatchId>>;
    /// Matches after this one in the order of their ids, by rows or payloads.
    async fn matches_after(&self, id: &str, limit: usize) -> StoreResult<Vec<MatchId>>;
    /// Those of these players whose statistics are not what they add up to.
    async fn false_statistics(&self, players: &[i64]) -> StoreResult<Vec<i64>>;
    /// Those of these puuids that a row of `players` has.
    async fn known_puuids(&self, puuids: &[&str]) -> StoreResult<Vec<String>>;
    /// Players that were synced by name, the longest ago first.
    async fn players_to_recover(&self) -> StoreResult<Vec<StoredPlayer>>;
    /// Discarded jobs for the documents of these matches.
    async fn discarded_jobs(&self, ids: &[MatchId]) -> StoreResult<u64>;
    /// Documents of these matches whose jobs were discarded because they ended their engines.
    async fn given_up(&self, ids: &[MatchId]) -> StoreResult<Vec<GivenUp>>;
    /// Puts rows right, all in one transaction. Doing it again changes nothing.
    async fn repair(&self, repairs: Vec<Repair>, now: Timestamp) -> StoreResult<()>;
    /// What there is to clean away.
    async fn leftovers(&self, before: Timestamp) -> StoreResult<Leftovers>;
    /// One small transaction of a cleanup: returns how many matches went.
    async fn clean(&self, cleanup: Cleanup, now: Timestamp) -> StoreResult<u64>;
    /// Deletes up to `limit` payloads of no match, and of what is older than the moment engines that ended and
    /// dictionaries that no payload needs. Returns how many.
    async fn clean_orphans(&self, before: Timestamp, limit: usize) -> StoreResult<u64>;
    /// Gives the file system up to so many pages back; returns how many are still free in the file.
    async fn give_back(&self, pages: u32) -> StoreResult<u64>;
}

/// The board on which engines of one key share its limits.
#[async_trait]
pub trait BudgetBoard {
    /// Puts an engine's report of a key's use of a route on the board that engines of the key share, and
    /// takes what it may use.
    async fn share_budget(
        &self,
        member: BudgetMember,
        report: BoardReport,
        now: BoardTime,
    ) -> StoreResult<BoardGrant>;
}

//! The rows that jobs write: what is read of them, kept in order and shared.

use async_trait::async_trait;

use super::SqliteStore;
use super::reader::ReadDsl;
use crate::model::board_time::BoardTime;
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::model::records::{Payload, PayloadKind};
use crate::model::suspicion::LONE_DEATHS_MAX;
use crate::model::{MatchId, MissingDocument, RiotId, Timestamp};
use crate::store::rows::{
    CensusTuple, CoverageTuple, PlayerTuple, StoredTuple, TallyTuple, census_from, coverage_from,
    id_texts, player_from, recomputed_from, stored_from, tallies_from, witness_from,
};
use crate::store::upkeep::{
    DocumentTuple, LeftoversTuple, StatsTuple, differing, documents_from, given_up_from, ids_from,
    job_keys, leftovers_from,
};
use crate::store::{
    BudgetBoard, DataStore, UpkeepStore, data_statements, plain, upkeep_statements,
};
use crate::store::{
    BudgetMember, Census, Cleanup, GivenUp, Leftovers, Repair, StoreResult, StoredDocuments,
    StoredMatches, StoredPlayer, YearCoverage, YearlyStats,
};

#[async_trait]
impl DataStore for SqliteStore {
    async fn stored_matches(&self, ids: &[MatchId]) -> StoreResult<StoredMatches> {
        let list = &id_texts(ids);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<StoredTuple> = data_statements::Stored {
            matches: list,
            timelines: list,
            missing: list,
            cleaned: list,
            unread: list,
        }
        .load(reader.conn())
        .await?;
        stored_from(rows)
    }

    async fn due_documents(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<MissingDocument>> {
        let due = data_statements::DueDocuments {
            now: now.as_millis(),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<StoredTuple> = due.load(reader.conn()).await?;
        Ok(stored_from(rows)?.missing)
    }

    async fn witness_match(
        &self,
        platforms: &[&str],
        played_since: Timestamp,
    ) -> StoreResult<Option<MatchId>> {
        let mut reader = self.readers().borrow().await?;
        let found: Vec<String> = data_statements::WitnessMatch {
            platforms,
            since: played_since.as_millis(),
        }
        .load(reader.conn())
        .await?;
        witness_from(&found)
    }

    async fn player(&self, riot_id: &RiotId) -> StoreResult<Option<StoredPlayer>> {
        Ok(self.namesakes(riot_id).await?.into_iter().next())
    }

    async fn namesakes(&self, riot_id: &RiotId) -> StoreResult<Vec<StoredPlayer>> {
        let name = riot_id.folded();
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<PlayerTuple> = plain::players_by_name(&name).load(reader.conn()).await?;
        rows.into_iter().map(player_from).collect()
    }

    async fn coverage(
        &self,
        player_id: i64,
        timelines_gone: Option<Timestamp>,
    ) -> StoreResult<Vec<YearCoverage>> {
        let coverage = data_statements::Coverage {
            years: player_id,
            matches: player_id,
            timelines: player_id,
            old: player_id,
            unread: player_id,
            pending: player_id,
            unread_timelines: player_id,
            pending_timelines: player_id,
            since: timelines_gone.map_or(i64::MIN, Timestamp::as_millis),
            gone: timelines_gone.map_or(i64::MIN, Timestamp::as_millis),
        };
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<CoverageTuple> = coverage.load(reader.conn()).await?;
        Ok(coverage_from(rows))
    }

    async fn yearly_stats(
        &self,
        player_id: i64,
        year: Option<i16>,
    ) -> StoreResult<Vec<YearlyStats>> {
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<(i32, String, TallyTuple)> = plain::tallies_of_player(player_id)
            .load(reader.conn())
            .await?;
        tallies_from(rows, player_id, year)
    }

    async fn recomputed_stats(&self, player_id: i64) -> StoreResult<Vec<YearlyStats>> {
        Ok(recomputed_from(self.tallies(&[player_id]).await?))
    }

    async fn payload(&self, kind: PayloadKind, id: MatchId) -> StoreResult<Option<Payload>> {
        crate::store::repack::payload(self, &self.dictionaries, kind, &id.to_string()).await
    }

    async fn census(&self) -> StoreResult<Census> {
        let mut reader = self.readers().borrow().await?;
        let row: CensusTuple = data_statements::Census {}.get_result(reader.conn()).await?;
        Ok(census_from(row))
    }

    async fn count_unread(&self) -> StoreResult<[u64; 2]> {
        let mut reader = self.readers().borrow().await?;
        let (matches, timelines): (i64, i64) = data_statements::CountUnread {}
            .get_result(reader.conn())
            .await?;
        Ok([matches, timelines].map(|count| u64::try_from(count).unwrap_or(0)))
    }
}

#[async_trait]
impl UpkeepStore for SqliteStore {
    async fn documents(&self, ids: &[MatchId]) -> StoreResult<Vec<StoredDocuments>> {
        let list = &id_texts(ids);
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<DocumentTuple> = upkeep_statements::Documents {
            matches: list,
            participants: list,
            damage: list,
            combat: list,
            vision: list,
            loadout: list,
            teams: list,
            bans: list,
            minutes: list,
            events: list,
            timelines: list,
            payloads: list,
            dictionaries: list,
            unread: list,
        }
        .load(reader.conn())
        .await?;
        documents_from(rows)
    }

    async fn matches_of(&self, player: i64, year: i16) -> StoreResult<Vec<MatchId>> {
        let mut reader = self.readers().borrow().await?;
        let year = i32::from(year);
        let rows: Vec<String> = upkeep_statements::MatchesOf { player, year }
            .load(reader.conn())
            .await?;
        Ok(ids_from(&rows))
    }

    async fn matches_after(&self, id: &str, limit: usize) -> StoreResult<Vec<MatchId>> {
        let mut reader = self.readers().borrow().await?;
        let max = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = upkeep_statements::MatchesAfter {
            stored_after: id,
            stored_max: max,
            packed_after: id,
            packed_max: max,
            max,
        };
        let rows: Vec<String> = after.load(reader.conn()).await?;
        Ok(ids_from(&rows))
    }

    async fn false_statistics(&self, players: &[i64]) -> StoreResult<Vec<i64>> {
        let rows: Vec<StatsTuple> = {
            let mut reader = self.readers().borrow().await?;
            upkeep_statements::StatsOfPlayers { players }
                .load(reader.conn())
                .await?
        };
        Ok(differing(rows, &self.tallies(players).await?))
    }

    async fn known_puuids(&self, puuids: &[&str]) -> StoreResult<Vec<String>> {
        let mut reader = self.readers().borrow().await?;
        let known = upkeep_statements::KnownPuuids { puuids };
        Ok(known.load(reader.conn()).await?)
    }

    async fn players_to_recover(&self) -> StoreResult<Vec<StoredPlayer>> {
        let mut reader = self.readers().borrow().await?;
        let rows: Vec<PlayerTuple> = upkeep_statements::TrackedPlayers {}
            .load(reader.conn())
            .await?;
        rows.into_iter().map(player_from).collect()
    }

    async fn discarded_jobs(&self, ids: &[MatchId]) -> StoreResult<u64> {
        let ids = &job_keys(ids);
        let mut reader = self.readers().borrow().await?;
        let count: i64 = upkeep_statements::DiscardedJobs { ids }
            .get_result(reader.conn())
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn given_up(&self, ids: &[MatchId]) -> StoreResult<Vec<GivenUp>> {
        let ids = &job_keys(ids);
        let mut reader = self.readers().borrow().await?;
        let statement = upkeep_statements::GivenUp {
            ids,
            deaths: LONE_DEATHS_MAX.cast_signed(),
        };
        Ok(given_up_from(statement.load(reader.conn()).await?))
    }

    async fn repair(&self, repairs: Vec<Repair>, now: Timestamp) -> StoreResult<()> {
        repairs.iter().try_for_each(Repair::check)?;
        self.write(move |tx| repairs.iter().try_for_each(|repair| tx.repair(repair, now)))
            .await
    }

    async fn leftovers(&self, before: Timestamp) -> StoreResult<Leftovers> {
        let at = before.as_millis();
        let mut reader = self.readers().borrow().await?;
        let row: LeftoversTuple = upkeep_statements::Leftovers {
            matches: at,
            participants: at,
            timelines: at,
            payloads: at,
            bytes: at,
            unread: at,
            jobs: at,
            engines: at,
        }
        .get_result(reader.conn())
        .await?;
        Ok(leftovers_from(row))
    }

    async fn clean(&self, cleanup: Cleanup, now: Timestamp) -> StoreResult<u64> {
        self.write(move |tx| tx.clean(cleanup, now)).await
    }

    async fn clean_orphans(&self, before: Timestamp, limit: usize) -> StoreResult<u64> {
        self.write(move |tx| tx.clean_orphans(before, limit)).await
    }

    async fn give_back(&self, pages: u32) -> StoreResult<u64> {
        self.write(move |tx| tx.give_back(pages)).await
    }
}

#[async_trait]
impl BudgetBoard for SqliteStore {
    async fn share_budget(
        &self,
        member: BudgetMember,
        report: BoardReport,
        now: BoardTime,
    ) -> StoreResult<BoardGrant> {
        self.write(move |tx| tx.share_budget(&member, &report, &now))
            .await
    }
}

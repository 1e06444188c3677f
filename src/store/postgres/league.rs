//! The rows that jobs write: what is read of them, kept in order and shared.

use std::sync::Arc;

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::PostgresStore;
use super::reader::read;
use super::transaction::Transaction;
use super::upkeep::Upkeep;
use crate::model::board_time::BoardTime;
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::model::records::{Payload, PayloadKind};
use crate::model::suspicion::LONE_DEATHS_MAX;
use crate::model::{MatchId, MissingDocument, RiotId, Timestamp};
use crate::store::rows::{
    CensusTuple, CoverageTuple, PlayerTuple, census_from, coverage_from, id_texts, player_from,
    recomputed_from,
};
use crate::store::rows::{StoredTuple, TallyTuple, stored_from, tallies_from, witness_from};
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
impl DataStore for PostgresStore {
    async fn stored_matches(&self, ids: &[MatchId]) -> StoreResult<StoredMatches> {
        let list = &id_texts(ids);
        let rows: Vec<StoredTuple> = read!(self.readers, conn => {
            let stored = data_statements::Stored {
                matches: list,
                timelines: list,
                missing: list,
                cleaned: list,
                unread: list,
            };
            stored.load(conn).await
        });
        stored_from(rows)
    }

    async fn due_documents(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<MissingDocument>> {
        let rows: Vec<StoredTuple> = read!(self.readers, conn => {
            let due = data_statements::DueDocuments {
                now: now.as_millis(),
                limit: i64::try_from(limit).unwrap_or(i64::MAX),
            };
            due.load(conn).await
        });
        Ok(stored_from(rows)?.missing)
    }

    async fn witness_match(
        &self,
        platforms: &[&str],
        played_since: Timestamp,
    ) -> StoreResult<Option<MatchId>> {
        let found: Vec<String> = read!(self.readers, conn => {
            let statement = data_statements::WitnessMatch {
                platforms,
                since: played_since.as_millis(),
            };
            statement.load(conn).await
        });
        witness_from(&found)
    }

    async fn player(&self, riot_id: &RiotId) -> StoreResult<Option<StoredPlayer>> {
        Ok(self.namesakes(riot_id).await?.into_iter().next())
    }

    async fn namesakes(&self, riot_id: &RiotId) -> StoreResult<Vec<StoredPlayer>> {
        let name = riot_id.folded();
        let rows: Vec<PlayerTuple> = read!(self.readers, conn =>
            plain::players_by_name(&name).load(conn).await);
        rows.into_iter().map(player_from).collect()
    }

    async fn coverage(
        &self,
        player_id: i64,
        timelines_gone: Option<Timestamp>,
    ) -> StoreResult<Vec<YearCoverage>> {
        let rows: Vec<CoverageTuple> = read!(self.readers, conn => {
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
            coverage.load(conn).await
        });
        Ok(coverage_from(rows))
    }

    async fn yearly_stats(
        &self,
        player_id: i64,
        year: Option<i16>,
    ) -> StoreResult<Vec<YearlyStats>> {
        let rows: Vec<(i32, String, TallyTuple)> = read!(self.readers, conn =>
            plain::tallies_of_player(player_id).load(conn).await);
        tallies_from(rows, player_id, year)
    }

    async fn recomputed_stats(&self, player_id: i64) -> StoreResult<Vec<YearlyStats>> {
        Ok(recomputed_from(self.tallies(&[player_id]).await?))
    }

    async fn payload(&self, kind: PayloadKind, id: MatchId) -> StoreResult<Option<Payload>> {
        crate::store::repack::payload(self, &self.dictionaries, kind, &id.to_string()).await
    }

    async fn census(&self) -> StoreResult<Census> {
        let row: CensusTuple =
            read!(self.readers, conn => data_statements::Census {}.get_result(conn).await);
        Ok(census_from(row))
    }

    async fn count_unread(&self) -> StoreResult<[u64; 2]> {
        let (matches, timelines): (i64, i64) =
            read!(self.readers, conn => data_statements::CountUnread {}.get_result(conn).await);
        Ok([matches, timelines].map(|count| u64::try_from(count).unwrap_or(0)))
    }
}

#[async_trait]
impl UpkeepStore for PostgresStore {
    async fn documents(&self, ids: &[MatchId]) -> StoreResult<Vec<StoredDocuments>> {
        let ids = &id_texts(ids);
        let rows: Vec<DocumentTuple> = read!(self.readers, conn => {
            let documents = upkeep_statements::Documents {
                matches: ids,
                participants: ids,
                damage: ids,
                combat: ids,
                vision: ids,
                loadout: ids,
                teams: ids,
                bans: ids,
                minutes: ids,
                events: ids,
                timelines: ids,
                payloads: ids,
                dictionaries: ids,
                unread: ids,
            };
            documents.load(conn).await
        });
        documents_from(rows)
    }

    async fn matches_of(&self, player: i64, year: i16) -> StoreResult<Vec<MatchId>> {
        let year = i32::from(year);
        let rows: Vec<String> = read!(self.readers, conn =>
            upkeep_statements::MatchesOf { player, year }.load(conn).await);
        Ok(ids_from(&rows))
    }

    async fn matches_after(&self, id: &str, limit: usize) -> StoreResult<Vec<MatchId>> {
        let max = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<String> = read!(self.readers, conn => {
            let after = upkeep_statements::MatchesAfter {
                stored_after: id,
                stored_max: max,
                packed_after: id,
                packed_max: max,
                max,
            };
            after.load(conn).await
        });
        Ok(ids_from(&rows))
    }

    async fn false_statistics(&self, players: &[i64]) -> StoreResult<Vec<i64>> {
        let rows: Vec<StatsTuple> = read!(self.readers, conn =>
            upkeep_statements::StatsOfPlayers { players }.load(conn).await);
        Ok(differing(rows, &self.tallies(players).await?))
    }

    async fn known_puuids(&self, puuids: &[&str]) -> StoreResult<Vec<String>> {
        Ok(read!(self.readers, conn =>
            upkeep_statements::KnownPuuids { puuids }.load(conn).await))
    }

    async fn players_to_recover(&self) -> StoreResult<Vec<StoredPlayer>> {
        let rows: Vec<PlayerTuple> = read!(self.readers, conn =>
            upkeep_statements::TrackedPlayers {}.load(conn).await);
        rows.into_iter().map(player_from).collect()
    }

    async fn discarded_jobs(&self, ids: &[MatchId]) -> StoreResult<u64> {
        let ids = &job_keys(ids);
        let count: i64 = read!(self.readers, conn =>
            upkeep_statements::DiscardedJobs { ids }.get_result(conn).await);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn given_up(&self, ids: &[MatchId]) -> StoreResult<Vec<GivenUp>> {
        let ids = &job_keys(ids);
        let rows = read!(self.readers, conn => {
            let statement = upkeep_statements::GivenUp {
                ids,
                deaths: LONE_DEATHS_MAX.cast_signed(),
            };
            statement.load(conn).await
        });
        Ok(given_up_from(rows))
    }

    async fn repair(&self, repairs: Vec<Repair>, now: Timestamp) -> StoreResult<()> {
        repairs.iter().try_for_each(Repair::check)?;
        self.upkeep(Upkeep::Repair(Arc::new(repairs), now)).await?;
        Ok(())
    }

    async fn leftovers(&self, before: Timestamp) -> StoreResult<Leftovers> {
        let at = before.as_millis();
        let row: LeftoversTuple = read!(self.readers, conn =>
            upkeep_statements::Leftovers { matches: at, participants: at, timelines: at, payloads: at, bytes: at, unread: at, jobs: at, engines: at }.get_result(conn).await);
        Ok(leftovers_from(row))
    }

    async fn clean(&self, cleanup: Cleanup, now: Timestamp) -> StoreResult<u64> {
        self.upkeep(Upkeep::Clean(cleanup, now)).await
    }

    async fn clean_orphans(&self, before: Timestamp, limit: usize) -> StoreResult<u64> {
        self.upkeep(Upkeep::Orphans(before, limit)).await
    }

    /// The server's autovacuum does that.
    async fn give_back(&self, _: u32) -> StoreResult<u64> {
        Ok(0)
    }
}

#[async_trait]
impl BudgetBoard for PostgresStore {
    async fn share_budget(
        &self,
        member: BudgetMember,
        report: BoardReport,
        _: BoardTime,
    ) -> StoreResult<BoardGrant> {
        let asked = Arc::new((member, report, self.database.seen_as()));
        let place = format!("{}\0{}", asked.0.key_fingerprint, asked.0.route);
        self.database
            .write_at(place, move |tx| {
                let asked = asked.clone();
                Box::pin(async move {
                    let (member, report, holder) = &*asked;
                    let mut tx = Transaction::of(tx);
                    tx.share_budget(member, report, holder.as_deref()).await
                })
            })
            .await
    }
}

//! Upkeep: rows put right, and old matches cleaned away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::data_statements as own;
use super::transaction::Transaction;
use super::upkeep_statements;
use crate::model::Timestamp;
use crate::model::records::{MatchRecord, Payload, PayloadKind};
use crate::model::statistics::YearlyTally;
use crate::store::rows::Tallies;
use crate::store::rows::{READER, tally_from, to_json};
use crate::store::upkeep::{PlayersGame, YearTuple, add_up};
use crate::store::upkeep_statements as sql;
use crate::store::{Cleanup, Repair, StoreResult, data_statements, plain};

impl Transaction<'_> {
    pub(super) fn is_cleaned(&mut self, id: &str) -> StoreResult<bool> {
        let found: Option<String> = sql::IsCleaned { id }.get_result(self.conn).optional()?;
        Ok(found.is_some())
    }

    /// Since when there are rows of a document.
    pub(super) fn stored_at(&mut self, kind: PayloadKind, id: &str) -> StoreResult<Option<i64>> {
        let found = match kind {
            PayloadKind::Match => plain::stored_at(id).get_result(self.conn),
            PayloadKind::Timeline => plain::timeline_stored_at(id).get_result(self.conn),
        };
        Ok(found.optional()?)
    }

    /// Since when there are rows of a document, or it is kept unread.
    fn kept_since(&mut self, kind: PayloadKind, id: &str) -> StoreResult<Option<i64>> {
        if let Some(stored_at) = self.stored_at(kind, id)? {
            return Ok(Some(stored_at));
        }
        let kind = kind.as_str();
        let kept = plain::unread_since(kind, id).get_result(self.conn);
        Ok(kept.optional()?)
    }

    pub(super) fn repair(&mut self, repair: &Repair, now: Timestamp) -> StoreResult<()> {
        match repair {
            Repair::Match {
                record,
                payload,
                key_fingerprint,
            } => self.repair_match(record, payload.as_ref(), key_fingerprint, now),
            Repair::Details { record } => self.repair_details(record),
            Repair::Timeline { record, payload } => {
                let id = record.id.to_string();
                if self.is_cleaned(&id)? {
                    return Ok(());
                }
                let stored_at = self.kept_since(PayloadKind::Timeline, &id)?;
                let ids = std::slice::from_ref(&id);
                sql::DropTimelines { ids }.execute(self.conn)?;
                self.drop_timeline_details(ids)?;
                own::InsertTimeline {
                    id: &id,
                    data_version: &record.data_version,
                    interval: record.frame_interval_ms,
                    frames: record.frame_count,
                    events: record.event_count,
                    stored_at: stored_at.unwrap_or(now.as_millis()),
                }
                .execute(self.conn)?;
                self.put_timeline_details(&id, &record.details)?;
                match payload {
                    Some(payload) => self.store_payload(PayloadKind::Timeline, &id, payload),
                    None => self.forget_unread(PayloadKind::Timeline, &id),
                }
            }
            Repair::Unread { kind, id, reason } => {
                own::PutUnread {
                    kind: kind.as_str(),
                    id: &id.to_string(),
                    reason,
                    version: READER,
                    fingerprint: "",
                    at: now.as_millis(),
                }
                .execute(self.conn)?;
                Ok(())
            }
            Repair::Statistics { players } => self.recompute_players(players),
        }
    }

    fn repair_match(
        &mut self,
        record: &Arc<MatchRecord>,
        payload: Option<&Payload>,
        fingerprint: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        let id = record.id.to_string();
        if self.is_cleaned(&id)? {
            return Ok(());
        }
        let ids = std::slice::from_ref(&id);
        let before: Vec<(i32, i64, Option<i64>)> =
            sql::ParticipantsOf { id: &id }.load(self.conn)?;
        let stored_at = self.kept_since(PayloadKind::Match, &id)?;
        self.drop_details(ids)?;
        sql::DropParticipants { ids }.execute(self.conn)?;
        sql::DropMatches { ids }.execute(self.conn)?;
        let stored_at = stored_at.map_or(now, Timestamp::from_millis);
        self.insert_match(record, stored_at)?;
        match payload {
            Some(payload) => self.store_payload(PayloadKind::Match, &id, payload)?,
            None => self.forget_unread(PayloadKind::Match, &id)?,
        }
        let mut concerned: BTreeSet<i64> = before.iter().map(|row| row.1).collect();
        for participant in &record.participants {
            let player = match &participant.player {
                None => None,
                Some(seen) => {
                    let puuid = seen.puuid.as_str();
                    let known: Option<(i64, i64)> = data_statements::PlayerByPuuid { puuid }
                        .get_result(self.conn)
                        .optional()?;
                    // A puuid of another key may be gone since its player became one row with others.
                    let sat = before
                        .iter()
                        .find(|row| row.0 == participant.participant_id);
                    let stays = sat.and_then(|row| row.2).filter(|_| known.is_none());
                    if stays.is_some() {
                        stays
                    } else {
                        let platform = record.id.platform();
                        Some(self.seen_player(seen, platform, fingerprint, record.game_end, now)?)
                    }
                }
            };
            self.store_participant(&id, participant, player)?;
            concerned.extend(player);
        }
        self.put_details(&id, record)?;
        let concerned: Vec<i64> = concerned.into_iter().collect();
        self.recompute_players(&concerned)
    }

    fn tallies(&mut self, players: &[i64]) -> StoreResult<Tallies> {
        let games: Vec<PlayersGame> = sql::GamesOfPlayers { players }.load(self.conn)?;
        let cleaned: Vec<YearTuple> = sql::CleanedOfPlayers { players }.load(self.conn)?;
        add_up(games, cleaned)
    }

    /// The statistics of these players become what they add up to.
    pub(super) fn recompute_players(&mut self, players: &[i64]) -> StoreResult<()> {
        let tallies = self.tallies(players)?;
        data_statements::DropStats { players }.execute(self.conn)?;
        for ((player, year, platform), tally) in &tallies {
            self.put_stats(*player, *year, platform, tally)?;
        }
        Ok(())
    }

    /// What cleaned matches count for goes with the player.
    pub(super) fn unite_cleaned(&mut self, to: i64, from: &[i64]) -> StoreResult<()> {
        let rows: Vec<YearTuple> = sql::CleanedOfPlayers { players: from }.load(self.conn)?;
        let mut more = BTreeMap::new();
        for (_, year, platform, tally) in rows {
            let sum: &mut YearlyTally = more.entry((to, year, platform)).or_default();
            sum.merge(&tally_from(tally)?);
        }
        for &player in from {
            plain::drop_cleaned(player).execute(self.conn)?;
        }
        self.add_cleaned(more)
    }

    fn add_cleaned(&mut self, mut more: Tallies) -> StoreResult<()> {
        let players: BTreeSet<i64> = more.keys().map(|place| place.0).collect();
        let players = &players.into_iter().collect::<Vec<_>>();
        let rows: Vec<YearTuple> = sql::CleanedOfPlayers { players }.load(self.conn)?;
        for (player, year, platform, tally) in rows {
            if let Some(sum) = more.get_mut(&(player, year, platform)) {
                sum.merge(&tally_from(tally)?);
            }
        }
        for ((player, year, platform), tally) in &more {
            sql::PutCleaned {
                player: *player,
                year: *year,
                platform,
                wins: tally.wins,
                losses: tally.losses,
                remakes: tally.remakes,
                kills: tally.kills,
                deaths: tally.deaths,
                assists: tally.assists,
                gold: tally.gold_earned,
                minions: tally.total_minions_killed,
                neutral: tally.neutral_minions_killed,
                damage: tally.damage_to_champions,
                counts: &to_json(&tally.counts)?,
            }
            .execute(self.conn)?;
        }
        Ok(())
    }

    pub(super) fn clean(&mut self, cleanup: Cleanup, now: Timestamp) -> StoreResult<u64> {
        let old: Vec<String> = sql::OldMatches {
            before: cleanup.before.as_millis(),
            unread_before: cleanup.before.as_millis(),
            limit: i64::try_from(cleanup.limit).unwrap_or(i64::MAX),
        }
        .load(self.conn)?;
        if old.is_empty() {
            return Ok(0);
        }
        let ids = old.as_slice();
        let games: Vec<PlayersGame> = sql::GamesOfMatches { ids }.load(self.conn)?;
        let players: BTreeSet<i64> = games.iter().map(|game| game.0).collect();
        let at = now.as_millis();
        sql::MarkCleaned { at, ids }.execute(self.conn)?;
        sql::DropMatches { ids }.execute(self.conn)?;
        sql::DropTimelines { ids }.execute(self.conn)?;
        self.drop_timeline_details(ids)?;
        sql::DropPayloads { ids }.execute(self.conn)?;
        sql::DropUnread { ids }.execute(self.conn)?;
        sql::DropParticipants { ids }.execute(self.conn)?;
        self.drop_details(ids)?;
        if cleanup.adjust_stats {
            let players: Vec<i64> = players.into_iter().collect();
            self.recompute_players(&players)?;
        } else {
            self.add_cleaned(add_up(games, Vec::new())?)?;
        }
        Ok(old.len() as u64)
    }

    pub(super) fn clean_orphans(&mut self, before: Timestamp, limit: usize) -> StoreResult<u64> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let at = before.as_millis();
        sql::DropUnreadTimelines { before: at, limit }.execute(self.conn)?;
        let payloads = upkeep_statements::DropOrphans { limit }.execute(self.conn)?;
        let dictionaries = self.drop_dictionaries(before)?;
        let before = before.as_millis();
        let engines = upkeep_statements::DropEngines { before }.execute(self.conn)?;
        Ok((payloads + engines) as u64 + dictionaries)
    }

    pub(super) fn give_back(&mut self, pages: u32) -> StoreResult<u64> {
        if pages > 0 {
            // It frees a page a step: as a batch, all its steps are made.
            self.conn
                .batch_execute(&format!("PRAGMA incremental_vacuum({pages})"))?;
        }
        let free: i64 = upkeep_statements::FreePages {}.get_result(self.conn)?;
        Ok(u64::try_from(free).unwrap_or(0))
    }
}

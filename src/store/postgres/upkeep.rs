//! Upkeep: rows put right, and old matches cleaned away.
//!
//! Each piece is a transaction on a connection of its own: it locks no job, waits behind no group, and comes to
//! its end also when nobody waits for it any more. While it runs, no match is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::result::OptionalExtension;
use diesel_async::RunQueryDsl;

use super::Fault;
use super::PostgresStore;
use super::data::clean;
use super::data_statements as own;
use super::locks::Class;
use super::transaction::Transaction;
use super::upkeep_statements;
use crate::engine::postgres;
use crate::model::Timestamp;
use crate::model::records::{MatchRecord, Payload, PayloadKind};
use crate::model::statistics::YearlyTally;
use crate::store::repack::{Repacked, Trained};
use crate::store::rows::Tallies;
use crate::store::rows::{READER, tally_from, to_json};
use crate::store::upkeep::{PlayersGame, YearTuple, add_up};
use crate::store::upkeep_statements as sql;
use crate::store::{Cleanup, Repair, StoreResult, data_statements, plain};

/// A piece of upkeep. Doing it twice is as good as doing it once.
#[derive(Debug, Clone)]
pub(super) enum Upkeep {
    Repair(Arc<Vec<Repair>>, Timestamp),
    Clean(Cleanup, Timestamp),
    Orphans(Timestamp, usize),
    Repack(Arc<Vec<Repacked>>),
    Dictionary(Arc<Trained>, Timestamp),
    DropDictionaries(Timestamp),
}

impl PostgresStore {
    pub(super) async fn upkeep(&self, upkeep: Upkeep) -> StoreResult<u64> {
        self.database
            .apart(move |tx| {
                let upkeep = upkeep.clone();
                Box::pin(async move { Transaction::of(tx).keep_up(&upkeep).await })
            })
            .await
    }
}

impl Transaction<'_> {
    async fn keep_up(&mut self, upkeep: &Upkeep) -> Result<u64, Fault> {
        self.locks.exclusive(Class::PlayersLock);
        let _locked: i32 = own::UnitePlayers {}.get_result(&mut self.conn).await?;
        match upkeep {
            Upkeep::Repair(repairs, now) => {
                for repair in repairs.iter() {
                    self.repair(repair, *now).await?;
                }
                Ok(repairs.len() as u64)
            }
            Upkeep::Clean(cleanup, now) => self.clean(*cleanup, *now).await,
            Upkeep::Orphans(before, limit) => self.clean_orphans(*before, *limit).await,
            Upkeep::Repack(repacked) => self.repack(repacked).await,
            Upkeep::Dictionary(trained, now) => self.add_dictionary(trained, *now).await,
            Upkeep::DropDictionaries(before) => self.drop_dictionaries(*before).await,
        }
    }

    pub(super) async fn is_cleaned(&mut self, id: &str) -> Result<bool, Fault> {
        let cleaned = sql::IsCleaned { id }.get_result(&mut self.conn).await;
        let found: Option<String> = cleaned.optional()?;
        Ok(found.is_some())
    }

    /// Since when there are rows of a document, or it is kept unread.
    async fn kept_since(&mut self, kind: PayloadKind, id: &str) -> Result<Option<i64>, Fault> {
        let stored = match kind {
            PayloadKind::Match => plain::stored_at(id).get_result(&mut self.conn).await,
            PayloadKind::Timeline => {
                let stored = plain::timeline_stored_at(id);
                stored.get_result(&mut self.conn).await
            }
        };
        let stored: Option<i64> = stored.optional()?;
        if stored.is_some() {
            return Ok(stored);
        }
        let kind = kind.as_str();
        let kept = plain::unread_since(kind, id)
            .get_result(&mut self.conn)
            .await;
        Ok(kept.optional()?)
    }

    async fn forget_unread(&mut self, kind: PayloadKind, id: &str) -> Result<(), Fault> {
        let (kinds, ids) = (vec![kind.as_str()], vec![id]);
        own::ForgetUnread { kinds, ids }
            .execute(&mut self.conn)
            .await?;
        Ok(())
    }

    /// To be called while nobody else stores matches.
    pub(super) async fn repair(&mut self, repair: &Repair, now: Timestamp) -> Result<(), Fault> {
        match repair {
            Repair::Match {
                record,
                payload,
                key_fingerprint,
            } => {
                self.repair_match(record, payload.as_ref(), key_fingerprint, now)
                    .await
            }
            Repair::Details { record } => self.repair_details(record).await,
            Repair::Timeline { record, payload } => {
                let id = record.id.to_string();
                if self.is_cleaned(&id).await? {
                    return Ok(());
                }
                let stored_at = self.kept_since(PayloadKind::Timeline, &id).await?;
                let ids = std::slice::from_ref(&id);
                sql::DropTimelines { ids }.execute(&mut self.conn).await?;
                self.drop_timeline_details(ids).await?;
                self.forget_unread(PayloadKind::Timeline, &id).await?;
                let stored_at = stored_at.map_or(now, Timestamp::from_millis);
                self.put_timeline(record, payload.as_ref(), stored_at).await
            }
            Repair::Unread { kind, id, reason } => {
                own::PutUnread {
                    kinds: vec![kind.as_str()],
                    ids: vec![&id.to_string()],
                    reasons: vec![&clean(reason)],
                    fingerprints: vec![""],
                    at: vec![now.as_millis()],
                    version: READER,
                }
                .execute(&mut self.conn)
                .await?;
                Ok(())
            }
            Repair::Statistics { players } => self.recompute_players(players).await,
        }
    }

    async fn repair_match(
        &mut self,
        record: &MatchRecord,
        payload: Option<&Payload>,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let id = record.id.to_string();
        if self.is_cleaned(&id).await? {
            return Ok(());
        }
        let before: Vec<(i32, i64, Option<i64>)> =
            sql::ParticipantsOf { id: &id }.load(&mut self.conn).await?;
        let stored_at = self.kept_since(PayloadKind::Match, &id).await?;
        self.forget_unread(PayloadKind::Match, &id).await?;
        let ids = std::slice::from_ref(&id);
        let participants = sql::DropParticipants { ids };
        participants.execute(&mut self.conn).await?;
        self.drop_details(ids).await?;
        sql::DropMatches { ids }.execute(&mut self.conn).await?;
        let puuids = record.participants.iter().filter_map(|participant| {
            let seen = participant.player.as_ref()?;
            Some((participant.participant_id, seen.puuid.as_str()))
        });
        let puuids: Vec<(i32, &str)> = puuids.collect();
        let known: Vec<(String, i64, i64)> = own::KnownPlayers {
            puuids: puuids.iter().map(|(_, puuid)| *puuid).collect(),
        }
        .load(&mut self.conn)
        .await?;
        // A puuid of another key may be gone since its player became one row with others.
        let mut sat = BTreeMap::new();
        for (participant, puuid) in puuids {
            let player = before
                .iter()
                .find(|row| row.0 == participant)
                .and_then(|row| row.2);
            if let Some(player) = player
                && !known.iter().any(|(known, ..)| known == puuid)
            {
                sat.insert(puuid.to_owned(), player);
            }
        }
        let times = (stored_at.map_or(now, Timestamp::from_millis), now);
        let players = self
            .put_match(record, payload, fingerprint, times, sat)
            .await?;
        let concerned: BTreeSet<i64> = before
            .iter()
            .map(|row| row.1)
            .chain(players.into_values())
            .collect();
        let concerned: Vec<i64> = concerned.into_iter().collect();
        self.recompute_players(&concerned).await
    }

    async fn cleaned_of(&mut self, players: &[i64]) -> Result<Vec<YearTuple>, Fault> {
        let cleaned = sql::CleanedOfPlayers { players };
        Ok(cleaned.load(&mut self.conn).await?)
    }

    /// The statistics of these players become what they add up to.
    pub(super) async fn recompute_players(&mut self, players: &[i64]) -> Result<(), Fault> {
        let games = sql::GamesOfPlayers { players };
        let games: Vec<PlayersGame> = games.load(&mut self.conn).await?;
        let tallies = add_up(games, self.cleaned_of(players).await?)?;
        data_statements::DropStats { players }
            .execute(&mut self.conn)
            .await?;
        self.insert_tallies(&tallies).await
    }

    /// What cleaned matches count for goes with the player.
    pub(super) async fn unite_cleaned(&mut self, to: i64, from: &[i64]) -> Result<(), Fault> {
        let mut more = Tallies::new();
        for (_, year, platform, tally) in self.cleaned_of(from).await? {
            let sum: &mut YearlyTally = more.entry((to, year, platform)).or_default();
            sum.merge(&tally_from(tally)?);
        }
        for &player in from {
            plain::drop_cleaned(player).execute(&mut self.conn).await?;
        }
        self.add_cleaned(more).await
    }

    async fn add_cleaned(&mut self, mut more: Tallies) -> Result<(), Fault> {
        let players: BTreeSet<i64> = more.keys().map(|place| place.0).collect();
        let players: Vec<i64> = players.into_iter().collect();
        for (player, year, platform, tally) in self.cleaned_of(&players).await? {
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
            .execute(&mut self.conn)
            .await?;
        }
        Ok(())
    }

    async fn clean(&mut self, cleanup: Cleanup, now: Timestamp) -> Result<u64, Fault> {
        let old = sql::OldMatches {
            before: cleanup.before.as_millis(),
            unread_before: cleanup.before.as_millis(),
            limit: i64::try_from(cleanup.limit).unwrap_or(i64::MAX),
        };
        let ids: Vec<String> = old.load(&mut self.conn).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let gone = ids.len() as u64;
        let ids = ids.as_slice();
        let games = sql::GamesOfMatches { ids };
        let games: Vec<PlayersGame> = games.load(&mut self.conn).await?;
        let players: BTreeSet<i64> = games.iter().map(|game| game.0).collect();
        let at = now.as_millis();
        let mark = sql::MarkCleaned { at, ids };
        mark.execute(&mut self.conn).await?;
        sql::DropMatches { ids }.execute(&mut self.conn).await?;
        sql::DropTimelines { ids }.execute(&mut self.conn).await?;
        self.drop_timeline_details(ids).await?;
        sql::DropPayloads { ids }.execute(&mut self.conn).await?;
        sql::DropUnread { ids }.execute(&mut self.conn).await?;
        self.drop_details(ids).await?;
        let participants = sql::DropParticipants { ids };
        participants.execute(&mut self.conn).await?;
        if cleanup.adjust_stats {
            let players: Vec<i64> = players.into_iter().collect();
            self.recompute_players(&players).await?;
        } else {
            self.add_cleaned(add_up(games, Vec::new())?).await?;
        }
        Ok(gone)
    }

    async fn clean_orphans(&mut self, before: Timestamp, limit: usize) -> Result<u64, Fault> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let at = before.as_millis();
        let unread = sql::DropUnreadTimelines { before: at, limit };
        unread.execute(&mut self.conn).await?;
        let orphans = upkeep_statements::DropOrphans { limit };
        let payloads = orphans.execute(&mut self.conn).await?;
        let dictionaries = self.drop_dictionaries(before).await?;
        let before = before.as_millis();
        self.locks.pass::<()>(postgres::Class::Engines, &[]);
        let engines = upkeep_statements::DropEngines { before };
        let engines = engines.execute(&mut self.conn).await?;
        Ok((payloads + engines) as u64 + dictionaries)
    }
}

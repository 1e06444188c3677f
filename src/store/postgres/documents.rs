//! Documents and what was read of them, into their tables: one statement for all of a batch. The order is that of `data`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use diesel_async::RunQueryDsl;

use super::Fault;
use super::data::{Document, NewMatch, Sorted, Unread, clean};
use super::data_statements as sql;
use super::locks::Class;
use super::transaction::Transaction;
use crate::model::Timestamp;
use crate::model::records::{MatchClass, MatchRecord, ParticipantRecord};
use crate::store::rows::{READER, to_i32};

impl Transaction<'_> {
    pub(super) async fn put_missing(&self, sorted: &Sorted<'_>) -> Result<(), Fault> {
        if sorted.missing.is_empty() {
            return Ok(());
        }
        let missing = &sorted.missing;
        let each = || missing.values().map(|(missing, _)| missing);
        sql::PutMissing {
            kinds: missing.keys().map(|(kind, _)| *kind).collect(),
            ids: missing.keys().map(|(_, id)| id.as_str()).collect(),
            reasons: each().map(|missing| missing.reason.as_str()).collect(),
            tries: each().map(|missing| to_i32(missing.tries)).collect(),
            first: each()
                .map(|missing| missing.first_seen.as_millis())
                .collect(),
            last: missing.values().map(|(_, now)| now.as_millis()).collect(),
            next: each()
                .map(|missing| missing.next_try.map(Timestamp::as_millis))
                .collect(),
            expires: each()
                .map(|missing| missing.expires_at.map(Timestamp::as_millis))
                .collect(),
        }
        .execute(&mut { self.conn })
        .await?;
        Ok(())
    }

    /// Which of the matches were not stored before: everything the others say has been counted.
    pub(super) async fn insert_matches(
        &self,
        sorted: &Sorted<'_>,
    ) -> Result<HashSet<String>, Fault> {
        if sorted.matches.is_empty() {
            return Ok(HashSet::new());
        }
        let each = || sorted.matches.values().map(|new| new.record);
        let texts: Vec<[Cow<'_, str>; 4]> = each()
            .map(|m| {
                [&m.data_version, &m.game_mode, &m.game_type, &m.game_version]
                    .map(|text| clean(text))
            })
            .collect();
        let results: Vec<Option<Cow<'_, str>>> = each()
            .map(|m| m.end_of_game_result.as_deref().map(clean))
            .collect();
        let patches: Vec<Option<String>> = each().map(MatchRecord::patch).collect();
        let text = |n: usize| texts.iter().map(|texts| &*texts[n]).collect();
        let new: Vec<String> = sql::InsertMatches {
            ids: sorted.matches.keys().map(String::as_str).collect(),
            platforms: each().map(|m| m.id.platform().as_str()).collect(),
            data_versions: text(0),
            creations: each().map(|m| m.game_creation.as_millis()).collect(),
            starts: each().map(|m| m.game_start.as_millis()).collect(),
            ends: each().map(|m| m.game_end.as_millis()).collect(),
            durations: each().map(|m| m.game_duration_s).collect(),
            queue_ids: each().map(|m| m.queue_id).collect(),
            map_ids: each().map(|m| m.map_id).collect(),
            modes: text(1),
            types: text(2),
            versions: text(3),
            results: results.iter().map(Option::as_deref).collect(),
            years: each().map(|m| i32::from(m.year)).collect(),
            remakes: each().map(|m| m.class == MatchClass::Remake).collect(),
            stored_at: sorted
                .matches
                .values()
                .map(|new| new.stored_at.as_millis())
                .collect(),
            patches: patches.iter().map(Option::as_deref).collect(),
        }
        .load(&mut { self.conn })
        .await?;
        Ok(new.into_iter().collect())
    }

    pub(super) async fn insert_timelines(
        &self,
        sorted: &Sorted<'_>,
    ) -> Result<HashSet<String>, Fault> {
        if sorted.timelines.is_empty() {
            return Ok(HashSet::new());
        }
        let each = || sorted.timelines.values().map(|(record, ..)| *record);
        let versions: Vec<Cow<'_, str>> = each().map(|t| clean(&t.data_version)).collect();
        let new: Vec<String> = sql::InsertTimelines {
            ids: sorted.timelines.keys().map(String::as_str).collect(),
            data_versions: versions.iter().map(|version| &**version).collect(),
            intervals: each().map(|t| t.frame_interval_ms).collect(),
            frames: each().map(|t| t.frame_count).collect(),
            events: each().map(|t| t.event_count).collect(),
            stored_at: sorted
                .timelines
                .values()
                .map(|(.., now)| now.as_millis())
                .collect(),
        }
        .load(&mut { self.conn })
        .await?;
        Ok(new.into_iter().collect())
    }

    /// Unread documents of which there are no rows, or which take the place of a broken one.
    pub(super) async fn without_rows<'s>(
        &self,
        sorted: &'s Sorted<'_>,
    ) -> Result<Vec<Unread<'s>>, Fault> {
        if sorted.unread.is_empty() {
            return Ok(Vec::new());
        }
        let with_rows: Vec<(String, String)> = sql::HaveRows {
            kinds: sorted.unread.keys().map(|(_, kind)| *kind).collect(),
            ids: sorted.unread.keys().map(|(id, _)| id.as_str()).collect(),
        }
        .load(&mut { self.conn })
        .await?;
        let with_rows: HashSet<(&str, &str)> = (with_rows.iter())
            .map(|(kind, id)| (id.as_str(), kind.as_str()))
            .collect();
        let unread = sorted.unread.iter().filter(|((id, kind), (unread, _))| {
            unread.replaces || !with_rows.contains(&(id.as_str(), *kind))
        });
        Ok(unread
            .map(|((id, _), (unread, now))| (id.as_str(), *unread, *now))
            .collect())
    }

    pub(super) fn pass_unread(&mut self, unread: &[Unread<'_>]) {
        if !unread.is_empty() {
            let places = unread.iter().map(|one| (one.0, one.1.kind.as_str()));
            let places: Vec<_> = places.collect();
            self.locks.pass(Class::NewUnread, &places);
        }
    }

    pub(super) async fn put_unread(&self, unread: &[Unread<'_>]) -> Result<(), Fault> {
        if unread.is_empty() {
            return Ok(());
        }
        let each = || unread.iter().map(|(_, unread, _)| *unread);
        let reasons: Vec<Cow<'_, str>> = each().map(|unread| clean(&unread.reason)).collect();
        sql::PutUnread {
            kinds: each().map(|unread| unread.kind.as_str()).collect(),
            ids: unread.iter().map(|(id, ..)| *id).collect(),
            reasons: reasons.iter().map(|reason| &**reason).collect(),
            fingerprints: each().map(|unread| &*unread.key_fingerprint).collect(),
            at: unread.iter().map(|(.., now)| now.as_millis()).collect(),
            version: READER,
        }
        .execute(&mut { self.conn })
        .await?;
        Ok(())
    }

    pub(super) async fn put_payloads(&mut self, payloads: &[Document<'_>]) -> Result<(), Fault> {
        self.pass_payloads(payloads);
        self.write_payloads(payloads).await
    }

    pub(super) fn pass_payloads(&mut self, payloads: &[Document<'_>]) {
        if !payloads.is_empty() {
            let places = payloads.iter().map(|(id, kind, _)| (*id, kind.as_str()));
            let places: Vec<_> = places.collect();
            self.locks.pass(Class::Payloads, &places);
        }
    }

    pub(super) async fn write_payloads(&self, payloads: &[Document<'_>]) -> Result<(), Fault> {
        if payloads.is_empty() {
            return Ok(());
        }
        let each = || payloads.iter();
        sql::PutPayloads {
            kinds: each().map(|(_, kind, _)| kind.as_str()).collect(),
            ids: each().map(|(id, ..)| *id).collect(),
            codecs: each().map(|(.., one)| one.codec.number()).collect(),
            dictionaries: each().map(|(.., one)| one.codec.dictionary()).collect(),
            bodies: each().map(|(.., one)| &*one.body).collect(),
        }
        .execute(&mut { self.conn })
        .await?;
        Ok(())
    }

    pub(super) async fn insert_participants(
        &self,
        matches: &[(&String, &NewMatch<'_>)],
        players: &BTreeMap<String, i64>,
    ) -> Result<(), Fault> {
        let participants: Vec<(&str, &ParticipantRecord)> = matches
            .iter()
            .flat_map(|(id, new)| new.record.participants.iter().map(|one| (id.as_str(), one)))
            .collect();
        if participants.is_empty() {
            return Ok(());
        }
        let texts: Vec<[Cow<'_, str>; 4]> = participants
            .iter()
            .map(|(_, one)| {
                [
                    &*one.champion_name,
                    &one.team_position,
                    &one.role,
                    &one.lane,
                ]
                .map(clean)
            })
            .collect();
        let text = |n: usize| texts.iter().map(|texts| &*texts[n]).collect();
        let of = |number: fn(&ParticipantRecord) -> i32| {
            participants.iter().map(|(_, one)| number(one)).collect()
        };
        let maybe = |number: fn(&ParticipantRecord) -> Option<i32>| {
            participants.iter().map(|(_, one)| number(one)).collect()
        };
        let item = |n: usize| participants.iter().map(|(_, one)| one.items[n]).collect();
        let player = |one: &ParticipantRecord| {
            let seen = one.player.as_ref()?;
            players.get(seen.puuid.as_str()).copied()
        };
        sql::InsertParticipants {
            match_ids: participants.iter().map(|(id, _)| *id).collect(),
            participant_ids: of(|one| one.participant_id),
            player_ids: participants.iter().map(|(_, one)| player(one)).collect(),
            team_ids: of(|one| one.team_id),
            champion_ids: of(|one| one.champion_id),
            champion_names: text(0),
            team_positions: text(1),
            roles: text(2),
            lanes: text(3),
            kills: of(|one| one.kills),
            deaths: of(|one| one.deaths),
            assists: of(|one| one.assists),
            wins: participants.iter().map(|(_, one)| one.win).collect(),
            gold: of(|one| one.gold_earned),
            minions: of(|one| one.total_minions_killed),
            neutral: of(|one| one.neutral_minions_killed),
            damage: of(|one| one.damage_to_champions),
            vision: of(|one| one.vision_score),
            levels: of(|one| one.champ_level),
            placements: maybe(|one| one.placement),
            subteams: maybe(|one| one.subteam_id),
            item0: item(0),
            item1: item(1),
            item2: item(2),
            item3: item(3),
            item4: item(4),
            item5: item(5),
            item6: item(6),
            spell1: of(|one| one.spells[0]),
            spell2: of(|one| one.spells[1]),
            primary: of(|one| one.perk_primary_style),
            sub: of(|one| one.perk_sub_style),
        }
        .execute(&mut { self.conn })
        .await?;
        Ok(())
    }
}

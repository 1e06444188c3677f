//! The data a job writes with its completion: a match is stored and counted once, whoever brings it.

use diesel::prelude::*;

use super::data_statements as own;
use super::transaction::Transaction;
use crate::model::records::{
    MatchClass, MatchRecord, ParticipantRecord, Payload, PayloadKind, PlayerRecord, SeenPlayer,
    UnreadPayload,
};
use crate::model::statistics::{GameFacts, YearlyTally};
use crate::model::{MissingDocument, Platform, RiotId, Timestamp};
use crate::store::data_statements as sql;
use crate::store::rows::{READER, TallyTuple, facts, id_texts, tally_from, to_i32, to_json};
use crate::store::{Effect, ListedYear, StoreResult, plain};

impl Transaction<'_> {
    pub(super) fn apply(&mut self, effect: &Effect, now: Timestamp) -> StoreResult<()> {
        match effect {
            Effect::Match {
                record,
                payload,
                key_fingerprint,
            } => self.store_match(record, payload, key_fingerprint, now),
            Effect::Timeline { record, payload } => {
                let id = record.id.to_string();
                if self.is_cleaned(&id)? {
                    return Ok(());
                }
                let stored = own::InsertTimeline {
                    id: &id,
                    data_version: &record.data_version,
                    interval: record.frame_interval_ms,
                    frames: record.frame_count,
                    events: record.event_count,
                    stored_at: now.as_millis(),
                }
                .execute(self.conn)?;
                if stored > 0 {
                    self.store_payload(PayloadKind::Timeline, &id, payload)?;
                    self.put_timeline_details(&id, &record.details)?;
                }
                Ok(())
            }
            Effect::Player {
                record,
                key_fingerprint,
                was,
            } => {
                self.unite_player(record, was, key_fingerprint)?;
                self.store_player(record, key_fingerprint, now)
            }
            Effect::Missing(missing) => self.store_missing(missing, now),
            Effect::Unread(unread) => self.store_unread(unread, now),
            Effect::Repair(repair) => self.repair(repair, now),
            Effect::Listed(listed) => self.store_listed(listed, now),
            Effect::Standing(told) => self.store_standing(told),
            Effect::Names(file) => self.store_names(file),
        }
    }

    fn store_listed(&mut self, listed: &ListedYear, now: Timestamp) -> StoreResult<()> {
        let (puuid, platform) = (listed.puuid.as_str(), listed.platform.as_str());
        let year = i32::from(listed.year);
        sql::PutPlayerYear {
            year,
            platform,
            at: now.as_millis(),
            matches: i64::from(listed.matches),
            ends: listed.end.to_column().as_deref(),
            puuid,
        }
        .execute(self.conn)?;
        sql::ForgetListed {
            puuid,
            year,
            platform,
        }
        .execute(self.conn)?;
        sql::PutListed {
            year,
            platform,
            ids: &id_texts(&listed.unstored),
            puuid,
        }
        .execute(self.conn)?;
        Ok(())
    }

    pub(super) fn store_payload(
        &mut self,
        kind: PayloadKind,
        id: &str,
        payload: &Payload,
    ) -> StoreResult<()> {
        own::InsertPayload {
            kind: kind.as_str(),
            id,
            codec: payload.codec.number(),
            dictionary: payload.codec.dictionary(),
            body: &payload.body,
        }
        .execute(self.conn)?;
        own::ForgetMissing {
            kind: kind.as_str(),
            id,
        }
        .execute(self.conn)?;
        self.forget_unread(kind, id)
    }

    pub(super) fn forget_unread(&mut self, kind: PayloadKind, id: &str) -> StoreResult<()> {
        let kind = kind.as_str();
        own::ForgetUnread { kind, id }.execute(self.conn)?;
        Ok(())
    }

    fn store_unread(&mut self, unread: &UnreadPayload, now: Timestamp) -> StoreResult<()> {
        let id = unread.id.to_string();
        let has_rows = self.stored_at(unread.kind, &id)?.is_some() && !unread.replaces;
        if self.is_cleaned(&id)? || has_rows {
            return Ok(());
        }
        self.store_payload(unread.kind, &id, &unread.payload)?;
        own::PutUnread {
            kind: unread.kind.as_str(),
            id: &id,
            reason: &unread.reason,
            version: READER,
            fingerprint: &unread.key_fingerprint,
            at: now.as_millis(),
        }
        .execute(self.conn)?;
        Ok(())
    }

    fn store_missing(&mut self, missing: &MissingDocument, now: Timestamp) -> StoreResult<()> {
        own::InsertMissing {
            kind: missing.kind.as_str(),
            id: &missing.id.to_string(),
            reason: missing.reason.as_str(),
            tries: to_i32(missing.tries),
            first: missing.first_seen.as_millis(),
            last: now.as_millis(),
            next: missing.next_try.map(Timestamp::as_millis),
            expires: missing.expires_at.map(Timestamp::as_millis),
        }
        .execute(self.conn)?;
        Ok(())
    }

    /// Puts a match, its participants, its players and its statistics in place, unless it is there already:
    /// then everything it says has been counted.
    fn store_match(
        &mut self,
        record: &MatchRecord,
        payload: &Payload,
        fingerprint: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        let id = record.id.to_string();
        let platform = record.id.platform();
        if self.is_cleaned(&id)? || !self.insert_match(record, now)? {
            return Ok(());
        }
        self.store_payload(PayloadKind::Match, &id, payload)?;
        for participant in &record.participants {
            let player = match &participant.player {
                None => None,
                Some(seen) => {
                    Some(self.seen_player(seen, platform, fingerprint, record.game_end, now)?)
                }
            };
            self.store_participant(&id, participant, player)?;
            if let (Some(player), true) = (player, record.class != MatchClass::Void) {
                self.count_game(
                    player,
                    record.year,
                    platform,
                    &facts(record.class, participant),
                )?;
            }
        }
        self.put_details(&id, record)
    }

    /// Whether the match was new.
    pub(super) fn insert_match(
        &mut self,
        record: &MatchRecord,
        stored_at: Timestamp,
    ) -> StoreResult<bool> {
        let inserted = own::InsertMatch {
            id: &record.id.to_string(),
            platform: record.id.platform().as_str(),
            data_version: &record.data_version,
            creation: record.game_creation.as_millis(),
            start: record.game_start.as_millis(),
            end: record.game_end.as_millis(),
            duration: record.game_duration_s,
            queue_id: record.queue_id,
            map_id: record.map_id,
            mode: &record.game_mode,
            game_type: &record.game_type,
            version: &record.game_version,
            result: record.end_of_game_result.as_deref(),
            year: i32::from(record.year),
            is_remake: record.class == MatchClass::Remake,
            stored_at: stored_at.as_millis(),
            patch: record.patch().as_deref(),
        }
        .execute(self.conn)?;
        Ok(inserted > 0)
    }

    pub(super) fn store_participant(
        &mut self,
        match_id: &str,
        participant: &ParticipantRecord,
        player_id: Option<i64>,
    ) -> StoreResult<()> {
        let [item0, item1, item2, item3, item4, item5, item6] = participant.items;
        let [spell1, spell2] = participant.spells;
        own::InsertParticipant {
            match_id,
            participant_id: participant.participant_id,
            player_id,
            team_id: participant.team_id,
            champion_id: participant.champion_id,
            champion_name: &participant.champion_name,
            team_position: &participant.team_position,
            role: &participant.role,
            lane: &participant.lane,
            kills: participant.kills,
            deaths: participant.deaths,
            assists: participant.assists,
            win: participant.win,
            gold: participant.gold_earned,
            minions: participant.total_minions_killed,
            neutral: participant.neutral_minions_killed,
            damage: participant.damage_to_champions,
            vision: participant.vision_score,
            level: participant.champ_level,
            placement: participant.placement,
            subteam: participant.subteam_id,
            item0,
            item1,
            item2,
            item3,
            item4,
            item5,
            item6,
            spell1,
            spell2,
            primary: participant.perk_primary_style,
            sub: participant.perk_sub_style,
        }
        .execute(self.conn)?;
        Ok(())
    }

    /// The row of a player who was seen in a match; made if new, renamed if the match is newer than
    /// what is known.
    pub(super) fn seen_player(
        &mut self,
        seen: &SeenPlayer,
        platform: Platform,
        fingerprint: &str,
        seen_at: Timestamp,
        now: Timestamp,
    ) -> StoreResult<i64> {
        let known: Option<(i64, i64)> = sql::PlayerByPuuid {
            puuid: seen.puuid.as_str(),
        }
        .get_result(self.conn)
        .optional()?;
        let folded = seen.riot_id.as_ref().map(RiotId::folded);
        match (known, &seen.riot_id) {
            (None, name) => Ok(own::InsertPlayer {
                puuid: seen.puuid.as_str(),
                fingerprint,
                game_name: name.as_ref().map(RiotId::game_name),
                tag_line: name.as_ref().map(RiotId::tag_line),
                folded: folded.as_deref(),
                seen_at: if name.is_some() {
                    seen_at.as_millis()
                } else {
                    0
                },
                platform: platform.as_str(),
                created_at: now.as_millis(),
                updated_at: now.as_millis(),
            }
            .get_result(self.conn)?),
            (Some((id, known_at)), Some(name)) if known_at < seen_at.as_millis() => {
                own::RenamePlayer {
                    game_name: name.game_name(),
                    tag_line: name.tag_line(),
                    folded: folded.as_deref().unwrap_or_default(),
                    seen_at: seen_at.as_millis(),
                    platform: platform.as_str(),
                    fingerprint,
                    now: now.as_millis(),
                    id,
                }
                .execute(self.conn)?;
                Ok(id)
            }
            (Some((id, _)), _) => Ok(id),
        }
    }

    /// Makes one row of all rows of a person whose puuid is another under each key: the oldest row, with
    /// the puuid of today, all games, and the statistics that they add up to.
    fn unite_player(
        &mut self,
        record: &PlayerRecord,
        was: &[i64],
        fingerprint: &str,
    ) -> StoreResult<()> {
        if was.is_empty() {
            return Ok(());
        }
        let puuid = record.puuid.as_str();
        let known: Option<(i64, i64)> = sql::PlayerByPuuid { puuid }
            .get_result(self.conn)
            .optional()?;
        let rows: Vec<i64> = was.iter().copied().chain(known.map(|(id, _)| id)).collect();
        // Another sync may have made one row of some of them since they were looked up.
        let rows: Vec<i64> = sql::PlayersThere { ids: &rows }.load(self.conn)?;
        let [stays, gone @ ..] = rows.as_slice() else {
            return Ok(());
        };
        let stays = *stays;
        let present = record.riot_id.as_ref().map(RiotId::folded);
        if !gone.is_empty() {
            let (to, from) = (stays, gone);
            sql::MoveGames { to, from }.execute(self.conn)?;
            sql::TrackAlso { to, from }.execute(self.conn)?;
            self.move_standing(to, from)?;
            for &from in gone {
                self.move_lists_and_names(to, from, present.as_deref())?;
            }
            sql::DropPlayers { ids: gone }.execute(self.conn)?;
        }
        plain::set_puuid(stays, puuid, fingerprint).execute(self.conn)?;
        self.unite_cleaned(stays, gone)?;
        self.recompute_players(&rows)
    }

    /// What was listed of one row of a person, and what it was called, goes to another.
    fn move_lists_and_names(
        &mut self,
        to: i64,
        from: i64,
        present: Option<&str>,
    ) -> StoreResult<()> {
        sql::MoveYears { to, from }.execute(self.conn)?;
        plain::drop_years(from).execute(self.conn)?;
        sql::MoveListed { to, from }.execute(self.conn)?;
        plain::drop_listed(from).execute(self.conn)?;
        sql::MoveNames {
            to,
            from,
            stays: to,
            own: from,
            present,
            other: to,
        }
        .execute(self.conn)?;
        plain::drop_names(from).execute(self.conn)?;
        Ok(())
    }

    /// What account-v1 and summoner-v4 tell is newer than any match.
    fn store_player(
        &mut self,
        record: &PlayerRecord,
        fingerprint: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        let seen = SeenPlayer {
            puuid: record.puuid.clone(),
            riot_id: record.riot_id.clone(),
        };
        let id = self.seen_player(&seen, record.platform, fingerprint, now, now)?;
        own::UpdateSummoner {
            icon: record.profile_icon_id,
            level: record.summoner_level,
            tracked: record.tracked,
            now: now.as_millis(),
            id,
        }
        .execute(self.conn)?;
        Ok(())
    }

    fn count_game(
        &mut self,
        player: i64,
        year: i16,
        platform: Platform,
        game: &GameFacts,
    ) -> StoreResult<()> {
        let (year, platform) = (i32::from(year), platform.as_str());
        let row: Option<TallyTuple> = own::Tally {
            player,
            year,
            platform,
        }
        .get_result(self.conn)
        .optional()?;
        let mut tally = row.map_or_else(|| Ok(YearlyTally::default()), tally_from)?;
        tally.add(game);
        self.put_stats(player, year, platform, &tally)
    }

    pub(super) fn put_stats(
        &mut self,
        player: i64,
        year: i32,
        platform: &str,
        tally: &YearlyTally,
    ) -> StoreResult<()> {
        let (most_played, most_played_count) = match tally.most_played_champion() {
            Some((name, games)) => (Some(name), i64::from(games)),
            None => (None, 0),
        };
        own::PutStats {
            player,
            year,
            platform,
            matches: tally.total_matches(),
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
            champions: tally.counts.champions.len() as i64,
            most_played,
            most_played_count,
            roles: tally.counts.roles.len() as i64,
            lanes: tally.counts.lanes.len() as i64,
            win_rate: tally.win_rate(),
            kda: tally.kda_ratio(),
            avg_kills: tally.per_match(tally.kills),
            avg_deaths: tally.per_match(tally.deaths),
            avg_assists: tally.per_match(tally.assists),
            avg_gold: tally.per_match(tally.gold_earned),
            avg_cs: tally.average_cs(),
            counts: &to_json(&tally.counts)?,
        }
        .execute(self.conn)?;
        Ok(())
    }
}

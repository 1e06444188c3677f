//! The data that jobs write with their completion, many at once: a match is stored and counted once,
//! whoever brings it.
//!
//! The tables are written in one order everywhere, each in the order of its keys (see `locks`): transactions that meet wait
//! for each other in a line. What is large comes first, and the rows that all matches of a player share last.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use diesel_async::RunQueryDsl;

use super::data_statements as sql;
use super::fault::Fault;
use super::locks::Class;
use super::players::Sightings;
use super::statistics::Game;
use super::transaction::Transaction;
use super::upkeep_statements;
use crate::model::records::{
    MatchClass, MatchRecord, ParticipantRecord, Payload, PayloadKind, PlayerRecord, TimelineRecord,
    UnreadPayload,
};
use crate::model::statistics::GameFacts;
use crate::model::{MatchId, MissingDocument, Timestamp};
use crate::store::rows::{READER, facts, to_i32};
use crate::store::{Effect, ListedYear, Repair};

/// A match to store, once it is known to be new.
struct NewMatch<'a> {
    record: &'a MatchRecord,
    /// None: the stored one stays.
    payload: Option<&'a Payload>,
    fingerprint: &'a str,
    stored_at: Timestamp,
    now: Timestamp,
}

/// The effects of a batch by table. Of two that bring the same document the first stands.
#[derive(Default)]
struct Sorted<'a> {
    missing: BTreeMap<(&'static str, String), (&'a MissingDocument, Timestamp)>,
    listed: BTreeMap<(&'a str, i16, &'static str), (&'a ListedYear, Timestamp)>,
    matches: BTreeMap<String, NewMatch<'a>>,
    timelines: BTreeMap<String, (&'a TimelineRecord, &'a Payload, Timestamp)>,
    unread: BTreeMap<(String, &'static str), (&'a UnreadPayload, Timestamp)>,
    players: Vec<(&'a PlayerRecord, &'a str, &'a [i64], Timestamp)>,
    repairs: Vec<(&'a Repair, Timestamp)>,
}

impl<'a> Sorted<'a> {
    fn of(effects: &[(&'a Effect, Timestamp)]) -> Self {
        let mut sorted = Self::default();
        for (effect, now) in effects {
            let now = *now;
            match effect {
                Effect::Match {
                    record,
                    payload,
                    key_fingerprint,
                } => {
                    let fingerprint = key_fingerprint.as_ref();
                    sorted
                        .matches
                        .entry(record.id.to_string())
                        .or_insert(NewMatch {
                            record,
                            payload: Some(payload),
                            fingerprint,
                            stored_at: now,
                            now,
                        });
                }
                Effect::Timeline { record, payload } => {
                    let id = record.id.to_string();
                    sorted.timelines.entry(id).or_insert((record, payload, now));
                }
                Effect::Player {
                    record,
                    key_fingerprint,
                    was,
                } => sorted
                    .players
                    .push((record, key_fingerprint.as_ref(), was, now)),
                Effect::Missing(missing) => {
                    let place = (missing.kind.as_str(), missing.id.to_string());
                    sorted.missing.insert(place, (missing, now));
                }
                Effect::Unread(unread) => {
                    let place = (unread.id.to_string(), unread.kind.as_str());
                    sorted.unread.entry(place).or_insert((unread, now));
                }
                Effect::Repair(repair) => sorted.repairs.push((repair, now)),
                Effect::Listed(listed) => {
                    let place = (listed.puuid.as_str(), listed.year, listed.platform.as_str());
                    sorted.listed.insert(place, (listed, now));
                }
            }
        }
        sorted
    }
}

impl Transaction<'_> {
    pub(super) async fn apply(&mut self, effects: &[(&Effect, Timestamp)]) -> Result<(), Fault> {
        if effects.is_empty() {
            return Ok(());
        }
        self.after.wrote = true;
        let mut sorted = Sorted::of(effects);
        self.keep_players(&sorted).await?;
        self.leave_cleaned_out(&mut sorted).await?;
        self.forget_notes(&sorted).await?;
        self.put_missing(&sorted).await?;
        self.store_documents(&sorted).await?;
        for (repair, now) in &sorted.repairs {
            self.repair(repair, *now).await?;
        }
        let years: Vec<_> = sorted.listed.keys().collect();
        if !years.is_empty() {
            self.locks.pass(Class::Years, &years);
        }
        for (listed, now) in sorted.listed.values() {
            self.put_listed(listed, *now).await?;
        }
        Ok(())
    }

    async fn put_listed(&mut self, listed: &ListedYear, now: Timestamp) -> Result<(), Fault> {
        let (puuid, platform) = (listed.puuid.as_str(), listed.platform.as_str());
        let year = i32::from(listed.year);
        let ends = listed.end.to_column();
        sql::PutPlayerYear {
            year,
            platform,
            at: now.as_millis(),
            matches: i64::from(listed.matches),
            ends: ends.as_deref(),
            puuid,
        }
        .execute(&mut self.conn)
        .await?;
        sql::ForgetListed {
            puuid,
            year,
            platform,
        }
        .execute(&mut self.conn)
        .await?;
        sql::PutListed {
            year,
            platform,
            ids: id_texts(&listed.unstored),
            puuid,
        }
        .execute(&mut self.conn)
        .await?;
        Ok(())
    }

    /// What is said of documents that came is forgotten: they are neither missing nor, so far, unread. All that is there of
    /// what this transaction writes is locked with it.
    async fn forget_notes(&mut self, sorted: &Sorted<'_>) -> Result<(), Fault> {
        let came = PayloadKind::Match.as_str();
        let matches = sorted.matches.keys().map(|id| (id.as_str(), came, true));
        let came = PayloadKind::Timeline.as_str();
        let timelines = sorted.timelines.keys().map(|id| (id.as_str(), came, true));
        let unread = sorted.unread.keys();
        let unread = unread.map(|(id, kind)| (id.as_str(), *kind, false));
        let missing = sorted.missing.keys();
        let missing = missing.map(|(kind, id)| (id.as_str(), *kind, false));
        let mut notes: Vec<(&str, &str, bool)> = matches
            .chain(timelines)
            .chain(unread)
            .chain(missing)
            .collect();
        if notes.is_empty() {
            return Ok(());
        }
        notes.sort_unstable();
        self.locks.pass(Class::Notes, &notes);
        sql::ForgetNotes {
            ids: notes.iter().map(|note| note.0).collect(),
            kinds: notes.iter().map(|note| note.1).collect(),
            came: notes.iter().map(|note| note.2).collect(),
        }
        .execute(&mut self.conn)
        .await?;
        Ok(())
    }

    /// Matches that were cleaned away are not stored again. While the players are kept, none is.
    async fn leave_cleaned_out(&mut self, sorted: &mut Sorted<'_>) -> Result<(), Fault> {
        let ids: Vec<String> = sorted
            .matches
            .keys()
            .chain(sorted.timelines.keys())
            .chain(sorted.unread.keys().map(|(id, _)| id))
            .cloned()
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let cleaned: Vec<String> = upkeep_statements::CleanedOf { ids }
            .load(&mut self.conn)
            .await?;
        for id in &cleaned {
            sorted.matches.remove(id);
            sorted.timelines.remove(id);
            sorted.unread.retain(|(of, _), _| of != id);
        }
        Ok(())
    }

    /// Stores a match of which no row is there, without counting it; the players of seats that are known
    /// better than by their puuid come in.
    pub(super) async fn put_match(
        &mut self,
        record: &MatchRecord,
        payload: Option<&Payload>,
        fingerprint: &str,
        (stored_at, now): (Timestamp, Timestamp),
        mut players: BTreeMap<String, i64>,
    ) -> Result<BTreeMap<String, i64>, Fault> {
        let mut sorted = Sorted::default();
        let id = record.id.to_string();
        let new = NewMatch {
            record,
            payload,
            fingerprint,
            stored_at,
            now,
        };
        sorted.matches.insert(id.clone(), new);
        self.insert_matches(&sorted).await?;
        if let Some(payload) = payload {
            self.put_payloads(&[(&id, PayloadKind::Match, payload)])
                .await?;
            self.forget_notes(&sorted).await?;
        }
        let mut sightings = Sightings::default();
        for seen in record
            .participants
            .iter()
            .filter_map(|seat| seat.player.as_ref())
        {
            if !players.contains_key(seen.puuid.as_str()) {
                let platform = record.id.platform();
                sightings.seen(seen, platform, fingerprint, record.game_end, now);
            }
        }
        let (added, newer) = self.add_players(&sightings).await?;
        players.extend(added);
        self.update_players(&newer).await?;
        let matches: Vec<_> = sorted.matches.iter().collect();
        self.insert_participants(&matches, &players).await?;
        Ok(players)
    }

    /// Stores a timeline of which no row is there.
    pub(super) async fn put_timeline(
        &mut self,
        record: &TimelineRecord,
        payload: Option<&Payload>,
        stored_at: Timestamp,
    ) -> Result<(), Fault> {
        let id = record.id.to_string();
        let version = clean(&record.data_version);
        let _new: Vec<String> = sql::InsertTimelines {
            ids: vec![&id],
            data_versions: vec![&version],
            intervals: vec![record.frame_interval_ms],
            frames: vec![record.frame_count],
            events: vec![record.event_count],
            stored_at: vec![stored_at.as_millis()],
        }
        .load(&mut self.conn)
        .await?;
        match payload {
            Some(payload) => {
                self.put_payloads(&[(&id, PayloadKind::Timeline, payload)])
                    .await?;
                let mut sorted = Sorted::default();
                sorted.timelines.insert(id, (record, payload, stored_at));
                self.forget_notes(&sorted).await
            }
            None => Ok(()),
        }
    }

    async fn store_documents(&mut self, sorted: &Sorted<'_>) -> Result<(), Fault> {
        let new_matches = self.insert_matches(sorted).await?;
        let new_timelines = self.insert_timelines(sorted).await?;
        let matches: Vec<(&String, &NewMatch<'_>)> = sorted
            .matches
            .iter()
            .filter(|(id, _)| new_matches.contains(*id))
            .collect();
        let mut payloads: Vec<(&str, PayloadKind, &Payload)> = matches
            .iter()
            .filter_map(|(id, new)| Some((id.as_str(), PayloadKind::Match, new.payload?)))
            .collect();
        payloads.extend(
            sorted
                .timelines
                .iter()
                .filter(|(id, _)| new_timelines.contains(*id))
                .map(|(id, (_, payload, _))| (id.as_str(), PayloadKind::Timeline, *payload)),
        );
        let unread = self.without_rows(sorted).await?;
        // What was said of them before is said anew.
        if !unread.is_empty() {
            sql::ForgetUnread {
                kinds: unread.iter().map(|(_, one, _)| one.kind.as_str()).collect(),
                ids: unread.iter().map(|(id, ..)| *id).collect(),
            }
            .execute(&mut self.conn)
            .await?;
        }
        payloads.extend((unread.iter()).map(|(id, unread, _)| (*id, unread.kind, &unread.payload)));
        payloads.sort_unstable_by_key(|(id, kind, _)| (*id, kind.as_str()));
        self.put_payloads(&payloads).await?;
        self.put_unread(&unread).await?;
        let mut sightings = Sightings::default();
        for (_, new) in &matches {
            for seen in new
                .record
                .participants
                .iter()
                .filter_map(|seat| seat.player.as_ref())
            {
                let platform = new.record.id.platform();
                sightings.seen(
                    seen,
                    platform,
                    new.fingerprint,
                    new.record.game_end,
                    new.now,
                );
            }
        }
        for (record, fingerprint, _, now) in &sorted.players {
            sightings.told(record, fingerprint, *now);
        }
        let (players, newer) = self.add_players(&sightings).await?;
        self.insert_participants(&matches, &players).await?;
        let mut games = Vec::new();
        for (_, new) in &matches {
            if new.record.class == MatchClass::Void {
                continue;
            }
            for seat in &new.record.participants {
                let Some(seen) = &seat.player else { continue };
                games.push(Game {
                    player: players[seen.puuid.as_str()],
                    year: i32::from(new.record.year),
                    platform: new.record.id.platform().as_str(),
                    facts: clean_facts(facts(new.record.class, seat)),
                });
            }
        }
        let left = self.count_new(&games).await?;
        // From here on it locks what all matches of a player need.
        if !(newer.is_empty() && left.is_empty()) {
            self.go_in().await;
        }
        self.update_players(&newer).await?;
        self.count_games(left).await
    }

    /// From here on the rows of players stay, or are made one by this transaction alone.
    async fn keep_players(&mut self, sorted: &Sorted<'_>) -> Result<(), Fault> {
        if sorted.players.iter().any(|(_, _, was, _)| !was.is_empty()) || !sorted.repairs.is_empty()
        {
            self.locks.exclusive();
            let _locked: i32 = sql::UnitePlayers {}.get_result(&mut self.conn).await?;
            for (record, fingerprint, was, _) in &sorted.players {
                self.unite_player(record, was, fingerprint).await?;
            }
        } else if !(sorted.players.is_empty()
            && sorted.matches.is_empty()
            && sorted.timelines.is_empty()
            && sorted.unread.is_empty())
        {
            self.locks.pass::<()>(Class::PlayersLock, &[]);
            let _locked: i32 = sql::KeepPlayers {}.get_result(&mut self.conn).await?;
        }
        Ok(())
    }

    async fn put_missing(&mut self, sorted: &Sorted<'_>) -> Result<(), Fault> {
        if sorted.missing.is_empty() {
            return Ok(());
        }
        let missing = &sorted.missing;
        let places: Vec<_> = missing.keys().collect();
        self.locks.pass(Class::NewMissing, &places);
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
        .execute(&mut self.conn)
        .await?;
        Ok(())
    }

    /// Which of the matches were not stored before: everything the others say has been counted.
    async fn insert_matches(&mut self, sorted: &Sorted<'_>) -> Result<HashSet<String>, Fault> {
        if sorted.matches.is_empty() {
            return Ok(HashSet::new());
        }
        let ids: Vec<_> = sorted.matches.keys().collect();
        self.locks.pass(Class::NewMatches, &ids);
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
        }
        .load(&mut self.conn)
        .await?;
        Ok(new.into_iter().collect())
    }

    async fn insert_timelines(&mut self, sorted: &Sorted<'_>) -> Result<HashSet<String>, Fault> {
        if sorted.timelines.is_empty() {
            return Ok(HashSet::new());
        }
        let ids: Vec<_> = sorted.timelines.keys().collect();
        self.locks.pass(Class::NewTimelines, &ids);
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
        .load(&mut self.conn)
        .await?;
        Ok(new.into_iter().collect())
    }

    /// Unread documents of which there are no rows, or which take the place of a broken one.
    async fn without_rows<'s>(
        &mut self,
        sorted: &'s Sorted<'_>,
    ) -> Result<Vec<(&'s str, &'s UnreadPayload, Timestamp)>, Fault> {
        if sorted.unread.is_empty() {
            return Ok(Vec::new());
        }
        let with_rows: Vec<(String, String)> = sql::HaveRows {
            kinds: sorted.unread.keys().map(|(_, kind)| *kind).collect(),
            ids: sorted.unread.keys().map(|(id, _)| id.as_str()).collect(),
        }
        .load(&mut self.conn)
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

    async fn put_unread(
        &mut self,
        unread: &[(&str, &UnreadPayload, Timestamp)],
    ) -> Result<(), Fault> {
        if unread.is_empty() {
            return Ok(());
        }
        let each = || unread.iter().map(|(_, unread, _)| *unread);
        let reasons: Vec<Cow<'_, str>> = each().map(|unread| clean(&unread.reason)).collect();
        let places: Vec<_> = unread
            .iter()
            .map(|one| (one.0, one.1.kind.as_str()))
            .collect();
        self.locks.pass(Class::NewUnread, &places);
        sql::PutUnread {
            kinds: each().map(|unread| unread.kind.as_str()).collect(),
            ids: unread.iter().map(|(id, ..)| *id).collect(),
            reasons: reasons.iter().map(|reason| &**reason).collect(),
            fingerprints: each().map(|unread| &*unread.key_fingerprint).collect(),
            at: unread.iter().map(|(.., now)| now.as_millis()).collect(),
            version: READER,
        }
        .execute(&mut self.conn)
        .await?;
        Ok(())
    }

    async fn put_payloads(
        &mut self,
        payloads: &[(&str, PayloadKind, &Payload)],
    ) -> Result<(), Fault> {
        if payloads.is_empty() {
            return Ok(());
        }
        let places = payloads.iter().map(|(id, kind, _)| (*id, kind.as_str()));
        let places: Vec<_> = places.collect();
        self.locks.pass(Class::Payloads, &places);
        sql::PutPayloads {
            kinds: places.iter().map(|place| place.1).collect(),
            ids: places.iter().map(|place| place.0).collect(),
            codecs: payloads
                .iter()
                .map(|(.., payload)| payload.codec.number())
                .collect(),
            dictionaries: payloads
                .iter()
                .map(|(.., payload)| payload.codec.dictionary())
                .collect(),
            bodies: payloads
                .iter()
                .map(|(.., payload)| &*payload.body)
                .collect(),
        }
        .execute(&mut self.conn)
        .await?;
        Ok(())
    }

    async fn insert_participants(
        &mut self,
        matches: &[(&String, &NewMatch<'_>)],
        players: &BTreeMap<String, i64>,
    ) -> Result<(), Fault> {
        let seats: Vec<(&str, &ParticipantRecord)> = matches
            .iter()
            .flat_map(|(id, new)| {
                new.record
                    .participants
                    .iter()
                    .map(|seat| (id.as_str(), seat))
            })
            .collect();
        if seats.is_empty() {
            return Ok(());
        }
        let texts: Vec<[Cow<'_, str>; 4]> = seats
            .iter()
            .map(|(_, seat)| {
                [
                    &*seat.champion_name,
                    &seat.team_position,
                    &seat.role,
                    &seat.lane,
                ]
                .map(clean)
            })
            .collect();
        let text = |n: usize| texts.iter().map(|texts| &*texts[n]).collect();
        let of = |number: fn(&ParticipantRecord) -> i32| {
            seats.iter().map(|(_, seat)| number(seat)).collect()
        };
        let maybe = |number: fn(&ParticipantRecord) -> Option<i32>| {
            seats.iter().map(|(_, seat)| number(seat)).collect()
        };
        let item = |n: usize| seats.iter().map(|(_, seat)| seat.items[n]).collect();
        let player = |seat: &ParticipantRecord| {
            let seen = seat.player.as_ref()?;
            players.get(seen.puuid.as_str()).copied()
        };
        sql::InsertParticipants {
            match_ids: seats.iter().map(|(id, _)| *id).collect(),
            participant_ids: of(|seat| seat.participant_id),
            player_ids: seats.iter().map(|(_, seat)| player(seat)).collect(),
            team_ids: of(|seat| seat.team_id),
            champion_ids: of(|seat| seat.champion_id),
            champion_names: text(0),
            team_positions: text(1),
            roles: text(2),
            lanes: text(3),
            kills: of(|seat| seat.kills),
            deaths: of(|seat| seat.deaths),
            assists: of(|seat| seat.assists),
            wins: seats.iter().map(|(_, seat)| seat.win).collect(),
            gold: of(|seat| seat.gold_earned),
            minions: of(|seat| seat.total_minions_killed),
            neutral: of(|seat| seat.neutral_minions_killed),
            damage: of(|seat| seat.damage_to_champions),
            vision: of(|seat| seat.vision_score),
            levels: of(|seat| seat.champ_level),
            placements: maybe(|seat| seat.placement),
            subteams: maybe(|seat| seat.subteam_id),
            item0: item(0),
            item1: item(1),
            item2: item(2),
            item3: item(3),
            item4: item(4),
            item5: item(5),
            item6: item(6),
            spell1: of(|seat| seat.spells[0]),
            spell2: of(|seat| seat.spells[1]),
            primary: of(|seat| seat.perk_primary_style),
            sub: of(|seat| seat.perk_sub_style),
        }
        .execute(&mut self.conn)
        .await?;
        Ok(())
    }
}

/// PostgreSQL takes no NUL in a text, which JSON can hold and SQLite stores.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// As the seat's row has them, from which statistics are recomputed.
fn clean_facts(mut facts: GameFacts) -> GameFacts {
    for text in [&mut facts.champion_name, &mut facts.role, &mut facts.lane] {
        if let Cow::Owned(cleaned) = clean(text) {
            *text = cleaned.into();
        }
    }
    facts
}

/// Ids as the database has them.
pub(super) fn id_texts(ids: &[MatchId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

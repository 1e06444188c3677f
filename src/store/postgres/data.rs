//! The data that jobs write with their completion, many at once: a match is stored and counted once,
//! whoever brings it.
//!
//! The tables are written in one order everywhere, each in the order of its keys (see `locks`): transactions that meet wait
//! for each other in a line. What is large comes first, and the rows that all matches of a player share last.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Fault;
use super::data_statements as sql;
use super::locks::Class;
use super::players::{Known, Newer, Sightings};
use super::statistics::{Game, Sums, update_years};
use super::transaction::Transaction;
use crate::model::records::{
    MatchClass, MatchRecord, Payload, PayloadKind, PlayerRecord, TimelineRecord, UnreadPayload,
};
use crate::model::statistics::GameFacts;
use crate::model::{MissingDocument, Timestamp};
use crate::store::names::StaticFile;
use crate::store::rows::facts;
use crate::store::standing::ToldStanding;
use crate::store::{Effect, ListedYear, Repair, upkeep_statements};

/// A match to store, once it is known to be new.
pub(super) struct NewMatch<'a> {
    pub(super) record: &'a MatchRecord,
    /// None: the stored one stays.
    pub(super) payload: Option<&'a Payload>,
    pub(super) fingerprint: &'a str,
    pub(super) stored_at: Timestamp,
    pub(super) now: Timestamp,
}

/// A document: of which match, what it is, and its bytes.
pub(super) type Document<'a> = (&'a str, PayloadKind, &'a Payload);

/// One that cannot be read, and when it came.
pub(super) type Unread<'a> = (&'a str, &'a UnreadPayload, Timestamp);

/// The effects of a batch by table. Of two that bring the same document the first stands.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    pub(super) missing: BTreeMap<(&'static str, String), (&'a MissingDocument, Timestamp)>,
    pub(super) listed: BTreeMap<(&'a str, i16, &'static str), (&'a ListedYear, Timestamp)>,
    pub(super) matches: BTreeMap<String, NewMatch<'a>>,
    pub(super) timelines: BTreeMap<String, (&'a TimelineRecord, &'a Payload, Timestamp)>,
    pub(super) unread: BTreeMap<(String, &'static str), (&'a UnreadPayload, Timestamp)>,
    pub(super) players: Vec<(&'a PlayerRecord, &'a str, &'a [i64], Timestamp)>,
    pub(super) repairs: Vec<(&'a Repair, Timestamp)>,
    pub(super) standings: Vec<&'a ToldStanding>,
    pub(super) names: BTreeMap<&'a str, &'a StaticFile>,
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
                Effect::Standing(told) => sorted.standings.push(told),
                Effect::Names(file) => {
                    sorted.names.insert(&file.file, file);
                }
            }
        }
        sorted
            .standings
            .sort_by_key(|told| (told.puuid.as_str(), told.at));
        sorted
    }
}

/// What effects need to know before they are written, and hold until the commit.
#[derive(Debug, Default)]
pub(super) struct Outset {
    /// Matches of which documents came.
    ids: Vec<String>,
    /// They name players, whose rows are to stay.
    names_players: bool,
    /// Rows of players become one, or are counted anew.
    unites: bool,
}

impl Outset {
    pub(super) fn of(effects: &[(&Effect, Timestamp)]) -> Self {
        let mut outset = Self::default();
        for (effect, _) in effects {
            let id = match effect {
                Effect::Match { record, .. } => Some(record.id),
                Effect::Timeline { record, .. } => Some(record.id),
                Effect::Unread(unread) => Some(unread.id),
                Effect::Player { was, .. } => {
                    outset.unites |= !was.is_empty();
                    outset.names_players = true;
                    None
                }
                Effect::Repair(_) => {
                    outset.unites = true;
                    None
                }
                Effect::Standing(_) => {
                    outset.names_players = true;
                    None
                }
                Effect::Missing(_) | Effect::Listed(_) | Effect::Names(_) => None,
            };
            outset.ids.extend(id.map(|id| id.to_string()));
        }
        outset.ids.sort_unstable();
        outset.ids.dedup();
        outset.names_players |= !outset.ids.is_empty();
        outset
    }

    /// See [`Transaction::pass_players`].
    pub(super) async fn keep_players(&self, mut conn: &AsyncPgConnection) -> Result<(), Fault> {
        if self.unites {
            let _locked: i32 = sql::UnitePlayers {}.get_result(&mut conn).await?;
        } else if self.names_players {
            let _locked: i32 = sql::KeepPlayers {}.get_result(&mut conn).await?;
        }
        Ok(())
    }

    /// Matches that were cleaned away: they are not stored again. While the players are kept, none is.
    pub(super) async fn cleaned_among(
        &self,
        mut conn: &AsyncPgConnection,
    ) -> Result<Vec<String>, Fault> {
        if self.ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = &self.ids;
        let cleaned = upkeep_statements::CleanedOf { ids };
        Ok(cleaned.load(&mut conn).await?)
    }
}

impl Transaction<'_> {
    /// From here on the rows of players stay, or are made one by this transaction alone.
    pub(super) fn pass_players(&mut self, outset: &Outset) {
        if outset.unites {
            self.locks.exclusive(Class::PlayersLock);
        } else if outset.names_players {
            self.locks.pass::<()>(Class::PlayersLock, &[]);
        }
    }

    /// Writes the effects, after [`Outset::keep_players`], but those of matches that were cleaned away. The statistics
    /// that it returns wait to be written.
    pub(super) async fn apply(
        &mut self,
        effects: &[(&Effect, Timestamp)],
        cleaned: &[String],
    ) -> Result<Sums, Fault> {
        if effects.is_empty() {
            return Ok(Sums::default());
        }
        let mut sorted = Sorted::of(effects);
        for (record, fingerprint, was, _) in &sorted.players {
            self.unite_player(record, was, fingerprint).await?;
        }
        for id in cleaned {
            sorted.matches.remove(id);
            sorted.timelines.remove(id);
            sorted.unread.retain(|(of, _), _| of != id);
        }
        let sums = self.store_documents(&sorted).await?;
        let rest = [
            sorted.repairs.is_empty(),
            sorted.listed.is_empty(),
            sorted.standings.is_empty(),
            sorted.names.is_empty(),
        ];
        if rest == [true; 4] {
            return Ok(sums);
        }
        update_years(self.conn, &sums).await?;
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
        for told in &sorted.standings {
            self.put_standing(told).await?;
        }
        for file in sorted.names.values() {
            self.put_names(file).await?;
        }
        Ok(Sums::default())
    }

    /// What is said of documents that came, or did not: the next that are written.
    fn pass_notes<'s>(&mut self, sorted: &'s Sorted<'_>) -> Vec<(&'s str, &'s str, bool)> {
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
        if !notes.is_empty() {
            notes.sort_unstable();
            self.locks.pass(Class::Notes, &notes);
        }
        notes
    }

    /// What is said of documents that came is forgotten: they are neither missing nor, so far, unread. All that is there of
    /// what this transaction writes is locked with it.
    async fn forget_notes(&self, notes: &[(&str, &str, bool)]) -> Result<(), Fault> {
        if notes.is_empty() {
            return Ok(());
        }
        sql::ForgetNotes {
            ids: notes.iter().map(|note| note.0).collect(),
            kinds: notes.iter().map(|note| note.1).collect(),
            came: notes.iter().map(|note| note.2).collect(),
        }
        .execute(&mut { self.conn })
        .await?;
        Ok(())
    }

    /// The documents are the next that are written.
    fn pass_documents(&mut self, sorted: &Sorted<'_>) {
        if !sorted.missing.is_empty() {
            let places: Vec<_> = sorted.missing.keys().collect();
            self.locks.pass(Class::NewMissing, &places);
        }
        if !sorted.matches.is_empty() {
            let ids: Vec<_> = sorted.matches.keys().collect();
            self.locks.pass(Class::NewMatches, &ids);
        }
        if !sorted.timelines.is_empty() {
            let ids: Vec<_> = sorted.timelines.keys().collect();
            self.locks.pass(Class::NewTimelines, &ids);
        }
    }

    /// Stores a match of which no row is there, without counting it; the players of participants that are known
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
        self.pass_documents(&sorted);
        self.insert_matches(&sorted).await?;
        if let Some(payload) = payload {
            self.put_payloads(&[(&id, PayloadKind::Match, payload)])
                .await?;
            let notes = self.pass_notes(&sorted);
            self.forget_notes(&notes).await?;
        }
        let mut sightings = Sightings::default();
        for seen in record
            .participants
            .iter()
            .filter_map(|participant| participant.player.as_ref())
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
        self.insert_details(&matches).await?;
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
        self.put_timeline_details(&[(&id, record)]).await?;
        match payload {
            Some(payload) => {
                self.put_payloads(&[(&id, PayloadKind::Timeline, payload)])
                    .await?;
                let mut sorted = Sorted::default();
                sorted.timelines.insert(id, (record, payload, stored_at));
                let notes = self.pass_notes(&sorted);
                self.forget_notes(&notes).await
            }
            None => Ok(()),
        }
    }

    /// Statements that need nothing of each other are sent together: the server carries them out in their order. So a
    /// group holds its locks for fewer messages, and both sides are woken less often.
    async fn store_documents(&mut self, sorted: &Sorted<'_>) -> Result<Sums, Fault> {
        let notes = self.pass_notes(sorted);
        self.pass_documents(sorted);
        let seen = sightings_in(sorted, |_| true);
        let tx = &*self;
        let ((), (), new_matches, new_timelines, mut known) = tokio::try_join!(
            biased;
            tx.forget_notes(&notes),
            tx.put_missing(sorted),
            tx.insert_matches(sorted),
            tx.insert_timelines(sorted),
            tx.look_up(seen.puuids()),
        )?;
        let unread = self.unread_of(sorted).await?;
        let matches: Vec<(&String, &NewMatch<'_>)> = sorted
            .matches
            .iter()
            .filter(|(id, _)| new_matches.contains(*id))
            .collect();
        let sightings = sightings_in(sorted, |id| new_matches.contains(id));
        let payloads = payloads_of(sorted, &matches, &new_timelines, &unread);
        self.pass_payloads(&payloads);
        self.pass_unread(&unread);
        let new = self.pass_new_players(&sightings, &known);
        let timelines = sorted.timelines.iter();
        let timelines = timelines.filter(|(id, _)| new_timelines.contains(*id));
        let timelines: Vec<(&str, &TimelineRecord)> = timelines
            .map(|(id, (record, ..))| (id.as_str(), *record))
            .collect();
        let tx = &*self;
        let ((), (), (), made) = tokio::try_join!(
            biased;
            tx.write_payloads(&payloads),
            tx.put_timeline_details(&timelines),
            tx.put_unread(&unread),
            tx.make_players(&new),
        )?;
        known.made(made);
        self.look_for_others(&sightings, &mut known).await?;
        let newer = sightings.newer(&known);
        self.count(&matches, &known, &newer).await
    }

    /// Writes the participants of new matches, and what they mean for their players; the rows that are there of whose
    /// statistics stay to be written.
    async fn count(
        &mut self,
        matches: &[(&String, &NewMatch<'_>)],
        known: &Known,
        newer: &Newer<'_>,
    ) -> Result<Sums, Fault> {
        let mut games = Vec::new();
        for (_, new) in matches {
            if new.record.class == MatchClass::Void {
                continue;
            }
            for participant in &new.record.participants {
                let Some(seen) = &participant.player else {
                    continue;
                };
                games.push(Game {
                    player: known.ids[seen.puuid.as_str()],
                    year: i32::from(new.record.year),
                    platform: new.record.id.platform().as_str(),
                    facts: clean_facts(facts(new.record.class, participant)),
                });
            }
        }
        let mut sums = Sums::of(&games);
        self.pass_new_years(&sums);
        let tx = &*self;
        let ((), (), counted) = tokio::try_join!(
            biased;
            tx.insert_participants(matches, &known.ids),
            tx.insert_details(matches),
            tx.count_new(&sums),
        )?;
        sums.leave_out(&counted)?;
        // From here on it locks what all matches of a player need.
        if !(newer.is_empty() && sums.is_empty()) {
            self.go_in().await;
        }
        self.pass_newer(newer);
        self.pass_years(&sums);
        let tx = &*self;
        let ((), there) = tokio::try_join!(
            biased;
            tx.write_newer(newer),
            tx.tallies_of(&sums),
        )?;
        sums.add_to(there)?;
        Ok(sums)
    }

    /// Unread documents that are to be written: what was said of them before is said anew.
    async fn unread_of<'s>(&mut self, sorted: &'s Sorted<'_>) -> Result<Vec<Unread<'s>>, Fault> {
        let unread = self.without_rows(sorted).await?;
        if !unread.is_empty() {
            sql::ForgetUnread {
                kinds: unread.iter().map(|(_, one, _)| one.kind.as_str()).collect(),
                ids: unread.iter().map(|(id, ..)| *id).collect(),
            }
            .execute(&mut self.conn)
            .await?;
        }
        Ok(unread)
    }
}

/// The players of matches that are asked for, and those whose accounts were.
fn sightings_in<'s>(sorted: &'s Sorted<'_>, of: impl Fn(&str) -> bool) -> Sightings<'s> {
    let mut sightings = Sightings::default();
    for (_, new) in sorted.matches.iter().filter(|(id, _)| of(id)) {
        let participants = new.record.participants.iter();
        for seen in participants.filter_map(|participant| participant.player.as_ref()) {
            let (platform, end) = (new.record.id.platform(), new.record.game_end);
            sightings.seen(seen, platform, new.fingerprint, end, new.now);
        }
    }
    for (record, fingerprint, _, now) in &sorted.players {
        sightings.told(record, fingerprint, *now);
    }
    sightings
}

/// The documents to write, in the order of their keys.
fn payloads_of<'s>(
    sorted: &'s Sorted<'_>,
    matches: &[(&'s String, &'s NewMatch<'_>)],
    new_timelines: &HashSet<String>,
    unread: &[Unread<'s>],
) -> Vec<Document<'s>> {
    let of_match = |(id, new): &(&'s String, &'s NewMatch<'_>)| {
        Some((id.as_str(), PayloadKind::Match, new.payload?))
    };
    let mut payloads: Vec<Document<'s>> = matches.iter().filter_map(of_match).collect();
    let timelines = sorted.timelines.iter();
    let timelines = timelines.filter(|(id, _)| new_timelines.contains(*id));
    payloads.extend(timelines.map(|(id, (_, one, _))| (id.as_str(), PayloadKind::Timeline, *one)));
    payloads.extend((unread.iter()).map(|(id, unread, _)| (*id, unread.kind, &unread.payload)));
    payloads.sort_unstable_by_key(|(id, kind, _)| (*id, kind.as_str()));
    payloads
}

/// PostgreSQL takes no NUL in a text, which JSON can hold and SQLite stores.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// As the participant's row has them, from which statistics are recomputed.
fn clean_facts(mut facts: GameFacts) -> GameFacts {
    for text in [&mut facts.champion_name, &mut facts.role, &mut facts.lane] {
        if let Cow::Owned(cleaned) = clean(text) {
            *text = cleaned.into();
        }
    }
    facts
}

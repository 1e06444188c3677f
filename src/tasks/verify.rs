//! Is what is stored of a match what its documents say? The comparison is pure; [`verify`] reads and mends.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::details::{Details, MatchDetails};
use crate::model::records::{MatchRecord, ParticipantRecord, PayloadKind, TimelineRecord};
use crate::model::timeline_details::{TimelineDetail, TimelineDetails};
use crate::model::{MatchId, Timestamp};
use crate::riot::{
    Reading, RiotError, Understood, document_of, kept, understand_match, understand_timeline,
};
use crate::store::{ParticipantRow, Repair, Store, StoreError, StoreResult, StoredDocuments};

/// Matches that are read at once: some MB of documents.
const MATCHES: usize = 50;
/// Players whose statistics are recomputed at once.
const PLAYERS: usize = 200;
/// Differences that are listed; beyond, they are counted only.
const LISTED_MAX: usize = 1_000;

/// Of a document that was kept unread.
const READ_NOW: &str = "it could not be read before, and can be now";
/// The version of these readers.
const READER: &str = env!("CARGO_PKG_VERSION");

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// A match, or `player 7`.
    pub id: String,
    pub what: String,
    /// Where it is mended from: `payload`, `api`, or `recomputation`.
    pub from: &'static str,
}

/// What a verification found.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub matches: u64,
    pub players: u64,
    pub found: u64,
    pub differences: Vec<Difference>,
    /// Documents that only the API can bring back.
    pub refetch: BTreeSet<(MatchId, bool)>,
    /// What is, or would be, put right from stored documents: it is there.
    pub rebuilt: Vec<(PayloadKind, MatchId)>,
    /// Documents that are kept and cannot be read.
    pub unread: u64,
    /// Documents that could not be read before, and can be now.
    pub read: u64,
    seated: BTreeSet<i64>,
}

impl Verified {
    fn note(&mut self, id: String, what: &str, from: &'static str) {
        self.found += 1;
        if self.differences.len() < LISTED_MAX {
            self.differences.push(Difference {
                id,
                what: what.to_owned(),
                from,
            });
        }
    }

    /// Adds what was found to a job's result.
    pub(super) fn tell(&self, result: &mut Value) {
        result["verified_matches"] = self.matches.into();
        result["verified_players"] = self.players.into();
        result["verified_unread"] = self.unread.into();
        result["differences_found"] = self.found.into();
        result["differences"] = json!(self.differences);
    }

    pub(super) fn refetches(&self, kind: PayloadKind) -> impl Iterator<Item = MatchId> {
        let timeline = kind == PayloadKind::Timeline;
        let of_kind = self.refetch.iter().filter(move |(_, of)| *of == timeline);
        of_kind.map(|(id, _)| *id)
    }
}

/// What is wrong with one document of a match.
#[derive(Debug)]
pub(super) struct Finding {
    what: String,
    mend: Mend,
    /// It is wrong only if a player with one of these puuids is known: puuids of another key may be gone.
    if_known: Vec<String>,
    /// The document was kept unread.
    was_unread: bool,
}

#[derive(Debug)]
enum Mend {
    Rows(Box<Repair>),
    Fetch(PayloadKind),
    /// Nothing: this version cannot read it either. What is to be noted of that, if it is not yet.
    Keep(Option<Box<Repair>>),
}

impl Finding {
    fn rows(what: impl Into<String>, repair: Repair) -> Self {
        Self {
            what: what.into(),
            mend: Mend::Rows(Box::new(repair)),
            if_known: Vec::new(),
            was_unread: false,
        }
    }

    /// The document stays as it is, for a version that can read it.
    fn keep(one: &StoredDocuments, kind: PayloadKind, reason: String) -> Self {
        let known = one.unread.get(&kind);
        let is_noted = known.is_some_and(|row| row.reason == reason && row.version == READER);
        let (id, what) = (one.id, reason.clone());
        let note = (!is_noted).then(|| Box::new(Repair::Unread { kind, id, reason }));
        Self {
            what,
            mend: Mend::Keep(note),
            if_known: Vec::new(),
            was_unread: false,
        }
    }

    fn fetch(what: String, kind: PayloadKind) -> Self {
        Self {
            what,
            mend: Mend::Fetch(kind),
            if_known: Vec::new(),
            was_unread: false,
        }
    }
}

/// Which rows of timelines there should be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows {
    /// These, and no others.
    Just(TimelineDetail),
    /// These, and those of a kind that another setting made: a replay takes them away.
    AtLeast(TimelineDetail),
}

impl Rows {
    fn detail(self, there: &TimelineDetails) -> TimelineDetail {
        match self {
            Self::Just(detail) => detail,
            Self::AtLeast(detail) => detail.max(there.detail()),
        }
    }
}

/// Compares the rows of a match with its documents. What has neither is no finding: the gap analysis sees it.
pub(super) fn examine(one: &StoredDocuments, rows: Rows) -> Vec<Finding> {
    let detail = rows.detail(&one.timeline_details);
    let mut findings = Vec::new();
    let has_rows = one.record.is_some() || !one.participants.is_empty();
    let was_unread = |kind| one.unread.contains_key(&kind);
    let understand = |text: &[u8]| understand_match(one.id, text);
    match read(one, PayloadKind::Match, understand) {
        None if has_rows || was_unread(PayloadKind::Match) => findings.push(Finding::fetch(
            "the match document is gone".to_owned(),
            PayloadKind::Match,
        )),
        None => {}
        Some(Err(why)) => findings.push(Finding::fetch(
            format!("the match document is broken: {why}"),
            PayloadKind::Match,
        )),
        // Rows that another version made of it stay.
        Some(Ok(Err(_))) if has_rows => {}
        Some(Ok(Err(why))) => findings.push(Finding::keep(one, PayloadKind::Match, why)),
        Some(Ok(Ok(record))) => {
            let record = Arc::new(record);
            let finding = examine_match(one, &record);
            // Rows that are all made anew have their details with them.
            if finding.as_ref().is_none_or(|one| !one.if_known.is_empty()) {
                findings.extend(examine_details(one, &record));
            }
            findings.extend(finding);
        }
    }
    let timeline = read(one, PayloadKind::Timeline, |text| {
        understand_timeline(one.id, text, detail)
    });
    let was_unread = was_unread(PayloadKind::Timeline);
    match timeline {
        None if one.timeline.is_some() || was_unread => findings.push(Finding::fetch(
            "the timeline document is gone".to_owned(),
            PayloadKind::Timeline,
        )),
        None => {}
        Some(Err(why)) => findings.push(Finding::fetch(
            format!("the timeline document is broken: {why}"),
            PayloadKind::Timeline,
        )),
        Some(Ok(Err(_))) if one.timeline.is_some() => {}
        Some(Ok(Err(why))) => findings.push(Finding::keep(one, PayloadKind::Timeline, why)),
        Some(Ok(Ok(record))) => {
            let told = TimelineRecord {
                data_version: clean(&record.data_version),
                details: TimelineDetails::default(),
                ..record.clone()
            };
            let is_told = one.timeline.as_ref() == Some(&told);
            let differs = one.timeline_details != record.details;
            if !is_told || differs || was_unread {
                let what = match &one.timeline {
                    _ if was_unread => READ_NOW,
                    None => "the timeline's row is gone",
                    Some(_) if is_told => timeline_details_differ(one, &record),
                    Some(_) => "the timeline's row differs from its document",
                };
                let payload = None;
                findings.push(Finding {
                    was_unread,
                    ..Finding::rows(what, Repair::Timeline { record, payload })
                });
            }
        }
    }
    findings
}

/// What a stored document says, or why it says nothing yet. An error: it is broken. None: there is none.
fn read<T>(
    one: &StoredDocuments,
    kind: PayloadKind,
    understand: impl Fn(&[u8]) -> Result<Understood<T>, RiotError>,
) -> Option<Result<Result<T, String>, String>> {
    let payload = one.payloads.get(&kind)?;
    Some(payload.clone().and_then(|payload| {
        let text = document_of(&payload).map_err(|error| error.to_string())?;
        let reading: Result<Reading<T>, RiotError> = kept(&text, understand);
        let reading = reading.map_err(|error| error.to_string())?;
        Ok(reading.map(|understood| understood.record))
    }))
}

fn timeline_details_differ(one: &StoredDocuments, record: &TimelineRecord) -> &'static str {
    if record.details.is_empty() {
        "the rows of its timeline are not wanted"
    } else if one.timeline_details.is_empty() {
        "the rows of its timeline are not there"
    } else {
        "the rows of its timeline differ from its document"
    }
}

/// The tables of details, which may be younger than the match.
fn examine_details(one: &StoredDocuments, record: &Arc<MatchRecord>) -> Option<Finding> {
    let told = record.details();
    let what = match &one.details {
        stored if *stored == told => return None,
        stored if *stored == MatchDetails::default() => "the rows of its details are not there",
        _ => "the rows of its details differ from its document",
    };
    let record = record.clone();
    Some(Finding::rows(what, Repair::Details { record }))
}

fn examine_match(one: &StoredDocuments, record: &Arc<MatchRecord>) -> Option<Finding> {
    let told = MatchRecord {
        data_version: clean(&record.data_version),
        game_mode: clean(&record.game_mode),
        game_type: clean(&record.game_type),
        game_version: clean(&record.game_version),
        end_of_game_result: record.end_of_game_result.as_deref().map(clean),
        participants: Vec::new(),
        teams: Vec::new(),
        bans: Vec::new(),
        ..MatchRecord::clone(record)
    };
    let mut if_known = Vec::new();
    let unread = one.unread.get(&PayloadKind::Match);
    let what = match &one.record {
        _ if unread.is_some() => READ_NOW,
        None => "the match's row is gone",
        Some(_) if one.platform.as_deref() != Some(record.id.platform().as_str()) => {
            "the match's row differs from its document"
        }
        Some(stored) if !same_match(stored, &told) => "the match's row differs from its document",
        Some(_) if one.participants.len() != record.participants.len() => "seats are gone",
        Some(_) => {
            let mut participants: Vec<&ParticipantRecord> = record.participants.iter().collect();
            participants.sort_by_key(|participant| participant.participant_id);
            let mut alike = true;
            for (row, participant) in one.participants.iter().zip(participants) {
                alike &= same_participant(row, participant)
                    && same_player(row, participant, &mut if_known);
            }
            match (alike, if_known.is_empty()) {
                (true, true) => return None,
                (true, false) => "a seat has another player",
                (false, _) => {
                    if_known.clear();
                    "seats differ from their document"
                }
            }
        }
    };
    let repair = Repair::Match {
        record: record.clone(),
        payload: None,
        // The document does not tell of which key its puuids are.
        key_fingerprint: unread.map_or("", |row| &row.key_fingerprint).into(),
    };
    Some(Finding {
        if_known,
        was_unread: unread.is_some(),
        ..Finding::rows(what, repair)
    })
}

/// Rows tell a void match by its duration alone; one without participants is void too.
fn same_match(stored: &MatchRecord, told: &MatchRecord) -> bool {
    let class = told.class;
    let is_remake = class == crate::model::records::MatchClass::Remake;
    let stored_remake = stored.class == crate::model::records::MatchClass::Remake;
    let alike = MatchRecord {
        class,
        ..stored.clone()
    };
    alike == *told && (is_remake == stored_remake || told.game_duration_s == 0)
}

fn same_participant(row: &ParticipantRow, participant: &ParticipantRecord) -> bool {
    let told = ParticipantRecord {
        player: row.participant.player.clone(),
        champion_name: clean(&participant.champion_name).into(),
        team_position: clean(&participant.team_position),
        role: clean(&participant.role),
        lane: clean(&participant.lane),
        details: Details::default(),
        ..participant.clone()
    };
    row.participant == told
}

fn same_player(
    row: &ParticipantRow,
    participant: &ParticipantRecord,
    if_known: &mut Vec<String>,
) -> bool {
    match (&participant.player, row.player_id, &row.participant.player) {
        (None, None, _) => true,
        (Some(told), Some(_), Some(sits)) => {
            if told.puuid != sits.puuid {
                if_known.push(told.puuid.as_str().to_owned());
            }
            true
        }
        _ => false,
    }
}

/// As a database that takes no NUL in a text has it; the other has it as it is.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The same for what is stored.
fn cleaned(mut one: StoredDocuments) -> StoredDocuments {
    if let Some(record) = &mut one.record {
        for text in [
            &mut record.data_version,
            &mut record.game_mode,
            &mut record.game_type,
            &mut record.game_version,
        ] {
            *text = clean(text);
        }
        record.end_of_game_result = record.end_of_game_result.as_deref().map(clean);
    }
    for ParticipantRow { participant, .. } in &mut one.participants {
        participant.champion_name = clean(&participant.champion_name).into();
        for text in [
            &mut participant.team_position,
            &mut participant.role,
            &mut participant.lane,
        ] {
            *text = clean(text);
        }
    }
    one
}

/// Examines some matches, and mends their rows if told.
pub(super) async fn verify_matches(
    store: &dyn Store,
    ids: &[MatchId],
    rows: Rows,
    mend: bool,
    verified: &mut Verified,
) -> StoreResult<()> {
    for ids in ids.chunks(MATCHES) {
        let documents = store.documents(ids).await?;
        verified.matches += documents.len() as u64;
        let examined = tokio::task::spawn_blocking(move || {
            let examined = documents.into_iter().map(|one| {
                let one = cleaned(one);
                let findings = examine(&one, rows);
                let seated: Vec<i64> = one
                    .participants
                    .iter()
                    .filter_map(|row| row.player_id)
                    .collect();
                (one.id, findings, seated)
            });
            examined.collect::<Vec<_>>()
        });
        let examined = examined
            .await
            .map_err(|error| StoreError::Unexpected(error.to_string()))?;
        let mut repairs = Vec::new();
        for (id, findings, seated) in examined {
            verified.seated.extend(seated);
            for finding in findings {
                let puuids: Vec<&str> = finding.if_known.iter().map(String::as_str).collect();
                if !puuids.is_empty() && store.known_puuids(&puuids).await?.is_empty() {
                    continue;
                }
                match finding.mend {
                    Mend::Rows(repair) => {
                        verified.note(id.to_string(), &finding.what, "payload");
                        verified.read += u64::from(finding.was_unread);
                        let kind = match *repair {
                            Repair::Timeline { .. } => PayloadKind::Timeline,
                            _ => PayloadKind::Match,
                        };
                        verified.rebuilt.push((kind, id));
                        repairs.push(*repair);
                    }
                    Mend::Keep(note) => {
                        verified.unread += 1;
                        repairs.extend(note.map(|note| *note));
                    }
                    Mend::Fetch(kind) => {
                        verified.note(id.to_string(), &finding.what, "api");
                        verified.refetch.insert((id, kind == PayloadKind::Timeline));
                    }
                }
            }
        }
        if mend && !repairs.is_empty() {
            store.repair(repairs, Timestamp::now()).await?;
        }
    }
    Ok(())
}

/// Recomputes the statistics of all who sat in the examined matches, and of one more player.
pub(super) async fn verify_statistics(
    store: &dyn Store,
    player: Option<i64>,
    mend: bool,
    verified: &mut Verified,
) -> StoreResult<()> {
    let mut players = std::mem::take(&mut verified.seated);
    players.extend(player);
    let players: Vec<i64> = players.into_iter().collect();
    verified.players += players.len() as u64;
    for players in players.chunks(PLAYERS) {
        let mut differ = store.false_statistics(players).await?;
        if !differ.is_empty() {
            // Rows and games are read one after the other: a match may have come in between.
            differ = store.false_statistics(&differ).await?;
        }
        for id in &differ {
            let what = "the statistics are not what the games add up to";
            verified.note(format!("player {id}"), what, "recomputation");
        }
        if mend && !differ.is_empty() {
            let repair = Repair::Statistics { players: differ };
            store.repair(vec![repair], Timestamp::now()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

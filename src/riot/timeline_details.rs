//! A timeline document as it is stored: how long it is, and of what it tells what is kept as rows.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;
use serde::de::{Error, SeqAccess};
use serde_json::value::RawValue;

use super::error::RiotError;
use super::lenient::{Count, Lenient, List, Named, Nothing, Odd, Soft, lenient_object, takes_room};
use super::reading::{Metadata, Understood, check_id, document, document_of_few, no_document};
use super::timeline_rows::{
    Event, Participant, Parts, Position, both, in_order, number, timeline_document,
};
use crate::model::MatchId;
use crate::model::details::Cell;
use crate::model::records::TimelineRecord;
use crate::model::timeline_details::{
    EventRecord, Lists, MINUTE, Minute, ParticipantTimeline, TimelineDetail, TimelineDetails,
};

/// The largest games have 18.
const PARTICIPANTS_MAX: usize = 64;
/// Frames whose standings are kept; the longest games took two hours.
const MINUTES_MAX: usize = 300;

timeline_document!(CountedDocument, CountedInfo, CountedFrame);
timeline_document!(MinutesDocument, MinutesInfo, MinutesFrame);
timeline_document!(WholeDocument, WholeInfo, WholeFrame);

lenient_object! { CountedFrame { events: Count = "events" } }

lenient_object! {
    MinutesFrame { participant_frames: Named<Standing> = "participantFrames", events: Purchases = "events" }
}

lenient_object! {
    WholeFrame { participant_frames: Named<Standing> = "participantFrames", events: List<Event> = "events" }
}

lenient_object! {
    Standing {
        participant_id: i32 = "participantId",
        level: i32 = "level",
        xp: i32 = "xp",
        total_gold: i32 = "totalGold",
        minions_killed: i32 = "minionsKilled",
        jungle_minions_killed: i32 = "jungleMinionsKilled",
        position: Position = "position",
        damage_stats: Damage = "damageStats",
        .. others: Nothing
    }
}

lenient_object! {
    Damage {
        to_champions: i32 = "totalDamageDoneToChampions",
        taken: i32 = "totalDamageTaken",
        .. others: Nothing
    }
}

lenient_object! {
    ItemEvent {
        timestamp: i64 = "timestamp",
        kind: String = "type",
        participant_id: i32 = "participantId",
        item_id: i32 = "itemId",
        before_id: i32 = "beforeId",
    }
}

impl Standing {
    fn minute(&self, odd: &mut Odd) -> Minute {
        odd.note_all(&self.odd);
        let position = self.position.as_ref();
        let damage = self.damage_stats.as_ref();
        if let Some(position) = position {
            odd.note_all(&position.odd);
        }
        if let Some(damage) = damage {
            odd.note_all(&damage.odd);
        }
        [
            self.total_gold,
            self.xp,
            both(self.minions_killed, self.jungle_minions_killed),
            self.jungle_minions_killed,
            self.level,
            position.and_then(|position| position.x),
            position.and_then(|position| position.y),
            damage.and_then(|damage| damage.to_champions),
            damage.and_then(|damage| damage.taken),
        ]
    }
}

/// The events of a frame: all are counted, and those of what was bought are read.
#[derive(Debug, Default)]
struct Purchases {
    count: usize,
    events: Vec<ItemEvent>,
}

/// Whether an event may be of something that was bought, or not bought after all: few are, and to look for the word is
/// quicker than to read them all.
fn may_be_purchase(event: &str) -> bool {
    static WORD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("ITEM_"));
    let event = event.as_bytes();
    let mut words = WORD.find_iter(event);
    words.any(|at| matches!(event.get(at + 5), Some(b'P' | b'U')))
        // A word may have its letters escaped.
        || memchr(b'\\', event).is_some()
}

impl<'de> Lenient<'de> for Purchases {
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Soft<Self>, A::Error> {
        let mut all = Self::default();
        let mut odd = false;
        while let Some(event) = list.next_element::<&RawValue>()? {
            all.count += 1;
            if may_be_purchase(event.get()) && takes_room(size_of::<ItemEvent>()) {
                let read: Soft<ItemEvent> =
                    serde_json::from_str(event.get()).map_err(A::Error::custom)?;
                odd |= read.odd;
                all.events.extend(read.value);
            }
        }
        let value = Some(all);
        Ok(Soft { value, odd })
    }
}

/// What is wanted of a frame.
trait Frame {
    fn odd(&self) -> &Odd;
    fn event_count(&self) -> usize;
    /// Leaves what is kept as rows.
    fn gather(self, index: usize, rows: &mut Rows, odd: &mut Odd);
}

impl Frame for CountedFrame {
    fn odd(&self) -> &Odd {
        &self.odd
    }

    fn event_count(&self) -> usize {
        self.events.as_ref().map_or(0, |events| events.0)
    }

    fn gather(self, _: usize, _: &mut Rows, _: &mut Odd) {}
}

impl Frame for MinutesFrame {
    fn odd(&self) -> &Odd {
        &self.odd
    }

    fn event_count(&self) -> usize {
        self.events.as_ref().map_or(0, |events| events.count)
    }

    fn gather(self, index: usize, rows: &mut Rows, odd: &mut Odd) {
        rows.stand(index, self.participant_frames, odd);
        for one in self.events.map(|all| all.events).unwrap_or_default() {
            odd.note_all(&one.odd);
            let at = one.timestamp.and_then(milliseconds);
            let item = (one.item_id, one.before_id);
            rows.item_event(one.kind.as_deref(), one.participant_id, item, at);
        }
    }
}

impl Frame for WholeFrame {
    fn odd(&self) -> &Odd {
        &self.odd
    }

    fn event_count(&self) -> usize {
        self.events.as_ref().map_or(0, |events| events.total)
    }

    fn gather(self, index: usize, rows: &mut Rows, odd: &mut Odd) {
        rows.stand(index, self.participant_frames, odd);
        for one in self.events.map(|all| all.entries).unwrap_or_default() {
            let one = one.unwrap_or_default();
            odd.note_all(&one.odd);
            if let Some(position) = &one.position {
                odd.note_all(&position.odd);
            }
            let at = one.timestamp.and_then(milliseconds);
            let item = (one.item_id, one.before_id);
            rows.item_event(one.kind.as_deref(), one.participant_id, item, at);
            let place = number(rows.events.len());
            rows.events.push(event_of(place, at, one));
        }
    }
}

fn milliseconds(ms: i64) -> Cell {
    i32::try_from(ms).ok()
}

/// Of values that tell the same in events of different kinds, an event has one.
fn event_of(event: i32, at_ms: Cell, it: Event) -> EventRecord {
    let position = it.position.unwrap_or_default();
    let assists = it.assisting_participant_ids.map(|list| {
        let numbers = list.entries.iter().flatten();
        let numbers: Vec<String> = numbers.map(ToString::to_string).collect();
        numbers.join(";")
    });
    EventRecord {
        event,
        at_ms,
        participant_id: it.participant_id.or(it.killer_id).or(it.creator_id),
        victim_id: it.victim_id,
        team_id: it.team_id.or(it.killer_team_id).or(it.winning_team),
        assists,
        x: position.x,
        y: position.y,
        item_id: it.item_id.or(it.before_id),
        value: it.skill_slot.or(it.level).or(it.multi_kill_length),
        bounty: it.bounty,
        about: (it.ward_type.or(it.monster_type).or(it.building_type))
            .or(it.kill_type)
            .or(it.level_up_type)
            .or(it.transform_type)
            .or(it.name),
        about_more: it.monster_sub_type.or(it.tower_type),
        lane: it.lane_type,
        kind: it.kind,
    }
}

/// A participant whose frames are read.
#[derive(Default)]
struct Standings {
    minutes: Lists,
    many: usize,
}

impl Standings {
    /// Nothing is told of it before this frame.
    fn fill(&mut self, before: usize) {
        while self.many < before {
            self.push(&[None; MINUTE.len()]);
        }
    }

    fn push(&mut self, minute: &Minute) {
        self.minutes.push(minute);
        self.many += 1;
    }
}

/// What is kept of frames.
#[derive(Default)]
struct Rows {
    participants: BTreeMap<i32, Standings>,
    purchases: BTreeMap<i32, Vec<(i32, Cell)>>,
    events: Vec<EventRecord>,
}

impl Rows {
    fn stand(&mut self, index: usize, standings: Option<Named<Standing>>, odd: &mut Odd) {
        if index >= MINUTES_MAX {
            odd.note("frames");
            return;
        }
        for (number, standing) in in_order(standings, |it| it.participant_id) {
            if self.participants.len() == PARTICIPANTS_MAX
                && !self.participants.contains_key(&number)
            {
                odd.note("participantFrames");
                continue;
            }
            let one = self.participants.entry(number).or_default();
            one.fill(index);
            one.push(&standing.minute(odd));
        }
    }

    /// What is taken back was not bought.
    fn item_event(
        &mut self,
        kind: Option<&str>,
        participant: Cell,
        (item, before): (Cell, Cell),
        at: Cell,
    ) {
        let Some(participant) = participant else {
            return;
        };
        match (kind, item, before) {
            (Some("ITEM_PURCHASED"), Some(item), _) => {
                let all = self.purchases.entry(participant).or_default();
                all.push((item, at));
            }
            (Some("ITEM_UNDO"), _, Some(before)) => {
                if let Some(all) = self.purchases.get_mut(&participant)
                    && let Some(last) = all.iter().rposition(|(item, _)| *item == before)
                {
                    all.remove(last);
                }
            }
            _ => {}
        }
    }

    fn finish(mut self, frames: usize) -> TimelineDetails {
        let participants = self
            .participants
            .into_iter()
            .map(|(participant_id, mut one)| {
                one.fill(frames.min(MINUTES_MAX));
                let mut purchases = Lists::default();
                for (item, at) in self.purchases.remove(&participant_id).unwrap_or_default() {
                    purchases.push(&[Some(item), at]);
                }
                ParticipantTimeline {
                    participant_id,
                    minutes: one.minutes.finish(),
                    purchases: purchases.finish(),
                }
            });
        TimelineDetails {
            participants: participants.collect(),
            events: self.events,
        }
    }
}

/// Reads the timeline document of `id`, with the rows that are made of it unless told otherwise. A document of another
/// match, and what is no document, is an error of the answer; one without frames is [`RiotError::Unread`].
pub fn parse_timeline(id: MatchId, text: &[u8]) -> Result<TimelineRecord, RiotError> {
    understand_timeline(id, text, TimelineDetail::default()).map(|understood| understood.record)
}

/// The same with these rows, and which fields were odd.
pub fn understand_timeline(
    id: MatchId,
    text: &[u8],
    detail: TimelineDetail,
) -> Result<Understood<TimelineRecord>, RiotError> {
    match detail {
        TimelineDetail::Off => understand(id, document_of_few::<CountedDocument>(text)?.parts()),
        TimelineDetail::Minutes => understand(id, document::<MinutesDocument>(text)?.parts()),
        TimelineDetail::All => understand(id, document::<WholeDocument>(text)?.parts()),
    }
}

fn understand<F: Frame>(
    id: MatchId,
    parts: Parts<F>,
) -> Result<Understood<TimelineRecord>, RiotError> {
    let Parts {
        metadata,
        game,
        mut odd,
    } = parts;
    if metadata.is_none() && game.is_none() {
        return Err(no_document());
    }
    let metadata = metadata.unwrap_or_default();
    check_id(id, &metadata, game.as_ref().and_then(|game| game.id), None)?;
    let game = game.ok_or_else(|| RiotError::Unread("it has no info".into()))?;
    odd.note_all(&metadata.odd);
    let frames = game
        .frames
        .ok_or_else(|| RiotError::Unread("it has no frames".into()))?;
    let (mut events, mut rows) = (0, Rows::default());
    let kept = frames.entries.len();
    for (index, frame) in frames.entries.into_iter().enumerate() {
        let Some(frame) = frame else { continue };
        odd.note_all(frame.odd());
        events += frame.event_count();
        frame.gather(index, &mut rows, &mut odd);
    }
    Ok(Understood {
        record: TimelineRecord {
            id,
            data_version: metadata.data_version.unwrap_or_default(),
            frame_interval_ms: game.frame_interval.unwrap_or(0),
            frame_count: number(frames.total),
            event_count: number(events),
            details: rows.finish(kept),
        },
        odd,
    })
}

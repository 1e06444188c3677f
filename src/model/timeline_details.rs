//! What a timeline tells that is kept as rows: how each participant stood minute by minute, what it bought and when,
//! and events.
//!
//! A participant's minutes are one row, with a JSON list for each minute: as a row each they would cost three times as
//! much to write, and views take them apart about as quickly as a table of them is read.

use serde::{Deserialize, Serialize};

use super::details::Cell;

/// Which rows are made of timelines. The documents are kept whichever it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimelineDetail {
    /// None.
    Off,
    /// Minutes and purchases.
    #[default]
    Minutes,
    /// Events too.
    All,
}

/// The numbers of a minute, in their order.
pub const MINUTE: [&str; 9] = [
    "gold",
    "xp",
    "cs",
    "jungle_cs",
    "level",
    "x",
    "y",
    "damage",
    "damage_taken",
];

pub type Minute = [Cell; MINUTE.len()];

/// A participant through a match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParticipantTimeline {
    pub participant_id: i32,
    /// A JSON list of minutes: the numbers of [`MINUTE`], or nulls.
    pub minutes: String,
    /// A JSON list of pairs: an item, and milliseconds since the game began.
    pub purchases: String,
}

/// An event, known by its place among those of its match, counted from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventRecord {
    pub event: i32,
    pub at_ms: Cell,
    pub kind: Option<String>,
    /// Who did it.
    pub participant_id: Cell,
    pub victim_id: Cell,
    pub team_id: Cell,
    /// Numbers with `;` between them.
    pub assists: Option<String>,
    pub x: Cell,
    pub y: Cell,
    pub item_id: Cell,
    /// A skill's slot, a level, or how many kills in a row.
    pub value: Cell,
    pub bounty: Cell,
    /// What it was about: a ward, a monster, a building.
    pub about: Option<String>,
    pub about_more: Option<String>,
    pub lane: Option<String>,
}

/// The rows of a timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimelineDetails {
    /// In the order of their numbers.
    pub participants: Vec<ParticipantTimeline>,
    pub events: Vec<EventRecord>,
}

impl TimelineDetails {
    pub fn is_empty(&self) -> bool {
        self.participants.is_empty() && self.events.is_empty()
    }

    /// Which setting makes rows of these kinds.
    pub fn detail(&self) -> TimelineDetail {
        match (self.participants.is_empty(), self.events.is_empty()) {
            (_, false) => TimelineDetail::All,
            (false, true) => TimelineDetail::Minutes,
            (true, true) => TimelineDetail::Off,
        }
    }
}

/// Adds lists of numbers to a JSON list of them.
#[derive(Debug, Default)]
pub struct Lists(String);

impl Lists {
    pub fn push(&mut self, numbers: &[Cell]) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        for (at, number) in numbers.iter().enumerate() {
            self.0.push(if at == 0 { '[' } else { ',' });
            match number {
                Some(number) => self.0.push_str(itoa::Buffer::new().format(*number)),
                None => self.0.push_str("null"),
            }
        }
        self.0.push(']');
    }

    pub fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('[');
        }
        self.0.push(']');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_json() {
        let mut lists = Lists::default();
        lists.push(&[Some(1), None, Some(-30)]);
        lists.push(&[Some(i32::MAX)]);
        assert_eq!(lists.finish(), "[[1,null,-30],[2147483647]]");
        assert_eq!(Lists::default().finish(), "[]");
    }
}

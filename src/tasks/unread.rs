//! Documents that say other than they should: kept as they came, read as far as they can be, and told of once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::metrics::{Bursts, Telling};
use crate::model::MatchId;
use crate::model::counted;
use crate::model::records::{PayloadKind, UnreadPayload};
use crate::riot::Odd;
use crate::store::Effect;
use crate::store::engine::TaskResult;

/// What people can do about documents that this version cannot read.
pub const REMEDY: &str = "a newer riftsync may read them: `riftsync replay`";

/// How many documents (matches, timelines) are kept unread, and what can be done. None: there are none.
pub fn unread_text([matches, timelines]: [u64; 2]) -> Option<String> {
    (matches + timelines > 0).then(|| {
        format!(
            "{} and {} are stored and could not be read; {REMEDY}",
            counted(matches, "match", "matches"),
            counted(timelines, "timeline", "timelines")
        )
    })
}

/// One kind of oddity is told once until it was not seen for so long.
const BURST_GAP: Duration = Duration::from_hours(1);

/// Tells of oddities, each kind of them once, and how many there were.
#[derive(Debug)]
pub(super) struct Oddities {
    begun: Instant,
    bursts: Mutex<Bursts<(PayloadKind, String)>>,
}

impl Default for Oddities {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            bursts: Mutex::new(Bursts::new(BURST_GAP)),
        }
    }
}

impl Oddities {
    /// Fields of a document that are not as they should be.
    pub(super) fn tell_odd(&self, kind: PayloadKind, id: MatchId, odd: &Odd) {
        for name in odd.names() {
            if let Some(before) = self.first(kind, name) {
                tracing::warn!(
                    "the {} document of {id} has something unusual in '{name}': it is read as far as it can be, and is \
                     empty else. The document is stored as it came{before}",
                    kind.as_str()
                );
            }
        }
    }

    fn tell_unread(&self, kind: PayloadKind, id: MatchId, reason: &str) {
        if let Some(before) = self.first(kind, reason) {
            tracing::warn!(
                "the {} document of {id} is stored, and cannot be read: {reason}. {REMEDY}{before}",
                kind.as_str()
            );
        }
    }

    /// Whether this is to be told, and how many were not.
    fn first(&self, kind: PayloadKind, what: &str) -> Option<String> {
        let mut bursts = self.bursts.lock().unwrap_or_else(PoisonError::into_inner);
        match bursts.note((kind, what.to_owned()), self.begun.elapsed()) {
            Telling::Quiet => None,
            Telling::First { untold: 0 } => Some(String::new()),
            Telling::First { untold } => {
                Some(format!("; {untold} more of these since the last such line"))
            }
        }
    }

    /// The end of a job whose document is to be kept unread.
    pub(super) fn kept(&self, unread: UnreadPayload) -> TaskResult {
        self.tell_unread(unread.kind, unread.id, &unread.reason);
        let result = json!({ "match_id": unread.id, "unread": unread.reason });
        TaskResult::complete(result).with_effects(vec![Effect::Unread(unread)])
    }
}

/// One for all kinds of jobs.
pub(super) type SharedOddities = Arc<Oddities>;

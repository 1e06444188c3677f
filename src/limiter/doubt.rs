//! How much of a window engines have used that ended without a last word. Pure.
//!
//! What the server counts when it counts a call of ours bounds it. A call of theirs counts no more once a
//! call of ours that went later does not, whichever way the window ends. So of the count everything may be
//! taken away that we are sure was counted after them: calls that went when theirs had all arrived, and
//! were answered before the one went that is looked at. The least of these bounds stays true.

use std::time::Duration;

use super::scope::SETTLE;
use super::window::Admission;
use crate::model::budget_share::{Cleared, LastEnd};

/// A doubt of less than this part of the limit is not worth a wait.
const WORTH: u32 = 10;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubt {
    end: LastEnd,
    /// From then on all their calls have arrived.
    since: Duration,
    /// Calls of ours that went since then and were counted.
    ours: u32,
    least: Option<u32>,
    /// Nobody goes before `since`, and then one call asks.
    asks: bool,
}

impl Doubt {
    /// `now`: when the board told of it, or later. `begins`: no call of ours went yet.
    pub(super) fn new(end: LastEnd, limit: u32, begins: bool, now: Duration) -> Self {
        let ended = now.saturating_sub(Duration::from_millis(u64::from(end.ago)));
        Self {
            end,
            since: ended + SETTLE,
            ours: 0,
            least: None,
            asks: begins && end.doubt.saturating_mul(WORTH) > limit,
        }
    }

    /// It says nothing of an engine that ended at this moment.
    pub(super) fn is_of_before(&self, end: LastEnd) -> bool {
        self.end.at < end.at
    }

    pub(super) fn ours(&self) -> u32 {
        self.ours
    }

    /// Whether a call waits for the one that asks. None: not for that.
    pub(super) fn admit(&self, now: Duration, in_flight: u32) -> Option<Admission> {
        if !self.asks {
            return None;
        }
        if now < self.since {
            return Some(Admission::At(self.since));
        }
        (in_flight > 0).then_some(Admission::AfterAnswer)
    }

    /// A call was answered that went at `sent`. `ours` were known when it went; none: nothing was known of the window
    /// then. What the board is to hear, if it is news.
    pub(super) fn answered(
        &mut self,
        count: Option<u32>,
        ours: Option<u32>,
        sent: Duration,
    ) -> Option<Cleared> {
        if sent < self.since {
            return None;
        }
        // Whatever it says, no better is to be had by waiting.
        self.asks = false;
        let count = count?;
        self.ours += 1;
        let calls = count.saturating_sub(1 + ours.unwrap_or(0));
        if self.least.is_some_and(|least| least <= calls) {
            return None;
        }
        self.least = Some(calls);
        Some(Cleared {
            until: self.end.at,
            calls,
        })
    }
}

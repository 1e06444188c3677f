//! How much of a window engines have used that ended without a last word. Pure.
//!
//! What the server counts when it counts a call of ours bounds it. A call of theirs counts no more once a
//! call of ours that went later does not, whichever way the window ends. So of the count everything may be
//! taken away that we are sure was counted after them: calls that went when theirs had all arrived. What the
//! server tells in its headers may be a moment old (`COUNTS_LATE`): so ours are only those that were answered
//! as long before the one went that is looked at, and that one itself is not among them. The least of these
//! bounds stays true.

use std::collections::VecDeque;
use std::time::Duration;

use super::admission::Admission;
use super::scope::SETTLE;
use riftsync_model::budget_share::{Cleared, LastEnd, is_worth_a_wait};

/// The call that asks may hang: others wait no longer for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// The counts that the server tells may miss calls of so long before. What an engine had sent when it ended has
/// arrived so long before `SETTLE` is over.
pub(super) const COUNTS_LATE: Duration = Duration::from_millis(350);

/// Who is not heard of for so long is not waited for.
const SILENT: Duration = Duration::from_secs(4);

/// Engines that were at work when this one began, before one knows whether they live.
///
/// Calls that one makes beside a dead engine that nobody knows to be dead cannot be told from its calls later: its
/// last ones may have been counted after them, in a new window. So none goes before the board tells of a report that
/// came since, or of the death, whose doubt then begins before any call of ours.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Silence {
    /// When the board first told who is there.
    since: Option<Duration>,
    waits: bool,
}

impl Silence {
    /// The board told, in an answer of now, how long ago somebody was heard of who may be dead. `begins`: no call of
    /// ours went yet.
    pub(super) fn told(&mut self, silent: Option<u32>, begins: bool, now: Duration) {
        let since = *self.since.get_or_insert(now);
        let ago = silent.map(|ms| Duration::from_millis(u64::from(ms)));
        self.waits = begins && ago.is_some_and(|ago| since + ago >= now);
    }

    /// A call waits for a sign of life, and no longer than until then. None: not for that.
    pub(super) fn admit(&self, now: Duration) -> Option<Admission> {
        let until = self.since? + SILENT;
        (self.waits && now < until).then_some(Admission::At(until))
    }
}

/// See the module.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Doubt {
    end: LastEnd,
    /// From then on all their calls have arrived.
    since: Duration,
    /// From then on none of them counts.
    over: Duration,
    /// When calls of ours were answered that went since then, in order.
    ours: VecDeque<Duration>,
    least: Option<u32>,
    /// Nobody goes before `since`, and then one call asks.
    asks: bool,
}

impl Doubt {
    /// `now`: when the board told of it, or later. `begins`: no call of ours went yet.
    pub(super) fn new(
        end: LastEnd,
        limit: u32,
        span: Duration,
        begins: bool,
        now: Duration,
    ) -> Self {
        let ended = now.saturating_sub(Duration::from_millis(u64::from(end.ago)));
        let since = ended + SETTLE;
        Self {
            end,
            since,
            over: since + span + span / 64 + SETTLE,
            ours: VecDeque::new(),
            least: None,
            asks: begins && is_worth_a_wait(end.doubt, limit),
        }
    }

    /// It says nothing of an engine that ended at this moment.
    pub(super) fn is_of_before(&self, end: LastEnd) -> bool {
        self.end.at < end.at
    }

    /// Whether a call waits for the one that asks. None: not for that.
    pub(super) fn admit(&self, now: Duration, in_flight: u32) -> Option<Admission> {
        if !self.asks {
            return None;
        }
        if now < self.since {
            return Some(Admission::At(self.since));
        }
        let patient = self.since + PATIENCE;
        (in_flight > 0 && now < patient).then_some(Admission::At(patient))
    }

    /// A call was counted that went at `sent` and was answered at `received`. What the board is to hear, if it is news.
    pub(super) fn answered(
        &mut self,
        count: Option<u32>,
        sent: Duration,
        received: Duration,
    ) -> Option<Cleared> {
        if sent < self.since {
            return None;
        }
        // Whatever it says, no better is to be had by waiting.
        self.asks = false;
        if sent > self.over {
            self.ours = VecDeque::new();
            return None;
        }
        let calls = count.map(|count| {
            let sure = |at: &Duration| *at + COUNTS_LATE <= sent;
            let ours = self.ours.partition_point(sure);
            count.saturating_sub(u32::try_from(ours).unwrap_or(u32::MAX))
        });
        // Later than it was is less sure of it.
        let in_order = self
            .ours
            .back()
            .map_or(received, |last| received.max(*last));
        if count.is_some() {
            self.ours.push_back(in_order);
        }
        let calls = calls.filter(|calls| self.least.is_none_or(|least| *calls < least))?;
        self.least = Some(calls);
        Some(Cleared {
            until: self.end.at,
            calls,
        })
    }
}

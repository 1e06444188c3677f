//! One window of the server, as far as a client can know it. Pure: time comes in, as what has
//! passed since any epoch.
//!
//! A call is counted at some moment between its sending and its answer. It holds a place here from
//! its sending until a span after the latest of these moments. A call may go when a place is free.
//!
//! Why that is safe, whenever the server's windows begin: of all calls that one window of the
//! server could hold too many of, look at the one that was sent last. The others went before it and
//! were counted less than a span before it, so each of them still held a place when it went. They
//! were fewer than the limit. That holds for windows opened by their first call, for windows
//! aligned to a clock, and for a sliding log.
//!
//! Calls of others on the same key (an earlier process, another machine) show in the server's count
//! where it is larger than ours can be. They are taken to have been counted as late as possible.

use std::time::Duration;

use super::doubt::Doubt;
use super::margin::{Margin, Margins};
use super::scope::SETTLE;
use super::slots::Slots;
use crate::model::budget_share::{
    Cleared, REPORTED, WindowGrant, WindowKey, WindowReport, is_reserved,
};

/// When a call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Now,
    At(Duration),
    /// When an answer has come: it will open the way or tell a time.
    AfterAnswer,
}

impl Admission {
    /// Both have to allow it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::AfterAnswer, _) | (_, Self::AfterAnswer) => Self::AfterAnswer,
            (Self::At(a), Self::At(b)) => Self::At(a.max(b)),
            (Self::At(at), Self::Now) | (Self::Now, Self::At(at)) => Self::At(at),
            (Self::Now, Self::Now) => Self::Now,
        }
    }
}

/// Others who use a window are expected back for so long.
const SHARED: Duration = Duration::from_mins(10);

/// What a window looked like when a call went.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Mark {
    pub seconds: u32,
    limit: u32,
    /// Calls of ours that the server may count at the same moment, this one included.
    ours: u32,
    /// Those of them that it does count if its window slides.
    ours_sure: u32,
}

/// What a 429 tells of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overrun {
    Not,
    /// By others on the same key.
    ByOthers,
    /// Its edges are not where they should be.
    Drift,
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Window {
    seconds: u32,
    span: Duration,
    limit: u32,
    ours: Slots,
    others: Slots,
    margin: Margin,
    /// A 429 told that others use it; so it is taken to be until then.
    shared_until: Duration,
    /// Places that may be held, where several engines share the limit by a board; and the part of it
    /// that is ours when all want it.
    cap: Option<Cap>,
    /// Engines ended that may have made more calls in it than they said.
    doubt: Option<Doubt>,
    cleared: Option<Cleared>,
    /// What the board was last told of it.
    told: Option<Cleared>,
}

#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
struct Cap {
    places: u32,
    part: u32,
}

impl Window {
    pub(super) fn new(seconds: u32, limit: u32, margins: Margins) -> Self {
        let span = Duration::from_secs(u64::from(seconds));
        Self {
            seconds,
            span,
            // A limit of nothing would never let us learn of a better one.
            limit: limit.max(1),
            ours: Slots::new(span),
            others: Slots::new(span),
            margin: Margin::new(margins, span),
            shared_until: Duration::ZERO,
            cap: None,
            doubt: None,
            cleared: None,
            told: None,
        }
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    pub(super) fn set_limit(&mut self, limit: u32) {
        self.limit = limit.max(1);
    }

    /// Places that may be held.
    fn allowed(&self) -> u32 {
        self.cap
            .map_or(self.limit, |cap| cap.places.min(self.limit))
    }

    /// From now on it is shared by a board, which has granted nothing yet but what is held.
    pub(super) fn share_by_board(&mut self, in_flight: u32) {
        self.cap = Some(Cap {
            places: self.used(in_flight),
            part: 0,
        });
    }

    /// The board has more than it granted.
    pub(super) fn wants_grant(&self, in_flight: u32) -> bool {
        self.cap
            .is_some_and(|cap| cap.places < self.limit && self.used(in_flight) >= cap.places)
    }

    /// Ended engines have left less than the board knows of.
    pub(super) fn has_news(&self) -> bool {
        let Some(known) = self.cleared else {
            return false;
        };
        let worth = (self.limit / 100).max(1);
        let told = self.told.filter(|told| told.until == known.until);
        told.is_none_or(|told| known.calls + worth <= told.calls)
    }

    /// What the board granted, in an answer of now. `begins`: no call of ours went yet.
    pub(super) fn granted(&mut self, grant: WindowGrant, begins: bool, now: Duration) {
        self.cap = Some(Cap {
            places: grant.cap,
            part: grant.part,
        });
        if let Some(end) = grant.ended
            && (self.doubt.as_ref()).is_none_or(|doubt| doubt.is_of_before(end))
        {
            self.doubt = Some(Doubt::new(end, grant.limit, self.span, begins, now));
        }
    }

    /// What is held now is all that will be: for the last report.
    pub(super) fn close(&mut self, in_flight: u32) {
        let places = self.used(in_flight);
        self.cap = self.cap.map(|_| Cap { places, part: 0 });
    }

    /// What the board is told. Until it answers no more is used than is kept.
    pub(super) fn report(
        &mut self,
        key: WindowKey,
        now: Duration,
        [floor, round_trip]: [Duration; 2],
        in_flight: u32,
        wanted: u32,
    ) -> WindowReport {
        let used = self.used(in_flight);
        let keep = self
            .cap
            .map_or(used, |cap| cap.places.min(cap.part.max(used)))
            .min(used.max(last_but_one(self.seconds, self.limit)));
        self.cap = self.cap.map(|cap| Cap {
            places: keep,
            ..cap
        });
        let after = self.span + self.margin.at(now);
        let mut places: Vec<(u32, u32)> = Vec::new();
        // Rounded up to a few moments: a row of the board is small, and never too early.
        let step = (millis(self.span) / REPORTED).max(1);
        // They may be counted later than usual, and nobody will tell if this engine dies now.
        let arrives = now + round_trip.max(SETTLE);
        let in_flight = (in_flight > 0).then_some((arrives + after, in_flight));
        for (free_at, calls) in self.releases(after, floor).chain(in_flight) {
            let free_in = millis(free_at.saturating_sub(now)).div_ceil(step) * step;
            match places.last_mut() {
                Some((at, sum)) if *at == free_in => *sum += calls,
                _ => places.push((free_in, calls)),
            }
        }
        self.told = self.cleared;
        WindowReport {
            key,
            limit: self.limit,
            places,
            wanted,
            keep,
            cleared: self.cleared,
        }
    }

    /// Places that are held, with those of calls in flight.
    pub(super) fn used(&self, in_flight: u32) -> u32 {
        in_flight + self.ours.held() + self.others.held()
    }

    /// Frees the places of calls that no window can hold any more. Of a round trip, `floor` is sure.
    pub(super) fn advance(&mut self, now: Duration, floor: Duration) {
        let margin = self.margin.at(now);
        if let Some(at) = (now + floor).checked_sub(self.span + margin) {
            self.ours.free_until(at);
        }
        if let Some(at) = now.checked_sub(self.span + margin) {
            self.others.forget_until(at);
        }
        if let Some(at) = now.checked_sub(self.span + self.margin.widest()) {
            self.ours.forget_until(at);
        }
    }

    /// When one more call may go. `advance` comes first.
    pub(super) fn admit(&self, now: Duration, floor: Duration, in_flight: u32) -> Admission {
        if let Some(doubt) = &self.doubt
            && let Some(admission) = doubt.admit(now, in_flight)
        {
            return admission;
        }
        let used = self.used(in_flight);
        let Some(over) = used.checked_sub(self.allowed()) else {
            return Admission::Now;
        };
        match self.nth_release(now, floor, over) {
            Some(at) => Admission::At(at),
            None => Admission::AfterAnswer,
        }
    }

    /// When the nth place, from 0, of those of answered calls is free.
    fn nth_release(&self, now: Duration, floor: Duration, nth: u32) -> Option<Duration> {
        let after = self.span + self.margin.at(now);
        let mut left = nth;
        self.releases(after, floor).find_map(|(at, calls)| {
            let found = left < calls;
            left = left.saturating_sub(calls);
            found.then_some(at)
        })
    }

    /// When places of answered calls become free, in order, and how many then.
    fn releases(
        &self,
        after: Duration,
        floor: Duration,
    ) -> impl Iterator<Item = (Duration, u32)> + '_ {
        let mut ours = self
            .ours
            .moments()
            .map(move |(at, n)| ((at + after).saturating_sub(floor), n))
            .peekable();
        let mut others = self
            .others
            .moments()
            .map(move |(at, n)| (at + after, n))
            .peekable();
        std::iter::from_fn(move || match (ours.peek(), others.peek()) {
            (Some(own), Some(other)) if own.0 <= other.0 => ours.next(),
            (Some(_), None) => ours.next(),
            (_, Some(_)) => others.next(),
            (None, None) => None,
        })
    }

    /// When the last of so many further calls may go if everything goes on as now: places that are
    /// free, then those that become free, then all of them again a cycle later.
    pub(super) fn estimate(
        &self,
        now: Duration,
        floor: Duration,
        round_trip: Duration,
        in_flight: u32,
        calls: u32,
    ) -> Duration {
        let Some(last) = calls.checked_sub(1) else {
            return now;
        };
        let after = self.span + self.margin.at(now);
        let cycle = after + round_trip.saturating_sub(floor);
        let (cycles, nth) = (last / self.limit, last % self.limit);
        let free = self.limit.saturating_sub(self.used(in_flight));
        // More may be held than the limit is, after it shrank.
        let surplus = self.used(in_flight).saturating_sub(self.limit);
        let begin = match nth.checked_sub(free) {
            None => now,
            Some(nth) => self
                .nth_release(now, floor, nth + surplus)
                .unwrap_or(now + cycle),
        };
        begin + cycle * cycles
    }

    pub(super) fn mark(&self, in_flight: u32) -> Mark {
        Mark {
            seconds: self.seconds,
            limit: self.limit,
            ours: in_flight + self.ours.remembered(),
            ours_sure: 1 + self.ours.held(),
        }
    }

    /// An answer; `count` is the server's.
    pub(super) fn doubted(&mut self, count: Option<u32>, [sent, received]: [Duration; 2]) {
        if let Some(doubt) = &mut self.doubt {
            self.cleared = doubt.answered(count, sent, received).or(self.cleared);
        }
    }

    /// A call of ours was counted, at the moment at the latest.
    pub(super) fn counted(&mut self, at: Duration) {
        self.ours.push(at, 1);
    }

    /// The server's count when it counted a call that was sent at `sent` and answered at `received`.
    /// `mark` is from when it was sent, unless the window was not known then; since then `later`
    /// further calls of ours went. Returns how many calls of others there are at least, and whether
    /// that is more than was known.
    pub(super) fn reconcile(
        &mut self,
        count: u32,
        mark: Option<Mark>,
        later: u32,
        in_flight: u32,
        [sent, received]: [Duration; 2],
    ) -> (u32, bool) {
        if self.cap.is_some() {
            // The calls of others are on the board.
            return (0, false);
        }
        let ours = mark.map_or(in_flight + self.ours.remembered(), |mark| mark.ours + later);
        let others = count.saturating_sub(ours);
        // Where a 429 told of others, rather too many of them are assumed than too few.
        let assumed = match mark {
            Some(mark) if received < self.shared_until => count.saturating_sub(mark.ours_sure),
            _ => others,
        };
        let known = self.others.held();
        if assumed > known {
            self.others.push(received, assumed - known);
        } else if self.others.latest().is_some_and(|latest| sent >= latest) {
            // A new window, or they slid out of it: the server counts no more than these.
            self.others.keep_latest(count.saturating_sub(1));
        }
        (others, others > known)
    }

    /// Judges a 429 of this window's scope, after `reconcile` said how many calls are of others.
    /// Without a count any window may be the one.
    pub(super) fn overrun(&self, count: Option<u32>, others: u32, mark: Option<Mark>) -> Overrun {
        match count {
            Some(count) if count <= self.limit => Overrun::Not,
            Some(_) if others > 0 => Overrun::ByOthers,
            // It had another limit when the call went: nobody's fault.
            _ if mark.is_none_or(|mark| mark.limit != self.limit) => Overrun::Not,
            _ => Overrun::Drift,
        }
    }

    /// Where calls of others are known, one in a hundred of the limit may be on their way yet.
    pub(super) fn suspect_more(&mut self, received: Duration) {
        if self.others.held() > 0 {
            self.others.push(received, self.limit.div_ceil(100));
        }
    }

    /// Nobody else is known to use it.
    pub(super) fn is_sure(&self, now: Duration) -> bool {
        self.others.held() == 0 && now >= self.shared_until
    }

    /// Others use it, and how many of their calls there are is known a while too late.
    pub(super) fn share(&mut self, now: Duration) {
        self.shared_until = now + SHARED;
    }

    /// Trusts the edges less for a while. False if it does so already.
    pub(super) fn widen(&mut self, now: Duration) -> bool {
        let news = self.margin.widen(now);
        if news {
            self.ours.hold_all();
        }
        news
    }
}

/// Places that may be kept in a window before all are used: with the last one somebody asks what the dead have left.
fn last_but_one(seconds: u32, limit: u32) -> u32 {
    if is_reserved(seconds, limit) {
        limit - 1
    } else {
        limit
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

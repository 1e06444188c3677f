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
//! Calls of others on the same key (an earlier process, another program) show in the server's count
//! where it is larger than ours can be. They are taken to have been counted as late as possible, and
//! places are kept free for those that are still to come. Calls of engines on the same board are none
//! of these: the board tells how many there can be.

use std::collections::VecDeque;
use std::time::Duration;

use super::admission::Admission;
use super::counted::{Before, Counted};
use super::doubt::{Doubt, Silence};
use super::margin::{Margin, Margins};
use super::scope::SETTLE;
use super::slots::{Slots, nth};
use super::strangers::{Pace, Strangers};
use super::theirs::Theirs;
use super::told::Told;
use riftsync_model::Share;
use riftsync_model::budget_share::{
    Cleared, REPORTED, WindowGrant, WindowKey, WindowReport, is_reserved,
};

/// In windows as long as that the last two places are kept to look for others later: who uses a window up at
/// once sees nobody who comes after that.
const LOOKS_FROM: Duration = Duration::from_mins(1);
/// So long before its first place is free again, in parts of the span: for the last place and the one before.
const LOOKS_BEFORE: [u32; 2] = [7, 2];
/// While places become free as a window comes to its end it is looked so often, in parts of the span.
const MELTS: u32 = 100;

/// Of a window that others use too, one part in so many is used to look, less where it slides and so tells all the
/// time; so many calls at least.
const LOOKS: u32 = 16;
const LOOKS_SLIDING: u32 = 100;
const LOOKS_LEAST: u32 = 3;

/// A window that is no longer is open again before anybody minds.
const LONG: Duration = Duration::from_secs(5);
/// What a small sync needs: a player's list, twenty or thirty matches, and their timelines.
const LEFT: u32 = 64;

/// What a window looked like when a call went.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Mark {
    pub seconds: u32,
    limit: u32,
    /// Calls of ours that the server may count at the same moment, this one included.
    ours: u32,
    before: Before,
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
    counted: Counted,
    strangers: Strangers,
    /// Of strangers, as all windows of the scope together tell it.
    pace: Pace,
    /// Calls of strangers that were seen since the board last told who else is there, and when.
    unsure: Option<Unsure>,
    /// The part of the limit that may be ours.
    share: Share,
    /// Places that may be held, where several engines share the limit by a board; and the part of it
    /// that is ours when all want it.
    cap: Option<Cap>,
    theirs: Option<Theirs>,
    /// When engines on the board came to hold less than so many places, of late.
    held_before: VecDeque<(Duration, u32)>,
    /// Engines were at work that may be dead.
    silence: Silence,
    /// Engines ended that may have made more calls in it than they said.
    doubt: Option<Doubt>,
    cleared: Option<Cleared>,
    /// What the board was last told of it.
    told: Option<Cleared>,
}

/// Calls that are not ours, before the board told whether engines made them that are new there.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(test, derive(Hash))]
struct Unsure {
    /// When the call went that first told of them.
    since: Duration,
    seen: u32,
    at: Duration,
    /// Those of them that were there before our first call.
    before: u32,
}

#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
struct Cap {
    places: u32,
    part: u32,
    /// Places that engines hold which are on the board or were.
    held: u32,
    /// Some of them are at work.
    company: bool,
}

impl Window {
    pub(super) fn new(seconds: u32, limit: u32, margins: Margins, share: Share) -> Self {
        let span = Duration::from_secs(u64::from(seconds));
        Self {
            seconds,
            span,
            // A limit of nothing would never let us learn of a better one.
            limit: limit.max(1),
            ours: Slots::new(span),
            others: Slots::new(span),
            margin: Margin::new(margins, span),
            counted: Counted::default(),
            strangers: Strangers::new(span),
            pace: Pace::default(),
            unsure: None,
            share,
            cap: None,
            theirs: None,
            held_before: VecDeque::new(),
            silence: Silence::default(),
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

    pub(super) fn set_share(&mut self, share: Share) {
        self.share = share;
    }

    /// Calls that may be ours, and those of other engines on the board.
    pub(super) fn our_limit(&self) -> u32 {
        self.share.of(self.limit)
    }

    /// The same, less what is left to others.
    fn left_to_us(&self, now: Duration) -> u32 {
        let theirs = self.others.held() + self.to_come(now);
        let left = self.limit.saturating_sub(theirs).max(1);
        left.min(self.our_limit())
    }

    /// What the board may grant of it. Alone we leave to others what they need; in company all do.
    fn to_grant(&self, now: Duration) -> u32 {
        if self.cap.is_some_and(|cap| cap.company) {
            self.left_to_us(now)
        } else {
            self.our_limit()
        }
    }

    fn to_come(&self, now: Duration) -> u32 {
        let known = self.others.held();
        // Counts that are told late do not have all of ours, which hides as many of theirs.
        let young = self.ours.after(now.saturating_sub(self.counted.lag()));
        self.strangers
            .to_come(known, young, self.limit, self.pace, now)
    }

    /// Places of ours that may be held.
    fn allowed(&self) -> u32 {
        let ours = self.our_limit();
        self.cap.map_or(ours, |cap| cap.places.min(ours))
    }

    /// From now on it is shared by a board, which has granted nothing yet but what is held.
    pub(super) fn share_by_board(&mut self, in_flight: u32) {
        self.cap = Some(Cap {
            places: self.ours_used(in_flight),
            part: 0,
            held: 0,
            company: false,
        });
    }

    /// The board has more than it granted.
    pub(super) fn wants_grant(&self, now: Duration, in_flight: u32) -> bool {
        let is_used_up =
            |cap: Cap| cap.places < self.to_grant(now) && self.ours_used(in_flight) >= cap.places;
        self.silence.admit(now).is_some() || self.cap.is_some_and(is_used_up)
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
        self.remember_held(grant.held, now);
        self.cap = Some(Cap {
            places: grant.cap,
            part: grant.part,
            held: grant.held,
            company: grant.company,
        });
        // Of engines that ended it is not told when their places become free.
        let knows_all = grant.company && grant.ended.is_none();
        self.theirs = knows_all.then(|| Theirs::new(grant.free_in, now));
        if !self.is_alone() {
            self.counted.beside_others();
        }
        if let Some(unsure) = self.unsure.take() {
            self.believe(unsure, self.explained(unsure.since));
        }
        self.silence.told(grant.silent, begins, now);
        if let Some(end) = grant.ended
            && (self.doubt.as_ref()).is_none_or(|doubt| doubt.is_of_before(end))
        {
            self.doubt = Some(Doubt::new(end, grant.limit, self.span, begins, now));
        }
    }

    /// Engines on the board hold so many places from now on.
    fn remember_held(&mut self, held: u32, now: Duration) {
        // A count is looked at again at the next exchange.
        let is_late = |at: Duration| at + Counted::latest() * 4 > now;
        while self
            .held_before
            .front()
            .is_some_and(|(at, _)| !is_late(*at))
        {
            self.held_before.pop_front();
        }
        let before = self.cap.map_or(0, |cap| cap.held);
        if held < before {
            self.held_before.push_back((now, before));
        }
    }

    /// Calls that engines on the board may have in a count, told to a call that went at `sent`: what they held when it
    /// was taken, and counts are told late.
    fn explained(&self, sent: Duration) -> u32 {
        let late = |(at, _): &&(Duration, u32)| *at + Counted::latest() > sent;
        let before = self.held_before.iter().filter(late).map(|(_, held)| *held);
        let held = self.cap.map_or(0, |cap| cap.held);
        before.fold(held, u32::max)
    }

    /// Calls of engines on the board that are likely in a count, where it is known when the server's window began.
    fn likely(&self, [sent, received]: [Duration; 2]) -> Option<u32> {
        let begun = self.strangers.begun()?;
        let counted = sent + received.saturating_sub(sent) / 2;
        let after = self.span + self.margin.at(received);
        // What went before it began may have been counted in the window before.
        let runs = sent >= begun && received < begun + self.span;
        runs.then_some(self.theirs?.likely([begun, counted], [self.span, after]))
    }

    /// What is held now is all that will be: for the last report.
    pub(super) fn close(&mut self, in_flight: u32) {
        let places = self.ours_used(in_flight);
        self.cap = self.cap.map(|cap| Cap {
            places,
            part: 0,
            ..cap
        });
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
        let used = self.ours_used(in_flight);
        let limit = self.to_grant(now);
        let keep = self
            .cap
            .map_or(used, |cap| cap.places.min(cap.part.max(used)))
            .min(used.max(last_but_one(self.seconds, limit)));
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
        for (free_at, calls) in self.our_releases(after, floor).chain(in_flight) {
            let free_in = millis(free_at.saturating_sub(now)).div_ceil(step) * step;
            match places.last_mut() {
                Some((at, sum)) if *at == free_in => *sum += calls,
                _ => places.push((free_in, calls)),
            }
        }
        self.told = self.cleared;
        WindowReport {
            key,
            limit,
            places,
            wanted,
            keep,
            cleared: self.cleared,
        }
    }

    /// Places that are held, with those of calls in flight.
    pub(super) fn used(&self, in_flight: u32) -> u32 {
        self.ours_used(in_flight) + self.others.held()
    }

    fn ours_used(&self, in_flight: u32) -> u32 {
        in_flight + self.ours.held()
    }

    /// For people: of what may be ours.
    pub(super) fn shown(&self, in_flight: u32) -> u32 {
        let not_ours = self.limit - self.our_limit().min(self.limit);
        let ours = self.ours_used(in_flight);
        ours.max(self.used(in_flight).saturating_sub(not_ours))
    }

    /// Whether more than `LEFT` calls could go before one has to wait for long; of a small window, more than half of
    /// it.
    pub(super) fn leaves_some(&self, in_flight: u32) -> bool {
        let free = self.allowed().saturating_sub(self.used(in_flight));
        self.span < LONG || free > LEFT.min(self.allowed() / 2)
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
        self.strangers.turn(now);
        if let Some(at) = now.checked_sub(self.span + self.margin.widest()) {
            self.ours.forget_until(at);
        }
    }

    /// When one more call may go. `advance` comes first.
    pub(super) fn admit(
        &self,
        now: Duration,
        floor: Duration,
        in_flight: u32,
        departed: u64,
    ) -> Admission {
        let asks = self.doubt.as_ref();
        let asks = asks.and_then(|doubt| doubt.admit(now, in_flight));
        if let Some(admission) = asks.or_else(|| self.silence.admit(now)) {
            return admission;
        }
        let after = self.span + self.margin.at(now);
        // What the server told may prove that places are free which are still held here.
        let proven = self.counted.at_most(departed, now);
        let proven = proven.filter(|_| self.is_alone() && self.share == Share::ALL);
        let ours = self.ours_used(in_flight).min(proven.unwrap_or(u32::MAX));
        let allowed = self.allowed();
        if let Some(over) = ours.checked_sub(allowed) {
            let at = nth(self.our_releases(after, floor), over);
            return at.map_or(Admission::AfterAnswer, Admission::At);
        }
        if self.cap.is_some_and(|cap| cap.company) {
            // The board leaves others what they use.
            return Admission::Now;
        }
        let begins = self.strangers.window_ended(now);
        if begins && in_flight > 0 {
            return Admission::AfterAnswer;
        }
        // Of theirs nothing counts any more: one call looks what there is.
        let (known, to_come) = if begins {
            (0, 0)
        } else {
            (self.others.held(), self.to_come(now))
        };
        let used = ours + known + to_come;
        let limit = (self.limit).saturating_sub(self.cap.map_or(0, |cap| cap.held));
        if let Some(over) = used.checked_sub(limit) {
            let free_at = nth(self.releases(after, floor), over);
            let melts_at = (to_come > 1).then(|| now + self.span / MELTS);
            let at = free_at.into_iter().chain(melts_at).min();
            return at.map_or(Admission::AfterAnswer, Admission::At);
        }
        if let Some(admission) = self.looks_first(now, limit - used, in_flight) {
            return admission;
        }
        // Of the window: a cap that is nearly used up grows when it is.
        let left = (limit - used).min(self.our_limit().saturating_sub(ours));
        match self.looks_at(left, after, floor) {
            Some(at) if at > now => Admission::At(at),
            _ => Admission::Now,
        }
    }

    /// Where others are, the last places go one by one over the time that is left: each looks how it stands.
    fn looks_first(&self, now: Duration, left: u32, in_flight: u32) -> Option<Admission> {
        let part = if self.strangers.knows_end(now) {
            LOOKS
        } else {
            LOOKS_SLIDING
        };
        let last = (self.limit / part).max(LOOKS_LEAST);
        if self.span < LONG || left > last || self.is_sure() {
            return None;
        }
        if in_flight > 0 {
            return Some(Admission::AfterAnswer);
        }
        let at = self.strangers.looks_again(left);
        (at > now).then_some(Admission::At(at))
    }

    /// When the last but `left` place of a long window may be used: later, so that whoever comes is seen.
    fn looks_at(&self, left: u32, after: Duration, floor: Duration) -> Option<Duration> {
        let before = LOOKS_BEFORE.get(left.checked_sub(1)? as usize)?;
        if self.span < LOOKS_FROM || self.limit < 20 || self.strangers.are_there() {
            return None;
        }
        let first = nth(self.our_releases(after, floor), 0)?;
        Some(first.saturating_sub(self.span / *before))
    }

    /// No other engine is or was there whose calls may come to be counted.
    fn is_alone(&self) -> bool {
        self.cap.is_none_or(|cap| cap.held == 0 && !cap.company)
    }

    fn our_releases(
        &self,
        after: Duration,
        floor: Duration,
    ) -> impl Iterator<Item = (Duration, u32)> + '_ {
        let ours = self.ours.moments();
        ours.map(move |(at, n)| ((at + after).saturating_sub(floor), n))
    }

    /// When places of answered calls become free, in order, and how many then.
    fn releases(
        &self,
        after: Duration,
        floor: Duration,
    ) -> impl Iterator<Item = (Duration, u32)> + '_ {
        let mut ours = self.our_releases(after, floor).peekable();
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
        let limit = self.left_to_us(now);
        let (cycles, wanted) = (last / limit, last % limit);
        let used = self.ours_used(in_flight);
        let free = limit.saturating_sub(used);
        // More may be held than the limit is, after it shrank.
        let surplus = used.saturating_sub(limit);
        let begin = match wanted.checked_sub(free) {
            None => now,
            Some(wanted) => {
                nth(self.our_releases(after, floor), wanted + surplus).unwrap_or(now + cycle)
            }
        };
        begin + cycle * cycles
    }

    pub(super) fn mark(&self, in_flight: u32, number: u64, now: Duration) -> Mark {
        Mark {
            seconds: self.seconds,
            limit: self.limit,
            ours: in_flight + self.ours.remembered(),
            before: Before {
                number,
                in_flight,
                young: self.ours.after(now.saturating_sub(self.counted.lag())),
                is_lone: in_flight == 1
                    && self.is_alone()
                    && self.ours.after(now.saturating_sub(Counted::latest())) == 0,
            },
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
    /// `mark` is from when it was sent, unless the window was not known then; of our calls `departed`
    /// have gone by now. Returns whether there are more calls of others than was known.
    pub(super) fn reconcile(&mut self, told: Told, mark: Option<Mark>, in_flight: u32) -> bool {
        let Told {
            count,
            uncounted,
            departed,
            moments: [sent, received],
            ..
        } = told;
        let remembered = mark.map_or(in_flight + self.ours.remembered(), |mark| {
            let later = u32::try_from(departed - mark.before.number).unwrap_or(u32::MAX);
            mark.ours.saturating_add(later)
        });
        let ours = self
            .counted
            .ours_at_most(departed, sent)
            .map_or(remembered, |proven| proven.min(remembered));
        let ours = ours.saturating_sub(u32::from(uncounted));
        match mark {
            Some(mark) => self.counted.told(count, ours, mark.before, told.moments),
            None => self.counted.begins(count, told.moments, remembered <= 1),
        }
        self.look_for_beginning(told);
        let mut others = count.saturating_sub(ours);
        if self.cap.is_some() {
            if others > 0 && !self.strangers.are_there() {
                // An engine may have joined that the board has not told of yet.
                let unsure = self.unsure.get_or_insert(Unsure {
                    since: sent,
                    ..Unsure::default()
                });
                unsure.seen = unsure.seen.max(others);
                unsure.at = received;
                if told.is_early {
                    unsure.before = unsure.before.max(others);
                }
                return false;
            }
            others = self.of_strangers(others, told.moments);
        }
        let known = self.others.held();
        if others > known {
            self.others.push(received, others - known);
            if !told.is_early {
                self.strangers.came(others - known, received);
            }
        } else if self.others.latest().is_some_and(|latest| sent >= latest) {
            // A new window, or they slid out of it: the server counts no more than these.
            self.others.keep_latest(count.saturating_sub(1));
        }
        others > known
    }

    /// Does the count tell that the server's window began anew?
    fn look_for_beginning(&mut self, told: Told) {
        let [sent, received] = told.moments;
        let room = self.margin.at(received);
        // So many of ours are in the count if the window neither began anew nor tells its counts late.
        let late = Counted::latest();
        let company = self.cap.is_some_and(|cap| cap.company);
        let mut since = (received + late).saturating_sub(self.span);
        if company && let Some(begun) = self.strangers.begun() {
            // Those of before its known beginning are missing in the same window too.
            since = since.max(begun + late);
        }
        let sure =
            (self.ours.after(since)).saturating_sub(self.ours.after(sent.saturating_sub(late)));
        let begins =
            (self.strangers).counted([told.count, sure], self.limit, told.moments, room, company);
        if begins && company {
            // The first count that is seen of a window is not 1: what is held of the window before would hide as many
            // calls of this one.
            self.others.keep_latest(0);
        }
    }

    /// Of calls in a count that are not ours, those that are not of engines on the board either.
    fn of_strangers(&self, others: u32, moments: [Duration; 2]) -> u32 {
        let explained = self.explained(moments[0]);
        if others <= explained {
            return 0;
        }
        // Somebody else calls. How much is better told by what the engines are likely to have in the count than by all
        // that they may have there: places that were free for a while are neither.
        let likely = self.likely(moments);
        others - likely.map_or(explained, |likely| likely.min(explained))
    }

    /// The board explains no more than `held` of these calls.
    fn believe(&mut self, unsure: Unsure, held: u32) {
        let [others, before] = [unsure.seen, unsure.before].map(|of| of.saturating_sub(held));
        let known = self.others.held();
        if others > known {
            self.others.push(unsure.at, others - known);
        }
        let known = known.max(before);
        if others > known {
            self.strangers.came(others - known, unsure.at);
        }
    }

    /// Judges a 429 of this window's scope, after `reconcile`; `others`: some window sees calls of others, which are
    /// in all windows. Without a count any window may be the one; `full` if none is over its limit: then those may be
    /// that are at it, where refused calls do not count, or nearly so, where counts are late.
    pub(super) fn overrun(
        &self,
        count: Option<u32>,
        full: bool,
        others: bool,
        mark: Option<Mark>,
    ) -> Overrun {
        let late = mark.map_or(0, |mark| mark.before.in_flight - 1 + mark.before.young);
        match count {
            Some(count) if full && count.saturating_add(late) < self.limit => Overrun::Not,
            Some(count) if !full && count <= self.limit => Overrun::Not,
            _ if others => Overrun::ByOthers,
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

    /// Somebody else uses it, as far as it tells.
    pub(super) fn sees_others(&self) -> bool {
        let is_unsure = self.unsure.is_some() && self.cap.is_none_or(|cap| !cap.company);
        is_unsure || !self.is_sure()
    }

    /// Nobody else is known to use it.
    pub(super) fn is_sure(&self) -> bool {
        self.others.held() == 0 && !self.strangers.are_there()
    }

    /// Others use it, and left too little.
    pub(super) fn refused_by_others(&mut self, now: Duration) {
        self.strangers.refused(self.limit, now);
    }

    pub(super) fn pace(&self, now: Duration) -> Pace {
        self.strangers.pace(now)
    }

    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// The part of it that others use, in percent.
    pub(super) fn strangers(&self, now: Duration) -> Option<u32> {
        self.strangers.percent(self.limit, now)
    }

    /// Its edges are trusted less for now.
    pub(super) fn is_wide(&self, now: Duration) -> bool {
        self.margin.is_wide(now)
    }

    /// Trusts the edges less for a while. False if it does so already.
    pub(super) fn widen(&mut self, now: Duration) -> bool {
        let news = self.margin.widen(now);
        if news {
            self.ours.hold_all();
        }
        self.counted.distrust(now);
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

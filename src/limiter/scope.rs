//! One scope of limits, a route's or a method's on a route: its windows, what is in flight, and
//! pauses. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::admission::Admission;
use super::answer::{Answer, Verdict, believed};
use super::margin::Margins;
use super::news::News;
use super::pause::Pause;
use super::ramp::Ramp;
use super::strain::Strain;
use super::strangers::Pace;
use super::told::Told;
use super::transit::Transit;
use super::window::{Mark, Overrun, Window};
use riftsync_model::Share;
use riftsync_model::budget_share::{WindowGrant, WindowKey, WindowReport};

/// When the first count shows that the key was in use, calls of before may still be on their way and
/// not counted. So the second call waits, and its count is believed.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

/// A call that went, as its scope remembers it.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Ticket {
    marks: Vec<Mark>,
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Scope {
    windows: BTreeMap<u32, Window>,
    margins: Margins,
    /// Answers told the limits, or that there are none.
    known: bool,
    /// When the first answer came that told them.
    known_since: Duration,
    /// When the answer came that last changed a limit.
    limits_since: Duration,
    in_flight: u32,
    departed: u64,
    /// Calls that went before the last report, and before the last one that the board answered.
    reported: u64,
    heard: Option<u64>,
    /// Several engines share the limits by a board.
    by_board: bool,
    /// The part of the limits that may be ours.
    share: Share,
    ramp: Ramp,
    pause: Pause,
    /// Of the service behind it.
    strain: Strain,
    /// The length of the longest window that answers tell, if it is not believed.
    excess: Option<Duration>,
}

impl Scope {
    pub(super) fn new(margins: Margins, share: Share) -> Self {
        Self {
            windows: BTreeMap::new(),
            margins,
            known: false,
            known_since: Duration::ZERO,
            limits_since: Duration::ZERO,
            in_flight: 0,
            departed: 0,
            reported: 0,
            heard: None,
            by_board: false,
            share,
            ramp: Ramp::default(),
            pause: Pause::default(),
            strain: Strain::default(),
            excess: None,
        }
    }

    pub(super) fn admit(&mut self, now: Duration, transit: &Transit) -> Admission {
        if now < self.pause.until() {
            return Admission::At(self.pause.until());
        }
        // While no limit is known, others reckon with one call more than they were told of.
        if !self.known && self.heard.is_some_and(|heard| self.departed > heard) {
            return Admission::AfterAnswer;
        }
        // One finds out whether a pause that was cut short is over.
        if self.pause.excess().is_some() && self.in_flight > 0 {
            return Admission::AfterAnswer;
        }
        let floor = transit.floor();
        let mut admission = Admission::Now;
        for window in self.windows.values_mut() {
            window.advance(now, floor);
            admission = admission.and(window.admit(now, floor, self.in_flight, self.departed));
        }
        if admission != Admission::Now {
            return admission;
        }
        if self.in_flight >= self.in_flight_most(transit.mean()) {
            return Admission::AfterAnswer;
        }
        let ready_at = self.ramp.ready_at(now, self.in_flight, self.few(now));
        if ready_at <= now {
            Admission::Now
        } else {
            Admission::At(ready_at)
        }
    }

    /// Half of the smallest limit, so that a limit that is halved meets no more calls on their way
    /// than it allows. A twentieth where others use the limit too: so many can be one too many before
    /// the count tells. More where round trips are so long that it would not do.
    fn in_flight_most(&self, round_trip: Duration) -> u32 {
        let of_window = |(&seconds, window): (&u32, &Window)| {
            let share = round_trip.as_secs_f64() / (f64::from(seconds) + round_trip.as_secs_f64());
            let part = if window.is_sure() { 2 } else { 20 };
            window
                .our_limit()
                .div_ceil(part)
                .max(scaled(window.our_limit(), 1.5 * share))
        };
        self.windows.iter().map(of_window).min().unwrap_or(u32::MAX)
    }

    /// Calls that may go at once after a silence: a tenth of the smallest limit, but one where
    /// others use the limits too, or where a window was longer than it said.
    fn few(&self, now: Duration) -> u32 {
        let tenths = self.windows.values().map(|window| {
            if window.is_sure() && !window.is_wide(now) {
                window.our_limit() / 10
            } else {
                1
            }
        });
        tenths.min().unwrap_or(u32::MAX).max(1)
    }

    /// A call goes now; `admit` said it may.
    pub(super) fn depart(&mut self, now: Duration) -> Ticket {
        self.in_flight += 1;
        self.departed += 1;
        self.ramp.departed(now);
        Ticket {
            marks: self
                .windows
                .values()
                .map(|window| window.mark(self.in_flight, self.departed, now))
                .collect(),
        }
    }

    /// A call that was to go was never sent.
    pub(super) fn give_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// No answer will come. The call may have been counted, just now at the latest.
    pub(super) fn lost(&mut self, now: Duration, transit: &Transit) {
        self.in_flight = self.in_flight.saturating_sub(1);
        for window in self.windows.values_mut() {
            // The floor is of calls with an answer.
            window.counted(now + transit.floor());
        }
    }

    pub(super) fn answered(&mut self, ticket: &Ticket, answer: Answer<'_>, now: Duration) -> News {
        self.in_flight = self.in_flight.saturating_sub(1);
        for window in self.windows.values_mut() {
            window.counted(answer.received);
        }
        let limits = believed(answer.limits);
        let counts = believed(answer.counts);
        if !answer.limits.is_empty() {
            self.excess = limits.as_ref().map(|(_, longest)| *longest);
        }
        let answer = Answer {
            limits: limits.as_ref().map_or(answer.limits, |(pairs, _)| pairs),
            counts: counts.as_ref().map_or(answer.counts, |(pairs, _)| pairs),
            ..answer
        };
        let was_known = self.known;
        self.learn(&answer);
        if !was_known {
            self.known_since = answer.received;
        }
        let (mut news, others) = self.reconcile(ticket, answer, now);
        // What is seen of others in a long window is seen of them in a short one too, but not the other way round.
        let mut pace = Pace::default();
        for window in self.windows.values_mut().rev() {
            pace = pace.max(window.pace(now));
            window.set_pace(pace);
        }
        if !was_known && others {
            // They may still be on their way.
            for window in self.windows.values_mut() {
                window.suspect_more(answer.received);
            }
            self.pause.hold_until(answer.received + SETTLE);
            self.ramp.restart();
        }
        news.excess = self.excess;
        match answer.verdict {
            Verdict::Refused { told, growing } => {
                self.ramp.restart();
                let all_wait = !growing || self.strain.refused();
                if all_wait && self.pause.refused(answer.sent, now, told, growing) {
                    news.paused_until = Some(self.pause.until());
                }
                news.excess = self.pause.excess().max(self.excess);
            }
            Verdict::Served => {
                self.known = true;
                self.pause.accepted(answer.sent);
                self.strain.served();
                self.ramp.grow(now);
            }
            Verdict::Failed | Verdict::RefusedElsewhere => {}
        }
        news
    }

    /// Takes the limits of an answer. Answers overtake each other: one that may be older than what
    /// is known can only make it stricter.
    fn learn(&mut self, answer: &Answer<'_>) {
        if answer.limits.is_empty() {
            return;
        }
        let newer = answer.sent >= self.limits_since;
        let mut changed = !self.known;
        self.known = true;
        if newer {
            let before = self.windows.len();
            self.windows
                .retain(|seconds, _| answer.limits.contains_key(seconds));
            changed |= self.windows.len() != before;
        }
        for (&seconds, &limit) in answer.limits {
            if seconds == 0 {
                continue;
            }
            if let Some(window) = self.windows.get_mut(&seconds) {
                if limit < window.limit() || (newer && limit != window.limit()) {
                    window.set_limit(limit);
                    changed = true;
                }
            } else {
                let mut window = Window::new(seconds, limit, self.margins, self.share);
                window.counted(answer.received);
                if self.by_board {
                    window.share_by_board(self.in_flight);
                }
                self.windows.insert(seconds, window);
                changed = true;
            }
        }
        if changed {
            self.limits_since = self.limits_since.max(answer.received);
        }
    }

    /// Compares the server's counts with ours: also whether they have calls of others that were not known.
    fn reconcile(&mut self, ticket: &Ticket, answer: Answer<'_>, now: Duration) -> (News, bool) {
        let refused_here = matches!(answer.verdict, Verdict::Refused { growing: false, .. });
        let is_over = |(seconds, window): (&u32, &Window)| {
            let count = answer.counts.get(seconds);
            count.is_some_and(|count| *count > window.limit())
        };
        let full = refused_here && !self.windows.iter().any(is_over);
        let (mut news, mut new_others) = (News::default(), false);
        for (seconds, window) in &mut self.windows {
            let mark = ticket.marks.iter().find(|mark| mark.seconds == *seconds);
            let mark = mark.copied();
            let count = answer.counts.get(seconds).copied();
            let moments = [answer.sent, answer.received];
            window.doubted(count.filter(|_| !refused_here), moments);
            new_others |= count.is_some_and(|count| {
                let told = Told {
                    count,
                    uncounted: full,
                    is_early: mark.is_none() || answer.sent <= self.known_since + SETTLE * 2,
                    departed: self.departed,
                    moments,
                };
                window.reconcile(told, mark, self.in_flight)
            });
        }
        if refused_here {
            let others = self.windows.values().any(Window::sees_others);
            for (seconds, window) in &mut self.windows {
                let mark = ticket.marks.iter().find(|mark| mark.seconds == *seconds);
                let count = answer.counts.get(seconds).copied();
                match window.overrun(count, full, others, mark.copied()) {
                    Overrun::Not => {}
                    Overrun::ByOthers => window.refused_by_others(now),
                    Overrun::Drift => news.drift |= window.widen(now),
                }
            }
        }
        (news, new_others)
    }

    /// Whether another call would leave some of each long window.
    pub(super) fn leaves_some(&self) -> bool {
        let mut windows = self.windows.values();
        windows.all(|window| window.leaves_some(self.in_flight))
    }

    /// When the last of so many further calls may go.
    pub(super) fn estimate(&self, now: Duration, transit: &Transit, calls: u32) -> Duration {
        let of_window = |window: &Window| {
            window.estimate(now, transit.floor(), transit.mean(), self.in_flight, calls)
        };
        let windows = self.windows.values().map(of_window).max();
        let free = windows.unwrap_or(now);
        if calls == 0 || self.pause.until() <= now {
            free
        } else {
            // During a pause nothing goes, but places become free.
            free.max(self.pause.until())
        }
    }

    /// Several engines share the limits by a board from now on.
    pub(super) fn share_by_board(&mut self) {
        self.by_board = true;
        for window in self.windows.values_mut() {
            window.share_by_board(self.in_flight);
        }
    }

    pub(super) fn has_news(&self) -> bool {
        self.windows.values().any(Window::has_news)
    }

    /// The board has heard the last report.
    pub(super) fn was_heard(&mut self) {
        self.heard = Some(self.reported);
    }

    /// A window waits for what the board may have.
    pub(super) fn wants_grant(&self, now: Duration) -> bool {
        self.windows
            .values()
            .any(|window| window.wants_grant(now, self.in_flight))
    }

    /// What the board granted of a window, which may be new here.
    pub(super) fn granted(&mut self, grant: WindowGrant, now: Duration) {
        let seconds = grant.key.seconds;
        if !self.windows.contains_key(&seconds) {
            // Answers will tell if that is no limit any more.
            let window = Window::new(seconds, grant.limit, self.margins, self.share);
            self.windows.insert(seconds, window);
            self.known_since = now;
            self.known = true;
        }
        let begins = self.departed == 0;
        if let Some(window) = self.windows.get_mut(&seconds) {
            window.granted(grant, begins, now);
        }
    }

    /// Calls that went while nothing was known of the limits, if it still is so; for a report.
    pub(super) fn asked(&mut self) -> u32 {
        self.reported = self.departed;
        if self.known {
            0
        } else {
            u32::try_from(self.departed).unwrap_or(u32::MAX)
        }
    }

    /// No call goes any more.
    pub(super) fn close(&mut self) {
        for window in self.windows.values_mut() {
            window.close(self.in_flight);
        }
    }

    pub(super) fn report(
        &mut self,
        method: Option<u8>,
        now: Duration,
        transit: &Transit,
        wanted: u32,
    ) -> Vec<WindowReport> {
        self.advance(now, transit);
        let times = [transit.floor(), transit.mean()];
        let in_flight = self.in_flight;
        // More than the shortest window lets go until the next report is a doubt for others, and nothing for us.
        let shortest = self.windows.first_key_value();
        let shortest = shortest
            .map(|(seconds, window)| (*seconds, until_next_report(*seconds, window.our_limit())));
        self.windows
            .iter_mut()
            .map(|(&seconds, window)| {
                let key = WindowKey { method, seconds };
                let most = shortest.filter(|(shortest, _)| *shortest < seconds);
                let wanted = most.map_or(wanted, |(_, calls)| wanted.min(calls));
                window.report(key, now, times, in_flight, wanted)
            })
            .collect()
    }

    /// No place of any window is held.
    pub(super) fn is_idle(&self) -> bool {
        self.windows
            .values()
            .all(|window| window.used(self.in_flight) == 0)
    }

    /// Nobody before that.
    pub(super) fn hold_until(&mut self, until: Duration) {
        self.pause.hold_until(until);
    }

    pub(super) fn paused_until(&self) -> Duration {
        self.pause.until()
    }

    /// A pause or a window that was told and is too long to be believed.
    pub(super) fn excess(&self) -> Option<Duration> {
        self.pause.excess().max(self.excess)
    }

    /// Seconds, used and limit of each window.
    pub(super) fn windows(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.windows
            .iter()
            .map(|(&seconds, window)| (seconds, window.shown(self.in_flight), window.our_limit()))
    }

    pub(super) fn advance(&mut self, now: Duration, transit: &Transit) {
        for window in self.windows.values_mut() {
            window.advance(now, transit.floor());
        }
    }

    /// The part of the limits that other programs use, in percent of the window where it is most.
    pub(super) fn strangers(&self, now: Duration) -> Option<u32> {
        let of_windows = self
            .windows
            .values()
            .filter_map(|window| window.strangers(now));
        of_windows.max()
    }

    pub(super) fn set_share(&mut self, share: Share) {
        self.share = share;
        for window in self.windows.values_mut() {
            window.set_share(share);
        }
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

/// Calls that a window lets go until the next report, which comes within a second and a little.
fn until_next_report(seconds: u32, limit: u32) -> u32 {
    if seconds > 1 {
        limit
    } else {
        limit.saturating_add(limit.div_ceil(4))
    }
}

/// A share of a limit, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and twice a limit; the cast saturates"
)]
fn scaled(limit: u32, share: f64) -> u32 {
    (f64::from(limit) * share).ceil() as u32
}

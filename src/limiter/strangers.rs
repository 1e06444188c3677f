//! Other programs on the same key, as one window sees them: how much of it they use, and what has to be
//! left for those of their calls that are still to come. Pure.
//!
//! Calls that the server counts beyond all that can be ours are theirs. How many there are is seen in
//! each answer, and only then: so a window is not filled at once where others use it. What is left for
//! them melts as the window comes to its end, call by call, and each of these calls looks again.

use std::time::Duration;

use super::habit::Habit;

/// Others are judged by what they did for so long at least.
const BUCKET_MIN: Duration = Duration::from_mins(1);
/// They are told after so many of their calls...
const TOLD_CALLS: u32 = 3;
/// ... so long after the first of them, and when it was looked for so long; of long windows for longer.
const TOLD_AFTER: Duration = Duration::from_secs(5);
/// The ends of shorter windows are not known well enough to count on.
const MELTS_FROM: Duration = Duration::from_secs(5);
/// Where nobody knows when the window ends it is looked again after this part of the span.
const LOOKS_AGAIN: u32 = 64;
/// So long has to be looked before a few calls make a pace.
const LOOKED_MIN: Duration = Duration::from_secs(5);

/// What others did in a while.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    begun: Duration,
    /// For how long of it was looked: from one answer to the next in the same window of the server.
    looked: Duration,
    calls: u32,
}

/// How fast they call, as the windows of a scope tell together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    per_s: f64,
}

impl Pace {
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            per_s: self.per_s.max(other.per_s),
        }
    }
}

/// See the module.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Strangers {
    span: Duration,
    length: Duration,
    /// Since the first of their calls was seen, or the first after a long silence.
    since: Option<Duration>,
    current: Bucket,
    before: Option<Bucket>,
    habit: Habit,
    /// Kept free beside what they use: more after a window that they filled to the end, less after one
    /// that they did not. Calls of theirs that were refused may be seen nowhere.
    extra: u32,
    /// When that was last looked at, and whether the window was full since.
    weighed: Duration,
    was_full: bool,
    /// When a call of ours was last refused because of them.
    refused: Option<Duration>,
    /// When the server's running window ends at the latest, if that is known.
    ends: Option<Duration>,
    /// When it began, about.
    begun: Option<Duration>,
    /// The last count, and when its answer came.
    last: Option<(u32, Duration)>,
    /// When the last counts were told but one, and the last.
    looked: [Duration; 2],
}

impl Strangers {
    pub(super) fn new(span: Duration) -> Self {
        Self {
            span,
            length: span.max(BUCKET_MIN),
            since: None,
            current: Bucket::default(),
            before: None,
            habit: Habit::new(span),
            extra: 0,
            weighed: Duration::ZERO,
            was_full: false,
            refused: None,
            ends: None,
            begun: None,
            last: None,
            looked: [Duration::ZERO; 2],
        }
    }

    /// An answer told a count: does it tell that the server's window began anew since the last one? `sure` of our calls
    /// are in it otherwise. `company`: other engines call too.
    pub(super) fn counted(
        &mut self,
        [count, sure]: [u32; 2],
        limit: u32,
        [sent, received]: [Duration; 2],
        room: Duration,
        company: bool,
    ) -> bool {
        if self.since.is_some() {
            self.adapt(count, limit, received);
        }
        let falls = match self.last {
            None => count == 1,
            Some((before, at)) if sent >= at => count < before.min(sure),
            // It was on its way when the last answer came, which may have told of the same window. But no window begins
            // in the first half of another. (Who calls alone sees the first call of a window.)
            Some(_) => {
                company
                    && count < sure
                    && self
                        .ends
                        .is_none_or(|ends| received + self.span / 2 >= ends)
            }
        };
        if falls {
            self.ends = Some(received + self.span + room);
            self.begun = Some(sent);
        }
        if self.last.is_none_or(|(_, at)| received >= at) {
            // Where much left the window, more than is seen may have come and gone.
            if let Some((before, at)) = self.last
                && self.since.is_some()
                && !falls
                && count > before / 2
            {
                self.current.looked += received.saturating_sub(at);
            }
            self.last = Some((count, received));
            self.looked = [self.looked[1], received];
        }
        falls
    }

    /// So many more of their calls are known.
    pub(super) fn came(&mut self, calls: u32, now: Duration) {
        self.turn(now);
        let looked = self.looked[0].max(now.saturating_sub(self.span));
        if self.since.is_none() {
            self.since = Some(now);
            self.current = Bucket {
                begun: now,
                looked: now.saturating_sub(looked),
                ..Bucket::default()
            };
        }
        self.current.calls = self.current.calls.saturating_add(calls);
        self.habit.came(calls, self.looked[0], now);
    }

    /// A call was refused because of them: more is left to them for a while.
    pub(super) fn refused(&mut self, limit: u32, now: Duration) {
        self.came(0, now);
        self.was_full = true;
        if self.refused.is_none_or(|at| now >= at + self.span) {
            self.refused = Some(now);
            self.extra = self.extra.max(limit / 32);
        }
    }

    /// More or less is left to them than before, once a span.
    fn adapt(&mut self, count: u32, limit: u32, now: Duration) {
        // We leave the last places to them.
        self.was_full |= count + step(limit) / 2 >= limit;
        if now < self.weighed + self.span {
            return;
        }
        let (step, most) = (step(limit), limit / 5);
        self.extra = if std::mem::take(&mut self.was_full) {
            (self.extra + step).min(most)
        } else {
            self.extra
                .saturating_sub(step.div_ceil(2).max(self.extra / 4))
        };
        self.weighed = now;
    }

    /// Nothing is known of them any more after two buckets without any.
    pub(super) fn turn(&mut self, now: Duration) {
        if self.since.is_none() || now < self.current.begun + self.length {
            return;
        }
        let ended = std::mem::take(&mut self.current);
        self.current.begun = ended.begun + self.length;
        if now >= self.current.begun + self.length {
            // Nobody looked for so long; then there is nothing to say of it.
            self.current.begun = now;
            self.before = None;
            self.since = None;
            return;
        }
        if ended.calls == 0 && self.before.is_none_or(|before| before.calls == 0) {
            self.since = None;
            self.before = None;
        } else {
            self.before = Some(ended);
        }
    }

    pub(super) fn are_there(&self) -> bool {
        self.since.is_some()
    }

    /// How many of their calls come in a span: as many as came while it was looked.
    fn usual(&self, now: Duration) -> f64 {
        let elapsed = now.saturating_sub(self.current.begun).as_secs_f64();
        let weight = 1.0 - (elapsed / self.length.as_secs_f64()).min(1.0);
        let before = self.before.unwrap_or_default();
        let calls = f64::from(before.calls) * weight + f64::from(self.current.calls);
        let looked = before.looked.as_secs_f64() * weight + self.current.looked.as_secs_f64();
        let span = self.span.as_secs_f64();
        calls * span / looked.max(LOOKED_MIN.as_secs_f64()).max(span / 4.0)
    }

    /// What this window tells others of the same scope: they see the same calls.
    pub(super) fn pace(&self, now: Duration) -> Pace {
        if self.since.is_none() {
            return Pace::default();
        }
        Pace {
            per_s: self.usual(now) / self.span.as_secs_f64(),
        }
    }

    /// Places to keep free for their calls that are still to come, when `known` are in the window.
    /// `pace` is that of all windows together.
    pub(super) fn to_come(
        &self,
        known: u32,
        young: u32,
        limit: u32,
        pace: Pace,
        now: Duration,
    ) -> u32 {
        if self.since.is_none() && pace.per_s <= 0.0 {
            return 0;
        }
        let all = pace.per_s * self.span.as_secs_f64();
        let left = self
            .ends
            .filter(|ends| *ends > now && self.span >= MELTS_FROM);
        let left = left.map(|ends| ends.saturating_sub(now).min(self.span));
        let (bound, usual) = match left {
            Some(left) => {
                let passed = self.span.saturating_sub(left).as_secs_f64();
                let hidden = whole((pace.per_s * passed).max(0.0)).saturating_sub(known);
                (
                    self.habit.to_come(left, now) + hidden.min(young),
                    pace.per_s * left.as_secs_f64(),
                )
            }
            // In a window that slides those who come take the places of those who leave.
            None => (
                self.habit.most(self.span).saturating_sub(known),
                all - f64::from(known),
            ),
        };
        let part = left.map_or(1.0, |left| left.as_secs_f64() / self.span.as_secs_f64());
        // Who has not been watched for long may do more.
        let looked = self.current.looked + self.before.unwrap_or_default().looked;
        let unseen = 1.0 - (looked.as_secs_f64() / self.span.as_secs_f64()).min(1.0);
        let more = (f64::from(self.extra) + unseen * all.sqrt()) * part;
        let to_come = bound.max(whole(usual.max(0.0).ceil())) + whole(more.ceil());
        to_come.max(step(limit)).min(limit.saturating_sub(1))
    }

    /// When the server's running window began, about, if that is known.
    pub(super) fn begun(&self) -> Option<Duration> {
        self.begun
    }

    /// When the server's window ends is known.
    pub(super) fn knows_end(&self, now: Duration) -> bool {
        self.ends.is_some_and(|ends| ends > now)
    }

    /// The window that was last looked at has ended.
    pub(super) fn window_ended(&self, now: Duration) -> bool {
        let of_last = |ends: Duration| now >= ends && self.last.is_some_and(|(_, at)| at < ends);
        self.since.is_some() && self.ends.is_some_and(of_last)
    }

    /// When the next of the last so many places may be used.
    pub(super) fn looks_again(&self, left: u32) -> Duration {
        let (_, last) = self.last.unwrap_or_default();
        match self.ends {
            Some(ends) if ends > last => last + ends.saturating_sub(last) / (left + 1),
            _ => last + self.span / (left + 1).max(LOOKS_AGAIN),
        }
    }

    /// The part of the limit that they use, in percent, once enough is known to say so.
    pub(super) fn percent(&self, limit: u32, now: Duration) -> Option<u32> {
        let since = self.since?;
        let calls = self.current.calls + self.before.map_or(0, |before| before.calls);
        let looked = self.current.looked + self.before.map_or(Duration::ZERO, |it| it.looked);
        let enough = (self.span / 2).clamp(TOLD_AFTER, TOLD_AFTER * 6);
        if calls < TOLD_CALLS || now < since + TOLD_AFTER || looked < enough {
            return None;
        }
        let percent = self.usual(now) * 100.0 / f64::from(limit.max(1));
        Some(whole(percent.round()).clamp(1, 100))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative and at most about a limit; the cast saturates"
)]
pub(super) fn whole(calls: f64) -> u32 {
    calls as u32
}

/// What is kept free beside all that is expected: two in a hundred.
fn step(limit: u32) -> u32 {
    (limit / 64).max(1)
}

//! By how much the server's windows may be longer than they say.

use std::time::Duration;

/// How far a window's edges are trusted.
///
/// The defaults: a thousandth of the span (a clock that is being set may run that much faster or
/// slower, and it costs a thousandth of the budget), 5 ms at least (both sides count in whole
/// milliseconds, timers too), a second at most. The real edges drift by up to a second at times
/// (developer-relations issue 371: half a second did not cure it), which on a window of ten seconds
/// would cost 9 % of the budget. So a second is added only where a 429 proves it: such a lone 429 is
/// harmless. Half a second is tried first, which is enough for most; if that is refused, the whole one is kept. Either
/// is kept for ten minutes, then for twice as long each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct Margins {
    /// One part in so many of the span.
    pub share: u32,
    pub least: Duration,
    pub most: Duration,
    /// After a 429 that should not have been.
    pub wide: Duration,
    /// For how long, the first time.
    pub hold: Duration,
}

/// Calls that were on their way when one was refused are refused with it.
const SAME: Duration = Duration::from_secs(2);

/// The longest time for which a wide margin is kept.
const HOLD_MAX: Duration = Duration::from_hours(8);

impl Default for Margins {
    fn default() -> Self {
        Self {
            share: 1000,
            least: Duration::from_millis(5),
            most: Duration::from_secs(1),
            wide: Duration::from_millis(1_050),
            hold: Duration::from_mins(10),
        }
    }
}

/// The margin of one window.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Margin {
    margins: Margins,
    usual: Duration,
    wide_until: Option<Duration>,
    /// When it was last made wider.
    widened: Duration,
    /// Half of it was too little.
    needs_whole: bool,
    hold: Duration,
}

impl Margin {
    pub(super) fn new(margins: Margins, span: Duration) -> Self {
        Self {
            margins,
            usual: (span / margins.share.max(1)).clamp(margins.least, margins.most),
            wide_until: None,
            widened: Duration::ZERO,
            needs_whole: false,
            hold: margins.hold,
        }
    }

    pub(super) fn at(&self, now: Duration) -> Duration {
        if self.is_whole(now) {
            self.widest()
        } else if self.is_wide(now) {
            self.widest() / 2
        } else {
            self.usual
        }
    }

    pub(super) fn is_wide(&self, now: Duration) -> bool {
        self.wide_until.is_some_and(|until| now < until)
    }

    fn is_whole(&self, now: Duration) -> bool {
        self.is_wide(now) && self.needs_whole
    }

    /// What it can be at most.
    pub(super) fn widest(&self) -> Duration {
        self.margins.wide.max(self.usual)
    }

    /// A 429 came though the margin was kept. False if it was as wide as can be already.
    pub(super) fn widen(&mut self, now: Duration) -> bool {
        let (was_wide, was_whole) = (self.is_wide(now), self.is_whole(now));
        if was_wide && now < self.widened + SAME {
            return false;
        }
        if self.wide_until.is_some() && !was_wide {
            self.hold = (self.hold * 2).min(HOLD_MAX);
        }
        self.wide_until = Some(now + self.hold);
        self.needs_whole |= was_wide;
        if !was_whole {
            self.widened = now;
        }
        !was_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn half_of_a_wide_margin_is_tried_first_and_kept_for_a_while_and_longer_each_time() {
        let mut margin = Margin::new(Margins::default(), secs(10));
        assert_eq!(margin.at(secs(0)), Duration::from_millis(10));
        assert!(margin.widen(secs(0)));
        assert_eq!(margin.at(secs(599)), Duration::from_millis(525));
        assert_eq!(margin.at(secs(600)), Duration::from_millis(10));
        assert!(margin.widen(secs(700)));
        assert_eq!(margin.at(secs(700 + 1_199)), Duration::from_millis(525));
    }

    #[test]
    fn the_whole_of_it_is_kept_where_half_was_too_little() {
        let mut margin = Margin::new(Margins::default(), secs(10));
        margin.widen(secs(0));
        assert!(margin.widen(secs(100)), "half of it was too little");
        assert!(margin.at(secs(699)) > secs(1));
        assert!(!margin.widen(secs(650)), "it is as wide as can be");
        assert_eq!(margin.at(secs(1_250)), Duration::from_millis(10));
        margin.widen(secs(1_300));
        assert!(margin.at(secs(1_301)) > secs(1), "that is remembered");
    }

    #[test]
    fn short_and_long_spans_have_bounds() {
        let usual = |span| Margin::new(Margins::default(), secs(span)).at(secs(0));
        assert_eq!(usual(1), Duration::from_millis(5));
        assert_eq!(usual(600), Duration::from_millis(600));
        assert_eq!(usual(86_400), secs(1));
    }
}

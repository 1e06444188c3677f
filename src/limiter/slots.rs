//! The calls a window still has to reckon with, by the latest moment they can have been counted.
//!
//! A call holds a place from when it may go until a span after its answer. Calls of nearly the same
//! moment share an entry, rounded up, so that a window of 30,000 calls costs some thousand entries.

use std::collections::VecDeque;
use std::time::Duration;

/// Entries of one window at most: a span is cut in so many pieces, which costs as little of it.
const PIECES: u32 = 4096;

/// Answered calls in the order of their moments: first those whose place is free again (they are
/// remembered for a while), then those that hold one.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Slots {
    /// Moments are rounded up to a multiple of this.
    width: Duration,
    entries: VecDeque<(Duration, u32)>,
    calls: u32,
    freed_entries: usize,
    freed_calls: u32,
}

impl Slots {
    pub(super) fn new(span: Duration) -> Self {
        Self {
            width: (span / PIECES).max(Duration::from_micros(1)),
            entries: VecDeque::new(),
            calls: 0,
            freed_entries: 0,
            freed_calls: 0,
        }
    }

    /// Adds calls that were counted at the moment at the latest.
    pub(super) fn push(&mut self, at: Duration, calls: u32) {
        if calls == 0 {
            return;
        }
        let at = self.rounded_up(at);
        self.calls += calls;
        // Answers come nearly in the order of their moments: a few steps from the end.
        let mut place = self.entries.len();
        while place > self.freed_entries && self.entries[place - 1].0 > at {
            place -= 1;
        }
        match place.checked_sub(1).map(|before| &mut self.entries[before]) {
            Some(entry) if place > self.freed_entries && entry.0 == at => entry.1 += calls,
            _ => self.entries.insert(place, (at, calls)),
        }
    }

    fn rounded_up(&self, at: Duration) -> Duration {
        let width = self.width.as_nanos();
        let pieces = at.as_nanos().div_ceil(width);
        Duration::from_nanos(u64::try_from(pieces * width).unwrap_or(u64::MAX))
    }

    /// The places of calls up to this moment are free.
    pub(super) fn free_until(&mut self, at: Duration) {
        while let Some(&(moment, calls)) = self.entries.get(self.freed_entries)
            && moment <= at
        {
            self.freed_entries += 1;
            self.freed_calls += calls;
        }
    }

    /// Calls up to this moment are not even remembered.
    pub(super) fn forget_until(&mut self, at: Duration) {
        self.free_until(at);
        while self.freed_entries > 0
            && let Some(&(moment, calls)) = self.entries.front()
            && moment <= at
        {
            self.entries.pop_front();
            self.calls -= calls;
            self.freed_entries -= 1;
            self.freed_calls -= calls;
        }
    }

    /// All that is remembered holds its place again.
    pub(super) fn hold_all(&mut self) {
        self.freed_entries = 0;
        self.freed_calls = 0;
        // Some may have come out of order behind those that were free.
        self.entries.make_contiguous().sort_unstable();
    }

    /// Drops the oldest calls until so many hold a place.
    pub(super) fn keep_latest(&mut self, calls: u32) {
        while self.held() > calls {
            let Some(entry) = self.entries.get_mut(self.freed_entries) else {
                return;
            };
            entry.1 -= 1;
            let empty = entry.1 == 0;
            self.calls -= 1;
            if empty {
                self.entries.remove(self.freed_entries);
            }
        }
    }

    /// Calls that were counted after this moment, as far as is known.
    pub(super) fn after(&self, at: Duration) -> u32 {
        let younger = self.entries.iter().rev().take_while(|(of, _)| *of > at);
        younger.map(|(_, calls)| calls).sum()
    }

    /// Calls that hold a place.
    pub(super) fn held(&self) -> u32 {
        self.calls - self.freed_calls
    }

    /// Calls that are remembered, with or without a place.
    pub(super) fn remembered(&self) -> u32 {
        self.calls
    }

    /// Moments of the calls that hold a place, in order, and how many there are of each.
    pub(super) fn moments(&self) -> impl Iterator<Item = (Duration, u32)> + '_ {
        self.entries.range(self.freed_entries..).copied()
    }

    pub(super) fn latest(&self) -> Option<Duration> {
        self.entries.back().map(|(moment, _)| *moment)
    }
}

/// When the nth place, from 0, of these is free.
pub(super) fn nth(releases: impl Iterator<Item = (Duration, u32)>, nth: u32) -> Option<Duration> {
    let mut left = nth;
    let mut releases = releases;
    releases.find_map(|(at, calls)| {
        let found = left < calls;
        left = left.saturating_sub(calls);
        found.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn places_are_freed_in_the_order_of_their_moments_whatever_the_order_of_answers() {
        let mut slots = Slots::new(ms(4096));
        for at in [30, 10, 20] {
            slots.push(ms(at), 1);
        }
        slots.free_until(ms(20));
        assert_eq!((slots.held(), slots.remembered()), (1, 3));
        assert_eq!(slots.moments().collect::<Vec<_>>(), [(ms(30), 1)]);
        slots.hold_all();
        assert_eq!(slots.held(), 3);
        slots.forget_until(ms(10));
        assert_eq!((slots.held(), slots.remembered()), (2, 2));
    }

    #[test]
    fn a_late_report_of_an_early_call_holds_its_place_until_it_is_freed() {
        let mut slots = Slots::new(ms(4096));
        slots.push(ms(30), 1);
        slots.free_until(ms(30));
        slots.push(ms(10), 1);
        assert_eq!(slots.held(), 1);
        slots.free_until(ms(30));
        assert_eq!(slots.held(), 0);
    }

    #[test]
    fn many_calls_cost_few_entries_and_moments_are_never_rounded_down() {
        let mut slots = Slots::new(Duration::from_mins(10));
        for n in 0..60_000 {
            slots.push(ms(n * 10), 1);
        }
        assert_eq!(slots.held(), 60_000);
        assert!(slots.entries.len() <= PIECES as usize + 1);
        slots.free_until(ms(300_000));
        assert!((29_999..30_020).contains(&slots.held()), "{}", slots.held());
    }

    #[test]
    fn the_oldest_go_first_when_fewer_are_kept() {
        let mut slots = Slots::new(ms(4096));
        slots.push(ms(10), 5);
        slots.push(ms(20), 2);
        slots.keep_latest(3);
        assert_eq!(
            slots.moments().collect::<Vec<_>>(),
            [(ms(10), 1), (ms(20), 2)]
        );
    }
}

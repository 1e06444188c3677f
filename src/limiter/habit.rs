//! What others did at most in any stretch of time, and so what they may still do in the next one. Pure.
//!
//! A program that calls in tens does so again and again; one that calls steadily does not suddenly call in tens. So the
//! most that ever came in so long bounds what comes. Of what came just now that is taken away: who makes ten calls
//! every minute and has just made them makes none for a minute.

use std::collections::VecDeque;
use std::time::Duration;

/// A window's span is cut in so many pieces.
const PIECES: usize = 128;
const WIDTH_MIN: Duration = Duration::from_millis(10);
/// What was seen is forgotten after so long, or after so many spans; once or twice as much.
const KEPT_MIN: Duration = Duration::from_mins(1);
const KEPT_SPANS: u32 = 4;

/// See the module.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Habit {
    width: Duration,
    kept: Duration,
    /// The last pieces in which calls came, by their numbers, and how many.
    recent: VecDeque<(u64, u32)>,
    /// The most calls in so many pieces in a row: of late, and before.
    most: Vec<u32>,
    before: Vec<u32>,
    begun: Duration,
}

impl Habit {
    pub(super) fn new(span: Duration) -> Self {
        let none = vec![0; PIECES + 1];
        Self {
            width: (span / u32::try_from(PIECES).unwrap_or(u32::MAX)).max(WIDTH_MIN),
            kept: KEPT_MIN.max(span * KEPT_SPANS),
            recent: VecDeque::new(),
            most: none.clone(),
            before: none,
            begun: Duration::ZERO,
        }
    }

    /// So many calls came between these two moments; nobody knows when.
    pub(super) fn came(&mut self, calls: u32, from: Duration, now: Duration) {
        if calls == 0 {
            return;
        }
        if now >= self.begun + self.kept {
            let none = vec![0; PIECES + 1];
            self.before = std::mem::replace(&mut self.most, none);
            self.begun = now;
        }
        let last = self.piece(now);
        let first = self
            .piece(from)
            .clamp((last + 1).saturating_sub(PIECES as u64), last);
        let pieces = last - first + 1;
        let (calls, mut told) = (u64::from(calls), 0);
        for piece in first..=last {
            let sum = calls * (piece - first + 1) / pieces;
            self.add(piece, u32::try_from(sum - told).unwrap_or(u32::MAX));
            told = sum;
        }
    }

    fn piece(&self, at: Duration) -> u64 {
        u64::try_from(at.as_nanos() / self.width.as_nanos()).unwrap_or(u64::MAX)
    }

    fn add(&mut self, piece: u64, calls: u32) {
        if calls == 0 {
            return;
        }
        let oldest = (piece + 1).saturating_sub(PIECES as u64);
        while self.recent.front().is_some_and(|(of, _)| *of < oldest) {
            self.recent.pop_front();
        }
        match self.recent.back_mut() {
            // Late ones are taken as of now.
            Some((newest, known)) if *newest >= piece => *known = known.saturating_add(calls),
            _ => self.recent.push_back((piece, calls)),
        }
        let newest = self.recent.back().map_or(piece, |(newest, _)| *newest);
        let mut sum = 0_u32;
        for (of, calls) in self.recent.iter().rev() {
            sum = sum.saturating_add(*calls);
            let pieces = usize::try_from(newest - of).unwrap_or(PIECES) + 1;
            if let Some(most) = self.most.get_mut(pieces) {
                *most = sum.max(*most);
            }
        }
        // What came in so long came in longer too.
        let mut most = 0;
        for of in &mut self.most {
            most = most.max(*of);
            *of = most;
        }
    }

    /// The most in so many pieces.
    fn most_of(&self, pieces: usize) -> u32 {
        self.most[pieces].max(self.before[pieces])
    }

    /// The most that came in so long.
    pub(super) fn most(&self, time: Duration) -> u32 {
        self.most_of(self.pieces(time))
    }

    fn pieces(&self, time: Duration) -> usize {
        let whole = time.as_nanos().div_ceil(self.width.as_nanos());
        usize::try_from(whole).unwrap_or(PIECES).min(PIECES)
    }

    /// What may come from now on in so long.
    pub(super) fn to_come(&self, time: Duration, now: Duration) -> u32 {
        // It begins in the middle of one piece and ends in that of another.
        let pieces = (self.pieces(time) + 1).min(PIECES);
        let mut least = self.most_of(pieces);
        let now = self.piece(now);
        let mut sum = 0;
        for (of, calls) in self.recent.iter().rev() {
            let long = pieces + usize::try_from(now.saturating_sub(*of)).unwrap_or(PIECES) + 1;
            if long > PIECES {
                break;
            }
            sum += calls;
            least = least.min(self.most_of(long).saturating_sub(sum));
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Of so many calls at once, so often, over ten minutes.
    fn habit(calls: u32, every: u64) -> Habit {
        let mut habit = Habit::new(secs(120));
        let mut at = secs(0);
        while at <= secs(600) {
            habit.came(calls, at, at);
            at += secs(every);
        }
        habit
    }

    #[test]
    fn who_calls_in_tens_each_minute_does_not_come_again_before_that() {
        let habit = habit(10, 60);
        assert_eq!((habit.most(secs(50)), habit.most(secs(110))), (10, 20));
        // The last ten came at 600 s.
        let to_come = |time, now| habit.to_come(secs(time), secs(now));
        assert_eq!((to_come(50, 601), to_come(50, 640)), (0, 10));
        assert_eq!((to_come(65, 601), to_come(115, 601)), (10, 10));
    }

    #[test]
    fn who_calls_steadily_is_expected_to_go_on_so() {
        let habit = habit(1, 6);
        for time in [12, 30, 60, 90] {
            let [least, most] = [time / 6, time / 6 + 1].map(|of| u32::try_from(of).unwrap());
            let to_come = habit.to_come(secs(time), secs(601));
            assert!((least..=most).contains(&to_come), "{time}: {to_come}");
        }
    }

    #[test]
    fn what_came_in_a_while_that_nobody_looked_is_taken_to_have_come_evenly() {
        let mut habit = Habit::new(secs(120));
        habit.came(60, secs(0), secs(60));
        assert!(
            (9..=11).contains(&habit.most(secs(10))),
            "{}",
            habit.most(secs(10))
        );
        assert_eq!(habit.most(secs(120)), 60);
    }

    #[test]
    fn what_they_did_long_ago_is_forgotten() {
        let mut habit = Habit::new(secs(10));
        habit.came(50, secs(0), secs(0));
        for at in 1..130 {
            habit.came(1, secs(at), secs(at));
        }
        assert!(habit.most(secs(10)) <= 11, "{}", habit.most(secs(10)));
    }
}

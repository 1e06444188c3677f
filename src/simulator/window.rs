//! One rate window as a server may keep it: how many calls count now, and when they stop counting.
//!
//! Nobody outside knows how the real windows begin and end, so there are some models. All of them
//! are one mechanism: a call counts from its moment until the moment at which it *leaves*. In a
//! fixed window all calls leave together, in a sliding log each one on its own. A model only decides
//! when a call leaves; counting, waiting and memory are the same for all.
//!
//! Invariants: calls leave in the order in which they came. Rejected calls count like others (the
//! real counters go on rising: developer-relations issue 697). The decision is exact whatever the
//! number of calls; memory is bounded by the limit, not by the calls.
//!
//! Deliberately absent: a clock. Milliseconds come in, from any beginning that suits the caller.

use std::collections::VecDeque;
use std::str::FromStr;

use crate::hash::hash;
use crate::setting::SettingError;

/// When a window begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WindowModel {
    /// With the first call that is counted in it, and its length later. What libraries assume.
    #[default]
    OpenedByFirstCall,
    /// At the multiples of its length, whether anyone calls or not.
    AlignedToClock,
    /// Nowhere: a call counts until its length has passed. The strictest one, for rejected calls
    /// count too: who retries without waiting never gets in.
    SlidingLog,
    /// As the first; but the count that is told is late: calls of the last moments are not in it yet.
    Lagging,
}

/// How late the told count of `Lagging` is.
const LAG_MS: u64 = 300;

impl WindowModel {
    /// Those that tell counts at once.
    pub const ALL: [Self; 3] = [
        Self::OpenedByFirstCall,
        Self::AlignedToClock,
        Self::SlidingLog,
    ];
    pub const WITH_LATE: [Self; 4] = [
        Self::OpenedByFirstCall,
        Self::AlignedToClock,
        Self::SlidingLog,
        Self::Lagging,
    ];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenedByFirstCall => "opened",
            Self::AlignedToClock => "aligned",
            Self::SlidingLog => "sliding",
            Self::Lagging => "lagging",
        }
    }

    /// When a call of now leaves. `newest_ms` is when the call before it leaves, if that is to come.
    fn leaves_ms(self, newest_ms: Option<u64>, length_ms: u64, drift: Drift, now_ms: u64) -> u64 {
        match (self, newest_ms) {
            (Self::OpenedByFirstCall | Self::Lagging | Self::AlignedToClock, Some(ends_ms)) => {
                ends_ms
            }
            (Self::OpenedByFirstCall | Self::Lagging, None) => {
                (now_ms + length_ms).saturating_add(drift.at(now_ms))
            }
            (Self::AlignedToClock, None) => {
                // An edge that drifted past the next one would make a window without a time.
                let drift = drift.below(length_ms);
                let edge_ms = |number: u64| number * length_ms + drift.at(number);
                let number = now_ms / length_ms;
                if now_ms < edge_ms(number) {
                    edge_ms(number)
                } else {
                    edge_ms(number + 1)
                }
            }
            (Self::SlidingLog, newest_ms) => {
                let leaves_ms = (now_ms + length_ms).saturating_add(drift.at(now_ms / length_ms));
                leaves_ms.max(newest_ms.unwrap_or(0))
            }
        }
    }
}

impl FromStr for WindowModel {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let model = Self::WITH_LATE
            .into_iter()
            .find(|model| model.as_str() == text);
        model.ok_or_else(|| {
            SettingError(format!(
                "'{text}' is no model of a rate window. Choose {}",
                Self::WITH_LATE.map(Self::as_str).join(", ")
            ))
        })
    }
}

/// How much later than it should an edge comes. The real edges drift by up to a second
/// (developer-relations issue 371).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Drift {
    max_ms: u64,
    seed: u64,
}

impl Drift {
    /// Of the edge with this number: from 0 to `max_ms`, the same each time.
    fn at(self, number: u64) -> u64 {
        hash(&[self.seed, number]) % self.max_ms.saturating_add(1)
    }

    fn below(self, bound_ms: u64) -> Self {
        Self {
            max_ms: self.max_ms.min(bound_ms - 1),
            ..self
        }
    }
}

/// Calls that leave together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Run {
    leaves_ms: u64,
    calls: u32,
}

/// Runs kept beyond the newest `limit`, which alone decide. Only the told count is coarser after that.
const SPARE_RUNS: usize = 64;

/// A limit with what counts against it.
#[derive(Debug, Clone, Hash)]
pub(super) struct RateWindow {
    model: WindowModel,
    pub limit: u32,
    pub seconds: u32,
    drift: Drift,
    /// In the order in which they leave.
    runs: VecDeque<Run>,
    /// The sum of all runs.
    pub calls: u32,
    /// Moments of calls that a late count does not tell yet, at most `limit` of them.
    untold: VecDeque<u64>,
}

impl RateWindow {
    pub fn new(
        model: WindowModel,
        (limit, seconds): (u32, u32),
        edge_jitter_ms: u64,
        seed: u64,
    ) -> Self {
        assert!(seconds > 0, "a window has a length");
        Self {
            model,
            limit,
            seconds,
            drift: Drift {
                max_ms: edge_jitter_ms,
                seed: hash(&[seed, u64::from(seconds)]),
            },
            runs: VecDeque::new(),
            calls: 0,
            untold: VecDeque::new(),
        }
    }

    /// Counts a call. Returns for how long no other one passes, if this one is over the limit.
    /// A moment before that of an earlier call is taken as it is: nothing comes back that has left.
    pub fn count(&mut self, now_ms: u64) -> Option<u64> {
        while let Some(run) = self.runs.front().filter(|run| run.leaves_ms <= now_ms) {
            self.calls = self.calls.saturating_sub(run.calls);
            self.runs.pop_front();
        }
        let newest_ms = self.runs.back().map(|run| run.leaves_ms);
        let length_ms = u64::from(self.seconds) * 1000;
        let leaves_ms = self
            .model
            .leaves_ms(newest_ms, length_ms, self.drift, now_ms);
        match self.runs.back_mut() {
            Some(run) if run.leaves_ms == leaves_ms => run.calls = run.calls.saturating_add(1),
            _ => self.runs.push_back(Run {
                leaves_ms,
                calls: 1,
            }),
        }
        self.calls = self.calls.saturating_add(1);
        self.forget_details();
        if self.model == WindowModel::Lagging {
            if self.calls == 1 {
                self.untold.clear();
            }
            self.untold.push_back(now_ms);
            let most = self.limit as usize;
            while self.untold.len() > most
                || (self.untold.front()).is_some_and(|at| at + LAG_MS <= now_ms)
            {
                self.untold.pop_front();
            }
        }
        (self.calls > self.limit).then(|| self.frees_ms() - now_ms)
    }

    /// The count as the call hears it that was counted last.
    pub fn told(&self) -> u32 {
        let others = self.untold.len().saturating_sub(1);
        self.calls
            .saturating_sub(u32::try_from(others).unwrap_or(u32::MAX))
    }

    /// The call that was counted last was refused, and refused ones do not count.
    pub fn take_back(&mut self) {
        let Some(run) = self.runs.back_mut() else {
            return;
        };
        run.calls -= 1;
        if run.calls == 0 {
            self.runs.pop_back();
        }
        self.calls -= 1;
        self.untold.pop_back();
    }

    /// When so many calls have left that one more is within the limit.
    fn frees_ms(&self) -> u64 {
        let mut left = self.calls;
        let room = self.runs.iter().find(|run| {
            left = left.saturating_sub(run.calls);
            left < self.limit
        });
        // A limit of 0 has no room even when all have left.
        let newest = self.runs.back();
        room.or(newest).map_or(0, |run| run.leaves_ms)
    }

    /// Joins the oldest runs when there are too many: their calls are taken to leave with the last
    /// of them. At least `limit` newer calls are then there, so no decision changes.
    fn forget_details(&mut self) {
        while self.runs.len() > self.limit as usize + SPARE_RUNS {
            if let Some(oldest) = self.runs.pop_front()
                && let Some(next) = self.runs.front_mut()
            {
                next.calls = next.calls.saturating_add(oldest.calls);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(model: WindowModel, limit: u32, seconds: u32, jitter_ms: u64) -> RateWindow {
        RateWindow::new(model, (limit, seconds), jitter_ms, 7)
    }

    /// The counts told to calls at these moments, and for how long they are sent away.
    #[track_caller]
    fn check(model: WindowModel, limit: u32, calls: &[(u64, u32, Option<u64>)]) {
        let mut window = window(model, limit, 1, 0);
        for (now_ms, count, blocked_ms) in calls {
            assert_eq!(window.count(*now_ms), *blocked_ms, "at {now_ms} ms");
            assert_eq!(window.calls, *count, "at {now_ms} ms");
        }
    }

    #[test]
    fn a_window_opens_with_its_first_call_and_lasts_its_length() {
        check(
            WindowModel::OpenedByFirstCall,
            2,
            &[
                (500, 1, None),
                (1499, 2, None),
                (1499, 3, Some(1)),
                (1500, 1, None),
                (2499, 2, None),
            ],
        );
    }

    #[test]
    fn an_aligned_window_ends_at_a_multiple_of_its_length() {
        check(
            WindowModel::AlignedToClock,
            2,
            &[
                (999, 1, None),
                (1000, 1, None),
                (1900, 2, None),
                (1901, 3, Some(99)),
                (2000, 1, None),
            ],
        );
    }

    #[test]
    fn in_a_sliding_log_each_call_leaves_on_its_own() {
        check(
            WindowModel::SlidingLog,
            2,
            &[
                (0, 1, None),
                (600, 2, None),
                // A rejected call takes a place too: the one of 600 ms has to leave as well.
                (900, 3, Some(700)),
                (1599, 3, Some(301)),
                (1900, 2, None),
            ],
        );
    }

    #[test]
    fn a_limit_of_nothing_is_never_met() {
        check(
            WindowModel::OpenedByFirstCall,
            0,
            &[(0, 1, Some(1000)), (1000, 1, Some(1000))],
        );
    }

    #[test]
    fn an_edge_drifts_within_its_bounds_and_the_same_each_time() {
        for model in WindowModel::ALL {
            let ends = |jitter_ms| {
                (0..200_u64)
                    .map(|second| {
                        // A fresh window each time, for the edge that follows this moment.
                        let mut window = window(model, 0, 1, jitter_ms);
                        window.count(second * 1000 + 999).unwrap()
                    })
                    .collect::<Vec<_>>()
            };
            let (steady, drifting) = (ends(0), ends(1000));
            assert_eq!(drifting, ends(1000));
            let drifts: Vec<u64> = steady
                .iter()
                .zip(&drifting)
                .map(|(steady, drifting)| drifting - steady)
                .collect();
            assert!(drifts.iter().all(|drift| *drift <= 1000), "{drifts:?}");
            assert!(drifts.iter().any(|drift| *drift < 200), "{drifts:?}");
            assert!(drifts.iter().any(|drift| *drift > 800), "{drifts:?}");
        }
    }

    #[test]
    fn aligned_edges_do_not_pass_each_other_however_much_they_drift() {
        for now_ms in (0..300_000).step_by(100) {
            let mut window = window(WindowModel::AlignedToClock, 0, 1, 9000);
            let ends_ms = now_ms + window.count(now_ms).unwrap();
            // The next edge of its second, or that of the second behind it.
            assert!(ends_ms < (now_ms / 1000 + 2) * 1000, "{now_ms} {ends_ms}");
        }
    }

    fn moments() -> impl Strategy<Value = Vec<u64>> {
        let gaps = prop_oneof![Just(0_u64), 0..40_u64, 0..1500_u64];
        prop::collection::vec(gaps, 1..400).prop_map(|gaps| {
            gaps.iter()
                .scan(0, |now, gap| {
                    *now += gap;
                    Some(*now)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn who_waits_as_told_gets_in_and_who_waits_less_does_not(
            model in prop::sample::select(WindowModel::ALL.to_vec()),
            moments in moments(),
            limit in 1..8_u32,
            jitter_ms in prop_oneof![Just(0_u64), 0..2500_u64],
        ) {
            let mut window = window(model, limit, 1, jitter_ms);
            for now_ms in moments {
                if let Some(blocked_ms) = window.count(now_ms) {
                    prop_assert!(blocked_ms > 0);
                    prop_assert_eq!(window.clone().count(now_ms + blocked_ms), None);
                    prop_assert!(window.clone().count(now_ms + blocked_ms - 1).is_some());
                }
            }
        }

        #[test]
        fn a_sliding_log_decides_as_if_it_forgot_nothing(moments in moments(), limit in 1..5_u32) {
            let mut window = window(WindowModel::SlidingLog, limit, 1, 0);
            for (number, now_ms) in moments.iter().enumerate() {
                let blocked_ms = window.count(*now_ms);
                let counted: Vec<u64> =
                    moments[..=number].iter().copied().filter(|call| call + 1000 > *now_ms).collect();
                let count = u32::try_from(counted.len()).unwrap();
                let frees_ms = (count > limit).then(|| {
                    counted[counted.len() - limit as usize] + 1000 - now_ms
                });
                prop_assert_eq!(blocked_ms, frees_ms);
                prop_assert!(window.calls >= count);
                prop_assert!(window.runs.len() <= limit as usize + SPARE_RUNS);
            }
        }
    }

    #[test]
    fn memory_stays_within_bounds_however_many_calls_are_rejected() {
        let mut window = window(WindowModel::SlidingLog, 3, 600, 0);
        for now_ms in 0..100_000 {
            window.count(now_ms);
        }
        assert_eq!(window.runs.len(), 3 + SPARE_RUNS);
        assert_eq!(window.calls, 100_000);
        assert_eq!(window.count(100_000), Some(600_000 - 2));
    }
}

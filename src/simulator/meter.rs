//! All windows of one thing that is limited, counted together: a key on a route, or one method of it.
//!
//! It has no clock and no sockets, so a client's limiter can be driven against it on virtual time:
//!
//! ```
//! use riftsync_simulator::{Meter, WindowModel};
//!
//! let mut server = Meter::new(WindowModel::OpenedByFirstCall, &[(2, 1), (100, 120)], 0, 7);
//! assert_eq!(server.count(0).blocked_ms, None);
//! let second = server.count(10);
//! assert_eq!(second.limits_text(), "2:1,100:120");
//! assert_eq!(second.counts_text(), "2:1,2:120");
//! assert_eq!(server.count(400).blocked_ms, Some(600));
//! ```

use crate::limits::Limit;
use crate::window::{RateWindow, WindowModel};

/// The windows of a limited thing between two calls.
#[derive(Debug, Clone, Hash)]
pub struct Meter {
    model: WindowModel,
    edge_jitter_ms: u64,
    seed: u64,
    /// Calls that are refused count like others.
    counts_refused: bool,
    windows: Vec<RateWindow>,
}

/// What the windows say to one call, itself included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// `(calls, seconds)`, in the order of the configuration.
    pub limits: Vec<Limit>,
    /// `(calls so far, seconds)`, in the same order. Rejected calls are in it, unless they do not count.
    pub counts: Vec<Limit>,
    /// Until the last of the overrun windows has room, in milliseconds; none if the call is within
    /// all limits. At that moment a window that is full now, but not overrun, may say no.
    pub blocked_ms: Option<u64>,
}

impl Meter {
    /// Edges come up to `edge_jitter_ms` late, by how much follows from `seed`. Aligned edges never
    /// pass each other: there the lateness stays below the window's length.
    pub fn new(model: WindowModel, limits: &[Limit], edge_jitter_ms: u64, seed: u64) -> Self {
        let mut meter = Self {
            model,
            edge_jitter_ms,
            seed,
            counts_refused: true,
            windows: Vec::new(),
        };
        meter.set_limits(limits);
        meter
    }

    /// Calls that are refused do not count; the real API counts them.
    #[must_use]
    pub fn without_refused(mut self) -> Self {
        self.counts_refused = false;
        self
    }

    /// New limits from the next call on. A window whose length stays keeps what it counted, as a
    /// limit that shrinks in the real API does not forgive what was used.
    pub fn set_limits(&mut self, limits: &[Limit]) {
        self.windows = limits
            .iter()
            .map(|&(limit, seconds)| {
                let running = self.windows.iter().find(|w| w.seconds == seconds);
                let mut window = running.cloned().unwrap_or_else(|| {
                    let pair = (limit, seconds);
                    RateWindow::new(self.model, pair, self.edge_jitter_ms, self.seed)
                });
                window.limit = limit;
                window
            })
            .collect();
    }

    /// Counts a call at a moment in milliseconds; where time begins is up to the caller.
    pub fn count(&mut self, now_ms: u64) -> Reading {
        let mut reading = Reading::default();
        for window in &mut self.windows {
            let blocked_ms = window.count(now_ms);
            reading.limits.push((window.limit, window.seconds));
            reading.blocked_ms = reading.blocked_ms.max(blocked_ms);
        }
        for window in &mut self.windows {
            let told = window.told();
            let refused = reading.blocked_ms.is_some() && !self.counts_refused;
            if refused {
                window.take_back();
            }
            let told = if refused { told - 1 } else { told };
            reading.counts.push((told, window.seconds));
        }
        reading
    }
}

impl Reading {
    /// The value of `X-App-Rate-Limit` or `X-Method-Rate-Limit`: `20:1,100:120`.
    pub fn limits_text(&self) -> String {
        text(&self.limits)
    }

    /// The value of the header that ends in `-Count`.
    pub fn counts_text(&self) -> String {
        text(&self.counts)
    }
}

fn text(pairs: &[Limit]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(calls, seconds)| format!("{calls}:{seconds}"))
        .collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_the_overrun_windows_decides() {
        let limits = [(1, 1), (2, 10), (100, 120)];
        let mut meter = Meter::new(WindowModel::OpenedByFirstCall, &limits, 0, 1);
        let blocked: Vec<Option<u64>> = [0, 100, 200, 1500]
            .into_iter()
            .map(|now_ms| meter.count(now_ms).blocked_ms)
            .collect();
        assert_eq!(blocked, [None, Some(900), Some(9800), Some(8500)]);
        assert_eq!(meter.count(1600).counts_text(), "2:1,5:10,5:120");
    }

    #[test]
    fn a_window_whose_length_stays_keeps_its_count_under_another_limit() {
        let mut meter = Meter::new(WindowModel::SlidingLog, &[(20, 1), (100, 120)], 0, 1);
        for now_ms in 0..8 {
            assert_eq!(meter.count(now_ms).blocked_ms, None);
        }
        meter.set_limits(&[(5, 120), (50, 10)]);
        let reading = meter.count(10);
        assert_eq!(reading.limits, [(5, 120), (50, 10)]);
        assert_eq!(reading.counts, [(9, 120), (1, 10)]);
        // There is room for another when four are left: five have to leave, the last is that of 4 ms.
        assert_eq!(reading.blocked_ms, Some(120_000 + 4 - 10));
    }

    #[test]
    fn without_limits_nothing_is_said() {
        let mut meter = Meter::new(WindowModel::AlignedToClock, &[], 500, 1);
        assert_eq!(meter.count(0), Reading::default());
        assert_eq!(meter.count(0).limits_text(), "");
    }
}

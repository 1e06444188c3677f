//! How engines of one key share its limits. Pure: what every engine reports, and what one of them is
//! granted, in places of a window.
//!
//! A call holds a place of each window it counts in, from when it may go until no window of the server
//! can hold it any more. An engine never holds more places of a window than its *cap*, and the caps of
//! all engines are never more than the limit: so all of them together keep it, wherever the windows
//! of the server begin. Nothing is asked per call: a cap is a little more than what is in use, for as
//! many calls as the engine wants until it reports again. An engine that wants what others hold gets
//! its part as their calls age out.
//!
//! An engine that has ended leaves its row behind: its calls hold their places for as long as the
//! server may count them. So a start in the middle of a window neither exceeds nor wastes it.

use serde::{Deserialize, Serialize};

/// An engine that has not reported for so long makes no calls any more, in milliseconds.
pub const LEASE_MS: i64 = 10_000;
/// Rows of engines that ended are looked at for so long after their last place is free.
const ROOM_MS: i64 = 1_000;

/// A window's name: none is the application's, for all methods together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WindowKey {
    pub method: Option<u8>,
    pub seconds: u32,
}

/// What an engine says of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowReport {
    pub key: WindowKey,
    pub limit: u32,
    /// Places in use: in so many milliseconds so many become free.
    pub places: Vec<(u32, u32)>,
    /// Calls it wants to make before it reports again.
    pub wanted: u32,
    /// The cap it keeps to while it waits for the answer: never above its present one.
    pub keep: u32,
}

/// What an engine says of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoardReport {
    pub windows: Vec<WindowReport>,
    /// Riot refused calls: nobody calls the method (none: the route) for so many milliseconds.
    pub pauses: Vec<(Option<u8>, u32)>,
}

/// What an engine hears of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoardGrant {
    pub windows: Vec<WindowGrant>,
    /// The pauses of all engines.
    pub pauses: Vec<(Option<u8>, u32)>,
}

/// What an engine may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowGrant {
    pub key: WindowKey,
    pub limit: u32,
    /// Places it may hold.
    pub cap: u32,
    /// Its part when all engines have what they want of it. Above it, places that become free are
    /// others'.
    pub part: u32,
}

/// A window in the row of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardWindow {
    #[serde(flatten)]
    pub key: WindowKey,
    pub limit: u32,
    pub cap: u32,
    pub wanted: u32,
    /// When places in use become free, in milliseconds since 1970, and how many then.
    pub places: Vec<(i64, u32)>,
}

/// What an engine last said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardEntry {
    pub windows: Vec<BoardWindow>,
    /// Until when, in milliseconds since 1970.
    pub pauses: Vec<(Option<u8>, i64)>,
}

/// The row of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardRow {
    pub engine: String,
    pub entry: BoardEntry,
    pub reported_at: i64,
    /// It is known to have ended then.
    pub ended_at: Option<i64>,
}

impl BoardRow {
    /// When its last call was made at the latest; none: it may be making some now.
    fn last_call_at(&self, now: i64) -> Option<i64> {
        let expired = self.reported_at + LEASE_MS;
        let expired = (expired <= now).then_some(expired);
        match (self.ended_at, expired) {
            (Some(ended), Some(expired)) => Some(ended.min(expired)),
            (ended, expired) => ended.or(expired),
        }
    }

    /// Nothing of it counts any more.
    pub fn is_over(&self, now: i64) -> bool {
        let Some(last_call) = self.last_call_at(now) else {
            return false;
        };
        let window_over = |window: &BoardWindow| {
            let span = i64::from(window.key.seconds) * 1_000;
            last_call + span + span / 100 + ROOM_MS <= now
        };
        self.entry.windows.iter().all(window_over)
            && self.entry.pauses.iter().all(|(_, until)| *until <= now)
    }
}

impl BoardWindow {
    fn in_use(&self, now: i64) -> u32 {
        let held = self.places.iter().filter(|(free_at, _)| *free_at > now);
        held.map(|(_, calls)| calls).sum()
    }

    /// Places that others must leave to it.
    fn held(&self, row: &BoardRow, now: i64) -> u32 {
        let Some(last_call) = row.last_call_at(now) else {
            return self.cap;
        };
        // Calls it made after its last report are as young as can be: in all places that were not
        // held by reported ones when it ended.
        let span = i64::from(self.key.seconds) * 1_000;
        let unreported_until = last_call + span + span / 100 + ROOM_MS;
        let unreported = if unreported_until > now {
            self.cap.saturating_sub(self.in_use(last_call))
        } else {
            0
        };
        self.in_use(now) + unreported
    }
}

/// Takes an engine's report among the rows of all engines; what is now in its row, and what it is
/// granted. Windows that only others know are granted with a cap of nothing, so that they are known.
pub fn share(
    rows: &[BoardRow],
    engine: &str,
    report: &BoardReport,
    now: i64,
) -> (BoardEntry, BoardGrant) {
    let others: Vec<&BoardRow> = rows.iter().filter(|row| row.engine != engine).collect();
    let mut entry = BoardEntry::default();
    let mut grant = BoardGrant::default();
    for window in &report.windows {
        let (put, granted) = share_window(&others, window, now);
        entry.windows.push(put);
        grant.windows.push(granted);
    }
    for (method, left) in &report.pauses {
        entry.pauses.push((*method, now + i64::from(*left)));
    }
    for row in others.iter().filter(|row| !row.is_over(now)) {
        for window in &row.entry.windows {
            if grant.windows.iter().all(|known| known.key != window.key) {
                grant.windows.push(WindowGrant {
                    key: window.key,
                    limit: window.limit,
                    cap: 0,
                    part: 0,
                });
            }
        }
        for (method, until) in &row.entry.pauses {
            if let Ok(left @ 1..) = u32::try_from(until - now) {
                grant.pauses.push((*method, left));
            }
        }
    }
    (entry, grant)
}

fn share_window(
    others: &[&BoardRow],
    report: &WindowReport,
    now: i64,
) -> (BoardWindow, WindowGrant) {
    let mut held = 0;
    let mut gone = 0;
    let mut wishes = Vec::new();
    for row in others {
        let mut windows = row.entry.windows.iter();
        let Some(window) = windows.find(|window| window.key == report.key) else {
            // Who does not know the limits yet may be asking for them just now, with one call.
            if report.key.method.is_none() && row.last_call_at(now).is_none() {
                held += 1;
                wishes.push(1);
            }
            continue;
        };
        let places = window.held(row, now);
        held += places;
        if row.last_call_at(now).is_some() {
            gone += places;
        } else {
            wishes.push(window.in_use(now) + window.wanted);
        }
    }
    let in_use: u32 = report.places.iter().map(|(_, calls)| calls).sum();
    let wish = in_use.saturating_add(report.wanted);
    let part = part_of(report.limit.saturating_sub(gone), wish, &wishes);
    let room = report.limit.saturating_sub(held);
    let cap = wish
        .min(part)
        .min(room)
        .max(in_use)
        .max(report.keep.min(room));
    let window = BoardWindow {
        key: report.key,
        limit: report.limit,
        cap,
        wanted: report.wanted,
        places: report
            .places
            .iter()
            .map(|(free_in, calls)| (now + i64::from(*free_in), *calls))
            .collect(),
    };
    let grant = WindowGrant {
        key: report.key,
        limit: report.limit,
        cap,
        part,
    };
    (window, grant)
}

/// The part of one who wishes so much among others: nobody gets more than the wish, and what is short
/// is shared evenly (max-min fairness).
fn part_of(total: u32, wish: u32, others: &[u32]) -> u32 {
    let mut wishes: Vec<u32> = others.to_vec();
    wishes.push(wish);
    wishes.sort_unstable();
    let mut left = total;
    for (place, each) in wishes.iter().enumerate() {
        let waiting = u32::try_from(wishes.len() - place).unwrap_or(u32::MAX);
        // Rounded up for the last ones, so that nothing of a small limit is lost.
        let even = left / waiting;
        if *each <= even {
            if *each == wish {
                return wish;
            }
            left -= each;
        } else {
            return wish.min(left.div_ceil(waiting));
        }
    }
    wish.min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: WindowKey = WindowKey {
        method: None,
        seconds: 10,
    };

    fn report(in_use: u32, wanted: u32) -> WindowReport {
        WindowReport {
            key: KEY,
            limit: 100,
            places: if in_use == 0 {
                vec![]
            } else {
                vec![(5_000, in_use)]
            },
            wanted,
            keep: 0,
        }
    }

    /// The board after a report, and the grant.
    fn put(rows: &mut Vec<BoardRow>, engine: &str, report: WindowReport, now: i64) -> WindowGrant {
        let report = BoardReport {
            windows: vec![report],
            pauses: vec![],
        };
        let (entry, grant) = share(rows, engine, &report, now);
        rows.retain(|row| row.engine != engine);
        rows.push(BoardRow {
            engine: engine.to_owned(),
            entry,
            reported_at: now,
            ended_at: None,
        });
        let total: u32 = rows
            .iter()
            .map(|row| row.entry.windows[0].held(row, now))
            .sum();
        assert!(total <= 100, "{rows:?}");
        grant.windows[0]
    }

    #[test]
    fn a_lone_engine_gets_what_it_wants_and_no_more_than_the_limit() {
        let mut rows = vec![];
        assert_eq!(put(&mut rows, "a", report(0, 30), 0).cap, 30);
        assert_eq!(put(&mut rows, "a", report(30, 500), 0).cap, 100);
    }

    #[test]
    fn engines_that_begin_at_once_leave_room_for_the_first_calls_of_the_others() {
        let mut rows = vec![];
        for engine in ["a", "b", "c"] {
            let (entry, _) = share(&rows, engine, &BoardReport::default(), 0);
            rows.push(BoardRow {
                engine: engine.to_owned(),
                entry,
                reported_at: 0,
                ended_at: None,
            });
        }
        // The answer to its first call has told the limits to one of them.
        let first = BoardReport {
            windows: vec![report(1, 500)],
            pauses: vec![],
        };
        let (_, grant) = share(&rows, "a", &first, 100);
        assert_eq!(grant.windows[0].cap, 98);
        // Those that have ended long ago call no more.
        let (_, grant) = share(&rows, "a", &first, LEASE_MS);
        assert_eq!(grant.windows[0].cap, 100);
    }

    #[test]
    fn two_that_want_everything_get_half_each_as_places_become_free() {
        let mut rows = vec![];
        put(&mut rows, "a", report(100, 500), 0);
        assert_eq!(
            put(&mut rows, "b", report(0, 500), 0).cap,
            0,
            "nothing is free"
        );
        let grant = put(&mut rows, "a", report(70, 500), 1_000);
        assert_eq!((grant.cap, grant.part), (70, 50), "it keeps what it uses");
        assert_eq!(put(&mut rows, "b", report(0, 500), 1_000).cap, 30);
        assert_eq!(put(&mut rows, "a", report(40, 500), 2_000).cap, 50);
        assert_eq!(put(&mut rows, "b", report(30, 500), 2_000).cap, 50);
    }

    #[test]
    fn who_wants_little_leaves_the_rest() {
        let mut rows = vec![];
        put(&mut rows, "a", report(0, 10), 0);
        assert_eq!(put(&mut rows, "b", report(0, 500), 0).cap, 90);
        assert_eq!(part_of(100, 500, &[10, 20]), 70);
        assert_eq!(part_of(20, 500, &[500, 500]), 7);
        assert_eq!(part_of(100, 5, &[500, 500]), 5);
    }

    #[test]
    fn an_engine_that_ended_leaves_its_calls_behind_until_no_window_holds_them() {
        let mut rows = vec![];
        put(&mut rows, "old", report(60, 30), 0);
        rows[0].ended_at = Some(1_000);
        // 60 places are free at 5 s; what it may have used after its last report, 10 s after its end.
        assert_eq!(put(&mut rows, "new", report(0, 500), 1_000).cap, 10);
        assert_eq!(put(&mut rows, "new", report(10, 500), 5_000).cap, 70);
        assert_eq!(put(&mut rows, "new", report(10, 500), 12_200).cap, 100);
        assert!(rows[0].is_over(12_200) && !rows[0].is_over(12_000));
    }

    #[test]
    fn an_engine_that_is_silent_is_waited_for_until_its_lease_and_its_windows_are_over() {
        let mut rows = vec![];
        put(&mut rows, "silent", report(60, 30), 0);
        assert_eq!(put(&mut rows, "other", report(0, 500), 9_999).cap, 10);
        assert_eq!(put(&mut rows, "other", report(0, 500), 10_000).cap, 10);
        assert_eq!(put(&mut rows, "other", report(0, 500), 21_200).cap, 100);
    }

    #[test]
    fn what_is_kept_while_a_report_is_on_its_way_is_kept() {
        let mut rows = vec![];
        put(&mut rows, "a", report(0, 80), 0);
        let asking = WindowReport {
            keep: 80,
            ..report(20, 0)
        };
        assert_eq!(put(&mut rows, "a", asking, 1_000).cap, 80);
    }

    #[test]
    fn windows_that_only_others_know_are_told() {
        let mut rows = vec![];
        put(&mut rows, "a", report(0, 10), 0);
        let (_, grant) = share(&rows, "b", &BoardReport::default(), 0);
        assert_eq!(grant.windows.len(), 1);
        assert_eq!((grant.windows[0].limit, grant.windows[0].cap), (100, 0));
    }
}

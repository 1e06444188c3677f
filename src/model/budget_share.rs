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
//!
//! One that ends well says what it used to the call. One that dies leaves a *doubt*: it may have made
//! calls after its last report, in all places of its cap. The doubt ends with the first answers to
//! others: what the server counted in a window, less the calls that are known to be of others, is all
//! that the dead one can have left there ([`Cleared`]). So that somebody can always ask, the last place
//! of a window is granted only to who has used all others.

use serde::{Deserialize, Serialize};

/// An engine that has not reported for so long makes no calls any more, in milliseconds.
pub const LEASE_MS: i64 = 10_000;
/// Rows of engines that ended are looked at for so long after their last place is free.
const ROOM_MS: i64 = 1_000;
/// Moments that a report tells apart in a window.
pub const REPORTED: u32 = 64;
/// In windows shorter than that a doubt is over before it is worth a place.
const RESERVED_FROM_S: u32 = 5;

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
    /// What the server told of calls that engines made before they ended.
    pub cleared: Option<Cleared>,
}

/// A bound on what ended engines have left in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// Of all engines that ended until then, in milliseconds since 1970 as the board has it.
    pub until: i64,
    /// So many of their calls count in the window at most, from the answer on that told it.
    pub calls: u32,
}

/// When the last of the ended engines ended that hold places of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastEnd {
    /// In milliseconds since 1970 as the board has it.
    pub at: i64,
    /// So many milliseconds ago.
    pub ago: u32,
    /// Places in doubt: of calls that they may have made and did not report.
    pub doubt: u32,
}

/// What an engine says of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoardReport {
    pub windows: Vec<WindowReport>,
    /// Riot refused calls: nobody calls the method (none: the route) for so many milliseconds.
    pub pauses: Vec<(Option<u8>, u32)>,
    /// It makes no more calls: what it uses is all that it used.
    pub last: bool,
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
    /// Engines have ended that still hold places; none: there are none.
    pub ended: Option<LastEnd>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared: Option<Cleared>,
}

/// What an engine last said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardEntry {
    pub windows: Vec<BoardWindow>,
    /// Until when, in milliseconds since 1970.
    pub pauses: Vec<(Option<u8>, i64)>,
    /// It made no calls after this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
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
        if self.entry.last {
            return Some(self.reported_at);
        }
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
            let span = window.span();
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

    fn span(&self) -> i64 {
        i64::from(self.key.seconds) * 1_000
    }

    /// Places that others must leave to it.
    fn held(&self, row: &BoardRow, now: i64) -> u32 {
        match row.last_call_at(now) {
            None => self.cap,
            Some(last_call) => self.in_use(now) + self.unreported(row, last_call, now),
        }
    }

    /// Places of calls that an engine may have made after its last report.
    fn unreported(&self, row: &BoardRow, last_call: i64, now: i64) -> u32 {
        let span = self.span();
        let unreported_until = last_call + span + span / 100 + ROOM_MS;
        if row.entry.last || unreported_until <= now {
            return 0;
        }
        // Calls it made after its last report are as young as can be: in all places but those that it could not use
        // again before it ended. What was reported is rounded up, and a place is free a little earlier to who used it.
        let rounding = span / i64::from(REPORTED) + ROOM_MS;
        self.cap.saturating_sub(self.in_use(last_call + rounding))
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
    let mut entry = BoardEntry {
        last: report.last,
        ..BoardEntry::default()
    };
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
                    ended: None,
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
    let mut sure = 0;
    let mut gone: Vec<(i64, u32)> = Vec::new();
    let mut doubt = 0;
    let mut cleared: Vec<Cleared> = report.cleared.into_iter().collect();
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
        cleared.extend(window.cleared);
        if let Some(ended) = row.last_call_at(now) {
            gone.push((ended, window.held(row, now)));
            doubt += window.unreported(row, ended, now);
        } else {
            held += window.held(row, now);
            sure += window.in_use(now);
            wishes.push(window.in_use(now) + window.wanted);
        }
    }
    let in_use: u32 = report.places.iter().map(|(_, calls)| calls).sum();
    let left_behind = left_behind(&gone, &cleared);
    held += left_behind;
    let wish = in_use.saturating_add(report.wanted);
    let part = part_of(report.limit.saturating_sub(left_behind), wish, &wishes);
    let all = report.limit.saturating_sub(held);
    // The last place is for a call that asks what the dead have left.
    let is_kept = is_reserved(report.key.seconds, report.limit)
        && in_use + sure + left_behind + 1 < report.limit;
    let room = all.saturating_sub(u32::from(is_kept));
    let cap = wish
        .min(part)
        .min(room)
        .max(in_use)
        .max(report.keep.min(all));
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
        cleared: report.cleared,
    };
    let last_end = gone.iter().filter(|(_, places)| *places > 0);
    let grant = WindowGrant {
        key: report.key,
        limit: report.limit,
        cap,
        part,
        ended: last_end.map(|(at, _)| *at).max().map(|at| LastEnd {
            at,
            ago: u32::try_from(now - at).unwrap_or(0),
            doubt,
        }),
    };
    (window, grant)
}

/// Whether the last place of a window is granted only to who has used all others.
pub fn is_reserved(seconds: u32, limit: u32) -> bool {
    seconds >= RESERVED_FROM_S && limit > 1
}

/// Places that engines which ended hold: (when, how many) of each, as far as the server's counts did not tell that
/// there are fewer.
fn left_behind(gone: &[(i64, u32)], cleared: &[Cleared]) -> u32 {
    let until = |until: i64| {
        let ended = gone.iter().filter(move |(at, _)| *at <= until);
        ended.map(|(_, places)| places).sum::<u32>()
    };
    let too_many = (cleared.iter()).map(|told| until(told.until).saturating_sub(told.calls));
    until(i64::MAX) - too_many.max().unwrap_or(0)
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
            cleared: None,
        }
    }

    /// The board after a report, and the grant.
    fn put(rows: &mut Vec<BoardRow>, engine: &str, report: WindowReport, now: i64) -> WindowGrant {
        let report = BoardReport {
            windows: vec![report],
            ..BoardReport::default()
        };
        let (entry, grant) = share(rows, engine, &report, now);
        rows.retain(|row| row.engine != engine);
        rows.push(BoardRow {
            engine: engine.to_owned(),
            entry,
            reported_at: now,
            ended_at: None,
        });
        let windows = || rows.iter().map(|row| (row, &row.entry.windows[0]));
        let alive = windows().filter(|(row, _)| row.last_call_at(now).is_none());
        let gone = windows().filter_map(|(row, window)| {
            let at = row.last_call_at(now)?;
            Some((at, window.held(row, now)))
        });
        let gone: Vec<(i64, u32)> = gone.collect();
        let cleared: Vec<Cleared> = windows().filter_map(|(_, window)| window.cleared).collect();
        let total = alive.map(|(_, window)| window.cap).sum::<u32>() + left_behind(&gone, &cleared);
        assert!(total <= 100, "{rows:?}");
        grant.windows[0]
    }

    #[test]
    fn a_lone_engine_gets_what_it_wants_and_no_more_than_the_limit() {
        let mut rows = vec![];
        assert_eq!(put(&mut rows, "a", report(0, 30), 0).cap, 30);
        assert_eq!(put(&mut rows, "a", report(30, 500), 0).cap, 99);
        assert_eq!(put(&mut rows, "a", report(99, 500), 0).cap, 100);
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
            ..BoardReport::default()
        };
        let (_, grant) = share(&rows, "a", &first, 100);
        assert_eq!(grant.windows[0].cap, 97);
        // Those that have ended long ago call no more.
        let (_, grant) = share(&rows, "a", &first, LEASE_MS);
        assert_eq!(grant.windows[0].cap, 99);
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
        assert_eq!(put(&mut rows, "b", report(0, 500), 1_000).cap, 29);
        assert_eq!(put(&mut rows, "a", report(40, 500), 2_000).cap, 50);
        assert_eq!(put(&mut rows, "b", report(29, 500), 2_000).cap, 49);
        assert_eq!(put(&mut rows, "a", report(50, 500), 3_000).cap, 50);
        assert_eq!(put(&mut rows, "b", report(49, 500), 3_000).cap, 50);
    }

    #[test]
    fn who_wants_little_leaves_the_rest() {
        let mut rows = vec![];
        put(&mut rows, "a", report(0, 10), 0);
        assert_eq!(put(&mut rows, "b", report(0, 500), 0).cap, 89);
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
        assert_eq!(put(&mut rows, "new", report(0, 500), 1_000).cap, 9);
        assert_eq!(put(&mut rows, "new", report(9, 500), 5_000).cap, 69);
        assert_eq!(put(&mut rows, "new", report(9, 500), 12_200).cap, 99);
        assert!(rows[0].is_over(12_200) && !rows[0].is_over(12_000));
    }

    #[test]
    fn a_place_that_was_free_again_before_an_engine_died_may_hold_a_younger_call() {
        let mut rows = vec![];
        put(&mut rows, "old", report(99, 500), 0);
        // Its places became free at 5 s at the latest, and it may have used them all again.
        rows[0].ended_at = Some(4_900);
        assert_eq!(put(&mut rows, "new", report(0, 500), 5_000).cap, 0);
        assert_eq!(put(&mut rows, "new", report(0, 500), 15_800).cap, 0);
        assert_eq!(put(&mut rows, "new", report(0, 500), 16_100).cap, 99);
    }

    #[test]
    fn an_engine_that_said_a_last_word_leaves_no_doubt() {
        let mut rows = vec![];
        put(&mut rows, "old", report(60, 30), 0);
        let last = BoardReport {
            windows: vec![report(70, 0)],
            pauses: vec![],
            last: true,
        };
        let (entry, _) = share(&rows, "old", &last, 1_000);
        (rows[0].entry, rows[0].reported_at) = (entry, 1_000);
        let grant = put(&mut rows, "new", report(0, 500), 1_000);
        let told = grant.ended.map(|end| (end.at, end.ago, end.doubt));
        assert_eq!((grant.cap, told), (29, Some((1_000, 0, 0))));
        // Its places become free one by one, and nothing follows them.
        assert_eq!(put(&mut rows, "new", report(29, 500), 6_000).cap, 99);
    }

    #[test]
    fn what_the_server_counted_ends_the_doubt_that_a_death_left_for_all_engines() {
        let mut rows = vec![];
        put(&mut rows, "old", report(10, 500), 0);
        rows[0].ended_at = Some(1_000);
        let grant = put(&mut rows, "new", report(0, 500), 1_000);
        let end = grant.ended.unwrap();
        assert_eq!((grant.cap, end.at, end.doubt), (1, 1_000, 89));
        let told = |until| WindowReport {
            cleared: Some(Cleared { until, calls: 12 }),
            ..report(1, 500)
        };
        // It says nothing of engines that ended later.
        assert_eq!(put(&mut rows, "new", told(999), 2_000).cap, 1);
        assert_eq!(put(&mut rows, "new", told(1_000), 2_000).cap, 87);
        assert_eq!(put(&mut rows, "other", report(0, 500), 2_000).cap, 0);
        rows.retain(|row| row.engine != "other");
        put(
            &mut rows,
            "new",
            WindowReport {
                wanted: 0,
                ..told(1_000)
            },
            2_000,
        );
        assert_eq!(put(&mut rows, "other", report(0, 500), 2_000).cap, 86);
    }

    #[test]
    fn an_engine_that_is_silent_is_waited_for_until_its_lease_and_its_windows_are_over() {
        let mut rows = vec![];
        put(&mut rows, "silent", report(60, 30), 0);
        assert_eq!(put(&mut rows, "other", report(0, 500), 9_999).cap, 9);
        // It may have used all its places again by then.
        assert_eq!(put(&mut rows, "other", report(0, 500), 10_000).cap, 9);
        assert_eq!(put(&mut rows, "other", report(0, 500), 21_200).cap, 99);
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

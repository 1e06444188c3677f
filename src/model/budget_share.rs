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
//!
//! Times are those of the board, and rows are put into its present time before they are looked at: see
//! `board_time`.

use serde::{Deserialize, Serialize};

use super::BootTime;

/// An engine that has not reported for so long makes no calls any more, in milliseconds.
pub const LEASE_MS: i64 = 10_000;
/// Rows of engines that ended are looked at for so long after their last place is free.
pub(super) const ROOM_MS: i64 = 1_000;
/// Moments that a report tells apart in a window.
pub const REPORTED: u32 = 64;
/// Parts of a window's span in which a grant tells when places of others become free.
pub const PARTS: usize = 16;
/// A place is free so long after its window's span and what was rounded up, whatever its report said.
const PLACE_MARGIN_MS: i64 = 5_000;
/// An engine that ended before it knew of any window is remembered for so long: longer than the longest one.
const UNKNOWN_MS: i64 = 660_000;
/// A doubt of less than this part of the limit is not worth a wait.
const WORTH: u32 = 10;
/// In windows shorter than that a doubt is over before it is worth a place.
const RESERVED_FROM_S: u32 = 5;

/// A window's name: none is the application's, for all methods together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WindowKey {
    pub method: Option<u8>,
    pub seconds: u32,
}

/// What an engine says of a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cleared {
    /// Of all engines that ended until then, in milliseconds since 1970 as the board has it.
    pub until: i64,
    /// So many of their calls count in the window at most, from the answer on that told it.
    pub calls: u32,
}

/// When the last of the ended engines ended that hold places of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LastEnd {
    /// In milliseconds since 1970 as the board has it.
    pub at: i64,
    /// So many milliseconds ago.
    pub ago: u32,
    /// Places in doubt: of calls that they may have made and did not report.
    pub doubt: u32,
}

impl WindowReport {
    /// Its places, by when they become free.
    fn places_at(&self, now: i64) -> Vec<(i64, u32)> {
        let at = |(free_in, calls): &(u32, u32)| (now + i64::from(*free_in), *calls);
        self.places.iter().map(at).collect()
    }
}

/// What an engine says of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct BoardReport {
    pub windows: Vec<WindowReport>,
    /// Riot refused calls: nobody calls the method (none: the route) for so many milliseconds.
    pub pauses: Vec<(Option<u8>, u32)>,
    /// It makes no more calls: what it uses is all that it used.
    pub last: bool,
    /// Calls it made while it knew of no window.
    pub asked: u32,
    /// Of this engine's reports. One that comes after a later one says nothing.
    pub number: u64,
    /// So many milliseconds after its last report that was answered.
    pub elapsed: Option<u32>,
}

/// What an engine hears of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct BoardGrant {
    pub windows: Vec<WindowGrant>,
    /// The pauses of all engines.
    pub pauses: Vec<(Option<u8>, u32)>,
}

/// What an engine may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowGrant {
    pub key: WindowKey,
    pub limit: u32,
    /// Places it may hold.
    pub cap: u32,
    /// Its part when all engines have what they want of it. Above it, places that become free are
    /// others'.
    pub part: u32,
    /// Places that other engines hold, with those that have ended.
    pub held: u32,
    /// Of these, the places that engines at work said are in use: how many become free in each of so many parts of the
    /// span from now on, in the last one or later.
    pub free_in: [u32; PARTS],
    /// Other engines are at work.
    pub company: bool,
    /// Engines have ended that still hold places; none: there are none.
    pub ended: Option<LastEnd>,
    /// So many milliseconds ago the one of the others was last heard of that was silent longest. None: nobody else
    /// is at work of whom a death would leave a doubt that is worth a wait.
    pub silent: Option<u32>,
}

/// A window in the row of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BoardEntry {
    pub windows: Vec<BoardWindow>,
    /// Until when, in milliseconds since 1970.
    pub pauses: Vec<(Option<u8>, i64)>,
    /// It made no calls after this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asked: u32,
    #[serde(default)]
    pub number: u64,
    /// When it was put there, by a clock that nobody sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootTime>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The row of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BoardRow {
    pub engine: String,
    pub entry: BoardEntry,
    pub reported_at: i64,
    /// It is known to have ended then.
    pub ended_at: Option<i64>,
}

impl BoardRow {
    /// When its last call was made at the latest; none: it may be making some now.
    pub(super) fn last_call_at(&self, now: i64) -> Option<i64> {
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
        let window_over = |window: &BoardWindow| is_free_by(last_call, window.key.span(), now);
        self.entry.windows.iter().all(window_over)
            && self.entry.pauses.iter().all(|(_, until)| *until <= now)
            && (self.unknown() == 0 || last_call + UNKNOWN_MS <= now)
    }

    /// Calls it may have made before it knew of any window.
    fn unknown(&self) -> u32 {
        if self.entry.windows.is_empty() {
            self.unknown_of_window()
        } else {
            0
        }
    }

    /// Calls it may have made in a window that it does not know. One, or it would know it.
    fn unknown_of_window(&self) -> u32 {
        self.entry.asked + u32::from(!self.entry.last)
    }
}

/// No window of the server holds a call any more that was made at that moment or before.
fn is_free_by(last_call: i64, span: i64, now: i64) -> bool {
    last_call + span + span / 100 + ROOM_MS <= now
}

impl WindowKey {
    fn span(self) -> i64 {
        i64::from(self.seconds) * 1_000
    }
}

impl BoardWindow {
    fn in_use(&self, row: &BoardRow, now: i64) -> u32 {
        // No place is held longer than a window can be, whatever somebody said.
        let span = self.key.span();
        let latest = row.reported_at + span + span / i64::from(REPORTED) + PLACE_MARGIN_MS;
        let held = |(free_at, _): &&(i64, u32)| (*free_at).min(latest) > now;
        self.places
            .iter()
            .filter(held)
            .map(|(_, calls)| calls)
            .sum()
    }

    /// Adds the places in use to those that become free in each part of the span.
    fn add_free_in(&self, parts: &mut [u32; PARTS], now: i64) {
        let span = u64::try_from(self.key.span()).unwrap_or(0).max(1);
        for (free_at, calls) in &self.places {
            let Ok(left @ 1..) = u64::try_from(free_at - now) else {
                continue;
            };
            let part = usize::try_from(left * PARTS as u64 / span).unwrap_or(PARTS);
            parts[part.min(PARTS - 1)] += calls;
        }
    }

    /// Places that others must leave to it.
    fn held(&self, row: &BoardRow, now: i64) -> u32 {
        match row.last_call_at(now) {
            None => self.cap,
            Some(last_call) => self.in_use(row, now) + self.unreported(row, last_call, now),
        }
    }

    /// Places of calls that an engine may have made after its last report.
    pub(super) fn unreported(&self, row: &BoardRow, last_call: i64, now: i64) -> u32 {
        let span = self.key.span();
        if row.entry.last || is_free_by(last_call, span, now) {
            return 0;
        }
        // Calls it made after its last report are as young as can be: in all places but those that it could not use
        // again before it ended. What was reported is rounded up, and a place is free a little earlier to who used it.
        let rounding = span / i64::from(REPORTED) + ROOM_MS;
        self.cap
            .saturating_sub(self.in_use(row, last_call + rounding))
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
    let own = rows.iter().find(|row| row.engine == engine);
    if let Some(own) = own.filter(|own| own.entry.number > report.number) {
        // It was overtaken on its way: its engine has been granted something else since.
        return (own.entry.clone(), BoardGrant::default());
    }
    let others: Vec<&BoardRow> = rows.iter().filter(|row| row.engine != engine).collect();
    let mut entry = BoardEntry {
        last: report.last,
        asked: report.asked,
        number: report.number,
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
                entry.windows.push(told_window(window, report, now));
                grant.windows.push(WindowGrant {
                    key: window.key,
                    limit: window.limit,
                    cap: 0,
                    part: 0,
                    held: 0,
                    free_in: [0; PARTS],
                    company: false,
                    ended: None,
                    silent: None,
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

/// What is in the row of an engine of a window that it hears of now: it makes no call there without a grant, but may
/// have made some before, or while it waits for this answer. Its first report waits for the answer.
fn told_window(window: &BoardWindow, report: &BoardReport, now: i64) -> BoardWindow {
    let span = window.key.span();
    let (cap, places) = match report {
        report if report.last => {
            let free_at = now + span + span / 100 + ROOM_MS;
            (report.asked, vec![(free_at, report.asked)])
        }
        report if report.number <= 1 => (0, Vec::new()),
        report => (report.asked + 1, Vec::new()),
    };
    BoardWindow {
        key: window.key,
        limit: window.limit,
        cap,
        wanted: 0,
        places,
        cleared: None,
    }
}

fn share_window(
    others: &[&BoardRow],
    report: &WindowReport,
    now: i64,
) -> (BoardWindow, WindowGrant) {
    let mut held = 0;
    let mut free_in = [0; PARTS];
    let mut sure = 0;
    let mut gone: Vec<(i64, u32)> = Vec::new();
    let mut doubt = 0;
    let mut silent = None;
    let mut cleared: Vec<Cleared> = report.cleared.into_iter().collect();
    let mut wishes = Vec::new();
    for row in others {
        let mut windows = row.entry.windows.iter();
        let Some(window) = windows.find(|window| window.key == report.key) else {
            // Who does not know the limits may be asking for them just now, or did so before it ended.
            let unknown = row.unknown_of_window();
            match row.last_call_at(now) {
                None => {
                    held += unknown;
                    wishes.push(unknown);
                }
                Some(ended) if !is_free_by(ended, report.key.span(), now) => {
                    gone.push((ended, unknown));
                    doubt += unknown;
                }
                Some(_) => {}
            }
            continue;
        };
        cleared.extend(window.cleared);
        if let Some(ended) = row.last_call_at(now) {
            gone.push((ended, window.held(row, now)));
            doubt += window.unreported(row, ended, now);
        } else {
            held += window.held(row, now);
            window.add_free_in(&mut free_in, now);
            sure += window.in_use(row, now);
            wishes.push(window.in_use(row, now) + window.wanted);
            let unreported = window.unreported(row, now, now);
            if is_reserved(report.key.seconds, report.limit)
                && is_worth_a_wait(unreported, report.limit)
            {
                silent = silent.max(u32::try_from(now - row.reported_at).ok());
            }
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
        places: report.places_at(now),
        cleared: report.cleared,
    };
    let last_end = gone.iter().filter(|(_, places)| *places > 0);
    let grant = WindowGrant {
        key: report.key,
        limit: report.limit,
        cap,
        part,
        held,
        free_in,
        company: !wishes.is_empty(),
        ended: last_end.map(|(at, _)| *at).max().map(|at| LastEnd {
            at,
            ago: u32::try_from(now - at).unwrap_or(0),
            doubt,
        }),
        silent,
    };
    (window, grant)
}

/// Whether one waits for the answer that ends a doubt of so many places.
pub fn is_worth_a_wait(doubt: u32, limit: u32) -> bool {
    doubt.saturating_mul(WORTH) > limit
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
mod tests;

//! The time of a board that engines share a key's limits by, whatever is done to the clocks. Pure.
//!
//! A row tells of moments: when it was reported, when places become free. They were written by some clock, and that
//! may have been set since. So before rows are looked at they are put into the present time of the board: what has
//! passed since a report is known by a clock that nobody sets, where there is one; and it is never less than nothing.

use super::BootTime;
use super::Timestamp;
use super::budget_share::{BoardReport, BoardRow};

/// Clocks are set by a little all the time. So much is in every margin, in milliseconds.
const TOLERATED_MS: i64 = 250;
/// A leap of the board's clock that an engine notices, in milliseconds: more than an answer is late.
const LEAP_MS: i64 = 2_000;

/// The present moment of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardTime {
    /// In milliseconds since 1970.
    pub wall: i64,
    /// None: all rows are written by one clock, or there is no better one.
    pub boot: Option<BootTime>,
}

impl BoardTime {
    /// By the clocks of this machine. Decisions take one; only shells call this.
    pub fn now() -> Self {
        Self {
            wall: Timestamp::now().as_millis(),
            boot: BootTime::now(),
        }
    }
}

/// Puts rows into the present time of the board, before `share` looks at them; which of them have changed, for
/// whoever keeps them. `engine` reports.
pub fn in_time(
    rows: &mut [BoardRow],
    engine: &str,
    report: &BoardReport,
    now: &BoardTime,
) -> Vec<usize> {
    let leap = leap(rows, engine, report, now);
    let rows = rows.iter_mut().enumerate();
    let changed = rows.filter_map(|(place, row)| row.put_in_time(now, leap).then_some(place));
    changed.collect()
}

/// By how much the board's clock was set forward since this engine's last report: more has passed there than here.
fn leap(rows: &[BoardRow], engine: &str, report: &BoardReport, now: &BoardTime) -> Option<i64> {
    let own = rows.iter().find(|row| row.engine == engine)?;
    let leap = now.wall - own.reported_at - i64::from(report.elapsed?);
    (leap >= LEAP_MS).then_some(leap)
}

impl BoardRow {
    fn put_in_time(&mut self, now: &BoardTime, leap: Option<i64>) -> bool {
        let by_wall = now.wall - self.reported_at;
        let by_boot = now.boot.as_ref().zip(self.entry.boot.as_ref());
        let age = match (by_boot.and_then(|(now, then)| now.since(then)), leap) {
            (Some(age), _) => age,
            // It was put there before the leap.
            (None, Some(leap)) if by_wall >= leap => by_wall - leap,
            // A report does not come from the future.
            (None, _) => by_wall.max(0),
        };
        let by = by_wall - age;
        if by.abs() > TOLERATED_MS {
            self.shift(by);
            // By which clock that was told is not known: as late as can be.
            self.ended_at = self.ended_at.map(|_| now.wall);
            return true;
        }
        let told = self.ended_at;
        let latest = now.wall.max(self.reported_at) + TOLERATED_MS;
        self.ended_at = told.map(|ended| ended.clamp(self.reported_at, latest));
        self.ended_at != told
    }

    fn shift(&mut self, by: i64) {
        self.reported_at += by;
        for window in &mut self.entry.windows {
            for (free_at, _) in &mut window.places {
                *free_at = free_at.saturating_add(by);
            }
            if let Some(cleared) = &mut window.cleared {
                cleared.until += by;
            }
        }
        for (_, until) in &mut self.entry.pauses {
            *until = until.saturating_add(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget_share::{BoardEntry, BoardWindow, WindowKey};

    const HOUR: i64 = 3_600_000;
    const T: i64 = 1_000 * HOUR;

    fn boot(ms: i64) -> BootTime {
        let boot = "a".to_owned();
        BootTime { boot, ms }
    }

    fn row(reported_at: i64, boot: Option<BootTime>) -> BoardRow {
        let key = WindowKey {
            method: None,
            seconds: 120,
        };
        BoardRow {
            engine: "old".to_owned(),
            entry: BoardEntry {
                windows: vec![BoardWindow {
                    key,
                    limit: 100,
                    cap: 50,
                    wanted: 0,
                    places: vec![(reported_at + 90_000, 45)],
                    cleared: None,
                }],
                pauses: vec![(None, reported_at + 3_000)],
                boot,
                ..BoardEntry::default()
            },
            reported_at,
            ended_at: None,
        }
    }

    /// A row of `T` at a moment: how long ago it was reported, until when its places are held, and its pause.
    #[track_caller]
    fn check(mut old: BoardRow, now: &BoardTime, expected: [i64; 3], is_changed: bool) {
        let rows = std::slice::from_mut(&mut old);
        let changed = in_time(rows, "new", &BoardReport::default(), now);
        assert_eq!(!changed.is_empty(), is_changed);
        let ago = now.wall - old.reported_at;
        let held = old.entry.windows[0].places[0].0 - now.wall;
        assert_eq!([ago, held, old.entry.pauses[0].1 - now.wall], expected);
        let rows = std::slice::from_mut(&mut old);
        let again = in_time(rows, "new", &BoardReport::default(), now);
        assert_eq!(again, Vec::<usize>::new(), "once is enough");
    }

    #[test]
    fn what_has_passed_is_known_whatever_was_done_to_the_wall_clock() {
        for set in [-HOUR, -60_000, 0, HOUR] {
            let now = BoardTime {
                wall: T + 2_000 + set,
                boot: Some(boot(7_000)),
            };
            let expected = [2_000, 88_000, 1_000];
            check(row(T, Some(boot(5_000))), &now, expected, set != 0);
        }
    }

    #[test]
    fn without_a_better_clock_nothing_is_reported_in_the_future() {
        let now = BoardTime {
            wall: T - HOUR,
            boot: None,
        };
        check(row(T, None), &now, [0, 90_000, 3_000], true);
        let now = BoardTime {
            wall: T + 2_000,
            boot: Some(boot(7_000)),
        };
        check(row(T, None), &now, [2_000, 88_000, 1_000], false);
    }

    #[test]
    fn an_end_is_neither_before_the_last_report_nor_in_the_future() {
        let now = BoardTime {
            wall: T + 2_000,
            boot: None,
        };
        for (told, expected) in [(-HOUR, 0), (1_000, 1_000), (HOUR, 2_250)] {
            let mut old = row(T, None);
            old.ended_at = Some(T + told);
            let rows = std::slice::from_mut(&mut old);
            in_time(rows, "new", &BoardReport::default(), &now);
            assert_eq!(old.ended_at, Some(T + expected));
        }
    }

    #[test]
    fn a_leap_of_the_boards_clock_makes_no_row_older() {
        let own = BoardRow {
            engine: "own".to_owned(),
            ..row(T, None)
        };
        let mut rows = vec![row(T - 500, None), own];
        let report = BoardReport {
            elapsed: Some(1_000),
            ..BoardReport::default()
        };
        let now = BoardTime {
            wall: T + HOUR + 1_000,
            boot: None,
        };
        assert_eq!(in_time(&mut rows, "own", &report, &now), [0, 1]);
        assert_eq!(now.wall - rows[0].reported_at, 1_500);
        assert_eq!(now.wall - rows[1].reported_at, 1_000);
        assert_eq!(in_time(&mut rows, "own", &report, &now), [0; 0]);
    }
}

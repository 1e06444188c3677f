//! How engines share a board that nobody locks. Pure: rows and time come in.
//!
//! Each engine has a row that it alone writes. To take more, it *claims*: it reads all rows, writes its own with what
//! these leave ([`claim`]), reads all rows once more, and uses no more than they still leave ([`confirm`]). Of two
//! that claim at the same time, the one that wrote last reads what the other wrote: so all that is used together is
//! never more than the limit, and both may end with less than they could have until they ask again. A process that
//! is stopped in the middle holds nobody up: its claim stands in its row, and holds places.
//!
//! Claims that are not confirmed yet may be more than the limit together. So a row never says less than its engine
//! keeps meanwhile, whatever the others claim.

use std::collections::BTreeMap;

use super::budget_share::{
    BoardEntry, BoardGrant, BoardReport, BoardRow, BoardWindow, LEASE_MS, REPORTED, ROOM_MS,
    WindowKey, is_reserved, share,
};

/// A row that cannot be read is looked at for so long, in milliseconds: longer than any window is.
const LOST_FOR_MS: i64 = 3_600_000;

/// What an engine writes into its row when these are the rows.
pub fn claim(rows: &[BoardRow], engine: &str, report: &BoardReport, now: i64) -> BoardEntry {
    let (mut entry, _) = share(rows, engine, report, now);
    keep(&mut entry, report);
    entry
}

/// `claimed` is what an engine wrote into its row, and `rows` are what it reads after that: what it may use. True: its
/// row has to be written again, with less.
pub fn confirm(
    rows: &[BoardRow],
    engine: &str,
    report: &BoardReport,
    now: i64,
    claimed: &BoardEntry,
) -> (BoardEntry, BoardGrant, bool) {
    let (mut entry, mut grant) = share(rows, engine, report, now);
    for window in &mut entry.windows {
        let mut before = claimed.windows.iter();
        let Some(before) = before.find(|before| before.key == window.key) else {
            continue;
        };
        // Others may have read the row already.
        window.cap = window.cap.min(before.cap);
        let granted = grant.windows.iter_mut();
        for granted in granted.filter(|granted| granted.key == window.key) {
            granted.cap = granted.cap.min(before.cap);
        }
    }
    keep(&mut entry, report);
    let is_less = entry.windows != claimed.windows;
    (entry, grant, is_less)
}

/// Until the engine hears of it, it uses what it keeps.
fn keep(entry: &mut BoardEntry, report: &BoardReport) {
    for (window, report) in entry.windows.iter_mut().zip(&report.windows) {
        window.cap = window.cap.max(report.keep);
    }
}

/// The row of an engine that cannot be read: it may have used every place of every window of which `report`
/// tells. `written_at` is when it was last written; `is_gone`: the engine has ended.
pub fn lost(engine: String, report: &BoardReport, written_at: i64, is_gone: bool) -> BoardRow {
    let windows = report.windows.iter().map(|window| BoardWindow {
        key: window.key,
        limit: window.limit,
        // One place is left to ask the server with.
        cap: window
            .limit
            .saturating_sub(is_reserved(window.key.seconds, window.limit).into()),
        wanted: 0,
        places: Vec::new(),
        cleared: None,
    });
    BoardRow {
        engine,
        entry: BoardEntry {
            windows: windows.collect(),
            ..BoardEntry::default()
        },
        reported_at: written_at,
        // It may have gone on without a word.
        ended_at: is_gone.then_some(written_at + LEASE_MS),
    }
}

/// Whether nothing of a row counts any more that could not be read.
pub fn lost_is_over(written_at: i64, now: i64) -> bool {
    written_at + LOST_FOR_MS <= now
}

/// One row in the place of several of engines that have ended. It holds what they hold together.
pub fn fold(rows: &[BoardRow], engine: String, now: i64) -> BoardRow {
    let mut windows: BTreeMap<WindowKey, BoardWindow> = BTreeMap::new();
    let mut pauses = BTreeMap::new();
    let mut ended_at = i64::MIN;
    let mut asked = 0_u32;
    for row in rows {
        let ended = row.last_call_at(now).unwrap_or(now);
        ended_at = ended_at.max(ended);
        asked = asked.saturating_add(row.entry.asked);
        for window in &row.entry.windows {
            let all = windows.entry(window.key).or_insert_with(|| BoardWindow {
                cap: 0,
                wanted: 0,
                places: Vec::new(),
                ..window.clone()
            });
            all.limit = all.limit.min(window.limit);
            // What the server told covers the later ends too.
            let latest = |cleared: &super::budget_share::Cleared| cleared.until;
            all.cleared = all
                .cleared
                .into_iter()
                .chain(window.cleared)
                .max_by_key(latest);
            let doubt = window.unreported(row, ended, now);
            let span = i64::from(window.key.seconds) * 1_000;
            let doubt = (doubt > 0).then(|| (ended + span + span / 100 + ROOM_MS, doubt));
            let held = window.places.iter().copied();
            all.places
                .extend(held.filter(|(at, _)| *at > now).chain(doubt));
        }
        for (method, until) in &row.entry.pauses {
            let latest = pauses.entry(*method).or_insert(*until);
            *latest = (*latest).max(*until);
        }
    }
    BoardRow {
        engine,
        entry: BoardEntry {
            windows: windows.into_values().map(rounded).collect(),
            pauses: pauses.into_iter().collect(),
            last: true,
            asked,
            ..BoardEntry::default()
        },
        reported_at: ended_at.min(now),
        ended_at: Some(ended_at.min(now)),
    }
}

/// Places that become free at nearly the same time are free at the last of these moments.
fn rounded(mut window: BoardWindow) -> BoardWindow {
    let step = (i64::from(window.key.seconds) * 1_000 / i64::from(REPORTED)).max(1);
    let mut moments: BTreeMap<i64, u32> = BTreeMap::new();
    for (at, calls) in window.places.drain(..) {
        let at = (at + step - 1).div_euclid(step) * step;
        *moments.entry(at).or_default() += calls;
    }
    window.places = moments.into_iter().collect();
    window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget_share::WindowReport;

    const LIMIT: u32 = 20;
    const KEY: WindowKey = WindowKey {
        method: None,
        seconds: 10,
    };

    fn report(in_use: u32, wanted: u32, keep: u32) -> BoardReport {
        BoardReport {
            windows: vec![WindowReport {
                key: KEY,
                limit: LIMIT,
                places: if in_use == 0 {
                    vec![]
                } else {
                    vec![(5_000, in_use)]
                },
                wanted,
                keep,
                cleared: None,
            }],
            ..BoardReport::default()
        }
    }

    /// How far an engine is with what it does to get more.
    #[derive(Debug, Clone)]
    enum Step {
        Rests,
        Read(BoardReport, BoardEntry),
        Wrote(BoardReport, BoardEntry),
        Looked(BoardEntry, u32),
        WroteLess(u32),
    }

    #[derive(Debug, Clone)]
    struct Engine {
        step: Step,
        /// What it may use now, as it knows.
        may: u32,
        row: Option<BoardEntry>,
    }

    fn rows(engines: &[Engine]) -> Vec<BoardRow> {
        let rows = engines.iter().enumerate();
        rows.filter_map(|(number, engine)| {
            Some(BoardRow {
                engine: number.to_string(),
                entry: engine.row.clone()?,
                reported_at: 0,
                ended_at: None,
            })
        })
        .collect()
    }

    /// The next step of one of them.
    fn step(engines: &mut [Engine], at: usize, rng: &mut fastrand::Rng) {
        let (rows, name) = (rows(engines), at.to_string());
        let engine = &mut engines[at];
        engine.step = match engine.step.clone() {
            Step::Rests => {
                let in_use = rng.u32(0..=engine.may);
                let keep = rng.u32(in_use..=engine.may);
                engine.may = keep;
                let report = report(in_use, rng.u32(0..30), keep);
                let entry = claim(&rows, &name, &report, 0);
                Step::Read(report, entry)
            }
            Step::Read(report, entry) => {
                engine.row = Some(entry.clone());
                Step::Wrote(report, entry)
            }
            Step::Wrote(report, claimed) => {
                let (entry, grant, _) = confirm(&rows, &name, &report, 0, &claimed);
                Step::Looked(entry, grant.windows[0].cap)
            }
            Step::Looked(entry, cap) => {
                engine.row = Some(entry);
                Step::WroteLess(cap)
            }
            Step::WroteLess(cap) => {
                engine.may = cap;
                Step::Rests
            }
        };
    }

    #[test]
    fn whoever_claims_at_the_same_time_all_together_never_use_more_than_the_limit() {
        let (mut most, mut shared) = (0, 0);
        for seed in 0..5_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let resting = Engine {
                step: Step::Rests,
                may: 0,
                row: None,
            };
            let mut engines = vec![resting; rng.usize(2..5)];
            for _ in 0..60 {
                // One that is stopped stays where it is for long.
                let at = rng.usize(0..engines.len());
                step(&mut engines, at, &mut rng);
                let used: u32 = engines.iter().map(|engine| engine.may).sum();
                assert!(used <= LIMIT, "seed {seed}: {engines:?}");
                most = most.max(used);
                shared += u32::from(engines.iter().filter(|engine| engine.may > 4).count() > 1);
            }
        }
        assert_eq!(most, LIMIT);
        assert!(shared > 10_000, "{shared}");
    }

    #[test]
    fn a_row_that_cannot_be_read_holds_everything_but_a_call_that_asks() {
        let gone = lost("x".to_owned(), &report(0, 500, 0), 1_000, true);
        let (_, grant) = share(&[gone], "new", &report(0, 500, 0), 2_000);
        assert_eq!(grant.windows[0].cap, 1);
        assert_eq!(grant.windows[0].ended.unwrap().doubt, LIMIT - 1);
        let there = lost("x".to_owned(), &report(0, 500, 0), 1_000, false);
        let (_, grant) = share(
            std::slice::from_ref(&there),
            "new",
            &report(0, 500, 0),
            2_000,
        );
        assert_eq!(grant.windows[0].cap, 0, "whoever it is may be calling");
        let over = 1_000 + LEASE_MS + 11_100;
        let (_, grant) = share(&[there], "new", &report(0, 500, 0), over);
        assert_eq!(grant.windows[0].cap, LIMIT - 1);
        assert!(!lost_is_over(1_000, over) && lost_is_over(1_000, over + LOST_FOR_MS));
    }

    #[test]
    fn one_row_in_the_place_of_several_holds_the_same() {
        let row = |engine: &str, in_use, at, last| {
            let (mut entry, _) = share(&[], engine, &report(in_use, 8, 0), at);
            entry.last = last;
            BoardRow {
                engine: engine.to_owned(),
                entry,
                reported_at: at,
                ended_at: (!last).then_some(at + 500),
            }
        };
        let ended = [row("a", 2, 0, true), row("b", 1, 100, false)];
        let all = fold(&ended, "all".to_owned(), 700);
        for now in [700, 2_000, 5_300, 11_000, 11_900] {
            let cap = |rows: &[BoardRow]| {
                let (_, grant) = share(rows, "new", &report(0, 500, 0), now);
                grant.windows[0].cap
            };
            assert_eq!(cap(std::slice::from_ref(&all)), cap(&ended), "{now}");
        }
        assert!(!all.is_over(11_000) && all.is_over(12_000));
        let twice = fold(std::slice::from_ref(&all), "all".to_owned(), 700);
        assert_eq!(twice.entry, all.entry);
    }
}

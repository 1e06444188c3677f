//! Two boards as one: the database's, for engines that use the same one wherever they run, and the machine's, for all
//! riftsyncs of one key on it, whatever their databases are.
//!
//! An engine takes part in both with the same places, and may use what both allow. On each of them its row says no
//! more than that, so that nothing is held on one board which the other one does not grant: the machine's, which costs
//! next to nothing, is asked first; the database's for no more than that; and what it does not grant is given back.
//!
//! Who ended is on one of the boards or on both, each with its own times. The limiter has one doubt for a window, so
//! it hears of one end: the last of those on both boards, by a number of ours. What the server told of all that ended
//! until then is told to each board with its own time.
//!
//! The machine's board is a help, the database's is the truth: without the first one an engine goes on, and says so.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::board::Board;
use riftsync_model::Route;
use riftsync_model::budget_share::{
    BoardGrant, BoardReport, Cleared, LastEnd, WindowGrant, WindowKey, WindowReport,
};

/// The machine's board answers in well under a millisecond, unless its disk hangs.
const MACHINE_TIMEOUT: Duration = Duration::from_secs(1);
/// A board that worked so recently is waited for: others on it still leave this engine its part.
const MACHINE_TRUSTED: Duration = Duration::from_secs(5);
/// Ends of a window that are remembered: more than can be told apart by answers that are under way.
const ENDS_MAX: usize = 8;

/// Whether it was told that the machine's board does not work.
#[derive(Debug, Default)]
pub struct MachineTrouble(AtomicBool);

impl MachineTrouble {
    fn failed(&self, why: &str) {
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "other riftsyncs of this machine that use this API key with another database are not seen, and calls may be refused while they run: {why}"
            );
        }
    }

    fn worked(&self) {
        if self.0.swap(false, Ordering::Relaxed) {
            tracing::info!("other riftsyncs of this machine that use this API key are seen again");
        }
    }
}

/// See the module. One for each life of a limiter.
#[derive(Debug)]
pub struct JoinedBoard {
    machine: Arc<dyn Board>,
    database: Arc<dyn Board>,
    trouble: Arc<MachineTrouble>,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// When the machine's board last answered.
    worked_at: Option<Instant>,
    ends: BTreeMap<WindowKey, Ends>,
}

/// The board of the machine, or of the database.
#[derive(Debug, Clone, Copy)]
enum Side {
    Machine,
    Database,
}

/// Ends of engines that a window was told of: on the machine's board and on the database's.
#[derive(Debug, Default)]
struct Ends {
    number: i64,
    latest: [Option<i64>; 2],
    /// By number.
    before: VecDeque<(i64, [Option<i64>; 2])>,
}

impl Ends {
    fn join(&mut self, told: [Option<LastEnd>; 2]) -> Option<LastEnd> {
        let mut is_news = false;
        for (latest, told) in self.latest.iter_mut().zip(told) {
            if let Some(told) = told
                && latest.is_none_or(|latest| latest < told.at)
            {
                *latest = Some(told.at);
                is_news = true;
            }
        }
        if is_news {
            self.number += 1;
            self.before.push_back((self.number, self.latest));
            if self.before.len() > ENDS_MAX {
                self.before.pop_front();
            }
        }
        let told = told.into_iter().flatten();
        told.reduce(|one, other| LastEnd {
            ago: one.ago.min(other.ago),
            // An engine that was on both boards is one.
            doubt: one.doubt.max(other.doubt),
            ..one
        })
        .map(|end| LastEnd {
            at: self.number,
            ..end
        })
    }

    fn of(&self, number: i64, side: Side) -> Option<i64> {
        let mut before = self.before.iter();
        before.find(|(known, _)| *known == number)?.1[side as usize]
    }
}

impl JoinedBoard {
    pub fn new(
        machine: Arc<dyn Board>,
        database: Arc<dyn Board>,
        trouble: Arc<MachineTrouble>,
    ) -> Self {
        Self {
            machine,
            database,
            trouble,
            known: Arc::default(),
        }
    }
}

impl Board for JoinedBoard {
    fn exchange(
        &self,
        route: Route,
        report: BoardReport,
    ) -> BoxFuture<'static, Result<BoardGrant, String>> {
        let exchange = Exchange {
            machine: self.machine.clone(),
            database: self.database.clone(),
            trouble: self.trouble.clone(),
            known: self.known.clone(),
            route,
        };
        exchange.run(report).boxed()
    }

    fn is_seen(&self) -> bool {
        self.database.is_seen()
    }
}

/// One exchange, with both.
struct Exchange {
    machine: Arc<dyn Board>,
    database: Arc<dyn Board>,
    trouble: Arc<MachineTrouble>,
    known: Arc<Mutex<Known>>,
    route: Route,
}

impl Exchange {
    async fn run(self, report: BoardReport) -> Result<BoardGrant, String> {
        let for_machine = self.known().report(&report, Side::Machine);
        let mut of_machine = match self.ask_machine(for_machine.clone()).await {
            Ok(grant) => grant,
            Err(why) => {
                let worked_at = self.known().worked_at;
                if worked_at.is_some_and(|at| at.elapsed() < MACHINE_TRUSTED) && !report.last {
                    return Err(why);
                }
                self.trouble.failed(&why);
                BoardGrant::default()
            }
        };
        let has_machine = !of_machine.windows.is_empty() || report.windows.is_empty();
        let for_database = self.known().report(&report, Side::Database);
        let for_database = if has_machine {
            at_most(for_database, &of_machine)
        } else {
            for_database
        };
        let of_database = self.database.exchange(self.route, for_database).await;
        // What the database does not grant is left to others of the machine; without its answer all but what is kept.
        let nothing = BoardGrant::default();
        let granted = of_database.as_ref().unwrap_or(&nothing);
        if has_machine && !report.last && grants_less(granted, &of_machine) {
            let less = at_most(for_machine, granted);
            if let Ok(grant) = self.ask_machine(less).await {
                of_machine = grant;
            }
        }
        Ok(self.known().join([of_machine, of_database?]))
    }

    async fn ask_machine(&self, report: BoardReport) -> Result<BoardGrant, String> {
        let asked = self.machine.exchange(self.route, report);
        let answer = tokio::time::timeout(MACHINE_TIMEOUT, asked).await;
        let answer = answer.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
        if answer.is_ok() {
            self.known().worked_at = Some(Instant::now());
            self.trouble.worked();
        }
        answer
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What a board is told: what is told of ends with its own time.
    fn report(&self, report: &BoardReport, side: Side) -> BoardReport {
        let cleared = |window: &WindowReport| {
            let cleared = window.cleared?;
            let until = self.ends.get(&window.key)?.of(cleared.until, side)?;
            Some(Cleared { until, ..cleared })
        };
        let windows = report.windows.iter().map(|window| WindowReport {
            cleared: cleared(window),
            ..window.clone()
        });
        BoardReport {
            windows: windows.collect(),
            ..report.clone()
        }
    }

    /// What both grant: of the machine's board and of the database's.
    fn join(&mut self, [machine, database]: [BoardGrant; 2]) -> BoardGrant {
        let mut windows: BTreeMap<WindowKey, [Option<WindowGrant>; 2]> = BTreeMap::new();
        for (side, grant) in [(Side::Machine, &machine), (Side::Database, &database)] {
            for window in &grant.windows {
                windows.entry(window.key).or_default()[side as usize] = Some(*window);
            }
        }
        let mut joined = BoardGrant::default();
        for (key, sides) in windows {
            let both = sides.into_iter().flatten();
            let both = both.reduce(|one, other| WindowGrant {
                limit: one.limit.min(other.limit),
                cap: one.cap.min(other.cap),
                part: one.part.min(other.part),
                held: one.held.max(other.held),
                free_in: (if one.held >= other.held { one } else { other }).free_in,
                company: one.company || other.company,
                silent: one.silent.max(other.silent),
                ..one
            });
            let ended = sides.map(|side| side.and_then(|window| window.ended));
            let ended = self.ends.entry(key).or_default().join(ended);
            joined
                .windows
                .extend(both.map(|window| WindowGrant { ended, ..window }));
        }
        joined.pauses = machine.pauses;
        joined.pauses.extend(database.pauses);
        joined
    }
}

/// The same report, which wants no more places than the other board grants; of what that does not know, none.
fn at_most(mut report: BoardReport, grant: &BoardGrant) -> BoardReport {
    for window in &mut report.windows {
        let granted = grant.windows.iter().find(|one| one.key == window.key);
        let granted = granted.map_or(0, |one| one.cap);
        let in_use: u32 = window.places.iter().map(|(_, calls)| calls).sum();
        window.wanted = window.wanted.min(granted.saturating_sub(in_use));
    }
    report
}

fn grants_less(grant: &BoardGrant, than: &BoardGrant) -> bool {
    than.windows.iter().any(|window| {
        let other = grant.windows.iter().find(|one| one.key == window.key);
        other.map_or(0, |one| one.cap) < window.cap
    })
}

//! Clocks that are wrong or set while engines work, on a virtual clock before the simulator's meter: the board's time
//! is the machine's wall clock, as in a file that engines share. (On PostgreSQL it is the server's, and an engine's own
//! is asked for nothing.)

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use actix::prelude::*;
use futures_util::future::{BoxFuture, ready};
use tokio::time::{Instant, sleep, sleep_until};

use super::board::{ROUTE, on_virtual_time, saturate, server};
use super::{ms, secs};
use crate::actor::Leave;
use crate::{Board, RateLimiter};
use riftsync_model::board_time::{BoardTime, in_time};
use riftsync_model::{BootTime, Route};

use riftsync_model::budget_share::{BoardGrant, BoardReport, BoardRow, share};
use riftsync_simulator::{Limit, WindowModel};

const HOUR: i64 = 3_600_000;
const SETS: [i64; 3] = [-HOUR, HOUR, -60_000];
const KEYS: [&[Limit]; 2] = [&[(20, 1), (100, 120)], &[(500, 10), (30_000, 600)]];

/// A machine: its wall clock, which is set by so many milliseconds, and whether it has a clock that nobody sets.
#[derive(Debug)]
struct Machine {
    epoch: Instant,
    set: AtomicI64,
    has_boot_time: bool,
    rows: Mutex<Vec<BoardRow>>,
}

impl Machine {
    fn new(has_boot_time: bool) -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            set: AtomicI64::new(0),
            has_boot_time,
            rows: Mutex::default(),
        })
    }

    fn time(&self) -> BoardTime {
        let passed = i64::try_from(self.epoch.elapsed().as_millis()).unwrap();
        BoardTime {
            wall: 1_000 * HOUR + passed + self.set.load(Ordering::Relaxed),
            boot: self.has_boot_time.then(|| BootTime {
                boot: "a".to_owned(),
                ms: passed,
            }),
        }
    }

    /// It was killed, and the next one finds that out.
    fn end(&self, engine: &str) {
        let now = self.time().wall;
        let mut rows = self.rows.lock().unwrap();
        for row in rows.iter_mut().filter(|row| row.engine == engine) {
            row.ended_at = Some(now);
        }
    }
}

#[derive(Debug)]
struct Place(Arc<Machine>, &'static str);

impl Board for Place {
    fn exchange(
        &self,
        _: Route,
        report: BoardReport,
    ) -> BoxFuture<'static, Result<BoardGrant, String>> {
        let Self(machine, engine) = self;
        let time = machine.time();
        let mut rows = machine.rows.lock().unwrap();
        in_time(&mut rows, engine, &report, &time);
        let (mut entry, grant) = share(&rows, engine, &report, time.wall);
        entry.boot.clone_from(&time.boot);
        rows.retain(|row| row.engine != *engine && !row.is_over(time.wall));
        rows.push(BoardRow {
            engine: (*engine).to_owned(),
            entry,
            reported_at: time.wall,
            ended_at: None,
        });
        Box::pin(ready(Ok(grant)))
    }
}

#[test]
fn a_clock_that_is_set_between_two_processes_delays_no_call_and_refuses_none() {
    for (model, limits) in WindowModel::WITH_LATE
        .into_iter()
        .flat_map(|model| KEYS.map(|limits| (model, limits)))
    {
        for (set, is_clean) in SETS.into_iter().flat_map(|set| [(set, true), (set, false)]) {
            on_virtual_time(async move {
                let (server, machine) = (server(model, limits, 3), Machine::new(true));
                let begun = Instant::now();
                let place = |name| Arc::new(Place(machine.clone(), name));
                let first = RateLimiter::new(ROUTE).with_board(place("first")).start();
                saturate(&first, &server, 32, begun + ms(1_900));
                sleep(secs(2)).await;
                if is_clean {
                    first.send(Leave).await.unwrap();
                } else {
                    machine.end("first");
                }
                machine.set.store(set, Ordering::Relaxed);
                let before = server.calls.get();
                let second = RateLimiter::new(ROUTE).with_board(place("second")).start();
                let until = begun + secs(if limits[0].1 == 10 { 25 } else { 250 });
                saturate(&second, &server, 32, until);
                sleep(secs(5)).await;
                let world = format!("{model:?} {limits:?} {set}, clean {is_clean}");
                let is_used_up = before >= 500;
                assert!(server.calls.get() > before || is_used_up, "{world}");
                sleep_until(until).await;
                assert_eq!(server.over.get(), 0, "{world}");
            });
        }
    }
}

#[test]
fn a_clock_that_is_set_while_engines_work_delays_no_call_and_refuses_none() {
    for (model, limits) in WindowModel::WITH_LATE
        .into_iter()
        .flat_map(|model| KEYS.map(|limits| (model, limits)))
    {
        for (set, has_boot_time) in SETS.into_iter().flat_map(|set| [(set, true), (set, false)]) {
            on_virtual_time(async move {
                let (server, machine) = (server(model, limits, 3), Machine::new(has_boot_time));
                let window =
                    u64::from(limits.iter().map(|limit| limit.1).find(|s| *s > 1).unwrap());
                let until = Instant::now() + secs(window * 6);
                for name in ["first", "second"] {
                    let place = Place(machine.clone(), name);
                    let limiter = RateLimiter::new(ROUTE).with_board(Arc::new(place)).start();
                    saturate(&limiter, &server, 32, until);
                    sleep(secs(2)).await;
                }
                // In the middle of a window.
                sleep(secs(window * 2) + ms(window * 300)).await;
                machine.set.store(set, Ordering::Relaxed);
                let before = server.calls.get();
                sleep(secs(window + 1)).await;
                let world = format!("{model:?} {limits:?} {set}, boot time {has_boot_time}");
                let used = (server.calls.get() - before) as f64;
                let permitted = limits
                    .iter()
                    .find(|limit| u64::from(limit.1) == window)
                    .unwrap();
                assert!(used >= 0.9 * f64::from(permitted.0), "{world}: {used}");
                sleep_until(until).await;
                assert_eq!(server.over.get(), 0, "{world}");
            });
        }
    }
}

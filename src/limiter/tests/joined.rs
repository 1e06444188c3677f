//! Engines of several databases with one key on one machine, on a virtual clock before the simulator's meter: each
//! has its database's board, and all have the machine's.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::{BoxFuture, ready};
use tokio::time::{Instant, advance, sleep, sleep_until};

use super::board::{ROUTE, Server, Slow, on_virtual_time, saturate, server};
use super::secs;
use crate::{Board, JoinedBoard, MachineTrouble, MemoryBoard, MemoryMember, RateLimiter};
use riftsync_model::Route;
use riftsync_model::budget_share::{
    BoardGrant, BoardReport, Cleared, WindowGrant, WindowKey, WindowReport,
};
use riftsync_simulator::{Limit, WindowModel};

const KEYS: [&[Limit]; 2] = [&[(20, 1), (100, 120)], &[(500, 10), (30_000, 600)]];

/// An engine's members: at the machine's board, and at its database's.
#[derive(Clone)]
struct Members {
    machine: Arc<MemoryMember>,
    database: Arc<MemoryMember>,
}

impl Members {
    fn new(name: &str, machine: &Arc<MemoryBoard>, database: &Arc<MemoryBoard>) -> Self {
        Self {
            machine: machine.member(name),
            database: database.member(name),
        }
    }

    fn board(&self) -> Arc<dyn Board> {
        let database = Slow(self.database.clone(), Arc::default());
        Arc::new(JoinedBoard::new(
            self.machine.clone(),
            Arc::new(database),
            Arc::default(),
        ))
    }

    /// It was killed. Both boards hear of it, the machine's a moment later.
    async fn end(&self) {
        self.database.end();
        sleep(Duration::from_millis(40)).await;
        self.machine.end();
    }

    fn engine(&self, server: &Rc<Server>, until: Instant) -> Addr<RateLimiter> {
        let limiter = RateLimiter::new(ROUTE).with_board(self.board()).start();
        saturate(&limiter, server, 32, until);
        limiter
    }
}

/// Databases of one machine.
fn boards<const N: usize>() -> [Arc<MemoryBoard>; N] {
    std::array::from_fn(|_| Arc::new(MemoryBoard::default()))
}

fn permitted(limits: &[Limit], span: u64) -> f64 {
    let permitted = limits
        .iter()
        .map(|(calls, seconds)| f64::from(*calls) * span as f64 / f64::from(*seconds));
    permitted.fold(f64::INFINITY, f64::min)
}

#[test]
fn engines_of_two_databases_together_keep_a_key_and_use_it() {
    for (model, limits) in WindowModel::ALL
        .into_iter()
        .flat_map(|m| KEYS.map(|l| (m, l)))
    {
        // The number is that of the database.
        for engines in [&[0, 1][..], &[0, 0, 1]] {
            on_virtual_time(async move {
                let server = server(model, limits, 7);
                let (machine, databases) = (Arc::default(), boards::<2>());
                let until = Instant::now() + Duration::from_mins(10);
                for (name, database) in engines.iter().enumerate() {
                    let members = Members::new(&name.to_string(), &machine, &databases[*database]);
                    members.engine(&server, until);
                    sleep(secs(3)).await;
                }
                sleep_until(until).await;
                let used = server.calls.get() as f64 / permitted(limits, 600);
                assert_eq!(server.over.get(), 0, "{model:?} {limits:?} {engines:?}");
                assert!(used >= 0.97, "{model:?} {limits:?} {engines:?}: {used}");
            });
        }
    }
}

#[test]
fn when_one_is_killed_the_one_with_another_database_uses_what_is_left() {
    for (model, limits) in WindowModel::ALL
        .into_iter()
        .flat_map(|m| KEYS.map(|l| (m, l)))
    {
        for seed in 0..6 {
            fastrand::seed(seed);
            on_virtual_time(async move {
                let server = server(model, limits, seed);
                let (machine, databases) = (Arc::default(), boards::<2>());
                let until = Instant::now() + Duration::from_mins(10);
                Members::new("stays", &machine, &databases[0]).engine(&server, until);
                sleep(secs(1)).await;
                let dies = Instant::now() + Duration::from_millis(fastrand::u64(500..250_000));
                let killed = Members::new("killed", &machine, &databases[1]);
                let limiter = killed.engine(&server, dies);
                sleep_until(dies).await;
                drop(limiter);
                killed.end().await;
                sleep(Duration::from_millis(fastrand::u64(100..5_000))).await;
                Members::new("next", &machine, &databases[1]).engine(&server, until);
                sleep_until(until).await;
                let used = server.calls.get() as f64 / permitted(limits, 600);
                assert_eq!(server.over.get(), 0, "{model:?} {limits:?} {seed}");
                assert!(used >= 0.97, "{model:?} {limits:?} {seed}: {used}");
            });
        }
    }
}

const KEY: WindowKey = WindowKey {
    method: None,
    seconds: 10,
};

fn report(in_use: u32, wanted: u32, cleared: Option<Cleared>) -> BoardReport {
    BoardReport {
        windows: vec![WindowReport {
            key: KEY,
            limit: 100,
            places: vec![(5_000, in_use)],
            wanted,
            keep: in_use,
            cleared,
        }],
        ..BoardReport::default()
    }
}

async fn exchange(board: &Arc<dyn Board>, report: BoardReport) -> WindowGrant {
    let grant = board.exchange(ROUTE, report).await.unwrap();
    assert_eq!(grant.windows.len(), 1);
    grant.windows[0]
}

#[test]
fn an_engine_that_ended_counts_once_and_what_the_server_told_of_it_is_told_to_both_boards() {
    on_virtual_time(async {
        let [machine] = boards();
        // Their times have nothing in common.
        advance(secs(1_000)).await;
        let [database] = boards();
        let old = Members::new("old", &machine, &database);
        assert_eq!(exchange(&old.board(), report(10, 500, None)).await.cap, 99);
        old.end().await;
        let next = Members::new("next", &machine, &database).board();
        let grant = exchange(&next, report(0, 500, None)).await;
        let end = grant.ended.unwrap();
        assert_eq!((grant.cap, end.doubt, end.ago), (1, 89, 0));
        let told = Cleared {
            until: end.at,
            calls: 12,
        };
        let grant = exchange(&next, report(1, 500, Some(told))).await;
        assert_eq!((grant.cap, grant.ended.unwrap().at), (87, end.at));
        // Both boards know: others of the database or of the machine get as much.
        exchange(&next, report(1, 0, Some(told))).await;
        for (machine, database) in [
            (machine, boards::<1>()[0].clone()),
            (boards::<1>()[0].clone(), database),
        ] {
            let other = Members::new("other", &machine, &database).board();
            assert_eq!(exchange(&other, report(0, 500, None)).await.cap, 86);
        }
    });
}

#[test]
fn what_one_board_does_not_grant_is_not_held_on_the_other() {
    on_virtual_time(async {
        // Of 100 places one is kept for a call that asks, until all others are used.
        let (machine, [first, second]) = (Arc::default(), boards());
        let elsewhere: Arc<dyn Board> = first.member("elsewhere");
        exchange(&elsewhere, report(60, 0, None)).await;
        let here = Members::new("here", &machine, &first).board();
        assert_eq!(exchange(&here, report(0, 500, None)).await.cap, 39);
        let other = Members::new("other", &machine, &second).board();
        assert_eq!(exchange(&other, report(0, 500, None)).await.cap, 60);

        let (machine, [first, second]) = (Arc::default(), boards());
        let other = Members::new("other", &machine, &second).board();
        exchange(&other, report(70, 0, None)).await;
        let here = Members::new("here", &machine, &first).board();
        assert_eq!(exchange(&here, report(0, 500, None)).await.cap, 29);
        let elsewhere: Arc<dyn Board> = first.member("elsewhere");
        assert_eq!(exchange(&elsewhere, report(0, 500, None)).await.cap, 70);
    });
}

/// A board that does as it is told, and what it was asked.
#[derive(Debug, Default)]
struct Told {
    fails: Mutex<bool>,
    asked: AtomicU64,
    member: Mutex<Option<Arc<MemoryMember>>>,
}

impl Board for Told {
    fn exchange(
        &self,
        route: Route,
        report: BoardReport,
    ) -> BoxFuture<'static, Result<BoardGrant, String>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if *self.fails.lock().unwrap() {
            return Box::pin(ready(Err("the disk is full".to_owned())));
        }
        let member = self.member.lock().unwrap().clone().unwrap();
        member.exchange(route, report)
    }
}

fn told(board: &Arc<MemoryBoard>, name: &str) -> Arc<Told> {
    Arc::new(Told {
        member: Mutex::new(Some(board.member(name))),
        ..Told::default()
    })
}

#[test]
fn without_the_machines_board_an_engine_goes_on_by_its_databases_alone() {
    on_virtual_time(async {
        let [machine, database] = boards();
        let here = told(&machine, "here");
        let trouble = Arc::<MachineTrouble>::default();
        let joined = JoinedBoard::new(here.clone(), database.member("here"), trouble.clone());
        let joined: Arc<dyn Board> = Arc::new(joined);
        *here.fails.lock().unwrap() = true;
        assert_eq!(exchange(&joined, report(0, 500, None)).await.cap, 99);
        *here.fails.lock().unwrap() = false;
        let other: Arc<dyn Board> = machine.member("other");
        exchange(&other, report(60, 0, None)).await;
        assert_eq!(exchange(&joined, report(0, 500, None)).await.cap, 39);
        // What others left to it is waited with for a while.
        *here.fails.lock().unwrap() = true;
        let failed = joined.exchange(ROUTE, report(39, 500, None)).await;
        assert_eq!(failed.unwrap_err(), "the disk is full");
        sleep(secs(6)).await;
        assert_eq!(exchange(&joined, report(39, 500, None)).await.cap, 99);
    });
}

#[test]
fn without_an_answer_of_the_database_the_machine_keeps_only_what_is_used() {
    on_virtual_time(async {
        let [machine, database] = boards();
        let away = told(&database, "here");
        let joined = JoinedBoard::new(machine.member("here"), away.clone(), Arc::default());
        *away.fails.lock().unwrap() = true;
        assert!(joined.exchange(ROUTE, report(20, 500, None)).await.is_err());
        let other: Arc<dyn Board> = machine.member("other");
        assert_eq!(exchange(&other, report(0, 500, None)).await.cap, 79);
        assert_eq!(away.asked.load(Ordering::Relaxed), 1);
    });
}

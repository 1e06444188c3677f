//! A machine that sleeps, or a process that was stopped: what was granted before is worth nothing after.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::prelude::*;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::board::{ROUTE, on_virtual_time, saturate, server};
use super::secs;
use crate::clock::ASLEEP;
use crate::{Acquire, Board, MemoryBoard, MemoryMember, Permit, RateLimiter, Stale};
use riftsync_model::budget_share::{BoardGrant, BoardReport};
use riftsync_model::{Priority, Route};
use riftsync_simulator::WindowModel;

/// A member that others may not see.
#[derive(Debug)]
struct Dark(Arc<MemoryMember>, Arc<AtomicBool>);

impl Board for Dark {
    fn exchange(
        &self,
        route: Route,
        report: BoardReport,
    ) -> BoxFuture<'static, Result<BoardGrant, String>> {
        self.0.exchange(route, report)
    }

    fn is_seen(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }
}

async fn permit(limiter: &Addr<RateLimiter>) -> Permit {
    let acquire = Acquire {
        method: 0,
        priority: Priority::DEFAULT,
        flow: 0,
    };
    limiter.send(acquire).await.unwrap().unwrap()
}

#[test]
fn a_permit_from_before_a_sleep_makes_no_call() {
    on_virtual_time(async {
        let board = Arc::new(MemoryBoard::default());
        let limiter = RateLimiter::new(ROUTE)
            .with_board(board.member("a"))
            .start();
        let mut early = permit(&limiter).await;
        // The machine sleeps; its own clock did not go on.
        ASLEEP.set(secs(40));
        assert_eq!(early.begin(), Err(Stale));
        drop(early);
        let mut late = permit(&limiter).await;
        assert_eq!(late.begin(), Ok(()), "the board has answered again");
        ASLEEP.set(secs(0));
    });
}

#[test]
fn who_has_the_key_alone_needs_nobodys_leave_after_a_sleep() {
    on_virtual_time(async {
        let limiter = RateLimiter::new(ROUTE).start();
        let mut early = permit(&limiter).await;
        ASLEEP.set(secs(40));
        assert_eq!(early.begin(), Ok(()));
        ASLEEP.set(secs(0));
    });
}

#[test]
fn a_window_that_passed_in_a_sleep_is_not_waited_for_again() {
    on_virtual_time(async {
        let server = server(WindowModel::SlidingLog, &[(10, 100)], 1);
        let limiter = RateLimiter::new(ROUTE).start();
        saturate(&limiter, &server, 4, Instant::now() + secs(3_600));
        sleep(secs(20)).await;
        assert_eq!(server.calls.get(), 10);
        server.sleep(secs(90));
        ASLEEP.set(secs(90));
        sleep(secs(20)).await;
        assert_eq!((server.calls.get(), server.over.get()), (20, 0));
        ASLEEP.set(secs(0));
    });
}

#[test]
fn an_engine_that_others_do_not_see_makes_no_calls() {
    on_virtual_time(async {
        let server = server(WindowModel::SlidingLog, &[(100, 1)], 1);
        let (board, seen) = (MemoryBoard::default(), Arc::new(AtomicBool::new(true)));
        let member = Arc::new(board).member("a");
        let limiter = RateLimiter::new(ROUTE)
            .with_board(Arc::new(Dark(member, seen.clone())))
            .start();
        saturate(&limiter, &server, 8, Instant::now() + secs(60));
        sleep(secs(5)).await;
        seen.store(false, Ordering::Relaxed);
        sleep(secs(1)).await;
        let before = server.calls.get();
        assert!(before > 300, "{before}");
        sleep(secs(5)).await;
        assert_eq!(server.calls.get(), before);
        seen.store(true, Ordering::Relaxed);
        sleep(secs(5)).await;
        assert!(server.calls.get() > before + 300);
    });
}

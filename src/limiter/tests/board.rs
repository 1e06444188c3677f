//! Several limiters of one key over one board, and one that comes after another, on a virtual clock
//! before the simulator's meter.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::secs;
use crate::{
    Acquire, Board, MemoryBoard, MemoryMember, Observation, Pairs, RateLimiter, Refused, RefusedBy,
};
use riftsync_model::budget_share::{BoardGrant, BoardReport, share};
use riftsync_model::{Platform, Priority, Route};
use riftsync_simulator::{Limit, Meter, Reading, WindowModel};

pub(super) const ROUTE: Route = Route::Platform(Platform::Kr);

/// A member at a board that takes a few milliseconds to answer.
#[derive(Debug)]
pub(super) struct Slow(pub(super) Arc<MemoryMember>, pub(super) Arc<AtomicU64>);

impl Board for Slow {
    fn exchange(
        &self,
        route: Route,
        report: BoardReport,
    ) -> BoxFuture<'static, Result<BoardGrant, String>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let answer = self.0.exchange(route, report);
        async move {
            sleep(Duration::from_millis(3)).await;
            answer.await
        }
        .boxed()
    }
}

/// A server: a meter, round trips of 60 to 100 ms.
pub(super) struct Server {
    meter: RefCell<Meter>,
    limits: Vec<Limit>,
    epoch: Instant,
    /// So much later it is there than by the clock of a machine that slept.
    ahead: Cell<Duration>,
    /// What it tells in its headers is so old.
    lag: Duration,
    told: RefCell<VecDeque<(Duration, Meter)>>,
    pub(super) calls: Cell<u64>,
    pub(super) over: Cell<u64>,
    /// When the first of them came, and its counts.
    pub(super) first_over: RefCell<Option<(u64, Vec<Limit>)>>,
}

impl Server {
    /// Another program on the key calls now; whether it was refused.
    pub(super) fn stranger_calls(&self) -> bool {
        let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap();
        self.meter.borrow_mut().count(now).blocked_ms.is_some()
    }

    async fn call(&self) -> Observation {
        sleep(Duration::from_millis(30 + fastrand::u64(..20))).await;
        let now = self.epoch.elapsed() + self.ahead.get();
        let now = u64::try_from(now.as_millis()).unwrap();
        let counted = self.meter.borrow_mut().count(now);
        let counts = self.told(Duration::from_millis(now), &counted);
        self.calls.set(self.calls.get() + 1);
        let over = counted.blocked_ms.is_some();
        self.over.set(self.over.get() + u64::from(over));
        sleep(Duration::from_millis(30 + fastrand::u64(..20))).await;
        let limits: Pairs = self.limits.iter().map(|(n, s)| (*s, *n)).collect();
        if over {
            let first = || (now, counted.counts.clone());
            self.first_over.borrow_mut().get_or_insert_with(first);
        }
        Observation {
            app_limits: limits,
            app_counts: counts,
            answered: true,
            served: !over,
            refused: over.then_some(Refused {
                by: RefusedBy::Application,
                retry_after: Some(secs(1)),
            }),
            ..Observation::default()
        }
    }
}

impl Server {
    /// The machine of those who call sleeps, and the server does not.
    pub(super) fn sleep(&self, slept: Duration) {
        self.ahead.set(self.ahead.get() + slept);
    }

    /// What the headers say to a call that arrives now: how it stood a while ago, of which that call may be a part.
    fn told(&self, arrived: Duration, counted: &Reading) -> Pairs {
        let by_length = |(calls, seconds): &Limit| (*seconds, *calls);
        if self.lag.is_zero() {
            return counted.counts.iter().map(by_length).collect();
        }
        let mut told = self.told.borrow_mut();
        told.push_back((arrived, self.meter.borrow().clone()));
        let Some(then) = arrived.checked_sub(self.lag) else {
            return self
                .limits
                .iter()
                .map(|(_, seconds)| (*seconds, 0))
                .collect();
        };
        while told.get(1).is_some_and(|(at, _)| *at <= then) {
            told.pop_front();
        }
        let mut counts: Pairs = self
            .limits
            .iter()
            .map(|(_, seconds)| (*seconds, 0))
            .collect();
        if let Some((_, meter)) = told.front().filter(|(at, _)| *at <= then) {
            // One call more would have been told so many then.
            let one_more = meter
                .clone()
                .count(u64::try_from(then.as_millis()).unwrap());
            counts.extend(
                one_more
                    .counts
                    .iter()
                    .map(|(calls, seconds)| (*seconds, calls - 1)),
            );
        }
        counts
    }
}

/// Callers that want everything until they are stopped.
pub(super) fn saturate(
    limiter: &Addr<RateLimiter>,
    server: &Rc<Server>,
    callers: u64,
    until: Instant,
) {
    for flow in 0..callers {
        let (limiter, server) = (limiter.clone(), server.clone());
        tokio::task::spawn_local(async move {
            while Instant::now() < until {
                let acquire = Acquire {
                    method: 0,
                    priority: Priority::DEFAULT,
                    flow,
                };
                let Ok(Ok(mut permit)) = limiter.send(acquire).await else {
                    return;
                };
                if Instant::now() >= until {
                    return;
                }
                if permit.begin().is_ok() {
                    permit.observe(server.call().await);
                }
            }
        });
    }
}

pub(super) fn server(model: WindowModel, limits: &[Limit], seed: u64) -> Rc<Server> {
    lagging_server(model, limits, seed, Duration::ZERO)
}

pub(super) fn lagging_server(
    model: WindowModel,
    limits: &[Limit],
    seed: u64,
    lag: Duration,
) -> Rc<Server> {
    Rc::new(Server {
        lag,
        ahead: Cell::default(),
        told: RefCell::default(),
        meter: RefCell::new(Meter::new(model, limits, 0, seed)),
        limits: limits.to_vec(),
        epoch: Instant::now(),
        calls: Cell::new(0),
        over: Cell::new(0),
        first_over: RefCell::default(),
    })
}

/// Seeds of each kind; more by hand.
pub(super) fn seeds(usual: u64) -> u64 {
    let told = std::env::var("RIFTSYNC_SEEDS").ok();
    told.and_then(|told| told.parse().ok()).unwrap_or(usual)
}

pub(super) fn on_virtual_time(test: impl Future<Output = ()>) {
    System::new().block_on(async {
        tokio::time::pause();
        test.await;
    });
}

#[test]
fn three_engines_together_keep_one_keys_limits_and_use_them() {
    let keys: [&[Limit]; 3] = [
        &[(20, 1), (100, 120)],
        &[(500, 10), (30_000, 600)],
        &[(20, 1)],
    ];
    for model in WindowModel::ALL {
        for limits in keys {
            on_virtual_time(async move {
                let server = server(model, limits, 7);
                let (board, exchanges) = (Arc::new(MemoryBoard::default()), Arc::default());
                let until = Instant::now() + Duration::from_mins(10);
                for engine in ["a", "b", "c"] {
                    let member = Slow(board.member(engine), Arc::clone(&exchanges));
                    let limiter = RateLimiter::new(ROUTE).with_board(Arc::new(member)).start();
                    saturate(&limiter, &server, 32, until);
                    // They do not start together.
                    sleep(secs(3)).await;
                }
                tokio::time::sleep_until(until).await;
                let permitted: f64 = limits
                    .iter()
                    .map(|(calls, span)| f64::from(*calls) * 600.0 / f64::from(*span))
                    .fold(f64::INFINITY, f64::min);
                let used = server.calls.get() as f64 / permitted;
                assert_eq!(server.over.get(), 0, "{model:?} {limits:?}");
                assert!(used >= 0.95, "{model:?} {limits:?}: {used}");
                let exchanges = exchanges.load(Ordering::Relaxed);
                assert!(exchanges < 10 * 600 * 3, "{exchanges} exchanges");
            });
        }
    }
}

#[test]
fn an_engine_that_follows_another_in_the_middle_of_a_window_neither_exceeds_nor_wastes_it() {
    for model in WindowModel::ALL {
        for limits in [&[(500, 10), (30_000, 600)][..], &[(100, 120), (20, 1)]] {
            for seed in 0..seeds(8) {
                let at = seed % 8;
                fastrand::seed(seed);
                on_virtual_time(async move {
                    let server = server(model, limits, seed);
                    let (board, exchanges) = (Arc::new(MemoryBoard::default()), Arc::default());
                    let longest = u64::from(if limits[0].0 == 500 { 10 } else { 120_u32 });
                    let slow = |member| Arc::new(Slow(member, Arc::clone(&exchanges)));
                    let first = board.member("first");
                    let limiter = RateLimiter::new(ROUTE)
                        .with_board(slow(first.clone()))
                        .start();
                    // It ends without a word; its calls are on their way.
                    let dies = Instant::now() + secs(longest * 3 + at * longest / 8);
                    saturate(&limiter, &server, 32, dies);
                    tokio::time::sleep_until(dies).await;
                    first.end();
                    drop(limiter);
                    let before = server.calls.get();
                    let second = RateLimiter::new(ROUTE)
                        .with_board(slow(board.member("second")))
                        .start();
                    let until = dies + secs(longest * 4);
                    saturate(&second, &server, 32, until);
                    tokio::time::sleep_until(until).await;
                    assert_eq!(server.over.get(), 0, "{model:?} {limits:?} {seed}");
                    let used = (server.calls.get() - before) as f64;
                    let permitted = f64::from(limits[0].0) * 4.0;
                    assert!(
                        used >= 0.75 * permitted,
                        "{model:?} {limits:?} {seed}: {used}"
                    );
                });
            }
        }
    }
}

#[test]
fn without_an_answer_of_the_board_no_call_goes() {
    #[derive(Debug)]
    struct Silent(Arc<Mutex<bool>>);
    impl Board for Silent {
        fn exchange(
            &self,
            _: Route,
            report: BoardReport,
        ) -> BoxFuture<'static, Result<BoardGrant, String>> {
            let answers = *self.0.lock().unwrap();
            let (_, grant) = share(&[], "a", &report, 0);
            async move {
                if answers {
                    Ok(grant)
                } else {
                    Err("the database is away".to_owned())
                }
            }
            .boxed()
        }
    }
    on_virtual_time(async {
        let server = server(WindowModel::ALL[0], &[(100, 1)], 1);
        let answers = Arc::new(Mutex::new(false));
        let limiter = RateLimiter::new(ROUTE)
            .with_board(Arc::new(Silent(answers.clone())))
            .start();
        saturate(
            &limiter,
            &server,
            8,
            Instant::now() + Duration::from_mins(5),
        );
        sleep(secs(30)).await;
        assert_eq!(server.calls.get(), 0);
        *answers.lock().unwrap() = true;
        sleep(secs(30)).await;
        assert!(server.calls.get() > 2_000, "{}", server.calls.get());
        *answers.lock().unwrap() = false;
        sleep(secs(11)).await;
        let stopped = server.calls.get();
        sleep(secs(30)).await;
        assert_eq!(
            server.calls.get(),
            stopped,
            "others may have taken its part"
        );
    });
}

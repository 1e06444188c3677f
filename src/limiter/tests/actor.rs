//! The actor on a virtual clock: who waits, who goes, who went away.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{ms, secs};
use crate::{
    Acquire, AcquireError, Elsewhere, Estimate, LimiterState, Observation, Pairs, Permit,
    RateLimiter, Refused, RefusedBy, Snapshot, Whose,
};
use riftsync_model::{Platform, Priority, Route};

const ROUTE: Route = Route::Platform(Platform::Kr);
const ROUND_TRIP: Duration = ms(80);

/// Runs a test on an actor system whose clock jumps to the next timer.
fn on_virtual_time(test: impl Future<Output = ()>) {
    System::new().block_on(async {
        tokio::time::pause();
        test.await;
    });
}

fn acquire(method: u8, priority: Priority, flow: u64) -> Acquire {
    Acquire {
        method,
        priority,
        flow,
    }
}

async fn permit(limiter: &Addr<RateLimiter>, acquire: Acquire) -> Permit {
    limiter.send(acquire).await.unwrap().unwrap()
}

fn served(limits: &[(u32, u32)]) -> Observation {
    Observation {
        app_limits: limits.iter().map(|(calls, span)| (*span, *calls)).collect(),
        app_counts: Pairs::new(),
        answered: true,
        served: true,
        ..Observation::default()
    }
}

fn refused(by: RefusedBy, seconds: u64) -> Observation {
    Observation {
        answered: true,
        refused: Some(Refused {
            by,
            retry_after: Some(secs(seconds)),
        }),
        ..Observation::default()
    }
}

/// A call from its place in the line to its answer.
async fn call(limiter: &Addr<RateLimiter>, what: Acquire, limits: &[(u32, u32)]) {
    let mut permit = permit(limiter, what).await;
    permit.begin().unwrap();
    sleep(ROUND_TRIP).await;
    permit.observe(served(limits));
}

async fn state(limiter: &Addr<RateLimiter>) -> LimiterState {
    limiter.send(Snapshot).await.unwrap()
}

/// Lets everything that can be done now be done.
async fn settle() {
    sleep(ms(1)).await;
}

#[test]
fn one_call_goes_before_the_limits_are_known_and_then_as_many_as_they_allow() {
    on_virtual_time(async {
        let limiter = RateLimiter::new(ROUTE).start();
        let begin = Instant::now();
        let calls = (0..30).map(|_| call(&limiter, acquire(0, Priority::DEFAULT, 0), &[(20, 10)]));
        join_all(calls).await;
        let took = begin.elapsed();
        assert!(took > secs(10) && took < ms(11_000), "{took:?}");
        let state = state(&limiter).await;
        assert_eq!((state.granted, state.waiting, state.in_flight), (30, 0, 0));
        assert_eq!(state.windows[0].limit, 20);
    });
}

#[test]
fn a_permit_that_was_not_used_is_given_back_and_one_that_was_is_not() {
    on_virtual_time(async {
        let limiter = RateLimiter::new(ROUTE).start();
        for _ in 0..20 {
            call(&limiter, acquire(0, Priority::DEFAULT, 0), &[(100, 10)]).await;
        }
        let used = |state: LimiterState| state.windows[0].used;
        settle().await;
        assert_eq!(used(state(&limiter).await), 20);
        drop(permit(&limiter, acquire(0, Priority::DEFAULT, 0)).await);
        settle().await;
        assert_eq!(used(state(&limiter).await), 20);
        let mut begun = permit(&limiter, acquire(0, Priority::DEFAULT, 0)).await;
        begun.begin().unwrap();
        drop(begun);
        settle().await;
        let state = state(&limiter).await;
        assert_eq!((state.given_back, state.in_flight), (1, 0));
        assert_eq!(used(state), 21);
    });
}

#[test]
fn who_no_longer_waits_has_left_the_line() {
    on_virtual_time(async {
        let limiter = RateLimiter::new(ROUTE).with_waiting_max(10).start();
        // The probe that everybody waits for.
        let probe = permit(&limiter, acquire(0, Priority::DEFAULT, 0)).await;
        for _ in 0..5 {
            let waiting = (0..10).map(|_| limiter.send(acquire(0, Priority::DEFAULT, 1)));
            let waiting = join_all(waiting);
            assert!(tokio::time::timeout(ms(100), waiting).await.is_err());
        }
        let next = limiter.send(acquire(0, Priority::DEFAULT, 1));
        probe.observe(served(&[(100, 10)]));
        let granted = next.await.unwrap().unwrap();
        let state = state(&limiter).await;
        assert_eq!((state.granted, state.waiting, state.in_flight), (2, 0, 1));
        drop(granted);
    });
}

#[test]
fn a_full_line_is_an_answer_and_not_more_memory() {
    on_virtual_time(async {
        let limiter = RateLimiter::new(ROUTE).with_waiting_max(10).start();
        let _probe = permit(&limiter, acquire(0, Priority::DEFAULT, 0)).await;
        let waiting: Vec<_> = (0..10)
            .map(|_| actix::spawn(limiter.send(acquire(0, Priority::DEFAULT, 1))))
            .collect();
        settle().await;
        let one_more = limiter
            .send(acquire(0, Priority::DEFAULT, 1))
            .await
            .unwrap();
        assert_eq!(
            one_more.unwrap_err(),
            AcquireError::LineFull { waiting: 10 }
        );
        assert_eq!(waiting.len(), 10);
    });
}

#[test]
fn an_interactive_call_overtakes_a_crawl_of_20_000_within_one_window() {
    on_virtual_time(async {
        let limits = &[(20, 1), (100, 120)];
        let limiter = RateLimiter::new(ROUTE).start();
        for _ in 0..20_000 {
            let limiter = limiter.clone();
            actix::spawn(async move {
                call(&limiter, acquire(0, Priority::LAST, 1), limits).await;
            });
        }
        sleep(secs(300)).await;
        let begin = Instant::now();
        let granted = permit(&limiter, acquire(0, Priority::INTERACTIVE, 2)).await;
        assert!(begin.elapsed() <= secs(121), "{:?}", begin.elapsed());
        drop(granted);
        let state = state(&limiter).await;
        assert!(state.waiting > 19_000, "{}", state.waiting);
    });
}

/// How often the limiter has granted by then, and a person's sync: three calls one after the other, 20 matches, and their
/// timelines, with a pause before each step for what it stores.
async fn sync_of_20(limiter: &Addr<RateLimiter>, limits: &'static [(u32, u32)], pause: Duration) {
    let one = |method| call(limiter, acquire(method, Priority::INTERACTIVE, 2), limits);
    for _ in 0..3 {
        one(2).await;
        sleep(pause).await;
    }
    let matches = (0..20).map(|_| async {
        one(0).await;
        sleep(pause).await;
        one(1).await;
    });
    join_all(matches).await;
}

#[test]
fn a_persons_sync_is_done_soon_after_the_window_opens_and_the_crawl_uses_the_rest_of_it() {
    on_virtual_time(async {
        for (limits, span) in [
            (&[(20, 1), (100, 120)][..], 120),
            (&[(500, 10), (30_000, 600)][..], 10),
        ] {
            let per_span = u64::from(limits[usize::from(span == 120)].0);
            let limits: &'static [(u32, u32)] = limits.to_vec().leak();
            let limiter = RateLimiter::new(ROUTE).start();
            // As many as a crawl has slots for.
            for flow in 0..32 {
                let limiter = limiter.clone();
                actix::spawn(async move {
                    loop {
                        call(&limiter, acquire(0, Priority::DEFAULT, flow), limits).await;
                        sleep(ms(20)).await;
                    }
                });
            }
            sleep(secs(span / 2)).await;
            let begin = Instant::now();
            sync_of_20(&limiter, limits, ms(300)).await;
            let took = begin.elapsed();
            // Half a span until it opens.
            assert!(took < secs(span / 2 + 6), "{took:?} of {limits:?}");
            let windows = 1_200 / span;
            let before = state(&limiter).await.granted;
            sleep(secs(span * windows)).await;
            let used = state(&limiter).await.granted - before;
            assert!(
                used * 100 >= per_span * windows * 97,
                "{used} of {limits:?}"
            );
        }
    });
}

/// A shell's loop of syncs that find nothing: always a person's call, or one that is expected.
#[test]
fn a_crawl_uses_what_people_leave_however_often_they_come() {
    on_virtual_time(async {
        let limits = &[(500, 10), (30_000, 600)];
        let limiter = RateLimiter::new(ROUTE).start();
        for flow in 0..33 {
            let limiter = limiter.clone();
            let priority = if flow == 0 {
                Priority::INTERACTIVE
            } else {
                Priority::DEFAULT
            };
            actix::spawn(async move {
                loop {
                    call(&limiter, acquire(0, priority, flow), limits).await;
                    sleep(ms(300)).await;
                }
            });
        }
        sleep(secs(60)).await;
        let before = state(&limiter).await.granted;
        sleep(secs(300)).await;
        let used = state(&limiter).await.granted - before;
        assert!(used * 100 >= 15_000 * 97, "{used}");
    });
}

#[test]
fn a_flow_of_3_000_does_not_starve_ten_of_30() {
    on_virtual_time(async {
        let limits = &[(100, 10)];
        let limiter = RateLimiter::new(ROUTE).start();
        let small = Rc::new(RefCell::new(Vec::new()));
        let spawn = |flow: u64, calls: usize| {
            for _ in 0..calls {
                let (limiter, small) = (limiter.clone(), small.clone());
                actix::spawn(async move {
                    call(&limiter, acquire(0, Priority::DEFAULT, flow), limits).await;
                    if flow > 0 {
                        small.borrow_mut().push(Instant::now());
                    }
                });
            }
        };
        let begin = Instant::now();
        spawn(0, 3_000);
        settle().await;
        (1..=10).for_each(|flow| spawn(flow, 30));
        sleep(secs(60)).await;
        // 330 calls of eleven flows in turns: four windows. Behind the 3,000 it would be 31.
        assert_eq!(small.borrow().len(), 300);
        let last = small.borrow().iter().max().unwrap().duration_since(begin);
        assert!(last < secs(35), "{last:?}");
    });
}

#[test]
fn a_429_stops_all_who_wait_in_its_scope_and_only_them() {
    on_virtual_time(async {
        let limiter = RateLimiter::new(ROUTE).start();
        for method in [0, 1, 0, 1, 0, 1] {
            call(&limiter, acquire(method, Priority::DEFAULT, 0), &[(100, 1)]).await;
        }
        let unlucky = permit(&limiter, acquire(0, Priority::DEFAULT, 0)).await;
        unlucky.observe(refused(RefusedBy::Service, 5));
        settle().await;
        let begin = Instant::now();
        let waited = |method| {
            let limiter = limiter.clone();
            async move {
                call(&limiter, acquire(method, Priority::DEFAULT, 0), &[(100, 1)]).await;
                begin.elapsed()
            }
        };
        let stopped = join_all((0..50).map(|_| waited(0)));
        let running = join_all((0..50).map(|_| waited(1)));
        let (stopped, running) = tokio::join!(stopped, running);
        assert!(
            stopped.iter().all(|waited| *waited >= secs(5)),
            "{stopped:?}"
        );
        assert!(
            running.iter().all(|waited| *waited < secs(2)),
            "{running:?}"
        );
        let state = state(&limiter).await;
        assert_eq!(state.refused.service, 1);
        assert_eq!(state.refused.total(), 1);
    });
}

#[test]
fn a_429_of_the_application_shows_in_the_snapshot_and_the_estimate() {
    on_virtual_time(async {
        let limiter = RateLimiter::new(ROUTE).start();
        call(&limiter, acquire(0, Priority::DEFAULT, 0), &[(100, 1)]).await;
        let unlucky = permit(&limiter, acquire(0, Priority::DEFAULT, 0)).await;
        unlucky.observe(refused(RefusedBy::Application, 30));
        settle().await;
        let state = state(&limiter).await;
        assert_eq!(state.refused.application, 1);
        assert!(state.paused > secs(29) && state.paused < secs(31));
        let estimate = limiter
            .send(Estimate {
                calls: vec![(0, 1)],
                whose: whose(1),
                elsewhere: Elsewhere::default(),
            })
            .await
            .unwrap();
        assert!(estimate > secs(29) && estimate < secs(31), "{estimate:?}");
    });
}

fn whose(flow: u64) -> Whose {
    Whose {
        priority: Priority::DEFAULT,
        flow,
    }
}

/// Behind all that is more urgent; beside flows of the same priority, which take turns; before the rest.
#[test]
fn an_estimate_is_near_to_what_the_calls_take_behind_those_who_go_before() {
    on_virtual_time(async {
        let limits = &[(50, 10)];
        for others in [
            vec![(Priority::LAST, 2, 400)],
            vec![(Priority::DEFAULT, 2, 400)],
            vec![(Priority::DEFAULT, 2, 400), (Priority::DEFAULT, 3, 400)],
            vec![(Priority::DEFAULT, 2, 30), (Priority::new(6), 3, 400)],
        ] {
            let limiter = RateLimiter::new(ROUTE).start();
            for (priority, flow, calls) in &others {
                for _ in 0..*calls {
                    let (limiter, what) = (limiter.clone(), acquire(0, *priority, *flow));
                    actix::spawn(async move { call(&limiter, what, limits).await });
                }
            }
            sleep(secs(3)).await;
            let begin = Instant::now();
            let asked = Estimate {
                calls: vec![(0, 100)],
                whose: whose(1),
                elsewhere: Elsewhere::default(),
            };
            let told = limiter.send(asked).await.unwrap();
            let ours = (0..100).map(|_| call(&limiter, acquire(0, Priority::DEFAULT, 1), limits));
            join_all(ours).await;
            let took = begin.elapsed();
            assert!(
                told.abs_diff(took) < secs(2),
                "told {told:?}, took {took:?} beside {others:?}"
            );
        }
    });
}

#[test]
fn an_estimate_counts_what_has_not_come_into_the_line_yet() {
    on_virtual_time(async {
        let limiter = RateLimiter::new(ROUTE).start();
        call(&limiter, acquire(0, Priority::DEFAULT, 0), &[(50, 10)]).await;
        for (before, beside, expected) in [(0, 0, 20), (100, 0, 40), (0, 30, 20), (0, 900, 40)] {
            let asked = Estimate {
                calls: vec![(0, 100)],
                whose: whose(1),
                elsewhere: Elsewhere { before, beside },
            };
            let told = limiter.send(asked).await.unwrap();
            assert!(
                told.abs_diff(secs(expected)) < secs(2),
                "{told:?} for {before}, {beside}"
            );
        }
    });
}

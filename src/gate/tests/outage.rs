//! A route that does not work for ten minutes, beside one that does.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::api::{ASIA, EUROPE, FakeApi, a_match, caller, gate, on_virtual_time};
use crate::gate::Gate;
use crate::model::Route;
use crate::riot::RiotError;

const TEN_MINUTES: Duration = Duration::from_mins(10);

#[derive(Default)]
struct Crawl {
    /// Calls to make.
    ready: RefCell<VecDeque<(Route, u64)>>,
    /// Answered well, on each route.
    done: [Cell<u64>; 2],
    /// Attempts spent on failures.
    spent: Cell<u64>,
    /// Jobs that waited for the end of an outage.
    snoozed: Cell<u64>,
}

/// Sixteen slots that take jobs as a queue does: none of a closed lane, and those that are snoozed
/// come back later.
async fn crawl(gate: &Gate, crawl: &Rc<Crawl>, until: Instant) {
    let slots = (0..16).map(|slot| {
        let (gate, crawl) = (gate.clone(), crawl.clone());
        async move {
            while Instant::now() < until {
                let closed = gate.availability.holds().borrow().lanes.clone();
                let next = {
                    let mut ready = crawl.ready.borrow_mut();
                    let open = ready
                        .iter()
                        .position(|(route, _)| !closed.contains(route.as_str()));
                    open.and_then(|place| ready.remove(place))
                };
                let Some((route, n)) = next else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                match gate.api.call(caller(slot), &a_match(route, n)).await {
                    Ok(_) => {
                        let done = &crawl.done[usize::from(route == EUROPE)];
                        done.set(done.get() + 1);
                    }
                    Err(RiotError::Outage { retry_in, .. }) => {
                        crawl.snoozed.set(crawl.snoozed.get() + 1);
                        let crawl = crawl.clone();
                        tokio::task::spawn_local(async move {
                            tokio::time::sleep(retry_in).await;
                            crawl.ready.borrow_mut().push_back((route, n));
                        });
                    }
                    Err(RiotError::Unavailable(_)) => {
                        crawl.spent.set(crawl.spent.get() + 1);
                        crawl.ready.borrow_mut().push_back((route, n));
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    });
    join_all(slots).await;
}

fn jobs() -> Rc<Crawl> {
    let crawl = Rc::new(Crawl::default());
    let both = (0..40_000).flat_map(|n| [(ASIA, n), (EUROPE, n)]);
    crawl.ready.borrow_mut().extend(both);
    crawl
}

#[test]
fn an_outage_of_one_route_leaves_the_other_at_full_speed() {
    on_virtual_time(async {
        // 20 a second, on each route.
        let api = FakeApi::new((100, 5));
        let calm = {
            let (gate, jobs) = (gate(&api), jobs());
            crawl(&gate, &jobs, Instant::now() + TEN_MINUTES).await;
            jobs.done[1].get()
        };
        api.answers(|call, _| {
            if call.route == ASIA {
                Err(RiotError::Unavailable("HTTP 503".into()))
            } else {
                Ok(())
            }
        });
        let (gate, jobs) = (gate(&api), jobs());
        let sent = api.sent();
        crawl(&gate, &jobs, Instant::now() + TEN_MINUTES).await;
        let europe = jobs.done[1].get();
        assert!(europe >= calm * 99 / 100, "{europe} of {calm}");
        assert_eq!(jobs.done[0].get(), 0);
        assert!(jobs.spent.get() <= 6, "{} attempts", jobs.spent.get());
        let to_asia = api.sent() - sent - europe;
        assert!(
            to_asia <= 16 + 20,
            "{to_asia} calls to a route that does not work"
        );
        assert!(jobs.snoozed.get() < 300, "{} snoozes", jobs.snoozed.get());
        // It comes back, and is noticed within a minute.
        api.answers(|_, _| Ok(()));
        crawl(&gate, &jobs, Instant::now() + Duration::from_mins(2)).await;
        assert!(jobs.done[0].get() >= 1_000, "{}", jobs.done[0].get());
        assert!(gate.availability.holds().borrow().lanes.is_empty());
    });
}

#[test]
fn single_failures_open_nothing() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let count = std::sync::atomic::AtomicU64::new(0);
        api.answers(move |_, _| {
            let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if n.is_multiple_of(4) {
                Err(RiotError::Unavailable("HTTP 500".into()))
            } else {
                Ok(())
            }
        });
        let gate = gate(&api);
        for n in 0..400 {
            let answer = gate.api.call(caller(1), &a_match(ASIA, n)).await;
            assert!(!matches!(answer, Err(RiotError::Outage { .. })));
        }
    });
}

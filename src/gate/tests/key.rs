//! Keys that expire, are refused on a whim, and are replaced.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

use super::api::{
    ASIA, EUROPE, FakeApi, ROUND_TRIP, a_match, caller, gate, is_status, key, on_virtual_time,
};
use crate::gate::{Gate, KeyState};
use crate::riot::RiotError;

/// Callers that make so many calls each on a route; how many were answered well.
fn crawl(
    gate: &Gate,
    callers: u64,
    calls: u64,
) -> (Rc<Cell<u64>>, impl Future<Output = ()> + use<>) {
    let done = Rc::new(Cell::new(0));
    let crawls = (0..callers).map(|flow| {
        let (api, done) = (gate.api.clone(), done.clone());
        async move {
            for n in 0..calls {
                let route = if (flow + n) % 2 == 0 { ASIA } else { EUROPE };
                let answer = api.call(caller(flow), &a_match(route, n)).await;
                assert!(answer.is_ok(), "{answer:?}");
                done.set(done.get() + 1);
            }
        }
    });
    let crawls: Vec<_> = crawls.collect();
    (done, async {
        join_all(crawls).await;
    })
}

#[test]
fn an_expired_key_stops_everything_within_two_calls_and_a_new_one_lets_it_go_on() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        let (done, crawls) = crawl(&gate, 16, 50);
        let running = tokio::task::spawn_local(crawls);
        tokio::time::sleep(ROUND_TRIP * 20).await;
        assert!(done.get() > 100);
        // Expired between two calls. Those that are on their way are 16 at most.
        let tries = Arc::new(AtomicU64::new(0));
        let counted = tries.clone();
        api.answers(move |call, _| {
            counted.fetch_add(u64::from(is_status(call)), Ordering::Relaxed);
            Err(RiotError::Forbidden(403))
        });
        let mut state = gate.availability.key();
        state
            .wait_for(|state| *state == KeyState::Suspected)
            .await
            .unwrap();
        let (sent, before) = (api.sent(), done.get());
        assert!(
            gate.availability.holds().borrow().queues.is_empty(),
            "not for a suspicion"
        );
        state
            .wait_for(|state| matches!(state, KeyState::Rejected { .. }))
            .await
            .unwrap();
        assert!(api.sent() <= sent + 1, "only the one that tries the key");
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        assert!(gate.availability.holds().borrow().queues.contains("q"));
        // While nobody brings a new one, it is tried a few times.
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert!(
            (3..=12).contains(&(api.sent() - sent)),
            "{}",
            api.sent() - sent
        );
        assert_eq!(done.get(), before);

        let old = key("RGAPI-one").fingerprint();
        api.answers(move |_, with| {
            if with == old {
                Err(RiotError::Forbidden(403))
            } else {
                Ok(())
            }
        });
        gate.replace_key(key("RGAPI-two"));
        running.await.unwrap();
        assert_eq!(done.get(), 16 * 50, "no call was given up");
        assert!(gate.availability.holds().borrow().queues.is_empty());
    });
}

#[test]
fn a_rejected_key_that_is_taken_again_lets_everything_go_on() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        api.answers(|_, _| Err(RiotError::Forbidden(401)));
        let (done, crawls) = crawl(&gate, 4, 3);
        let running = tokio::task::spawn_local(crawls);
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(done.get(), 0);
        api.answers(|_, _| Ok(()));
        running.await.unwrap();
        assert_eq!(done.get(), 12);
    });
}

#[test]
fn a_whim_costs_its_own_call_and_one_that_tries_the_key() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        let odd = a_match(ASIA, 7);
        let refused = odd.clone();
        api.answers(move |call, _| {
            if *call == refused {
                Err(RiotError::Forbidden(403))
            } else {
                Ok(())
            }
        });
        let answer = gate.api.call(caller(1), &odd).await;
        assert_eq!(answer.unwrap_err(), RiotError::Forbidden(403));
        assert_eq!(api.sent(), 2);
        assert_eq!(*gate.availability.key().borrow(), KeyState::Valid);
        assert!(gate.api.call(caller(1), &a_match(ASIA, 8)).await.is_ok());
    });
}

/// 40 matches at once, of which those with an odd number may be refused: how long they took.
async fn burst(gate: &Gate, refused: bool) -> Duration {
    let begun = tokio::time::Instant::now();
    let calls = (0..40).map(|n| {
        let api = gate.api.clone();
        async move { (n, api.call(caller(n), &a_match(ASIA, n)).await) }
    });
    for (n, answer) in join_all(calls).await {
        if refused && n % 2 == 1 {
            assert_eq!(answer.unwrap_err(), RiotError::Forbidden(403));
        } else {
            assert!(answer.is_ok(), "{n}: {answer:?}");
        }
    }
    begun.elapsed()
}

/// A mode that is closed to keys: every second match is refused, while the key is good.
#[test]
fn a_burst_of_refusals_has_the_key_tried_once_and_holds_up_nobody() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        burst(&gate, false).await;
        let calm = burst(&gate, false).await;
        let tries = Arc::new(AtomicU64::new(0));
        let counted = tries.clone();
        api.answers(move |call, _| {
            counted.fetch_add(u64::from(is_status(call)), Ordering::Relaxed);
            if call.path().ends_with(['1', '3', '5', '7', '9']) {
                Err(RiotError::Forbidden(403))
            } else {
                Ok(())
            }
        });
        let sent = api.sent();
        let refused = burst(&gate, true).await;
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        assert_eq!(api.sent() - sent, 41);
        assert!(refused < calm + ROUND_TRIP * 2, "{refused:?}, {calm:?}");
        assert_eq!(*gate.availability.key().borrow(), KeyState::Valid);
    });
}

#[test]
fn other_calls_go_on_while_one_finds_out_whether_the_key_is_good() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        let odd = a_match(ASIA, 7);
        let refused = odd.clone();
        api.answers(move |call, _| {
            if *call == refused {
                Err(RiotError::Forbidden(403))
            } else {
                Ok(())
            }
        });
        assert!(gate.api.call(caller(1), &a_match(ASIA, 1)).await.is_ok());
        let mut state = gate.availability.key();
        let others = async {
            let suspected = state.wait_for(|state| *state == KeyState::Suspected).await;
            assert!(suspected.is_ok());
            drop(suspected);
            let begun = tokio::time::Instant::now();
            assert!(gate.api.call(caller(2), &a_match(ASIA, 8)).await.is_ok());
            begun.elapsed()
        };
        let (answer, took) = tokio::join!(gate.api.call(caller(1), &odd), others);
        assert_eq!(answer.unwrap_err(), RiotError::Forbidden(403));
        assert!(took < ROUND_TRIP * 3 / 2, "it did not wait for the verdict");
    });
}

#[test]
fn a_refusal_while_the_key_cannot_be_tried_condemns_nothing() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        api.answers(|call, _| {
            Err(if is_status(call) {
                RiotError::Unavailable("HTTP 503".into())
            } else {
                RiotError::Forbidden(403)
            })
        });
        let answer = gate.api.call(caller(1), &a_match(ASIA, 7)).await;
        assert_eq!(answer.unwrap_err(), RiotError::KeyUnclear(403));
        assert_eq!(*gate.availability.key().borrow(), KeyState::Valid);
    });
}

#[test]
fn a_stop_and_a_cancellation_end_calls_that_wait_for_a_key() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        api.answers(|_, _| Err(RiotError::Forbidden(401)));
        let call = a_match(ASIA, 1);
        let waiting = gate.api.call(caller(1), &call);
        let closes = async {
            let mut state = gate.availability.key();
            state
                .wait_for(|state| matches!(state, KeyState::Rejected { .. }))
                .await
                .unwrap();
            gate.availability.close();
        };
        let (answer, ()) = tokio::join!(waiting, closes);
        assert_eq!(answer.unwrap_err(), RiotError::Stopping);
    });
}

#[test]
fn a_call_that_waits_for_the_limits_of_the_old_key_goes_with_the_new_one() {
    on_virtual_time(async {
        let api = FakeApi::new((1, 3_600));
        let gate = gate(&api);
        assert!(gate.api.call(caller(1), &a_match(ASIA, 1)).await.is_ok());
        let second = a_match(ASIA, 2);
        let begun = tokio::time::Instant::now();
        let (answer, _) = tokio::join!(gate.api.call(caller(1), &second), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            gate.replace_key(key("RGAPI-two"))
        });
        assert!(answer.is_ok());
        assert!(begun.elapsed() < Duration::from_mins(1));
    });
}

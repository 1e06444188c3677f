//! Bugs in the gate and its limiters, and calls that nobody waits for any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use super::api::{ASIA, FakeApi, a_match, caller, gate, observed, on_virtual_time};
use crate::engine::CancelSignal;
use crate::gate::Caller;
use crate::gate::riot_gate::{LimiterOf, RiotGate};
use crate::limiter::{RateLimiter, Snapshot};
use crate::metrics::Metrics;
use crate::model::{Foreign, Platform, RiotId};
use crate::riot::{Call, LimitScope, RiotError};
use crate::supervision::watch_panics;

#[derive(Message)]
#[rtype(result = "()")]
struct Explode;

impl Handler<Explode> for RateLimiter {
    type Result = ();
    fn handle(&mut self, _: Explode, _: &mut Self::Context) {
        panic!("a bug in the limiter");
    }
}

impl Handler<Explode> for RiotGate {
    type Result = ();
    fn handle(&mut self, _: Explode, _: &mut Self::Context) {
        panic!("a bug in the gate");
    }
}

#[test]
fn a_limiter_and_a_gate_that_panic_are_made_anew_and_calls_go_on() {
    on_virtual_time(async {
        watch_panics(str::to_owned);
        let api = FakeApi::new((1_000, 1));
        let metrics = Arc::<Metrics>::default();
        let gate = observed(&api, metrics.clone());
        let call = async |n| gate.api.call(caller(1), &a_match(ASIA, n)).await;
        assert!(call(1).await.is_ok());
        let addr = gate.api.gate();
        let limiter = addr.send(LimiterOf(ASIA)).await.unwrap();
        assert!(limiter.send(Explode).await.is_err());
        assert!(call(2).await.is_ok());
        assert_ne!(
            addr.send(LimiterOf(ASIA)).await.unwrap(),
            limiter,
            "a new one"
        );
        let told = metrics.events.recent().0;
        let told: Vec<_> = told.iter().map(|e| (e.event, e.actor.as_str())).collect();
        let path = "/engine/riot_gate/asia";
        assert_eq!(told, [("actor_died", path), ("actor_restarted", path)]);
        assert!(addr.send(Explode).await.is_err());
        // A refused call is judged by the gate that comes after.
        api.answers(|call, _| match call.method {
            crate::riot::Method::Status => Ok(()),
            _ => Err(RiotError::Forbidden(403)),
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(call(3).await.unwrap_err(), RiotError::Forbidden(403));
        assert_ne!(gate.api.gate(), addr);
    });
}

#[test]
fn a_call_whose_job_is_cancelled_leaves_the_line() {
    on_virtual_time(async {
        let api = FakeApi::new((1, 3_600));
        let gate = gate(&api);
        assert!(gate.api.call(caller(1), &a_match(ASIA, 1)).await.is_ok());
        let (cancel, signal) = CancelSignal::pair();
        let waiting = Caller {
            cancel: signal,
            ..caller(2)
        };
        let second = a_match(ASIA, 2);
        let (answer, ()) = tokio::join!(gate.api.call(waiting, &second), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.send_replace(true);
        });
        assert_eq!(answer.unwrap_err(), RiotError::Cancelled);
        let limiter = gate.api.gate().send(LimiterOf(ASIA)).await.unwrap();
        assert_eq!(limiter.send(Snapshot).await.unwrap().waiting, 0);
        assert_eq!(api.sent(), 1);
    });
}

/// Answers with these statuses, one after the other, and well after them.
fn answers_in_turn(api: &FakeApi, statuses: &'static [u16]) {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    api.answers(move |_, _| {
        let turn = turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match statuses.get(turn) {
            Some(status) => Err(RiotError::Odd(*status, Foreign::default())),
            None => Ok(()),
        }
    });
}

#[test]
fn an_answer_that_nobody_knows_is_asked_for_once_more_and_then_believed() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        let call = async |n| gate.api.call(caller(1), &a_match(ASIA, n)).await;
        for once in [&[302], &[408], &[418], &[451]] {
            let before = api.sent();
            answers_in_turn(&api, once);
            assert!(call(1).await.is_ok(), "{once:?}");
            assert_eq!(api.sent() - before, 2);
        }
        let before = api.sent();
        answers_in_turn(&api, &[302, 451, 418]);
        let twice = call(2).await;
        assert_eq!(twice.unwrap_err(), RiotError::Odd(451, Foreign::default()));
        assert_eq!(api.sent() - before, 2);
    });
}

#[test]
fn a_failure_of_one_call_of_many_is_asked_for_again_before_the_job_fails() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        let player = RiotId::new("A", "B").unwrap();
        let of_player = Call::account(&player, Platform::Kr);
        let calls = async |call: &Call, failures: u64| {
            let before = api.sent();
            api.answers({
                let api = api.clone();
                move |_, _| match api.sent() - before {
                    sent if sent <= failures && sent % 2 == 1 => {
                        Err(RiotError::Unavailable("HTTP 500".into()))
                    }
                    sent if sent <= failures => Err(RiotError::Payload("cut off".into())),
                    _ => Ok(()),
                }
            });
            let result = gate.api.call(caller(1), call).await.map(|_| ());
            // A failure well after it is no outage of the route.
            tokio::time::sleep(Duration::from_mins(1)).await;
            (api.sent() - before, result)
        };
        let failed: Result<(), _> = Err(RiotError::Unavailable("HTTP 500".into()));
        // A route that never answered well: nothing says that it soon will.
        assert_eq!(calls(&of_player, 1).await, (1, failed.clone()));
        assert_eq!(calls(&of_player, 0).await, (1, Ok(())));
        assert_eq!(calls(&of_player, 1).await, (2, Ok(())));
        assert_eq!(calls(&of_player, 2).await, (3, Ok(())));
        assert_eq!(calls(&of_player, 3).await, (3, failed.clone()));
        // The one call of a job: its attempts are the call's.
        assert_eq!(calls(&a_match(ASIA, 1), 1).await, (1, failed));
    });
}

#[test]
fn a_call_that_a_service_refuses_waits_as_told_and_the_others_go_on() {
    on_virtual_time(async {
        let api = FakeApi::new((1_000, 1));
        let gate = gate(&api);
        let call = async |n| gate.api.call(caller(1), &a_match(ASIA, n)).await;
        for n in 0..25 {
            assert!(call(n).await.is_ok());
        }
        let asked = Arc::new(AtomicU64::new(0));
        let of_one = asked.clone();
        api.answers(move |call, _| {
            let refused = *call == a_match(ASIA, 100) && of_one.fetch_add(1, Ordering::SeqCst) < 2;
            let retry_after = Some(Duration::from_secs(3));
            let scope = LimitScope::Service;
            if refused {
                Err(RiotError::RateLimited { scope, retry_after })
            } else {
                Ok(())
            }
        });
        let begun = Instant::now();
        let others = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            for n in 200..210 {
                assert!(call(n).await.is_ok());
            }
            begun.elapsed()
        };
        let (one, others) = tokio::join!(call(100), others);
        assert!(one.is_ok());
        assert!(others < Duration::from_millis(1_500), "{others:?}");
        let (told, waited) = (Duration::from_secs(3), begun.elapsed());
        assert!(
            waited > told * 2 && waited < told * 2 + Duration::from_secs(1),
            "{waited:?}"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    });
}

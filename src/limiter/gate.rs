//! The gate to the API: one limiter per route, made on demand and anew after a death, and what is
//! known of the key. The gate itself is a child of the engine's supervisor.

use std::collections::HashMap;

use actix::prelude::*;
use tokio::sync::watch;

use super::actor::RateLimiter;
use crate::model::Route;
use crate::supervision::{ChildGuard, EndReason};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    Valid,
    /// By two calls in a row, with this HTTP status. Calls wait for another key.
    Rejected(u16),
    /// The engine is stopping: nobody waits for a call any more.
    Closed,
}

/// See the module.
#[derive(Debug)]
pub struct RiotGate {
    limiters: HashMap<Route, Addr<RateLimiter>>,
    key: watch::Sender<KeyState>,
    guard: ChildGuard,
}

impl RiotGate {
    pub fn new(key: watch::Sender<KeyState>, guard: ChildGuard) -> Self {
        Self {
            limiters: HashMap::new(),
            key,
            guard,
        }
    }
}

/// Where the gate is; it moves when it is started anew.
pub type GateAddr = watch::Receiver<Addr<RiotGate>>;

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopGate;

impl Handler<StopGate> for RiotGate {
    type Result = ();
    fn handle(&mut self, _: StopGate, ctx: &mut Self::Context) {
        self.guard.ends(EndReason::Shutdown);
        ctx.stop();
    }
}

impl Actor for RiotGate {
    type Context = Context<Self>;
}

/// The limiter of a route.
#[derive(Debug, Message)]
#[rtype(result = "Addr<RateLimiter>")]
pub struct LimiterOf(pub Route);

impl Handler<LimiterOf> for RiotGate {
    type Result = Addr<RateLimiter>;
    fn handle(&mut self, LimiterOf(route): LimiterOf, _: &mut Self::Context) -> Self::Result {
        let fresh = match self.limiters.get(&route) {
            Some(limiter) if limiter.connected() => return limiter.clone(),
            Some(_) => {
                tracing::error!(
                    actor = "/engine/riot_gate",
                    "/engine/riot_gate/{route} died; it is made anew"
                );
                RateLimiter::succeeding(route).start()
            }
            None => RateLimiter::new(route).start(),
        };
        self.limiters.insert(route, fresh.clone());
        fresh
    }
}

/// A second call confirmed that the key is not taken.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct KeyRejected(pub u16);

impl Handler<KeyRejected> for RiotGate {
    type Result = ();
    fn handle(&mut self, KeyRejected(status): KeyRejected, _: &mut Self::Context) {
        if *self.key.borrow() == KeyState::Valid {
            tracing::error!(
                "riot rejects the API key (HTTP {status}). Nothing is lost: get a new key at developer.riotgames.com, \
                 set RIOT_API_KEY and start again"
            );
            self.key.send_replace(KeyState::Rejected(status));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::Acquire;
    use crate::model::{Platform, Priority};
    use crate::supervision::{
        ChildHandle, ChildSpec, Intensity, Shutdown, Strategy, Supervisor, watch_panics,
    };

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

    async fn may_call(gate: &Addr<RiotGate>) -> Addr<RateLimiter> {
        let limiter = gate.send(LimiterOf(Route::Platform(Platform::Kr))).await;
        let limiter = limiter.unwrap();
        let acquire = Acquire {
            method: 0,
            priority: Priority::DEFAULT,
            flow: 0,
        };
        assert!(limiter.send(acquire).await.unwrap().is_ok());
        limiter
    }

    #[actix::test]
    async fn a_limiter_and_a_gate_that_panic_are_made_anew() {
        watch_panics(str::to_owned);
        let (key, _) = watch::channel(KeyState::Valid);
        let (tell, mut gates) = watch::channel(None);
        let spec = ChildSpec::permanent("riot_gate", move |guard| {
            tell.send_replace(Some(RiotGate::new(key.clone(), guard).start()));
            ChildHandle {
                stop: Box::new(|| Box::pin(std::future::ready(()))),
            }
        });
        let intensity = Intensity::default();
        let root = Supervisor::new("/t", Strategy::OneForOne, intensity, vec![spec]).start();
        let first = gates
            .wait_for(Option::is_some)
            .await
            .unwrap()
            .clone()
            .unwrap();
        let limiter = may_call(&first).await;
        assert!(limiter.send(Explode).await.is_err());
        assert_ne!(may_call(&first).await, limiter, "a new one");
        gates.mark_unchanged();
        assert!(first.send(Explode).await.is_err());
        gates.changed().await.unwrap();
        let second = gates.borrow().clone().unwrap();
        may_call(&second).await;
        root.send(Shutdown).await.unwrap();
    }
}

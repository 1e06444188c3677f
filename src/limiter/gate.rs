//! The gate to the API: one limiter per route, made on demand and anew after a death, and what is
//! known of the key.

use std::collections::HashMap;

use actix::prelude::*;
use tokio::sync::watch;

use super::actor::RateLimiter;
use crate::model::Route;

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
}

impl RiotGate {
    pub fn new(key: watch::Sender<KeyState>) -> Self {
        Self {
            limiters: HashMap::new(),
            key,
        }
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
            Some(_) => RateLimiter::succeeding(route).start(),
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

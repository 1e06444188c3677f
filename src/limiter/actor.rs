//! One route's limiter: who waits, who goes.
//!
//! Invariants: a call goes only with a permit; the waiting line is by priority, then by age; a 429 of
//! a scope stops everybody in it. A permit that was not used is given back by its drop.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::oneshot;

use super::window::{Admission, Scope};
use crate::model::{Priority, Route};

/// A method's name to the limiter; it need not know which there are.
pub type MethodId = u8;

/// Who waits for a permit.
#[derive(Debug)]
struct Waiter {
    method: MethodId,
    grant: oneshot::Sender<Permit>,
}

/// The right to send one call now. Report with `Observed`, or drop it unsent.
#[derive(Debug)]
pub struct Permit {
    limiter: Addr<RateLimiter>,
    method: MethodId,
    sent: Duration,
    used: bool,
}

/// How a call ended, as far as limits are concerned.
#[derive(Debug, Default)]
pub struct Observation {
    pub app_limits: BTreeMap<u32, u32>,
    pub app_counts: BTreeMap<u32, u32>,
    pub method_limits: BTreeMap<u32, u32>,
    pub method_counts: BTreeMap<u32, u32>,
    pub refused: Option<Refused>,
    /// An answer came (it may have had no limits).
    pub answered: bool,
}

/// A 429.
#[derive(Debug, Clone, Copy)]
pub struct Refused {
    /// The whole route, or one method of it.
    pub whole_route: bool,
    pub retry_after: Option<Duration>,
}

impl Permit {
    /// Tells the limiter how the call ended.
    pub fn observe(mut self, observation: Observation) {
        self.used = true;
        // One message per call in flight, which are bounded by the slots; it must not be lost.
        self.limiter.do_send(Observed {
            method: self.method,
            sent: self.sent,
            observation: Some(observation),
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.used {
            self.limiter.do_send(Observed {
                method: self.method,
                sent: self.sent,
                observation: None,
            });
        }
    }
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Observed {
    method: MethodId,
    sent: Duration,
    observation: Option<Observation>,
}

/// Waits for a permit; the answer resolves when it is granted.
#[derive(Debug, Message)]
#[rtype(result = "Option<Permit>")]
pub struct Acquire {
    pub method: MethodId,
    pub priority: Priority,
}

/// See the module.
#[derive(Debug)]
pub struct RateLimiter {
    route: Route,
    epoch: Instant,
    app: Scope,
    methods: HashMap<MethodId, Scope>,
    waiting: BTreeMap<(Priority, u64), Waiter>,
    tickets: u64,
    timer: Option<SpawnHandle>,
}

impl RateLimiter {
    pub fn new(route: Route) -> Self {
        Self {
            route,
            epoch: Instant::now(),
            app: Scope::default(),
            methods: HashMap::new(),
            waiting: BTreeMap::new(),
            tickets: 0,
            timer: None,
        }
    }

    /// Grants what may go now and sets the timer for what may go next.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        let now = self.epoch.elapsed();
        self.waiting.retain(|_, waiter| !waiter.grant.is_closed());
        let mut next: Option<Duration> = None;
        let line: Vec<_> = self
            .waiting
            .iter()
            .map(|(place, waiter)| (*place, waiter.method))
            .collect();
        for (place, method) in line {
            let scope = self.methods.entry(method).or_default();
            let at = match self.app.admit(now) {
                Admission::Now => match scope.admit(now) {
                    Admission::Now => {
                        self.app.sent(now);
                        scope.sent(now);
                        self.grant(place, now, ctx);
                        continue;
                    }
                    // Another method may still go.
                    Admission::At(at) => at,
                    Admission::AfterAnswer => continue,
                },
                Admission::At(at) => {
                    next = Some(next.map_or(at, |other| other.min(at)));
                    break;
                }
                Admission::AfterAnswer => break,
            };
            next = Some(next.map_or(at, |other| other.min(at)));
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if let Some(at) = next {
            // Rounded up: a timer a hair early would find the window still closed.
            let pause = at.saturating_sub(now) + Duration::from_millis(1);
            self.timer = Some(ctx.run_later(pause, |this, ctx| {
                this.timer = None;
                this.pump(ctx);
            }));
        }
    }

    fn grant(&mut self, place: (Priority, u64), now: Duration, ctx: &mut Context<Self>) {
        if let Some(waiter) = self.waiting.remove(&place) {
            // A waiter that has gone drops the permit, and its drop gives it back.
            let _ = waiter.grant.send(Permit {
                limiter: ctx.address(),
                method: waiter.method,
                sent: now,
                used: false,
            });
        }
    }
}

impl Actor for RateLimiter {
    type Context = Context<Self>;
}

impl Handler<Acquire> for RateLimiter {
    type Result = ResponseFuture<Option<Permit>>;
    fn handle(&mut self, acquire: Acquire, ctx: &mut Self::Context) -> Self::Result {
        let (grant, granted) = oneshot::channel();
        self.tickets += 1;
        let waiter = Waiter {
            method: acquire.method,
            grant,
        };
        self.waiting
            .insert((acquire.priority, self.tickets), waiter);
        self.pump(ctx);
        Box::pin(async move { granted.await.ok() })
    }
}

impl Handler<Observed> for RateLimiter {
    type Result = ();
    fn handle(&mut self, observed: Observed, ctx: &mut Self::Context) {
        let now = self.epoch.elapsed();
        let scope = self.methods.entry(observed.method).or_default();
        match observed.observation {
            None => {
                self.app.returned(now);
                scope.returned(now);
            }
            Some(seen) => {
                self.app
                    .answered(observed.sent, now, &seen.app_limits, &seen.app_counts);
                scope.answered(observed.sent, now, &seen.method_limits, &seen.method_counts);
                match seen.refused {
                    Some(refused) => {
                        let target = if refused.whole_route {
                            &mut self.app
                        } else {
                            scope
                        };
                        target.refused(now, refused.retry_after);
                        tracing::info!(route = %self.route, "riot limits calls on {}; waiting", self.route);
                    }
                    None if seen.answered => {
                        for scope in [&mut self.app, scope] {
                            scope.accepted();
                            scope.unlimited();
                        }
                    }
                    None => {}
                }
            }
        }
        self.pump(ctx);
    }
}

//! The gate's actor: one limiter per route, made on demand and anew after a death; and the key, tried
//! by a call of its own when another call was refused. A child of the engine's supervisor.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use tokio::sync::{oneshot, watch};

use super::availability::Availability;
use super::calls::observation;
use super::key_ring::KeyRing;
use super::key_trial::{KeyState, KeyTrial, Refusal, Tried};
use super::shares::Shares;
use super::store_board::Sharing;
use crate::limiter::{Acquire, Leave, RateLimiter};
use crate::metrics::{Before, Outage, OutageNews};
use crate::model::{Platform, Priority, Region, Route};
use crate::riot::{Call, RiotError, Transport};
use crate::supervision::{ChildGuard, EndReason, Stop};

/// A call that tries the key has so long, its turn at the limiter included.
const TRY_TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is looked whether a rejection has to be told again.
const LOOK: Duration = Duration::from_secs(5);

/// Where the gate is; it moves when it is started anew.
pub type GateAddr = watch::Receiver<Addr<RiotGate>>;

/// What a refused call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The key is good: Riot refused this one call.
    CallRefused,
    KeyRejected,
    /// The call went with a key that is no longer in use.
    Replaced,
    /// The key could not be tried.
    Unclear,
}

/// See the module.
#[allow(missing_debug_implementations, reason = "holds a transport")]
pub struct RiotGate {
    limiters: HashMap<Route, Addr<RateLimiter>>,
    ring: Arc<KeyRing>,
    availability: Arc<Availability>,
    transport: Arc<dyn Transport>,
    /// What a person does about a rejected key; none: somebody else tells.
    remedy: Option<Arc<str>>,
    /// Where engines of one key share its limits; none: nobody else has it.
    sharing: Option<Sharing>,
    shares: Arc<Shares>,
    trial: KeyTrial,
    /// Callers whose call was refused and who wait for the verdict.
    refused: Vec<oneshot::Sender<Verdict>>,
    retry: Option<SpawnHandle>,
    /// A rejected key, for the log.
    rejection: Outage,
    guard: ChildGuard,
}

impl RiotGate {
    pub fn new(
        ring: Arc<KeyRing>,
        availability: Arc<Availability>,
        transport: Arc<dyn Transport>,
        remedy: Option<Arc<str>>,
        sharing: Option<Sharing>,
        shares: Arc<Shares>,
        guard: ChildGuard,
    ) -> Self {
        Self {
            limiters: HashMap::new(),
            ring,
            availability,
            transport,
            remedy,
            sharing,
            shares,
            trial: KeyTrial::default(),
            refused: Vec::new(),
            retry: None,
            rejection: Outage::default(),
            guard,
        }
    }

    fn limiter(&mut self, route: Route) -> Addr<RateLimiter> {
        let fresh = match self.limiters.get(&route) {
            Some(limiter) if limiter.connected() => return limiter.clone(),
            Some(_) => {
                tracing::error!(
                    actor = "/engine/riot_gate",
                    "/engine/riot_gate/{route} died; it is made anew"
                );
                let actor = format!("/engine/riot_gate/{route}");
                self.availability.event("actor_died", &actor, "");
                self.availability.event("actor_restarted", &actor, "");
                RateLimiter::succeeding(route)
            }
            None => RateLimiter::new(route),
        };
        let fresh = match &self.sharing {
            Some(sharing) => {
                let key = self.ring.current().1.fingerprint();
                fresh.with_board(sharing.board(&key))
            }
            None => fresh,
        };
        let fresh = fresh.with_share(self.shares.of(route)).start();
        self.limiters.insert(route, fresh.clone());
        fresh
    }

    /// One call to an endpoint that every key may use, where the refused call went.
    fn try_key(&mut self, platform: Platform, ctx: &mut Context<Self>) {
        let call = Call::status(platform);
        let (limiter, transport) = (self.limiter(call.route), self.transport.clone());
        let (generation, key) = self.ring.current();
        let tried = async move {
            let acquire = Acquire {
                method: call.method as u8,
                priority: Priority::FIRST,
                flow: 0,
            };
            let Ok(Ok(mut permit)) = limiter.send(acquire).await else {
                return Tried::Unclear;
            };
            if permit.begin().is_err() {
                return Tried::Unclear;
            }
            let (headers, result) = transport.send(&call, &key).await;
            permit.observe(observation(headers, &result));
            match result {
                Ok(_) | Err(RiotError::NotFound | RiotError::BadRequest(..)) => Tried::Accepted,
                Err(RiotError::Forbidden(status)) => Tried::Refused(status),
                Err(_) => Tried::Unclear,
            }
        };
        let tried = async move {
            let tried = tokio::time::timeout(TRY_TIMEOUT, tried).await;
            tried.unwrap_or(Tried::Unclear)
        };
        ctx.spawn(tried.into_actor(self).map(move |tried, this, ctx| {
            if this.ring.generation() == generation {
                this.on_tried(tried, platform, ctx);
            }
        }));
    }

    fn on_tried(&mut self, tried: Tried, platform: Platform, ctx: &mut Context<Self>) {
        let now = self.availability.now();
        self.trial.tried(tried, now);
        self.availability.set_key_tried_at(self.trial.try_at());
        let state = self.trial.state();
        let news = match state {
            KeyState::Rejected { .. } => self.rejection.failed(0, now),
            KeyState::Valid => self.rejection.worked(0, now),
            KeyState::Suspected | KeyState::Closed => OutageNews::Nothing,
        };
        self.tell_rejection(news);
        self.availability.set_key(state);
        self.pass(match tried {
            Tried::Accepted => Verdict::CallRefused,
            Tried::Refused(_) => Verdict::KeyRejected,
            Tried::Unclear => Verdict::Unclear,
        });
        if let Some(at) = self.trial.try_at() {
            let pause = at.saturating_sub(self.availability.now());
            let again = ctx.run_later(pause, move |this, ctx| this.try_key(platform, ctx));
            if let Some(other) = self.retry.replace(again) {
                ctx.cancel_future(other);
            }
        }
    }

    fn tell_rejection(&self, news: OutageNews) {
        // Without a remedy somebody else tells.
        let (Some(remedy), KeyState::Rejected { status, .. }) = (&self.remedy, self.trial.state())
        else {
            if let OutageNews::Ends { after, .. } = news {
                tracing::info!(
                    "Riot takes the API key again after {after:.0?}; everything goes on"
                );
            }
            return;
        };
        match news {
            OutageNews::Nothing | OutageNews::Ends { .. } => {}
            OutageNews::Begins { untold } => tracing::error!(
                "Riot rejects the API key (HTTP {status}). Everything that needs it waits and nothing is lost. {remedy}{}",
                Before(untold)
            ),
            OutageNews::Lasts { so_far, failures } => tracing::error!(
                "Riot has rejected the API key for {so_far:.0?} (HTTP {status}, tried {failures} times). {remedy}"
            ),
        }
    }

    fn pass(&mut self, verdict: Verdict) {
        for caller in self.refused.drain(..) {
            // Whoever has gone needs none.
            let _ = caller.send(verdict);
        }
    }
}

impl Actor for RiotGate {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // What an earlier gate knew of the key died with it; the next call finds out.
        self.availability.set_key(KeyState::Valid);
        let availability = self.availability.clone();
        ctx.spawn(async move { availability.keep_publishing().await }.into_actor(self));
        ctx.run_interval(LOOK, |this, _| {
            let news = this.rejection.look(this.availability.now());
            this.tell_rejection(news);
        });
    }
}

impl Handler<Stop> for RiotGate {
    type Result = ResponseActFuture<Self, ()>;
    /// Who comes after us on this key hears what was used of it, and loses nothing of its windows.
    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let left = join_all(self.limiters.values().map(|limiter| limiter.send(Leave)));
        Box::pin(left.into_actor(self).map(|_, this, ctx| {
            this.guard.ends(EndReason::Shutdown);
            ctx.stop();
        }))
    }
}

/// The limiter of a route.
#[derive(Debug, Message)]
#[rtype(result = "Addr<RateLimiter>")]
pub struct LimiterOf(pub Route);

impl Handler<LimiterOf> for RiotGate {
    type Result = Addr<RateLimiter>;
    fn handle(&mut self, LimiterOf(route): LimiterOf, _: &mut Self::Context) -> Self::Result {
        self.limiter(route)
    }
}

/// A call with the key of that generation was answered 401 or 403. The answer is what it means.
#[derive(Debug, Message)]
#[rtype(result = "Verdict")]
pub struct KeyRefused {
    pub generation: u64,
    pub route: Route,
    pub sent: Duration,
}

impl Handler<KeyRefused> for RiotGate {
    type Result = ResponseFuture<Verdict>;
    fn handle(&mut self, refused: KeyRefused, ctx: &mut Self::Context) -> Self::Result {
        if refused.generation != self.ring.generation() {
            return Box::pin(std::future::ready(Verdict::Replaced));
        }
        let taken = self.availability.key_taken_at(refused.generation);
        let refusal = self
            .trial
            .refused(refused.sent, taken, self.availability.now());
        if refusal == Refusal::OfTheCall {
            return Box::pin(std::future::ready(Verdict::CallRefused));
        }
        if let KeyState::Rejected { .. } = self.trial.state() {
            return Box::pin(std::future::ready(Verdict::KeyRejected));
        }
        let (tell, verdict) = oneshot::channel();
        self.refused.push(tell);
        if refusal == Refusal::TryKey {
            self.availability.set_key(KeyState::Suspected);
            self.try_key(platform_of(refused.route), ctx);
        }
        Box::pin(async move { verdict.await.unwrap_or(Verdict::Unclear) })
    }
}

/// Another key is in the ring.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct KeyReplaced;

impl Handler<KeyReplaced> for RiotGate {
    type Result = ();
    fn handle(&mut self, _: KeyReplaced, ctx: &mut Self::Context) {
        self.trial.replaced();
        self.availability.set_key_tried_at(None);
        if let OutageNews::Ends { after, .. } = self.rejection.worked(0, self.availability.now()) {
            tracing::info!("another API key is in use, {after:.0?} after the last was rejected");
        }
        if let Some(retry) = self.retry.take() {
            ctx.cancel_future(retry);
        }
        // Limits are each key's own. The old limiters end with the last call that holds them.
        self.limiters.clear();
        self.pass(Verdict::Replaced);
        self.availability.set_key(KeyState::Valid);
    }
}

/// A platform near a route: the status of a platform is what every key may ask for.
fn platform_of(route: Route) -> Platform {
    match route {
        Route::Platform(platform) => platform,
        Route::Region(Region::Americas) => Platform::Na1,
        Route::Region(Region::Asia) => Platform::Kr,
        Route::Region(Region::Europe) => Platform::Euw1,
        Route::Region(Region::Sea) => Platform::Oc1,
    }
}

//! Calls as tasks make them: in turn, with a permit of the route's limiter, and with everything waited
//! out that is nobody's fault. Bodies are unpacked and parsed off the arbiters.
//!
//! Invariants: no call leaves without a permit, while the key is rejected, or while the route's circuit is open;
//! each is asked again after the wait for the one before it. What a 429 or a rejected key costs is time, never an
//! attempt. While one call tries a suspected key, those that were refused wait for what it comes to, and others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::Addr;
use dashmap::DashMap;
use tokio::sync::Semaphore;

use super::absences::{Absence, Absences};
use super::availability::Availability;
use super::bodies::Bodies;
use super::halts::told;
use super::key_ring::KeyRing;
use super::key_trial::KeyState;
use super::riot_gate::{GateAddr, KeyRefused, KeyReplaced, LimiterOf, Verdict};
use super::shares::Shares;
use crate::engine::{CancelSignal, Post, Urgency};
use crate::limiter::{
    Acquire, AcquireError, Elsewhere, Estimate, LimiterState, MethodId, Observation, PAUSE_MAX,
    Permit, RateLimiter, Refused, RefusedBy, SetShare, Snapshot, Whose,
};
use crate::metrics::CallCounters;
use crate::metrics::process::cpu_of_thread;
use crate::model::records::{Codec, Payload};
use crate::model::secrets::{may_hold_key, without_secrets};
use crate::model::waiting::Halt;
use crate::model::{Priority, Route};
use crate::riot::{
    ApiKey, Call, LimitScope, Method, RateHeaders, Response, RiotError, Transport, as_gzip,
    unpacked,
};
use crate::store::engine::JobContext;

/// Refusals in a row after which a job gives its slot to others.
const REFUSALS_MAX: u32 = 5;
/// Before a call is made again whose answer nobody knows. A second such answer is believed.
const ODD_PAUSE: Duration = Duration::from_secs(1);
/// So often a call that is one of several of its job is made again when it failed, before the job fails.
const AGAIN_MAX: u32 = 2;
/// Before the first of them; before the next it is twice as long.
const AGAIN_PAUSE: Duration = Duration::from_secs(1);
/// Before a call is made again that a service refused and told no time for, twice as long each time; and added to a
/// time that was told in whole seconds.
const SERVICE_PAUSE: Duration = Duration::from_secs(1);
const SERVICE_GRACE: Duration = Duration::from_millis(100);
/// How long a job stays away that found the limiter's waiting line full.
const LINE_FULL_PAUSE: Duration = Duration::from_secs(30);
/// Pause before a gate that has died is looked for again.
const GATE_RETRY: Duration = Duration::from_millis(50);

/// For how long a call waits that a service refused; `before`: so often already.
fn service_pause(told: Option<Duration>, before: u32) -> Duration {
    match told.filter(|told| !told.is_zero()) {
        Some(told) => told.min(PAUSE_MAX) + SERVICE_GRACE,
        None => SERVICE_PAUSE * (1 << before),
    }
}

/// For whom a call is made.
#[derive(Debug, Clone)]
pub struct Caller {
    pub urgency: Urgency,
    /// Flows of one priority take turns.
    pub flow: u64,
    pub cancel: CancelSignal,
    /// Where it says what it stands still for.
    pub post: Post,
}

impl From<&JobContext> for Caller {
    fn from(context: &JobContext) -> Self {
        Self {
            urgency: context.urgency().clone(),
            flow: context.flow(),
            cancel: context.cancel().clone(),
            post: context.post().clone(),
        }
    }
}

/// A job of a match or a timeline makes one call: its attempts are the call's. One that asks for a player and for
/// page after page of a list would lose all of them to one failure, and the longer the list, the surer.
fn is_one_of_many(method: Method) -> bool {
    !matches!(method, Method::Match | Method::Timeline)
}

/// Everything a task needs of Riot.
#[derive(Debug)]
pub struct RiotApi {
    transport: Arc<dyn Transport>,
    gate: GateAddr,
    /// By the generation of the key: limits are each key's own.
    limiters: DashMap<Route, (u64, Addr<RateLimiter>)>,
    ring: Arc<KeyRing>,
    availability: Arc<Availability>,
    absences: DashMap<Route, Absences>,
    /// Routes whose good answers tell the limits: an answer there that does not never reached the API.
    counted: DashMap<Route, ()>,
    /// Routes whose good answers tell none.
    uncounted: DashMap<Route, ()>,
    /// Held by the one who finds out whether a route works.
    witness_turns: DashMap<Route, Arc<tokio::sync::Mutex<()>>>,
    pub counters: Arc<CallCounters>,
    /// Unpacking and parsing at once: as many as there are cores.
    cpu: Arc<Semaphore>,
    bodies: Bodies,
    /// Somebody was told that answers hold the key.
    echo_told: Arc<AtomicBool>,
}

impl RiotApi {
    pub fn new(
        transport: Arc<dyn Transport>,
        gate: GateAddr,
        ring: Arc<KeyRing>,
        availability: Arc<Availability>,
        bodies_mib: u32,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            transport,
            gate,
            limiters: DashMap::new(),
            ring,
            availability,
            absences: DashMap::new(),
            counted: DashMap::new(),
            uncounted: DashMap::new(),
            witness_turns: DashMap::new(),
            counters: Arc::default(),
            cpu: Arc::new(Semaphore::new(cores)),
            bodies: Bodies::new(bodies_mib),
            echo_told: Arc::default(),
        }
    }

    /// Where the gate is now.
    #[cfg(test)]
    pub(super) fn gate(&self) -> Addr<super::riot_gate::RiotGate> {
        self.gate.borrow().clone()
    }

    /// The gate has to know of a new key.
    pub(super) fn tell_gate_of_new_key(&self) {
        // One message a key; a gate that is being started anew finds the key in the ring.
        self.gate.borrow().do_send(KeyReplaced);
    }

    /// Tells keys apart in the database.
    pub fn key_fingerprint(&self) -> Arc<str> {
        self.ring.current().1.fingerprint().into()
    }

    /// Makes a call, in turn. 429s and a rejected key are waited out: they cost no attempt. Everything
    /// else is the caller's to judge.
    pub async fn call(
        &self,
        caller: impl Into<Caller>,
        call: &Call,
    ) -> Result<Response, RiotError> {
        let caller = caller.into();
        let answered = async {
            let room = {
                let _halted = caller.post.halt(told(Halt::Room));
                let urgent = caller.urgency.now().is_urgent();
                tokio::select! {
                    room = self.bodies.room(call.method, urgent) => room,
                    () = caller.urgency.beyond(Priority::DEFAULT), if !urgent => {
                        self.bodies.room(call.method, true).await
                    }
                }
            };
            let mut response = self.call_patiently(&caller, call).await?;
            response.body = self.bodies.hold(response.body, room);
            Ok(response)
        };
        tokio::select! {
            result = answered => result,
            () = caller.cancel.requested() => Err(RiotError::Cancelled),
        }
    }

    async fn call_patiently(&self, caller: &Caller, call: &Call) -> Result<Response, RiotError> {
        let (mut refusals, mut failures, mut was_odd) = (0, 0, false);
        loop {
            {
                let _halted = caller.post.halt(told(Halt::Key));
                self.wait_for_key().await?;
            }
            let Some((generation, sent, result)) = self.call_once(caller, call).await? else {
                continue;
            };
            match result {
                Err(RiotError::RateLimited { scope, retry_after }) if refusals < REFUSALS_MAX => {
                    if scope == LimitScope::Service {
                        // Of a service that is not loaded this call alone waits.
                        let _halted = caller.post.halt(told(Halt::Permit(call.route)));
                        self.pause(service_pause(retry_after, refusals)).await?;
                    }
                    refusals += 1;
                }
                Err(RiotError::Odd(..)) if !was_odd => {
                    was_odd = true;
                    self.pause(ODD_PAUSE).await?;
                }
                Err(RiotError::Unavailable(_) | RiotError::Payload(_))
                    if is_one_of_many(call.method)
                        && self.has_served(call.route)
                        && failures < AGAIN_MAX =>
                {
                    let jitter = 0.5 + fastrand::f64();
                    self.pause(AGAIN_PAUSE.mul_f64(jitter * f64::from(1 << failures)))
                        .await?;
                    failures += 1;
                }
                Err(RiotError::Forbidden(status)) => {
                    let verdict = {
                        let _halted = caller.post.halt(told(Halt::Key));
                        self.verdict(generation, call.route, sent).await?
                    };
                    match verdict {
                        Verdict::CallRefused => {
                            let refused = RiotError::Forbidden(status);
                            self.availability.note(call.route, &refused);
                            return Err(refused);
                        }
                        Verdict::Unclear => return Err(RiotError::KeyUnclear(status)),
                        Verdict::KeyRejected | Verdict::Replaced => {}
                    }
                }
                other => return other,
            }
        }
    }

    /// Whether the route has given a good answer. Where none ever came, trying again soon tells nothing new.
    fn has_served(&self, route: Route) -> bool {
        self.counted.contains_key(&route) || self.uncounted.contains_key(&route)
    }

    async fn pause(&self, pause: Duration) -> Result<(), RiotError> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.availability.closed() => Err(RiotError::Stopping),
        }
    }

    /// What it means that a listed document of a route was not found (404).
    pub fn absent(&self, route: Route) -> Absence {
        let now = self.availability.now();
        self.absences.entry(route).or_default().absent(now)
    }

    /// What it would mean now.
    pub fn judge_absence(&self, route: Route) -> Absence {
        let now = self.availability.now();
        self.absences
            .get(&route)
            .map_or(Absence::Known, |absences| absences.judge(now))
    }

    /// Whoever holds this asks for a document that was served before; others wait for what that tells.
    pub async fn witness_turn(&self, route: Route) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = self.witness_turns.entry(route).or_default().clone();
        turn.lock_owned().await
    }

    /// What became of a document that was served before.
    pub fn witnessed(&self, route: Route, served: bool) {
        let now = self.availability.now();
        let is_news = self
            .absences
            .entry(route)
            .or_default()
            .witnessed(served, now);
        if is_news {
            tracing::warn!(
                route = %route,
                "{route} answers 404 for a match that it served before: its 404s are taken for an outage. What it does \
                 not give is asked for again in an hour"
            );
        }
    }

    /// Resolves at once while the key is not rejected.
    async fn wait_for_key(&self) -> Result<(), RiotError> {
        let mut key = self.availability.key();
        let state = key
            .wait_for(|state| !matches!(state, KeyState::Rejected { .. }))
            .await;
        match state.as_deref() {
            Ok(KeyState::Valid | KeyState::Suspected) => Ok(()),
            _ => Err(RiotError::Stopping),
        }
    }

    /// None: not sent, as the key is not what it was when the call began to wait, or the permit is too old.
    async fn call_once(
        &self,
        caller: &Caller,
        call: &Call,
    ) -> Result<Option<(u64, Duration, Result<Response, RiotError>)>, RiotError> {
        let (generation, key) = self.ring.current();
        // Asked without becoming the probe: its turn may be far away.
        self.availability.outage(call.route)?;
        let mut permit = {
            let _halted = caller.post.halt(told(Halt::Permit(call.route)));
            tokio::select! {
                permit = self.permit(caller, call, generation) => permit?,
                () = self.ring.replaced(generation) => return Ok(None),
                () = self.availability.closed() => return Err(RiotError::Stopping),
            }
        };
        let is_good = matches!(
            *self.availability.key().borrow(),
            KeyState::Valid | KeyState::Suspected
        );
        if !is_good || self.ring.generation() != generation {
            return Ok(None);
        }
        self.availability.ask(call.route)?;
        // At the last moment: the process may have stood still since it was granted.
        if permit.begin().is_err() {
            return Ok(None);
        }
        let sent = self.availability.now();
        let result = self.send(permit, call, &key).await;
        if matches!(&result, Ok(_) | Err(RiotError::NotFound)) {
            self.availability.key_was_good(generation, sent);
        }
        Ok(Some((generation, sent, result)))
    }

    async fn send(&self, permit: Permit, call: &Call, key: &ApiKey) -> Result<Response, RiotError> {
        self.counters.calls.fetch_add(1, Ordering::Relaxed);
        let sent = self.availability.now();
        let (headers, result) = self.transport.send(call, key).await;
        if let Some(headers) = &headers {
            self.availability
                .note_limits(call.route, &headers.app_limits);
        }
        let of_document = matches!(call.method, Method::Match | Method::Timeline);
        let result = self.checked(call.route, of_document, headers.as_ref(), result);
        permit.observe(observation(headers, &result));
        if result.is_ok() && of_document {
            self.served(call.route);
        }
        match result {
            Ok(_)
            | Err(
                RiotError::NotFound
                | RiotError::ForeignPuuid
                | RiotError::BadRequest(..)
                | RiotError::Odd(..),
            ) => {
                self.availability.ended(call.route, sent, None);
            }
            Err(ref error @ RiotError::Payload(_)) => {
                self.availability.ended(call.route, sent, None);
                self.availability.note(call.route, error);
            }
            Err(RiotError::RateLimited { .. }) => {
                self.counters.rate_limited.fetch_add(1, Ordering::Relaxed);
            }
            Err(ref error @ RiotError::Unavailable(_)) => {
                self.availability.ended(call.route, sent, Some(error));
                // What opened the circuit, and what was on its way then, is part of the outage too.
                self.availability.outage(call.route)?;
                self.availability.note(call.route, error);
            }
            Err(_) => {}
        }
        result
    }

    /// A 404 that does not count in the limits of a route whose good answers do is not the API's.
    fn checked(
        &self,
        route: Route,
        of_document: bool,
        headers: Option<&RateHeaders>,
        result: Result<Response, RiotError>,
    ) -> Result<Response, RiotError> {
        let tells_limits = headers.is_some_and(|headers| !headers.app_limits.is_empty());
        match result {
            Ok(_) if tells_limits && !self.counted.contains_key(&route) => {
                self.counted.insert(route, ());
            }
            Ok(_) if !tells_limits && !self.uncounted.contains_key(&route) => {
                self.uncounted.insert(route, ());
            }
            // Of a document it is believed only where good answers tell no limits either.
            Err(RiotError::NotFound)
                if !tells_limits
                    && (self.counted.contains_key(&route)
                        || (of_document && !self.uncounted.contains_key(&route))) =>
            {
                let why = "HTTP 404 without Riot's rate limits";
                return Err(RiotError::Unavailable(why.into()));
            }
            _ => {}
        }
        result
    }

    fn served(&self, route: Route) {
        // Nearly always nothing was missed: no write lock for that.
        if self.absences.contains_key(&route) {
            self.absences.entry(route).or_default().served();
        }
    }

    /// What a 401 or 403 to a call that was sent at `sent` means; waits for a gate that is being started anew.
    async fn verdict(
        &self,
        generation: u64,
        route: Route,
        sent: Duration,
    ) -> Result<Verdict, RiotError> {
        let refused = KeyRefused {
            generation,
            route,
            sent,
        };
        let gate = self.gate.borrow().clone();
        tokio::select! {
            verdict = gate.send(refused) => Ok(verdict.unwrap_or(Verdict::Unclear)),
            () = self.availability.closed() => Err(RiotError::Stopping),
        }
    }

    /// The limiter that the gate has for a route; waits for a gate that is being started anew.
    async fn limiter_of(&self, route: Route) -> Addr<RateLimiter> {
        loop {
            let gate = self.gate.borrow().clone();
            if let Ok(limiter) = gate.send(LimiterOf(route)).await {
                return limiter;
            }
            tokio::time::sleep(GATE_RETRY).await;
        }
    }

    async fn permit(
        &self,
        caller: &Caller,
        call: &Call,
        generation: u64,
    ) -> Result<Permit, RiotError> {
        loop {
            let known = self.limiters.get(&call.route).map(|known| known.clone());
            let limiter = match known {
                Some((of, limiter)) if of == generation && limiter.connected() => limiter,
                _ => {
                    let limiter = self.limiter_of(call.route).await;
                    self.limiters
                        .insert(call.route, (generation, limiter.clone()));
                    limiter
                }
            };
            let priority = caller.urgency.now();
            let acquire = Acquire {
                method: call.method as MethodId,
                priority,
                flow: caller.flow,
            };
            let granted = tokio::select! {
                granted = limiter.send(acquire) => granted,
                // It leaves its place in the line for a better one. A permit that comes at this moment is given back.
                () = caller.urgency.beyond(priority) => continue,
            };
            match granted {
                Ok(Ok(permit)) => return Ok(permit),
                // As good as a refusal: the job comes back later.
                Ok(Err(AcquireError::LineFull { .. })) => {
                    return Err(RiotError::RateLimited {
                        scope: LimitScope::Application,
                        retry_after: Some(LINE_FULL_PAUSE),
                    });
                }
                // The limiter has died; there will be another.
                Err(_) => tokio::time::sleep(GATE_RETRY).await,
            }
        }
    }

    /// How long these calls would take from now under the limits of the route, behind those who go before them. None:
    /// nothing is known of the route yet.
    pub async fn estimate(
        &self,
        route: Route,
        calls: Vec<(MethodId, u32)>,
        whose: Whose,
        elsewhere: Elsewhere,
    ) -> Option<Duration> {
        let (_, limiter) = self.limiters.get(&route)?.clone();
        let estimate = Estimate {
            calls,
            whose,
            elsewhere,
        };
        limiter.send(estimate).await.ok()
    }

    /// The parts of the limits that are used from now on. A limiter that is made just now has them already.
    pub(super) fn tell_shares(&self, shares: &Shares) {
        for known in &self.limiters {
            let share = shares.of(*known.key());
            // One message for each route; it must not be lost.
            known.value().1.do_send(SetShare(share));
        }
    }

    /// How the limiters stand that calls were made through.
    pub async fn limiter_states(&self) -> Vec<LimiterState> {
        let limiters: Vec<_> = self.limiters.iter().map(|known| known.1.clone()).collect();
        let states = limiters.iter().map(|limiter| limiter.send(Snapshot));
        let states = futures_util::future::join_all(states).await;
        // One that has died is made anew by the next call.
        let mut states: Vec<LimiterState> = states.into_iter().flatten().collect();
        states.sort_by_key(|state| state.route);
        states
    }

    /// Unpacks and reads a document on the CPU pool; a panic of the reader is an error of the document.
    pub async fn read<T, F>(&self, response: Response, read: F) -> Result<(T, Payload), RiotError>
    where
        T: Send + 'static,
        F: FnOnce(&[u8]) -> Result<T, RiotError> + Send + 'static,
    {
        let _turn = self.cpu.clone().acquire_owned().await;
        let route = response.route;
        let documents = self.counters.documents.clone();
        let echo_told = self.echo_told.clone();
        let work = tokio::task::spawn_blocking(move || {
            let Response { body, is_gzip, .. } = response;
            let begun = cpu_of_thread();
            let mut without = None;
            let read_clean = |text: &[u8]| {
                without = without_key(text, &echo_told);
                read(without.as_deref().unwrap_or(text))
            };
            let record = if is_gzip {
                unpacked(&body, |text| {
                    let is_unpacked = cpu_of_thread();
                    let record = read_clean(text);
                    let parse = cpu_of_thread().saturating_sub(is_unpacked);
                    documents.note(is_unpacked.saturating_sub(begun), parse);
                    record
                })?
            } else {
                read_clean(&body)?
            };
            let body = match without {
                Some(text) => as_gzip(&text),
                None if is_gzip => body,
                None => as_gzip(&body),
            };
            let codec = Codec::Gzip;
            Ok((record, Payload { codec, body }))
        });
        let read = work.await.unwrap_or_else(|error| {
            Err(RiotError::Payload(
                format!("its reader failed: {error}").into(),
            ))
        });
        if let Err(error) = &read {
            self.availability.note(route, error);
        }
        read
    }
}

/// The document without the key, if what stands between has put it there.
fn without_key(text: &[u8], told: &AtomicBool) -> Option<Vec<u8>> {
    if !may_hold_key(text) {
        return None;
    }
    let text = String::from_utf8_lossy(text);
    let clean = without_secrets(&text);
    if clean == text {
        return None;
    }
    if !told.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "answers hold the API key: something between riftsync and Riot sends back what it is sent. The key is taken \
             out of what is stored; find out what stands there, and get a new key if it is not yours"
        );
    }
    Some(clean.into_owned().into_bytes())
}

/// What the limiter learns of an answer.
pub fn observation(
    headers: Option<RateHeaders>,
    result: &Result<Response, RiotError>,
) -> Observation {
    let answered = headers.is_some();
    let headers = headers.unwrap_or_default();
    let refused = match result {
        Err(RiotError::RateLimited { scope, retry_after }) => Some(Refused {
            by: match scope {
                LimitScope::Application => RefusedBy::Application,
                LimitScope::Method => RefusedBy::Method,
                LimitScope::Service => RefusedBy::Service,
            },
            retry_after: *retry_after,
        }),
        _ => None,
    };
    Observation {
        app_limits: headers.app_limits,
        app_counts: headers.app_counts,
        method_limits: headers.method_limits,
        method_counts: headers.method_counts,
        refused,
        answered,
        served: result.is_ok(),
        received: headers.received,
    }
}

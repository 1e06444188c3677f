//! Calls as tasks make them: with a permit of the limiter, waiting out its refusals, the key's
//! rejection confirmed, bodies unpacked and parsed off the arbiters.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::Addr;
use dashmap::DashMap;
use tokio::sync::{Semaphore, watch};

use crate::engine::TaskResult;
use crate::limiter::{
    Acquire, AcquireError, GateAddr, KeyRejected, KeyState, LimiterOf, Observation, Permit,
    RateLimiter, Refused, RefusedBy,
};
use crate::metrics::Metrics;
use crate::model::records::{Codec, Payload};
use crate::model::{Failure, Outcome, Platform, Priority, Region, Route};
use crate::riot::{
    Call, LimitScope, RateHeaders, Response, RiotClient, RiotError, as_gzip, unpack,
};

/// Refusals in a row after which a job gives its slot to others.
const REFUSALS_MAX: u32 = 5;

/// How long a job stays away that found the limiter's waiting line full.
const LINE_FULL_PAUSE: Duration = Duration::from_secs(30);
/// Pause before a gate that has died is looked for again.
const GATE_RETRY: Duration = Duration::from_millis(50);

/// Everything a task needs of Riot.
#[derive(Debug)]
pub struct RiotApi {
    client: RiotClient,
    gate: GateAddr,
    limiters: DashMap<Route, Addr<RateLimiter>>,
    key: watch::Receiver<KeyState>,
    fingerprint: Arc<str>,
    metrics: Arc<Metrics>,
    /// Unpacking and parsing at once: as many as there are cores.
    cpu: Arc<Semaphore>,
}

impl RiotApi {
    pub fn new(
        client: RiotClient,
        gate: GateAddr,
        key: watch::Receiver<KeyState>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            fingerprint: client.key().fingerprint().into(),
            client,
            gate,
            limiters: DashMap::new(),
            key,
            metrics,
            cpu: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Tells keys apart in the database.
    pub fn key_fingerprint(&self) -> Arc<str> {
        self.fingerprint.clone()
    }

    /// Makes a call, in turn. 429s and a rejected key are waited out: they cost no attempt. Everything
    /// else is the caller's to judge.
    pub async fn call(
        &self,
        call: &Call,
        priority: Priority,
        flow: u64,
    ) -> Result<Response, RiotError> {
        let mut refusals = 0;
        loop {
            self.wait_for_key().await?;
            match self.call_once(call, priority, flow).await {
                Err(RiotError::RateLimited { .. }) if refusals < REFUSALS_MAX => refusals += 1,
                Err(RiotError::Forbidden(status))
                    if self.key_is_rejected(call, priority, flow).await =>
                {
                    tracing::debug!("HTTP {status} confirmed; the call waits for another key");
                }
                other => return other,
            }
        }
    }

    /// Resolves at once unless the key is rejected.
    async fn wait_for_key(&self) -> Result<(), RiotError> {
        let mut key = self.key.clone();
        match key
            .wait_for(|state| !matches!(state, KeyState::Rejected(_)))
            .await
            .as_deref()
        {
            Ok(KeyState::Valid) => Ok(()),
            _ => Err(RiotError::Stopping),
        }
    }

    /// Resolves when the engine stops.
    async fn closed(&self) {
        let mut key = self.key.clone();
        // An error is the gate's end, which is the same.
        let _ = key.wait_for(|state| *state == KeyState::Closed).await;
    }

    /// A lone 401 or 403 can be the edge's whim; only a second one, on another call, is the key's end.
    async fn key_is_rejected(&self, refused: &Call, priority: Priority, flow: u64) -> bool {
        let platform = match refused.route {
            Route::Platform(platform) => platform,
            Route::Region(Region::Americas) => Platform::Na1,
            Route::Region(Region::Asia) => Platform::Kr,
            Route::Region(Region::Europe) => Platform::Euw1,
            Route::Region(Region::Sea) => Platform::Oc1,
        };
        match self
            .call_once(&Call::status(platform), priority, flow)
            .await
        {
            Err(RiotError::Forbidden(status)) => {
                // A closed mailbox means the engine is stopping, which the next wait will tell.
                let gate = self.gate.borrow().clone();
                let _ = gate.send(KeyRejected(status)).await;
                true
            }
            _ => false,
        }
    }

    async fn call_once(
        &self,
        call: &Call,
        priority: Priority,
        flow: u64,
    ) -> Result<Response, RiotError> {
        let mut permit = tokio::select! {
            permit = self.permit(call, priority, flow) => permit?,
            () = self.closed() => return Err(RiotError::Stopping),
        };
        self.metrics.calls.fetch_add(1, Ordering::Relaxed);
        permit.begin();
        let (headers, result) = self.client.send(call).await;
        permit.observe(observation(headers, &result));
        if matches!(result, Err(RiotError::RateLimited { .. })) {
            self.metrics.rate_limited.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    /// The limiter that the gate has for a route; waits for a gate that is being started anew.
    async fn limiter_of(&self, route: Route) -> Result<Addr<RateLimiter>, RiotError> {
        loop {
            let gate = self.gate.borrow().clone();
            if let Ok(limiter) = gate.send(LimiterOf(route)).await {
                return Ok(limiter);
            }
            tokio::select! {
                () = tokio::time::sleep(GATE_RETRY) => {}
                () = self.closed() => return Err(RiotError::Stopping),
            }
        }
    }

    async fn permit(
        &self,
        call: &Call,
        priority: Priority,
        flow: u64,
    ) -> Result<Permit, RiotError> {
        // Twice: the limiter that is known may have died since.
        for _ in 0..2 {
            let known = self
                .limiters
                .get(&call.route)
                .map(|limiter| limiter.clone());
            let limiter = if let Some(limiter) = known {
                limiter
            } else {
                let limiter = self.limiter_of(call.route).await?;
                self.limiters.insert(call.route, limiter.clone());
                limiter
            };
            let acquire = Acquire {
                method: call.method as u8,
                priority,
                flow,
            };
            match limiter.send(acquire).await {
                Ok(Ok(permit)) => return Ok(permit),
                // As good as a refusal: the job comes back later.
                Ok(Err(AcquireError::LineFull { .. })) => {
                    return Err(RiotError::RateLimited {
                        scope: LimitScope::Application,
                        retry_after: Some(LINE_FULL_PAUSE),
                    });
                }
                Err(_) => {
                    self.limiters.remove(&call.route);
                }
            }
        }
        Err(RiotError::Stopping)
    }

    /// Unpacks and reads a document on the CPU pool; a panic of the reader is an error of the document.
    pub async fn read<T, F>(&self, response: Response, read: F) -> Result<(T, Payload), RiotError>
    where
        T: Send + 'static,
        F: FnOnce(&[u8]) -> Result<T, RiotError> + Send + 'static,
    {
        let _turn = self.cpu.clone().acquire_owned().await;
        let work = tokio::task::spawn_blocking(move || {
            let Response { body, is_gzip } = response;
            if is_gzip {
                let record = read(&unpack(&body)?)?;
                Ok((
                    record,
                    Payload {
                        codec: Codec::Gzip,
                        body,
                    },
                ))
            } else {
                let record = read(&body)?;
                Ok((
                    record,
                    Payload {
                        codec: Codec::Gzip,
                        body: as_gzip(&body),
                    },
                ))
            }
        });
        work.await
            .unwrap_or_else(|error| Err(RiotError::Payload(format!("its reader failed: {error}"))))
    }
}

fn observation(headers: Option<RateHeaders>, result: &Result<Response, RiotError>) -> Observation {
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

/// What a failed call means for its job. No wildcard arm: whoever adds a variant has to choose.
pub(super) fn failed(error: &RiotError) -> TaskResult {
    let text = error.to_string();
    match error {
        RiotError::RateLimited { retry_after, .. } => {
            let delay = retry_after.unwrap_or(Duration::from_secs(5));
            Outcome::Snooze { delay, why: text }.into()
        }
        RiotError::Stopping => Outcome::Snooze {
            delay: Duration::ZERO,
            why: text,
        }
        .into(),
        RiotError::Unavailable(_) => {
            Outcome::Retry(Failure::new("unavailable", text).retryable().with_remedy(
                "check the network and the base URL; Riot's state is shown at status.riotgames.com",
            ))
            .into()
        }
        RiotError::Payload(_) => Outcome::Retry(Failure::new("payload", text).retryable()).into(),
        RiotError::Forbidden(_) => {
            Outcome::Retry(Failure::new("forbidden", text).retryable()).into()
        }
        RiotError::ForeignPuuid => {
            Outcome::Retry(Failure::new("foreign_puuid", text).retryable()).into()
        }
        RiotError::NotFound => Outcome::Discard(Failure::new("not_found", text)).into(),
        RiotError::BadRequest(..) => Outcome::Discard(Failure::new("bad_request", text)).into(),
    }
}

/// Arguments that are not what the kind takes: no other attempt would help.
pub(super) fn bad_arguments(error: &serde_json::Error) -> TaskResult {
    Outcome::Discard(Failure::new(
        "bad_arguments",
        format!("its arguments cannot be read: {error}"),
    ))
    .into()
}

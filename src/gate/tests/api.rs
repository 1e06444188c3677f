//! An API that does as it is told, and a gate before it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::engine::{CancelSignal, Post, Urgency};
use crate::gate::{Caller, Gate, KeySource};
use crate::metrics::Metrics;
use crate::model::{MatchId, Platform, Priority, Region, Route};
use crate::riot::{
    Answered, ApiKey, Call, Method, RateHeaders, Response, RiotError, Transport, install_tls,
};
use crate::supervision::{Intensity, Strategy, Supervisor};

pub const ROUND_TRIP: Duration = Duration::from_millis(80);
pub const ASIA: Route = Route::Region(Region::Asia);
pub const EUROPE: Route = Route::Region(Region::Europe);

type Answer = dyn Fn(&Call, &str) -> Result<(), RiotError> + Send + Sync;

/// Answers after a round trip; what it answers is decided when the call arrives.
pub struct FakeApi {
    answer: Mutex<Box<Answer>>,
    limits: (u32, u32),
    pub sent: AtomicU64,
}

impl std::fmt::Debug for FakeApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeApi")
    }
}

impl FakeApi {
    /// With one limit, calls in seconds.
    pub fn new(limits: (u32, u32)) -> Arc<Self> {
        install_tls();
        Arc::new(Self {
            answer: Mutex::new(Box::new(|_, _| Ok(()))),
            limits,
            sent: AtomicU64::new(0),
        })
    }

    /// From now on it answers so, by call and key.
    pub fn answers(
        &self,
        answer: impl Fn(&Call, &str) -> Result<(), RiotError> + Send + Sync + 'static,
    ) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

impl Transport for FakeApi {
    fn send<'a>(&'a self, call: &'a Call, key: &'a ApiKey) -> BoxFuture<'a, Answered> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        let fingerprint = key.fingerprint();
        let told = (self.answer.lock().unwrap())(call, &fingerprint);
        async move {
            tokio::time::sleep(ROUND_TRIP).await;
            let answered = !matches!(told, Err(RiotError::Unavailable(_)));
            let headers = answered.then(|| RateHeaders {
                app_limits: [(self.limits.1, self.limits.0)].into(),
                ..RateHeaders::default()
            });
            let response = told.map(|()| Response {
                route: call.route,
                key_fingerprint: fingerprint.as_str().into(),
                body: Bytes::new(),
                is_gzip: false,
                date: None,
            });
            (headers, response)
        }
        .boxed()
    }
}

/// Runs a test on an actor system whose clock jumps to the next timer.
pub fn on_virtual_time(test: impl Future<Output = ()>) {
    System::new().block_on(async {
        tokio::time::pause();
        test.await;
    });
}

pub fn key(text: &str) -> ApiKey {
    ApiKey::new(text).unwrap()
}

/// A gate with its actors, supervised.
pub fn gate(api: &Arc<FakeApi>) -> Gate {
    observed(api, Arc::default())
}

/// The same, and what it tells.
pub fn observed(api: &Arc<FakeApi>, metrics: Arc<Metrics>) -> Gate {
    let (gate, services) = Gate::new(
        key("RGAPI-one"),
        KeySource::default(),
        api.clone(),
        ["q"],
        None,
        metrics,
        1,
    );
    Supervisor::new(
        "/t",
        Strategy::OneForOne,
        Intensity::default(),
        services.children,
    )
    .start();
    gate
}

pub fn caller(flow: u64) -> Caller {
    Caller {
        urgency: Urgency::fixed(Priority::DEFAULT),
        flow,
        cancel: CancelSignal::never(),
        post: Post::default(),
    }
}

/// A call on one of the two routes.
pub fn a_match(route: Route, number: u64) -> Call {
    let platform = if route == ASIA {
        Platform::Kr
    } else {
        Platform::Euw1
    };
    Call::match_document(MatchId::new(platform, number))
}

pub fn is_status(call: &Call) -> bool {
    call.method == Method::Status
}

//! How a simulator is set up, and the switches that change it while it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::model::Timestamp;
use crate::simulator::counters::Counters;
use crate::simulator::endpoints::{Answers, ListTime};
use crate::simulator::faults::{Faults, Latency};
use crate::simulator::limits::{Edges, Limit, Limiter};
use crate::simulator::window::WindowModel;
use crate::simulator::world::World;

/// How the API of a world behaves. The default is kind: no limits, no latency, no faults, any key.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Port 0: any free one.
    pub listen: SocketAddr,
    /// `(calls, seconds)` for each key and route. Empty: no limit, and no headers.
    pub app_limits: Vec<Limit>,
    /// The same for each key, route and method.
    pub method_limits: Vec<Limit>,
    pub window_model: WindowModel,
    /// How much later than it should a window may end. 0: to the millisecond.
    pub edge_jitter_ms: u64,
    /// Calls over a limit get 429. Otherwise they are only counted (`Counters::over_limit`).
    pub strict_limits: bool,
    pub latency: Latency,
    pub faults: Faults,
    /// What faults, latencies and the drift of edges are drawn from.
    pub seed: u64,
    /// Accepted keys; none: every key that looks like one.
    pub keys: Option<Vec<String>>,
    /// Every key has its own puuids, as in the real API.
    pub puuids_per_key: bool,
    /// How many of a player's newest matches are listed. The real API knows about 1000.
    pub list_depth: Option<usize>,
    pub list_time: ListTime,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            app_limits: Vec::new(),
            method_limits: Vec::new(),
            window_model: WindowModel::default(),
            edge_jitter_ms: 0,
            strict_limits: true,
            latency: Latency::default(),
            faults: Faults::none(),
            seed: 1,
            keys: None,
            puuids_per_key: true,
            list_depth: None,
            list_time: ListTime::default(),
        }
    }
}

impl SimulatorConfig {
    /// The limits of a development key.
    pub fn development_limits() -> (Vec<Limit>, Vec<Limit>) {
        (vec![(20, 1), (100, 120)], vec![(2000, 10)])
    }
}

/// What can change while the simulator runs.
#[derive(Debug)]
pub(super) struct Switches {
    pub key_rejected: bool,
    pub fail_all: Option<u16>,
    pub strict_limits: bool,
    pub faults: Faults,
    pub latency: Latency,
    pub keys: Option<Vec<String>>,
}

/// What the server's tasks and the owner of the simulator share.
#[derive(Debug)]
pub(super) struct Shared {
    pub world: Arc<World>,
    pub answers: Answers,
    pub seed: u64,
    pub puuids_per_key: bool,
    started: Instant,
    /// Milliseconds since 1970 at that moment.
    started_ms: u64,
    switches: Mutex<Switches>,
    limiter: Mutex<Limiter>,
    counters: Mutex<Counters>,
}

impl Shared {
    pub fn new(world: Arc<World>, config: SimulatorConfig) -> Self {
        Self {
            world,
            answers: Answers {
                list_depth: config.list_depth,
                list_time: config.list_time,
            },
            seed: config.seed,
            puuids_per_key: config.puuids_per_key,
            started: Instant::now(),
            started_ms: u64::try_from(Timestamp::now().as_millis()).unwrap_or(0),
            limiter: Mutex::new(Limiter::new(
                Edges {
                    model: config.window_model,
                    jitter_ms: config.edge_jitter_ms,
                    seed: config.seed,
                },
                config.app_limits,
                config.method_limits,
            )),
            counters: Mutex::default(),
            switches: Mutex::new(Switches {
                key_rejected: false,
                fail_all: None,
                strict_limits: config.strict_limits,
                faults: config.faults,
                latency: config.latency,
                keys: config.keys,
            }),
        }
    }

    /// Milliseconds since 1970, as windows that are aligned to the clock need it. It never goes back.
    pub fn now_ms(&self) -> u64 {
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.started_ms.saturating_add(elapsed_ms)
    }

    pub fn switches(&self) -> MutexGuard<'_, Switches> {
        locked(&self.switches)
    }

    pub fn limiter(&self) -> MutexGuard<'_, Limiter> {
        locked(&self.limiter)
    }

    pub fn counters(&self) -> MutexGuard<'_, Counters> {
        locked(&self.counters)
    }
}

/// Counters and switches have no state in between: a panic elsewhere leaves them good.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The switches of a running simulator. Each one takes effect with the next call.
#[derive(Debug, Clone)]
pub struct Control {
    pub(super) shared: Arc<Shared>,
}

impl Control {
    /// Every key gets 403, as an expired one does.
    pub fn reject_key(&self, rejected: bool) {
        self.shared.switches().key_rejected = rejected;
    }

    /// Which keys are accepted from now on.
    pub fn set_keys(&self, keys: Option<Vec<String>>) {
        self.shared.switches().keys = keys;
    }

    /// Every call gets this status: an outage.
    pub fn fail_all(&self, status: Option<u16>) {
        self.shared.switches().fail_all = status;
    }

    /// New limits. Windows whose length stays keep what they counted: a limit may shrink below it.
    pub fn set_app_limits(&self, limits: Vec<Limit>) {
        self.shared.limiter().set_app_limits(limits);
    }

    pub fn set_method_limits(&self, limits: Vec<Limit>) {
        self.shared.limiter().set_method_limits(limits);
    }

    pub fn set_strict_limits(&self, strict: bool) {
        self.shared.switches().strict_limits = strict;
    }

    pub fn set_faults(&self, faults: Faults) {
        self.shared.switches().faults = faults;
    }

    pub fn set_latency(&self, latency: Latency) {
        self.shared.switches().latency = latency;
    }

    /// All counts back to 0. The numbers of calls, which faults follow, begin again too.
    pub fn reset_counters(&self) {
        *self.shared.counters() = Counters::default();
    }
}

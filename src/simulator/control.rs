//! How a simulator is set up, and the switches that change it while it runs.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::counters::Counters;
use crate::endpoints::{Answers, ListTime};
use crate::fault_plan::FaultPlan;
use crate::fault_rule::FaultRule;
use crate::faults::Faults;
use crate::keyring::{Blacklist, KeyExpiry, Keyring};
use crate::latency::Latency;
use crate::limits::{Edges, Limit, Limiter};
use crate::names::{Rename, Renamer};
use crate::retry_after::RetryAfter;
use crate::setting::SettingError;
use crate::stranger::Stranger;
use crate::window::WindowModel;
use crate::world::World;
use riftsync_model::{Route, Timestamp};

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
    /// Calls over a limit count like others, as in the real API.
    pub counts_refused: bool,
    /// Another program with the same key; none: the key is ours alone.
    pub stranger: Option<Stranger>,
    /// Calls over a limit get 429. Otherwise they are only counted (`Counters::over_limit`).
    pub strict_limits: bool,
    pub retry_after: RetryAfter,
    pub latency: Latency,
    /// How much of the latency passes before the call is counted, from 0 to 1. Windows run on the
    /// server: a client sees them open somewhere between its call and the answer.
    pub latency_before_count: f64,
    /// Faults by chance, for calls that no rule of the script strikes.
    pub faults: Faults,
    /// Faults at a place and a time. It begins when the simulator starts.
    pub script: Vec<FaultRule>,
    /// Shutting out keys that run into 429s again and again; none: nobody is.
    pub blacklist: Option<Blacklist>,
    /// None: keys live for ever.
    pub key_expiry: Option<KeyExpiry>,
    /// What faults, latencies and the drift of edges are drawn from.
    pub seed: u64,
    /// Accepted keys; none: every key that looks like one.
    pub keys: Option<Vec<String>>,
    /// Every key has its own puuids, as in the real API.
    pub puuids_per_key: bool,
    /// How many of a player's newest matches are listed. The real API knows about 1000.
    pub list_depth: Option<usize>,
    pub list_time: ListTime,
    /// Something in front sends the headers of each call back in its answer.
    pub echo: bool,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            app_limits: Vec::new(),
            method_limits: Vec::new(),
            window_model: WindowModel::default(),
            edge_jitter_ms: 0,
            counts_refused: true,
            stranger: None,
            strict_limits: true,
            retry_after: RetryAfter::default(),
            latency: Latency::default(),
            latency_before_count: 0.5,
            faults: Faults::none(),
            script: Vec::new(),
            blacklist: None,
            key_expiry: None,
            seed: 1,
            keys: None,
            puuids_per_key: true,
            list_depth: None,
            list_time: ListTime::default(),
            echo: false,
        }
    }
}

/// What can change while the simulator runs.
#[derive(Debug)]
pub(super) struct Switches {
    pub key_rejected: bool,
    pub fail_all: Option<u16>,
    /// Published files whose path has this in it are answered so.
    pub static_answer: Option<(String, u16, Vec<u8>)>,
    pub failing_routes: HashMap<Route, u16>,
    pub strict_limits: bool,
    pub retry_after: RetryAfter,
    pub faults: Faults,
    pub latency: Latency,
    pub latency_before_count: f64,
    pub keys: Option<Vec<String>>,
}

/// What the server's tasks and the owner of the simulator share.
#[derive(Debug)]
pub(super) struct Shared {
    pub world: Arc<World>,
    pub answers: Answers,
    pub seed: u64,
    pub puuids_per_key: bool,
    pub echo: bool,
    started: Instant,
    /// Milliseconds since 1970 at that moment.
    started_ms: u64,
    switches: Mutex<Switches>,
    limiter: Mutex<Limiter>,
    plan: Mutex<FaultPlan>,
    keyring: Mutex<Keyring>,
    counters: Mutex<Counters>,
    renamer: Mutex<Renamer>,
    /// The world's now when the simulator started.
    world_began: Timestamp,
}

impl Shared {
    pub fn new(world: Arc<World>, config: SimulatorConfig) -> Self {
        let started_ms = u64::try_from(Timestamp::now().as_millis()).unwrap_or(0);
        let edges = Edges {
            model: config.window_model,
            jitter_ms: config.edge_jitter_ms,
            seed: config.seed,
            forgives_refused: !config.counts_refused,
        };
        Self {
            answers: Answers {
                list_depth: config.list_depth,
                list_time: config.list_time,
                ..Answers::default()
            },
            world_began: world.now(),
            renamer: Mutex::new(Renamer::new(config.seed)),
            seed: config.seed,
            puuids_per_key: config.puuids_per_key,
            echo: config.echo,
            started: Instant::now(),
            started_ms,
            limiter: Mutex::new(
                Limiter::new(edges, config.app_limits, config.method_limits)
                    .with_stranger(config.stranger),
            ),
            plan: Mutex::new(FaultPlan::new(config.script, started_ms)),
            world,
            keyring: Mutex::new(Keyring::new(config.key_expiry, config.blacklist)),
            counters: Mutex::default(),
            switches: Mutex::new(Switches {
                key_rejected: false,
                fail_all: None,
                static_answer: None,
                failing_routes: HashMap::new(),
                strict_limits: config.strict_limits,
                retry_after: config.retry_after,
                faults: config.faults,
                latency: config.latency,
                latency_before_count: config.latency_before_count,
                keys: config.keys,
            }),
        }
    }

    /// Milliseconds since 1970, as windows that are aligned to the clock need it. It never goes back.
    pub fn now_ms(&self) -> u64 {
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.started_ms.saturating_add(elapsed_ms)
    }

    /// The same for scripts: with the time by which the world's clock was moved.
    pub fn script_ms(&self) -> u64 {
        let moved = self.world.now().since(self.world_began);
        let moved_ms = u64::try_from(moved.as_millis()).unwrap_or(u64::MAX);
        self.now_ms().saturating_add(moved_ms)
    }

    /// One of the listed players changes their name. None: nobody has one.
    pub fn rename_one(&self) -> Option<Rename> {
        let rename = locked(&self.renamer).next(self.world.people())?;
        let renames = std::slice::from_ref(&rename);
        // A name that was free a moment ago may be taken by now: then nobody is renamed.
        let done = self.world.people().rename(renames, self.world.now());
        done.is_ok().then_some(rename)
    }

    pub fn switches(&self) -> MutexGuard<'_, Switches> {
        locked(&self.switches)
    }

    pub fn limiter(&self) -> MutexGuard<'_, Limiter> {
        locked(&self.limiter)
    }

    pub fn plan(&self) -> MutexGuard<'_, FaultPlan> {
        locked(&self.plan)
    }

    pub fn keyring(&self) -> MutexGuard<'_, Keyring> {
        locked(&self.keyring)
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
    /// Every key gets 403, as an expired one does. Undone, keys that did expire stay so.
    pub fn reject_key(&self, rejected: bool) {
        self.shared.switches().key_rejected = rejected;
    }

    /// Which keys are accepted from now on; none: every one that looks like one. A key that is
    /// named later is one that the real API does not know yet.
    pub fn set_keys(&self, keys: Option<Vec<String>>) {
        self.shared.switches().keys = keys;
    }

    /// Every call gets this status: an outage.
    pub fn fail_all(&self, status: Option<u16>) {
        self.shared.switches().fail_all = status;
    }

    /// Published files whose path has `part` in it are answered with this; none: as they are.
    pub fn set_static_answer(&self, answer: Option<(&str, u16, &[u8])>) {
        let answer = answer.map(|(part, status, body)| (part.to_owned(), status, body.to_vec()));
        self.shared.switches().static_answer = answer;
    }

    /// Every call to this route gets this status: an outage of one host.
    pub fn fail_route(&self, route: Route, status: Option<u16>) {
        let failing = &mut self.shared.switches().failing_routes;
        match status {
            Some(status) => failing.insert(route, status),
            None => failing.remove(&route),
        };
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

    /// Another script, which begins now: its calls and its time are counted from here.
    pub fn set_script(&self, script: Vec<FaultRule>) {
        *self.shared.plan() = FaultPlan::new(script, self.shared.script_ms());
    }

    pub fn set_retry_after(&self, retry_after: RetryAfter) {
        self.shared.switches().retry_after = retry_after;
    }

    /// Another life for all keys, which begins with their next call.
    pub fn set_key_expiry(&self, expiry: Option<KeyExpiry>) {
        self.shared.keyring().set_expiry(expiry);
    }

    /// Another rule, and nobody is shut out any more.
    pub fn set_blacklist(&self, blacklist: Option<Blacklist>) {
        self.shared.keyring().set_blacklist(blacklist);
    }

    pub fn set_latency(&self, latency: Latency) {
        self.shared.switches().latency = latency;
    }

    /// Gives players other names from now on, all at once, so that two may swap theirs: an account is found by its new
    /// name alone, and tells it by its puuid. Matches keep the name of their time.
    pub fn rename(&self, renames: &[Rename]) -> Result<(), SettingError> {
        let world = &self.shared.world;
        world.people().rename(renames, world.now())
    }

    /// One listed player changes their name: who and to what follows from the seed and from how many have done so.
    /// Every fourth takes a name that another has left. None: nobody has a name to change.
    pub fn rename_one(&self) -> Option<Rename> {
        self.shared.rename_one()
    }

    /// Sets the world's clock. What ends later is not played yet: not listed, and 404. Time passes for scripts too.
    pub fn set_now(&self, now: Timestamp) {
        self.shared.world.set_now(now);
    }

    /// All counts back to 0. The numbers of calls, which faults by chance follow, begin again too;
    /// a script, the windows and the lives of keys go on.
    pub fn reset_counters(&self) {
        *self.shared.counters() = Counters::default();
    }
}

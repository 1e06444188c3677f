//! What is known of the API's state by everybody who calls it: the key's, and each route's breaker. It
//! says to the engine what may not start now, and tells people, once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::one::RefMut;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::breaker::{Breaker, Passage, Turn};
use super::key_trial::KeyState;
use crate::engine::{Clock, Holds};
use crate::metrics::{Before, Bursts, Metrics, Outage, OutageNews, Telling};
use crate::model::Route;
use crate::riot::RiotError;

/// Failures of one kind on one route are one burst while no minute passes without one.
const BURST_GAP: Duration = Duration::from_mins(1);
/// How often outages are looked at that may have to be told again.
const LOOK: Duration = Duration::from_secs(5);

/// What the queues allow of what the key allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// Matches and timelines that the queues start in a minute.
    pub per_minute: f64,
    /// Whose rates these are, in words.
    pub by: String,
    pub remedy: String,
}

/// The state of the key and the breaker of each route, for everybody who calls the API.
#[derive(Debug)]
pub struct Availability {
    /// The queues whose jobs call the API.
    queues: BTreeSet<&'static str>,
    epoch: Instant,
    /// Whose skipped time has passed here too.
    clock: OnceLock<Clock>,
    key: watch::Sender<KeyState>,
    /// When a rejected key is tried again.
    key_tried_at: Mutex<Option<Duration>>,
    /// The last call that a key was taken for: the key's generation, and when it was sent.
    taken: Mutex<(u64, Duration)>,
    breakers: DashMap<Route, Breaker>,
    /// What opened each circuit last.
    causes: DashMap<Route, String>,
    bursts: Mutex<Bursts<(Route, String)>>,
    /// Routes whose circuit opened, for the log.
    outages: DashMap<Route, Outage>,
    holds: watch::Sender<Holds>,
    /// What the queues start in a minute at most, until people know that the key allows more.
    pace: Mutex<Option<Pace>>,
    /// A circuit opened: somebody has to close the books on it in time.
    opened: Notify,
    metrics: Option<Arc<Metrics>>,
}

impl Availability {
    pub fn new(queues: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            queues: queues.into_iter().collect(),
            epoch: Instant::now(),
            clock: OnceLock::new(),
            key: watch::channel(KeyState::Valid).0,
            key_tried_at: Mutex::default(),
            taken: Mutex::default(),
            breakers: DashMap::new(),
            causes: DashMap::new(),
            bursts: Mutex::new(Bursts::new(BURST_GAP)),
            outages: DashMap::new(),
            holds: watch::channel(Holds::default()).0,
            pace: Mutex::new(None),
            opened: Notify::new(),
            metrics: None,
        }
    }

    /// Tells its changes to the metrics log too.
    #[must_use]
    pub(super) fn observed(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = Some(metrics);
        self
    }

    pub(super) fn event(&self, event: &'static str, actor: &str, detail: impl Into<String>) {
        if let Some(metrics) = &self.metrics {
            metrics.events.tell(event, actor, detail);
        }
    }

    /// Goes by the engine's clock, if that is moved by hand. The first one stays.
    pub fn go_by(&self, clock: Clock) {
        let _ = self.clock.set(clock);
    }

    /// The queues' rates, so that somebody is told if the key allows more.
    pub fn set_pace(&self, pace: Option<Pace>) {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = pace;
    }

    /// The application's limits, in seconds and calls, as an answer says.
    pub(super) fn note_limits(&self, route: Route, limits: &BTreeMap<u32, u32>) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = &*pace else { return };
        let allowed = limits
            .iter()
            .map(|(seconds, calls)| f64::from(*calls) * 60.0 / f64::from((*seconds).max(1)))
            .fold(f64::INFINITY, f64::min);
        // A little more is no reason to change anything.
        if allowed.is_finite() && allowed > known.per_minute * 1.2 {
            tracing::warn!(
                "the key allows {allowed:.0} calls a minute on {route}; {} start {:.0} matches and timelines. {}",
                known.by,
                known.per_minute,
                known.remedy
            );
            *pace = None;
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed() + self.clock.get().map_or(Duration::ZERO, Clock::skipped)
    }

    /// What the engine may not start now.
    pub fn holds(&self) -> watch::Receiver<Holds> {
        self.holds.subscribe()
    }

    pub fn key(&self) -> watch::Receiver<KeyState> {
        self.key.subscribe()
    }

    pub(super) fn set_key(&self, state: KeyState) {
        let was_rejected = matches!(*self.key.borrow(), KeyState::Rejected { .. });
        self.key.send_if_modified(|known| {
            // The end is final.
            let changes = *known != KeyState::Closed && *known != state;
            if changes {
                *known = state;
            }
            changes
        });
        match state {
            KeyState::Rejected { status, .. } if !was_rejected => {
                self.event(
                    "key_rejected",
                    "/engine/riot_gate",
                    format!("HTTP {status}"),
                );
            }
            KeyState::Valid if was_rejected => {
                self.event("key_accepted", "/engine/riot_gate", "");
            }
            _ => {}
        }
        self.publish();
    }

    /// When a rejected key is tried again.
    pub(super) fn set_key_tried_at(&self, at: Option<Duration>) {
        *self
            .key_tried_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// How long until a rejected key is tried again; none: it is not, or it is being tried.
    pub fn key_tried_in(&self) -> Option<Duration> {
        let at = *self
            .key_tried_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = at?.saturating_sub(self.now());
        (!left.is_zero()).then_some(left)
    }

    /// A call with the key of that generation, sent at that moment, was answered as one with a good key is.
    pub(super) fn key_was_good(&self, generation: u64, sent: Duration) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = (*taken).max((generation, sent));
    }

    /// When the last call was sent that the key of that generation was taken for.
    pub(super) fn key_taken_at(&self, generation: u64) -> Option<Duration> {
        let taken = *self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        (taken.0 == generation && taken.1 > Duration::ZERO).then_some(taken.1)
    }

    /// The engine stops: calls that wait for their turn are given up.
    pub fn close(&self) {
        self.key.send_replace(KeyState::Closed);
    }

    /// Resolves when the engine stops.
    pub(super) async fn closed(&self) {
        // An error is the end of this, which is the same.
        let _ = self
            .key
            .subscribe()
            .wait_for(|state| *state == KeyState::Closed)
            .await;
    }

    /// Asks for a call on a route to be sent now; what `ask` says may make it the probe.
    pub(super) fn ask(&self, route: Route) -> Result<(), RiotError> {
        let now = self.now();
        // Nearly always there is no breaker, or it is closed: no write lock for that.
        if self
            .breakers
            .get(&route)
            .is_none_or(|breaker| breaker.is_closed())
        {
            return Ok(());
        }
        let passage = self
            .breakers
            .get_mut(&route)
            .map_or(Passage::Free, |mut breaker| breaker.ask(now));
        match passage {
            Passage::Free => Ok(()),
            Passage::Closed(until) => Err(RiotError::Outage {
                route,
                retry_in: until.saturating_sub(now),
            }),
        }
    }

    /// An error while the route's circuit is open. Asking changes nothing.
    pub(super) fn outage(&self, route: Route) -> Result<(), RiotError> {
        let now = self.now();
        let until = self
            .breakers
            .get(&route)
            .and_then(|breaker| breaker.open_until(now));
        until.map_or(Ok(()), |until| {
            Err(RiotError::Outage {
                route,
                retry_in: until.saturating_sub(now),
            })
        })
    }

    /// The routes whose circuit is open, with how long it still is, and why.
    pub fn outages(&self) -> Vec<(Route, Duration, String)> {
        let now = self.now();
        let open = self.breakers.iter().filter_map(|breaker| {
            let until = breaker.open_until(now)?;
            Some((*breaker.key(), until.saturating_sub(now)))
        });
        let open: Vec<_> = open.collect();
        let why = |route| self.causes.get(&route).map(|why| why.clone());
        open.into_iter()
            .map(|(route, left)| (route, left, why(route).unwrap_or_default()))
            .collect()
    }

    /// A call that was sent at `sent` has ended.
    pub(super) fn ended(&self, route: Route, sent: Duration, failure: Option<&RiotError>) {
        let now = self.now();
        let good = failure.is_none();
        let turn = if good && !self.breakers.contains_key(&route) {
            None
        } else {
            let mut breaker = self.breakers.entry(route).or_default();
            breaker.ended(sent, good, now, fastrand::f64())
        };
        if let Some(turn) = turn {
            let actor = format!("/engine/riot_gate/{route}");
            if let (Turn::Opened(_) | Turn::StaysOpen(_), Some(failure)) = (turn, failure) {
                self.causes.insert(route, failure.to_string());
            }
            match turn {
                Turn::Opened(_) => {
                    let why = failure.map(ToString::to_string);
                    self.event("circuit_opened", &actor, why.unwrap_or_default());
                }
                Turn::Closed(_) => self.event("circuit_closed", &actor, ""),
                Turn::StaysOpen(_) => {}
            }
            let news = match turn {
                Turn::Opened(_) | Turn::StaysOpen(_) => self.outage_of(route).failed(0, now),
                Turn::Closed(_) => self.outage_of(route).worked(0, now),
            };
            self.tell(route, news, now);
            self.publish();
            self.opened.notify_one();
        }
    }

    /// Tells of a failure, if it is the first of its kind for a while.
    pub(super) fn note(&self, route: Route, failure: &RiotError) {
        let text = failure.to_string();
        // An API that is down fails in many ways, which are one.
        let kind = match failure {
            RiotError::Unavailable(_) => "unavailable".to_owned(),
            _ => text.clone(),
        };
        let telling = self
            .bursts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note((route, kind), self.now());
        if let Telling::First { untold } = telling {
            let before = if untold > 0 {
                format!("; {untold} more of these since the last such line")
            } else {
                String::new()
            };
            tracing::warn!(route = %route, "{route}: {text}; such calls are tried again{before}");
        }
    }

    fn outage_of(&self, route: Route) -> RefMut<'_, Route, Outage> {
        self.outages.entry(route).or_default()
    }

    /// Tells what became of a route's outage.
    fn tell(&self, route: Route, news: OutageNews, now: Duration) {
        let why = self.causes.get(&route).map(|why| why.clone());
        let why = why.unwrap_or_default();
        let until = self
            .breakers
            .get(&route)
            .and_then(|breaker| breaker.open_until(now));
        let pause = until.map_or(Duration::ZERO, |until| until.saturating_sub(now));
        match news {
            OutageNews::Nothing => {}
            OutageNews::Begins { untold } => tracing::warn!(
                route = %route,
                "{route} does not work: one call after the other failed ({why}). Its jobs wait without losing an \
                 attempt and the other routes go on; it is tried again in {pause:.0?}, then more rarely{}",
                Before(untold)
            ),
            OutageNews::Lasts { so_far, failures } => tracing::warn!(
                route = %route,
                "{route} has not worked for {so_far:.0?} ({why}); it was tried {failures} times, and is tried again in \
                 {pause:.0?}"
            ),
            OutageNews::Ends { after, failures } => tracing::info!(
                route = %route,
                "{route} works again after {after:.0?}; it was tried {failures} times meanwhile"
            ),
        }
    }

    /// An outage of a route lasts, also while it is not tried.
    fn tell_lasting(&self) {
        let now = self.now();
        let news: Vec<(Route, OutageNews)> = self
            .outages
            .iter_mut()
            .map(|mut outage| (*outage.key(), outage.look(now)))
            .collect();
        for (route, news) in news {
            self.tell(route, news, now);
        }
    }

    /// Says to the engine what may not start now.
    pub(super) fn publish(&self) {
        let now = self.now();
        let rejected = matches!(*self.key.borrow(), KeyState::Rejected { .. });
        let closed = self
            .breakers
            .iter()
            .filter(|breaker| breaker.open_until(now).is_some())
            .map(|breaker| breaker.key().as_str().to_owned());
        let holds = Holds {
            queues: if rejected {
                self.queues.clone()
            } else {
                BTreeSet::new()
            },
            lanes: closed.collect(),
        };
        self.holds.send_if_modified(|known| {
            let changes = *known != holds;
            if changes {
                *known = holds;
            }
            changes
        });
    }

    /// Publishes again whenever the pause of a circuit is over. Runs until it is dropped.
    pub(super) async fn keep_publishing(&self) {
        let clock = self.clock.get().cloned().unwrap_or_default();
        loop {
            let seen = clock.now();
            self.publish();
            self.tell_lasting();
            let now = self.now();
            let next = self
                .breakers
                .iter()
                .filter_map(|breaker| breaker.open_until(now))
                .min();
            match next {
                None if self.outages.iter().any(|outage| outage.is_on()) => {
                    // It is being tried.
                    let _ = tokio::time::timeout(LOOK, self.opened.notified()).await;
                }
                None => self.opened.notified().await,
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep(at.saturating_sub(now).min(LOOK)) => {}
                        () = clock.moved_from(seen) => {}
                        () = self.opened.notified() => {}
                    }
                }
            }
        }
    }
}

//! How an engine of this process is asked: at its socket by others, and by the verb that it is inside of; and what
//! those who answer know that the engine does not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::forecast::Forecast;
use super::lookout::Lookout;
use super::web::web_spec;
use crate::cli::remote::Session;
use crate::cli::{CliError, configshow};
use crate::config::Config;
use crate::control::{
    About, Advisers, CallCounts, ControlState, HealthReadings, KeyAccess, Limits, Locate,
    OwnConnections, ScrapePlace, SocketError, SocketPlace, exporter_spec, own_server_spec,
    server_spec,
};
use crate::engine::Above;
use crate::gate::{Gate, KeyState};
use crate::model::{Company, JobRecord, Platform, Route, Share, Whereabouts, Whom};
use crate::riot::ApiKey;
use crate::store::{Location, Store};
use crate::tasks::{HealthProbe, job_document, whereabouts};
use crate::web::WebPlace;

/// Accounts are known on every route: where one is asked for when nothing speaks for another.
const ANYWHERE: Platform = Platform::Euw1;

/// How the engine of this process is asked. Its clones are the same.
#[derive(Clone)]
pub(super) struct Control {
    /// None: nobody else can ask the engine.
    place: Option<Arc<SocketPlace>>,
    /// The way in for the verb that the engine is inside of.
    own: OwnConnections,
    /// Where Prometheus reads the metrics, if somebody wants it to.
    scrape: Option<Arc<ScrapePlace>>,
    /// Where people see the engine in a browser, if somebody wants to.
    pages: Option<Arc<WebPlace>>,
    stop: Arc<watch::Sender<bool>>,
    /// The verb that the engine is inside of; none: a service.
    inside: Option<&'static str>,
    /// Set when the engine starts.
    state: Arc<OnceLock<Arc<ControlState>>>,
}

impl Control {
    /// Of an engine that ends with its verb.
    pub(super) fn inside(path: &Path, verb: &'static str) -> Result<Self, SocketError> {
        Ok(Self::of(
            Some(SocketPlace::open(path)?),
            None,
            None,
            Some(verb),
        ))
    }

    /// Of an engine that only its own verb can ask.
    pub(super) fn alone(verb: &'static str) -> Self {
        Self::of(None, None, None, Some(verb))
    }

    fn of(
        place: Option<SocketPlace>,
        scrape: Option<ScrapePlace>,
        pages: Option<WebPlace>,
        inside: Option<&'static str>,
    ) -> Self {
        Self {
            place: place.map(Arc::new),
            own: OwnConnections::default(),
            scrape: scrape.map(Arc::new),
            pages: pages.map(Arc::new),
            stop: Arc::new(watch::Sender::new(false)),
            inside,
            state: Arc::default(),
        }
    }

    pub(super) fn is_service(&self) -> bool {
        self.inside.is_none()
    }

    /// Where others can ask the engine; none: nowhere.
    pub(super) fn socket(&self) -> Option<&Path> {
        self.place.as_ref().map(|place| place.path())
    }

    /// Where the metrics can be read; none: nowhere.
    pub(super) fn metrics_addr(&self) -> Option<SocketAddr> {
        self.scrape.as_ref().map(|place| place.addr())
    }

    /// What a person opens in a browser, with what lets them in; none: nothing.
    pub(super) fn pages_url(&self) -> Option<String> {
        self.pages.as_ref().map(|place| place.url())
    }

    pub(super) fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether others can ask the engine for work.
    pub(super) fn is_open(&self) -> bool {
        self.place.is_some()
    }

    /// The verb's connection to the engine inside it.
    pub(super) fn session(&self, database: &Location) -> std::io::Result<Session> {
        Session::inside(self.own.clone(), database.to_string())
    }

    /// What others follow through this socket now.
    pub(super) fn followed(&self) -> Vec<Arc<JobRecord>> {
        self.state
            .get()
            .map_or_else(Vec::new, |state| state.followed())
    }

    pub(super) fn is_asked_to_stop(&self) -> bool {
        *self.stop.borrow()
    }

    /// `metrics`: where they are told, and the names by which that may be asked for.
    pub(super) fn open(
        path: &Path,
        metrics: Option<(SocketAddr, Vec<String>)>,
        pages: Option<WebPlace>,
    ) -> Result<Self, CliError> {
        let scrape = metrics.map(|(addr, hosts)| {
            ScrapePlace::open(addr, hosts).map_err(|error| {
                CliError::Usage(format!(
                    "the metrics cannot be told at {addr}: {error}. Choose another --metrics-listen"
                ))
            })
        });
        Ok(Self::of(
            Some(SocketPlace::open(path)?),
            scrape.transpose()?,
            pages,
            None,
        ))
    }

    /// The services that answer at the socket.
    pub(super) fn above(
        &self,
        gate: &Gate,
        health: &Arc<HealthProbe>,
        database: &Location,
        config: &Config,
        near: Option<Platform>,
    ) -> Above<dyn Store> {
        let about = About {
            database: match database {
                Location::Sqlite(path) => absolute(path).display().to_string(),
                Location::Postgres(_) => database.to_string(),
            },
            socket: self.place.as_ref().map(|place| absolute(place.path())),
            inside: self.inside,
            settings: configshow::lines(config),
        };
        let key = Arc::new(GateKey(gate.clone()));
        let api = gate.api.clone();
        let health = Arc::new(Probe(health.clone()));
        let locate = Arc::new(Locator {
            gate: gate.clone(),
            near,
        });
        let (place, own) = (self.place.clone(), self.own.clone());
        let stop = (*self.stop).clone();
        let is_service = self.is_service();
        let told = self.state.clone();
        let (scrape, pages) = (self.scrape.clone(), self.pages.clone());
        let gate = gate.clone();
        Box::new(move |engine| {
            let forecast = Forecast {
                api,
                queues: engine.queues.clone(),
                store: engine.store.clone(),
            };
            let forecast = Arc::new(forecast);
            let lookout = Arc::new(Lookout::new(gate, engine.clone()));
            let state = |limits| {
                let advisers = Advisers {
                    key: key.clone(),
                    time_left: forecast.clone(),
                    waiting: lookout.clone(),
                    health: health.clone(),
                    locate: locate.clone(),
                };
                let (about, stop) = (about.clone(), stop.clone());
                ControlState::new(engine.clone(), about, advisers, limits, job_document, stop)
            };
            // What the verb itself follows is no reason to go on for others: that is kept apart.
            let own = (!is_service).then(|| own_server_spec(own, state(Limits::own())));
            let socket = place.map(|place| {
                let state = state(Limits::default());
                // An engine starts once.
                let _ = told.set(state.clone());
                server_spec(place, state)
            });
            let exporter = scrape.map(|place| exporter_spec(place, engine.clone(), key.clone()));
            let forms = engine.registry.forms();
            let pages = pages.map(|place| web_spec(place, state(Limits::default()), forms));
            // Last, so that the end of a page disturbs nobody.
            let last = exporter.into_iter().chain(pages);
            own.into_iter().chain(socket).chain(last).collect()
        })
    }

    pub(super) async fn asked_to_stop(&self) {
        // It cannot be closed: this holds the sender.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

/// The check of health, as the control socket sees it.
#[derive(Debug)]
struct Probe(Arc<HealthProbe>);

impl HealthReadings for Probe {
    fn check(&self) -> BoxFuture<'static, serde_json::Value> {
        self.0.clone().check()
    }
}

/// Finds players, for the control socket.
#[derive(Debug)]
struct Locator {
    gate: Gate,
    /// Where to ask first.
    near: Option<Platform>,
}

#[async_trait]
impl Locate for Locator {
    async fn locate(&self, whom: &Whom) -> Whereabouts {
        let mut key = self.gate.availability.key();
        // A call would wait for a better key, longer than anybody at a terminal.
        let rejected = async {
            let is_rejected = |key: &KeyState| matches!(key, KeyState::Rejected { .. });
            match key.wait_for(is_rejected).await.map(|key| *key) {
                Ok(KeyState::Rejected { status, .. }) => status,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            status = rejected => {
                Whereabouts::Untold(format!("Riot rejects the API key (HTTP {status})"))
            }
            found = whereabouts(&self.gate.api, whom, self.near.unwrap_or(ANYWHERE)) => found,
        }
    }
}

/// The gate's key, as the control socket sees it.
#[derive(Debug)]
struct GateKey(Gate);

#[async_trait]
impl KeyAccess for GateKey {
    fn state(&self) -> &'static str {
        match *self.0.availability.key().borrow() {
            KeyState::Valid => "valid",
            KeyState::Suspected => "suspected",
            KeyState::Rejected { .. } => "rejected",
            KeyState::Closed => "closed",
        }
    }

    fn replace(&self, key: &str) -> Result<bool, String> {
        let key = ApiKey::new(key).map_err(str::to_owned)?;
        Ok(self.0.replace_key(key))
    }

    fn shares(&self) -> (Share, BTreeMap<Route, Share>) {
        let kept = self.0.shares.all();
        (kept.share, kept.routes)
    }

    fn set_share(&self, route: Option<Route>, share: Share) {
        self.0.set_share(route, share);
    }

    fn calls(&self) -> CallCounts {
        let counters = &self.0.api.counters;
        CallCounts {
            sent: counters.calls.load(Ordering::Relaxed),
            rate_limited: counters.rate_limited.load(Ordering::Relaxed),
        }
    }

    async fn company(&self) -> Company {
        self.0.company().await
    }
}

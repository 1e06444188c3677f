//! `serve`: the engine with its control socket, until it is told to stop.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::forecast::Forecast;
use super::locations::{locate, socket_path};
use super::lookout::Lookout;
use super::required_key;
use super::running_engine::RunningEngine;
use super::service::ServiceManager;
use super::sync_target::ANYWHERE;
use crate::cli::terminal::stop_signal;
use crate::cli::{CliError, Global, ServeArgs, waits};
use crate::config::Config;
use crate::control::{
    About, Advisers, ControlState, HealthReadings, KeyAccess, Limits, Locate, ScrapePlace,
    SocketError, SocketPlace, exporter_spec, server_spec,
};
use crate::engine::Above;
use crate::gate::{Gate, KeyState};
use crate::model::{Company, JobRecord, Platform, Route, Share, Whereabouts, Whom};
use crate::riot::ApiKey;
use crate::store::Location;
use crate::tasks::{HealthProbe, job_document, whereabouts};

/// How often a stop that takes its time is looked at.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn serve(
    global: &Global,
    config: &Config,
    args: &ServeArgs,
) -> Result<(), CliError> {
    let database = locate(global, config, false)?;
    // Its form was checked when the configuration was read.
    let metrics = args
        .metrics_listen
        .or_else(|| config.metrics.listen().unwrap_or_default());
    let metrics = metrics.map(|addr| (addr, config.metrics.hosts()));
    let control = Control::open(&socket_path(global, config, &database)?, metrics)?;
    let key = required_key(true)?;
    let base = &config.riot.base_url;
    let only: Vec<&str> = args.queues.iter().map(String::as_str).collect();
    let running = RunningEngine::start(config, &database, key, base, Some(&control), &only).await?;
    let open = running.store.open_jobs().await?;
    // Whoever reads that it is ready may stop it at once.
    let stopped = stop_signal();
    say_ready(global, &running, &control, &database);
    tracing::info!(
        "engine {} is ready; {open} open jobs in {database}",
        running.engine.id()
    );
    let manager = ServiceManager::from_environment();
    if manager.is_some() {
        ServiceManager::ready(&running);
    }
    let told = async {
        match &manager {
            Some(manager) => manager.keep_telling(&running).await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        () = stopped => Ok(()),
        () = control.asked_to_stop() => Ok(()),
        error = running.gave_up() => Err(logged(error)),
        never = told => match never {},
    };
    if manager.is_some() {
        ServiceManager::stopping();
    }
    if outcome.is_ok() {
        tracing::info!("stopping: running jobs have {:?} to end", config.drain());
        control.stop.send_replace(true);
        // While they end, the engine can still be asked how it stands.
        running.gate.availability.close();
        let drain = config.drain();
        tokio::select! {
            () = running.engine.drain(drain) => {}
            never = tell_what_runs(&running, drain) => match never {},
        }
    }
    let _stopping = waits::on(
        "stop",
        "the engine hands its jobs back and closes the database",
    );
    let stopped = running.stop().await;
    let closed = running.store.close().await;
    outcome?;
    stopped?;
    Ok(closed?)
}

/// The end of the database is logged while the engine stops, so that its last line need not say it again.
fn logged(error: CliError) -> CliError {
    match error {
        CliError::Store(end) if end.is_end() => {
            tracing::error!("{end}");
            CliError::Ended(end)
        }
        other => other,
    }
}

/// While the engine stops: how many jobs still run, and how long they may.
async fn tell_what_runs(running: &RunningEngine, drain: Duration) -> Infallible {
    let wait = waits::reasons();
    let ends = Instant::now() + drain;
    loop {
        let jobs = running.running_jobs();
        let text = format!("jobs still run ({jobs}); what has not ended then is handed back");
        let left = ends.saturating_duration_since(Instant::now());
        wait.reason("drain", &text, Some(left));
        tokio::time::sleep(LOOK).await;
    }
}

/// One line, for whoever waits for it: from now on the socket answers.
fn say_ready(global: &Global, running: &RunningEngine, control: &Control, database: &Location) {
    let (engine, socket) = (running.engine.id(), control.place.path());
    let ready = if global.json {
        let ready = json!({
            "ready": true, "engine": engine, "pid": std::process::id(), "socket": socket, "database": database.to_string(),
            "metrics": control.scrape.as_ref().map(|place| format!("http://{}/metrics", place.addr())),
        });
        ready.to_string()
    } else {
        format!(
            "riftsync is ready: engine {engine}, pid {}, socket {}",
            std::process::id(),
            socket.display()
        )
    };
    // The engine works as well when nobody reads that.
    let _ = writeln!(std::io::stdout(), "{ready}");
}

/// The control socket of this process.
#[derive(Clone)]
pub(super) struct Control {
    place: Arc<SocketPlace>,
    /// Where Prometheus reads the metrics, if somebody wants it to.
    scrape: Option<Arc<ScrapePlace>>,
    stop: Arc<watch::Sender<bool>>,
    /// The verb that the engine is inside of; none: a service.
    inside: Option<&'static str>,
    /// Set when the engine starts.
    state: Arc<OnceLock<Arc<ControlState>>>,
}

impl Control {
    /// Of an engine that ends with its verb.
    pub(super) fn inside(path: &Path, verb: &'static str) -> Result<Self, SocketError> {
        Ok(Self::of(SocketPlace::open(path)?, None, Some(verb)))
    }

    fn of(place: SocketPlace, scrape: Option<ScrapePlace>, inside: Option<&'static str>) -> Self {
        Self {
            place: Arc::new(place),
            scrape: scrape.map(Arc::new),
            stop: Arc::new(watch::Sender::new(false)),
            inside,
            state: Arc::default(),
        }
    }

    pub(super) fn is_service(&self) -> bool {
        self.inside.is_none()
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
    fn open(path: &Path, metrics: Option<(SocketAddr, Vec<String>)>) -> Result<Self, CliError> {
        let scrape = metrics.map(|(addr, hosts)| {
            ScrapePlace::open(addr, hosts).map_err(|error| {
                CliError::Usage(format!(
                    "the metrics cannot be told at {addr}: {error}. Choose another --metrics-listen"
                ))
            })
        });
        Ok(Self::of(
            SocketPlace::open(path)?,
            scrape.transpose()?,
            None,
        ))
    }

    /// The services that answer at the socket.
    pub(super) fn above(
        &self,
        gate: &Gate,
        health: &Arc<HealthProbe>,
        database: &Location,
        near: Option<Platform>,
    ) -> Above {
        let about = About {
            database: match database {
                Location::Sqlite(path) => absolute(path).display().to_string(),
                Location::Postgres(_) => database.to_string(),
            },
            socket: absolute(self.place.path()),
            inside: self.inside,
        };
        let key = Arc::new(GateKey(gate.clone()));
        let api = gate.api.clone();
        let health = Arc::new(Probe(health.clone()));
        let locate = Arc::new(Locator {
            gate: gate.clone(),
            near,
        });
        let (place, stop) = (self.place.clone(), (*self.stop).clone());
        let told = self.state.clone();
        let scrape = self.scrape.clone();
        let gate = gate.clone();
        Box::new(move |engine| {
            let forecast = Forecast {
                api,
                queues: engine.queues.clone(),
                store: engine.store.clone(),
            };
            let state = ControlState::new(
                engine.clone(),
                about,
                Advisers {
                    key: key.clone(),
                    time_left: Arc::new(forecast),
                    waiting: Arc::new(Lookout::new(gate, engine.clone())),
                    health,
                    locate,
                },
                Limits::default(),
                job_document,
                stop,
            );
            // An engine starts once.
            let _ = told.set(state.clone());
            let exporter = scrape.map(|place| exporter_spec(place, engine.clone(), key));
            // Last, so that the end of a page for machines disturbs nobody.
            [server_spec(place, state)]
                .into_iter()
                .chain(exporter)
                .collect()
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
        // A call would wait for a better key, longer than anybody at a terminal.
        if let KeyState::Rejected { status, .. } = *self.gate.availability.key().borrow() {
            return Whereabouts::Untold(format!("Riot rejects the API key (HTTP {status})"));
        }
        whereabouts(&self.gate.api, whom, self.near.unwrap_or(ANYWHERE)).await
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

    async fn company(&self) -> Company {
        self.0.company().await
    }
}

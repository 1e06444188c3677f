//! What all connections share: the engine, and how to show it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Limits;
use super::methods::{self, Counted, Measured};
use super::rpc::{Params, RpcError};
use super::view::Document;
use super::watch::Watch;
use crate::model::waiting::{Tally, Waiting};
use crate::model::{Company, JobId, JobRecord, Route, Share, Whereabouts, Whom};
use crate::store::engine::EngineHandle;

/// What a status says that the engine itself does not know.
#[derive(Debug, Clone)]
pub struct About {
    /// As a person knows it, without a password.
    pub database: String,
    /// None: nobody else can ask it.
    pub socket: Option<PathBuf>,
    /// The verb that the engine is inside of, and ends with; none: a service.
    pub inside: Option<&'static str>,
    /// The settings it began with: a list of what each is, its value and where that comes from. No secret is in there.
    pub settings: Value,
}

/// What the socket may do with the API key: it never comes out again.
#[async_trait]
pub trait KeyAccess: Send + Sync + std::fmt::Debug {
    /// One word: `valid`, `suspected`, `rejected`, `closed`.
    fn state(&self) -> &'static str;
    /// Puts another key in use. False: it is in use already. What is wrong with it is told without it.
    fn replace(&self, key: &str) -> Result<bool, String>;
    /// The part of its limits that is used: of all routes, and of those that have their own.
    fn shares(&self) -> (Share, BTreeMap<Route, Share>);
    fn set_share(&self, route: Option<Route>, share: Share);
    /// Who else uses it now.
    async fn company(&self) -> Company;
    /// What the calls came to so far that were made with it.
    fn calls(&self) -> CallCounts;
}

/// Calls of one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// That were sent.
    pub sent: u64,
    /// Answers that said 429.
    pub rate_limited: u64,
}

/// How long a job will take that is under way, or that was only planned.
#[async_trait]
pub trait TimeLeft: Send + Sync + std::fmt::Debug {
    /// None: nobody can know.
    async fn of(&self, job: &JobRecord) -> Option<Duration>;
}

/// What a job waits for.
#[async_trait]
pub trait WaitReasons: Send + Sync + std::fmt::Debug {
    /// None: it is over, or nobody can know.
    async fn of(&self, job: JobId) -> Option<Waiting>;
    /// What calls wait for that are made for no job. None: for nothing.
    async fn of_calls(&self) -> Option<Waiting> {
        None
    }
    /// The same of each of these alone, whatever their descendants do, from memory. None: it works, or waits for its
    /// descendants.
    async fn of_each(&self, jobs: &[JobRecord]) -> Vec<Option<Waiting>> {
        vec![None; jobs.len()]
    }
    /// What the jobs do that this engine holds, by queue.
    async fn of_queues(&self) -> HashMap<String, Tally> {
        HashMap::new()
    }
}

/// Where a player plays, as the API has it.
#[async_trait]
pub trait Locate: Send + Sync + std::fmt::Debug {
    async fn locate(&self, whom: &Whom) -> Whereabouts;
}

/// What knows how the engine and all it stands on are.
pub trait HealthReadings: Send + Sync + std::fmt::Debug {
    /// Takes readings and judges them, as a document.
    fn check(&self) -> BoxFuture<'static, Value>;
}

/// Whom the methods ask for what the engine does not know.
#[derive(Debug)]
pub struct Advisers {
    pub key: Arc<dyn KeyAccess>,
    pub time_left: Arc<dyn TimeLeft>,
    pub waiting: Arc<dyn WaitReasons>,
    pub health: Arc<dyn HealthReadings>,
    pub locate: Arc<dyn Locate>,
}

/// The engine, who answers what it does not know, and what the connections share of their own.
#[derive(Debug)]
pub struct ControlState {
    pub(super) engine: EngineHandle,
    pub(super) about: About,
    pub(super) key: Arc<dyn KeyAccess>,
    pub(super) time_left: Arc<dyn TimeLeft>,
    pub(super) waiting: Arc<dyn WaitReasons>,
    pub(super) health: Arc<dyn HealthReadings>,
    pub(super) locate: Arc<dyn Locate>,
    /// One check at a time: who asks meanwhile waits for it, and gets it.
    pub(super) checked: tokio::sync::Mutex<Option<(Instant, Value)>>,
    pub(super) limits: Limits,
    pub(super) watch: Watch,
    pub(super) counted: Counted,
    pub(super) measured: Measured,
    pub(super) document: Document,
    stop: watch::Sender<bool>,
}

impl ControlState {
    /// `document`: the one shape in which programs see a job. `stop`: set when a client asks the
    /// engine to stop.
    pub fn new(
        engine: EngineHandle,
        about: About,
        advisers: Advisers,
        limits: Limits,
        document: Document,
        stop: watch::Sender<bool>,
    ) -> Arc<Self> {
        let Advisers {
            key,
            time_left,
            waiting,
            health,
            locate,
        } = advisers;
        Arc::new(Self {
            watch: Watch::new(engine.store.clone()),
            counted: Counted::default(),
            measured: Measured::default(),
            engine,
            about,
            key,
            time_left,
            waiting,
            health,
            locate,
            checked: tokio::sync::Mutex::default(),
            limits,
            document,
            stop,
        })
    }

    /// Answers a method as a connection would. `params`: by name, as an object.
    pub async fn ask(&self, method: &str, params: &Value) -> Result<Value, RpcError> {
        let text = to_raw_value(params).map_err(|error| RpcError::invalid(error.to_string()))?;
        methods::call(self, method, Params::of(&text)).await
    }

    pub(super) fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// What clients follow now: who ends the engine ends that too.
    pub fn followed(&self) -> Vec<Arc<JobRecord>> {
        self.watch.followed_jobs()
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }
}

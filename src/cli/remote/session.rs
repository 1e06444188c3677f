//! A verb's connection to the engine that does its work: another's, or the one inside its own process. What is asked,
//! followed and told is the same; what is not stands here.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use super::Ask as _;
use crate::cli::CliError;
use crate::cli::terminal::stop_signal;
use crate::cli::waits::{self, Wait};
use crate::control::{Client, ClientError, Notification, OwnConnections};
use crate::model::{JobId, Whom};

/// How often it is asked what a call waits for.
const LOOK: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Session {
    client: Client,
    /// Makes more connections to the engine inside this process; none: it is another's.
    own: Option<OwnConnections>,
    /// What the engine works on, as a person knows it.
    database: String,
}

impl Session {
    /// With an engine of another process.
    pub fn joined(client: Client, database: String) -> Self {
        Self {
            client,
            own: None,
            database,
        }
    }

    /// With the engine inside this process.
    pub fn inside(own: OwnConnections, database: String) -> io::Result<Self> {
        Ok(Self {
            client: own.connect()?,
            own: Some(own),
            database,
        })
    }

    /// Whether the engine is inside this process, and ends with it.
    pub fn is_inside(&self) -> bool {
        self.own.is_some()
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    pub async fn ask(&mut self, method: &str, params: Value) -> Result<Value, ClientError> {
        self.client.ask(method, params).await
    }

    /// The same where an engine of an earlier version has no answer, or none now: null.
    pub async fn ask_if_it_can(&mut self, method: &str, params: Value) -> Result<Value, CliError> {
        super::if_it_can(self.ask(method, params).await)
    }

    pub(super) async fn subscribe(&mut self, job: JobId) -> Result<Value, CliError> {
        let _asking = super::asking(&self.client);
        Ok(self.client.subscribe(job).await?.1)
    }

    pub(super) async fn notification(&mut self) -> Result<Notification, ClientError> {
        self.client.notification().await
    }

    /// What the job waits for; null: nobody knows, or the engine is an older one.
    pub(super) async fn waiting(&mut self, id: JobId) -> Result<Value, CliError> {
        super::waiting(&mut self.client, id).await
    }

    /// Whether Riot rejects the key that the engine has now.
    pub async fn has_rejected_key(&mut self) -> Result<bool, CliError> {
        Ok(self.ask("engine.status", json!({})).await?["key"] == "rejected")
    }

    /// An error if nobody sees to the key: of an engine inside this process, the process itself does.
    pub(super) fn check_key(&self, status: &Value) -> Result<(), CliError> {
        if status["key"] == "rejected" && !self.is_inside() {
            return Err(CliError::EngineKeyRejected);
        }
        Ok(())
    }

    /// Resolves when a person leaves what was begun to another's engine. An engine inside this process is ended by
    /// whoever started it.
    pub(super) fn is_left(&self) -> impl Future<Output = ()> + use<> {
        let is_inside = self.is_inside();
        async move {
            if is_inside {
                std::future::pending::<()>().await;
            }
            stop_signal().await;
        }
    }

    /// Where a player plays. What Riot's answer waits for is told meanwhile, asked on a connection of its own.
    pub async fn locate(&mut self, whom: &Whom) -> Result<Result<Value, ClientError>, CliError> {
        let beside = self.connect().await;
        let told = async {
            match beside {
                Ok(beside) => tell_what_calls_wait_for(beside, &waits::reasons()).await,
                Err(_) => std::future::pending().await,
            }
        };
        let left = self.is_left();
        tokio::select! {
            answer = self.client.call("player.locate", json!(whom)) => Ok(answer),
            never = told => match never {},
            () = left => Err(CliError::Stopped),
        }
    }

    async fn connect(&self) -> Result<Client, CliError> {
        match &self.own {
            Some(own) => own
                .connect()
                .map_err(|error| CliError::Engine(error.to_string())),
            None => Ok(Client::connect(self.client.path()).await?),
        }
    }
}

/// As long as Riot is asked for no job. An engine of an earlier version does not say.
async fn tell_what_calls_wait_for(mut engine: Client, wait: &Wait) -> Infallible {
    loop {
        tokio::time::sleep(LOOK).await;
        match engine.call("engine.waiting", json!({})).await {
            Ok(answer) => wait.document(&answer["waiting"]),
            Err(_) => return std::future::pending().await,
        }
    }
}

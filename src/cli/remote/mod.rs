//! The verbs that talk to an engine: to one that runs, or, where there is work to do, to one inside their own process.

mod batch;
mod doing;
mod engine;
mod follow;
mod health;
mod job;
mod queue;
mod rank;
mod schedule;
mod session;
mod sync;
mod table;
mod track;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

pub use batch::batch;
pub use engine::{drain, set_key, share, show_status, stop};
pub use health::health;
pub use job::job;
pub use queue::queue;
pub use rank::show_rank;
pub use schedule::schedule;
pub use session::Session;
pub use sync::{run, sync};
pub use track::{set_tracked, show_tracked};

use super::CliError;
use super::follow::{same_place, typed};
use super::waits::{self, Wait};
use crate::control::{Client, ClientError};
use crate::model::JobId;
use crate::store::{Location, Store};

/// Where an engine may be, and which one is meant.
#[derive(Debug)]
pub struct Reach {
    pub socket: PathBuf,
    /// The database that is meant, when somebody named one: an engine on another is not the one.
    pub named: Option<Location>,
    /// The database to look into when no engine runs.
    pub database: Location,
    /// The database as it was named on the command line.
    pub typed: Option<String>,
    /// What is there is made up.
    pub simulated: bool,
    pub json: bool,
}

/// Who listens.
#[derive(Debug)]
pub enum Found {
    Engine {
        client: Box<Client>,
        /// What it works on, as a person knows it.
        database: String,
        /// The verb that it ends with; none: a service.
        inside: Option<String>,
    },
    /// One that is not meant, and why.
    OtherDatabase(CliError),
    Nobody(CliError),
}

impl Reach {
    /// The options that make another command mean the same database.
    fn place(&self) -> String {
        same_place(self.simulated, typed(self.typed.as_deref()))
    }

    /// The engine, or why there is none.
    pub async fn engine(&self) -> Result<Client, CliError> {
        let mut client = Client::connect(&self.socket).await?;
        if let Some(named) = &self.named {
            let status = client.ask("engine.status", json!({})).await?;
            self.check(named, &status)?;
        }
        Ok(client)
    }

    fn check(&self, database: &Location, status: &Value) -> Result<(), CliError> {
        let theirs = text(&status["database"]);
        if database.is_shown_as(&theirs) {
            return Ok(());
        }
        Err(CliError::OtherDatabase {
            socket: self.socket.clone(),
            theirs,
        })
    }

    /// Who is there. A service is meant by whoever names no database; an engine inside another verb works on what was
    /// named there, and is meant only by whoever would work on the same.
    pub async fn look(&self) -> Result<Found, CliError> {
        let mut client = match Client::connect(&self.socket).await {
            Ok(client) => client,
            Err(error @ ClientError::NoEngine(_)) => return Ok(Found::Nobody(error.into())),
            Err(error) => return Err(error.into()),
        };
        let status = client.ask("engine.status", json!({})).await?;
        let inside = status["inside"].as_str().map(str::to_owned);
        let meant = match (&self.named, &inside) {
            (Some(named), _) => Some(named),
            (None, Some(_)) => Some(&self.database),
            (None, None) => None,
        };
        match meant.map(|database| self.check(database, &status)) {
            Some(Err(error)) => Ok(Found::OtherDatabase(error)),
            _ => Ok(Found::Engine {
                client: Box::new(client),
                database: text(&status["database"]),
                inside,
            }),
        }
    }

    /// The engine, or none if none runs that is meant.
    pub async fn engine_if_any(&self) -> Result<Option<Client>, CliError> {
        match self.look().await? {
            Found::Engine { client, .. } => Ok(Some(*client)),
            Found::OtherDatabase(_) | Found::Nobody(_) => Ok(None),
        }
    }

    async fn read_only(&self) -> Result<Arc<dyn Store>, CliError> {
        let _opening = waits::opening(&self.database);
        Ok(self.database.open_read_only().await?)
    }

    /// Shows an answer: as it is to programs, else as `text` has it.
    fn show(&self, answer: &Value, text: impl FnOnce(&Value) -> String) {
        if self.json {
            crate::outln!("{answer}");
        } else {
            crate::outln!("{}", text(answer));
        }
    }
}

/// A question to an engine whose answer is waited for aloud.
pub trait Ask {
    fn ask(
        &mut self,
        method: &str,
        params: Value,
    ) -> impl Future<Output = Result<Value, ClientError>>;
}

impl Ask for Client {
    async fn ask(&mut self, method: &str, params: Value) -> Result<Value, ClientError> {
        let _asking = asking(self);
        self.call(method, params).await
    }
}

/// Null where an engine of an earlier version has no answer, or none now.
fn if_it_can(answer: Result<Value, ClientError>) -> Result<Value, CliError> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(ClientError::Refused(_)) => Ok(Value::Null),
        Err(error) => Err(error.into()),
    }
}

/// What the job waits for; null: nobody knows, or the engine is an older one.
async fn waiting(engine: &mut Client, id: JobId) -> Result<Value, CliError> {
    let asked = engine.ask("job.waiting", json!({ "job_id": id })).await;
    Ok(if_it_can(asked)?["waiting"].take())
}

/// What is waited for while an engine is asked.
fn asking(engine: &Client) -> Wait {
    if engine.is_inside() {
        // It is this process, and answers at once what it can answer.
        return waits::on("database", "the database has not answered yet");
    }
    let socket = engine.path().display();
    let text = format!("the engine on {socket} has not answered yet");
    waits::on("engine", text)
}

/// A text field of an answer, or a dash.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

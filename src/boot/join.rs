//! A verb that needs an engine joins the one that runs; where none does it has one inside, which others can join. To
//! either it speaks the control protocol: with the one inside, over a pair of sockets.
//!
//! An engine inside a verb opens the control socket as a service does. It ends with its verb, but not before those who
//! follow jobs through the socket are done: it goes on for them, and says so. If it ends all the same (a second Ctrl-C,
//! a kill), whoever had joined it goes on with an engine inside its own process. Of two that start at once the socket's
//! lock decides which has the engine; the other joins it.

use std::time::Duration;

use tokio::time::Instant;

use super::control::Control;
use super::required_key;
use super::running_engine::RunningEngine;
use crate::cli::CliError;
use crate::cli::remote::{Found, Reach, Session};
use crate::cli::terminal::stop_signal;
use crate::cli::waits::{self, Wait};
use crate::config::Config;
use crate::control::{ClientError, SocketError};
use crate::gate::KeySource;
use crate::model::JobRecord;
use crate::store::{Location, StoreError};

/// How often an engine is looked for that is starting or stopping.
const LOOK: Duration = Duration::from_millis(100);
/// Longer than an engine takes to start, or to stop.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a database is waited for that another riftsync has: as long as verbs take that have little to do. One of a
/// simulated world is waited for with more patience: nobody can join a simulated sync, and it is soon over.
const IN_USE: Duration = Duration::from_secs(10);
/// Jobs of others that are named.
const NAMED_MAX: usize = 3;

/// Where an engine is that a verb works with.
enum Place {
    There(Session),
    Here(Control),
}

/// What a verb has to do with the engines of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    /// It joins one that runs, and one inside it can be joined.
    Meet,
    /// It joins one that runs. One inside it does nothing that others could wait for.
    Join,
    /// Its world is its own.
    Avoid,
}

/// The engine that a verb has inside where it joins none.
pub(super) struct Inside<'c> {
    pub(super) config: &'c Config,
    pub(super) base: &'c str,
    /// None: of the settings.
    pub(super) key: Option<(String, KeySource)>,
    /// The queues that are worked on; none: all.
    pub(super) only: &'c [&'c str],
}

impl<'c> Inside<'c> {
    /// One that does whatever is asked of it, by the settings.
    pub(super) fn of(config: &'c Config) -> Self {
        Self {
            config,
            base: &config.riot.base_url,
            key: None,
            only: &[],
        }
    }

    async fn start(
        &self,
        database: &Location,
        control: &Control,
    ) -> Result<RunningEngine, CliError> {
        let key = match &self.key {
            Some(key) => key.clone(),
            None => required_key(false)?,
        };
        RunningEngine::start(
            self.config,
            database,
            key,
            self.base,
            Some(control),
            self.only,
        )
        .await
    }
}

/// Finds an engine for a verb, and the next one when that has gone.
pub(super) struct Joining<'r> {
    reach: &'r Reach,
    verb: &'static str,
    detach: bool,
    others: Others,
    /// A database that is not there is not made.
    present: bool,
    /// The engine that was found last ends with another verb.
    of_a_verb: bool,
}

impl<'r> Joining<'r> {
    pub(super) fn new(reach: &'r Reach, verb: &'static str) -> Self {
        Self {
            reach,
            verb,
            detach: false,
            others: Others::Meet,
            present: false,
            of_a_verb: false,
        }
    }

    /// What it begins is left to the engine, which must outlive it.
    pub(super) fn detached(self, detach: bool) -> Self {
        Self { detach, ..self }
    }

    /// One inside it cannot be joined.
    pub(super) fn without_company(self) -> Self {
        let others = Others::Join;
        Self { others, ..self }
    }

    /// Neither joins it one, nor can one inside it be joined.
    pub(super) fn alone(self) -> Self {
        let others = Others::Avoid;
        Self { others, ..self }
    }

    /// It is about what is stored: a database that is not there is not made.
    pub(super) fn on_what_is_there(self) -> Self {
        let present = true;
        Self { present, ..self }
    }

    /// Does a verb's work: with the engine that runs, and if it ends, which one inside another verb may, with the next;
    /// or with one inside this process. Work that is begun again goes on where it was.
    pub(super) async fn work<T>(
        mut self,
        inside: &Inside<'_>,
        mut work: impl AsyncFnMut(&mut Session) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let mut patience = Patience::new(match self.others {
            Others::Meet | Others::Join => IN_USE,
            Others::Avoid => PATIENCE,
        });
        loop {
            let control = match self.find(&mut patience).await? {
                Place::There(mut session) => {
                    patience.end();
                    let outcome = work(&mut session).await;
                    if self.goes_on(&outcome) {
                        continue;
                    }
                    return outcome;
                }
                Place::Here(control) => control,
            };
            let database = &self.reach.database;
            if self.present {
                database.refuse_absent()?;
            }
            let running = match inside.start(database, &control).await {
                // Somebody has it who cannot be joined, or not yet.
                Err(CliError::Store(error @ StoreError::InUse { .. })) => {
                    drop(control);
                    patience.in_use(error).await?;
                    continue;
                }
                running => running?,
            };
            patience.end();
            let outcome = running.serve_verb(&control, database, &mut work).await;
            return running.end(outcome).await;
        }
    }

    /// Whether what was begun there goes on with another engine, as that one has gone.
    fn goes_on<T>(&self, outcome: &Result<T, CliError>) -> bool {
        let goes_on = self.of_a_verb && matches!(outcome, Err(CliError::Client(ClientError::Lost)));
        if goes_on {
            crate::errln!(
                "riftsync: the engine that this had joined has ended; it goes on without it"
            );
        }
        goes_on
    }

    async fn find(&mut self, patience: &mut Patience) -> Result<Place, CliError> {
        if self.others == Others::Avoid {
            return Ok(Place::Here(Control::alone(self.verb)));
        }
        loop {
            let is_other = match self.reach.look().await {
                Ok(Found::Engine {
                    client,
                    database,
                    inside,
                }) => {
                    self.of_a_verb = inside.is_some();
                    return match inside {
                        Some(verb) if self.detach => Err(CliError::EndsWithVerb(verb)),
                        _ => Ok(Place::There(Session::joined(*client, database))),
                    };
                }
                Ok(Found::OtherDatabase(error)) if self.detach => return Err(error),
                Ok(Found::Nobody(error)) if self.detach => return Err(error),
                Ok(Found::OtherDatabase(_)) => true,
                Ok(Found::Nobody(_)) => false,
                Err(CliError::Client(ClientError::Busy { pid, .. })) if patience.is_left() => {
                    patience.starting_or_stopping(&pid).await;
                    continue;
                }
                // It ended while it was asked.
                Err(CliError::Client(ClientError::Lost)) if patience.is_left() => continue,
                Err(error) => return Err(error),
            };
            if is_other || self.others == Others::Join {
                return Ok(Place::Here(Control::alone(self.verb)));
            }
            match Control::inside(&self.reach.socket, self.verb) {
                Ok(control) => return Ok(Place::Here(control)),
                // Somebody was quicker.
                Err(SocketError::InUse { pid, .. }) if patience.is_left() => {
                    patience.starting_or_stopping(&pid).await;
                }
                // Where no socket can be an engine works as well without.
                Err(_) => return Ok(Place::Here(Control::alone(self.verb))),
            }
        }
    }
}

/// How long others are waited for, and what is told of it.
struct Patience {
    began: Instant,
    /// When the database was found in use, and how long it may be.
    in_use: Option<Instant>,
    in_use_max: Duration,
    wait: Option<Wait>,
}

impl Patience {
    fn new(in_use_max: Duration) -> Self {
        Self {
            began: Instant::now(),
            in_use: None,
            in_use_max,
            wait: None,
        }
    }

    fn is_left(&self) -> bool {
        self.began.elapsed() < PATIENCE
    }

    async fn starting_or_stopping(&mut self, pid: &str) {
        self.tell(format!("the engine with pid {pid} is starting or stopping"));
        tokio::time::sleep(LOOK).await;
    }

    /// Waits for a moment, or gives the error back.
    async fn in_use(&mut self, error: StoreError) -> Result<(), CliError> {
        let began = *self.in_use.get_or_insert_with(Instant::now);
        if began.elapsed() >= self.in_use_max {
            return Err(error.into());
        }
        if let StoreError::InUse { path, pid } = &error {
            let path = path.display();
            self.tell(format!(
                "another riftsync (pid {pid}) has the database {path}"
            ));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => Ok(()),
            () = stop_signal() => Err(CliError::Stopped),
        }
    }

    /// Nothing is waited for any more.
    fn end(&mut self) {
        self.wait = None;
    }

    fn tell(&mut self, text: String) {
        match &self.wait {
            Some(wait) => wait.say("engine", text),
            None => self.wait = Some(waits::on("engine", text)),
        }
    }
}

/// Tries again for a while what fails because another riftsync has the database of a simulated world.
pub(super) async fn once_free<T>(
    mut attempt: impl AsyncFnMut() -> Result<T, CliError>,
) -> Result<T, CliError> {
    let mut patience = Patience::new(PATIENCE);
    loop {
        match attempt().await {
            Err(CliError::Store(error @ StoreError::InUse { .. })) => {
                patience.in_use(error).await?;
            }
            outcome => return outcome,
        }
    }
}

impl RunningEngine {
    /// Does a verb's work with this engine, until it is done or cannot be.
    async fn serve_verb<T>(
        &self,
        control: &Control,
        database: &Location,
        work: &mut impl AsyncFnMut(&mut Session) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let mut session = control
            .session(database)
            .map_err(|error| CliError::Engine(error.to_string()))?;
        tokio::select! {
            outcome = work(&mut session) => outcome,
            status = self.key_rejected() => Err(CliError::KeyRejected(status)),
            error = self.gave_up() => Err(error),
            () = self.stopped() => Err(CliError::Interrupted),
        }
    }

    /// Ends the engine inside a verb that has come to its outcome, when nobody waits for it any more.
    pub(super) async fn end<T>(self, outcome: Result<T, CliError>) -> Result<T, CliError> {
        let gone_on = self.go_on_for_others(&outcome).await;
        let stopped = self.stop().await;
        let closed = self.store.close().await;
        let value = outcome?;
        // What this was for is done: who ends the rest has not failed.
        if !matches!(gone_on, Err(CliError::Interrupted)) {
            gone_on?;
        }
        stopped?;
        closed?;
        Ok(value)
    }

    /// Those who joined this engine follow jobs of it.
    async fn go_on_for_others<T>(&self, outcome: &Result<T, CliError>) -> Result<(), CliError> {
        let Some(control) = &self.control else {
            return Ok(());
        };
        let how = match outcome {
            Ok(_) | Err(CliError::JobFailed(_) | CliError::Incomplete(_)) => "this is done",
            Err(CliError::Interrupted) if !control.is_asked_to_stop() => "stopped",
            Err(_) => return Ok(()),
        };
        let others = control.followed();
        if others.is_empty() {
            return Ok(());
        }
        let again = if how == "stopped" { " again" } else { "" };
        crate::errln!(
            "riftsync: {how}, but others wait for this engine ({}); it goes on for them. Ctrl-C{again} ends it",
            named(&others)
        );
        let _waiting = waits::on("others", "others follow jobs of this engine");
        let done = async {
            while !control.followed().is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = done => Ok(()),
            status = self.key_rejected() => Err(CliError::KeyRejected(status)),
            error = self.gave_up() => Err(error),
            () = self.stopped() => Err(CliError::Interrupted),
        }
    }
}

fn named(jobs: &[std::sync::Arc<JobRecord>]) -> String {
    let first = jobs.iter().take(NAMED_MAX).map(|job| {
        let key = job.key.as_deref().unwrap_or(&job.kind);
        format!("job {}: {key}", job.id)
    });
    let mut text = first.collect::<Vec<_>>().join(", ");
    if jobs.len() > NAMED_MAX {
        let more = jobs.len() - NAMED_MAX;
        text = format!("{text} and {more} more");
    }
    text
}

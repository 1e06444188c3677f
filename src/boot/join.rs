//! A verb that needs an engine joins the one that runs; where none does it has one inside, which others can join.
//!
//! An engine inside a verb opens the control socket as a service does. It ends with its verb, but not before those who
//! follow jobs through the socket are done: it goes on for them, and says so. If it ends all the same (a second Ctrl-C,
//! a kill), whoever had joined it goes on with an engine inside its own process. Of two that start at once the socket's
//! lock decides which has the engine; the other joins it.

use std::time::Duration;

use tokio::time::Instant;

use super::running_engine::RunningEngine;
use super::serve::Control;
use crate::cli::CliError;
use crate::cli::remote::{Found, Reach};
use crate::cli::waits::{self, Wait};
use crate::control::{Client, ClientError, SocketError};
use crate::model::JobRecord;

/// How often an engine is looked for that is starting or stopping.
const LOOK: Duration = Duration::from_millis(100);
/// Longer than an engine takes to start, or to stop.
const PATIENCE: Duration = Duration::from_mins(1);
/// Jobs of others that are named.
const NAMED_MAX: usize = 3;

/// Where the engine is.
pub(super) enum Engine {
    There(Box<Client>),
    Here,
}

/// Finds an engine, and the next one when that has gone.
pub(super) struct Joining<'r> {
    reach: &'r Reach,
    verb: &'static str,
    detach: bool,
    /// The engine that was found last ends with another verb.
    of_a_verb: bool,
    control: Option<Control>,
}

impl<'r> Joining<'r> {
    pub(super) fn new(reach: &'r Reach, verb: &'static str, detach: bool) -> Self {
        Self {
            reach,
            verb,
            detach,
            of_a_verb: false,
            control: None,
        }
    }

    /// The socket of an engine that is to be here; none: there can be none.
    pub(super) fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }

    /// Whether what was begun there goes on with another engine, as that one has gone.
    pub(super) fn goes_on<T>(&self, outcome: &Result<T, CliError>) -> bool {
        let goes_on = self.of_a_verb && matches!(outcome, Err(CliError::Client(ClientError::Lost)));
        if goes_on {
            eprintln!("riftsync: the engine that this had joined has ended; it goes on without it");
        }
        goes_on
    }

    pub(super) async fn find(&mut self) -> Result<Engine, CliError> {
        let began = Instant::now();
        let mut waiting: Option<Wait> = None;
        loop {
            let is_other = match self.reach.look().await {
                Ok(Found::Engine { client, inside }) => {
                    self.of_a_verb = inside.is_some();
                    return match inside {
                        Some(verb) if self.detach => Err(CliError::EndsWithVerb(verb)),
                        _ => Ok(Engine::There(client)),
                    };
                }
                Ok(Found::OtherDatabase(error)) if self.detach => return Err(error),
                Ok(Found::Nobody(error)) if self.detach => return Err(error),
                Ok(Found::OtherDatabase(_)) => true,
                Ok(Found::Nobody(_)) => false,
                Err(CliError::Client(ClientError::Busy { pid, .. }))
                    if began.elapsed() < PATIENCE =>
                {
                    waiting.get_or_insert_with(|| starting_or_stopping(&pid));
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                // It ended while it was asked.
                Err(CliError::Client(ClientError::Lost)) if began.elapsed() < PATIENCE => continue,
                Err(error) => return Err(error),
            };
            if is_other {
                return Ok(Engine::Here);
            }
            match Control::inside(&self.reach.socket, self.verb) {
                Ok(control) => {
                    self.control = Some(control);
                    return Ok(Engine::Here);
                }
                // Somebody was quicker.
                Err(SocketError::InUse { pid, .. }) if began.elapsed() < PATIENCE => {
                    waiting.get_or_insert_with(|| starting_or_stopping(&pid));
                    tokio::time::sleep(LOOK).await;
                }
                // Where no socket can be an engine works as well without.
                Err(_) => return Ok(Engine::Here),
            }
        }
    }
}

fn starting_or_stopping(pid: &str) -> Wait {
    waits::on(
        "engine",
        format!("the engine with pid {pid} is starting or stopping"),
    )
}

impl RunningEngine {
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
            Ok(_) | Err(CliError::JobFailed(_)) => "this is done",
            Err(CliError::Interrupted) if !control.is_asked_to_stop() => "stopped",
            Err(_) => return Ok(()),
        };
        let others = control.followed();
        if others.is_empty() {
            return Ok(());
        }
        let again = if how == "stopped" { " again" } else { "" };
        eprintln!(
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

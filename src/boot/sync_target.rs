//! What `sync` and `recover` are asked for: which years, and where a player plays.
//!
//! Where may be left out: then the API is asked, by whoever has the key. When it cannot tell, the platform of
//! the settings is taken.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::json;

use super::running_engine::RunningEngine;
use crate::cli::remote::Ask as _;
use crate::cli::terminal::stop_signal;
use crate::cli::{CliError, waits};
use crate::config::Config;
use crate::control::rpc::RpcError;
use crate::control::{Client, ClientError};
use crate::gate::KeyState;
use crate::model::{Platform, Timestamp, Whereabouts, Whom, Year};
use crate::store::people::played_on;
use crate::tasks::whereabouts;

/// How often it is looked what calls wait for.
const LOOK: Duration = Duration::from_secs(1);
/// Accounts are known on every route: where one is asked for when nothing speaks for another.
pub(super) const ANYWHERE: Platform = Platform::Euw1;

/// Where a player is said to play, before the API is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlayedOn {
    told: Option<Platform>,
    /// Of the settings.
    usual: Option<Platform>,
}

impl PlayedOn {
    pub(super) fn read(config: &Config, told: Option<&str>) -> Result<Self, CliError> {
        Ok(Self {
            told: told.map(str::parse).transpose()?,
            usual: config.platform()?,
        })
    }

    pub(super) fn at(platform: Platform) -> Self {
        Self {
            told: Some(platform),
            usual: None,
        }
    }

    /// In a world that is made up, a player plays where it is said, or anywhere.
    pub(super) fn made_up(self) -> Platform {
        self.told.or(self.usual).unwrap_or(Platform::Kr)
    }

    /// Where the player plays, as a running engine finds it.
    pub(super) async fn there(
        self,
        engine: &mut Client,
        whom: &Whom,
    ) -> Result<Platform, CliError> {
        if let Some(told) = self.told {
            return Ok(told);
        }
        let asked = tokio::select! {
            asked = engine.ask("player.locate", json!(whom)) => asked,
            () = stop_signal() => return Err(CliError::Stopped),
        };
        match asked {
            Ok(answer) => {
                let found = answer["platform"]
                    .as_str()
                    .and_then(|text| text.parse().ok());
                found.map_or_else(|| self.or_usual(whom, "the engine gave no answer"), Ok)
            }
            Err(ClientError::Refused(error)) if error.code == RpcError::NOT_FOUND => {
                Err(nobody(whom))
            }
            Err(ClientError::Refused(error)) => {
                let status = engine.ask("engine.status", json!({})).await?;
                if status["key"] == "rejected" {
                    return Err(CliError::EngineKeyRejected);
                }
                self.or_usual(whom, &error.message)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The same with the engine inside this process.
    pub(super) async fn here(
        self,
        running: &RunningEngine,
        whom: &Whom,
    ) -> Result<Platform, CliError> {
        if let Some(told) = self.told {
            return Ok(told);
        }
        let near = self.usual.unwrap_or(ANYWHERE);
        let mut key = running.gate.availability.key();
        let rejected = key.wait_for(|key| matches!(key, KeyState::Rejected { .. }));
        let found = tokio::select! {
            never = tell_what_calls_wait_for(running) => match never {},
            found = whereabouts(&running.gate.api, whom, near) => found,
            Ok(state) = rejected => match *state {
                KeyState::Rejected { status, .. } => return Err(CliError::KeyRejected(status)),
                _ => Whereabouts::Untold("the key is not known to be valid".to_owned()),
            },
            () = stop_signal() => return Err(CliError::Interrupted),
        };
        match found {
            Whereabouts::On(platform) => Ok(platform),
            Whereabouts::Nobody => {
                // Somebody may have had the name: the job finds out who that is now.
                let before = match &whom.riot_id {
                    Some(riot_id) => played_on(&*running.store, riot_id).await?,
                    None => None,
                };
                before.ok_or_else(|| nobody(whom))
            }
            Whereabouts::Untold(why) => {
                self.or_usual(whom, &format!("where '{whom}' plays cannot be told: {why}"))
            }
        }
    }

    fn or_usual(self, whom: &Whom, why: &str) -> Result<Platform, CliError> {
        self.usual.ok_or_else(|| {
            CliError::JobFailed(format!(
                "{why}. Name the server that {whom} plays on with --platform (or riot.platform in the configuration). Known: {}",
                Platform::known()
            ))
        })
    }
}

/// As long as Riot is asked for no job.
async fn tell_what_calls_wait_for(running: &RunningEngine) -> Infallible {
    let wait = waits::reasons();
    loop {
        tokio::time::sleep(LOOK).await;
        wait.waiting(running.lookout.of_calls().await.as_ref());
    }
}

fn nobody(whom: &Whom) -> CliError {
    CliError::JobFailed(format!(
        "no player is called '{whom}'; check the spelling and the tag after '#'; it is shown in the League client's profile"
    ))
}

/// `2025`, or `2024..2026` with both ends; this year if nothing is said.
pub(super) fn read_years(text: Option<&str>, now: Timestamp) -> Result<Vec<Year>, CliError> {
    let Some(text) = text else {
        return Ok(vec![Year::new(now.year().unwrap_or(Year::FIRST), now)?]);
    };
    let Some((from, to)) = text.split_once("..") else {
        return Ok(vec![Year::parse(text, now)?]);
    };
    let [from, to] = [Year::parse(from, now)?, Year::parse(to, now)?];
    let years: Result<Vec<Year>, _> = (from.get()..=to.get())
        .map(|year| Year::new(year, now))
        .collect();
    let years = years?;
    if years.is_empty() {
        let why = format!("--year {text} has no year in it; the earlier one comes first");
        return Err(CliError::Usage(why));
    }
    Ok(years)
}

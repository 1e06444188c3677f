//! What `sync` and `recover` are asked for: which years, and where a player plays.
//!
//! Where may be left out: then the API is asked, by whoever has the key. When it cannot tell, the platform of
//! the settings is taken.

use std::time::Duration;

use crate::cli::CliError;
use crate::cli::remote::Session;
use crate::config::Config;
use crate::control::ClientError;
use crate::control::rpc::RpcError;
use crate::model::{Platform, Timestamp, Whom, Year};

/// How often it is looked whether a key is taken again.
const LOOK: Duration = Duration::from_secs(1);

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

    /// Where the player plays, as the engine finds it.
    pub(super) async fn find(
        self,
        session: &mut Session,
        whom: &Whom,
    ) -> Result<Platform, CliError> {
        if let Some(told) = self.told {
            return Ok(told);
        }
        loop {
            return match session.locate(whom).await? {
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
                    if !session.has_rejected_key().await? {
                        return self.or_usual(whom, &error.message);
                    }
                    if session.is_inside() {
                        // It is tried once more; if it is rejected again, that ends this.
                        tokio::time::sleep(LOOK).await;
                        continue;
                    }
                    Err(CliError::EngineKeyRejected)
                }
                Err(error) => Err(error.into()),
            };
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

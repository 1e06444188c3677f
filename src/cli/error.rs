//! How a verb can fail, and the exit code of each way.

use crate::config::ConfigError;
use crate::model::{IdError, YearError};
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Wrong words or settings.
    #[error("{0}")]
    Usage(String),
    /// The job failed; its own message was shown.
    #[error("{0}")]
    JobFailed(String),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error(
        "riot rejects the API key (HTTP {0}). Nothing is lost: get a new key at developer.riotgames.com, set RIOT_API_KEY, and type the same command again"
    )]
    KeyRejected(u16),
    #[error("the engine gave up: {0}. What was done is stored; type the same command again")]
    Engine(String),
    #[error("stopped. What was done is stored; the same command goes on from there")]
    Interrupted,
    #[error("stopped")]
    Stopped,
}

impl CliError {
    /// 0 done; 1 the job failed; 2 wrong usage or configuration; 3 no engine or database; 4 key
    /// rejected; 130 stopped by Ctrl-C, as shells expect.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::JobFailed(_) => 1,
            Self::Usage(_) | Self::Store(StoreError::Url(_) | StoreError::PostgresUrl { .. }) => 2,
            Self::Store(_) | Self::Engine(_) => 3,
            Self::KeyRejected(_) => 4,
            Self::Interrupted | Self::Stopped => 130,
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<IdError> for CliError {
    fn from(error: IdError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<YearError> for CliError {
    fn from(error: YearError) -> Self {
        Self::Usage(error.to_string())
    }
}

//! How a verb can fail, and the exit code of each way.

use std::path::PathBuf;

use super::terminal::shown;
use crate::config::ConfigError;
use crate::control::rpc::RpcError;
use crate::control::{ClientError, SocketError};
use crate::export::ExportError;
use crate::export::lake::LakeFailure;
use crate::model::{IdError, JobId, YearError};
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Wrong words or settings.
    #[error("{0}")]
    Usage(String),
    /// The job failed; its own message was shown.
    #[error("{0}")]
    JobFailed(String),
    /// The jobs are done, and some of what they were to fetch was not fetched.
    #[error(
        "{0} not fetched: what failed is listed above, and is no part of what Riot does not have. The same command tries again"
    )]
    Incomplete(String),
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The engine logged it when it happened.
    #[error(
        "the engine has stopped: its database can be used no more. The ERROR above says what to do"
    )]
    Ended(StoreError),
    #[error("{0}")]
    Export(#[from] ExportError),
    #[error("{0}")]
    Lake(#[from] LakeFailure),
    #[error("{0}")]
    Socket(#[from] SocketError),
    #[error("{0}")]
    Client(#[from] ClientError),
    #[error(
        "Riot rejects the API key (HTTP {0}). Nothing is lost: get a new key at developer.riotgames.com, set RIOT_API_KEY, and type the same command again"
    )]
    KeyRejected(u16),
    #[error("the engine gave up: {0}. What was done is stored; type the same command again")]
    Engine(String),
    #[error("stopped. What was done is stored; the same command goes on from there")]
    Interrupted,
    #[error("job {0} goes on in the engine; `riftsync job wait {0}` waits for it")]
    Detached(JobId),
    #[error(
        "Riot rejects the API key of the engine. Nothing is lost: get a new key at developer.riotgames.com and give it to the engine with `riftsync key set`; the job goes on then"
    )]
    EngineKeyRejected,
    #[error(
        "the engine on {socket} works on another database, {theirs}. Name its socket with --socket, or leave --database out"
    )]
    OtherDatabase { socket: PathBuf, theirs: String },
    #[error(
        "the engine that runs is inside another `riftsync {0}` and ends with it: nothing can be left to it. Start one with `riftsync serve`, or leave --detach out"
    )]
    EndsWithVerb(String),
    #[error("stopped")]
    Stopped,
    #[error("the engine is degraded: it works, but somebody should look at what is listed")]
    Degraded,
    #[error("the engine is unhealthy: some of its work is not done")]
    Unhealthy,
}

impl CliError {
    /// Of a sync that has ended; an error if something is not there that could be.
    pub fn unless_complete(shortfall: Option<String>) -> Result<(), Self> {
        match shortfall {
            None => Ok(()),
            Some(what) => Err(Self::Incomplete(what)),
        }
    }

    /// Keeps that something is missing for the end, so that what comes after it is done all the same.
    pub fn put_off(outcome: Result<(), Self>, kept: &mut Result<(), Self>) -> Result<(), Self> {
        match outcome {
            Err(Self::Incomplete(what)) => {
                if kept.is_ok() {
                    *kept = Err(Self::Incomplete(what));
                }
                Ok(())
            }
            other => other,
        }
    }

    /// The one shape in which programs see an error.
    pub fn document(&self) -> serde_json::Value {
        let message = match self {
            Self::Ended(error) => shown(error),
            other => shown(other),
        };
        serde_json::json!({
            "success": false,
            "error": { "kind": self.kind(), "message": message, "retryable": self.is_retryable() },
        })
    }

    /// A stable word.
    fn kind(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Store(StoreError::Url(_) | StoreError::PostgresUrl { .. }) => {
                "usage"
            }
            Self::JobFailed(_) => "failed",
            Self::Incomplete(_) => "incomplete",
            Self::Client(ClientError::Refused(error)) => match error.code {
                RpcError::NOT_FOUND => "not_found",
                RpcError::CONFLICT => "conflict",
                RpcError::INVALID_PARAMS | RpcError::METHOD_NOT_FOUND => "usage",
                _ => "engine",
            },
            Self::Store(_)
            | Self::Ended(_)
            | Self::Export(ExportError::Store(_))
            | Self::Lake(LakeFailure::Store(_)) => "database",
            Self::Export(ExportError::File { .. } | ExportError::ReaderGone)
            | Self::Lake(LakeFailure::Place(_)) => "file",
            Self::Socket(_)
            | Self::Client(_)
            | Self::OtherDatabase { .. }
            | Self::EndsWithVerb(_) => "engine",
            Self::KeyRejected(_) | Self::EngineKeyRejected => "key_rejected",
            Self::Engine(_) => "engine_gave_up",
            Self::Interrupted | Self::Stopped | Self::Detached(_) => "stopped",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// Whether the same words may succeed another time.
    fn is_retryable(&self) -> bool {
        let ended = match self {
            Self::Ended(_) => true,
            Self::Store(error)
            | Self::Export(ExportError::Store(error))
            | Self::Lake(LakeFailure::Store(error)) => error.is_end(),
            Self::Lake(LakeFailure::Place(error)) => return error.passes,
            _ => false,
        };
        self.exit_code() > 2 && !ended
    }

    /// 0 done; 1 the job failed; 2 wrong usage or configuration; 3 no engine or database; 4 key
    /// rejected; 130 stopped by Ctrl-C, as shells expect.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::JobFailed(_)
            | Self::Incomplete(_)
            | Self::Degraded
            | Self::Export(ExportError::File { .. } | ExportError::ReaderGone)
            | Self::Lake(LakeFailure::Place(_)) => 1,
            Self::Usage(_) | Self::Store(StoreError::Url(_) | StoreError::PostgresUrl { .. }) => 2,
            Self::Client(ClientError::Refused(error)) => match error.code {
                RpcError::NOT_FOUND | RpcError::CONFLICT => 1,
                RpcError::INVALID_PARAMS | RpcError::METHOD_NOT_FOUND => 2,
                _ => 3,
            },
            Self::Store(_)
            | Self::Ended(_)
            | Self::Socket(_)
            | Self::Client(_)
            | Self::Engine(_)
            | Self::Export(ExportError::Store(_))
            | Self::Lake(LakeFailure::Store(_))
            | Self::Unhealthy
            | Self::EndsWithVerb(_)
            | Self::OtherDatabase { .. } => 3,
            Self::KeyRejected(_) | Self::EngineKeyRejected => 4,
            Self::Interrupted | Self::Stopped | Self::Detached(_) => 130,
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

//! What can go wrong with a call: one variant per reaction, not per cause.

use std::time::Duration;

/// Which limit a 429 speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// The key on this route: every method waits.
    Application,
    /// The key on this method of this route.
    Method,
    /// Not our doing: the service behind the method, or the edge. Only that method waits.
    Service,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RiotError {
    #[error("riot limits calls ({scope:?}), retry after {retry_after:?}")]
    RateLimited {
        scope: LimitScope,
        retry_after: Option<Duration>,
    },
    #[error("riot is unavailable: {0}")]
    Unavailable(String),
    #[error("riot knows no such thing (404)")]
    NotFound,
    /// 401 or 403 that a second call did not confirm: not the key, this one call.
    #[error("riot refused the call (HTTP {0})")]
    Forbidden(u16),
    /// The engine stops before the call was sent.
    #[error("the engine is stopping")]
    Stopping,
    /// The puuid was given out for another key.
    #[error("the puuid belongs to another API key")]
    ForeignPuuid,
    #[error("riot did not understand the call (HTTP {0}): {1}")]
    BadRequest(u16, String),
    #[error("the answer is not what was asked for: {0}")]
    Payload(String),
}

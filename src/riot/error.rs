//! What can go wrong with a call: one variant per reaction, not per cause.

use std::time::Duration;

use crate::model::{Foreign, Route};

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
    #[error("Riot limits calls ({scope:?}), retry after {retry_after:?}")]
    RateLimited {
        scope: LimitScope,
        retry_after: Option<Duration>,
    },
    #[error("Riot is unavailable: {0}")]
    Unavailable(Foreign),
    #[error("Riot knows no such thing (404)")]
    NotFound,
    /// 401 or 403 that a second call did not confirm: not the key, this one call.
    #[error("Riot refused the call (HTTP {0})")]
    Forbidden(u16),
    /// A call was refused, and whether the key is good could not be found out.
    #[error("Riot refused the call (HTTP {0}), and the key could not be tried")]
    KeyUnclear(u16),
    /// Calls on the route failed one after the other: this one was not sent.
    #[error("{route} does not work at present")]
    Outage { route: Route, retry_in: Duration },
    /// The job is to be cancelled.
    #[error("cancelled on request")]
    Cancelled,
    /// The engine stops before the call was sent.
    #[error("the engine is stopping")]
    Stopping,
    /// The puuid was given out for another key.
    #[error("the puuid belongs to another API key")]
    ForeignPuuid,
    #[error("Riot did not understand the call (HTTP {0}): {1}")]
    BadRequest(u16, Foreign),
    /// A status that the API does not document, and a second call had no other.
    #[error("the answer is none that Riot is known to give (HTTP {0}): {1}")]
    Odd(u16, Foreign),
    #[error("the answer is not what was asked for: {0}")]
    Payload(Foreign),
    /// The document of the match that was asked for, which cannot be made into rows: it is kept, and not asked for
    /// again.
    #[error("the document cannot be read: {0}")]
    Unread(Foreign),
}

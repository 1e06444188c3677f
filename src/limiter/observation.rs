//! How a call ended, as far as limits are concerned.

use std::time::{Duration, Instant};

use super::answer::Pairs;

/// What a caller reports. The default is a call without an answer: a time-out, a reset.
#[derive(Debug, Default)]
pub struct Observation {
    /// Seconds -> calls, as the headers say; empty if they say nothing.
    pub app_limits: Pairs,
    pub app_counts: Pairs,
    pub method_limits: Pairs,
    pub method_counts: Pairs,
    /// The answer was a 429.
    pub refused: Option<Refused>,
    /// An answer came, from whomever.
    pub answered: bool,
    /// The API served the call: an answer without limit headers then means that there are no limits.
    /// Not so with the pages and errors of those in front of it.
    pub served: bool,
    /// When the head of the answer came. The report itself may be later, after the body.
    pub received: Option<Instant>,
}

/// A 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    pub by: RefusedBy,
    /// Absent, zero and odd ones are normal.
    pub retry_after: Option<Duration>,
}

/// Whose 429 it was: which calls it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusedBy {
    /// Our calls of the whole route.
    Application,
    /// Our calls of that method on that route.
    Method,
    /// The service behind the method, or nobody who says so: that method on that route, with
    /// growing pauses. Not of our making.
    Service,
}

impl RefusedBy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Method => "method",
            Self::Service => "service",
        }
    }
}

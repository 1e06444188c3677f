//! What a budget learnt that people should know, and how it is told.

use std::time::Duration;

use super::observation::RefusedBy;
use crate::metrics::{Bursts, Telling};
use crate::model::Route;

/// What is worth telling people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// A new pause, until then.
    pub paused_until: Option<Duration>,
    /// The windows' edges are trusted less from now on.
    pub drift: bool,
    /// Somebody else uses the key.
    pub others: bool,
}

impl News {
    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            paused_until: self.paused_until.max(other.paused_until),
            drift: self.drift || other.drift,
            others: self.others || other.others,
        }
    }
}

impl News {
    /// Writes it to the log.
    pub(super) fn tell(
        self,
        route: Route,
        refused: Option<RefusedBy>,
        now: Duration,
        bursts: &mut Bursts<RefusedBy>,
    ) {
        if let (Some(until), Some(by)) = (self.paused_until, refused)
            && let Telling::First { untold } = bursts.note(by, now)
        {
            let scope = match by {
                RefusedBy::Application => "every call waits",
                RefusedBy::Method | RefusedBy::Service => "calls of that method wait",
            };
            let pause = until.saturating_sub(now);
            let by = by.as_str();
            let before = if untold > 0 {
                format!("; {untold} more such refusals since the last such line")
            } else {
                String::new()
            };
            tracing::info!(route = %route, by, "riot refuses calls on {route} (429, {by}): {scope} {pause:.1?}{before}");
        }
        if self.drift {
            tracing::warn!(
                route = %route,
                "the limits of {route} were kept and riot still refused a call: its windows are longer than they say. \
                 They are given more room for a while"
            );
        }
        if self.others {
            tracing::warn!(
                route = %route,
                "somebody else uses the same key on {route}: riot counts more calls than were made here. \
                 They are reckoned with, but refusals may come"
            );
        }
    }
}

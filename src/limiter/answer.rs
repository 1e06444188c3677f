//! An answer as one scope of limits sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::observation::{Observation, Refused, RefusedBy};

/// Seconds -> calls, as in the headers.
pub type Pairs = BTreeMap<u32, u32>;

/// The longest window that is believed; the API's have ten minutes at the most. A longer one is taken for this long:
/// when that is over, the server's count tells again.
const WINDOW_SECONDS_MAX: u32 = 3_600;

/// The same pairs with windows that are not too long, and the longest that was. None: all are believed.
pub(super) fn believed(pairs: &Pairs) -> Option<(Pairs, Duration)> {
    let (longest, _) = pairs.last_key_value()?;
    if *longest <= WINDOW_SECONDS_MAX {
        return None;
    }
    let mut believed = Pairs::new();
    for (seconds, calls) in pairs {
        // Of several of that length the strictest counts.
        let known = believed.entry((*seconds).min(WINDOW_SECONDS_MAX));
        known
            .and_modify(|known: &mut u32| *known = (*known).min(*calls))
            .or_insert(*calls);
    }
    Some((believed, Duration::from_secs(u64::from(*longest))))
}

/// How a call ended, to one scope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub sent: Duration,
    pub received: Duration,
    pub limits: &'a Pairs,
    pub counts: &'a Pairs,
    pub verdict: Verdict,
}

/// What an answer says of the limits of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The API itself answered: without limit headers there are no limits.
    Served,
    /// Somebody in front of it did, who knows nothing of limits.
    Failed,
    /// A 429 of another scope.
    RefusedElsewhere,
    /// A 429 of this one.
    Refused {
        told: Option<Duration>,
        /// Not of our counted windows: the service's, or one that does not say.
        growing: bool,
    },
}

/// What an answer means to the application's scope and to the method's.
pub(super) fn verdicts(seen: &Observation) -> [Verdict; 2] {
    let Some(Refused { by, retry_after }) = seen.refused else {
        // Limit headers come from nobody else.
        let has_limits = !seen.app_limits.is_empty() || !seen.method_limits.is_empty();
        return [if seen.served || has_limits {
            Verdict::Served
        } else {
            Verdict::Failed
        }; 2];
    };
    let here = |growing| Verdict::Refused {
        told: retry_after,
        growing,
    };
    match by {
        RefusedBy::Application => [here(false), Verdict::RefusedElsewhere],
        RefusedBy::Method => [Verdict::RefusedElsewhere, here(false)],
        RefusedBy::Service => [Verdict::RefusedElsewhere, here(true)],
    }
}

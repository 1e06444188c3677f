//! What calls that failed mean for their jobs.

use std::time::Duration;

use crate::limiter::PAUSE_MAX;
use crate::model::{Failure, Outcome};
use crate::riot::RiotError;
use crate::store::engine::TaskResult;

/// Jobs that met an outage come back over so long.
const OUTAGE_SPREAD: Duration = Duration::from_secs(10);
/// How long a job stays away whose call was refused when the key could not be tried.
const KEY_UNCLEAR_PAUSE: Duration = Duration::from_secs(30);

/// What a failed call means for its job. No wildcard arm: whoever adds a variant has to choose.
pub(super) fn failed(error: &RiotError) -> TaskResult {
    let text = error.to_string();
    match error {
        RiotError::RateLimited { retry_after, .. } => {
            let delay = retry_after.unwrap_or(Duration::from_secs(5)).min(PAUSE_MAX);
            Outcome::Snooze { delay, why: text }.into()
        }
        RiotError::Stopping => Outcome::Snooze {
            delay: Duration::ZERO,
            why: text,
        }
        .into(),
        // Back a little later than the first call may be tried, not all at once.
        RiotError::Outage { retry_in, .. } => Outcome::Snooze {
            delay: *retry_in + OUTAGE_SPREAD.mul_f64(fastrand::f64()),
            why: text,
        }
        .into(),
        RiotError::KeyUnclear(_) => Outcome::Snooze {
            delay: KEY_UNCLEAR_PAUSE,
            why: text,
        }
        .into(),
        RiotError::Cancelled => Outcome::Cancel(text).into(),
        RiotError::Unavailable(_) => {
            Outcome::Retry(Failure::new("unavailable", text).retryable().told().with_remedy(
                "check the network and the base URL; Riot's state is shown at status.riotgames.com",
            ))
            .into()
        }
        RiotError::Payload(_) | RiotError::Unread(_) => Outcome::Retry(Failure::new("payload", text).retryable().told()).into(),
        RiotError::Forbidden(_) => {
            Outcome::Retry(Failure::new("forbidden", text).retryable().told()).into()
        }
        RiotError::ForeignPuuid => {
            Outcome::Retry(Failure::new("foreign_puuid", text).retryable()).into()
        }
        RiotError::NotFound => Outcome::Discard(Failure::new("not_found", text)).into(),
        // It was asked for twice already.
        RiotError::Odd(..) => Outcome::Discard(Failure::new("odd_status", text).with_remedy(
            "look whether a proxy, a firewall or a login page stands between this machine and the API",
        ))
        .into(),
        RiotError::BadRequest(..) => Outcome::Discard(Failure::new("bad_request", text)).into(),
    }
}

/// Arguments that are not what the kind takes: no other attempt would help.
pub(super) fn bad_arguments(error: &serde_json::Error) -> TaskResult {
    Outcome::Discard(Failure::new(
        "bad_arguments",
        format!("its arguments cannot be read: {error}"),
    ))
    .into()
}

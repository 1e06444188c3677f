//! Where a player plays, asked of the API for somebody who waits at a terminal. No job: it changes nothing.

use std::time::Duration;

use crate::engine::{CancelSignal, Post, Urgency};
use crate::gate::{Caller, RiotApi};
use crate::model::{Platform, Priority, Whereabouts, Whom};
use crate::riot::{Call, RiotError, parse_account, parse_region};

/// Who waits longer for an answer would rather name the platform.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks where a player plays: a call, and one more for the puuid of a name. Accounts are known everywhere; `near` says
/// where to ask.
pub async fn whereabouts(api: &RiotApi, whom: &Whom, near: Platform) -> Whereabouts {
    match tokio::time::timeout(PATIENCE, ask(api, whom, near)).await {
        Ok(Ok(whereabouts)) => whereabouts,
        Ok(Err(error)) => Whereabouts::Untold(error.to_string()),
        Err(_) => Whereabouts::Untold(format!("the API has not answered within {PATIENCE:?}")),
    }
}

async fn ask(api: &RiotApi, whom: &Whom, near: Platform) -> Result<Whereabouts, RiotError> {
    let caller = Caller {
        urgency: Urgency::fixed(Priority::INTERACTIVE),
        flow: 0,
        cancel: CancelSignal::never(),
        post: Post::default(),
    };
    let puuid = match (&whom.puuid, &whom.riot_id) {
        (Some(puuid), _) => puuid.clone(),
        (None, Some(riot_id)) => {
            let call = Call::account(riot_id, near);
            match api.call(caller.clone(), &call).await {
                Err(RiotError::NotFound) => return Ok(Whereabouts::Nobody),
                other => api.read(other?, parse_account).await?.0.puuid,
            }
        }
        (None, None) => return Ok(Whereabouts::Nobody),
    };
    let untold = "the API does not know where this player plays";
    let call = Call::region_of(&puuid, near);
    let platform = match api.call(caller, &call).await {
        // New accounts have been seen to get a 500 here for good.
        Err(RiotError::NotFound | RiotError::Unavailable(_)) => None,
        other => api.read(other?, parse_region).await?.0,
    };
    Ok(platform.map_or_else(|| Whereabouts::Untold(untold.to_owned()), Whereabouts::On))
}

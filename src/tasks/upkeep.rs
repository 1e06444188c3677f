//! What the jobs of the maintenance queue share: they take small steps, and rest as long as they work.

use std::time::{Duration, Instant};

use crate::model::{After, NewJob, Outcome, Priority, RetryPolicy};
use crate::store::engine::TaskResult;
use crate::store::{Store, StoreError, StoreResult};

use super::MAINTENANCE;

/// The shortest rest after a step: a sync that waits for the writer has its turn.
const REST_MIN: Duration = Duration::from_millis(2);
const REST_MAX: Duration = Duration::from_secs(2);
/// Pages that go back to the file system in one transaction: 2 MiB.
const PAGES: u32 = 512;

/// A step that began then is over: rests as long as it took, so that half of a core and of the writer is free.
pub(super) async fn rest(begun: Instant) {
    tokio::time::sleep(begun.elapsed().clamp(REST_MIN, REST_MAX)).await;
}

/// Gives the file system what is free in the file, in small steps.
pub(super) async fn give_back(store: &dyn Store) -> StoreResult<()> {
    let mut free = store.give_back(0).await?;
    while free > 0 {
        let begun = Instant::now();
        let left = store.give_back(PAGES).await?;
        if left >= free {
            break;
        }
        free = left;
        rest(begun).await;
    }
    Ok(())
}

/// How far a job is, of 99: it is done when it says so itself.
pub(super) fn percent(done: u64, total: u64) -> u8 {
    u8::try_from(done.min(total) * 99 / total.max(1)).unwrap_or(99)
}

/// A job of which one at a time is open.
pub(super) fn job(
    kind: &'static str,
    key: &str,
    args: String,
    priority: Priority,
    policy: RetryPolicy,
) -> NewJob {
    NewJob {
        kind,
        queue: MAINTENANCE,
        lane: "",
        key: Some(key.to_owned()),
        args,
        priority,
        max_attempts: policy.max_attempts(),
        run_at: None,
        after: After::default(),
    }
}

/// The database cannot be written now, or has ended: later, without an attempt spent. Anything else is a bug, and told.
pub(super) fn store_failed(error: &StoreError) -> TaskResult {
    let why = error.to_string();
    if error.is_told() {
        let delay = Duration::from_secs(5);
        return Outcome::Snooze { delay, why }.into();
    }
    Outcome::Retry(crate::model::Failure::new("store", why).retryable()).into()
}

//! Finished jobs are kept for a time, then deleted: a few at a time, so that no work waits for it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use super::clock::Clock;
use super::store::JobStore;
use super::trouble::Trouble;
use riftsync_basics::Timestamp;
use riftsync_basics::time::as_text_if_any;
use riftsync_supervision::report_state;

/// Jobs deleted in one transaction.
const BATCH: usize = 500;
/// The pause between two such transactions while there is more to delete.
const BREATH: Duration = Duration::from_millis(50);
const EVERY: Duration = Duration::from_mins(10);

/// How the pruner stands.
#[derive(Debug, Default, Serialize)]
struct PrunerState {
    /// None: this engine did not lead yet.
    #[serde(serialize_with = "as_text_if_any")]
    looked_at: Option<Timestamp>,
    /// Jobs that it deleted since it was started.
    pruned: usize,
}

/// Of several engines the one that leads prunes.
pub(super) async fn prune_on<S: JobStore + ?Sized>(
    store: Arc<S>,
    keep: Duration,
    mut leads: watch::Receiver<bool>,
    clock: Clock,
) {
    let trouble = Trouble::new("finished jobs are pruned later");
    let mut state = PrunerState::default();
    report_state(&state);
    while leads.wait_for(|leads| *leads).await.is_ok() {
        let now = clock.now();
        let pruned = store.prune(now - keep, BATCH).await;
        trouble.heed(&pruned);
        if let Ok(pruned) = &pruned {
            state.looked_at = Some(now);
            state.pruned += pruned;
            report_state(&state);
        }
        let pause = match pruned {
            Ok(BATCH..) => BREATH,
            Ok(_) | Err(_) => EVERY,
        };
        tokio::time::sleep(pause).await;
    }
    // Nobody will lead any more: the engine ends.
    std::future::pending::<()>().await;
}

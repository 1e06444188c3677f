//! Finished jobs are kept for a time, then deleted: a few at a time, so that no work waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::clock::Clock;
use super::store::JobStore;
use super::trouble::Trouble;

/// Jobs deleted in one transaction.
const BATCH: usize = 500;
/// The pause between two such transactions while there is more to delete.
const BREATH: Duration = Duration::from_millis(50);
const EVERY: Duration = Duration::from_mins(10);

/// Of several engines the one that leads prunes.
pub(super) async fn prune_on<S: JobStore + ?Sized>(
    store: Arc<S>,
    keep: Duration,
    mut leads: watch::Receiver<bool>,
    clock: Clock,
) {
    let trouble = Trouble::new("finished jobs are pruned later");
    while leads.wait_for(|leads| *leads).await.is_ok() {
        let pruned = store.prune(clock.now() - keep, BATCH).await;
        trouble.heed(&pruned);
        let pause = match pruned {
            Ok(BATCH..) => BREATH,
            Ok(_) | Err(_) => EVERY,
        };
        tokio::time::sleep(pause).await;
    }
    // Nobody will lead any more: the engine ends.
    std::future::pending::<()>().await;
}

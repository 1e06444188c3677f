//! Jobs whose time has come: moves them to `available`, at the moment the first is due.

use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::store::JobStore;
use super::trouble::Trouble;

/// A look at least this often, whatever the hints say.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// See the module.
pub(super) async fn stage_on<S: JobStore + ?Sized>(store: Arc<S>, clock: Clock) {
    let trouble = Trouble::new("waiting jobs cannot be staged now");
    loop {
        let now = clock.now();
        let staged = store.stage(now).await;
        trouble.heed(&staged);
        let pause = match staged {
            Ok(staged) => staged
                .next_due
                .map_or(LOOK_MAX, |due| due.since(now).min(LOOK_MAX)),
            Err(_) => LOOK_MAX,
        };
        let schedule = store.hints().schedule();
        tokio::select! {
            _ = tokio::time::timeout(pause, schedule.notified()) => {}
            () = clock.moved_from(now) => {}
        }
    }
}

//! Jobs whose time has come: moves them to `available`, at the moment the first is due.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::clock::Clock;
use super::store::JobStore;
use super::trouble::Trouble;
use riftsync_basics::Timestamp;
use riftsync_basics::time::{as_text, as_text_if_any};
use riftsync_supervision::report_state;

/// A look at least this often, whatever the hints say.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// How the stager stands.
#[derive(Debug, Serialize)]
struct StagerState {
    #[serde(serialize_with = "as_text")]
    looked_at: Timestamp,
    /// Jobs that became ready at the last look.
    staged: usize,
    #[serde(serialize_with = "as_text_if_any")]
    next_due: Option<Timestamp>,
}

/// See the module.
pub(super) async fn stage_on<S: JobStore + ?Sized>(store: Arc<S>, clock: Clock) {
    let trouble = Trouble::new("waiting jobs cannot be staged now");
    loop {
        let now = clock.now();
        let staged = store.stage(now).await;
        trouble.heed(&staged);
        if let Ok(staged) = &staged {
            report_state(&StagerState {
                looked_at: now,
                staged: staged.moved,
                next_due: staged.next_due,
            });
        }
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

//! The supervisor's side of the store's writer: when its thread dies, this child dies with it, and
//! its successor starts a new one.

use std::sync::Arc;

use super::store::JobStore;
use riftsync_supervision::EndReason;

/// See the module. `restart`: the first start finds the writer running.
pub(super) async fn watch<S: JobStore + ?Sized>(store: Arc<S>, restart: bool) -> EndReason {
    if restart && let Err(error) = store.restart_writer() {
        return EndReason::Died(error.to_string());
    }
    EndReason::Died(store.writer_died().await)
}

//! Finished jobs are kept for a time, then deleted: a few at a time, so that no work waits for it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::model::Timestamp;
use crate::store::Store;
use crate::supervision::{ChildGuard, EndReason};

/// Jobs deleted in one transaction.
const BATCH: usize = 500;
/// The pause between two such transactions while there is more to delete.
const BREATH: Duration = Duration::from_millis(50);
const EVERY: Duration = Duration::from_mins(10);

/// See the module.
#[derive(Debug)]
pub struct Pruner {
    store: Arc<dyn Store>,
    keep: Duration,
    guard: ChildGuard,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopPruner;

impl Pruner {
    pub fn new(store: Arc<dyn Store>, keep: Duration, guard: ChildGuard) -> Self {
        Self { store, keep, guard }
    }
}

impl Actor for Pruner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (store, keep) = (self.store.clone(), self.keep);
        ctx.spawn(
            async move {
                loop {
                    let pause = match store.prune(Timestamp::now() - keep, BATCH).await {
                        Ok(BATCH..) => BREATH,
                        Ok(_) => EVERY,
                        Err(error) => {
                            tracing::debug!("finished jobs are pruned later: {error}");
                            EVERY
                        }
                    };
                    tokio::time::sleep(pause).await;
                }
            }
            .into_actor(self),
        );
    }
}

impl Handler<StopPruner> for Pruner {
    type Result = ();
    fn handle(&mut self, _: StopPruner, ctx: &mut Self::Context) {
        self.guard.ends(EndReason::Shutdown);
        ctx.stop();
    }
}

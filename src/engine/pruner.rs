//! Finished jobs are kept for a time, then deleted: a few at a time, so that no work waits for it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::watch;

use super::clock::Clock;
use super::trouble::Trouble;
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
    leads: watch::Receiver<bool>,
    clock: Clock,
    guard: ChildGuard,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopPruner;

impl Pruner {
    /// `leads`: of several engines one prunes.
    pub fn new(
        store: Arc<dyn Store>,
        keep: Duration,
        leads: watch::Receiver<bool>,
        clock: Clock,
        guard: ChildGuard,
    ) -> Self {
        Self {
            store,
            keep,
            leads,
            clock,
            guard,
        }
    }
}

impl Actor for Pruner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (store, keep, mut leads) = (self.store.clone(), self.keep, self.leads.clone());
        let clock = self.clock.clone();
        ctx.spawn(
            async move {
                let trouble = Trouble::new("finished jobs are pruned later");
                // An error is the end of the engine.
                while leads.wait_for(|leads| *leads).await.is_ok() {
                    let pruned = store.prune(clock.now() - keep, BATCH).await;
                    trouble.heed(&pruned);
                    let pause = match pruned {
                        Ok(BATCH..) => BREATH,
                        Ok(_) | Err(_) => EVERY,
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

//! Jobs whose time has come: moves them to `available`, at the moment the first is due.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::clock::Clock;
use super::trouble::Trouble;
use crate::store::Store;
use crate::supervision::{ChildGuard, EndReason};

/// A look at least this often, whatever the hints say.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Stager {
    store: Arc<dyn Store>,
    clock: Clock,
    guard: ChildGuard,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopStager;

impl Stager {
    pub fn new(store: Arc<dyn Store>, clock: Clock, guard: ChildGuard) -> Self {
        Self {
            store,
            clock,
            guard,
        }
    }
}

impl Actor for Stager {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        ctx.spawn(
            async move {
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
            .into_actor(self),
        );
    }
}

impl Handler<StopStager> for Stager {
    type Result = ();
    fn handle(&mut self, _: StopStager, ctx: &mut Self::Context) {
        self.guard.ends(EndReason::Shutdown);
        ctx.stop();
    }
}

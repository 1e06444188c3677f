//! The supervisor's side of the store's writer: when its thread dies, this actor dies with it, and
//! its successor starts a new one.

use std::sync::Arc;

use actix::prelude::*;

use crate::store::Store;
use crate::supervision::{ChildGuard, EndReason};

/// See the module.
#[derive(Debug)]
pub struct StoreWriter {
    store: Arc<dyn Store>,
    guard: ChildGuard,
    /// The first start finds the writer running.
    restart: bool,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopWriter;

impl StoreWriter {
    pub fn new(store: Arc<dyn Store>, restart: bool, guard: ChildGuard) -> Self {
        Self {
            store,
            guard,
            restart,
        }
    }
}

impl Actor for StoreWriter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.restart
            && let Err(error) = self.store.restart_writer()
        {
            self.guard.ends(EndReason::Died(error.to_string()));
            ctx.stop();
            return;
        }
        let store = self.store.clone();
        let died = async move { store.writer_died().await };
        ctx.spawn(died.into_actor(self).map(|cause, this, ctx| {
            this.guard.ends(EndReason::Died(cause));
            ctx.stop();
        }));
    }
}

impl Handler<StopWriter> for StoreWriter {
    type Result = ();
    fn handle(&mut self, _: StopWriter, ctx: &mut Self::Context) {
        self.guard.ends(EndReason::Shutdown);
        ctx.stop();
    }
}

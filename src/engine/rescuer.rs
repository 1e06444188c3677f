//! Returns the jobs of dead engines.
//!
//! The leader looks after each of its heartbeats: an engine is dead after [`DEAD_AFTER`](crate::store::DEAD_AFTER),
//! a lead is over sooner, so the jobs of any engine run again within half a minute. Two that rescue at the same
//! time do no harm: each job is returned by one of them.

use std::sync::Arc;

use actix::prelude::*;

use super::clock::Clock;
use super::heartbeat::{EVERY, Standings};
use super::trouble::Trouble;
use crate::metrics::Metrics;
use crate::store::{Store, StoreResult};
use crate::supervision::{ChildGuard, EndReason};

/// See the module.
#[derive(Debug)]
pub struct Rescuer {
    duty: Arc<Duty>,
    guard: ChildGuard,
}

/// What there is to do, and with what.
#[derive(Debug)]
pub(super) struct Duty {
    pub(super) engine: Arc<str>,
    pub(super) store: Arc<dyn Store>,
    pub(super) standings: Arc<Standings>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopRescuer;

impl Duty {
    /// Returns what dead engines held, if this engine leads.
    pub(super) async fn look(&self) -> StoreResult<()> {
        if self.standings.leads().is_none() {
            return Ok(());
        }
        let rescued = self.store.rescue(&self.engine, self.clock.now()).await?;
        if rescued.returned + rescued.poisoned > 0 {
            let what = format!(
                "{} jobs of an engine that ended abruptly run again; {} were discarded after too many such ends",
                rescued.returned, rescued.poisoned
            );
            tracing::info!("{what}");
            self.metrics
                .events
                .tell("jobs_rescued", "/engine/rescuer", &what);
        }
        Ok(())
    }
}

impl Rescuer {
    pub(super) fn new(duty: Arc<Duty>, guard: ChildGuard) -> Self {
        Self { duty, guard }
    }
}

impl Actor for Rescuer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Who has the database for itself rescued at its start all there was.
        if !self.duty.store.is_shared() {
            return;
        }
        let duty = self.duty.clone();
        ctx.spawn(
            async move {
                let trouble = Trouble::new("jobs of dead engines are returned later");
                let mut heard = duty.standings.watch();
                loop {
                    trouble.heed(&duty.look().await);
                    let _ = tokio::time::timeout(EVERY, heard.changed()).await;
                }
            }
            .into_actor(self),
        );
    }
}

impl Handler<StopRescuer> for Rescuer {
    type Result = ();
    fn handle(&mut self, _: StopRescuer, ctx: &mut Self::Context) {
        self.guard.ends(EndReason::Shutdown);
        ctx.stop();
    }
}

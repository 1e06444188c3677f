//! The right to send one call, and what becomes of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::actor::RateLimiter;
use super::board::Board;
use super::budget::{Departure, MethodId};
use super::clock::Clock;
use super::observation::Observation;
use riftsync_model::Priority;

/// Waits for a permit. The answer comes when it is granted; whoever no longer waits for the answer
/// has left the line.
#[derive(Debug, Message)]
#[rtype(result = "Result<Permit, AcquireError>")]
pub struct Acquire {
    pub method: MethodId,
    pub priority: Priority,
    /// Whose call it is: flows of one priority take turns.
    pub flow: u64,
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcquireError {
    /// More wait than memory should be spent on. Come back later.
    #[error("{waiting} calls wait for the limits already")]
    LineFull { waiting: usize },
}

/// The permit is too old: other engines may have its place. Wait for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the permit is too old to be used")]
pub struct Stale;

/// For how long a permit is good where engines share the limits.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub board: Arc<dyn Board>,
    pub until: Duration,
}

/// The right to send one call now. Say `begin` when it goes and `observe` when it ended.
///
/// Dropped before `begin` it is given back, as nothing was sent. Dropped after, the call counts: the
/// server may have seen it.
#[must_use = "a permit that is dropped is given back"]
pub struct Permit {
    limiter: Addr<RateLimiter>,
    clock: Clock,
    /// None: nobody else has the key.
    lease: Option<Lease>,
    urgent: bool,
    /// None once it is reported.
    departure: Option<Departure>,
    begun: Option<Duration>,
}

impl Permit {
    pub(super) fn new(
        limiter: Addr<RateLimiter>,
        clock: Clock,
        lease: Option<Lease>,
        departure: Departure,
        urgent: bool,
    ) -> Self {
        Self {
            limiter,
            clock,
            lease,
            urgent,
            departure: Some(departure),
            begun: None,
        }
    }

    /// The call goes now. From here on it counts, whatever becomes of it.
    ///
    /// An error: the process stood still since the permit was granted, or others took it for dead. Nothing may go.
    pub fn begin(&mut self) -> Result<(), Stale> {
        let now = self.clock.now();
        let is_good = |lease: &Lease| now <= lease.until && lease.board.is_seen();
        if !self.lease.as_ref().is_none_or(is_good) {
            return Err(Stale);
        }
        self.begun = Some(now);
        Ok(())
    }

    /// Tells the limiter how the call ended.
    pub fn observe(mut self, observation: Observation) {
        self.report(Some(observation));
    }

    fn report(&mut self, observation: Option<Observation>) {
        let Some(departure) = self.departure.take() else {
            return;
        };
        // One message per call in flight, of which there are few; it must not be lost.
        self.limiter.do_send(Ended {
            departure,
            urgent: self.urgent,
            begun: self.begun,
            at: self.clock.now(),
            observation,
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let unknown = self.begun.map(|_| Observation::default());
        self.report(unknown);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("departure", &self.departure)
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

/// A call is over, or (no observation) was never sent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Ended {
    pub departure: Departure,
    pub urgent: bool,
    pub begun: Option<Duration>,
    pub at: Duration,
    pub observation: Option<Observation>,
}

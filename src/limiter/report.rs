//! What a limiter tells of itself: how long calls would take, and how it stands.

use std::time::Duration;

use actix::prelude::*;

use super::budget::{MethodId, WindowState};
use super::observation::RefusedBy;
use riftsync_model::{Priority, Route, Share};

/// How long it takes until the last of these calls has gone, under the present limits and behind
/// those who go before them. Limits that are not known yet are taken to be none.
#[derive(Debug, Message)]
#[rtype(result = "Duration")]
pub struct Estimate {
    pub calls: Vec<(MethodId, u32)>,
    pub whose: Whose,
    pub elsewhere: Elsewhere,
}

/// Whose calls they are: by that is said who goes before them.
#[derive(Debug, Clone, Copy)]
pub struct Whose {
    pub priority: Priority,
    pub flow: u64,
}

/// Calls of others that will come into the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// More urgent ones.
    pub before: u32,
    /// As urgent ones.
    pub beside: u32,
}

/// How many calls of others go before the last of so many of ours: all that are more urgent, and of those beside us one
/// of each flow for each of ours.
pub(super) fn between(ours: u32, others: Elsewhere, flows: usize) -> u32 {
    let flows = u32::try_from(flows.max(1)).unwrap_or(u32::MAX);
    let beside = others.beside.min(ours.saturating_mul(flows));
    others.before.saturating_add(beside)
}

/// The part of the limits that may be used from now on.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct SetShare(pub Share);

/// How the limiter stands.
#[derive(Debug, Clone, Copy, Default, Message)]
#[rtype(result = "LimiterState")]
pub struct Snapshot;

/// 429s by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefusedCounts {
    pub application: u64,
    pub method: u64,
    /// Of the service, of unknown type, or of none.
    pub service: u64,
}

impl RefusedCounts {
    pub fn add(&mut self, by: RefusedBy) {
        *match by {
            RefusedBy::Application => &mut self.application,
            RefusedBy::Method => &mut self.method,
            RefusedBy::Service => &mut self.service,
        } += 1;
    }

    pub fn total(&self) -> u64 {
        self.application + self.method + self.service
    }
}

/// The answer to `Snapshot`.
#[derive(Debug, Clone, PartialEq, Eq, MessageResponse)]
pub struct LimiterState {
    pub route: Route,
    pub windows: Vec<WindowState>,
    pub waiting: usize,
    /// How long until the first of those who wait may go; none: nobody waits, or an answer has to come first.
    pub opens_in: Option<Duration>,
    pub in_flight: u32,
    /// Permits granted so far.
    pub granted: u64,
    /// Permits that came back unsent.
    pub given_back: u64,
    pub refused: RefusedCounts,
    /// How long the whole route still stands still; zero if it does not.
    pub paused: Duration,
    /// The same of single methods, where it is not zero.
    pub paused_methods: Vec<(MethodId, Duration)>,
    /// Pauses and windows that were told and are too long to be believed: of the whole route, or of single methods.
    pub excesses: Vec<(Option<MethodId>, Duration)>,
    /// Those who wait could go if other engines left more of the key.
    pub wants_share: bool,
    /// The part of the limits that may be used here.
    pub share: Share,
    /// The part of them that other programs use, in percent; none: nobody is known to.
    pub strangers: Option<u32>,
    /// What a round trip takes of late; zero before the first.
    pub round_trip: Duration,
}

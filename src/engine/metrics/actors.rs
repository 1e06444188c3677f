//! The tree of actors as it stands: who runs, and who was restarted how often.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Metrics;
use riftsync_basics::Timestamp;
use riftsync_supervision::{EndReason, Observer};

/// One supervised actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActorState {
    pub up: bool,
    /// Since the engine started.
    pub restarts: u64,
    /// When it was last started, or died.
    pub since: Timestamp,
}

/// By path: `/engine/queues/player_sync`.
#[derive(Debug, Default)]
pub struct Actors(Mutex<BTreeMap<String, ActorState>>);

impl Actors {
    /// True: it was there before, and this is a restart.
    pub fn started(&self, path: &str, now: Timestamp) -> bool {
        let mut actors = self.lock();
        let Some(actor) = actors.get_mut(path) else {
            let actor = ActorState {
                up: true,
                restarts: 0,
                since: now,
            };
            actors.insert(path.to_owned(), actor);
            return false;
        };
        actor.up = true;
        actor.since = now;
        actor.restarts += 1;
        true
    }

    pub fn ended(&self, path: &str, now: Timestamp) {
        if let Some(actor) = self.lock().get_mut(path) {
            actor.up = false;
            actor.since = now;
        }
    }

    pub fn all(&self) -> BTreeMap<String, ActorState> {
        self.lock().clone()
    }

    pub fn restarts(&self, path: &str) -> u64 {
        self.lock().get(path).map_or(0, |actor| actor.restarts)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ActorState>> {
        // A map of plain values: a panic elsewhere cannot leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Metrics {
    fn started(&self, path: &str) {
        let again = self.actors.started(path, Timestamp::now());
        let event = if again {
            "actor_restarted"
        } else {
            "actor_started"
        };
        self.events.tell(event, path, "");
    }

    fn ended(&self, path: &str, reason: &EndReason) {
        if let EndReason::Died(cause) = reason {
            self.events.tell("actor_died", path, cause);
        }
        self.actors.ended(path, Timestamp::now());
    }

    fn gave_up(&self, path: &str, why: &str) {
        self.events.tell("escalated", path, why);
    }
}

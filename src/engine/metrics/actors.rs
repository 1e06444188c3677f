//! The tree of actors as it stands: who runs, who was restarted how often, and what each says of itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::Metrics;
use riftsync_basics::Timestamp;
use riftsync_supervision::{EndReason, Observer};

/// One supervised actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorState {
    pub up: bool,
    /// Since the engine started.
    pub restarts: u64,
    /// When it was last started, or died.
    pub since: Timestamp,
    /// What it said last of itself since it was started: an object. What it counts is in the samples of its path.
    pub state: Option<Value>,
}

/// By path: `/engine/queues/player_sync`.
#[derive(Debug, Default)]
pub struct Actors {
    all: Mutex<BTreeMap<String, ActorState>>,
    changed: watch::Sender<()>,
}

impl Actors {
    /// True: it was there before, and this is a restart.
    pub fn started(&self, path: &str, now: Timestamp) -> bool {
        let mut again = false;
        self.change(|actors| {
            let before = actors.get(path).map(|actor| actor.restarts);
            let actor = ActorState {
                up: true,
                restarts: before.map_or(0, |restarts| restarts + 1),
                since: now,
                state: None,
            };
            actors.insert(path.to_owned(), actor);
            again = before.is_some();
        });
        again
    }

    pub fn ended(&self, path: &str, now: Timestamp) {
        self.change(|actors| {
            if let Some(actor) = actors.get_mut(path) {
                actor.up = false;
                actor.since = now;
            }
        });
    }

    /// It says how it stands.
    pub fn reported(&self, path: &str, state: Value) {
        self.change(|actors| {
            if let Some(actor) = actors.get_mut(path) {
                actor.state = Some(state);
            }
        });
    }

    pub fn all(&self) -> BTreeMap<String, ActorState> {
        self.lock().clone()
    }

    pub fn restarts(&self, path: &str) -> u64 {
        self.lock().get(path).map_or(0, |actor| actor.restarts)
    }

    /// Waits until an actor stands so.
    pub async fn wait_for(&self, path: &str, stands: impl Fn(&ActorState) -> bool) {
        let mut changed = self.changed.subscribe();
        while !self.lock().get(path).is_some_and(&stands) {
            // The sender is ours.
            let _ = changed.changed().await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, ActorState>)) {
        change(&mut self.lock());
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ActorState>> {
        // A map of plain values: a panic elsewhere cannot leave it half changed.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn reported(&self, path: &str, state: Value) {
        self.actors.reported(path, state);
    }

    fn gave_up(&self, path: &str, why: &str) {
        self.events.tell("escalated", path, why);
    }
}

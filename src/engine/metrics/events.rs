//! Life-cycle events and failures: rare things, told one by one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use riftsync_basics::Timestamp;
use riftsync_basics::time::as_text;

/// Events that wait to be written; beyond them the oldest is dropped, and counted.
const PENDING_MAX: usize = 1_024;
/// Events and failures that are remembered for who asks.
const RECENT_MAX: usize = 64;

/// Something that happens rarely enough to be told one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// A stable word for programs: `actor_died`, `key_rejected`, ...
    pub event: &'static str,
    /// Whose it is, as a path.
    pub actor: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A job's attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedAttempt {
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    pub job_id: i64,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub message: String,
    /// It will be tried again.
    pub retried: bool,
}

#[derive(Debug, Default)]
struct Kept {
    pending: VecDeque<Event>,
    dropped: u64,
    recent: VecDeque<Event>,
    failures: VecDeque<FailedAttempt>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Events {
    kept: Mutex<Kept>,
    news: Notify,
}

impl Events {
    pub fn tell(&self, event: &'static str, actor: &str, detail: impl Into<String>) {
        let event = Event {
            at: Timestamp::now(),
            event,
            actor: actor.to_owned(),
            detail: detail.into(),
        };
        let mut kept = self.lock();
        push(&mut kept.recent, event.clone(), RECENT_MAX);
        kept.dropped += u64::from(push(&mut kept.pending, event, PENDING_MAX));
        drop(kept);
        self.news.notify_one();
    }

    pub fn failed(&self, failure: FailedAttempt) {
        push(&mut self.lock().failures, failure, RECENT_MAX);
    }

    /// Resolves when an event waits to be written.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// What waits to be written, and how many were dropped for want of room.
    pub(super) fn take(&self) -> (Vec<Event>, u64) {
        let mut kept = self.lock();
        let dropped = std::mem::take(&mut kept.dropped);
        (kept.pending.drain(..).collect(), dropped)
    }

    /// What could not be written waits again.
    pub(super) fn put_back(&self, events: Vec<Event>) {
        let mut kept = self.lock();
        for event in events.into_iter().rev() {
            if kept.pending.len() < PENDING_MAX {
                kept.pending.push_front(event);
            } else {
                kept.dropped += 1;
            }
        }
    }

    /// Newest last.
    pub fn recent(&self) -> (Vec<Event>, Vec<FailedAttempt>) {
        let kept = self.lock();
        (
            kept.recent.iter().cloned().collect(),
            kept.failures.iter().cloned().collect(),
        )
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Lists of plain values: a panic elsewhere cannot leave them half changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True: the oldest had to go.
fn push<T>(list: &mut VecDeque<T>, item: T, max: usize) -> bool {
    let full = list.len() >= max;
    if full {
        list.pop_front();
    }
    list.push_back(item);
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_wait_in_order_and_those_that_find_no_room_are_counted() {
        let events = Events::default();
        for n in 0..PENDING_MAX + 3 {
            events.tell("actor_started", "/a", n.to_string());
        }
        let (pending, dropped) = events.take();
        assert_eq!((pending.len(), dropped), (PENDING_MAX, 3));
        assert_eq!(pending[0].detail, "3");
        events.tell("actor_died", "/a", "");
        events.put_back(pending[..2].to_vec());
        let (again, _) = events.take();
        let details: Vec<&str> = again.iter().map(|event| event.detail.as_str()).collect();
        assert_eq!(details, ["3", "4", ""]);
        assert_eq!(events.recent().0.len(), RECENT_MAX);
    }
}

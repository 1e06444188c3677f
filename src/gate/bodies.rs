//! Bodies in memory are bounded in bytes, from their call until they are committed, however many jobs may run.
//!
//! A call for a document waits for room before it has a place in the limiter's line. What a person waits for never
//! does: it is little, and the bound is there against a crawl. The room is given back when the last copy of the
//! body goes, wherever that is.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::riot::Method;

/// What a document is taken to need before its size is known: nearly all need less. In KiB.
const USUAL_KIB: u32 = 128;

/// Room for bodies.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    free: Arc<Semaphore>,
    usual_kib: u32,
}

/// A body and its room.
struct Held {
    body: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Bodies {
    pub(super) fn new(mib: u32) -> Self {
        let all_kib = mib.max(1).saturating_mul(1024);
        Self {
            free: Arc::new(Semaphore::new(all_kib as usize)),
            usual_kib: USUAL_KIB.min(all_kib),
        }
    }

    /// Room for the answer to a call. None: it needs none worth counting, or may not wait for it.
    pub(super) async fn room(&self, method: Method, urgent: bool) -> Option<OwnedSemaphorePermit> {
        if !matches!(method, Method::Match | Method::Timeline) {
            return None;
        }
        let free = self.free.clone();
        if urgent {
            return free.try_acquire_many_owned(self.usual_kib).ok();
        }
        // It is never closed.
        free.acquire_many_owned(self.usual_kib).await.ok()
    }

    /// The same body, which keeps as much room as it takes until its last copy goes.
    pub(super) fn hold(&self, body: Bytes, room: Option<OwnedSemaphorePermit>) -> Bytes {
        let Some(mut room) = room else { return body };
        let taken = body.len().div_ceil(1024);
        let reserved = room.num_permits();
        if taken < reserved {
            drop(room.split(reserved - taken));
        } else if let Ok(more) = u32::try_from(taken - reserved)
            && let Ok(more) = self.free.clone().try_acquire_many_owned(more)
        {
            // One that is larger than usual is there already: to wait with it would free nothing.
            room.merge(more);
        }
        Bytes::from_owner(Held { body, _room: room })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn body(kib: usize) -> Bytes {
        vec![7; kib * 1024].into()
    }

    #[tokio::test]
    async fn a_body_keeps_its_room_until_its_last_copy_goes_and_the_next_waits_for_it() {
        let bodies = Bodies::new(1);
        let mut held = Vec::new();
        for _ in 0..8 {
            let room = bodies.room(Method::Timeline, false).now_or_never();
            held.push(bodies.hold(body(120), room.expect("there is room")));
        }
        assert_eq!(bodies.free.available_permits(), 1024 - 8 * 120);
        let mut waits = Box::pin(bodies.room(Method::Match, false));
        assert!(waits.as_mut().now_or_never().is_none());
        let copy = held[0].clone();
        held.remove(0);
        assert!(waits.as_mut().now_or_never().is_none(), "a copy is there");
        drop(copy);
        let room = waits.await;
        assert_eq!(bodies.hold(body(1), room), body(1));
        drop(held);
        assert_eq!(bodies.free.available_permits(), 1024);
    }

    #[tokio::test]
    async fn what_a_person_waits_for_and_what_is_small_never_waits() {
        let bodies = Bodies::new(1);
        let large = bodies.room(Method::Match, false).await;
        let large = bodies.hold(body(900), large);
        assert_eq!(large.len(), 900 * 1024);
        assert_eq!(
            bodies.free.available_permits(),
            124,
            "it took more than usual"
        );
        assert!(bodies.room(Method::Match, true).await.is_none());
        assert!(bodies.room(Method::MatchIds, false).await.is_none());
        assert_eq!(bodies.hold(body(2), None), body(2));
    }
}

//! Commands are gathered into groups, and each group is given to the first writer that has none.
//!
//! A group waits for the end of the one before, and grows meanwhile: what a transaction costs hardly depends on how
//! much is in it, two of them need the same rows, and a session that is hardly used has to learn its statements all the
//! same. So the first writer does nearly all of the work. The others are there for the times when it is stuck: behind a
//! lock, or for a server that is far away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::command::Command;
use super::shared::Shared;
use crate::store::Effect;

/// Commands in one commit.
const GROUP_MAX: usize = 1_024;
/// Bytes of documents in one commit.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// A group that is under way is waited for so long; then the next goes beside it, on another connection.
const BESIDE_AFTER: Duration = Duration::from_millis(100);
/// So many are worth a transaction beside at once.
const MANY: usize = 512;
/// So few are carried out as soon as they can be: where so little comes, groups would not grow, and all would wait.
const FEW: usize = 4;

/// Commands for one transaction, which somebody has begun to carry out.
pub(super) struct Group<E> {
    pub(super) commands: Vec<Command<E>>,
    pub(super) busy: Busy,
}

/// A writer, as who gathers knows it.
struct Writer<E> {
    has_a_group: Arc<AtomicBool>,
    groups: mpsc::Sender<Group<E>>,
}

/// Gathers what waits into groups.
pub(super) struct Gatherer<E> {
    shared: Arc<Shared>,
    waiting: mpsc::Receiver<Command<E>>,
    writers: Vec<Writer<E>>,
}

impl<E: Effect> Gatherer<E> {
    pub(super) fn new(
        shared: Arc<Shared>,
        waiting: mpsc::Receiver<Command<E>>,
        writers: Vec<mpsc::Sender<Group<E>>>,
    ) -> Self {
        let target = |groups| Writer {
            has_a_group: Arc::default(),
            groups,
        };
        Self {
            shared,
            waiting,
            writers: writers.into_iter().map(target).collect(),
        }
    }

    /// Ends when every sender of commands is gone and what they sent is given out.
    pub(super) async fn run(mut self) {
        while let Some((commands, writer)) = self.next().await {
            let writer = &self.writers[writer];
            let busy = Busy::begin(&self.shared, &writer.has_a_group);
            // One that is gone drops it, and its callers hear that; all are started again then.
            let group = Group { commands, busy };
            if writer.groups.send(group).await.is_err() {
                return;
            }
        }
    }

    /// The next group, and who carries it out. None: there will be no more.
    async fn next(&mut self) -> Option<(Vec<Command<E>>, usize)> {
        let first = self.waiting.recv().await?;
        let mut bytes = first.weight();
        let mut group = vec![first];
        let begun = Instant::now();
        // Since when no other group is under way.
        let mut alone_since = begun;
        let mut more = true;
        loop {
            while group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
                let Ok(next) = self.waiting.try_recv() else {
                    break;
                };
                bytes += next.weight();
                group.push(next);
            }
            let is_full = group.len() >= GROUP_MAX || bytes >= GROUP_BYTES_MAX;
            let freed = self.shared.freed.notified();
            tokio::pin!(freed);
            // Before the look: an end between the two is heard of.
            freed.as_mut().enable();
            let free = self.free();
            let alone = self.shared.busy.load(Ordering::Acquire) == 0;
            let waits = match free {
                None => None,
                Some(_) if !alone && group.len() >= MANY => Some(Duration::ZERO),
                Some(_) if !alone => Some(BESIDE_AFTER),
                Some(_) if is_full || bytes == 0 || group.len() < FEW || !more => {
                    Some(Duration::ZERO)
                }
                Some(_) => Some(self.shared.gathers_for()),
            };
            let since = if alone { alone_since } else { begun };
            if let (Some(free), Some(waits)) = (free, waits)
                && since.elapsed() >= waits
            {
                return Some((group, free));
            }
            let end = since + waits.unwrap_or_default();
            tokio::select! {
                () = freed => alone_since = Instant::now(),
                () = tokio::time::sleep_until(end), if waits.is_some() => {}
                next = self.waiting.recv(), if more && !is_full => match next {
                    Some(next) => {
                        bytes += next.weight();
                        group.push(next);
                    }
                    None => more = false,
                },
            }
        }
    }

    /// The first that has no group.
    fn free(&self) -> Option<usize> {
        let has_none = |writer: &Writer<E>| !writer.has_a_group.load(Ordering::Acquire);
        self.writers.iter().position(has_none)
    }
}

/// A writer in the middle of a group, also if it panics there.
pub(super) struct Busy {
    shared: Arc<Shared>,
    has_a_group: Arc<AtomicBool>,
}

impl Busy {
    fn begin(shared: &Arc<Shared>, has_a_group: &Arc<AtomicBool>) -> Self {
        shared.busy.fetch_add(1, Ordering::AcqRel);
        has_a_group.store(true, Ordering::Release);
        Self {
            shared: shared.clone(),
            has_a_group: has_a_group.clone(),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.has_a_group.store(false, Ordering::Release);
        self.shared.busy.fetch_sub(1, Ordering::AcqRel);
        self.shared.freed.notify_waiters();
    }
}

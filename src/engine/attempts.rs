//! The attempts that run in this process, so that one can be told to end, or to hurry; and the actor that hears of
//! requests and tells them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use serde::Serialize;
use tokio::sync::watch;

use super::halt::Halt;
use super::store::JobStore;
use super::trouble::Trouble;
use riftsync_basics::{JobId, Lease, Priority};
use riftsync_supervision::report_state;

/// A look at least this often, whatever the hints say.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// Running attempts and what is asked of them. At most as many as the queues hold.
#[derive(Debug)]
pub struct Attempts {
    running: DashMap<Lease, Attempt>,
    /// All requests to cancel there are, also for attempts that are claimed and have not started.
    requested: Mutex<HashSet<Lease>>,
    /// The priorities that the jobs of this engine have by now.
    priorities: watch::Sender<Priorities>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            running: DashMap::new(),
            requested: Mutex::default(),
            priorities: watch::Sender::default(),
        }
    }
}

/// By lease.
pub(super) type Priorities = Arc<HashMap<Lease, Priority>>;

#[derive(Debug)]
struct Attempt {
    queue: &'static str,
    cancel: watch::Sender<bool>,
    urgency: watch::Sender<Priority>,
    post: Post,
}

/// How urgent a job is now: somebody may come to wait for it while it runs.
#[derive(Debug, Clone)]
pub struct Urgency(watch::Receiver<Priority>);

impl Urgency {
    /// Of what stays as it is.
    pub fn fixed(priority: Priority) -> Self {
        Self(watch::channel(priority).1)
    }

    /// An urgency and what raises it.
    pub fn pair(priority: Priority) -> (watch::Sender<Priority>, Self) {
        let (raise, urgency) = watch::channel(priority);
        (raise, Self(urgency))
    }

    pub fn now(&self) -> Priority {
        *self.0.borrow()
    }

    /// Resolves when it is more urgent than that; never, if it does not become it.
    pub async fn beyond(&self, priority: Priority) {
        let mut urgency = self.0.clone();
        if urgency.wait_for(|now| *now < priority).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Where an attempt says what it stands still for.
#[derive(Debug, Clone, Default)]
pub struct Post(Arc<Mutex<Option<Halt>>>);

impl Post {
    /// It stands still for that until what is returned is dropped.
    #[must_use]
    pub fn halt(&self, halt: Halt) -> Halted<'_> {
        *self.lock() = Some(halt);
        Halted(self)
    }

    fn now(&self) -> Option<Halt> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Halt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Post::halt`].
#[derive(Debug)]
pub struct Halted<'p>(&'p Post);

impl Drop for Halted<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

/// An attempt's place in the list; it leaves it when dropped.
#[derive(Debug)]
pub struct Listed {
    attempts: Arc<Attempts>,
    lease: Lease,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.attempts.running.remove(&self.lease);
    }
}

/// Tells an attempt that somebody asked to cancel its job.
#[derive(Debug, Clone)]
pub struct CancelSignal(watch::Receiver<bool>);

impl CancelSignal {
    /// Resolves when the job is to be cancelled; never, if it is not.
    pub async fn requested(&self) {
        let mut signal = self.0.clone();
        if signal.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// A signal and what gives it.
    pub fn pair() -> (watch::Sender<bool>, Self) {
        let (tell, signal) = watch::channel(false);
        (tell, Self(signal))
    }

    /// The signal of a job that nobody can cancel.
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }
}

impl Attempts {
    pub fn list(
        self: &Arc<Self>,
        lease: Lease,
        priority: Priority,
        queue: &'static str,
        post: Post,
    ) -> (Listed, CancelSignal, Urgency) {
        let (cancel, signal) = watch::channel(false);
        let (raise, urgency) = Urgency::pair(priority);
        let attempt = Attempt {
            queue,
            cancel,
            urgency: raise,
            post,
        };
        self.running.insert(lease, attempt);
        // Asked after the insert: a request between the two is seen by one of them.
        let requested = self
            .requested
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&lease);
        if requested {
            self.tell(lease);
        }
        let raised = self.priorities.borrow().get(&lease).copied();
        if let Some(priority) = raised {
            self.raise(lease, priority);
        }
        let listed = Listed {
            attempts: self.clone(),
            lease,
        };
        (listed, CancelSignal(signal), urgency)
    }

    /// What the running attempt of the job stands still for; none: none runs.
    pub fn halt_of(&self, job: JobId) -> Option<Option<Halt>> {
        let mut running = self.running.iter();
        let attempt = running.find(|attempt| attempt.key().job == job)?;
        Some(attempt.post.now())
    }

    /// Of all that run: the job, its queue, and what it stands still for.
    pub fn all(&self) -> Vec<(JobId, &'static str, Option<Halt>)> {
        let told = |attempt: dashmap::mapref::multiple::RefMulti<'_, Lease, Attempt>| {
            (attempt.key().job, attempt.queue, attempt.post.now())
        };
        self.running.iter().map(told).collect()
    }

    /// All attempts of this engine that are to be cancelled.
    fn requests(&self, leases: Vec<Lease>) {
        let requested: HashSet<Lease> = leases.iter().copied().collect();
        *self
            .requested
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = requested;
        for lease in leases {
            self.tell(lease);
        }
    }

    /// The priorities that all jobs of this engine have by now: they may have become more urgent.
    fn hurry(&self, held: Vec<(Lease, Priority)>) {
        let held: HashMap<Lease, Priority> = held.into_iter().collect();
        // In their place before attempts are told: one that is listed in between looks there.
        self.priorities.send_if_modified(|known| {
            let changes = **known != held;
            if changes {
                *known = Arc::new(held.clone());
            }
            changes
        });
        for (lease, priority) in held {
            self.raise(lease, priority);
        }
    }

    fn raise(&self, lease: Lease, priority: Priority) {
        if let Some(attempt) = self.running.get(&lease) {
            attempt.urgency.send_if_modified(|now| {
                let changes = priority < *now;
                if changes {
                    *now = priority;
                }
                changes
            });
        }
    }

    pub(super) fn watch_priorities(&self) -> watch::Receiver<Priorities> {
        self.priorities.subscribe()
    }

    fn tell(&self, lease: Lease) {
        if let Some(attempt) = self.running.get(&lease) {
            attempt.cancel.send_replace(true);
        }
    }
}

/// How the canceller stands.
#[derive(Debug, Serialize)]
struct CancellerState {
    /// Running jobs of this engine that are to be cancelled.
    requests: usize,
}

/// Hears of requests to cancel running jobs, and of jobs that somebody waits for by now.
pub(super) async fn heed_requests<S: JobStore + ?Sized>(
    engine: Arc<str>,
    store: Arc<S>,
    attempts: Arc<Attempts>,
) {
    let trouble = Trouble::new("requests to cancel wait");
    let mut asked = None;
    loop {
        let requests = store.cancel_requests(&engine).await;
        trouble.heed(&requests);
        if let Ok(leases) = requests {
            let requests = leases.len();
            if asked.replace(requests) != Some(requests) {
                report_state(&CancellerState { requests });
            }
            attempts.requests(leases);
            // Where that could be asked, this can; if not, the next look will tell.
            if let Ok(held) = store.held(&engine).await {
                attempts.hurry(held);
            }
        }
        let _ = tokio::time::timeout(LOOK_MAX, store.hints().cancels().notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use riftsync_basics::JobId;

    const LEASE: Lease = Lease {
        job: JobId(1),
        token: 7,
    };

    #[test]
    fn a_request_reaches_a_running_attempt_and_one_that_starts_later() {
        let attempts = Arc::new(Attempts::default());
        let list = |lease| attempts.list(lease, Priority::DEFAULT, "q", Post::default());
        let (listed, signal, _) = list(LEASE);
        assert!(!signal.is_requested());
        attempts.requests(vec![LEASE]);
        assert!(signal.is_requested());
        drop(listed);
        assert!(attempts.running.is_empty());
        let (_listed, late, _) = list(LEASE);
        assert!(late.is_requested());
        let other = Lease { token: 8, ..LEASE };
        let (_listed, other, _) = list(other);
        assert!(!other.is_requested(), "another attempt of the job");
    }

    #[test]
    fn a_running_attempt_hurries_and_so_does_one_that_was_claimed_before_and_starts_later() {
        let attempts = Arc::new(Attempts::default());
        let list = |lease| attempts.list(lease, Priority::DEFAULT, "q", Post::default());
        let late = Lease { token: 8, ..LEASE };
        let (_listed, _, urgency) = list(LEASE);
        let mut raised = Box::pin(urgency.beyond(Priority::DEFAULT));
        assert!(raised.as_mut().now_or_never().is_none());
        let told = [(LEASE, Priority::INTERACTIVE), (late, Priority::FIRST)];
        attempts.hurry(told.to_vec());
        assert!(raised.now_or_never().is_some());
        assert_eq!(urgency.now(), Priority::INTERACTIVE);
        let (_listed, _, urgency) = list(late);
        assert_eq!(urgency.now(), Priority::FIRST);
        attempts.hurry(vec![(late, Priority::LAST)]);
        assert_eq!(urgency.now(), Priority::FIRST, "nobody is told to dawdle");
    }
}

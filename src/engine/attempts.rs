//! The attempts that run in this process, so that one can be told to end; and the actor that hears of
//! requests to cancel and tells them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use dashmap::DashMap;
use tokio::sync::watch;

use super::trouble::Trouble;
use crate::model::waiting::Halt;
use crate::model::{JobId, Lease};
use crate::store::Store;
use crate::supervision::{ChildGuard, EndReason};

/// A look at least this often, whatever the hints say.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// Running attempts and the requests to cancel them. At most as many as the queues hold.
#[derive(Debug, Default)]
pub struct Attempts {
    running: DashMap<Lease, Attempt>,
    /// All requests there are, also for attempts that are claimed and have not started.
    requested: Mutex<HashSet<Lease>>,
}

#[derive(Debug)]
struct Attempt {
    queue: &'static str,
    cancel: watch::Sender<bool>,
    post: Post,
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
        queue: &'static str,
        post: Post,
    ) -> (Listed, CancelSignal) {
        let (cancel, signal) = watch::channel(false);
        let attempt = Attempt {
            queue,
            cancel,
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
        let listed = Listed {
            attempts: self.clone(),
            lease,
        };
        (listed, CancelSignal(signal))
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

    fn tell(&self, lease: Lease) {
        if let Some(attempt) = self.running.get(&lease) {
            attempt.cancel.send_replace(true);
        }
    }
}

/// Hears of requests to cancel running jobs.
#[derive(Debug)]
pub struct Canceller {
    engine: Arc<str>,
    store: Arc<dyn Store>,
    attempts: Arc<Attempts>,
    guard: ChildGuard,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopCanceller;

impl Canceller {
    pub fn new(
        engine: Arc<str>,
        store: Arc<dyn Store>,
        attempts: Arc<Attempts>,
        guard: ChildGuard,
    ) -> Self {
        Self {
            engine,
            store,
            attempts,
            guard,
        }
    }
}

impl Actor for Canceller {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (engine, store) = (self.engine.clone(), self.store.clone());
        let attempts = self.attempts.clone();
        ctx.spawn(
            async move {
                let trouble = Trouble::new("requests to cancel wait");
                loop {
                    let requests = store.cancel_requests(&engine).await;
                    trouble.heed(&requests);
                    if let Ok(leases) = requests {
                        attempts.requests(leases);
                    }
                    let _ =
                        tokio::time::timeout(LOOK_MAX, store.hints().cancels().notified()).await;
                }
            }
            .into_actor(self),
        );
    }
}

impl Handler<StopCanceller> for Canceller {
    type Result = ();
    fn handle(&mut self, _: StopCanceller, ctx: &mut Self::Context) {
        self.guard.ends(EndReason::Shutdown);
        ctx.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobId;

    const LEASE: Lease = Lease {
        job: JobId(1),
        token: 7,
    };

    #[test]
    fn a_request_reaches_a_running_attempt_and_one_that_starts_later() {
        let attempts = Arc::new(Attempts::default());
        let (listed, signal) = attempts.list(LEASE, "q", Post::default());
        assert!(!signal.is_requested());
        attempts.requests(vec![LEASE]);
        assert!(signal.is_requested());
        drop(listed);
        assert!(attempts.running.is_empty());
        let (_listed, late) = attempts.list(LEASE, "q", Post::default());
        assert!(late.is_requested());
        let other = Lease { token: 8, ..LEASE };
        let (_listed, other) = attempts.list(other, "q", Post::default());
        assert!(!other.is_requested(), "another attempt of the job");
    }
}

//! Following jobs: one look at the database for all jobs that somebody follows, however many follow
//! them.
//!
//! A follower holds the newest that is known of its job. One that is slow misses what lies between;
//! the end is always the last value there is, so nobody misses it and nobody is waited for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::model::{JobId, JobRecord};
use crate::store::{Store, StoreResult, question};

/// Between two looks.
const TICK: Duration = Duration::from_millis(100);
/// So many jobs are looked at so often; more of them less often.
const JOBS_PER_TICK: u32 = 50;
const TICK_MAX: Duration = Duration::from_secs(2);
/// A job that is followed for a moment only is looked at after this, and this part of how long it is followed: what is
/// done in a moment is told in a moment.
const FIRST: Duration = Duration::from_millis(5);
const PART: u32 = 8;

/// What a follower sees of a job. None: it is gone from the database.
pub(super) type Seen = Option<Arc<JobRecord>>;

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    store: Arc<dyn Store>,
    jobs: Mutex<HashMap<JobId, watch::Sender<Seen>>>,
    /// When somebody began to follow a job last.
    newest: Mutex<Instant>,
    wake: Notify,
}

/// How long until the next look. Pure.
fn pause(jobs: usize, newest: Duration) -> Duration {
    let jobs = u32::try_from(jobs).unwrap_or(u32::MAX);
    let usual = (TICK * jobs.div_ceil(JOBS_PER_TICK)).min(TICK_MAX);
    if jobs <= JOBS_PER_TICK {
        usual.min(FIRST + newest / PART)
    } else {
        usual
    }
}

pub(super) fn is_over(seen: &Seen) -> bool {
    seen.as_ref().is_none_or(|job| job.state.is_final())
}

impl Watch {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            jobs: Mutex::default(),
            newest: Mutex::new(Instant::now()),
            wake: Notify::new(),
        }
    }

    /// Follows a job: what is known of it now, and whatever comes. None: there is no such job.
    pub(super) async fn follow(
        &self,
        id: JobId,
    ) -> StoreResult<Option<(Arc<JobRecord>, watch::Receiver<Seen>)>> {
        if let Some(sender) = self.lock().get(&id) {
            let mut receiver = sender.subscribe();
            let seen = receiver.borrow_and_update().clone();
            if let Some(job) = seen {
                return Ok(Some((job, receiver)));
            }
        }
        let Some(job) = self.store.job(id).await?.map(Arc::new) else {
            return Ok(None);
        };
        let mut jobs = self.lock();
        let sender = jobs
            .entry(id)
            .or_insert_with(|| watch::Sender::new(Some(job.clone())));
        let receiver = sender.subscribe();
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.wake.notify_one();
        Ok(Some((job, receiver)))
    }

    /// Looks again and again, as long as somebody follows. Never returns.
    pub(super) async fn run(&self) {
        loop {
            let ids = self.followed();
            if ids.is_empty() {
                self.wake.notified().await;
                continue;
            }
            match question::asked(self.store.jobs_by_id(&ids)).await {
                Ok(rows) => self.tell(&ids, rows),
                Err(error) => tracing::debug!("those who follow jobs wait: {error}"),
            }
            let newest = *self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            let pause = pause(ids.len(), newest.elapsed());
            tokio::time::sleep(pause).await;
        }
    }

    /// The jobs that somebody follows, as they were seen last.
    pub(super) fn followed_jobs(&self) -> Vec<Arc<JobRecord>> {
        let jobs = self.lock();
        let followed = jobs.values().filter(|sender| sender.receiver_count() > 0);
        followed
            .filter_map(|sender| sender.borrow().clone())
            .collect()
    }

    /// How many follow a job.
    #[cfg(test)]
    pub(super) fn followers(&self, id: JobId) -> usize {
        let jobs = self.lock();
        jobs.get(&id).map_or(0, watch::Sender::receiver_count)
    }

    fn followed(&self) -> Vec<JobId> {
        let mut jobs = self.lock();
        jobs.retain(|_, sender| sender.receiver_count() > 0);
        jobs.keys().copied().collect()
    }

    fn tell(&self, ids: &[JobId], rows: Vec<JobRecord>) {
        let mut rows: HashMap<JobId, JobRecord> =
            rows.into_iter().map(|row| (row.id, row)).collect();
        let mut jobs = self.lock();
        for id in ids {
            let row = rows.remove(id).map(Arc::new);
            let Some(sender) = jobs.get(id) else { continue };
            let over = is_over(&row);
            sender.send_if_modified(|seen| {
                let news = *seen != row;
                if news {
                    *seen = row;
                }
                // Whoever came with the end in sight is told of it too.
                news || over
            });
            if over {
                jobs.remove(id);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<Seen>>> {
        // A panic elsewhere cannot leave the map half changed.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{After, JobState, NewJob, Priority, Timestamp};
    use crate::store::sqlite::SqliteStore;

    fn job() -> NewJob {
        NewJob {
            kind: "k",
            queue: "q",
            lane: "",
            key: None,
            args: "{}".to_owned(),
            priority: Priority::DEFAULT,
            max_attempts: 1,
            run_at: None,
            after: After::default(),
        }
    }

    #[test]
    fn what_is_done_in_a_moment_is_told_in_a_moment_and_what_takes_long_costs_few_looks() {
        let ms = Duration::from_millis;
        assert_eq!(pause(1, Duration::ZERO), ms(5));
        assert_eq!(pause(1, ms(80)), ms(15));
        assert_eq!(pause(1, Duration::from_mins(1)), ms(100));
        assert_eq!(pause(51, Duration::ZERO), ms(200));
        assert_eq!(pause(100_000, Duration::ZERO), Duration::from_secs(2));
    }

    #[tokio::test]
    async fn every_follower_sees_the_end_also_one_that_has_looked_at_nothing_between() {
        let folder = tempfile::TempDir::new().unwrap();
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&folder.path().join("t.db")).unwrap());
        let now = Timestamp::now();
        let id = store.enqueue(vec![job()], now).await.unwrap()[0].id;
        let watch = Arc::new(Watch::new(store.clone()));
        let (first, mut slow) = watch.follow(id).await.unwrap().unwrap();
        assert_eq!(first.state, JobState::Available);
        let (_, mut quick) = watch.follow(id).await.unwrap().unwrap();
        assert!(watch.follow(JobId(99)).await.unwrap().is_none());
        let looking = watch.clone();
        let look = tokio::spawn(async move { looking.run().await });
        let wanted = crate::store::Wanted::of("q", 1);
        store.claim(wanted, "e", now).await.unwrap();
        let running = |seen: &Seen| seen.as_ref().is_some_and(|j| j.state == JobState::Running);
        quick.wait_for(running).await.unwrap();
        store.release("e", None, &[], now).await.unwrap();
        let _ = store.cancel(id, now).await.unwrap();
        quick.wait_for(is_over).await.unwrap();
        slow.changed().await.unwrap();
        let seen = slow.borrow_and_update().clone();
        assert_eq!(seen.unwrap().state, JobState::Cancelled);
        assert!(watch.lock().is_empty(), "nobody is left to tell");
        let (after, mut late) = watch.follow(id).await.unwrap().unwrap();
        assert_eq!(after.state, JobState::Cancelled);
        late.changed().await.unwrap();
        look.abort();
    }
}

//! One open transaction: a group of commands, and what must still be written with them.
//!
//! What the children of a job came to is gathered in memory while the commands of a group run, and
//! written once per parent: a parent of 600 children that end in one group is updated once, and still in
//! the same transaction as they are. Parents are locked with the other jobs of the group (see `locks`), after all
//! effects are written: the groups of all engines meet there.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::claim_cursors::{ClaimCursors, Place, Start};
use super::coming::Stock;
use super::fault::Fault;
use super::job_statements as sql;
use super::locks::{Lessons, Locks};
use crate::store::relations::{Ended, ParentDelta, ParentRow};
use crate::store::rows::to_json;
use riftsync_basics::{JobId, JobState, Lease, Priority, Timestamp};

/// Whom to tell once this is committed.
#[derive(Debug, Clone, Default)]
pub(super) struct Consequences {
    /// Queues that have new work.
    pub(super) ready: BTreeSet<String>,
    /// The first places where new jobs came in.
    pub(super) came: BTreeMap<(String, Priority), Place>,
    /// Queues where jobs are available again.
    pub(super) returned: BTreeSet<String>,
    /// From where jobs were claimed.
    pub(super) claims: Vec<Walk>,
    /// A job was put on the schedule.
    pub(super) scheduled: bool,
    /// A running job is to be cancelled, or to hurry.
    pub(super) cancels: bool,
    pub(super) stale: u64,
    /// Something was written at all.
    pub(super) wrote: bool,
}

impl Consequences {
    fn ready(&mut self, queue: &str) {
        if !self.ready.contains(queue) {
            self.ready.insert(queue.to_owned());
        }
    }
}

/// How far jobs are below those that nobody waits for.
#[derive(Debug, Default)]
struct Depths {
    jobs: HashMap<i64, usize>,
}

impl Depths {
    /// Of all jobs on these links, which have no circle.
    fn of(links: &[(i64, i64)]) -> Self {
        let mut depths = Self::default();
        // A link deeper with every round, until nothing changes.
        let mut changed = true;
        while changed {
            changed = false;
            for (child, parent) in links {
                let depth = depths.jobs.get(parent).copied().unwrap_or(0) + 1;
                let here = depths.jobs.entry(*child).or_default();
                if *here < depth && depth <= links.len() {
                    *here = depth;
                    changed = true;
                }
            }
        }
        depths
    }

    fn of_job(&self, id: JobId) -> usize {
        self.jobs.get(&id.0).copied().unwrap_or(0)
    }
}

/// A claim, for those after it.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    pub(super) queue: String,
    pub(super) start: Start,
    /// The last claimed, by priority.
    pub(super) last: Vec<(usize, Place)>,
    pub(super) began: Instant,
    pub(super) took: Duration,
}

impl Walk {
    pub(super) fn note(&self, cursors: &ClaimCursors) {
        cursors.claimed(&self.queue, &self.start, &self.last, self.began, self.took);
    }
}

/// With its id.
type Parent = (i64, ParentRow);

/// An open transaction, of this engine one at a time where it locks rows that others need.
#[allow(missing_debug_implementations, reason = "a connection has no Debug")]
pub struct Transaction<'c> {
    pub(super) conn: &'c AsyncPgConnection,
    pub(super) cursors: &'c ClaimCursors,
    parents: BTreeMap<JobId, ParentDelta>,
    pub(super) locks: Locks,
    /// Of earlier runs of the same commands.
    pub(super) lessons: Lessons,
    /// Attempts whose effects are written: they must turn out to hold their jobs.
    pub(super) written: HashSet<Lease>,
    pub(super) door: Door,
    /// What new jobs will need, asked for before anything is locked that others need.
    pub(super) stock: Stock,
    /// Jobs that wait for those of this group, as far as was known before they were locked.
    pub(super) above: BTreeSet<i64>,
    pub(super) after: Consequences,
    /// Work of a program has enqueued its jobs.
    pub(super) has_enqueued: bool,
}

/// What the writers of one engine share.
#[derive(Debug)]
pub(super) struct House {
    /// One at a time goes in.
    door: Arc<Mutex<()>>,
    /// Jobs that ended of late had others that waited for them: the next ones are looked up with those before they are
    /// locked. A wrong guess costs one look or one run.
    pub(super) linked: AtomicBool,
}

impl Default for House {
    fn default() -> Self {
        Self {
            door: Arc::default(),
            linked: AtomicBool::new(true),
        }
    }
}

/// Where the writers of one engine wait for each other.
#[derive(Debug)]
pub struct Door {
    pub(super) house: Arc<House>,
    inside: Option<OwnedMutexGuard<()>>,
}

impl Door {
    /// What comes now locks rows that others need, too: of this engine one transaction at a time. The others have
    /// written what is theirs alone by then, and do not stand in the server's line.
    pub async fn go_in(&mut self) {
        if self.inside.is_none() {
            let door = self.house.door.clone().lock_owned();
            self.inside = timeout(AT_THE_DOOR, door).await.ok();
        }
    }
}

/// How long a writer waits at the door: then something is wrong with the one inside, and the locks are waited for as
/// by others.
const AT_THE_DOOR: Duration = Duration::from_secs(5);

impl<'c> Transaction<'c> {
    pub(super) fn new(
        conn: &'c AsyncPgConnection,
        cursors: &'c ClaimCursors,
        lessons: Lessons,
        house: Arc<House>,
    ) -> Self {
        Self {
            conn,
            cursors,
            parents: BTreeMap::new(),
            locks: Locks::default(),
            lessons,
            written: HashSet::new(),
            door: Door {
                house,
                inside: None,
            },
            stock: Stock::default(),
            above: BTreeSet::new(),
            after: Consequences::default(),
            has_enqueued: false,
        }
    }

    /// The connection, for statements of your own.
    pub fn conn(&self) -> &'c AsyncPgConnection {
        self.conn
    }

    /// The same, with what is locked, and the door before rows that others need too.
    pub fn parts(&mut self) -> (&'c AsyncPgConnection, &mut Locks, &mut Door) {
        (self.conn, &mut self.locks, &mut self.door)
    }

    /// Opens the transaction, if it is still to be: other statements may be sent with it that write nothing.
    pub(super) async fn begin(&self, begin: Option<&str>) -> Result<(), Fault> {
        match begin {
            Some(begin) => Ok((&mut { self.conn }).batch_execute(begin).await?),
            None => Ok(()),
        }
    }

    /// What follows from the transaction, and what the next one of this engine waits for until it is committed.
    pub(super) fn into_after(self) -> (Consequences, Option<OwnedMutexGuard<()>>) {
        (self.after, self.door.inside)
    }

    /// A change that waits for `flush_parents`.
    pub(super) fn parent(&mut self, id: JobId, now: Timestamp) -> &mut ParentDelta {
        self.parents.entry(id).or_default().at(now)
    }

    /// Takes what waits to be written into a job that begins to wait for children, for the caller to write; not if
    /// they have all ended by now, for then the job ends with them in `flush_parents`.
    pub(super) fn take_begun(&mut self, id: JobId) -> Option<ParentDelta> {
        match self.parents.entry(id) {
            Entry::Occupied(delta) if delta.get().pending > 0 => Some(delta.remove()),
            _ => None,
        }
    }

    /// Jobs of the queue are available again, somewhere among those that wait.
    pub(super) fn note_ready(&mut self, queue: &str) {
        self.after.ready(queue);
        if !self.after.returned.contains(queue) {
            self.after.returned.insert(queue.to_owned());
        }
    }

    /// A new job.
    pub(super) fn note_new(
        &mut self,
        state: JobState,
        queue: &str,
        priority: Priority,
        place: Place,
    ) {
        if state != JobState::Available {
            self.note_state(state, queue);
            return;
        }
        self.after.ready(queue);
        // Queues are few, and jobs of one come in a row.
        let mut all = self.after.came.iter_mut();
        let here = all.find(|((other, at), _)| other == queue && *at == priority);
        match here {
            Some((_, first)) => *first = (*first).min(place),
            None => {
                self.after.came.insert((queue.to_owned(), priority), place);
            }
        }
    }

    /// Where a claim of the queue begins: not behind what this transaction has brought.
    pub(super) fn start(&self, queue: &str) -> Start {
        if self.after.returned.contains(queue) {
            return Start::default();
        }
        let mut start = self.cursors.start(queue, Instant::now());
        for ((other, priority), place) in &self.after.came {
            if other == queue {
                start.not_after(*priority, *place);
            }
        }
        start
    }

    /// A job may run from `run_at` on: whom that concerns is told after the commit.
    pub(super) fn note_state(&mut self, state: JobState, queue: &str) {
        match state {
            JobState::Available => self.note_ready(queue),
            JobState::Scheduled | JobState::Retryable => self.after.scheduled = true,
            JobState::Blocked
            | JobState::Running
            | JobState::Completed
            | JobState::Cancelled
            | JobState::Discarded => {}
        }
    }

    /// Writes what children came to into their parents, and finishes the parents that waited for nothing
    /// else, and theirs: worked out in memory, the deepest first, and written at once.
    pub(super) async fn flush_parents(&mut self) -> Result<(), Fault> {
        // Jobs that come after a parent may end by its end, and have parents themselves.
        while !self.parents.is_empty() {
            let ids: Vec<i64> = self.parents.keys().map(|id| id.0).collect();
            let (links, rows) = self.open_parents(ids).await?;
            let (update, ended) = self.tell_parents(&links, rows)?;
            if !update.ids.is_empty() {
                self.after.wrote = true;
                update.execute(&mut self.conn).await?;
            }
            self.ended_with_their_children(ended).await?;
        }
        Ok(())
    }

    /// What is above these parents, and the rows of all of them that are not final, locked: a parent that is, by
    /// cancellation or by retention, is told no more.
    async fn open_parents(
        &mut self,
        ids: Vec<i64>,
    ) -> Result<(Vec<(i64, i64)>, Vec<Parent>), Fault> {
        let asked: BTreeSet<i64> = ids.iter().copied().chain(self.above.clone()).collect();
        if self.locks.hold_all(asked.iter().copied()) {
            let (links, rows) = tokio::try_join!(
                biased;
                self.links_above(ids.clone()),
                self.rows_of_parents(&asked),
            )?;
            if links.iter().all(|(_, parent)| asked.contains(parent)) {
                return Ok((links, rows));
            }
        }
        let links = self.links_above(ids.clone()).await?;
        let parents = links.iter().map(|(_, parent)| *parent);
        let all: BTreeSet<i64> = ids.into_iter().chain(parents).collect();
        self.lock_jobs(all.iter().copied()).await?;
        let rows = self.rows_of_parents(&all).await?;
        Ok((links, rows))
    }

    async fn links_above(&self, ids: Vec<i64>) -> Result<Vec<(i64, i64)>, Fault> {
        let above = sql::LinksAbove { ids };
        Ok(above.load(&mut { self.conn }).await?)
    }

    async fn rows_of_parents(&self, ids: &BTreeSet<i64>) -> Result<Vec<Parent>, Fault> {
        let ids = ids.iter().copied().collect();
        let parents = sql::OpenParents { ids };
        Ok(parents.load(&mut { self.conn }).await?)
    }

    /// What is to be written into the rows, and which of them end by it.
    fn tell_parents(
        &mut self,
        links: &[(i64, i64)],
        mut rows: Vec<Parent>,
    ) -> Result<(sql::UpdateParents<'static>, Vec<Ended>), Fault> {
        let depths = Depths::of(links);
        rows.sort_by_key(|row| (Reverse(depths.of_job(JobId(row.0))), row.0));
        let mut update = sql::UpdateParents {
            ids: Vec::with_capacity(rows.len()),
            states: Vec::with_capacity(rows.len()),
            rollups: Vec::with_capacity(rows.len()),
            pending: Vec::with_capacity(rows.len()),
            finished_at: Vec::with_capacity(rows.len()),
        };
        let mut ended = Vec::new();
        let mut deltas = std::mem::take(&mut self.parents);
        for (id, row) in rows {
            let Some(delta) = deltas.remove(&JobId(id)) else {
                continue;
            };
            let told = row.told(JobId(id), &delta)?;
            update.ids.push(id);
            update.states.push(told.state.as_str());
            update.rollups.push(to_json(&told.rollup)?);
            update.pending.push(told.pending);
            let finished_at = told.finished.map(Timestamp::as_millis);
            update.finished_at.push(finished_at);
            if let Some(now) = told.finished {
                tracing::debug!(job.id = %id, job.kind = told.kind, "job {id} completed with its last child");
                let job = Ended::parent(JobId(id), told.rollup, now);
                for (_, parent) in links.iter().filter(|(child, _)| *child == id) {
                    let delta = deltas.entry(JobId(*parent)).or_default();
                    delta.at(now).child_ended(&job);
                }
                ended.push(job);
            }
        }
        Ok((update, ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_of_a_job_is_its_longest_way_up_whatever_the_order_of_the_links() {
        // A timeline of a match of two players, one of them in a batch.
        let mut links = vec![(40, 30), (30, 20), (30, 21), (21, 10)];
        for _ in 0..2 {
            let depths = Depths::of(&links);
            let of = |id| depths.of_job(JobId(id));
            assert_eq!([of(40), of(30), of(20), of(21), of(10)], [3, 2, 0, 1, 0]);
            links.reverse();
        }
    }
}

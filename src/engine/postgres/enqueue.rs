//! Jobs come in: submitted, in batches, or spawned by parents; any number of calls at once.
//!
//! First everything is read and locked that decides (the open jobs with their keys, the jobs they come after,
//! new ids, turns), then it is decided in memory, in the order of the calls, and then written.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel_async::RunQueryDsl;

use super::coming::{Coming, take_turn};
use super::fault::Fault;
use super::job_statements as sql;
use super::locks::Class;
use super::transaction::Transaction;
use crate::store::new_jobs::{Origin, first_state, look_after};
use crate::store::relations::{CHILD, relation};
use crate::store::rows::{append_error, to_i32};
use crate::store::{Batch, Enqueued, StoreError, StoreResult};
use riftsync_basics::attempt::BATCH_KIND;
use riftsync_basics::{Failure, JobId, JobState, NewJob, Priority, Timestamp};

/// The jobs of one caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) jobs: &'a [NewJob],
    pub(super) now: Timestamp,
    pub(super) from: From,
}

/// Where the jobs of a call belong.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    Person,
    /// A handle is made for them, whose children they are.
    Batch,
    /// A job spawns them.
    Parent {
        id: JobId,
        flow: i64,
    },
}

impl From {
    /// `batch`: the handle that was made.
    fn origin(self, batch: Option<i64>) -> Origin {
        match self {
            Self::Person => Origin::PERSON,
            Self::Batch => Origin::batch(batch.unwrap_or(0)),
            Self::Parent { flow, .. } => Origin::parent(flow),
        }
    }
}

/// A job that was brought in, as its parent needs to know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Came {
    pub(super) id: JobId,
    pub(super) joined: bool,
    /// It has done its own work (it was joined while it waits for children).
    worked: bool,
    /// It was joined while it waits for others.
    waits: bool,
    /// It is final already: what it comes after has failed.
    cancelled: bool,
}

/// What a call came to.
#[derive(Debug)]
pub(super) struct Brought {
    /// The batch, if it was to be one.
    pub(super) batch: Option<JobId>,
    pub(super) jobs: Vec<Came>,
    /// How many of them their parent waits for.
    pub(super) linked: usize,
}

impl Call<'_> {
    pub(super) fn is_batch(&self) -> bool {
        matches!(self.from, From::Batch)
    }
}

impl Brought {
    pub(super) fn enqueued(&self) -> Vec<Enqueued> {
        let job = |came: &Came| Enqueued {
            id: came.id,
            joined: came.joined,
        };
        self.jobs.iter().map(job).collect()
    }

    pub(super) fn into_batch(self) -> Batch {
        Batch {
            id: self.batch.unwrap_or(JobId(0)),
            jobs: self.enqueued(),
        }
    }
}

/// An open job that others may join.
#[derive(Debug)]
pub(super) struct Open {
    id: i64,
    state: JobState,
    queue: String,
    priority: i32,
    submitted: i32,
    worked: bool,
    changed: bool,
    /// Where it stands among the new rows, if it is one.
    new: Option<usize>,
}

pub(super) type OpenJobs = HashMap<(String, String), Open>;

/// A row to insert.
struct Row<'a> {
    id: i64,
    kind: &'a str,
    queue: &'a str,
    key: Option<&'a str>,
    args: &'a str,
    state: JobState,
    priority: i32,
    max_attempts: i32,
    run_at: i64,
    flow: i64,
    turn: i64,
    submitted: i32,
    waits_for: i32,
    errors: String,
    worked_at: Option<i64>,
    finished_at: Option<i64>,
    enqueued_at: i64,
    lane: &'a str,
}

/// An open job as it is found by its key.
pub(super) type Found = (i64, String, String, String, String, i32, i32, Option<i64>);

/// Links to insert: (child, parent, relation).
type Links = Vec<(i64, i64, &'static str)>;

/// What a parent counts for a new link.
struct Child<'a> {
    call: usize,
    kind: &'a str,
    worked: bool,
}

impl Open {
    pub(super) fn is_blocked(&self) -> bool {
        self.state == JobState::Blocked
    }
}

impl Transaction<'_> {
    /// Enqueues jobs with what this transaction writes: once, and when all else is written, for that is the order of
    /// locks. A job whose key is open joins it.
    pub async fn enqueue(
        &mut self,
        jobs: &[NewJob],
        now: Timestamp,
    ) -> Result<Vec<Enqueued>, Fault> {
        if std::mem::replace(&mut self.has_enqueued, true) {
            let why =
                "a transaction enqueues once: all jobs that it brings, when its rows are written";
            return Err(StoreError::Refused(why.to_owned()).into());
        }
        let call = Call {
            jobs,
            now,
            from: From::Person,
        };
        let coming = Coming::of(&[], &[call]);
        let touched = self.jobs_of_group(&[], &[], &coming).await?;
        self.door.go_in().await;
        self.lock_jobs(touched.jobs).await?;
        let brought = self.bring_in(&[call]).await?;
        let brought = brought.into_iter().next().expect("a result for the call")?;
        Ok(brought.enqueued())
    }

    /// Brings in the jobs of all calls. A call that cannot be is refused and changes nothing.
    pub(super) async fn bring_in(
        &mut self,
        calls: &[Call<'_>],
    ) -> Result<Vec<StoreResult<Brought>>, Fault> {
        let mut open = self.open_jobs_of(calls).await?;
        self.bring_in_among(calls, &mut open, false).await
    }

    /// The open jobs whose keys the jobs of the calls have, locked.
    pub(super) async fn open_jobs_of(&mut self, calls: &[Call<'_>]) -> Result<OpenJobs, Fault> {
        let found = self.find_open(&Coming::of(&[], calls)).await?;
        self.open_from(found)
    }

    /// Locks open jobs by their keys; `open_from` takes note of it.
    pub(super) async fn find_open(&self, coming: &Coming<'_>) -> Result<Vec<Found>, Fault> {
        let wanted = coming.keys();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let (kinds, keys) = wanted.into_iter().unzip();
        let open = sql::OpenByKeys {
            kinds,
            keys,
            behind: self.locks.last_job().unwrap_or(-1),
            locked: self.locks.jobs(),
        };
        Ok(open.load(&mut { self.conn }).await?)
    }

    pub(super) fn open_from(&mut self, found: Vec<Found>) -> Result<OpenJobs, Fault> {
        self.locks.locked(found.iter().map(|row| row.0));
        found
            .into_iter()
            .map(
                |(id, kind, key, state, queue, priority, submitted, worked_at)| {
                    let open = Open {
                        id,
                        state: state.parse().map_err(StoreError::Unexpected)?,
                        queue,
                        priority,
                        submitted,
                        worked: worked_at.is_some(),
                        changed: false,
                        new: None,
                    };
                    Ok(((kind, key), open))
                },
            )
            .collect()
    }

    /// `circles`: the calls' parents may be waited for by what they join; only one call then.
    pub(super) async fn bring_in_among(
        &mut self,
        calls: &[Call<'_>],
        open: &mut OpenJobs,
        circles: bool,
    ) -> Result<Vec<StoreResult<Brought>>, Fault> {
        let states = self.states_of(calls).await?;
        let coming = Coming::of(&[], calls);
        // The turns that are next as the call begins: what is raised brings turns of elsewhere with it.
        let firsts = self.first_turns(&coming).await?;
        self.raise_joined(calls, &states, open).await?;
        if circles {
            // One at a time may link a job to one that waits itself.
            self.locks.pass::<()>(Class::Circles, &[]);
            let _locked: i32 = sql::LockCircles {}.get_result(&mut self.conn).await?;
        }
        let mut ids = self.take_ids(&coming).await?.into_iter();
        let mut rows: Vec<Row<'_>> = Vec::new();
        let mut links = Links::new();
        let mut all = Vec::with_capacity(calls.len());
        for call in calls {
            let after: StoreResult<Vec<_>> = call
                .jobs
                .iter()
                .map(|job| look_after(job, |other| Ok(states.get(&other).copied())))
                .collect();
            let after = match after {
                Ok(after) => after,
                Err(error) => {
                    all.push(Err(error));
                    continue;
                }
            };
            let mut id = || ids.next().expect("an id for every job");
            let batch = matches!(call.from, From::Batch).then(&mut id);
            if let Some(id) = batch {
                rows.push(batch_row(id, call.now));
            }
            let origin = call.from.origin(batch);
            // Each job of a queue and priority is one turn later than the last, from the turn that is next
            // there: so the flows of a queue take turns, whatever their size.
            let mut turns: Vec<(&str, Priority, i64)> = Vec::new();
            let mut jobs = Vec::with_capacity(call.jobs.len());
            for (job, (waits, failed)) in call.jobs.iter().zip(after) {
                let turn = take_turn(&mut turns, job, &firsts);
                let key = job.key.as_deref().filter(|_| failed.is_none());
                let place = key.map(|key| (job.kind.to_owned(), key.to_owned()));
                if let Some(there) = place.as_ref().and_then(|place| open.get_mut(place)) {
                    let hurry = origin.hurry && (batch.is_some() || job.run_at.is_none());
                    jobs.push(self.join(there, job, Origin { hurry, ..origin }, &mut rows));
                    continue;
                }
                let row = new_row(id(), job, origin, turn, &waits, failed.as_ref(), call.now)?;
                let relation = relation(job.after.on_failure);
                links.extend(waits.iter().map(|other| (other.0, row.id, relation)));
                self.note_new(row.state, job.queue, job.priority, (row.turn, row.id));
                jobs.push(Came {
                    id: JobId(row.id),
                    joined: false,
                    worked: false,
                    waits: false,
                    cancelled: failed.is_some(),
                });
                if let Some(place) = place {
                    open.insert(place, Open::of(&row, rows.len()));
                }
                rows.push(row);
            }
            all.push(Ok(Brought {
                batch: batch.map(JobId),
                jobs,
                linked: 0,
            }));
        }
        let children = self.children_of(calls, &all, &mut links, circles).await?;
        self.pass_keys(&mut rows);
        self.after.wrote |= !rows.is_empty() || !links.is_empty();
        let joined = open.values().any(|job| job.changed);
        self.after.wrote |= joined;
        let tx = &*self;
        let ((), (), linked) = tokio::try_join!(
            biased;
            tx.insert(&rows),
            tx.write_joined(open),
            tx.link(links),
        )?;
        self.count_children(calls, &mut all, &children, linked);
        Ok(all)
    }

    /// What is below an open job becomes as urgent as those that join it now. Its own row is written with the others.
    async fn raise_joined(
        &mut self,
        calls: &[Call<'_>],
        states: &HashMap<JobId, JobState>,
        open: &mut OpenJobs,
    ) -> Result<(), Fault> {
        let mut joined: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        for call in calls {
            let after: StoreResult<Vec<_>> = (call.jobs.iter())
                .map(|job| look_after(job, |other| Ok(states.get(&other).copied())))
                .collect();
            // A call that is refused changes nothing, and what cannot run joins nobody.
            for (job, (_, failed)) in call.jobs.iter().zip(after.into_iter().flatten()) {
                let priority = i32::from(job.priority.get());
                let key = job.key.as_deref().filter(|_| failed.is_none());
                let place = key.map(|key| (job.kind.to_owned(), key.to_owned()));
                let there = place.and_then(|place| open.get(&place));
                if let Some(there) = there.filter(|there| there.priority > priority) {
                    joined.entry(priority).or_default().push(there.id);
                }
            }
        }
        for (priority, ids) in joined {
            let below = sql::LessUrgentBelow { ids, priority };
            let ids: Vec<i64> = below.load(&mut self.conn).await?;
            if ids.is_empty() {
                continue;
            }
            self.lock_jobs(ids.iter().copied()).await?;
            let raise = sql::Raise {
                priority,
                ids,
                before: priority,
            };
            let raised: Vec<(i64, String, String)> = raise.load(&mut self.conn).await?;
            self.after.wrote = true;
            for (id, queue, state) in raised {
                if state == JobState::Available.as_str() {
                    self.note_ready(&queue);
                }
                self.after.cancels |= state == JobState::Running.as_str();
                if let Some(job) = open.values_mut().find(|job| job.id == id) {
                    job.priority = priority;
                }
            }
        }
        Ok(())
    }

    /// The open job with this key takes the new one in, at the more urgent priority of both.
    fn join(
        &mut self,
        open: &mut Open,
        job: &NewJob,
        origin: Origin,
        rows: &mut [Row<'_>],
    ) -> Came {
        let before = (open.state, open.priority, open.submitted);
        open.priority = open.priority.min(i32::from(job.priority.get()));
        open.submitted = open.submitted.max(i32::from(origin.submitted));
        if origin.hurry && matches!(open.state, JobState::Scheduled | JobState::Retryable) {
            open.state = JobState::Available;
        }
        if let Some(row) = open.new {
            let row = &mut rows[row];
            (row.state, row.priority, row.submitted) = (open.state, open.priority, open.submitted);
        } else {
            open.changed |= before != (open.state, open.priority, open.submitted);
        }
        if open.state == JobState::Available {
            self.note_ready(&open.queue);
        }
        Came {
            id: JobId(open.id),
            joined: true,
            worked: open.worked,
            waits: open.state == JobState::Blocked || open.state == JobState::Running,
            cancelled: false,
        }
    }

    /// The keys of new jobs are the next that are taken.
    fn pass_keys(&mut self, rows: &mut [Row<'_>]) {
        // Who inserts the same keys meanwhile waits for us, or we for them, and never both.
        if rows.iter().any(|row| row.key.is_some()) {
            rows.sort_by(|a, b| (a.kind, a.key).cmp(&(b.kind, b.key)));
            let keys: Vec<(&str, Option<&str>)> =
                rows.iter().map(|row| (row.kind, row.key)).collect();
            self.locks.pass(Class::Keys, &keys);
        }
        for row in rows {
            self.locks.made(row.id);
        }
    }

    async fn insert(&self, rows: &[Row<'_>]) -> Result<(), Fault> {
        if rows.is_empty() {
            return Ok(());
        }
        sql::InsertJobs {
            ids: rows.iter().map(|row| row.id).collect(),
            kinds: rows.iter().map(|row| row.kind).collect(),
            queues: rows.iter().map(|row| row.queue).collect(),
            keys: rows.iter().map(|row| row.key).collect(),
            args: rows.iter().map(|row| row.args).collect(),
            states: rows.iter().map(|row| row.state.as_str()).collect(),
            priorities: rows.iter().map(|row| row.priority).collect(),
            max_attempts: rows.iter().map(|row| row.max_attempts).collect(),
            run_at: rows.iter().map(|row| row.run_at).collect(),
            flows: rows.iter().map(|row| row.flow).collect(),
            turns: rows.iter().map(|row| row.turn).collect(),
            submitted: rows.iter().map(|row| row.submitted).collect(),
            waits_for: rows.iter().map(|row| row.waits_for).collect(),
            errors: rows.iter().map(|row| row.errors.as_str()).collect(),
            worked_at: rows.iter().map(|row| row.worked_at).collect(),
            finished_at: rows.iter().map(|row| row.finished_at).collect(),
            enqueued_at: rows.iter().map(|row| row.enqueued_at).collect(),
            lanes: rows.iter().map(|row| row.lane).collect(),
        }
        .execute(&mut { self.conn })
        .await?;
        Ok(())
    }

    async fn write_joined(&self, open: &OpenJobs) -> Result<(), Fault> {
        let mut changed: Vec<&Open> = open.values().filter(|job| job.changed).collect();
        if changed.is_empty() {
            return Ok(());
        }
        changed.sort_unstable_by_key(|job| job.id);
        sql::JoinJobs {
            ids: changed.iter().map(|job| job.id).collect(),
            states: changed.iter().map(|job| job.state.as_str()).collect(),
            priorities: changed.iter().map(|job| job.priority).collect(),
            submitted: changed.iter().map(|job| job.submitted).collect(),
        }
        .execute(&mut { self.conn })
        .await?;
        Ok(())
    }

    /// The links of children to their parents, with those that are there of jobs to the ones they come after.
    async fn children_of<'a>(
        &mut self,
        calls: &[Call<'a>],
        all: &[StoreResult<Brought>],
        links: &mut Links,
        circles: bool,
    ) -> Result<HashMap<(i64, i64), Child<'a>>, Fault> {
        let mut children = HashMap::new();
        for (at, (call, brought)) in calls.iter().zip(all.iter()).enumerate() {
            let Ok(brought) = brought else { continue };
            let parent = match call.from {
                From::Person => continue,
                From::Batch => brought.batch.expect("a batch has a handle"),
                From::Parent { id, .. } => id,
            };
            let in_a_circle = if circles {
                self.waiting_for(parent, &brought.jobs).await?
            } else {
                HashSet::new()
            };
            for (job, came) in call.jobs.iter().zip(&brought.jobs) {
                if came.cancelled {
                    self.parent(parent, call.now).child_came_cancelled(job);
                } else if !in_a_circle.contains(&came.id.0) {
                    let child = Child {
                        call: at,
                        kind: job.kind,
                        worked: came.worked,
                    };
                    // The same child twice is one.
                    let link = (came.id.0, parent.0);
                    if let std::collections::hash_map::Entry::Vacant(new) = children.entry(link) {
                        new.insert(child);
                        links.push((link.0, link.1, CHILD));
                    }
                }
            }
        }
        Ok(children)
    }

    /// Counts the children that were linked.
    fn count_children(
        &mut self,
        calls: &[Call<'_>],
        all: &mut [StoreResult<Brought>],
        children: &HashMap<(i64, i64), Child<'_>>,
        linked: Vec<(i64, i64)>,
    ) {
        for (child, parent) in linked {
            let Some(new) = children.get(&(child, parent)) else {
                continue;
            };
            self.parent(JobId(parent), calls[new.call].now)
                .child_linked(new.kind, new.worked);
            if let Ok(brought) = &mut all[new.call] {
                brought.linked += 1;
            }
        }
        // A batch that waits for nothing ends with this transaction.
        for (call, brought) in calls.iter().zip(all.iter()) {
            if let Ok(Brought {
                batch: Some(id),
                linked: 0,
                ..
            }) = brought
            {
                self.parent(*id, call.now);
            }
        }
    }

    /// Which of the jobs wait for `parent`, or are it: one that waited for them would wait for ever.
    async fn waiting_for(&mut self, parent: JobId, jobs: &[Came]) -> Result<HashSet<i64>, Fault> {
        let waiting = jobs.iter().filter(|came| came.joined && came.waits);
        let joined: Vec<i64> = waiting.map(|came| came.id.0).collect();
        if joined.is_empty() {
            return Ok(HashSet::new());
        }
        let found: Vec<i64> = sql::WaitingAmong {
            other: parent.0,
            jobs: joined,
        }
        .load(&mut self.conn)
        .await?;
        Ok(found.into_iter().collect())
    }

    async fn link(&self, links: Links) -> Result<Vec<(i64, i64)>, Fault> {
        if links.is_empty() {
            return Ok(Vec::new());
        }
        let statement = sql::LinkAll {
            children: links.iter().map(|link| link.0).collect(),
            parents: links.iter().map(|link| link.1).collect(),
            relations: links.iter().map(|link| link.2).collect(),
        };
        Ok(statement.load(&mut { self.conn }).await?)
    }

    /// The states of the jobs that others are to come after. They do not change before the commit.
    async fn states_of(&mut self, calls: &[Call<'_>]) -> Result<HashMap<JobId, JobState>, Fault> {
        let jobs = calls.iter().flat_map(|call| call.jobs);
        let ids: Vec<i64> = jobs
            .flat_map(|job| job.after.jobs.iter().map(|id| id.0))
            .collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        self.lock_jobs(ids.iter().copied()).await?;
        let rows: Vec<(i64, String)> = sql::StatesOf { ids }.load(&mut self.conn).await?;
        rows.into_iter()
            .map(|(id, state)| {
                let state = state.parse().map_err(StoreError::Unexpected)?;
                Ok((JobId(id), state))
            })
            .collect()
    }
}

impl Open {
    fn of(row: &Row<'_>, at: usize) -> Self {
        Self {
            id: row.id,
            state: row.state,
            queue: row.queue.to_owned(),
            priority: row.priority,
            submitted: row.submitted,
            worked: false,
            changed: false,
            new: Some(at),
        }
    }
}

fn new_row<'a>(
    id: i64,
    job: &'a NewJob,
    origin: Origin,
    turn: i64,
    waits: &[JobId],
    failed: Option<&Failure>,
    now: Timestamp,
) -> StoreResult<Row<'a>> {
    let run_at = job.run_at.unwrap_or(now);
    let state = first_state(failed.is_some(), !waits.is_empty(), run_at, now);
    let errors = match failed {
        None => "[]".to_owned(),
        Some(failure) => append_error("[]", 0, failure, now)?,
    };
    Ok(Row {
        id,
        kind: job.kind,
        queue: job.queue,
        key: job.key.as_deref(),
        args: &job.args,
        state,
        priority: i32::from(job.priority.get()),
        max_attempts: to_i32(job.max_attempts),
        run_at: run_at.as_millis(),
        flow: origin.flow,
        turn,
        submitted: i32::from(origin.submitted),
        waits_for: i32::try_from(waits.len()).unwrap_or(i32::MAX),
        errors,
        worked_at: None,
        finished_at: state.is_final().then_some(now.as_millis()),
        enqueued_at: now.as_millis(),
        lane: job.lane,
    })
}

/// A job without work of its own, that waits for its children from the start.
fn batch_row(id: i64, now: Timestamp) -> Row<'static> {
    Row {
        id,
        kind: BATCH_KIND,
        queue: "default",
        key: None,
        args: "{}",
        state: JobState::Blocked,
        priority: i32::from(Priority::DEFAULT.get()),
        max_attempts: 1,
        run_at: now.as_millis(),
        flow: 0,
        turn: 0,
        submitted: 1,
        waits_for: 0,
        errors: "[]".to_owned(),
        worked_at: Some(now.as_millis()),
        finished_at: None,
        enqueued_at: now.as_millis(),
        lane: "",
    }
}

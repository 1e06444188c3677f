//! A store does what the reference model says: the same random calls on both.
#![allow(
    clippy::unwrap_used,
    reason = "a failure of the store that is held to it is to be seen where it is"
)]

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use futures_util::future::{BoxFuture, join_all};
use riftsync_basics::rollup::KindCount;
use riftsync_basics::suspicion::Death;
use riftsync_basics::{ClaimedJob, JobId, JobState, Timestamp};

use super::random_calls::{End, QUEUES, StoreCall, bounds, lanes};
use crate::memory::ledger::Ledger;
use crate::store::rows::ERRORS_KEPT;
use crate::store::{
    Batch, Completion, Database, Effect, Enqueued, Fenced, FleetStore, JobStore, Retried, Wanted,
};

/// A database in which a store can be opened, and that can be looked into past its store.
#[async_trait]
pub trait Place: Sync {
    type Store: JobStore + ?Sized;
    /// A store without jobs.
    async fn open(&self) -> Arc<Self::Store>;
    /// Ids and turns of all jobs.
    fn turns(&self) -> BTreeMap<JobId, i64>;
    /// An engine without a life of its own has died, and so.
    fn died(&self, engine: &str, death: Death);
}

/// A file of SQLite, where a store has its jobs in the tables of [`crate::sqlite`].
#[derive(Debug)]
pub struct InFile<S: ?Sized> {
    pub path: PathBuf,
    pub open: fn(&Path) -> Arc<S>,
}

impl<S: ?Sized> InFile<S> {
    /// A connection past the store.
    fn connect(&self) -> SqliteConnection {
        let mut conn = SqliteConnection::establish(self.path.to_str().unwrap()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 30000").unwrap();
        conn
    }
}

#[async_trait]
impl<S: JobStore + ?Sized> Place for InFile<S> {
    type Store = S;

    async fn open(&self) -> Arc<S> {
        (self.open)(&self.path)
    }

    fn turns(&self) -> BTreeMap<JobId, i64> {
        diesel::table! { jobs { id -> BigInt, turn -> BigInt, } }
        let rows: Vec<(i64, i64)> = jobs::table.load(&mut self.connect()).unwrap();
        let turn = |(id, turn)| (JobId(id), turn);
        rows.into_iter().map(turn).collect()
    }

    fn died(&self, engine: &str, death: Death) {
        self.connect().batch_execute(&dead(engine, death)).unwrap();
    }
}

/// A statement by which a table of engines comes to know one that has died.
pub fn dead(engine: &str, death: Death) -> String {
    let death = death.number();
    format!(
        "INSERT INTO engines (id, pid, host, version, started_at, heartbeat_at, stopped_at, death)
         VALUES ('{engine}', 1, 'h', '1', 0, 0, 1, {death})"
    )
}

/// What a call came to, in words that both sides share. Ids are the model's.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Claimed(Vec<(JobId, JobId, u32)>),
    Enqueued(Vec<Enqueued>),
    Fenced(Fenced),
    Retried(Retried),
    Other(String),
}

struct Pair<'p, P: Place> {
    place: &'p P,
    store: Arc<P::Store>,
    ledger: Ledger,
    /// The model's job and the database's: which ids a database uses up is its own affair.
    ids: HashMap<JobId, JobId>,
    /// The same attempt on both sides.
    leases: Vec<(ClaimedJob, ClaimedJob)>,
    engine: u32,
    now: Timestamp,
}

fn heads(jobs: &[ClaimedJob]) -> Answer {
    Answer::Claimed(
        jobs.iter()
            .map(|job| (job.lease.job, job.flow, job.attempt))
            .collect(),
    )
}

impl<'p, P: Place> Pair<'p, P> {
    async fn new(place: &'p P) -> Self {
        Self {
            store: place.open().await,
            place,
            ledger: Ledger::default(),
            ids: HashMap::new(),
            leases: Vec::new(),
            engine: 1,
            now: Timestamp::EPOCH + Duration::from_secs(1_000),
        }
    }

    /// Finds the jobs that are new on both sides: they have their ids in the same order.
    fn match_ids(&mut self, there: &BTreeMap<JobId, i64>) {
        let known: Vec<JobId> = self.ids.values().copied().collect();
        let new = there.keys().copied().filter(|id| !known.contains(id));
        let in_model = self
            .ledger
            .jobs
            .keys()
            .filter(|id| !self.ids.contains_key(id));
        let pairs: Vec<_> = in_model.copied().zip(new).collect();
        self.ids.extend(pairs);
    }

    /// The answer with the model's ids.
    fn in_model(&self, answer: Answer) -> Answer {
        let model = |id: JobId| {
            let pair = self.ids.iter().find(|(_, there)| **there == id);
            pair.map_or(id, |(model, _)| *model)
        };
        match answer {
            Answer::Claimed(jobs) => Answer::Claimed(
                jobs.into_iter()
                    .map(|(job, flow, attempt)| (model(job), model(flow), attempt))
                    .collect(),
            ),
            Answer::Enqueued(jobs) => Answer::Enqueued(
                jobs.into_iter()
                    .map(|job| Enqueued {
                        id: model(job.id),
                        ..job
                    })
                    .collect(),
            ),
            Answer::Retried(Retried::Joined(job)) => Answer::Retried(Retried::Joined(model(job))),
            other => other,
        }
    }

    /// Carries out the calls on the model, one after the other, and on the database, all at once.
    #[allow(clippy::too_many_lines, reason = "one arm for each call")]
    async fn group(&mut self, calls: &[StoreCall]) {
        let known: Vec<JobId> = self.ledger.jobs.keys().copied().collect();
        let mut expected = Vec::new();
        let mut asked: Vec<BoxFuture<'static, (Answer, Vec<ClaimedJob>)>> = Vec::new();
        let mut claimed_by_model = Vec::new();
        let leases = self.leases.clone();
        let ids = self.ids.clone();
        let there: Vec<JobId> = known.iter().map(|id| ids[id]).collect();
        for call in calls {
            let (store, now) = (self.store.clone(), self.now);
            let engine = format!("e{}", self.engine);
            let pick = |n: usize| known.get(n % known.len().max(1)).map(|id| (*id, ids[id]));
            match call {
                StoreCall::Enqueue(sketches) => {
                    let jobs: Vec<_> = sketches.iter().map(|job| job.job(&known, now)).collect();
                    expected.push(Answer::Enqueued(self.ledger.enqueue(&jobs, now)));
                    let jobs: Vec<_> = sketches.iter().map(|job| job.job(&there, now)).collect();
                    asked.push(Box::pin(async move {
                        let done = store.enqueue(jobs, now).await.unwrap();
                        (Answer::Enqueued(done), vec![])
                    }));
                }
                StoreCall::Batch(sketches) => {
                    let jobs: Vec<_> = sketches.iter().map(|job| job.job(&known, now)).collect();
                    expected.push(batch_answer(self.ledger.enqueue_batch(&jobs, now)));
                    let jobs: Vec<_> = sketches.iter().map(|job| job.job(&there, now)).collect();
                    asked.push(Box::pin(async move {
                        let done = store.enqueue_batch(jobs, now).await.unwrap();
                        (batch_answer(done), vec![])
                    }));
                }
                StoreCall::Claim {
                    queue,
                    limit,
                    closed,
                    urgent,
                } => {
                    let (queue, limit) = (QUEUES[*queue], *limit);
                    let (closed, [before, from]) = (lanes(*closed), bounds(*urgent));
                    let wanted = Wanted {
                        queue,
                        limit,
                        closed: &closed,
                        before,
                        from,
                    };
                    let claimed = self.ledger.claim(wanted, &engine);
                    expected.push(heads(&claimed));
                    claimed_by_model.extend(claimed);
                    asked.push(Box::pin(async move {
                        let wanted = Wanted {
                            queue,
                            limit,
                            closed: &closed,
                            before,
                            from,
                        };
                        let claimed = store.claim(wanted, &engine, now).await.unwrap();
                        (heads(&claimed), claimed)
                    }));
                }
                StoreCall::Settle { lease, end } => {
                    let Some((in_model, in_store)) = leases.get(lease % leases.len().max(1)) else {
                        continue;
                    };
                    let (completion, of_model) = completions(end, in_model, now);
                    let fenced = self.ledger.settle(in_model.lease, &of_model, now);
                    expected.push(Answer::Fenced(fenced));
                    let lease = in_store.lease;
                    asked.push(Box::pin(async move {
                        let fenced = store.settle(lease, completion, now).await.unwrap();
                        (Answer::Fenced(fenced), vec![])
                    }));
                }
                StoreCall::Cancel { job } => {
                    let Some((model, job)) = pick(*job) else {
                        continue;
                    };
                    let cancelled = self.ledger.cancel(model, now);
                    expected.push(Answer::Other(format!("{cancelled:?}")));
                    asked.push(Box::pin(async move {
                        let done = store.cancel(job, now).await.unwrap();
                        (Answer::Other(format!("{done:?}")), vec![])
                    }));
                }
                StoreCall::Retry { job } => {
                    let Some((model, job)) = pick(*job) else {
                        continue;
                    };
                    if self.ledger.jobs[&model].kind == riftsync_basics::attempt::BATCH_KIND {
                        continue;
                    }
                    expected.push(Answer::Retried(self.ledger.retry(model, now)));
                    asked.push(Box::pin(async move {
                        let done = store.retry(job, now).await.unwrap();
                        (Answer::Retried(done), vec![])
                    }));
                }
                StoreCall::Stage { after_s } => {
                    self.now = now + Duration::from_secs(*after_s);
                    let now = self.now;
                    let staged = (self.ledger.stage(now), self.ledger.next_due());
                    expected.push(Answer::Other(format!("{staged:?}")));
                    asked.push(Box::pin(async move {
                        let staged = store.stage(now).await.unwrap();
                        let staged = (staged.moved, staged.next_due);
                        (Answer::Other(format!("{staged:?}")), vec![])
                    }));
                }
                StoreCall::RunAlone { lease } => {
                    let Some((in_model, in_store)) = leases.get(lease % leases.len().max(1)) else {
                        continue;
                    };
                    expected.push(Answer::Fenced(self.ledger.runs_alone(in_model.lease)));
                    let lease = in_store.lease;
                    asked.push(Box::pin(async move {
                        let fenced = store.runs_alone(lease).await.unwrap();
                        (Answer::Fenced(fenced), vec![])
                    }));
                }
                StoreCall::Crash { death } => {
                    // Of one that nobody knows there is no row.
                    if *death != Death::Unknown {
                        self.ledger.died(&engine, *death);
                        self.place.died(&engine, *death);
                    }
                    self.engine += 1;
                    let engine = format!("e{}", self.engine);
                    let rescued = self.ledger.rescue(&engine, now);
                    expected.push(Answer::Other(format!("{rescued:?}")));
                    asked.push(Box::pin(async move {
                        let done = store.rescue(&engine, now).await.unwrap();
                        (Answer::Other(format!("{done:?}")), vec![])
                    }));
                }
                StoreCall::Release { queue } => {
                    let queue = QUEUES[*queue];
                    let released = self.ledger.release(&engine, Some(queue), &[], now);
                    expected.push(Answer::Other(format!("{released:?}")));
                    asked.push(Box::pin(async move {
                        let done = store.release(&engine, Some(queue), &[], now).await.unwrap();
                        (Answer::Other(format!("{done:?}")), vec![])
                    }));
                }
            }
        }
        // The futures are polled in order, so the commands queue in order.
        let answers = join_all(asked).await;
        let turns = self.place.turns();
        self.match_ids(&turns);
        let mut claimed_by_store = Vec::new();
        for (expected, (answer, claimed)) in expected.into_iter().zip(answers) {
            assert_eq!(self.in_model(answer), expected);
            claimed_by_store.extend(claimed);
        }
        self.leases
            .extend(claimed_by_model.into_iter().zip(claimed_by_store));
        self.compare(&turns).await;
    }

    async fn compare(&self, turns: &BTreeMap<JobId, i64>) {
        for (id, row) in &self.ledger.jobs {
            let there = self.ids[id];
            let record = self.store.job(there).await.unwrap().unwrap();
            let rollup = |rollup: &riftsync_basics::Rollup| {
                let mut failed: Vec<_> = rollup
                    .failures
                    .iter()
                    .map(|failed| (failed.kind.clone(), failed.key.clone()))
                    .collect();
                failed.sort();
                let kinds: Vec<(String, KindCount)> = rollup.kinds.clone().into_iter().collect();
                (kinds, failed)
            };
            assert_eq!(
                (
                    record.state,
                    record.attempt,
                    record.crash_count,
                    record.priority,
                    record.children_pending as usize,
                    rollup(&record.rollup),
                    record.errors.len(),
                    record.finished_at.is_some(),
                ),
                (
                    row.state,
                    row.attempt,
                    row.known.level,
                    row.priority,
                    row.children.len(),
                    rollup(&row.rollup),
                    row.errors.len().min(ERRORS_KEPT),
                    row.state.is_final(),
                ),
                "job {id}: {record:?}\n{row:?}"
            );
            assert!(
                row.state.is_final() || turns[&there] == row.turn,
                "turn {} of job {id}: {record:?}\n{row:?}",
                turns[&there]
            );
            let waiting = matches!(row.state, JobState::Scheduled | JobState::Retryable);
            assert!(!waiting || record.run_at == row.run_at, "job {id}");
        }
    }
}

/// May end the last child of a parent. The parent itself ends just before the commit.
fn may_end_a_parent(call: &StoreCall) -> bool {
    matches!(
        call,
        StoreCall::Settle { .. }
            | StoreCall::Cancel { .. }
            | StoreCall::Crash { .. }
            | StoreCall::Release { .. }
    )
}

/// Sees whether a parent has ended, or what came free with its end. In the commit of that end it
/// is too early for that, as it would have been a moment before.
fn sees_parents(call: &StoreCall) -> bool {
    match call {
        StoreCall::Claim { .. } | StoreCall::Enqueue(_) | StoreCall::Batch(_) => true,
        StoreCall::Settle { end, .. } => {
            matches!(end, End::Complete(children) if !children.is_empty())
        }
        _ => false,
    }
}

/// Cuts calls into commits of up to `size`.
fn commits(calls: &[StoreCall], size: usize) -> Vec<&[StoreCall]> {
    let mut commits = Vec::new();
    let mut begin = 0;
    for (at, call) in calls.iter().enumerate() {
        let commit = &calls[begin..at];
        if commit.len() >= size || sees_parents(call) && commit.iter().any(may_end_a_parent) {
            commits.push(commit);
            begin = at;
        }
    }
    commits.push(&calls[begin..]);
    commits
}

/// The same end for the store and, without effects, for the model.
fn completions<E: Effect>(
    end: &End,
    job: &ClaimedJob,
    now: Timestamp,
) -> (Arc<Completion<E>>, Arc<Completion<Infallible>>) {
    let (attempt, most) = (job.attempt, job.max_attempts);
    (
        end.completion(attempt, most, now),
        end.completion(attempt, most, now),
    )
}

fn batch_answer(batch: Batch) -> Answer {
    let handle = Enqueued {
        id: batch.id,
        joined: false,
    };
    Answer::Enqueued([handle].into_iter().chain(batch.jobs).collect())
}

/// Carries out random calls on a new store of the place and on the reference model, up to `size` of them in one commit,
/// and compares all that can be seen after each.
pub fn agrees<P: Place>(place: &P, calls: &[StoreCall], size: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread");
    runtime.block_on(async {
        let mut pair = Pair::new(place).await;
        for group in commits(calls, size) {
            pair.group(group).await;
        }
        let closed = pair.store.close().await;
        closed.expect("the store closes");
    });
}

//! The database does what the reference model says: the same random orders on both, in groups that
//! share a commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use proptest::prelude::*;
use tempfile::TempDir;

use super::SqliteStore;
use crate::model::rollup::KindCount;
use crate::model::{ClaimedJob, JobId, JobState, Timestamp};
use crate::store::ledger::Ledger;
use crate::store::orders::{End, Order, QUEUES, before, lanes, orders};
use crate::store::{Fenced, Store, Wanted};

/// What an order came to, in words that both sides share.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Claimed(Vec<(JobId, JobId, u32)>),
    Fenced(Fenced),
    Other(String),
}

struct Pair {
    folder: TempDir,
    store: Arc<SqliteStore>,
    ledger: Ledger,
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

impl Pair {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("t.db")).unwrap());
        Self {
            folder,
            store,
            ledger: Ledger::default(),
            leases: Vec::new(),
            engine: 1,
            now: Timestamp::EPOCH + Duration::from_secs(1_000),
        }
    }

    /// Carries out the orders on the model, one after the other, and on the database, all at once.
    #[allow(clippy::too_many_lines, reason = "one arm for each order")]
    async fn group(&mut self, orders: &[Order]) {
        let known: Vec<JobId> = self.ledger.jobs.keys().copied().collect();
        let mut expected = Vec::new();
        let mut asked: Vec<BoxFuture<'static, (Answer, Vec<ClaimedJob>)>> = Vec::new();
        let mut claimed_by_model = Vec::new();
        let leases = self.leases.clone();
        for order in orders {
            let (store, now) = (self.store.clone(), self.now);
            let engine = format!("e{}", self.engine);
            let pick = |n: usize| known.get(n % known.len().max(1)).copied();
            match order {
                Order::Enqueue(sketches) => {
                    let jobs: Vec<_> = sketches.iter().map(|job| job.job(&known, now)).collect();
                    expected.push(Answer::Other(format!(
                        "{:?}",
                        self.ledger.enqueue(&jobs, now)
                    )));
                    asked.push(Box::pin(async move {
                        let done = store.enqueue(jobs, now).await.unwrap();
                        (Answer::Other(format!("{done:?}")), vec![])
                    }));
                }
                Order::Batch(sketches) => {
                    let jobs: Vec<_> = sketches.iter().map(|job| job.job(&known, now)).collect();
                    let batch = self.ledger.enqueue_batch(&jobs, now);
                    expected.push(Answer::Other(format!("{batch:?}")));
                    asked.push(Box::pin(async move {
                        let done = store.enqueue_batch(jobs, now).await.unwrap();
                        (Answer::Other(format!("{done:?}")), vec![])
                    }));
                }
                Order::Claim {
                    queue,
                    limit,
                    closed,
                    urgent,
                } => {
                    let (queue, limit) = (QUEUES[*queue], *limit);
                    let (closed, before) = (lanes(*closed), before(*urgent));
                    let wanted = Wanted {
                        queue,
                        limit,
                        closed: &closed,
                        before,
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
                        };
                        let claimed = store.claim(wanted, &engine, now).await.unwrap();
                        (heads(&claimed), claimed)
                    }));
                }
                Order::Settle { lease, end } => {
                    let Some((in_model, in_store)) = leases.get(lease % leases.len().max(1)) else {
                        continue;
                    };
                    let completion = end.completion(in_model.attempt, in_model.max_attempts, now);
                    let fenced = self.ledger.settle(in_model.lease, &completion, now);
                    expected.push(Answer::Fenced(fenced));
                    let lease = in_store.lease;
                    asked.push(Box::pin(async move {
                        let fenced = store.settle(lease, completion, now).await.unwrap();
                        (Answer::Fenced(fenced), vec![])
                    }));
                }
                Order::Cancel { job } => {
                    let Some(job) = pick(*job) else { continue };
                    let cancelled = self.ledger.cancel(job, now);
                    expected.push(Answer::Other(format!("{cancelled:?}")));
                    asked.push(Box::pin(async move {
                        let done = store.cancel(job, now).await.unwrap();
                        (Answer::Other(format!("{done:?}")), vec![])
                    }));
                }
                Order::Retry { job } => {
                    let Some(job) = pick(*job) else { continue };
                    if self.ledger.jobs[&job].kind == crate::model::attempt::BATCH_KIND {
                        continue;
                    }
                    let retried = self.ledger.retry(job, now);
                    expected.push(Answer::Other(format!("{retried:?}")));
                    asked.push(Box::pin(async move {
                        let done = store.retry(job, now).await.unwrap();
                        (Answer::Other(format!("{done:?}")), vec![])
                    }));
                }
                Order::Stage { after_s } => {
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
                Order::Crash => {
                    self.engine += 1;
                    let engine = format!("e{}", self.engine);
                    let rescued = self.ledger.rescue(&engine, now);
                    expected.push(Answer::Other(format!("{rescued:?}")));
                    asked.push(Box::pin(async move {
                        let done = store.rescue(&engine, now).await.unwrap();
                        (Answer::Other(format!("{done:?}")), vec![])
                    }));
                }
                Order::Release { queue } => {
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
        let mut claimed_by_store = Vec::new();
        for (expected, (answer, claimed)) in expected.into_iter().zip(answers) {
            assert_eq!(answer, expected);
            claimed_by_store.extend(claimed);
        }
        self.leases
            .extend(claimed_by_model.into_iter().zip(claimed_by_store));
        self.compare().await;
    }

    /// Turns of all jobs, which no record shows.
    fn turns(&self) -> HashMap<i64, i64> {
        use diesel::prelude::*;
        diesel::table! { jobs { id -> BigInt, turn -> BigInt, } }
        let path = self.folder.path().join("t.db");
        let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let rows: Vec<(i64, i64)> = jobs::table.load(&mut conn).unwrap();
        rows.into_iter().collect()
    }

    async fn compare(&self) {
        let turns = self.turns();
        for (id, row) in &self.ledger.jobs {
            let record = self.store.job(*id).await.unwrap().unwrap();
            let rollup = |rollup: &crate::model::Rollup| {
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
                    row.crash_count,
                    row.priority,
                    row.children.len(),
                    rollup(&row.rollup),
                    row.errors.min(10),
                    row.state.is_final(),
                ),
                "job {id}: {record:?}\n{row:?}"
            );
            assert!(
                row.state.is_final() || turns[&id.0] == row.turn,
                "turn {} of job {id}: {record:?}\n{row:?}",
                turns[&id.0]
            );
            let waiting = matches!(row.state, JobState::Scheduled | JobState::Retryable);
            assert!(!waiting || record.run_at == row.run_at, "job {id}");
        }
    }
}

/// May end the last child of a parent. The parent itself ends just before the commit.
fn may_end_a_parent(order: &Order) -> bool {
    matches!(
        order,
        Order::Settle { .. } | Order::Cancel { .. } | Order::Crash | Order::Release { .. }
    )
}

/// Sees whether a parent has ended, or what came free with its end. In the commit of that end it
/// is too early for that, as it would have been a moment before.
fn sees_parents(order: &Order) -> bool {
    match order {
        Order::Claim { .. } | Order::Enqueue(_) | Order::Batch(_) => true,
        Order::Settle { end, .. } => matches!(end, End::Complete(children) if !children.is_empty()),
        _ => false,
    }
}

/// Cuts orders into commits of up to `size`.
fn commits(orders: &[Order], size: usize) -> Vec<&[Order]> {
    let mut commits = Vec::new();
    let mut begin = 0;
    for (at, order) in orders.iter().enumerate() {
        let commit = &orders[begin..at];
        if commit.len() >= size || sees_parents(order) && commit.iter().any(may_end_a_parent) {
            commits.push(commit);
            begin = at;
        }
    }
    commits.push(&orders[begin..]);
    commits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_database_agrees_with_the_model(orders in orders(70), group in 1_usize..6) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new();
            for group in commits(&orders, group) {
                pair.group(group).await;
            }
            pair.store.close().await.unwrap();
        });
    }
}

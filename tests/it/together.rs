//! What several engines order at the same time, on the same jobs, matches and players: they wait for each other in a
//! line, and never in a circle.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use riftsync::model::records::PayloadKind;
use riftsync::model::{
    CatchUp, ClaimedJob, Failure, JobId, JobState, MissingDocument, MissingReason, NewJob, Outcome,
    Priority, attempt,
};
use riftsync::store::people::PeopleStore;
use riftsync::store::postgres::PostgresStore;
use riftsync::store::schedules::{Schedule, ScheduleStore, Tick};
use riftsync::store::{
    Completion, Database, Effect, Fenced, FleetStore, JobStore, StoreError, Wanted,
};
use serde_json::json;

use crate::data::{check_statistics, game, match_id, stores};
use crate::postgres::{check_rollups, check_rows, open};
use crate::scratch::Scratch;
use crate::store::{NOW, end, new_job};

const QUEUES: [&str; 2] = ["q", "c"];

/// The server finds every circle, at once, and counts it.
fn watched(more: &str) -> Scratch {
    let scratch = Scratch::new();
    let set = |what: &str| {
        scratch.run(&format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {what}', current_database()); END $$"
        ));
    };
    set("deadlock_timeout = 1");
    if !more.is_empty() {
        set(more);
    }
    scratch
}

/// (deadlocks, transactions that were rolled back) once all sessions of the stores are gone: then they have counted.
async fn counted(scratch: &Scratch, stores: [Arc<PostgresStore>; 2]) -> (u64, u64) {
    for store in &stores {
        store.close().await.unwrap();
    }
    let others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while !scratch.rows(others).is_empty() {}
    let rows = scratch.rows(
        "SELECT deadlocks, xact_rollback FROM pg_stat_database WHERE datname = current_database()",
    );
    let number = |at: usize| rows[0][at].as_deref().unwrap().parse().unwrap();
    (number(0), number(1))
}

#[tokio::test]
async fn whatever_several_engines_order_at_once_no_two_wait_for_each_other() {
    for seed in 0..4 {
        // A server whose transactions are another kind unless they say so.
        let kind = "default_transaction_isolation = serializable";
        let scratch = watched(if seed % 2 == 1 { kind } else { "" });
        let stores = [open(&scratch).await, open(&scratch).await];
        let schedule = |name: &str| Schedule {
            name: name.to_owned(),
            expression: "every 1h".to_owned(),
            zone: "UTC".to_owned(),
            catch_up: CatchUp::Skip,
            kind: "k0".to_owned(),
            args: "{}".to_owned(),
        };
        for name in ["b", "a"] {
            stores[0].put_schedule(schedule(name), NOW).await.unwrap();
        }
        let actors = (0..8).map(|n| {
            let actor = Actor {
                store: stores[n % 2].clone(),
                rng: fastrand::Rng::with_seed(seed * 100 + n as u64),
                engine: format!("e{n}"),
                held: Vec::new(),
                known: Vec::new(),
            };
            actor.act()
        });
        join_all(actors).await;
        check_rows(&scratch);
        check_rollups(&stores[0], &scratch).await;
        let players = scratch.rows("SELECT id FROM players");
        assert!(players.len() > 5);
        let players = players
            .iter()
            .map(|row| row[0].as_deref().unwrap().parse().unwrap());
        check_statistics(&*stores[0], players).await;
        let (deadlocks, _) = counted(&scratch, stores).await;
        assert_eq!(deadlocks, 0, "seed {seed}");
    }
}

/// A rescue locks the jobs of the dead in the order of their ids. One that came to run in a dead engine while it waited
/// is not waited for: who holds that may be waiting for the others.
#[tokio::test]
async fn a_rescue_waits_for_no_job_that_came_to_run_after_it_had_begun() {
    let scratch = Scratch::new();
    let store = open(&scratch).await;
    store
        .enqueue(vec![new_job("k", None); 2], NOW)
        .await
        .unwrap();
    let claimed = store.claim(Wanted::of("q", 2), "dead", NOW).await.unwrap();
    let mut ids: Vec<i64> = claimed.iter().map(|job| job.lease.job.0).collect();
    ids.sort_unstable();
    let [early, late] = ids[..] else {
        panic!("{ids:?}")
    };
    let held = |id: i64| scratch.hold(&format!("SELECT 1 FROM jobs WHERE id = {id} FOR UPDATE"));
    let runs = |state: &str, engine: &str| {
        scratch.run(&format!(
            "UPDATE jobs SET state = '{state}', engine_id = {engine} WHERE id = {early}"
        ));
    };
    runs("available", "NULL");
    let late = held(late);
    let rescue = tokio::spawn(async move { store.rescue("alive", NOW).await });
    let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while scratch.rows(waits).is_empty() {
        tokio::task::yield_now().await;
    }
    runs("running", "'dead'");
    let early = held(early);
    drop(late);
    let rescued = tokio::time::timeout(Duration::from_secs(20), rescue).await;
    assert_eq!(rescued.unwrap().unwrap().unwrap().returned, 1);
    drop(early);
}

/// One caller among several.
struct Actor {
    store: Arc<PostgresStore>,
    rng: fastrand::Rng,
    engine: String,
    held: Vec<ClaimedJob>,
    known: Vec<JobId>,
}

impl Actor {
    async fn act(mut self) {
        for _ in 0..70 {
            match self.rng.u8(0..16) {
                0..=1 => self.bring().await,
                2..=4 => self.claim().await,
                5..=9 => self.settle().await,
                10 => {
                    if let Some(id) = self.any() {
                        self.store.cancel(id, NOW).await.unwrap();
                    }
                }
                11 => {
                    if let Some(id) = self.any() {
                        refused(self.store.retry(id, NOW).await);
                    }
                }
                12 => {
                    let later = NOW + Duration::from_secs(self.rng.u64(0..3));
                    self.store.stage(later).await.unwrap();
                    self.store.rescue(&self.engine, NOW).await.unwrap();
                }
                13 => self.tick().await,
                14 => {
                    let kept: Vec<_> = self.held.iter().map(|job| job.lease).collect();
                    let released = self.store.release(&self.engine, None, &kept, NOW);
                    released.await.unwrap();
                    let before = NOW + Duration::from_secs(1);
                    self.store.prune(before, 3).await.unwrap();
                }
                _ => {
                    let mut players: Vec<i64> = (1..20).collect();
                    self.rng.shuffle(&mut players);
                    self.store.track(players, self.rng.bool()).await.unwrap();
                }
            }
        }
    }

    fn any(&mut self) -> Option<JobId> {
        let at = self.rng.usize(0..self.known.len().max(1));
        self.known.get(at).copied()
    }

    /// A few, with few keys.
    fn jobs(&mut self, count: usize) -> Vec<NewJob> {
        let mut job = || {
            let key = self.rng.u8(0..3) > 0;
            let key = key.then(|| self.rng.u8(0..12).to_string());
            NewJob {
                queue: QUEUES[self.rng.usize(0..2)],
                priority: Priority::new(self.rng.u8(0..2)),
                ..new_job(["k0", "k1"][self.rng.usize(0..2)], key.as_deref())
            }
        };
        (0..count).map(|_| job()).collect()
    }

    async fn bring(&mut self) {
        let count = self.rng.usize(1..5);
        let mut jobs = self.jobs(count);
        if self.rng.bool() {
            let batch = self.store.enqueue_batch(jobs, NOW).await.unwrap();
            self.known.push(batch.id);
            self.known.extend(batch.jobs.iter().map(|job| job.id));
            return;
        }
        if self.rng.u8(0..3) == 0 {
            jobs[0].after.jobs.extend(self.any());
        }
        // What it is to come after may be pruned by now.
        let brought = refused(self.store.enqueue(jobs, NOW).await);
        self.known
            .extend(brought.iter().flatten().map(|job| job.id));
    }

    async fn claim(&mut self) {
        let queue = QUEUES[self.rng.usize(0..2)];
        let claimed = self.store.claim(Wanted::of(queue, 6), &self.engine, NOW);
        self.held.extend(claimed.await.unwrap());
        let some = self.held.iter().take(3);
        let reports = some.map(|job| self.store.progress(job.lease, "s", 1, json!({})));
        for fenced in join_all(reports).await {
            let _ = fenced.unwrap();
        }
    }

    async fn settle(&mut self) {
        let held = std::mem::take(&mut self.held);
        let mut ends = Vec::new();
        for job in held {
            let outcome = match self.rng.u8(0..6) {
                0 => Outcome::Retry(Failure::new("test", "again")),
                1 => Outcome::Discard(Failure::new("test", "no")),
                _ => Outcome::Complete(json!(null)),
            };
            let (attempt, max) = (job.attempt, job.max_attempts);
            let settled = attempt::settle(attempt, max, outcome, Duration::from_secs(1), NOW);
            let mut completion = Completion::of(settled);
            if completion.settlement.state == JobState::Completed {
                let count = [0, 0, 2, 20][self.rng.usize(0..4)];
                completion.children = self.jobs(count);
                completion.effects = self.effects();
            }
            ends.push((job.lease, Arc::new(completion)));
        }
        let ends = ends.into_iter();
        let ends = ends.map(|(lease, completion)| self.store.settle(lease, completion, NOW));
        for fenced in join_all(ends).await {
            // Another may have taken this engine for dead.
            let _ = fenced.unwrap();
        }
    }

    /// Of a few players, and the same matches as others bring; some of them are missing for one and there for another.
    fn effects(&mut self) -> Vec<Effect> {
        let n = self.rng.u64(0..60);
        match self.rng.u8(0..4) {
            0 => Vec::new(),
            1 => vec![Effect::Missing(MissingDocument {
                kind: PayloadKind::Match,
                id: match_id(n),
                reason: MissingReason::NotFound,
                tries: 1,
                first_seen: NOW,
                next_try: None,
                expires_at: None,
            })],
            _ => vec![stores(&game(n, 12))],
        }
    }

    async fn tick(&mut self) {
        let all = self.store.schedules().await.unwrap();
        let schedule = &all[self.rng.usize(0..all.len())];
        let at = NOW + Duration::from_secs(self.rng.u64(0..1_000_000));
        let job = self.jobs(1).pop();
        let tick = Tick::of(schedule, at, job);
        self.store.tick(tick, NOW).await.unwrap();
    }
}

/// What it came to, unless it was refused.
fn refused<T>(result: Result<T, StoreError>) -> Option<T> {
    match result {
        Ok(done) => Some(done),
        Err(StoreError::Refused(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Children of one parent end in two engines, of which each waits for the other's commits: where a transaction keeps to
/// what it saw at its begin, the second can only be rolled back.
#[tokio::test]
async fn a_server_whose_transactions_are_serializable_unless_told_rolls_none_back() {
    let scratch = watched("default_transaction_isolation = serializable");
    let stores = [open(&scratch).await, open(&scratch).await];
    let batch = vec![new_job("c", None); 200];
    let batch = stores[0].enqueue_batch(batch, NOW).await.unwrap();
    let workers = (0..4).map(|n| {
        let store = stores[n % 2].clone();
        async move {
            loop {
                let jobs = store.claim(Wanted::of("q", 5), "e", NOW).await.unwrap();
                if jobs.is_empty() {
                    break;
                }
                let done = jobs.iter().map(|job| {
                    let done = Arc::new(end(Outcome::Complete(json!(null))));
                    store.settle(job.lease, done, NOW)
                });
                for fenced in join_all(done).await {
                    assert_eq!(fenced.unwrap(), Fenced::Applied);
                }
            }
        }
    });
    join_all(workers).await;
    let record = stores[0].job(batch.id).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Completed);
    assert_eq!(counted(&scratch, stores).await, (0, 0));
}

//! A store of a stranger's own: his effect, his table, his database.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::FutureExt;
use futures_util::future::join_all;
use proptest::prelude::*;
use riftsync_basics::attempt::{Outcome, settle};
use riftsync_basics::suspicion::Death;
use riftsync_basics::{After, JobId, JobState, Lease, NewJob, Priority, Timestamp};

use super::{Fault, PostgresEffect, PostgresStore, Settings, connect};
use crate::conformance::agreement::{Place, agrees, dead};
use crate::conformance::store_calls;
use crate::metrics::Metrics;
use crate::store::{
    Completion, Database, Effect, EngineInfo, Fenced, FleetStore, JobStore, StoreError,
    StoreResult, Wanted,
};
use crate::{
    Engine, EngineConfig, JobContext, QueueConfig, Registry, RetryPolicy, Services, Task,
    TaskFuture, TaskResult,
};

const NOW: Timestamp = Timestamp::from_millis(1_772_323_200_000);

/// A word that is not written.
const LOUD: &str = "!";

/// A word that a job writes.
#[derive(Debug)]
struct Said(&'static str);

impl Effect for Said {}

#[async_trait]
impl PostgresEffect for Said {
    async fn make_tables(conn: &mut AsyncPgConnection) -> Result<(), Fault> {
        let table = "CREATE TABLE IF NOT EXISTS said (word TEXT NOT NULL)";
        Ok(conn.batch_execute(table).await?)
    }

    fn place(&self) -> String {
        self.0.to_owned()
    }

    async fn write(&self, mut conn: &AsyncPgConnection, _: Timestamp) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Err(StoreError::Refused("there is nothing to say".to_owned()).into());
        }
        assert!(self.0 != LOUD, "no shouting");
        diesel::sql_query("INSERT INTO said (word) VALUES ($1)")
            .bind::<Text, _>(self.0)
            .execute(&mut conn)
            .await?;
        Ok(())
    }
}

/// A database of its own on the server that `TEST_DATABASE_URL` names, dropped with this.
struct House {
    server: String,
    name: String,
}

impl House {
    fn new() -> Self {
        let server = std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
            panic!("TEST_DATABASE_URL names no server: run `bash tests/run.sh`, which brings one")
        });
        let name = format!("engine_test_{:016x}", fastrand::u64(..));
        let house = Self { server, name };
        run(&house.server, &format!("CREATE DATABASE {}", house.name));
        house
    }

    fn url(&self) -> String {
        let (place, query) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let host = place.rsplit_once('/').map_or(place, |(host, _)| host);
        format!("{host}/{}?{query}", self.name)
    }

    async fn open(&self) -> StoreResult<PostgresStore<Said>> {
        PostgresStore::open(&self.url()).await
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        run(&self.server, &drop);
    }
}

/// On a runtime of its own: works inside of any other, and in a drop.
fn on_own_runtime<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(work())
        });
        thread.join().unwrap()
    })
}

/// Runs statements past the store.
fn run(url: &str, statements: &str) {
    on_own_runtime(async || {
        let settings = Settings::new(url.parse().unwrap());
        let mut link = connect::first(&settings).await.unwrap();
        link.conn.batch_execute(statements).await.unwrap();
    });
}

fn job(key: &str) -> NewJob {
    NewJob {
        kind: "say",
        queue: "default",
        lane: "",
        key: Some(key.to_owned()),
        args: "{}".to_owned(),
        priority: Priority::DEFAULT,
        max_attempts: 3,
        run_at: None,
        after: After::default(),
    }
}

/// The end of an attempt that says these words.
fn saying(words: &[&'static str]) -> Arc<Completion<Said>> {
    let outcome = Outcome::Complete(().into());
    let mut end = Completion::of(settle(1, 3, outcome, Duration::ZERO, NOW));
    end.effects = words.iter().map(|word| Said(word)).collect();
    Arc::new(end)
}

async fn claim(store: &PostgresStore<Said>, engine: &str) -> Lease {
    let claimed = store.claim(Wanted::of("default", 1), engine, NOW).await;
    claimed.unwrap().remove(0).lease
}

async fn said(store: &PostgresStore<Said>) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        word: String,
    }
    let rows: StoreResult<Vec<Row>> = store
        .read(|mut conn| {
            Box::pin(async move {
                let words = diesel::sql_query("SELECT word FROM said ORDER BY word");
                words.load(&mut conn).await
            })
        })
        .await;
    rows.unwrap().into_iter().map(|row| row.word).collect()
}

async fn state(store: &PostgresStore<Said>, id: JobId) -> JobState {
    store.job(id).await.unwrap().unwrap().state
}

#[tokio::test]
async fn an_effect_commits_with_the_end_of_its_job_under_its_lease_whichever_engine_asks() {
    let house = House::new();
    let (one, other) = tokio::try_join!(house.open(), house.open()).unwrap();
    let ids = one.enqueue(vec![job("a"), job("b")], NOW).await.unwrap();
    let (first, second) = (claim(&one, "one").await, claim(&one, "one").await);

    // An end that cannot be written takes nothing with it, and nobody else along.
    let (good, bad) = tokio::join!(
        one.settle(first, saying(&["hello", "and"]), NOW),
        one.settle(second, saying(&["half", ""]), NOW),
    );
    assert_eq!(good.unwrap(), Fenced::Applied);
    assert!(matches!(bad, Err(StoreError::Refused(_))), "{bad:?}");
    assert_eq!(said(&other).await, ["and", "hello"]);
    assert_eq!(state(&other, ids[1].id).await, JobState::Running);

    // An attempt that lost its job writes nothing more, neither alone nor beside one that holds its own.
    one.release("one", None, &[], NOW).await.unwrap();
    let third = claim(&other, "other").await;
    let (late, right) = tokio::join!(
        one.settle(second, saying(&["late"]), NOW),
        other.settle(third, saying(&["right"]), NOW),
    );
    assert_eq!(late.unwrap(), Fenced::Stale);
    assert_eq!(right.unwrap(), Fenced::Applied);
    assert_eq!(said(&one).await, ["and", "hello", "right"]);
    for store in [one, other] {
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_panic_in_an_effect_costs_the_end_that_brought_it_and_no_other() {
    let house = House::new();
    let store = house.open().await.unwrap();
    let jobs = ["a", "b", "c", "d", "e", "f"].map(job);
    let ids = store.enqueue(jobs.into(), NOW).await.unwrap();
    let mut leases = Vec::new();
    for _ in &ids {
        leases.push(claim(&store, "one").await);
    }
    let ends = leases.iter().enumerate().map(|(at, lease)| {
        let words: &[&str] = if at == 3 { &["half", LOUD] } else { &["hello"] };
        store.settle(*lease, saying(words), NOW)
    });
    for (at, end) in join_all(ends).await.into_iter().enumerate() {
        match end {
            Err(StoreError::Panicked(why)) if at == 3 => {
                assert!(why.contains("no shouting"), "{why}");
            }
            end => assert!(
                at != 3 && matches!(end, Ok(Fenced::Applied)),
                "{at}: {end:?}"
            ),
        }
    }
    assert_eq!(said(&store).await, ["hello"; 5]);
    assert_eq!(state(&store, ids[3].id).await, JobState::Running);

    // Nor does the program's own work in a transaction.
    let loud = store.write(|tx| {
        Box::pin(async move {
            Said("half").write(tx.conn(), NOW).await?;
            Said(LOUD).write(tx.conn(), NOW).await
        })
    });
    let written = loud.await;
    assert!(
        matches!(written, Err(StoreError::Panicked(_))),
        "{written:?}"
    );
    assert!(store.writer_died().now_or_never().is_none());
    assert_eq!(said(&store).await, ["hello"; 5]);
    let end = store.settle(leases[3], saying(&["quiet"]), NOW).await;
    assert_eq!(end.unwrap(), Fenced::Applied);
    store.close().await.unwrap();
}

/// A job that says the word it is given.
struct Say;

impl Task<PostgresStore<Said>> for Say {
    fn kind(&self) -> &'static str {
        "say"
    }

    fn queue(&self) -> &'static str {
        "default"
    }

    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(0, 1, 1)
    }

    fn run(&self, context: JobContext<PostgresStore<Said>>) -> TaskFuture<Said> {
        let loud = context.job.key.as_deref() == Some("loud");
        let said = Said(if loud { LOUD } else { "hello" });
        Box::pin(async { TaskResult::complete(().into()).with_effects(vec![said]) })
    }
}

#[actix::test]
async fn a_job_whose_effect_panics_has_failed_and_says_so_and_its_engine_goes_on() {
    let house = House::new();
    let store = Arc::new(house.open().await.unwrap());
    let queue = QueueConfig {
        name: "default",
        slots: 4,
        prefetch: 4,
        rate: None,
        paused: false,
    };
    let config = EngineConfig {
        queues: vec![queue],
        ..EngineConfig::default()
    };
    let (registry, metrics) = (Registry::default().with(Say), Arc::new(Metrics::default()));
    let services = Services::default();
    let engine = Engine::start(config, store.clone(), registry.into(), services, metrics);
    let engine = engine.await.unwrap();
    let jobs = ["a", "loud", "b"].map(|key| NewJob {
        max_attempts: 1,
        ..job(key)
    });
    let ids = store.enqueue(jobs.into(), Timestamp::now()).await.unwrap();
    let none_open = async || Ok((store.open_jobs().await? == 0).then_some(()));
    store.wait_for(none_open).await.unwrap();
    let failed = store.job(ids[1].id).await.unwrap().unwrap();
    assert_eq!(failed.state, JobState::Discarded);
    let why = &failed.errors[0].failure;
    assert_eq!(why.kind, "panic");
    assert!(
        why.message.contains("what it was to write panicked")
            && why.message.contains("no shouting"),
        "{why}"
    );
    assert_eq!(said(&store).await, ["hello", "hello"]);
    assert!(store.writer_died().now_or_never().is_none());
    engine.stop().await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn an_end_that_turns_out_stale_takes_back_what_it_wrote_and_nothing_else() {
    let house = House::new();
    let store = house.open().await.unwrap();
    store.enqueue(vec![job("a"), job("b")], NOW).await.unwrap();
    let (lost, held) = (claim(&store, "one").await, claim(&store, "one").await);
    store.release("one", None, &[held], NOW).await.unwrap();
    let (late, good) = tokio::join!(
        store.settle(lost, saying(&["late"]), NOW),
        store.settle(held, saying(&["good"]), NOW),
    );
    assert_eq!(late.unwrap(), Fenced::Stale);
    assert_eq!(good.unwrap(), Fenced::Applied);
    assert_eq!(said(&store).await, ["good"]);
    store.close().await.unwrap();
}

#[tokio::test]
async fn rows_of_a_program_and_the_jobs_that_it_enqueues_with_them_are_there_together_or_not() {
    let house = House::new();
    let store = house.open().await.unwrap();
    let order = |word: &'static str, after: Vec<JobId>, times: usize| {
        store.write(move |tx| {
            let mut job = job(word);
            job.after.jobs.clone_from(&after);
            Box::pin(async move {
                Said(word).write(tx.conn(), NOW).await?;
                let mut enqueued = Vec::new();
                for _ in 0..times {
                    enqueued = tx.enqueue(&[job.clone()], NOW).await?;
                }
                Ok(enqueued)
            })
        })
    };
    let known = order("ordered", Vec::new(), 1).await.unwrap()[0].id;
    let nowhere = order("refused", vec![known, JobId(1_000)], 1).await;
    let again = order("twice", vec![known], 2).await;
    for refused in [nowhere, again] {
        assert!(
            matches!(refused, Err(StoreError::Refused(_))),
            "{refused:?}"
        );
    }
    assert_eq!(said(&store).await, ["ordered"]);
    assert_eq!(store.open_jobs().await.unwrap(), 1);
    // One that waits for a job is behind it; one with the key of an open job joins it.
    order("later", vec![known], 1).await.unwrap();
    let joined = order("ordered", Vec::new(), 1).await.unwrap()[0];
    assert!(joined.joined && joined.id == known);
    assert_eq!(store.open_jobs().await.unwrap(), 2);
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_jobs_of_an_engine_that_is_gone_go_on_in_another() {
    let house = House::new();
    let (one, other) = tokio::try_join!(house.open(), house.open()).unwrap();
    let engine = |id: &str| EngineInfo {
        id: id.to_owned(),
        pid: 1,
        host: "here".to_owned(),
        version: "1",
    };
    one.engine_started(engine("one"), NOW).await.unwrap();
    other.engine_started(engine("other"), NOW).await.unwrap();
    let ids = one.enqueue(vec![job("a")], NOW).await.unwrap();
    let lease = claim(&one, "one").await;
    // It is silent, as one is that was stopped in the middle of its work.
    run(
        &house.url(),
        "UPDATE engines SET heartbeat_at = 0 WHERE id = 'one'",
    );
    let rescued = other.rescue("other", NOW).await.unwrap();
    assert_eq!(rescued.returned, 1, "{rescued:?}");
    let late = one.settle(lease, saying(&["late"]), NOW).await.unwrap();
    assert_eq!(late, Fenced::Stale);
    assert!(said(&other).await.is_empty());
    assert_ne!(state(&other, ids[0].id).await, JobState::Running);
    for store in [one, other] {
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn migrations_of_a_program_are_its_own_affair_and_those_of_a_newer_engine_are_refused() {
    let house = House::new();
    house.open().await.unwrap().close().await.unwrap();
    let applied = |version: &str| {
        let note = format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')");
        run(&house.url(), &note);
    };
    applied("20261128");
    house.open().await.unwrap().close().await.unwrap();
    applied("engine99999999999999");
    let refused = house.open().await.map(drop);
    assert!(
        matches!(refused, Err(StoreError::Newer { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_database_of_another_program_is_left_as_it_is() {
    let house = House::new();
    run(&house.url(), "CREATE TABLE jobs (id INTEGER)");
    let refused = house.open().await.map(drop);
    let Err(error @ StoreError::OtherProgram { .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(error.to_string().contains("Nothing was changed"), "{error}");
    // There would be two of them if anything was left.
    run(
        &house.url(),
        "CREATE TABLE job_links (id INTEGER); CREATE TABLE said (id INTEGER)",
    );
}

#[async_trait]
impl Place for House {
    type Store = PostgresStore<Infallible>;

    async fn open(&self) -> Arc<Self::Store> {
        let store = PostgresStore::open(&self.url()).await.unwrap();
        run(&self.url(), "TRUNCATE jobs, job_links, engines");
        Arc::new(store)
    }

    fn turns(&self) -> BTreeMap<JobId, i64> {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            id: i64,
            #[diesel(sql_type = BigInt)]
            turn: i64,
        }
        let rows: Vec<Row> = on_own_runtime(async || {
            let settings = Settings::new(self.url().parse().unwrap());
            let mut link = connect::first(&settings).await.unwrap();
            let turns = diesel::sql_query("SELECT id, turn FROM jobs");
            turns.load(&mut link.conn).await.unwrap()
        });
        rows.into_iter()
            .map(|row| (JobId(row.id), row.turn))
            .collect()
    }

    fn died(&self, engine: &str, death: Death) {
        run(&self.url(), &dead(engine, death));
    }
}

#[test]
fn it_agrees_with_the_model() {
    let house = House::new();
    let config = ProptestConfig {
        cases: 20,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // What shares a commit is carried out in an order of its own, so each call has its own here.
    proptest!(config, |(calls in store_calls(70))| agrees(&house, &calls, 1));
}

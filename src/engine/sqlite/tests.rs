//! A store of a stranger's own: his effect, his table, his file.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use futures_util::FutureExt;
use futures_util::future::join_all;
use proptest::prelude::*;
use riftsync_basics::attempt::{Outcome, settle};
use riftsync_basics::{After, JobId, JobState, Lease, NewJob, Priority, Timestamp};
use tempfile::TempDir;

use super::{SqliteEffect, SqliteStore};
use crate::conformance::agreement::{InFile, agrees};
use crate::conformance::store_calls;
use crate::metrics::Metrics;
use crate::store::{
    Completion, Database, Effect, Fenced, JobStore, StoreError, StoreResult, Wanted,
};
use crate::{
    Engine, EngineConfig, JobContext, QueueConfig, Registry, RetryPolicy, Services, Task,
    TaskFuture, TaskResult,
};

const NOW: Timestamp = Timestamp::from_millis(1_772_323_200_000);
const ENGINE: &str = "an engine";

/// A word that is not written.
const LOUD: &str = "!";

/// A word that a job writes.
#[derive(Debug)]
struct Said(&'static str);

impl Effect for Said {}

impl SqliteEffect for Said {
    fn make_tables(conn: &mut SqliteConnection) -> StoreResult<()> {
        Ok(conn.batch_execute("CREATE TABLE IF NOT EXISTS said (word TEXT NOT NULL) STRICT")?)
    }

    fn write(&self, conn: &mut SqliteConnection, _: Timestamp) -> StoreResult<()> {
        if self.0.is_empty() {
            return Err(StoreError::Refused("there is nothing to say".to_owned()));
        }
        assert!(self.0 != LOUD, "no shouting");
        diesel::sql_query("INSERT INTO said (word) VALUES (?)")
            .bind::<Text, _>(self.0)
            .execute(conn)?;
        Ok(())
    }
}

struct House(TempDir);

impl House {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("t.db")
    }

    fn open(&self) -> StoreResult<SqliteStore<Said>> {
        SqliteStore::open(self.path())
    }
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

async fn claim(store: &SqliteStore<Said>) -> Lease {
    let claimed = store.claim(Wanted::of("default", 1), ENGINE, NOW).await;
    claimed.unwrap().remove(0).lease
}

async fn said(store: &SqliteStore<Said>) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        word: String,
    }
    let rows = store.read(|conn| diesel::sql_query("SELECT word FROM said").load::<Row>(conn));
    let words = rows.await.unwrap().into_iter().map(|row| row.word);
    words.collect()
}

async fn state(store: &SqliteStore<Said>, id: JobId) -> JobState {
    store.job(id).await.unwrap().unwrap().state
}

#[tokio::test]
async fn an_effect_commits_with_the_end_of_its_job_under_its_lease_and_stays_in_the_file() {
    let house = House::new();
    let store = house.open().unwrap();
    let ids = store.enqueue(vec![job("a"), job("b")], NOW).await.unwrap();
    let (first, second) = (claim(&store).await, claim(&store).await);

    // An end that cannot be written takes nothing with it, and nobody else along.
    let (good, bad) = tokio::join!(
        store.settle(first, saying(&["hello"]), NOW),
        store.settle(second, saying(&["half", ""]), NOW),
    );
    assert_eq!(good.unwrap(), Fenced::Applied);
    assert!(matches!(bad, Err(StoreError::Refused(_))), "{bad:?}");
    assert_eq!(said(&store).await, ["hello"]);
    assert_eq!(state(&store, ids[1].id).await, JobState::Running);

    // An attempt that lost its job writes nothing more.
    store.release(ENGINE, None, &[], NOW).await.unwrap();
    let late = store.settle(second, saying(&["late"]), NOW).await.unwrap();
    assert_eq!(late, Fenced::Stale);
    assert!(matches!(house.open(), Err(StoreError::InUse { .. })));
    store.close().await.unwrap();
    drop(store);

    let store = house.open().unwrap();
    assert_eq!(said(&store).await, ["hello"]);
    assert_eq!(state(&store, ids[0].id).await, JobState::Completed);
    assert_eq!(state(&store, ids[1].id).await, JobState::Available);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_panic_in_an_effect_costs_the_end_that_brought_it_and_no_other() {
    let house = House::new();
    let store = house.open().unwrap();
    let jobs = ["a", "b", "c", "d", "e", "f"].map(job);
    let ids = store.enqueue(jobs.into(), NOW).await.unwrap();
    let mut leases = Vec::new();
    for _ in &ids {
        leases.push(claim(&store).await);
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
        Said("half").write(tx.conn(), NOW)?;
        Said(LOUD).write(tx.conn(), NOW)
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

impl Task<SqliteStore<Said>> for Say {
    fn kind(&self) -> &'static str {
        "say"
    }

    fn queue(&self) -> &'static str {
        "default"
    }

    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(0, 1, 1)
    }

    fn run(&self, context: JobContext<SqliteStore<Said>>) -> TaskFuture<Said> {
        let loud = context.job.key.as_deref() == Some("loud");
        let said = Said(if loud { LOUD } else { "hello" });
        Box::pin(async { TaskResult::complete(().into()).with_effects(vec![said]) })
    }
}

#[actix::test]
async fn a_job_whose_effect_panics_has_failed_and_says_so_and_its_engine_goes_on() {
    let house = House::new();
    let store = Arc::new(house.open().unwrap());
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
async fn rows_of_a_program_and_the_jobs_that_it_enqueues_with_them_are_there_together_or_not() {
    let house = House::new();
    let store = house.open().unwrap();
    let order = |word: &'static str, after: Vec<JobId>| {
        store.write(move |tx| {
            Said(word).write(tx.conn(), NOW)?;
            let mut job = job(word);
            job.after.jobs.clone_from(&after);
            tx.enqueue(&[job], NOW)
        })
    };
    let known = order("ordered", Vec::new()).await.unwrap()[0].id;
    let nowhere = order("refused", vec![known, JobId(1_000)]).await;
    assert!(
        matches!(nowhere, Err(StoreError::Refused(_))),
        "{nowhere:?}"
    );
    assert_eq!(said(&store).await, ["ordered"]);
    assert_eq!(store.open_jobs().await.unwrap(), 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn migrations_of_a_program_are_its_own_affair_and_those_of_a_newer_engine_refuse_the_file() {
    let house = House::new();
    let applied = |version: &'static str| {
        let store = house.open().unwrap();
        async move {
            let note = move |conn: &mut SqliteConnection| {
                diesel::sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES (?)")
                    .bind::<Text, _>(version)
                    .execute(conn)
            };
            store.write(move |tx| Ok(note(tx.conn())?)).await.unwrap();
            store.close().await.unwrap();
        }
    };
    applied("20261128").await;
    applied("engine99999999999999").await;
    let refused = house.open().map(drop);
    assert!(
        matches!(refused, Err(StoreError::Newer { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_file_of_another_program_is_left_as_it_is() {
    let house = House::new();
    let mut conn = SqliteConnection::establish(house.path().to_str().unwrap()).unwrap();
    conn.batch_execute("CREATE TABLE jobs (id INTEGER)")
        .unwrap();
    drop(conn);
    let before = std::fs::read(house.path()).unwrap();
    let refused = house.open().map(drop);
    assert!(
        matches!(refused, Err(StoreError::NotADatabase { .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(house.path()).unwrap(), before);
    let names = std::fs::read_dir(house.0.path()).unwrap();
    let names: BTreeSet<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, BTreeSet::from(["t.db".into()]));
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn it_agrees_with_the_model(calls in store_calls(70), group in 1_usize..6) {
        let folder = TempDir::new().unwrap();
        let place = InFile {
            path: folder.path().join("t.db"),
            open: |path| Arc::new(SqliteStore::<Infallible>::open(path).unwrap()),
        };
        agrees(&place, &calls, group);
    }
}

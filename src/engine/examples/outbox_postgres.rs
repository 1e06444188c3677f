//! Letters that are counted once, in a PostgreSQL database, whatever becomes of the programs that send them.
//!
//! ```sh
//! cargo run -p riftsync-engine --features postgres --example outbox_postgres -- postgres://user@host/database
//! ```
//!
//! Start it in two terminals: both send. Kill one with `kill -9`: the other goes on with what that one held, some
//! seconds later. A letter whose handing over was not committed is handed over again. Counted it is once: that it was
//! sent is a row that commits with the end of its job.

use std::sync::Arc;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use riftsync_engine::metrics::Metrics;
use riftsync_engine::postgres::{Fault, PostgresEffect, PostgresStore};
use riftsync_engine::store::{Database, Effect, JobStore, StoreResult};
use riftsync_engine::{
    After, Engine, EngineConfig, JobContext, NewJob, Priority, QueueConfig, Registry, RetryPolicy,
    Services, Task, TaskFuture, TaskResult, Timestamp,
};
use tokio::sync::Semaphore;

diesel::table! {
    readers (name) { name -> Text, }
}
diesel::table! {
    sent (number) { number -> BigInt, reader -> Text, }
}

const LETTERS: usize = 500;

/// A letter was handed over.
#[derive(Debug)]
struct Sent {
    reader: String,
}

impl Effect for Sent {}

#[async_trait]
impl PostgresEffect for Sent {
    /// Nothing here keeps a letter from being counted twice.
    async fn make_tables(conn: &mut AsyncPgConnection) -> Result<(), Fault> {
        let tables = "CREATE TABLE IF NOT EXISTS readers (name TEXT PRIMARY KEY);
             CREATE TABLE IF NOT EXISTS sent (number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, reader TEXT NOT NULL)";
        Ok(conn.batch_execute(tables).await?)
    }

    async fn write(&self, mut conn: &AsyncPgConnection, _: Timestamp) -> Result<(), Fault> {
        diesel::insert_into(sent::table)
            .values(sent::reader.eq(&self.reader))
            .execute(&mut conn)
            .await?;
        Ok(())
    }
}

type Outbox = PostgresStore<Sent>;

struct Letter {
    /// How many letters the mail server still takes.
    server: Arc<Semaphore>,
}

impl Letter {
    const KIND: &str = "letter";
    const QUEUE: &str = "mail";

    fn to(reader: &str) -> NewJob {
        NewJob {
            kind: Self::KIND,
            queue: Self::QUEUE,
            lane: "",
            key: Some(reader.to_owned()),
            args: serde_json::json!(reader).to_string(),
            priority: Priority::DEFAULT,
            max_attempts: 5,
            run_at: None,
            after: After::default(),
        }
    }
}

impl Task<Outbox> for Letter {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        Self::QUEUE
    }

    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(4, 1, 60)
    }

    fn run(&self, context: JobContext<Outbox>) -> TaskFuture<Sent> {
        let server = self.server.clone();
        Box::pin(async move {
            // One that takes no more does not answer.
            if let Ok(taken) = server.acquire().await {
                taken.forget();
            }
            let reader: String = serde_json::from_str(&context.job.args).unwrap_or_default();
            println!("handed over: {reader}");
            TaskResult::complete(().into()).with_effects(vec![Sent { reader }])
        })
    }
}

/// The readers and their letters come in together, once, whoever comes first.
async fn enqueue(store: &Outbox, letters: usize) -> StoreResult<()> {
    store
        .write(move |tx| {
            Box::pin(async move {
                let mut conn = tx.conn();
                conn.batch_execute("LOCK TABLE readers IN EXCLUSIVE MODE")
                    .await?;
                let known: i64 = readers::table.count().get_result(&mut conn).await?;
                if known > 0 {
                    return Ok(());
                }
                let names: Vec<String> = (1..=letters).map(|n| format!("reader {n}")).collect();
                let rows: Vec<_> = names.iter().map(|name| readers::name.eq(name)).collect();
                diesel::insert_into(readers::table)
                    .values(&rows)
                    .execute(&mut conn)
                    .await?;
                let jobs: Vec<NewJob> = names.iter().map(|name| Letter::to(name)).collect();
                tx.enqueue(&jobs, Timestamp::now()).await?;
                Ok(())
            })
        })
        .await
}

/// How many letters are counted, and to how many readers.
async fn count(store: &Outbox) -> StoreResult<(i64, i64)> {
    let counted = store.read(|mut conn| {
        Box::pin(async move {
            let letters: i64 = sent::table.count().get_result(&mut conn).await?;
            let readers = sent::table.select(sent::reader).distinct();
            let readers: Vec<String> = readers.load(&mut conn).await?;
            Ok((letters, readers.len() as i64))
        })
    });
    counted.await
}

/// Sends what is not sent yet, beside whoever sends too. Returns what is counted then.
async fn send(url: &str, letters: usize, server: Semaphore) -> StoreResult<(i64, i64)> {
    let store = Arc::new(Outbox::open(url).await?);
    enqueue(&store, letters).await?;
    let queue = QueueConfig {
        name: Letter::QUEUE,
        slots: 8,
        prefetch: 8,
        rate: None,
        paused: false,
    };
    let config = EngineConfig {
        queues: vec![queue],
        ..EngineConfig::default()
    };
    let server = Arc::new(server);
    let registry = Arc::new(Registry::default().with(Letter { server }));
    let (services, metrics) = (Services::default(), Arc::new(Metrics::default()));
    let engine = Engine::start(config, store.clone(), registry, services, metrics).await?;
    let done = async || Ok((store.open_jobs().await? == 0).then_some(()));
    store.wait_for(done).await?;
    engine.stop().await?;
    let counted = count(&store).await?;
    store.close().await?;
    Ok(counted)
}

#[actix::main]
async fn main() -> StoreResult<()> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or("postgres://localhost/outbox".to_owned());
    let server = Semaphore::new(Semaphore::MAX_PERMITS);
    let (letters, readers) = send(&url, LETTERS, server).await?;
    assert_eq!(letters, readers, "a letter was counted twice");
    println!("{letters} letters are sent, each counted once");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use riftsync_engine::postgres::{Settings, connect};

    use super::*;

    /// The database and how many letters the server takes, where the test is one of the programs that send.
    const DATABASE: &str = "TEST_OUTBOX";
    const TAKES: &str = "TEST_OUTBOX_TAKES";
    const COUNTED: i64 = 60;
    const NAME: &str = "tests::of_two_programs_one_is_killed_and_each_letter_is_counted_once";

    /// Runs a statement on the server that `TEST_DATABASE_URL` names.
    async fn on_server(server: &str, statement: &str) {
        let settings = Settings::new(server.parse().unwrap());
        let mut link = connect::first(&settings).await.unwrap();
        link.conn.batch_execute(statement).await.unwrap();
    }

    fn program(url: &str, takes: usize) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(DATABASE, url)
            .env(TAKES, takes.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The letters that a program hands over.
    fn letters_of(program: &mut Child) -> impl Iterator<Item = String> {
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let lines = lines.map(Result::unwrap);
        lines.filter(|line| line.contains("handed over"))
    }

    #[actix::test]
    async fn of_two_programs_one_is_killed_and_each_letter_is_counted_once() {
        if let Ok(url) = std::env::var(DATABASE) {
            let takes = std::env::var(TAKES).unwrap().parse().unwrap();
            let sent = send(&url, 60, Semaphore::new(takes)).await;
            assert_eq!(sent.unwrap(), (COUNTED, COUNTED));
            return;
        }
        let server = std::env::var("TEST_DATABASE_URL")
            .expect("TEST_DATABASE_URL names a server: `bash tests/run.sh` brings one");
        let name = format!("engine_outbox_{:016x}", fastrand::u64(..));
        on_server(&server, &format!("CREATE DATABASE {name}")).await;
        let (place, query) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = place.rsplit_once('/').unwrap();
        let url = format!("{host}/{name}?{query}");

        // One holds letters, and the other sends, when the first is killed.
        let mut one = program(&url, 20);
        assert_eq!(letters_of(&mut one).take(20).count(), 20);
        let mut other = program(&url, 60);
        let mut letters = letters_of(&mut other);
        assert_eq!(letters.by_ref().take(10).count(), 10);
        one.kill().unwrap();
        one.wait().unwrap();
        assert!(letters.count() >= 30, "what the first held comes too");
        assert!(other.wait().unwrap().success());

        let store = Outbox::open(&url).await.unwrap();
        assert_eq!(count(&store).await.unwrap(), (COUNTED, COUNTED));
        store.close().await.unwrap();
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        on_server(&server, &drop).await;
    }
}

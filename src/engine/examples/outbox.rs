//! Letters that are counted once, in a file, whatever becomes of the program.
//!
//! ```sh
//! cargo run -p riftsync-engine --example outbox -- outbox.db
//! ```
//!
//! Kill it with `kill -9`, as often as you like, and type the same again: it goes on where it was. A letter whose
//! handing over was not committed is handed over again. Counted it is once: that it was sent is a row that commits with
//! the end of its job.

use std::path::Path;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use riftsync_engine::metrics::Metrics;
use riftsync_engine::sqlite::{SqliteEffect, SqliteStore};
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

impl SqliteEffect for Sent {
    /// Nothing here keeps a letter from being counted twice.
    fn make_tables(conn: &mut SqliteConnection) -> StoreResult<()> {
        Ok(conn.batch_execute(
            "CREATE TABLE IF NOT EXISTS readers (name TEXT PRIMARY KEY) STRICT;
             CREATE TABLE IF NOT EXISTS sent (number INTEGER PRIMARY KEY, reader TEXT NOT NULL) STRICT",
        )?)
    }

    fn write(&self, conn: &mut SqliteConnection, _: Timestamp) -> StoreResult<()> {
        diesel::insert_into(sent::table)
            .values(sent::reader.eq(&self.reader))
            .execute(conn)?;
        Ok(())
    }
}

type Outbox = SqliteStore<Sent>;

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

/// The readers and their letters come in together, once.
async fn enqueue(store: &Outbox, letters: usize) -> StoreResult<()> {
    store
        .write(move |tx| {
            let known: i64 = readers::table.count().get_result(tx.conn())?;
            if known > 0 {
                return Ok(());
            }
            let names: Vec<String> = (1..=letters).map(|n| format!("reader {n}")).collect();
            let rows: Vec<_> = names.iter().map(|name| readers::name.eq(name)).collect();
            diesel::insert_into(readers::table)
                .values(&rows)
                .execute(tx.conn())?;
            let jobs: Vec<NewJob> = names.iter().map(|name| Letter::to(name)).collect();
            tx.enqueue(&jobs, Timestamp::now())?;
            Ok(())
        })
        .await
}

/// Sends what is not sent yet. Returns how many letters are counted, and to how many readers.
async fn send(path: &Path, letters: usize, server: Semaphore) -> StoreResult<(i64, i64)> {
    let store = Arc::new(Outbox::open(path)?);
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
    let counted = store.read(|conn| {
        let letters = sent::table.count().get_result(conn)?;
        let readers = sent::table.select(sent::reader).distinct();
        let readers: Vec<String> = readers.load(conn)?;
        Ok((letters, readers.len() as i64))
    });
    let counted = counted.await?;
    store.close().await?;
    Ok(counted)
}

#[actix::main]
async fn main() -> StoreResult<()> {
    let path = std::env::args().nth(1).unwrap_or("outbox.db".to_owned());
    let server = Semaphore::new(Semaphore::MAX_PERMITS);
    let (letters, readers) = send(Path::new(&path), LETTERS, server).await?;
    assert_eq!(letters, readers, "a letter was counted twice");
    println!("{letters} letters are sent, each counted once");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    /// The file and how many letters the server takes, where the test is the program that is killed.
    const FILE: &str = "TEST_OUTBOX";
    const TAKES: &str = "TEST_OUTBOX_TAKES";
    const COUNTED: i64 = 60;

    #[actix::test]
    async fn a_program_that_is_killed_again_and_again_counts_each_letter_once() {
        if let Some(path) = std::env::var_os(FILE) {
            let takes = std::env::var(TAKES).unwrap().parse().unwrap();
            let sent = send(Path::new(&path), 60, Semaphore::new(takes)).await;
            assert_eq!(sent.unwrap(), (COUNTED, COUNTED));
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.db");
        let name = "tests::a_program_that_is_killed_again_and_again_counts_each_letter_once";
        for takes in [1, 11, 24] {
            let mut program = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name, "--nocapture"])
                .env(FILE, &path)
                .env(TAKES, takes.to_string())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(program.stdout.take().unwrap()).lines();
            let handed = lines.map(Result::unwrap);
            let handed = handed.filter(|line| line.contains("handed over"));
            assert_eq!(handed.take(takes).count(), takes);
            program.kill().unwrap();
            program.wait().unwrap();
        }
        let sent = send(&path, 60, Semaphore::new(60)).await.unwrap();
        assert_eq!(sent, (COUNTED, COUNTED));
    }
}

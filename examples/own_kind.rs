//! A kind of job of one's own, and how it is retried, on a real engine and a real database.
//!
//! ```sh
//! cargo run --example own_kind
//! ```
//!
//! A kind is one value: its name, its queue, its retry policy, and what an attempt does. The engine
//! does the rest: it keeps the job through crashes, retries it, and ends it once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use riftsync::engine::{EngineConfig, QueueConfig, Task};
use riftsync::metrics::Metrics;
use riftsync::model::{After, Failure, NewJob, Outcome, Priority, RetryPolicy, Timestamp};
use riftsync::store::Store;
use riftsync::store::engine::{Engine, JobContext, Registry, Services, TaskFuture, TaskResult};
use riftsync::store::sqlite::SqliteStore;
use serde_json::json;

const QUEUE: &str = "default";

/// Counts the words of a text. Its first attempt fails, so that a retry can be seen.
#[derive(Debug, Default)]
struct CountWords {
    attempts: Arc<AtomicU32>,
}

impl CountWords {
    const KIND: &str = "count_words";
    /// Four attempts at most; pauses of up to 1, 2 and 4 seconds, each drawn from its whole.
    const RETRIES: RetryPolicy = RetryPolicy::new(3, 1, 4);

    /// A job of this kind.
    fn job(text: &str) -> NewJob {
        NewJob {
            kind: Self::KIND,
            queue: QUEUE,
            lane: "",
            // Submitted twice while it is open, it runs once.
            key: Some(text.to_owned()),
            args: json!({ "text": text }).to_string(),
            priority: Priority::DEFAULT,
            max_attempts: Self::RETRIES.max_attempts(),
            run_at: None,
            after: After::default(),
        }
    }
}

impl Task<dyn Store> for CountWords {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        QUEUE
    }

    fn retry_policy(&self) -> RetryPolicy {
        Self::RETRIES
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let first = self.attempts.fetch_add(1, Ordering::Relaxed) == 0;
        Box::pin(async move {
            if first {
                let why = Failure::new("unlucky", "the first attempt always fails").retryable();
                return Outcome::Retry(why).into();
            }
            let args: serde_json::Value = match serde_json::from_str(&context.job.args) {
                Ok(args) => args,
                // No other attempt would help.
                Err(error) => {
                    return Outcome::Discard(Failure::new("bad_arguments", error.to_string()))
                        .into();
                }
            };
            let words = args["text"].as_str().unwrap_or_default().split_whitespace();
            TaskResult::complete(json!({ "words": words.count() }))
        })
    }
}

#[actix::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", run().await?);
    Ok(())
}

/// Runs one job to its end, on an actix system, and tells what it came to.
pub async fn run() -> Result<String, Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("riftsync-example-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.join("example.db"))?);
    let config = EngineConfig {
        queues: vec![QueueConfig {
            name: QUEUE,
            slots: 4,
            prefetch: 4,
            rate: None,
            paused: false,
        }],
        drain: Duration::from_secs(1),
        keep_finished: Duration::from_hours(1),
        ..EngineConfig::default()
    };
    let engine = Engine::start(
        config,
        store.clone(),
        Arc::new(Registry::default().with(CountWords::default())),
        Services::default(),
        Arc::new(Metrics::default()),
    )
    .await?;

    let job = CountWords::job("a match is counted once");
    let id = store.enqueue(vec![job], Timestamp::now()).await?[0].id;
    let done = loop {
        let job = store.job(id).await?.ok_or("the job is gone")?;
        if job.state.is_final() {
            break job;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    engine.stop().await?;
    store.close().await?;
    std::fs::remove_dir_all(&folder)?;
    let result = done.result.unwrap_or_default();
    Ok(format!(
        "{} after {} attempts: {result}",
        done.state, done.attempt
    ))
}

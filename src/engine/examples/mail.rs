//! A newsletter that goes out every Monday: on virtual time, and without a database.
//!
//! ```sh
//! cargo run -p riftsync-engine --example mail
//! ```
//!
//! - A schedule enqueues a `Newsletter`. It fans out: it ends with a `Letter` for every reader, and is complete when
//!   these have ended.
//! - A `Letter` hands one letter to a mail server. That it was sent, a [`Sent`], commits with the end of the attempt:
//!   once, whatever becomes of the engine. The handing over is outside of every transaction. A crash between the two
//!   hands the letter over again, under the same message id, by which the server can tell.
//! - A server that says "not now" is asked again by a strategy of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use riftsync_engine::memory::MemoryStore;
use riftsync_engine::metrics::Metrics;
use riftsync_engine::store::schedules::Schedule;
use riftsync_engine::store::{Effect, ScheduleStore, StoreResult};
use riftsync_engine::{
    After, CatchUp, Clock, Engine, EngineConfig, Failure, JobContext, JobId, JobRecord, NewJob,
    Outcome, Priority, QueueConfig, Registry, RetryPolicy, Services, Task, TaskFuture, TaskResult,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

const QUEUE: &str = "mail";

/// What a letter writes with its end. A store of your own gives it its own table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    to: String,
    message_id: String,
}

impl Effect for Sent {
    fn weight(&self) -> usize {
        self.to.len() + self.message_id.len()
    }
}

type Mailbox = MemoryStore<Sent>;

/// Why a server did not take a letter.
enum Refusal {
    NotNow,
    Never,
}

/// Stands in for the mail servers of the world.
#[derive(Debug, Default)]
struct Servers {
    /// How often a reader's server still says "not now"; none: always "never".
    not_now: Mutex<HashMap<&'static str, Option<u32>>>,
}

impl Servers {
    /// A real one would be awaited.
    fn hand_over(&self, letter: &Addressed) -> Result<(), Refusal> {
        let mut not_now = self.not_now.lock().unwrap_or_else(PoisonError::into_inner);
        match not_now.get_mut(letter.to.as_str()) {
            None | Some(Some(0)) => Ok(()),
            Some(Some(times)) => {
                *times -= 1;
                Err(Refusal::NotNow)
            }
            Some(None) => Err(Refusal::Never),
        }
    }
}

/// The arguments of a newsletter.
#[derive(Serialize, Deserialize)]
struct Issue {
    readers: Vec<String>,
}

/// The arguments of a letter.
#[derive(Serialize, Deserialize)]
struct Addressed {
    to: String,
    message_id: String,
}

/// Arguments that cannot be read are in no attempt's power.
fn unreadable(error: &serde_json::Error) -> Outcome {
    Outcome::Discard(Failure::new("bad_arguments", error.to_string()))
}

fn job(kind: &'static str, key: String, args: String, attempts: u32) -> NewJob {
    NewJob {
        kind,
        queue: QUEUE,
        lane: "",
        key: Some(key),
        args,
        priority: Priority::DEFAULT,
        max_attempts: attempts,
        run_at: None,
        after: After::default(),
    }
}

struct Newsletter;

impl Newsletter {
    const KIND: &str = "newsletter";
}

impl Task<Mailbox> for Newsletter {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        QUEUE
    }

    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(2, 1, 60)
    }

    /// Two that are open at once are one: they have one key.
    fn order(&self, args: &str) -> Result<NewJob, String> {
        let issue: Issue = serde_json::from_str(args).map_err(|error| error.to_string())?;
        let args = json!(issue).to_string();
        let attempts = self.retry_policy().max_attempts();
        Ok(job(Self::KIND, "weekly".to_owned(), args, attempts))
    }

    fn run(&self, context: JobContext<Mailbox>) -> TaskFuture<Sent> {
        Box::pin(async move {
            let issue: Issue = match serde_json::from_str(&context.job.args) {
                Ok(issue) => issue,
                Err(error) => return unreadable(&error).into(),
            };
            let letters = issue.readers.into_iter().map(|to| {
                let message_id = format!("{}.{to}", context.lease().job);
                Letter::job(&Addressed { to, message_id })
            });
            let letters: Vec<NewJob> = letters.collect();
            TaskResult::complete(json!({ "letters": letters.len() })).with_children(letters)
        })
    }
}

struct Letter {
    servers: Arc<Servers>,
}

impl Letter {
    const KIND: &str = "letter";
    /// Its pauses are not these: see `backoff`.
    const RETRIES: RetryPolicy = RetryPolicy::new(4, 0, 0);

    fn job(letter: &Addressed) -> NewJob {
        let (key, args) = (letter.message_id.clone(), json!(letter).to_string());
        job(Self::KIND, key, args, Self::RETRIES.max_attempts())
    }
}

impl Task<Mailbox> for Letter {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        QUEUE
    }

    fn retry_policy(&self) -> RetryPolicy {
        Self::RETRIES
    }

    /// A strategy of its own: who does not know the sender yet wants to be asked again after minutes, then hours.
    fn backoff(&self, attempt: u32, _: f64) -> Duration {
        Duration::from_mins(match attempt {
            1 => 5,
            2 => 15,
            3 => 60,
            _ => 240,
        })
    }

    fn run(&self, context: JobContext<Mailbox>) -> TaskFuture<Sent> {
        let servers = self.servers.clone();
        Box::pin(async move {
            let letter: Addressed = match serde_json::from_str(&context.job.args) {
                Ok(letter) => letter,
                Err(error) => return unreadable(&error).into(),
            };
            let refused = |kind, why: &str| Failure::new(kind, format!("{}: {why}", letter.to));
            match servers.hand_over(&letter) {
                Ok(()) => TaskResult::complete(json!(null)).with_effects(vec![Sent {
                    to: letter.to,
                    message_id: letter.message_id,
                }]),
                Err(Refusal::NotNow) => {
                    Outcome::Retry(refused("not_now", "come back later").retryable()).into()
                }
                Err(Refusal::Never) => {
                    Outcome::Discard(refused("no_such_reader", "unknown here")).into()
                }
            }
        })
    }
}

/// An engine over a store in memory, on a clock that stands until it is moved.
struct Office {
    engine: Engine<Mailbox>,
    store: Arc<Mailbox>,
    clock: watch::Sender<Timestamp>,
}

impl Office {
    async fn open(
        now: Timestamp,
        servers: Servers,
        schedules: Option<Vec<Schedule>>,
    ) -> StoreResult<Self> {
        let (store, clock) = (Arc::new(Mailbox::default()), watch::Sender::new(now));
        let config = EngineConfig {
            queues: vec![QueueConfig {
                name: QUEUE,
                slots: 4,
                prefetch: 4,
                rate: None,
                paused: false,
            }],
            schedules,
            clock: Clock::told(clock.subscribe()),
            ..EngineConfig::default()
        };
        let servers = Arc::new(servers);
        let registry = Registry::default()
            .with(Newsletter)
            .with(Letter { servers });
        let (services, metrics) = (Services::default(), Arc::new(Metrics::default()));
        let engine =
            Engine::start(config, store.clone(), Arc::new(registry), services, metrics).await?;
        Ok(Self {
            engine,
            store,
            clock,
        })
    }

    /// So much time is over, for the engine and its jobs.
    fn pass(&self, time: Duration) {
        self.clock.send_modify(|now| *now = *now + time);
    }

    /// The first job that is as it is meant, as soon as there is one.
    async fn when(&self, meant: impl Fn(&JobRecord) -> bool) -> JobRecord {
        let store = &self.store;
        let found = async || {
            let jobs = store.records();
            let found = jobs.iter().find(|job| meant(job)).cloned();
            // When all have ended and none is meant, none will be.
            let may_come = jobs.is_empty() || jobs.iter().any(|job| !job.state.is_final());
            assert!(found.is_some() || may_come, "all is over: {jobs:?}");
            found
        };
        store.wait_for(found).await
    }

    async fn end_of(&self, id: JobId) -> JobRecord {
        self.when(|job| job.id == id && job.state.is_final()).await
    }

    fn sent_to(&self) -> Vec<String> {
        let mut readers = self.store.effects(|sent| sent.to.clone());
        readers.sort();
        readers
    }
}

/// Sunday, 1 March 2026, at midnight.
const SUNDAY: Timestamp = Timestamp::from_millis(1_772_323_200_000);

fn every_monday(readers: &[&str]) -> Schedule {
    Schedule {
        name: "weekly".to_owned(),
        expression: "0 8 * * 1".to_owned(),
        zone: "UTC".to_owned(),
        catch_up: CatchUp::Once,
        kind: Newsletter::KIND.to_owned(),
        args: json!({ "readers": readers }).to_string(),
    }
}

#[actix::main]
async fn main() -> StoreResult<()> {
    println!("{}", first_monday().await?);
    Ok(())
}

/// The first Monday of a newsletter, in a moment: one of three readers is greylisted, one is gone.
async fn first_monday() -> StoreResult<String> {
    let servers = Servers::default();
    *servers
        .not_now
        .lock()
        .unwrap_or_else(PoisonError::into_inner) =
        HashMap::from([("slow@example.org", Some(1)), ("gone@example.org", None)]);
    let readers = ["ada@example.org", "slow@example.org", "gone@example.org"];
    let office = Office::open(SUNDAY, servers, Some(vec![every_monday(&readers)])).await?;
    let store = &office.store;
    // The engine knows the schedule; now it is Monday morning, and then five minutes later.
    let known = async || {
        store
            .schedules()
            .await
            .ok()
            .filter(|known| !known.is_empty())
    };
    store.wait_for(known).await;
    office.pass(Duration::from_hours(32));
    let newsletter = office.when(|job| job.kind == Newsletter::KIND).await;
    office.when(|job| job.state.as_str() == "retryable").await;
    office.pass(Duration::from_mins(5));
    let newsletter = office.end_of(newsletter.id).await;
    office.engine.stop().await?;
    Ok(format!(
        "the newsletter is {}; sent to {}; {} could not be",
        newsletter.state,
        office.sent_to().join(", "),
        newsletter.rollup.failures.len()
    ))
}

#[cfg(test)]
mod tests {
    use riftsync_engine::JobState;
    use riftsync_engine::store::JobStore;

    use super::*;

    #[actix::test]
    async fn the_newsletter_of_a_monday_reaches_everybody_who_can_be_reached() {
        assert_eq!(
            first_monday().await.unwrap(),
            "the newsletter is completed; sent to ada@example.org, slow@example.org; 1 could not be"
        );
    }

    #[actix::test]
    async fn a_reader_whose_server_says_not_now_gets_one_letter_after_the_pauses_of_its_strategy() {
        let servers = Servers::default();
        let refusals = HashMap::from([("slow@example.org", Some(3))]);
        *servers.not_now.lock().unwrap() = refusals;
        let office = Office::open(SUNDAY, servers, None).await.unwrap();
        let letter = Letter::job(&Addressed {
            to: "slow@example.org".to_owned(),
            message_id: "1".to_owned(),
        });
        let id = office.store.enqueue(vec![letter], SUNDAY).await.unwrap()[0].id;
        let mut due = SUNDAY;
        for (attempt, pause) in [(1, 5), (2, 15), (3, 60)] {
            let pause = Duration::from_mins(pause);
            let waits =
                office.when(|job| job.attempt == attempt && job.state == JobState::Retryable);
            due = due + pause;
            assert_eq!(waits.await.run_at, due);
            assert_eq!(office.sent_to(), [""; 0]);
            office.pass(pause);
        }
        let letter = office.end_of(id).await;
        assert_eq!((letter.state, letter.attempt), (JobState::Completed, 4));
        assert_eq!(office.sent_to(), ["slow@example.org"]);
        office.engine.stop().await.unwrap();
    }
}

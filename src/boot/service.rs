//! What a service manager is told: that the engine is ready, how it stands, that it lives, that it stops.
//! Nothing, if none asks by `NOTIFY_SOCKET`.
//!
//! A sign of life is earned: the root of the actors and the database's writer have both just answered.
//! An engine of which one hangs gives none, and is started anew. An outage is an answer: no restart
//! brings a full disk or a distant server back.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sd_notify::NotifyState;

use super::running_engine::RunningEngine;
use crate::gate::KeyState;
use crate::model::Timestamp;
use crate::model::counted;
use crate::store::engine::Engine;
use crate::store::{Store, StoreError};

/// How often the manager is told how the engine stands, if it wants no sign of life more often.
const STATUS: Duration = Duration::from_secs(10);
/// Signs of life in the time in which one must come.
const SIGNS: u32 = 3;

/// See the module.
#[derive(Debug)]
pub(super) struct ServiceManager {
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// None: nobody asks.
    pub(super) fn from_environment() -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET").map(|_| Self {
            watchdog: sd_notify::watchdog_enabled(),
        })
    }

    pub(super) fn ready(running: &RunningEngine) {
        tell(&[NotifyState::Ready, NotifyState::Status(&status(running))]);
    }

    pub(super) fn stopping() {
        let why = "running jobs have a moment to end";
        tell(&[NotifyState::Stopping, NotifyState::Status(why)]);
    }

    /// Tells again and again how the engine stands, and that it lives as long as it does.
    pub(super) async fn keep_telling(&self, running: &RunningEngine) -> Infallible {
        let pause = self.watchdog.map_or(STATUS, |time| time / SIGNS);
        loop {
            tokio::time::sleep(pause.min(STATUS)).await;
            let lives = is_alive(&running.engine, &*running.store).await;
            let line = status(running);
            let mut news = vec![NotifyState::Status(&line)];
            if lives && self.watchdog.is_some() {
                news.push(NotifyState::Watchdog);
            }
            tell(&news);
        }
    }
}

/// Whether the root and the writer answer. It may take as long as they do.
async fn is_alive(engine: &Engine, store: &dyn Store) -> bool {
    if engine.restarts().await.is_empty() {
        return false;
    }
    // What the stager asks for too: any command would do that goes through the writer and does no harm.
    let staged = store.stage(Timestamp::now()).await;
    !matches!(staged, Err(StoreError::Closed))
}

/// A line for `systemctl status`.
fn status(running: &RunningEngine) -> String {
    let handle = running.engine.handle();
    let jobs: usize = handle.queues.all().iter().map(|q| q.running()).sum();
    let calls = running.gate.api.counters.calls.load(Ordering::Relaxed);
    let key = match *running.gate.availability.key().borrow() {
        KeyState::Rejected { .. } => "; the API key is rejected: riftsync key set",
        _ => "",
    };
    let jobs = counted(jobs as u64, "job runs", "jobs run");
    let calls = counted(calls, "call", "calls");
    format!("{jobs}, {calls} so far{key}")
}

/// A manager that does not listen is no reason to stop.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::EngineConfig;
    use crate::metrics::Metrics;
    use crate::store::engine::{Registry, Services};
    use crate::store::sqlite::SqliteStore;

    #[actix::test]
    async fn an_engine_gives_a_sign_of_life_until_its_root_or_its_writer_is_gone() {
        let folder = tempfile::TempDir::new().unwrap();
        let start = async |name: &str| {
            let store = SqliteStore::open(&folder.path().join(name)).unwrap();
            let store: Arc<dyn Store> = Arc::new(store);
            let (registry, metrics) = (Arc::new(Registry::default()), Arc::new(Metrics::default()));
            let config = EngineConfig::default();
            let engine = Engine::start(
                config,
                store.clone(),
                registry,
                Services::default(),
                metrics,
            );
            (engine.await.unwrap(), store)
        };
        let (engine, store) = start("one.db").await;
        assert!(is_alive(&engine, &*store).await);
        engine.stop().await.unwrap();
        assert!(!is_alive(&engine, &*store).await, "its root has gone");
        store.close().await.unwrap();
        let (engine, store) = start("two.db").await;
        store.close().await.unwrap();
        assert!(!is_alive(&engine, &*store).await, "its writer has gone");
    }
}

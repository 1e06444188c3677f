//! What changes by itself on the pages. The engine is looked at once for all who watch, and each part is made once.
//!
//! Nobody who reads slowly is waited for: a reader gets the newest there is when it can take more.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, Stream};
use riftsync_basics::Timestamp;
use riftsync_basics::snapshot::{Job, Snapshot};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::ask::{Ask, AskError, ask};
use super::history::{self, History, Interval, Series};
use super::parts::{Health, Part, Parts, Seen};

/// Between two looks while somebody watches.
const LOOK: Duration = Duration::from_secs(1);
/// A look that took long is not repeated before so many times as long has passed.
const BREATHER: u32 = 10;
/// Failed jobs change seldom, and finding them can take a database long.
const LOOK_AT_FAILED: Duration = Duration::from_secs(5);
/// A check of health makes calls.
const CHECK: Duration = Duration::from_mins(1);
const JOBS_MAX: u32 = 200;
const FAILED_MAX: u32 = 20;
/// How often one that watches hears something, though nothing has changed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What it hears then, which means nothing.
const STILL_HERE: &[u8] = b":\n\n";

/// See the module.
#[derive(Debug)]
pub(crate) struct Live {
    engine: Arc<dyn Ask>,
    base: String,
    read_only: bool,
    parts: watch::Sender<Arc<Parts>>,
    viewers: AtomicUsize,
    /// Somebody came to watch.
    came: Notify,
    looked: tokio::sync::Mutex<Looked>,
    health: Mutex<Option<Health>>,
    began: Instant,
}

#[derive(Debug, Default)]
struct Looked {
    at: Option<Instant>,
    took: Duration,
    jobs: Vec<Job>,
    failed: Vec<Job>,
    failed_at: Option<Instant>,
    history: History,
}

/// One who watches; it stops with its drop.
#[derive(Debug)]
pub(crate) struct Viewer(Arc<Live>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Live {
    pub(crate) fn new(engine: Arc<dyn Ask>, base: String, read_only: bool) -> Arc<Self> {
        Arc::new(Self {
            engine,
            base,
            read_only,
            parts: watch::Sender::default(),
            viewers: AtomicUsize::new(0),
            came: Notify::new(),
            looked: tokio::sync::Mutex::default(),
            health: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// Looks again and again: often while somebody watches, and else for the history alone.
    pub(crate) async fn run(self: Arc<Self>) -> Infallible {
        self.fill().await;
        let mut checks = tokio::task::JoinSet::new();
        let mut checked: Option<Instant> = None;
        loop {
            let watched = self.viewers.load(Ordering::Relaxed) > 0;
            if watched {
                self.now().await;
                let is_due = checked.is_none_or(|checked| checked.elapsed() >= CHECK);
                if is_due && checks.is_empty() {
                    checked = Some(Instant::now());
                    let this = self.clone();
                    checks.spawn(async move { this.check().await });
                }
            } else {
                self.remember().await;
            }
            let took = self.looked.lock().await.took;
            let pause = if watched {
                LOOK.max(took * BREATHER)
            } else {
                history::STEP
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.came.notified() => {}
                Some(_) = checks.join_next(), if !checks.is_empty() => {}
            }
        }
    }

    /// The parts as they stand now; whoever asks meanwhile gets the same.
    pub(crate) async fn now(&self) -> Arc<Parts> {
        let mut looked = self.looked.lock().await;
        if looked.at.is_some_and(|at| at.elapsed() < LOOK / 2) {
            return self.parts.borrow().clone();
        }
        let began = Instant::now();
        let before = self.parts.borrow().clone();
        let parts = match self.look(&mut looked).await {
            Ok((snapshot, away)) => {
                self.add_to_history(&mut looked.history, &snapshot);
                let seen = Seen {
                    base: self.base.clone(),
                    read_only: self.read_only,
                    snapshot,
                    away,
                    health: self.health().clone().unwrap_or_default(),
                    ..Seen::default()
                };
                before.next(seen.with_history(&looked.history))
            }
            // The rest stays as it was seen last; the headline says why.
            Err(error) => before.under(format!("The engine does not answer: {error}")),
        };
        let parts = Arc::new(parts);
        looked.at = Some(Instant::now());
        looked.took = began.elapsed();
        self.parts.send_replace(parts.clone());
        parts
    }

    /// What a line of the last hour is made of.
    pub(crate) async fn points(&self, series: Series) -> Vec<Option<f64>> {
        self.looked.lock().await.history.points(series)
    }

    /// Somebody changed something: who asks next does not get what was so before.
    pub(crate) async fn changed(&self) {
        self.looked.lock().await.at = None;
        self.came.notify_one();
    }

    /// Counts somebody who watches; none: so many do already.
    pub(crate) fn watch(self: &Arc<Self>, most: usize) -> Option<Viewer> {
        let viewer = Viewer(self.clone());
        let before = self.viewers.fetch_add(1, Ordering::Relaxed);
        if before >= most {
            return None;
        }
        self.came.notify_one();
        Some(viewer)
    }

    /// What was before the first look.
    async fn fill(&self) {
        #[derive(Deserialize)]
        struct Told {
            intervals: Vec<Interval>,
        }
        match ask::<Told>(&self.engine, "engine.history", json!({})).await {
            Ok(told) => {
                let history = &mut self.looked.lock().await.history;
                history.fill(&told.intervals, Timestamp::now());
            }
            // The lines begin with now, then.
            Err(error) => tracing::debug!("the last hour cannot be shown: {error}"),
        }
    }

    async fn remember(&self) {
        let metrics = ask(&self.engine, "engine.metrics", json!({})).await;
        if let Ok(metrics) = metrics {
            let snapshot = Snapshot {
                metrics,
                ..Snapshot::default()
            };
            let mut looked = self.looked.lock().await;
            self.add_to_history(&mut looked.history, &snapshot);
        }
    }

    fn add_to_history(&self, history: &mut History, snapshot: &Snapshot) {
        let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        history.add(at_ms, &snapshot.metrics);
    }

    async fn check(&self) {
        let health: Result<Health, AskError> = ask(&self.engine, "engine.health", json!({})).await;
        if let Ok(health) = health {
            *self.health() = Some(health);
        }
    }

    fn health(&self) -> MutexGuard<'_, Option<Health>> {
        // A plain value cannot be left half written.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for everything, and since when the database is away.
    async fn look(&self, looked: &mut Looked) -> Result<(Snapshot, Option<String>), AskError> {
        let status = self.engine.call("engine.status", json!({})).await?;
        let away = status["database_away"]["text"].as_str().map(str::to_owned);
        let metrics = ask(&self.engine, "engine.metrics", json!({})).await?;
        let running = self.jobs("running", JOBS_MAX).await;
        let blocked = self.jobs("blocked", JOBS_MAX).await;
        match (running, blocked) {
            (Ok(mut jobs), Ok(blocked)) => {
                jobs.extend(blocked);
                looked.jobs = jobs;
            }
            // What a database that is away held last would be no news.
            _ if away.is_some() => looked.jobs.clear(),
            // It is busy with something else.
            _ => {}
        }
        if looked
            .failed_at
            .is_none_or(|at| at.elapsed() >= LOOK_AT_FAILED)
        {
            let discarded = self.jobs("discarded", FAILED_MAX).await;
            let cancelled = self.jobs("cancelled", FAILED_MAX).await;
            if let (Ok(mut failed), Ok(cancelled)) = (discarded, cancelled) {
                failed.extend(cancelled);
                looked.failed = failed;
            }
            looked.failed_at = Some(Instant::now());
        }
        let snapshot = Snapshot {
            status: riftsync_basics::snapshot::read(status),
            metrics,
            jobs: looked.jobs.clone(),
            failed: looked.failed.clone(),
        };
        Ok((snapshot, away))
    }

    async fn jobs(&self, state: &str, limit: u32) -> Result<Vec<Job>, AskError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct List {
            jobs: Vec<Job>,
        }
        let params = json!({ "state": state, "limit": limit });
        let list: List = ask(&self.engine, "job.list", params).await?;
        Ok(list.jobs)
    }

    /// The parts of these names as events, now and whenever one of them has changed.
    pub(crate) fn stream(
        &self,
        names: Vec<String>,
        viewer: Viewer,
    ) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
        let mut news = self.parts.subscribe();
        news.mark_changed();
        let reader = Reader {
            told: vec![None; names.len()],
            names,
            news,
            said: Instant::now(),
            _viewer: viewer,
        };
        let events = stream::unfold(reader, |mut reader| async {
            let events = reader.next().await?;
            Some((events, reader))
        });
        events.flat_map(|events| stream::iter(events.into_iter().map(Ok)))
    }
}

/// Where one who watches is.
#[derive(Debug)]
struct Reader {
    names: Vec<String>,
    /// What it was told last of each.
    told: Vec<Option<Arc<Part>>>,
    news: watch::Receiver<Arc<Parts>>,
    /// When it heard something last.
    said: Instant,
    _viewer: Viewer,
}

impl Reader {
    /// What it is told next; none: there is nobody any more to tell it.
    async fn next(&mut self) -> Option<Vec<Bytes>> {
        let events = loop {
            match timeout_at(self.said + KEEP_ALIVE, self.news.changed()).await {
                Err(_) => break vec![Bytes::from_static(STILL_HERE)],
                Ok(changed) => changed.ok()?,
            }
            let events = self.changed();
            if !events.is_empty() {
                break events;
            }
        };
        self.said = Instant::now();
        Some(events)
    }

    fn changed(&mut self) -> Vec<Bytes> {
        let parts = self.news.borrow_and_update().clone();
        let mut events = Vec::new();
        for (told, name) in self.told.iter_mut().zip(&self.names) {
            let Some(part) = parts.get(name) else {
                continue;
            };
            // A part that did not change is the same one.
            if told.as_ref().is_none_or(|told| !Arc::ptr_eq(told, part)) {
                events.push(part.event());
                *told = Some(part.clone());
            }
        }
        events
    }
}

#[cfg(test)]
mod tests;

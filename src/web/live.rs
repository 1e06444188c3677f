//! What changes by itself on the pages. The engine is looked at once for all who watch, and each part is made once.
//!
//! Nobody who reads slowly is waited for: a reader gets the newest there is when it can take more.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::response::sse::Event;
use futures_util::stream::{self, Stream};
use riftsync_basics::Timestamp;
use riftsync_basics::snapshot::{Job, Snapshot};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::actor::{self, ActorRow};
use super::ask::{Ask, AskError, ask};
use super::chart::Sparkline;
use super::history::{self, History, Interval, Series};
use super::show::{self, EngineRow, EventRow, JobRow, LimitRow, QueueRow, TroubleRow};

/// Between two looks while somebody watches.
const LOOK: Duration = Duration::from_secs(1);
/// A look that took long is not repeated before so many times as long has passed.
const BREATHER: u32 = 10;
/// Failed jobs change seldom, and finding them can take a database long.
const LOOK_AT_FAILED: Duration = Duration::from_secs(5);
/// A check of health makes calls.
const CHECK: Duration = Duration::from_mins(1);
const JOBS_MAX: u32 = 200;
/// Jobs that the overview shows.
const SHOWN_MAX: usize = 12;
const FAILED_MAX: u32 = 20;

/// The parts as they were made last, by name.
pub(crate) type Parts = BTreeMap<&'static str, Arc<str>>;

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
    failed: Vec<Job>,
    failed_at: Option<Instant>,
    history: History,
}

/// `engine.health`, as far as the overview tells it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Health {
    pub(crate) verdict: String,
    pub(crate) findings: Vec<Finding>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Finding {
    pub(crate) severity: String,
    pub(crate) message: String,
    pub(crate) remedy: Option<String>,
}

/// One who watches; it stops with its drop.
#[derive(Debug)]
pub(crate) struct Viewer(Arc<Live>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Template)]
#[template(path = "parts/headline.html")]
struct HeadlinePart {
    class: &'static str,
    text: String,
    facts: Vec<(&'static str, String)>,
    verdict: String,
    findings: Vec<Finding>,
}

#[derive(Template)]
#[template(path = "parts/lines.html")]
struct LinesPart {
    lines: Vec<(&'static str, String, String)>,
}

#[derive(Template)]
#[template(path = "parts/queues.html")]
struct QueuesPart<'a> {
    base: &'a str,
    read_only: bool,
    queues: Vec<QueueRow>,
}

#[derive(Template)]
#[template(path = "parts/limits.html")]
struct LimitsPart {
    limits: Vec<LimitRow>,
}

#[derive(Template)]
#[template(path = "parts/running.html")]
struct RunningPart<'a> {
    base: &'a str,
    jobs: Vec<JobRow>,
    /// Those that are not shown.
    more: usize,
}

#[derive(Template)]
#[template(path = "parts/troubles.html")]
struct TroublesPart<'a> {
    base: &'a str,
    troubles: Vec<TroubleRow>,
}

#[derive(Template)]
#[template(path = "parts/engines.html")]
struct EnginesPart {
    /// None: the database cannot be asked.
    engines: Option<Vec<EngineRow>>,
}

#[derive(Template)]
#[template(path = "parts/actors.html")]
struct ActorsPart {
    actors: Vec<ActorRow>,
}

#[derive(Template)]
#[template(path = "parts/events.html")]
struct EventsPart {
    events: Vec<EventRow>,
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
        let parts = match self.look(&mut looked).await {
            Ok((snapshot, away)) => {
                self.add_to_history(&mut looked.history, &snapshot);
                Arc::new(self.made_of(&snapshot, away.as_deref(), &looked.history))
            }
            Err(error) => {
                // The rest stays as it was seen last; the headline says why.
                let mut parts = (**self.parts.borrow()).clone();
                parts.insert("headline", headline_of_error(&error));
                Arc::new(parts)
            }
        };
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
        // They are asked of the database, which may be away; what it held last would be no news.
        let mut jobs = self.jobs("running", JOBS_MAX).await.unwrap_or_default();
        jobs.extend(self.jobs("blocked", JOBS_MAX).await.unwrap_or_default());
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
            jobs,
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

    fn made_of(&self, snapshot: &Snapshot, away: Option<&str>, history: &History) -> Parts {
        let base = &*self.base;
        let (class, text) = show::headline(&snapshot.status, away);
        let health = self.health().clone().unwrap_or_default();
        let mut parts = Parts::new();
        let mut add = |name, part: Result<String, askama::Error>| {
            // A template fails only where it cannot be written to, and a string always can.
            parts.insert(name, part.unwrap_or_default().into());
        };
        let headline = HeadlinePart {
            class,
            text,
            facts: facts(snapshot),
            verdict: health.verdict,
            findings: health.findings,
        };
        add("headline", headline.render());
        add("lines", lines(history).render());
        let queues = QueuesPart {
            base,
            read_only: self.read_only,
            queues: show::queues(snapshot),
        };
        add("queues", queues.render());
        let limits = show::limits(snapshot);
        add("limits", LimitsPart { limits }.render());
        let mut jobs = show::running(snapshot);
        let more = jobs.len().saturating_sub(SHOWN_MAX);
        jobs.truncate(SHOWN_MAX);
        add("running", RunningPart { base, jobs, more }.render());
        let troubles = show::troubles(snapshot, 20);
        add("troubles", TroublesPart { base, troubles }.render());
        let engines = show::engines(snapshot);
        add("engines", EnginesPart { engines }.render());
        let actors = actor::actors(snapshot);
        add("actors", ActorsPart { actors }.render());
        let events = show::events(snapshot);
        add("events", EventsPart { events }.render());
        parts
    }

    /// The parts of these names, now and whenever one of them has changed.
    pub(crate) fn stream(
        &self,
        names: Vec<String>,
        viewer: Viewer,
    ) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
        let mut news = self.parts.subscribe();
        news.mark_changed();
        let told: BTreeMap<&'static str, Arc<str>> = BTreeMap::new();
        stream::unfold((news, told, viewer), move |(mut news, mut told, viewer)| {
            let names = names.clone();
            async move {
                loop {
                    news.changed().await.ok()?;
                    let parts = news.borrow_and_update().clone();
                    let changed: Vec<Value> = (parts.iter())
                        .filter(|(name, _)| names.iter().any(|wanted| wanted == *name))
                        .filter(|(name, html)| told.get(*name) != Some(html))
                        .map(|(name, html)| json!({ "name": name, "html": &**html }))
                        .collect();
                    if changed.is_empty() {
                        continue;
                    }
                    told = (*parts).clone();
                    let event = Event::default()
                        .event("parts")
                        .data(Value::from(changed).to_string());
                    return Some((Ok(event), (news, told, viewer)));
                }
            }
        })
    }
}

fn headline_of_error(error: &AskError) -> Arc<str> {
    let headline = HeadlinePart {
        class: "bad",
        text: format!("The engine does not answer: {error}"),
        facts: Vec::new(),
        verdict: String::new(),
        findings: Vec::new(),
    };
    headline.render().unwrap_or_default().into()
}

fn facts(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let status = &snapshot.status;
    let mut facts = vec![
        ("up for", show::duration(status.uptime_s)),
        ("database", status.database.clone()),
        ("calls", show::grouped(status.calls)),
        ("refused for their rate", show::grouped(status.rate_limited)),
    ];
    if let Some(store) = snapshot.total("store") {
        facts.push(("size", show::bytes(store.database_bytes)));
    }
    if let Some(process) = snapshot.total("process") {
        facts.push(("memory", show::bytes(process.rss_bytes)));
    }
    if !status.key_shared_with.is_empty() {
        facts.push(("the key is shared with", status.key_shared_with.join(", ")));
    }
    facts
}

fn lines(history: &History) -> LinesPart {
    let of = |series: Series, title: &'static str, unit: &'static str| {
        let points = history.points(series);
        let now = points.last().copied().flatten();
        let spark = Sparkline {
            title,
            unit,
            points: &points,
            // A line that has just begun is not a dot at the edge.
            width: points.len().clamp(60, history::POINTS),
        };
        let now = now.map_or("–".to_owned(), |now| {
            format!("{}{unit}", super::chart::short(now))
        });
        (title, now, spark.svg())
    };
    LinesPart {
        lines: vec![
            of(Series::Jobs, "Jobs a second", "/s"),
            of(Series::Calls, "Calls a second", "/s"),
            of(Series::Failures, "Failures a minute", "/min"),
            of(Series::Commit, "Slowest commits", " ms"),
        ],
    }
}

//! The parts of a page that change by themselves. Each is made once for all who read it, when the first of them wants
//! it, and not at all where nobody does. One that came out as before is the same as before, and is not sent again.

use std::sync::{Arc, OnceLock};

use askama::Template;
use bytes::Bytes;
use riftsync_basics::snapshot::Snapshot;
use serde::Deserialize;
use serde_json::json;

use super::actor::{self, ActorRow};
use super::chart::{Sparkline, short};
use super::history::{self, History, Series};
use super::show::{self, EngineRow, EventRow, JobRow, LimitRow, QueueRow, TroubleRow};

/// Jobs that the overview shows.
const SHOWN_MAX: usize = 12;

/// What the parts are called.
const NAMES: [&str; 9] = [
    "headline", "lines", "queues", "limits", "running", "troubles", "engines", "actors", "events",
];
const HEADLINE: usize = 0;
/// What the lines of the overview show.
const LINES: [(Series, &str, &str); 4] = [
    (Series::Jobs, "Jobs a second", "/s"),
    (Series::Calls, "Calls a second", "/s"),
    (Series::Failures, "Failures a minute", "/min"),
    (Series::Commit, "Slowest commits", " ms"),
];

/// One part as it was made.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) html: String,
    event: OnceLock<Bytes>,
}

/// What the engine was like when it was looked at.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) base: String,
    pub(crate) read_only: bool,
    pub(crate) snapshot: Snapshot,
    /// Since when the database is away.
    pub(crate) away: Option<String>,
    pub(crate) health: Health,
    pub(crate) points: [Vec<Option<f64>>; 4],
}

/// The parts of one look.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// None: the engine was never seen.
    seen: Option<Arc<Seen>>,
    /// As they were made of an earlier look.
    before: [Option<Arc<Part>>; NAMES.len()],
    made: [OnceLock<Arc<Part>>; NAMES.len()],
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

#[derive(Template)]
#[template(path = "parts/headline.html")]
struct HeadlinePart<'a> {
    class: &'static str,
    text: String,
    facts: Vec<(&'static str, String)>,
    verdict: &'a str,
    findings: &'a [Finding],
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

impl Part {
    fn new(name: &'static str, html: String) -> Self {
        Self {
            name,
            html,
            event: OnceLock::new(),
        }
    }

    /// The part as an event of a stream; all who read it have the same bytes.
    pub(crate) fn event(&self) -> Bytes {
        let event = || {
            // JSON has no line of its own, as an event wants it.
            let parts = json!([{ "name": self.name, "html": self.html }]);
            Bytes::from(format!("event: parts\ndata: {parts}\n\n"))
        };
        self.event.get_or_init(event).clone()
    }
}

impl Parts {
    /// Of another look, after these.
    pub(crate) fn next(&self, seen: Seen) -> Self {
        let last = |at: usize| self.made[at].get().or(self.before[at].as_ref()).cloned();
        Self {
            seen: Some(Arc::new(seen)),
            before: std::array::from_fn(last),
            made: Default::default(),
        }
    }

    /// The same, below another headline.
    pub(crate) fn under(&self, why: String) -> Self {
        let headline = HeadlinePart {
            class: "bad",
            text: why,
            facts: Vec::new(),
            verdict: "",
            findings: &[],
        };
        let html = headline.render().unwrap_or_default();
        let mut made = self.made.clone();
        // Readers compare the part, not its text.
        let told = made[HEADLINE].get().filter(|told| told.html == html);
        if told.is_none() {
            made[HEADLINE] = OnceLock::from(Arc::new(Part::new(NAMES[HEADLINE], html)));
        }
        Self {
            seen: self.seen.clone(),
            before: self.before.clone(),
            made,
        }
    }

    /// None: there is no such part, or the engine was never seen.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Part>> {
        let at = NAMES.iter().position(|known| *known == name)?;
        if self.seen.is_none() {
            return self.made[at].get();
        }
        Some(self.made[at].get_or_init(|| self.make(at)))
    }

    pub(crate) fn html(&self, name: &str) -> &str {
        self.get(name).map_or("", |part| &part.html)
    }

    /// Those that somebody wanted.
    #[cfg(test)]
    pub(crate) fn made(&self) -> Vec<&'static str> {
        let made = NAMES.iter().zip(&self.made);
        let made = made.filter(|(_, part)| part.get().is_some());
        made.map(|(name, _)| *name).collect()
    }

    fn make(&self, at: usize) -> Arc<Part> {
        let html = self.seen.as_ref().map(|seen| seen.render(NAMES[at]));
        // A template fails only where it cannot be written to, and a string always can.
        let html = html.and_then(Result::ok).unwrap_or_default();
        match &self.before[at] {
            Some(before) if before.html == html => before.clone(),
            _ => Arc::new(Part::new(NAMES[at], html)),
        }
    }
}

impl Seen {
    pub(crate) fn with_history(mut self, history: &History) -> Self {
        self.points = LINES.map(|(series, ..)| history.points(series));
        self
    }

    fn render(&self, name: &str) -> Result<String, askama::Error> {
        let (base, snapshot) = (&*self.base, &self.snapshot);
        match name {
            "headline" => {
                let (class, text) = show::headline(&snapshot.status, self.away.as_deref());
                let headline = HeadlinePart {
                    class,
                    text,
                    facts: facts(snapshot),
                    verdict: &self.health.verdict,
                    findings: &self.health.findings,
                };
                headline.render()
            }
            "lines" => self.lines().render(),
            "queues" => {
                let queues = QueuesPart {
                    base,
                    read_only: self.read_only,
                    queues: show::queues(snapshot),
                };
                queues.render()
            }
            "limits" => {
                let limits = show::limits(snapshot);
                LimitsPart { limits }.render()
            }
            "running" => {
                let mut jobs = show::running(snapshot);
                let more = jobs.len().saturating_sub(SHOWN_MAX);
                jobs.truncate(SHOWN_MAX);
                RunningPart { base, jobs, more }.render()
            }
            "troubles" => {
                let troubles = show::troubles(snapshot, 20);
                TroublesPart { base, troubles }.render()
            }
            "engines" => {
                let engines = show::engines(snapshot);
                EnginesPart { engines }.render()
            }
            "actors" => {
                let actors = actor::actors(snapshot);
                ActorsPart { actors }.render()
            }
            _ => {
                let events = show::events(snapshot);
                EventsPart { events }.render()
            }
        }
    }

    fn lines(&self) -> LinesPart {
        let lines = LINES.iter().zip(&self.points);
        let line =
            |((_, title, unit), points): (&(Series, &'static str, &str), &Vec<Option<f64>>)| {
                let now = points.last().copied().flatten();
                let spark = Sparkline {
                    title,
                    unit,
                    points,
                    // A line that has just begun is not a dot at the edge.
                    width: points.len().clamp(60, history::POINTS),
                };
                let now = now.map_or("–".to_owned(), |now| format!("{}{unit}", short(now)));
                (*title, now, spark.svg())
            };
        LinesPart {
            lines: lines.map(line).collect(),
        }
    }
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

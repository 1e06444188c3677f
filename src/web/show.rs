//! How things are written for people: what the templates are given. Pure.

use std::time::Duration;

use riftsync_basics::Timestamp;
use riftsync_basics::snapshot::{Engine, Happened, Job, Queue, Snapshot, Status, Total, Trouble};

/// Engines of a page: a fleet is a handful.
const ENGINES_MAX: usize = 50;

/// A moment: for a program, and for a person until the script has put it into the reader's zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) iso: String,
    pub(crate) text: String,
}

impl From<Timestamp> for When {
    fn from(at: Timestamp) -> Self {
        let iso = at.to_string();
        let text: String = iso.chars().take(19).collect();
        let text = text.replace('T', " ") + " UTC";
        Self { iso, text }
    }
}

#[derive(Debug)]
pub(crate) struct QueueRow {
    pub(crate) name: String,
    pub(crate) slots: u64,
    pub(crate) running: u64,
    /// Of the slots: urgent jobs run beside them.
    pub(crate) busy: u64,
    pub(crate) waiting: String,
    pub(crate) later: String,
    pub(crate) blocked: String,
    pub(crate) rate: String,
    pub(crate) state: &'static str,
    pub(crate) paused: bool,
    pub(crate) done: u64,
    pub(crate) waits: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct LimitRow {
    pub(crate) route: String,
    pub(crate) in_flight: u64,
    pub(crate) waiting: u64,
    pub(crate) note: String,
    pub(crate) windows: Vec<WindowRow>,
}

#[derive(Debug)]
pub(crate) struct WindowRow {
    pub(crate) label: String,
    pub(crate) used: u64,
    pub(crate) limit: u64,
}

#[derive(Debug)]
pub(crate) struct JobRow {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) state: String,
    pub(crate) step: String,
    pub(crate) percent: u64,
    pub(crate) attempt: u64,
    /// What it waits for, or what went wrong.
    pub(crate) note: String,
    pub(crate) remedy: String,
    pub(crate) since: When,
}

#[derive(Debug)]
pub(crate) struct EngineRow {
    pub(crate) id: String,
    /// It is the one that these pages are of.
    pub(crate) is_this: bool,
    pub(crate) leads: bool,
    pub(crate) state: String,
    pub(crate) place: String,
    pub(crate) version: String,
    pub(crate) running: String,
    pub(crate) since: When,
    pub(crate) heard: String,
}

#[derive(Debug)]
pub(crate) struct TroubleRow {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) fate: String,
    pub(crate) message: String,
    pub(crate) remedy: String,
    pub(crate) at: When,
}

#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) at: When,
    pub(crate) event: String,
    pub(crate) actor: String,
    pub(crate) detail: String,
}

pub(crate) fn queues(snapshot: &Snapshot) -> Vec<QueueRow> {
    let queues = snapshot.status.queues.iter();
    queues.map(|queue| queue_row(snapshot, queue)).collect()
}

fn queue_row(snapshot: &Snapshot, queue: &Queue) -> QueueRow {
    let count = |count: Option<u64>| count.map_or("?".to_owned(), grouped);
    let later = match (queue.scheduled, queue.retryable) {
        (Some(scheduled), Some(retryable)) => Some(scheduled + retryable),
        _ => None,
    };
    let waits = queue.waits.iter().map(|wait| {
        let left = wait.left_s.filter(|left| *left > 0);
        let left = left.map_or_else(String::new, |left| format!(", {} left", duration(left)));
        format!("{} wait for {}{left}", wait.jobs, wait.what)
    });
    QueueRow {
        name: queue.queue.clone(),
        slots: queue.slots,
        running: queue.running,
        busy: queue.running.min(queue.slots),
        waiting: count(queue.available),
        later: count(later),
        blocked: count(queue.blocked),
        rate: queue.rate.clone().unwrap_or_default(),
        state: match (queue.paused, queue.held) {
            (true, _) => "paused",
            (false, true) => "held",
            (false, false) => "open",
        },
        paused: queue.paused,
        done: snapshot.done_of(&queue.queue),
        waits: waits.collect(),
    }
}

pub(crate) fn limits(snapshot: &Snapshot) -> Vec<LimitRow> {
    let totals = snapshot.metrics.totals.iter();
    let mut limiters: Vec<&Total> = totals.filter(|total| total.kind == "limiter").collect();
    limiters.sort_by_key(|total| std::cmp::Reverse(total.granted));
    limiters.into_iter().map(limit_row).collect()
}

fn limit_row(total: &Total) -> LimitRow {
    let mut notes = Vec::new();
    if total.paused_s > 0.0 {
        notes.push(format!("opens in {:.0} s", total.paused_s.ceil()));
    }
    if total.strangers_percent > 0.0 {
        notes.push(format!(
            "another program uses this key: about {:.0} %",
            total.strangers_percent
        ));
    }
    let windows = total.windows.iter().map(|window| WindowRow {
        label: match &window.method {
            Some(method) => format!("{method}, {}", duration(window.seconds)),
            None => duration(window.seconds),
        },
        used: window.used.min(window.limit),
        limit: window.limit,
    });
    LimitRow {
        route: last_part(&total.actor).to_owned(),
        in_flight: total.in_flight,
        waiting: total.waiting,
        note: notes.join("; "),
        windows: windows.collect(),
    }
}

pub(crate) fn job_row(job: &Job) -> JobRow {
    let waiting = job.waiting.as_ref();
    let waiting = waiting.map(|waiting| {
        let left = waiting.left_s.filter(|left| *left > 0);
        let left = left.map_or_else(String::new, |left| format!(", {} left", duration(left)));
        format!("waits for {}{left}", waiting.what)
    });
    let error = job.error.as_ref();
    let note = waiting.or_else(|| error.map(|error| error.message.clone()));
    JobRow {
        id: job.job_id,
        title: title(&job.kind, job.key.as_deref()),
        kind: job.kind.clone(),
        queue: job.queue.clone(),
        state: job.state.clone(),
        step: job.step.as_deref().unwrap_or_default().replace('_', " "),
        percent: job.percent.min(100),
        attempt: job.attempt,
        note: note.unwrap_or_default(),
        remedy: error
            .and_then(|error| error.remedy.clone())
            .unwrap_or_default(),
        since: (job.finished_at.or(job.started_at).or(job.enqueued_at))
            .map(When::from)
            .unwrap_or_default(),
    }
}

/// What is under way: first what tells how far it is, which others work for, then what runs, then what waits for its
/// children.
pub(crate) fn running(snapshot: &Snapshot) -> Vec<JobRow> {
    let mut jobs: Vec<&Job> = snapshot.jobs.iter().collect();
    jobs.sort_by_key(|job| {
        let silent = job.step.is_none();
        (silent, silent && job.state != "running", job.job_id)
    });
    // Between two questions one may have gone from one state to the other.
    jobs.dedup_by_key(|job| job.job_id);
    jobs.into_iter().map(job_row).collect()
}

/// All engines of the database, the leader first; none: it cannot be asked.
pub(crate) fn engines(snapshot: &Snapshot) -> Option<Vec<EngineRow>> {
    let status = &snapshot.status;
    let mut engines: Vec<&Engine> = status.engines.as_ref()?.iter().collect();
    engines.sort_by_key(|engine| (!engine.leads, engine.state != "alive", engine.started_at));
    let rows = engines.into_iter().take(ENGINES_MAX).map(|engine| {
        let is_this = engine.engine == status.engine;
        EngineRow {
            id: engine.engine.clone(),
            is_this,
            leads: engine.leads,
            state: engine.state.clone(),
            place: format!("{}, process {}", engine.host, engine.pid),
            version: engine.version.clone(),
            running: grouped(engine.running),
            since: engine.started_at.map(When::from).unwrap_or_default(),
            // What is no time, as a negative one, is none.
            heard: Duration::try_from_secs_f64(engine.silent_s)
                .map_or_else(|_| String::new(), |silent| duration(silent.as_secs())),
        }
    });
    Some(rows.collect())
}

pub(crate) fn troubles(snapshot: &Snapshot, limit: usize) -> Vec<TroubleRow> {
    let troubles = snapshot.troubles().into_iter().take(limit);
    troubles.map(trouble_row).collect()
}

fn trouble_row(trouble: Trouble) -> TroubleRow {
    TroubleRow {
        id: trouble.job_id,
        title: title(&trouble.kind, trouble.key.as_deref()),
        fate: trouble.fate,
        message: trouble.message,
        remedy: trouble.remedy.unwrap_or_default(),
        at: trouble.at.map(When::from).unwrap_or_default(),
    }
}

pub(crate) fn events(snapshot: &Snapshot) -> Vec<EventRow> {
    let events = snapshot.metrics.events.iter().rev();
    let row = |event: &Happened| EventRow {
        at: event.at.map(When::from).unwrap_or_default(),
        event: event.event.replace('_', " "),
        actor: event.actor.clone(),
        detail: event.detail.clone(),
    };
    events.map(row).collect()
}

/// What the engine is about, in a few words, and how serious that is: a class of the style.
pub(crate) fn headline(status: &Status, away: Option<&str>) -> (&'static str, String) {
    if let Some(away) = away {
        return ("bad", away.to_owned());
    }
    match (&*status.key, &*status.state) {
        ("rejected", _) => (
            "bad",
            "Riot rejects the API key. Give the engine another one: riftsync key set".to_owned(),
        ),
        (_, "stopping") => ("warn", "The engine is stopping".to_owned()),
        (_, "drained" | "draining") => (
            "warn",
            "All queues are paused: no job starts until one is resumed".to_owned(),
        ),
        ("suspected", _) => (
            "warn",
            "Riot refused a call for its key: the key is being tried again".to_owned(),
        ),
        _ if status.running > 0 => (
            "good",
            match status.running {
                1 => "1 job runs".to_owned(),
                jobs => format!("{jobs} jobs run"),
            },
        ),
        _ => (
            "good",
            "Nothing to do: the engine waits for jobs".to_owned(),
        ),
    }
}

/// The key says more than the kind, which most jobs share; without one the kind has to do.
pub(crate) fn title(kind: &str, key: Option<&str>) -> String {
    let kind = kind.strip_prefix("sync_").unwrap_or(kind);
    let kind = kind.strip_suffix("_data").unwrap_or(kind).replace('_', " ");
    match key {
        Some(key) => format!("{kind} {key}"),
        None => kind,
    }
}

/// `/engine/queues/recovery` is `recovery`.
pub(crate) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `1234567` is `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    format!("{} {}", super::chart::short(value), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1_000, 1_234_567].map(grouped)[..]
        );
        assert_eq!(
            ["0 s", "2 min", "1 min 5 s", "1 h 1 min", "2 d 3 h"],
            [0, 120, 65, 3_660, 2 * 86_400 + 3 * 3_600].map(duration)[..]
        );
        assert_eq!(
            ["512 B", "1.5 KiB", "33 MiB"],
            [512, 1_536, 33 << 20].map(bytes)[..]
        );
    }

    #[test]
    fn the_engine_that_leads_is_first_and_a_database_that_is_away_tells_of_none() {
        let engine = |name: &str, leads| Engine {
            engine: name.to_owned(),
            leads,
            state: "alive".to_owned(),
            silent_s: 61.9,
            ..Engine::default()
        };
        let mut snapshot = Snapshot::default();
        assert!(engines(&snapshot).is_none());
        snapshot.status.engine = "own".to_owned();
        let mut all = vec![engine("own", false), engine("leader", true)];
        all.extend((0..100).map(|n| engine(&n.to_string(), false)));
        snapshot.status.engines = Some(all);
        let rows = engines(&snapshot).unwrap();
        assert_eq!(rows.len(), ENGINES_MAX);
        let told = |row: &EngineRow| (row.id.clone(), row.leads, row.is_this, row.heard.clone());
        let heard = "1 min 1 s".to_owned();
        let own = ("own".to_owned(), false, true, heard.clone());
        let leader = ("leader".to_owned(), true, false, heard);
        assert_eq!([told(&rows[0]), told(&rows[1])], [leader, own]);
    }

    #[test]
    fn the_headline_names_the_worst_and_its_remedy() {
        let status = |key: &str, state: &str, running| Status {
            key: key.to_owned(),
            state: state.to_owned(),
            running,
            ..Status::default()
        };
        let running = status("valid", "running", 3);
        assert_eq!(headline(&running, None), ("good", "3 jobs run".to_owned()));
        assert_eq!(headline(&running, Some("PostgreSQL is away")).0, "bad");
        let (class, text) = headline(&status("rejected", "drained", 0), None);
        assert!(
            class == "bad" && text.contains("riftsync key set"),
            "{text}"
        );
        assert_eq!(headline(&status("valid", "drained", 0), None).0, "warn");
    }
}

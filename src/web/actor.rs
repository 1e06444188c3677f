//! The tree of actors as rows of a table: who lives, and what each says of itself. Pure.

use riftsync_basics::snapshot::{Actor, Snapshot, Total};
use serde_json::Value;

use super::show::{When, grouped, last_part};

/// Facts of one actor: more than any tells, less than would fill a page.
const FACTS_MAX: usize = 12;
/// Characters of one of them.
const FACT_MAX: usize = 120;
/// Characters of why an actor died: a panic may say a page.
const FAILURE_MAX: usize = 300;

#[derive(Debug)]
pub(crate) struct ActorRow {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) depth: usize,
    pub(crate) up: bool,
    pub(crate) restarts: u64,
    pub(crate) since: When,
    pub(crate) mailbox: String,
    pub(crate) did: String,
    pub(crate) stands: Vec<Fact>,
    pub(crate) failure: String,
    pub(crate) failed_at: When,
}

/// Something that an actor says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The value, where it is a moment.
    pub(crate) at: Option<When>,
}

impl Fact {
    fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.into(),
            at: None,
        }
    }
}

pub(crate) fn actors(snapshot: &Snapshot) -> Vec<ActorRow> {
    let actors = snapshot.metrics.actors.iter();
    actors.map(|actor| actor_row(snapshot, actor)).collect()
}

fn actor_row(snapshot: &Snapshot, actor: &Actor) -> ActorRow {
    let mut totals = snapshot.metrics.totals.iter();
    // The root has the readings of the process, which are none of its own.
    let total = totals.find(|total| total.actor == actor.actor && total.kind != "process");
    let mut events = snapshot.metrics.events.iter().rev();
    let failure = events.find(|event| event.actor == actor.actor && event.event == "actor_died");
    let mut stands = total.map_or_else(Vec::new, |total| counted(snapshot, total));
    stands.extend(actor.state.as_ref().map_or_else(Vec::new, told));
    stands.truncate(FACTS_MAX);
    ActorRow {
        path: actor.actor.clone(),
        name: last_part(&actor.actor).to_owned(),
        depth: actor.actor.matches('/').count().saturating_sub(2).min(4),
        up: actor.up,
        restarts: actor.restarts,
        since: actor.since.map(When::from).unwrap_or_default(),
        mailbox: total
            .and_then(|total| total.mailbox)
            .map_or_else(|| "–".to_owned(), grouped),
        did: total.map_or_else(String::new, did),
        stands,
        failure: failure.map_or_else(String::new, |event| cut(&event.detail, FAILURE_MAX)),
        failed_at: failure
            .and_then(|event| event.at)
            .map(When::from)
            .unwrap_or_default(),
    }
}

fn did(total: &Total) -> String {
    let (number, one, many) = match &*total.kind {
        "queue" => (total.processed + total.failed, "job", "jobs"),
        "limiter" => (total.granted, "call", "calls"),
        "store" => (total.commits, "commit", "commits"),
        _ => return String::new(),
    };
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

/// How those stand whose readings are taken, and who therefore say nothing of themselves.
fn counted(snapshot: &Snapshot, total: &Total) -> Vec<Fact> {
    match &*total.kind {
        "queue" => {
            let name = last_part(&total.actor);
            let mut queues = snapshot.status.queues.iter();
            let Some(queue) = queues.find(|queue| queue.queue == name) else {
                return Vec::new();
            };
            let state = match (queue.paused, queue.held) {
                (true, _) => "paused",
                (false, true) => "held",
                (false, false) => "open",
            };
            let running = format!("{} of {} slots", queue.running, queue.slots);
            vec![Fact::new("queue", state), Fact::new("running", running)]
        }
        "limiter" => {
            let mut facts = vec![
                Fact::new("in flight", grouped(total.in_flight)),
                Fact::new("waiting", grouped(total.waiting)),
            ];
            if total.paused_s > 0.0 {
                let opens = format!("in {:.0} s", total.paused_s.ceil());
                facts.push(Fact::new("opens", opens));
            }
            facts
        }
        _ => Vec::new(),
    }
}

/// What an actor says, which is an object.
fn told(state: &Value) -> Vec<Fact> {
    let Value::Object(state) = state else {
        return Vec::new();
    };
    state
        .iter()
        .map(|(name, value)| fact(name, value))
        .collect()
}

fn fact(name: &str, value: &Value) -> Fact {
    let text = match value {
        Value::Null => "–".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => cut(text, FACT_MAX),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        other => cut(&other.to_string(), FACT_MAX),
    };
    let at = value
        .as_str()
        .and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let at = at.map(|at| riftsync_basics::Timestamp::from_millis(at.as_millisecond()));
    Fact {
        // The unit stands last in a name: `interval_s`.
        name: match name.strip_suffix("_s") {
            Some(name) => format!("{}, s", name.replace('_', " ")),
            None => cut(name, FACT_MAX).replace('_', " "),
        },
        value: text,
        at: at.map(When::from),
    }
}

/// A text of so many characters at most.
fn cut(text: &str, most: usize) -> String {
    let mut cut: String = text.chars().take(most).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use riftsync_basics::snapshot::{Happened, Queue, read};
    use serde_json::json;

    use super::*;

    fn snapshot() -> Snapshot {
        let at = "2026-11-28T10:00:00Z";
        let mut snapshot = Snapshot {
            metrics: read(json!({
                "totals": [
                    { "actor": "/engine", "kind": "process", "rss_bytes": 5 },
                    { "actor": "/engine/queues/q", "kind": "queue", "mailbox": 1_200, "processed": 3, "failed": 1 },
                ],
                "actors": [
                    { "actor": "/engine", "up": true, "since": at },
                    { "actor": "/engine/queues/q", "up": false, "restarts": 2, "since": at },
                    { "actor": "/engine/stager", "up": true, "since": at,
                      "state": { "looked_at": at, "staged": 1_234, "next_due": null, "leads": true, "interval_s": 0.5 } },
                ],
            })),
            ..Snapshot::default()
        };
        snapshot.status.queues.push(Queue {
            queue: "q".to_owned(),
            slots: 8,
            running: 3,
            held: true,
            ..Queue::default()
        });
        for (event, detail) in [
            ("actor_died", "first"),
            ("actor_died", "x"),
            ("actor_started", ""),
        ] {
            snapshot.metrics.events.push(Happened {
                event: event.to_owned(),
                actor: "/engine/queues/q".to_owned(),
                detail: detail.repeat(if detail == "x" { 1_000 } else { 1 }),
                ..Happened::default()
            });
        }
        snapshot
    }

    fn facts(row: &ActorRow) -> Vec<(&str, &str)> {
        let facts = row.stands.iter();
        facts.map(|fact| (&*fact.name, &*fact.value)).collect()
    }

    #[test]
    fn an_actor_tells_how_it_stands_what_waits_for_it_and_what_it_died_of_last() {
        let rows = actors(&snapshot());
        let [root, queue, stager] = &rows[..] else {
            panic!("{rows:?}")
        };
        assert_eq!((facts(root), &*root.mailbox), (vec![], "–"));
        assert_eq!(
            facts(queue),
            [("queue", "held"), ("running", "3 of 8 slots")]
        );
        assert_eq!((&*queue.mailbox, &*queue.did), ("1,200", "4 jobs"));
        assert_eq!(queue.failure, format!("{}…", "x".repeat(FAILURE_MAX)));
        let moment = "2026-11-28T10:00:00Z";
        let told = [
            ("interval, s", "0.5"),
            ("leads", "yes"),
            ("looked at", moment),
            ("next due", "–"),
            ("staged", "1,234"),
        ];
        assert_eq!(facts(stager), told);
        let at = stager.stands[2].at.as_ref().unwrap();
        assert_eq!(at.text, "2026-11-28 10:00:00 UTC");
        assert!(stager.stands[3].at.is_none());
    }

    #[test]
    fn an_actor_that_says_very_much_does_not_fill_the_page() {
        let mut state = serde_json::Map::new();
        for n in 0..1_000 {
            state.insert(format!("fact_{n}"), json!("y".repeat(10_000)));
        }
        let mut snapshot = snapshot();
        snapshot.metrics.actors[2].state = Some(Value::Object(state));
        let row = &actors(&snapshot)[2];
        assert_eq!(row.stands.len(), FACTS_MAX);
        assert!(
            row.stands
                .iter()
                .all(|fact| fact.value.len() < 4 * FACT_MAX)
        );
        snapshot.metrics.actors[2].state = Some(json!("no object"));
        assert!(actors(&snapshot)[2].stands.is_empty());
    }
}

//! The same counters as Prometheus' text format, version 0.0.4. Pure.
//!
//! Every name and help text is here, so that none can drift from the kind of value it is.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::{ActorState, Sample};
use crate::model::Timestamp;
use crate::model::histogram::Times;

/// What a reader is told this text is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Powers of two of microseconds at which a histogram is read: 0.25 ms to 18 min, four times each.
const BOUNDS: [u32; 12] = [8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30];

/// What is told of an engine beside its actors.
#[derive(Debug, Clone)]
pub struct About<'a> {
    pub version: &'a str,
    pub started_at: Timestamp,
    pub calls: u64,
    pub rate_limited: u64,
    pub key_valid: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// All lines of one name.
#[derive(Debug)]
struct Family {
    kind: Kind,
    help: &'static str,
    lines: String,
}

/// Families by name.
#[derive(Debug, Default)]
struct Text(BTreeMap<&'static str, Family>);

type Labels<'a> = &'a [(&'a str, &'a str)];

/// Everything an engine tells of itself.
pub fn text(
    about: &About<'_>,
    samples: &[Sample],
    actors: &BTreeMap<String, ActorState>,
) -> String {
    let mut text = Text::default();
    add_about(&mut text, about);
    for sample in samples {
        match sample.kind {
            "queue" => add_queue(&mut text, sample),
            "limiter" => add_limiter(&mut text, sample),
            "store" => add_store(&mut text, sample),
            "process" => add_process(&mut text, sample),
            // Their restarts are below, with everybody's.
            _ => {}
        }
    }
    for (path, actor) in actors {
        let whose: Labels<'_> = &[("actor", path)];
        let up = f64::from(u8::from(actor.up));
        text.gauge(
            "riftsync_actor_up",
            "Whether a supervised actor runs.",
            whose,
            up,
        );
        text.counter(
            "riftsync_actor_restarts_total",
            "Restarts of a supervised actor.",
            whose,
            actor.restarts as f64,
        );
    }
    text.finish()
}

fn add_about(text: &mut Text, about: &About<'_>) {
    text.gauge(
        "riftsync_build_info",
        "The program's version; the value is always 1.",
        &[("version", about.version)],
        1.0,
    );
    text.gauge(
        "process_start_time_seconds",
        "When the engine started, in seconds since 1970.",
        &[],
        about.started_at.as_millis() as f64 / 1_000.0,
    );
    text.counter(
        "riftsync_api_calls_total",
        "Calls that were sent to the API.",
        &[],
        about.calls as f64,
    );
    text.counter(
        "riftsync_api_rate_limited_total",
        "Calls that the API answered with 429.",
        &[],
        about.rate_limited as f64,
    );
    text.gauge(
        "riftsync_api_key_valid",
        "Whether the API takes the key, as far as is known.",
        &[],
        f64::from(u8::from(about.key_valid)),
    );
}

fn add_queue(text: &mut Text, sample: &Sample) {
    let queue = last_part(&sample.actor);
    for outcome in ["processed", "failed", "retried", "snoozed"] {
        text.counter(
            "riftsync_attempts_total",
            "Attempts of jobs that ended, by what became of them.",
            &[("queue", queue), ("outcome", outcome)],
            sample.counter(outcome) as f64,
        );
    }
    let whose: Labels<'_> = &[("queue", queue)];
    for (gauge, name, help) in [
        ("running", "riftsync_queue_running", "Jobs that run."),
        (
            "mailbox",
            "riftsync_queue_ready",
            "Jobs that are held ready in memory.",
        ),
        (
            "slots",
            "riftsync_queue_slots",
            "Jobs that may run at once.",
        ),
        (
            "paused",
            "riftsync_queue_paused",
            "Whether an operator has paused the queue.",
        ),
        (
            "held",
            "riftsync_queue_held",
            "Whether the queue is held while the API is away.",
        ),
    ] {
        if let Some(value) = sample.gauge(gauge) {
            text.gauge(name, help, whose, value);
        }
    }
    if let Some(times) = &sample.times {
        text.histogram(
            "riftsync_attempt_duration_seconds",
            "How long attempts of jobs took.",
            whose,
            times,
        );
    }
}

fn add_limiter(text: &mut Text, sample: &Sample) {
    let route = last_part(&sample.actor);
    let whose: Labels<'_> = &[("route", route)];
    for (counter, name, help) in [
        (
            "granted",
            "riftsync_limiter_granted_total",
            "Permits for calls that were given.",
        ),
        (
            "given_back",
            "riftsync_limiter_given_back_total",
            "Permits that came back without a call.",
        ),
    ] {
        text.counter(name, help, whose, sample.counter(counter) as f64);
    }
    for by in ["application", "method", "service"] {
        text.counter(
            "riftsync_limiter_refused_total",
            "Calls that the API answered with 429, by who refused.",
            &[("route", route), ("type", by)],
            sample.counter(&format!("refused_{by}")) as f64,
        );
    }
    for (gauge, name, help, unit) in [
        (
            "waiting",
            "riftsync_limiter_waiting",
            "Calls that wait for a permit.",
            1.0,
        ),
        (
            "in_flight",
            "riftsync_limiter_in_flight",
            "Calls that were sent and not yet answered.",
            1.0,
        ),
        (
            "paused_s",
            "riftsync_limiter_paused_seconds",
            "How long the route stands still from now on.",
            1.0,
        ),
        (
            "share_percent",
            "riftsync_limiter_share_ratio",
            "The part of the limits that is used here at most (riot.share).",
            0.01,
        ),
        (
            "strangers_percent",
            "riftsync_limiter_strangers_ratio",
            "The part of the limits that other programs on the key use.",
            0.01,
        ),
        (
            "round_trip_ms",
            "riftsync_limiter_round_trip_seconds",
            "How long an answer takes.",
            1e-3,
        ),
    ] {
        if let Some(value) = sample.gauge(gauge) {
            text.gauge(name, help, whose, value * unit);
        }
    }
    for window in &sample.windows {
        let seconds = window.seconds.to_string();
        let method = window.method.unwrap_or_default();
        let labels: Labels<'_> = &[
            ("route", route),
            ("method", method),
            ("window_seconds", &seconds),
        ];
        text.gauge(
            "riftsync_limiter_window_used",
            "Calls that count in a window of a rate limit; no method: the key's on the route.",
            labels,
            f64::from(window.used),
        );
        text.gauge(
            "riftsync_limiter_window_limit",
            "Calls that a window of a rate limit allows.",
            labels,
            f64::from(window.limit),
        );
    }
}

fn add_store(text: &mut Text, sample: &Sample) {
    for (counter, name, help) in [
        (
            "commits",
            "riftsync_store_commits_total",
            "Commits to the database.",
        ),
        (
            "commands",
            "riftsync_store_commands_total",
            "Commands that went into these commits.",
        ),
        (
            "stale",
            "riftsync_store_stale_writes_total",
            "Writes that were refused for a lost lease.",
        ),
    ] {
        text.counter(name, help, &[], sample.counter(counter) as f64);
    }
    for (gauge, name, help) in [
        (
            "mailbox",
            "riftsync_store_waiting",
            "Commands that wait for the writer.",
        ),
        (
            "database_bytes",
            "riftsync_store_database_bytes",
            "The size of the database.",
        ),
    ] {
        if let Some(value) = sample.gauge(gauge) {
            text.gauge(name, help, &[], value);
        }
    }
    if let Some(times) = &sample.times {
        let help = "How long commits took.";
        text.histogram("riftsync_store_commit_duration_seconds", help, &[], times);
    }
}

fn add_process(text: &mut Text, sample: &Sample) {
    text.counter(
        "process_cpu_seconds_total",
        "Processor time used, of all threads.",
        &[],
        Duration::from_millis(sample.counter("cpu_ms")).as_secs_f64(),
    );
    if let Some(bytes) = sample.gauge("rss_bytes") {
        text.gauge(
            "process_resident_memory_bytes",
            "Resident memory.",
            &[],
            bytes,
        );
    }
}

impl Text {
    fn family(&mut self, name: &'static str, help: &'static str, kind: Kind) -> &mut Family {
        let family = self.0.entry(name).or_insert_with(|| Family {
            kind,
            help,
            lines: String::new(),
        });
        debug_assert_eq!((family.kind, family.help), (kind, help), "{name}");
        family
    }

    fn counter(&mut self, name: &'static str, help: &'static str, labels: Labels<'_>, value: f64) {
        let family = self.family(name, help, Kind::Counter);
        line(&mut family.lines, name, "", labels, value);
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, labels: Labels<'_>, value: f64) {
        let family = self.family(name, help, Kind::Gauge);
        line(&mut family.lines, name, "", labels, value);
    }

    fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Labels<'_>,
        times: &Times,
    ) {
        let lines = &mut self.family(name, help, Kind::Histogram).lines;
        for doubling in BOUNDS {
            let (bound, count) = times.shorter_than(doubling);
            let bound = bound.as_secs_f64().to_string();
            let labels = [labels, &[("le", bound.as_str())]].concat();
            line(lines, name, "_bucket", &labels, count as f64);
        }
        let count = times.count() as f64;
        let labels_inf = [labels, &[("le", "+Inf")]].concat();
        line(lines, name, "_bucket", &labels_inf, count);
        line(lines, name, "_sum", labels, times.sum().as_secs_f64());
        line(lines, name, "_count", labels, count);
    }

    fn finish(self) -> String {
        let mut text = String::new();
        for (name, family) in self.0 {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "# HELP {name} {}\n# TYPE {name} {kind}\n{}",
                family.help, family.lines
            );
        }
        text
    }
}

fn line(text: &mut String, name: &str, suffix: &str, labels: Labels<'_>, value: f64) {
    text.push_str(name);
    text.push_str(suffix);
    for (at, (label, value)) in labels.iter().enumerate() {
        text.push(if at == 0 { '{' } else { ',' });
        let _ = write!(text, "{label}=\"{}\"", escaped(value));
    }
    if !labels.is_empty() {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

/// A label's value as the format has it.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::WindowSample;
    use crate::model::histogram::Histogram;

    fn about() -> About<'static> {
        About {
            version: "1.0\\\"\n",
            started_at: Timestamp::from_millis(1_780_000_000_500),
            calls: 7,
            rate_limited: 0,
            key_valid: true,
        }
    }

    #[test]
    fn a_counter_a_gauge_a_window_and_an_escaped_label_are_lines_of_their_names() {
        let queue = Sample {
            counters: vec![("processed", 5), ("failed", 1)],
            gauges: vec![("running", 2.0)],
            ..Sample::new("/engine/queues/q", "queue")
        };
        let limiter = Sample {
            gauges: vec![("round_trip_ms", 80.0)],
            windows: vec![WindowSample {
                method: None,
                seconds: 120,
                used: 3,
                limit: 100,
            }],
            ..Sample::new("/engine/riot_gate/asia", "limiter")
        };
        let mut actors = BTreeMap::new();
        let state = ActorState {
            up: false,
            restarts: 2,
            since: Timestamp::from_millis(0),
            state: None,
        };
        actors.insert("/engine/stager".to_owned(), state);
        let text = text(&about(), &[queue, limiter], &actors);
        for line in [
            "# TYPE riftsync_attempts_total counter",
            r#"riftsync_attempts_total{queue="q",outcome="processed"} 5"#,
            r#"riftsync_queue_running{queue="q"} 2"#,
            "# TYPE riftsync_queue_running gauge",
            r#"riftsync_limiter_round_trip_seconds{route="asia"} 0.08"#,
            r#"riftsync_limiter_window_used{route="asia",method="",window_seconds="120"} 3"#,
            r#"riftsync_actor_restarts_total{actor="/engine/stager"} 2"#,
            r#"riftsync_actor_up{actor="/engine/stager"} 0"#,
            r#"riftsync_build_info{version="1.0\\\"\n"} 1"#,
            "process_start_time_seconds 1780000000.5",
            "riftsync_api_calls_total 7",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        let helps = text.lines().filter(|line| line.starts_with("# HELP"));
        let types = text.lines().filter(|line| line.starts_with("# TYPE"));
        assert_eq!(helps.count(), types.count());
    }

    #[test]
    fn a_histogram_is_cumulative_and_ends_with_all() {
        let histogram = Histogram::default();
        for ms in [1, 1, 30, 5_000_000] {
            histogram.note(Duration::from_millis(ms));
        }
        let store = Sample {
            times: Some(histogram.read()),
            ..Sample::new("/engine/store_writer", "store")
        };
        let text = text(&about(), &[store], &BTreeMap::new());
        let name = "riftsync_store_commit_duration_seconds";
        let of = |what: &str| {
            let line = format!("{name}{what} ");
            let found = text.lines().find_map(|other| other.strip_prefix(&line));
            found.unwrap_or_else(|| panic!("{line}\n{text}")).to_owned()
        };
        assert_eq!(of(r#"_bucket{le="0.000256"}"#), "0");
        assert_eq!(of(r#"_bucket{le="0.001024"}"#), "2");
        assert_eq!(of(r#"_bucket{le="0.065536"}"#), "3");
        assert_eq!(of(r#"_bucket{le="1073.741824"}"#), "3");
        assert_eq!(of(r#"_bucket{le="+Inf"}"#), "4");
        assert_eq!(
            (of("_count"), of("_sum")),
            ("4".to_owned(), "5000.032".to_owned())
        );
    }
}

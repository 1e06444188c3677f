//! What engines did before: the metrics log, read again. Pure.
//!
//! A line of the log has the moment at which it was written, and what happened since its engine's line before. Nothing
//! in there is believed to be whole: a line that cannot be read is left out.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::Timestamp;

/// Bytes of the log that are looked at: more than an hour's, at a record of each actor every ten seconds.
pub const BYTES_MAX: u64 = 8 << 20;
/// Intervals of one answer.
const INTERVALS_MAX: usize = 3_600;

/// What one engine did between two records.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Attempts that ended.
    pub jobs: u64,
    /// Those of them that failed for good.
    pub failed: u64,
    /// Calls that were let go.
    pub calls: u64,
    /// Of a hundred commits one took as long, or longer.
    pub commit_p99_ms: Option<f64>,
    pub database_bytes: Option<u64>,
}

/// A line, as far as it is needed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    at: String,
    engine: String,
    kind: String,
    processed: u64,
    failed: u64,
    granted: u64,
    database_bytes: Option<u64>,
    ms: Times,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Times {
    p99: Option<f64>,
}

/// What is known of an engine while its lines are read.
#[derive(Debug)]
struct Known {
    /// When its last record was written, or it was first heard of.
    told: Timestamp,
    /// The record that is being read: its lines have one moment.
    open: Option<Interval>,
}

/// What happened since a moment, in the order in which it was written.
pub fn intervals(log: &[u8], since: Timestamp) -> Vec<Interval> {
    let mut done = Vec::new();
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for line in log.split(|byte| *byte == b'\n') {
        let Ok(line) = serde_json::from_slice::<Record>(line) else {
            continue;
        };
        let Ok(at) = line.at.parse::<jiff::Timestamp>() else {
            continue;
        };
        let at = Timestamp::from_millis(at.as_millisecond());
        let engine = known.entry(line.engine.clone()).or_insert(Known {
            told: at,
            open: None,
        });
        if matches!(&*line.kind, "queue" | "limiter" | "store") {
            engine.add(&line, at, &mut done);
        }
    }
    for (_, engine) in known {
        done.extend(engine.open);
    }
    // A moment alone is no time in which something happened; and a clock may have been set back.
    done.retain(|one| one.from < one.to && one.to > since);
    done.sort_by_key(|one| one.to);
    let surplus = done.len().saturating_sub(INTERVALS_MAX);
    done.drain(..surplus);
    done
}

impl Known {
    fn add(&mut self, line: &Record, at: Timestamp, done: &mut Vec<Interval>) {
        let open = match self.open.take_if(|open| open.to != at) {
            Some(whole) => {
                self.told = whole.to;
                done.push(whole);
                &mut self.open
            }
            None => &mut self.open,
        };
        let open = open.get_or_insert(Interval {
            from: self.told,
            to: at,
            jobs: 0,
            failed: 0,
            calls: 0,
            commit_p99_ms: None,
            database_bytes: None,
        });
        match &*line.kind {
            "queue" => {
                open.jobs += line.processed + line.failed;
                open.failed += line.failed;
            }
            "limiter" => open.calls += line.granted,
            _ => {
                open.commit_p99_ms = line.ms.p99;
                open.database_bytes = line.database_bytes.filter(|bytes| *bytes > 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LOG: &str = r#"{"v":1,"at":"2026-11-28T10:00:00.000Z","engine":"a","actor":"/engine","kind":"event","event":"engine_started"}
{"v":1,"at":"2026-11-28T10:00:10.000Z","engine":"a","actor":"/engine/queues/x","kind":"queue","processed":5,"failed":1,"ms":{"p99":null}}
{"v":1,"at":"2026-11-28T10:00:10.000Z","engine":"a","actor":"/engine/queues/y","kind":"queue","processed":2,"failed":0}
{"v":1,"at":"2026-11-28T10:00:10.000Z","engine":"a","actor":"/engine/riot_gate/asia","kind":"limiter","granted":30}
{"v":1,"at":"2026-11-28T10:00:10.000Z","engine":"a","actor":"/engine/store_writer","kind":"store","database_bytes":4096,"ms":{"p99":1.5}}
not a line
{"v":1,"at":"2026-11-28T10:00:10.000Z","engine":"a","actor":"/engine/stager","kind":"actor","up":1}
{"v":1,"at":"2026-11-28T10:00:30.000Z","engine":"a","actor":"/engine/queues/x","kind":"queue","processed":7,"failed":0}
{"v":1,"at":"2026-11-28T10:01:00.000Z","engine":"b","actor":"/engine/queues/x","kind":"queue","processed":9,"failed":9}
{"v":1,"at":"2026-11-28T10:01:10.000Z","engine":"b","actor":"/engine/queues/x","kind":"queue","processed":4,"failed":0}
{"v":1,"at":"never","engine":"b","kind":"queue","processed":4}
{"v":1,"at":"2026-11-28T10:01:20.000Z","engine":"b","actor":"/engine/queues/x","kind":"queue","proc"#;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = format!("2026-11-28T{text}Z").parse().unwrap();
        Timestamp::from_millis(at.as_millisecond())
    }

    #[test]
    fn records_of_one_moment_are_an_interval_from_the_one_before_or_from_the_start() {
        let told = intervals(LOG.as_bytes(), at("10:00:00"));
        let plain: Vec<_> = (told.iter())
            .map(|one| (one.from, one.to, one.jobs, one.failed, one.calls))
            .collect();
        // Of the first record of an engine that was not heard before, nobody knows how long it took.
        let span = |from: &str, to: &str, counts: (u64, u64, u64)| {
            (at(from), at(to), counts.0, counts.1, counts.2)
        };
        assert_eq!(
            plain,
            [
                span("10:00:00", "10:00:10", (8, 1, 30)),
                span("10:00:10", "10:00:30", (7, 0, 0)),
                span("10:01:00", "10:01:10", (4, 0, 0)),
            ]
        );
        assert_eq!(
            (told[0].commit_p99_ms, told[0].database_bytes),
            (Some(1.5), Some(4_096))
        );
        assert_eq!(
            (told[1].commit_p99_ms, told[1].database_bytes),
            (None, None)
        );
        assert_eq!(intervals(LOG.as_bytes(), at("10:00:30")).len(), 1);
    }

    #[test]
    fn a_log_of_nonsense_or_of_very_many_records_is_bounded() {
        assert_eq!(
            intervals(b"\n\n{}\n[]\n\xff\n{\"at\":1}", at("00:00:00")),
            []
        );
        let mut log = String::new();
        for n in 0..INTERVALS_MAX + 50 {
            let at = at("10:00:00") + std::time::Duration::from_millis(n as u64);
            let line =
                json!({ "at": at.to_string(), "engine": "a", "kind": "queue", "processed": 1 });
            log.push_str(&line.to_string());
            log.push('\n');
        }
        let told = intervals(log.as_bytes(), at("00:00:00"));
        assert_eq!(told.len(), INTERVALS_MAX);
        assert!(told.iter().all(|one| one.jobs == 1));
    }
}

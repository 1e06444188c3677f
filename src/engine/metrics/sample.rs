//! What one actor's counters say at one moment, and the record of what happened between two. Pure.

use std::time::Duration;

use serde_json::{Map, Value, json};

use riftsync_basics::histogram::Times;

/// A reading of one actor. Counters only grow; what goes up and down is a gauge.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// As a path: `/engine/queues/player_sync`.
    pub actor: String,
    /// `queue`, `limiter`, `store`, `process` or `actor`.
    pub kind: &'static str,
    pub counters: Vec<(&'static str, u64)>,
    pub gauges: Vec<(&'static str, f64)>,
    /// How long its work took.
    pub times: Option<Times>,
    /// Time spent working, as a counter in microseconds, and how many work at once.
    pub busy: Option<(u64, u64)>,
    pub windows: Vec<WindowSample>,
}

/// A window of a rate limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSample {
    /// None: of the whole route.
    pub method: Option<&'static str>,
    pub seconds: u32,
    pub used: u32,
    pub limit: u32,
}

impl Sample {
    pub fn new(actor: impl Into<String>, kind: &'static str) -> Self {
        Self {
            actor: actor.into(),
            kind,
            ..Self::default()
        }
    }

    pub fn counter(&self, name: &str) -> u64 {
        let found = self.counters.iter().find(|(other, _)| *other == name);
        found.map_or(0, |(_, value)| *value)
    }

    /// None: it is not known now.
    pub fn gauge(&self, name: &str) -> Option<f64> {
        let found = self.gauges.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| *value)
    }

    /// What happened since an earlier reading of the same actor, or, without one, since it began.
    pub fn record(&self, earlier: Option<&Self>, took: Duration) -> Map<String, Value> {
        let mut record = self.labels();
        for (name, now) in &self.counters {
            let then = earlier.map_or(0, |sample| sample.counter(name));
            // An actor that was made anew counts from zero.
            let change = now.checked_sub(then).unwrap_or(*now);
            record.insert((*name).to_owned(), json!(change));
        }
        self.add_gauges(&mut record);
        if let Some((busy_us, workers)) = self.busy {
            let then = earlier
                .and_then(|sample| sample.busy)
                .map_or(0, |busy| busy.0);
            let busy = Duration::from_micros(busy_us.checked_sub(then).unwrap_or(busy_us));
            let all = took.as_secs_f64() * workers as f64;
            let share = if all > 0.0 {
                busy.as_secs_f64() / all
            } else {
                0.0
            };
            record.insert("busy".to_owned(), json!(rounded(share)));
        }
        if let Some(times) = &self.times {
            let then = earlier.and_then(|sample| sample.times).unwrap_or_default();
            record.insert("ms".to_owned(), quantiles(&times.since(&then)));
        }
        record
    }

    /// All that happened since the actor began.
    pub fn totals(&self) -> Map<String, Value> {
        let mut totals = self.labels();
        for (name, now) in &self.counters {
            totals.insert((*name).to_owned(), json!(now));
        }
        self.add_gauges(&mut totals);
        if let Some(times) = &self.times {
            totals.insert("ms".to_owned(), quantiles(times));
        }
        totals
    }

    fn labels(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("actor".to_owned(), json!(self.actor));
        map.insert("kind".to_owned(), json!(self.kind));
        map
    }

    fn add_gauges(&self, map: &mut Map<String, Value>) {
        for (name, value) in &self.gauges {
            let value = if value.fract() == 0.0 && value.abs() < 9e15 {
                #[expect(clippy::cast_possible_truncation, reason = "a whole number that fits")]
                let whole = *value as i64;
                json!(whole)
            } else {
                json!(rounded(*value))
            };
            map.insert((*name).to_owned(), value);
        }
        if !self.windows.is_empty() {
            let windows: Vec<Value> = self
                .windows
                .iter()
                .map(|window| {
                    json!({ "method": window.method, "seconds": window.seconds, "used": window.used, "limit": window.limit })
                })
                .collect();
            map.insert("windows".to_owned(), json!(windows));
        }
    }
}

/// Milliseconds that half, most and all of the work took; null when there was none.
fn quantiles(times: &Times) -> Value {
    let quantile = |share| {
        let time = times.quantile(share);
        time.map(|time| rounded(time.as_secs_f64() * 1_000.0))
    };
    json!({ "p50": quantile(0.5), "p95": quantile(0.95), "p99": quantile(0.99), "max": quantile(1.0) })
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use riftsync_basics::histogram::Histogram;

    fn sample(processed: u64, busy_us: u64, times: &Times) -> Sample {
        Sample {
            counters: vec![("processed", processed)],
            gauges: vec![("running", 2.0), ("cpu", 0.1234)],
            times: Some(*times),
            busy: Some((busy_us, 4)),
            ..Sample::new("/engine/queues/q", "queue")
        }
    }

    #[test]
    fn a_record_is_what_happened_since_the_last() {
        let histogram = Histogram::default();
        histogram.note(Duration::from_millis(1));
        let first = sample(5, 1_000_000, &histogram.read());
        histogram.note(Duration::from_secs(2));
        let second = sample(9, 21_000_000, &histogram.read());
        let record = Value::Object(second.record(Some(&first), Duration::from_secs(10)));
        assert_eq!(record["processed"], 4);
        assert_eq!(
            (&record["running"], &record["cpu"]),
            (&json!(2), &json!(0.123))
        );
        assert_eq!(record["busy"], 0.5);
        assert!(record["ms"]["p50"].as_f64().unwrap() >= 2_000.0, "{record}");
        assert_eq!(second.totals()["processed"], 9);
    }

    #[test]
    fn an_actor_that_was_made_anew_counts_from_zero() {
        let before = sample(100, 9, &Times::default());
        let after = sample(3, 2, &Times::default());
        let record = after.record(Some(&before), Duration::from_secs(1));
        assert_eq!(record["processed"], 3);
        assert_eq!(record["ms"]["p99"], Value::Null);
    }
}

//! What the engine did in the last hour, for the lines of the overview. In memory, a fixed size. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use riftsync_basics::snapshot::Readings;

/// Between two readings.
pub(crate) const STEP: Duration = Duration::from_secs(10);
/// Readings of an hour.
pub(crate) const POINTS: usize = 360;

/// What was counted at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Reading {
    at_ms: u64,
    jobs: u64,
    failed: u64,
    calls: u64,
    store_p99_ms: Option<f64>,
    /// Of the database.
    bytes: Option<u64>,
}

/// What one line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Series {
    /// Attempts that ended, a second.
    Jobs,
    /// Attempts that failed, a minute.
    Failures,
    /// Calls that were let go, a second.
    Calls,
    /// The slowest of a hundred commits, in milliseconds.
    Commit,
    /// Of the database, in MiB.
    Size,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    readings: VecDeque<Reading>,
}

impl History {
    /// `at_ms`: of a clock that only goes on.
    pub(crate) fn add(&mut self, at_ms: u64, metrics: &Readings) {
        let last = self.readings.back().map(|reading| reading.at_ms);
        let step = u64::try_from(STEP.as_millis()).unwrap_or(u64::MAX);
        // A little early is as good: otherwise a step of twice its length would follow.
        if last.is_some_and(|last| at_ms < last + step - step / 10) {
            return;
        }
        let of = |kind: &'static str| {
            metrics
                .totals
                .iter()
                .filter(move |total| total.kind == kind)
        };
        let store = of("store").next();
        let bytes = store.map(|store| store.database_bytes);
        self.readings.push_back(Reading {
            at_ms,
            jobs: of("queue")
                .map(|queue| queue.processed + queue.failed)
                .sum(),
            failed: of("queue").map(|queue| queue.failed).sum(),
            calls: of("limiter").map(|limiter| limiter.granted).sum(),
            store_p99_ms: store.and_then(|store| store.ms.p99),
            bytes: bytes.filter(|bytes| *bytes > 0),
        });
        // One more than points: each is what happened between two.
        while self.readings.len() > POINTS + 1 {
            self.readings.pop_front();
        }
    }

    /// The newest last; none where the engine was not looked at, or began anew.
    pub(crate) fn points(&self, series: Series) -> Vec<Option<f64>> {
        let pairs = self.readings.iter().zip(self.readings.iter().skip(1));
        pairs
            .map(|(before, after)| point(series, before, after))
            .collect()
    }
}

fn point(series: Series, before: &Reading, after: &Reading) -> Option<f64> {
    let took_s = after.at_ms.checked_sub(before.at_ms)? as f64 / 1_000.0;
    if took_s > STEP.as_secs_f64() * 2.5 {
        return None;
    }
    let rate = |before: u64, after: u64| Some(after.checked_sub(before)? as f64 / took_s);
    match series {
        Series::Jobs => rate(before.jobs, after.jobs),
        Series::Failures => rate(before.failed, after.failed).map(|rate| rate * 60.0),
        Series::Calls => rate(before.calls, after.calls),
        Series::Commit => after.store_p99_ms,
        Series::Size => after.bytes.map(|bytes| bytes as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use riftsync_basics::snapshot::Total;

    use super::*;

    fn readings(processed: u64, failed: u64) -> Readings {
        let queue = Total {
            kind: "queue".to_owned(),
            processed,
            failed,
            ..Total::default()
        };
        Readings {
            totals: vec![queue],
            ..Readings::default()
        }
    }

    #[test]
    fn a_line_is_what_happened_between_two_looks_and_nothing_where_none_was_taken() {
        let mut history = History::default();
        history.add(0, &readings(0, 0));
        history.add(5_000, &readings(3, 0)); // too early: not kept
        history.add(10_000, &readings(20, 1));
        history.add(60_000, &readings(40, 1)); // nobody looked
        history.add(70_000, &readings(5, 0)); // it began anew
        history.add(80_000, &readings(15, 0));
        assert_eq!(
            history.points(Series::Jobs),
            [Some(2.1), None, None, Some(1.0)]
        );
        assert_eq!(
            history.points(Series::Failures),
            [Some(6.0), None, None, Some(0.0)]
        );
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut history = History::default();
        for step in 0..1_000 {
            history.add(step * 10_000, &readings(step * 7, 0));
        }
        let points = history.points(Series::Jobs);
        assert_eq!(points.len(), POINTS);
        assert!(points.iter().all(|point| *point == Some(0.7)));
    }
}

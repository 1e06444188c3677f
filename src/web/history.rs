//! What the engine did in the last hour, for the lines of the overview. In memory, a fixed size. Pure.
//!
//! What was before the first look comes from the metrics log, so that a restart takes nothing away.

use std::collections::VecDeque;
use std::time::Duration;

use riftsync_basics::Timestamp;
use riftsync_basics::snapshot::{self, Readings};
use serde::Deserialize;

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

/// What one engine did in a time, as `engine.history` has it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct Interval {
    #[serde(deserialize_with = "snapshot::time")]
    from: Option<Timestamp>,
    #[serde(deserialize_with = "snapshot::time")]
    to: Option<Timestamp>,
    jobs: u64,
    failed: u64,
    calls: u64,
    commit_p99_ms: Option<f64>,
    database_bytes: Option<u64>,
}

/// What a step of the time before came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Step {
    /// Seconds of it of which something is known.
    known_s: f64,
    jobs: f64,
    failed: f64,
    calls: f64,
    store_p99_ms: Option<f64>,
    bytes: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    /// Steps before the first reading, the oldest first.
    before: Vec<Step>,
    readings: VecDeque<Reading>,
}

impl History {
    /// Fills the hour before now, from the first step of which something is known.
    pub(crate) fn fill(&mut self, intervals: &[Interval], now: Timestamp) {
        let step_ms = i64::try_from(STEP.as_millis()).unwrap_or(i64::MAX);
        let steps = (1..=POINTS as i64).rev();
        let steps = steps.map(|back| {
            let from = now.as_millis() - back * step_ms;
            step_of(intervals, (from, from + step_ms))
        });
        self.before = steps.skip_while(|step| step.known_s == 0.0).collect();
    }

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
        let read = pairs.map(|(before, after)| point(series, before, after));
        let before = self.before.iter().map(|step| step.point(series));
        let surplus =
            (self.before.len() + self.readings.len().saturating_sub(1)).saturating_sub(POINTS);
        before.chain(read).skip(surplus).collect()
    }
}

/// What intervals say of a time: each for the part of it that lies in there.
fn step_of(intervals: &[Interval], (from, to): (i64, i64)) -> Step {
    let mut step = Step::default();
    for one in intervals {
        let (Some(began), Some(ended)) = (one.from, one.to) else {
            continue;
        };
        let (began, ended) = (began.as_millis(), ended.as_millis());
        let shared = ended.min(to) - began.max(from);
        if shared <= 0 {
            continue;
        }
        let part = shared as f64 / (ended - began) as f64;
        step.known_s += shared as f64 / 1_000.0;
        step.jobs += one.jobs as f64 * part;
        step.failed += one.failed as f64 * part;
        step.calls += one.calls as f64 * part;
        step.store_p99_ms = match (step.store_p99_ms, one.commit_p99_ms) {
            (Some(known), Some(p99)) => Some(known.max(p99)),
            (known, p99) => known.or(p99),
        };
        step.bytes = one.database_bytes.or(step.bytes);
    }
    step
}

impl Step {
    fn point(&self, series: Series) -> Option<f64> {
        if self.known_s == 0.0 {
            return None;
        }
        match series {
            Series::Jobs => Some(self.jobs / self.known_s),
            Series::Failures => Some(self.failed * 60.0 / self.known_s),
            Series::Calls => Some(self.calls / self.known_s),
            Series::Commit => self.store_p99_ms,
            Series::Size => self.bytes.map(mebibytes),
        }
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
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
        Series::Size => after.bytes.map(mebibytes),
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
    #[test]
    fn the_hour_before_the_first_look_comes_from_the_log_and_is_pushed_out_by_what_is_seen() {
        let interval = |from_s: i64, to_s: i64, jobs: u64, bytes: Option<u64>| Interval {
            from: Some(Timestamp::from_millis(from_s * 1_000)),
            to: Some(Timestamp::from_millis(to_s * 1_000)),
            jobs,
            failed: jobs / 5,
            calls: 2 * jobs,
            commit_p99_ms: bytes.map(|_| 3.0),
            database_bytes: bytes,
        };
        let now_s = 100_000;
        let log = [
            // It began before the hour did.
            interval(now_s - 3_605, now_s - 3_595, 10, None),
            // Two steps and a half, of which the last is shared with another.
            interval(now_s - 60, now_s - 35, 25, Some(1 << 20)),
            interval(now_s - 35, now_s - 30, 15, Some(2 << 20)),
        ];
        let mut history = History::default();
        history.fill(&log, Timestamp::from_millis(now_s * 1_000));
        let points = history.points(Series::Jobs);
        assert_eq!(points.len(), POINTS);
        assert_eq!((points[0], points[1]), (Some(1.0), None));
        assert_eq!(
            points[POINTS - 6..],
            [Some(1.0), Some(1.0), Some(2.0), None, None, None]
        );
        assert_eq!(history.points(Series::Failures)[POINTS - 4], Some(24.0));
        assert_eq!(history.points(Series::Calls)[POINTS - 4], Some(4.0));
        assert_eq!(history.points(Series::Size)[POINTS - 4], Some(2.0));
        assert_eq!(history.points(Series::Commit)[0], None);
        for step in 0..=2 {
            history.add(step * 10_000, &readings(step * 70, 0));
        }
        let points = history.points(Series::Jobs);
        assert_eq!(points.len(), POINTS);
        assert_eq!(points[POINTS - 2..], [Some(7.0); 2]);
        assert_eq!(points[POINTS - 6], Some(2.0));
        // Of a log that begins late, what was before is left out.
        history = History::default();
        history.fill(&log[1..], Timestamp::from_millis(now_s * 1_000));
        assert_eq!(history.points(Series::Jobs).len(), 6);
        history.fill(&[], Timestamp::from_millis(now_s * 1_000));
        assert_eq!(history.points(Series::Jobs), []);
    }
}

//! Watching a player's sync: bars while it runs, a summary when it is done.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::bars;
use crate::metrics::Metrics;
use crate::model::rollup::FailedChild;
use crate::model::{JobRecord, Route};
use crate::tasks::{PlayerReport, TimelineSync, unread_text};

/// Below that, the time left is not told.
const WORTH_TELLING: Duration = Duration::from_secs(5);
/// Failed documents that the summary names.
const FAILURES_SHOWN: usize = 5;

/// What an engine tells of a sync.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    pub step: String,
    /// None: it is not told now, and stays what it was.
    pub report: Option<PlayerReport>,
    pub calls: u64,
    pub left: Option<Duration>,
    /// What went wrong, with what a person can do.
    pub trouble: Option<String>,
}

/// The bars of one sync.
#[derive(Debug)]
pub struct Follow {
    player: ProgressBar,
    matches: ProgressBar,
    timelines: ProgressBar,
    started: Instant,
    errors_told: usize,
    trouble: Option<String>,
}

impl Follow {
    pub fn new(title: &str) -> Self {
        let style = |template: &str| {
            ProgressStyle::with_template(template)
                .expect("a fixed template")
                .progress_chars("=> ")
        };
        let player =
            bars().add(ProgressBar::new_spinner().with_style(style("{spinner} {prefix}  {msg}")));
        player.set_prefix(title.to_owned());
        let counted = style("  {prefix:10} [{bar:40}] {pos}/{len}");
        let bar = |name: &'static str| {
            bars().add(
                ProgressBar::new(0)
                    .with_style(counted.clone())
                    .with_prefix(name),
            )
        };
        Self {
            player,
            matches: bar("matches"),
            timelines: bar("timelines"),
            started: Instant::now(),
            errors_told: 0,
            trouble: None,
        }
    }

    /// Shows the job as it stands, and how long it will take if that is known.
    pub fn show(&mut self, job: &JobRecord, metrics: &Metrics, left: Option<Duration>) {
        let report = PlayerReport::of(job);
        let step = job.step.as_deref().unwrap_or("waiting").replace('_', " ");
        let calls = metrics.calls.load(Ordering::Relaxed);
        self.message(&step, calls, left);
        self.show_report(&report);
        // The job's own failed attempts, each once, with the remedy the log line leaves out.
        for error in job.errors.iter().skip(self.errors_told) {
            if let Some(remedy) = &error.failure.remedy
                && !job.state.is_final()
            {
                bars().suspend(|| eprintln!("{}; {remedy}", error.failure.message));
            }
        }
        self.errors_told = job.errors.len();
    }

    /// Shows what an engine told.
    pub fn show_progress(&mut self, progress: &Progress) {
        let step = progress.step.replace('_', " ");
        self.message(&step, progress.calls, progress.left);
        if let Some(report) = &progress.report {
            self.show_report(report);
        }
        if progress.trouble.is_some() && progress.trouble != self.trouble {
            let told = progress.trouble.clone().unwrap_or_default();
            bars().suspend(|| eprintln!("{told}"));
        }
        self.trouble.clone_from(&progress.trouble);
    }

    fn message(&self, step: &str, calls: u64, left: Option<Duration>) {
        // A guess of seconds helps nobody.
        let left = left
            .filter(|left| *left >= WORTH_TELLING)
            .map(|left| format!(", about {} left", rounded(left)))
            .unwrap_or_default();
        self.player.set_message(format!(
            "{step}, {calls} calls, {:.0?}{left}",
            Duration::from_secs(self.started.elapsed().as_secs())
        ));
        self.player.tick();
    }

    fn show_report(&self, report: &PlayerReport) {
        self.matches.set_length(report.total_matches);
        self.matches.set_position(report.matches_done());
        let is_timeline = |one: &&FailedChild| one.kind == TimelineSync::KIND;
        let unread = report.unread_now.iter().filter(is_timeline).count() as u64;
        let timelines =
            report.existing_timelines + report.missing_timelines + report.unread_timelines;
        self.timelines
            .set_length(u64::from(report.total_timelines) + timelines - unread);
        let done = u64::from(report.processed_timelines) + report.failed_timelines.len() as u64;
        self.timelines.set_position(done + timelines);
    }

    pub fn clear(self) -> Duration {
        for bar in [&self.player, &self.matches, &self.timelines] {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }
}

/// A time as people say it.
pub fn rounded(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match time.as_secs() {
        seconds @ 0..90 => format!("{seconds} s"),
        90..7_200 => format!("{minutes} min"),
        _ => format!("{:.1} h", time.as_secs_f64() / 3_600.0),
    }
}

/// What there is to fetch, in a few lines.
pub fn plan_text(report: &PlayerReport, route: Route, left: Option<Duration>) -> String {
    let calls = report.match_calls + report.timeline_calls;
    let took = match left {
        _ if calls == 0 => "nothing to wait for".to_owned(),
        Some(left) => format!("about {} at the present limits", rounded(left)),
        None => "how long that takes is not known: no limit of the route has been seen".to_owned(),
    };
    format!(
        "{} matches in the year: {} to fetch, {} there already, {} unavailable\n\
         {} timelines to fetch, {} there already, {} unavailable\n\
         {} calls to {route}, {took}",
        report.total_matches,
        report.match_calls,
        report.existing_matches,
        report.missing_matches,
        report.timeline_calls,
        report.existing_timelines,
        report.missing_timelines,
        calls,
    )
}

/// What was done, in a few lines.
pub fn summary(job: &JobRecord, took: Duration, metrics: &Metrics) -> String {
    let calls = metrics.calls.load(Ordering::Relaxed);
    summary_of(&PlayerReport::of(job), took, calls)
}

/// The same of a job that an engine ran.
pub fn summary_of(report: &PlayerReport, took: Duration, calls: u64) -> String {
    let fetched = report.processed_matches + report.processed_timelines;
    let rate = f64::from(fetched) / took.as_secs_f64().max(0.001);
    let mut text = format!(
        "{} matches in the year: {} fetched, {} there already, {} unavailable\n\
         {} timelines fetched, {} there already, {} unavailable\n\
         {} calls in {:.1} s, {rate:.0} matches+timelines a second",
        report.total_matches,
        report.processed_matches,
        report.existing_matches,
        report.missing_matches + report.failed_matches.len() as u64,
        report.processed_timelines,
        report.existing_timelines,
        report.missing_timelines + report.failed_timelines.len() as u64,
        calls,
        took.as_secs_f64(),
    );
    for (what, failed) in [
        ("match", &report.failed_matches),
        ("timeline", &report.failed_timelines),
    ] {
        for child in failed.iter().take(FAILURES_SHOWN) {
            text.push_str(&["\n  ", what, " ", &child.key, ": ", &child.reason].concat());
        }
        if let Some(more) = failed.len().checked_sub(FAILURES_SHOWN + 1) {
            let more = (more + 1).to_string();
            text.push_str(&["\n  ... and ", &more, " more; --json lists them all"].concat());
        }
    }
    let kept = unread_text([report.unread_matches, report.unread_timelines]);
    if let Some(kept) = kept {
        text.push_str(&["\n", &kept].concat());
        for one in report.unread_now.iter().take(FAILURES_SHOWN) {
            text.push_str(&["\n  ", &one.key, ": ", &one.reason].concat());
        }
    }
    text
}

/// What a person should know of the player's name, from the result of a job.
pub fn tell_notes(result: &serde_json::Value) {
    let notes = result["notes"].as_array().map_or(&[][..], Vec::as_slice);
    for note in notes.iter().filter_map(serde_json::Value::as_str) {
        eprintln!("{note}");
    }
}

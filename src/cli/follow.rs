//! Watching a player's sync: bars while it runs, a summary when it is done.

pub use crate::basics::words::shell_quoted;
use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use super::terminal::bars;
use super::view::{Meter, rounded};
use super::waits::{Bars, Wait, reasons};
use crate::model::counted;
use crate::model::missing::MissingCounts;
use crate::model::{MissingReason, Route, Year};
use crate::tasks::{Parts, PlayerReport, coverage, unread_text};

/// Failed documents that the summary names.
const FAILURES_SHOWN: usize = 5;

/// The bars of one sync, and what it waits for.
#[derive(Debug)]
pub struct Follow {
    bars: Bars,
    wait: Wait,
    meters: Vec<Meter>,
    trouble: Option<String>,
}

impl Follow {
    pub fn new(title: &str) -> Self {
        Self {
            bars: Bars::new(title),
            wait: reasons(),
            meters: Vec::new(),
            trouble: None,
        }
    }

    pub fn clear(self) -> Duration {
        self.bars.clear()
    }
}

/// What shows a job that is followed.
pub trait Shown {
    /// The job as it stands, and the calls that the engine made since it is followed. `alone`: it makes them for nobody
    /// else.
    fn job(&mut self, job: &Value, calls: u64, alone: bool);
    /// What its descendants came to so far, if that is told.
    fn so_far(&mut self, job: &Value, rollup: &Value);
    /// Where it is drawn.
    fn bars(&mut self) -> &mut Bars;
    /// What it waits for.
    fn wait(&self) -> &Wait;
}

impl Shown for Follow {
    fn job(&mut self, job: &Value, calls: u64, alone: bool) {
        let [state, kind] = ["state", "kind"].map(|name| job[name].as_str().unwrap_or_default());
        let step = job["step"].as_str().unwrap_or("waiting").replace('_', " ");
        if has_report(kind) && job["result"].is_object() {
            self.meters = meters(&report_of(job));
        }
        // While the job itself makes calls, each of them is progress; those of its children count when they are done.
        let own_calls = (alone && state == "running").then_some(calls);
        self.bars
            .set((state, own_calls, &step, &self.meters), |scene| {
                scene.status = vec![step.clone(), counted(calls, "call", "calls")];
                scene.meters.clone_from(&self.meters);
            });
        let error = &job["error"];
        let trouble = match (&error["message"], &error["remedy"]) {
            (Value::String(message), Value::String(remedy)) => Some(format!("{message}; {remedy}")),
            _ => None,
        };
        if let Some(told) = trouble.as_ref().filter(|_| trouble != self.trouble) {
            bars().suspend(|| crate::errln!("{told}"));
        }
        self.trouble = trouble;
    }

    fn so_far(&mut self, _: &Value, _: &Value) {}

    fn bars(&mut self) -> &mut Bars {
        &mut self.bars
    }

    fn wait(&self) -> &Wait {
        &self.wait
    }
}

/// What a job came to, or has come to so far.
pub fn report_of(job: &Value) -> PlayerReport {
    // An answer of a newer engine may have more; one of an older less.
    serde_json::from_value(job["result"].clone()).unwrap_or_default()
}

/// Whether a job of this kind counts a player's matches and timelines.
fn has_report(kind: &str) -> bool {
    [crate::tasks::PlayerSync::KIND, crate::tasks::Recover::KIND].contains(&kind)
}

/// Matches and timelines with the whole work, as far as it is known.
fn meters(report: &PlayerReport) -> Vec<Meter> {
    let [matches, timelines] = report.whole();
    vec![
        Meter {
            name: "matches",
            done: report.matches_done(),
            whole: matches,
        },
        Meter {
            name: "timelines",
            done: report.timelines_done(),
            whole: timelines,
        },
    ]
}

fn matches(count: u64) -> String {
    counted(count, "match", "matches")
}

fn timelines(count: u64) -> String {
    counted(count, "timeline", "timelines")
}

/// What there is to fetch, in a few lines.
pub fn plan_text(report: &PlayerReport, route: Route, left: Option<Duration>) -> String {
    let calls = report.match_calls + report.timeline_calls;
    let took = match left {
        _ if calls == 0 => "nothing to wait for".to_owned(),
        Some(left) => format!("about {} at the present limits", rounded(left)),
        None => "how long that takes is not known: no limit of the route has been seen".to_owned(),
    };
    let mut text = format!(
        "{} in the year: {} to fetch, {} there already{}\n\
         {} to fetch, {} there already{}\n\
         {} to {route}, {took}",
        matches(report.total_matches),
        report.match_calls,
        report.existing_matches,
        left_out(&report.missing_matches_by_reason),
        timelines(report.timeline_calls),
        report.existing_timelines,
        left_out(&report.missing_timelines_by_reason),
        counted(calls, "call", "calls"),
    );
    let ends_at = report.list_ends_at.as_deref();
    if let Some(end) = list_end(ends_at, report.listed_from.as_deref(), "the year") {
        text += "\n";
        text += &end;
    }
    text
}

/// How far back Riot lists the player's matches, from where its list ends, and the day of that match if it is known;
/// none: to the year's beginning.
pub fn list_end(ends_at: Option<&str>, listed_from: Option<&str>, year: &str) -> Option<String> {
    let back = listed_from.map_or(ends_at?, |at| at.get(..10).unwrap_or(at));
    let back = Some(back).filter(|back| !back.is_empty());
    Some(coverage::list_end_text(back, year))
}

/// What is not asked for this time, and why.
fn left_out(missing: &MissingCounts) -> String {
    match missing.total() {
        0 => String::new(),
        count => format!(", {count} not asked for ({})", reasons_text(missing)),
    }
}

/// `404: 3, too old: 2`.
fn reasons_text(missing: &MissingCounts) -> String {
    let reasons = missing.iter().map(|(reason, count)| {
        let word = match reason {
            MissingReason::NotFound => "404",
            MissingReason::Refused => "403",
            MissingReason::TooOld => "too old",
            MissingReason::NotYet => "not served yet",
            MissingReason::Outage => "outage",
            MissingReason::Unusable => "unusable answers",
        };
        format!("{word}: {count}")
    });
    reasons.collect::<Vec<_>>().join(", ")
}

/// When matches are asked for again that are not given for the moment. None: there are none.
fn later_text(missing: &MissingCounts) -> Option<String> {
    let (young, outage) = (
        missing.of(MissingReason::NotYet),
        missing.of(MissingReason::Outage),
    );
    let is = |count| if count == 1 { "is" } else { "are" };
    let mut lines = Vec::new();
    if young > 0 {
        lines.push(format!(
            "{} {} not served yet: a running engine (`riftsync serve`) asks again within a quarter of an hour, else the next \
             sync does; `--wait` waits for it",
            matches(young),
            is(young)
        ));
    }
    if outage > 0 {
        lines.push(format!(
            "{} {} not given because the route answers 404 for what it served before: the engine, or the next sync, asks \
             again in an hour",
            matches(outage),
            is(outage)
        ));
    }
    let unusable = missing.of(MissingReason::Unusable);
    if unusable > 0 {
        lines.push(format!(
            "{} {} answered with something that is no match; it is asked for again in an hour, then more and more rarely. \
             `riftsync job list --state discarded` shows what it was",
            matches(unusable),
            is(unusable)
        ));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The parts of a whole, which they add up to.
fn parts_text(parts: &Parts) -> String {
    let mut text = format!("{} fetched, {} there already", parts.fetched, parts.there);
    for (count, what) in [
        (parts.cleaned, "cleaned away"),
        (parts.unread, "stored and not yet read"),
        (parts.other_years, "of another year"),
        (parts.failed, "not fetched"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    let missing = &parts.missing;
    let later: u64 = missing
        .iter()
        .filter(|(reason, _)| !reason.is_knowledge())
        .map(|(_, count)| count)
        .sum();
    let complete = parts.failed == 0 && parts.unread == 0 && later == 0;
    let reasons = reasons_text(missing);
    let _ = match (missing.total(), complete) {
        (0, true) => write!(text, "; complete"),
        (0, false) => Ok(()),
        (count, true) => write!(
            text,
            "; complete but for {count} that Riot does not give ({reasons})"
        ),
        (count, false) => write!(text, ", {count} that Riot does not give now ({reasons})"),
    };
    text
}

/// What was done, in a few lines. `calls` were made for it.
pub fn summary_of(report: &PlayerReport, year: Year, took: Duration, calls: u64) -> String {
    // What an earlier process fetched for the same job is no speed of this one.
    let fetched = u64::from(report.processed_matches + report.processed_timelines).min(calls);
    let rate = fetched as f64 / took.as_secs_f64().max(0.001);
    let made = counted(calls, "call", "calls");
    let seconds = took.as_secs_f64();
    if report.total_matches == 0 {
        return format!("no matches in {year}\n{made} in {seconds:.1} s");
    }
    let (of_matches, of_timelines) = (report.match_parts(), report.timeline_parts());
    let mut text = format!(
        "{} for {year}: {}\n{}: {}\n{made} in {seconds:.1} s, {rate:.0} matches and timelines a second",
        matches(of_matches.whole),
        parts_text(&of_matches),
        timelines(of_timelines.whole),
        parts_text(&of_timelines),
    );
    if let Some(later) = later_text(&report.missing_matches_by_reason) {
        text.push_str(&["\n", &later].concat());
    }
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
        crate::errln!("{note}");
    }
}

/// What became of the stored matches of a year, from what is told of the player's year: none says nothing.
pub fn games_text(stored: u64, told: &Value) -> Option<String> {
    let years = told["years"].as_array().map_or(&[][..], Vec::as_slice);
    let sum = |name: &str| -> u64 { years.iter().filter_map(|year| year[name].as_u64()).sum() };
    let (played, remakes) = (sum("total_matches"), sum("remakes"));
    // An older engine does not say.
    let aborted = told["aborted_matches"].as_u64()?;
    // More of them are known from other players' matches than Riot listed: then they are no parts of that list.
    let others = stored.checked_sub(played + remakes + aborted)?;
    if stored == played {
        return None;
    }
    let mut text = format!("of the {stored} stored: {played} played");
    for (count, one, many) in [
        (remakes, "remake", "remakes"),
        (aborted, "aborted", "aborted"),
        (
            others,
            "without this player or of another year",
            "without this player or of another year",
        ),
    ] {
        if count > 0 {
            text.push_str(", ");
            text.push_str(&counted(count, one, many));
        }
    }
    Some(text)
}

/// The player's name as the job found it, or as it was asked for.
pub fn called(
    document: &serde_json::Value,
    order: &crate::tasks::PlayerSyncArgs,
) -> Option<String> {
    let found = document["result"]["riot_id"].as_str().map(str::to_owned);
    found.or_else(|| order.riot_id.as_ref().map(ToString::to_string))
}

/// What can be done after a first sync. What is typed works as it stands in a shell.
pub fn next_text(player: &str, simulated: bool, database: Option<&str>) -> String {
    let name = shell_quoted(player);
    let more = same_place(simulated, database);
    let track = if simulated {
        String::new()
    } else {
        format!(
            "`riftsync track {name}{more}` and `riftsync serve{more}` keep it up to date (what is not copied in time is \
             deleted by Riot), "
        )
    };
    format!(
        "next: {track}`riftsync stats {name}{more}` shows it, `riftsync export --what matches{more}` writes it to a file"
    )
}

/// The words that make another command mean the same database.
pub fn same_place(simulated: bool, database: Option<&str>) -> String {
    let mut words = String::new();
    if simulated {
        words.push_str(" --simulate");
    }
    if let Some(database) = database {
        words.push_str(" --database ");
        words.push_str(&shell_quoted(database));
    }
    words
}

/// A database that can be typed: one whose password is not shown cannot.
pub fn typed(database: Option<&str>) -> Option<&str> {
    database.filter(|shown| !shown.contains("***"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::model::rollup::FailedChild;

    fn missing(counts: &[(MissingReason, u64)]) -> MissingCounts {
        let mut missing = MissingCounts::default();
        for (reason, count) in counts {
            missing.add(*reason, *count);
        }
        missing
    }

    fn text(report: &PlayerReport) -> String {
        let year = Year::parse("2025", Timestamp::now()).unwrap();
        let text = summary_of(report, year, Duration::from_secs(2), 1);
        text.lines().take(2).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_parts_of_a_summary_add_up_and_say_what_riot_does_not_give() {
        let by_reason = missing(&[(MissingReason::NotFound, 2), (MissingReason::TooOld, 1)]);
        let mut report = PlayerReport {
            total_matches: 20,
            existing_matches: 10,
            processed_matches: 6,
            cleaned_matches: 1,
            missing_matches: by_reason.total(),
            missing_matches_by_reason: by_reason,
            processed_timelines: 1,
            ..PlayerReport::default()
        };
        assert_eq!(
            text(&report),
            "20 matches for 2025: 6 fetched, 10 there already, 1 cleaned away; complete but for 3 that Riot does not give \
             (404: 2, too old: 1)\n1 timeline: 1 fetched, 0 there already; complete"
        );
        report.total_matches = 22;
        report.failed_matches = vec![FailedChild {
            kind: "m".to_owned(),
            key: "EUW1_1".to_owned(),
            reason: "x".to_owned(),
            error: String::new(),
        }];
        let told = text(&report);
        assert!(
            told.contains("1 cleaned away, 2 not fetched, 3 that Riot"),
            "{told}"
        );
        let parts = report.match_parts();
        let sum =
            parts.fetched + parts.there + parts.missing.total() + parts.cleaned + parts.failed;
        assert_eq!(sum, parts.whole);
    }

    #[test]
    fn two_syncs_in_a_row_count_the_same_list_also_where_a_match_of_it_is_of_another_year() {
        let first = PlayerReport {
            total_matches: 31,
            processed_matches: 31,
            ..PlayerReport::default()
        };
        assert!(text(&first).starts_with("31 matches for 2025: 31 fetched, 0 there"));
        // Of which year it is stands in the match.
        let second = PlayerReport {
            total_matches: 30,
            existing_matches: 30,
            other_years: 1,
            ..PlayerReport::default()
        };
        let told = text(&second);
        let begin = "31 matches for 2025: 0 fetched, 30 there already, 1 of another year; complete";
        assert!(told.starts_with(begin), "{told}");
    }

    #[test]
    fn a_match_that_is_not_served_yet_does_not_complete_a_year() {
        let by_reason = missing(&[(MissingReason::NotYet, 1), (MissingReason::Refused, 1)]);
        let report = PlayerReport {
            total_matches: 2,
            missing_matches: 2,
            missing_matches_by_reason: by_reason,
            ..PlayerReport::default()
        };
        let told = text(&report);
        assert!(
            told.contains("2 that Riot does not give now (403: 1, not served yet: 1)"),
            "{told}"
        );
        assert!(!told.lines().next().unwrap().contains("complete"), "{told}");
        let later = later_text(&report.missing_matches_by_reason).unwrap();
        assert!(later.starts_with("1 match is not served yet"), "{later}");
        assert!(later.contains("`--wait`"), "{later}");
        assert_eq!(later_text(&missing(&[(MissingReason::NotFound, 2)])), None);
    }

    #[test]
    fn what_was_fetched_before_a_sync_was_killed_is_no_speed_of_the_one_that_goes_on() {
        let report = PlayerReport {
            total_matches: 500,
            processed_matches: 500,
            ..PlayerReport::default()
        };
        let year = Year::parse("2025", Timestamp::now()).unwrap();
        let told = summary_of(&report, year, Duration::from_secs(2), 10);
        assert!(told.contains("10 calls in 2.0 s, 5 matches"), "{told}");
    }

    #[test]
    fn a_year_without_matches_is_named_and_one_is_not_many() {
        assert_eq!(
            text(&PlayerReport::default()),
            "no matches in 2025\n1 call in 2.0 s"
        );
        let report = PlayerReport {
            total_matches: 1,
            processed_matches: 1,
            ..PlayerReport::default()
        };
        assert!(text(&report).starts_with("1 match for 2025: 1 fetched"));
    }

    #[test]
    fn what_comes_next_can_be_typed_as_it_stands() {
        let next = |name: &str, simulated| next_text(name, simulated, Some("/a b/t.db"));
        let told = next("Hide on bush#KR1", false);
        assert!(
            told.contains("`riftsync track \"Hide on bush#KR1\" --database \"/a b/t.db\"`"),
            "{told}"
        );
        assert!(told.contains("deleted by Riot"), "{told}");
        let told = next("이름#KR1", true);
        assert!(
            told.contains("`riftsync stats \"이름#KR1\" --simulate "),
            "{told}"
        );
        assert!(!told.contains("track"), "{told}");
        assert_eq!(shell_quoted("a'b$c"), r"'a'\''b$c'");
    }
}

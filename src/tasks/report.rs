//! What people and programs see of a job: its progress and its result, from its row alone. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{MatchSync, PlayerSync, Recover, TimelineSync};
use crate::model::missing::MissingCounts;
use crate::model::records::PayloadKind;
use crate::model::rollup::FailedChild;
use crate::model::suspicion::LONE_DEATHS_MAX;
use crate::model::{JobRecord, JobState, MissingReason};
use crate::store::GivenUp;

/// A player job's counts, while it runs and when it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlayerReport {
    pub total_matches: u64,
    pub existing_matches: u64,
    pub processed_matches: u32,
    pub failed_matches: Vec<FailedChild>,
    /// Also those that the lists leave out: jobs for matches and timelines that were discarded or cancelled.
    pub lost: [u64; 2],
    /// What Riot did not give, before this job or in it.
    pub missing_matches: u64,
    pub missing_matches_by_reason: MissingCounts,
    /// Timelines to fetch in this job, as far as known.
    pub total_timelines: u32,
    pub existing_timelines: u64,
    pub processed_timelines: u32,
    pub failed_timelines: Vec<FailedChild>,
    pub missing_timelines: u64,
    pub missing_timelines_by_reason: MissingCounts,
    /// Cleaned away on purpose.
    pub cleaned_matches: u64,
    /// Listed beside the year, and stored as another's.
    pub other_years: u64,
    /// Stored, before this job or in it, and not made into rows.
    pub unread_matches: u64,
    pub unread_timelines: u64,
    /// Those of this job, with the reasons.
    pub unread_now: Vec<FailedChild>,
    /// Calls that were needed when the list was compared with what is there.
    pub match_calls: u64,
    pub timeline_calls: u64,
    /// Matches and timelines that this job asked for and Riot did not give.
    pub missing_now: [u64; 2],
    /// Of the failed ones, those that this job did not ask for, as they ended engines before.
    pub given_up: [u64; 2],
    /// The oldest match of the list, where that ends before the year begins (empty: it has none of the year), and when
    /// it was played if it is stored.
    pub list_ends_at: Option<String>,
    pub listed_from: Option<String>,
    /// The list was compared with what is there: the numbers above are of the whole year.
    pub planned: bool,
}

/// The parts of a whole: they add up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    pub whole: u64,
    pub fetched: u64,
    pub there: u64,
    pub missing: MissingCounts,
    /// Cleaned away on purpose.
    pub cleaned: u64,
    /// Stored, and not made into rows.
    pub unread: u64,
    /// Listed, and known to be of another year.
    pub other_years: u64,
    /// Failed or cancelled.
    pub failed: u64,
}

/// What of a kind's documents is not there.
struct NotThere {
    failed: Vec<FailedChild>,
    missing: MissingCounts,
    now: u64,
    given_up: u64,
}

/// What was not asked for, as what fails.
fn failed(given_up: &GivenUp) -> FailedChild {
    let kind = match given_up.kind {
        PayloadKind::Match => MatchSync::KIND,
        PayloadKind::Timeline => TimelineSync::KIND,
    };
    let job = given_up.job.0;
    FailedChild {
        kind: kind.to_owned(),
        key: given_up.id.to_string(),
        reason: format!(
            "not fetched again: the engine died by itself {LONE_DEATHS_MAX} times while job {job} fetched it alone; \
             when the cause is found: riftsync job retry {job}"
        ),
        error: "poison_pill".to_owned(),
    }
}

fn failures(job: &JobRecord, kind: &str, own: &Value) -> NotThere {
    let name = if kind == MatchSync::KIND {
        "missing_matches_by_reason"
    } else {
        "missing_timelines_by_reason"
    };
    let own = |name| own.get(name).cloned().unwrap_or_default();
    let given_up: Vec<GivenUp> = serde_json::from_value(own("given_up")).unwrap_or_default();
    let of_kind = given_up.iter().map(failed).filter(|one| one.kind == kind);
    let given_up: Vec<FailedChild> = of_kind.collect();
    let mut not_there = NotThere {
        given_up: given_up.len() as u64,
        failed: given_up,
        // A job of an older version has none.
        missing: serde_json::from_value(own(name)).unwrap_or_default(),
        now: 0,
    };
    for failure in job
        .rollup
        .failures
        .iter()
        .filter(|failure| failure.kind == kind)
    {
        match MissingReason::of_failure(&failure.error) {
            Some(reason) => {
                not_there.missing.add(reason, 1);
                not_there.now += 1;
            }
            None => not_there.failed.push(failure.clone()),
        }
    }
    not_there
}

impl PlayerReport {
    pub fn of(job: &JobRecord) -> Self {
        let own = job.result.as_ref().unwrap_or(&job.progress);
        let number = |name: &str| own.get(name).and_then(Value::as_u64).unwrap_or(0);
        let text = |name: &str| own.get(name).and_then(Value::as_str).map(str::to_owned);
        let [failed_matches, failed_timelines] =
            [MatchSync::KIND, TimelineSync::KIND].map(|kind| failures(job, kind, own));
        let timelines = job.rollup.of(TimelineSync::KIND);
        let matches = job.rollup.of(MatchSync::KIND);
        Self {
            lost: [
                u64::from(matches.lost) + failed_matches.given_up,
                u64::from(timelines.lost) + failed_timelines.given_up,
            ],
            given_up: [failed_matches.given_up, failed_timelines.given_up],
            total_matches: number("total_matches"),
            existing_matches: number("existing_matches"),
            processed_matches: matches.completed.saturating_sub(matches.remarked),
            failed_matches: failed_matches.failed,
            missing_matches: failed_matches.missing.total(),
            missing_matches_by_reason: failed_matches.missing,
            total_timelines: timelines.total,
            existing_timelines: number("existing_timelines"),
            processed_timelines: timelines.completed.saturating_sub(timelines.remarked),
            failed_timelines: failed_timelines.failed,
            missing_timelines: failed_timelines.missing.total(),
            missing_timelines_by_reason: failed_timelines.missing,
            missing_now: [failed_matches.now, failed_timelines.now],
            cleaned_matches: number("cleaned_matches"),
            other_years: number("other_years"),
            unread_matches: number("unread_matches") + u64::from(matches.remarked),
            unread_timelines: number("unread_timelines") + u64::from(timelines.remarked),
            unread_now: job.rollup.remarks.clone(),
            match_calls: number("match_calls"),
            timeline_calls: number("timeline_calls"),
            list_ends_at: text("list_ends_at"),
            listed_from: text("listed_from"),
            planned: own.get("match_calls").is_some(),
        }
    }

    /// Match and timeline calls that are still to be made.
    pub fn calls_left(&self) -> [u64; 2] {
        let failed = self.failed_now();
        let [matches, timelines] = self.missing_now;
        let unread = |kind| {
            self.unread_now
                .iter()
                .filter(|one| one.kind == kind)
                .count() as u64
        };
        let matches = matches + unread(MatchSync::KIND);
        let timelines = timelines + unread(TimelineSync::KIND);
        [
            self.match_calls
                .saturating_sub(u64::from(self.processed_matches) + failed[0] + matches),
            self.timeline_calls
                .saturating_sub(u64::from(self.processed_timelines) + failed[1] + timelines),
        ]
    }

    /// Failed matches and timelines that this job asked for.
    fn failed_now(&self) -> [u64; 2] {
        let failed = [self.failed_matches.len(), self.failed_timelines.len()];
        [0, 1].map(|at| (failed[at] as u64).saturating_sub(self.given_up[at]))
    }

    /// What was not fetched, though Riot has it as far as is known. None: nothing.
    pub fn shortfall(&self) -> Option<String> {
        let listed = [&self.failed_matches, &self.failed_timelines].map(|list| list.len() as u64);
        // An engine of an older version counts only by its lists.
        let [matches, timelines] = [0, 1].map(|at| self.lost[at].max(listed[at]));
        let counted = |count: u64, one: &str, many: &str| {
            (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
        };
        let parts = [
            counted(matches, "match", "matches"),
            counted(timelines, "timeline", "timelines"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let verb = if matches + timelines == 1 {
            "was"
        } else {
            "were"
        };
        (!parts.is_empty()).then(|| format!("{} {verb}", parts.join(" and ")))
    }

    /// Nothing of the year was there before.
    pub fn is_first(&self) -> bool {
        self.existing_matches == 0 && self.processed_matches > 0
    }

    /// Where the matches of the list are.
    pub fn match_parts(&self) -> Parts {
        let known = self.existing_matches
            + self.missing_matches
            + self.cleaned_matches
            + self.unread_matches
            + u64::from(self.processed_matches);
        Parts {
            whole: self.total_matches + self.other_years,
            fetched: u64::from(self.processed_matches),
            there: self.existing_matches,
            missing: self.missing_matches_by_reason.clone(),
            cleaned: self.cleaned_matches,
            unread: self.unread_matches,
            other_years: self.other_years,
            // More than are listed by name, when very many failed.
            failed: self.total_matches.saturating_sub(known),
        }
    }

    /// Where the timelines of these matches are, as far as they were looked for.
    pub fn timeline_parts(&self) -> Parts {
        let failed = self.failed_timelines.len() as u64;
        let known = self.existing_timelines + self.missing_timelines + self.unread_timelines;
        Parts {
            whole: known + u64::from(self.processed_timelines) + failed,
            fetched: u64::from(self.processed_timelines),
            there: self.existing_timelines,
            missing: self.missing_timelines_by_reason.clone(),
            cleaned: 0,
            unread: self.unread_timelines,
            other_years: 0,
            failed,
        }
    }

    /// Matches of the year, and timelines that they have or will have; none: the list is not there yet.
    pub fn whole(&self) -> [Option<u64>; 2] {
        if !self.planned {
            return [None, None];
        }
        let [matches_now, timelines_now] = self.missing_now;
        // The timeline of a match that did not come never comes.
        let to_fetch = self
            .timeline_calls
            .saturating_sub(self.failed_now()[0] + matches_now)
            .max(u64::from(self.total_timelines));
        let known = self.missing_timelines.saturating_sub(timelines_now);
        let unread_now = self
            .unread_now
            .iter()
            .filter(|one| one.kind == TimelineSync::KIND);
        let unread = self
            .unread_timelines
            .saturating_sub(unread_now.count() as u64);
        let timelines = self.existing_timelines + known + unread + self.given_up[1] + to_fetch;
        [Some(self.total_matches), Some(timelines)]
    }

    pub fn timelines_done(&self) -> u64 {
        self.existing_timelines
            + self.missing_timelines
            + self.unread_timelines
            + u64::from(self.processed_timelines)
            + self.failed_timelines.len() as u64
    }

    /// Matches of the list that need nothing more, so far.
    pub fn matches_done(&self) -> u64 {
        self.existing_matches
            + self.missing_matches
            + self.cleaned_matches
            + self.unread_matches
            + u64::from(self.processed_matches)
            + self.failed_matches.len() as u64
    }
}

/// 20..90 is the true share of the children; outside of it the job says itself.
fn percent(job: &JobRecord) -> u8 {
    match job.state {
        JobState::Completed => 100,
        JobState::Blocked => {
            let total: u32 = job.rollup.kinds.values().map(|count| count.total).sum();
            let done: u32 = job
                .rollup
                .kinds
                .values()
                .map(|count| count.completed + count.failed)
                .sum();
            let share = u64::from(done.min(total)) * 70 / u64::from(total.max(1));
            20 + u8::try_from(share).unwrap_or(70)
        }
        _ => job.percent,
    }
}

/// The one shape of a result or an error that a program sees.
pub fn job_document(job: &JobRecord) -> Value {
    let step = if job.state == JobState::Completed {
        Some("completed")
    } else {
        job.step.as_deref()
    };
    let mut document = json!({
        "job_id": job.id, "kind": job.kind, "state": job.state, "success": job.state == JobState::Completed,
        "attempt": job.attempt, "step": step, "percent": percent(job),
        "started_at": job.started_at.map(|at| at.to_string()), "finished_at": job.finished_at.map(|at| at.to_string()),
    });
    // While it runs again, what it does is more than what went wrong before.
    let last_error = job.errors.last().filter(|_| {
        !matches!(
            job.state,
            JobState::Completed | JobState::Running | JobState::Blocked
        )
    });
    if let Some(error) = last_error {
        document["error"] = json!({
            "kind": error.failure.kind, "message": error.failure.message,
            "retryable": error.failure.retryable, "remedy": error.failure.remedy,
        });
    } else {
        document["result"] = result(job);
    }
    document
}

fn result(job: &JobRecord) -> Value {
    let mut result = job.result.clone().unwrap_or_else(|| job.progress.clone());
    if [PlayerSync::KIND, Recover::KIND].contains(&job.kind.as_str())
        && let (Value::Object(own), Ok(Value::Object(counts))) =
            (&mut result, serde_json::to_value(PlayerReport::of(job)))
    {
        own.extend(counts);
        let report = PlayerReport::of(job);
        // With the other parts these make up the whole, also where the lists of failures are cut.
        own.insert(
            "not_fetched_matches".to_owned(),
            report.match_parts().failed.into(),
        );
        own.insert(
            "not_fetched_timelines".to_owned(),
            report.timeline_parts().failed.into(),
        );
        // Apart from what Riot does not have.
        own.insert("complete".to_owned(), report.shortfall().is_none().into());
    }
    result
}

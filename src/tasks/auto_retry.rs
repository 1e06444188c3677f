//! `auto_retry_failed`: recovers players whose last sync left documents behind, the longest ago first.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::TimelineSync;
use super::failed::bad_arguments;
use super::{MatchSync, PlayerSync, PlayerSyncArgs, Policies, RECOVERY, Recover, RecoverArgs};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::model::{
    After, JobId, JobRecord, JobState, MissingReason, NewJob, Outcome, Priority, RetryPolicy,
    RiotId,
};
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::{JobFilter, Store, StoreResult};

/// Jobs of one page, and pages that are looked at: of 100,000 finished player jobs the newest.
const PAGE: usize = 1_000;
const PAGES_MAX: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoRetryArgs {
    /// Recoveries that one run starts at most.
    #[serde(default = "fifty")]
    pub max_players: usize,
}

fn fifty() -> usize {
    50
}

/// See the module.
#[derive(Debug, Clone)]
pub struct AutoRetry {
    policies: Policies,
}

impl AutoRetry {
    pub const KIND: &str = "auto_retry_failed";

    pub fn new(policies: Policies) -> Self {
        Self { policies }
    }
}

impl Task<dyn Store> for AutoRetry {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        RECOVERY
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policies.recovery
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let args: AutoRetryArgs = serde_json::from_str(args).map_err(|error| error.to_string())?;
        Ok(NewJob {
            kind: Self::KIND,
            queue: RECOVERY,
            lane: "",
            key: Some("all".to_owned()),
            args: serde_json::to_string(&args).expect("a number is JSON"),
            priority: Priority::DEFAULT,
            max_attempts: self.policies.recovery.max_attempts(),
            run_at: None,
            after: After::default(),
        })
    }

    fn form(&self) -> Option<Form> {
        let about = "Syncs again what failed.";
        Some(form!(
            Self::KIND,
            about,
            AutoRetryArgs {
                max_players: Shown::Asked("Players at most", "50"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let policies = self.policies;
        Box::pin(async move {
            let args: AutoRetryArgs = match serde_json::from_str(&context.job.args) {
                Ok(args) => args,
                Err(error) => return bad_arguments(&error),
            };
            let troubled = match troubled(context.store()).await {
                Ok(troubled) => troubled,
                Err(error) => {
                    let why = error.to_string();
                    let delay = Duration::from_secs(5);
                    return Outcome::Snooze { delay, why }.into();
                }
            };
            let found = troubled.len();
            let children: Vec<NewJob> = troubled
                .into_iter()
                .take(args.max_players)
                .map(|player| {
                    let args = RecoverArgs {
                        player,
                        verify: false,
                        due_only: true,
                    };
                    args.job(context.priority(), policies.recovery)
                })
                .collect();
            let result = json!({ "players_found": found, "players_recovered": children.len() });
            TaskResult::complete(result).with_children(children)
        })
    }
}

/// Player years whose last finished job left documents behind, the longest ago first.
async fn troubled(store: &dyn Store) -> StoreResult<Vec<PlayerSyncArgs>> {
    let mut jobs = Vec::new();
    for kind in [PlayerSync::KIND, Recover::KIND] {
        let mut before: Option<JobId> = None;
        let mut pages = 0;
        while pages < PAGES_MAX {
            let filter = JobFilter {
                state: Some(JobState::Completed),
                kind: Some(kind.to_owned()),
                before,
                limit: PAGE,
                ..JobFilter::default()
            };
            let page = store.list_jobs(&filter).await?;
            before = page.next(PAGE);
            // Many pages hold none: one looks at a bounded number of jobs.
            pages += usize::from(!page.jobs.is_empty());
            jobs.extend(page.jobs);
            if before.is_none() {
                break;
            }
        }
    }
    Ok(in_trouble(jobs))
}

/// Pure: of each player's year the newest job tells.
fn in_trouble(mut jobs: Vec<JobRecord>) -> Vec<PlayerSyncArgs> {
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    let mut seen = HashSet::new();
    let mut troubled = Vec::new();
    for job in jobs {
        let Ok(mut args) = serde_json::from_value::<PlayerSyncArgs>(job.args.clone()) else {
            continue;
        };
        // Who was asked for by name may be called otherwise by now: the job found out who it is.
        let found = job
            .result
            .as_ref()
            .and_then(|result| result["puuid"].as_str());
        if let Some(puuid) = found.and_then(|puuid| puuid.parse().ok()) {
            args.puuid = Some(puuid);
        }
        let name = args
            .riot_id
            .as_ref()
            .map(RiotId::folded)
            .unwrap_or_default();
        let who = args.puuid.as_ref().map_or(name, ToString::to_string);
        let year = (who, args.platform, args.year.get());
        if args.dry_run || !seen.insert(year) {
            continue;
        }
        if left_behind(&job) {
            troubled.push((job.finished_at, args));
        }
    }
    troubled.sort_by_key(|(finished_at, _)| *finished_at);
    troubled.into_iter().map(|(_, args)| args).collect()
}

/// Whether documents failed. One that Riot does not give has not: it has pauses of its own.
fn left_behind(job: &JobRecord) -> bool {
    let kinds = [MatchSync::KIND, TimelineSync::KIND];
    let failed: u32 = kinds.iter().map(|kind| job.rollup.of(kind).failed).sum();
    let missing = job.rollup.failures.iter().filter(|failure| {
        kinds.contains(&failure.kind.as_str())
            && MissingReason::of_failure(&failure.error).is_some()
    });
    failed as usize > missing.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Rollup, Timestamp};

    /// The job `id`, which failed for so many matches.
    fn job(id: i64, kind: &str, player: &str, failed: u32, error: &str) -> JobRecord {
        let mut rollup = Rollup::default();
        for n in 0..failed {
            rollup.child_linked(MatchSync::KIND);
            rollup.child_failed(crate::model::rollup::FailedChild {
                kind: MatchSync::KIND.to_owned(),
                key: n.to_string(),
                reason: "503".to_owned(),
                error: error.to_owned(),
            });
        }
        JobRecord {
            lane: String::new(),
            engine: None,
            id: JobId(id),
            kind: kind.to_owned(),
            queue: RECOVERY.to_owned(),
            key: None,
            args: json!({ "riot_id": player, "platform": "kr", "year": 2025, "timelines": true }),
            state: JobState::Completed,
            priority: Priority::DEFAULT,
            attempt: 1,
            max_attempts: 1,
            crash_count: 0,
            run_at: Timestamp::EPOCH,
            step: None,
            percent: 100,
            progress: json!({}),
            rollup,
            children_pending: 0,
            result: None,
            errors: Vec::new(),
            enqueued_at: Timestamp::EPOCH,
            started_at: None,
            finished_at: Some(Timestamp::from_millis(1_000 - id)),
        }
    }

    #[test]
    fn players_whose_newest_job_left_something_behind_are_recovered_the_longest_ago_first() {
        let jobs = vec![
            job(1, PlayerSync::KIND, "Mended since#KR1", 3, "unavailable"),
            job(2, PlayerSync::KIND, "Later#KR1", 1, "unavailable"),
            job(3, PlayerSync::KIND, "Whole#KR1", 0, "unavailable"),
            job(4, Recover::KIND, "mended since#kr1", 0, "unavailable"),
            job(5, Recover::KIND, "Earlier#KR1", 2, "unavailable"),
            job(6, PlayerSync::KIND, "Not given#KR1", 2, "not_found"),
        ];
        let found: Vec<String> = in_trouble(jobs).iter().map(PlayerSyncArgs::who).collect();
        assert_eq!(found, ["Earlier#KR1", "Later#KR1"]);
    }

    #[test]
    fn a_player_who_was_renamed_since_is_one_player_and_is_recovered_by_puuid() {
        let puuid = "p".repeat(78);
        let found_to_be = |mut job: JobRecord| {
            job.result = Some(json!({ "puuid": puuid }));
            job
        };
        let jobs = vec![
            found_to_be(job(1, PlayerSync::KIND, "Old name#KR1", 3, "503")),
            found_to_be(job(2, PlayerSync::KIND, "New name#KR1", 2, "503")),
        ];
        let found = in_trouble(jobs);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].who(), "New name#KR1");
        assert_eq!(found[0].puuid, Some(puuid.parse().unwrap()));
        let mended = vec![
            found_to_be(job(1, PlayerSync::KIND, "Old name#KR1", 3, "503")),
            found_to_be(job(2, Recover::KIND, "New name#KR1", 0, "503")),
        ];
        assert!(in_trouble(mended).is_empty());
    }
}

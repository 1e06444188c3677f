//! `cleanup_old_data`: matches that were stored long ago go, with everything that hangs on them.
//!
//! In small transactions with rests between them. A match that went leaves its id behind, so that it is neither
//! fetched nor counted again, and by default what it counts for, so that statistics keep it.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::failed::bad_arguments;
use super::upkeep::{give_back, job, percent, rest, store_failed};
use super::{MAINTENANCE, Policies};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::model::counted;
use crate::model::{NewJob, Outcome, Priority, RetryPolicy};
use crate::store::Store;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::{Cleanup, StoreResult};

/// Matches of one transaction: about ten milliseconds.
const MATCHES: usize = 25;
const ORPHANS: usize = 100;
const JOBS: usize = 500;
/// Jobs that ended later ago than this have been heard of by whoever waited for them.
const JOBS_HEARD: Duration = Duration::from_hours(1);
/// Nobody means more than a thousand years.
const DAYS_MAX: u32 = 366_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleanupArgs {
    #[serde(default = "thirty")]
    pub days: u32,
    #[serde(default)]
    pub dry_run: bool,
    /// Statistics lose what the matches count for.
    #[serde(default)]
    pub adjust_stats: bool,
}

fn thirty() -> u32 {
    30
}

/// See the module.
#[derive(Debug, Clone)]
pub struct CleanOld {
    policies: Policies,
}

impl CleanOld {
    pub const KIND: &str = "cleanup_old_data";

    pub fn new(policies: Policies) -> Self {
        Self { policies }
    }
}

impl Task<dyn Store> for CleanOld {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        MAINTENANCE
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policies.maintenance
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let args: CleanupArgs = serde_json::from_str(args).map_err(|error| error.to_string())?;
        if args.days > DAYS_MAX {
            return Err(format!(
                "days is {}; at most {DAYS_MAX} are taken",
                args.days
            ));
        }
        let text = serde_json::to_string(&args).expect("numbers are JSON");
        let key = format!("{}/{}/{}", args.days, args.dry_run, args.adjust_stats);
        let (priority, policy) = (Priority::DEFAULT, self.policies.maintenance);
        Ok(job(Self::KIND, &key, text, priority, policy))
    }

    fn form(&self) -> Option<Form> {
        let about = "Deletes matches that are older than so many days.";
        Some(form!(
            Self::KIND,
            about,
            CleanupArgs {
                days: Shown::Needed("Older than, in days", "730"),
                adjust_stats: Shown::Asked("Take them from the statistics too", "no"),
                dry_run: Shown::Asked("Only count", "no"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        Box::pin(async move {
            match serde_json::from_str(&context.job.args) {
                Ok(args) => clean(&context, args)
                    .await
                    .unwrap_or_else(|error| store_failed(&error)),
                Err(error) => bad_arguments(&error),
            }
        })
    }
}

async fn clean(context: &JobContext, args: CleanupArgs) -> StoreResult<TaskResult> {
    let store = context.store();
    let before = context.now() - Duration::from_hours(24) * args.days;
    let heard = context.now() - JOBS_HEARD;
    let found = store.leftovers(before).await?;
    let mut result = json!(found);
    result["days"] = args.days.into();
    result["adjust_stats"] = args.adjust_stats.into();
    if args.dry_run {
        return Ok(TaskResult::complete(result));
    }
    let mut gone = 0;
    loop {
        let begun = Instant::now();
        let step = Cleanup {
            before,
            limit: MATCHES,
            adjust_stats: args.adjust_stats,
        };
        let matches = store.clean(step, context.now()).await?;
        if matches == 0 {
            break;
        }
        gone += matches;
        let percent = percent(gone, found.matches);
        let counts = json!({ "cleaned_matches": gone });
        let _ = context
            .progress("cleaning_matches", percent, counts)
            .await?;
        rest(begun).await;
        if context.cancel().is_requested() {
            let gone = counted(gone, "match", "matches");
            return Ok(Outcome::Cancel(format!("cancelled after {gone}")).into());
        }
    }
    loop {
        let begun = Instant::now();
        if store.clean_orphans(before, ORPHANS).await? < ORPHANS as u64 {
            break;
        }
        rest(begun).await;
    }
    loop {
        let begun = Instant::now();
        // Somebody may still wait to hear how a job ended that ended just now.
        if store.prune(before.min(heard), JOBS).await? < JOBS {
            break;
        }
        rest(begun).await;
    }
    give_back(store).await?;
    result["cleaned_matches"] = gone.into();
    Ok(TaskResult::complete(result))
}

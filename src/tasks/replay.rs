//! `replay_payloads`: rows and statistics become what the stored documents say, without a call.
//!
//! For after an upgrade that reads more of a document, or reads it otherwise. It goes on where it stopped.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::failed::bad_arguments;
use super::upkeep::{job, percent, rest, store_failed};
use super::verify::{Rows, Verified, verify_matches, verify_statistics};
use super::{MAINTENANCE, Policies};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::model::counted;
use crate::model::timeline_details::TimelineDetail;
use crate::model::{NewJob, Outcome, Priority, RetryPolicy};
use crate::store::Store;
use crate::store::StoreResult;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};

/// Matches between two notes of how far it is.
const MATCHES: usize = 50;
/// Everything else is more urgent.
const LAST: u8 = 9;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayArgs {
    /// Only tell what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Replay {
    policies: Policies,
}

impl Replay {
    pub const KIND: &str = "replay_payloads";

    pub fn new(policies: Policies) -> Self {
        Self { policies }
    }
}

/// How far a replay is, as its job keeps it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// The last match that is done.
    after: String,
    matches: u64,
    changed: u64,
    /// Documents that cannot be read; `recover --verify` fetches them again.
    unreadable: u64,
    /// Documents that are kept and still cannot be read.
    unread: u64,
    /// Documents that could not be read before, and have rows now.
    read: u64,
}

impl Task<dyn Store> for Replay {
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
        let args: ReplayArgs = serde_json::from_str(args).map_err(|error| error.to_string())?;
        let text = serde_json::to_string(&args).expect("a flag is JSON");
        let key = if args.dry_run { "dry-run" } else { "all" };
        let (priority, policy) = (Priority::new(LAST), self.policies.maintenance);
        Ok(job(Self::KIND, key, text, priority, policy))
    }

    fn form(&self) -> Option<Form> {
        let about = "Makes the rows anew from the stored documents, without a call.";
        Some(form!(
            Self::KIND,
            about,
            ReplayArgs {
                dry_run: Shown::Asked("Only count", "no"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let detail = self.policies.timeline_detail;
        Box::pin(async move {
            match serde_json::from_str(&context.job.args) {
                Ok(args) => replay(&context, args, detail)
                    .await
                    .unwrap_or_else(|error| store_failed(&error)),
                Err(error) => bad_arguments(&error),
            }
        })
    }
}

async fn replay(
    context: &JobContext,
    args: ReplayArgs,
    detail: TimelineDetail,
) -> StoreResult<TaskResult> {
    let store = context.store();
    let known = store.job(context.lease().job).await?;
    let known = known.and_then(|job| serde_json::from_value(job.progress).ok());
    let mut place: Place = known.unwrap_or_default();
    let total = store.census().await?.matches.max(1);
    loop {
        let begun = Instant::now();
        let ids = store.matches_after(&place.after, MATCHES).await?;
        let Some(last) = ids.last() else { break };
        let mut verified = Verified::default();
        verify_matches(
            store,
            &ids,
            Rows::Just(detail),
            !args.dry_run,
            &mut verified,
        )
        .await?;
        verify_statistics(store, None, !args.dry_run, &mut verified).await?;
        place.after = last.to_string();
        place.matches += ids.len() as u64;
        place.unread += verified.unread;
        place.read += verified.read;
        place.unreadable += verified.refetch.len() as u64;
        place.changed += verified.found - verified.refetch.len() as u64;
        let percent = percent(place.matches, total);
        let _ = context.progress("replaying", percent, json!(place)).await?;
        rest(begun).await;
        if context.cancel().is_requested() {
            let after = counted(place.matches, "match", "matches");
            return Ok(Outcome::Cancel(format!("cancelled after {after}")).into());
        }
    }
    Ok(TaskResult::complete(json!({
        "matches": place.matches, "changed": place.changed, "unreadable": place.unreadable,
        "unread": place.unread, "read": place.read,
    })))
}

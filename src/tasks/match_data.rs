//! `sync_match_data`: one match. Stores it with everything it counts for, and spawns its timeline.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{RiotApi, bad_arguments, failed};
use super::{MATCH_PROCESSING, Policies, timeline};
use crate::engine::{JobContext, Task, TaskFuture, TaskResult};
use crate::model::records::{MissingPayload, PayloadKind};
use crate::model::{After, Failure, MatchId, NewJob, Outcome, Priority, RetryPolicy};
use crate::riot::{Call, RiotError, parse_match};
use crate::store::Effect;

#[derive(Debug, Serialize, Deserialize)]
struct Args {
    match_id: MatchId,
    timeline: bool,
    /// It may be too young to be served yet.
    #[serde(default)]
    young: bool,
}

/// The job that fetches a match. One without the timeline is another job than one with it.
pub(super) fn job(
    id: MatchId,
    with_timeline: bool,
    young: bool,
    priority: Priority,
    policy: RetryPolicy,
) -> NewJob {
    let args = Args {
        match_id: id,
        timeline: with_timeline,
        young,
    };
    NewJob {
        kind: MatchSync::KIND,
        queue: MATCH_PROCESSING,
        lane: id.route().as_str(),
        key: Some(if with_timeline {
            id.to_string()
        } else {
            format!("{id}/no-timeline")
        }),
        args: serde_json::to_string(&args).expect("names and numbers are JSON"),
        priority,
        max_attempts: policy.max_attempts(),
        run_at: None,
        after: After::default(),
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct MatchSync {
    api: Arc<RiotApi>,
    policies: Policies,
}

impl MatchSync {
    pub const KIND: &str = "sync_match_data";

    pub fn new(api: Arc<RiotApi>, policies: Policies) -> Self {
        Self { api, policies }
    }
}

impl Task for MatchSync {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        MATCH_PROCESSING
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policies.matches
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Order {
            match_id: MatchId,
            #[serde(default)]
            timeline: bool,
        }
        let order: Order = serde_json::from_str(args).map_err(|error| error.to_string())?;
        Ok(job(
            order.match_id,
            order.timeline,
            false,
            Priority::DEFAULT,
            self.policies.matches,
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let (api, timelines) = (self.api.clone(), self.policies.timelines);
        Box::pin(async move {
            match serde_json::from_str(&context.job.args) {
                Ok(args) => sync(&api, &context, &args, timelines).await,
                Err(error) => bad_arguments(&error),
            }
        })
    }
}

async fn sync(
    api: &RiotApi,
    context: &JobContext,
    args: &Args,
    timelines: RetryPolicy,
) -> TaskResult {
    let id = args.match_id;
    let children = if args.timeline {
        vec![timeline::job(id, args.young, context.priority(), timelines)]
    } else {
        Vec::new()
    };
    // Another job may have stored it since this one was spawned; then a call would be wasted.
    if let Ok(stored) = context.store().stored_matches(&[id]).await
        && !stored.matches.is_empty()
    {
        let children = if stored.timelines.is_empty() {
            children
        } else {
            Vec::new()
        };
        return TaskResult::complete(json!({ "match_id": id, "existing": true }))
            .with_children(children);
    }
    let response = match api
        .call(
            &Call::match_document(id),
            context.priority(),
            context.flow(),
        )
        .await
    {
        Ok(response) => response,
        Err(RiotError::NotFound) => return not_found(context, id, PayloadKind::Match, args.young),
        Err(error) => return failed(&error),
    };
    match api.read(response, move |text| parse_match(id, text)).await {
        Ok((record, payload)) => {
            let effect = Effect::Match {
                record: Arc::new(record),
                payload,
                key_fingerprint: api.key_fingerprint(),
            };
            TaskResult::complete(json!({ "match_id": id }))
                .with_effects(vec![effect])
                .with_children(children)
        }
        Err(error) => failed(&error),
    }
}

/// A young document may come yet; one that is old, or still not there after all attempts, is missing
/// for good, and remembered, so that it is not asked for again.
pub(super) fn not_found(
    context: &JobContext,
    id: MatchId,
    kind: PayloadKind,
    young: bool,
) -> TaskResult {
    let failure = Failure::new(
        "not_found",
        format!("riot has no {} of {id} (404)", kind.as_str()),
    );
    if young && context.job.attempt < context.job.max_attempts {
        return Outcome::Retry(failure.retryable()).into();
    }
    let missing = MissingPayload {
        kind,
        id,
        reason: "404".to_owned(),
    };
    TaskResult::from(Outcome::Discard(failure)).with_effects(vec![Effect::Missing(missing)])
}

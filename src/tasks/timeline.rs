//! `sync_match_timeline`: the minute-by-minute document of one match.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::TIMELINE_PROCESSING;
use super::failed::{bad_arguments, failed};
use super::match_data::not_found;
use crate::engine::{JobContext, Task, TaskFuture, TaskResult};
use crate::gate::RiotApi;
use crate::model::records::PayloadKind;
use crate::model::{After, MatchId, NewJob, Priority, RetryPolicy, Timestamp};
use crate::riot::{Call, RiotError, parse_timeline};
use crate::store::{Effect, Repair};

#[derive(Debug, Serialize, Deserialize)]
struct Args {
    match_id: MatchId,
    /// Until then it may be too young to be served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    young_until: Option<Timestamp>,
    /// What is stored of it is not good: it takes its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    mend: bool,
}

/// The job that fetches a timeline in the place of what is stored of it.
pub(super) fn mending_job(id: MatchId, priority: Priority, policy: RetryPolicy) -> NewJob {
    let args = Args {
        match_id: id,
        young_until: None,
        mend: true,
    };
    NewJob {
        key: Some(format!("{id}/mend")),
        args: serde_json::to_string(&args).expect("names and numbers are JSON"),
        ..job(id, None, priority, policy)
    }
}

pub(super) fn job(
    id: MatchId,
    young_until: Option<Timestamp>,
    priority: Priority,
    policy: RetryPolicy,
) -> NewJob {
    NewJob {
        kind: TimelineSync::KIND,
        queue: TIMELINE_PROCESSING,
        lane: id.route().as_str(),
        key: Some(id.to_string()),
        args: serde_json::to_string(&Args {
            match_id: id,
            young_until,
            mend: false,
        })
        .expect("names and numbers are JSON"),
        priority,
        max_attempts: policy.max_attempts(),
        run_at: None,
        after: After::default(),
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct TimelineSync {
    api: Arc<RiotApi>,
    policy: RetryPolicy,
}

impl TimelineSync {
    pub const KIND: &str = "sync_match_timeline";

    pub fn new(api: Arc<RiotApi>, policy: RetryPolicy) -> Self {
        Self { api, policy }
    }
}

impl Task for TimelineSync {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        TIMELINE_PROCESSING
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policy
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Order {
            match_id: MatchId,
        }
        let Order { match_id } = serde_json::from_str(args).map_err(|error| error.to_string())?;
        Ok(job(match_id, None, Priority::DEFAULT, self.policy))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let api = self.api.clone();
        Box::pin(async move {
            match serde_json::from_str(&context.job.args) {
                Ok(args) => sync(&api, &context, &args).await,
                Err(error) => bad_arguments(&error),
            }
        })
    }
}

async fn sync(api: &RiotApi, context: &JobContext, args: &Args) -> TaskResult {
    let id = args.match_id;
    let response = match api.call(context, &Call::timeline(id)).await {
        Ok(response) => response,
        Err(RiotError::NotFound) => {
            return not_found(context, id, PayloadKind::Timeline, args.young_until);
        }
        Err(error) => return failed(&error),
    };
    match api
        .read(response, move |text| parse_timeline(id, text))
        .await
    {
        Ok((record, payload)) => {
            let effect = if args.mend {
                Effect::Repair(Repair::Timeline {
                    record,
                    payload: Some(payload),
                })
            } else {
                Effect::Timeline { record, payload }
            };
            TaskResult::complete(json!({ "match_id": id })).with_effects(vec![effect])
        }
        Err(error) => failed(&error),
    }
}

//! `sync_match_timeline`: the minute-by-minute document of one match.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::absent::{fetch, not_usable};
use super::failed::bad_arguments;
use super::match_data::Hints;
use super::unread::SharedOddities;
use super::{Policies, TIMELINE_PROCESSING};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::gate::RiotApi;
use crate::model::records::{PayloadKind, UnreadPayload};
use crate::model::{After, MatchId, NewJob, Priority, RetryPolicy};
use crate::riot::{kept, understand_timeline};
use crate::store::Store;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::{Effect, Repair};

#[derive(Debug, Serialize, Deserialize)]
struct Args {
    match_id: MatchId,
    #[serde(flatten)]
    hints: Hints,
}

/// The job that fetches a timeline.
pub(super) fn job(id: MatchId, hints: Hints, priority: Priority, policy: RetryPolicy) -> NewJob {
    let args = Args {
        match_id: id,
        hints,
    };
    NewJob {
        kind: TimelineSync::KIND,
        queue: TIMELINE_PROCESSING,
        lane: id.route().as_str(),
        key: Some(if hints.mend {
            format!("{id}/mend")
        } else {
            id.to_string()
        }),
        args: serde_json::to_string(&args).expect("names and numbers are JSON"),
        priority,
        max_attempts: policy.max_attempts(),
        run_at: None,
        after: After::default(),
    }
}

/// A timeline as somebody asks for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    match_id: MatchId,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct TimelineSync {
    api: Arc<RiotApi>,
    policies: Policies,
    oddities: SharedOddities,
}

impl TimelineSync {
    pub const KIND: &str = "sync_match_timeline";

    pub(super) fn new(api: Arc<RiotApi>, policies: Policies, oddities: SharedOddities) -> Self {
        Self {
            api,
            policies,
            oddities,
        }
    }
}

impl Task<dyn Store> for TimelineSync {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        TIMELINE_PROCESSING
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policies.timelines
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let Order { match_id } = serde_json::from_str(args).map_err(|error| error.to_string())?;
        Ok(job(
            match_id,
            Hints::default(),
            Priority::DEFAULT,
            self.policies.timelines,
        ))
    }

    fn form(&self) -> Option<Form> {
        let about = "Brings the timeline of a stored match in.";
        Some(form!(
            Self::KIND,
            about,
            Order {
                match_id: Shown::Needed("Match", "KR_1234567890"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let task = self.clone();
        Box::pin(async move {
            match serde_json::from_str(&context.job.args) {
                Ok(args) => sync(&task, &context, &args).await,
                Err(error) => bad_arguments(&error),
            }
        })
    }
}

async fn sync(task: &TimelineSync, context: &JobContext, args: &Args) -> TaskResult {
    let (api, id, hints) = (&*task.api, args.match_id, args.hints);
    let asked = hints.asks(PayloadKind::Timeline, id);
    let response = match fetch(api, context, asked, task.policies.retention).await {
        Ok(response) => response,
        Err(end) => return end,
    };
    let key_fingerprint = response.key_fingerprint.clone();
    let detail = task.policies.timeline_detail;
    let understand = move |text: &[u8]| kept(text, |text| understand_timeline(id, text, detail));
    match api.read(response, understand).await {
        Ok((Err(reason), payload)) => task.oddities.kept(UnreadPayload {
            kind: PayloadKind::Timeline,
            id,
            reason,
            payload,
            key_fingerprint,
            replaces: hints.mend,
        }),
        Ok((Ok(understood), payload)) => {
            (task.oddities).tell_odd(PayloadKind::Timeline, id, &understood.odd);
            let record = understood.record;
            let effect = if hints.mend {
                Effect::Repair(Repair::Timeline {
                    record,
                    payload: Some(payload),
                })
            } else {
                Effect::Timeline { record, payload }
            };
            TaskResult::complete(json!({ "match_id": id })).with_effects(vec![effect])
        }
        Err(error) => not_usable(context, asked, task.policies.retention, &error).await,
    }
}

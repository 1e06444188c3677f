//! `sync_match_data`: one match. Stores it with everything it counts for, and spawns its timeline.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::failed::{bad_arguments, failed};
use super::player::Stop;
use super::resolve::Strangers;
use super::{MATCH_PROCESSING, Policies, timeline};
use crate::engine::{JobContext, Task, TaskFuture, TaskResult};
use crate::gate::RiotApi;
use crate::model::records::{MissingPayload, PayloadKind};
use crate::model::{After, Failure, MatchId, NewJob, Outcome, Priority, RetryPolicy, Timestamp};
use crate::riot::{Call, RiotError, parse_match};
use crate::store::{Effect, Repair, StoredMatches};

/// A match younger than this may still appear; one that is older and not found is missing for good.
pub(super) const YOUNG: Duration = Duration::from_hours(1);
/// Pauses before a young document is asked for again.
const LOOK_AGAIN_MIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN_MAX: Duration = Duration::from_mins(5);

#[derive(Debug, Serialize, Deserialize)]
struct Args {
    match_id: MatchId,
    timeline: bool,
    /// Until then it may be too young to be served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    young_until: Option<Timestamp>,
    /// What is stored of it is not good: it takes its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    mend: bool,
}

/// The job that fetches a match in the place of what is stored of it.
pub(super) fn mending_job(
    id: MatchId,
    with_timeline: bool,
    young_until: Option<Timestamp>,
    priority: Priority,
    policy: RetryPolicy,
) -> NewJob {
    let args = Args {
        match_id: id,
        timeline: with_timeline,
        young_until,
        mend: true,
    };
    NewJob {
        key: Some(format!("{id}/mend")),
        args: serde_json::to_string(&args).expect("names and numbers are JSON"),
        ..job(id, with_timeline, young_until, priority, policy)
    }
}

/// The job that fetches a match. One without the timeline is another job than one with it.
pub(super) fn job(
    id: MatchId,
    with_timeline: bool,
    young_until: Option<Timestamp>,
    priority: Priority,
    policy: RetryPolicy,
) -> NewJob {
    let args = Args {
        match_id: id,
        timeline: with_timeline,
        young_until,
        mend: false,
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
    strangers: Arc<Strangers>,
}

impl MatchSync {
    pub const KIND: &str = "sync_match_data";

    pub fn new(api: Arc<RiotApi>, policies: Policies) -> Self {
        Self {
            api,
            policies,
            strangers: Arc::default(),
        }
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
            None,
            Priority::DEFAULT,
            self.policies.matches,
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

async fn sync(task: &MatchSync, context: &JobContext, args: &Args) -> TaskResult {
    let (api, id) = (&*task.api, args.match_id);
    let mut children = if args.timeline {
        vec![timeline::job(
            id,
            args.young_until,
            context.priority(),
            task.policies.timelines,
        )]
    } else {
        Vec::new()
    };
    // Another job may have stored it since this one was spawned; then a call would be wasted.
    let stored = match context.store().stored_matches(&[id]).await {
        Ok(stored) if !args.mend => stored,
        _ => StoredMatches::default(),
    };
    if !stored.cleaned.is_empty() {
        return TaskResult::complete(json!({ "match_id": id, "cleaned": true }));
    }
    if !stored.matches.is_empty() {
        let children = if stored.timelines.is_empty() {
            children
        } else {
            Vec::new()
        };
        return TaskResult::complete(json!({ "match_id": id, "existing": true }))
            .with_children(children);
    }
    let response = match api.call(context, &Call::match_document(id)).await {
        Ok(response) => response,
        Err(RiotError::NotFound) => {
            return not_found(context, id, PayloadKind::Match, args.young_until);
        }
        Err(error) => return failed(&error),
    };
    let key_fingerprint = response.key_fingerprint.clone();
    match api.read(response, move |text| parse_match(id, text)).await {
        Ok((record, payload)) => {
            let record = Arc::new(record);
            let met = task.strangers.met(
                context.store(),
                &key_fingerprint,
                &record,
                context.priority(),
                task.policies.player,
            );
            match met.await {
                Ok(strangers) => children.extend(strangers),
                Err(error) => return Stop::Store(error).into(),
            }
            let effect = if args.mend {
                Effect::Repair(Repair::Match {
                    record,
                    payload: Some(payload),
                    key_fingerprint,
                })
            } else {
                Effect::Match {
                    record,
                    payload,
                    key_fingerprint,
                }
            };
            TaskResult::complete(json!({ "match_id": id }))
                .with_effects(vec![effect])
                .with_children(children)
        }
        Err(error) => failed(&error),
    }
}

/// A young document may come yet, and waiting for it costs no attempt. One that is old is missing for
/// good, and remembered, so that it is not asked for again.
pub(super) fn not_found(
    context: &JobContext,
    id: MatchId,
    kind: PayloadKind,
    young_until: Option<Timestamp>,
) -> TaskResult {
    let what = kind.as_str();
    if let Some(delay) = look_again_in(context.now(), young_until) {
        tracing::info!(
            "riot does not serve the {what} of {id} yet (404); it is young, and asked for again until it is an hour old"
        );
        return Outcome::Snooze {
            delay,
            why: format!("riot does not serve the {what} of {id} yet"),
        }
        .into();
    }
    let failure = Failure::new("not_found", format!("riot has no {what} of {id} (404)"));
    let missing = MissingPayload {
        kind,
        id,
        reason: "404".to_owned(),
    };
    TaskResult::from(Outcome::Discard(failure)).with_effects(vec![Effect::Missing(missing)])
}

/// How long until a young document is asked for again: soon at first, then every few minutes. None: it
/// is old.
fn look_again_in(now: Timestamp, young_until: Option<Timestamp>) -> Option<Duration> {
    let left = young_until?.since(now);
    if left.is_zero() {
        return None;
    }
    let waited = YOUNG.saturating_sub(left);
    Some((waited / 2).clamp(LOOK_AGAIN_MIN, LOOK_AGAIN_MAX).min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_young_match_is_asked_for_again_for_an_hour_and_an_old_one_never() {
        let begin = Timestamp::EPOCH + Duration::from_secs(1_000);
        let until = begin + YOUNG;
        let (mut now, mut pauses) = (begin, Vec::new());
        while let Some(pause) = look_again_in(now, Some(until)) {
            now = now + pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(now, until);
        assert_eq!(pauses[..5], [30, 30, 30, 45, 67]);
        assert!(pauses.len() < 25 && pauses.iter().all(|pause| *pause <= 300));
        assert_eq!(look_again_in(begin, None), None);
    }
}

//! `sync_match_data`: one match. Stores it with everything it counts for, and spawns its timeline.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::absent::{Asked, fetch, not_usable};
use super::failed::bad_arguments;
use super::player::Stop;
use super::resolve::Strangers;
use super::unread::SharedOddities;
use super::{MATCH_PROCESSING, Policies, timeline};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::gate::RiotApi;
use crate::model::records::{PayloadKind, UnreadPayload};
use crate::model::{After, MatchId, NewJob, Priority, RetryPolicy, Timestamp};
use crate::riot::{kept, understand_match};
use crate::store::Store;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::{Effect, Repair, StoredMatches};

/// What a job for a document is told beside the match; nothing of it is usual, and nothing is written then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Hints {
    /// Until then it may be too young to be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) young_until: Option<Timestamp>,
    /// It was played before this moment; none: before now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) played_before: Option<Timestamp>,
    /// Somebody waits until it is served.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) wait: bool,
    /// The timeline is asked for however old the match is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) old_timelines: bool,
    /// What is stored is not good: what comes takes its place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) mend: bool,
}

impl Hints {
    pub(super) fn asks(self, kind: PayloadKind, id: MatchId) -> Asked {
        Asked {
            kind,
            id,
            young_until: self.young_until,
            played_before: self.played_before,
            wait: self.wait,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Args {
    match_id: MatchId,
    timeline: bool,
    #[serde(flatten)]
    hints: Hints,
}

/// The job that fetches a match. One without the timeline is another job than one with it, and one that mends what
/// is stored is another than both.
pub(super) fn job(
    id: MatchId,
    with_timeline: bool,
    hints: Hints,
    priority: Priority,
    policy: RetryPolicy,
) -> NewJob {
    let args = Args {
        match_id: id,
        timeline: with_timeline,
        hints,
    };
    NewJob {
        kind: MatchSync::KIND,
        queue: MATCH_PROCESSING,
        lane: id.route().as_str(),
        key: Some(match (hints.mend, with_timeline) {
            (true, _) => format!("{id}/mend"),
            (false, true) => id.to_string(),
            (false, false) => format!("{id}/no-timeline"),
        }),
        args: serde_json::to_string(&args).expect("names and numbers are JSON"),
        priority,
        max_attempts: policy.max_attempts(),
        run_at: None,
        after: After::default(),
    }
}

/// A match as somebody asks for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    match_id: MatchId,
    #[serde(default)]
    timeline: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct MatchSync {
    api: Arc<RiotApi>,
    policies: Policies,
    strangers: Arc<Strangers>,
    oddities: SharedOddities,
}

impl MatchSync {
    pub const KIND: &str = "sync_match_data";

    pub(super) fn new(api: Arc<RiotApi>, policies: Policies, oddities: SharedOddities) -> Self {
        Self {
            api,
            policies,
            strangers: Arc::default(),
            oddities,
        }
    }
}

impl Task<dyn Store> for MatchSync {
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
        let order: Order = serde_json::from_str(args).map_err(|error| error.to_string())?;
        Ok(job(
            order.match_id,
            order.timeline,
            Hints::default(),
            Priority::DEFAULT,
            self.policies.matches,
        ))
    }

    fn form(&self) -> Option<Form> {
        let about = "Brings one match in.";
        Some(form!(
            Self::KIND,
            about,
            Order {
                match_id: Shown::Needed("Match", "KR_1234567890"),
                timeline: Shown::Asked("Timeline too", "no"),
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

async fn sync(task: &MatchSync, context: &JobContext, args: &Args) -> TaskResult {
    let (api, id, hints) = (&*task.api, args.match_id, args.hints);
    let retention = task.policies.retention;
    // The child, unless Riot has deleted the timeline of a match of that time.
    let timeline = |played: Timestamp| {
        // A game that never began has no time of its own.
        let began = Some(played).filter(|played| *played > Timestamp::EPOCH);
        let played = began.or(hints.played_before).unwrap_or(played);
        let over = retention.is_over(PayloadKind::Timeline, played, context.now());
        let wanted = args.timeline && (hints.old_timelines || !over);
        // When it was played is known once the match is stored.
        let hints = Hints {
            young_until: hints.young_until,
            wait: hints.wait,
            ..Hints::default()
        };
        let policy = task.policies.timelines;
        wanted.then(|| timeline::job(id, hints, context.priority(), policy))
    };
    // Another job may have stored it since this one was spawned; then a call would be wasted.
    let stored = match context.store().stored_matches(&[id]).await {
        Ok(stored) if !hints.mend => stored,
        _ => StoredMatches::default(),
    };
    if !stored.cleaned.is_empty() {
        return TaskResult::complete(json!({ "match_id": id, "cleaned": true }));
    }
    if let Some(there) = stored.matches.first() {
        let child = timeline(there.game_start)
            .filter(|_| stored.timelines.is_empty())
            .filter(|_| !stored.unread.contains(&(PayloadKind::Timeline, id)));
        return TaskResult::complete(json!({ "match_id": id, "existing": true }))
            .with_children(Vec::from_iter(child));
    }
    if stored.unread.contains(&(PayloadKind::Match, id)) {
        let known =
            !stored.timelines.is_empty() || stored.unread.contains(&(PayloadKind::Timeline, id));
        let child = timeline(hints.played_before.unwrap_or(context.now())).filter(|_| !known);
        return TaskResult::complete(json!({ "match_id": id, "existing": true }))
            .with_children(Vec::from_iter(child));
    }
    let response = match fetch(api, context, hints.asks(PayloadKind::Match, id), retention).await {
        Ok(response) => response,
        Err(end) => return end,
    };
    let key_fingerprint = response.key_fingerprint.clone();
    let understand = move |text: &[u8]| kept(text, |text| understand_match(id, text));
    match api.read(response, understand).await {
        Ok((Err(reason), payload)) => {
            let child = timeline(hints.played_before.unwrap_or(context.now()));
            let unread = UnreadPayload {
                kind: PayloadKind::Match,
                id,
                reason,
                payload,
                key_fingerprint,
                replaces: hints.mend,
            };
            (task.oddities.kept(unread)).with_children(Vec::from_iter(child))
        }
        Ok((Ok(understood), payload)) => {
            (task.oddities).tell_odd(PayloadKind::Match, id, &understood.odd);
            let record = Arc::new(understood.record);
            let mut children = Vec::from_iter(timeline(record.game_start));
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
            let effect = if hints.mend {
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
        Err(error) => {
            not_usable(
                context,
                hints.asks(PayloadKind::Match, id),
                retention,
                &error,
            )
            .await
        }
    }
}

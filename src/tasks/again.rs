//! `sync_missing`: asks again for documents that Riot did not give, when they are due: young matches within the hour,
//! others with growing pauses. The schedule runs it; a sync asks for its player's own at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::failed::bad_arguments;
use super::match_data::Hints;
use super::{DEFAULT, Policies, match_data, timeline};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::model::missing::YOUNG;
use crate::model::records::PayloadKind;
use crate::model::{After, MissingDocument, MissingReason, NewJob, Outcome, Priority, RetryPolicy};
use crate::store::Store;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};

/// Behind everything that somebody asked for.
const PRIORITY: u8 = 7;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Args {
    /// Documents of one run at most, those that are due longest.
    max_documents: usize,
    /// Also the timelines of matches that are there now.
    timelines: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            max_documents: 1_000,
            timelines: true,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct MissingSync {
    policies: Policies,
}

impl MissingSync {
    pub const KIND: &str = "sync_missing";

    pub fn new(policies: Policies) -> Self {
        Self { policies }
    }
}

impl Task<dyn Store> for MissingSync {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        DEFAULT
    }

    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(2, 60, 600)
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let args: Args = serde_json::from_str(args).map_err(|error| error.to_string())?;
        Ok(NewJob {
            kind: Self::KIND,
            queue: DEFAULT,
            lane: "",
            // One run at a time.
            key: Some("all".to_owned()),
            args: serde_json::to_string(&args).expect("numbers are JSON"),
            priority: Priority::new(PRIORITY),
            max_attempts: self.retry_policy().max_attempts(),
            run_at: None,
            after: After::default(),
        })
    }

    fn form(&self) -> Option<Form> {
        let about = "Asks again for documents that Riot did not give.";
        Some(form!(
            Self::KIND,
            about,
            Args {
                max_documents: Shown::Asked("Documents at most", "1000"),
                timelines: Shown::Asked("Timelines too", "yes"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let policies = self.policies;
        Box::pin(async move {
            let args: Args = match serde_json::from_str(&context.job.args) {
                Ok(args) => args,
                Err(error) => return bad_arguments(&error),
            };
            let due = context
                .store()
                .due_documents(context.now(), args.max_documents);
            let due = match due.await {
                Ok(due) => due,
                Err(error) => {
                    let (delay, why) = (Duration::from_secs(5), error.to_string());
                    return Outcome::Snooze { delay, why }.into();
                }
            };
            let children = due.iter().map(|missing| job(missing, args, policies));
            TaskResult::complete(json!({ "documents": due.len() }))
                .with_children(children.collect())
        })
    }
}

/// The job that asks for it again. What is known of its age is in its row.
fn job(missing: &MissingDocument, args: Args, policies: Policies) -> NewJob {
    let is_young = missing.reason == MissingReason::NotYet;
    let hints = Hints {
        young_until: is_young.then(|| missing.first_seen + YOUNG),
        ..Hints::default()
    };
    let priority = Priority::new(PRIORITY);
    match missing.kind {
        PayloadKind::Match => match_data::job(
            missing.id,
            args.timelines,
            hints,
            priority,
            policies.matches,
        ),
        PayloadKind::Timeline => timeline::job(missing.id, hints, priority, policies.timelines),
    }
}

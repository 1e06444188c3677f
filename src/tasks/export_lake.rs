//! `export_lake`: brings the lake of the settings up to date, as `riftsync export --all` does.
//!
//! One at a time, in the queue of the upkeep. What a job that was killed had written is no part of the lake; its next
//! attempt goes on from the manifest that stands. A second engine, or a person at a terminal, may export at the same
//! time: the place sees to it that one of them is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::MAINTENANCE;
use super::failed::bad_arguments;
use super::upkeep::{job, percent, store_failed};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::export::lake::{self, LakeError, LakeFailure, LakePlace, LakeProgress};
use crate::model::{Failure, NewJob, Outcome, Priority, RetryPolicy};
use crate::store::Store;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};

/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(2);
/// Partitions that a result names; a first export has hundreds.
const NAMED_MAX: usize = 50;
/// When another engine may take a job that this one lacks the credentials for.
const ELSEWHERE: Duration = Duration::from_mins(2);

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Args {
    /// Writes all of it anew.
    full: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct LakeExport {
    place: Result<LakePlace, NoPlace>,
    policy: RetryPolicy,
}

/// Why an engine exports nowhere.
#[derive(Debug, Clone)]
enum NoPlace {
    /// The settings name none.
    Unset,
    /// They lack what the place needs.
    Refused(String),
}

impl NoPlace {
    fn why(&self) -> &str {
        match self {
            Self::Unset => NO_PLACE,
            Self::Refused(why) => why,
        }
    }
}

impl LakeExport {
    pub const KIND: &str = "export_lake";

    /// How it is retried unless told.
    pub const RETRIES: RetryPolicy = RetryPolicy::new(3, 60, 600);

    pub fn to(place: LakePlace, policy: RetryPolicy) -> Self {
        let place = Ok(place);
        Self { place, policy }
    }

    /// The settings name no place.
    pub fn nowhere(policy: RetryPolicy) -> Self {
        let place = Err(NoPlace::Unset);
        Self { place, policy }
    }

    /// The settings lack what the place needs.
    pub fn refused(error: &LakeError, policy: RetryPolicy) -> Self {
        let why = format!("{error}, and start the engine again");
        let place = Err(NoPlace::Refused(why));
        Self { place, policy }
    }
}

impl Task<dyn Store> for LakeExport {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        MAINTENANCE
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policy
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let args: Args = serde_json::from_str(args).map_err(|error| error.to_string())?;
        if let Err(why) = &self.place {
            return Err(why.why().to_owned());
        }
        let text = serde_json::to_string(&args).expect("a flag is JSON");
        Ok(job(
            Self::KIND,
            "lake",
            text,
            Priority::DEFAULT,
            self.policy,
        ))
    }

    fn form(&self) -> Option<Form> {
        let about = "Brings the lake of the settings (lake.dir) up to date.";
        Some(form!(
            Self::KIND,
            about,
            Args {
                full: Shown::Asked("All of it anew", "no"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let place = self.place.clone();
        Box::pin(async move {
            match (serde_json::from_str(&context.job.args), place) {
                (Ok(args), Ok(place)) => export(&context, &place, args).await,
                (Err(error), _) => bad_arguments(&error),
                // It was ordered from an engine that has one.
                (_, Err(NoPlace::Unset)) => Outcome::Discard(Failure::new("lake", NO_PLACE)).into(),
                // It is not lost for that: an engine that has the credentials takes it.
                (_, Err(NoPlace::Refused(why))) => Outcome::Snooze {
                    delay: ELSEWHERE,
                    why,
                }
                .into(),
            }
        })
    }
}

const NO_PLACE: &str =
    "no lake is set. Set lake.dir to a folder or s3://bucket/prefix, and start the engine again";

async fn export(context: &JobContext, place: &LakePlace, args: Args) -> TaskResult {
    let told = Arc::<LakeProgress>::default();
    let work = lake::export_lake(context.store(), place, args.full, &told);
    let exported = tokio::select! {
        exported = work => exported,
        never = tell(context, &told) => match never {},
        () = context.cancel().requested() => {
            return Outcome::Cancel("cancelled; the lake is whole".to_owned()).into();
        }
    };
    match exported {
        Ok(exported) => {
            let written = exported.written.len();
            let mut result = json!(exported);
            if let Some(names) = result["written"].as_array_mut() {
                names.truncate(NAMED_MAX);
            }
            result["partitions_written"] = written.into();
            TaskResult::complete(result)
        }
        Err(LakeFailure::Store(error)) => store_failed(&error),
        Err(LakeFailure::Place(error)) => {
            let why = format!("{}: {}", error.place, error.cause);
            let failure = Failure::new("lake", why).with_remedy(&error.remedy);
            if error.passes {
                Outcome::Retry(failure.retryable()).into()
            } else {
                Outcome::Discard(failure).into()
            }
        }
    }
}

/// Tells how far it is, as long as it takes.
async fn tell(context: &JobContext, told: &LakeProgress) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(TELL).await;
        let [rows, done, wanted] =
            [&told.rows, &told.done, &told.wanted].map(|count| count.load(Ordering::Relaxed));
        let counts = json!({ "rows": rows, "partitions": done, "partitions_wanted": wanted });
        // What cannot be told now is told the next time; the store says itself when it is away.
        let _ = context
            .progress("exporting", percent(done, wanted), counts)
            .await;
    }
}

//! `sync_static_data`: names of champions, items and the rest, from the files that Riot publishes for everybody.
//!
//! They are no calls of the API: they go to other hosts, by a client that never has the key, and no limit is told for
//! them. Every run asks for the newest version; the rest is asked for when that is a new one, when something is not
//! there
//! yet, or after a week, and a file that did not change is not sent again. All of a run is written together, or
//! nothing.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::MAINTENANCE;
use super::failed::bad_arguments;
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::model::names::patch_of_version;
use crate::model::{After, Failure, NewJob, Outcome, Priority, RetryPolicy, Timestamp};
use crate::riot::{
    Fetched, File, Published, PublishedClient, PublishedError, parse_names, parse_versions,
};
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::names::{StaticFile, StaticNames};
use crate::store::{Effect, Store};

/// Queues and maps are added without a new version.
const WEEK: Duration = Duration::from_hours(24 * 7);
const PRIORITY: u8 = 7;

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Args {
    /// Asks for every file, whenever it was asked for last.
    all: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct StaticSync {
    client: PublishedClient,
    published: Published,
    policy: RetryPolicy,
}

impl StaticSync {
    pub const KIND: &str = "sync_static_data";

    /// How it is retried unless told: somebody may wait for it.
    pub const RETRIES: RetryPolicy = RetryPolicy::new(2, 5, 60);

    pub fn new(client: PublishedClient, published: Published, policy: RetryPolicy) -> Self {
        Self {
            client,
            published,
            policy,
        }
    }
}

impl Task<dyn Store> for StaticSync {
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
        Ok(NewJob {
            kind: Self::KIND,
            queue: MAINTENANCE,
            lane: "",
            // One run at a time.
            key: Some("all".to_owned()),
            args: serde_json::to_string(&args).expect("a flag is JSON"),
            priority: Priority::new(PRIORITY),
            max_attempts: self.policy.max_attempts(),
            run_at: None,
            after: After::default(),
        })
    }

    fn form(&self) -> Option<Form> {
        let about = "Brings the names of champions, items and the like in, where Riot's published files have changed.";
        Some(form!(
            Self::KIND,
            about,
            Args {
                all: Shown::Asked("Every file, whenever it was asked for last", "no"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let task = self.clone();
        Box::pin(async move {
            match serde_json::from_str(&context.job.args) {
                Ok(args) => sync(&task, &context, args).await,
                Err(error) => bad_arguments(&error),
            }
        })
    }
}

async fn sync(task: &StaticSync, context: &JobContext, args: Args) -> TaskResult {
    if task.published.base_url.is_empty() {
        let note = "names.base_url is empty: nothing is fetched";
        return TaskResult::complete(json!({ "files": 0, "names": 0, "note": note }));
    }
    let known = match context.store().static_files().await {
        Ok(files) => files.into_iter().map(|file| (file.file.clone(), file)),
        Err(error) => {
            let (delay, why) = (Duration::from_secs(5), error.to_string());
            return Outcome::Snooze { delay, why }.into();
        }
    };
    let known = known.collect();
    let fetched = tokio::select! {
        fetched = fetch_all(task, &known, args, context.now()) => fetched,
        () = context.cancel().requested() => return Outcome::Cancel("cancelled on request".to_owned()).into(),
    };
    match fetched {
        Ok((version, files)) => {
            let names = files.iter().filter_map(|file| file.names.as_ref());
            let names: usize = names.map(|of| of.names.len()).sum();
            let result = json!({ "version": version, "files": files.len(), "names": names });
            TaskResult::complete(result)
                .with_effects(files.into_iter().map(Effect::Names).collect())
        }
        Err(failure) if failure.retryable => Outcome::Retry(failure).into(),
        Err(failure) => Outcome::Discard(failure).into(),
    }
}

const REMEDY: &str = "check names.base_url and names.constants_url and the network; what is stored stays. To do without, \
                      set schedules.sync_static_data.when to \"off\"";

fn failure(error: &PublishedError) -> Failure {
    let failure = Failure::new("static_data", error.to_string()).with_remedy(REMEDY);
    if error.passes {
        failure.retryable()
    } else {
        failure
    }
}

fn unusable(url: &str, why: &str) -> Failure {
    // Half a file, or a page of something in between: that may pass.
    Failure::new("static_data", format!("{url} {why}"))
        .with_remedy(REMEDY)
        .retryable()
}

/// The newest version, and the files as they are now.
async fn fetch_all(
    task: &StaticSync,
    known: &HashMap<String, StaticFile>,
    args: Args,
    now: Timestamp,
) -> Result<(String, Vec<StaticFile>), Failure> {
    let at = &task.published;
    let Some(url) = File::Versions.url(at, "") else {
        return Ok((String::new(), Vec::new()));
    };
    let was = known
        .get(File::Versions.as_str())
        .filter(|was| was.url == url);
    let fetched = fetch(task, &url, was).await?;
    let (version, etag) = match (fetched, was) {
        (Fetched::Body { text, etag }, _) => {
            let version = parse_versions(&text).map_err(|why| unusable(&url, &why))?;
            (version, etag)
        }
        (Fetched::Unchanged, Some(was)) => (was.version.clone(), was.etag.clone()),
        (Fetched::Unchanged, None) => return Err(unusable(&url, "answered without a file")),
    };
    let patch = patch_of_version(&version)
        .ok_or_else(|| unusable(&url, "names no version that can be read"))?;
    let of_versions = StaticFile {
        file: File::Versions.as_str().to_owned(),
        url,
        etag,
        version: version.clone(),
        checked_at: now,
        names: None,
    };
    let mut files = vec![of_versions];
    for file in File::NAMES {
        let Some(url) = file.url(at, &version) else {
            continue;
        };
        let was = known.get(file.as_str());
        let is_fresh = |was: &&StaticFile| {
            was.url == url && was.version == version && now.since(was.checked_at) < WEEK
        };
        if !args.all && was.as_ref().is_some_and(is_fresh) {
            continue;
        }
        // Of another version every name is wanted, also of a file that did not change: names are kept by patch.
        let same = was.filter(|was| was.url == url && was.version == version);
        files.push(file_of(task, file, url, same, (&version, &patch), now).await?);
    }
    Ok((version, files))
}

async fn file_of(
    task: &StaticSync,
    file: File,
    url: String,
    was: Option<&StaticFile>,
    (version, patch): (&str, &str),
    now: Timestamp,
) -> Result<StaticFile, Failure> {
    let (etag, names) = match (fetch(task, &url, was).await?, file) {
        (Fetched::Unchanged, _) => (was.and_then(|was| was.etag.clone()), None),
        (Fetched::Body { text, etag }, File::Names(kind)) => {
            let names = parse_names(kind, &text).map_err(|why| unusable(&url, &why))?;
            let names = StaticNames {
                kind,
                patch: patch.to_owned(),
                language: task.published.language.clone(),
                names,
            };
            (etag, Some(names))
        }
        (Fetched::Body { etag, .. }, File::Versions) => (etag, None),
    };
    Ok(StaticFile {
        file: file.as_str().to_owned(),
        url,
        etag,
        version: version.to_owned(),
        checked_at: now,
        names,
    })
}

async fn fetch(task: &StaticSync, url: &str, was: Option<&StaticFile>) -> Result<Fetched, Failure> {
    let etag = was.and_then(|was| was.etag.as_deref());
    let fetched = task.client.fetch(url, etag).await;
    fetched.map_err(|error| failure(&error))
}

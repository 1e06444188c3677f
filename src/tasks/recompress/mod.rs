//! `recompress`: stored documents are packed anew with zstd and a dictionary, or as they came; what they say stays.
//!
//! In small steps with rests between them, and stepping aside while jobs of other queues run. A document is
//! unpacked again and compared before its old bytes go, and they go only if they are still those that were read. It
//! goes on where it stopped; done again, it does what has come since.

mod choose;
mod survey;

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::survey::Estimate;

use self::choose::{rest_after, share};
use self::survey::{
    KINDS, count, dictionary, new_packer, off_the_arbiter, read_dictionary, read_spot, survey,
    try_out,
};
use super::failed::bad_arguments;
use super::upkeep::{give_back, job, percent, store_failed};
use super::{MAINTENANCE, Policies};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::model::records::{Payload, PayloadKind};
use crate::model::{
    Failure, JobState, MatchId, NewJob, Outcome, Priority, RetryPolicy, Timestamp, counted,
};
use crate::riot::{LEVELS, Packer, Repack, RiotError, to_gzip};
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::repack::{Packing, Repacked, Spot};
use crate::store::{JobFilter, Store, StoreResult};

/// Everything else is more urgent.
const LAST: u8 = 9;
/// Documents, and bytes of them, that are read, packed and replaced at once.
const DOCUMENTS: usize = 32;
const BYTES: usize = 512 * 1024;
/// Running jobs that are looked at, newest first: the queue of maintenance alone never runs so many.
const RUNNING: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecompressArgs {
    /// Only tell what it would save.
    #[serde(default)]
    pub dry_run: bool,
    /// Back to gzip.
    #[serde(default)]
    pub undo: bool,
    #[serde(default = "nine")]
    pub level: i32,
    /// Of one core, while no other queue works.
    #[serde(default = "fifty")]
    pub cpu_percent: u32,
}

fn nine() -> i32 {
    9
}

fn fifty() -> u32 {
    50
}

impl Default for RecompressArgs {
    fn default() -> Self {
        Self {
            dry_run: false,
            undo: false,
            level: nine(),
            cpu_percent: fifty(),
        }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Recompress {
    policies: Policies,
}

impl Recompress {
    pub const KIND: &str = "recompress";

    pub fn new(policies: Policies) -> Self {
        Self { policies }
    }
}

/// What became of the documents of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Tally {
    /// Packed anew.
    documents: u64,
    /// What those took, and what they take.
    bytes_before: u64,
    bytes_after: u64,
    /// Would not be smaller.
    kept: u64,
    /// Cannot be read; `recover --verify` fetches them again.
    unreadable: u64,
    /// Became another while they were packed, or were deleted.
    changed: u64,
    /// Too few for a dictionary: left as they are.
    too_few: u64,
}

/// How far a recompression is, as its job keeps it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// The last document that is done.
    after: Spot,
    done: u64,
    total: u64,
    /// Of matches and timelines; known once it was looked for.
    dictionaries: Option<[Option<i32>; 2]>,
    tallies: [Tally; 2],
}

impl Task<dyn Store> for Recompress {
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
        let args: RecompressArgs = serde_json::from_str(args).map_err(|error| error.to_string())?;
        if !LEVELS.contains(&args.level) {
            let (least, most) = LEVELS.into_inner();
            return Err(format!(
                "level is {}; {least} to {most} are taken",
                args.level
            ));
        }
        if !(1..=100).contains(&args.cpu_percent) {
            return Err(format!(
                "cpu_percent is {}; 1 to 100 are taken",
                args.cpu_percent
            ));
        }
        let text = serde_json::to_string(&args).expect("numbers are JSON");
        let key = match args {
            RecompressArgs { dry_run: true, .. } => "dry-run",
            RecompressArgs { undo: true, .. } => "undo",
            _ => "all",
        };
        let (priority, policy) = (Priority::new(LAST), self.policies.maintenance);
        Ok(job(Self::KIND, key, text, priority, policy))
    }

    fn form(&self) -> Option<Form> {
        let about = "Packs the stored documents tighter.";
        Some(form!(
            Self::KIND,
            about,
            RecompressArgs {
                level: Shown::Asked("Level", "9"),
                cpu_percent: Shown::Asked("Processor time at most, in percent", "50"),
                undo: Shown::Asked("Back to how Riot sent them", "no"),
                dry_run: Shown::Asked("Only count", "no"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        Box::pin(async move {
            match serde_json::from_str(&context.job.args) {
                Ok(args) => recompress(&context, args)
                    .await
                    .unwrap_or_else(|error| store_failed(&error)),
                Err(error) => bad_arguments(&error),
            }
        })
    }
}

/// What a recompression would save, of matches and of timelines. Trains and packs some of them; writes nothing.
pub async fn estimate_recompression(store: &dyn Store, args: RecompressArgs) -> StoreResult<Value> {
    let now = Timestamp::now();
    let mut result = json!({ "dry_run": true, "undo": false, "level": args.level });
    for found in &survey(store).await? {
        let estimate = try_out(store, found, args.level, now).await?;
        result[found.kind.as_str()] = json!(estimate);
    }
    Ok(result)
}

async fn recompress(context: &JobContext, args: RecompressArgs) -> StoreResult<TaskResult> {
    let store = context.store();
    if args.dry_run {
        return Ok(TaskResult::complete(
            estimate_recompression(store, args).await?,
        ));
    }
    let known = store.job(context.lease().job).await?;
    let known = known.and_then(|job| serde_json::from_value(job.progress).ok());
    let mut place: Place = known.unwrap_or_default();
    let begun = Instant::now();
    let (packing, packers) = if args.undo {
        if place.total == 0 {
            place.total = count(store, Packing::Zstd).await?;
        }
        (Packing::Zstd, [None, None])
    } else {
        (Packing::Gzip, packers(store, args.level, &mut place).await?)
    };
    rest(context, begun, args.cpu_percent).await?;
    let mut run = Run {
        context,
        args,
        place,
        packers,
    };
    if let Some(end) = run.all(packing).await? {
        return Ok(end);
    }
    if args.undo {
        store
            .drop_dictionaries(Timestamp::from_millis(i64::MAX))
            .await?;
    }
    give_back(store).await?;
    let [matches, timelines] = run.place.tallies;
    Ok(TaskResult::complete(json!({
        "dry_run": false, "undo": args.undo, "level": args.level,
        "match": matches, "timeline": timelines,
    })))
}

/// A packer for each kind that has, or can get, a dictionary.
async fn packers(
    store: &dyn Store,
    level: i32,
    place: &mut Place,
) -> StoreResult<[Option<Packer>; 2]> {
    let mut found = [None, None];
    if let Some(known) = place.dictionaries {
        for (which, id) in known.into_iter().enumerate() {
            if let Some(id) = id {
                found[which] = read_dictionary(store, id).await?;
            }
        }
        let all = known.iter().zip(&found);
        if !all
            .clone()
            .all(|(id, found)| id.is_some() == found.is_some())
        {
            place.dictionaries = None;
        }
    }
    if place.dictionaries.is_none() {
        let now = Timestamp::now();
        place.total = 0;
        for (which, of_kind) in survey(store).await?.iter().enumerate() {
            found[which] = dictionary(store, of_kind, now).await?;
            place.total += of_kind.sample.offered();
        }
        place.total += place.done;
        let ids = [0, 1].map(|which| found[which].as_ref().map(|known| known.id));
        place.dictionaries = Some(ids);
    }
    let [matches, timelines] = found.map(|known| known.map(|known| new_packer(level, known)));
    Ok([matches.transpose()?, timelines.transpose()?])
}

/// One attempt of a recompression.
struct Run<'a> {
    context: &'a JobContext,
    args: RecompressArgs,
    place: Place,
    packers: [Option<Packer>; 2],
}

/// A document that was read.
type Read = (PayloadKind, MatchId, Payload);

impl Run<'_> {
    /// Takes all documents that are packed so. Returns what ends the attempt before its time.
    async fn all(&mut self, packing: Packing) -> StoreResult<Option<TaskResult>> {
        let store = self.context.store();
        loop {
            let begun = Instant::now();
            let spots = store
                .packed_after(packing, &self.place.after, DOCUMENTS)
                .await?;
            if spots.is_empty() {
                return Ok(None);
            }
            let documents = self.read(&spots).await?;
            let replaced = self.replace(documents).await?;
            let done = percent(self.place.done, self.place.total.max(self.place.done));
            let step = if self.args.undo {
                "unpacking"
            } else {
                "repacking"
            };
            let told = json!(self.place);
            let _ = self.context.progress(step, done, told).await?;
            if !replaced {
                let why = "somebody deleted the dictionary that documents are packed with; they stayed as they were";
                let failure = Failure::new("dictionary", why.to_owned()).retryable();
                return Ok(Some(Outcome::Retry(failure).into()));
            }
            rest(self.context, begun, self.args.cpu_percent).await?;
            if self.context.cancel().is_requested() {
                let after = counted(self.place.done, "document", "documents");
                let why = format!("cancelled after {after}");
                return Ok(Some(Outcome::Cancel(why).into()));
            }
        }
    }

    /// Reads as many of these as make a step, and moves the place on behind them.
    async fn read(&mut self, spots: &[Spot]) -> StoreResult<Vec<Read>> {
        let store = self.context.store();
        let (mut documents, mut bytes) = (Vec::new(), 0);
        for spot in spots {
            if bytes >= BYTES {
                break;
            }
            self.place.after = spot.clone();
            let Some((kind, id)) = read_spot(spot) else {
                continue;
            };
            self.place.done += 1;
            if !self.args.undo && self.packers[index(kind)].is_none() {
                self.place.tallies[index(kind)].too_few += 1;
                continue;
            }
            if let Some(payload) = store.payload(kind, id).await? {
                bytes += payload.body.len();
                documents.push((kind, id, payload));
            }
        }
        Ok(documents)
    }

    /// Packs documents anew and replaces those that are still what they were. False: their dictionary is gone.
    async fn replace(&mut self, documents: Vec<Read>) -> StoreResult<bool> {
        let store = self.context.store();
        let mut packers = std::mem::take(&mut self.packers);
        let undo = self.args.undo;
        let (packers, packed) = off_the_arbiter(move || {
            let packed: Vec<(Read, Result<Repack, RiotError>)> = documents
                .into_iter()
                .map(|(kind, id, payload)| {
                    let repacked = match &mut packers[index(kind)] {
                        Some(packer) if !undo => packer.repack(&payload),
                        _ => to_gzip(&payload),
                    };
                    ((kind, id, payload), repacked)
                })
                .collect();
            (packers, packed)
        })
        .await?;
        self.packers = packers;
        for kind in KINDS {
            let tally = &mut self.place.tallies[index(kind)];
            let (mut replacements, mut before, mut after) = (Vec::new(), 0, 0);
            for ((_, id, was), repacked) in packed.iter().filter(|one| one.0.0 == kind) {
                match repacked {
                    Ok(Repack::Done(now)) => {
                        before += was.body.len() as u64;
                        after += now.body.len() as u64;
                        replacements.push(Repacked {
                            kind,
                            id: *id,
                            was: was.clone(),
                            now: now.clone(),
                        });
                    }
                    Ok(Repack::Kept) => tally.kept += 1,
                    Err(error) => {
                        tracing::warn!("the stored {} of {id}: {error}", kind.as_str());
                        tally.unreadable += 1;
                    }
                }
            }
            let offered = replacements.len() as u64;
            if offered == 0 {
                continue;
            }
            let dictionary = replacements[0].now.codec.dictionary();
            let replaced = store.repack(replacements).await?;
            if replaced < offered
                && let Some(id) = dictionary
                && store.dictionary(id).await?.is_none()
            {
                self.place.dictionaries = None;
                return Ok(false);
            }
            tally.documents += replaced;
            tally.changed += offered - replaced;
            // Of a few that were changed meanwhile nobody needs to know the sizes.
            tally.bytes_before += before * replaced / offered;
            tally.bytes_after += after * replaced / offered;
        }
        Ok(true)
    }
}

fn index(kind: PayloadKind) -> usize {
    usize::from(kind == PayloadKind::Timeline)
}

/// A step that began then is over: rests so that work takes its share of a core, or a tenth of it while jobs of
/// other queues run. Ends early when the job is to be cancelled.
async fn rest(context: &JobContext, begun: Instant, percent: u32) -> StoreResult<()> {
    let worked = begun.elapsed();
    let running = JobFilter {
        state: Some(JobState::Running),
        limit: RUNNING,
        ..JobFilter::default()
    };
    let running = context.store().list_jobs(&running).await?;
    let others = running.jobs.iter().any(|job| job.queue != MAINTENANCE);
    tokio::select! {
        () = tokio::time::sleep(rest_after(worked, share(percent, others))) => {}
        () = context.cancel().requested() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_usual_values_and_bounds() {
        let task = Recompress::new(Policies::default());
        let job = task.order("{}").unwrap();
        assert_eq!((job.queue, job.priority), (MAINTENANCE, Priority::new(9)));
        let args: RecompressArgs = serde_json::from_str(&job.args).unwrap();
        assert_eq!(args, RecompressArgs::default());
        let undo = task.order(r#"{"undo":true}"#).unwrap();
        assert_ne!(undo.key, job.key, "it does not join what it is to undo");
        for (args, word) in [
            (r#"{"level":20}"#, "1 to 19"),
            (r#"{"level":0}"#, "1 to 19"),
            (r#"{"cpu_percent":0}"#, "1 to 100"),
            (r#"{"speed":1}"#, "speed"),
        ] {
            let why = task.order(args).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }
}

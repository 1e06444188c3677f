//! Durable state: the `Store` trait and the databases behind it. The only SQL of the project.
//!
//! A store decides nothing: it writes what it is told, if the lease of the attempt still matches.
//! Every method that writes is one transaction: all of it is there after any crash, or none.
//!
//! Deliberately absent: retry policy, queues' slots, League rules beyond "a match is counted once".

pub(in crate::store) mod absence;
#[cfg(test)]
mod agreement;
pub mod copy;
mod error;
pub mod export;
#[cfg(test)]
pub(crate) mod ledger;
mod location;
pub mod open_tree;
pub mod people;
pub mod postgres;
#[cfg(test)]
mod prepared;
#[cfg(test)]
mod properties;
pub mod question;
pub mod queue_progress;
#[cfg(test)]
pub(crate) mod random_calls;
pub mod repack;
mod rows;
pub mod schedules;
#[cfg(test)]
#[path = "../../tests/support/scratch.rs"]
pub(crate) mod scratch;
pub mod sqlite;
mod statement;
pub mod synthetic;
pub mod upkeep;
pub mod world;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
use tokio::sync::Notify;

pub use absence::Away;
pub use error::StoreError;
pub use export::ExportStore;
pub use location::Location;
pub use open_tree::OpenTree;
pub use people::PeopleStore;
pub use queue_progress::ProbeStore;
pub use repack::RepackStore;
pub use schedules::ScheduleStore;
pub use upkeep::{Cleanup, Leftovers, ParticipantRow, Repair, StoredDocuments, UnreadRow};

use crate::metrics::Words;
use crate::model::board_time::BoardTime;
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::model::histogram::Times;
use crate::model::missing::MissingCounts;
use crate::model::records::{
    MatchRecord, Payload, PayloadKind, PlayerRecord, TimelineRecord, UnreadPayload,
};
use crate::model::statistics::YearlyTally;
use crate::model::suspicion::Death;
use crate::model::{
    ClaimedJob, JobId, JobRecord, JobState, Lease, MatchId, MissingDocument, NewJob, Platform,
    Priority, Puuid, RiotId, Settlement, Timestamp,
};

pub type StoreResult<T> = Result<T, StoreError>;

/// A change of data that belongs to the completion of a job.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A match with its participants, players and statistics. Stored before: nothing changes.
    Match {
        record: Arc<MatchRecord>,
        payload: Payload,
        key_fingerprint: Arc<str>,
    },
    Timeline {
        record: TimelineRecord,
        payload: Payload,
    },
    Player {
        record: PlayerRecord,
        key_fingerprint: Arc<str>,
        /// Rows of the same person, with puuids of other keys: they become one row.
        was: Vec<i64>,
    },
    /// A document that the API does not give; `first_seen` stays what it was.
    Missing(MissingDocument),
    /// A document without rows. Where there are rows of it, nothing changes, unless it `replaces` what is broken.
    Unread(UnreadPayload),
    Repair(Repair),
    /// A player's year as Riot lists it; the player is in a row, or comes with the same end.
    Listed(ListedYear),
}

/// A player's year as Riot listed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedYear {
    pub puuid: Puuid,
    pub platform: Platform,
    pub year: i16,
    /// Matches of that year in the list.
    pub matches: u32,
    pub end: ListEnd,
    /// What of it was not stored.
    pub unstored: Vec<MatchId>,
}

/// Whether a player's list reaches back to the beginning of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListEnd {
    /// It does, or did when it was first looked at.
    Before,
    /// It ends with this match of the year; none: it has none of the year.
    At(Option<MatchId>),
}

impl ListEnd {
    /// As the column `list_ends_at` has it.
    pub(crate) fn to_column(self) -> Option<String> {
        match self {
            Self::Before => None,
            Self::At(oldest) => Some(oldest.map(|id| id.to_string()).unwrap_or_default()),
        }
    }

    pub(crate) fn from_column(text: Option<&str>) -> Self {
        // What somebody else wrote there is no match that could be looked up.
        text.map_or(Self::Before, |text| Self::At(text.parse().ok()))
    }
}

/// What of a player's year there is, and what Riot does not give of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YearCoverage {
    pub year: i16,
    pub platform: String,
    /// As it was listed the last time; none: it never was, and what is stored came with other players' matches.
    pub listed: Option<Listing>,
    pub missing_matches: MissingCounts,
    pub missing_timelines: MissingCounts,
    /// Listed matches whose document is stored and could not be read.
    pub unread_matches: u64,
    /// Listed matches that are to be fetched yet: a sync is under way, or did not come to its end.
    pub pending_matches: u64,
    /// Timelines of the player's matches that are stored and could not be read.
    pub unread_timelines: u64,
    /// Timelines of the player's matches that Riot may have, and that were not fetched: nobody wanted them, or not yet.
    pub pending_timelines: u64,
}

/// See [`YearCoverage::listed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    pub at: Timestamp,
    pub matches: u32,
    pub end: ListEnd,
    /// When the match was played with which the list ends; none: it does not, or that match is not stored.
    pub ends_at: Option<Timestamp>,
}

/// The end of an attempt: what it came to, what it wrote, which jobs it spawned. One transaction.
#[derive(Debug, Clone)]
pub struct Completion {
    pub settlement: Settlement,
    pub effects: Vec<Effect>,
    pub children: Vec<NewJob>,
    /// The engine lived to see this end: the job is not suspected of having killed one.
    pub survived: bool,
}

impl Completion {
    pub fn of(settlement: Settlement) -> Self {
        Self {
            settlement,
            effects: Vec::new(),
            children: Vec::new(),
            survived: true,
        }
    }

    /// Bytes of the documents that it stores.
    fn document_bytes(&self) -> usize {
        let bodies = self.effects.iter().map(|effect| match effect {
            Effect::Match { payload, .. } | Effect::Timeline { payload, .. } => payload.body.len(),
            Effect::Unread(unread) => unread.payload.body.len(),
            Effect::Player { .. } | Effect::Missing(_) | Effect::Repair(_) | Effect::Listed(_) => 0,
        });
        bodies.sum()
    }

    /// Refuses what the tables cannot hold before anything is written: nobody else's write is held up by it.
    fn check(&self) -> StoreResult<()> {
        self.effects.iter().try_for_each(|effect| match effect {
            Effect::Match { record, .. } => check_match(record),
            _ => Ok(()),
        })
    }
}

/// A participant is known by the match and its number there.
fn check_match(record: &MatchRecord) -> StoreResult<()> {
    let mut numbers: Vec<i32> = record
        .participants
        .iter()
        .map(|participant| participant.participant_id)
        .collect();
    numbers.sort_unstable();
    match numbers.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(StoreError::Refused(format!(
            "the match {} has two participants of the number {}; nothing of it was stored",
            record.id, pair[0]
        ))),
        None => Ok(()),
    }
}

/// What a write guarded by a lease did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Fenced {
    Applied,
    /// The attempt no longer holds the job: nothing was changed.
    Stale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    pub id: JobId,
    /// An open job with this key was there already.
    pub joined: bool,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub state: Option<JobState>,
    pub kind: Option<String>,
    pub queue: Option<String>,
    /// Only jobs that were enqueued before this one.
    pub before: Option<JobId>,
    pub limit: usize,
}

impl JobFilter {
    pub(in crate::store) fn row_limit(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }
}

/// Jobs of a list, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobList {
    pub jobs: Vec<JobRecord>,
    /// Only jobs from this one on were looked at, because nothing but a look at each tells which are meant; none: all
    /// were, or as many were found as were asked for.
    pub searched_to: Option<JobId>,
}

impl JobList {
    /// Before which job the list goes on; none: this was its end.
    pub fn next(&self, limit: usize) -> Option<JobId> {
        let last = self.jobs.last().filter(|_| self.jobs.len() >= limit);
        last.map(|job| job.id).or(self.searched_to)
    }
}

/// Jobs that one list looks at.
pub(crate) const SEARCHED_MAX: i64 = 25_000;

/// The ids that a list looks at, of those that there are: from the first to before the second.
pub(in crate::store) fn searched_ids(filter: &JobFilter, ids: (i64, i64)) -> (i64, i64) {
    let (oldest, newest) = ids;
    let end = filter
        .before
        .map_or(i64::MAX, |id| id.0)
        .min(newest.saturating_add(1));
    let is_whole = filter.state.is_none() && filter.kind.is_none() && filter.queue.is_none();
    if is_whole {
        return (oldest, end);
    }
    (end.saturating_sub(SEARCHED_MAX).max(oldest), end)
}

/// Open jobs of a queue in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCount {
    pub queue: String,
    pub state: JobState,
    pub jobs: u64,
}

/// Many jobs under one handle: a job that ends with the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub id: JobId,
    /// In the order they were given.
    pub jobs: Vec<Enqueued>,
}

/// The jobs a claim is for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub queue: &'a str,
    pub limit: usize,
    /// Jobs of these lanes are passed over.
    pub closed: &'a [String],
    /// Only jobs that are more urgent than this; none: all.
    pub before: Option<Priority>,
    /// Only jobs that are no more urgent than this; none: all.
    pub from: Option<Priority>,
}

impl<'a> Wanted<'a> {
    /// Any jobs of a queue.
    pub fn of(queue: &'a str, limit: usize) -> Self {
        Self {
            queue,
            limit,
            closed: &[],
            before: None,
            from: None,
        }
    }

    /// The priority that is too late.
    pub(crate) fn bound(&self) -> u8 {
        self.before.map_or(u8::MAX, Priority::get)
    }

    /// The first priority that is meant.
    pub(crate) fn begin(&self) -> u8 {
        self.from.map_or(Priority::FIRST.get(), Priority::get)
    }
}

/// What asking to cancel a job did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It did not run, and is cancelled now.
    Now,
    /// It runs; it is asked to end, and made to if it does not.
    Requested,
    /// It was final already.
    Final(JobState),
    Unknown,
}

/// What asking to run a failed job again did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It has all its attempts again.
    Available,
    /// Another open job of its kind and key does the same.
    Joined(JobId),
    /// It is not cancelled or discarded.
    NotFailed(JobState),
    Unknown,
}

/// What staging did: jobs whose time has come are available now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Staged {
    pub moved: usize,
    /// When the next waiting job is due.
    pub next_due: Option<Timestamp>,
}

/// What happened to the jobs of a dead engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rescued {
    pub returned: usize,
    /// Of those, jobs that may be what kills engines: they are not tried again at once.
    pub held_back: usize,
    /// Taken for the cause of the deaths, and discarded.
    pub poisoned: usize,
}

impl Rescued {
    pub(crate) fn count(&mut self, state: JobState) {
        match state {
            JobState::Discarded => self.poisoned += 1,
            state => {
                self.returned += 1;
                self.held_back += usize::from(state == JobState::Scheduled);
            }
        }
    }
}

/// A match that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredMatch {
    pub id: MatchId,
    pub game_start: Timestamp,
    pub year: i16,
}

/// What is known of the documents of a list of matches.
#[derive(Debug, Clone, Default)]
pub struct StoredMatches {
    pub matches: Vec<StoredMatch>,
    pub timelines: Vec<MatchId>,
    /// What the API did not give when it was asked.
    pub missing: Vec<MissingDocument>,
    /// Cleaned away on purpose.
    pub cleaned: Vec<MatchId>,
    /// Stored, and not made into rows.
    pub unread: Vec<(PayloadKind, MatchId)>,
}

impl StoredMatches {
    /// Those of the matches that are neither stored nor cleaned away.
    pub fn unstored(&self, ids: &[MatchId]) -> Vec<MatchId> {
        let there = self.matches.iter().map(|there| there.id);
        let there: HashSet<MatchId> = there.chain(self.cleaned.iter().copied()).collect();
        ids.iter()
            .filter(|id| !there.contains(id))
            .copied()
            .collect()
    }
}

/// A player and where to find the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPlayer {
    pub id: i64,
    pub puuid: Puuid,
    pub key_fingerprint: String,
    pub riot_id: Option<RiotId>,
    pub platform: Platform,
    pub profile_icon_id: Option<i32>,
    pub summoner_level: Option<i64>,
}

/// One row of `player_yearly_stats`.
#[derive(Debug, Clone, PartialEq)]
pub struct YearlyStats {
    pub player_id: i64,
    pub year: i16,
    pub platform: String,
    pub tally: YearlyTally,
}

/// Which versions of the tables a database has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrations {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
}

impl Migrations {
    /// What is read by this program needs its tables.
    fn refuse_older(&self, database: impl std::fmt::Display) -> StoreResult<()> {
        match self.pending.len() {
            0 => Ok(()),
            behind => Err(StoreError::Older {
                database: database.to_string(),
                behind,
            }),
        }
    }
}

/// What a database holds, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    pub players: u64,
    pub matches: u64,
    pub timelines: u64,
    pub open_jobs: u64,
}

/// An engine that was silent so long is dead: its jobs are returned.
pub const DEAD_AFTER: Duration = Duration::from_secs(20);
/// How long an engine leads after it was heard.
pub const LEADS_FOR: Duration = Duration::from_secs(15);

/// What an engine hears when it tells that it lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beat {
    /// It leads, in this term, for [`LEADS_FOR`] from before it asked.
    pub leads: Option<i64>,
    /// It was taken for dead, and its jobs were returned.
    pub was_dead: bool,
    /// Other engines that live.
    pub others: u32,
}

/// An engine, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineRow {
    pub id: String,
    pub pid: u32,
    pub host: String,
    pub version: String,
    pub started_at: Timestamp,
    /// How long it was not heard.
    pub silent: Duration,
    pub state: EngineState,
    pub leads: bool,
    /// Jobs that it holds.
    pub running: u64,
}

/// Whether an engine lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineState {
    Alive,
    /// It was silent too long.
    Dead,
    Stopped,
}

impl EngineState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Dead => "dead",
            Self::Stopped => "stopped",
        }
    }
}

/// This process, as other engines know it.
#[derive(Debug, Clone)]
pub struct EngineInfo {
    /// New at every process start.
    pub id: String,
    pub pid: u32,
    pub host: String,
    pub version: &'static str,
}

/// Who reports on a board of budgets, and on which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetMember {
    pub key_fingerprint: Arc<str>,
    pub route: &'static str,
    /// New for every life of a limiter.
    pub engine: Arc<str>,
}

/// How an outage of a database is told.
const WRITES: Words = Words {
    over: "everything goes on: the database can be written again",
    failures: "writes failed",
};

/// Commits of the writer, for people and the metrics log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterStats {
    pub commits: u64,
    pub commands: u64,
    /// Writes refused because their lease was no longer theirs.
    pub stale: u64,
    /// Commands that wait for the writer now.
    pub waiting: u64,
    /// A commit is under way, or was tried and could not be made.
    pub busy: bool,
    /// How long its commits took, from the first command of a group to the disk.
    pub times: Times,
}

/// Hints that a queue may have work: set by commits, coalesced, never the truth (the claim is).
#[derive(Debug, Default)]
pub struct Hints {
    queues: DashMap<String, Arc<Notify>>,
    schedule: Notify,
    cancels: Notify,
    schedules: Notify,
}

impl Hints {
    pub fn queue(&self, queue: &str) -> Arc<Notify> {
        self.queues.entry(queue.to_owned()).or_default().clone()
    }

    /// Wakes one waiter of the queue, now or at its next wait.
    pub fn notify(&self, queue: &str) {
        match self.queues.get(queue) {
            Some(notify) => notify.notify_one(),
            None => self.queue(queue).notify_one(),
        }
    }

    /// The same for a queue that somebody waits for; any other is nobody's.
    pub fn notify_if_known(&self, queue: &str) {
        if let Some(notify) = self.queues.get(queue) {
            notify.notify_one();
        }
    }

    /// Something was put on the schedule earlier than the stager may know.
    pub fn schedule(&self) -> &Notify {
        &self.schedule
    }

    /// A running job is to be cancelled, or to hurry.
    pub fn cancels(&self) -> &Notify {
        &self.cancels
    }

    /// Somebody changed the schedules.
    pub fn schedules(&self) -> &Notify {
        &self.schedules
    }
}

#[async_trait]
pub trait Store:
    OpenTree
    + ScheduleStore
    + PeopleStore
    + ProbeStore
    + ExportStore
    + RepackStore
    + Send
    + Sync
    + fmt::Debug
{
    // Jobs. Each verb is one transition.

    /// Enqueues in one transaction; a job whose key is open joins it, at the higher priority of both, and takes
    /// its open descendants along. What a job spawns is at least as urgent as the job has become by then.
    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Vec<Enqueued>>;
    /// The same for many jobs under one handle.
    async fn enqueue_batch(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Batch>;
    /// Cancels a job, and with it those of its children that nobody else asked for or waits for. A
    /// running one is asked to end first.
    async fn cancel(&self, id: JobId, now: Timestamp) -> StoreResult<Cancelled>;
    /// Gives a cancelled or discarded job all its attempts again.
    async fn retry(&self, id: JobId, now: Timestamp) -> StoreResult<Retried>;
    /// The running attempts of this engine that are to be cancelled.
    async fn cancel_requests(&self, engine: &str) -> StoreResult<Vec<Lease>>;
    /// Deletes up to `limit` jobs that were finished before the moment. Returns how many.
    async fn prune(&self, before: Timestamp, limit: usize) -> StoreResult<usize>;
    /// Makes available jobs running, first by priority, then
    /// by turn (the flows of a queue take turns), then by age.
    /// Jobs that may be what kills engines are claimed in groups (`model::suspicion`), so that one that does is told
    /// from those that were there by chance.
    async fn claim(
        &self,
        wanted: Wanted<'_>,
        engine: &str,
        now: Timestamp,
    ) -> StoreResult<Vec<ClaimedJob>>;
    async fn progress(
        &self,
        lease: Lease,
        step: &'static str,
        percent: u8,
        counters: serde_json::Value,
    ) -> StoreResult<Fenced>;
    /// Ends an attempt: effects, children, links, the job's own state and what follows for its parents.
    async fn settle(
        &self,
        lease: Lease,
        completion: Arc<Completion>,
        now: Timestamp,
    ) -> StoreResult<Fenced>;
    /// Makes scheduled and retryable jobs available whose time has come.
    async fn stage(&self, now: Timestamp) -> StoreResult<Staged>;
    /// An attempt runs now, and nothing else in its engine does.
    async fn runs_alone(&self, lease: Lease) -> StoreResult<Fenced>;
    /// How an engine died, as it is now known. False: this database knows no such engine.
    async fn died(&self, engine: &str, death: Death) -> StoreResult<bool>;
    /// Other engines are gone whose jobs nobody has returned yet.
    fn knows_of_deaths(&self) -> bool {
        false
    }
    /// Whether others can see that this engine lives. One that they cannot see starts nothing.
    fn is_seen(&self) -> bool {
        true
    }
    /// Returns the running jobs of dead engines: those whose session is gone, or that were silent for [`DEAD_AFTER`],
    /// by the clock of the database; on SQLite, which has one engine at a time, those of every engine but `alive`.
    async fn rescue(&self, alive: &str, now: Timestamp) -> StoreResult<Rescued>;
    /// Hands back running jobs of this engine (of one queue, or all) without spending their attempt,
    /// but those in `keep`.
    async fn release(
        &self,
        engine: &str,
        queue: Option<&str>,
        keep: &[Lease],
        now: Timestamp,
    ) -> StoreResult<usize>;
    /// Puts an engine's report of a key's use of a route on the board that engines of the key share, and
    /// takes what it may use.
    async fn share_budget(
        &self,
        member: BudgetMember,
        report: BoardReport,
        now: BoardTime,
    ) -> StoreResult<BoardGrant>;
    /// Whether other engines may use the database too.
    fn is_shared(&self) -> bool;
    /// Tells that an engine lives, and takes or keeps the lead for it if nobody else has it.
    async fn beat(&self, engine: &EngineInfo) -> StoreResult<Beat>;
    /// The attempts that an engine holds.
    async fn held(&self, engine: &str) -> StoreResult<Vec<(Lease, Priority)>>;
    /// Engines that live, or died or stopped within the last day; oldest first.
    async fn engines(&self) -> StoreResult<Vec<EngineRow>>;
    async fn engine_started(&self, engine: EngineInfo, now: Timestamp) -> StoreResult<()>;
    async fn engine_stopped(&self, engine: &str, now: Timestamp) -> StoreResult<()>;
    async fn job(&self, id: JobId) -> StoreResult<Option<JobRecord>>;
    /// Those of these jobs that there are, in any order.
    async fn jobs_by_id(&self, ids: &[JobId]) -> StoreResult<Vec<JobRecord>>;
    /// Newest first. One list looks at a bounded number of jobs, and says how far it got.
    async fn list_jobs(&self, filter: &JobFilter) -> StoreResult<JobList>;
    /// What is open, by queue and state; none of a queue and state: no line.
    async fn open_counts(&self) -> StoreResult<Vec<OpenCount>>;
    /// Jobs not in a final state.
    async fn open_jobs(&self) -> StoreResult<u64> {
        let counts = self.open_counts().await?;
        Ok(counts.iter().map(|count| count.jobs).sum())
    }

    // Data.

    /// The gap analysis: what of these matches is stored, with rows or unread, and what the API did not give.
    async fn stored_matches(&self, ids: &[MatchId]) -> StoreResult<StoredMatches>;
    /// Missing documents that are to be asked for again by now, those that are due longest first.
    async fn due_documents(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<MissingDocument>>;
    /// A match of one of these platforms that was stored lately and played since the moment, if there is one among
    /// those stored last.
    async fn witness_match(
        &self,
        platforms: &[&str],
        played_since: Timestamp,
    ) -> StoreResult<Option<MatchId>>;
    async fn player(&self, riot_id: &RiotId) -> StoreResult<Option<StoredPlayer>>;
    /// All rows of that name, newest first: one person has several if puuids came from several keys.
    async fn namesakes(&self, riot_id: &RiotId) -> StoreResult<Vec<StoredPlayer>>;
    /// A player's years, as Riot listed them and by what is missing of them. Timelines of matches that were played
    /// before `timelines_gone` are counted as too old where they are not stored.
    async fn coverage(
        &self,
        player_id: i64,
        timelines_gone: Option<Timestamp>,
    ) -> StoreResult<Vec<YearCoverage>>;
    async fn yearly_stats(
        &self,
        player_id: i64,
        year: Option<i16>,
    ) -> StoreResult<Vec<YearlyStats>>;
    /// The same rows, recomputed from `match_participants` and from what cleaned matches count for.
    async fn recomputed_stats(&self, player_id: i64) -> StoreResult<Vec<YearlyStats>>;
    async fn payload(&self, kind: PayloadKind, id: MatchId) -> StoreResult<Option<Payload>>;

    // Upkeep.

    /// All that is stored of these matches, at one moment.
    async fn documents(&self, ids: &[MatchId]) -> StoreResult<Vec<StoredDocuments>>;
    /// Stored matches that a player is a participant of.
    async fn matches_of(&self, player_id: i64, year: i16) -> StoreResult<Vec<MatchId>>;
    /// Matches after this one in the order of their ids, by rows or payloads.
    async fn matches_after(&self, id: &str, limit: usize) -> StoreResult<Vec<MatchId>>;
    /// Those of these players whose statistics are not what they add up to.
    async fn false_statistics(&self, players: &[i64]) -> StoreResult<Vec<i64>>;
    /// Those of these puuids that a row of `players` has.
    async fn known_puuids(&self, puuids: &[&str]) -> StoreResult<Vec<String>>;
    /// Players that were synced by name, the longest ago first.
    async fn players_to_recover(&self) -> StoreResult<Vec<StoredPlayer>>;
    /// Discarded jobs for the documents of these matches.
    async fn discarded_jobs(&self, ids: &[MatchId]) -> StoreResult<u64>;
    /// Puts rows right, all in one transaction. Doing it again changes nothing.
    async fn repair(&self, repairs: Vec<Repair>, now: Timestamp) -> StoreResult<()>;
    /// What there is to clean away.
    async fn leftovers(&self, before: Timestamp) -> StoreResult<Leftovers>;
    /// One small transaction of a cleanup: returns how many matches went.
    async fn clean(&self, cleanup: Cleanup, now: Timestamp) -> StoreResult<u64>;
    /// Deletes up to `limit` payloads of no match, and of what is older than the moment engines that ended and
    /// dictionaries that no payload needs. Returns how many.
    async fn clean_orphans(&self, before: Timestamp, limit: usize) -> StoreResult<u64>;
    /// Gives the file system up to so many pages back; returns how many are still free in the file.
    async fn give_back(&self, pages: u32) -> StoreResult<u64>;

    // The store itself.

    async fn census(&self) -> StoreResult<Census>;
    /// Matches and timelines that are stored and could not be made into rows.
    async fn count_unread(&self) -> StoreResult<[u64; 2]>;

    fn hints(&self) -> &Hints;
    fn writer_stats(&self) -> WriterStats;
    /// Whether the database cannot be used now, as far as is known: nothing is asked.
    fn away(&self) -> Option<Away> {
        None
    }
    /// What the database takes on the disk; none if it does not tell.
    async fn size_bytes(&self) -> StoreResult<Option<u64>> {
        Ok(None)
    }
    /// Resolves when the writer has died and must be started again.
    async fn writer_died(&self) -> String;
    /// Resolves when the database can be used no more, by this engine or any other, until somebody has done what the
    /// reason says. Every call fails with that reason then.
    async fn ended(&self) -> StoreError {
        std::future::pending().await
    }
    fn restart_writer(&self) -> StoreResult<()>;
    /// Commits what is queued and closes the files.
    async fn close(&self) -> StoreResult<()>;
}

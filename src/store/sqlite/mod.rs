//! The embedded database: SQLite, one writer thread with group commit, readers beside it.
//!
//! Invariants: one engine per file (a lock file with its pid); every write goes through the one
//! writer; nothing is reported as written before its commit is on the disk.

mod attempts;
mod backup;
mod budgets;
mod checkpoints;
mod codes;
mod data;
mod data_statements;
mod enqueue;
mod export;
mod ground;
mod job_statements;
mod lists;
mod log;
pub(in crate::store) mod open;
mod open_tree;
mod peek;
mod people;
mod queue_progress;
mod reader;
mod relations;
mod repack;
mod schedules;
mod transaction;
mod upkeep;
mod upkeep_statements;
mod writer;

use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use async_trait::async_trait;
use diesel::result::OptionalExtension;
use tokio::sync::{mpsc, watch};

pub use self::backup::{Backup, Written};
use self::checkpoints::Checkpoints;
pub(in crate::store) use self::codes::{Class, class_of};
use self::ground::Ground;
pub(in crate::store) use self::reader::TooLate;
use self::reader::{ReadDsl, Readers};
use self::transaction::Transaction;
use self::writer::{Command, Counters};
use super::question;
use super::repack::Dictionaries;
use super::rows::{
    CensusTuple, CountTuple, CoverageTuple, EngineTuple, JobTuple, PlayerTuple, StoredTuple,
    TallyTuple, census_from, counts_from, coverage_from, engine_from, held_from, job_from,
    player_from, recomputed_from, stored_from, tallies_from, to_json, witness_from,
};
use super::upkeep::{
    DocumentTuple, LeftoversTuple, PlayersGame, StatsTuple, Tallies, YearTuple, add_up, differing,
    documents_from, ids_from, job_keys, leftovers_from,
};
use super::{
    Away, Batch, Beat, BudgetMember, Cancelled, Census, Cleanup, Completion, EngineInfo, EngineRow,
    Enqueued, Fenced, Hints, JobFilter, JobList, Leftovers, Migrations, OpenCount, Repair, Rescued,
    Retried, Staged, Store, StoreError, StoreResult, StoredDocuments, StoredMatches, StoredPlayer,
    Wanted, WriterStats, YearCoverage, YearlyStats,
};
use crate::model::board_time::BoardTime;
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::model::records::{Payload, PayloadKind};
use crate::model::suspicion::Death;
use crate::model::{
    ClaimedJob, JobId, JobRecord, Lease, MatchId, MissingDocument, NewJob, Priority, RiotId,
    Timestamp,
};

/// What the statements of this module are for.
type Backend = diesel::sqlite::Sqlite;

/// A riftsync database in one file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    ground: Arc<Ground>,
    writer: Mutex<Option<Writer>>,
    readers: Readers,
    dictionaries: Dictionaries,
    hints: Arc<Hints>,
    counters: Arc<Counters>,
    /// The reason why the writer died; `None` while it lives.
    death: watch::Sender<Option<String>>,
    _lock: Option<open::EngineLock>,
}

#[derive(Debug)]
struct Writer {
    commands: mpsc::Sender<Box<dyn Command>>,
    thread: JoinHandle<()>,
}

/// Sets SQLite for this program. Its own locks around every connection and every allocation guard against what
/// safe code cannot do: without one, a connection must be used by one thread at a time, and diesel's are used by
/// `&mut` alone.
///
/// # Safety
/// No other thread may use SQLite meanwhile: to be called before there is one.
#[allow(unsafe_code, reason = "SQLite is configured by C functions only")]
pub unsafe fn tune() {
    use libsqlite3_sys::{SQLITE_CONFIG_MEMSTATUS, SQLITE_CONFIG_MULTITHREAD, sqlite3_config};
    // SAFETY: the caller's promise is what `sqlite3_config` asks for. A refusal changes nothing.
    unsafe {
        sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0_i32);
    }
}

impl SqliteStore {
    /// Opens the file for an engine: locks it, makes or migrates it, starts the writer.
    pub fn open(path: &Path) -> StoreResult<Self> {
        open::make_folder(path)?;
        open::check_file(path, open::Purpose::Write)?;
        let lock = open::lock(path)?;
        let store = Self::without_writer(path, Some(lock));
        store.restart_writer()?;
        Ok(store)
    }

    /// An error if there is no such file.
    pub fn refuse_absent(path: &Path) -> StoreResult<()> {
        if path.exists() {
            return Ok(());
        }
        Err(StoreError::Unopenable {
            path: path.to_owned(),
            cause: "it does not exist yet; `riftsync sync` makes it".to_owned(),
        })
    }

    /// Opens the file to read only, beside an engine that may be running.
    pub fn open_read_only(path: &Path) -> StoreResult<Self> {
        Self::refuse_absent(path)?;
        Self::inspect(path)?.refuse_older(path.display())?;
        Ok(Self::without_writer(path, None))
    }

    /// Which migrations a file has and which it lacks; changes nothing.
    pub fn inspect(path: &Path) -> StoreResult<Migrations> {
        open::inspect(path)
    }

    fn without_writer(path: &Path, lock: Option<open::EngineLock>) -> Self {
        let ground = Arc::new(Ground::new(path));
        Self {
            path: path.to_owned(),
            writer: Mutex::new(None),
            readers: Readers::new(ground.clone()),
            ground,
            dictionaries: Dictionaries::default(),
            hints: Arc::default(),
            counters: Arc::default(),
            death: watch::Sender::new(None),
            _lock: lock,
        }
    }

    /// Runs work in a group of the writer; the answer comes after its commit.
    async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> StoreResult<T> + Send + 'static,
    {
        self.write_heavy(0, work).await
    }

    /// The same with so many bytes of documents.
    async fn write_heavy<T, F>(&self, weight: u64, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Transaction<'_>) -> StoreResult<T> + Send + 'static,
    {
        let commands = self
            .lock_writer()
            .as_ref()
            .map(|writer| writer.commands.clone())
            .ok_or(StoreError::Closed)?;
        let (command, fate, answered) = writer::command(work, weight);
        let written = async {
            commands.send(command).await.map_err(|_| writer_gone())?;
            answered.await.map_err(|_| writer_gone())?
        };
        question::written(&fate, written, false, || ready(self.stuck())).await
    }

    /// Why a write that takes its time is not made; none: the writer is at work.
    fn stuck(&self) -> Option<StoreError> {
        let why = "another program holds it locked";
        if self.counters.is_locked_out() {
            self.counters.absence.unwritable(why);
        }
        self.counters.absence.now().map(StoreError::from)
    }

    /// What players' games add up to.
    async fn tallies(&self, players: &[i64]) -> StoreResult<Tallies> {
        let players = &to_json(&players)?;
        let mut reader = self.readers.borrow().await?;
        let games: Vec<PlayersGame> = upkeep_statements::GamesOfPlayers { players }
            .load(reader.conn())
            .await?;
        let cleaned: Vec<YearTuple> = upkeep_statements::CleanedOfPlayers { players }
            .load(reader.conn())
            .await?;
        add_up(games, cleaned)
    }

    /// Makes the writer's thread panic in the middle of a group.
    #[cfg(test)]
    pub(crate) async fn panic_in_writer(&self) {
        let _ = self.write::<(), _>(|_| panic!("a bug in a command")).await;
    }

    fn lock_writer(&self) -> std::sync::MutexGuard<'_, Option<Writer>> {
        // The lock guards two plain values; a panic elsewhere cannot leave them half written.
        self.writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The writer died before the commit: nothing was written, the supervisor starts a new one.
fn writer_gone() -> StoreError {
    StoreError::Unavailable("the writer was interrupted before the commit".to_owned())
}

#[async_trait]
impl Store for SqliteStore {
    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        self.write(move |tx| tx.enqueue(&jobs, now)).await
    }

    async fn enqueue_batch(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Batch> {
        self.write(move |tx| tx.enqueue_batch(&jobs, now)).await
    }

    async fn cancel(&self, id: JobId, now: Timestamp) -> StoreResult<Cancelled> {
        self.write(move |tx| tx.cancel(id, now)).await
    }

    async fn retry(&self, id: JobId, now: Timestamp) -> StoreResult<Retried> {
        self.write(move |tx| tx.retry(id, now)).await
    }

    async fn cancel_requests(&self, engine: &str) -> StoreResult<Vec<Lease>> {
        let mut reader = self.readers.vital().await?;
        let rows: Vec<(i64, i64, i32, String)> = job_statements::CancelRequests { engine }
            .load(reader.conn())
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, token, ..)| Lease {
                job: JobId(id),
                token,
            })
            .collect())
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> StoreResult<usize> {
        self.write(move |tx| tx.prune(before, limit)).await
    }

    async fn claim(
        &self,
        wanted: Wanted<'_>,
        engine: &str,
        now: Timestamp,
    ) -> StoreResult<Vec<ClaimedJob>> {
        let (queue, closed) = (wanted.queue.to_owned(), wanted.closed.to_vec());
        let (limit, before, from) = (wanted.limit, wanted.before, wanted.from);
        let engine = engine.to_owned();
        self.write(move |tx| {
            let wanted = Wanted {
                queue: &queue,
                limit,
                closed: &closed,
                before,
                from,
            };
            tx.claim(wanted, &engine, now)
        })
        .await
    }

    async fn progress(
        &self,
        lease: Lease,
        step: &'static str,
        percent: u8,
        counters: serde_json::Value,
    ) -> StoreResult<Fenced> {
        self.write(move |tx| tx.progress(lease, step, percent, &counters.to_string()))
            .await
    }

    async fn settle(
        &self,
        lease: Lease,
        completion: Arc<Completion>,
        now: Timestamp,
    ) -> StoreResult<Fenced> {
        completion.check()?;
        let weight = completion.document_bytes() as u64;
        self.write_heavy(weight, move |tx| tx.settle(lease, &completion, now))
            .await
    }

    async fn stage(&self, now: Timestamp) -> StoreResult<Staged> {
        self.write(move |tx| tx.stage(now)).await
    }

    async fn runs_alone(&self, lease: Lease) -> StoreResult<Fenced> {
        self.write(move |tx| tx.runs_alone(lease)).await
    }

    async fn died(&self, engine: &str, death: Death) -> StoreResult<bool> {
        let engine = engine.to_owned();
        self.write(move |tx| tx.died(&engine, death)).await
    }

    async fn rescue(&self, alive: &str, now: Timestamp) -> StoreResult<Rescued> {
        let alive = alive.to_owned();
        self.write(move |tx| tx.rescue(&alive, now)).await
    }

    async fn release(
        &self,
        engine: &str,
        queue: Option<&str>,
        keep: &[Lease],
        now: Timestamp,
    ) -> StoreResult<usize> {
        let (engine, queue) = (engine.to_owned(), queue.map(str::to_owned));
        let keep = keep.to_vec();
        self.write(move |tx| tx.release(&engine, queue.as_deref(), &keep, now))
            .await
    }

    async fn share_budget(
        &self,
        member: BudgetMember,
        report: BoardReport,
        now: BoardTime,
    ) -> StoreResult<BoardGrant> {
        self.write(move |tx| tx.share_budget(&member, &report, &now))
            .await
    }

    fn is_shared(&self) -> bool {
        false
    }

    /// Whoever has the file's lock lives, and leads: nothing needs to be written.
    async fn beat(&self, _: &EngineInfo) -> StoreResult<Beat> {
        Ok(Beat {
            leads: Some(1),
            ..Beat::default()
        })
    }

    async fn held(&self, engine: &str) -> StoreResult<Vec<(Lease, Priority)>> {
        let mut reader = self.readers.vital().await?;
        let rows: Vec<(i64, i64, i32)> =
            job_statements::Held { engine }.load(reader.conn()).await?;
        Ok(rows.into_iter().map(held_from).collect())
    }

    async fn engines(&self) -> StoreResult<Vec<EngineRow>> {
        let mut reader = self.readers.borrow().await?;
        let now = Timestamp::now().as_millis();
        let since = now - 86_400_000;
        let rows: Vec<EngineTuple> = job_statements::Engines { since }
            .load(reader.conn())
            .await?;
        Ok(rows.into_iter().map(engine_from).collect())
    }

    async fn engine_started(&self, engine: EngineInfo, now: Timestamp) -> StoreResult<()> {
        self.write(move |tx| tx.engine_started(&engine, now)).await
    }

    async fn engine_stopped(&self, engine: &str, now: Timestamp) -> StoreResult<()> {
        let engine = engine.to_owned();
        self.write(move |tx| tx.engine_stopped(&engine, now)).await
    }

    async fn job(&self, id: JobId) -> StoreResult<Option<JobRecord>> {
        let mut reader = self.readers.borrow().await?;
        let row: Option<JobTuple> = job_statements::JobById { id: id.0 }
            .get_result(reader.conn())
            .await
            .optional()?;
        row.map(job_from).transpose()
    }

    async fn jobs_by_id(&self, ids: &[JobId]) -> StoreResult<Vec<JobRecord>> {
        let ids = to_json(&ids)?;
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<JobTuple> = job_statements::JobsById { ids: &ids }
            .load(reader.conn())
            .await?;
        rows.into_iter().map(job_from).collect()
    }

    async fn list_jobs(&self, filter: &JobFilter) -> StoreResult<JobList> {
        self.list(filter).await
    }

    async fn open_counts(&self) -> StoreResult<Vec<OpenCount>> {
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<CountTuple> = job_statements::OpenCounts {}.load(reader.conn()).await?;
        counts_from(rows)
    }

    async fn stored_matches(&self, ids: &[MatchId]) -> StoreResult<StoredMatches> {
        let list = to_json(&ids)?;
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<StoredTuple> = job_statements::Stored {
            matches: &list,
            timelines: &list,
            missing: &list,
            cleaned: &list,
            unread: &list,
        }
        .load(reader.conn())
        .await?;
        stored_from(rows)
    }

    async fn due_documents(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<MissingDocument>> {
        let due = data_statements::DueDocuments {
            now: now.as_millis(),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<StoredTuple> = due.load(reader.conn()).await?;
        Ok(stored_from(rows)?.missing)
    }

    async fn witness_match(
        &self,
        platforms: &[&str],
        played_since: Timestamp,
    ) -> StoreResult<Option<MatchId>> {
        let platforms = to_json(&platforms)?;
        let mut reader = self.readers.borrow().await?;
        let found: Vec<String> = data_statements::WitnessMatch {
            platforms: &platforms,
            since: played_since.as_millis(),
        }
        .load(reader.conn())
        .await?;
        witness_from(&found)
    }

    async fn player(&self, riot_id: &RiotId) -> StoreResult<Option<StoredPlayer>> {
        Ok(self.namesakes(riot_id).await?.into_iter().next())
    }

    async fn namesakes(&self, riot_id: &RiotId) -> StoreResult<Vec<StoredPlayer>> {
        let name = riot_id.folded();
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<PlayerTuple> = data_statements::PlayersByName { name: &name }
            .load(reader.conn())
            .await?;
        rows.into_iter().map(player_from).collect()
    }

    async fn coverage(
        &self,
        player_id: i64,
        timelines_gone: Option<Timestamp>,
    ) -> StoreResult<Vec<YearCoverage>> {
        let coverage = data_statements::Coverage {
            years: player_id,
            matches: player_id,
            timelines: player_id,
            old: player_id,
            unread: player_id,
            pending: player_id,
            unread_timelines: player_id,
            pending_timelines: player_id,
            since: timelines_gone.map_or(i64::MIN, Timestamp::as_millis),
            gone: timelines_gone.map_or(i64::MIN, Timestamp::as_millis),
        };
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<CoverageTuple> = coverage.load(reader.conn()).await?;
        Ok(coverage_from(rows))
    }

    async fn yearly_stats(
        &self,
        player_id: i64,
        year: Option<i16>,
    ) -> StoreResult<Vec<YearlyStats>> {
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<(i32, String, TallyTuple)> =
            data_statements::TalliesOfPlayer { player: player_id }
                .load(reader.conn())
                .await?;
        tallies_from(rows, player_id, year)
    }

    async fn recomputed_stats(&self, player_id: i64) -> StoreResult<Vec<YearlyStats>> {
        Ok(recomputed_from(self.tallies(&[player_id]).await?))
    }

    async fn payload(&self, kind: PayloadKind, id: MatchId) -> StoreResult<Option<Payload>> {
        crate::store::repack::payload(self, &self.dictionaries, kind, &id.to_string()).await
    }

    async fn documents(&self, ids: &[MatchId]) -> StoreResult<Vec<StoredDocuments>> {
        let list = &to_json(&ids)?;
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<DocumentTuple> = upkeep_statements::Documents {
            matches: list,
            participants: list,
            timelines: list,
            payloads: list,
            dictionaries: list,
            unread: list,
        }
        .load(reader.conn())
        .await?;
        documents_from(rows)
    }

    async fn matches_of(&self, player: i64, year: i16) -> StoreResult<Vec<MatchId>> {
        let mut reader = self.readers.borrow().await?;
        let year = i32::from(year);
        let rows: Vec<String> = upkeep_statements::MatchesOf { player, year }
            .load(reader.conn())
            .await?;
        Ok(ids_from(&rows))
    }

    async fn matches_after(&self, id: &str, limit: usize) -> StoreResult<Vec<MatchId>> {
        let mut reader = self.readers.borrow().await?;
        let max = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = upkeep_statements::MatchesAfter {
            stored_after: id,
            stored_max: max,
            packed_after: id,
            packed_max: max,
            max,
        };
        let rows: Vec<String> = after.load(reader.conn()).await?;
        Ok(ids_from(&rows))
    }

    async fn false_statistics(&self, players: &[i64]) -> StoreResult<Vec<i64>> {
        let list = to_json(&players)?;
        let rows: Vec<StatsTuple> = {
            let mut reader = self.readers.borrow().await?;
            upkeep_statements::StatsOfPlayers { players: &list }
                .load(reader.conn())
                .await?
        };
        Ok(differing(rows, &self.tallies(players).await?))
    }

    async fn known_puuids(&self, puuids: &[&str]) -> StoreResult<Vec<String>> {
        let puuids = &to_json(&puuids)?;
        let mut reader = self.readers.borrow().await?;
        let known = upkeep_statements::KnownPuuids { puuids };
        Ok(known.load(reader.conn()).await?)
    }

    async fn players_to_recover(&self) -> StoreResult<Vec<StoredPlayer>> {
        let mut reader = self.readers.borrow().await?;
        let rows: Vec<PlayerTuple> = upkeep_statements::TrackedPlayers {}
            .load(reader.conn())
            .await?;
        rows.into_iter().map(player_from).collect()
    }

    async fn discarded_jobs(&self, ids: &[MatchId]) -> StoreResult<u64> {
        let ids = &to_json(&job_keys(ids))?;
        let mut reader = self.readers.borrow().await?;
        let count: i64 = upkeep_statements::DiscardedJobs { ids }
            .get_result(reader.conn())
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn repair(&self, repairs: Vec<Repair>, now: Timestamp) -> StoreResult<()> {
        repairs.iter().try_for_each(Repair::check)?;
        self.write(move |tx| repairs.iter().try_for_each(|repair| tx.repair(repair, now)))
            .await
    }

    async fn leftovers(&self, before: Timestamp) -> StoreResult<Leftovers> {
        let at = before.as_millis();
        let mut reader = self.readers.borrow().await?;
        let row: LeftoversTuple = upkeep_statements::Leftovers {
            matches: at,
            participants: at,
            timelines: at,
            payloads: at,
            bytes: at,
            unread: at,
            jobs: at,
            engines: at,
        }
        .get_result(reader.conn())
        .await?;
        Ok(leftovers_from(row))
    }

    async fn clean(&self, cleanup: Cleanup, now: Timestamp) -> StoreResult<u64> {
        self.write(move |tx| tx.clean(cleanup, now)).await
    }

    async fn clean_orphans(&self, before: Timestamp, limit: usize) -> StoreResult<u64> {
        self.write(move |tx| tx.clean_orphans(before, limit)).await
    }

    async fn give_back(&self, pages: u32) -> StoreResult<u64> {
        self.write(move |tx| tx.give_back(pages)).await
    }

    async fn count_unread(&self) -> StoreResult<[u64; 2]> {
        let mut reader = self.readers.borrow().await?;
        let (matches, timelines): (i64, i64) = data_statements::CountUnread {}
            .get_result(reader.conn())
            .await?;
        Ok([matches, timelines].map(|count| u64::try_from(count).unwrap_or(0)))
    }

    async fn census(&self) -> StoreResult<Census> {
        let mut reader = self.readers.borrow().await?;
        let row: CensusTuple = data_statements::Census {}.get_result(reader.conn()).await?;
        Ok(census_from(row))
    }

    fn hints(&self) -> &Hints {
        &self.hints
    }

    fn away(&self) -> Option<Away> {
        self.counters.absence.now()
    }

    fn writer_stats(&self) -> WriterStats {
        let waiting = self.lock_writer().as_ref().map_or(0, |writer| {
            writer.commands.max_capacity() - writer.commands.capacity()
        });
        self.counters.read(waiting)
    }

    async fn size_bytes(&self) -> StoreResult<Option<u64>> {
        let path = self.path.clone();
        let sizes = tokio::task::spawn_blocking(move || {
            ["", "-wal"].map(|suffix| {
                let mut name = path.as_os_str().to_owned();
                name.push(suffix);
                std::fs::metadata(name).map_or(0, |file| file.len())
            })
        });
        let sizes = sizes
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Some(sizes.iter().sum()))
    }

    async fn writer_died(&self) -> String {
        let mut death = self.death.subscribe();
        let reason = death.wait_for(Option::is_some).await;
        reason
            .ok()
            .and_then(|reason| reason.clone())
            .unwrap_or_default()
    }

    async fn ended(&self) -> StoreError {
        self.ground.ended().await
    }

    fn restart_writer(&self) -> StoreResult<()> {
        let no_thread =
            |error| StoreError::Unavailable(format!("no thread for the writer: {error}"));
        // A second start must not make a file anew that is gone.
        self.ground.check()?;
        let ends = |error| self.ground.hears(error);
        let conn = open::open_writer(&self.path).map_err(ends)?;
        let beside = open::open_beside(&self.path).map_err(ends)?;
        self.ground.opened_now();
        let checkpoints = Checkpoints::start(beside, self.ground.clone()).map_err(no_thread)?;
        let (commands, waiting) = mpsc::channel(writer::QUEUE_MAX);
        self.death.send_replace(None);
        let thread = writer::start(
            conn,
            waiting,
            self.hints.clone(),
            self.counters.clone(),
            self.death.clone(),
            checkpoints,
            self.ground.clone(),
        )
        .map_err(no_thread)?;
        *self.lock_writer() = Some(Writer { commands, thread });
        Ok(())
    }

    async fn close(&self) -> StoreResult<()> {
        self.readers.close().await;
        let Some(Writer { commands, thread }) = self.lock_writer().take() else {
            return Ok(());
        };
        drop(commands);
        tokio::task::spawn_blocking(move || thread.join())
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?
            .map_err(|_| writer_gone())
    }
}

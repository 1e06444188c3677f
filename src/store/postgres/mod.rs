//! A PostgreSQL server: any number of engines over one database.
//!
//! Invariants: a transaction locks in one order (see `locks`), so that engines that meet wait in a line; whether a
//! commit was made is asked, not guessed; nothing is reported as written before its commit. The store has a thread of its own: no actor holds up a connection.
//!
//! Deliberately absent: triggers, functions and any other logic in the database; `NOTIFY` in a transaction.

mod address;
mod attempts;
mod binding;
mod budgets;
mod claim_cursors;
mod codes;
mod coming;
mod command;
mod commit_marks;
pub(in crate::store) mod connect;
mod data;
mod data_statements;
mod documents;
mod enqueue;
mod export;
pub(in crate::store) mod fault;
mod gather;
mod group;
mod held;
mod job_statements;
mod lists;
mod locks;
pub(in crate::store) mod migrate;
mod notifier;
mod open_tree;
mod people;
mod players;
mod presence;
mod queue_progress;
mod reader;
mod relations;
mod repack;
mod schedules;
mod scratch_database;
mod settle;
mod shared;
mod statistics;
mod tls;
mod transaction;
mod upkeep;
mod upkeep_statements;
mod writer;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use diesel::result::OptionalExtension;
use diesel_async::RunQueryDsl;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;

pub use self::address::{Address, is_postgres};
use self::attempts::millis;
use self::command::{Answer, Claim, Command, Progress, Release, Verb};
use self::reader::{Patience, Readers, read};
use self::shared::Shared;
use self::upkeep::Upkeep;
use super::rows::{
    EngineTuple, JobTuple, StoredTuple, TallyTuple, engine_from, held_from, job_from, stored_from,
    tallies_from, witness_from,
};
use super::upkeep::{
    DocumentTuple, LeftoversTuple, PlayersGame, StatsTuple, Tallies, YearTuple, add_up, differing,
    documents_from, ids_from, job_keys, leftovers_from,
};
use super::{
    Away, Batch, Beat, BudgetMember, Cancelled, Census, Cleanup, Completion, DEAD_AFTER,
    EngineInfo, EngineRow, Enqueued, Fenced, Hints, JobFilter, JobList, LEADS_FOR, Leftovers,
    Migrations, OpenCount, Repair, Rescued, Retried, Staged, Store, StoreError, StoreResult,
    StoredDocuments, StoredMatches, StoredPlayer, Wanted, WriterStats, YearCoverage, YearlyStats,
};
use crate::model::board_time::BoardTime;
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::model::records::{Payload, PayloadKind};
use crate::model::suspicion::Death;
use crate::model::{
    ClaimedJob, JobId, JobRecord, Lease, MatchId, MissingDocument, NewJob, Priority, RiotId,
    Timestamp,
};
use crate::store::question;
use crate::store::repack::Dictionaries;
use crate::store::rows::{
    CensusTuple, CountTuple, CoverageTuple, PlayerTuple, census_from, counts_from, coverage_from,
    player_from, recomputed_from,
};

/// What the statements of this module are for.
type Backend = diesel::pg::Pg;

/// A writer that has not ended by then may wait for a database that is away.
const CLOSE_LOOK: Duration = Duration::from_millis(300);

/// How a store uses its database.
#[derive(Debug, Clone)]
pub struct Settings {
    pub address: Address,
    /// Connections that write.
    pub writers: usize,
    /// A pooler may give every transaction another session: nothing is kept in one.
    pub pooler: bool,
    /// Tell other engines of new work, and listen to them. Not behind a pooler.
    pub notify: bool,
}

impl Settings {
    pub fn new(address: Address) -> Self {
        Self {
            address,
            writers: 3,
            pooler: false,
            notify: true,
        }
    }
}

/// A riftsync database on a PostgreSQL server.
#[derive(Debug)]
pub struct PostgresStore {
    shared: Arc<Shared>,
    writer: Mutex<Option<Writers>>,
    readers: Readers,
    dictionaries: Dictionaries,
    notifier: Mutex<Option<AbortHandle>>,
    presence: Mutex<Option<AbortHandle>>,
    runtime: Mutex<Option<Runtime>>,
}

#[derive(Debug)]
struct Writers {
    commands: mpsc::Sender<Command>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // A plain drop would wait for its tasks, which no async code may do.
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The locks guard plain values; a panic elsewhere cannot leave them half written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PostgresStore {
    /// Connects for an engine: makes or migrates the tables, starts the writers.
    pub async fn open(settings: Settings) -> StoreResult<Self> {
        let store = Self::without_writer(settings)?;
        let settings = store.shared.settings.clone();
        let ready = store.handle()?.spawn(async move {
            let mut link = connect::first(&settings).await?;
            migrate::run(&mut link.conn, &settings.address).await?;
            migrate::refuse_unfinished_copy(&mut link.conn, &settings.address).await
        });
        ready.await.map_err(|_| StoreError::Closed)??;
        store.restart_writer()?;
        store.listen()?;
        Ok(store)
    }

    fn listen(&self) -> StoreResult<()> {
        let settings = &self.shared.settings;
        if settings.notify && !settings.pooler {
            let handle = self.handle()?;
            let _on_the_stores_runtime = handle.enter();
            *lock(&self.notifier) = Some(notifier::start(&self.shared));
        }
        Ok(())
    }

    /// Connects to read only.
    pub async fn open_read_only(settings: Settings) -> StoreResult<Self> {
        let store = Self::without_writer(settings)?;
        let migrations = store.migrations().await?;
        if migrations.applied.is_empty() {
            return Err(StoreError::Unreachable {
                database: store.shared.settings.address.to_string(),
                cause: "it has no riftsync tables yet; `riftsync sync` makes them".to_owned(),
            });
        }
        migrations.refuse_older(&store.shared.settings.address)?;
        Ok(store)
    }

    /// Which migrations a database has and which it lacks; changes nothing.
    pub async fn inspect(settings: Settings) -> StoreResult<Migrations> {
        Self::without_writer(settings)?.migrations().await
    }

    async fn migrations(&self) -> StoreResult<Migrations> {
        let settings = self.shared.settings.clone();
        let checked = self.handle()?.spawn(async move {
            let mut link = connect::first(&settings).await?;
            migrate::check(&mut link.conn, &settings.address).await
        });
        checked.await.map_err(|_| StoreError::Closed)?
    }

    fn without_writer(settings: Settings) -> StoreResult<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| {
                StoreError::Unavailable(format!("no thread for the store: {error}"))
            })?;
        let shared = Arc::new(Shared::new(settings));
        Ok(Self {
            readers: Readers::new(&shared.settings, runtime.handle(), &shared.absence),
            dictionaries: Dictionaries::default(),
            shared,
            writer: Mutex::new(None),
            notifier: Mutex::new(None),
            presence: Mutex::new(None),
            runtime: Mutex::new(Some(runtime)),
        })
    }

    fn handle(&self) -> StoreResult<Handle> {
        let runtime = lock(&self.runtime);
        runtime
            .as_ref()
            .map(|runtime| runtime.handle().clone())
            .ok_or(StoreError::Closed)
    }

    /// Gives a command to the writers; the answer comes after its commit.
    async fn write<T>(&self, verb: impl FnOnce(Answer<T>) -> Verb) -> StoreResult<T> {
        let (answer, answered): (_, oneshot::Receiver<StoreResult<T>>) = Answer::new();
        let commands = lock(&self.writer)
            .as_ref()
            .map(|writer| writer.commands.clone())
            .ok_or(StoreError::Closed)?;
        let command = Command::new(verb(answer));
        let fate = command.fate.clone();
        let written = async {
            commands.send(command).await.map_err(|_| writer_gone())?;
            answered.await.map_err(|_| writer_gone())?
        };
        let away = self.shared.absence.is_unreached();
        question::written(&fate, written, away, || self.readers.stuck()).await
    }

    /// What players' games add up to.
    async fn tallies(&self, players: &[i64]) -> StoreResult<Tallies> {
        let games: Vec<PlayersGame> = read!(self.readers, conn => {
            let players = players.to_vec();
            upkeep_statements::GamesOfPlayers { players }.load(conn).await
        });
        let cleaned: Vec<YearTuple> = read!(self.readers, conn => {
            let players = players.to_vec();
            upkeep_statements::CleanedOfPlayers { players }.load(conn).await
        });
        add_up(games, cleaned)
    }

    /// Waits for a writer's last group; not for a database that is away.
    async fn ended(&self, mut task: JoinHandle<()>) -> StoreResult<()> {
        loop {
            match timeout(CLOSE_LOOK, &mut task).await {
                Ok(ended) => return ended.map_err(|_| writer_gone()),
                Err(_) if self.readers.stuck().await.is_some() => {
                    task.abort();
                    return Ok(());
                }
                Err(_) => {}
            }
        }
    }

    /// Makes a writer panic in the middle of a group.
    #[cfg(test)]
    pub(crate) async fn panic_in_writer(&self) {
        let _ = self.write(Verb::Panic).await;
    }
}

/// The writer died before the commit: nothing was written, the supervisor starts a new one.
fn writer_gone() -> StoreError {
    StoreError::Unavailable("the writer was interrupted before the commit".to_owned())
}

#[async_trait]
impl Store for PostgresStore {
    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        self.write(|answer| Verb::Enqueue(jobs, now, answer)).await
    }

    async fn enqueue_batch(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Batch> {
        self.write(|answer| Verb::EnqueueBatch(jobs, now, answer))
            .await
    }

    async fn cancel(&self, id: JobId, now: Timestamp) -> StoreResult<Cancelled> {
        self.write(|answer| Verb::Cancel(id, now, answer)).await
    }

    async fn retry(&self, id: JobId, now: Timestamp) -> StoreResult<Retried> {
        self.write(|answer| Verb::Retry(id, now, answer)).await
    }

    async fn cancel_requests(&self, engine: &str) -> StoreResult<Vec<Lease>> {
        let rows: Vec<(i64, i64, i32, String)> = read!(self.readers.vital, conn => job_statements::CancelRequests { engine }.load(conn).await);
        let lease = |(id, token, ..): (i64, i64, i32, String)| Lease {
            job: JobId(id),
            token,
        };
        Ok(rows.into_iter().map(lease).collect())
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> StoreResult<usize> {
        self.write(|answer| Verb::Prune(before, limit, answer))
            .await
    }

    async fn claim(
        &self,
        wanted: Wanted<'_>,
        engine: &str,
        now: Timestamp,
    ) -> StoreResult<Vec<ClaimedJob>> {
        let claim = Claim {
            queue: wanted.queue.to_owned(),
            limit: wanted.limit,
            closed: wanted.closed.to_vec(),
            from: wanted.begin(),
            before: wanted.bound(),
            engine: engine.to_owned(),
            now,
        };
        self.write(|answer| Verb::Claim(claim, answer)).await
    }

    async fn progress(
        &self,
        lease: Lease,
        step: &'static str,
        percent: u8,
        counters: serde_json::Value,
    ) -> StoreResult<Fenced> {
        let report = Progress {
            lease,
            step,
            percent,
            counters: counters.to_string(),
        };
        self.write(|answer| Verb::Progress(report, answer)).await
    }

    async fn settle(
        &self,
        lease: Lease,
        completion: Arc<Completion>,
        now: Timestamp,
    ) -> StoreResult<Fenced> {
        completion.check()?;
        self.write(|answer| Verb::Settle(lease, completion, now, answer))
            .await
    }

    async fn stage(&self, now: Timestamp) -> StoreResult<Staged> {
        self.write(|answer| Verb::Stage(now, answer)).await
    }

    async fn rescue(&self, alive: &str, now: Timestamp) -> StoreResult<Rescued> {
        let (alive, gone) = (alive.to_owned(), self.shared.presence.gone());
        self.write(|answer| Verb::Rescue(alive, gone, now, answer))
            .await
    }

    async fn runs_alone(&self, lease: Lease) -> StoreResult<Fenced> {
        self.write(|answer| Verb::RunsAlone(lease, answer)).await
    }

    async fn died(&self, engine: &str, death: Death) -> StoreResult<bool> {
        let engine = engine.to_owned();
        self.write(|answer| Verb::Died(engine, death, answer)).await
    }

    fn knows_of_deaths(&self) -> bool {
        !self.shared.presence.gone().is_empty()
    }

    fn is_seen(&self) -> bool {
        self.shared.presence.is_seen()
    }

    async fn release(
        &self,
        engine: &str,
        queue: Option<&str>,
        keep: &[Lease],
        now: Timestamp,
    ) -> StoreResult<usize> {
        let order = Release {
            engine: engine.to_owned(),
            queue: queue.map(str::to_owned),
            keep: keep.to_vec(),
            now,
        };
        self.write(|answer| Verb::Release(order, answer)).await
    }

    async fn share_budget(
        &self,
        member: BudgetMember,
        report: BoardReport,
        _: BoardTime,
    ) -> StoreResult<BoardGrant> {
        let asked = Box::new((member, report, self.shared.presence.holder()));
        self.write(|answer| Verb::ShareBudget(asked, answer)).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn beat(&self, engine: &EngineInfo) -> StoreResult<Beat> {
        let (leads, was_dead, others): (Option<i64>, bool, i64) = read!(self.readers.heartbeat, conn => {
            let heartbeat = job_statements::Heartbeat {
                id: &engine.id,
                pid: i64::from(engine.pid),
                host: &engine.host,
                version: engine.version,
                leads_ms: millis(LEADS_FOR),
                silence_ms: millis(DEAD_AFTER),
            };
            heartbeat.get_result(conn).await
        });
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        self.shared.others.store(others, Ordering::Relaxed);
        Ok(Beat {
            leads,
            was_dead,
            others,
        })
    }

    async fn held(&self, engine: &str) -> StoreResult<Vec<(Lease, Priority)>> {
        let rows: Vec<(i64, i64, i32)> =
            read!(self.readers.vital, conn => job_statements::Held { engine }.load(conn).await);
        Ok(rows.into_iter().map(held_from).collect())
    }

    async fn engines(&self) -> StoreResult<Vec<EngineRow>> {
        let silence_ms = millis(DEAD_AFTER);
        let rows: Vec<EngineTuple> = read!(self.readers, conn =>
            job_statements::Engines { silence_ms }.load(conn).await);
        Ok(rows.into_iter().map(engine_from).collect())
    }

    async fn engine_started(&self, engine: EngineInfo, _: Timestamp) -> StoreResult<()> {
        let id = engine.id.clone();
        self.write(|answer| Verb::EngineStarted(engine, answer))
            .await?;
        if !self.shared.settings.pooler {
            let handle = self.handle()?;
            let _on_the_stores_runtime = handle.enter();
            let before = lock(&self.presence).replace(presence::start(&self.shared, id));
            if let Some(before) = before {
                before.abort();
            }
        }
        Ok(())
    }

    async fn engine_stopped(&self, engine: &str, _: Timestamp) -> StoreResult<()> {
        let engine = engine.to_owned();
        self.write(|answer| Verb::EngineStopped(engine, answer))
            .await
    }

    async fn job(&self, id: JobId) -> StoreResult<Option<JobRecord>> {
        let row: Option<JobTuple> = read!(self.readers, conn =>
            job_statements::JobById { id: id.0 }.get_result(conn).await.optional());
        row.map(job_from).transpose()
    }

    async fn jobs_by_id(&self, ids: &[JobId]) -> StoreResult<Vec<JobRecord>> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let rows: Vec<JobTuple> = read!(self.readers, conn =>
            job_statements::JobsById { ids: ids.clone() }.load(conn).await);
        rows.into_iter().map(job_from).collect()
    }

    async fn list_jobs(&self, filter: &JobFilter) -> StoreResult<JobList> {
        self.list(filter).await
    }

    async fn open_counts(&self) -> StoreResult<Vec<OpenCount>> {
        let rows: Vec<CountTuple> =
            read!(self.readers, conn => job_statements::OpenCounts {}.load(conn).await);
        counts_from(rows)
    }

    async fn stored_matches(&self, ids: &[MatchId]) -> StoreResult<StoredMatches> {
        let list = data::id_texts(ids);
        let rows: Vec<StoredTuple> = read!(self.readers, conn => {
            let stored = job_statements::Stored {
                matches: list.clone(),
                timelines: list.clone(),
                missing: list.clone(),
                cleaned: list.clone(),
                unread: list.clone(),
            };
            stored.load(conn).await
        });
        stored_from(rows)
    }

    async fn due_documents(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<MissingDocument>> {
        let rows: Vec<StoredTuple> = read!(self.readers, conn => {
            let due = data_statements::DueDocuments {
                now: now.as_millis(),
                limit: i64::try_from(limit).unwrap_or(i64::MAX),
            };
            due.load(conn).await
        });
        Ok(stored_from(rows)?.missing)
    }

    async fn witness_match(
        &self,
        platforms: &[&str],
        played_since: Timestamp,
    ) -> StoreResult<Option<MatchId>> {
        let found: Vec<String> = read!(self.readers, conn => {
            let statement = data_statements::WitnessMatch {
                platforms: platforms.to_vec(),
                since: played_since.as_millis(),
            };
            statement.load(conn).await
        });
        witness_from(&found)
    }

    async fn player(&self, riot_id: &RiotId) -> StoreResult<Option<StoredPlayer>> {
        Ok(self.namesakes(riot_id).await?.into_iter().next())
    }

    async fn namesakes(&self, riot_id: &RiotId) -> StoreResult<Vec<StoredPlayer>> {
        let name = riot_id.folded();
        let rows: Vec<PlayerTuple> = read!(self.readers, conn =>
            data_statements::PlayersByName { name: &name }.load(conn).await);
        rows.into_iter().map(player_from).collect()
    }

    async fn coverage(
        &self,
        player_id: i64,
        timelines_gone: Option<Timestamp>,
    ) -> StoreResult<Vec<YearCoverage>> {
        let rows: Vec<CoverageTuple> = read!(self.readers, conn => {
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
            coverage.load(conn).await
        });
        Ok(coverage_from(rows))
    }

    async fn yearly_stats(
        &self,
        player_id: i64,
        year: Option<i16>,
    ) -> StoreResult<Vec<YearlyStats>> {
        let rows: Vec<(i32, String, TallyTuple)> = read!(self.readers, conn =>
            data_statements::TalliesOfPlayer { player: player_id }.load(conn).await);
        tallies_from(rows, player_id, year)
    }

    async fn recomputed_stats(&self, player_id: i64) -> StoreResult<Vec<YearlyStats>> {
        Ok(recomputed_from(self.tallies(&[player_id]).await?))
    }

    async fn payload(&self, kind: PayloadKind, id: MatchId) -> StoreResult<Option<Payload>> {
        crate::store::repack::payload(self, &self.dictionaries, kind, &id.to_string()).await
    }

    async fn documents(&self, ids: &[MatchId]) -> StoreResult<Vec<StoredDocuments>> {
        let ids = data::id_texts(ids);
        let rows: Vec<DocumentTuple> = read!(self.readers, conn => {
            let documents = upkeep_statements::Documents {
                matches: ids.clone(),
                participants: ids.clone(),
                timelines: ids.clone(),
                payloads: ids.clone(),
                dictionaries: ids.clone(),
                unread: ids.clone(),
            };
            documents.load(conn).await
        });
        documents_from(rows)
    }

    async fn matches_of(&self, player: i64, year: i16) -> StoreResult<Vec<MatchId>> {
        let year = i32::from(year);
        let rows: Vec<String> = read!(self.readers, conn =>
            upkeep_statements::MatchesOf { player, year }.load(conn).await);
        Ok(ids_from(&rows))
    }

    async fn matches_after(&self, id: &str, limit: usize) -> StoreResult<Vec<MatchId>> {
        let max = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<String> = read!(self.readers, conn => {
            let after = upkeep_statements::MatchesAfter {
                stored_after: id,
                stored_max: max,
                packed_after: id,
                packed_max: max,
                max,
            };
            after.load(conn).await
        });
        Ok(ids_from(&rows))
    }

    async fn false_statistics(&self, players: &[i64]) -> StoreResult<Vec<i64>> {
        let rows: Vec<StatsTuple> = read!(self.readers, conn => {
            let players = players.to_vec();
            upkeep_statements::StatsOfPlayers { players }.load(conn).await
        });
        Ok(differing(rows, &self.tallies(players).await?))
    }

    async fn known_puuids(&self, puuids: &[&str]) -> StoreResult<Vec<String>> {
        let puuids: Vec<String> = puuids.iter().map(|puuid| (*puuid).to_owned()).collect();
        Ok(read!(self.readers, conn => {
            let puuids = puuids.clone();
            upkeep_statements::KnownPuuids { puuids }.load(conn).await
        }))
    }

    async fn players_to_recover(&self) -> StoreResult<Vec<StoredPlayer>> {
        let rows: Vec<PlayerTuple> = read!(self.readers, conn =>
            upkeep_statements::TrackedPlayers {}.load(conn).await);
        rows.into_iter().map(player_from).collect()
    }

    async fn discarded_jobs(&self, ids: &[MatchId]) -> StoreResult<u64> {
        let keys = job_keys(ids);
        let count: i64 = read!(self.readers, conn => {
            let ids = keys.clone();
            upkeep_statements::DiscardedJobs { ids }.get_result(conn).await
        });
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn repair(&self, repairs: Vec<Repair>, now: Timestamp) -> StoreResult<()> {
        repairs.iter().try_for_each(Repair::check)?;
        self.upkeep(Upkeep::Repair(Arc::new(repairs), now)).await?;
        Ok(())
    }

    async fn leftovers(&self, before: Timestamp) -> StoreResult<Leftovers> {
        let at = before.as_millis();
        let row: LeftoversTuple = read!(self.readers, conn =>
            upkeep_statements::Leftovers { matches: at, participants: at, timelines: at, payloads: at, bytes: at, unread: at, jobs: at, engines: at }.get_result(conn).await);
        Ok(leftovers_from(row))
    }

    async fn clean(&self, cleanup: Cleanup, now: Timestamp) -> StoreResult<u64> {
        self.upkeep(Upkeep::Clean(cleanup, now)).await
    }

    async fn clean_orphans(&self, before: Timestamp, limit: usize) -> StoreResult<u64> {
        self.upkeep(Upkeep::Orphans(before, limit)).await
    }

    /// The server's autovacuum does that.
    async fn give_back(&self, _: u32) -> StoreResult<u64> {
        Ok(0)
    }

    async fn count_unread(&self) -> StoreResult<[u64; 2]> {
        let (matches, timelines): (i64, i64) =
            read!(self.readers, conn => data_statements::CountUnread {}.get_result(conn).await);
        Ok([matches, timelines].map(|count| u64::try_from(count).unwrap_or(0)))
    }

    async fn census(&self) -> StoreResult<Census> {
        let row: CensusTuple =
            read!(self.readers, conn => data_statements::Census {}.get_result(conn).await);
        Ok(census_from(row))
    }

    fn hints(&self) -> &Hints {
        &self.shared.hints
    }

    fn writer_stats(&self) -> WriterStats {
        let waiting = lock(&self.writer).as_ref().map_or(0, |writer| {
            writer.commands.max_capacity() - writer.commands.capacity()
        });
        self.shared.counters.read(waiting, self.shared.is_busy())
    }

    fn away(&self) -> Option<Away> {
        self.shared.absence.now()
    }

    async fn size_bytes(&self) -> StoreResult<Option<u64>> {
        let bytes: i64 =
            read!(self.readers, conn => job_statements::Size {}.get_result(conn).await);
        Ok(u64::try_from(bytes).ok())
    }

    async fn writer_died(&self) -> String {
        let mut death = self.shared.death.subscribe();
        let reason = death.wait_for(Option::is_some).await;
        reason
            .ok()
            .and_then(|reason| reason.clone())
            .unwrap_or_default()
    }

    fn restart_writer(&self) -> StoreResult<()> {
        let handle = self.handle()?;
        let _on_the_stores_runtime = handle.enter();
        self.shared.death.send_replace(None);
        let (commands, tasks) = writer::start(&self.shared);
        *lock(&self.writer) = Some(Writers { commands, tasks });
        Ok(())
    }

    async fn close(&self) -> StoreResult<()> {
        self.shared.closing.store(true, Ordering::Relaxed);
        if let Some(notifier) = lock(&self.notifier).take() {
            notifier.abort();
        }
        let writers = lock(&self.writer).take();
        if let Some(Writers { commands, tasks }) = writers {
            drop(commands);
            for task in tasks {
                self.ended(task).await?;
            }
        }
        if let Some(presence) = lock(&self.presence).take() {
            presence.abort();
        }
        self.readers.close().await;
        Ok(())
    }
}

//! The traits of a store of jobs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use diesel::result::OptionalExtension;
use diesel_async::RunQueryDsl;

use super::attempts::millis;
use super::command::{Claim, Progress, Release, Verb};
use super::database::{PostgresDatabase, lock};
use super::reader::read;
use super::seam::PostgresJobs;
use super::{job_statements as own, presence};
use crate::metrics::DatabaseOutageLog;
use crate::sql::jobs as sql;
use crate::store::attempts::CancelRequest;
use crate::store::rows::{CountTuple, counts_from};
use crate::store::rows::{EngineTuple, JobTuple, engine_from, held_from, job_from};
use crate::store::{
    Away, Batch, Beat, Cancelled, Completion, DEAD_AFTER, EngineInfo, EngineRow, Enqueued, Fenced,
    Hints, JobFilter, JobList, LEADS_FOR, OpenCount, Rescued, Retried, Staged, StoreResult, Wanted,
    WriterStats,
};
use crate::store::{Database, FleetStore, JobStore};
use riftsync_basics::suspicion::Death;
use riftsync_basics::{ClaimedJob, JobId, JobRecord, Lease, NewJob, Priority, Timestamp};

#[async_trait]
impl<J: PostgresJobs> JobStore for PostgresDatabase<J> {
    type Effect = J::Effect;

    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        self.give(|answer| Verb::Enqueue(jobs, now, answer)).await
    }

    async fn enqueue_batch(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Batch> {
        self.give(|answer| Verb::EnqueueBatch(jobs, now, answer))
            .await
    }

    async fn cancel(&self, id: JobId, now: Timestamp) -> StoreResult<Cancelled> {
        self.give(|answer| Verb::Cancel(id, now, answer)).await
    }

    async fn retry(&self, id: JobId, now: Timestamp) -> StoreResult<Retried> {
        self.give(|answer| Verb::Retry(id, now, answer)).await
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
        self.give(|answer| Verb::Claim(claim, answer)).await
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
        self.give(|answer| Verb::Progress(report, answer)).await
    }

    async fn settle(
        &self,
        lease: Lease,
        completion: Arc<Completion<J::Effect>>,
        now: Timestamp,
    ) -> StoreResult<Fenced> {
        completion.check()?;
        self.give(|answer| Verb::Settle(lease, completion, now, answer))
            .await
    }

    async fn stage(&self, now: Timestamp) -> StoreResult<Staged> {
        self.give(|answer| Verb::Stage(now, answer)).await
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
        self.give(|answer| Verb::Release(order, answer)).await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> StoreResult<usize> {
        self.give(|answer| Verb::Prune(before, limit, answer)).await
    }

    async fn cancel_requests(&self, engine: &str) -> StoreResult<Vec<Lease>> {
        let asked: Vec<CancelRequest> =
            read!(self.readers.vital, conn => sql::CancelRequests { engine }.load(conn).await);
        Ok(asked.iter().map(CancelRequest::lease).collect())
    }

    async fn held(&self, engine: &str) -> StoreResult<Vec<(Lease, Priority)>> {
        let rows: Vec<(i64, i64, i32)> =
            read!(self.readers.vital, conn => sql::Held { engine }.load(conn).await);
        Ok(rows.into_iter().map(held_from).collect())
    }

    async fn runs_alone(&self, lease: Lease) -> StoreResult<Fenced> {
        self.give(|answer| Verb::RunsAlone(lease, answer)).await
    }

    async fn job(&self, id: JobId) -> StoreResult<Option<JobRecord>> {
        let row: Option<JobTuple> = read!(self.readers, conn =>
            sql::JobById { id: id.0 }.get_result(conn).await.optional());
        row.map(job_from).transpose()
    }

    async fn jobs_by_id(&self, ids: &[JobId]) -> StoreResult<Vec<JobRecord>> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let rows: Vec<JobTuple> = read!(self.readers, conn =>
            sql::JobsById { ids: &ids }.load(conn).await);
        rows.into_iter().map(job_from).collect()
    }

    async fn list_jobs(&self, filter: &JobFilter) -> StoreResult<JobList> {
        self.list(filter).await
    }

    async fn open_counts(&self) -> StoreResult<Vec<OpenCount>> {
        let rows: Vec<CountTuple> =
            read!(self.readers, conn => sql::OpenCounts {}.load(conn).await);
        counts_from(rows)
    }
}

#[async_trait]
impl<J: PostgresJobs> FleetStore for PostgresDatabase<J> {
    async fn engine_started(&self, engine: EngineInfo, _: Timestamp) -> StoreResult<()> {
        let id = engine.id.clone();
        self.give(|answer| Verb::EngineStarted(engine, answer))
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
        self.give(|answer| Verb::EngineStopped(engine, answer))
            .await
    }

    async fn beat(&self, engine: &EngineInfo) -> StoreResult<Beat> {
        let (leads, was_dead, others): (Option<i64>, bool, i64) = read!(self.readers.heartbeat, conn => {
            let heartbeat = own::Heartbeat {
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

    async fn engines(&self) -> StoreResult<Vec<EngineRow>> {
        let silence_ms = millis(DEAD_AFTER);
        let rows: Vec<EngineTuple> = read!(self.readers, conn =>
            own::Engines { silence_ms }.load(conn).await);
        Ok(rows.into_iter().map(engine_from).collect())
    }

    async fn rescue(&self, alive: &str, now: Timestamp) -> StoreResult<Rescued> {
        let (alive, gone) = (alive.to_owned(), self.shared.presence.gone());
        self.give(|answer| Verb::Rescue(alive, gone, now, answer))
            .await
    }

    async fn died(&self, engine: &str, death: Death) -> StoreResult<bool> {
        let engine = engine.to_owned();
        self.give(|answer| Verb::Died(engine, death, answer)).await
    }

    fn knows_of_deaths(&self) -> bool {
        !self.shared.presence.gone().is_empty()
    }

    fn is_seen(&self) -> bool {
        self.shared.presence.is_seen()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

#[async_trait]
impl<J: PostgresJobs> Database for PostgresDatabase<J> {
    fn hints(&self) -> &Hints {
        &self.shared.hints
    }

    fn writer_stats(&self) -> WriterStats {
        self.shared
            .counters
            .read(self.waiting(), self.shared.is_busy())
    }

    fn away(&self) -> Option<Away> {
        self.shared.absence.now()
    }

    fn outages(&self) -> &DatabaseOutageLog {
        &self.shared.outages
    }

    async fn size_bytes(&self) -> StoreResult<Option<u64>> {
        let bytes: i64 = read!(self.readers, conn => own::Size {}.get_result(conn).await);
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
        self.start_writers()
    }

    async fn close(&self) -> StoreResult<()> {
        self.shared.closing.store(true, Ordering::Relaxed);
        self.end().await
    }
}

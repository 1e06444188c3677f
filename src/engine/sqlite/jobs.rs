//! The traits of a store of jobs, for every store in such a file.

use std::sync::Arc;

use async_trait::async_trait;
use diesel::result::OptionalExtension;

use super::SqliteJobs;
use super::place::beside;
use super::reader::ReadDsl;
use super::writer::guarded;
use super::{job_statements as own, lists};
use crate::metrics::DatabaseOutageLog;
use crate::sql::jobs as sql;
use crate::store::attempts::CancelRequest;
use crate::store::rows::{
    CountTuple, EngineTuple, JobTuple, counts_from, engine_from, held_from, job_from,
};
use crate::store::{
    Away, Batch, Beat, Cancelled, Completion, EngineInfo, EngineRow, Enqueued, Fenced, Hints,
    JobFilter, JobList, OpenCount, Rescued, Retried, Staged, StoreError, StoreResult, Wanted,
    WriterStats,
};
use crate::store::{Database, FleetStore, JobStore};
use riftsync_basics::suspicion::Death;
use riftsync_basics::{ClaimedJob, JobId, JobRecord, Lease, NewJob, Priority, Timestamp};

#[async_trait]
impl<S: SqliteJobs> JobStore for S {
    type Effect = S::Effect;

    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Vec<Enqueued>> {
        self.file().write(move |tx| tx.enqueue(&jobs, now)).await
    }

    async fn enqueue_batch(&self, jobs: Vec<NewJob>, now: Timestamp) -> StoreResult<Batch> {
        self.file()
            .write(move |tx| tx.enqueue_batch(&jobs, now))
            .await
    }

    async fn cancel(&self, id: JobId, now: Timestamp) -> StoreResult<Cancelled> {
        self.file().write(move |tx| tx.cancel(id, now)).await
    }

    async fn retry(&self, id: JobId, now: Timestamp) -> StoreResult<Retried> {
        self.file().write(move |tx| tx.retry(id, now)).await
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
        self.file()
            .write(move |tx| {
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
        self.file()
            .write(move |tx| tx.progress(lease, step, percent, &counters.to_string()))
            .await
    }

    async fn settle(
        &self,
        lease: Lease,
        completion: Arc<Completion<S::Effect>>,
        now: Timestamp,
    ) -> StoreResult<Fenced> {
        completion.check()?;
        let weight = completion.weight() as u64;
        self.file()
            .write_heavy(weight, move |tx| {
                tx.settle(
                    lease,
                    &completion,
                    |conn, effect, now| guarded(|| S::apply(conn, effect, now)),
                    now,
                )
            })
            .await
    }

    async fn stage(&self, now: Timestamp) -> StoreResult<Staged> {
        self.file().write(move |tx| tx.stage(now)).await
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
        self.file()
            .write(move |tx| tx.release(&engine, queue.as_deref(), &keep, now))
            .await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> StoreResult<usize> {
        self.file().write(move |tx| tx.prune(before, limit)).await
    }

    async fn cancel_requests(&self, engine: &str) -> StoreResult<Vec<Lease>> {
        let mut reader = self.file().readers().vital().await?;
        let asked: Vec<CancelRequest> = sql::CancelRequests { engine }.load(reader.conn()).await?;
        Ok(asked.iter().map(CancelRequest::lease).collect())
    }

    async fn held(&self, engine: &str) -> StoreResult<Vec<(Lease, Priority)>> {
        let mut reader = self.file().readers().vital().await?;
        let rows: Vec<(i64, i64, i32)> = sql::Held { engine }.load(reader.conn()).await?;
        Ok(rows.into_iter().map(held_from).collect())
    }

    async fn runs_alone(&self, lease: Lease) -> StoreResult<Fenced> {
        self.file().write(move |tx| tx.runs_alone(lease)).await
    }

    async fn job(&self, id: JobId) -> StoreResult<Option<JobRecord>> {
        let mut reader = self.file().readers().borrow().await?;
        let row: Option<JobTuple> = sql::JobById { id: id.0 }
            .get_result(reader.conn())
            .await
            .optional()?;
        row.map(job_from).transpose()
    }

    async fn jobs_by_id(&self, ids: &[JobId]) -> StoreResult<Vec<JobRecord>> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let mut reader = self.file().readers().borrow().await?;
        let rows: Vec<JobTuple> = sql::JobsById { ids: &ids }.load(reader.conn()).await?;
        rows.into_iter().map(job_from).collect()
    }

    async fn list_jobs(&self, filter: &JobFilter) -> StoreResult<JobList> {
        lists::list(self.file().readers(), filter).await
    }

    async fn open_counts(&self) -> StoreResult<Vec<OpenCount>> {
        let mut reader = self.file().readers().borrow().await?;
        let rows: Vec<CountTuple> = sql::OpenCounts {}.load(reader.conn()).await?;
        counts_from(rows)
    }
}

#[async_trait]
impl<S: SqliteJobs> FleetStore for S {
    async fn engine_started(&self, engine: EngineInfo, now: Timestamp) -> StoreResult<()> {
        self.file()
            .write(move |tx| {
                S::engine_starts(tx.conn, now)?;
                tx.engine_started(&engine, now)
            })
            .await
    }

    async fn engine_stopped(&self, engine: &str, now: Timestamp) -> StoreResult<()> {
        let engine = engine.to_owned();
        self.file()
            .write(move |tx| tx.engine_stopped(&engine, now))
            .await
    }

    /// Whoever has the file's lock lives, and leads: nothing needs to be written.
    async fn beat(&self, _: &EngineInfo) -> StoreResult<Beat> {
        Ok(Beat {
            leads: Some(1),
            ..Beat::default()
        })
    }

    async fn engines(&self) -> StoreResult<Vec<EngineRow>> {
        let mut reader = self.file().readers().borrow().await?;
        let now = Timestamp::now().as_millis();
        let since = now - 86_400_000;
        let rows: Vec<EngineTuple> = own::Engines { since }.load(reader.conn()).await?;
        Ok(rows.into_iter().map(engine_from).collect())
    }

    async fn rescue(&self, alive: &str, now: Timestamp) -> StoreResult<Rescued> {
        let alive = alive.to_owned();
        self.file().write(move |tx| tx.rescue(&alive, now)).await
    }

    async fn died(&self, engine: &str, death: Death) -> StoreResult<bool> {
        let engine = engine.to_owned();
        self.file().write(move |tx| tx.died(&engine, death)).await
    }

    fn is_shared(&self) -> bool {
        false
    }
}

#[async_trait]
impl<S: SqliteJobs> Database for S {
    fn hints(&self) -> &Hints {
        &self.file().hints
    }

    fn writer_stats(&self) -> WriterStats {
        self.file().writer_stats()
    }

    fn away(&self) -> Option<Away> {
        self.file().counters.absence.now()
    }

    fn outages(&self) -> &DatabaseOutageLog {
        &self.file().counters.outages
    }

    async fn size_bytes(&self) -> StoreResult<Option<u64>> {
        let path = self.file().path().to_owned();
        let sizes = tokio::task::spawn_blocking(move || {
            ["", "-wal"].map(|end| {
                let file = std::fs::metadata(beside(&path, end));
                file.map_or(0, |file| file.len())
            })
        });
        let sizes = sizes
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Some(sizes.iter().sum()))
    }

    async fn writer_died(&self) -> String {
        let mut death = self.file().death.subscribe();
        let reason = death.wait_for(Option::is_some).await;
        reason
            .ok()
            .and_then(|reason| reason.clone())
            .unwrap_or_default()
    }

    async fn ended(&self) -> StoreError {
        self.file().ground.ended().await
    }

    fn restart_writer(&self) -> StoreResult<()> {
        self.file().restart_writer()
    }

    async fn close(&self) -> StoreResult<()> {
        self.file().close().await
    }
}

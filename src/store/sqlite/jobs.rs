//! The store of jobs.

use std::sync::Arc;

use async_trait::async_trait;
use diesel::result::OptionalExtension;
use tokio::sync::mpsc;

use super::SqliteStore;
use super::checkpoints::Checkpoints;
use super::reader::ReadDsl;
use super::{Writer, writer_gone};
use super::{job_statements, open, writer};
use crate::engine::metrics::DatabaseOutageLog;
use crate::model::suspicion::Death;
use crate::model::{ClaimedJob, JobId, JobRecord, Lease, NewJob, Priority, Timestamp};
use crate::store::rows::{
    CountTuple, EngineTuple, JobTuple, counts_from, engine_from, held_from, job_from, to_json,
};
use crate::store::{
    Away, Batch, Beat, Cancelled, Completion, EngineInfo, EngineRow, Enqueued, Fenced, Hints,
    JobFilter, JobList, OpenCount, Rescued, Retried, Staged, StoreError, StoreResult, Wanted,
    WriterStats,
};
use crate::store::{Database, Effect, FleetStore, JobStore};

#[async_trait]
impl JobStore for SqliteStore {
    type Effect = Effect;

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
        let weight = completion.weight() as u64;
        self.write_heavy(weight, move |tx| tx.settle(lease, &completion, now))
            .await
    }

    async fn stage(&self, now: Timestamp) -> StoreResult<Staged> {
        self.write(move |tx| tx.stage(now)).await
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

    async fn prune(&self, before: Timestamp, limit: usize) -> StoreResult<usize> {
        self.write(move |tx| tx.prune(before, limit)).await
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

    async fn held(&self, engine: &str) -> StoreResult<Vec<(Lease, Priority)>> {
        let mut reader = self.readers.vital().await?;
        let rows: Vec<(i64, i64, i32)> =
            job_statements::Held { engine }.load(reader.conn()).await?;
        Ok(rows.into_iter().map(held_from).collect())
    }

    async fn runs_alone(&self, lease: Lease) -> StoreResult<Fenced> {
        self.write(move |tx| tx.runs_alone(lease)).await
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
}

#[async_trait]
impl FleetStore for SqliteStore {
    async fn engine_started(&self, engine: EngineInfo, now: Timestamp) -> StoreResult<()> {
        self.write(move |tx| tx.engine_started(&engine, now)).await
    }

    async fn engine_stopped(&self, engine: &str, now: Timestamp) -> StoreResult<()> {
        let engine = engine.to_owned();
        self.write(move |tx| tx.engine_stopped(&engine, now)).await
    }

    /// Whoever has the file's lock lives, and leads: nothing needs to be written.
    async fn beat(&self, _: &EngineInfo) -> StoreResult<Beat> {
        Ok(Beat {
            leads: Some(1),
            ..Beat::default()
        })
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

    async fn rescue(&self, alive: &str, now: Timestamp) -> StoreResult<Rescued> {
        let alive = alive.to_owned();
        self.write(move |tx| tx.rescue(&alive, now)).await
    }

    async fn died(&self, engine: &str, death: Death) -> StoreResult<bool> {
        let engine = engine.to_owned();
        self.write(move |tx| tx.died(&engine, death)).await
    }

    fn is_shared(&self) -> bool {
        false
    }
}

#[async_trait]
impl Database for SqliteStore {
    fn hints(&self) -> &Hints {
        &self.hints
    }

    fn writer_stats(&self) -> WriterStats {
        let waiting = self.lock_writer().as_ref().map_or(0, |writer| {
            writer.commands.max_capacity() - writer.commands.capacity()
        });
        self.counters.read(waiting)
    }

    fn away(&self) -> Option<Away> {
        self.counters.absence.now()
    }

    fn outages(&self) -> &DatabaseOutageLog {
        &self.counters.outages
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

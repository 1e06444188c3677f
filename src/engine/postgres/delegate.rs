//! A store that has more than jobs, as a store of jobs.

/// Makes a store one of jobs: what is asked of it is asked of the store of jobs that it holds.
///
/// ```ignore
/// riftsync_engine::is_store_of_jobs!(MyStore, database: PostgresDatabase<MyJobs>);
/// ```
#[macro_export]
macro_rules! is_store_of_jobs {
    ([$($generics:tt)*] $store:ty, $held:ident: $jobs:ty) => {
        const _: () = {
            use std::sync::Arc;

            use $crate::__macros::{Death, ProbeStore, QueueProgress, async_trait};
            use $crate::metrics::DatabaseOutageLog;
            use $crate::store::schedules::{Schedule, ScheduleStore, StoredSchedule, Tick, Ticked};
            use $crate::store::{
                Away, Batch, Beat, Cancelled, Completion, Database, EngineInfo, EngineRow,
                Enqueued, Fenced, FleetStore, Hints, JobFilter, JobList, JobStore, OpenCount,
                Rescued, Retried, Staged, StoreError, StoreResult, Wanted, WriterStats,
            };
            use $crate::{ClaimedJob, JobId, JobRecord, Lease, NewJob, Priority, Timestamp};

            #[async_trait]
            impl<$($generics)*> JobStore for $store {
                type Effect = <$jobs as JobStore>::Effect;

                async fn enqueue(
                    &self,
                    jobs: Vec<NewJob>,
                    now: Timestamp,
                ) -> StoreResult<Vec<Enqueued>> {
                    self.$held.enqueue(jobs, now).await
                }
                async fn enqueue_batch(
                    &self,
                    jobs: Vec<NewJob>,
                    now: Timestamp,
                ) -> StoreResult<Batch> {
                    self.$held.enqueue_batch(jobs, now).await
                }
                async fn cancel(&self, id: JobId, now: Timestamp) -> StoreResult<Cancelled> {
                    self.$held.cancel(id, now).await
                }
                async fn retry(&self, id: JobId, now: Timestamp) -> StoreResult<Retried> {
                    self.$held.retry(id, now).await
                }
                async fn claim(
                    &self,
                    wanted: Wanted<'_>,
                    engine: &str,
                    now: Timestamp,
                ) -> StoreResult<Vec<ClaimedJob>> {
                    self.$held.claim(wanted, engine, now).await
                }
                async fn progress(
                    &self,
                    lease: Lease,
                    step: &'static str,
                    percent: u8,
                    counters: $crate::__macros::Value,
                ) -> StoreResult<Fenced> {
                    self.$held.progress(lease, step, percent, counters).await
                }
                async fn settle(
                    &self,
                    lease: Lease,
                    completion: Arc<Completion<Self::Effect>>,
                    now: Timestamp,
                ) -> StoreResult<Fenced> {
                    self.$held.settle(lease, completion, now).await
                }
                async fn stage(&self, now: Timestamp) -> StoreResult<Staged> {
                    self.$held.stage(now).await
                }
                async fn release(
                    &self,
                    engine: &str,
                    queue: Option<&str>,
                    keep: &[Lease],
                    now: Timestamp,
                ) -> StoreResult<usize> {
                    self.$held.release(engine, queue, keep, now).await
                }
                async fn prune(&self, before: Timestamp, limit: usize) -> StoreResult<usize> {
                    self.$held.prune(before, limit).await
                }
                async fn cancel_requests(&self, engine: &str) -> StoreResult<Vec<Lease>> {
                    self.$held.cancel_requests(engine).await
                }
                async fn held(&self, engine: &str) -> StoreResult<Vec<(Lease, Priority)>> {
                    self.$held.held(engine).await
                }
                async fn runs_alone(&self, lease: Lease) -> StoreResult<Fenced> {
                    self.$held.runs_alone(lease).await
                }
                async fn job(&self, id: JobId) -> StoreResult<Option<JobRecord>> {
                    self.$held.job(id).await
                }
                async fn jobs_by_id(&self, ids: &[JobId]) -> StoreResult<Vec<JobRecord>> {
                    self.$held.jobs_by_id(ids).await
                }
                async fn list_jobs(&self, filter: &JobFilter) -> StoreResult<JobList> {
                    self.$held.list_jobs(filter).await
                }
                async fn open_counts(&self) -> StoreResult<Vec<OpenCount>> {
                    self.$held.open_counts().await
                }
            }

            #[async_trait]
            impl<$($generics)*> FleetStore for $store {
                async fn engine_started(
                    &self,
                    engine: EngineInfo,
                    now: Timestamp,
                ) -> StoreResult<()> {
                    self.$held.engine_started(engine, now).await
                }
                async fn engine_stopped(&self, engine: &str, now: Timestamp) -> StoreResult<()> {
                    self.$held.engine_stopped(engine, now).await
                }
                async fn beat(&self, engine: &EngineInfo) -> StoreResult<Beat> {
                    self.$held.beat(engine).await
                }
                async fn engines(&self) -> StoreResult<Vec<EngineRow>> {
                    self.$held.engines().await
                }
                async fn rescue(&self, alive: &str, now: Timestamp) -> StoreResult<Rescued> {
                    self.$held.rescue(alive, now).await
                }
                async fn died(&self, engine: &str, death: Death) -> StoreResult<bool> {
                    self.$held.died(engine, death).await
                }
                fn knows_of_deaths(&self) -> bool {
                    self.$held.knows_of_deaths()
                }
                fn is_seen(&self) -> bool {
                    self.$held.is_seen()
                }
                fn is_shared(&self) -> bool {
                    self.$held.is_shared()
                }
            }

            #[async_trait]
            impl<$($generics)*> Database for $store {
                fn hints(&self) -> &Hints {
                    self.$held.hints()
                }
                fn writer_stats(&self) -> WriterStats {
                    self.$held.writer_stats()
                }
                fn away(&self) -> Option<Away> {
                    self.$held.away()
                }
                fn outages(&self) -> &DatabaseOutageLog {
                    self.$held.outages()
                }
                async fn size_bytes(&self) -> StoreResult<Option<u64>> {
                    self.$held.size_bytes().await
                }
                async fn writer_died(&self) -> String {
                    self.$held.writer_died().await
                }
                async fn ended(&self) -> StoreError {
                    self.$held.ended().await
                }
                fn restart_writer(&self) -> StoreResult<()> {
                    self.$held.restart_writer()
                }
                async fn close(&self) -> StoreResult<()> {
                    self.$held.close().await
                }
            }

            #[async_trait]
            impl<$($generics)*> ScheduleStore for $store {
                async fn schedules(&self) -> StoreResult<Vec<StoredSchedule>> {
                    self.$held.schedules().await
                }
                async fn put_schedule(
                    &self,
                    schedule: Schedule,
                    now: Timestamp,
                ) -> StoreResult<()> {
                    self.$held.put_schedule(schedule, now).await
                }
                async fn remove_schedule(&self, name: &str) -> StoreResult<bool> {
                    self.$held.remove_schedule(name).await
                }
                async fn adopt_schedules(
                    &self,
                    schedules: Vec<Schedule>,
                    now: Timestamp,
                ) -> StoreResult<()> {
                    self.$held.adopt_schedules(schedules, now).await
                }
                async fn tick(&self, tick: Tick, now: Timestamp) -> StoreResult<Ticked> {
                    self.$held.tick(tick, now).await
                }
            }

            #[async_trait]
            impl<$($generics)*> ProbeStore for $store {
                async fn probe(&self, engine: &str) -> StoreResult<Option<Timestamp>> {
                    self.$held.probe(engine).await
                }
                async fn queue_progress(
                    &self,
                    since: Timestamp,
                ) -> StoreResult<Vec<QueueProgress>> {
                    self.$held.queue_progress(since).await
                }
            }
        };
    };
    ($store:ty, $held:ident: $jobs:ty) => {
        $crate::is_store_of_jobs!([] $store, $held: $jobs);
    };
}

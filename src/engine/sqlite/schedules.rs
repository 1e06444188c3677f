//! Schedules and their ticks.

use async_trait::async_trait;

use super::SqliteJobs;
use super::reader::ReadDsl;
use super::transaction::Transaction;
use crate::sql::schedules as sql;
use crate::store::StoreResult;
use crate::store::schedules::{
    Origin, Schedule, ScheduleStore, StoredSchedule, Tick, Ticked, left_out, may_add, may_remove,
    schedules_from,
};
use riftsync_basics::Timestamp;

impl Transaction<'_> {
    fn schedules(&mut self) -> StoreResult<Vec<StoredSchedule>> {
        schedules_from(diesel::RunQueryDsl::load(sql::All {}, self.conn)?)
    }

    fn put(&mut self, schedule: &Schedule, origin: Origin, now: Timestamp) -> StoreResult<()> {
        let put = sql::Put::of(schedule, origin, now);
        diesel::RunQueryDsl::execute(put, self.conn)?;
        Ok(())
    }

    fn remove(&mut self, name: &str) -> StoreResult<bool> {
        Ok(diesel::RunQueryDsl::execute(sql::Remove { name }, self.conn)? > 0)
    }

    fn put_schedule(&mut self, schedule: &Schedule, now: Timestamp) -> StoreResult<()> {
        may_add(&self.schedules()?, &schedule.name)?;
        self.put(schedule, Origin::Added, now)
    }

    fn remove_schedule(&mut self, name: &str) -> StoreResult<bool> {
        Ok(may_remove(&self.schedules()?, name)? && self.remove(name)?)
    }

    fn adopt_schedules(&mut self, schedules: &[Schedule], now: Timestamp) -> StoreResult<()> {
        for name in left_out(&self.schedules()?, schedules) {
            self.remove(name)?;
        }
        for schedule in schedules {
            self.put(schedule, Origin::Config, now)?;
        }
        Ok(())
    }

    fn tick(&mut self, tick: &Tick, now: Timestamp) -> StoreResult<Ticked> {
        let name = &tick.name;
        let moved = sql::Move::to(tick);
        if diesel::RunQueryDsl::execute(moved, self.conn)? == 0 {
            return Ok(Ticked::Elsewhere);
        }
        let Some(job) = &tick.job else {
            return Ok(Ticked::Passed);
        };
        let enqueued = self.enqueue(std::slice::from_ref(job), now)?;
        let enqueued = enqueued[0];
        let job = enqueued.id.0;
        diesel::RunQueryDsl::execute(sql::NoteJob { job, name }, self.conn)?;
        Ok(Ticked::Enqueued(enqueued))
    }
}

#[async_trait]
impl<S: SqliteJobs> ScheduleStore for S {
    async fn schedules(&self) -> StoreResult<Vec<StoredSchedule>> {
        let mut reader = self.file().readers().borrow().await?;
        schedules_from(sql::All {}.load(reader.conn()).await?)
    }

    async fn put_schedule(&self, schedule: Schedule, now: Timestamp) -> StoreResult<()> {
        self.file()
            .write(move |tx| tx.put_schedule(&schedule, now))
            .await
    }

    async fn remove_schedule(&self, name: &str) -> StoreResult<bool> {
        let name = name.to_owned();
        self.file().write(move |tx| tx.remove_schedule(&name)).await
    }

    async fn adopt_schedules(&self, schedules: Vec<Schedule>, now: Timestamp) -> StoreResult<()> {
        self.file()
            .write(move |tx| tx.adopt_schedules(&schedules, now))
            .await
    }

    async fn tick(&self, tick: Tick, now: Timestamp) -> StoreResult<Ticked> {
        self.file().write(move |tx| tx.tick(&tick, now)).await
    }
}

//! Schedules and their ticks.

use async_trait::async_trait;

use super::SqliteJobs;
use super::reader::ReadDsl;
use super::transaction::Transaction;
use crate::sql::schedules as sql;
use crate::store::StoreResult;
use crate::store::schedules::{
    Origin, SCHEDULES_MAX, Schedule, ScheduleStore, ScheduleTuple, StoredSchedule, Tick, Ticked,
    held_by_config, schedule_from, too_many,
};
use riftsync_basics::Timestamp;

impl Transaction<'_> {
    fn schedules(&mut self) -> StoreResult<Vec<StoredSchedule>> {
        let rows: Vec<ScheduleTuple> = diesel::RunQueryDsl::load(sql::All {}, self.conn)?;
        rows.into_iter().map(schedule_from).collect()
    }

    fn put(&mut self, schedule: &Schedule, origin: Origin, now: Timestamp) -> StoreResult<()> {
        let put = sql::Put {
            name: &schedule.name,
            expression: &schedule.expression,
            zone: &schedule.zone,
            catch_up: schedule.catch_up.as_str(),
            kind: &schedule.kind,
            args: &schedule.args,
            origin: origin.as_str(),
            now: now.as_millis(),
        };
        diesel::RunQueryDsl::execute(put, self.conn)?;
        Ok(())
    }

    fn remove(&mut self, name: &str) -> StoreResult<bool> {
        Ok(diesel::RunQueryDsl::execute(sql::Remove { name }, self.conn)? > 0)
    }

    fn put_schedule(&mut self, schedule: &Schedule, now: Timestamp) -> StoreResult<()> {
        let known = self.schedules()?;
        match known
            .iter()
            .find(|known| known.schedule.name == schedule.name)
        {
            Some(known) if known.origin == Origin::Config => {
                return Err(held_by_config(&schedule.name));
            }
            None if known.len() >= SCHEDULES_MAX => return Err(too_many()),
            _ => {}
        }
        self.put(schedule, Origin::Added, now)
    }

    fn remove_schedule(&mut self, name: &str) -> StoreResult<bool> {
        let known = self.schedules()?;
        match known.iter().find(|known| known.schedule.name == name) {
            Some(known) if known.origin == Origin::Config => Err(held_by_config(name)),
            Some(_) => self.remove(name),
            None => Ok(false),
        }
    }

    fn adopt_schedules(&mut self, schedules: &[Schedule], now: Timestamp) -> StoreResult<()> {
        for known in self.schedules()? {
            let name = &known.schedule.name;
            if known.origin == Origin::Config && !schedules.iter().any(|new| new.name == *name) {
                self.remove(name)?;
            }
        }
        for schedule in schedules {
            self.put(schedule, Origin::Config, now)?;
        }
        Ok(())
    }

    fn tick(&mut self, tick: &Tick, now: Timestamp) -> StoreResult<Ticked> {
        let name = &tick.name;
        let moved = sql::Move {
            at: tick.at.as_millis(),
            name,
            made: tick.made.as_millis(),
            last: tick.seen_last.map(Timestamp::as_millis),
        };
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
        let rows: Vec<ScheduleTuple> = sql::All {}.load(reader.conn()).await?;
        rows.into_iter().map(schedule_from).collect()
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

//! Schedules and their ticks.

use async_trait::async_trait;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::Backend;
use super::command::Verb;
use super::database::PostgresDatabase;
use super::enqueue::{Call, From};
use super::fault::Fault;
use super::locks::Class;
use super::reader::read;
use super::seam::PostgresJobs;
use super::transaction::Transaction;
use crate::sql::schedules as sql;
use crate::store::StoreResult;
use crate::store::schedules::{
    Origin, Schedule, ScheduleStore, StoredSchedule, Tick, Ticked, left_out, may_add, may_remove,
    schedules_from,
};
use riftsync_basics::Timestamp;

mod own {
    use super::BigInt;
    use crate::statement;

    statement! {
        /// Only here: a file has one writer.
        LockAll {} -> BigInt =
        "SELECT count(*) FROM (SELECT 1 FROM schedules ORDER BY name FOR UPDATE) AS locked";
    }
}

impl Transaction<'_> {
    async fn schedules(&mut self) -> Result<Vec<StoredSchedule>, Fault> {
        Ok(schedules_from(sql::All {}.load(&mut self.conn).await?)?)
    }

    async fn put(
        &mut self,
        schedule: &Schedule,
        origin: Origin,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.after.wrote = true;
        let put = sql::Put::of(schedule, origin, now);
        put.execute(&mut self.conn).await?;
        Ok(())
    }

    async fn remove(&mut self, name: &str) -> Result<bool, Fault> {
        self.after.wrote = true;
        Ok(sql::Remove { name }.execute(&mut self.conn).await? > 0)
    }

    pub(super) async fn put_schedule(
        &mut self,
        schedule: &Schedule,
        now: Timestamp,
    ) -> Result<StoreResult<()>, Fault> {
        match may_add(&self.schedules().await?, &schedule.name) {
            Ok(()) => self.put(schedule, Origin::Added, now).await.map(Ok),
            refused => Ok(refused),
        }
    }

    pub(super) async fn remove_schedule(&mut self, name: &str) -> Result<StoreResult<bool>, Fault> {
        match may_remove(&self.schedules().await?, name) {
            Ok(true) => self.remove(name).await.map(Ok),
            told => Ok(told),
        }
    }

    /// In the order of the names: two engines that start wait for each other, and not in a circle.
    pub(super) async fn adopt_schedules(
        &mut self,
        schedules: &[Schedule],
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.locks.pass::<()>(Class::Schedules, &[]);
        let _locked: i64 = own::LockAll {}.get_result(&mut self.conn).await?;
        for name in left_out(&self.schedules().await?, schedules) {
            self.remove(name).await?;
        }
        let mut schedules: Vec<&Schedule> = schedules.iter().collect();
        schedules.sort_by_key(|schedule| &schedule.name);
        for schedule in schedules {
            self.put(schedule, Origin::Config, now).await?;
        }
        Ok(())
    }

    pub(super) async fn tick(&mut self, tick: &Tick, now: Timestamp) -> Result<Ticked, Fault> {
        let name = &tick.name;
        self.locks.pass(Class::Schedules, &[name]);
        let moved = sql::Move::to(tick);
        // Another engine that is at this tick holds the row: the update waits, and then finds it moved.
        if moved.execute(&mut self.conn).await? == 0 {
            return Ok(Ticked::Elsewhere);
        }
        self.after.wrote = true;
        let Some(job) = &tick.job else {
            return Ok(Ticked::Passed);
        };
        let call = Call {
            jobs: std::slice::from_ref(job),
            now,
            from: From::Person,
        };
        let brought = self.bring_in(&[call]).await?;
        // A job that is refused leaves the tick where it was.
        let brought = brought.into_iter().next().expect("a result for the call")?;
        let enqueued = brought.enqueued()[0];
        let job = enqueued.id.0;
        sql::NoteJob { job, name }.execute(&mut self.conn).await?;
        Ok(Ticked::Enqueued(enqueued))
    }
}

#[async_trait]
impl<J: PostgresJobs> ScheduleStore for PostgresDatabase<J> {
    async fn schedules(&self) -> StoreResult<Vec<StoredSchedule>> {
        schedules_from(read!(self.readers, conn => sql::All {}.load(conn).await))
    }

    async fn put_schedule(&self, schedule: Schedule, now: Timestamp) -> StoreResult<()> {
        self.give(|answer| Verb::PutSchedule(schedule, now, answer))
            .await
    }

    async fn remove_schedule(&self, name: &str) -> StoreResult<bool> {
        let name = name.to_owned();
        self.give(|answer| Verb::RemoveSchedule(name, answer)).await
    }

    async fn adopt_schedules(&self, schedules: Vec<Schedule>, now: Timestamp) -> StoreResult<()> {
        self.give(|answer| Verb::AdoptSchedules(schedules, now, answer))
            .await
    }

    async fn tick(&self, tick: Tick, now: Timestamp) -> StoreResult<Ticked> {
        let tick = Box::new(tick);
        self.give(|answer| Verb::Tick(tick, now, answer)).await
    }
}

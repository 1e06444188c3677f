//! Schedules, as the databases keep them.

use async_trait::async_trait;
use riftsync_basics::Timestamp;

use super::{MemoryStore, State};
use crate::store::schedules::{
    Origin, SCHEDULES_MAX, Schedule, StoredSchedule, Tick, Ticked, held_by_config, too_many,
};
use crate::store::{Effect, ScheduleStore, StoreResult};

impl<E> State<E> {
    /// Whoever changes when it is due begins it anew.
    fn put_schedule(&mut self, schedule: Schedule, origin: Origin, now: Timestamp) {
        let name = schedule.name.clone();
        let when = |schedule: &Schedule| (schedule.expression.clone(), schedule.zone.clone());
        let before = self.schedules.get(&name);
        let same = before.filter(|known| when(&known.schedule) == when(&schedule));
        let new = StoredSchedule {
            origin,
            made: same.map_or(now, |known| known.made),
            last_tick: same.and_then(|known| known.last_tick),
            last_job: same.and_then(|known| known.last_job),
            schedule,
        };
        self.schedules.insert(name, new);
    }

    fn is_of_config(&self, name: &str) -> bool {
        let known = self.schedules.get(name);
        known.is_some_and(|known| known.origin == Origin::Config)
    }
}

#[async_trait]
impl<E: Effect> ScheduleStore for MemoryStore<E> {
    async fn schedules(&self) -> StoreResult<Vec<StoredSchedule>> {
        Ok(self.lock().schedules.values().cloned().collect())
    }

    async fn put_schedule(&self, schedule: Schedule, now: Timestamp) -> StoreResult<()> {
        self.write(now, |state| {
            let name = &schedule.name;
            if state.is_of_config(name) {
                return Err(held_by_config(name));
            }
            if !state.schedules.contains_key(name) && state.schedules.len() >= SCHEDULES_MAX {
                return Err(too_many());
            }
            state.put_schedule(schedule, Origin::Added, now);
            Ok(())
        })
    }

    async fn remove_schedule(&self, name: &str) -> StoreResult<bool> {
        let mut state = self.lock();
        if state.is_of_config(name) {
            return Err(held_by_config(name));
        }
        Ok(state.schedules.remove(name).is_some())
    }

    async fn adopt_schedules(&self, schedules: Vec<Schedule>, now: Timestamp) -> StoreResult<()> {
        self.write(now, |state| {
            state.schedules.retain(|name, known| {
                known.origin != Origin::Config || schedules.iter().any(|new| new.name == *name)
            });
            for schedule in schedules {
                state.put_schedule(schedule, Origin::Config, now);
            }
        });
        Ok(())
    }

    async fn tick(&self, tick: Tick, now: Timestamp) -> StoreResult<Ticked> {
        Ok(self.write(now, |state| {
            let known = state.schedules.get_mut(&tick.name);
            let as_seen =
                known.filter(|known| known.made == tick.made && known.last_tick == tick.seen_last);
            let Some(known) = as_seen else {
                return Ticked::Elsewhere;
            };
            known.last_tick = Some(tick.at);
            known.last_job = None;
            let Some(job) = tick.job else {
                return Ticked::Passed;
            };
            let enqueued = state.ledger.enqueue(&[job], now)[0];
            known.last_job = Some(enqueued.id);
            Ticked::Enqueued(enqueued)
        }))
    }
}

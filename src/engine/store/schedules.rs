//! Schedules as they are stored, and the one transaction in which a tick is dealt with.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::{Enqueued, StoreError, StoreResult};
use riftsync_basics::{CatchUp, JobId, NewJob, Timestamp};

/// Schedules that there may be.
pub const SCHEDULES_MAX: usize = 1_000;

/// Who made a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It stands in the configuration, which alone changes it.
    Config,
    /// Somebody added it while an engine ran.
    Added,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Added => "added",
        }
    }
}

/// What runs, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub name: String,
    /// What `model::Cadence` reads.
    pub expression: String,
    /// IANA name.
    pub zone: String,
    pub catch_up: CatchUp,
    pub kind: String,
    /// Arguments as JSON text.
    pub args: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSchedule {
    pub schedule: Schedule,
    pub origin: Origin,
    /// When it was made, or its times were changed.
    pub made: Timestamp,
    /// The last tick that was dealt with.
    pub last_tick: Option<Timestamp>,
    /// The job of that tick; none: it was missed.
    pub last_job: Option<JobId>,
}

/// A tick to deal with.
#[derive(Debug, Clone)]
pub struct Tick {
    pub name: String,
    /// The schedule as the decision saw it: if it changed since, the tick is not its any more.
    pub made: Timestamp,
    pub seen_last: Option<Timestamp>,
    pub at: Timestamp,
    /// What it enqueues; none: it was missed.
    pub job: Option<NewJob>,
}

impl Tick {
    pub fn of(schedule: &StoredSchedule, at: Timestamp, job: Option<NewJob>) -> Self {
        Self {
            name: schedule.schedule.name.clone(),
            made: schedule.made,
            seen_last: schedule.last_tick,
            at,
            job,
        }
    }
}

/// What dealing with a tick came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticked {
    Enqueued(Enqueued),
    /// It was noted as missed.
    Passed,
    /// Somebody else has dealt with it, or the schedule is another now: nothing was changed.
    Elsewhere,
}

#[async_trait]
pub trait ScheduleStore {
    /// By name.
    async fn schedules(&self) -> StoreResult<Vec<StoredSchedule>>;
    /// Adds a schedule, or puts it in the place of an added one of its name.
    async fn put_schedule(&self, schedule: Schedule, now: Timestamp) -> StoreResult<()>;
    /// Removes an added one. False: there is none of that name.
    async fn remove_schedule(&self, name: &str) -> StoreResult<bool>;
    /// Makes these the schedules of the configuration. Those whose times stay as they were keep their ticks.
    async fn adopt_schedules(&self, schedules: Vec<Schedule>, now: Timestamp) -> StoreResult<()>;
    /// Moves a schedule to a tick and enqueues its job, both or none, if nobody else has done so.
    async fn tick(&self, tick: Tick, now: Timestamp) -> StoreResult<Ticked>;
}

/// A row of the table.
pub type ScheduleRow = (
    Text,
    Text,
    Text,
    Text,
    Text,
    Text,
    Text,
    Nullable<BigInt>,
    Nullable<BigInt>,
    BigInt,
);
pub type ScheduleTuple = (
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    Option<i64>,
    Option<i64>,
    i64,
);

fn schedule_from(row: ScheduleTuple) -> StoreResult<StoredSchedule> {
    let (name, expression, zone, catch_up, kind, args, origin, last_tick, last_job, made) = row;
    let origin = match origin.as_str() {
        "config" => Origin::Config,
        "added" => Origin::Added,
        other => {
            return Err(StoreError::Unexpected(format!(
                "a schedule's origin '{other}'"
            )));
        }
    };
    Ok(StoredSchedule {
        schedule: Schedule {
            name,
            expression,
            zone,
            catch_up: catch_up.parse().map_err(StoreError::Unexpected)?,
            kind,
            args,
        },
        origin,
        made: Timestamp::from_millis(made),
        last_tick: last_tick.map(Timestamp::from_millis),
        last_job: last_job.map(JobId),
    })
}

pub(crate) fn schedules_from(rows: Vec<ScheduleTuple>) -> StoreResult<Vec<StoredSchedule>> {
    rows.into_iter().map(schedule_from).collect()
}

fn named<'k>(known: &'k [StoredSchedule], name: &str) -> Option<&'k StoredSchedule> {
    known.iter().find(|known| known.schedule.name == name)
}

/// Whether somebody may add a schedule of this name, or put it in the place of the one that has it.
pub(crate) fn may_add(known: &[StoredSchedule], name: &str) -> StoreResult<()> {
    match named(known, name) {
        Some(known) if known.origin == Origin::Config => Err(held_by_config(name)),
        None if known.len() >= SCHEDULES_MAX => Err(too_many()),
        _ => Ok(()),
    }
}

/// Whether there is one of this name that somebody may remove.
pub(crate) fn may_remove(known: &[StoredSchedule], name: &str) -> StoreResult<bool> {
    match named(known, name) {
        Some(known) if known.origin == Origin::Config => Err(held_by_config(name)),
        found => Ok(found.is_some()),
    }
}

/// The names of those that stood in the configuration and do so no more.
pub(crate) fn left_out<'k>(
    known: &'k [StoredSchedule],
    configured: &'k [Schedule],
) -> impl Iterator<Item = &'k str> {
    let is_left_out = |known: &&StoredSchedule| {
        let name = &known.schedule.name;
        known.origin == Origin::Config && !configured.iter().any(|new| new.name == *name)
    };
    let left_out = known.iter().filter(is_left_out);
    left_out.map(|known| known.schedule.name.as_str())
}

/// Why an added schedule cannot take a name.
pub fn held_by_config(name: &str) -> StoreError {
    StoreError::Refused(format!(
        "the schedule '{name}' stands in the configuration. Change it there, under [schedules.{name}]; when = \"off\" ends it"
    ))
}

pub fn too_many() -> StoreError {
    StoreError::Refused(format!(
        "there are {SCHEDULES_MAX} schedules, the most that are taken. Remove one of them first"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, origin: Origin) -> StoredSchedule {
        StoredSchedule {
            schedule: Schedule {
                name: name.to_owned(),
                expression: "every 6h".to_owned(),
                zone: "UTC".to_owned(),
                catch_up: CatchUp::Skip,
                kind: "recover".to_owned(),
                args: "{}".to_owned(),
            },
            origin,
            made: Timestamp::EPOCH,
            last_tick: None,
            last_job: None,
        }
    }

    #[test]
    fn what_stands_in_the_configuration_is_changed_there_alone() {
        let all = [known("a", Origin::Config), known("b", Origin::Added)];
        assert!(may_add(&all, "a").is_err() && may_remove(&all, "a").is_err());
        assert!(may_add(&all, "b").is_ok() && may_add(&all, "c").is_ok());
        assert_eq!(may_remove(&all, "b").ok(), Some(true));
        assert_eq!(may_remove(&all, "c").ok(), Some(false));
        let configured = [known("c", Origin::Config).schedule];
        assert_eq!(left_out(&all, &configured).collect::<Vec<_>>(), ["a"]);
        assert_eq!(left_out(&all[1..], &[]).count(), 0);
    }

    #[test]
    fn a_schedule_that_is_there_can_be_changed_when_there_are_as_many_as_may_be() {
        let name = |at: usize| format!("s{at}");
        let all: Vec<_> = (0..SCHEDULES_MAX)
            .map(|at| known(&name(at), Origin::Added))
            .collect();
        assert!(may_add(&all, &name(0)).is_ok());
        assert!(may_add(&all, "one more").is_err());
    }
}

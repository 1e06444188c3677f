//! The SQL of schedules and their ticks.

use diesel::sql_types::{BigInt, Nullable, Text};

use crate::shared_statement;
use crate::store::schedules::{Origin, Schedule, ScheduleRow, Tick};
use riftsync_basics::Timestamp;

shared_statement! {
    All {} -> ScheduleRow =
    "SELECT name, expression, zone, catch_up, kind, args, origin, last_tick_at, last_job_id, created_at
     FROM schedules ORDER BY name";
}

shared_statement! {
    Put<'a> {
        name: &'a str => Text, expression: &'a str => Text, zone: &'a str => Text, catch_up: &'a str => Text,
        kind: &'a str => Text, args: &'a str => Text, origin: &'a str => Text, now: i64 => BigInt,
    } -> () =
    "INSERT INTO schedules AS known (name, expression, zone, catch_up, kind, args, origin, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET expression = excluded.expression, zone = excluded.zone,
        catch_up = excluded.catch_up, kind = excluded.kind, args = excluded.args, origin = excluded.origin,
        last_tick_at = CASE WHEN (known.expression, known.zone) = (excluded.expression, excluded.zone)
            THEN known.last_tick_at END,
        created_at = CASE WHEN (known.expression, known.zone) = (excluded.expression, excluded.zone)
            THEN known.created_at ELSE excluded.created_at END";
}

impl<'a> Put<'a> {
    pub(crate) fn of(schedule: &'a Schedule, origin: Origin, now: Timestamp) -> Self {
        Self {
            name: &schedule.name,
            expression: &schedule.expression,
            zone: &schedule.zone,
            catch_up: schedule.catch_up.as_str(),
            kind: &schedule.kind,
            args: &schedule.args,
            origin: origin.as_str(),
            now: now.as_millis(),
        }
    }
}

shared_statement! { Remove<'a> { name: &'a str => Text } -> () = "DELETE FROM schedules WHERE name = ?"; }

shared_statement! {
    /// Changes nothing if the schedule is another now, or somebody else has dealt with the tick.
    Move<'a> {
        at: i64 => BigInt, name: &'a str => Text, made: i64 => BigInt, last: Option<i64> => Nullable<BigInt>,
    } -> () =
    "UPDATE schedules SET last_tick_at = ?, last_job_id = NULL
     WHERE name = ? AND created_at = ? AND last_tick_at IS NOT DISTINCT FROM ?";
}

impl<'a> Move<'a> {
    pub(crate) fn to(tick: &'a Tick) -> Self {
        Self {
            at: tick.at.as_millis(),
            name: &tick.name,
            made: tick.made.as_millis(),
            last: tick.seen_last.map(Timestamp::as_millis),
        }
    }
}

shared_statement! {
    NoteJob<'a> { job: i64 => BigInt, name: &'a str => Text } -> () =
    "UPDATE schedules SET last_job_id = ? WHERE name = ?";
}

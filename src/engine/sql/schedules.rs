//! The SQL of schedules and their ticks.

use diesel::sql_types::{BigInt, Nullable, Text};

use crate::shared_statement;
use crate::store::schedules::ScheduleRow;

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

shared_statement! { Remove<'a> { name: &'a str => Text } -> () = "DELETE FROM schedules WHERE name = ?"; }

shared_statement! {
    Move<'a> {
        at: i64 => BigInt, name: &'a str => Text, made: i64 => BigInt, last: Option<i64> => Nullable<BigInt>,
    } -> () =
    "UPDATE schedules SET last_tick_at = ?, last_job_id = NULL
     WHERE name = ? AND created_at = ? AND last_tick_at IS NOT DISTINCT FROM ?";
}

shared_statement! {
    NoteJob<'a> { job: i64 => BigInt, name: &'a str => Text } -> () =
    "UPDATE schedules SET last_job_id = ? WHERE name = ?";
}

//! The SQL of lists of jobs. Each looks at a bounded number of rows, however many there are.
//!
//! SQLite is told the index of a few rows among millions (`{indexed by ...}`): it keeps no statistics that would tell it.

use diesel::sql_types::{BigInt, Nullable, Text};

use super::jobs::job_columns;
use crate::shared_statement;
use crate::store::rows::JobRow;

type Opt<T> = Nullable<T>;

shared_statement! { Ids {} -> (BigInt, BigInt) = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM jobs"; }

shared_statement! {
    /// Those of a range of ids, each looked at.
    ListIds<'a> {
        from: i64 => BigInt, before: i64 => BigInt, state: Option<&'a str> => Opt<Text>, kind: Option<&'a str> => Opt<Text>,
        queue: Option<&'a str> => Opt<Text>, limit: i64 => BigInt,
    } -> JobRow =
    job_columns!(
        "WHERE id >= ? AND id < ? AND state = coalesce(?, state) AND kind = coalesce(?, kind) AND queue = coalesce(?, queue)
         ORDER BY id DESC LIMIT ?"
    );
}

shared_statement! {
    /// How far back a list of jobs that ended badly looks; none: to the oldest.
    EndedBadlyTo { before: i64 => BigInt, count: i64 => BigInt } -> BigInt =
    "SELECT id FROM jobs {indexed by jobs_ended_badly} WHERE state IN ('cancelled', 'discarded') AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?";
}

shared_statement! {
    ListEndedBadly<'a> {
        from: i64 => BigInt, before: i64 => BigInt, state: &'a str => Text, kind: Option<&'a str> => Opt<Text>,
        queue: Option<&'a str> => Opt<Text>, limit: i64 => BigInt,
    } -> JobRow =
    job_columns!(
        "{indexed by jobs_ended_badly} WHERE state IN ('cancelled', 'discarded') AND id >= ? AND id < ? AND state = ? AND kind = coalesce(?, kind)
               AND queue = coalesce(?, queue)
         ORDER BY id DESC LIMIT ?"
    );
}

shared_statement! {
    /// An index knows them; they are asked for every second by who watches.
    ListRunning<'a> {
        before: i64 => BigInt, kind: Option<&'a str> => Opt<Text>, queue: Option<&'a str> => Opt<Text>, limit: i64 => BigInt,
    } -> JobRow =
    job_columns!(
        "{indexed by jobs_running} WHERE state = 'running' AND id < ? AND kind = coalesce(?, kind) AND queue = coalesce(?, queue)
         ORDER BY id DESC LIMIT ?"
    );
}

shared_statement! {
    /// Each has a link to one that it waits for.
    ListBlocked<'a> {
        before: i64 => BigInt, kind: Option<&'a str> => Opt<Text>, queue: Option<&'a str> => Opt<Text>, limit: i64 => BigInt,
    } -> JobRow =
    job_columns!(
        "WHERE id IN (SELECT parent_id FROM job_links) AND state = 'blocked' AND id < ? AND kind = coalesce(?, kind)
               AND queue = coalesce(?, queue)
         ORDER BY id DESC LIMIT ?"
    );
}

shared_statement! {
    /// How many wait, up to a bound.
    CountWaiting { one: i64 => BigInt, other: i64 => BigInt, due: i64 => BigInt } -> (BigInt, BigInt) =
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'available' AND crash_count = 0 LIMIT ?) AS one)
          + (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'available' AND crash_count > 0 LIMIT ?) AS other),
            (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state IN ('scheduled', 'retryable') LIMIT ?) AS due)";
}

shared_statement! {
    ListAvailable<'a> {
        before: i64 => BigInt, kind: Option<&'a str> => Opt<Text>, queue: Option<&'a str> => Opt<Text>, limit: i64 => BigInt,
    } -> JobRow =
    job_columns!(
        "WHERE id IN (SELECT id FROM jobs WHERE state = 'available' AND crash_count = 0
                      UNION ALL SELECT id FROM jobs WHERE state = 'available' AND crash_count > 0)
               AND state = 'available' AND id < ? AND kind = coalesce(?, kind) AND queue = coalesce(?, queue)
         ORDER BY id DESC LIMIT ?"
    );
}

shared_statement! {
    ListDue<'a> {
        before: i64 => BigInt, state: &'a str => Text, kind: Option<&'a str> => Opt<Text>,
        queue: Option<&'a str> => Opt<Text>, limit: i64 => BigInt,
    } -> JobRow =
    job_columns!(
        "WHERE id IN (SELECT id FROM jobs WHERE state IN ('scheduled', 'retryable')) AND id < ? AND state = ?
               AND kind = coalesce(?, kind) AND queue = coalesce(?, queue)
         ORDER BY id DESC LIMIT ?"
    );
}

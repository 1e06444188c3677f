//! The SQL of lists of jobs. Each looks at a bounded number of rows, however many there are.
//!
//! SQLite is told the index of a few rows among millions (`{indexed by ...}`): it keeps no statistics that would tell.

use diesel::sql_types::{BigInt, Nullable, Text};

use super::jobs::job_columns;
use crate::shared_statement;
use crate::store::rows::JobRow;
use crate::store::{JobFilter, SEARCHED_MAX};
use riftsync_basics::JobState;

type Opt<T> = Nullable<T>;

/// What a list is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListSource {
    /// All jobs of a state that few jobs have.
    State,
    /// The same, unless very many wait: then the newest jobs are looked at instead, for those are among them.
    StateOfFew(JobState),
    EndedBadly,
    Ids,
}

impl ListSource {
    pub(crate) fn of(filter: &JobFilter) -> Self {
        match filter.state {
            Some(JobState::Running | JobState::Blocked) => Self::State,
            Some(JobState::Cancelled | JobState::Discarded) => Self::EndedBadly,
            Some(state @ (JobState::Available | JobState::Scheduled | JobState::Retryable)) => {
                Self::StateOfFew(state)
            }
            Some(JobState::Completed) | None => Self::Ids,
        }
    }
}

fn before(filter: &JobFilter) -> i64 {
    filter.before.map_or(i64::MAX, |id| id.0)
}

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

impl<'a> ListIds<'a> {
    /// `from`, `before`: as [`searched_ids`](crate::store::searched_ids) tells.
    pub(crate) fn of(filter: &'a JobFilter, (from, before): (i64, i64)) -> Self {
        Self {
            from,
            before,
            state: filter.state.map(JobState::as_str),
            kind: filter.kind.as_deref(),
            queue: filter.queue.as_deref(),
            limit: filter.row_limit(),
        }
    }
}

shared_statement! {
    /// How far back a list of jobs that ended badly looks; none: to the oldest.
    EndedBadlyTo { before: i64 => BigInt, count: i64 => BigInt } -> BigInt =
    "SELECT id FROM jobs {indexed by jobs_ended_badly} WHERE state IN ('cancelled', 'discarded') AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?";
}

impl EndedBadlyTo {
    pub(crate) fn of(filter: &JobFilter) -> Self {
        Self {
            before: before(filter),
            count: SEARCHED_MAX - 1,
        }
    }
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

impl<'a> ListEndedBadly<'a> {
    pub(crate) fn of(filter: &'a JobFilter, from: Option<i64>) -> Self {
        Self {
            from: from.unwrap_or(i64::MIN),
            before: before(filter),
            state: filter.state.unwrap_or(JobState::Discarded).as_str(),
            kind: filter.kind.as_deref(),
            queue: filter.queue.as_deref(),
            limit: filter.row_limit(),
        }
    }
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

impl CountWaiting {
    pub(crate) fn bounded() -> Self {
        let bound = SEARCHED_MAX + 1;
        Self {
            one: bound,
            other: bound,
            due: bound,
        }
    }

    /// Whether more jobs of the state wait than a list looks at.
    pub(crate) fn are_too_many(state: JobState, (available, due): (i64, i64)) -> bool {
        let waiting = if state == JobState::Available {
            available
        } else {
            due
        };
        waiting > SEARCHED_MAX
    }
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

/// Lists of a state that the statement has in its text.
macro_rules! of_filter {
    ($($name:ident)*) => {
        $(
            impl<'a> $name<'a> {
                pub(crate) fn of(filter: &'a JobFilter) -> Self {
                    Self {
                        before: before(filter),
                        kind: filter.kind.as_deref(),
                        queue: filter.queue.as_deref(),
                        limit: filter.row_limit(),
                    }
                }
            }
        )*
    };
}

of_filter! { ListRunning ListBlocked ListAvailable }

impl<'a> ListDue<'a> {
    pub(crate) fn of(filter: &'a JobFilter, state: JobState) -> Self {
        Self {
            before: before(filter),
            state: state.as_str(),
            kind: filter.kind.as_deref(),
            queue: filter.queue.as_deref(),
            limit: filter.row_limit(),
        }
    }
}

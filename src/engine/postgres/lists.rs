//! Lists of jobs. Each looks at a bounded number of rows, however many there are.

use diesel::result::OptionalExtension;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::database::PostgresDatabase;
use super::job_statements::job_columns;
use super::reader::read;
use super::seam::PostgresJobs;
use crate::statement;
use crate::store::rows::{JobRow, JobTuple, listed};
use crate::store::{JobFilter, JobList, SEARCHED_MAX, StoreResult, searched_ids};
use riftsync_basics::JobState;

type Opt<T> = Nullable<T>;

statement! { Ids {} -> (BigInt, BigInt) = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM jobs"; }

statement! {
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

statement! {
    /// How far back a list of jobs that ended badly looks; none: to the oldest.
    EndedBadlyTo { before: i64 => BigInt, count: i64 => BigInt } -> BigInt =
    "SELECT id FROM jobs WHERE state IN ('cancelled', 'discarded') AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?";
}

statement! {
    ListEndedBadly<'a> {
        from: i64 => BigInt, before: i64 => BigInt, state: &'a str => Text, kind: Option<&'a str> => Opt<Text>,
        queue: Option<&'a str> => Opt<Text>, limit: i64 => BigInt,
    } -> JobRow =
    job_columns!(
        "WHERE state IN ('cancelled', 'discarded') AND id >= ? AND id < ? AND state = ? AND kind = coalesce(?, kind)
               AND queue = coalesce(?, queue)
         ORDER BY id DESC LIMIT ?"
    );
}

statement! {
    /// An index knows them; they are asked for every second by who watches.
    ListRunning<'a> {
        before: i64 => BigInt, kind: Option<&'a str> => Opt<Text>, queue: Option<&'a str> => Opt<Text>, limit: i64 => BigInt,
    } -> JobRow =
    job_columns!(
        "WHERE state = 'running' AND id < ? AND kind = coalesce(?, kind) AND queue = coalesce(?, queue)
         ORDER BY id DESC LIMIT ?"
    );
}

statement! {
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

statement! {
    /// How many wait, up to a bound.
    CountWaiting { one: i64 => BigInt, other: i64 => BigInt, due: i64 => BigInt } -> (BigInt, BigInt) =
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'available' AND crash_count = 0 LIMIT ?) AS one)
          + (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'available' AND crash_count > 0 LIMIT ?) AS other),
            (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state IN ('scheduled', 'retryable') LIMIT ?) AS due)";
}

statement! {
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

statement! {
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

impl<J: PostgresJobs> PostgresDatabase<J> {
    /// See [`crate::store::Store::list_jobs`].
    pub(super) async fn list(&self, filter: &JobFilter) -> StoreResult<JobList> {
        match filter.state {
            Some(JobState::Running | JobState::Blocked) => self.list_all(filter).await,
            Some(JobState::Cancelled | JobState::Discarded) => self.list_ended_badly(filter).await,
            Some(state @ (JobState::Available | JobState::Scheduled | JobState::Retryable)) => {
                let bound = SEARCHED_MAX + 1;
                let (available, due): (i64, i64) = read!(self.readers.searches(), conn => {
                    let count = CountWaiting { one: bound, other: bound, due: bound };
                    count.get_result(conn).await
                });
                let waiting = if state == JobState::Available {
                    available
                } else {
                    due
                };
                // Where very many wait, the newest jobs are looked at instead: those are among them.
                if waiting > SEARCHED_MAX {
                    self.list_ids(filter).await
                } else {
                    self.list_all(filter).await
                }
            }
            Some(JobState::Completed) | None => self.list_ids(filter).await,
        }
    }

    /// Jobs of a state that few jobs have.
    async fn list_all(&self, filter: &JobFilter) -> StoreResult<JobList> {
        let before = filter.before.map_or(i64::MAX, |id| id.0);
        let (kind, queue) = (filter.kind.as_deref(), filter.queue.as_deref());
        let limit = filter.row_limit();
        let rows: Vec<JobTuple> = read!(self.readers.searches(), conn => match filter.state {
            Some(JobState::Running) => {
                let list = ListRunning { before, kind, queue, limit };
                list.load(conn).await
            }
            Some(JobState::Blocked) => {
                let list = ListBlocked { before, kind, queue, limit };
                list.load(conn).await
            }
            Some(state @ (JobState::Scheduled | JobState::Retryable)) => {
                let list = ListDue { before, state: state.as_str(), kind, queue, limit };
                list.load(conn).await
            }
            _ => {
                let list = ListAvailable { before, kind, queue, limit };
                list.load(conn).await
            }
        });
        listed(rows, None, filter)
    }

    async fn list_ended_badly(&self, filter: &JobFilter) -> StoreResult<JobList> {
        let before = filter.before.map_or(i64::MAX, |id| id.0);
        let (kind, queue) = (filter.kind.as_deref(), filter.queue.as_deref());
        let (state, limit) = (
            filter.state.unwrap_or(JobState::Discarded).as_str(),
            filter.row_limit(),
        );
        let from: Option<i64> = read!(self.readers.searches(), conn => {
            let to = EndedBadlyTo { before, count: SEARCHED_MAX - 1 };
            to.get_result(conn).await.optional()
        });
        let rows: Vec<JobTuple> = read!(self.readers.searches(), conn => {
            let from = from.unwrap_or(i64::MIN);
            let list = ListEndedBadly { from, before, state, kind, queue, limit };
            list.load(conn).await
        });
        listed(rows, from, filter)
    }

    async fn list_ids(&self, filter: &JobFilter) -> StoreResult<JobList> {
        let ids: (i64, i64) = read!(self.readers.searches(), conn => Ids {}.get_result(conn).await);
        let (from, before) = searched_ids(filter, ids);
        let (kind, queue) = (filter.kind.as_deref(), filter.queue.as_deref());
        let (state, limit) = (filter.state.map(JobState::as_str), filter.row_limit());
        let rows: Vec<JobTuple> = read!(self.readers.searches(), conn => {
            let list = ListIds { from, before, state, kind, queue, limit };
            list.load(conn).await
        });
        listed(rows, (from > ids.0).then_some(from), filter)
    }
}

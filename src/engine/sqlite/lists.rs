//! Lists of jobs. Each looks at a bounded number of rows, however many there are.

use diesel::result::OptionalExtension;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::job_statements::job_columns;
use super::reader::{Borrowed, ReadDsl, Readers};
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
    "SELECT id FROM jobs INDEXED BY jobs_ended_badly WHERE state IN ('cancelled', 'discarded') AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?";
}

statement! {
    ListEndedBadly<'a> {
        from: i64 => BigInt, before: i64 => BigInt, state: &'a str => Text, kind: Option<&'a str> => Opt<Text>,
        queue: Option<&'a str> => Opt<Text>, limit: i64 => BigInt,
    } -> JobRow =
    job_columns!(
        "INDEXED BY jobs_ended_badly WHERE state IN ('cancelled', 'discarded') AND id >= ? AND id < ? AND state = ? AND kind = coalesce(?, kind)
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
        "INDEXED BY jobs_running WHERE state = 'running' AND id < ? AND kind = coalesce(?, kind) AND queue = coalesce(?, queue)
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

/// See [`JobStore::list_jobs`](crate::store::JobStore::list_jobs).
pub(super) async fn list(readers: &Readers, filter: &JobFilter) -> StoreResult<JobList> {
    let mut reader = readers.search().await?;
    match filter.state {
        Some(JobState::Running | JobState::Blocked) => list_all(&mut reader, filter).await,
        Some(JobState::Cancelled | JobState::Discarded) => {
            list_ended_badly(&mut reader, filter).await
        }
        Some(state @ (JobState::Available | JobState::Scheduled | JobState::Retryable)) => {
            let bound = SEARCHED_MAX + 1;
            let count = CountWaiting {
                one: bound,
                other: bound,
                due: bound,
            };
            let (available, due): (i64, i64) = count.get_result(reader.conn()).await?;
            let waiting = if state == JobState::Available {
                available
            } else {
                due
            };
            // Where very many wait, the newest jobs are looked at instead: those are among them.
            if waiting > SEARCHED_MAX {
                list_ids(&mut reader, filter).await
            } else {
                list_all(&mut reader, filter).await
            }
        }
        Some(JobState::Completed) | None => list_ids(&mut reader, filter).await,
    }
}

/// Jobs of a state that few jobs have.
async fn list_all(reader: &mut Borrowed<'_>, filter: &JobFilter) -> StoreResult<JobList> {
    let before = filter.before.map_or(i64::MAX, |id| id.0);
    let (kind, queue) = (filter.kind.as_deref(), filter.queue.as_deref());
    let limit = filter.row_limit();
    let rows: Vec<JobTuple> = match filter.state {
        Some(JobState::Running) => {
            let list = ListRunning {
                before,
                kind,
                queue,
                limit,
            };
            list.load(reader.conn()).await?
        }
        Some(JobState::Blocked) => {
            let list = ListBlocked {
                before,
                kind,
                queue,
                limit,
            };
            list.load(reader.conn()).await?
        }
        Some(state @ (JobState::Scheduled | JobState::Retryable)) => {
            let list = ListDue {
                before,
                state: state.as_str(),
                kind,
                queue,
                limit,
            };
            list.load(reader.conn()).await?
        }
        _ => {
            let list = ListAvailable {
                before,
                kind,
                queue,
                limit,
            };
            list.load(reader.conn()).await?
        }
    };
    listed(rows, None, filter)
}

async fn list_ended_badly(reader: &mut Borrowed<'_>, filter: &JobFilter) -> StoreResult<JobList> {
    let before = filter.before.map_or(i64::MAX, |id| id.0);
    let to = EndedBadlyTo {
        before,
        count: SEARCHED_MAX - 1,
    };
    let from: Option<i64> = to.get_result(reader.conn()).await.optional()?;
    let list = ListEndedBadly {
        from: from.unwrap_or(i64::MIN),
        before,
        state: filter.state.unwrap_or(JobState::Discarded).as_str(),
        kind: filter.kind.as_deref(),
        queue: filter.queue.as_deref(),
        limit: filter.row_limit(),
    };
    listed(list.load(reader.conn()).await?, from, filter)
}

async fn list_ids(reader: &mut Borrowed<'_>, filter: &JobFilter) -> StoreResult<JobList> {
    let ids: (i64, i64) = Ids {}.get_result(reader.conn()).await?;
    let (from, before) = searched_ids(filter, ids);
    let list = ListIds {
        from,
        before,
        state: filter.state.map(JobState::as_str),
        kind: filter.kind.as_deref(),
        queue: filter.queue.as_deref(),
        limit: filter.row_limit(),
    };
    let from = (from > ids.0).then_some(from);
    listed(list.load(reader.conn()).await?, from, filter)
}

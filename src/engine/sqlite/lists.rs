//! Lists of jobs. Each looks at a bounded number of rows, however many there are.

use diesel::result::OptionalExtension;

use super::reader::{Borrowed, ReadDsl, Readers};
use crate::sql::lists::{
    CountWaiting, EndedBadlyTo, Ids, ListAvailable, ListBlocked, ListDue, ListEndedBadly, ListIds,
    ListRunning,
};
use crate::store::rows::{JobTuple, listed};
use crate::store::{JobFilter, JobList, SEARCHED_MAX, StoreResult, searched_ids};
use riftsync_basics::JobState;

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

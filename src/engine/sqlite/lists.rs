//! Lists of jobs. Each looks at a bounded number of rows, however many there are.

use diesel::result::OptionalExtension;

use super::reader::{Borrowed, ReadDsl, Readers};
use crate::sql::lists::{
    CountWaiting, EndedBadlyTo, Ids, ListAvailable, ListBlocked, ListDue, ListEndedBadly, ListIds,
    ListRunning, ListSource,
};
use crate::store::rows::{JobTuple, listed};
use crate::store::{JobFilter, JobList, StoreResult, searched_ids};
use riftsync_basics::JobState;

/// See [`JobStore::list_jobs`](crate::store::JobStore::list_jobs).
pub(super) async fn list(readers: &Readers, filter: &JobFilter) -> StoreResult<JobList> {
    let mut reader = readers.search().await?;
    match ListSource::of(filter) {
        ListSource::State => list_state(&mut reader, filter).await,
        ListSource::StateOfFew(state) => {
            let counts = CountWaiting::bounded().get_result(reader.conn()).await?;
            if CountWaiting::are_too_many(state, counts) {
                list_ids(&mut reader, filter).await
            } else {
                list_state(&mut reader, filter).await
            }
        }
        ListSource::EndedBadly => list_ended_badly(&mut reader, filter).await,
        ListSource::Ids => list_ids(&mut reader, filter).await,
    }
}

async fn list_state(reader: &mut Borrowed<'_>, filter: &JobFilter) -> StoreResult<JobList> {
    let conn = reader.conn();
    let rows: Vec<JobTuple> = match filter.state {
        Some(JobState::Running) => ListRunning::of(filter).load(conn).await?,
        Some(JobState::Blocked) => ListBlocked::of(filter).load(conn).await?,
        Some(state @ (JobState::Scheduled | JobState::Retryable)) => {
            ListDue::of(filter, state).load(conn).await?
        }
        _ => ListAvailable::of(filter).load(conn).await?,
    };
    listed(rows, None, filter)
}

async fn list_ended_badly(reader: &mut Borrowed<'_>, filter: &JobFilter) -> StoreResult<JobList> {
    let to = EndedBadlyTo::of(filter);
    let from: Option<i64> = to.get_result(reader.conn()).await.optional()?;
    let list = ListEndedBadly::of(filter, from);
    listed(list.load(reader.conn()).await?, from, filter)
}

async fn list_ids(reader: &mut Borrowed<'_>, filter: &JobFilter) -> StoreResult<JobList> {
    let ids: (i64, i64) = Ids {}.get_result(reader.conn()).await?;
    let searched = searched_ids(filter, ids);
    let rows = ListIds::of(filter, searched).load(reader.conn()).await?;
    listed(rows, (searched.0 > ids.0).then_some(searched.0), filter)
}

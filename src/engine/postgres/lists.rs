//! Lists of jobs. Each looks at a bounded number of rows, however many there are.

use diesel::result::OptionalExtension;
use diesel_async::RunQueryDsl;

use super::database::PostgresDatabase;
use super::reader::read;
use super::seam::PostgresJobs;
use crate::sql::lists::{
    CountWaiting, EndedBadlyTo, Ids, ListAvailable, ListBlocked, ListDue, ListEndedBadly, ListIds,
    ListRunning,
};
use crate::store::rows::{JobTuple, listed};
use crate::store::{JobFilter, JobList, SEARCHED_MAX, StoreResult, searched_ids};
use riftsync_basics::JobState;

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

//! Lists of jobs. Each looks at a bounded number of rows, however many there are.

use diesel::result::OptionalExtension;
use diesel_async::RunQueryDsl;

use super::database::PostgresDatabase;
use super::reader::read;
use super::seam::PostgresJobs;
use crate::sql::lists::{
    CountWaiting, EndedBadlyTo, Ids, ListAvailable, ListBlocked, ListDue, ListEndedBadly, ListIds,
    ListRunning, ListSource,
};
use crate::store::rows::{JobTuple, listed};
use crate::store::{JobFilter, JobList, StoreResult, searched_ids};
use riftsync_basics::JobState;

impl<J: PostgresJobs> PostgresDatabase<J> {
    /// See [`crate::store::JobStore::list_jobs`].
    pub(super) async fn list(&self, filter: &JobFilter) -> StoreResult<JobList> {
        match ListSource::of(filter) {
            ListSource::State => self.list_state(filter).await,
            ListSource::StateOfFew(state) => {
                let counts = read!(self.readers.searches(), conn => CountWaiting::bounded().get_result(conn).await);
                if CountWaiting::are_too_many(state, counts) {
                    self.list_ids(filter).await
                } else {
                    self.list_state(filter).await
                }
            }
            ListSource::EndedBadly => self.list_ended_badly(filter).await,
            ListSource::Ids => self.list_ids(filter).await,
        }
    }

    async fn list_state(&self, filter: &JobFilter) -> StoreResult<JobList> {
        let rows: Vec<JobTuple> = read!(self.readers.searches(), conn => match filter.state {
            Some(JobState::Running) => ListRunning::of(filter).load(conn).await,
            Some(JobState::Blocked) => ListBlocked::of(filter).load(conn).await,
            Some(state @ (JobState::Scheduled | JobState::Retryable)) => {
                ListDue::of(filter, state).load(conn).await
            }
            _ => ListAvailable::of(filter).load(conn).await,
        });
        listed(rows, None, filter)
    }

    async fn list_ended_badly(&self, filter: &JobFilter) -> StoreResult<JobList> {
        let from: Option<i64> = read!(self.readers.searches(), conn =>
            EndedBadlyTo::of(filter).get_result(conn).await.optional());
        let rows: Vec<JobTuple> = read!(self.readers.searches(), conn =>
            ListEndedBadly::of(filter, from).load(conn).await);
        listed(rows, from, filter)
    }

    async fn list_ids(&self, filter: &JobFilter) -> StoreResult<JobList> {
        let ids: (i64, i64) = read!(self.readers.searches(), conn => Ids {}.get_result(conn).await);
        let searched = searched_ids(filter, ids);
        let rows: Vec<JobTuple> = read!(self.readers.searches(), conn =>
            ListIds::of(filter, searched).load(conn).await);
        listed(rows, (searched.0 > ids.0).then_some(searched.0), filter)
    }
}

//! A match as its page tells it.

use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::PostgresStore;
use super::reader::read;
use crate::model::MatchId;
use crate::report::OneMatch;
use crate::store::StoreResult;
use crate::store::one_match::{HeadTuple, MatchRows, OneMatchStore, match_from, sql};

#[async_trait]
impl OneMatchStore for PostgresStore {
    async fn one_match(&self, match_id: MatchId) -> StoreResult<Option<OneMatch>> {
        let id = &*match_id.to_string();
        let mut heads: Vec<HeadTuple> =
            read!(self.readers, conn => sql::Head { id }.load(conn).await);
        let Some(head) = heads.pop() else {
            return Ok(None);
        };
        let rows = MatchRows {
            head,
            participants: read!(self.readers, conn => sql::Participants { id }.load(conn).await),
            teams: read!(self.readers, conn => sql::Teams { id }.load(conn).await),
            events: read!(self.readers, conn => sql::Events { id }.load(conn).await),
        };
        Ok(Some(match_from(rows)))
    }
}

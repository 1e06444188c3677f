//! A match as its page tells it.

use async_trait::async_trait;

use super::SqliteStore;
use super::reader::ReadDsl;
use crate::model::MatchId;
use crate::report::OneMatch;
use crate::store::StoreResult;
use crate::store::one_match::{HeadTuple, MatchRows, OneMatchStore, match_from, sql};

#[async_trait]
impl OneMatchStore for SqliteStore {
    async fn one_match(&self, match_id: MatchId) -> StoreResult<Option<OneMatch>> {
        let id = &*match_id.to_string();
        let mut reader = self.readers().borrow().await?;
        let mut heads: Vec<HeadTuple> = sql::Head { id }.load(reader.conn()).await?;
        let Some(head) = heads.pop() else {
            return Ok(None);
        };
        let rows = MatchRows {
            head,
            participants: sql::Participants { id }.load(reader.conn()).await?,
            teams: sql::Teams { id }.load(reader.conn()).await?,
            events: sql::Events { id }.load(reader.conn()).await?,
        };
        Ok(Some(match_from(rows)))
    }
}

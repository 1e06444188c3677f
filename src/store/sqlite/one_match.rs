//! A match as its page tells it.

use async_trait::async_trait;

use super::reader::ReadDsl;
use super::{Backend, SqliteStore};
use crate::model::MatchId;
use crate::report::OneMatch;
use crate::store::StoreResult;
use crate::store::one_match::{HeadTuple, MatchRows, OneMatchStore, match_from};

mod sql {
    use diesel::sql_types::Text;

    use crate::store::one_match::{
        EVENTS, EventRow, HEAD, HeadRow, PARTICIPANTS, ParticipantRow, TEAMS, TeamRow,
    };
    use crate::store::statement::statement;

    statement! { Head<'a> { id: &'a str => Text } -> HeadRow = HEAD; }
    statement! { Participants<'a> { id: &'a str => Text } -> ParticipantRow = PARTICIPANTS; }
    statement! { Teams<'a> { id: &'a str => Text } -> TeamRow = TEAMS; }
    statement! { Events<'a> { id: &'a str => Text } -> EventRow = EVENTS; }
}

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

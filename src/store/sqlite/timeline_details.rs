//! What a timeline tells that is kept as rows.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Integer, Text};

use super::Backend;
use super::transaction::Transaction;
use crate::model::timeline_details::{ParticipantTimeline, TimelineDetails};
use crate::store::{StoreResult, data_statements};

/// Participants of one match in one statement: to begin and end a statement costs as much as to write a row of it.
struct InsertParticipants<'a, const N: usize> {
    match_id: &'a str,
    participants: &'a [ParticipantTimeline; N],
}

impl<const N: usize> QueryFragment<Backend> for InsertParticipants<'_, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql(
            "INSERT OR REPLACE INTO participant_timelines (match_id, participant_id, minutes, purchases) VALUES ",
        );
        for (at, one) in self.participants.iter().enumerate() {
            out.push_sql(if at == 0 { "(" } else { ", (" });
            out.push_bind_param::<Text, str>(self.match_id)?;
            out.push_sql(", ");
            out.push_bind_param::<Integer, i32>(&one.participant_id)?;
            out.push_sql(", ");
            out.push_bind_param::<Text, str>(&one.minutes)?;
            out.push_sql(", ");
            out.push_bind_param::<Text, str>(&one.purchases)?;
            out.push_sql(")");
        }
        Ok(())
    }
}

impl<const N: usize> QueryId for InsertParticipants<'_, N> {
    type QueryId = InsertParticipants<'static, N>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const N: usize> Query for InsertParticipants<'_, N> {
    type SqlType = ();
}

impl<C, const N: usize> RunQueryDsl<C> for InsertParticipants<'_, N> {}

/// A row after the other, where PostgreSQL writes a batch in arrays.
mod sql {
    use diesel::sql_types::{Integer, Nullable, Text};

    use crate::store::statement::statement;

    statement! {
        InsertEvent<'a> {
            match_id: &'a str => Text, event: i32 => Integer, at_ms: Option<i32> => Nullable<Integer>, kind: Option<&'a str> => Nullable<Text>,
            participant_id: Option<i32> => Nullable<Integer>, victim_id: Option<i32> => Nullable<Integer>, team_id: Option<i32> => Nullable<Integer>,
            assists: Option<&'a str> => Nullable<Text>, x: Option<i32> => Nullable<Integer>, y: Option<i32> => Nullable<Integer>,
            item_id: Option<i32> => Nullable<Integer>, value: Option<i32> => Nullable<Integer>, bounty: Option<i32> => Nullable<Integer>,
            about: Option<&'a str> => Nullable<Text>, about_more: Option<&'a str> => Nullable<Text>, lane: Option<&'a str> => Nullable<Text>,
        } -> () =
        "INSERT OR REPLACE INTO match_events (match_id, event, at_ms, type, participant_id, victim_id, team_id, assists, x, y, item_id, value, bounty,
            about, about_more, lane) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    }
}

impl Transaction<'_> {
    /// Of a new timeline. Rows that somebody left there without it are no obstacle.
    pub(super) fn put_timeline_details(
        &mut self,
        match_id: &str,
        details: &TimelineDetails,
    ) -> StoreResult<()> {
        // Most matches have ten participants.
        let (tens, others) = details.participants.as_chunks::<10>();
        for participants in tens {
            InsertParticipants {
                match_id,
                participants,
            }
            .execute(self.conn)?;
        }
        for one in others {
            InsertParticipants {
                match_id,
                participants: std::array::from_ref(one),
            }
            .execute(self.conn)?;
        }
        for one in &details.events {
            sql::InsertEvent {
                match_id,
                event: one.event,
                at_ms: one.at_ms,
                kind: one.kind.as_deref(),
                participant_id: one.participant_id,
                victim_id: one.victim_id,
                team_id: one.team_id,
                assists: one.assists.as_deref(),
                x: one.x,
                y: one.y,
                item_id: one.item_id,
                value: one.value,
                bounty: one.bounty,
                about: one.about.as_deref(),
                about_more: one.about_more.as_deref(),
                lane: one.lane.as_deref(),
            }
            .execute(self.conn)?;
        }
        Ok(())
    }

    pub(super) fn drop_timeline_details(&mut self, ids: &[String]) -> StoreResult<()> {
        data_statements::DropParticipantTimelines { ids }.execute(self.conn)?;
        data_statements::DropEvents { ids }.execute(self.conn)?;
        Ok(())
    }
}

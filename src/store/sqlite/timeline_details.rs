//! What a timeline tells that is kept as rows.

use diesel::prelude::*;

use super::Backend;
use super::transaction::Transaction;
use crate::model::timeline_details::TimelineDetails;
use crate::store::{StoreResult, data_statements};

/// A row after the other, where PostgreSQL writes a batch in arrays.
mod sql {
    use diesel::sql_types::{Integer, Nullable, Text};

    use crate::store::statement::statement;

    statement! {
        InsertParticipant<'a> { match_id: &'a str => Text, participant_id: i32 => Integer, minutes: &'a str => Text, purchases: &'a str => Text } -> () =
        "INSERT OR REPLACE INTO participant_timelines (match_id, participant_id, minutes, purchases) VALUES (?, ?, ?, ?)";
    }

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
        for one in &details.participants {
            sql::InsertParticipant {
                match_id,
                participant_id: one.participant_id,
                minutes: &one.minutes,
                purchases: &one.purchases,
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

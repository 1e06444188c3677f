//! What a timeline tells that is kept as rows. Whoever has inserted a timeline is alone with its rows here.

use diesel_async::RunQueryDsl;

use super::Backend;
use super::Fault;
use super::transaction::Transaction;
use crate::model::records::TimelineRecord;
use crate::model::timeline_details::{EventRecord, ParticipantTimeline};
use crate::store::data_statements;

/// A batch in one statement of arrays, where SQLite writes a row after the other.
mod sql {
    use diesel::sql_types::{Array, Integer, Nullable, Text};

    use crate::store::statement::statement;

    statement! {
        InsertParticipants<'a> {
            match_ids: Vec<&'a str> => Array<Text>, participants: Vec<i32> => Array<Integer>, minutes: Vec<&'a str> => Array<Text>,
            purchases: Vec<&'a str> => Array<Text>,
        } -> () =
        "INSERT INTO participant_timelines (match_id, participant_id, minutes, purchases) SELECT * FROM unnest(?, ?, ?, ?)
         ON CONFLICT (match_id, participant_id) DO UPDATE SET minutes = excluded.minutes, purchases = excluded.purchases";
    }

    statement! {
        InsertEvents<'a> {
            match_ids: Vec<&'a str> => Array<Text>, event: Vec<i32> => Array<Integer>, at_ms: Vec<Option<i32>> => Array<Nullable<Integer>>, kind: Vec<Option<&'a str>> => Array<Nullable<Text>>, participant_id: Vec<Option<i32>> => Array<Nullable<Integer>>, victim_id: Vec<Option<i32>> => Array<Nullable<Integer>>, team_id: Vec<Option<i32>> => Array<Nullable<Integer>>, assists: Vec<Option<&'a str>> => Array<Nullable<Text>>, x: Vec<Option<i32>> => Array<Nullable<Integer>>, y: Vec<Option<i32>> => Array<Nullable<Integer>>, item_id: Vec<Option<i32>> => Array<Nullable<Integer>>, value: Vec<Option<i32>> => Array<Nullable<Integer>>, bounty: Vec<Option<i32>> => Array<Nullable<Integer>>, about: Vec<Option<&'a str>> => Array<Nullable<Text>>, about_more: Vec<Option<&'a str>> => Array<Nullable<Text>>, lane: Vec<Option<&'a str>> => Array<Nullable<Text>>
        } -> () =
        "INSERT INTO match_events (match_id, event, at_ms, type, participant_id, victim_id, team_id, assists, x, y, item_id, value, bounty, about, about_more, lane)
         SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (match_id, event) DO UPDATE SET at_ms = excluded.at_ms, type = excluded.type, participant_id = excluded.participant_id, victim_id = excluded.victim_id, team_id = excluded.team_id, assists = excluded.assists, x = excluded.x, y = excluded.y, item_id = excluded.item_id, value = excluded.value, bounty = excluded.bounty, about = excluded.about, about_more = excluded.about_more, lane = excluded.lane";
    }
}

impl Transaction<'_> {
    /// Of new timelines, in the order of their ids. Rows that somebody left there without them are no obstacle.
    pub(super) async fn put_timeline_details(
        &self,
        timelines: &[(&str, &TimelineRecord)],
    ) -> Result<(), Fault> {
        tokio::try_join!(
            biased;
            self.put_participant_timelines(timelines),
            self.put_events(timelines),
        )?;
        Ok(())
    }

    async fn put_participant_timelines(
        &self,
        timelines: &[(&str, &TimelineRecord)],
    ) -> Result<(), Fault> {
        let rows = timelines.iter().flat_map(|(id, record)| {
            let participants = record.details.participants.iter();
            participants.map(move |one| (*id, one))
        });
        let rows: Vec<(&str, &ParticipantTimeline)> = rows.collect();
        if rows.is_empty() {
            return Ok(());
        }
        sql::InsertParticipants {
            match_ids: rows.iter().map(|(id, _)| *id).collect(),
            participants: rows.iter().map(|(_, one)| one.participant_id).collect(),
            minutes: rows.iter().map(|(_, one)| &*one.minutes).collect(),
            purchases: rows.iter().map(|(_, one)| &*one.purchases).collect(),
        }
        .execute(&mut { self.conn })
        .await?;
        Ok(())
    }

    async fn put_events(&self, timelines: &[(&str, &TimelineRecord)]) -> Result<(), Fault> {
        let events = timelines.iter().flat_map(|(id, record)| {
            let events = record.details.events.iter();
            events.map(move |one| (*id, one))
        });
        let events: Vec<(&str, &EventRecord)> = events.collect();
        if events.is_empty() {
            return Ok(());
        }
        sql::InsertEvents {
            match_ids: events.iter().map(|(id, _)| *id).collect(),
            event: events.iter().map(|(_, one)| one.event).collect(),
            at_ms: events.iter().map(|(_, one)| one.at_ms).collect(),
            kind: events.iter().map(|(_, one)| one.kind.as_deref()).collect(),
            participant_id: events.iter().map(|(_, one)| one.participant_id).collect(),
            victim_id: events.iter().map(|(_, one)| one.victim_id).collect(),
            team_id: events.iter().map(|(_, one)| one.team_id).collect(),
            assists: events
                .iter()
                .map(|(_, one)| one.assists.as_deref())
                .collect(),
            x: events.iter().map(|(_, one)| one.x).collect(),
            y: events.iter().map(|(_, one)| one.y).collect(),
            item_id: events.iter().map(|(_, one)| one.item_id).collect(),
            value: events.iter().map(|(_, one)| one.value).collect(),
            bounty: events.iter().map(|(_, one)| one.bounty).collect(),
            about: events.iter().map(|(_, one)| one.about.as_deref()).collect(),
            about_more: events
                .iter()
                .map(|(_, one)| one.about_more.as_deref())
                .collect(),
            lane: events.iter().map(|(_, one)| one.lane.as_deref()).collect(),
        }
        .execute(&mut { self.conn })
        .await?;
        Ok(())
    }

    pub(super) async fn drop_timeline_details(&self, ids: &[String]) -> Result<(), Fault> {
        let conn = &mut { self.conn };
        data_statements::DropParticipantTimelines { ids }
            .execute(conn)
            .await?;
        data_statements::DropEvents { ids }.execute(conn).await?;
        Ok(())
    }
}

//! What a match document tells beyond its first rows: a table of participants for each subject, teams, and bans.

use diesel::prelude::*;

use super::Backend;
use super::transaction::Transaction;
use crate::model::details::{Cell, SHEETS};
use crate::model::records::MatchRecord;
use crate::store::StoreResult;

/// The `?` of a column.
macro_rules! mark {
    ($column:ident) => {
        ", ?"
    };
}

/// How a row of each table of a list is written.
macro_rules! inserts {
    ($($table:ident $name:ident $number:literal $id:ident { $($column:ident: $kind:ident = $key:literal,)* })*) => {
        use diesel::sql_types::{Integer, Nullable, Text};

        use super::Cell;
        use crate::store::statement::statement;

        $(
            statement! {
                $name<'a> { match_id: &'a str => Text, $id: i32 => Integer, $($column: Option<i32> => Nullable<Integer>),* } -> () =
                concat!("INSERT INTO ", stringify!($table), " (match_id, ", stringify!($id), $(", ", stringify!($column),)*
                    ") VALUES (?, ?", $(mark!($column),)* ")");
            }

            impl<'a> $name<'a> {
                /// None: these are not as many cells as the table has columns.
                pub(super) fn row(match_id: &'a str, $id: i32, cells: &[Cell]) -> Option<Self> {
                    let [$($column),*] = *cells else { return None };
                    Some(Self { match_id, $id, $($column),* })
                }
            }
        )*
    };
}

mod participants {
    crate::model::participant_sheets!(inserts);
}

mod teams {
    crate::model::team_sheet!(inserts);
}

mod sql {
    use diesel::sql_types::{Integer, Nullable, Text};

    use crate::store::statement::statement;

    statement! {
        InsertBan<'a> {
            match_id: &'a str => Text, ban: i32 => Integer, team_id: Option<i32> => Nullable<Integer>,
            turn: Option<i32> => Nullable<Integer>, champion_id: Option<i32> => Nullable<Integer>,
        } -> () = "INSERT INTO match_bans (match_id, ban, team_id, turn, champion_id) VALUES (?, ?, ?, ?, ?)";
    }

    statement! {
        SetPatch<'a> { patch: Option<&'a str> => Nullable<Text>, match_id: &'a str => Text } -> () =
        "UPDATE matches SET patch = ? WHERE match_id = ?";
    }

    /// Rows of some matches, of each table.
    macro_rules! drops {
        ($($name:ident $table:literal)*) => {
            $(
                statement! {
                    $name<'a> { ids: &'a str => Text } -> () =
                    concat!("DELETE FROM ", $table, " WHERE match_id IN (SELECT value FROM json_each(?))");
                }
            )*
        };
    }

    drops! {
        DropDamage "participant_damage"
        DropCombat "participant_combat"
        DropVision "participant_vision"
        DropLoadout "participant_loadout"
        DropTeams "match_teams"
        DropBans "match_bans"
    }
}

impl Transaction<'_> {
    /// Of a match whose tables have no row of this.
    pub(super) fn put_details(&mut self, id: &str, record: &MatchRecord) -> StoreResult<()> {
        // Table by table: the rows of each are neighbours.
        let [damage, combat, vision, loadout] = &SHEETS;
        for one in &record.participants {
            let (number, details) = (one.participant_id, &one.details);
            let cells = details.of(damage).unwrap_or_default();
            if let Some(row) = participants::Damage::row(id, number, cells) {
                row.execute(self.conn)?;
            }
        }
        for one in &record.participants {
            let (number, details) = (one.participant_id, &one.details);
            let cells = details.of(combat).unwrap_or_default();
            if let Some(row) = participants::Combat::row(id, number, cells) {
                row.execute(self.conn)?;
            }
        }
        for one in &record.participants {
            let (number, details) = (one.participant_id, &one.details);
            let cells = details.of(vision).unwrap_or_default();
            if let Some(row) = participants::Vision::row(id, number, cells) {
                row.execute(self.conn)?;
            }
        }
        for one in &record.participants {
            let (number, details) = (one.participant_id, &one.details);
            let cells = details.of(loadout).unwrap_or_default();
            if let Some(row) = participants::Loadout::row(id, number, cells) {
                row.execute(self.conn)?;
            }
        }
        for team in &record.teams {
            if let Some(row) = teams::Teams::row(id, team.team_id, &team.cells) {
                row.execute(self.conn)?;
            }
        }
        for ban in &record.bans {
            sql::InsertBan {
                match_id: id,
                ban: ban.ban,
                team_id: ban.team_id,
                turn: ban.turn,
                champion_id: ban.champion_id,
            }
            .execute(self.conn)?;
        }
        Ok(())
    }

    /// `ids`: a JSON list.
    pub(super) fn drop_details(&mut self, ids: &str) -> StoreResult<()> {
        sql::DropDamage { ids }.execute(self.conn)?;
        sql::DropCombat { ids }.execute(self.conn)?;
        sql::DropVision { ids }.execute(self.conn)?;
        sql::DropLoadout { ids }.execute(self.conn)?;
        sql::DropTeams { ids }.execute(self.conn)?;
        sql::DropBans { ids }.execute(self.conn)?;
        Ok(())
    }

    /// These tables alone become what the document says.
    pub(super) fn repair_details(&mut self, record: &MatchRecord) -> StoreResult<()> {
        let id = record.id.to_string();
        if self.is_cleaned(&id)? {
            return Ok(());
        }
        let patch = record.patch();
        let known = sql::SetPatch {
            patch: patch.as_deref(),
            match_id: &id,
        }
        .execute(self.conn)?;
        // Its row may be gone since it was looked at.
        if known == 0 {
            return Ok(());
        }
        self.drop_details(&crate::store::rows::to_json(&[&id])?)?;
        self.put_details(&id, record)
    }
}

//! What a match document tells beyond its first rows: a table of participants for each subject, teams, and bans. One
//! statement for all of a batch. Whoever has inserted a match is alone with its rows here.

use diesel_async::RunQueryDsl;

use super::Backend;
use super::data::NewMatch;
use super::fault::Fault;
use super::transaction::Transaction;
use crate::model::details::{BanRecord, Cell, SHEETS, Sheet};
use crate::model::records::MatchRecord;

/// The `?` of a column.
macro_rules! mark {
    ($column:ident) => {
        ", ?"
    };
}

/// The column as it is selected: an array of flags is sent as numbers.
macro_rules! selected {
    (flag $column:ident) => {
        concat!(", ", stringify!($column), "::boolean")
    };
    ($kind:ident $column:ident) => {
        concat!(", ", stringify!($column))
    };
}

/// A column as JSON has it: a flag is a number.
macro_rules! told {
    (flag $column:ident) => {
        concat!(", ", stringify!($column), "::int")
    };
    ($kind:ident $column:ident) => {
        concat!(", ", stringify!($column))
    };
}

pub(super) use told;

/// How rows of each table of a list are written.
macro_rules! inserts {
    ($($table:ident $name:ident $number:literal $id:ident { $($column:ident: $kind:ident = $key:literal,)* })*) => {
        use diesel::sql_types::{Array, Integer, Nullable, Text};

        use super::Cell;
        use crate::store::statement::statement;

        $(
            statement! {
                $name<'a> {
                    match_ids: Vec<&'a str> => Array<Text>, $id: Vec<i32> => Array<Integer>,
                    $($column: Vec<Option<i32>> => Array<Nullable<Integer>>),*
                } -> () =
                concat!("INSERT INTO ", stringify!($table), " (match_id, ", stringify!($id), $(", ", stringify!($column),)*
                    ") SELECT match_id, ", stringify!($id), $(selected!($kind $column),)*
                    " FROM unnest(?, ?", $(mark!($column),)* ") AS new (match_id, ", stringify!($id), $(", ", stringify!($column),)* ")");
            }

            impl<'a> $name<'a> {
                /// Rows with as many cells as the table has columns; others are none.
                pub(super) fn rows<'c>(rows: impl Iterator<Item = (&'a str, i32, &'c [Cell])> + Clone) -> Self {
                    let room = rows.clone().count();
                    let mut all = Self {
                        match_ids: Vec::with_capacity(room),
                        $id: Vec::with_capacity(room),
                        $($column: Vec::with_capacity(room)),*
                    };
                    for (match_id, $id, cells) in rows {
                        let [$($column),*] = *cells else { continue };
                        all.match_ids.push(match_id);
                        all.$id.push($id);
                        $(all.$column.push($column);)*
                    }
                    all
                }

                pub(super) fn is_empty(&self) -> bool {
                    self.match_ids.is_empty()
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
    use diesel::sql_types::{Array, Integer, Nullable, Text};

    use crate::store::statement::statement;

    statement! {
        InsertBans<'a> {
            match_ids: Vec<&'a str> => Array<Text>, bans: Vec<i32> => Array<Integer>, teams: Vec<Option<i32>> => Array<Nullable<Integer>>,
            turns: Vec<Option<i32>> => Array<Nullable<Integer>>, champions: Vec<Option<i32>> => Array<Nullable<Integer>>,
        } -> () = "INSERT INTO match_bans (match_id, ban, team_id, turn, champion_id) SELECT * FROM unnest(?, ?, ?, ?, ?)";
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
                    $name<'a> { ids: &'a [String] => Array<Text> } -> () =
                    concat!("DELETE FROM ", $table, " WHERE match_id = ANY(?)");
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

/// Sends a statement, unless it is without rows.
macro_rules! write {
    ($transaction:expr, $is_empty:expr, $statement:expr) => {
        async {
            if !$is_empty {
                $statement.execute(&mut { $transaction.conn }).await?;
            }
            Ok::<(), Fault>(())
        }
    };
}

type Of<'a> = (&'a str, &'a MatchRecord);

/// The rows of a table, in the order of their keys.
fn cells<'m>(
    matches: &'m [Of<'m>],
    sheet: &'static Sheet,
) -> impl Iterator<Item = (&'m str, i32, &'m [Cell])> + Clone {
    matches.iter().flat_map(move |(id, record)| {
        let participants = record.participants.iter();
        participants.filter_map(move |one| Some((*id, one.participant_id, one.details.of(sheet)?)))
    })
}

impl Transaction<'_> {
    /// Of matches whose tables have no row of this.
    pub(super) async fn insert_details(
        &self,
        matches: &[(&String, &NewMatch<'_>)],
    ) -> Result<(), Fault> {
        let matches: Vec<Of<'_>> = matches
            .iter()
            .map(|(id, new)| (id.as_str(), new.record))
            .collect();
        self.put_details(&matches).await
    }

    /// The statements are sent together.
    async fn put_details(&self, matches: &[Of<'_>]) -> Result<(), Fault> {
        let [damage, combat, vision, loadout] = &SHEETS;
        let damage = participants::Damage::rows(cells(matches, damage));
        let combat = participants::Combat::rows(cells(matches, combat));
        let vision = participants::Vision::rows(cells(matches, vision));
        let loadout = participants::Loadout::rows(cells(matches, loadout));
        let teams = teams::Teams::rows(matches.iter().flat_map(|(id, record)| {
            let teams = record.teams.iter();
            teams.map(move |team| (*id, team.team_id, &*team.cells))
        }));
        let bans: Vec<(&str, &BanRecord)> = matches
            .iter()
            .flat_map(|(id, record)| record.bans.iter().map(move |ban| (*id, ban)))
            .collect();
        let bans = sql::InsertBans {
            match_ids: bans.iter().map(|(id, _)| *id).collect(),
            bans: bans.iter().map(|(_, ban)| ban.ban).collect(),
            teams: bans.iter().map(|(_, ban)| ban.team_id).collect(),
            turns: bans.iter().map(|(_, ban)| ban.turn).collect(),
            champions: bans.iter().map(|(_, ban)| ban.champion_id).collect(),
        };
        tokio::try_join!(
            biased;
            write!(self, damage.is_empty(), damage),
            write!(self, combat.is_empty(), combat),
            write!(self, vision.is_empty(), vision),
            write!(self, loadout.is_empty(), loadout),
            write!(self, teams.is_empty(), teams),
            write!(self, bans.match_ids.is_empty(), bans),
        )?;
        Ok(())
    }

    pub(super) async fn drop_details(&self, ids: &[String]) -> Result<(), Fault> {
        tokio::try_join!(
            biased;
            write!(self, false, sql::DropDamage { ids }),
            write!(self, false, sql::DropCombat { ids }),
            write!(self, false, sql::DropVision { ids }),
            write!(self, false, sql::DropLoadout { ids }),
            write!(self, false, sql::DropTeams { ids }),
            write!(self, false, sql::DropBans { ids }),
        )?;
        Ok(())
    }

    /// These tables alone become what the document says. To be called while nobody else stores matches.
    pub(super) async fn repair_details(&mut self, record: &MatchRecord) -> Result<(), Fault> {
        let id = record.id.to_string();
        if self.is_cleaned(&id).await? {
            return Ok(());
        }
        let patch = record.patch();
        let known = sql::SetPatch {
            patch: patch.as_deref(),
            match_id: &id,
        }
        .execute(&mut { self.conn })
        .await?;
        // Its row may be gone since it was looked at.
        if known == 0 {
            return Ok(());
        }
        self.drop_details(std::slice::from_ref(&id)).await?;
        self.put_details(&[(&id, record)]).await
    }
}

//! What a match document tells beyond its first rows: a table of participants for each subject, teams, and bans. One
//! statement for all of a batch. Whoever has inserted a match is alone with its rows here.

use std::marker::PhantomData;
use std::sync::LazyLock;

use diesel::prelude::QueryResult;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Integer, Text};
use diesel_async::RunQueryDsl;

use super::Backend;
use super::Fault;
use super::data::NewMatch;
use super::transaction::Transaction;
use crate::model::details::{BanRecord, Cell, Column, Kind, NONE, SHEETS, Sheet, TEAMS};
use crate::model::records::MatchRecord;
use crate::store::{data_statements as sql, plain};

/// A table of rows that a match has several of.
trait Table: 'static {
    /// All of its statement around the ids of matches, the numbers of rows, and the cells.
    fn text() -> &'static [String; 4];
}

/// An array with all cells of all rows is quicker to take apart than one for each column. It has no NULL, or to find a
/// cell would be to walk there.
fn text_of(table: &str, number: &str, columns: &[Column]) -> [String; 4] {
    let names = columns.iter().map(|column| format!(", {}", column.name));
    let names = names.collect::<Vec<_>>().concat();
    let many = columns.len();
    let cells = columns.iter().enumerate().map(|(at, column)| {
        let flag = match column.kind {
            Kind::Flag => "::boolean",
            Kind::Int | Kind::Small => "",
        };
        let back = many - 1 - at;
        format!(", nullif(v.cells[g * {many} - {back}], {NONE}){flag}")
    });
    let cells = cells.collect::<Vec<_>>().concat();
    [
        format!(
            "INSERT INTO {table} (match_id, {number}{names}) SELECT v.ids[g], v.numbers[g]{cells} FROM (SELECT "
        ),
        "::text[] AS ids, ".to_owned(),
        "::integer[] AS numbers, ".to_owned(),
        "::integer[] AS cells) v, generate_series(1, cardinality(v.numbers)) g".to_owned(),
    ]
}

macro_rules! tables {
    ($($name:ident $sheet:expr, $number:literal;)*) => {
        $(
            struct $name;

            impl Table for $name {
                fn text() -> &'static [String; 4] {
                    static TEXT: LazyLock<[String; 4]> =
                        LazyLock::new(|| text_of($sheet.table, $number, $sheet.columns));
                    &TEXT
                }
            }
        )*
    };
}

tables! {
    Damage SHEETS[0], "participant_id";
    Combat SHEETS[1], "participant_id";
    Vision SHEETS[2], "participant_id";
    Loadout SHEETS[3], "participant_id";
    Teams TEAMS, "team_id";
}

/// The rows of a table: all cells one after the other.
struct Insert<'a, T> {
    ids: Vec<&'a str>,
    numbers: Vec<i32>,
    cells: Vec<i32>,
    of: PhantomData<T>,
}

impl<'a, T> Insert<'a, T> {
    fn of<'c>(rows: impl Iterator<Item = (&'a str, i32, &'c [Cell])>) -> Self {
        let mut all = Self {
            ids: Vec::new(),
            numbers: Vec::new(),
            cells: Vec::new(),
            of: PhantomData,
        };
        for (id, number, cells) in rows {
            all.ids.push(id);
            all.numbers.push(number);
            all.cells
                .extend(cells.iter().map(|cell| cell.unwrap_or(NONE)));
        }
        all
    }

    fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl<T: Table> QueryFragment<Backend> for Insert<'_, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        let [insert, ids, numbers, cells] = T::text();
        out.push_sql(insert);
        out.push_bind_param::<Array<Text>, Vec<&str>>(&self.ids)?;
        out.push_sql(ids);
        out.push_bind_param::<Array<Integer>, Vec<i32>>(&self.numbers)?;
        out.push_sql(numbers);
        out.push_bind_param::<Array<Integer>, Vec<i32>>(&self.cells)?;
        out.push_sql(cells);
        Ok(())
    }
}

impl<T: Table> QueryId for Insert<'_, T> {
    type QueryId = Insert<'static, T>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<T> Query for Insert<'_, T> {
    type SqlType = ();
}

impl<T, C> diesel::RunQueryDsl<C> for Insert<'_, T> {}

/// A batch in one statement of arrays, where SQLite writes the rows of a match.
mod own {
    use diesel::sql_types::{Array, Integer, Nullable, Text};

    use crate::store::statement::statement;

    statement! {
        InsertBans<'a> {
            match_ids: Vec<&'a str> => Array<Text>, bans: Vec<i32> => Array<Integer>, teams: Vec<Option<i32>> => Array<Nullable<Integer>>,
            turns: Vec<Option<i32>> => Array<Nullable<Integer>>, champions: Vec<Option<i32>> => Array<Nullable<Integer>>,
        } -> () = "INSERT INTO match_bans (match_id, ban, team_id, turn, champion_id) SELECT * FROM unnest(?, ?, ?, ?, ?)";
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
        let damage = Insert::<Damage>::of(cells(matches, damage));
        let combat = Insert::<Combat>::of(cells(matches, combat));
        let vision = Insert::<Vision>::of(cells(matches, vision));
        let loadout = Insert::<Loadout>::of(cells(matches, loadout));
        let teams = Insert::<Teams>::of(matches.iter().flat_map(|(id, record)| {
            let teams = record.teams.iter();
            teams.map(move |team| (*id, team.team_id, &*team.cells))
        }));
        let bans: Vec<(&str, &BanRecord)> = matches
            .iter()
            .flat_map(|(id, record)| record.bans.iter().map(move |ban| (*id, ban)))
            .collect();
        let bans = own::InsertBans {
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
        let known = plain::set_patch(&id, patch.as_deref())
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

//! What a match document tells beyond its first rows: a table of participants for each subject, teams, and bans.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Integer, Nullable, Text};

use super::Backend;
use super::transaction::Transaction;
use crate::model::details::{Cell, SHEETS, Sheet};
use crate::model::records::MatchRecord;
use crate::store::{StoreResult, data_statements as sql, plain};

/// A table of rows that a match has several of.
trait Table: 'static {
    /// All of its statement but the rows.
    const INSERT: &'static str;
}

macro_rules! tables {
    ($($table:ident $name:ident $number:literal $id:ident { $($column:ident: $kind:ident = $key:literal,)* })*) => {
        $(
            struct $name;

            impl Table for $name {
                const INSERT: &'static str = concat!("INSERT INTO ", stringify!($table), " (match_id, ", stringify!($id),
                    $(", ", stringify!($column),)* ") VALUES ");
            }
        )*
    };
}

crate::model::participant_sheets!(tables);
crate::model::team_sheet!(tables);
tables! {
    match_bans Bans 15 ban { team_id: int = "teamId", turn: int = "pickTurn", champion_id: int = "championId", }
}

/// The number of a row among those of its match, and its cells.
type Row<'a> = (i32, &'a [Cell]);

/// Rows of one match in one statement: to begin and end a statement costs as much as to write a row of it.
struct Insert<'a, T, const N: usize> {
    match_id: &'a str,
    rows: [Row<'a>; N],
    of: PhantomData<T>,
}

impl<T: Table, const N: usize> QueryFragment<Backend> for Insert<'_, T, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql(T::INSERT);
        for (at, (number, cells)) in self.rows.iter().enumerate() {
            out.push_sql(if at == 0 { "(" } else { ", (" });
            out.push_bind_param::<Text, str>(self.match_id)?;
            out.push_sql(", ");
            out.push_bind_param::<Integer, i32>(number)?;
            for cell in *cells {
                out.push_sql(", ");
                out.push_bind_param::<Nullable<Integer>, Cell>(cell)?;
            }
            out.push_sql(")");
        }
        Ok(())
    }
}

impl<T: Table, const N: usize> QueryId for Insert<'_, T, N> {
    type QueryId = Insert<'static, T, N>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<T, const N: usize> Query for Insert<'_, T, N> {
    type SqlType = ();
}

impl<T, C, const N: usize> RunQueryDsl<C> for Insert<'_, T, N> {}

impl Transaction<'_> {
    fn put_rows<'a, T: Table>(
        &mut self,
        match_id: &'a str,
        rows: impl Iterator<Item = Row<'a>>,
    ) -> StoreResult<()> {
        let of = PhantomData::<T>;
        let rows: Vec<Row<'a>> = rows.collect();
        // Most matches have ten participants.
        let (tens, others) = rows.as_chunks::<10>();
        for rows in tens {
            let rows = *rows;
            Insert { match_id, rows, of }.execute(self.conn)?;
        }
        // And two teams.
        let (twos, others) = others.as_chunks::<2>();
        for rows in twos {
            let rows = *rows;
            Insert { match_id, rows, of }.execute(self.conn)?;
        }
        for row in others {
            let rows = [*row];
            Insert { match_id, rows, of }.execute(self.conn)?;
        }
        Ok(())
    }

    /// Of a match whose tables have no row of this.
    pub(super) fn put_details(&mut self, id: &str, record: &MatchRecord) -> StoreResult<()> {
        let [damage, combat, vision, loadout] = &SHEETS;
        let rows = |sheet: &'static Sheet| {
            let participants = record.participants.iter();
            participants.filter_map(|one| Some((one.participant_id, one.details.of(sheet)?)))
        };
        self.put_rows::<Damage>(id, rows(damage))?;
        self.put_rows::<Combat>(id, rows(combat))?;
        self.put_rows::<Vision>(id, rows(vision))?;
        self.put_rows::<Loadout>(id, rows(loadout))?;
        let teams = record.teams.iter();
        self.put_rows::<Teams>(id, teams.map(|team| (team.team_id, &*team.cells)))?;
        let bans = record.bans.iter();
        let cells = bans.map(|ban| (ban.ban, [ban.team_id, ban.turn, ban.champion_id]));
        let cells: Vec<(i32, [Cell; 3])> = cells.collect();
        self.put_rows::<Bans>(id, cells.iter().map(|(ban, cells)| (*ban, &cells[..])))
    }

    pub(super) fn drop_details(&mut self, ids: &[String]) -> StoreResult<()> {
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
        let known = plain::set_patch(&id, patch.as_deref()).execute(self.conn)?;
        // Its row may be gone since it was looked at.
        if known == 0 {
            return Ok(());
        }
        self.drop_details(std::slice::from_ref(&id))?;
        self.put_details(&id, record)
    }
}

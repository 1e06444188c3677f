//! The board on which engines of one key share its limits.

use diesel::prelude::*;

use super::Backend;
use super::transaction::Transaction;
use crate::model::Timestamp;
use crate::model::board_time::{BoardTime, in_time};
use crate::model::budget_share::{BoardGrant, BoardReport, BoardRow, share};
use crate::store::budget_statements as sql;
use crate::store::rows::{from_json, to_json};
use crate::store::{BudgetMember, StoreResult};

mod own {
    use crate::store::statement::statement;
    use diesel::sql_types::{BigInt, Text};

    statement! {
        PutBudget<'a> {
            key: &'a str => Text, route: &'a str => Text, engine: &'a str => Text, windows: &'a str => Text,
            reported_at: i64 => BigInt,
        } -> () =
        "INSERT OR REPLACE INTO rate_budgets (key_fingerprint, route, engine_id, windows, reported_at) VALUES (?, ?, ?, ?, ?)";
    }

    statement! {
        DropBudget<'a> { key: &'a str => Text, route: &'a str => Text, engine: &'a str => Text } -> () =
        "DELETE FROM rate_budgets WHERE key_fingerprint = ? AND route = ? AND engine_id = ?";
    }

    statement! {
        /// A database file has one engine: those before it have ended.
        EndBudgets { now: i64 => BigInt } -> () = "UPDATE rate_budgets SET ended_at = ? WHERE ended_at IS NULL";
    }
}

impl Transaction<'_> {
    /// A new engine has the file: the budgets of those before it have ended.
    pub(super) fn end_budgets(&mut self, now: Timestamp) -> StoreResult<()> {
        let now = now.as_millis();
        own::EndBudgets { now }.execute(self.conn)?;
        Ok(())
    }

    pub(super) fn share_budget(
        &mut self,
        member: &BudgetMember,
        report: &BoardReport,
        time: &BoardTime,
    ) -> StoreResult<BoardGrant> {
        let (key, route, now) = (&*member.key_fingerprint, member.route, time.wall);
        let found: Vec<(String, String, i64, Option<i64>)> =
            sql::BudgetRows { key, route }.load(self.conn)?;
        let mut rows = Vec::with_capacity(found.len());
        for (engine, windows, reported_at, ended_at) in found {
            rows.push(BoardRow {
                engine,
                entry: from_json(&windows)?,
                reported_at,
                ended_at,
            });
        }
        // The clock may have been set since they were written.
        for place in in_time(&mut rows, &member.engine, report, time) {
            let row = &rows[place];
            sql::MoveBudget {
                windows: &to_json(&row.entry)?,
                reported_at: row.reported_at,
                ended_at: row.ended_at,
                key,
                route,
                engine: &row.engine,
            }
            .execute(self.conn)?;
        }
        let (mut entry, grant) = share(&rows, &member.engine, report, now);
        entry.boot.clone_from(&time.boot);
        for row in rows.iter().filter(|row| row.is_over(now)) {
            let engine = &row.engine;
            own::DropBudget { key, route, engine }.execute(self.conn)?;
        }
        own::PutBudget {
            key,
            route,
            engine: &member.engine,
            windows: &to_json(&entry)?,
            reported_at: now,
        }
        .execute(self.conn)?;
        Ok(grant)
    }
}

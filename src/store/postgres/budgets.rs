//! The board on which engines of one key share its limits.

use diesel_async::RunQueryDsl;

use super::fault::Fault;
use super::job_statements as sql;
use super::transaction::Transaction;
use crate::model::board_time::{BoardTime, in_time};
use crate::model::budget_share::{BoardGrant, BoardReport, BoardRow, share};
use crate::store::BudgetMember;
use crate::store::rows::{from_json, to_json};

impl Transaction<'_> {
    /// By the clock of the database: the engines' own may differ by more than a window.
    pub(super) async fn share_budget(
        &mut self,
        member: &BudgetMember,
        report: &BoardReport,
        holder: Option<&str>,
    ) -> Result<BoardGrant, Fault> {
        let (key, route) = (&*member.key_fingerprint, member.route);
        self.locks.budget(key, route);
        let now: i64 = sql::LockBudget { key, route }
            .get_result(&mut self.conn)
            .await?;
        let found: Vec<(String, String, i64, Option<i64>)> =
            sql::BudgetRows { key, route }.load(&mut self.conn).await?;
        let mut rows = Vec::with_capacity(found.len());
        for (engine, windows, reported_at, ended_at) in found {
            rows.push(BoardRow {
                engine,
                entry: from_json(&windows)?,
                reported_at,
                ended_at,
            });
        }
        // The clock of the database may have been set since they were written.
        let time = BoardTime {
            wall: now,
            boot: None,
        };
        for place in in_time(&mut rows, &member.engine, report, &time) {
            let row = &rows[place];
            let moved = sql::MoveBudget {
                windows: &to_json(&row.entry)?,
                reported_at: row.reported_at,
                ended_at: row.ended_at,
                key,
                route,
                engine: &row.engine,
            };
            moved.execute(&mut self.conn).await?;
        }
        let (entry, grant) = share(&rows, &member.engine, report, now);
        let over = rows.iter().filter(|row| row.is_over(now));
        let engines: Vec<&str> = over.map(|row| row.engine.as_str()).collect();
        if !engines.is_empty() {
            let drop = sql::DropBudgets {
                key,
                route,
                engines,
            };
            drop.execute(&mut self.conn).await?;
        }
        self.after.wrote = true;
        sql::PutBudget {
            key,
            route,
            engine: &member.engine,
            windows: &to_json(&entry)?,
            reported_at: now,
            holder,
        }
        .execute(&mut self.conn)
        .await?;
        Ok(grant)
    }
}

//! The board on which engines of one key share its limits.

use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Backend;
use super::Fault;
use super::transaction::Transaction;
use crate::model::board_time::{BoardTime, in_time};
use crate::model::budget_share::{BoardGrant, BoardReport, BoardRow, share};
use crate::store::BudgetMember;
use crate::store::budget_statements as sql;
use crate::store::rows::{from_json, to_json};

mod own {
    use super::{Array, BigInt, Nullable, Text};
    use crate::store::statement::statement;

    type Opt<T> = Nullable<T>;

    statement! {
        /// One engine at a time takes its share of a key's limits on a route; the clock of the database, which is
        /// the same for all of them.
        LockBudget<'a> { key: &'a str => Text, route: &'a str => Text } -> BigInt =
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM pg_advisory_xact_lock(hashtextextended(? || ' ' || ?, 4711))";
    }

    statement! {
        PutBudget<'a> {
            key: &'a str => Text, route: &'a str => Text, engine: &'a str => Text, windows: &'a str => Text,
            reported_at: i64 => BigInt, holder: Option<&'a str> => Opt<Text>,
        } -> () =
        "INSERT INTO rate_budgets (key_fingerprint, route, engine_id, windows, reported_at, holder) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (key_fingerprint, route, engine_id) DO UPDATE
             SET windows = excluded.windows, reported_at = excluded.reported_at, holder = excluded.holder,
                 ended_at = NULL";
    }

    statement! {
        DropBudgets<'a> { key: &'a str => Text, route: &'a str => Text, engines: Vec<&'a str> => Array<Text> } -> () =
        "DELETE FROM rate_budgets WHERE key_fingerprint = ? AND route = ? AND engine_id = ANY(?)";
    }

    statement! {
            EndBudgetsOf { engines: Vec<String> => Array<Text>, ended: Vec<i64> => Array<BigInt> } -> () =
        "UPDATE rate_budgets SET ended_at = gone.ended FROM unnest(?, ?) AS gone (engine, ended)
         WHERE rate_budgets.holder = gone.engine AND ended_at IS NULL";
    }
}

/// What engines that are gone may have called counts as made from these moments on.
pub(super) async fn end_budgets(
    mut conn: &AsyncPgConnection,
    ended: &[(String, i64)],
) -> Result<(), Fault> {
    let (engines, ended) = ended.iter().cloned().unzip();
    let end = own::EndBudgetsOf { engines, ended };
    end.execute(&mut conn).await?;
    Ok(())
}

impl Transaction<'_> {
    /// By the clock of the database: the engines' own may differ by more than a window.
    pub(super) async fn share_budget(
        &mut self,
        member: &BudgetMember,
        report: &BoardReport,
        holder: Option<&str>,
    ) -> Result<BoardGrant, Fault> {
        let (key, route) = (&*member.key_fingerprint, member.route);
        let now: i64 = own::LockBudget { key, route }
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
            let drop = own::DropBudgets {
                key,
                route,
                engines,
            };
            drop.execute(&mut self.conn).await?;
        }
        own::PutBudget {
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

//! The SQL of the budgets that engines share which is the same on both databases. How a budget is put on the board, and
//! when it ends, is each database's own: a file has one engine.

use diesel::sql_types::{BigInt, Nullable, Text};

use super::statement::shared_statement;

shared_statement! {
    BudgetRows<'a> { key: &'a str => Text, route: &'a str => Text } -> (Text, Text, BigInt, Nullable<BigInt>) =
    "SELECT engine_id, windows, reported_at, ended_at FROM rate_budgets WHERE key_fingerprint = ? AND route = ?";
}

shared_statement! {
    MoveBudget<'a> {
        windows: &'a str => Text, reported_at: i64 => BigInt, ended_at: Option<i64> => Nullable<BigInt>,
        key: &'a str => Text, route: &'a str => Text, engine: &'a str => Text,
    } -> () =
    "UPDATE rate_budgets SET windows = ?, reported_at = ?, ended_at = ?
     WHERE key_fingerprint = ? AND route = ? AND engine_id = ?";
}

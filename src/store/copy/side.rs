//! One end of a copy: what is asked of either database.

use async_trait::async_trait;

use super::rows::{Column, Row};
use super::tables::Plan;
use crate::store::StoreResult;

/// How much of a table travels at once. A batch may pass the bytes with its last row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) rows: usize,
    pub(super) bytes: u64,
}

/// A part of a table in the order of its key, with keys as JSON arrays: after one, up to another and with it. None: no
/// bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range<'a> {
    pub(super) after: Option<&'a str>,
    pub(super) to: Option<&'a str>,
}

impl Range<'_> {
    /// The rows of the range, as a condition. `part` takes a column's value out of the bound key 1 (after) or 2 (to), by
    /// its place there.
    pub(super) fn condition(
        &self,
        plan: &Plan,
        part: impl Fn(usize, usize, &Column) -> String,
    ) -> String {
        let names = plan.table.key.join(", ");
        let bound = |number: usize, compared: &str| {
            let parts: Vec<String> = plan
                .key_columns()
                .map(|(place, column)| part(number, place, column))
                .collect();
            format!(" AND ({names}) {compared} ({})", parts.join(", "))
        };
        let after = self.after.map(|_| bound(1, ">")).unwrap_or_default();
        let to = self.to.map(|_| bound(2, "<=")).unwrap_or_default();
        after + &to
    }
}

#[async_trait(?Send)]
pub(super) trait Side {
    /// The columns of a table; none: there is no such table.
    async fn columns(&mut self, table: &str) -> StoreResult<Vec<Column>>;
    async fn count(&mut self, table: &str) -> StoreResult<u64>;
    async fn is_empty(&mut self, table: &str) -> StoreResult<bool>;
    /// The next rows after a key, in its order; at least one if there is any.
    async fn batch(
        &mut self,
        plan: &Plan,
        after: Option<&str>,
        bounds: Bounds,
    ) -> StoreResult<Vec<Row>>;
    /// The rows of a range in the order of the key, up to a number.
    async fn rows(&mut self, plan: &Plan, range: Range<'_>, limit: usize) -> StoreResult<Vec<Row>>;
    async fn delete(&mut self, plan: &Plan, range: Range<'_>) -> StoreResult<()>;
    async fn insert(&mut self, plan: &Plan, rows: &[Row]) -> StoreResult<()>;
    /// The highest id that a numbered table ever gave, as far as the database knows.
    async fn highest_id(&mut self, table: &str) -> StoreResult<i64>;
    /// Lets a numbered table go on behind an id.
    async fn number_from(&mut self, table: &str, highest: i64) -> StoreResult<()>;

    async fn begin(&mut self) -> StoreResult<()>;
    async fn commit(&mut self) -> StoreResult<()>;

    /// The source that an unfinished copy in this database was made from.
    async fn mark(&mut self) -> StoreResult<Option<String>>;
    async fn set_mark(&mut self, source: &str) -> StoreResult<()>;
    async fn drop_mark(&mut self) -> StoreResult<()>;
    /// Tells the planner what is in the tables now.
    async fn analyze(&mut self) -> StoreResult<()>;
}

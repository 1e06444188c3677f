//! A database file as one end of a copy.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Double, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use serde_json::Value;

use super::rows::{Column, Kind, Row, bytes, read, unhex};
use super::side::{Bounds, Range, Side};
use super::tables::Plan;
use super::{MARK_TABLE, Word};
use crate::store::sqlite::open::{self, EngineLock};
use crate::store::{StoreError, StoreResult};

/// A file, with the lock that keeps engines off it.
pub(super) struct SqliteSide {
    conn: SqliteConnection,
    _lock: EngineLock,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Declared {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    declared: String,
}

impl SqliteSide {
    /// The file that is read. It must be there; its tables are brought up to date as an engine would.
    pub(super) fn source(path: &Path) -> StoreResult<Self> {
        if !path.exists() {
            return Err(StoreError::Refused(format!(
                "there is no database {} to copy from. Name the right one with --from sqlite://PATH",
                path.display()
            )));
        }
        open::FORMAT.check_file(path, open::Purpose::Write)?;
        let lock = open::lock(path)?;
        let mut side = Self {
            conn: open::FORMAT.open_writer(path)?,
            _lock: lock,
        };
        // What is read is one moment of the file, also if another program writes to it.
        side.execute("BEGIN")?;
        Ok(side)
    }

    /// The file that is written.
    pub(super) fn target(path: &Path) -> StoreResult<Self> {
        open::make_folder(path)?;
        open::FORMAT.check_file(path, open::Purpose::Write)?;
        let lock = open::lock(path)?;
        let conn = open::FORMAT.open_any(path)?;
        Ok(Self { conn, _lock: lock })
    }

    fn number(&mut self, query: String) -> StoreResult<i64> {
        let row: Number = diesel::sql_query(query).get_result(&mut self.conn)?;
        Ok(row.value)
    }

    fn execute(&mut self, statement: &str) -> StoreResult<()> {
        self.conn.batch_execute(statement)?;
        Ok(())
    }
}

/// The same file has one name, wherever it is named from.
pub(super) fn name_of(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[async_trait(?Send)]
impl Side for SqliteSide {
    async fn columns(&mut self, table: &str) -> StoreResult<Vec<Column>> {
        let rows: Vec<Declared> =
            diesel::sql_query("SELECT name, type AS declared FROM pragma_table_info(?)")
                .bind::<Text, _>(table)
                .load(&mut self.conn)?;
        rows.into_iter()
            .map(|row| {
                let kind = match row.declared.as_str() {
                    "INTEGER" => Kind::Integer,
                    "REAL" => Kind::Float,
                    "TEXT" => Kind::Text,
                    "BLOB" => Kind::Bytes,
                    other => return Err(unknown(table, &row.name, other)),
                };
                Ok(Column {
                    name: row.name,
                    kind,
                })
            })
            .collect()
    }

    async fn count(&mut self, table: &str) -> StoreResult<u64> {
        let count = self.number(format!("SELECT count(*) AS value FROM {table}"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn is_empty(&mut self, table: &str) -> StoreResult<bool> {
        let there = self.number(format!("SELECT EXISTS (SELECT 1 FROM {table}) AS value"))?;
        Ok(there == 0)
    }

    async fn batch(
        &mut self,
        plan: &Plan,
        after: Option<&str>,
        bounds: Bounds,
    ) -> StoreResult<Vec<Row>> {
        let range = Range { after, to: None };
        let query = select(plan, range, bounds.rows);
        let query = diesel::sql_query(query)
            .bind::<Nullable<Text>, _>(after)
            .bind::<Nullable<Text>, _>(None::<&str>);
        let mut rows = Vec::new();
        let mut taken = 0;
        // Row by row: what is not taken is not read.
        for word in query.load_iter::<Word, DefaultLoadingMode>(&mut self.conn)? {
            let row = read(&plan.columns, &word?.value)?;
            taken += bytes(&plan.columns, &row);
            rows.push(row);
            if taken >= bounds.bytes {
                break;
            }
        }
        Ok(rows)
    }

    async fn rows(&mut self, plan: &Plan, range: Range<'_>, limit: usize) -> StoreResult<Vec<Row>> {
        let words: Vec<Word> = diesel::sql_query(select(plan, range, limit))
            .bind::<Nullable<Text>, _>(range.after)
            .bind::<Nullable<Text>, _>(range.to)
            .load(&mut self.conn)?;
        let row = |word: Word| read(&plan.columns, &word.value);
        words.into_iter().map(row).collect()
    }

    async fn delete(&mut self, plan: &Plan, range: Range<'_>) -> StoreResult<()> {
        let statement = format!("DELETE FROM {} {}", plan.table.name, condition(plan, range));
        diesel::sql_query(statement)
            .bind::<Nullable<Text>, _>(range.after)
            .bind::<Nullable<Text>, _>(range.to)
            .execute(&mut self.conn)?;
        Ok(())
    }

    async fn insert(&mut self, plan: &Plan, rows: &[Row]) -> StoreResult<()> {
        let places = vec!["?"; plan.columns.len()].join(", ");
        let statement = format!(
            "INSERT INTO {} ({}) VALUES ({places})",
            plan.table.name,
            plan.names()
        );
        for row in rows {
            let mut insert = diesel::sql_query(&statement).into_boxed();
            for (value, column) in row.iter().zip(&plan.columns) {
                insert = match (value, column.kind) {
                    (Value::Null, _) => insert.bind::<Nullable<BigInt>, _>(None::<i64>),
                    (Value::String(text), Kind::Bytes) => insert.bind::<Binary, _>(unhex(text)?),
                    (Value::String(text), Kind::Float) => {
                        let number: f64 = text.parse().map_err(|_| odd(plan, column, value))?;
                        insert.bind::<Double, _>(number)
                    }
                    (Value::String(text), _) => insert.bind::<Text, _>(text.as_str()),
                    (value, _) => {
                        let number = value.as_i64().ok_or_else(|| odd(plan, column, value))?;
                        insert.bind::<BigInt, _>(number)
                    }
                };
            }
            insert.execute(&mut self.conn)?;
        }
        Ok(())
    }

    async fn highest_id(&mut self, table: &str) -> StoreResult<i64> {
        self.number(format!(
            "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0),
                        coalesce((SELECT max(id) FROM {table}), 0)) AS value"
        ))
    }

    async fn number_from(&mut self, table: &str, highest: i64) -> StoreResult<()> {
        // A table in which nothing ever was has no row there.
        self.execute(&format!(
            "DELETE FROM sqlite_sequence WHERE name = '{table}';
             INSERT INTO sqlite_sequence (name, seq) SELECT '{table}', {highest} WHERE {highest} > 0"
        ))
    }

    async fn begin(&mut self) -> StoreResult<()> {
        self.execute("BEGIN IMMEDIATE")
    }

    async fn commit(&mut self) -> StoreResult<()> {
        self.execute("COMMIT")
    }

    async fn mark(&mut self) -> StoreResult<Option<String>> {
        open::copy_mark(&mut self.conn).map_err(StoreError::from)
    }

    async fn set_mark(&mut self, source: &str) -> StoreResult<()> {
        self.execute(&format!(
            "CREATE TABLE {MARK_TABLE} (source TEXT NOT NULL) STRICT"
        ))?;
        diesel::sql_query(format!("INSERT INTO {MARK_TABLE} (source) VALUES (?)"))
            .bind::<Text, _>(source)
            .execute(&mut self.conn)?;
        Ok(())
    }

    async fn drop_mark(&mut self) -> StoreResult<()> {
        self.execute(&format!("DROP TABLE {MARK_TABLE}"))
    }

    async fn analyze(&mut self) -> StoreResult<()> {
        // Its plans are made without statistics, as those of every engine's file are.
        Ok(())
    }
}

/// A row as a JSON array. SQLite's own digits of a number in JSON are too few.
fn select(plan: &Plan, range: Range<'_>, limit: usize) -> String {
    let values: Vec<String> = plan
        .columns
        .iter()
        .map(|Column { name, kind }| match kind {
            Kind::Bytes => format!("lower(hex({name}))"),
            Kind::Float => format!("iif({name} IS NULL, NULL, printf('%!.20g', {name}))"),
            Kind::Integer | Kind::Boolean | Kind::Text => name.clone(),
        })
        .collect();
    format!(
        "SELECT json_array({}) AS value FROM {} {} ORDER BY {} LIMIT {limit}",
        values.join(", "),
        plan.table.name,
        condition(plan, range),
        plan.table.key.join(", ")
    )
}

/// Both keys are always bound, ?1 and ?2, used or not.
fn condition(plan: &Plan, range: Range<'_>) -> String {
    let part = |number, place, _: &Column| format!("json_extract(?{number}, '$[{place}]')");
    format!("WHERE ?1 IS ?1 AND ?2 IS ?2{}", range.condition(plan, part))
}

fn unknown(table: &str, column: &str, declared: &str) -> StoreError {
    StoreError::Unexpected(format!(
        "{table}.{column} is of the type {declared}, which no copy knows"
    ))
}

fn odd(plan: &Plan, column: &Column, value: &Value) -> StoreError {
    StoreError::Unexpected(format!("{value} for {}.{}", plan.table.name, column.name))
}

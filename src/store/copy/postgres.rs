//! A PostgreSQL database as one end of a copy.

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde_json::{Map, Value};

use super::rows::{Column, Kind, Row, read};
use super::side::{Bounds, Range, Side};
use super::tables::Plan;
use super::{MARK_TABLE, Word};
use crate::basics::words::say;
use crate::engine::postgres::connect::Link;
use crate::engine::postgres::migrate;
use crate::store::postgres::format::{self, FORMAT};
use crate::store::postgres::{Fault, Settings, first};
use crate::store::{StoreError, StoreResult};

/// Nothing waits for these transactions, and a copy takes its time. They say themselves what a session may not keep
/// behind a pooler.
const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off";
/// What is read is one moment of the database, however long it takes.
const BEGIN_SOURCE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL enable_seqscan = off; SET LOCAL jit = off";

pub(super) struct PostgresSide {
    link: Link,
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

impl PostgresSide {
    /// The database that is read, at this moment.
    pub(super) async fn source(settings: &Settings) -> StoreResult<Self> {
        say(FORMAT.words);
        let mut link = first(settings).await?;
        migrate::run_on_source(&mut link.conn, &settings.address, &FORMAT).await?;
        format::refuse_unfinished_copy(&mut link.conn, &settings.address).await?;
        let mut side = Self { link };
        side.say(BEGIN_SOURCE).await?;
        Ok(side)
    }

    /// The database that is written.
    pub(super) async fn target(settings: &Settings) -> StoreResult<Self> {
        say(FORMAT.words);
        let mut link = first(settings).await?;
        migrate::run(&mut link.conn, &settings.address, &FORMAT).await?;
        Ok(Self { link })
    }

    fn conn(&mut self) -> &mut AsyncPgConnection {
        &mut self.link.conn
    }

    async fn number(&mut self, query: String) -> StoreResult<i64> {
        let row: Number = diesel::sql_query(query)
            .get_result(self.conn())
            .await
            .map_err(failed)?;
        Ok(row.value)
    }

    async fn say(&mut self, statement: &str) -> StoreResult<()> {
        self.conn().batch_execute(statement).await.map_err(failed)
    }

    async fn words(&mut self, query: String, range: Range<'_>) -> StoreResult<Vec<Word>> {
        diesel::sql_query(query)
            .bind::<Nullable<Text>, _>(range.after)
            .bind::<Nullable<Text>, _>(range.to)
            .load(self.conn())
            .await
            .map_err(failed)
    }
}

#[async_trait(?Send)]
impl Side for PostgresSide {
    async fn columns(&mut self, table: &str) -> StoreResult<Vec<Column>> {
        let rows: Vec<Declared> = diesel::sql_query(
            "SELECT attname::text AS name, format_type(atttypid, NULL) AS declared FROM pg_attribute
             WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        )
        .bind::<Text, _>(table)
        .load(self.conn())
        .await
        .map_err(failed)?;
        rows.into_iter()
            .map(|row| {
                let kind = match row.declared.as_str() {
                    "smallint" | "integer" | "bigint" => Kind::Integer,
                    "boolean" => Kind::Boolean,
                    "real" | "double precision" => Kind::Float,
                    "text" => Kind::Text,
                    "bytea" => Kind::Bytes,
                    other => {
                        return Err(StoreError::Unexpected(format!(
                            "{table}.{} is of the type {other}, which no copy knows",
                            row.name
                        )));
                    }
                };
                Ok(Column {
                    name: row.name,
                    kind,
                })
            })
            .collect()
    }

    async fn count(&mut self, table: &str) -> StoreResult<u64> {
        self.say("SET LOCAL enable_seqscan = on").await?;
        let count = self
            .number(format!("SELECT count(*) AS value FROM {table}"))
            .await?;
        self.say("SET LOCAL enable_seqscan = off").await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn is_empty(&mut self, table: &str) -> StoreResult<bool> {
        let there = format!("SELECT EXISTS (SELECT 1 FROM {table})::int::bigint AS value");
        Ok(self.number(there).await? == 0)
    }

    async fn batch(
        &mut self,
        plan: &Plan,
        after: Option<&str>,
        bounds: Bounds,
    ) -> StoreResult<Vec<Row>> {
        let range = Range { after, to: None };
        let key = plan.table.key.join(", ");
        let size = |column: &Column| match column.kind {
            Kind::Text | Kind::Bytes => format!("coalesce(octet_length({}), 0)", column.name),
            Kind::Integer | Kind::Boolean | Kind::Float => "8".to_owned(),
        };
        let sizes: Vec<String> = plan.columns.iter().map(size).collect();
        // The lengths of bodies are known without reading them; only those of the batch are.
        let query = format!(
            "SELECT {row} AS value FROM (
                SELECT *, sum(copied_bytes) OVER (ORDER BY {key} ROWS UNBOUNDED PRECEDING) - copied_bytes AS copied_before FROM (
                    SELECT *, ({size})::bigint AS copied_bytes FROM {table} {condition} ORDER BY {key} LIMIT {limit}
                ) AS next
             ) AS measured WHERE copied_before < {bytes} ORDER BY {key}",
            row = json_row(plan),
            size = sizes.join(" + "),
            table = plan.table.name,
            condition = condition(plan, range),
            limit = bounds.rows,
            bytes = bounds.bytes,
        );
        let words = self.words(query, range).await?;
        let row = |word: Word| read(&plan.columns, &word.value);
        words.into_iter().map(row).collect()
    }

    async fn rows(&mut self, plan: &Plan, range: Range<'_>, limit: usize) -> StoreResult<Vec<Row>> {
        let query = format!(
            "SELECT {} AS value FROM {} {} ORDER BY {} LIMIT {limit}",
            json_row(plan),
            plan.table.name,
            condition(plan, range),
            plan.table.key.join(", ")
        );
        let words = self.words(query, range).await?;
        let row = |word: Word| read(&plan.columns, &word.value);
        words.into_iter().map(row).collect()
    }

    async fn delete(&mut self, plan: &Plan, range: Range<'_>) -> StoreResult<()> {
        let statement = format!("DELETE FROM {} {}", plan.table.name, condition(plan, range));
        diesel::sql_query(statement)
            .bind::<Nullable<Text>, _>(range.after)
            .bind::<Nullable<Text>, _>(range.to)
            .execute(self.conn())
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn insert(&mut self, plan: &Plan, rows: &[Row]) -> StoreResult<()> {
        let mut values = Vec::new();
        let mut types = Vec::new();
        for (place, column) in plan.columns.iter().enumerate() {
            let (value, declared) = match column.kind {
                Kind::Bytes => (format!("decode(c{place}, 'hex')"), "text"),
                Kind::Boolean => (format!("c{place} <> 0"), "bigint"),
                Kind::Integer => (format!("c{place}"), "bigint"),
                Kind::Float => (format!("c{place}"), "double precision"),
                Kind::Text => (format!("c{place}"), "text"),
            };
            values.push(value);
            types.push(format!("c{place} {declared}"));
        }
        let statement = format!(
            "INSERT INTO {} ({}) SELECT {} FROM json_to_recordset($1::json) AS sent ({})",
            plan.table.name,
            plan.names(),
            values.join(", "),
            types.join(", ")
        );
        let object = |row: &Row| {
            let field = |(place, value): (usize, &Value)| (format!("c{place}"), value.clone());
            Value::Object(row.iter().enumerate().map(field).collect::<Map<_, _>>())
        };
        let sent = Value::Array(rows.iter().map(object).collect());
        diesel::sql_query(statement)
            .bind::<Text, _>(sent.to_string())
            .execute(self.conn())
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn highest_id(&mut self, table: &str) -> StoreResult<i64> {
        self.number(format!(
            "SELECT greatest(pg_sequence_last_value(pg_get_serial_sequence('{table}', 'id')::regclass), (SELECT max(id) FROM {table}), 0) AS value"
        ))
        .await
    }

    async fn number_from(&mut self, table: &str, highest: i64) -> StoreResult<()> {
        // No number below 1; a table in which nothing ever was begins there.
        self.say(&format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest({highest}, 1), {highest} > 0)"
        ))
        .await
    }

    async fn begin(&mut self) -> StoreResult<()> {
        self.say(BEGIN).await
    }

    async fn commit(&mut self) -> StoreResult<()> {
        self.say("COMMIT").await
    }

    async fn mark(&mut self) -> StoreResult<Option<String>> {
        format::copy_mark(self.conn()).await.map_err(failed)
    }

    async fn set_mark(&mut self, source: &str) -> StoreResult<()> {
        self.say(&format!("CREATE TABLE {MARK_TABLE} (source TEXT NOT NULL)"))
            .await?;
        diesel::sql_query(format!("INSERT INTO {MARK_TABLE} (source) VALUES ($1)"))
            .bind::<Text, _>(source)
            .execute(self.conn())
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn drop_mark(&mut self) -> StoreResult<()> {
        self.say(&format!("DROP TABLE {MARK_TABLE}")).await
    }

    async fn analyze(&mut self) -> StoreResult<()> {
        for table in super::COPIED {
            self.say(&format!("ANALYZE {}", table.name)).await?;
        }
        Ok(())
    }
}

/// A row as a JSON array.
fn json_row(plan: &Plan) -> String {
    let values: Vec<String> = plan
        .columns
        .iter()
        .map(|Column { name, kind }| match kind {
            Kind::Bytes => format!("encode({name}, 'hex')"),
            Kind::Boolean => format!("{name}::int"),
            Kind::Float => format!("{name}::text"),
            Kind::Integer | Kind::Text => name.clone(),
        })
        .collect();
    format!("json_build_array({})::text", values.join(", "))
}

/// Both keys are always bound, $1 and $2, used or not.
fn condition(plan: &Plan, range: Range<'_>) -> String {
    let part = |number, place, column: &Column| match column.kind {
        Kind::Integer => format!("(${number}::json->>{place})::bigint"),
        _ => format!("(${number}::json->>{place})"),
    };
    format!(
        "WHERE $1::text IS NOT DISTINCT FROM $1 AND $2::text IS NOT DISTINCT FROM $2{}",
        range.condition(plan, part)
    )
}

fn failed(error: diesel::result::Error) -> StoreError {
    Fault::from(error).into_error()
}

//! The schema is what both databases have when they are migrated.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::store::scratch::Scratch;
use crate::store::sqlite::open;

const SCHEMA: &str = include_str!("../schema.rs");

/// The tables that are written there: their names and their text.
fn written() -> Vec<(&'static str, String)> {
    let tables = SCHEMA.split("diesel::table! {\n").skip(1);
    let table = |text: &'static str| {
        let end = text.find("\n}\n").expect("a table has an end");
        let name = text.trim_start().split(' ').next().unwrap();
        (name, format!("{}\n", &text[..end]))
    };
    tables.map(table).collect()
}

fn postgres_type(told: &str) -> &'static str {
    match told {
        "text" => "Text",
        "bigint" => "BigInt",
        "integer" => "Integer",
        "smallint" => "SmallInt",
        "boolean" => "Bool",
        "double precision" => "Double",
        "bytea" => "Binary",
        other => panic!("no column has the type {other}"),
    }
}

/// A table as the schema has to say it.
async fn table_of(client: &Client, name: &str) -> String {
    let key = client
        .query(
            "SELECT a.attname::text FROM pg_index i
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
             WHERE i.indrelid = $1::text::regclass AND i.indisprimary
             ORDER BY array_position(i.indkey::int2[], a.attnum)",
            &[&name],
        )
        .await
        .unwrap();
    let key: Vec<String> = key.iter().map(|row| row.get(0)).collect();
    let columns = client
        .query(
            "SELECT column_name::text, data_type::text, is_nullable::text FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
            &[&name],
        )
        .await
        .unwrap();
    let mut table = format!("    {name} ({}) {{\n", key.join(", "));
    for column in columns {
        let (name, kind, nullable): (&str, &str, &str) =
            (column.get(0), column.get(1), column.get(2));
        let kind = postgres_type(kind);
        if nullable == "YES" {
            writeln!(table, "        {name} -> Nullable<{kind}>,").unwrap();
        } else {
            writeln!(table, "        {name} -> {kind},").unwrap();
        }
    }
    table + "    }\n"
}

#[tokio::test]
async fn the_schema_is_what_postgres_has() {
    let scratch = Scratch::new();
    let (client, connection) = tokio_postgres::connect(scratch.url(), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let tables = written();
    assert!(!tables.is_empty());
    for (name, text) in tables {
        let told = table_of(&client, name).await;
        assert_eq!(
            text, told,
            "src/store/schema.rs has to say of {name}:\n{told}"
        );
    }
    drop(client);
    connection.await.unwrap().unwrap();
}

/// A column of SQLite, whose types are fewer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    /// 1: always has a value.
    #[diesel(sql_type = Integer)]
    filled: i32,
}

/// A line of a table as SQLite has that column.
fn in_sqlite(line: &str) -> Option<Column> {
    let (name, kind) = line.trim().strip_suffix(',')?.split_once(" -> ")?;
    let inner = kind
        .strip_prefix("Nullable<")
        .map(|kind| kind.trim_end_matches('>'));
    let declared = match inner.unwrap_or(kind) {
        "Text" => "TEXT",
        "Double" => "REAL",
        "Binary" => "BLOB",
        _ => "INTEGER",
    };
    Some(Column {
        name: name.to_owned(),
        kind: declared.to_owned(),
        filled: i32::from(inner.is_none()),
    })
}

#[test]
fn the_schema_is_what_sqlite_has() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.db");
    let mut conn = open::FORMAT.open_writer(&path).unwrap();
    for (name, text) in written() {
        // A key is never nothing, also where its declaration leaves that out.
        let found: Vec<Column> = diesel::sql_query(
            "SELECT name, type AS kind, CAST(\"notnull\" OR pk > 0 AS INTEGER) AS filled FROM pragma_table_info(?)",
        )
        .bind::<Text, _>(name)
        .load(&mut conn)
        .unwrap();
        let found: BTreeSet<Column> = found.into_iter().collect();
        let said: BTreeSet<Column> = text.lines().filter_map(in_sqlite).collect();
        assert_eq!(said, found, "{name}");
    }
}

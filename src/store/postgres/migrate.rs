//! Brings a database up to date: all that is missing in one transaction, one engine at a time.

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::address::Address;
use crate::model::Foreign;
use crate::store::copy::MARK_TABLE;
use crate::store::{Migrations, StoreError, StoreResult};

/// (version, name, text), oldest first.
const MIGRATIONS: &[(&str, &str, &str)] = &[
    (
        "00000000000001",
        "initial",
        include_str!("../../../migrations/postgres/00000000000001_initial/up.sql"),
    ),
    (
        "00000000000002",
        "relations",
        include_str!("../../../migrations/postgres/00000000000002_relations/up.sql"),
    ),
    (
        "00000000000003",
        "lanes",
        include_str!("../../../migrations/postgres/00000000000003_lanes/up.sql"),
    ),
    (
        "00000000000004",
        "shared_budgets",
        include_str!("../../../migrations/postgres/00000000000004_shared_budgets/up.sql"),
    ),
    (
        "00000000000005",
        "engines_together",
        include_str!("../../../migrations/postgres/00000000000005_engines_together/up.sql"),
    ),
    (
        "00000000000006",
        "upkeep",
        include_str!("../../../migrations/postgres/00000000000006_upkeep/up.sql"),
    ),
    (
        "00000000000007",
        "schedules",
        include_str!("../../../migrations/postgres/00000000000007_schedules/up.sql"),
    ),
    (
        "00000000000008",
        "recompression",
        include_str!("../../../migrations/postgres/00000000000008_recompression/up.sql"),
    ),
    (
        "00000000000009",
        "true_copy",
        include_str!("../../../migrations/postgres/00000000000009_true_copy/up.sql"),
    ),
    (
        "00000000000010",
        "together",
        include_str!("../../../migrations/postgres/00000000000010_together/up.sql"),
    ),
    (
        "00000000000011",
        "details",
        include_str!("../../../migrations/postgres/00000000000011_details/up.sql"),
    ),
    (
        "00000000000012",
        "views",
        include_str!("../../../migrations/postgres/00000000000012_views/up.sql"),
    ),
    (
        "00000000000013",
        "timelines",
        include_str!("../../../migrations/postgres/00000000000013_timelines/up.sql"),
    ),
    (
        "00000000000014",
        "ranks_and_names",
        include_str!("../../../migrations/postgres/00000000000014_ranks_and_names/up.sql"),
    ),
    (
        "00000000000015",
        "lake",
        include_str!("../../../migrations/postgres/00000000000015_lake/up.sql"),
    ),
];

/// Held while one engine migrates; any number that nobody else uses.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7523094288207667809)";

/// The same table as diesel's own command line uses.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (
    version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Applies what is missing to a database that is to be written. One that cannot hold every text is not touched.
pub(in crate::store) async fn run(
    conn: &mut AsyncPgConnection,
    address: &Address,
) -> StoreResult<()> {
    refuse_other_encodings(conn, address).await?;
    bring_up_to_date(conn, address).await
}

/// The same for one that is only read from now on, whatever its encoding: so can its data be brought to another.
pub(in crate::store) async fn run_on_source(
    conn: &mut AsyncPgConnection,
    address: &Address,
) -> StoreResult<()> {
    check(conn, address).await?;
    bring_up_to_date(conn, address).await
}

/// Names are in every script there is: most encodings lack some, and under `SQL_ASCII` nobody checks what is stored.
async fn refuse_other_encodings(
    conn: &mut AsyncPgConnection,
    address: &Address,
) -> StoreResult<()> {
    let rows: Vec<Applied> =
        diesel::sql_query("SELECT current_setting('server_encoding') AS version")
            .load(conn)
            .await?;
    match rows.into_iter().next().map(|row| row.version) {
        Some(encoding) if encoding != "UTF8" => Err(StoreError::Encoding {
            database: address.to_string(),
            encoding,
            create: address.createdb(),
        }),
        _ => Ok(()),
    }
}

/// In the server's words.
fn said(error: &diesel::result::Error) -> Foreign {
    error.to_string().into()
}

async fn bring_up_to_date(conn: &mut AsyncPgConnection, address: &Address) -> StoreResult<()> {
    let failed = |error: diesel::result::Error| StoreError::Unreachable {
        database: address.to_string(),
        cause: format!(
            "its migration failed, and nothing was changed: {}",
            said(&error)
        ),
    };
    // `CREATE TABLE IF NOT EXISTS` tells of a table that exists; nobody needs to hear it.
    let begin = format!(
        "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL client_min_messages = warning; {LOCK}; {TABLE}"
    );
    conn.batch_execute(&begin).await.map_err(failed)?;
    let outcome = apply_missing(conn, address).await;
    let end = if outcome.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    let ended = conn.batch_execute(end).await.map_err(failed);
    outcome.and(ended)
}

async fn apply_missing(conn: &mut AsyncPgConnection, address: &Address) -> StoreResult<()> {
    let applied = applied(conn, address).await?;
    for (version, name, text) in MIGRATIONS {
        if applied.iter().any(|applied| applied == version) {
            continue;
        }
        let failed = |error: diesel::result::Error| StoreError::Unreachable {
            database: address.to_string(),
            cause: format!(
                "its migration {version}_{name} failed, and nothing was changed: {}",
                said(&error)
            ),
        };
        conn.batch_execute(text).await.map_err(failed)?;
        let note = format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')");
        conn.batch_execute(&note).await.map_err(failed)?;
    }
    Ok(())
}

/// What is applied; an error if this program does not know all of it.
async fn applied(conn: &mut AsyncPgConnection, address: &Address) -> StoreResult<Vec<String>> {
    let rows: Vec<Applied> =
        diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version")
            .load(conn)
            .await?;
    let known = |version: &str| MIGRATIONS.iter().any(|(known, ..)| *known == version);
    match rows.iter().find(|row| !known(&row.version)) {
        Some(unknown) => Err(StoreError::Newer {
            path: address.to_string().into(),
            version: unknown.version.clone(),
        }),
        None => Ok(rows.into_iter().map(|row| row.version).collect()),
    }
}

/// An engine must not work on the target of an unfinished copy.
pub(in crate::store) async fn refuse_unfinished_copy(
    conn: &mut AsyncPgConnection,
    address: &Address,
) -> StoreResult<()> {
    match copy_mark(conn).await? {
        Some(source_name) => Err(StoreError::UnfinishedCopy {
            database: address.to_string(),
            source_name,
        }),
        None => Ok(()),
    }
}

/// The source of the unfinished copy in a database, if there is one.
pub(in crate::store) async fn copy_mark(
    conn: &mut AsyncPgConnection,
) -> diesel::QueryResult<Option<String>> {
    let there: Vec<Applied> = diesel::sql_query(format!(
        "SELECT relname::text AS version FROM pg_class WHERE oid = to_regclass('{MARK_TABLE}')"
    ))
    .load(conn)
    .await?;
    if there.is_empty() {
        return Ok(None);
    }
    let mark: Vec<Applied> =
        diesel::sql_query(format!("SELECT source AS version FROM {MARK_TABLE}"))
            .load(conn)
            .await?;
    Ok(mark.into_iter().next().map(|mark| mark.version))
}

/// Checks without a change that the tables are there or can be made, and are not those of a newer program.
pub(super) async fn check(
    conn: &mut AsyncPgConnection,
    address: &Address,
) -> StoreResult<Migrations> {
    let there: Vec<Applied> = diesel::sql_query(
        "SELECT relname::text AS version FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations')",
    )
    .load(conn)
    .await?;
    let applied = if there.is_empty() {
        refuse_other_encodings(conn, address).await?;
        Vec::new()
    } else {
        applied(conn, address).await?
    };
    let pending = MIGRATIONS
        .iter()
        .map(|(version, ..)| (*version).to_owned())
        .filter(|version| !applied.contains(version))
        .collect();
    Ok(Migrations { applied, pending })
}

#[cfg(test)]
mod tests {
    use std::fs;

    fn folders(database: &str) -> Vec<String> {
        let path = format!("{}/migrations/{database}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<String> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn both_databases_have_the_same_migrations_and_all_are_compiled_in() {
        let listed: Vec<String> = super::MIGRATIONS
            .iter()
            .map(|(version, name, _)| format!("{version}_{name}"))
            .collect();
        assert_eq!(folders("postgres"), listed);
        assert_eq!(folders("sqlite"), listed);
    }
}

//! riftsync's databases: which tables they have.

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Address;
use crate::engine::postgres::Format;
use crate::engine::postgres::migrate::Migration;
use crate::store::copy::MARK_TABLE;
use crate::store::words::WORDS;
use crate::store::{StoreError, StoreResult};

pub(in crate::store) static FORMAT: Format = Format {
    migrations: MIGRATIONS,
    versions: "",
    made_by: "`riftsync sync`",
    words: Some(&WORDS),
    channel: "riftsync",
    ready: |conn, address| Box::pin(refuse_unfinished_copy(conn, address)),
};

/// (version, name, text), oldest first.
const MIGRATIONS: &[Migration] = &[
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
    (
        "00000000000016",
        "leads_in_views",
        include_str!("../../../migrations/postgres/00000000000016_leads_in_views/up.sql"),
    ),
    (
        "00000000000017",
        "teams_in_views",
        include_str!("../../../migrations/postgres/00000000000017_teams_in_views/up.sql"),
    ),
    (
        "00000000000018",
        "lake_tables",
        include_str!("../../../migrations/postgres/00000000000018_lake_tables/up.sql"),
    ),
];

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    value: String,
}

/// The target of an unfinished copy is nobody's.
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
    let there: Vec<Word> = diesel::sql_query(format!(
        "SELECT relname::text AS value FROM pg_class WHERE oid = to_regclass('{MARK_TABLE}')"
    ))
    .load(conn)
    .await?;
    if there.is_empty() {
        return Ok(None);
    }
    let mark: Vec<Word> = diesel::sql_query(format!("SELECT source AS value FROM {MARK_TABLE}"))
        .load(conn)
        .await?;
    Ok(mark.into_iter().next().map(|mark| mark.value))
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

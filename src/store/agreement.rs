//! The databases do what the reference model of the engine says: the same random calls on both.
//!
//! On SQLite calls share commits, which keep their order. PostgreSQL carries out what shares a commit in an order
//! of its own, so there each call has its own commit; what happens when they meet is tested elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use proptest::prelude::*;
use tempfile::TempDir;

use super::postgres::PostgresStore;
use super::scratch::Scratch;
use super::sqlite::{SqliteStore, open};
use super::{Database as _, Store};
use crate::engine;
use crate::engine::conformance::agreement::{InFile, Place, agrees, dead};
use crate::engine::conformance::store_calls;
use crate::model::JobId;
use crate::model::suspicion::Death;

#[async_trait]
impl Place for Scratch {
    type Store = dyn Store;

    async fn open(&self) -> Arc<dyn Store> {
        self.run("TRUNCATE jobs, job_links, engines");
        Arc::new(PostgresStore::open(self.settings()).await.unwrap())
    }

    fn turns(&self) -> BTreeMap<JobId, i64> {
        let number = |text: &Option<String>| text.as_deref().unwrap().parse().unwrap();
        let rows = self.rows("SELECT id, turn FROM jobs");
        let turn = |row: Vec<Option<String>>| (JobId(number(&row[0])), number(&row[1]));
        rows.into_iter().map(turn).collect()
    }

    fn died(&self, engine: &str, death: Death) {
        self.run(&dead(engine, death));
    }
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn sqlite_agrees_with_the_model(calls in store_calls(70), group in 1_usize..6) {
        let folder = TempDir::new().unwrap();
        let place = InFile::<dyn Store> {
            path: folder.path().join("t.db"),
            open: |path| Arc::new(SqliteStore::open(path).unwrap()),
        };
        agrees(&place, &calls, group);
    }
}

#[test]
fn postgres_agrees_with_the_model() {
    let scratch = Scratch::new();
    proptest!(cases(40), |(calls in store_calls(70))| agrees(&scratch, &calls, 1));
}

/// What a database has of the tables of jobs: their columns and rules, and their indexes, each in any order.
fn tables_of_jobs(conn: &mut SqliteConnection) -> BTreeSet<String> {
    #[derive(QueryableByName)]
    struct Made {
        #[diesel(sql_type = Text)]
        sql: String,
    }
    let made: Vec<Made> = diesel::sql_query(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL
             AND tbl_name IN ('jobs', 'job_links', 'engines', 'schedules')",
    )
    .load(conn)
    .unwrap();
    let parts = made.into_iter().flat_map(|made| {
        let lines = made.sql.lines();
        let uncommented = lines.map(|line| line.split("--").next().unwrap_or_default());
        let words: Vec<String> = uncommented
            .flat_map(|line| line.split_whitespace().map(str::to_owned))
            .collect();
        let text = words.join(" ").replace("( ", "(").replace(" )", ")");
        let text = text.replace(" ,", ",").replace(", ", ",");
        let Some(inside) = text.strip_prefix("CREATE TABLE ") else {
            return vec![text];
        };
        let (name, inside) = inside.split_once(" (").unwrap();
        let (inside, end) = inside.rsplit_once(')').unwrap();
        let mut depth = 0;
        let columns = inside.split(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        });
        let columns = columns.map(|column| format!("{name}: {column}"));
        columns.chain([format!("{name}:{end}")]).collect()
    });
    parts.collect()
}

#[tokio::test]
async fn the_tables_of_jobs_are_those_that_the_engine_makes_by_itself() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.db");
    let mut here = tables_of_jobs(&mut open::FORMAT.open_writer(&path).unwrap());
    // Of riftsync's upkeep: which documents could not be had.
    let upkeep = "CREATE INDEX jobs_failed ON jobs (kind,key) WHERE state = 'discarded'";
    assert!(here.remove(upkeep), "{here:#?}");
    let path = folder.path().join("engine.db");
    let store = engine::sqlite::SqliteStore::<Infallible>::open(&path).unwrap();
    let there = store.read(|conn| Ok(tables_of_jobs(conn))).await.unwrap();
    store.close().await.unwrap();
    let differ: Vec<&String> = here.symmetric_difference(&there).collect();
    assert!(
        differ.is_empty() && here.len() > 60,
        "a migration of the tables of jobs is to be written twice: in migrations/sqlite, and in \
         src/engine/migrations/sqlite for those who use the engine without riftsync. Different: {differ:#?}"
    );
}

/// The same of a database on a server: columns, rules, indexes, and how its tables are kept.
fn tables_on_server(scratch: &Scratch) -> BTreeSet<String> {
    let rows = scratch.rows(
        "WITH ours AS (SELECT oid, relname, reloptions FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
             AND relname IN ('jobs', 'job_links', 'engines', 'leadership', 'schedules', 'store_commits'))
         SELECT concat_ws(' ', table_name, column_name, data_type, collation_name, is_nullable, column_default, is_identity)
         FROM information_schema.columns JOIN ours ON relname = table_name
         UNION ALL SELECT indexdef FROM pg_indexes JOIN ours ON relname = tablename
         UNION ALL SELECT relname || ' ' || pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN ours ON ours.oid = conrelid
         UNION ALL SELECT relname || ' ' || unnest(reloptions) FROM ours",
    );
    let told = rows.into_iter().flatten().flatten();
    told.collect()
}

#[tokio::test]
async fn so_are_those_on_a_server() {
    let mut here = tables_on_server(&Scratch::new());
    // Of riftsync's upkeep: which documents could not be had.
    let upkeep = "CREATE INDEX jobs_failed ON public.jobs USING btree (kind, key) WHERE (state = 'discarded'::text)";
    assert!(here.remove(upkeep), "{here:#?}");
    let scratch = Scratch::on_server(&std::env::var("TEST_DATABASE_URL").unwrap());
    let store = engine::postgres::PostgresStore::<Infallible>::open(scratch.url()).await;
    store.unwrap().close().await.unwrap();
    let there = tables_on_server(&scratch);
    let differ: Vec<&String> = here.symmetric_difference(&there).collect();
    assert!(
        differ.is_empty() && here.len() > 80,
        "a migration of the tables of jobs is to be written twice: in migrations/postgres, and in \
         src/engine/migrations/postgres. Different: {differ:#?}"
    );
}

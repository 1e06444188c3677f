//! The databases do what the reference model of the engine says: the same random calls on both.
//!
//! On SQLite calls share commits, which keep their order. PostgreSQL carries out what shares a commit in an order
//! of its own, so there each call has its own commit; what happens when they meet is tested elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;
use tempfile::TempDir;

use super::Store;
use super::postgres::PostgresStore;
use super::scratch::Scratch;
use super::sqlite::SqliteStore;
use crate::engine::conformance::agreement::{Place, agrees};
use crate::engine::conformance::store_calls;
use crate::model::JobId;
use crate::model::suspicion::Death;

/// A folder for an SQLite file.
struct Folder(TempDir);

#[async_trait]
impl Place for Folder {
    type Store = dyn Store;

    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.0.path().join("t.db")).unwrap())
    }

    fn turns(&self) -> BTreeMap<JobId, i64> {
        use diesel::prelude::*;
        diesel::table! { jobs { id -> BigInt, turn -> BigInt, } }
        let path = self.0.path().join("t.db");
        let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let rows: Vec<(i64, i64)> = jobs::table.load(&mut conn).unwrap();
        rows.into_iter()
            .map(|(id, turn)| (JobId(id), turn))
            .collect()
    }

    fn died(&self, engine: &str, death: Death) {
        use diesel::prelude::*;
        let path = self.0.path().join("t.db");
        let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        diesel::sql_query("PRAGMA busy_timeout = 30000")
            .execute(&mut conn)
            .unwrap();
        diesel::sql_query(died(engine, death))
            .execute(&mut conn)
            .unwrap();
    }
}

fn died(engine: &str, death: Death) -> String {
    let death = death.number();
    format!(
        "INSERT INTO engines (id, pid, host, version, started_at, heartbeat_at, stopped_at, death)
         VALUES ('{engine}', 1, 'h', '1', 0, 0, 1, {death})"
    )
}

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
        self.run(&died(engine, death));
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
        agrees(&Folder(TempDir::new().unwrap()), &calls, group);
    }
}

#[test]
fn postgres_agrees_with_the_model() {
    let scratch = Scratch::new();
    proptest!(cases(40), |(calls in store_calls(70))| agrees(&scratch, &calls, 1));
}

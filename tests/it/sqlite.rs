//! What only a database in a file must do.

use riftsync::model::{JobState, NewJob, Outcome};
use riftsync::store::sqlite::SqliteStore;
use riftsync::store::{Cancelled, Database, Fenced, JobStore, StoreError};
use serde_json::json;
use tempfile::TempDir;

use crate::store::{NOW, claim_one, end, new_job, settle};

fn open() -> (TempDir, SqliteStore) {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(&folder.path().join("t.db")).unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_second_engine_on_the_file_is_refused_with_the_holders_pid() {
    let (folder, store) = open();
    let path = folder.path().join("t.db");
    match SqliteStore::open(&path) {
        Err(StoreError::InUse { pid, .. }) => assert_eq!(pid, std::process::id().to_string()),
        other => panic!("{other:?}"),
    }
    store.close().await.unwrap();
    drop(store);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn sqlite_is_compiled_as_the_project_s_settings_say() {
    use diesel::prelude::*;
    let mut conn = diesel::sqlite::SqliteConnection::establish(":memory:").unwrap();
    let options = diesel::dsl::sql::<diesel::sql_types::Text>(
        "SELECT group_concat(compile_options, ' ') FROM pragma_compile_options",
    );
    let options: String = options.get_result(&mut conn).unwrap();
    let has = |wanted: &str| options.split(' ').any(|option| option == wanted);
    // Readers that share one page cache wait for each other at every page.
    let told = format!(
        "{options}: see .cargo/config.toml. Is LIBSQLITE3_FLAGS set, or was cargo started elsewhere?"
    );
    assert!(!has("ENABLE_MEMORY_MANAGEMENT"), "{told}");
    for wanted in ["THREADSAFE=2", "DEFAULT_MEMSTATUS=0"] {
        assert!(has(wanted), "no {wanted} in {told}");
    }
}

#[test]
fn a_file_that_is_not_a_database_is_named_and_left_as_it_was() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "my notes, longer than sixteen bytes").unwrap();
    assert!(matches!(
        SqliteStore::open(&path),
        Err(StoreError::NotADatabase { .. })
    ));
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "my notes, longer than sixteen bytes"
    );
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    use diesel::prelude::*;
    let (folder, store) = open();
    let path = folder.path().join("t.db");
    store.close().await.unwrap();
    drop(store);
    let mut conn = diesel::sqlite::SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    diesel::sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .execute(&mut conn)
        .unwrap();
    assert!(matches!(
        SqliteStore::open(&path),
        Err(StoreError::Newer { .. })
    ));
    assert!(matches!(
        SqliteStore::open_read_only(&path),
        Err(StoreError::Newer { .. })
    ));
}

/// Both orders share a commit: the first command keeps the writer busy until both wait.
#[tokio::test]
async fn a_parent_whose_last_child_ends_in_the_same_commit_is_not_cancelled_any_more() {
    let (_folder, store) = open();
    let batch = store
        .enqueue_batch(vec![new_job("k", None)], NOW)
        .await
        .unwrap();
    let lease = claim_one(&store, "q").await;
    let filler = NewJob {
        queue: "filler",
        ..new_job("k", None)
    };
    let (_, settled, cancelled) = tokio::join!(
        store.enqueue(vec![filler; 3_000], NOW),
        settle(&store, lease, end(Outcome::Complete(json!(null)))),
        store.cancel(batch.id, NOW),
    );
    assert_eq!(settled, Fenced::Applied);
    assert_eq!(cancelled.unwrap(), Cancelled::Final(JobState::Completed));
}

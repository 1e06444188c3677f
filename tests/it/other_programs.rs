//! The database of another program that is built with the engine: it is left as it is, and called what it is.

use std::convert::Infallible;

use riftsync::engine::{postgres, sqlite};
use riftsync::store::postgres::PostgresStore;
use riftsync::store::sqlite::SqliteStore;
use riftsync::store::{Database, StoreError};
use tempfile::TempDir;

use crate::scratch::Scratch;

const WHAT: &str = "is not a riftsync database: it holds the jobs of another program, which is built with the same \
                    engine";

#[tokio::test]
async fn a_server_with_the_jobs_of_another_program_is_called_that_and_left_as_it_is() {
    let scratch = Scratch::encoded("UTF8");
    let theirs = || postgres::PostgresStore::<Infallible>::open(scratch.url());
    theirs().await.unwrap().close().await.unwrap();
    let opened = PostgresStore::open(scratch.settings()).await.map(drop);
    let read = PostgresStore::open_read_only(scratch.settings()).await;
    for refused in [opened, read.map(drop)] {
        let Err(error @ StoreError::OtherProgram { .. }) = refused else {
            panic!("{refused:?}")
        };
        let told = error.to_string();
        assert!(told.contains(WHAT), "{told}");
        assert!(told.contains("Nothing was changed"), "{told}");
        assert!(
            told.contains("what --database or DATABASE_URL says"),
            "{told}"
        );
    }
    theirs().await.unwrap().close().await.unwrap();
}

/// And so is ours to them.
#[tokio::test]
async fn a_server_with_riftsyncs_tables_is_another_programs_for_who_is_built_with_the_engine() {
    let scratch = Scratch::encoded("UTF8");
    let ours = || PostgresStore::open(scratch.settings());
    ours().await.unwrap().close().await.unwrap();
    let theirs = postgres::PostgresStore::<Infallible>::open(scratch.url()).await;
    let Err(error @ StoreError::OtherProgram { .. }) = theirs.map(drop) else {
        panic!("it was opened, or is called something else")
    };
    let told = error.to_string();
    assert!(
        told.contains("a table jobs, which is another program's"),
        "{told}"
    );
    ours().await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_file_with_the_jobs_of_another_program_is_called_that_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.db");
    let theirs = sqlite::SqliteStore::<Infallible>::open(&path).unwrap();
    theirs.close().await.unwrap();
    drop(theirs);
    let before = std::fs::read(&path).unwrap();
    let opened = SqliteStore::open(&path).map(drop);
    for refused in [opened, SqliteStore::open_read_only(&path).map(drop)] {
        let Err(error @ StoreError::NotADatabase { .. }) = refused else {
            panic!("{refused:?}")
        };
        let told = error.to_string();
        assert!(told.contains(WHAT), "{told}");
        assert!(
            told.contains("Choose another file with --database"),
            "{told}"
        );
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

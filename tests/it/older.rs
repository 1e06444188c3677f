//! A database that an older program wrote: nobody reads it by half, and every message says what to type.

use std::fs;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use serde_json::Value;

use crate::scratch::Scratch;
use crate::setup::{PLAYER, Setup, run, setup, text};

const HISTORY: &str = "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);";

/// The statements that made the tables of the program before the last `behind` migrations.
fn statements(kind: &str, behind: usize) -> String {
    let folder = format!("{}/migrations/{kind}", env!("CARGO_MANIFEST_DIR"));
    let mut migrations: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    migrations.sort();
    let mut all = String::from(HISTORY);
    for migration in &migrations[..migrations.len() - behind] {
        let name = migration.file_name().unwrap().to_str().unwrap();
        let version = name.split('_').next().unwrap();
        all += &fs::read_to_string(migration.join("up.sql")).unwrap();
        all += ";INSERT INTO __diesel_schema_migrations (version) VALUES ('";
        all += version;
        all += "');";
    }
    all
}

fn older_file(path: &Path, behind: usize) {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    conn.batch_execute(
        "PRAGMA page_size = 4096; PRAGMA application_id = 0x52494654; PRAGMA journal_mode = WAL",
    )
    .unwrap();
    conn.batch_execute(&statements("sqlite", behind)).unwrap();
}

fn older_server(scratch: &Scratch, behind: usize) {
    scratch.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    scratch.run(&statements("postgres", behind));
}

/// Verbs that only read, beside `db info`.
fn reading(folder: &Path) -> Vec<Vec<String>> {
    let out = folder.join("out.csv").display().to_string();
    [
        &["stats", PLAYER][..],
        &["export", "--what", "matches", "--out", &out],
        &["job", "list"],
        &["job", "show", "1"],
        &["cleanup", "--dry-run"],
        &["recompress", "--dry-run"],
    ]
    .iter()
    .map(|verb| verb.iter().map(ToString::to_string).collect())
    .collect()
}

async fn check(setup: &Setup, url: &str, behind: usize) {
    let on = |args: &[&str]| run(setup.command_on(url, args));
    for verb in reading(setup.folder.path()) {
        let verb: Vec<&str> = verb.iter().map(String::as_str).collect();
        let output = on(&verb).await;
        let told = text(&output);
        assert_eq!(output.status.code(), Some(3), "{behind} {verb:?}: {told}");
        assert!(told.contains("`riftsync db migrate`"), "{verb:?}: {told}");
        assert!(!told.contains("report this"), "{verb:?}: {told}");
    }
    let info = on(&["db", "info"]).await;
    let told = String::from_utf8_lossy(&info.stdout).into_owned();
    assert!(info.status.success(), "{}", text(&info));
    assert!(
        told.contains(&format!("{behind} behind this program")),
        "{told}"
    );
    let document = on(&["db", "info", "--json"]).await;
    let document: Value = serde_json::from_slice(&document.stdout).unwrap();
    let pending = document["migrations"]["pending"].as_array().unwrap();
    assert_eq!(pending.len(), behind);
    assert!(document["holds"].is_null());
    // What the message says to do is enough.
    let migrated = on(&["db", "migrate"]).await;
    assert!(migrated.status.success(), "{}", text(&migrated));
    assert!(!text(&migrated).contains("replay"), "{}", text(&migrated));
    let listed = on(&["job", "list"]).await;
    assert!(listed.status.success(), "{}", text(&listed));
    let info = on(&["db", "info", "--json"]).await;
    let document: Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_eq!(document["holds"]["matches"], 0);
}

#[tokio::test]
async fn an_older_file_is_read_by_no_verb_and_each_says_how_it_is_brought_up_to_date() {
    let setup = setup(1).await;
    for behind in [1, 2, 5] {
        let path = setup.folder.path().join(format!("{behind}.db"));
        older_file(&path, behind);
        check(&setup, &format!("sqlite://{}", path.display()), behind).await;
    }
}

#[tokio::test]
async fn matches_of_before_the_newer_tables_are_told_with_the_command_that_fills_these() {
    let setup = setup(1).await;
    let path = setup.folder.path().join("v10.db");
    let files = fs::read_dir(format!("{}/migrations/sqlite", env!("CARGO_MANIFEST_DIR")));
    older_file(&path, files.unwrap().count() - 10);
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    conn.batch_execute(
        "INSERT INTO matches (match_id, platform, data_version, game_creation, game_start, game_end, game_duration_s,
             queue_id, map_id, game_mode, game_type, game_version, year, is_remake, stored_at)
         VALUES ('KR_1', 'kr', '2', 1, 1, 1, 1, 420, 11, '', '', '', 2025, 0, 1)",
    )
    .unwrap();
    drop(conn);
    let url = format!("sqlite://{}", path.display());
    let migrated = run(setup.command_on(&url, &["db", "migrate"])).await;
    assert!(migrated.status.success(), "{}", text(&migrated));
    assert!(
        text(&migrated).contains("`riftsync replay --database"),
        "{}",
        text(&migrated)
    );
}

#[tokio::test]
async fn an_older_server_database_is_read_by_no_verb_and_each_says_how_it_is_brought_up_to_date() {
    let (setup, scratch) = (setup(1).await, Scratch::new());
    for behind in [1, 2, 5] {
        older_server(&scratch, behind);
        check(&setup, scratch.url(), behind).await;
    }
}

#[tokio::test]
async fn what_changes_a_database_makes_none_where_there_is_none() {
    let setup = setup(3).await;
    for verb in [
        &["replay"][..],
        &["untrack", PLAYER],
        &["track", PLAYER],
        &["job", "cancel", "1"],
        &["job", "retry", "1"],
        &["cleanup"],
        &["recompress"],
    ] {
        let output = run(setup.command(verb)).await;
        let told = text(&output);
        assert_eq!(output.status.code(), Some(3), "{verb:?}: {told}");
        assert!(
            told.contains("`riftsync sync` makes it"),
            "{verb:?}: {told}"
        );
        assert!(!Path::new(&setup.database()).exists(), "{verb:?}");
    }
}

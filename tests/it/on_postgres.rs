//! The real binary over PostgreSQL.

use std::process::{Command, Output};

use riftsync::model::RiotId;
use riftsync::simulator::SIMULATED_KEY;
use riftsync::store::DataStore;
use riftsync::store::postgres::PostgresStore;
use serde_json::Value;

use crate::data::check_statistics;
use crate::scratch::Scratch;
use crate::setup::{PLAYER, Setup, bare, run, setup, text};

/// The URL with a password, which the server of the tests may not ask for.
fn url(scratch: &Scratch) -> String {
    let (scheme, rest) = scratch.url().split_once("://").unwrap();
    match rest.split_once('@') {
        Some((user, place)) if !user.contains(':') => format!("{scheme}://{user}:sesame@{place}"),
        _ => scratch.url().to_owned(),
    }
}

fn command(setup: &Setup, scratch: &Scratch, args: &[&str]) -> Command {
    let mut command = bare(args);
    command
        .env("HOME", setup.folder.path())
        .env("RIOT_API_KEY", SIMULATED_KEY)
        .env("RIFTSYNC_PROFILE", "production")
        .env("RIFTSYNC_RIOT__BASE_URL", setup.simulator.base_url())
        .env("DATABASE_URL", url(scratch));
    command
}

fn all_of(output: &Output) -> String {
    text(output) + &String::from_utf8_lossy(&output.stdout)
}

const SYNC: [&str; 7] = [
    "sync",
    PLAYER,
    "--platform",
    "euw1",
    "--year",
    "2025",
    "--json",
];

#[tokio::test]
async fn a_year_arrives_whole_a_second_sync_fetches_nothing_and_no_password_shows() {
    let (setup, scratch) = (setup(130).await, Scratch::new());
    let first = run(command(&setup, &scratch, &SYNC)).await;
    assert!(first.status.success(), "{}", text(&first));
    let document: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(document["state"], "completed");

    let store = PostgresStore::open_read_only(scratch.settings())
        .await
        .unwrap();
    let player: RiotId = PLAYER.parse().unwrap();
    let truth = setup.world.player_matches(&player, 2025);
    let ids: Vec<_> = truth.iter().map(|truth| truth.id).collect();
    let stored = store.stored_matches(&ids).await.unwrap();
    let there = truth.iter().filter(|truth| truth.has_match).count();
    assert!(there > 100);
    assert_eq!(stored.matches.len(), there);
    let players = scratch.rows("SELECT id FROM players");
    let players = players
        .iter()
        .map(|row| row[0].as_deref().unwrap().parse().unwrap());
    check_statistics(&store, players).await;

    let calls = setup.document_calls();
    let second = run(command(&setup, &scratch, &SYNC)).await;
    assert!(second.status.success(), "{}", text(&second));
    assert_eq!(setup.document_calls(), calls, "nothing was fetched again");
    let stats = run(command(&setup, &scratch, &["stats", PLAYER, "--json"])).await;
    let stats: Value = serde_json::from_slice(&stats.stdout).unwrap();
    assert_eq!(stats["years"][0]["year"], 2025);
    let id = document["job_id"].to_string();
    let shown = run(command(&setup, &scratch, &["job", "show", &id])).await;
    assert!(shown.status.success(), "{}", text(&shown));
    let info = run(command(&setup, &scratch, &["db", "info"])).await;
    assert!(all_of(&info).contains("up to date"), "{}", all_of(&info));
    for output in [&first, &second, &shown, &info] {
        assert!(!all_of(output).contains("sesame"), "{}", all_of(output));
    }
}

#[tokio::test]
async fn an_empty_database_says_what_to_do_and_is_migrated_by_hand_too() {
    let (setup, scratch) = (setup(1).await, Scratch::new());
    scratch.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    let stats = run(command(&setup, &scratch, &["stats", PLAYER])).await;
    assert_eq!(stats.status.code(), Some(3));
    assert!(text(&stats).contains("riftsync sync"), "{}", text(&stats));
    let info = run(command(&setup, &scratch, &["db", "info", "--json"])).await;
    let info: Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_eq!(info["kind"], "postgres");
    assert_eq!(info["migrations"]["applied"].as_array().unwrap().len(), 0);
    assert!(info["holds"].is_null());
    let migrated = run(command(&setup, &scratch, &["db", "migrate", "--json"])).await;
    let info: Value = serde_json::from_slice(&migrated.stdout).unwrap();
    assert_eq!(info["migrations"]["pending"].as_array().unwrap().len(), 0);
    assert_eq!(info["holds"]["matches"], 0);
    // Of another, newer program.
    scratch.run("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
    for args in [
        &SYNC[..],
        &["stats", PLAYER],
        &["db", "migrate"],
        &["db", "info"],
    ] {
        let output = run(command(&setup, &scratch, args)).await;
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", text(&output));
        assert!(
            text(&output).contains("Upgrade riftsync"),
            "{}",
            text(&output)
        );
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_named_without_the_password() {
    let folder = tempfile::TempDir::new().unwrap();
    for (url, code, named) in [
        ("postgres://u:sesame@127.0.0.1:1/db", 3, "refused"),
        (
            "postgres://u:sesame@127.0.0.1:1/db?sslmode=sometimes",
            2,
            "sometimes",
        ),
        (
            "postgres://u:sesame@127.0.0.1:1/db?sslrootcert=/no/such.pem&sslmode=verify-full",
            2,
            "/no/such.pem",
        ),
        ("mysql://u:sesame@h/db", 2, "postgres://"),
    ] {
        let mut command = bare(&["stats", PLAYER, "--database", url]);
        command.env("HOME", folder.path());
        let output = run(command).await;
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        assert!(text(&output).contains(named), "{}", text(&output));
        assert!(!text(&output).contains("sesame"), "{}", text(&output));
    }
}

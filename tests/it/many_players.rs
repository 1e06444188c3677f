//! Many players under one job: files of them, and ladders.

use riftsync::simulator::Method;
use riftsync::store::sqlite::SqliteStore;
use riftsync::store::{DataStore, PeopleStore};
use serde_json::Value;

use crate::setup::{PLAYER, Setup, exited, run, setup_for, signal, text};
use crate::wait;

const OTHER: &str = "Other Heron#SIM";

fn document(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(output)))
}

fn write_file(setup: &Setup, content: &str) -> String {
    let path = setup.folder.path().join("players.txt");
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// How many players the schedule keeps up to date.
async fn tracked(setup: &Setup) -> usize {
    let store = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    store.tracked_players(1_000).await.unwrap().len()
}

#[tokio::test]
async fn the_players_of_a_file_are_synced_and_who_could_not_be_is_told_with_the_reason() {
    let setup = setup_for(&[PLAYER, OTHER], 12).await;
    let file = write_file(
        &setup,
        &format!("# mine\n{PLAYER}\nNobody#404, euw1\n{OTHER}\n"),
    );
    let sync = [
        "sync",
        "--file",
        &file,
        "--platform",
        "euw1",
        "--year",
        "2025",
        "--json",
    ];
    let output = run(setup.command(&sync)).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let report = document(&output);
    assert_eq!(
        (&report["players"], &report["state"]),
        (&3.into(), &"completed".into())
    );
    let failed: Vec<&Value> = report["failed"].as_array().unwrap().iter().collect();
    let lost: Vec<&&Value> = failed
        .iter()
        .filter(|failed| failed["kind"] == "sync_player_data")
        .collect();
    assert_eq!(lost.len(), 1, "{report}");
    assert!(
        lost[0]["key"].as_str().unwrap().contains("nobody#404"),
        "{report}"
    );
    assert!(
        lost[0]["reason"]
            .as_str()
            .unwrap()
            .contains("no player is called"),
        "{report}"
    );
    for player in [PLAYER, OTHER] {
        setup.check_complete_with(player, 6).await;
    }
    assert_eq!(tracked(&setup).await, 2);

    // The same through an engine, where nothing is left to fetch.
    let calls = setup.document_calls();
    let mut engine = setup.serve().spawn().unwrap();
    let file = write_file(&setup, &format!("{PLAYER}\n{OTHER}, euw1\n"));
    let sync = [
        "sync",
        "--file",
        &file,
        "--platform",
        "euw1",
        "--year",
        "2025",
    ];
    let socket = setup.folder.path().join("riftsync.sock");
    wait::until("its socket", async || {
        socket.exists() || wait::not_yet(&mut engine, || setup.log())
    })
    .await;
    let output = run(setup.command(&sync)).await;
    assert!(output.status.success(), "{}", text(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.starts_with("2 players, 0 matches and timelines"),
        "{told}"
    );
    assert_eq!(setup.document_calls(), calls);
    signal(&engine, "-TERM");
    exited(engine).await;

    for (content, named) in [
        ("Faker\n", "line 1"),
        ("", "names no player"),
        ("A B#C, mars", "mars"),
    ] {
        let file = write_file(&setup, content);
        let output = run(setup.command(&["sync", "--file", &file])).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(named), "{}", text(&output));
    }
}

#[tokio::test]
async fn the_best_of_a_ladder_are_synced_and_not_tracked_and_again_costs_their_lists_alone() {
    let setup = setup_for(&[PLAYER], 12).await;
    let ladder = [
        "ladder",
        "--platform",
        "euw1",
        "--tier",
        "challenger",
        "--limit",
        "3",
        "--year",
        "2025",
        "--no-timelines",
        "--json",
    ];
    let output = run(setup.command(&ladder)).await;
    assert!(output.status.success(), "{}", text(&output));
    let report = document(&output);
    assert_eq!(report["players"], 3, "{report}");
    assert_eq!(report["failed_count"], 0, "{report}");
    let store = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    assert!(
        store.census().await.unwrap().players >= 3,
        "they are players now"
    );
    assert_eq!(tracked(&setup).await, 0, "nobody asked for each of them");
    let names = || {
        let counters = setup.simulator.counters();
        [Method::AccountByPuuid, Method::AccountByRiotId].map(|method| counters.of_method(method))
    };
    assert_eq!(names(), [3, 0], "a ladder has puuids");
    let documents = setup.document_calls();
    let again = run(setup.command(&ladder)).await;
    assert!(again.status.success(), "{}", text(&again));
    assert_eq!(
        (names(), setup.document_calls()),
        ([6, 0], documents),
        "matches are known"
    );

    // Tiers with divisions come in pages that overlap.
    let gold = [
        "ladder",
        "--platform",
        "euw1",
        "--tier",
        "gold",
        "--limit",
        "4",
        "--year",
        "2025",
        "--no-timelines",
        "--json",
    ];
    let output = run(setup.command(&gold)).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(document(&output)["players"], 4);
    let wrong = run(setup.command(&["ladder", "--platform", "euw1", "--tier", "wood"])).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong).contains("CHALLENGER"), "{}", text(&wrong));
}

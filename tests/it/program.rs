//! The real binary against the simulator: what a user types, sees, breaks and types again.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use riftsync::simulator::SIMULATED_KEY;
use riftsync::store::JobStore;
use riftsync::store::sqlite::SqliteStore;
use serde_json::Value;

use crate::setup::{Id, PLAYER, bare, exited, on_a_small_disk, run, setup, signal, text};
use crate::wait;

#[tokio::test]
async fn a_year_arrives_whole_and_a_second_sync_fetches_nothing() {
    let setup = setup(130).await;
    let first = run(setup.sync()).await;
    assert!(first.status.success(), "{}", text(&first));
    let document: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(document["state"], "completed");
    assert_eq!(document["result"]["riot_id"], PLAYER);
    setup.check_complete().await;
    let calls = setup.document_calls();

    let second = run(setup.sync()).await;
    assert!(second.status.success(), "{}", text(&second));
    assert_eq!(setup.document_calls(), calls, "nothing was fetched again");
    let again: Value = serde_json::from_slice(&second.stdout).unwrap();
    assert_eq!(again["result"]["processed_matches"], 0);
    assert_eq!(
        again["result"]["total_matches"],
        document["result"]["total_matches"]
    );

    let stats = run(setup.command(&["stats", PLAYER, "--json"])).await;
    let stats: Value = serde_json::from_slice(&stats.stdout).unwrap();
    assert!(
        stats["years"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["year"] == 2025)
    );
    let seen = [&first, &second]
        .map(|output| text(output) + &String::from_utf8_lossy(&output.stdout))
        .concat();
    assert!(!seen.contains(SIMULATED_KEY), "the key appears nowhere");
}

#[tokio::test]
async fn a_sync_killed_in_the_middle_ends_complete_when_typed_again() {
    let setup = setup(130).await;
    for killed_after in [20, 90, 160] {
        let mut child = setup
            .sync()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while setup.document_calls() < killed_after && child.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = run(setup.sync()).await;
    assert!(last.status.success(), "{}", text(&last));
    setup.check_complete().await;
}

#[tokio::test]
async fn a_simulated_world_never_goes_into_the_database_of_the_settings() {
    let setup = setup(1).await;
    let simulated = &[
        "sync",
        "A#B",
        "--platform",
        "kr",
        "--simulate",
        "--matches",
        "3",
    ];
    let real = setup.folder.path().join("real.db");
    let mut command = bare(simulated);
    command
        .env("HOME", setup.folder.path())
        .env("DATABASE_URL", &real);
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output));
    assert!(!real.exists());
    assert!(text(&output).contains("simulated.db"), "{}", text(&output));
}

#[tokio::test]
async fn wrong_words_are_answered_with_their_remedy_and_exit_code_2() {
    for (args, named) in [
        (&["sync", "Otter", "--platform", "euw1"][..], "Name#TAG"),
        (&["sync", "A#B", "--platform", "mars", "--simulate"], "euw1"),
        (
            &[
                "sync",
                "A#B",
                "--platform",
                "kr",
                "--year",
                "2026..2025",
                "--simulate",
            ],
            "the earlier one comes first",
        ),
        (&["config", "show", "--database", "mysql://x"], "sqlite://"),
        (
            &[
                "sync",
                "A#B",
                "--platform",
                "kr",
                "--year",
                "1999",
                "--simulate",
            ],
            "2021",
        ),
        (
            &[
                "sync",
                "A#B",
                "--platform",
                "kr",
                "--year",
                "2999",
                "--simulate",
            ],
            "has not begun",
        ),
        (&["sync", "A#B", "--platform", "kr"], "--simulate"),
        (
            &[
                "sync",
                "A#B",
                "--platform",
                "kr",
                "--simulate",
                "--database",
                "mysql://x",
            ],
            "sqlite://",
        ),
    ] {
        let output = run(bare(args)).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(named), "{args:?}: {}", text(&output));
        assert_eq!(
            text(&output).lines().count(),
            1,
            "one line: {}",
            text(&output)
        );
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named_with_exit_code_3() {
    let setup = setup(1).await;
    let notes = setup.folder.path().join("notes.txt");
    std::fs::write(&notes, "these are notes, not a database at all").unwrap();
    for (path, named) in [
        (notes.to_str().unwrap(), "not a riftsync database"),
        ("/proc/no/such/place.db", "cannot be opened"),
    ] {
        let mut command = bare(&[
            "sync",
            PLAYER,
            "--platform",
            "euw1",
            "--simulate",
            "--database",
            path,
        ]);
        command.env("HOME", setup.folder.path());
        let output = run(command).await;
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        assert!(text(&output).contains(named), "{}", text(&output));
    }
}

#[tokio::test]
async fn a_database_of_a_newer_riftsync_is_left_alone_with_exit_code_3() {
    let setup = setup(1).await;
    assert!(run(setup.sync()).await.status.success());
    let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
    diesel::sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .execute(&mut conn)
        .unwrap();
    let output = run(setup.sync()).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(
        text(&output).contains("Upgrade riftsync"),
        "{}",
        text(&output)
    );
}

#[tokio::test]
async fn an_unknown_player_fails_the_job_and_stores_nothing() {
    let setup = setup(1).await;
    let output =
        run(setup.command(&["sync", "Nobody#404", "--platform", "euw1", "--year", "2025"])).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        text(&output).contains("no player is called 'Nobody#404'"),
        "{}",
        text(&output)
    );
    let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
    let players: Vec<Id> = diesel::sql_query("SELECT id FROM players")
        .load(&mut conn)
        .unwrap();
    assert!(players.is_empty());
}

#[tokio::test]
async fn a_rejected_key_ends_with_exit_code_4_and_keeps_the_job() {
    let setup = setup(1).await;
    setup.simulator.control().reject_key(true);
    let output = run(setup.sync()).await;
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(
        text(&output).contains("developer.riotgames.com"),
        "{}",
        text(&output)
    );
    setup.simulator.control().reject_key(false);
    assert!(run(setup.sync()).await.status.success());
}

#[tokio::test]
async fn an_api_that_cannot_be_reached_is_named() {
    let setup = setup(1).await;
    let mut command = setup.sync();
    command
        .env("RIFTSYNC_RIOT__BASE_URL", "http://127.0.0.1:9/{route}")
        .env("RIFTSYNC_KINDS__SYNC_PLAYER_DATA__RETRIES", "0");
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("refused"), "{}", text(&output));
}

/// Bodies that are no JSON, cut off, or bombs: the faults of the simulator, one kind at a time.
#[tokio::test]
async fn broken_bodies_fail_their_matches_and_store_nothing_half() {
    use riftsync::simulator::{FaultKind, Faults};
    for kind in [FaultKind::NotJson, FaultKind::CutGzip, FaultKind::Bomb] {
        let setup = setup(3).await;
        setup.simulator.control().set_faults(Faults {
            probability: 1.0,
            stall_ms: 0,
            kinds: vec![kind],
        });
        let mut command = setup.sync();
        command.env("RIFTSYNC_KINDS__SYNC_PLAYER_DATA__RETRIES", "0");
        let output = run(command).await;
        assert_eq!(output.status.code(), Some(1), "{kind:?}: {}", text(&output));
        let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
        let players: Vec<Id> = diesel::sql_query("SELECT id FROM players")
            .load(&mut conn)
            .unwrap();
        assert!(players.is_empty());
    }
}

/// A parent that waited when its process was killed is still linked to its children.
#[tokio::test]
async fn an_interrupted_sync_says_so_and_goes_on() {
    let setup = setup(60).await;
    let child = setup
        .sync()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while setup.document_calls() < 10 {
        tokio::task::yield_now().await;
    }
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupt.success());
    let output = tokio::time::timeout(
        Duration::from_mins(1),
        tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()),
    );
    let output = output.await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
    assert!(
        text(&output).contains("the same command goes on"),
        "{}",
        text(&output)
    );
    assert!(run(setup.sync()).await.status.success());
}

/// The database may grow no further: a limit on the size of its files, which the kernel enforces as it
/// does a full disk.
#[tokio::test]
async fn a_full_disk_pauses_the_engine_which_goes_on_when_there_is_room() {
    let setup = setup(60).await;
    setup.submit(&[PLAYER]).await;
    let mut serve = on_a_small_disk(&setup.serve(), 700);
    let log = std::fs::File::create(setup.folder.path().join("serve.log")).unwrap();
    serve.stdout(Stdio::null()).stderr(log);
    let mut child = serve.spawn().unwrap();
    wait::until("the full disk", async || {
        setup.log().contains("cannot be written now") || wait::not_yet(&mut child, || setup.log())
    })
    .await;
    let store = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    assert!(store.open_jobs().await.unwrap() > 0, "it is not done");
    // Meanwhile what is small still fits, and is committed between the documents that do not.
    let mut reader = SqliteConnection::establish(&setup.database()).unwrap();
    let version = || sql::<BigInt>("SELECT data_version FROM pragma_data_version");
    let (mut before, mut commits, begun) = (None, 0, Instant::now());
    wait::until_soon("small commits", async || {
        let now: i64 = version().get_result(&mut reader).unwrap();
        commits += u32::from(before.is_some_and(|before| before != now));
        before = Some(now); // there may be no room for so many
        commits >= 5 || begun.elapsed() > Duration::from_secs(4)
    })
    .await;
    let more = Command::new("prlimit")
        .args(["--pid", &child.id().to_string(), "--fsize=unlimited"])
        .status()
        .unwrap();
    assert!(more.success());
    setup.until_done(&mut child).await;
    signal(&child, "-TERM");
    assert_eq!(
        exited(child).await.status.code(),
        Some(0),
        "{}",
        setup.log()
    );
    assert!(setup.log().contains("disk"), "{}", setup.log());
    let log = setup.log();
    let of_the_disk = |line: &&str| {
        line.contains("can be written again") || line.contains("cannot be written now")
    };
    let told: Vec<&str> = log.lines().filter(of_the_disk).collect();
    assert!(told.len() <= 3, "{told:#?}");
    setup.check_complete_small(60).await;
}

#[tokio::test]
async fn a_database_that_another_program_locks_is_waited_for() {
    let setup = setup(30).await;
    setup.submit(&[PLAYER]).await;
    let mut other = SqliteConnection::establish(&setup.database()).unwrap();
    let mut child = setup.serve().spawn().unwrap();
    wait::until("five calls", async || {
        setup.document_calls() >= 5 || wait::not_yet(&mut child, || setup.log())
    })
    .await;
    diesel::sql_query("PRAGMA busy_timeout = 5000")
        .execute(&mut other)
        .unwrap();
    diesel::sql_query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .unwrap();
    wait::until("every attempt waits for its commit", async || {
        let status = run(setup.command(&["status", "--json"])).await;
        let status: Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        let waits = &status["waits"][0];
        waits["reason"] == "database" && waits["jobs"] == status["running"]
    })
    .await;
    diesel::sql_query("ROLLBACK").execute(&mut other).unwrap();
    setup.until_done(&mut child).await;
    signal(&child, "-TERM");
    assert_eq!(
        exited(child).await.status.code(),
        Some(0),
        "{}",
        setup.log()
    );
    setup.check_complete_small(30).await;
}

/// The first signal drains: what runs and does not end in its time is handed back with its attempt.
/// The second ends the process at once; what was promised is on the disk all the same.
#[tokio::test]
async fn a_stop_hands_back_and_a_second_one_loses_nothing() {
    use riftsync::simulator::{FaultKind, Faults};
    let setup = setup(60).await;
    setup.submit(&[PLAYER]).await;
    let mut child = setup.serve().spawn().unwrap();
    wait::until("twenty calls", async || {
        setup.document_calls() >= 20 || wait::not_yet(&mut child, || setup.log())
    })
    .await;
    signal(&child, "-TERM");
    assert_eq!(
        exited(child).await.status.code(),
        Some(0),
        "{}",
        setup.log()
    );
    let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
    let spent: Vec<Id> = diesel::sql_query(
        "SELECT id FROM jobs WHERE state = 'running' OR (state = 'available' AND attempt + crash_count > 0)",
    )
    .load(&mut conn)
    .unwrap();
    assert!(spent.is_empty(), "{} jobs lost an attempt", spent.len());

    // Calls that take longer than the patience of whoever stops it.
    setup.simulator.control().set_faults(Faults {
        probability: 1.0,
        stall_ms: 8_000,
        kinds: vec![FaultKind::Stall],
    });
    let calls = setup.simulator.counters().calls;
    let child = setup.serve().spawn().unwrap();
    wait::until("a call", async || setup.simulator.counters().calls > calls).await;
    signal(&child, "-TERM");
    wait::until("the stop", async || setup.log().contains("stopping")).await;
    signal(&child, "-TERM");
    assert_eq!(
        exited(child).await.status.code(),
        Some(130),
        "{}",
        setup.log()
    );
    setup.simulator.control().set_faults(Faults::none());
    assert!(setup.run_to_the_end().await.is_empty());
    setup.check_complete_small(60).await;
}

#[tokio::test]
async fn a_reader_that_has_had_enough_is_no_failure() {
    use std::io::Read;
    let mut child = bare(&["sync", "--help"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().code() != Some(101));

    let setup = setup(30).await;
    assert!(run(setup.sync()).await.status.success());
    let mut stats = setup
        .command(&["stats", PLAYER])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(stats.stdout.take());
    let ended = stats.wait().unwrap();
    let mut told = String::new();
    stats
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    assert!(ended.success(), "{ended:?}: {told}");
    assert_eq!(told, "");

    // As in `riftsync sync 2>&1 | head -1`: what is for programs comes all the same.
    let mut sync = setup.sync();
    let sync = sync.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut sync = sync.spawn().unwrap();
    drop(sync.stderr.take());
    let ended = exited(sync).await;
    assert_eq!(ended.status.code(), Some(0));
    let document: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(document["success"], true);

    // To show it was not all that there was to do: the second year is synced too.
    let years = ["sync", PLAYER, "--platform", "euw1", "--year", "2023..2024"];
    let mut both = setup
        .command(&years)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(both.stdout.take());
    assert!(exited(both).await.status.success());
    let listed = setup
        .command(&["stats", PLAYER, "--json"])
        .output()
        .unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let mut years = listed["coverage"].as_array().unwrap().iter();
    assert!(years.any(|one| one["year"] == 2024 && one["listed_at"].is_string()));
}

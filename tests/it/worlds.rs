//! Databases of simulated worlds: each has one, and nothing else goes into it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use serde_json::Value;
use tempfile::TempDir;

use crate::scratch::Scratch;
use crate::setup::{bare, run, setup, text};

/// `sync --simulate` with a home of its own.
fn simulated(home: &Path, player: &str, more: &[&str]) -> Command {
    let words = [
        "sync",
        player,
        "--platform",
        "kr",
        "--year",
        "2025",
        "--simulate",
        "--json",
    ];
    let mut command = bare(&[&words, more].concat());
    command.env("HOME", home);
    command
}

fn total(output: &Output) -> u64 {
    assert!(output.status.success(), "{}", text(output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["result"]["total_matches"].as_u64().unwrap()
}

#[tokio::test]
async fn a_simulated_database_belongs_to_one_world_and_is_made_anew_for_another() {
    let home = TempDir::new().unwrap();
    let database = home.path().join(".local/share/riftsync/simulated.db");
    let count = |sql: &str| {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        let mut conn = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
        let count: Count = diesel::sql_query(sql).get_result(&mut conn).unwrap();
        count.n
    };
    let first = run(simulated(home.path(), "A#B", &["--matches", "20"])).await;
    // What begins around New Year is of the one year or the other.
    assert!(total(&first).abs_diff(20) <= 2);
    assert!(!text(&first).contains("made anew"), "{}", text(&first));
    assert!(
        count("SELECT count(*) AS n FROM rate_budgets") > 0,
        "limits were learnt"
    );
    let again = run(simulated(home.path(), "A#B", &["--matches", "20"])).await;
    assert!(!text(&again).contains("made anew"), "{}", text(&again));

    for (player, more) in [
        ("A#B", &["--matches", "7"][..]),
        ("A#B", &["--matches", "7", "--seed", "2"]),
        (
            "A#B",
            &["--matches", "7", "--seed", "2", "--limits", "none"],
        ),
        (
            "C#D",
            &["--matches", "7", "--seed", "2", "--limits", "none"],
        ),
    ] {
        let output = run(simulated(home.path(), player, more)).await;
        assert!(total(&output).abs_diff(7) <= 2, "{more:?}");
        assert!(
            text(&output).contains("made anew"),
            "{more:?}: {}",
            text(&output)
        );
        let played = count(
            "SELECT sum(total_matches) AS n FROM player_yearly_stats s JOIN players p ON p.id = s.player_id WHERE p.game_name IN ('A', 'C')",
        );
        assert!(played <= 9, "{played} matches of worlds that are gone");
        let named = count("SELECT count(*) AS n FROM players WHERE game_name IN ('A', 'C')");
        assert_eq!(named, 1);
    }
    let limits = count("SELECT count(*) AS n FROM rate_budgets WHERE windows LIKE '%500%'");
    assert_eq!(limits, 0, "a world without limits has none from before");

    // Who only looks clears nothing.
    let look = run(simulated(
        home.path(),
        "A#B",
        &["--matches", "9", "--dry-run"],
    ))
    .await;
    assert_eq!(look.status.code(), Some(3), "{}", text(&look));
    assert!(text(&look).contains("C#D on kr, seed 2"), "{}", text(&look));
    assert_eq!(
        count("SELECT count(*) AS n FROM players WHERE game_name = 'C'"),
        1
    );
}

#[tokio::test]
async fn a_database_that_was_named_is_never_cleared_for_a_simulated_world() {
    let setup = setup(3).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let scratch = Scratch::new();
    let file = format!("sqlite://{}", setup.folder.path().join("w.db").display());
    let real = format!("sqlite://{}", setup.database());
    let sync = |database: &str, seed: &str| {
        let more = ["--matches", "3", "--seed", seed, "--database", database];
        run(simulated(setup.folder.path(), "A#B", &more))
    };
    for database in [&*file, scratch.url()] {
        let first = total(&sync(database, "1").await);
        assert!(first > 0);
        let other = sync(database, "2").await;
        assert_eq!(other.status.code(), Some(3), "{}", text(&other));
        assert!(
            text(&other).contains("another simulated world"),
            "{}",
            text(&other)
        );
        assert_eq!(total(&sync(database, "1").await), first);
    }
    let refused = sync(&real, "1").await;
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(
        text(&refused).contains("no simulated world"),
        "{}",
        text(&refused)
    );

    // Nor does anything real go into a simulated world's; what makes no call works on it.
    let calls = setup.simulator.counters().calls;
    for database in [&*file, scratch.url()] {
        for verb in [
            &["sync", "A#B", "--platform", "kr", "--dry-run"][..],
            &["sync", "A#B", "--platform", "kr"],
            &["recover", "A#B", "--platform", "kr"],
            &["serve"],
        ] {
            let mut command = setup.command_on(database, verb);
            // Nor another simulator's, which has another world.
            if verb[0] != "serve" {
                command.env("RIOT_API_KEY", "RGAPI-11111111-1111-1111-1111-111111111111");
            }
            let output = run(command).await;
            assert_eq!(output.status.code(), Some(3), "{verb:?} {}", text(&output));
            assert!(
                text(&output).contains("holds a simulated world (A#B on kr, seed 1"),
                "{verb:?} {}",
                text(&output)
            );
        }
        let replayed = run(setup.command_on(database, &["replay"])).await;
        assert!(replayed.status.success(), "{}", text(&replayed));
    }
    assert_eq!(
        setup.simulator.counters().calls,
        calls,
        "nothing was asked for"
    );
    setup.check_complete_small(3).await;
}

#[tokio::test]
async fn a_copy_of_a_simulated_world_is_one_and_nothing_else_is_copied_into_one() {
    let setup = setup(3).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let (copied, taken) = (Scratch::new(), Scratch::new());
    let at = |name: &str| format!("sqlite://{}", setup.folder.path().join(name).display());
    let world = at("w.db");
    let sync = |database: &str| {
        let more = ["--matches", "3", "--database", database];
        run(simulated(setup.folder.path(), "A#B", &more))
    };
    total(&sync(&world).await);
    let copy = |from: &str, to: &str| run(bare(&["db", "copy", "--from", from, "--to", to]));
    for to in [&*at("copy.db"), copied.url()] {
        let output = copy(&world, to).await;
        assert!(output.status.success(), "{}", text(&output));
        assert!(total(&sync(to).await) > 0, "it is the same world");
        let mut real = setup.command_on(to, &["sync", "A#B", "--platform", "kr"]);
        real.env("RIOT_API_KEY", "RGAPI-11111111-1111-1111-1111-111111111111");
        let real = run(real).await;
        assert_eq!(real.status.code(), Some(3), "{}", text(&real));
    }
    // One that was taken for a world, and has nothing in it yet.
    let empty = "DELETE FROM jobs; DELETE FROM rate_budgets";
    taken.run("CREATE TABLE simulated_world (name TEXT NOT NULL); INSERT INTO simulated_world VALUES ('another')");
    taken.run(empty);
    for from in [&*world, &format!("sqlite://{}", setup.database())] {
        let output = copy(from, taken.url()).await;
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        assert!(
            text(&output).contains("kept for a simulated world (another)"),
            "{}",
            text(&output)
        );
    }
}

/// An engine that works for a key would do the jobs of the simulated sync with it.
#[tokio::test]
async fn a_database_that_an_engine_is_at_work_on_is_not_taken_for_a_simulated_world() {
    let (setup, scratch) = (setup(3).await, Scratch::new());
    let mut serve = setup.serve_on(scratch.url());
    let mut serving = serve.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(serving.stdout.take().unwrap());
    // From then on it hears that it is to stop.
    let ready = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        said.read_line(&mut line).map(|_| line)
    });
    let ready = ready.await.unwrap().unwrap();
    assert!(ready.contains("is ready"), "{ready}");
    let more = ["--matches", "3", "--database", scratch.url()];
    let refused = run(simulated(setup.folder.path(), "A#B", &more)).await;
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(
        text(&refused).contains("an engine is at work on"),
        "{}",
        text(&refused)
    );
    crate::setup::signal(&serving, "-TERM");
    serving.wait().unwrap();
    let taken = run(simulated(setup.folder.path(), "A#B", &more)).await;
    assert!(taken.status.success(), "{}", text(&taken));
}

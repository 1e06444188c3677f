//! A database that is away: every question is answered soon all the same, and says since when; what was refused is not
//! done behind the caller's back; and an engine that has nothing to wait for does not wait.

use std::time::Duration;

use riftsync::store::DEAD_AFTER;

use super::verbs::SYNC;
use super::waits::locked;
use super::*;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::setup::on_a_small_disk;
use crate::wait;

/// Far more than an answer takes, and far less than a database that is away was waited for.
const SOON: Duration = Duration::from_secs(6);

/// A year that nobody else asks for.
const REFUSED: &[&str] = &[
    "sync",
    PLAYER,
    "--platform",
    "euw1",
    "--year",
    "2023",
    "--detach",
];

/// The world of a setup, with the database on a server.
struct OnServer<'s> {
    setup: &'s Setup,
    url: &'s str,
}

impl OnServer<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.setup.command_on(self.url, args);
        command
            .arg("--socket")
            .arg(self.setup.path("riftsync.sock"))
            .env("HOME", self.setup.folder.path());
        command
    }
}

async fn soon(what: &str, work: impl Future<Output = Output>) -> Output {
    let done = tokio::time::timeout(SOON, work).await;
    done.unwrap_or_else(|_| panic!("no answer within {SOON:?}: {what}"))
}

/// Asks everything that needs the database.
async fn every_verb_answers(setup: &Setup, command: &dyn Fn(&[&str]) -> Command) {
    for args in [
        &["job", "list"][..],
        &["job", "list", "--state", "discarded"],
        &["job", "show", "1"],
        &["job", "cancel", "1"],
        &["job", "retry", "1"],
        &["tracked"],
        &["schedule", "list"],
        REFUSED,
    ] {
        let output = soon(&format!("{args:?}"), run(command(args))).await;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        assert!(
            said.contains("the database is away since 20"),
            "{args:?}: {said}"
        );
    }
    let health = soon("health", run(command(&["health", "--json"]))).await;
    let health: Value = serde_json::from_slice(&health.stdout).unwrap();
    assert_eq!(health["verdict"], "unhealthy");
    assert!(health.to_string().contains("away since 20"), "{health}");
    // What is known without it is told, with the counts as they were.
    for args in [&["status", "--json"][..], &["queue", "list", "--json"]] {
        let output = soon(&format!("{args:?}"), run(command(args))).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        let known: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(known["counted_at"].is_string(), "{known}");
        assert_eq!(known["queues"][0]["available"], 0, "{known}");
    }
    let status = soon("status", run(command(&["status"]))).await;
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("the database is away since 20"), "{status}");
    for (method, params) in [
        ("engine.metrics", json!({})),
        ("player.stats", json!({ "riot_id": PLAYER })),
        ("job.waiting", json!({ "job_id": 1 })),
        ("job.time_left", json!({ "job_id": 1 })),
        ("job.subscribe", json!({ "job_id": 1 })),
    ] {
        let begun = std::time::Instant::now();
        let answer = setup.ask(method, &params);
        assert!(begun.elapsed() < SOON, "{method}: {answer}");
    }
}

async fn until_it_is_back(setup: &Setup) {
    let is_back = async || setup.json_rpc("engine.status")["database_away"].is_null();
    wait::until("the database", is_back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_stopped_or_frozen_every_verb_answers_soon_and_says_since_when() {
    let server = Server::own().await;
    let (setup, scratch) = (setup(10).await, server.database());
    let there = OnServer {
        setup: &setup,
        url: scratch.url(),
    };
    let command = |args: &[&str]| there.command(args);
    let engine = setup.served_by(command(&["serve", "--json"])).await;
    let synced = run(command(SYNC)).await;
    assert!(synced.status.success(), "{}", text(&synced));
    assert!(setup.json_rpc("engine.status")["counted_at"].is_string());

    server.stop().await;
    every_verb_answers(&setup, &command).await;
    server.restart("fast").await;
    until_it_is_back(&setup).await;

    let frozen = server.freeze();
    every_verb_answers(&setup, &command).await;
    drop(frozen);
    until_it_is_back(&setup).await;

    // What was refused was not done, and everything goes on.
    let again = run(command(SYNC)).await;
    assert!(again.status.success(), "{}", text(&again));
    let refused = "SELECT 1 FROM jobs WHERE kind = 'sync_player_data' AND args LIKE '%2023%'";
    assert!(scratch.rows(refused).is_empty());
    engine.signal("-TERM");
    assert_eq!(engine.exited().await, Some(0), "{}", setup.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_whose_server_is_frozen_ends_soon_when_it_is_told_to() {
    let server = Server::own().await;
    let (setup, scratch) = (setup(60).await, server.database());
    let there = OnServer {
        setup: &setup,
        url: scratch.url(),
    };
    let engine = setup.served_by(there.command(&["serve", "--json"])).await;
    let submitted = run(there.command(&[SYNC, &["--detach"]].concat())).await;
    assert!(submitted.status.success(), "{}", text(&submitted));
    wait::until("twenty calls", async || setup.document_calls() >= 20).await;
    let frozen = server.freeze();
    let is_away = async || !setup.json_rpc("engine.status")["database_away"].is_null();
    wait::until("a database that is away", is_away).await;
    engine.signal("-TERM");
    let ended = tokio::time::timeout(SOON, engine.exited()).await;
    ended.expect("it waits for a database that is away");
    drop(frozen);
}

#[tokio::test]
async fn on_a_full_disk_every_verb_answers_soon_and_a_stop_does_not_wait() {
    let setup = setup(60).await;
    setup.submit(&[PLAYER]).await;
    let serve = on_a_small_disk(&setup.command(&["serve", "--json"]), 700);
    let served = setup.served_by(serve).await;
    // A small commit may still find room.
    let look = async || {
        let away = setup.json_rpc("engine.status")["database_away"].take();
        (away["readable"] == true).then_some(away)
    };
    let away = async || wait::found("a database that can only be read", &look).await;
    let since = away().await;
    assert!(
        since["since"].as_str().unwrap().starts_with("20"),
        "{since}"
    );
    assert!(since["why"].as_str().unwrap().contains("disk"), "{since}");
    for args in [
        &["status"][..],
        &["job", "list"],
        &["queue", "list"],
        &["schedule", "list"],
        &["health"],
    ] {
        soon(&format!("{args:?}"), setup.run(args)).await;
    }
    let jobs = || setup.count("SELECT count(*) AS count FROM jobs WHERE args LIKE '%2023%'");
    let before = jobs();
    let refused = soon("sync", setup.run(REFUSED)).await;
    if refused.status.success() {
        assert_eq!(jobs(), before + 1, "it found room");
    } else {
        assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
        assert!(text(&refused).contains("since 20"), "{}", text(&refused));
        assert!(
            text(&refused).contains("Nothing was written"),
            "{}",
            text(&refused)
        );
        assert_eq!(jobs(), before);
    }
    away().await;
    served.signal("-TERM");
    let ended = tokio::time::timeout(SOON, served.exited()).await;
    ended.expect("it waits for a disk that is full");
}

#[tokio::test]
async fn a_write_that_is_refused_because_another_program_holds_the_file_is_not_made_later() {
    let setup = setup(10).await;
    let _served = setup.served().await;
    let other = locked(&setup);
    let refused = soon("sync", setup.run(REFUSED)).await;
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    for words in [
        "takes no writes since 20",
        "holds it locked",
        "Nothing was written",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let status = setup.json(&["status"]).await;
    assert_eq!(status["database_away"]["readable"], true, "{status}");
    drop(other);
    let synced = setup.run(SYNC).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let refused = "SELECT count(*) AS count FROM jobs WHERE args LIKE '%2023%'";
    assert_eq!(setup.count(refused), 0);
    assert!(setup.json_rpc("engine.status")["database_away"].is_null());
}

/// Whatever waits for a table that another program holds locked: reads of clients, reads of the engine, its groups.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_go_on_while_forty_clients_and_the_writers_wait_for_the_jobs() {
    let (setup, scratch) = (setup(5).await, Scratch::new());
    let there = OnServer {
        setup: &setup,
        url: scratch.url(),
    };
    let _served = setup.served_by(there.command(&["serve", "--json"])).await;
    let beats = || {
        let heard = scratch.rows("SELECT heartbeat_at FROM engines");
        heard[0][0].clone().unwrap().parse::<u64>().unwrap()
    };
    let held = scratch.hold("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE");
    let socket = setup.path("riftsync.sock");
    let clients: Vec<_> = (0..40)
        .map(|_| {
            let mut lines = Lines::to(&socket);
            tokio::task::spawn_blocking(move || {
                lines.send(
                    r#"{"jsonrpc":"2.0","id":1,"method":"job.list","params":{"state":"discarded"}}"#,
                );
                lines.line()
            })
        })
        .collect();
    for client in clients {
        let answer = client.await.unwrap();
        assert_eq!(answer["error"]["code"], -32003, "{answer}");
        let said = answer["error"]["message"].as_str().unwrap();
        assert!(said.contains("Ask again in a moment"), "{said}");
    }
    let (mut last, mut heard) = (beats(), 0);
    let limit = tokio::time::Instant::now() + DEAD_AFTER;
    wait::until("three beats", async || {
        assert!(tokio::time::Instant::now() < limit, "{heard} beats");
        let beat = beats();
        heard += u32::from(beat > last);
        last = beat;
        heard >= 3
    })
    .await;
    drop(held);
    assert!(
        scratch
            .rows("SELECT 1 FROM engines WHERE rescued_at IS NOT NULL")
            .is_empty()
    );
}

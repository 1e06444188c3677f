//! An engine inside a verb is as good as a service to other terminals: they see it, join it, and lose nothing when it ends.

use std::process::ChildStderr;

use serde_json::json;

use super::*;
use crate::setup::{exited, setup_for};
use crate::wait;

const OTHER: &str = "Red Fox#SIM";
const YEAR: [&str; 4] = ["--platform", "euw1", "--year", "2025"];

fn sync_of(player: &str) -> Vec<&str> {
    [&["sync", player][..], &YEAR].concat()
}

/// A verb whose words on stderr are read.
struct Verb {
    child: Child,
    stderr: Option<BufReader<ChildStderr>>,
    said: String,
}

impl Verb {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().map(BufReader::new);
        Self {
            child,
            stderr,
            said: String::new(),
        }
    }

    /// Reads until a line has all these words.
    async fn until(&mut self, words: &'static [&'static str]) {
        let mut stderr = self.stderr.take().unwrap();
        let (stderr, said) = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            loop {
                let begin = said.len();
                let read = stderr.read_line(&mut said).unwrap();
                assert!(read > 0, "it ended without {words:?}:\n{said}");
                if words.iter().all(|word| said[begin..].contains(word)) {
                    return (stderr, said);
                }
            }
        })
        .await
        .unwrap();
        self.stderr = Some(stderr);
        self.said.push_str(&said);
    }

    /// Its exit code and all it said, when it has ended.
    async fn ended(mut self) -> (Option<i32>, String) {
        let mut stderr = self.stderr.take().unwrap();
        let mut said = std::mem::take(&mut self.said);
        let said = tokio::task::spawn_blocking(move || {
            std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
            said
        });
        let said = said.await.unwrap();
        (exited(self.child).await.status.code(), said)
    }
}

impl Setup {
    /// Waits until an engine answers.
    async fn until_answered(&self) -> Value {
        let status = async || {
            let status = self.run(&["status", "--json"]).await;
            let answered = status.status.success();
            answered.then(|| serde_json::from_slice(&status.stdout).unwrap())
        };
        wait::found("an engine that answers", status).await
    }

    fn let_go(&self) {
        self.simulator.control().set_app_limits(vec![(500, 1)]);
    }
}

/// A world whose key allows so little that a sync waits.
async fn slow(players: &[&str]) -> Setup {
    let setup = setup_for(players, 40).await;
    setup.simulator.control().set_app_limits(vec![(12, 15)]);
    setup
}

#[tokio::test]
async fn a_sync_with_the_engine_inside_is_seen_from_other_terminals_working_told_from_waiting() {
    let setup = slow(&[PLAYER]).await;
    let sync = Verb::start(setup.command(&sync_of(PLAYER)));
    let status = setup.until_answered().await;
    assert_eq!(status["inside"], "sync");
    // Until the key's calls are used up.
    let of_budget = |job: &&Value| job["waiting"]["reason"] == "budget";
    let waiting = wait::found("a job that waits for the budget", async || {
        let listed = setup.json(&["job", "list", "--state", "running"]).await;
        listed["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .find(of_budget)
            .cloned()
    })
    .await;
    assert_eq!(waiting["waiting"]["text"], "the key's budget is used up");
    assert!(
        waiting["waiting"]["left_s"].as_u64().unwrap() > 0,
        "{waiting}"
    );
    let said = |output: Output| String::from_utf8(output.stdout).unwrap();
    wait::until("some that work and some that wait", async || {
        let status = said(setup.run(&["status"]).await);
        assert!(status.contains("inside `riftsync sync`"), "{status}");
        status.contains("(working ") && status.contains("waiting for the key's budget ")
    })
    .await;
    // The window opens and closes meanwhile.
    wait::until("a job that waits", async || {
        said(setup.run(&["job", "list", "--state", "running"]).await).contains("waits")
    })
    .await;
    wait::until("a job shown as waiting for the budget", async || {
        let listed = setup.json(&["job", "list", "--state", "running"]).await;
        let id = listed["jobs"][0]["job_id"].to_string();
        id != "null" && setup.json(&["job", "show", &id]).await["waiting"]["reason"] == "budget"
    })
    .await;
    let paused = setup.json(&["queue", "pause", "recovery"]).await;
    let counts = ["available", "running", "slots"].map(|name| paused["queues"][0][name].clone());
    assert_eq!(counts, [json!(0), json!(0), json!(2)], "{paused}");
    // A service would be another engine on the same socket.
    let serve = setup.run(&["serve"]).await;
    assert_eq!(serve.status.code(), Some(3), "{}", text(&serve));
    let detached = setup
        .run(&[&sync_of(OTHER)[..], &["--detach"]].concat())
        .await;
    assert_eq!(detached.status.code(), Some(3), "{}", text(&detached));
    assert!(
        text(&detached).contains("riftsync serve"),
        "{}",
        text(&detached)
    );
    setup.let_go();
    assert_eq!(sync.ended().await.0, Some(0));
    assert!(!setup.path("riftsync.sock").exists());
    setup.check_complete_small(40).await;
}

#[tokio::test]
async fn the_first_goes_on_until_those_who_joined_are_done_and_says_so() {
    let setup = slow(&[PLAYER]).await;
    let mut first = Verb::start(setup.command(&sync_of(PLAYER)));
    setup.until_answered().await;
    // A job that cannot be done before the first's own.
    setup.json(&["queue", "pause", "maintenance"]).await;
    let mut lines = setup.connect();
    let submit = json!({
        "jsonrpc": "2.0", "id": 1, "method": "job.submit", "params": { "kind": "replay_payloads", "args": { "dry_run": true } },
    });
    lines.send(&submit.to_string());
    let id = lines.line()["result"]["job_id"].to_string();
    let waits = Verb::start(setup.command(&["job", "wait", &id]));
    wait::until("one who follows", async || {
        setup.json(&["status"]).await["followed"] == 1
    })
    .await;
    setup.let_go();
    first
        .until(&["this is done", "others wait", "goes on for them"])
        .await;
    setup.json(&["queue", "resume", "maintenance"]).await;
    assert_eq!(waits.ended().await.0, Some(0));
    let (code, said) = first.ended().await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_first_that_is_interrupted_says_who_waits_and_when_it_ends_the_second_takes_over() {
    let setup = slow(&[PLAYER, OTHER]).await;
    let mut first = Verb::start(setup.command(&sync_of(PLAYER)));
    setup.until_answered().await;
    let mut second = Verb::start(setup.command(&sync_of(OTHER)));
    second.until(&["waits: "]).await;
    signal(&first.child, "-INT");
    first.until(&["stopped", "job ", "Ctrl-C again"]).await;
    setup.json(&["status"]).await;
    signal(&first.child, "-INT");
    assert_eq!(first.ended().await.0, Some(130));
    second.until(&["has ended", "goes on without it"]).await;
    assert_eq!(setup.until_answered().await["inside"], "sync");
    setup.let_go();
    let (code, said) = second.ended().await;
    assert_eq!(code, Some(0), "{said}");
    setup.check_complete_with(OTHER, 20).await;
}

#[tokio::test]
async fn of_syncs_that_are_typed_at_the_same_moment_one_has_the_engine_and_all_are_done() {
    for _ in 0..3 {
        let players = [PLAYER, OTHER, PLAYER, OTHER];
        let setup = setup_for(&[PLAYER, OTHER], 40).await;
        let verbs = players.map(|player| Verb::start(setup.command(&sync_of(player))));
        for verb in verbs {
            let (code, said) = verb.ended().await;
            assert_eq!(code, Some(0), "{said}");
        }
        for player in [PLAYER, OTHER] {
            setup.check_complete_with(player, 20).await;
        }
    }
}

#[tokio::test]
async fn of_simulated_syncs_that_are_typed_at_the_same_moment_none_is_refused() {
    let home = tempfile::TempDir::new().unwrap();
    let world = ["sync", "A#B", "--simulate", "--matches", "20"];
    let sync = || {
        let mut sync = crate::setup::bare(&world);
        sync.env("HOME", home.path());
        crate::setup::run(sync)
    };
    for synced in futures_util::future::join_all([sync(), sync(), sync()]).await {
        let said = crate::setup::text(&synced);
        assert!(synced.status.success(), "{said}");
    }
}

#[tokio::test]
async fn an_engine_inside_a_verb_on_another_database_is_left_alone() {
    let setup = slow(&[PLAYER]).await;
    let first = Verb::start(setup.command(&sync_of(PLAYER)));
    setup.until_answered().await;
    let elsewhere = format!("sqlite://{}", setup.path("elsewhere.db").display());
    setup.let_go();
    let mut command = setup.command_on(&elsewhere, &sync_of(PLAYER));
    command.arg("--socket").arg(setup.path("riftsync.sock"));
    let second = Verb::start(command);
    assert_eq!(second.ended().await.0, Some(0));
    assert_eq!(first.ended().await.0, Some(0));
    assert!(setup.path("elsewhere.db").exists());
    // Nor does one that names no database get into it.
    let mut unnamed = crate::setup::bare(&["status", "--socket"]);
    unnamed.arg(setup.path("riftsync.sock"));
    assert_eq!(run(unnamed).await.status.code(), Some(3));
}

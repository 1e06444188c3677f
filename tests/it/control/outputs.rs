//! What is written where: one document on stdout for programs, messages and the log on stderr, no colour where
//! nobody sees it, and the log of one job found by its id.

use serde_json::Deserializer;

use super::verbs::SYNC;
use super::*;

/// All that was written to stdout, which must be JSON and nothing else.
#[track_caller]
fn documents(args: &[&str], output: &Output) -> Vec<Value> {
    let found: Result<Vec<Value>, _> = Deserializer::from_slice(&output.stdout)
        .into_iter()
        .collect();
    let found = found.unwrap_or_else(|error| {
        let text = String::from_utf8_lossy(&output.stdout);
        panic!("{args:?}: {error}: {text}")
    });
    assert!(!found.is_empty(), "{args:?} says nothing: {}", text(output));
    found
}

impl Setup {
    /// Runs verbs that each print one document and end well.
    async fn all_print_json(&self, verbs: &[&[&str]]) {
        for args in verbs {
            let output = self.run(&[args, &["--json"][..]].concat()).await;
            assert!(output.status.success(), "{args:?}: {}", text(&output));
            assert_eq!(documents(args, &output).len(), 1, "{args:?}");
        }
    }

    /// Runs verbs that fail with these exit codes, and say why to programs and to people.
    async fn all_fail_in_json(&self, verbs: &[(&[&str], i32)]) {
        for (args, code) in verbs {
            let output = self.run(&[args, &["--json"][..]].concat()).await;
            assert_eq!(
                output.status.code(),
                Some(*code),
                "{args:?}: {}",
                text(&output)
            );
            let documents = documents(args, &output);
            let last = documents.last().unwrap();
            assert_eq!(last["success"], false, "{args:?}: {last}");
            let why = last["error"]["message"].as_str().unwrap();
            assert!(!why.is_empty(), "{args:?}: {last}");
            assert!(last["error"]["kind"].is_string(), "{args:?}: {last}");
            assert!(!text(&output).is_empty(), "{args:?}");
        }
    }
}

#[tokio::test]
async fn every_verb_speaks_json_to_programs_also_when_it_fails() {
    let setup = setup(3).await;
    setup
        .all_fail_in_json(&[
            (&["status"], 3),
            (&["health"], 3),
            (&["stats", PLAYER], 3),
            (&["nonsense"], 2),
            (&["sync"], 2),
            (&["sync", "no hash"], 2),
            (&["job", "wait", "one"], 2),
            (&["job", "list", "--limit", "0"], 2),
            (&["export", "--what", "matches"], 3),
            (&["serve", "--metrics-listen", "nowhere"], 2),
        ])
        .await;
    let [out, page] = ["matches.csv", "year.html"].map(|name| setup.path(name));
    let (out, page) = (out.to_str().unwrap(), page.to_str().unwrap());
    let recover = ["recover", PLAYER, "--platform", "euw1", "--year", "2025"];
    let when = ["--when", "every 6h"];
    let schedule = [
        &["schedule", "add", "x", "--kind", "sync_tracked"],
        &when[..],
    ]
    .concat();
    let dry = |verb: &[&'static str]| [verb, &["--dry-run"]].concat();
    let (sync_dry, recover_dry) = (dry(SYNC), dry(&recover));
    // Without an engine, and through one.
    let anyway: &[&[&str]] = &[
        SYNC,
        &sync_dry,
        &recover,
        &recover_dry,
        &["stats", PLAYER],
        &["job", "list"],
        &["job", "show", "1"],
        &["job", "wait", "1"],
        &["cleanup", "--days", "300", "--dry-run"],
        &["cleanup", "--days", "300"],
        &["replay", "--dry-run"],
        &["export", "--what", "matches", "--out", out],
        &["report", PLAYER, "--year", "2025", "--out", page],
        &["tracked"],
        &["rank", PLAYER],
        &["track", PLAYER],
        &["untrack", PLAYER],
        &["schedule", "list"],
        &["db", "info"],
        &["config", "show"],
    ];
    setup.all_print_json(anyway).await;
    setup.all_print_json(&[&["db", "migrate"]]).await;
    let failing: &[(&[&str], i32)] = &[
        (&["job", "show", "999999"], 1),
        (&["job", "wait", "999999"], 1),
        (&["job", "cancel", "1"], 1),
        (&["job", "retry", "1"], 1),
        (&["stats", "Nobody#404"], 1),
        (&["track", "Nobody#404"], 1),
        (&["sync", "Nobody#404", "--platform", "euw1"], 1),
        (&["recover", "Nobody#404", "--platform", "euw1"], 1),
    ];
    setup.all_fail_in_json(failing).await;
    let served = setup.served().await;
    setup.all_print_json(anyway).await;
    setup.all_fail_in_json(failing).await;
    setup
        .all_print_json(&[
            &["status"],
            &["queue", "list"],
            &["queue", "pause", "all"],
            &[
                "queue",
                "set",
                "match_processing",
                "--slots",
                "32",
                "--rate",
                "100/m",
            ],
            &["queue", "resume", "all"],
            &schedule,
            &["schedule", "remove", "x"],
            &["engine", "drain"],
            &["engine", "stop"],
        ])
        .await;
    assert_eq!(served.exited().await, Some(0));
}

#[tokio::test]
async fn the_log_of_one_job_is_found_by_its_id_and_what_failed_is_told_once() {
    let setup = setup(8).await;
    let served = setup
        .served_with(|command| {
            command
                .env("RUST_LOG", "debug")
                .env("RIFTSYNC_LOG__FORMAT", "json")
        })
        .await;
    setup.json(SYNC).await;
    let failed = setup
        .run(&["sync", "Nobody#404", "--platform", "euw1", "--json"])
        .await;
    assert_eq!(failed.status.code(), Some(1));
    let failed = documents(&["sync"], &failed)[0]["job_id"].to_string();
    let jobs = setup.json(&["job", "list", "--state", "completed"]).await;
    setup.json(&["engine", "stop"]).await;
    assert_eq!(served.exited().await, Some(0));
    let log: Vec<Value> = setup
        .log()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let of = |id: &str| {
        let id = id.to_owned();
        let lines = log.iter();
        lines.filter(move |line| line["span"]["job.id"] == *id)
    };
    let jobs = jobs["jobs"].as_array().unwrap();
    assert!(jobs.len() > 10);
    for job in jobs {
        let id = job["job_id"].to_string();
        let done = of(&id).filter(|line| line["message"].as_str().unwrap().ends_with("is done"));
        let done: Vec<_> = done.collect();
        assert!(!done.is_empty(), "nothing of job {id}");
        let (queue, kind) = (
            job["queue"].as_str().unwrap(),
            job["kind"].as_str().unwrap(),
        );
        let actor = format!("/engine/queues/{queue}/{kind}");
        for line in done {
            let span = &line["span"];
            assert_eq!(
                (&span["job.kind"], &span["attempt"]),
                (&job["kind"], &job["attempt"])
            );
            assert_eq!(span["actor"], *actor);
        }
    }
    let told = of(&failed).filter(|line| line["message"].as_str().unwrap().contains("is called"));
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn nothing_is_coloured_where_nobody_sees_it() {
    let setup = setup(3).await;
    let served = setup
        .served_with(|command| command.env("RUST_LOG", "debug"))
        .await;
    let mut seen = setup.log();
    for args in [
        SYNC,
        &["status"],
        &["stats", PLAYER],
        &["queue", "list"],
        &["job", "list"],
        &["job", "wait", "7777"],
        &["--help"],
    ] {
        let output = setup.run(args).await;
        seen += &text(&output);
        seen += &String::from_utf8_lossy(&output.stdout);
    }
    served.signal("-TERM");
    served.exited().await;
    seen += &setup.log();
    assert!(!seen.contains('\x1b'), "{seen}");
}

/// The name of the child's part of the next test.
const PANICS: &str = "control::outputs::a_panic_with_the_key_in_it";

/// Only does something when the next test runs it: a panic hook is a process's own.
#[test]
fn a_panic_with_the_key_in_it() {
    if std::env::var_os("PANIC_WITH_THE_KEY").is_none() {
        return;
    }
    riftsync::cli::terminal::start_log("trace", riftsync::config::LogFormat::Text);
    riftsync::riot::ApiKey::new(SIMULATED_KEY).unwrap();
    riftsync::cli::terminal::watch_panics();
    let fell = std::panic::catch_unwind(|| panic!("it fell over {SIMULATED_KEY}"));
    assert!(fell.is_err());
    println!("remembered: {}", riftsync::supervision::last_panic());
}

#[test]
fn a_panic_tells_what_it_was_without_the_key() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", PANICS, "--nocapture"])
        .env("PANIC_WITH_THE_KEY", "yes")
        .output()
        .unwrap();
    let seen = text(&child) + &String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{seen}");
    assert_eq!(seen.matches("it fell over <api key>").count(), 2, "{seen}");
    assert!(
        !seen.contains(SIMULATED_KEY.trim_start_matches("RGAPI-")),
        "{seen}"
    );
}

#[tokio::test]
async fn what_cannot_be_shown_is_done_and_told() {
    let setup = setup(5).await;
    let mut command = setup.sync();
    command.stdout(
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap(),
    );
    let output = command.stderr(Stdio::piped()).spawn().unwrap();
    let output = crate::setup::exited(output).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        text(&output).contains("written to stdout"),
        "{}",
        text(&output)
    );
}

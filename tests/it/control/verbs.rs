//! The verbs, through a running engine and without one.

use std::os::unix::net::UnixDatagram;

use serde_json::json;

use super::watched::scrape;
use super::*;
use crate::setup::exited;
use crate::wait;

pub(super) const SYNC: &[&str] = &["sync", PLAYER, "--platform", "euw1", "--year", "2025"];

#[tokio::test]
async fn a_sync_goes_through_the_engine_that_listens_and_ends_as_one_of_its_own() {
    let setup = setup(60).await;
    let served = setup.served().await;
    let document = setup.json(SYNC).await;
    assert_eq!(document["state"], "completed");
    assert!(document["result"]["processed_matches"].as_u64().unwrap() > 50);
    let calls = setup.simulator.counters().of_status(200);
    let again = setup.run(SYNC).await;
    assert!(again.status.success(), "{}", text(&again));
    assert!(text(&again).contains("0 fetched"), "{}", text(&again));
    let table = String::from_utf8(again.stdout).unwrap();
    assert!(table.contains("2025 euw1"), "{table}");
    assert!(setup.simulator.counters().of_status(200) < calls + 10);
    let status = setup.json(&["status"]).await;
    assert_eq!(
        (&status["state"], &status["pid"]),
        (&json!("running"), &json!(served.pid()))
    );
    let listed = setup
        .json(&["job", "list", "--kind", "sync_player_data"])
        .await;
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_detached_sync_is_waited_for_by_whoever_likes() {
    let setup = setup(30).await;
    let _served = setup.served().await;
    let submitted = setup.json(&[SYNC, &["--detach"]].concat()).await;
    let id = submitted["job_id"].to_string();
    let waited = setup.run(&["job", "wait", &id, &id]).await;
    assert!(waited.status.success(), "{}", text(&waited));
    let said = String::from_utf8(waited.stdout).unwrap();
    assert_eq!(said.matches("is completed").count(), 2, "{said}");
    let unknown = setup.run(&[
        "sync",
        "Nobody#404",
        "--platform",
        "euw1",
        "--detach",
        "--json",
    ]);
    let unknown: Value = serde_json::from_slice(&unknown.await.stdout).unwrap();
    let failed = setup
        .run(&["job", "wait", &unknown["job_id"].to_string()])
        .await;
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed));
}

#[tokio::test]
async fn a_dry_run_through_the_engine_tells_how_long_the_sync_will_take() {
    let setup = setup(60).await;
    let limits = vec![(20, 1), (100, 120)];
    setup.simulator.control().set_app_limits(limits);
    let _served = setup.served().await;
    let plan = setup.json(&[SYNC, &["--dry-run"]].concat()).await;
    let report = &plan["result"];
    let calls =
        report["match_calls"].as_u64().unwrap() + report["timeline_calls"].as_u64().unwrap();
    assert!(calls > 110, "{plan}");
    let eta = plan["eta_s"].as_u64().unwrap();
    assert!((60..400).contains(&eta), "{plan}");
    let said = setup.run(&[SYNC, &["--dry-run"]].concat()).await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("min at the present limits"), "{said}");
}

#[tokio::test]
async fn an_interrupted_sync_leaves_its_job_to_the_engine() {
    let setup = setup(60).await;
    let served = setup.served().await;
    setup.json(&["queue", "pause", "match_processing"]).await;
    let sync = setup
        .command(SYNC)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while setup.json(&["job", "list", "--state", "blocked"]).await["jobs"]
        .as_array()
        .unwrap()
        .is_empty()
    {}
    signal(&sync, "-INT");
    assert_eq!(exited(sync).await.status.code(), Some(130));
    setup.json(&["queue", "resume", "match_processing"]).await;
    let waited = setup.json(&["job", "wait", "1"]).await;
    assert_eq!(waited["state"], "completed");
    drop(served);
}

#[tokio::test]
async fn an_engine_is_drained_resumed_and_stopped_from_outside() {
    let setup = setup(30).await;
    let served = setup.served().await;
    let queue = setup
        .json(&["queue", "set", "all", "--slots", "5", "--rate", "none"])
        .await;
    assert_eq!(queue["queues"][0]["slots"], 5);
    let drained = setup.json(&["engine", "drain"]).await;
    assert_eq!(drained["state"], "drained");
    let submitted = setup.json(&[SYNC, &["--detach"]].concat()).await;
    let queues = setup.json(&["queue", "list"]).await;
    assert_eq!(
        (
            &queues["queues"][0]["available"],
            &queues["queues"][0]["paused"]
        ),
        (&json!(1), &json!(true))
    );
    setup.json(&["queue", "resume", "all"]).await;
    let id = submitted["job_id"].to_string();
    assert_eq!(setup.json(&["job", "wait", &id]).await["success"], true);
    let pid = served.pid();
    let stopped = setup.json(&["engine", "stop"]).await;
    assert_eq!(
        (&stopped["state"], &stopped["pid"]),
        (&json!("stopped"), &json!(pid))
    );
    assert!(!setup.path("riftsync.sock").exists());
    assert_eq!(served.exited().await, Some(0), "{}", setup.log());
    // What is stored is there without it.
    assert_eq!(
        setup.json(&["job", "show", &id]).await["state"],
        "completed"
    );
    assert_eq!(setup.json(&["job", "wait", &id]).await["success"], true);
}

#[tokio::test]
async fn without_an_engine_what_needs_one_says_so_with_exit_code_3() {
    let setup = setup(1).await;
    for args in [
        &["status"][..],
        &["queue", "list"],
        &["queue", "pause", "all"],
        &["engine", "drain"],
        &["engine", "stop"],
        &["key", "set"],
        &["sync", PLAYER, "--platform", "euw1", "--detach"],
    ] {
        let output = setup.run(args).await;
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", text(&output));
        let said = text(&output);
        assert!(
            said.contains("riftsync serve") && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_second_engine_on_the_socket_or_the_database_is_refused_with_the_holders_pid() {
    let setup = setup(1).await;
    let served = setup.served().await;
    let pid = format!("pid {}", served.pid());
    let other_socket = setup.path("other.sock");
    let elsewhere = ["serve", "--socket", other_socket.to_str().unwrap()];
    for args in [&["serve"][..], &elsewhere] {
        let output = setup.run(args).await;
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        assert!(text(&output).contains(&pid), "{}", text(&output));
    }
    assert!(!other_socket.exists());
    // The first was not disturbed, and however it ends, its places are free.
    setup.json(&["status"]).await;
    served.signal("-KILL");
    served.exited().await;
    assert!(
        setup.path("riftsync.sock").exists(),
        "nobody was left to remove it"
    );
    let gone = setup.run(&["status"]).await;
    assert_eq!(gone.status.code(), Some(3), "{}", text(&gone));
    let next = setup.served().await;
    assert_eq!(setup.json(&["status"]).await["pid"], next.pid());
}

#[tokio::test]
async fn an_engine_on_another_database_is_not_the_one_that_is_meant() {
    let setup = setup(3).await;
    let _served = setup.served().await;
    let other = format!("sqlite://{}", setup.path("other.db").display());
    let socket = setup.path("riftsync.sock");
    let socket = socket.to_str().unwrap().to_owned();
    let words = move |args: &[&str]| -> Vec<String> {
        let more = ["--database", &other, "--socket", &socket];
        args.iter()
            .chain(&more)
            .map(|&word| word.to_owned())
            .collect()
    };
    let run = async |args: &[&str]| {
        let mut command = setup.command(&[]);
        // The last --database would be a second one: start over.
        let program = command.get_program().to_owned();
        let envs: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command = Command::new(program);
        command
            .env_clear()
            .envs(envs)
            .args(words(args))
            .stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    };
    let status = run(&["status"]).await;
    assert_eq!(status.status.code(), Some(3));
    assert!(text(&status).contains("t.db"), "{}", text(&status));
    let synced = run(SYNC).await;
    assert!(synced.status.success(), "{}", text(&synced));
    assert!(setup.path("other.db").exists());
    assert!(
        setup.json(&["job", "list"]).await["jobs"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_key_that_is_rejected_is_told_to_who_waits_and_a_new_one_goes_on() {
    let setup = setup(10).await;
    let accepted = Some(vec![SIMULATED_KEY.to_owned()]);
    setup.simulator.control().set_keys(accepted);
    let _served = setup
        .served_with(|command| command.env("RIOT_API_KEY", "RGAPI-of-yesterday"))
        .await;
    let output = setup.run(SYNC).await;
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(
        text(&output).contains("riftsync key set"),
        "{}",
        text(&output)
    );
    let mut set = setup
        .command(&["key", "set"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    set.stdin
        .take()
        .unwrap()
        .write_all(SIMULATED_KEY.as_bytes())
        .unwrap();
    assert_eq!(exited(set).await.status.code(), Some(0));
    assert_eq!(
        setup.json(&["job", "wait", "1"]).await["state"],
        "completed"
    );
    assert_eq!(setup.json(&["status"]).await["key"], "valid");
    let log = setup.log();
    assert!(
        !log.contains(SIMULATED_KEY) && !log.contains("RGAPI-of-yesterday"),
        "{log}"
    );
}

/// What a service manager was told since it was last listened to.
fn heard(manager: &UnixDatagram) -> String {
    let mut heard = String::new();
    let mut told = [0; 4_096];
    while let Ok(length) = manager.recv(&mut told) {
        heard += &String::from_utf8_lossy(&told[..length]);
    }
    heard
}

/// Gives the engine its own key again; what was printed meanwhile, and what others see of the process.
fn set_the_same_key(setup: &Setup) -> String {
    let mut set = setup
        .command(&["key", "set", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let seen = std::fs::read(format!("/proc/{}/cmdline", set.id())).unwrap();
    set.stdin
        .take()
        .unwrap()
        .write_all(SIMULATED_KEY.as_bytes())
        .unwrap();
    let output = set.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let seen = [seen, output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&seen).into_owned()
}

#[tokio::test]
async fn the_key_is_in_no_output_at_any_level_of_the_log() {
    for level in ["trace", "debug", "info", "warn", "error", "off"] {
        let setup = setup(20).await;
        let manager = setup.path("notify.sock");
        let manager = UnixDatagram::bind(manager).unwrap();
        manager.set_nonblocking(true).unwrap();
        let format = if level == "debug" { "json" } else { "text" };
        let served = setup
            .served_with(|command| {
                command
                    .env("RUST_LOG", level)
                    .env("RIFTSYNC_LOG__FORMAT", format)
                    .env("NOTIFY_SOCKET", setup.path("notify.sock"))
                    .env("RIFTSYNC_METRICS__LISTEN", "127.0.0.1:0")
            })
            .await;
        let mut seen = served.ready.to_string();
        seen += &set_the_same_key(&setup);
        for args in [
            SYNC,
            &[SYNC, &["--dry-run"]].concat(),
            &["job", "list"],
            &["job", "show", "1"],
            &["status", "--json"],
            &["queue", "list", "--json"],
            &["stats", PLAYER, "--json"],
            &["health", "--json"],
            &["config", "show"],
            &["config", "show", "--json"],
            &["db", "info"],
            &[
                "recover",
                PLAYER,
                "--platform",
                "euw1",
                "--year",
                "2025",
                "--verify",
            ],
        ] {
            let mut command = setup.command(args);
            command.env("RUST_LOG", level);
            let output = run(command).await;
            // A check may find something; it is what it says that counts here.
            let ended_well = output.status.success() || args[0] == "health";
            assert!(ended_well, "{args:?}: {}", text(&output));
            seen += &heard(&manager);
            seen += &text(&output);
            seen += &String::from_utf8_lossy(&output.stdout);
        }
        for method in [
            "engine.metrics",
            "engine.status",
            "engine.health",
            "job.list",
            "key.set",
        ] {
            seen += &setup.json_rpc(method).to_string();
        }
        seen += &std::fs::read_to_string(format!("/proc/{}/cmdline", served.pid())).unwrap();
        let url = served.ready["metrics"].as_str().unwrap();
        seen += &scrape(
            url.trim_start_matches("http://")
                .trim_end_matches("/metrics"),
        );
        setup.json(&["engine", "stop"]).await;
        assert_eq!(served.exited().await, Some(0));
        seen += &heard(&manager);
        assert!(seen.contains("READY=1") && seen.contains("STOPPING=1"));
        let log = setup.log();
        assert_eq!(log.contains("TRACE"), level == "trace", "{level}");
        assert_eq!(
            log.is_empty(),
            ["off", "error", "warn"].contains(&level),
            "{log}"
        );
        seen += &log;
        let secret = SIMULATED_KEY.trim_start_matches("RGAPI-");
        assert!(!seen.contains(secret), "{level}");
        for file in std::fs::read_dir(setup.folder.path()).unwrap() {
            // The database, its log, the metrics log.
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{level}");
        }
    }
}

#[tokio::test]
async fn the_metrics_log_of_a_stopped_engine_counts_every_job_and_call() {
    let setup = setup(40).await;
    setup.simulator.control().set_app_limits(vec![(10_000, 10)]);
    let served = setup
        .served_with(|command| command.env("RIFTSYNC_METRICS__INTERVAL_S", "1"))
        .await;
    setup.json(SYNC).await;
    let metrics = setup.json_rpc("engine.metrics");
    let done = metrics["totals"].as_array().unwrap().iter();
    let done: u64 = done.filter_map(|total| total["processed"].as_u64()).sum();
    setup.json(&["engine", "stop"]).await;
    assert_eq!(served.exited().await, Some(0));
    let log = std::fs::read_to_string(setup.path("metrics.jsonl")).unwrap();
    let records: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sum = |kind: &str, field: &str| -> u64 {
        let of_kind = records.iter().filter(|record| record["kind"] == kind);
        of_kind.map(|record| record[field].as_u64().unwrap()).sum()
    };
    let jobs = setup
        .json(&["job", "list", "--state", "completed", "--limit", "1000"])
        .await;
    let completed = jobs["jobs"].as_array().unwrap().len() as u64;
    assert_eq!((sum("queue", "processed"), done), (completed, completed));
    // The same for each actor by itself.
    for queue in ["player_sync", "match_processing", "timeline_processing"] {
        let actor = format!("/engine/queues/{queue}");
        let own = records
            .iter()
            .filter(|record| record["kind"] == "queue" && record["actor"] == *actor);
        let processed: u64 = own
            .map(|record| record["processed"].as_u64().unwrap())
            .sum();
        let jobs = jobs["jobs"].as_array().unwrap().iter();
        let jobs = jobs.filter(|job| job["queue"] == queue).count() as u64;
        assert!(
            jobs > 0 && processed == jobs,
            "{queue}: {processed} of {jobs}"
        );
    }
    assert!(completed > 60);
    let granted = sum("limiter", "granted") - sum("limiter", "given_back");
    let counters = setup.simulator.counters();
    assert_eq!(granted, counters.of_status(200) + counters.of_status(404));
    let windows = records
        .iter()
        .find(|record| !record["windows"].is_null())
        .unwrap();
    assert!(
        windows["windows"][0]["limit"].as_u64().unwrap() > 0,
        "{windows}"
    );
    let events: Vec<&str> = records
        .iter()
        .filter_map(|record| record["event"].as_str())
        .collect();
    assert_eq!(
        (events[0], *events.last().unwrap()),
        ("engine_started", "engine_stopped")
    );
    assert!(events.contains(&"engine_drained"));
}

#[tokio::test]
async fn a_person_with_nc_submits_a_sync_and_watches_it() {
    let setup = setup(20).await;
    let _served = setup.served().await;
    let mut nc = setup.connect();
    let states = tokio::task::spawn_blocking(move || {
        nc.send(r#"{"jsonrpc":"2.0","id":1,"method":"job.submit","params":{"kind":"sync_player_data","args":{"game_name":"Quiet Otter","tag_line":"SIM","platform":"euw1","year":2025}}}"#);
        let id = nc.line()["result"]["job_id"].clone();
        nc.send(&format!(
            r#"{{"jsonrpc":"2.0","id":2,"method":"job.subscribe","params":{{"job_id":{id}}}}}"#
        ));
        let mut states = vec![nc.line()["result"]["job"].clone()];
        loop {
            let told = nc.line();
            states.push(told["params"]["job"].clone());
            if told["method"] == "job.ended" {
                return states;
            }
        }
    });
    let states = states.await.unwrap();
    let last = states.last().unwrap();
    assert_eq!(
        (&last["state"], &last["percent"]),
        (&json!("completed"), &json!(100))
    );
    let percents: Vec<u64> = states
        .iter()
        .map(|job| job["percent"].as_u64().unwrap())
        .collect();
    assert!(percents.is_sorted(), "{percents:?}");
}

#[tokio::test]
async fn a_schedule_that_is_added_runs_and_one_of_the_configuration_is_changed_there_alone() {
    let setup = setup(4).await;
    let _engine = setup.served().await;
    let added = setup
        .json(&[
            "schedule",
            "add",
            "often",
            "--when",
            "every 1s",
            "--kind",
            "sync_tracked",
        ])
        .await;
    assert_eq!(added["name"], "often");
    let job = wait::found("the job of its first tick", async || {
        let listed = setup.json(&["schedule", "list"]).await;
        let schedules = listed["schedules"].as_array().unwrap();
        let often = schedules
            .iter()
            .find(|line| line["name"] == "often")
            .unwrap();
        assert_eq!(often["origin"], "added");
        often["last_job"].as_i64()
    })
    .await
    .to_string();
    let waited = setup.run(&["job", "wait", &job]).await;
    assert!(waited.status.success(), "{}", text(&waited));
    let shown = setup.run(&["schedule", "list"]).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("every 1s") && shown.contains("sync_tracked"),
        "{shown}"
    );
    setup.json(&["schedule", "remove", "often"]).await;
    for (args, code, named) in [
        (&["remove", "often"][..], 1, "no schedule 'often'"),
        (&["remove", "sync_tracked"], 1, "[schedules.sync_tracked]"),
        (
            &["add", "x", "--when", "3 pm", "--kind", "sync_tracked"],
            2,
            "every 6h",
        ),
        (
            &["add", "x", "--when", "every 1h", "--kind", "dance"],
            2,
            "Known:",
        ),
        (
            &[
                "add",
                "x",
                "--when",
                "at 2020-01-01T00:00",
                "--kind",
                "sync_tracked",
            ],
            2,
            "never comes",
        ),
        (
            &[
                "add",
                "x",
                "--when",
                "every 1h",
                "--kind",
                "sync_tracked",
                "--args",
                "{\"n\":1}",
            ],
            2,
            "unknown field",
        ),
        (
            &["add", "X y", "--when", "every 1h", "--kind", "sync_tracked"],
            2,
            "no name",
        ),
    ] {
        let output = setup.run(&[&["schedule"], args].concat()).await;
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}: {}",
            text(&output)
        );
        assert!(text(&output).contains(named), "{args:?}: {}", text(&output));
    }
}

#[tokio::test]
async fn who_was_synced_is_tracked_until_untracked_with_an_engine_or_without() {
    let setup = setup(4).await;
    let sync = ["sync", PLAYER, "--platform", "euw1", "--year", "2025"];
    let synced = setup.run(&sync).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let names = |listed: Value| -> Vec<String> {
        let players = listed["players"].as_array().unwrap();
        players
            .iter()
            .map(|player| player["riot_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(setup.json(&["tracked"]).await), [PLAYER]);
    setup.json(&["untrack", PLAYER]).await;
    assert!(names(setup.json(&["tracked"]).await).is_empty());
    let unknown = setup.run(&["track", "Nobody#404"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown).contains("riftsync sync"),
        "{}",
        text(&unknown)
    );
    let _engine = setup.served().await;
    setup.json(&["track", PLAYER]).await;
    assert_eq!(names(setup.json(&["tracked"]).await), [PLAYER]);
    let unknown = setup.run(&["untrack", "Nobody#404"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown).contains("riftsync sync"),
        "{}",
        text(&unknown)
    );
}

#[tokio::test]
async fn health_tells_what_is_wrong_and_what_to_do_and_exits_by_it() {
    let setup = setup(4).await;
    let _engine = setup.served().await;
    let synced = setup.run(SYNC).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let calls = |status: &Value| status["calls"].as_u64().unwrap();
    let before = calls(&setup.json(&["status"]).await);
    let well = setup.json(&["health"]).await;
    assert_eq!(well["verdict"], "healthy", "{well}");
    assert_eq!(well["findings"], json!([]));
    let routes: Vec<_> = well["routes"].as_array().unwrap().iter().collect();
    assert!(
        routes.iter().all(|route| route["state"] == "reached"),
        "{well}"
    );
    let names: Vec<_> = routes
        .iter()
        .map(|route| route["route"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["euw1", "europe"]);
    assert_eq!(
        calls(&setup.json(&["status"]).await),
        before + 2,
        "real calls"
    );
    assert!(well["database"]["write_ms"].as_f64().unwrap() > 0.0);
    assert!(well["database"]["free_bytes"].is_u64());

    // Twice as often as the queue of the checks may start them: on demand it is not held by that.
    setup.json(&["queue", "pause", "player_sync"]).await;
    let waits = setup.json(&[SYNC, &["--detach"]].concat()).await;
    assert!(waits["job_id"].is_i64());
    let degraded = setup.run(&["health"]).await;
    assert_eq!(degraded.status.code(), Some(1), "{}", text(&degraded));
    let told = String::from_utf8(degraded.stdout).unwrap();
    assert!(told.starts_with("degraded"), "{told}");
    assert!(told.contains("riftsync queue resume player_sync"), "{told}");

    // A check by schedule is a job, and is kept in the log.
    let added = [
        "schedule",
        "add",
        "now",
        "--when",
        "every 1s",
        "--kind",
        "health_check",
    ];
    setup.json(&added).await;
    let degraded = "health: degraded. queue player_sync";
    wait::until(degraded, async || setup.log().contains(degraded)).await;
    setup.json(&["schedule", "remove", "now"]).await;
    setup.json(&["queue", "resume", "player_sync"]).await;

    setup.simulator.control().reject_key(true);
    // The first call that is refused only raises the suspicion.
    let unhealthy = wait::found("a rejected key", async || {
        let check = setup.run(&["health", "--json"]).await;
        (check.status.code() == Some(3)).then_some(check)
    })
    .await;
    let check: Value = serde_json::from_slice(&unhealthy.stdout).unwrap();
    assert_eq!(check["key"], "rejected", "{check}");
    assert!(
        check["findings"][0]["remedy"]
            .as_str()
            .unwrap()
            .contains("riftsync key set")
    );
}

#[tokio::test]
async fn health_without_an_engine_says_that_none_runs() {
    let setup = setup(1).await;
    let health = setup.run(&["health"]).await;
    assert_eq!(health.status.code(), Some(3));
    assert!(
        text(&health).contains("riftsync serve"),
        "{}",
        text(&health)
    );
}

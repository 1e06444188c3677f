//! What a person may leave out or say more of: the platform, years, queues.

use serde_json::json;

use super::*;

/// The documents of a verb that prints one a line.
fn documents(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn who_names_no_platform_has_the_api_asked_with_an_engine_or_without() {
    let setup = setup(6).await;
    let sync = ["sync", PLAYER, "--year", "2025"];
    let alone = setup.json(&sync).await;
    assert_eq!(alone["result"]["platform"], "euw1", "{alone}");
    let served = setup.served().await;
    let through = setup.json(&sync).await;
    assert_eq!(through["result"]["platform"], "euw1", "{through}");
    let recovered = setup.json(&["recover", PLAYER, "--year", "2025"]).await;
    assert_eq!(recovered["result"]["platform"], "euw1", "{recovered}");
    let nobody = setup.run(&["sync", "Nobody#404", "--json"]).await;
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody));
    assert!(text(&nobody).contains("no player is called"));
    assert_eq!(documents(&nobody)[0]["success"], false);
    served.signal("-TERM");
    served.exited().await;
    let nobody = setup.run(&["sync", "Nobody#404"]).await;
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody));
    assert!(text(&nobody).contains("no player is called"));
    // A key that is rejected is told as that, not as a player who cannot be found.
    setup.simulator.control().reject_key(true);
    let rejected = setup.run(&sync).await;
    assert_eq!(rejected.status.code(), Some(4), "{}", text(&rejected));
}

#[tokio::test]
async fn several_years_are_synced_one_after_the_other() {
    let setup = setup(4).await;
    let sync = [
        "sync",
        PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2024..2025",
        "--json",
    ];
    let alone = setup.run(&sync).await;
    assert!(alone.status.success(), "{}", text(&alone));
    let years = |output: &Output| -> Vec<Value> {
        let documents = documents(output).into_iter();
        documents
            .map(|document| document["result"]["year"].clone())
            .collect()
    };
    assert_eq!(years(&alone), [json!(2024), json!(2025)]);
    let _served = setup.served().await;
    let through = setup.run(&sync).await;
    assert_eq!(years(&through), [json!(2024), json!(2025)]);
    let stats = setup.json(&["stats", PLAYER]).await;
    assert_eq!(stats["years"].as_array().unwrap().len(), 2, "{stats}");
}

#[tokio::test]
async fn an_engine_runs_the_queues_it_was_told_and_leaves_the_others_work() {
    let setup = setup(4).await;
    let served = setup
        .served_with(|command| command.args(["--queues", "player_sync,match_processing"]))
        .await;
    let queues = setup.json(&["queue", "list"]).await;
    let names: Vec<_> = queues["queues"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|queue| &queue["queue"]).collect();
    assert_eq!(names, [&json!("player_sync"), &json!("match_processing")]);
    let order = [
        "sync",
        PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2025",
        "--detach",
    ];
    let id = setup.json(&order).await["job_id"].to_string();
    let waiting = loop {
        let listed = setup
            .json(&["job", "list", "--kind", "sync_match_timeline"])
            .await;
        let blocked = setup.json(&["job", "list", "--state", "blocked"]).await;
        let running = setup.json(&["job", "list", "--state", "running"]).await;
        let open = setup.json(&[
            "job",
            "list",
            "--state",
            "available",
            "--kind",
            "sync_match_data",
        ]);
        let none = |answer: &Value| answer["jobs"].as_array().unwrap().is_empty();
        let over = none(&running) && none(&open.await) && !none(&blocked);
        if over && !none(&listed) {
            break listed;
        }
    };
    let waiting = waiting["jobs"].as_array().unwrap();
    assert!(waiting.iter().all(|job| job["state"] == "available"));
    served.signal("-TERM");
    assert_eq!(served.exited().await, Some(0), "{}", setup.log());
    let _whole = setup.served().await;
    assert_eq!(
        setup.json(&["job", "wait", &id]).await["state"],
        "completed"
    );
    let wrong = setup.run(&["serve", "--queues", "player_sink"]).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        text(&wrong).contains("timeline_processing"),
        "{}",
        text(&wrong)
    );
}

//! What can be asked, and what is answered.

use std::os::unix::fs::MetadataExt;

use super::*;
use crate::control::ClientError;
use crate::control::rpc::RpcError;

async fn refused(client: &mut Client, method: &str, params: Value) -> (i32, String) {
    match client.call(method, params).await {
        Err(ClientError::Refused(error)) => (error.code, error.message),
        other => panic!("{method}: {other:?}"),
    }
}

#[actix::test]
async fn a_job_is_submitted_runs_and_is_found_again() {
    let setup = start(Limits::default()).await;
    let mut client = setup.client().await;
    let job = json!({ "kind": "noop", "args": { "key": "a" }, "priority": 3 });
    let submitted = client.call("job.submit", job).await.unwrap();
    assert_eq!(submitted["joined"], false);
    let id = submitted["job_id"].clone();
    let (_, _) = client
        .subscribe(serde_json::from_value(id.clone()).unwrap())
        .await
        .unwrap();
    while client.notification().await.unwrap().method != "job.ended" {}
    let job = client.call("job.get", json!({ "job_id": id })).await;
    let job = job.unwrap();
    assert_eq!(job["state"], "completed");
    assert_eq!(job["result"]["done"], true);
    assert_eq!((&job["priority"], &job["key"]), (&json!(3), &json!("a")));
    assert_eq!(job["args"], json!({ "key": "a" }));
    let listed = client
        .call("job.list", json!({ "state": "completed", "limit": 10 }))
        .await
        .unwrap();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(listed["jobs"][0].get("result"), None, "lists stay short");
    setup.stop().await;
}

#[actix::test]
async fn a_batch_of_jobs_has_one_handle_and_is_all_or_nothing() {
    let setup = start(Limits::default()).await;
    let mut client = setup.client().await;
    let jobs = json!({ "jobs": [{ "kind": "noop" }, { "kind": "steps" }] });
    let batch = client.call("job.submit_batch", jobs).await.unwrap();
    assert_eq!(batch["jobs"].as_array().unwrap().len(), 2);
    let handle = client
        .call("job.get", json!({ "job_id": batch["job_id"] }))
        .await;
    assert_eq!(handle.unwrap()["state"], "blocked");
    let before = client.call("job.list", json!({})).await.unwrap();
    let wrong = json!({ "jobs": [{ "kind": "noop" }, { "kind": "nope" }] });
    let (code, message) = refused(&mut client, "job.submit_batch", wrong).await;
    assert_eq!(code, RpcError::INVALID_PARAMS);
    assert!(message.starts_with("jobs[1]:"), "{message}");
    let after = client.call("job.list", json!({})).await.unwrap();
    assert_eq!(
        after["jobs"].as_array().unwrap().len(),
        before["jobs"].as_array().unwrap().len()
    );
    setup.steps.send_replace(100);
    setup.stop().await;
}

#[actix::test]
async fn what_cannot_be_done_is_told_with_its_code_and_what_can_be_done() {
    let setup = start(Limits::default()).await;
    let mut client = setup.client().await;
    for (method, params, code, says) in [
        (
            "job.nope",
            json!({}),
            RpcError::METHOD_NOT_FOUND,
            "job.nope",
        ),
        (
            "schedule.dance",
            json!({}),
            RpcError::METHOD_NOT_FOUND,
            "schedule.dance",
        ),
        (
            "job.get",
            json!({ "job_id": 99 }),
            RpcError::NOT_FOUND,
            "99",
        ),
        ("job.get", json!({}), RpcError::INVALID_PARAMS, "job_id"),
        ("job.get", json!([99]), RpcError::INVALID_PARAMS, "by name"),
        (
            "job.get",
            json!({ "job_id": "x" }),
            RpcError::INVALID_PARAMS,
            "i64",
        ),
        (
            "job.get",
            json!({ "job_id": 1, "x": 1 }),
            RpcError::INVALID_PARAMS,
            "`x`",
        ),
        (
            "job.subscribe",
            json!({ "job_id": 99 }),
            RpcError::NOT_FOUND,
            "99",
        ),
        (
            "job.unsubscribe",
            json!({ "subscription": 9 }),
            RpcError::NOT_FOUND,
            "9",
        ),
        (
            "job.cancel",
            json!({ "job_id": 99 }),
            RpcError::NOT_FOUND,
            "99",
        ),
        (
            "job.retry",
            json!({ "job_id": 99 }),
            RpcError::NOT_FOUND,
            "99",
        ),
        (
            "job.submit",
            json!({ "kind": "nope" }),
            RpcError::INVALID_PARAMS,
            "noop, steps",
        ),
        (
            "job.submit",
            json!({ "kind": "noop", "args": { "x": 1 } }),
            RpcError::INVALID_PARAMS,
            "`x`",
        ),
        (
            "job.submit",
            json!({ "kind": "noop", "priority": 10 }),
            RpcError::INVALID_PARAMS,
            "0 (first) to 9",
        ),
        (
            "job.submit",
            json!({ "kind": "noop", "after": [99] }),
            RpcError::CONFLICT,
            "99",
        ),
        (
            "job.list",
            json!({ "state": "lost" }),
            RpcError::INVALID_PARAMS,
            "lost",
        ),
        (
            "job.list",
            json!({ "limit": 5000 }),
            RpcError::INVALID_PARAMS,
            "before",
        ),
        (
            "queue.pause",
            json!({ "queue": "nope" }),
            RpcError::NOT_FOUND,
            "Known: q, all",
        ),
        (
            "queue.set",
            json!({ "queue": "q", "slots": 0 }),
            RpcError::INVALID_PARAMS,
            "1 to 1000",
        ),
        (
            "queue.set",
            json!({ "queue": "q", "rate": "fast" }),
            RpcError::INVALID_PARAMS,
            "30/m",
        ),
        (
            "player.stats",
            json!({ "riot_id": "A#B" }),
            RpcError::NOT_FOUND,
            "A#B",
        ),
        (
            "player.locate",
            json!({ "riot_id": "A#404" }),
            RpcError::NOT_FOUND,
            "A#404",
        ),
        (
            "player.locate",
            json!({ "riot_id": "A#B" }),
            RpcError::UNAVAILABLE,
            "the map is torn",
        ),
        (
            "player.stats",
            json!({ "riot_id": "A" }),
            RpcError::INVALID_PARAMS,
            "Name#TAG",
        ),
    ] {
        let (got, message) = refused(&mut client, method, params.clone()).await;
        assert_eq!(got, code, "{method} {params}: {message}");
        assert!(message.contains(says), "{method} {params}: {message}");
    }
    setup.stop().await;
}

#[actix::test]
async fn batches_and_notifications_are_answered_as_the_specification_says() {
    let setup = start(Limits::default()).await;
    let mut raw = setup.raw().await;
    // Two requests, a notification and a mistake.
    let answer = raw
        .ask(r#"[{"jsonrpc":"2.0","id":1,"method":"queue.list"},{"jsonrpc":"2.0","method":"queue.list"},7,{"jsonrpc":"2.0","id":"x","method":"nope"}]"#)
        .await;
    let answers = answer.as_array().unwrap();
    assert_eq!(answers.len(), 3);
    assert_eq!(
        (&answers[0]["id"], &answers[2]["id"]),
        (&json!(1), &json!("x"))
    );
    assert!(answers[0]["result"]["queues"].is_array());
    assert_eq!(answers[1]["error"]["code"], RpcError::INVALID_REQUEST);
    assert_eq!(answers[1]["id"], Value::Null);
    // Nothing is answered to notifications, alone or together; the next answer is that of the next request.
    raw.send(r#"{"jsonrpc":"2.0","method":"queue.list"}"#).await;
    raw.send(r#"[{"jsonrpc":"2.0","method":"queue.list"},{"jsonrpc":"2.0","method":"job.submit","params":{"kind":"noop"}}]"#).await;
    raw.send("   ").await;
    let answer = raw
        .ask(r#"{"jsonrpc":"2.0","id":5,"method":"job.list"}"#)
        .await;
    assert_eq!(answer["id"], 5);
    assert_eq!(answer["result"]["jobs"].as_array().unwrap().len(), 1);
    setup.stop().await;
}

#[actix::test]
async fn a_batch_of_submits_is_answered_in_order() {
    let setup = start(Limits::default()).await;
    let mut raw = setup.raw().await;
    let submit = |id| request(id, "job.submit", &json!({ "kind": "noop" }));
    let batch: Vec<String> = (0..500).map(submit).collect();
    let answer = raw.ask(&format!("[{}]", batch.join(","))).await;
    let ids: Vec<u64> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (0..500).collect::<Vec<_>>());
    setup.stop().await;
}

#[actix::test]
async fn a_queue_is_paused_set_and_resumed() {
    let setup = start(Limits::default()).await;
    let mut client = setup.client().await;
    let paused = client.call("queue.pause", json!({ "queue": "q" })).await;
    assert_eq!(paused.unwrap()["queues"][0]["paused"], true);
    let submitted = client.call("job.submit", json!({ "kind": "noop" })).await;
    let id = submitted.unwrap()["job_id"].as_i64().unwrap();
    let set = json!({ "queue": "q", "slots": 7, "rate": "100/m" });
    let set = client.call("queue.set", set).await.unwrap();
    let counts = |queue: &Value| (queue["available"].clone(), queue["running"].clone());
    assert_eq!(
        counts(&set["queues"][0]),
        (json!(1), json!(0)),
        "as it is now"
    );
    let again = client.call("queue.pause", json!({ "queue": "q" })).await;
    assert_eq!(counts(&again.unwrap()["queues"][0]), (json!(1), json!(0)));
    assert_eq!(
        (&set["queues"][0]["slots"], &set["queues"][0]["rate"]),
        (&json!(7), &json!("100/m"))
    );
    let status = client.call("engine.status", json!({})).await.unwrap();
    assert_eq!(status["state"], "drained");
    assert_eq!(status["queues"][0]["available"], 1);
    let resumed = client.call("queue.resume", json!({ "queue": "all" })).await;
    assert_eq!(resumed.unwrap()["queues"][0]["paused"], false);
    client.subscribe(crate::model::JobId(id)).await.unwrap();
    while client.notification().await.unwrap().method != "job.ended" {}
    setup.stop().await;
}

#[actix::test]
async fn a_running_job_is_cancelled_and_run_again() {
    let setup = start(Limits::default()).await;
    let mut client = setup.client().await;
    let submitted = client.call("job.submit", json!({ "kind": "steps" })).await;
    let id = submitted.unwrap()["job_id"].as_i64().unwrap();
    let job = crate::model::JobId(id);
    client.subscribe(job).await.unwrap();
    setup.steps.send_replace(1);
    while client.notification().await.unwrap().params["job"]["percent"] != 1 {}
    let cancelled = client.call("job.cancel", json!({ "job_id": id })).await;
    assert_eq!(cancelled.unwrap()["requested"], true);
    let mut last = client.notification().await.unwrap();
    while last.method != "job.ended" {
        last = client.notification().await.unwrap();
    }
    assert_eq!(last.params["job"]["state"], "cancelled");
    let (code, _) = refused(&mut client, "job.cancel", json!({ "job_id": id })).await;
    assert_eq!(code, RpcError::CONFLICT);
    setup.steps.send_replace(100);
    let again = client.call("job.retry", json!({ "job_id": id })).await;
    assert_eq!(again.unwrap()["job_id"], id);
    client.subscribe(job).await.unwrap();
    let mut last = client.notification().await.unwrap();
    while last.method != "job.ended" {
        last = client.notification().await.unwrap();
    }
    assert_eq!(last.params["job"]["state"], "completed");
    setup.stop().await;
}

#[actix::test]
async fn how_long_a_job_will_take_is_told_if_somebody_can_know() {
    let setup = start(Limits::default()).await;
    let mut client = setup.client().await;
    let submitted = client.call("job.submit", json!({ "kind": "steps" })).await;
    let id = submitted.unwrap()["job_id"].as_i64().unwrap();
    client.subscribe(crate::model::JobId(id)).await.unwrap();
    setup.steps.send_replace(1);
    while client.notification().await.unwrap().params["job"]["percent"] != 1 {}
    let left = client.call("job.time_left", json!({ "job_id": id })).await;
    assert_eq!(
        left.unwrap(),
        json!({ "job_id": id, "eta_s": 60, "rollup": {} })
    );
    let waiting = client.call("job.waiting", json!({ "job_id": id })).await;
    let budget = json!({
        "reason": "budget", "text": "the key's budget is used up", "for": "the key's budget", "left_s": 8,
    });
    assert_eq!(waiting.unwrap(), json!({ "job_id": id, "waiting": budget }));
    let (code, _) = refused(&mut client, "job.waiting", json!({ "job_id": 99 })).await;
    assert_eq!(code, RpcError::NOT_FOUND);
    setup.steps.send_replace(100);
    while client.notification().await.unwrap().method != "job.ended" {}
    let left = client.call("job.time_left", json!({ "job_id": id })).await;
    assert_eq!(left.unwrap()["eta_s"], Value::Null);
    let (code, _) = refused(&mut client, "job.time_left", json!({ "job_id": 99 })).await;
    assert_eq!(code, RpcError::NOT_FOUND);
    setup.stop().await;
}

#[actix::test]
async fn a_drain_lets_running_jobs_end_and_a_stop_takes_no_more() {
    let setup = start(Limits::default()).await;
    let mut client = setup.client().await;
    client
        .call("job.submit", json!({ "kind": "steps" }))
        .await
        .unwrap();
    let queues = setup.engine.handle().queues.clone();
    while queues.named("q").unwrap().running() == 0 {
        tokio::task::yield_now().await;
    }
    let status = client.call("engine.drain", json!({})).await.unwrap();
    assert_eq!(
        (&status["state"], &status["running"]),
        (&json!("draining"), &json!(1))
    );
    setup.steps.send_replace(100);
    queues.idle().await;
    let status = client.call("engine.status", json!({})).await.unwrap();
    assert_eq!(status["state"], "drained");
    let stopping = client.call("engine.stop", json!({})).await.unwrap();
    assert_eq!(stopping["pid"], std::process::id());
    assert!(*setup.stop.borrow());
    let (code, message) = refused(&mut client, "job.submit", json!({ "kind": "noop" })).await;
    assert_eq!(code, RpcError::UNAVAILABLE);
    assert!(message.contains("riftsync serve"), "{message}");
    setup.engine.stop().await.unwrap();
    client.closed().await;
    assert!(!setup.socket().exists(), "the socket goes with its engine");
    setup.store.close().await.unwrap();
}

#[actix::test]
async fn a_key_is_taken_and_never_told_again() {
    let setup = start(Limits::default()).await;
    let mut client = setup.client().await;
    let other = client.call("key.set", json!({ "key": "other" })).await;
    assert_eq!(other.unwrap()["replaced"], true);
    let same = client.call("key.set", json!({ "key": "same" })).await;
    assert_eq!(same.unwrap()["replaced"], false);
    for wrong in [
        json!({ "key": "SECRET" }),
        json!({ "SECRET": 1 }),
        json!({ "key": { "SECRET": 1 } }),
    ] {
        let (code, message) = refused(&mut client, "key.set", wrong).await;
        assert_eq!(code, RpcError::INVALID_PARAMS);
        assert!(!message.contains("SECRET"), "{message}");
    }
    setup.stop().await;
}

#[actix::test]
async fn the_socket_is_for_nobody_else() {
    let setup = start(Limits::default()).await;
    let mode = std::fs::metadata(setup.socket()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    setup.stop().await;
}

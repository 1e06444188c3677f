//! What clients should not do: none of it reaches another client.

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::control::ClientError;
use crate::control::rpc::RpcError;

fn short() -> Limits {
    Limits {
        half_line: Duration::from_millis(300),
        idle: Duration::from_millis(300),
        line_bytes: 10_000,
        ..Limits::default()
    }
}

/// An answer to a good request says that the server is well.
async fn is_well(setup: &Setup) {
    let status = setup.client().await.call("engine.status", json!({})).await;
    assert_eq!(status.unwrap()["state"], "running");
}

#[actix::test]
async fn a_line_that_is_too_long_is_refused_and_the_next_is_answered() {
    let setup = start(Limits::default()).await;
    let mut raw = setup.raw().await;
    let mut writer = raw.writer;
    let long = tokio::spawn(async move {
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..10 {
            writer.write_all(&chunk).await.unwrap();
        }
        writer.write_all(b"\n").await.unwrap();
        writer
    });
    is_well(&setup).await;
    raw.writer = long.await.unwrap();
    assert_eq!(raw.line().await.unwrap()["error"]["code"], RpcError::LIMIT);
    let answer = raw.ask(&request(1, "engine.status", &json!({}))).await;
    assert_eq!(answer["id"], 1);
    setup.stop().await;
}

#[actix::test]
async fn deep_json_is_refused_without_a_crash() {
    let setup = start(Limits::default()).await;
    let mut raw = setup.raw().await;
    for open in [
        "[",
        r#"{"a":"#,
        r#"{"jsonrpc":"2.0","method":"job.get","id":1,"params":"#,
    ] {
        let deep = open.repeat(1_000_000 / open.len());
        assert_eq!(raw.ask(&deep).await["error"]["code"], RpcError::PARSE);
    }
    let deep = "[".repeat(400_000) + &"]".repeat(400_000);
    let args = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"job.submit","params":{{"kind":"noop","args":{deep}}}}}"#
    );
    assert_eq!(
        raw.ask(&args).await["error"]["code"],
        RpcError::INVALID_PARAMS
    );
    is_well(&setup).await;
    setup.stop().await;
}

#[actix::test]
async fn a_line_that_is_never_finished_and_a_silent_connection_are_closed_and_told_why() {
    let setup = start(short()).await;
    let mut half = setup.raw().await;
    half.writer
        .write_all(br#"{"jsonrpc":"2.0","#)
        .await
        .unwrap();
    let mut silent = setup.raw().await;
    for raw in [&mut half, &mut silent] {
        let told = raw.line().await.unwrap();
        assert_eq!(told["error"]["code"], RpcError::TIMEOUT, "{told}");
        assert_eq!(raw.line().await, None);
    }
    is_well(&setup).await;
    setup.stop().await;
}

#[actix::test]
async fn a_line_in_drips_is_not_a_way_around_the_time_limit() {
    let setup = start(short()).await;
    let mut raw = setup.raw().await;
    let told = loop {
        tokio::select! {
            line = raw.reader.fill_buf() => break line.unwrap().len(),
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                if raw.writer.write_all(b"x").await.is_err() { break 0 }
            }
        }
    };
    assert!(told > 0);
    setup.stop().await;
}

#[actix::test]
async fn one_who_follows_a_job_is_not_sent_away_for_being_silent() {
    let setup = start(short()).await;
    let mut client = setup.client().await;
    let submitted = client.call("job.submit", json!({ "kind": "steps" })).await;
    let id = crate::model::JobId(submitted.unwrap()["job_id"].as_i64().unwrap());
    client.subscribe(id).await.unwrap();
    // Another who came later is sent away; then the first would have been long ago.
    let mut silent = setup.raw().await;
    assert!(silent.line().await.is_some());
    setup.steps.send_replace(100);
    while client.notification().await.unwrap().method != "job.ended" {}
    setup.stop().await;
}

#[actix::test]
async fn the_connection_over_the_limit_is_told_so_and_a_place_that_is_free_again_is_given() {
    let setup = start(Limits::default()).await;
    let mut raws = Vec::new();
    for n in 0..64 {
        let mut raw = setup.raw().await;
        raw.ask(&request(n, "queue.list", &json!({}))).await;
        raws.push(raw);
    }
    let mut one_more = setup.raw().await;
    let told = one_more.line().await.unwrap();
    assert_eq!(told["error"]["code"], RpcError::LIMIT);
    assert!(told["error"]["message"].as_str().unwrap().contains("64"));
    assert_eq!(one_more.line().await, None);
    drop(raws.pop());
    // The server notices a moment later that the place is free.
    loop {
        let mut raw = setup.raw().await;
        raw.offer(&request(1, "queue.list", &json!({}))).await;
        if raw.line().await.is_some_and(|answer| answer["id"] == 1) {
            break;
        }
    }
    setup.stop().await;
}

#[actix::test]
async fn two_hundred_connections_at_once_are_served_or_told() {
    let setup = start(Limits::default()).await;
    let visits = (0..200).map(async |n| {
        let mut raw = setup.raw().await;
        raw.offer(&request(n, "queue.list", &json!({}))).await;
        let answer = raw.line().await.unwrap();
        assert!(
            answer["id"] == n || answer["error"]["code"] == RpcError::LIMIT,
            "{answer}"
        );
    });
    join_all(visits).await;
    // It has yet to notice that they are closed.
    let limit = |error: &ClientError| matches!(error, ClientError::Refused(error) if error.code == RpcError::LIMIT);
    while let Err(error) = setup.client().await.call("engine.status", json!({})).await {
        assert!(limit(&error), "{error}");
        tokio::task::yield_now().await;
    }
    is_well(&setup).await;
    setup.stop().await;
}

/// Good parameters of every method: what a person could have meant.
fn examples() -> Value {
    let order = json!({ "kind": "noop", "args": {}, "priority": 3, "delay_s": 5, "after": [], "on_failure": "cancel" });
    let mut all = json!({
        "job.submit": order, "job.submit_batch": { "jobs": [order] }, "job.get": { "job_id": 99 },
        "job.list": { "state": "running", "kind": "noop", "queue": "q", "limit": 3, "before": 9 },
        "job.cancel": { "job_id": 99 }, "job.retry": { "job_id": 99 }, "job.time_left": { "job_id": 99 },
        "job.waiting": { "job_id": 99 }, "job.family": { "job_id": 99 },
        "job.subscribe": { "job_id": 99 }, "job.unsubscribe": { "subscription": 99 },
        "queue.list": {}, "queue.pause": { "queue": "nope" }, "queue.resume": { "queue": "q" },
        "queue.set": { "queue": "q", "slots": 4, "rate": "none" },
        "engine.status": {}, "engine.health": {}, "engine.waiting": {}, "engine.metrics": {}, "engine.history": {}, "engine.settings": {}, "data.sizes": {}, "engine.drain": {}, "engine.stop": {},
    });
    let more = json!({
        "key.set": { "key": "same" }, "key.share": { "share": "80%", "route": "europe" },
        "player.stats": { "riot_id": "A#B", "year": 2025 }, "player.locate": { "riot_id": "A#KR1" },
        "match.get": { "match_id": "KR_1", "timezone": "UTC" },
        "player.year": { "riot_id": "A#B", "year": 2025, "platform": "kr", "timezone": "UTC" },
        "player.rank": { "riot_id": "A#B", "changes": 3, "champions": 3 },
        "player.track": { "riot_id": "A#B" }, "player.untrack": { "riot_id": "A#B" },
        "player.tracked": { "limit": 3 }, "schedule.list": {}, "schedule.remove": { "name": "x" },
        "schedule.pause": { "name": "x" }, "schedule.resume": { "name": "x" }, "schedule.runs": { "name": "x", "limit": 3 },
        "schedule.add": { "name": "x", "when": "every 1h", "kind": "noop", "args": {}, "timezone": "UTC", "catch_up": "skip" },
    });
    let more = more.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(more);
    all
}

#[actix::test]
async fn a_wrong_type_in_any_place_of_any_method_is_refused_as_the_askers_mistake() {
    let setup = start(Limits::default()).await;
    let mut raw = setup.raw().await;
    let nope = raw.ask(&request(0, "engine.nope", &json!({}))).await;
    let methods = nope["error"]["data"]["methods"].as_array().unwrap().clone();
    let examples = examples();
    assert_eq!(methods.len(), examples.as_object().unwrap().len());
    let values = [
        json!(true),
        json!(-7),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!("x\u{0}y"),
        json!([]),
        json!([[{}]]),
        json!({}),
        json!({ "a": null }),
    ];
    let kind = |value: &Value| match value {
        Value::Number(number) if number.as_u64().is_none_or(|n| n == u64::MAX) => None,
        other => Some(std::mem::discriminant(other)),
    };
    for method in methods.iter().map(|method| method.as_str().unwrap()) {
        let good = &examples[method];
        let wholes = [json!("text"), json!(3), json!(true), json!([1])];
        let mut wrong: Vec<(Value, bool)> = wholes.map(|whole| (whole, false)).to_vec();
        let mut unknown = good.clone();
        unknown["no_such_field"] = json!(1);
        wrong.push((unknown, false));
        for (field, value) in good.as_object().unwrap() {
            for other in values.iter().filter(|other| kind(other) != kind(value)) {
                let mut params = good.clone();
                params[field] = other.clone();
                // Another number may be one all the same.
                wrong.push((params, value.is_number() && other.is_number()));
            }
        }
        for (params, may_be_meant) in wrong {
            let answer = raw.ask(&request(1, method, &params)).await;
            let code = answer["error"]["code"].as_i64();
            let refused = [RpcError::INVALID_PARAMS, RpcError::INVALID_REQUEST].map(i64::from);
            let is_refused = code.is_some_and(|code| refused.contains(&code));
            // There is just no such thing, or it is taken for what it can be.
            let is_answered = code.is_none_or(|code| code == i64::from(RpcError::NOT_FOUND));
            assert!(
                is_refused || (may_be_meant && is_answered),
                "{method} {params}: {answer}"
            );
        }
    }
    is_well(&setup).await;
    setup.stop().await;
}

#[actix::test]
async fn one_who_asks_for_much_and_does_not_read_waits_for_itself_and_gets_every_answer() {
    let setup = start(Limits::default()).await;
    let mut greedy = setup.raw().await;
    let lines: Vec<String> = (0..1_000)
        .map(|n| request(n, "engine.metrics", &json!({})))
        .collect();
    greedy.send(&format!("[{}]", lines.join(","))).await;
    for _ in 0..20 {
        is_well(&setup).await;
    }
    let answers = greedy.line().await.unwrap();
    let ids = answers.as_array().unwrap().iter();
    let ids: Vec<u64> = ids.map(|answer| answer["id"].as_u64().unwrap()).collect();
    assert!(ids.iter().copied().eq(0..1_000), "{} answers", ids.len());
    setup.stop().await;
}

/// Pieces of what clients send, good and bad, cut anywhere.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let examples = examples();
    let methods = examples.as_object().unwrap().keys().cloned();
    // One that ends the engine, by good luck, would end the test.
    let methods = methods.filter(|method| !["engine.stop", "engine.drain"].contains(&&**method));
    let methods: Vec<String> = methods.chain(["engine.nope".to_owned()]).collect();
    let methods = prop::sample::select(methods);
    let value = prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(|n| json!(n)),
        ".{0,20}".prop_map(|text| json!(text)),
        Just(json!([])),
        Just(json!({})),
        any::<f64>().prop_map(|n| json!(n)),
        any::<bool>().prop_map(|b| json!(b)),
        Just(json!({ "kind": "noop" })),
        Just(json!([{ "kind": "noop" }, 3])),
    ];
    let names = prop::sample::select(vec![
        "job_id",
        "kind",
        "args",
        "jobs",
        "queue",
        "slots",
        "rate",
        "limit",
        "state",
        "subscription",
        "riot_id",
        "name",
        "when",
        "key",
        "x",
    ]);
    let params = prop::collection::hash_map(names, value.clone(), 0..4).prop_map(|map| json!(map));
    let params = prop_oneof![3 => params, 1 => value.clone()];
    let request = (methods, params, value).prop_map(|(method, params, id)| {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    });
    let line = prop_oneof![
        4 => request.clone().prop_map(|request| request.to_string().into_bytes()),
        1 => prop::collection::vec(request.clone(), 0..5).prop_map(|batch| json!(batch).to_string().into_bytes()),
        2 => (request, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(request, at, byte)| {
            let mut line = request.to_string().into_bytes();
            let at = at.index(line.len());
            line[at] = byte;
            line
        }),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (1_usize..30_000).prop_map(|length| vec![b'['; length]),
    ];
    let end = prop_oneof![9 => Just(&b"\n"[..]), 1 => Just(&b""[..])];
    prop::collection::vec((line, end), 0..12).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(line, end)| [line, end.to_vec()].concat())
            .collect()
    })
}

#[actix::test]
async fn whatever_is_sent_nothing_crashes_and_the_others_are_answered() {
    let setup = start(short()).await;
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]),
    );
    let mut steady = setup.client().await;
    for round in 0..24 {
        let visits: Vec<Vec<u8>> = (0..8)
            .map(|_| garbage().new_tree(&mut runner).unwrap().current())
            .collect();
        let visits = visits.into_iter().map(async |bytes| {
            let raw = setup.raw().await;
            let (mut reader, mut writer) = (raw.reader, raw.writer);
            let write = async move {
                let _ = writer.write_all(&bytes).await;
                // Half of them go away, the others close only their side.
                drop(writer);
            };
            let read = async move {
                let mut line = Vec::new();
                while matches!(reader.read_until(b'\n', &mut line).await, Ok(1..)) {
                    let _: Value = serde_json::from_slice(&line).expect("every answer is JSON");
                    line.clear();
                }
            };
            if round % 2 == 0 {
                write.await;
            } else {
                futures_util::future::join(write, read).await;
            }
        });
        join_all(visits).await;
        // The same connection all along: it is never disturbed. Fuzzed requests may have paused nothing.
        let queues = steady.call("queue.list", json!({})).await.unwrap();
        assert_eq!(queues["queues"][0]["queue"], "q");
    }
    let children = setup.engine.restarts().await;
    assert!(
        children.iter().all(|(_, restarts)| *restarts == 0),
        "{children:?}"
    );
    setup.steps.send_replace(100);
    setup.stop().await;
}

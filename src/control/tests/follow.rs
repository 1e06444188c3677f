//! Following jobs: quick readers, slow ones, and those that only listen.

use super::*;
use crate::model::JobId;

async fn submit_steps(setup: &Setup) -> JobId {
    let mut client = setup.client().await;
    let submitted = client.call("job.submit", json!({ "kind": "steps" })).await;
    JobId(submitted.unwrap()["job_id"].as_i64().unwrap())
}

#[actix::test]
async fn progress_and_the_end_are_told_and_then_nothing_more() {
    let setup = start(Limits::default()).await;
    let id = submit_steps(&setup).await;
    let mut client = setup.client().await;
    let (subscription, _) = client.subscribe(id).await.unwrap();
    let mut percents = Vec::new();
    for step in [10, 50, 100] {
        setup.steps.send_replace(step);
        loop {
            let told = client.notification().await.unwrap();
            assert_eq!(told.params["subscription"], subscription);
            percents.push(told.params["job"]["percent"].as_u64().unwrap());
            let over = told.method == "job.ended";
            assert_eq!(over, told.params["job"]["state"] == "completed");
            if over || percents.last() == Some(&u64::from(step)) && step != 100 {
                break;
            }
        }
    }
    assert!(percents.is_sorted(), "{percents:?}");
    // The connection goes on, and what was followed to its end is told no more.
    let status = client.call("engine.status", json!({})).await.unwrap();
    assert_eq!(status["running"], 0);
    setup.stop().await;
}

#[actix::test]
async fn a_job_that_has_ended_is_told_at_once_to_everybody_who_asks() {
    let setup = start(Limits::default()).await;
    setup.steps.send_replace(100);
    let id = submit_steps(&setup).await;
    for _ in 0..3 {
        let mut client = setup.client().await;
        client.subscribe(id).await.unwrap();
        while client.notification().await.unwrap().method != "job.ended" {}
        client.subscribe(id).await.unwrap();
        while client.notification().await.unwrap().method != "job.ended" {}
    }
    setup.stop().await;
}

#[actix::test]
async fn one_who_does_not_read_stalls_nobody_and_finds_the_end_when_reading_again() {
    let setup = start(Limits::default()).await;
    let id = submit_steps(&setup).await;
    let mut slow = setup.raw().await;
    // So many that what is told of one step is more than the socket holds.
    let lines: Vec<String> = (0..900)
        .map(|n| request(n, "job.subscribe", &json!({ "job_id": id })))
        .collect();
    slow.send(&format!("[{}]", lines.join(","))).await;
    assert_eq!(slow.line().await.unwrap().as_array().unwrap().len(), 900);
    let mut quick = setup.client().await;
    quick.subscribe(id).await.unwrap();
    for step in 1..=100 {
        setup.steps.send_replace(step);
        let told = quick.notification().await.unwrap();
        if told.method == "job.ended" {
            break;
        }
    }
    while setup.store.open_jobs().await.unwrap() > 0 {
        quick.notification().await.unwrap();
    }
    let mut ended = std::collections::HashSet::new();
    let mut told = 0;
    while ended.len() < 900 {
        let line = slow.line().await.unwrap();
        told += 1;
        if line["method"] == "job.ended" {
            assert_eq!(line["params"]["job"]["state"], "completed");
            assert!(ended.insert(line["params"]["subscription"].as_u64().unwrap()));
        }
    }
    assert!(told < 900 * 100, "what was missed is not kept: {told}");
    setup.stop().await;
}

#[actix::test]
async fn one_who_writes_no_more_is_still_told_the_end_and_the_connection_closes_after_it() {
    let setup = start(Limits::default()).await;
    let id = submit_steps(&setup).await;
    let mut raw = setup.raw().await;
    raw.send(&request(1, "job.subscribe", &json!({ "job_id": id })))
        .await;
    raw.writer.shutdown().await.unwrap();
    setup.steps.send_replace(100);
    let mut last = Value::Null;
    while let Some(line) = raw.line().await {
        last = line;
    }
    assert_eq!(last["method"], "job.ended");
    setup.stop().await;
}

#[actix::test]
async fn nobody_is_told_of_a_subscription_that_was_given_up() {
    let setup = start(Limits::default()).await;
    let id = submit_steps(&setup).await;
    let mut client = setup.client().await;
    let (first, _) = client.subscribe(id).await.unwrap();
    let (second, _) = client.subscribe(id).await.unwrap();
    let gone = json!({ "subscription": first });
    client.call("job.unsubscribe", gone).await.unwrap();
    setup.steps.send_replace(100);
    loop {
        let told = client.notification().await.unwrap();
        // That it runs may have been told before.
        let before = told.params["job"]["percent"] == 0;
        assert!(before || told.params["subscription"] == second);
        if told.method == "job.ended" {
            break;
        }
    }
    setup.stop().await;
}

#[actix::test]
async fn what_was_given_up_leaves_nothing_behind() {
    let setup = start(Limits::default()).await;
    let id = submit_steps(&setup).await;
    let mut client = setup.client().await;
    let (kept, _) = client.subscribe(id).await.unwrap();
    for n in 1..=200_u64 {
        let (subscription, _) = client.subscribe(id).await.unwrap();
        assert_eq!(subscription, kept + n);
        let gone = json!({ "subscription": subscription });
        client.call("job.unsubscribe", gone).await.unwrap();
    }
    // The one that is kept, and at most the one that was given up last.
    let followers = setup.followers(id);
    assert!((1..=2).contains(&followers), "{followers}");
    // Many of them in one line.
    let batch: Vec<String> = (1..=200_u64)
        .flat_map(|n| {
            let gone = json!({ "subscription": n });
            [
                request(n, "job.subscribe", &json!({ "job_id": id })),
                request(n, "job.unsubscribe", &gone),
            ]
        })
        .collect();
    let mut raw = setup.raw().await;
    for _ in 0..2 {
        raw.send(&format!("[{}]", batch.join(","))).await;
        raw.line().await.unwrap();
        let followers = setup.followers(id);
        assert!(followers <= 203, "{followers}");
    }
    setup.steps.send_replace(100);
    while client.notification().await.unwrap().method != "job.ended" {}
    setup.stop().await;
}

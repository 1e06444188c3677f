//! The way in for the process that the engine is inside of.

use super::*;

#[actix::test]
async fn the_process_that_the_engine_is_inside_of_asks_it_as_others_do_and_is_no_other() {
    let setup = start(Limits::default()).await;
    let mut own = setup.own.connect().unwrap();
    assert!(own.is_inside());
    let status = own.call("engine.status", json!({})).await.unwrap();
    assert_eq!(status["state"], "running");
    let order = json!({ "kind": "steps", "args": {} });
    let id = own.call("job.submit", order).await.unwrap()["job_id"].clone();
    let id = JobId(id.as_i64().unwrap());
    own.subscribe(id).await.unwrap();
    let control = setup.control.get().unwrap();
    assert!(control.followed().is_empty(), "it follows its own job");
    let mut other = setup.client().await;
    other.subscribe(id).await.unwrap();
    assert_eq!(control.followed().len(), 1);
    setup.steps.send_replace(100);
    for client in [&mut own, &mut other] {
        while client.notification().await.unwrap().method != "job.ended" {}
    }
    // To it, no line is too long and no batch too large.
    let noop = json!({ "kind": "noop", "args": { "key": "x".repeat(200) } });
    let many = json!({ "jobs": vec![noop; 11_000] });
    let batch = own.call("job.submit_batch", many.clone()).await.unwrap();
    assert_eq!(batch["jobs"].as_array().unwrap().len(), 11_000);
    let refused = other.call("job.submit_batch", many).await.unwrap_err();
    assert!(refused.to_string().contains("longer than"), "{refused}");
    setup.stop().await;
}

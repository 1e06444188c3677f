//! What is open under a job, on a fresh database of each kind.

use std::sync::Arc;
use std::time::Duration;

use riftsync::model::{Failure, JobId, JobState, NewJob, Outcome};
use riftsync::store::Store;

use crate::place::on_each_store;
use crate::store::{NOW, claim_one, end, new_job, settle};

on_each_store! { tokio::test;
    a_tree_shows_what_is_open_with_its_engine_its_time_and_why_it_failed,
    a_large_tree_is_walked_no_further_than_wanted,
}

fn child(key: &str) -> NewJob {
    NewJob {
        queue: "children",
        lane: "europe",
        ..new_job("child", Some(key))
    }
}

async fn parent_of(store: &dyn Store, children: Vec<NewJob>) -> JobId {
    let id = store
        .enqueue(vec![new_job("parent", None)], NOW)
        .await
        .unwrap()[0]
        .id;
    let lease = claim_one(store, "q").await;
    let mut done = end(Outcome::Complete(serde_json::json!({})));
    done.children = children;
    let _ = settle(store, lease, done).await;
    id
}

async fn a_tree_shows_what_is_open_with_its_engine_its_time_and_why_it_failed(
    store: Arc<dyn Store>,
) {
    let children = ["a", "b", "c", "d"].map(child).to_vec();
    let id = parent_of(&*store, children).await;
    let failed = claim_one(&*store, "children").await;
    let failure = Failure::new("unavailable", "HTTP 503").retryable();
    let _ = settle(&*store, failed, end(Outcome::Retry(failure))).await;
    let done = claim_one(&*store, "children").await;
    let _ = settle(&*store, done, end(Outcome::Complete(serde_json::json!({})))).await;
    let running = claim_one(&*store, "children").await;
    let tree = store.open_tree(id, 100).await.unwrap();
    assert_eq!(
        (tree[0].id, tree[0].state, tree[0].lane.as_str()),
        (id, JobState::Blocked, "")
    );
    let of = |job: JobId| tree.iter().find(|open| open.id == job);
    assert!(of(done.job).is_none(), "what is over is left out");
    let failed = of(failed.job).unwrap();
    assert_eq!(failed.state, JobState::Retryable);
    assert_eq!(failed.why.as_deref(), Some("HTTP 503"));
    assert_eq!(failed.run_at, NOW + Duration::from_secs(5));
    let running = of(running.job).unwrap();
    assert_eq!(
        (
            running.state,
            running.engine.as_deref(),
            running.lane.as_str()
        ),
        (JobState::Running, Some("e1"), "europe")
    );
    assert_eq!(tree.len(), 4);
    assert!(store.open_tree(JobId(9_999), 100).await.unwrap().is_empty());
}

async fn a_large_tree_is_walked_no_further_than_wanted(store: Arc<dyn Store>) {
    let children = (0..200).map(|n| child(&n.to_string())).collect();
    let id = parent_of(&*store, children).await;
    let tree = store.open_tree(id, 50).await.unwrap();
    assert_eq!((tree.len(), tree[0].id), (50, id));
}

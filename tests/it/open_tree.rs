//! What is open under a job, on a fresh database of each kind.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use riftsync::model::{Failure, JobId, JobState, NewJob, Outcome, Priority};
use riftsync::store::Store;

use crate::place::on_each_store;
use crate::store::{NOW, claim_one, end, new_job, settle};

on_each_store! { tokio::test;
    a_tree_shows_what_is_open_with_its_engine_its_time_and_why_it_failed,
    a_job_knows_who_counts_it_and_which_of_its_children_are_open,
    a_large_tree_is_walked_no_further_than_wanted,
    who_joins_a_job_takes_its_tree_along_and_what_it_spawns_later,
    what_open_children_came_to_counts_before_they_end,
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

async fn a_job_knows_who_counts_it_and_which_of_its_children_are_open(store: Arc<dyn Store>) {
    let top = parent_of(&*store, ["a", "b", "c"].map(child).to_vec()).await;
    let middle = claim_one(&*store, "children").await;
    let mut done = end(Outcome::Complete(serde_json::json!({})));
    done.children = vec![child("d")];
    let waits = middle.job;
    let _ = settle(&*store, middle, done).await;
    let over = claim_one(&*store, "children").await;
    let over_id = over.job;
    let _ = settle(&*store, over, end(Outcome::Complete(serde_json::json!({})))).await;
    let family = store.family(top, 9).await.unwrap();
    assert!(
        family
            .iter()
            .all(|(id, steps)| *steps == 1 && *id != over_id)
    );
    assert_eq!(family.len(), 2, "what is over is left out: {family:?}");
    assert_eq!(store.family(top, 1).await.unwrap().len(), 1);
    let below = store.family(waits, 9).await.unwrap();
    assert_eq!((below[0], below.len()), ((top, -1), 2), "{below:?}");
    let bottom = below[1].0;
    assert_eq!(
        store.family(bottom, 9).await.unwrap(),
        [(top, -2), (waits, -1)]
    );
    assert_eq!(store.family(JobId(9_999), 9).await.unwrap(), []);
}

async fn a_large_tree_is_walked_no_further_than_wanted(store: Arc<dyn Store>) {
    let children = (0..200).map(|n| child(&n.to_string())).collect();
    let id = parent_of(&*store, children).await;
    let tree = store.open_tree(id, 50).await.unwrap();
    assert_eq!((tree.len(), tree[0].id), (50, id));
}

/// A player's job that waits for its matches: one is done and waits for its timeline, one runs, one is there to be claimed.
async fn who_joins_a_job_takes_its_tree_along_and_what_it_spawns_later(store: Arc<dyn Store>) {
    let crawled = |job: NewJob| NewJob {
        priority: Priority::new(6),
        ..job
    };
    let parent = || new_job("parent", Some("p"));
    let brought = store.enqueue(vec![crawled(parent())], NOW).await.unwrap();
    let lease = claim_one(&*store, "q").await;
    let mut done = end(Outcome::Complete(serde_json::json!({})));
    done.children = ["a", "b", "c"].map(child).map(crawled).to_vec();
    let _ = settle(&*store, lease, done).await;
    let spawns = |key: &str| {
        let mut done = end(Outcome::Complete(serde_json::json!({})));
        done.children = vec![crawled(NewJob {
            queue: "timelines",
            ..new_job("grandchild", Some(key))
        })];
        done
    };
    let [waits, runs] = [
        claim_one(&*store, "children").await,
        claim_one(&*store, "children").await,
    ];
    let _ = settle(&*store, waits, spawns("a")).await;
    while store.hints().cancels().notified().now_or_never().is_some() {}
    while store
        .hints()
        .queue("timelines")
        .notified()
        .now_or_never()
        .is_some()
    {}

    let hurried = NewJob {
        priority: Priority::INTERACTIVE,
        ..parent()
    };
    let joined = store.enqueue(vec![hurried], NOW).await.unwrap();
    assert_eq!((joined[0].id, joined[0].joined), (brought[0].id, true));
    store.hints().cancels().notified().await;
    store.hints().queue("timelines").notified().await;
    let mut ids = Vec::new();
    for open in store.open_tree(brought[0].id, 100).await.unwrap() {
        ids.push(open.id);
    }
    assert_eq!(ids.len(), 5);
    for job in store.jobs_by_id(&ids).await.unwrap() {
        assert_eq!(job.priority, Priority::INTERACTIVE, "{job:?}");
    }
    let held = store.held("e1").await.unwrap();
    assert_eq!(held, [(runs, Priority::INTERACTIVE)]);
    // It was begun as part of the crawl, and its task knows no better.
    let _ = settle(&*store, runs, spawns("b")).await;
    let urgent: u64 = (store.backlog().await.unwrap().iter())
        .filter(|waiting| waiting.queue == "timelines")
        .map(|waiting| {
            assert_eq!(waiting.priority, Priority::INTERACTIVE);
            waiting.jobs
        })
        .sum();
    assert_eq!(urgent, 2);
    // Who is in less of a hurry changes nothing.
    store.enqueue(vec![crawled(parent())], NOW).await.unwrap();
    let job = store.job(brought[0].id).await.unwrap().unwrap();
    assert_eq!(job.priority, Priority::INTERACTIVE);
}

async fn what_open_children_came_to_counts_before_they_end(store: Arc<dyn Store>) {
    let batch = vec![new_job("player", Some("1")), new_job("player", Some("2"))];
    let batch = store.enqueue_batch(batch, NOW).await.unwrap().id;
    for _ in 0..2 {
        let lease = claim_one(&*store, "q").await;
        let mut done = end(Outcome::Complete(serde_json::json!({})));
        done.children = (0..3)
            .map(|n| child(&format!("{}/{n}", lease.job)))
            .collect();
        let _ = settle(&*store, lease, done).await;
    }
    for done in 1..=6 {
        let lease = claim_one(&*store, "children").await;
        let _ = settle(
            &*store,
            lease,
            end(Outcome::Complete(serde_json::json!({}))),
        )
        .await;
        let so_far = store.so_far(batch).await.unwrap();
        let [players, matches] = ["player", "child"].map(|kind| so_far.rollup.of(kind));
        assert_eq!((players.total, players.completed), (2, 2));
        assert_eq!((matches.total, matches.completed), (6, done));
        assert_eq!(so_far.children_pending, u64::from(6 - done));
    }
    assert_eq!(
        store.so_far(JobId(9_999)).await.unwrap().rollup.kinds.len(),
        0
    );
}

//! What every store must do: each case runs on a fresh database of each kind.

use std::sync::Arc;
use std::time::Duration;

use riftsync::model::records::PayloadKind;
use riftsync::model::suspicion::Death;
use riftsync::model::{
    After, Failure, JobId, JobState, Lease, MissingDocument, MissingReason, NewJob, OnFailure,
    Outcome, Priority, Timestamp, attempt,
};
use riftsync::store::{
    Cancelled, Completion, Effect, EngineInfo, Fenced, JobFilter, JobList, Retried, Store, Wanted,
};
use serde_json::json;

use crate::place::on_each_store;

pub const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub fn new_job(kind: &'static str, key: Option<&str>) -> NewJob {
    NewJob {
        kind,
        queue: "q",
        lane: "",
        key: key.map(str::to_owned),
        args: "{}".to_owned(),
        priority: Priority::DEFAULT,
        max_attempts: 3,
        run_at: None,
        after: After::default(),
    }
}

pub fn end(outcome: Outcome) -> Completion {
    Completion::of(attempt::settle(1, 3, outcome, Duration::from_secs(5), NOW))
}

pub async fn claim_one(store: &dyn Store, queue: &str) -> Lease {
    let mut claimed = store.claim(Wanted::of(queue, 1), "e1", NOW).await.unwrap();
    assert_eq!(claimed.len(), 1, "a job is available in {queue}");
    claimed.remove(0).lease
}

pub async fn settle(store: &dyn Store, lease: Lease, completion: Completion) -> Fenced {
    store
        .settle(lease, Arc::new(completion), NOW)
        .await
        .unwrap()
}

async fn state(store: &dyn Store, id: JobId) -> JobState {
    store.job(id).await.unwrap().unwrap().state
}

on_each_store! { tokio::test;
    a_second_open_job_with_a_key_joins_the_first_and_lends_it_its_priority,
    jobs_are_claimed_once_by_priority_then_by_age,
    an_attempt_that_lost_its_lease_changes_nothing_and_is_counted,
    an_end_that_comes_after_the_job_was_handed_back_changes_nothing,
    a_failed_job_waits_for_its_time_and_keeps_why,
    a_waiting_job_that_is_asked_for_again_runs_now,
    a_parent_finishes_with_its_last_descendant_in_the_same_commit,
    a_child_shared_by_two_parents_finishes_both,
    a_job_alone_in_three_engines_that_died_by_themselves_is_discarded,
    engines_that_are_killed_make_no_suspects_and_discard_nothing,
    suspects_run_in_groups_that_shrink_with_each_death_and_survivors_are_none,
    when_one_runs_alone_its_engines_death_is_its_own,
    released_jobs_get_their_attempt_back,
    flows_take_turns_whatever_their_size,
    children_come_behind_those_that_waited_before_one_of_them_raised_another,
    a_job_that_comes_after_others_waits_for_the_last_of_them,
    when_what_it_comes_after_fails_a_job_is_cancelled_or_runs_anyway_as_it_said,
    a_batch_ends_with_the_last_of_its_jobs_and_an_empty_one_at_once,
    a_cancelled_parent_takes_the_children_along_that_nobody_else_wants,
    a_running_job_that_is_to_be_cancelled_is_neither_tried_again_nor_handed_back,
    a_failed_job_that_is_retried_has_all_its_attempts_and_keeps_its_history,
    finished_jobs_are_pruned_a_few_at_a_time_and_open_ones_stay,
    jobs_are_listed_newest_first_by_what_they_are_and_in_pages,
    a_list_looks_at_a_bounded_number_of_jobs_and_says_where_to_go_on,
    open_jobs_are_counted_by_queue_and_state_whatever_they_wait_for,
    progress_tells_how_long_jobs_wait_and_when_one_ended,
}

async fn a_second_open_job_with_a_key_joins_the_first_and_lends_it_its_priority(
    store: Arc<dyn Store>,
) {
    let urgent = NewJob {
        priority: Priority::INTERACTIVE,
        ..new_job("k", Some("a"))
    };
    let done = store
        .enqueue(
            vec![new_job("k", Some("a")), urgent, new_job("k", Some("b"))],
            NOW,
        )
        .await
        .unwrap();
    assert_eq!(
        (done[0].joined, done[1].joined, done[2].joined),
        (false, true, false)
    );
    assert_eq!(done[0].id, done[1].id);
    let job = store.job(done[0].id).await.unwrap().unwrap();
    assert_eq!(job.priority, Priority::INTERACTIVE);

    let lease = claim_one(&*store, "q").await;
    assert_eq!(lease.job, done[0].id, "the more urgent job is first");
    let _ = settle(&*store, lease, end(Outcome::Complete(json!(null)))).await;
    let again = store
        .enqueue(vec![new_job("k", Some("a"))], NOW)
        .await
        .unwrap();
    assert!(!again[0].joined, "a finished job is not joined");
}

async fn jobs_are_claimed_once_by_priority_then_by_age(store: Arc<dyn Store>) {
    let jobs: Vec<_> = (0..10_u8)
        .map(|n| NewJob {
            priority: Priority::new(n % 2),
            ..new_job("k", None)
        })
        .collect();
    let ids: Vec<_> = store
        .enqueue(jobs, NOW)
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.id.0)
        .collect();
    let mut claimed = Vec::new();
    loop {
        let batch = store.claim(Wanted::of("q", 3), "e1", NOW).await.unwrap();
        if batch.is_empty() {
            break;
        }
        claimed.extend(batch.into_iter().map(|job| job.lease.job.0));
    }
    let expected: Vec<_> = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9].map(|n: usize| ids[n]).into();
    assert_eq!(claimed, expected);
}

async fn an_attempt_that_lost_its_lease_changes_nothing_and_is_counted(store: Arc<dyn Store>) {
    let id = store.enqueue(vec![new_job("k", None)], NOW).await.unwrap()[0].id;
    let stale = claim_one(&*store, "q").await;
    store.rescue("e2", NOW).await.unwrap();
    let lease = claim_one(&*store, "q").await;
    assert_ne!(stale.token, lease.token);

    let mut late = end(Outcome::Complete(json!({"from": "the dead"})));
    late.effects = vec![missing()];
    late.children = vec![new_job("child", None)];
    assert_eq!(settle(&*store, stale, late).await, Fenced::Stale);
    assert_eq!(
        store.progress(stale, "late", 50, json!({})).await.unwrap(),
        Fenced::Stale
    );
    assert_eq!(state(&*store, id).await, JobState::Running);
    let known = store
        .stored_matches(&["KR_1".parse().unwrap()])
        .await
        .unwrap();
    assert!(known.missing.is_empty());
    assert_eq!(store.open_jobs().await.unwrap(), 1);
    assert_eq!(store.writer_stats().stale, 2);
    assert_eq!(
        settle(&*store, lease, end(Outcome::Complete(json!(1)))).await,
        Fenced::Applied
    );
}

async fn an_end_that_comes_after_the_job_was_handed_back_changes_nothing(store: Arc<dyn Store>) {
    let id = store.enqueue(vec![new_job("k", None)], NOW).await.unwrap()[0].id;
    let late = claim_one(&*store, "q").await;
    store.release("e1", None, &[], NOW).await.unwrap();
    let done = || end(Outcome::Complete(json!(null)));
    assert_eq!(settle(&*store, late, done()).await, Fenced::Stale);
    let lease = claim_one(&*store, "q").await;
    assert_eq!(settle(&*store, late, done()).await, Fenced::Stale);
    assert_eq!(state(&*store, id).await, JobState::Running);
    assert_eq!(settle(&*store, lease, done()).await, Fenced::Applied);
    assert_eq!(settle(&*store, lease, done()).await, Fenced::Stale);
}

fn missing() -> Effect {
    Effect::Missing(MissingDocument {
        kind: PayloadKind::Match,
        id: "KR_1".parse().unwrap(),
        reason: MissingReason::NotFound,
        tries: 1,
        first_seen: NOW,
        next_try: None,
        expires_at: None,
    })
}

async fn a_failed_job_waits_for_its_time_and_keeps_why(store: Arc<dyn Store>) {
    let id = store.enqueue(vec![new_job("k", None)], NOW).await.unwrap()[0].id;
    let lease = claim_one(&*store, "q").await;
    let failure = Failure::new("unavailable", "503").retryable();
    let _ = settle(&*store, lease, end(Outcome::Retry(failure.clone()))).await;
    assert_eq!(state(&*store, id).await, JobState::Retryable);
    let early = store.stage(NOW + Duration::from_secs(4)).await.unwrap();
    assert_eq!(
        (early.moved, early.next_due),
        (0, Some(NOW + Duration::from_secs(5)))
    );
    assert_eq!(
        store
            .stage(NOW + Duration::from_secs(5))
            .await
            .unwrap()
            .moved,
        1
    );
    let record = store.job(id).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Available, 1));
    assert_eq!(record.errors[0].failure, failure);
}

async fn a_waiting_job_that_is_asked_for_again_runs_now(store: Arc<dyn Store>) {
    let id = store
        .enqueue(vec![new_job("k", Some("a"))], NOW)
        .await
        .unwrap()[0]
        .id;
    let lease = claim_one(&*store, "q").await;
    let failure = Failure::new("unavailable", "503").retryable();
    let _ = settle(&*store, lease, end(Outcome::Retry(failure))).await;
    assert!(
        store
            .claim(Wanted::of("q", 1), "e1", NOW)
            .await
            .unwrap()
            .is_empty()
    );
    store
        .enqueue(vec![new_job("k", Some("a"))], NOW)
        .await
        .unwrap();
    assert_eq!(claim_one(&*store, "q").await.job, id);
}

async fn a_parent_finishes_with_its_last_descendant_in_the_same_commit(store: Arc<dyn Store>) {
    let parent = store
        .enqueue(vec![new_job("parent", None)], NOW)
        .await
        .unwrap()[0]
        .id;
    let lease = claim_one(&*store, "q").await;
    let in_queue = |queue, key| NewJob {
        queue,
        ..new_job("child", Some(key))
    };
    let mut completion = end(Outcome::Complete(json!({"own": 1})));
    completion.children = vec![in_queue("c", "1"), in_queue("c", "2")];
    let _ = settle(&*store, lease, completion).await;
    assert_eq!(state(&*store, parent).await, JobState::Blocked);

    let first = claim_one(&*store, "c").await;
    let second = claim_one(&*store, "c").await;
    let mut with_grandchild = end(Outcome::Complete(json!(null)));
    with_grandchild.children = vec![NewJob {
        queue: "g",
        ..new_job("grandchild", Some("1"))
    }];
    let _ = settle(&*store, first, with_grandchild).await;
    let gone = Failure::new("not_found", "404");
    let _ = settle(&*store, second, end(Outcome::Discard(gone))).await;
    let record = store.job(parent).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.children_pending),
        (JobState::Blocked, 1)
    );
    let child = record.rollup.of("child");
    assert_eq!((child.total, child.completed, child.failed), (2, 1, 1));

    let grandchild = claim_one(&*store, "g").await;
    let _ = settle(&*store, grandchild, end(Outcome::Complete(json!(null)))).await;
    let record = store.job(parent).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Completed);
    assert_eq!(record.result, Some(json!({"own": 1})));
    assert_eq!(record.rollup.of("grandchild").completed, 1);
    assert_eq!(record.rollup.failures[0].reason, "404");
    assert_eq!(record.finished_at, Some(NOW));
}

async fn a_child_shared_by_two_parents_finishes_both(store: Arc<dyn Store>) {
    let parents = store
        .enqueue(vec![new_job("p", Some("1")), new_job("p", Some("2"))], NOW)
        .await
        .unwrap();
    for _ in 0..2 {
        let lease = claim_one(&*store, "q").await;
        let mut completion = end(Outcome::Complete(json!(null)));
        completion.children = vec![NewJob {
            queue: "c",
            ..new_job("child", Some("shared"))
        }];
        let _ = settle(&*store, lease, completion).await;
    }
    let child = claim_one(&*store, "c").await;
    assert!(
        store
            .claim(Wanted::of("c", 1), "e1", NOW)
            .await
            .unwrap()
            .is_empty(),
        "it is one job"
    );
    let _ = settle(&*store, child, end(Outcome::Complete(json!(null)))).await;
    for parent in parents {
        assert_eq!(state(&*store, parent.id).await, JobState::Completed);
    }
}

/// What is known of an engine that has ended by itself.
async fn ends_by_itself(store: &dyn Store, id: &str) {
    let engine = EngineInfo {
        id: id.to_owned(),
        pid: 1,
        host: "h".to_owned(),
        version: "1",
    };
    store.engine_started(engine, NOW).await.unwrap();
    store.engine_stopped(id, NOW).await.unwrap();
    assert!(store.died(id, Death::ByItself).await.unwrap());
}

async fn a_job_alone_in_three_engines_that_died_by_themselves_is_discarded(store: Arc<dyn Store>) {
    assert!(!store.died("e1", Death::ByItself).await.unwrap()); // nobody knows it
    let job = new_job("sync_match_data", Some("KR_7/no-timeline"));
    let id = store.enqueue(vec![job], NOW).await.unwrap()[0].id;
    ends_by_itself(&*store, "e1").await;
    for death in 1..=3 {
        let wanted = Wanted::of("q", 1);
        let job = store.claim(wanted, "e1", NOW).await.unwrap().remove(0);
        assert_eq!((job.lease.job, job.alone), (id, death > 1));
        let rescued = store.rescue("another", NOW).await.unwrap();
        assert_eq!(
            (rescued.returned, rescued.poisoned),
            if death < 3 { (1, 0) } else { (0, 1) }
        );
    }
    let record = store.job(id).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Discarded);
    assert_eq!(record.errors[0].failure.kind, "poison_pill");
    let given_up = store.given_up(&["KR_7".parse().unwrap()]).await.unwrap();
    assert_eq!((given_up.len(), given_up[0].job), (1, id));
}

async fn engines_that_are_killed_make_no_suspects_and_discard_nothing(store: Arc<dyn Store>) {
    let ids = store
        .enqueue(vec![new_job("k", None); 20], NOW)
        .await
        .unwrap();
    for _ in 0..12 {
        let held = store.claim(Wanted::of("q", 20), "e1", NOW).await.unwrap();
        assert_eq!(held.len(), 20, "all at once");
        let rescued = store.rescue("another", NOW).await.unwrap();
        assert_eq!((rescued.returned, rescued.poisoned), (20, 0));
    }
    // Of one that goes on so it is not known whether it is the cause: it is tried again, after a pause.
    let alone = ids[0].id;
    for other in &ids[1..] {
        let _ = store.cancel(other.id, NOW).await.unwrap();
    }
    for death in 13..=15 {
        let job = store.claim(Wanted::of("q", 1), "e1", NOW).await.unwrap();
        assert_eq!(job[0].lease.job, alone, "{death}");
        assert_eq!(store.rescue("another", NOW).await.unwrap().held_back, 0);
    }
    let job = store.claim(Wanted::of("q", 1), "e1", NOW).await.unwrap();
    assert!(job[0].alone);
    assert_eq!(store.rescue("another", NOW).await.unwrap().held_back, 1);
    let record = store.job(alone).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Scheduled);
    assert_eq!(record.run_at, NOW + Duration::from_mins(1));
    assert_eq!(record.errors[0].failure.kind, "held_back");
}

async fn suspects_run_in_groups_that_shrink_with_each_death_and_survivors_are_none(
    store: Arc<dyn Store>,
) {
    store
        .enqueue(vec![new_job("k", None); 20], NOW)
        .await
        .unwrap();
    let all = Wanted::of("q", 30);
    for engine in ["e1", "e2"] {
        let held = store.claim(all, engine, NOW).await.unwrap();
        assert_eq!(held.len(), 20);
        ends_by_itself(&*store, engine).await;
        store.rescue("another", NOW).await.unwrap();
    }
    // Others of the queue run beside them.
    store
        .enqueue(vec![new_job("k", None); 5], NOW)
        .await
        .unwrap();
    let group = store.claim(all, "e3", NOW).await.unwrap();
    assert_eq!(group.len(), 8 + 5);
    let other = store.claim(all, "e4", NOW).await.unwrap();
    assert_eq!(other.len(), 8, "a group for each engine");
    assert_eq!(store.claim(all, "e3", NOW).await.unwrap(), []);
    let lease = other[0].lease;
    let _ = settle(&*store, lease, end(Outcome::Complete(json!(null)))).await;
    assert_eq!(store.claim(all, "e4", NOW).await.unwrap().len(), 1);
    let survived = end(Outcome::Snooze {
        delay: Duration::ZERO,
        why: String::new(),
    });
    let _ = settle(&*store, other[1].lease, survived).await;
    let record = store.job(other[1].lease.job).await.unwrap().unwrap();
    assert_eq!(record.crash_count, 0);
}

async fn when_one_runs_alone_its_engines_death_is_its_own(store: Arc<dyn Store>) {
    store
        .enqueue(vec![new_job("k", None); 3], NOW)
        .await
        .unwrap();
    let held = store.claim(Wanted::of("q", 3), "e1", NOW).await.unwrap();
    let lease = held[1].lease;
    assert_eq!(store.runs_alone(lease).await.unwrap(), Fenced::Applied);
    ends_by_itself(&*store, "e1").await;
    store.rescue("another", NOW).await.unwrap();
    assert_eq!(store.runs_alone(lease).await.unwrap(), Fenced::Stale);
    let mut levels = Vec::new();
    for job in held {
        levels.push(store.job(job.lease.job).await.unwrap().unwrap().crash_count);
    }
    assert_eq!(levels, [0, 3, 0]);
}

async fn released_jobs_get_their_attempt_back(store: Arc<dyn Store>) {
    let id = store.enqueue(vec![new_job("k", None)], NOW).await.unwrap()[0].id;
    claim_one(&*store, "q").await;
    assert_eq!(
        store.release("e1", Some("other"), &[], NOW).await.unwrap(),
        0
    );
    assert_eq!(store.release("e1", None, &[], NOW).await.unwrap(), 1);
    let record = store.job(id).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

async fn flows_take_turns_whatever_their_size(store: Arc<dyn Store>) {
    let of = |kind, count| vec![new_job(kind, None); count];
    store.enqueue(of("large", 300), NOW).await.unwrap();
    let begun = store.claim(Wanted::of("q", 100), "e1", NOW).await.unwrap();
    assert!(begun.iter().all(|job| job.kind == "large"));
    store.enqueue(of("small", 10), NOW).await.unwrap();
    let next = store.claim(Wanted::of("q", 20), "e1", NOW).await.unwrap();
    let small = next.iter().filter(|job| job.kind == "small").count();
    assert_eq!(small, 10, "ten of each: {next:?}");
}

async fn children_come_behind_those_that_waited_before_one_of_them_raised_another(
    store: Arc<dyn Store>,
) {
    let urgent = |kind| NewJob {
        priority: Priority::INTERACTIVE,
        ..new_job(kind, None)
    };
    let mut parent = urgent("parent");
    parent.queue = "p";
    let joined = new_job("joined", Some("a"));
    for jobs in [vec![parent], vec![joined.clone()], vec![urgent("older"); 3]] {
        store.enqueue(jobs, NOW).await.unwrap();
    }
    claim_one(&*store, "q").await;

    // The first child joins a job of an earlier turn, which becomes as urgent as their parent.
    let lease = claim_one(&*store, "p").await;
    let mut parent = end(Outcome::Complete(json!(null)));
    parent.children = vec![joined, new_job("child", None)];
    assert_eq!(settle(&*store, lease, parent).await, Fenced::Applied);
    let next = store.claim(Wanted::of("q", 4), "e1", NOW).await.unwrap();
    let kinds = next.iter().map(|job| &*job.kind);
    assert!(kinds.eq(["joined", "older", "older", "child"]), "{next:?}");
}

async fn a_job_that_comes_after_others_waits_for_the_last_of_them(store: Arc<dyn Store>) {
    let first = store
        .enqueue(vec![new_job("k", None), new_job("k", None)], NOW)
        .await
        .unwrap();
    let waiting = NewJob {
        after: After {
            jobs: first.iter().map(|job| job.id).collect(),
            on_failure: OnFailure::Cancel,
        },
        ..new_job("k", None)
    };
    let last = store.enqueue(vec![waiting], NOW).await.unwrap()[0].id;
    for _ in 0..2 {
        assert_eq!(state(&*store, last).await, JobState::Blocked);
        let lease = claim_one(&*store, "q").await;
        let _ = settle(&*store, lease, end(Outcome::Complete(json!(null)))).await;
    }
    assert_eq!(claim_one(&*store, "q").await.job, last);
}

async fn when_what_it_comes_after_fails_a_job_is_cancelled_or_runs_anyway_as_it_said(
    store: Arc<dyn Store>,
) {
    let first = store.enqueue(vec![new_job("k", None)], NOW).await.unwrap()[0].id;
    let after = |id, on_failure| NewJob {
        after: After {
            jobs: vec![id],
            on_failure,
        },
        ..new_job("k", None)
    };
    let second = store
        .enqueue(
            vec![
                after(first, OnFailure::Cancel),
                after(first, OnFailure::RunAnyway),
            ],
            NOW,
        )
        .await
        .unwrap();
    let third = store
        .enqueue(vec![after(second[0].id, OnFailure::Cancel)], NOW)
        .await
        .unwrap()[0]
        .id;
    let lease = claim_one(&*store, "q").await;
    let _ = settle(
        &*store,
        lease,
        end(Outcome::Discard(Failure::new("test", "no"))),
    )
    .await;
    assert_eq!(state(&*store, second[0].id).await, JobState::Cancelled);
    assert_eq!(state(&*store, second[1].id).await, JobState::Available);
    assert_eq!(state(&*store, third).await, JobState::Cancelled);
    let record = store.job(third).await.unwrap().unwrap();
    assert!(record.errors[0].failure.message.contains("come after"));
    let late = store
        .enqueue(vec![after(first, OnFailure::Cancel)], NOW)
        .await
        .unwrap()[0]
        .id;
    assert_eq!(state(&*store, late).await, JobState::Cancelled);
    let unknown = after(JobId(4711), OnFailure::Cancel);
    let error = store.enqueue(vec![unknown], NOW).await.unwrap_err();
    assert!(error.to_string().contains("4711"), "{error}");
}

async fn a_batch_ends_with_the_last_of_its_jobs_and_an_empty_one_at_once(store: Arc<dyn Store>) {
    let batch = store
        .enqueue_batch(vec![new_job("k", Some("a")), new_job("k", Some("a"))], NOW)
        .await
        .unwrap();
    assert!(batch.jobs[1].joined);
    assert_eq!(state(&*store, batch.id).await, JobState::Blocked);
    let lease = claim_one(&*store, "q").await;
    let _ = settle(&*store, lease, end(Outcome::Complete(json!(null)))).await;
    let record = store.job(batch.id).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.rollup.of("k").completed),
        (JobState::Completed, 1)
    );
    let empty = store.enqueue_batch(vec![], NOW).await.unwrap();
    assert_eq!(state(&*store, empty.id).await, JobState::Completed);
}

async fn a_cancelled_parent_takes_the_children_along_that_nobody_else_wants(store: Arc<dyn Store>) {
    let batch = store
        .enqueue_batch(
            ["mine", "shared", "asked for"]
                .map(|key| new_job("k", Some(key)))
                .into(),
            NOW,
        )
        .await
        .unwrap();
    let other = store
        .enqueue_batch(vec![new_job("k", Some("shared"))], NOW)
        .await
        .unwrap();
    store
        .enqueue(vec![new_job("k", Some("asked for"))], NOW)
        .await
        .unwrap();
    assert_eq!(store.cancel(batch.id, NOW).await.unwrap(), Cancelled::Now);
    let mut states = Vec::new();
    for job in &batch.jobs {
        states.push(state(&*store, job.id).await);
    }
    let expected = [
        JobState::Cancelled,
        JobState::Available,
        JobState::Available,
    ];
    assert_eq!(states, expected);
    assert_eq!(state(&*store, other.id).await, JobState::Blocked);
    assert_eq!(
        store.cancel(batch.id, NOW).await.unwrap(),
        Cancelled::Final(JobState::Cancelled)
    );
    assert_eq!(
        store.cancel(JobId(999), NOW).await.unwrap(),
        Cancelled::Unknown
    );
}

async fn a_running_job_that_is_to_be_cancelled_is_neither_tried_again_nor_handed_back(
    store: Arc<dyn Store>,
) {
    let ids = store
        .enqueue(vec![new_job("k", None); 3], NOW)
        .await
        .unwrap();
    let claimed = store.claim(Wanted::of("q", 3), "e1", NOW).await.unwrap();
    for job in &claimed {
        assert_eq!(
            store.cancel(job.lease.job, NOW).await.unwrap(),
            Cancelled::Requested
        );
    }
    assert_eq!(store.cancel_requests("e1").await.unwrap().len(), 3);
    let again = end(Outcome::Retry(Failure::new("unavailable", "503")));
    let _ = settle(&*store, claimed[0].lease, again).await;
    let mut spawning = end(Outcome::Complete(json!(null)));
    spawning.children = vec![new_job("child", None)];
    let _ = settle(&*store, claimed[1].lease, spawning).await;
    store.release("e1", None, &[], NOW).await.unwrap();
    for id in ids {
        assert_eq!(state(&*store, id.id).await, JobState::Cancelled);
    }
    assert_eq!(store.open_jobs().await.unwrap(), 0, "and spawns nothing");
}

async fn a_failed_job_that_is_retried_has_all_its_attempts_and_keeps_its_history(
    store: Arc<dyn Store>,
) {
    let id = store
        .enqueue(vec![new_job("k", Some("a"))], NOW)
        .await
        .unwrap()[0]
        .id;
    assert_eq!(
        store.retry(id, NOW).await.unwrap(),
        Retried::NotFailed(JobState::Available)
    );
    let lease = claim_one(&*store, "q").await;
    let _ = settle(
        &*store,
        lease,
        end(Outcome::Discard(Failure::new("test", "no"))),
    )
    .await;
    assert_eq!(store.retry(id, NOW).await.unwrap(), Retried::Available);
    let record = store.job(id).await.unwrap().unwrap();
    assert_eq!(
        (record.attempt, record.errors.len(), record.finished_at),
        (0, 1, None)
    );
    store.cancel(id, NOW).await.unwrap();
    let twin = store
        .enqueue(vec![new_job("k", Some("a"))], NOW)
        .await
        .unwrap()[0]
        .id;
    assert_eq!(store.retry(id, NOW).await.unwrap(), Retried::Joined(twin));
}

async fn finished_jobs_are_pruned_a_few_at_a_time_and_open_ones_stay(store: Arc<dyn Store>) {
    store
        .enqueue(vec![new_job("k", None); 4], NOW)
        .await
        .unwrap();
    for _ in 0..3 {
        let lease = claim_one(&*store, "q").await;
        let _ = settle(&*store, lease, end(Outcome::Complete(json!(null)))).await;
    }
    let later = NOW + Duration::from_secs(1);
    assert_eq!(
        store.prune(NOW, 10).await.unwrap(),
        0,
        "none before its time"
    );
    assert_eq!(store.prune(later, 2).await.unwrap(), 2);
    assert_eq!(store.prune(later, 2).await.unwrap(), 1);
    assert_eq!(store.open_jobs().await.unwrap(), 1);
}

async fn a_list_looks_at_a_bounded_number_of_jobs_and_says_where_to_go_on(store: Arc<dyn Store>) {
    let rare = store
        .enqueue(vec![new_job("rare", None), new_job("rare", None)], NOW)
        .await
        .unwrap();
    let lease = claim_one(&*store, "q").await;
    let failure = Failure::new("f", "on purpose");
    let _ = settle(&*store, lease, end(Outcome::Discard(failure))).await;
    for _ in 0..26 {
        let jobs = vec![new_job("k", None); 1_000];
        store.enqueue(jobs, NOW).await.unwrap();
    }
    let rare_jobs = JobFilter {
        kind: Some("rare".to_owned()),
        limit: 10,
        ..JobFilter::default()
    };
    let ids = |list: &JobList| list.jobs.iter().map(|job| job.id).collect::<Vec<_>>();
    for (state, found) in [
        (None, vec![rare[1].id, rare[0].id]),
        // More wait than one list looks at.
        (Some(JobState::Available), vec![rare[1].id]),
    ] {
        let filter = JobFilter {
            state,
            ..rare_jobs.clone()
        };
        let first = store.list_jobs(&filter).await.unwrap();
        assert!(first.jobs.is_empty());
        let before = first.next(10);
        assert!(before > Some(rare[1].id), "it stopped on the way");
        let second = store
            .list_jobs(&JobFilter { before, ..filter })
            .await
            .unwrap();
        assert_eq!(ids(&second), found);
        assert_eq!(second.next(10), None);
    }
    let failed = JobFilter {
        state: Some(JobState::Discarded),
        ..rare_jobs
    };
    let failed = store.list_jobs(&failed).await.unwrap();
    assert_eq!(ids(&failed), [rare[0].id], "without a look at the others");
    // Pages meet each job once.
    let mut filter = JobFilter {
        kind: Some("k".to_owned()),
        limit: 9_000,
        ..JobFilter::default()
    };
    let mut met = Vec::new();
    loop {
        let page = store.list_jobs(&filter).await.unwrap();
        met.extend(ids(&page));
        filter.before = page.next(filter.limit);
        if filter.before.is_none() {
            break;
        }
    }
    assert_eq!(met.len(), 26_000);
    assert!(met.is_sorted_by(|one, other| one > other));
}

async fn jobs_are_listed_newest_first_by_what_they_are_and_in_pages(store: Arc<dyn Store>) {
    let mut elsewhere = new_job("l", None);
    elsewhere.queue = "p";
    let jobs = vec![
        new_job("k", None),
        elsewhere,
        new_job("k", None),
        new_job("k", None),
    ];
    let enqueued = store.enqueue(jobs, NOW).await.unwrap();
    let ids: Vec<JobId> = enqueued.into_iter().map(|job| job.id).collect();
    let running = claim_one(&*store, "q").await.job;
    let list = async |filter: JobFilter| -> Vec<JobId> {
        let list = store.list_jobs(&filter).await.unwrap();
        list.jobs.into_iter().map(|job| job.id).collect()
    };
    let all = JobFilter {
        limit: 10,
        ..JobFilter::default()
    };
    assert_eq!(
        list(all.clone()).await,
        ids.iter().rev().copied().collect::<Vec<_>>()
    );
    let first = JobFilter {
        limit: 2,
        ..all.clone()
    };
    assert_eq!(list(first).await, [ids[3], ids[2]]);
    let second = JobFilter {
        before: Some(ids[2]),
        ..all.clone()
    };
    assert_eq!(list(second).await, [ids[1], ids[0]]);
    let of_kind = JobFilter {
        kind: Some("l".to_owned()),
        ..all.clone()
    };
    assert_eq!(list(of_kind).await, [ids[1]]);
    let of_queue = JobFilter {
        queue: Some("q".to_owned()),
        state: Some(JobState::Available),
        ..all.clone()
    };
    assert_eq!(list(of_queue).await, [ids[3], ids[2]]);
    let of_state = JobFilter {
        state: Some(JobState::Running),
        ..all
    };
    assert_eq!(list(of_state).await, [running]);
    let known = store.jobs_by_id(&[ids[1], JobId(99), ids[0]]).await;
    let mut known: Vec<JobId> = known.unwrap().into_iter().map(|job| job.id).collect();
    known.sort();
    assert_eq!(known, [ids[0], ids[1]]);
}

async fn open_jobs_are_counted_by_queue_and_state_whatever_they_wait_for(store: Arc<dyn Store>) {
    let later = NewJob {
        run_at: Some(NOW + Duration::from_secs(9)),
        ..new_job("k", None)
    };
    let first = store
        .enqueue(vec![new_job("k", None), new_job("k", None), later], NOW)
        .await
        .unwrap()[0]
        .id;
    let after = NewJob {
        after: After {
            jobs: vec![first],
            on_failure: OnFailure::Cancel,
        },
        ..new_job("k", None)
    };
    store.enqueue(vec![after], NOW).await.unwrap();
    let batch = vec![NewJob {
        queue: "p",
        ..new_job("k", None)
    }];
    store.enqueue_batch(batch, NOW).await.unwrap();
    let lease = claim_one(&*store, "q").await;
    let counts = async || {
        let counts = store.open_counts().await.unwrap();
        let mut counts: Vec<_> = counts
            .into_iter()
            .map(|count| (count.queue, count.state.as_str(), count.jobs))
            .collect();
        counts.sort();
        counts
    };
    let line = |queue: &str, state, jobs| (queue.to_owned(), state, jobs);
    let expected = vec![
        line("default", "blocked", 1),
        line("p", "available", 1),
        line("q", "available", 1),
        line("q", "blocked", 1),
        line("q", "running", 1),
        line("q", "scheduled", 1),
    ];
    assert_eq!(counts().await, expected);
    // One that ran when its engine died is available like the others.
    store.rescue("e2", NOW).await.unwrap();
    assert!(counts().await.contains(&line("q", "available", 2)));
    let ended = settle(&*store, lease, end(Outcome::Complete(json!(1)))).await;
    assert_eq!(ended, Fenced::Stale);
}

async fn progress_tells_how_long_jobs_wait_and_when_one_ended(store: Arc<dyn Store>) {
    let minute = Duration::from_mins(1);
    assert!(store.queue_progress(NOW).await.unwrap().is_empty());
    store
        .enqueue(vec![new_job("k", None); 3], NOW)
        .await
        .unwrap();
    store
        .enqueue(vec![new_job("k", None)], NOW + minute)
        .await
        .unwrap();
    let lease = claim_one(&*store, "q").await;
    let progress = store.queue_progress(NOW).await.unwrap().remove(0);
    assert_eq!((progress.queue.as_str(), progress.waiting), ("q", 3));
    assert_eq!(
        (progress.oldest_waiting, progress.last_completed),
        (Some(NOW), None)
    );
    let _ = settle(&*store, lease, end(Outcome::Complete(json!(null)))).await;
    let progress = store.queue_progress(NOW).await.unwrap().remove(0);
    assert_eq!(progress.last_completed, Some(NOW));
    let later = store.queue_progress(NOW + minute).await.unwrap().remove(0);
    assert_eq!(
        later.last_completed, None,
        "before the time that was asked for"
    );
    // A write that changes nothing, by an engine that there is.
    assert!(store.probe("nobody").await.is_err());
    let engine = EngineInfo {
        id: "e1".to_owned(),
        pid: 1,
        host: "h".to_owned(),
        version: "1",
    };
    store.engine_started(engine, NOW).await.unwrap();
    let commits = store.writer_stats().commits;
    store.probe("e1").await.unwrap();
    assert_eq!(store.writer_stats().commits, commits + 1);
}

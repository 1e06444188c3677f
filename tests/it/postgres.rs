//! Many engines over one PostgreSQL: what must hold when their transactions meet.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use riftsync::model::{
    After, ClaimedJob, Failure, JobId, JobState, NewJob, OnFailure, Outcome, Priority, Timestamp,
    attempt,
};
use riftsync::store::people::PeopleStore;
use riftsync::store::postgres::PostgresStore;
use riftsync::store::{
    Beat, Completion, DataStore, Database, Effect, EngineInfo, EngineState, Fenced, FleetStore,
    JobStore, Store, Wanted,
};
use serde_json::json;

use crate::data::{check_statistics, game, stores, with_effects, write};
use crate::scratch::Scratch;
use crate::store::{NOW, claim_one, end, new_job, settle};

pub async fn open(scratch: &Scratch) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(scratch.settings()).await.unwrap())
}

async fn two(scratch: &Scratch) -> [Arc<PostgresStore>; 2] {
    [open(scratch).await, open(scratch).await]
}

fn number(text: Option<&String>) -> i64 {
    text.unwrap().parse().unwrap()
}

/// Claims until nothing is left, a few at a time.
async fn claim_all(store: &PostgresStore, engine: &str) -> Vec<ClaimedJob> {
    let mut all = Vec::new();
    loop {
        let claimed = store.claim(Wanted::of("q", 7), engine, NOW).await.unwrap();
        if claimed.is_empty() {
            return all;
        }
        all.extend(claimed);
    }
}

#[tokio::test]
async fn two_stores_that_claim_at_once_never_get_the_same_job() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    one.enqueue(vec![new_job("k", None); 1_000], NOW)
        .await
        .unwrap();
    let claims = [&one, &one, &other, &other].map(|store| claim_all(store, "e"));
    let claimed: Vec<ClaimedJob> = join_all(claims).await.into_iter().flatten().collect();
    let jobs: HashSet<JobId> = claimed.iter().map(|job| job.lease.job).collect();
    let leases: HashSet<i64> = claimed.iter().map(|job| job.lease.token).collect();
    // A claim that finds all that is left just taken by another comes back empty: nothing is lost by it.
    let left = claim_all(&one, "e").await.len();
    assert_eq!(
        (claimed.len() + left, jobs.len(), leases.len()),
        (1_000, claimed.len(), claimed.len())
    );
}

#[tokio::test]
async fn a_claim_of_a_few_does_not_gather_a_long_backlog_that_the_planner_knows_of() {
    let scratch = Scratch::new();
    let store = PostgresStore::open(scratch.settings()).await.unwrap();
    let backlog = 30_000;
    for _ in 0..backlog / 1_000 {
        let jobs = vec![new_job("k", None); 1_000];
        store.enqueue(jobs, NOW).await.unwrap();
    }
    // As autovacuum does when it likes.
    scratch.run("VACUUM ANALYZE jobs");
    let read = || {
        let rows = scratch.rows(
            "SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes WHERE indexrelname = 'jobs_ready'",
        );
        rows[0][0].as_deref().unwrap().parse::<u64>().unwrap()
    };
    let (before, mut claims) = (read(), 0);
    // The server counts with some delay.
    while read() == before {
        let claimed = store.claim(Wanted::of("q", 5), "e", NOW).await.unwrap();
        assert_eq!(claimed.len(), 5);
        claims += 1;
    }
    let of_each = (read() - before) / claims;
    assert!(of_each < backlog / 10, "{of_each} entries for 5 jobs");
}

#[tokio::test]
async fn ends_are_found_by_their_ids_also_when_the_planner_believes_that_nothing_runs() {
    let scratch = Scratch::new();
    let store = PostgresStore::open(scratch.settings()).await.unwrap();
    let scans = |index: &str| {
        let rows = scratch.rows(&format!(
            "SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes WHERE indexrelname = '{index}'"
        ));
        rows[0][0].as_deref().unwrap().parse::<u64>().unwrap()
    };
    let run = async || {
        store
            .enqueue(vec![new_job("k", None); 200], NOW)
            .await
            .unwrap();
        let claimed = store.claim(Wanted::of("q", 200), "e", NOW).await.unwrap();
        let progress = claimed.iter().take(20);
        let progress = progress.map(|job| store.progress(job.lease, "s", 1, json!({})));
        for fenced in join_all(progress).await {
            assert_eq!(fenced.unwrap(), Fenced::Applied);
        }
        let ends = claimed.iter().enumerate().map(|(n, job)| {
            let outcome = match n % 10 {
                0 => Outcome::Discard(Failure::new("test", "it fails")),
                _ => Outcome::Complete(json!(null)),
            };
            store.settle(job.lease, Arc::new(end(outcome)), NOW)
        });
        for fenced in join_all(ends).await {
            assert_eq!(fenced.unwrap(), Fenced::Applied);
        }
    };
    for _ in 0..20 {
        run().await;
    }
    // As autovacuum does when it likes; nothing runs just now.
    scratch.run("VACUUM ANALYZE jobs");
    let (by_id, by_state) = (scans("jobs_pkey"), scans("jobs_running"));
    // The server counts with some delay.
    while scans("jobs_pkey") < by_id + 1_000 {
        run().await;
    }
    assert_eq!(scans("jobs_running"), by_state);
}

#[tokio::test]
async fn a_failed_job_is_found_by_its_id_also_with_a_plan_from_when_there_were_few() {
    let scratch = Scratch::new();
    let store = open(&scratch).await;
    let fail_some = async || {
        let jobs = vec![new_job("k", None); 30];
        store.enqueue(jobs, NOW).await.unwrap();
        let claimed = store.claim(Wanted::of("q", 30), "e", NOW).await.unwrap();
        let ends = claimed.iter().map(|job| {
            let fails = Outcome::Discard(Failure::new("test", "it fails"));
            store.settle(job.lease, Arc::new(end(fails)), NOW)
        });
        for fenced in join_all(ends).await {
            assert_eq!(fenced.unwrap(), Fenced::Applied);
        }
    };
    fail_some().await;
    scratch.run("ANALYZE jobs");
    // After five times a session keeps its plan.
    for _ in 0..40 {
        fail_some().await;
    }
    let rows_read = || {
        let rows = scratch.rows(
            "SELECT (SELECT coalesce(seq_tup_read, 0) FROM pg_stat_user_tables WHERE relname = 'jobs')
                  + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'jobs')",
        );
        number(rows[0][0].as_ref())
    };
    // The server counts with some delay: what was read until now is told with what comes next.
    let told = rows_read();
    while rows_read() == told {
        fail_some().await;
    }
    let others = 50_000;
    scratch.run(&format!(
        "CREATE TEMPORARY TABLE other AS SELECT * FROM jobs LIMIT 1;
         INSERT INTO jobs SELECT (jsonb_populate_record(other, jsonb_build_object('id', nextval('jobs_id_seq')))).*
         FROM other, generate_series(1, {others}) AS n"
    ));
    let before = rows_read();
    let (mut read, mut rounds) = (0, 0);
    while read == 0 {
        fail_some().await;
        rounds += 1;
        read = rows_read() - before;
    }
    // A plan that looks at each of them does so in every round.
    eprintln!("{read} rows in {rounds} rounds");
    assert!(read < others * rounds, "{read} rows in {rounds} rounds");
}

#[tokio::test]
async fn a_job_of_one_child_is_written_three_times_in_its_life() {
    let scratch = Scratch::new();
    let store = open(&scratch).await;
    scratch.run(
        "CREATE TABLE versions (id BIGINT, state TEXT);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN INSERT INTO versions VALUES (NEW.id, NEW.state); RETURN NULL; END $$;
         CREATE TRIGGER note AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION note()",
    );
    let parents = store.enqueue(vec![new_job("p", None)], NOW).await.unwrap();
    let lease = claim_one(&*store, "q").await;
    let mut completion = end(Outcome::Complete(json!(null)));
    completion.children = vec![NewJob {
        queue: "c",
        ..new_job("child", None)
    }];
    assert_eq!(settle(&*store, lease, completion).await, Fenced::Applied);
    work_off(store.clone(), "c").await;
    let states = format!("SELECT state FROM versions WHERE id = {}", parents[0].id);
    let states = scratch.rows(&states).into_iter().map(|row| row[0].clone());
    assert_eq!(
        states.map(Option::unwrap).collect::<Vec<_>>(),
        ["running", "blocked", "completed"]
    );
}

#[tokio::test]
async fn when_a_tracked_player_played_last_is_one_look_however_many_the_matches() {
    let scratch = Scratch::new();
    let store = open(&scratch).await;
    write(&*store, vec![vec![stores(&game(1, 12))]]).await;
    let matches = 2_000;
    scratch.run(&format!(
        "UPDATE players SET tracked = id = (SELECT min(id) FROM players WHERE game_name IS NOT NULL);
         CREATE TEMPORARY TABLE other AS SELECT matches.*, players.id AS who FROM matches, players WHERE tracked LIMIT 1;
         CREATE TEMPORARY TABLE seat AS SELECT * FROM match_participants LIMIT 1;
         INSERT INTO matches SELECT (jsonb_populate_record(NULL::matches, to_jsonb(other) ||
             jsonb_build_object('match_id', 'EUW1_' || 9000000000 + n, 'game_start', n))).*
         FROM other, generate_series(1, {matches}) AS n;
         -- As many newer ones of somebody else.
         INSERT INTO match_participants SELECT (jsonb_populate_record(NULL::match_participants, to_jsonb(seat) ||
             jsonb_build_object('match_id', 'EUW1_' || 9000000000 + n, 'player_id', CASE WHEN n <= {matches} THEN who ELSE who + 1 END))).*
         FROM seat, other, generate_series(1, 2 * {matches}) AS n"
    ));
    scratch.run("ANALYZE");
    let rows_read = || {
        let rows = scratch.rows(
            "SELECT (SELECT coalesce(seq_tup_read, 0) FROM pg_stat_user_tables WHERE relname = 'match_participants')
                  + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'match_participants')",
        );
        number(rows[0][0].as_ref())
    };
    let (before, mut asked) = (rows_read(), 0);
    // The server counts with some delay.
    while rows_read() == before {
        let tracked = store.tracked_players(10).await.unwrap();
        let last = tracked.iter().map(|player| player.last_played.unwrap());
        assert_eq!(last.collect::<Vec<_>>(), [Timestamp::from_millis(matches)]);
        asked += 1;
    }
    let of_each = (rows_read() - before) / asked;
    assert!(of_each < matches / 10, "{of_each} entries");
}

#[tokio::test]
async fn jobs_that_ran_when_an_engine_died_run_again_at_once_each_in_one_place() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    for queue in ["q0", "q1", "q2", "q3"] {
        let job = NewJob {
            queue,
            ..new_job("k", None)
        };
        one.enqueue(vec![job; 6], NOW).await.unwrap();
        let wanted = || Wanted::of(queue, 6);
        assert_eq!(one.claim(wanted(), "dead", NOW).await.unwrap().len(), 6);
        one.rescue("alive", NOW).await.unwrap();
        let claims = (0..8).map(|n| [&one, &other][n % 2].claim(wanted(), "alive", NOW));
        let claimed = join_all(claims).await.into_iter().flat_map(Result::unwrap);
        let claimed: HashSet<_> = claimed.map(|job| job.lease.job).collect();
        assert_eq!(claimed.len(), 6, "{queue}");
    }
}

#[tokio::test]
async fn the_late_write_of_an_engine_that_another_took_for_dead_is_refused() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    one.enqueue(vec![new_job("k", None)], NOW).await.unwrap();
    let late = one.claim(Wanted::of("q", 1), "e1", NOW).await.unwrap()[0].lease;
    assert_eq!(other.rescue("e2", NOW).await.unwrap().returned, 1);
    let lease = other.claim(Wanted::of("q", 1), "e2", NOW).await.unwrap()[0].lease;
    let record = game(2, 12);
    let write = with_effects(vec![stores(&record)]);
    assert_eq!(
        one.settle(late, write.clone(), NOW).await.unwrap(),
        Fenced::Stale
    );
    assert!(
        other
            .stored_matches(&[record.id])
            .await
            .unwrap()
            .matches
            .is_empty()
    );
    assert_eq!(
        other.settle(lease, write, NOW).await.unwrap(),
        Fenced::Applied
    );
}

/// Claims and settles until the queue is empty; every fifth job fails.
async fn work_off(store: Arc<PostgresStore>, queue: &'static str) {
    loop {
        let jobs = store.claim(Wanted::of(queue, 16), "e", NOW).await.unwrap();
        if jobs.is_empty() {
            return;
        }
        let ends = jobs.iter().map(|job| {
            let outcome = if job.lease.job.0 % 5 == 0 {
                Outcome::Discard(Failure::new("test", "every fifth"))
            } else {
                Outcome::Complete(json!(null))
            };
            let settled = attempt::settle(1, 1, outcome, Duration::ZERO, NOW);
            store.settle(job.lease, Arc::new(Completion::of(settled)), NOW)
        });
        for fenced in join_all(ends).await {
            assert_eq!(fenced.unwrap(), Fenced::Applied);
        }
    }
}

#[tokio::test]
async fn a_parents_counts_are_exact_when_its_children_end_in_several_engines_at_once() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    let parents = join_all((0..3).map(|_| one.enqueue_batch(vec![new_job("c", None); 200], NOW)));
    let parents: Vec<JobId> = parents
        .await
        .into_iter()
        .map(|batch| batch.unwrap().id)
        .collect();
    let workers = [&one, &other, &one, &other].map(|store| work_off(store.clone(), "q"));
    join_all(workers).await;
    work_off(one.clone(), "q").await;
    let mut failed = 0;
    for parent in parents {
        let record = one.job(parent).await.unwrap().unwrap();
        let children = record.rollup.of("c");
        assert_eq!(
            (record.state, record.children_pending),
            (JobState::Completed, 0)
        );
        assert_eq!(
            (children.total, children.completed + children.failed),
            (200, 200)
        );
        failed += children.failed;
    }
    assert_eq!(failed, 120);
}

#[tokio::test]
async fn a_match_that_two_engines_store_at_once_is_counted_once() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    // The same players in all of them: every transaction meets every other.
    for round in 0..4 {
        let effects = |shift: u64| -> Vec<Vec<Effect>> {
            let of = |n: u64| vec![stores(&game(10 * round + (n + shift) % 10, 12))];
            (0..10).map(of).collect()
        };
        // Each store brings all matches, in another order.
        join(write(&*one, effects(0)), async {
            let jobs = vec![
                NewJob {
                    queue: "other",
                    ..new_job("data", None)
                };
                10
            ];
            other.enqueue(jobs, NOW).await.unwrap();
            let claimed = other
                .claim(Wanted::of("other", 10), "e", NOW)
                .await
                .unwrap();
            let ends = claimed
                .iter()
                .zip(effects(5))
                .map(|(job, effects)| other.settle(job.lease, with_effects(effects), NOW));
            for fenced in join_all(ends).await {
                assert_eq!(fenced.unwrap(), Fenced::Applied);
            }
        })
        .await;
    }
    let players = scratch.rows("SELECT id FROM players");
    assert_eq!(players.len(), 12);
    check_statistics(&*one, players.iter().map(|row| number(row[0].as_ref()))).await;
    assert_eq!(scratch.rows("SELECT 1 FROM matches").len(), 40);
    assert_eq!(scratch.rows("SELECT 1 FROM match_participants").len(), 400);
    // Of several names the newest stands, whoever wrote last.
    let names = "SELECT game_name FROM players ORDER BY puuid";
    let calm = Scratch::new();
    let store = open(&calm).await;
    for n in 0..40 {
        write(&*store, vec![vec![stores(&game(n, 12))]]).await;
    }
    assert_eq!(scratch.rows(names), calm.rows(names));
}

#[tokio::test]
async fn two_parents_that_spawn_the_same_child_at_once_share_it() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    let keys: Vec<String> = (0..40).map(|n| format!("m{n}")).collect();
    let parents = one.enqueue(vec![new_job("p", None); 4], NOW).await.unwrap();
    let leases = one.claim(Wanted::of("q", 4), "e", NOW).await.unwrap();
    let ends = leases.iter().enumerate().map(|(n, job)| {
        let mut children: Vec<NewJob> = keys
            .iter()
            .map(|key| NewJob {
                queue: "c",
                ..new_job("child", Some(key))
            })
            .collect();
        // In another order each: two that wait for each other's keys would wait for ever.
        children.rotate_left(n * 10);
        let mut completion = end(Outcome::Complete(json!(null)));
        completion.children = children;
        [&one, &other][n % 2].settle(job.lease, Arc::new(completion), NOW)
    });
    for fenced in join_all(ends).await {
        assert_eq!(fenced.unwrap(), Fenced::Applied);
    }
    assert_eq!(
        scratch
            .rows("SELECT 1 FROM jobs WHERE kind = 'child'")
            .len(),
        40
    );
    join(work_off(one.clone(), "c"), work_off(other.clone(), "c")).await;
    work_off(one.clone(), "c").await;
    for parent in parents {
        let record = one.job(parent.id).await.unwrap().unwrap();
        assert_eq!(
            (record.state, record.rollup.of("child").total),
            (JobState::Completed, 40)
        );
    }
}

#[tokio::test]
async fn two_engines_that_link_jobs_in_a_circle_at_once_leave_no_job_waiting_for_ever() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    for round in 0..25 {
        let in_queue = |queue, letter: &str| NewJob {
            queue,
            ..new_job("k", Some(&format!("{letter}{round}")))
        };
        let spawning = |queue, letter: &str| {
            let mut completion = end(Outcome::Complete(json!(null)));
            completion.children = vec![in_queue(queue, letter)];
            completion
        };
        // b waits for x and x for c; d waits for y and y for a. If a then waits for b, and c for d, all wait
        // for ever; neither of the last two links closes the circle by itself.
        let mut ends = Vec::new();
        for [top, middle, bottom] in [["b", "x", "c"], ["d", "y", "a"]] {
            one.enqueue(vec![in_queue("top", top)], NOW).await.unwrap();
            let lease = claim_one(&*one, "top").await;
            let spawn = spawning("middle", middle);
            assert_eq!(settle(&*one, lease, spawn).await, Fenced::Applied);
            let lease = claim_one(&*one, "middle").await;
            let spawn = spawning("bottom", bottom);
            assert_eq!(settle(&*one, lease, spawn).await, Fenced::Applied);
            ends.push(claim_one(&*one, "bottom").await);
        }
        let ends = join(
            settle(&*one, ends[0], spawning("top", "d")),
            settle(&*other, ends[1], spawning("top", "b")),
        );
        assert_eq!(ends.await, (Fenced::Applied, Fenced::Applied));
        let open =
            scratch.rows("SELECT id, state, children_pending FROM jobs WHERE finished_at IS NULL");
        assert!(
            open.is_empty(),
            "round {round}: they wait for each other: {open:?}"
        );
    }
}

/// Random verbs from several engines at once; then what must hold of the rows whatever happened.
#[tokio::test]
async fn whatever_several_engines_do_at_once_counts_and_links_stay_true_and_no_job_is_stuck() {
    for seed in 0..6 {
        let scratch = Scratch::new();
        let [one, other] = two(&scratch).await;
        let actors = (0..6).map(|n| act([&one, &other][n % 2].clone(), seed * 100 + n as u64));
        join_all(actors).await;
        check_rows(&scratch);
        for _ in 0..200 {
            let later = NOW + Duration::from_hours(1);
            one.rescue("last", later).await.unwrap();
            one.stage(later).await.unwrap();
            for queue in ["q", "c"] {
                for job in one
                    .claim(Wanted::of(queue, 50), "last", later)
                    .await
                    .unwrap()
                {
                    let done = Arc::new(end(Outcome::Complete(json!(null))));
                    assert_eq!(
                        one.settle(job.lease, done, later).await.unwrap(),
                        Fenced::Applied
                    );
                }
            }
            if one.open_jobs().await.unwrap() == 0 {
                break;
            }
        }
        let stuck = scratch.rows(
            "SELECT id, state, waits_for, children_pending FROM jobs WHERE finished_at IS NULL",
        );
        assert!(stuck.is_empty(), "seed {seed}: {stuck:?}");
        assert!(scratch.rows("SELECT * FROM job_links").is_empty());
        check_rollups(&one, &scratch).await;
    }
}

/// One caller among several: sixty random orders.
async fn act(store: Arc<PostgresStore>, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let engine = format!("e{seed}");
    let mut held: Vec<ClaimedJob> = Vec::new();
    let mut known: Vec<JobId> = Vec::new();
    for _ in 0..60 {
        match rng.u8(0..12) {
            0..=2 => {
                let jobs = sketch_all(&mut rng, &known);
                known.extend(
                    store
                        .enqueue(jobs, NOW)
                        .await
                        .unwrap()
                        .iter()
                        .map(|job| job.id),
                );
            }
            3 => {
                let jobs = sketch_all(&mut rng, &[]);
                known.push(store.enqueue_batch(jobs, NOW).await.unwrap().id);
            }
            4..=5 => {
                let queue = ["q", "c"][rng.usize(0..2)];
                held.extend(
                    store
                        .claim(Wanted::of(queue, 4), &engine, NOW)
                        .await
                        .unwrap(),
                );
            }
            6..=9 => {
                let ends = held.drain(..).map(|job| {
                    let outcome = match rng.u8(0..6) {
                        0 => Outcome::Retry(Failure::new("test", "again")),
                        1 => Outcome::Discard(Failure::new("test", "no")),
                        _ => Outcome::Complete(json!(null)),
                    };
                    let mut completion = Completion::of(attempt::settle(
                        job.attempt,
                        job.max_attempts,
                        outcome,
                        Duration::from_secs(1),
                        NOW,
                    ));
                    if completion.settlement.state == JobState::Completed && rng.bool() {
                        completion.children = sketch_all(&mut rng, &[]);
                    }
                    (job.lease, Arc::new(completion))
                });
                let ends: Vec<_> = ends.collect();
                let settled = ends
                    .into_iter()
                    .map(|(lease, completion)| store.settle(lease, completion, NOW));
                for fenced in join_all(settled).await {
                    // Another may have taken this engine for dead.
                    let _ = fenced.unwrap();
                }
            }
            10 => {
                if let Some(id) = known.get(rng.usize(0..known.len().max(1))) {
                    store.cancel(*id, NOW).await.unwrap();
                }
                store
                    .stage(NOW + Duration::from_secs(rng.u64(0..3)))
                    .await
                    .unwrap();
            }
            _ => {
                store.rescue(&engine, NOW).await.unwrap();
            }
        }
    }
}

fn sketch_all(rng: &mut fastrand::Rng, known: &[JobId]) -> Vec<NewJob> {
    let jobs = 0..rng.usize(1..4);
    jobs.map(|_| {
        let key = rng.bool().then(|| rng.u8(0..8).to_string());
        let after = known
            .get(rng.usize(0..known.len().max(1)))
            .filter(|_| rng.u8(0..4) == 0);
        NewJob {
            queue: ["q", "c"][rng.usize(0..2)],
            priority: Priority::new(rng.u8(0..2)),
            after: After {
                jobs: after.copied().into_iter().collect(),
                on_failure: if rng.bool() {
                    OnFailure::Cancel
                } else {
                    OnFailure::RunAnyway
                },
            },
            ..new_job(["k0", "k1"][rng.usize(0..2)], key.as_deref())
        }
    })
    .collect()
}

pub fn check_rows(scratch: &Scratch) {
    for (wrong, query) in [
        (
            "children that are not counted right",
            "SELECT id FROM jobs WHERE finished_at IS NULL AND children_pending <>
                 (SELECT count(*) FROM job_links WHERE parent_id = jobs.id AND relation = 'child')",
        ),
        (
            "predecessors that are not counted right",
            "SELECT id FROM jobs WHERE finished_at IS NULL AND waits_for <>
                 (SELECT count(*) FROM job_links WHERE parent_id = jobs.id AND relation <> 'child')",
        ),
        (
            "links to what is final",
            "SELECT child_id FROM job_links JOIN jobs ON jobs.id IN (child_id, parent_id) WHERE finished_at IS NOT NULL",
        ),
        (
            "blocked for nothing",
            "SELECT id FROM jobs WHERE state = 'blocked' AND children_pending = 0 AND waits_for = 0",
        ),
        (
            "leases of what does not run",
            "SELECT id FROM jobs WHERE (state = 'running') <> (lease_token IS NOT NULL)",
        ),
    ] {
        let rows = scratch.rows(query);
        assert!(rows.is_empty(), "{wrong}: {rows:?}");
    }
}

/// All that a parent was told adds up.
pub async fn check_rollups(store: &PostgresStore, scratch: &Scratch) {
    for row in scratch.rows("SELECT id FROM jobs WHERE state = 'completed' AND rollup <> '{}'") {
        let record = store
            .job(JobId(number(row[0].as_ref())))
            .await
            .unwrap()
            .unwrap();
        let sums: BTreeMap<_, _> = record
            .rollup
            .kinds
            .iter()
            .map(|(kind, count)| (kind, (count.total, count.completed + count.failed)))
            .collect();
        assert!(
            sums.values().all(|(total, ended)| total == ended),
            "job {}: {sums:?}",
            record.id
        );
    }
}

#[tokio::test]
async fn a_command_that_fails_takes_nothing_of_its_group_with_it() {
    let scratch = Scratch::new();
    let mut settings = scratch.settings();
    settings.writers = 1;
    let store = PostgresStore::open(settings).await.unwrap();
    // No bug that anybody thought of: a constraint that somebody has added.
    scratch.run("CREATE UNIQUE INDEX one_vision ON match_participants (vision_score) WHERE vision_score > 1000000");
    let odd = |n: u64| {
        let mut odd = (*game(n, 12)).clone();
        odd.participants[0].vision_score = 2_000_000;
        stores(&Arc::new(odd))
    };
    write(&store, vec![vec![odd(2)]]).await;
    let bad = odd(3);
    store
        .enqueue(vec![new_job("k", None); 9], NOW)
        .await
        .unwrap();
    let claimed = store.claim(Wanted::of("q", 9), "e", NOW).await.unwrap();
    let ends = claimed.iter().enumerate().map(|(n, job)| {
        let effect = if n == 4 {
            bad.clone()
        } else {
            stores(&game(20 + n as u64, 12))
        };
        store.settle(job.lease, with_effects(vec![effect]), NOW)
    });
    let results = join_all(ends).await;
    let failed: Vec<usize> = (0..9).filter(|n| results[*n].is_err()).collect();
    assert_eq!(failed, [4]);
    let error = results[4].as_ref().unwrap_err();
    assert!(!error.is_transient(), "it would be tried for ever: {error}");
    assert!(error.to_string().contains("one_vision"), "{error}");
    assert_eq!(scratch.rows("SELECT 1 FROM matches").len(), 9);
    assert_eq!(
        scratch
            .rows("SELECT 1 FROM jobs WHERE state = 'running'")
            .len(),
        1
    );
}

#[tokio::test]
async fn a_key_that_is_always_taken_is_not_tried_for_ever() {
    let scratch = Scratch::new();
    let store = PostgresStore::open(scratch.settings()).await.unwrap();
    store.enqueue(vec![new_job("k", None)], NOW).await.unwrap();
    // By its name it is the one that two engines run into without a fault; the second run finds it taken too.
    scratch.run("DROP INDEX jobs_open_key; CREATE UNIQUE INDEX jobs_open_key ON jobs (kind)");
    let (again, other) = join(
        store.enqueue(vec![new_job("k", None)], NOW),
        store.enqueue(vec![new_job("other", None)], NOW),
    )
    .await;
    let error = again.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert!(error.to_string().contains("jobs_open_key"), "{error}");
    assert_eq!(other.unwrap().len(), 1);
}

fn info(id: &str) -> EngineInfo {
    EngineInfo {
        id: id.to_owned(),
        pid: 1,
        host: "here".to_owned(),
        version: "1",
    }
}

async fn starts(store: &dyn Store, id: &str) -> Beat {
    store.engine_started(info(id), NOW).await.unwrap();
    store.beat(&info(id)).await.unwrap()
}

/// As if this engine had not been heard for so long.
fn silent(scratch: &Scratch, id: &str, seconds: u32) {
    scratch.run(&format!(
        "UPDATE engines SET heartbeat_at = heartbeat_at - {seconds} * 1000 WHERE id = '{id}'"
    ));
}

#[tokio::test]
async fn a_silent_engine_loses_its_jobs_after_twenty_seconds_and_hears_of_it() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    one.enqueue(vec![new_job("k", None); 4], NOW).await.unwrap();
    assert!(!starts(&*one, "e1").await.was_dead);
    assert_eq!(starts(&*other, "e2").await.others, 1);
    let late = one.claim(Wanted::of("q", 2), "e1", NOW).await.unwrap();
    silent(&scratch, "e1", 15);
    assert_eq!(other.rescue("e2", NOW).await.unwrap().returned, 0);
    assert_eq!(other.beat(&info("e2")).await.unwrap().others, 1);
    silent(&scratch, "e1", 5);
    assert_eq!(other.beat(&info("e2")).await.unwrap().others, 0);
    assert_eq!(other.rescue("e2", NOW).await.unwrap().returned, 2);
    let states: Vec<_> = other.engines().await.unwrap();
    let state = |id: &str| states.iter().find(|row| row.id == id).unwrap().state;
    assert_eq!(
        (state("e1"), state("e2")),
        (EngineState::Dead, EngineState::Alive)
    );
    assert_eq!(one.held("e1").await.unwrap(), []);
    let done = Arc::new(end(Outcome::Complete(json!(null))));
    let written = one.settle(late[0].lease, done, NOW).await.unwrap();
    assert_eq!(written, Fenced::Stale);
    assert!(one.beat(&info("e1")).await.unwrap().was_dead);
    assert!(!one.beat(&info("e1")).await.unwrap().was_dead, "told once");
    let again = one.claim(Wanted::of("q", 1), "e1", NOW).await.unwrap();
    let held = one.held("e1").await.unwrap();
    assert_eq!(held, [(again[0].lease, again[0].priority)]);
    assert_eq!(other.rescue("e2", NOW).await.unwrap().returned, 0);
    // A row that somebody has deleted is as good as dead.
    scratch.run("DELETE FROM engines WHERE id = 'e1'");
    assert_eq!(other.rescue("e2", NOW).await.unwrap().returned, 1);
    assert!(one.beat(&info("e1")).await.unwrap().was_dead);
}

#[tokio::test]
async fn one_engine_leads_and_another_after_its_lease_or_its_end_in_a_new_term() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    assert_eq!(starts(&*one, "e1").await.leads, Some(1));
    assert_eq!(starts(&*other, "e2").await.leads, None);
    assert_eq!(one.beat(&info("e1")).await.unwrap().leads, Some(1));
    scratch.run("UPDATE leadership SET expires_at = expires_at - 14000");
    assert_eq!(other.beat(&info("e2")).await.unwrap().leads, None);
    scratch.run("UPDATE leadership SET expires_at = expires_at - 2000");
    assert_eq!(other.beat(&info("e2")).await.unwrap().leads, Some(2));
    assert_eq!(one.beat(&info("e1")).await.unwrap().leads, None);
    assert!(other.engines().await.unwrap()[1].leads);
    other.engine_stopped("e2", NOW).await.unwrap();
    assert_eq!(one.beat(&info("e1")).await.unwrap().leads, Some(3));
    let beats = (0..8).map(|n| {
        let (store, id) = ([&one, &other][n % 2].clone(), format!("new {n}"));
        async move { store.beat(&info(&id)).await.unwrap().leads }
    });
    scratch.run("UPDATE leadership SET expires_at = 0");
    let leads: Vec<_> = join_all(beats).await.into_iter().flatten().collect();
    assert_eq!(leads, [4], "one of many that ask at once");
}

#[tokio::test]
async fn work_that_comes_in_through_one_engine_is_heard_of_by_another() {
    let scratch = Scratch::new();
    let [one, other] = two(&scratch).await;
    starts(&*one, "e1").await;
    starts(&*other, "e2").await;
    one.beat(&info("e1")).await.unwrap();
    let hint = other.hints().queue("q");
    // A listener may not listen yet: what is not heard is rung again.
    let heard = async { hint.notified().await };
    let rings = async {
        loop {
            one.enqueue(vec![new_job("k", None)], NOW).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = heard => {}
        () = rings => {}
    }
}

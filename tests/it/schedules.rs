//! Schedules: a tick runs once, whoever looks; what is missed; who may change what.

use std::sync::Arc;
use std::time::Duration;

use riftsync::engine::Task;
use riftsync::model::records::MatchRecord;
use riftsync::model::{CatchUp, JobState, NewJob, Outcome, Puuid, RetryPolicy, Timestamp};
use riftsync::store::engine::Looker;
use riftsync::store::engine::{JobContext, Registry, TaskFuture, TaskResult};
use riftsync::store::schedules::{Origin, Schedule, Tick, Ticked};
use riftsync::store::{Effect, JobFilter, Store, StoreError};
use serde_json::json;

use crate::data::{game, puuid, stores, write};
use crate::place::{Place, on_each_store};
use crate::store::{NOW, claim_one, end, new_job, settle};

const HOUR: Duration = Duration::from_hours(1);

struct Note;

impl Task<dyn Store> for Note {
    fn kind(&self) -> &'static str {
        "note"
    }
    fn queue(&self) -> &'static str {
        "q"
    }
    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(0, 0, 0)
    }
    fn order(&self, args: &str) -> Result<NewJob, String> {
        Ok(NewJob {
            args: args.to_owned(),
            ..new_job("note", Some("one at a time"))
        })
    }
    fn run(&self, _: JobContext) -> TaskFuture {
        Box::pin(async { TaskResult::complete(json!(null)) })
    }
}

fn schedule(name: &str, expression: &str, catch_up: CatchUp) -> Schedule {
    Schedule {
        name: name.to_owned(),
        expression: expression.to_owned(),
        zone: "Europe/Berlin".to_owned(),
        catch_up,
        kind: "note".to_owned(),
        args: r#"{"n":1}"#.to_owned(),
    }
}

fn looker(store: &Arc<dyn Store>) -> Looker {
    Looker::new(store.clone(), Arc::new(Registry::default().with(Note)))
}

async fn jobs(store: &dyn Store) -> usize {
    let filter = JobFilter {
        limit: 1_000,
        ..JobFilter::default()
    };
    store.list_jobs(&filter).await.unwrap().jobs.len()
}

/// Ends the job of a tick, so that the next tick enqueues another.
async fn finish(store: &dyn Store) {
    let lease = claim_one(store, "q").await;
    let _ = settle(store, lease, end(Outcome::Complete(json!(null)))).await;
}

/// Three engines look at the same moments, again and again.
async fn three_run_each_tick_once(stores: [Arc<dyn Store>; 3]) {
    let [first, ..] = &stores;
    first
        .put_schedule(schedule("s", "every 1h", CatchUp::Once), NOW)
        .await
        .unwrap();
    for tick in 1..=5 {
        let now = NOW + HOUR * tick;
        let mut lookers = stores.each_ref().map(looker);
        let [a, b, c] = &mut lookers;
        let (a, b, c) = tokio::join!(a.look(now), b.look(now), c.look(now));
        for next in [a, b, c] {
            assert_eq!(next.unwrap(), Some(now + HOUR));
        }
        assert_eq!(jobs(&**first).await, usize::try_from(tick).unwrap());
        finish(&**first).await;
        // One that looks late finds it done.
        lookers[1].look(now + HOUR / 2).await.unwrap();
        assert_eq!(jobs(&**first).await, usize::try_from(tick).unwrap());
    }
    let schedule = first.schedules().await.unwrap().remove(0);
    assert_eq!(schedule.last_tick, Some(NOW + HOUR * 5));
    let job = first
        .job(schedule.last_job.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (job.state, job.args),
        (JobState::Completed, json!({"n": 1}))
    );
}

#[tokio::test]
async fn a_tick_that_three_engines_see_on_one_server_runs_once() {
    let place = Place::postgres();
    three_run_each_tick_once([place.open().await, place.open().await, place.open().await]).await;
}

#[tokio::test]
async fn a_tick_that_three_see_in_one_file_runs_once() {
    let place = Place::sqlite();
    let store = place.open().await;
    three_run_each_tick_once([store.clone(), store.clone(), store]).await;
}

on_each_store! { tokio::test;
    of_many_who_saw_the_same_tick_one_has_it,
    what_was_missed_is_skipped_or_run_once,
    a_job_that_still_runs_is_joined_by_the_next_tick,
    a_schedule_that_cannot_run_keeps_its_tick_and_the_others_run,
    schedules_that_a_wrong_clock_moved_are_set_right_at_the_first_look_and_told_once,
    a_clock_that_falls_behind_moves_schedules_back_and_forth_and_runs_each_once,
    what_the_configuration_says_is_adopted_and_what_was_added_stays,
    tracked_players_are_listed_by_when_they_played_last,
}

async fn of_many_who_saw_the_same_tick_one_has_it(store: Arc<dyn Store>) {
    store
        .put_schedule(schedule("s", "every 1h", CatchUp::Once), NOW)
        .await
        .unwrap();
    let seen = store.schedules().await.unwrap().remove(0);
    let ticks = (0..20).map(|_| {
        let tick = Tick::of(&seen, NOW + HOUR, Some(new_job("note", None)));
        store.tick(tick, NOW + HOUR)
    });
    let outcomes = futures_util::future::join_all(ticks).await;
    let enqueued =
        |outcome: &&Result<Ticked, StoreError>| matches!(outcome, Ok(Ticked::Enqueued(_)));
    assert_eq!(outcomes.iter().filter(enqueued).count(), 1);
    let elsewhere =
        |outcome: &&Result<Ticked, StoreError>| matches!(outcome, Ok(Ticked::Elsewhere));
    assert_eq!(outcomes.iter().filter(elsewhere).count(), 19);
    assert_eq!(jobs(&*store).await, 1);
    // It was changed since: the tick is not its any more.
    let seen = store.schedules().await.unwrap().remove(0);
    let later = NOW + HOUR * 2;
    store
        .put_schedule(schedule("s", "every 2h", CatchUp::Once), later)
        .await
        .unwrap();
    let tick = Tick::of(&seen, later, Some(new_job("note", None)));
    assert_eq!(store.tick(tick, later).await.unwrap(), Ticked::Elsewhere);
}

async fn what_was_missed_is_skipped_or_run_once(store: Arc<dyn Store>) {
    for (name, policy) in [("skips", CatchUp::Skip), ("makes_up", CatchUp::Once)] {
        store
            .put_schedule(schedule(name, "0 * * * *", policy), NOW)
            .await
            .unwrap();
    }
    let mut looker = looker(&store);
    // Nobody was there for five days.
    let now = NOW + HOUR * 120;
    let next = looker.look(now).await.unwrap().unwrap();
    assert!(next > now && next.since(now) <= HOUR, "{next}");
    let by_name = |stored: &[riftsync::store::schedules::StoredSchedule], name: &str| {
        let found = stored.iter().find(|stored| stored.schedule.name == name);
        found.unwrap().last_job
    };
    let stored = store.schedules().await.unwrap();
    assert_eq!(by_name(&stored, "skips"), None);
    assert!(by_name(&stored, "makes_up").is_some());
    assert_eq!(jobs(&*store).await, 1);
    finish(&*store).await;
    looker.look(next).await.unwrap();
    let stored = store.schedules().await.unwrap();
    assert!(by_name(&stored, "skips").is_some(), "a tick in time runs");
}

async fn a_job_that_still_runs_is_joined_by_the_next_tick(store: Arc<dyn Store>) {
    store
        .put_schedule(schedule("s", "every 1h", CatchUp::Once), NOW)
        .await
        .unwrap();
    let mut looker = looker(&store);
    looker.look(NOW + HOUR).await.unwrap();
    let lease = claim_one(&*store, "q").await;
    looker.look(NOW + HOUR * 2).await.unwrap();
    let stored = store.schedules().await.unwrap().remove(0);
    assert_eq!(stored.last_tick, Some(NOW + HOUR * 2));
    assert_eq!(stored.last_job, Some(lease.job));
    assert_eq!(jobs(&*store).await, 1);
}

async fn a_schedule_that_cannot_run_keeps_its_tick_and_the_others_run(store: Arc<dyn Store>) {
    let strange = Schedule {
        kind: "of_a_later_version".to_owned(),
        ..schedule("a", "every 1h", CatchUp::Once)
    };
    store.put_schedule(strange, NOW).await.unwrap();
    store
        .put_schedule(schedule("b", "every 1h", CatchUp::Once), NOW)
        .await
        .unwrap();
    looker(&store).look(NOW + HOUR).await.unwrap();
    let stored = store.schedules().await.unwrap();
    assert_eq!(
        (stored[0].last_tick, stored[1].last_tick),
        (None, Some(NOW + HOUR))
    );
}

const EXPRESSIONS: [(&str, &str); 3] = [
    ("cron", "0 3 * * *"),
    ("every", "every 6h"),
    ("at", "at 2023-11-16T00:00:00Z"),
];

async fn schedules_that_a_wrong_clock_moved_are_set_right_at_the_first_look_and_told_once(
    store: Arc<dyn Store>,
) {
    for (name, expression) in EXPRESSIONS {
        let schedule = schedule(name, expression, CatchUp::Once);
        store.put_schedule(schedule, NOW).await.unwrap();
    }
    // An engine runs for a moment while the clock is more than a year ahead. One is made then.
    let ahead = NOW + HOUR * 24 * 400;
    looker(&store).look(ahead).await.unwrap();
    let made = schedule("made_then", "every 1h", CatchUp::Once);
    store.put_schedule(made, ahead).await.unwrap();
    finish(&*store).await;
    assert_eq!(jobs(&*store).await, 1);

    let (mut first, mut second) = (looker(&store), looker(&store));
    let next = first.look(NOW + HOUR).await.unwrap().unwrap();
    assert!(next.since(NOW) <= HOUR * 2, "{next}");
    let mut told = first.set_right().to_vec();
    second.look(NOW + HOUR).await.unwrap();
    told.extend_from_slice(second.set_right());
    told.sort_unstable();
    // The moment that is over by either clock stays so.
    assert_eq!(told, ["at", "cron", "every", "made_then"]);
    assert_eq!(jobs(&*store).await, 1, "to be set right is no tick");
    // Within two days each of them has run again.
    for hour in 2..=48 {
        second.look(NOW + HOUR * hour).await.unwrap();
    }
    assert_eq!(second.set_right(), [""; 0]);
    let stored = store.schedules().await.unwrap();
    for stored in stored {
        let last = stored.last_tick.unwrap();
        assert!(last <= NOW + HOUR * 48, "{stored:?}");
        assert!(stored.last_job.is_some(), "{stored:?}");
    }
}

async fn a_clock_that_falls_behind_moves_schedules_back_and_forth_and_runs_each_once(
    store: Arc<dyn Store>,
) {
    for (name, expression) in &EXPRESSIONS[..2] {
        let schedule = schedule(name, expression, CatchUp::Once);
        store.put_schedule(schedule, NOW).await.unwrap();
    }
    let mut looker = looker(&store);
    looker.look(NOW + HOUR * 24).await.unwrap();
    finish(&*store).await;
    assert_eq!(jobs(&*store).await, 1, "both have joined in one job");
    // A board that starts before its clock is set.
    looker.look(Timestamp::from_millis(20_000)).await.unwrap();
    assert_eq!(looker.set_right().len(), 2);
    assert_eq!(jobs(&*store).await, 1);
    looker.look(NOW + HOUR * 24).await.unwrap();
    assert_eq!(jobs(&*store).await, 2, "nobody knows what was missed");
    finish(&*store).await;
    looker.look(NOW + HOUR * 25).await.unwrap();
    assert_eq!(jobs(&*store).await, 2);
    assert_eq!(looker.set_right().len(), 2);
}

async fn what_the_configuration_says_is_adopted_and_what_was_added_stays(store: Arc<dyn Store>) {
    let names = |stored: Vec<riftsync::store::schedules::StoredSchedule>| -> Vec<String> {
        stored
            .into_iter()
            .map(|stored| stored.schedule.name)
            .collect()
    };
    let [kept, changed, gone] =
        ["kept", "changed", "gone"].map(|name| schedule(name, "every 1h", CatchUp::Once));
    store
        .put_schedule(schedule("mine", "every 1h", CatchUp::Once), NOW)
        .await
        .unwrap();
    store
        .adopt_schedules(vec![kept.clone(), changed.clone(), gone], NOW)
        .await
        .unwrap();
    looker(&store).look(NOW + HOUR).await.unwrap();
    // An engine starts with another configuration.
    let changed = Schedule {
        expression: "every 3h".to_owned(),
        ..changed
    };
    let kept = Schedule {
        args: "{}".to_owned(),
        ..kept
    };
    let later = NOW + HOUR + HOUR / 2;
    store
        .adopt_schedules(vec![kept, changed], later)
        .await
        .unwrap();
    let stored = store.schedules().await.unwrap();
    assert_eq!(stored[1].schedule.args, "{}");
    assert_eq!(
        (stored[1].last_tick, stored[1].made),
        (Some(NOW + HOUR), NOW)
    );
    assert_eq!((stored[0].last_tick, stored[0].made), (None, later));
    assert_eq!(stored[2].origin, Origin::Added);
    assert_eq!(names(stored), ["changed", "kept", "mine"]);

    let refused = store
        .put_schedule(schedule("kept", "every 2h", CatchUp::Once), later)
        .await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    let refused = store.remove_schedule("kept").await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    assert!(store.remove_schedule("mine").await.unwrap());
    assert!(!store.remove_schedule("mine").await.unwrap());
    assert_eq!(names(store.schedules().await.unwrap()), ["changed", "kept"]);
}

async fn tracked_players_are_listed_by_when_they_played_last(store: Arc<dyn Store>) {
    let games: Vec<Vec<Effect>> = (0..12)
        .map(|n| {
            let start = NOW + HOUR * u32::try_from(n).unwrap();
            let game = MatchRecord {
                game_start: start,
                ..(*game(n, 40)).clone()
            };
            vec![stores(&Arc::new(game))]
        })
        .collect();
    write(&*store, games).await;
    let players: Vec<Puuid> = (0..40).map(puuid).collect();
    let players = store.players_by_puuid(&players).await.unwrap();
    assert!((20..=40).contains(&players.len()));
    assert!(
        store.tracked_players(1_000).await.unwrap().is_empty(),
        "who was met is not tracked"
    );
    let ids: Vec<i64> = players.iter().map(|player| player.id).collect();
    assert_eq!(store.track(ids.clone(), true).await.unwrap(), ids.len());
    let tracked = store.tracked_players(1_000).await.unwrap();
    assert_eq!(tracked.len(), ids.len(), "with a name or without");
    let played: Vec<Option<Timestamp>> =
        tracked.iter().map(|tracked| tracked.last_played).collect();
    assert!(played.iter().all(Option::is_some));
    assert!(played.is_sorted_by(|a, b| a >= b), "{played:?}");
    assert!(
        played.first() > played.last(),
        "they did not all play last at once"
    );
    assert_eq!(store.tracked_players(3).await.unwrap(), tracked[..3]);
    store
        .track(vec![tracked[0].player.id], false)
        .await
        .unwrap();
    assert_eq!(store.tracked_players(1_000).await.unwrap(), tracked[1..]);
}

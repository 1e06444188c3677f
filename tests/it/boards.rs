//! The board that engines of one key share its limits by: what it knows of them, whatever is done to the clocks.

use std::sync::Arc;

use riftsync::model::BootTime;
use riftsync::model::board_time::BoardTime;
use riftsync::model::budget_share::{BoardReport, WindowGrant, WindowKey, WindowReport};
use riftsync::store::{BudgetMember, Store};

use crate::place::{Place, on_each_store};
use crate::store::NOW;

const HOUR: i64 = 3_600_000;

on_each_store! { tokio::test;
    what_an_engine_used_is_told_to_the_next_whatever_its_clock_says,
    a_last_word_that_a_later_report_overtook_changes_nothing,
}

fn member(engine: &str) -> BudgetMember {
    BudgetMember {
        key_fingerprint: "key".into(),
        route: "kr",
        engine: engine.into(),
    }
}

/// So many milliseconds after `NOW`, by a clock that was set by `set` since.
fn at(after_ms: i64, set: i64) -> BoardTime {
    let boot = "this start".to_owned();
    BoardTime {
        wall: NOW.as_millis() + after_ms + set,
        boot: Some(BootTime {
            boot,
            ms: 10_000 + after_ms,
        }),
    }
}

/// Of a window of 100 calls in 120 s: so many used, which are free in 90 s, and 500 wanted.
fn report(used: u32, last: bool) -> BoardReport {
    let window = WindowReport {
        key: WindowKey {
            method: None,
            seconds: 120,
        },
        limit: 100,
        places: vec![(90_000, used)],
        wanted: 500,
        keep: 0,
        cleared: None,
    };
    BoardReport {
        windows: vec![window],
        last,
        ..BoardReport::default()
    }
}

async fn share(
    store: &dyn Store,
    engine: &str,
    report: BoardReport,
    now: BoardTime,
) -> WindowGrant {
    let granted = store.share_budget(member(engine), report, now).await;
    granted.unwrap().windows[0]
}

async fn what_an_engine_used_is_told_to_the_next_whatever_its_clock_says(store: Arc<dyn Store>) {
    share(&*store, "first", report(45, true), at(0, 0)).await;
    for set in [-HOUR, -60_000, 0, 60_000, HOUR, -HOUR] {
        let grant = share(&*store, "next", report(0, false), at(1_000, set)).await;
        assert_eq!(
            grant.cap, 54,
            "45 are used, and the last place is kept: {set}"
        );
    }
}

async fn a_last_word_that_a_later_report_overtook_changes_nothing(store: Arc<dyn Store>) {
    let numbered = |number, used| BoardReport {
        number,
        ..report(used, false)
    };
    share(&*store, "a", numbered(2, 10), at(0, 0)).await;
    let late = store
        .share_budget(member("a"), numbered(1, 0), at(10, 0))
        .await;
    assert_eq!(late.unwrap().windows, []);
    let grant = share(&*store, "b", report(0, false), at(20, 0)).await;
    assert_eq!(grant.cap, 0, "the other has all that it was granted");
}

#[tokio::test]
async fn on_one_machine_a_window_that_is_over_is_over_though_the_clock_was_set_back() {
    let place = Place::sqlite();
    let store = place.open().await;
    share(&*store, "first", report(45, true), at(0, 0)).await;
    let grant = share(&*store, "next", report(0, false), at(89_000, -HOUR)).await;
    assert_eq!(grant.cap, 54);
    let grant = share(&*store, "next", report(0, false), at(91_000, -HOUR)).await;
    assert_eq!(grant.cap, 99);
}

#[tokio::test]
async fn without_a_clock_that_nobody_sets_no_place_is_held_longer_than_its_window() {
    let place = Place::sqlite();
    let store = place.open().await;
    let by_wall = |after_ms, set| BoardTime {
        boot: None,
        ..at(after_ms, set)
    };
    share(&*store, "first", report(45, true), by_wall(0, HOUR)).await;
    let grant = share(&*store, "next", report(0, false), by_wall(1_000, 0)).await;
    assert_eq!(grant.cap, 54);
    // It was seen then for the first time by the clock as it is now, and might have been reported just before.
    let grant = share(&*store, "next", report(0, false), by_wall(92_000, 0)).await;
    assert_eq!(grant.cap, 99);
}

#[tokio::test]
async fn when_the_databases_clock_was_set_back_no_report_is_of_the_future() {
    let place = Place::postgres();
    let store = place.open().await;
    share(&*store, "first", report(45, true), at(0, 0)).await;
    let Place::Postgres(scratch) = &place else {
        unreachable!("it is one");
    };
    scratch.run(
        "UPDATE rate_budgets SET reported_at = reported_at + 3600000, windows = jsonb_set(
             windows::jsonb, '{windows,0,places,0,0}',
             to_jsonb((windows::jsonb #>> '{windows,0,places,0,0}')::bigint + 3600000))::text",
    );
    for _ in 0..2 {
        let grant = share(&*store, "next", report(0, false), at(0, 0)).await;
        assert_eq!(grant.cap, 54);
        assert!(grant.ended.is_some_and(|end| end.ago < 60_000));
    }
}

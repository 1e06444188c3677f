//! What a budget makes of answers: unknown limits, 429s of each kind, counts of others.

use super::{ms, secs};
use crate::{Admission, Budget, Margins, MethodId, News, Observation, Pairs, Refused, RefusedBy};
use riftsync_model::budget_share::BoardGrant;
use std::time::Duration;

fn pairs(pairs: &[(u32, u32)]) -> Pairs {
    pairs
        .iter()
        .map(|(calls, seconds)| (*seconds, *calls))
        .collect()
}

/// An answer of an API with these limits (calls, seconds) and this count in each window.
fn served(limits: &[(u32, u32)], count: u32) -> Observation {
    let counts: Vec<_> = limits
        .iter()
        .map(|(_, seconds)| (count, *seconds))
        .collect();
    Observation {
        app_limits: pairs(limits),
        app_counts: pairs(&counts),
        answered: true,
        served: true,
        ..Observation::default()
    }
}

fn refusal(by: RefusedBy, retry_after: Option<u64>) -> Observation {
    Observation {
        answered: true,
        refused: Some(Refused {
            by,
            retry_after: retry_after.map(secs),
        }),
        ..Observation::default()
    }
}

/// One call from `at` to an answer 10 ms later.
#[track_caller]
fn call(budget: &mut Budget, method: MethodId, at: Duration, answer: &Observation) -> News {
    assert_eq!(budget.admit(method, at), Admission::Now, "at {at:?}");
    let departure = budget.depart(method, at);
    budget.observe(&departure, at + ms(10), at + ms(10), answer)
}

fn before(moment: Duration) -> Duration {
    moment.saturating_sub(ms(1))
}

/// How many calls of a method may go at once.
fn room(budget: &mut Budget, method: MethodId, at: Duration) -> usize {
    let mut departures = Vec::new();
    while departures.len() < 1_000 && budget.admit(method, at) == Admission::Now {
        departures.push(budget.depart(method, at));
    }
    for departure in &departures {
        budget.give_back(departure);
    }
    departures.len()
}

/// A budget that made so many calls, one each 20 ms from the first second on, and when that was.
fn busy(limits: &[(u32, u32)], calls: u32) -> (Budget, Duration) {
    let mut budget = Budget::new(Margins::default());
    for n in 1..=calls {
        call(&mut budget, 0, secs(1) + ms(20) * n, &served(limits, n));
    }
    (budget, secs(1) + ms(20) * (calls + 1))
}

#[test]
fn unknown_limits_are_probed_with_one_call_and_known_ones_with_a_growing_number() {
    let mut budget = Budget::new(Margins::default());
    assert_eq!(room(&mut budget, 0, secs(1)), 1);
    let limits = [(100, 10)];
    let mut at = secs(1);
    let rooms: Vec<usize> = (1..=5)
        .map(|n| {
            call(&mut budget, 0, at, &served(&limits, n));
            at += ms(20);
            room(&mut budget, 0, at)
        })
        .collect();
    assert_eq!(rooms, [2, 3, 4, 5, 6]);
}

#[test]
fn an_error_page_from_in_front_of_the_api_does_not_mean_that_there_are_no_limits() {
    let mut budget = Budget::new(Margins::default());
    let page = Observation {
        answered: true,
        ..Observation::default()
    };
    for n in 1..10 {
        call(&mut budget, 0, secs(n), &page);
    }
    assert_eq!(room(&mut budget, 0, secs(10)), 1);
}

#[test]
fn an_error_with_limit_headers_is_as_good_as_any_answer() {
    let mut budget = Budget::new(Margins::default());
    let mut missing = served(&[(100, 10)], 1);
    missing.served = false;
    call(&mut budget, 0, secs(1), &missing);
    assert_eq!(room(&mut budget, 0, ms(1_020)), 2);
}

#[test]
fn without_limits_any_number_goes_once_answers_come() {
    let (mut budget, now) = busy(&[], 50);
    assert_eq!(room(&mut budget, 0, now), 51);
}

#[test]
fn no_more_than_half_of_a_limit_is_on_its_way_at_once() {
    let (mut budget, now) = busy(&[], 100);
    call(&mut budget, 0, now, &served(&[(80, 10)], 1));
    assert_eq!(room(&mut budget, 0, now + ms(20)), 40);
}

#[test]
fn a_full_window_opens_a_span_after_the_answer_of_its_first_call() {
    let (mut budget, now) = busy(&[(10, 10)], 10);
    let Admission::At(at) = budget.admit(0, now) else {
        panic!("the window is full");
    };
    // Sent at 1.020 s, answered at 1.030 s, and 10 ms of margin.
    let expected = secs(11) + ms(40);
    assert!(at >= expected && at <= expected + ms(3), "{at:?}");
    assert_eq!(room(&mut budget, 0, at), 1);
}

#[test]
fn a_call_that_was_never_sent_costs_nothing_and_one_without_an_answer_does() {
    let (mut budget, now) = busy(&[(20, 10)], 18);
    let unsent = budget.depart(0, now);
    budget.give_back(&unsent);
    assert_eq!(room(&mut budget, 0, now), 2);
    let lost = budget.depart(0, now);
    budget.observe(&lost, now + ms(500), now + ms(500), &Observation::default());
    assert_eq!(room(&mut budget, 0, now + ms(500)), 1);
    assert_eq!(budget.windows(now + secs(10))[0].used, 1);
    assert_eq!(budget.windows(now + secs(11))[0].used, 0);
}

#[test]
fn a_429_of_the_application_stops_every_method() {
    let (mut budget, now) = busy(&[(100, 10)], 10);
    let news = call(
        &mut budget,
        1,
        now,
        &refusal(RefusedBy::Application, Some(3)),
    );
    let until = now + ms(10) + secs(3) + ms(100);
    assert_eq!(news.paused_until, Some(until));
    for method in 0..3 {
        assert_eq!(budget.admit(method, before(until)), Admission::At(until));
    }
    assert_eq!(room(&mut budget, 0, until), 1, "a probe comes first");
}

#[test]
fn a_429_of_a_method_a_service_or_nobody_stops_that_method_only() {
    for by in [RefusedBy::Method, RefusedBy::Service] {
        let (mut budget, now) = busy(&[(100, 10)], 10);
        call(&mut budget, 1, now, &served(&[(100, 10)], 11));
        let refused_at = now + ms(20);
        call(&mut budget, 1, refused_at, &refusal(by, Some(7)));
        let until = refused_at + ms(10) + secs(7) + ms(100);
        assert_eq!(budget.admit(1, refused_at + secs(1)), Admission::At(until));
        assert_eq!(budget.admit(0, refused_at + secs(1)), Admission::Now);
        assert_eq!(room(&mut budget, 1, until), 1, "a probe comes first");
    }
}

#[test]
fn pauses_of_a_service_grow_until_a_probe_succeeds() {
    let (mut budget, mut now) = busy(&[(100, 10)], 10);
    let mut pauses = Vec::new();
    for retry_after in [None, Some(0), None, Some(3)] {
        let news = call(
            &mut budget,
            1,
            now,
            &refusal(RefusedBy::Service, retry_after),
        );
        let until = news.paused_until.expect("it is a new pause");
        pauses.push(until.saturating_sub(now + ms(10)).as_secs());
        now = until;
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
    call(&mut budget, 1, now, &served(&[(100, 10)], 1));
    let news = call(
        &mut budget,
        1,
        now + ms(20),
        &refusal(RefusedBy::Service, None),
    );
    assert_eq!(news.paused_until, Some(now + ms(30) + secs(1)));
}

#[test]
fn a_service_that_refuses_a_call_now_and_then_stops_no_other() {
    let (mut budget, mut now) = busy(&[(100, 10)], 25);
    let refused = refusal(RefusedBy::Service, Some(3));
    assert_eq!(call(&mut budget, 0, now, &refused), News::default());
    now += ms(20);
    assert_eq!(room(&mut budget, 0, now), 1, "one finds out how it stands");
    call(&mut budget, 0, now, &served(&[(100, 10)], 27));
    assert_eq!(room(&mut budget, 0, now + ms(20)), 2);
    for n in 0..2 {
        now += ms(20);
        let paused_until = call(&mut budget, 0, now, &refused).paused_until;
        let all_wait = now + ms(10) + secs(3) + ms(100);
        assert_eq!(paused_until, (n == 1).then_some(all_wait));
    }
}

#[test]
fn calls_of_an_earlier_process_count_as_late_as_they_can_have_been() {
    let mut budget = Budget::new(Margins::default());
    let limits = [(100, 10)];
    let news = call(&mut budget, 0, secs(1), &served(&limits, 95));
    assert_eq!(
        news.strangers, None,
        "it is no news that there was an earlier process"
    );
    // Those that were still on their way are waited for, and counted by the next call.
    assert_eq!(room(&mut budget, 0, ms(2_009)), 0);
    call(&mut budget, 0, ms(2_010), &served(&limits, 98));
    for n in 0..2 {
        call(
            &mut budget,
            0,
            // Where others were, the last places go one after the other.
            ms(2_300) + ms(200) * n,
            &served(&limits, 99 + n),
        );
    }
    assert_eq!(room(&mut budget, 0, secs(3)), 0);
    assert_eq!(room(&mut budget, 0, secs(11)), 0);
    // Ten seconds after the answers that told of them: 94 from the first, 2 from the second.
    assert!(budget.windows(ms(11_025))[0].used <= 6);
    assert!(budget.windows(ms(12_035))[0].used <= 3);
}

#[test]
fn a_new_window_frees_the_places_of_others() {
    let mut budget = Budget::new(Margins::default());
    let limits = [(100, 10)];
    call(&mut budget, 0, secs(1), &served(&limits, 60));
    assert_eq!(
        budget.windows(secs(2))[0].used,
        61,
        "one more may be on its way"
    );
    call(&mut budget, 0, secs(3), &served(&limits, 1));
    assert_eq!(
        budget.windows(secs(3))[0].used,
        2,
        "both of ours are reckoned with"
    );
}

#[test]
fn somebody_else_on_the_key_is_noticed_and_reckoned_with() {
    let (mut budget, now) = busy(&[(100, 10)], 10);
    let now = now + secs(2);
    call(&mut budget, 0, now, &served(&[(100, 10)], 31));
    assert_eq!(budget.windows(now)[0].used, 31);
    let now = now + secs(5);
    let news = call(&mut budget, 0, now, &served(&[(100, 10)], 32));
    let told = news.strangers.expect("it was seen for a while");
    assert!((15..=45).contains(&told), "{told} %");
    assert_eq!(
        budget.windows(now)[0].used,
        32,
        "the same ones are not counted twice"
    );
    // Places are left for those who come.
    let room = room(&mut budget, 0, now + ms(20));
    assert!(room < 50, "{room}");
}

#[test]
fn pair_order_and_late_answers_do_not_change_the_limits() {
    let (mut budget, now) = busy(&[(50, 10), (100, 120)], 10);
    let early = budget.depart(0, now);
    call(
        &mut budget,
        0,
        now + ms(20),
        &served(&[(70, 120), (30, 10)], 11),
    );
    // It was counted before the limits changed, or so it may be.
    budget.observe(
        &early,
        now + ms(90),
        now + ms(90),
        &served(&[(50, 10), (100, 120)], 12),
    );
    let limits: Vec<_> = budget
        .windows(now + ms(90))
        .iter()
        .map(|window| (window.limit, window.seconds))
        .collect();
    assert_eq!(limits, [(30, 10), (70, 120)]);
    call(&mut budget, 0, now + ms(100), &served(&[(80, 120)], 13));
    let windows = budget.windows(now + ms(120));
    assert_eq!(
        (windows.len(), windows[0].limit, windows[0].seconds),
        (1, 80, 120)
    );
}

#[test]
fn a_window_that_appears_begins_with_what_the_server_counts_in_it() {
    let (mut budget, now) = busy(&[(50, 10)], 10);
    let news = call(&mut budget, 0, now, &served(&[(50, 10), (100, 120)], 11));
    assert_eq!(news.strangers, None, "the calls were ours");
    let used: Vec<_> = budget
        .windows(now)
        .iter()
        .map(|window| window.used)
        .collect();
    assert_eq!(used, [11, 11]);
}

#[test]
fn a_limit_of_nothing_is_probed_rather_than_waited_for_for_ever() {
    let (mut budget, now) = busy(&[(0, 10)], 1);
    assert_ne!(budget.admit(0, now), Admission::Now);
    assert_eq!(budget.admit(0, now + secs(12)), Admission::Now);
}

#[test]
fn an_estimate_is_what_the_calls_then_take() {
    let limits = [(20, 1), (100, 120)];
    let (mut budget, now) = busy(&limits, 10);
    let until = |budget: &mut Budget, calls| {
        let last = budget.estimate(now, &[(0, calls)]);
        last.saturating_sub(now).as_secs()
    };
    assert_eq!(until(&mut budget, 0), 0);
    assert_eq!(until(&mut budget, 10), 0);
    assert_eq!(until(&mut budget, 30), 1);
    assert_eq!(until(&mut budget, 90), 4);
    assert_eq!(until(&mut budget, 91), 119);
    assert_eq!(until(&mut budget, 990), 9 * 120 + 1);
}

#[test]
fn of_an_absurd_wait_an_hour_is_waited_and_then_one_call_finds_out() {
    let absurd = refusal(RefusedBy::Application, Some(999_999_999));
    let mut budget = Budget::new(Margins::default());
    let hour = Duration::from_hours(1);
    let mut now = secs(10);
    for _ in 0..3 {
        let news = call(&mut budget, 1, now, &absurd);
        assert_eq!(news.excess, Some(secs(999_999_999)));
        let until = budget.paused_until(None);
        assert!(
            until >= now + hour && until < now + hour + secs(1),
            "{until:?}"
        );
        assert!(budget.admit(1, before(until)) != Admission::Now);
        assert_eq!(room(&mut budget, 1, until), 1, "one");
        assert_eq!(budget.excess(None), Some(secs(999_999_999)));
        now = until;
    }
    let news = call(&mut budget, 1, now, &served(&[(100, 1)], 1));
    assert_eq!((news.excess, budget.excess(None)), (None, None));
    assert!(room(&mut budget, 1, now + secs(60)) > 1);
}

#[test]
fn an_absurd_wait_that_another_engine_tells_is_an_hour_too() {
    let now = secs(10);
    for method in [None, Some(1)] {
        let mut budget = Budget::new(Margins::default());
        let grant = BoardGrant {
            pauses: vec![(method, u32::MAX)],
            ..BoardGrant::default()
        };
        budget.granted(&grant, now, now);
        assert_eq!(budget.paused_until(method), now + Duration::from_hours(1));
    }
}

#[test]
fn a_window_that_is_longer_than_any_is_taken_for_an_hour() {
    let mut budget = Budget::new(Margins::default());
    let answer = |count| served(&[(5, 999_999_999), (3, 100_000), (100, 1)], count);
    let mut now = secs(10);
    let mut calls = 0;
    while budget.admit(1, now) == Admission::Now {
        calls += 1;
        let news = call(&mut budget, 1, now, &answer(calls));
        assert_eq!(news.excess, Some(secs(999_999_999)));
        now += secs(20);
    }
    assert_eq!(calls, 3, "the strictest");
    let Admission::At(at) = budget.admit(1, now) else {
        panic!("it has to be known when");
    };
    assert!(at > secs(3_600) && at < secs(3_700), "{at:?}");
    assert_eq!(budget.excess(None), Some(secs(999_999_999)));
    call(&mut budget, 1, at, &served(&[(100, 1)], 1));
    assert_eq!(budget.excess(None), None);
}

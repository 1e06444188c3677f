//! How much of the budget is used when more is wanted than may be.

use super::drive::{Demand, Drive, Latency, Ways};
use super::secs;
use riftsync_simulator::{Limit, WindowModel};

/// The share of the budget that is used over 20 windows of the first limit, which is the binding
/// one, after a first window that may be better than those that follow, or worse.
fn used(model: WindowModel, limits: &[Limit], round_trip: Latency) -> f64 {
    let (calls, seconds) = limits[0];
    let mut drive = Drive::new(
        model,
        limits,
        &[],
        Ways::half(round_trip),
        Demand::Endless,
        11,
    );
    // Round trips are relied on only after some of them.
    let first = calls.max(20) as usize;
    drive.run_until(secs(u64::from(seconds) * 48));
    assert!(drive.overruns.is_empty(), "{model:?}: {:?}", drive.overruns);
    let last = first + 20 * calls as usize;
    let took = drive.arrivals[last].saturating_sub(drive.arrivals[first]);
    f64::from(20 * seconds) / took.as_secs_f64()
}

#[track_caller]
fn check(limits: &[Limit], round_trip: Latency, at_least: f64) {
    for model in WindowModel::WITH_LATE {
        let used = used(model, limits, round_trip);
        println!("{limits:?} {round_trip:?} {model:?}: {:.2} %", used * 100.0);
        assert!(used >= at_least, "{model:?}: {used}, expected {at_least}");
    }
}

const STEADY: Latency = Latency::Steady { median_ms: 80.0 };
const REAL: Latency = Latency::LogNormal {
    median_ms: 80.0,
    sigma: 0.3,
};

#[test]
fn a_production_key_is_used_to_98_5_percent() {
    let limits = [(500, 10), (30_000, 600)];
    check(&limits, STEADY, 0.985);
    check(&limits, REAL, 0.985);
}

#[test]
fn a_production_key_is_used_over_its_long_windows_too() {
    let used = used(WindowModel::SlidingLog, &[(30_000, 600), (500, 10)], REAL);
    assert!(used >= 0.985, "{used}");
}

#[test]
fn a_development_key_is_used_to_99_percent() {
    let limits = [(100, 120), (20, 1)];
    check(&limits, STEADY, 0.99);
    check(&limits, REAL, 0.99);
}

#[test]
fn short_windows_are_used_to_99_percent_of_what_is_safe() {
    for (calls, seconds) in [(20, 1), (50, 1), (7, 2), (300, 10), (1, 1)] {
        let safe = |round_trip_s: f64| f64::from(seconds) / (f64::from(seconds) + round_trip_s);
        // The mean of the log-normal ones is 4.6 % above their median.
        check(&[(calls, seconds)], STEADY, 0.99 * safe(0.080));
        check(&[(calls, seconds)], REAL, 0.99 * safe(0.0837));
    }
}

#[test]
fn of_steady_round_trips_not_even_one_is_lost() {
    check(&[(20, 1)], STEADY, 0.985);
}

#[test]
fn heavy_jitter_costs_what_it_must_and_no_more() {
    let heavy = Latency::LogNormal {
        median_ms: 80.0,
        sigma: 1.0,
    };
    // The mean is 132 ms.
    check(&[(500, 10)], heavy, 0.99 * 10.0 / 10.132);
}

#[test]
fn a_service_that_refuses_one_call_in_fifty_costs_these_calls_and_no_more() {
    for limits in [&[(50, 1), (300, 10)][..], &[(500, 10), (30_000, 600)]] {
        let &(calls, seconds) = limits.iter().find(|(_, seconds)| *seconds == 10).unwrap();
        for model in WindowModel::WITH_LATE {
            let ways = Ways::half(REAL);
            let mut drive = Drive::new(model, limits, &[], ways, Demand::Endless, 11);
            // As a crawl has: matches and timelines.
            drive.methods = 2;
            drive.mishaps.loaded = 0.02;
            drive.run_until(secs(301));
            assert!(drive.overruns.is_empty(), "{model:?}");
            let permitted = f64::from(calls) * 300.0 / f64::from(seconds);
            let [counted, refused] =
                [drive.arrivals.len(), drive.turned_away].map(|of| of as f64 / permitted);
            println!("{limits:?} {model:?}: counted {counted:.4} refused {refused:.4}");
            assert!(counted >= 0.985, "{limits:?} {model:?}: {counted}");
            assert!(refused < 0.03, "{limits:?} {model:?}: {refused}");
        }
    }
}

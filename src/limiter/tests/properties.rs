//! No call exceeds a window, whatever the limits, ways, demand and the server's idea of a window.

use std::time::Duration;

use proptest::prelude::*;

use super::drive::{Demand, Drive, Latency, Mishaps, Ways};
use super::{ms, secs};
use riftsync_simulator::{Limit, WindowModel};

fn models() -> impl Strategy<Value = WindowModel> {
    prop::sample::select(WindowModel::WITH_LATE.to_vec())
}

/// Not below four calls: before anything is known a probe a second goes until one is answered.
fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let limit = (4..=60_u32, prop_oneof![1..=3_u32, 5..=30_u32]);
    prop::collection::vec(limit, 1..=3).prop_map(|mut limits| {
        limits.sort_by_key(|limit| limit.1);
        limits.dedup_by_key(|limit| limit.1);
        limits
    })
}

fn latencies() -> impl Strategy<Value = Latency> {
    prop_oneof![
        (1.0..300.0).prop_map(|median_ms| Latency::Steady { median_ms }),
        (1.0..200.0, 1.0..3.0).prop_map(|(least_ms, spread)| Latency::Uniform {
            least_ms,
            most_ms: least_ms * spread
        }),
        (5.0..200.0, 0.05..1.0)
            .prop_map(|(median_ms, sigma)| Latency::LogNormal { median_ms, sigma }),
        (5.0..100.0, 5..100_u32)
            .prop_map(|(median_ms, one_in)| Latency::Tailed { median_ms, one_in }),
    ]
}

fn ways() -> impl Strategy<Value = Ways> {
    prop_oneof![
        (latencies(), 0.0..=1.0).prop_map(|(round_trip, there)| Ways::Shared { round_trip, there }),
        (latencies(), latencies()).prop_map(|(there, back)| Ways::Apart { there, back }),
    ]
}

fn demands() -> impl Strategy<Value = Demand> {
    prop_oneof![
        Just(Demand::Endless),
        (1..200_u32, 1..8_000_u64).prop_map(|(calls, pause_ms)| Demand::Bursts { calls, pause_ms }),
    ]
}

fn mishaps() -> impl Strategy<Value = Mishaps> {
    let some = || prop_oneof![Just(0.0), 0.0..0.1];
    let of = (some(), some(), some(), some(), some());
    of.prop_map(|(unsent, lost, in_front, slow_start, loaded)| Mishaps {
        unsent,
        lost,
        in_front,
        slow_start,
        loaded,
    })
}

/// A world, in words that a failure can show.
#[derive(Debug, Clone)]
struct World {
    model: WindowModel,
    app: Vec<Limit>,
    method: Vec<Limit>,
    ways: Ways,
    demand: Demand,
    mishaps: Mishaps,
    seed: u64,
}

impl World {
    fn drive(&self) -> Drive {
        let mut drive = Drive::new(
            self.model,
            &self.app,
            &self.method,
            self.ways,
            self.demand,
            self.seed,
        );
        drive.mishaps = self.mishaps;
        drive
    }
}

fn worlds() -> impl Strategy<Value = World> {
    let method = prop_oneof![Just(Vec::new()), limits()];
    (
        models(),
        limits(),
        method,
        ways(),
        demands(),
        mishaps(),
        any::<u64>(),
    )
        .prop_map(|(model, app, method, ways, demand, mishaps, seed)| World {
            model,
            app,
            method,
            ways,
            demand,
            mishaps,
            seed,
        })
}

fn config() -> ProptestConfig {
    // Failures are reproduced by the seed that is printed.
    ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

const END: Duration = secs(120);

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_call_exceeds_a_window(world in worlds()) {
        let mut drive = world.drive();
        drive.run_until(END);
        prop_assert!(drive.overruns.is_empty(), "over a limit at {:?}", drive.overruns);
        prop_assert!(!drive.arrivals.is_empty());
    }

    #[test]
    fn limits_may_be_halved_and_raised_while_running(
        world in worlds(),
        app in limits(),
        at in 5_000..60_000_u64,
    ) {
        let mut drive = world.drive();
        // If none of the calls that meet the new limits is answered, nobody can know.
        drive.mishaps.lost = 0.0;
        drive.mishaps.in_front = 0.0;
        // Nor do we promise it where a round trip takes half a window.
        let app: Vec<Limit> = app.iter().map(|(calls, span)| (*calls, span * 3)).collect();
        let doubled: Vec<Limit> = app.iter().map(|(calls, span)| (calls * 2, *span)).collect();
        drive.set_app_limits(&doubled, 0);
        drive.run_until(ms(at));
        drive.set_app_limits(&app, 0);
        drive.run_until(ms(at) + secs(40));
        drive.set_app_limits(&doubled, 0);
        drive.run_until(END);
        prop_assert!(drive.overruns.is_empty(), "over a limit at {:?}", drive.overruns);
    }
}

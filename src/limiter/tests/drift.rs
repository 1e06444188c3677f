//! Restarts, strangers on the key, and windows whose edges are not where they should be.

use super::drive::{Demand, Drive, Latency, Ways};
use super::{ms, secs};
use riftsync_simulator::{Limit, WindowModel};

fn jitter(sigma: f64) -> Ways {
    Ways::half(Latency::LogNormal {
        median_ms: 80.0,
        sigma,
    })
}

fn saturated(model: WindowModel, limits: &[Limit], ways: Ways, seed: u64) -> Drive {
    Drive::new(model, limits, &[], ways, Demand::Endless, seed)
}

#[test]
fn a_restart_in_the_middle_of_a_window_costs_no_429() {
    for model in WindowModel::ALL {
        for sigma in [0.3, 1.0] {
            for seed in 0..40 {
                let mut drive = saturated(model, &[(50, 1), (300, 10)], jitter(sigma), seed);
                // The first window's 300 calls take six seconds: here there is room.
                drive.run_until(ms(2_000 + seed * 100));
                drive.restart();
                drive.run_until(secs(60));
                assert!(
                    drive.overruns.is_empty(),
                    "{model:?}, sigma {sigma}, seed {seed}: {:?}",
                    drive.overruns
                );
            }
        }
    }
}

#[test]
fn a_restart_when_nothing_is_left_costs_the_probe_at_most() {
    for model in WindowModel::ALL {
        for seed in 0..40 {
            let mut drive = saturated(model, &[(500, 10)], jitter(0.3), seed);
            drive.run_until(secs(30) + ms(seed * 251));
            drive.restart();
            drive.run_until(secs(90));
            assert!(
                drive.overruns.len() <= 1,
                "{model:?}, seed {seed}: {:?}",
                drive.overruns
            );
        }
    }
}

#[test]
fn limits_that_are_halved_cost_no_429_under_full_load() {
    let keys: [(&[Limit], &[Limit], u64); 2] = [
        (&[(50, 1), (300, 10)], &[(25, 1), (150, 10)], 20_000),
        // In the middle of the first burst, when most is on its way.
        (&[(500, 10)], &[(250, 10)], 1_300),
    ];
    for (limits, halved, from) in keys {
        for model in WindowModel::ALL {
            for seed in 0..40 {
                let mut drive = saturated(model, limits, jitter(0.3), seed);
                drive.run_until(ms(from + seed * 23));
                drive.set_app_limits(halved, 0);
                drive.run_until(secs(60));
                assert!(
                    drive.overruns.is_empty(),
                    "{limits:?}, {model:?}, seed {seed}: {:?}",
                    drive.overruns
                );
            }
        }
    }
}

#[test]
fn edges_that_drift_by_a_second_are_learnt_from_one_429() {
    let mut drive = saturated(WindowModel::OpenedByFirstCall, &[(300, 10)], jitter(0.3), 5);
    drive.set_app_limits(&[(300, 10)], 1_000);
    drive.run_until(secs(600));
    let first = drive.overruns.iter().filter(|at| **at < secs(25)).count();
    let later = drive.overruns.len() - first;
    assert!(first > 0, "the edges do drift");
    assert!(first <= 3, "a few were on their way: {first}");
    // Half of the margin was tried first.
    assert!(later <= 1, "{:?}", drive.overruns);
    // It still uses what is there: 300 each 11.1 s.
    assert!(drive.arrivals.len() > 300 * 52, "{}", drive.arrivals.len());
}

#[test]
fn a_stranger_who_uses_half_of_the_key_leaves_us_the_other_half() {
    let mut drive = saturated(WindowModel::SlidingLog, &[(300, 10)], jitter(0.3), 5);
    for tenth in 10..3_000_u64 {
        drive.run_until(ms(tenth * 100));
        drive.others_call(1);
    }
    let ours = drive.arrivals.len();
    let refused = drive.overruns.len();
    assert!(refused * 100 <= ours, "{refused} of {ours} were refused");
    assert!(ours > 5_000, "{ours}");
}

#[test]
fn edges_up_to_half_a_second_late_cost_little_more_than_half_a_second() {
    let limits = [(50, 1), (300, 10)];
    for model in WindowModel::ALL {
        let (mut used, mut refused) = (0, 0);
        for seed in 0..4 {
            let mut drive = saturated(model, &limits, jitter(0.3), seed);
            drive.set_app_limits(&limits, 500);
            drive.run_until(secs(601));
            used += drive.arrivals.len();
            refused += drive.overruns.len();
        }
        let used = used as f64 / f64::from(4 * 60 * 300);
        println!("{model:?}: {used:.4}, {refused} refused in 40 min");
        assert!(used >= 0.94, "{model:?}: {used}");
        assert!(refused <= 40, "{model:?}: {refused} in 40 min");
    }
}

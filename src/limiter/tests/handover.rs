//! One process after another on a key, on a virtual clock before the simulator's meter: what the first leaves
//! of a running window the second uses, however the first ended.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::{Instant, sleep, sleep_until};

use super::board::{ROUTE, Server, Slow, lagging_server, on_virtual_time, saturate};
use super::{secs, seeds};
use crate::limiter::actor::Leave;
use crate::limiter::{MemoryBoard, RateLimiter};
use crate::simulator::{Limit, WindowModel};

const DEVELOPMENT: &[Limit] = &[(100, 120), (20, 1)];
const PRODUCTION: &[Limit] = &[(500, 10), (30_000, 600)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Clean,
    /// Killed; the next process finds the file's lock free.
    Killed,
}

/// How the server's windows begin and end, and how old the counts are that it tells.
type Counts = (WindowModel, Duration);

const COUNTS: [Counts; 3] = [
    (WindowModel::OpenedByFirstCall, Duration::ZERO),
    (WindowModel::AlignedToClock, Duration::ZERO),
    (WindowModel::SlidingLog, Duration::ZERO),
];

struct Line {
    server: Rc<Server>,
    board: Arc<MemoryBoard>,
    number: u32,
}

impl Line {
    fn new((model, lag): Counts, limits: &[Limit], seed: u64) -> Self {
        fastrand::seed(seed);
        Self {
            server: lagging_server(model, limits, seed, lag),
            board: Arc::new(MemoryBoard::default()),
            number: 0,
        }
    }

    /// A process that wants everything until then.
    async fn process(&mut self, until: Instant, end: End) {
        self.number += 1;
        let seat = self.board.seat(&self.number.to_string());
        let limiter = RateLimiter::new(ROUTE)
            .with_board(Arc::new(Slow(seat.clone(), Arc::default())))
            .start();
        saturate(&limiter, &self.server, 32, until);
        sleep_until(until).await;
        match end {
            End::Clean => {
                // Its calls end first.
                sleep(Duration::from_millis(100)).await;
                limiter.send(Leave).await.unwrap();
            }
            End::Killed => seat.end(),
        }
        drop(limiter);
    }
}

/// A short process, then one that wants everything: what both made until the end of the first window.
fn used(model: Counts, limits: &'static [Limit], end: End, seed: u64) -> f64 {
    let window = secs(u64::from(limits[0].1));
    let used = Rc::new(std::cell::Cell::new(0.0));
    let told = used.clone();
    on_virtual_time(async move {
        let mut line = Line::new(model, limits, seed);
        let begun = Instant::now();
        // The window is opened by the first call, after the board's answer and half a round trip.
        let lasts = Duration::from_millis(fastrand::u64(
            100..if limits[0].1 == 10 { 4_000 } else { 8_000 },
        ));
        line.process(begun + lasts, end).await;
        line.process(begun + window, End::Killed).await;
        let made = line.server.calls.get() as f64 / f64::from(limits[0].0);
        assert_eq!(
            line.server.over.get(),
            0,
            "{model:?} {limits:?} {end:?}, seed {seed}: {:?}",
            line.server.first_over.borrow()
        );
        told.set(made);
    });
    used.get()
}

#[test]
fn after_a_clean_end_the_next_process_uses_what_is_left_of_the_running_window() {
    for limits in [DEVELOPMENT, PRODUCTION] {
        for model in COUNTS {
            for seed in 0..seeds(20) {
                let used = used(model, limits, End::Clean, seed);
                assert!(used >= 0.98, "{model:?} {limits:?}, seed {seed}: {used}");
            }
        }
    }
}

#[test]
fn after_a_kill_the_next_process_asks_once_and_uses_what_is_left() {
    for limits in [DEVELOPMENT, PRODUCTION] {
        for model in COUNTS {
            for seed in 0..seeds(20) {
                let used = used(model, limits, End::Killed, seed);
                assert!(used >= 0.95, "{model:?} {limits:?}, seed {seed}: {used}");
            }
        }
    }
}

#[test]
fn kills_every_six_seconds_leave_little_of_a_key_unused_and_exceed_nothing() {
    for (model, seed) in COUNTS
        .into_iter()
        .flat_map(|model| (0..seeds(2)).map(move |seed| (model, seed)))
    {
        on_virtual_time(async move {
            let mut line = Line::new(model, &[(300, 10), (50, 1)], seed);
            let begun = Instant::now();
            for kill in 1..=10 {
                line.process(begun + secs(kill * 6), End::Killed).await;
            }
            let used = line.server.calls.get() as f64 / (300.0 * 6.0);
            assert_eq!(line.server.over.get(), 0, "{model:?}, seed {seed}");
            // A sliding window is used to 88.7 % with one of the seeds.
            assert!(used >= 0.88, "{model:?}, seed {seed}: {used}");
        });
    }
}

/// Open: one call too many, whatever the first process's end, with seeds 2 and 4.
#[test]
#[ignore = "a known defect"]
fn counts_that_are_told_late_mislead_nobody() {
    let late = (WindowModel::OpenedByFirstCall, Duration::from_millis(150));
    for end in [End::Clean, End::Killed] {
        for seed in 0..seeds(20) {
            assert!(used(late, DEVELOPMENT, end, seed) >= 0.95);
        }
    }
}

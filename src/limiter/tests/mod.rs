//! The limiter against the simulator's meters, which count exactly, on a virtual clock.

mod actor;
mod board;
mod budget;
mod drift;
mod drive;
mod handover;
mod interleavings;
mod joined;
mod properties;
mod sleep;
mod utilisation;

use std::time::Duration;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

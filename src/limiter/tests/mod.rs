//! The limiter against the simulator's meters, which count exactly, on a virtual clock.

mod actor;
mod board;
mod budget;
mod clocks;
mod drift;
mod drive;
mod handover;
mod interleavings;
mod joined;
mod properties;
mod sleep;
mod strangers;
mod utilisation;

use std::time::Duration;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Seeds of each kind; more by hand.
fn seeds(usual: u64) -> u64 {
    let told = std::env::var("RIFTSYNC_SEEDS").ok();
    told.and_then(|told| told.parse().ok()).unwrap_or(usual)
}

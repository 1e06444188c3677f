//! Time by a clock that nobody sets and no sleep of the machine stops.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A moment since the machine was started. Moments of different starts have nothing to do with each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BootTime {
    /// Names the start.
    pub boot: String,
    /// Milliseconds after it.
    pub ms: i64,
}

impl BootTime {
    /// None: the system has no such clock, or no name for its start.
    pub fn now() -> Option<Self> {
        Some(Self {
            boot: boot_id()?.to_owned(),
            ms: i64::try_from(since_start().as_millis()).ok()?,
        })
    }

    /// Milliseconds from that moment to this one; none: they cannot be compared.
    pub fn since(&self, earlier: &Self) -> Option<i64> {
        (self.boot == earlier.boot && self.ms >= earlier.ms).then(|| self.ms - earlier.ms)
    }
}

fn boot_id() -> Option<&'static str> {
    static ID: OnceLock<Option<String>> = OnceLock::new();
    let read = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let id = ID.get_or_init(|| Some(read()?.trim().to_owned()).filter(|id| !id.is_empty()));
    id.as_deref()
}

#[cfg(target_os = "linux")]
fn since_start() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

/// On macOS the monotonic clock of POSIX runs while the machine sleeps, and that of `Instant` does not.
#[cfg(not(target_os = "linux"))]
fn since_start() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(time).unwrap_or_default()
}

/// How long the machine has slept since this was first asked: so much later it is than `Instant` says.
pub fn slept() -> Duration {
    static FIRST: OnceLock<(Instant, Duration)> = OnceLock::new();
    static SLEPT_MS: AtomicU64 = AtomicU64::new(0);
    // In this order, what passes between two readings never looks like sleep.
    let (awake, all) = FIRST.get_or_init(|| (Instant::now(), since_start()));
    let passed = since_start().saturating_sub(*all);
    let slept = passed.saturating_sub(awake.elapsed());
    let slept = u64::try_from(slept.as_millis()).unwrap_or(u64::MAX);
    let before = SLEPT_MS.fetch_max(slept, Ordering::Relaxed);
    Duration::from_millis(before.max(slept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_one_start_are_compared_and_others_are_not() {
        let at = |boot: &str, ms| BootTime {
            boot: boot.to_owned(),
            ms,
        };
        assert_eq!(at("a", 500).since(&at("a", 200)), Some(300));
        assert_eq!(at("a", 200).since(&at("a", 500)), None);
        assert_eq!(at("b", 500).since(&at("a", 200)), None);
    }

    #[test]
    fn a_machine_that_is_awake_has_not_slept() {
        for _ in 0..100_000 {
            slept();
        }
        assert!(slept() < Duration::from_millis(50), "{:?}", slept());
    }
}

//! What time has passed here, the sleep of the machine included: the server's windows and other engines do not sleep
//! with it, and tokio's clock does.

use std::time::Duration;

use tokio::time::Instant;

/// Time since it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    epoch: Instant,
    slept_before: Duration,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            slept_before: slept(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.at(Instant::now())
    }

    /// A moment of a short while ago.
    pub(super) fn at(&self, moment: Instant) -> Duration {
        let slept = slept().saturating_sub(self.slept_before);
        moment.saturating_duration_since(self.epoch) + slept
    }
}

#[cfg(not(test))]
use riftsync_model::slept;

#[cfg(test)]
thread_local! {
    /// How long the machine of a test has slept.
    pub(super) static ASLEEP: std::cell::Cell<Duration> = const { std::cell::Cell::new(Duration::ZERO) };
}

#[cfg(test)]
fn slept() -> Duration {
    ASLEEP.get()
}

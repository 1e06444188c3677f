//! What time it is to an engine: the wall clock, or one that stands until a test moves it.
//!
//! Everything that an engine and its tasks write or decide by a moment asks here. How long something takes (a pause, a
//! time limit, a heartbeat) is measured on the real time of the machine; what a test skips has passed for the pauses of
//! the gate too.

use std::time::Duration;

use tokio::sync::watch;

use riftsync_basics::Timestamp;

/// See the module. The default is the wall clock.
#[derive(Debug, Clone)]
pub struct Clock {
    told: Option<watch::Receiver<Timestamp>>,
    /// What it told first.
    began: Timestamp,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            told: None,
            began: Timestamp::EPOCH,
        }
    }
}

impl Clock {
    /// One that tells what its sender was told last.
    pub fn told(told: watch::Receiver<Timestamp>) -> Self {
        let began = *told.borrow();
        Self {
            told: Some(told),
            began,
        }
    }

    pub fn now(&self) -> Timestamp {
        match &self.told {
            Some(told) => *told.borrow(),
            None => Timestamp::now(),
        }
    }

    /// How much time it was moved over by hand: that has passed for everything that waits, though not on the machine.
    pub fn skipped(&self) -> Duration {
        match &self.told {
            Some(told) => told.borrow().since(self.began),
            None => Duration::ZERO,
        }
    }

    /// Resolves when the clock was moved away from this moment by hand; the wall clock never is.
    pub async fn moved_from(&self, seen: Timestamp) {
        if let Some(told) = &self.told
            && told.clone().wait_for(|now| *now != seen).await.is_ok()
        {
            return;
        }
        // Nobody can move it (any more).
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_clock_stands_until_it_is_moved_and_whoever_waits_for_that_hears_of_it() {
        let begin = Timestamp::from_millis(1_000);
        let hand = watch::Sender::new(begin);
        let clock = Clock::told(hand.subscribe());
        assert_eq!(clock.now(), begin);
        assert!(clock.moved_from(begin).now_or_never().is_none());
        let later = begin + Duration::from_hours(24);
        hand.send_replace(later);
        assert_eq!(clock.clone().now(), later);
        assert_eq!(clock.skipped(), Duration::from_hours(24));
        // Also for those who looked before and wait only now.
        assert!(clock.moved_from(begin).now_or_never().is_some());
        assert!(clock.moved_from(later).now_or_never().is_none());
        drop(hand);
        assert!(clock.moved_from(later).now_or_never().is_none());
        assert_eq!(clock.now(), later);
    }

    #[test]
    fn the_wall_clock_is_moved_by_nobody() {
        let clock = Clock::default();
        assert!(clock.now() > Timestamp::EPOCH);
        assert_eq!(clock.skipped(), Duration::ZERO);
        assert!(clock.moved_from(Timestamp::EPOCH).now_or_never().is_none());
    }
}

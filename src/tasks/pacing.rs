//! What the queues' rates allow: how long calls take under them, and what they leave unused of a key.
//! Pure.

use std::time::Duration;

use super::{MATCH_PROCESSING, TIMELINE_PROCESSING};
use crate::engine::{QueueConfig, QueueControls};
use crate::gate::Pace;
use crate::model::Rate;

/// The rates of the two queues that make nearly all calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pacing {
    matches: Option<Rate>,
    timelines: Option<Rate>,
}

impl Pacing {
    pub fn of(queues: &[QueueConfig]) -> Self {
        let rate = |name| {
            let queue = queues.iter().find(|queue| queue.name == name);
            queue.and_then(|queue| queue.rate)
        };
        Self {
            matches: rate(MATCH_PROCESSING),
            timelines: rate(TIMELINE_PROCESSING),
        }
    }

    /// By the rates as they are set now.
    pub fn now(queues: &QueueControls) -> Self {
        let rate = |name| queues.named(name).and_then(|queue| queue.settings().rate);
        Self {
            matches: rate(MATCH_PROCESSING),
            timelines: rate(TIMELINE_PROCESSING),
        }
    }

    /// How long so many matches and timelines take by the rates alone.
    pub fn time_for(&self, [matches, timelines]: [u32; 2]) -> Duration {
        let time = |rate: Option<Rate>, calls: u32| {
            rate.map_or(Duration::ZERO, |rate| rate.period / rate.count * calls)
        };
        time(self.matches, matches).max(time(self.timelines, timelines))
    }

    /// For who compares it with what the key allows; none if a queue has no rate.
    pub fn pace(&self, by: &str, remedy: &str) -> Option<Pace> {
        let per_minute =
            |rate: Rate| f64::from(rate.count) * 60.0 / rate.period.as_secs_f64().max(0.001);
        Some(Pace {
            per_minute: per_minute(self.matches?) + per_minute(self.timelines?),
            by: by.to_owned(),
            remedy: remedy.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_queue_tells_how_long_it_takes() {
        let pacing = Pacing {
            matches: Some(Rate::parse("30/m").unwrap()),
            timelines: Some(Rate::parse("20/m").unwrap()),
        };
        assert_eq!(pacing.time_for([300, 300]), Duration::from_mins(15));
        assert_eq!(pacing.time_for([300, 0]), Duration::from_mins(10));
        let pace = pacing.pace("", "").unwrap();
        assert!((pace.per_minute - 50.0).abs() < 0.01);
        assert_eq!(Pacing::default().time_for([300, 300]), Duration::ZERO);
        assert_eq!(Pacing::default().pace("", ""), None);
    }
}

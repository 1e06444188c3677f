//! Which of many equal events are told: the first of a burst. Pure.
//!
//! A bad day of an API is thousands of equal failures. A person wants to read of it once, and how
//! many there were when it is over.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Bursts that are told apart at once; beyond them the oldest is over.
const OPEN_MAX: usize = 64;

/// Whether to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// The first of a burst; so many there were in the last one, after it was told.
    First {
        untold: u64,
    },
    Quiet,
}

#[derive(Debug)]
struct Burst {
    last_at: Duration,
    untold: u64,
}

/// See the module. `gap`: a silence that ends a burst.
#[derive(Debug)]
pub struct Bursts<K> {
    gap: Duration,
    open: HashMap<K, Burst>,
}

impl<K: Eq + Hash + Clone> Bursts<K> {
    pub fn new(gap: Duration) -> Self {
        Self {
            gap,
            open: HashMap::new(),
        }
    }

    pub fn note(&mut self, what: K, now: Duration) -> Telling {
        if self.open.len() >= OPEN_MAX && !self.open.contains_key(&what) {
            let oldest = self.open.iter().min_by_key(|(_, burst)| burst.last_at);
            if let Some(oldest) = oldest.map(|(what, _)| what.clone()) {
                self.open.remove(&oldest);
            }
        }
        let Some(burst) = self.open.get_mut(&what) else {
            let burst = Burst {
                last_at: now,
                untold: 0,
            };
            self.open.insert(what, burst);
            return Telling::First { untold: 0 };
        };
        let over = now.saturating_sub(burst.last_at) >= self.gap;
        burst.last_at = now;
        if over {
            Telling::First {
                untold: std::mem::take(&mut burst.untold),
            }
        } else {
            burst.untold += 1;
            Telling::Quiet
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_burst_is_told_once_and_counted() {
        let mut bursts = Bursts::new(secs(60));
        assert_eq!(bursts.note("503", secs(0)), Telling::First { untold: 0 });
        for n in 1..=5 {
            assert_eq!(bursts.note("503", secs(50 * n)), Telling::Quiet);
        }
        assert_eq!(bursts.note("429", secs(250)), Telling::First { untold: 0 });
        assert_eq!(bursts.note("503", secs(310)), Telling::First { untold: 5 });
        assert_eq!(bursts.note("503", secs(311)), Telling::Quiet);
    }

    #[test]
    fn many_kinds_do_not_grow_it_without_bound() {
        let mut bursts = Bursts::new(secs(60));
        for n in 0..10_000_u64 {
            bursts.note(n, secs(n));
        }
        assert!(bursts.open.len() <= OPEN_MAX);
    }
}

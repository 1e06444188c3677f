//! Whether the key is taken, by what calls with it came to. Pure: time comes in, as what has passed
//! since any epoch.
//!
//! A lone 401 or 403 can be the edge's whim (a firewall rule, a service on a bad day), and whole modes of the game
//! are closed to keys that are good. Only a second call, to another endpoint, tells. What it tells holds for a burst of
//! refusals, and a call that was sent later and taken tells as much. A rejected key is tried again by a single
//! call now and then, as rejections pass: new keys may be refused for hours, and a blacklisting ends.

use std::time::Duration;

/// Pauses between tries of a rejected key: the first, and the longest.
const TRY_MIN: Duration = Duration::from_secs(3);
const TRY_MAX: Duration = Duration::from_mins(10);
/// A key that was tried and taken is not suspected for so long, nor for so many refusals.
const TRUSTED_FOR: Duration = Duration::from_mins(1);
const TRUSTED_REFUSALS: u32 = 20;

/// What is known of the key that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    Valid,
    /// A call was refused; another one is finding out whether that was the key. Calls go on meanwhile.
    Suspected,
    /// By two calls, with this HTTP status, and then by `again` further tries. Calls wait.
    Rejected {
        status: u16,
        again: u32,
    },
    /// The engine is stopping: nobody waits for a call any more.
    Closed,
}

/// What a call that tried the key came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    Accepted,
    Refused(u16),
    /// A time-out, a 503: it tells nothing of the key.
    Unclear,
}

/// What a refused call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Try the key now, by one call.
    TryKey,
    /// Somebody does already, or the key is known to be rejected.
    Wait,
    /// The key is good: it was this one call.
    OfTheCall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    #[default]
    Good,
    Suspected,
    Rejected {
        status: u16,
        again: u32,
        try_at: Duration,
    },
}

/// See the module.
#[derive(Debug, Default)]
pub struct KeyTrial {
    standing: Standing,
    /// The key was tried and taken then, and so many calls were refused since.
    trusted: Option<(Duration, u32)>,
}

impl KeyTrial {
    /// A call was refused that was sent at `sent`; `taken` is when the last call was sent that the key was taken for.
    pub fn refused(&mut self, sent: Duration, taken: Option<Duration>, now: Duration) -> Refusal {
        if self.standing != Standing::Good {
            return Refusal::Wait;
        }
        if taken.is_some_and(|taken| taken > sent) {
            return Refusal::OfTheCall;
        }
        if let Some((at, refusals)) = &mut self.trusted
            && now.saturating_sub(*at) < TRUSTED_FOR
            && *refusals < TRUSTED_REFUSALS
        {
            *refusals += 1;
            return Refusal::OfTheCall;
        }
        self.standing = Standing::Suspected;
        Refusal::TryKey
    }

    /// The call that was to try the key has ended.
    pub fn tried(&mut self, outcome: Tried, now: Duration) {
        self.trusted = (outcome == Tried::Accepted).then_some((now, 0));
        self.standing = match (self.standing, outcome) {
            (_, Tried::Accepted) | (Standing::Suspected | Standing::Good, Tried::Unclear) => {
                Standing::Good
            }
            (Standing::Good | Standing::Suspected, Tried::Refused(status)) => Standing::Rejected {
                status,
                again: 0,
                try_at: now + TRY_MIN,
            },
            (Standing::Rejected { again, .. }, Tried::Refused(status)) => {
                let pause = TRY_MIN * 4_u32.saturating_pow(again.saturating_add(1).min(6));
                Standing::Rejected {
                    status,
                    again: again.saturating_add(1),
                    try_at: now + pause.min(TRY_MAX),
                }
            }
            (Standing::Rejected { status, again, .. }, Tried::Unclear) => Standing::Rejected {
                status,
                again,
                try_at: now + TRY_MIN * 10,
            },
        };
    }

    /// Another key is in use, of which nothing bad is known.
    pub fn replaced(&mut self) {
        *self = Self::default();
    }

    pub fn state(&self) -> KeyState {
        match self.standing {
            Standing::Good => KeyState::Valid,
            Standing::Suspected => KeyState::Suspected,
            Standing::Rejected { status, again, .. } => KeyState::Rejected { status, again },
        }
    }

    /// When a rejected key is tried again.
    pub fn try_at(&self) -> Option<Duration> {
        match self.standing {
            Standing::Rejected { try_at, .. } => Some(try_at),
            Standing::Good | Standing::Suspected => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn refused(trial: &mut KeyTrial) -> Refusal {
        trial.refused(NOW, None, NOW)
    }

    #[test]
    fn one_refusal_has_the_key_tried_once_and_a_second_one_rejects_it() {
        let mut trial = KeyTrial::default();
        assert_eq!(refused(&mut trial), Refusal::TryKey);
        let other = refused(&mut trial);
        assert_eq!(other, Refusal::Wait, "others only wait for the verdict");
        assert_eq!(trial.state(), KeyState::Suspected);
        trial.tried(Tried::Refused(403), NOW);
        let rejected = KeyState::Rejected {
            status: 403,
            again: 0,
        };
        assert_eq!(trial.state(), rejected);
        assert_eq!(refused(&mut trial), Refusal::Wait, "it is known already");
    }

    #[test]
    fn a_whim_of_the_edge_leaves_the_key_valid() {
        for outcome in [Tried::Accepted, Tried::Unclear] {
            let mut trial = KeyTrial::default();
            refused(&mut trial);
            trial.tried(outcome, NOW);
            assert_eq!((trial.state(), trial.try_at()), (KeyState::Valid, None));
        }
    }

    #[test]
    fn a_rejected_key_is_tried_more_and_more_rarely_and_may_come_back() {
        let mut trial = KeyTrial::default();
        refused(&mut trial);
        let mut now = NOW;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            trial.tried(Tried::Refused(401), now);
            let at = trial.try_at().unwrap();
            pauses.push(at.saturating_sub(now).as_secs());
            now = at;
        }
        assert_eq!(pauses, [3, 12, 48, 192, 600, 600, 600]);
        trial.tried(Tried::Unclear, now);
        assert!(matches!(trial.state(), KeyState::Rejected { again: 6, .. }));
        trial.tried(Tried::Accepted, now);
        assert_eq!(trial.state(), KeyState::Valid);
    }

    #[test]
    fn a_new_key_begins_with_a_clean_slate() {
        let mut trial = KeyTrial::default();
        refused(&mut trial);
        trial.tried(Tried::Refused(403), NOW);
        trial.replaced();
        assert_eq!((trial.state(), trial.try_at()), (KeyState::Valid, None));
        assert_eq!(refused(&mut trial), Refusal::TryKey);
    }

    #[test]
    fn one_try_covers_a_burst_of_refusals_and_no_more_than_that() {
        let mut trial = KeyTrial::default();
        assert_eq!(refused(&mut trial), Refusal::TryKey);
        trial.tried(Tried::Accepted, NOW);
        for _ in 0..TRUSTED_REFUSALS {
            assert_eq!(refused(&mut trial), Refusal::OfTheCall);
        }
        assert_eq!(refused(&mut trial), Refusal::TryKey, "it may have expired");
        trial.tried(Tried::Accepted, NOW);
        let later = NOW + TRUSTED_FOR;
        assert_eq!(trial.refused(later, None, later), Refusal::TryKey);
    }

    #[test]
    fn a_call_that_was_sent_later_and_taken_tells_as_much_as_a_try() {
        let mut trial = KeyTrial::default();
        let (before, after) = (NOW / 2, NOW * 2);
        assert_eq!(trial.refused(NOW, Some(after), after), Refusal::OfTheCall);
        assert_eq!(trial.refused(NOW, Some(before), NOW), Refusal::TryKey);
    }
}

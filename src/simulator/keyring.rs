//! What becomes of keys over time: they expire, and who runs into 429s too often is shut out.
//!
//! Pure: moments come in. Each key is on its own, so a fresh one is good while an old one is not.
//!
//! Deliberately absent: which keys are accepted at all, which is a switch (`control`).

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;

use crate::people::KeyScope;
use crate::setting::{SettingError, number, read_ms};

/// When a key ends for good. A development key of the real API lives for a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyExpiry {
    /// So many milliseconds after its first call.
    AfterMs(u64),
    /// After so many calls that it was accepted with.
    AfterCalls(u64),
}

/// Shutting out a key that keeps running into 429s. The real numbers are unpublished; operators
/// report hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blacklist {
    /// More refusals than this, of the types `application` and `method`, are too many.
    pub refusals: u32,
    /// In so many milliseconds, ...
    pub within_ms: u64,
    /// ... and everything answers 403 for so many.
    pub lasts_ms: u64,
}

/// What a key is worth at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Good,
    Expired,
    Blacklisted,
}

#[derive(Debug, Default)]
struct KeyUse {
    first_ms: u64,
    calls: u64,
    /// At most one more than may be.
    refusals_ms: VecDeque<u64>,
    blacklisted_until_ms: u64,
}

/// All keys that were seen. Nothing is kept of them while nothing can become of them.
#[derive(Debug)]
pub struct Keyring {
    expiry: Option<KeyExpiry>,
    blacklist: Option<Blacklist>,
    keys: HashMap<KeyScope, KeyUse>,
}

impl Keyring {
    pub fn new(expiry: Option<KeyExpiry>, blacklist: Option<Blacklist>) -> Self {
        Self {
            expiry,
            blacklist,
            keys: HashMap::new(),
        }
    }

    /// Another life for all keys, which begins with their next call.
    pub fn set_expiry(&mut self, expiry: Option<KeyExpiry>) {
        self.expiry = expiry;
        for key in self.keys.values_mut() {
            key.calls = 0;
        }
    }

    /// Another rule, and nobody is shut out any more.
    pub fn set_blacklist(&mut self, blacklist: Option<Blacklist>) {
        self.blacklist = blacklist;
        for key in self.keys.values_mut() {
            key.refusals_ms.clear();
            key.blacklisted_until_ms = 0;
        }
    }

    /// A call with this key arrives.
    pub fn call(&mut self, key: KeyScope, now_ms: u64) -> Standing {
        if self.expiry.is_none() && self.blacklist.is_none() {
            return Standing::Good;
        }
        let key = self.keys.entry(key).or_default();
        if now_ms < key.blacklisted_until_ms {
            return Standing::Blacklisted;
        }
        if key.calls == 0 {
            key.first_ms = now_ms;
        }
        let is_over = match self.expiry {
            Some(KeyExpiry::AfterMs(life_ms)) => now_ms >= key.first_ms.saturating_add(life_ms),
            Some(KeyExpiry::AfterCalls(calls)) => key.calls >= calls,
            None => false,
        };
        if is_over {
            return Standing::Expired;
        }
        key.calls += 1;
        Standing::Good
    }

    /// The key got a 429. Whether that was one too many.
    pub fn refused(&mut self, key: KeyScope, now_ms: u64) -> bool {
        let Some(rule) = self.blacklist else {
            return false;
        };
        let key = self.keys.entry(key).or_default();
        key.refusals_ms.push_back(now_ms);
        while key
            .refusals_ms
            .front()
            .is_some_and(|first_ms| first_ms.saturating_add(rule.within_ms) <= now_ms)
        {
            key.refusals_ms.pop_front();
        }
        let is_too_many = key.refusals_ms.len() > rule.refusals as usize;
        if is_too_many {
            key.refusals_ms.clear();
            key.blacklisted_until_ms = now_ms.saturating_add(rule.lasts_ms);
        }
        is_too_many
    }
}

impl FromStr for KeyExpiry {
    type Err = SettingError;

    /// `90s` or `500calls`.
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let calls = text.strip_suffix("calls").and_then(number);
        let expiry = calls
            .map(Self::AfterCalls)
            .or_else(|| read_ms(text).map(Self::AfterMs));
        expiry.ok_or_else(|| {
            SettingError(format!(
                "'{text}' is no life of a key. Write it as a time (90s, 24h) or as 500calls"
            ))
        })
    }
}

impl FromStr for Blacklist {
    type Err = SettingError;

    /// `20:60s:10m`: after more than 20 refusals in 60 s, 403 for 10 minutes.
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let parts: Vec<&str> = text.split(':').collect();
        let blacklist = match parts.as_slice() {
            [refusals, within, lasts] => number(refusals)
                .zip(read_ms(within))
                .zip(read_ms(lasts))
                .filter(|((_, within_ms), lasts_ms)| *within_ms > 0 && *lasts_ms > 0)
                .map(|((refusals, within_ms), lasts_ms)| Self {
                    refusals,
                    within_ms,
                    lasts_ms,
                }),
            _ => None,
        };
        blacklist.ok_or_else(|| {
            SettingError(format!(
                "'{text}' is no blacklist. Write it as 20:60s:10m (more than 20 refusals in 60 s, 403 for 10 minutes)"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Blacklist = Blacklist {
        refusals: 2,
        within_ms: 1000,
        lasts_ms: 5000,
    };

    fn key(name: &str) -> KeyScope {
        KeyScope::of_key(name)
    }

    #[test]
    fn a_key_dies_so_long_after_its_first_call_and_another_one_does_not() {
        let mut ring = Keyring::new(Some(KeyExpiry::AfterMs(100)), None);
        assert_eq!(ring.call(key("a"), 50), Standing::Good);
        assert_eq!(ring.call(key("a"), 149), Standing::Good);
        assert_eq!(ring.call(key("a"), 150), Standing::Expired);
        assert_eq!(ring.call(key("b"), 150), Standing::Good);
        ring.set_expiry(Some(KeyExpiry::AfterMs(100)));
        assert_eq!(ring.call(key("a"), 200), Standing::Good);
        assert_eq!(ring.call(key("a"), 299), Standing::Good);
        assert_eq!(ring.call(key("a"), 300), Standing::Expired);
    }

    #[test]
    fn a_key_dies_after_so_many_calls() {
        let mut ring = Keyring::new(Some(KeyExpiry::AfterCalls(2)), None);
        let standings = [0, 0, 0, 9].map(|now_ms| ring.call(key("a"), now_ms));
        assert_eq!(
            standings,
            [
                Standing::Good,
                Standing::Good,
                Standing::Expired,
                Standing::Expired
            ]
        );
    }

    #[test]
    fn one_refusal_too_many_shuts_the_key_out_for_a_time() {
        let mut ring = Keyring::new(None, Some(RULE));
        assert!(!ring.refused(key("a"), 0));
        assert!(!ring.refused(key("a"), 10));
        // The first one is a second ago and no longer counts.
        assert!(!ring.refused(key("a"), 1000));
        assert!(ring.refused(key("a"), 1009));
        assert_eq!(ring.call(key("a"), 6008), Standing::Blacklisted);
        assert_eq!(ring.call(key("b"), 6008), Standing::Good);
        assert_eq!(ring.call(key("a"), 6009), Standing::Good);
        assert!(!ring.refused(key("a"), 6010));
    }

    #[test]
    fn who_was_shut_out_begins_anew() {
        let patient = Blacklist {
            within_ms: 1_000_000,
            ..RULE
        };
        let mut ring = Keyring::new(None, Some(patient));
        let refusals = [0, 0, 0, 1000, 1000].map(|now_ms| ring.refused(key("a"), now_ms));
        assert_eq!(refusals, [false, false, true, false, false]);
        assert_eq!(ring.call(key("a"), 1000), Standing::Blacklisted);
        ring.set_blacklist(Some(patient));
        assert_eq!(ring.call(key("a"), 1000), Standing::Good);
        assert!(!ring.refused(key("a"), 1000));
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_asked_for() {
        let mut ring = Keyring::new(None, None);
        assert_eq!(ring.call(key("a"), 0), Standing::Good);
        assert!(!ring.refused(key("a"), 0));
        assert!(ring.keys.is_empty());
    }

    #[test]
    fn both_have_a_text_form() {
        assert_eq!("90s".parse(), Ok(KeyExpiry::AfterMs(90_000)));
        assert_eq!("500calls".parse(), Ok(KeyExpiry::AfterCalls(500)));
        assert_eq!(
            "20:60s:10m".parse(),
            Ok(Blacklist {
                refusals: 20,
                within_ms: 60_000,
                lasts_ms: 600_000
            })
        );
        for text in ["", "500", "-5calls", "calls", "5 calls"] {
            let error = text.parse::<KeyExpiry>().unwrap_err().to_string();
            assert!(error.contains("500calls"), "{error}");
        }
        for text in [
            "",
            "20",
            "20:60:10",
            "20:0s:1s",
            "20:1s:0s",
            "20:1s:1s:1s",
            "x:1s:1s",
        ] {
            let error = text.parse::<Blacklist>().unwrap_err().to_string();
            assert!(error.contains("20:60s:10m"), "{error}");
        }
    }
}

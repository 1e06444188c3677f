//! The part of a key's limits that riftsync may use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// From 1 to 100 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Share(u8);

impl Share {
    pub const ALL: Self = Self(100);

    pub fn percent(self) -> u8 {
        self.0
    }

    /// Of a limit, rounded down; at least one call, or nothing would ever go.
    pub fn of(self, limit: u32) -> u32 {
        let calls = u64::from(limit) * u64::from(self.0) / 100;
        u32::try_from(calls).unwrap_or(limit).max(1)
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromStr for Share {
    type Err = String;

    /// `80%`, or `80`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().trim_end_matches('%').trim_end();
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let percent = number.parse().ok().filter(|_| digits);
        let percent = percent.filter(|percent| (1..=100).contains(percent));
        percent.map(Self).ok_or_else(|| {
            format!("'{text}' is no share. Write a percentage from 1% to 100%, as 80%")
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// An environment variable without the sign comes as a number.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_whole_percentage_and_never_nothing() {
        let read = |text: &str| text.parse::<Share>().map(Share::percent);
        assert_eq!(
            (read("80%"), read("1"), read(" 100 % ")),
            (Ok(80), Ok(1), Ok(100))
        );
        for wrong in ["", "%", "0%", "101%", "-5%", "0.5", "80 percent", "+5"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let of = |percent, limit| Share(percent).of(limit);
        assert_eq!(
            (of(50, 100), of(50, 25), of(1, 20), of(100, 7)),
            (50, 12, 1, 7)
        );
    }
}

//! Calendar years in UTC.

use std::fmt;

use jiff::civil::date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Why a number is not a year that can be synced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YearError {
    #[error("'{0}' is not a year. Write it as 2025")]
    NotANumber(String),
    #[error("year {0} cannot be synced: Riot's match lists begin in {first}", first = Year::FIRST)]
    TooEarly(i16),
    #[error("year {0} cannot be synced: it has not begun; this is {1}")]
    Future(i16, i16),
}

/// A calendar year (UTC) that the API can know matches of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Year(i16);

impl Year {
    /// The time filter of the match list knows matches since 2021-06-16.
    pub const FIRST: i16 = 2021;

    pub fn new(year: i16, now: Timestamp) -> Result<Self, YearError> {
        let this_year = now.year().unwrap_or(i16::MAX);
        if year < Self::FIRST {
            Err(YearError::TooEarly(year))
        } else if year > this_year {
            Err(YearError::Future(year, this_year))
        } else {
            Ok(Self(year))
        }
    }

    pub fn parse(text: &str, now: Timestamp) -> Result<Self, YearError> {
        let number = text
            .trim()
            .parse()
            .map_err(|_| YearError::NotANumber(text.to_owned()))?;
        Self::new(number, now)
    }

    pub fn get(self) -> i16 {
        self.0
    }

    /// First moment of the year.
    pub fn start(self) -> Timestamp {
        first_moment_of(self.0)
    }

    /// First moment of the next year.
    pub fn end(self) -> Timestamp {
        first_moment_of(self.0 + 1)
    }
}

fn first_moment_of(year: i16) -> Timestamp {
    let midnight = date(year, 1, 1)
        .to_zoned(TimeZone::UTC)
        .expect("UTC has no gaps and the year was checked");
    Timestamp::from_millis(midnight.timestamp().as_millisecond())
}

impl fmt::Display for Year {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// 2026-11-23T16:00:00Z
    const NOW: Timestamp = Timestamp::from_millis(1_795_449_600_000);

    #[test]
    fn a_year_ends_where_the_next_begins() {
        let year = Year::new(2025, NOW).unwrap();
        assert_eq!(year.start().to_string(), "2025-01-01T00:00:00.000Z");
        assert_eq!(year.end().to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(year.end().year(), Some(2026));
        assert_eq!((year.end() - Duration::from_millis(1)).year(), Some(2025));
    }

    #[test]
    fn years_before_the_api_and_after_today_are_refused_with_the_reason() {
        assert_eq!(Year::new(1999, NOW), Err(YearError::TooEarly(1999)));
        assert_eq!(Year::new(2027, NOW), Err(YearError::Future(2027, 2026)));
        assert_eq!(
            Year::parse("20x5", NOW),
            Err(YearError::NotANumber("20x5".to_owned()))
        );
        assert_eq!(Year::new(2026, NOW).map(Year::get), Ok(2026));
    }
}

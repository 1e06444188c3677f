//! Settings as a person types them: times with their unit, limits, and errors that name the remedy.

use crate::limits::Limit;

/// A text that is no such setting; says in one line what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(pub(super) String);

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

/// `500ms`, `30s`, `10m`, `2h`: in milliseconds. A number without a unit is none.
pub(super) fn read_ms(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number::<u64>(digits)?.checked_mul(*unit_ms)
}

/// Digits and nothing else: `parse` alone would take a sign.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// `20:1,100:120` as (calls, seconds); `none` as no limits. Each length of window once.
pub fn read_limits(text: &str) -> Result<Vec<Limit>, SettingError> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let mut limits: Vec<Limit> = Vec::new();
    for pair in text.split(',') {
        let limit = pair
            .trim()
            .split_once(':')
            .and_then(|(calls, seconds)| Some((number(calls)?, number(seconds)?)))
            .filter(|&(calls, seconds)| calls > 0 && seconds > 0)
            .filter(|(_, seconds)| limits.iter().all(|(_, other)| other != seconds));
        limits.push(limit.ok_or_else(|| {
            SettingError(format!(
                "'{text}' are no limits. Write them as 20:1,100:120 (calls:seconds, each length once), or none"
            ))
        })?);
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_its_unit() {
        for (text, ms) in [
            ("0s", 0),
            ("7ms", 7),
            ("90s", 90_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
        ] {
            assert_eq!(read_ms(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "s",
            "5",
            "+5s",
            "-5s",
            "5 s",
            "5d",
            "5ß",
            "5.5s",
            "99999999999999999h",
        ] {
            assert_eq!(read_ms(text), None, "{text}");
        }
    }

    #[test]
    fn limits_are_calls_in_seconds() {
        assert_eq!(read_limits("none"), Ok(vec![]));
        assert_eq!(read_limits("20:1, 100:120"), Ok(vec![(20, 1), (100, 120)]));
        for text in ["", "20", "0:1", "20:0", "20:1,", "20:1,30:1", "-1:1", "a:1"] {
            let error = read_limits(text).unwrap_err().to_string();
            assert!(error.contains("20:1,100:120"), "{text}: {error}");
        }
    }
}

//! How a 429 tells for how long to wait.

use std::str::FromStr;

use crate::setting::SettingError;

/// What becomes of the seconds until the window has room, rounded up. Every way but the last was seen in the wild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryAfter {
    #[default]
    Present,
    /// No header, as on some endpoints in 2025 (developer-relations issue 1050).
    Missing,
    /// `0`, whatever the wait: why the client Riven adds half a second.
    Zero,
    /// One second less than needed, as where an edge drifts (developer-relations issue 371).
    OneShort,
    /// Thirty years, as of something in front of the API that is out of order.
    Absurd,
}

impl RetryAfter {
    /// The value of the header for a wait in whole seconds.
    pub fn text(self, seconds: u64) -> Option<String> {
        match self {
            Self::Present => Some(seconds.to_string()),
            Self::Missing => None,
            Self::Zero => Some("0".to_owned()),
            Self::OneShort => Some(seconds.saturating_sub(1).to_string()),
            Self::Absurd => Some("999999999".to_owned()),
        }
    }
}

impl FromStr for RetryAfter {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        match text {
            "present" => Ok(Self::Present),
            "missing" => Ok(Self::Missing),
            "zero" => Ok(Self::Zero),
            "short" => Ok(Self::OneShort),
            "absurd" => Ok(Self::Absurd),
            _ => Err(SettingError(format!(
                "'{text}' is no way to send Retry-After. Choose present, missing, zero, short or absurd"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_tells_what_its_name_says() {
        let told = |text: &str| text.parse::<RetryAfter>().unwrap().text(3);
        assert_eq!(told("present").as_deref(), Some("3"));
        assert_eq!(told("missing"), None);
        assert_eq!(told("zero").as_deref(), Some("0"));
        assert_eq!(told("short").as_deref(), Some("2"));
        assert_eq!(told("absurd").as_deref(), Some("999999999"));
        let error = "late".parse::<RetryAfter>().unwrap_err().to_string();
        assert!(error.contains("present, missing, zero, short or absurd"));
    }
}

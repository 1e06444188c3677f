//! How long answers take, and how much of it passes before the server counts the call.

use std::str::FromStr;
use std::time::Duration;

use crate::hash::{Draw, hash};
use crate::setting::SettingError;

/// How long an answer takes: a log-normal distribution, as measured latencies nearly have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Latency {
    /// Half of the answers are faster. 0: no waiting at all.
    pub median_ms: f64,
    /// The spread: with 0.5 one answer in a hundred takes three times the median.
    pub sigma: f64,
}

const LATENCY_S_MAX: f64 = 120.0;
/// Beyond it every other answer takes either no time or all of it.
const SIGMA_MAX: f64 = 5.0;

impl Latency {
    pub fn of_call(self, seed: u64, call: u64) -> Duration {
        if self.median_ms <= 0.0 {
            return Duration::ZERO;
        }
        let mut draw = Draw::new(hash(&[seed, 0x1A7E, call]));
        // Box and Muller's way from two even numbers to a normal one.
        let radius = (-2.0 * (1.0 - draw.unit()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * draw.unit()).cos();
        let seconds = self.median_ms / 1000.0 * (self.sigma * normal).exp();
        Duration::from_secs_f64(seconds.clamp(0.0, LATENCY_S_MAX))
    }
}

/// A latency before and after the moment at which the server counts the call. A share out of 0 to 1
/// is taken as the nearest of them.
pub fn split(latency: Duration, share_before: f64) -> (Duration, Duration) {
    let before = latency.mul_f64(share_before.clamp(0.0, 1.0));
    (before, latency.saturating_sub(before))
}

impl FromStr for Latency {
    type Err = SettingError;

    /// `40` or `40:0.5`: the median in milliseconds and the spread, which is 0 unless told.
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let (median_ms, sigma) = text.split_once(':').unwrap_or((text, "0"));
        let within = |text: &str, max: f64| {
            let value: Option<f64> = text.parse().ok();
            value.filter(|value| (0.0..=max).contains(value))
        };
        let latency = within(median_ms, LATENCY_S_MAX * 1000.0)
            .zip(within(sigma, SIGMA_MAX))
            .map(|(median_ms, sigma)| Self { median_ms, sigma });
        latency.ok_or_else(|| {
            SettingError(format!(
                "'{text}' is no latency. Write it as 40 or 40:0.5 (median in ms, up to 120000, and spread, up to 5)"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_answers_are_faster_than_the_median() {
        let latency = Latency {
            median_ms: 40.0,
            sigma: 0.5,
        };
        let fast = (0..2000)
            .filter(|call| latency.of_call(3, *call).as_secs_f64() < 0.04)
            .count();
        assert!((900..1100).contains(&fast), "{fast}");
        assert!(Latency::default().of_call(3, 3).is_zero());
    }

    #[test]
    fn the_shares_before_and_after_are_the_whole() {
        let latency = Duration::from_millis(40);
        assert_eq!(
            split(latency, 0.25),
            (Duration::from_millis(10), Duration::from_millis(30))
        );
        assert_eq!(split(latency, 7.0), (latency, Duration::ZERO));
        assert_eq!(split(latency, -7.0), (Duration::ZERO, latency));
    }

    #[test]
    fn a_latency_is_a_median_and_a_spread() {
        let read = |text: &str| text.parse::<Latency>().map(|l| (l.median_ms, l.sigma));
        assert_eq!(read("40"), Ok((40.0, 0.0)));
        assert_eq!(read("1.5:0.5"), Ok((1.5, 0.5)));
        for text in ["", "40:", ":1", "-1", "40:-1", "nan", "inf", "40:6", "40ms"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

//! The flags of `simulate` that decide how the API behaves, read into its configuration.

use clap::Args;

use super::CliError;
use crate::simulator::{SettingError, SimulatorConfig, WindowModel, read_limits};

/// How kind the simulated API is. All of it is off unless told.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits and weather")]
pub struct BehaviourArgs {
    /// The limits of each method, calls:seconds, or "none"
    #[arg(long, default_value = "none", value_name = "LIMITS")]
    pub method_limits: String,
    /// How rate windows begin and end: "opened" by the first call, "aligned" to the clock, "sliding"
    /// with each call, or "lagging", as opened with counts that are told a moment late
    #[arg(long, default_value = WindowModel::default().as_str(), value_name = "MODEL")]
    pub window: String,
    /// How much later than it should a window may end; the real ones drift by up to 1000
    #[arg(long, default_value = "0", value_name = "MS")]
    pub edge_jitter: String,
    /// Refused calls do not count against the limits; in the real API they do
    #[arg(long)]
    pub forgive_refused: bool,
    /// Another program with the same key: so many calls at once, each so often, as 1:500ms or 10:5s,
    /// on each route from the first call to it
    #[arg(long, value_name = "CALLS:TIME")]
    pub stranger: Option<String>,
    /// What a 429 says of the wait, in whole seconds: "present", "missing", "zero", "short" by one, or "absurd"
    #[arg(long, default_value = "present", value_name = "HOW")]
    pub retry_after: String,
    /// How long answers take: the median and the spread of a log-normal distribution, as 40:0.5.
    /// Half of it passes before the call is counted
    #[arg(long, value_name = "MEDIAN_MS[:SIGMA]")]
    pub latency: Option<String>,
    /// When a key ends, from its first call: after a time (90s, 24h) or so many calls (500calls)
    #[arg(long, value_name = "LIFE")]
    pub key_expires_after: Option<String>,
    /// After more 429s than N, of the key's own doing, within a time: 403 for another time, as
    /// 20:60s:10m
    #[arg(long, value_name = "N:WITHIN:FOR")]
    pub blacklist: Option<String>,
    /// A fault, as `KIND[=TIME]@[WHERE:]WHEN`; may be given several times, the first that fits strikes
    ///
    /// KIND: 500, 502, 503, 504, each also as 500-html and so on; 429-application, 429-method,
    /// 429-service, 429-server, 429-untyped; 401, 403, 403-html; reset, stall, drip, cut-gzip,
    /// not-json, bomb; 204, 302, 408, 451, 404, 404-html, plain-404 (without rate headers). A stall or drip takes a
    /// minute, or TIME: stall=5s.
    ///
    /// Of matches and timelines: young-404 (404 until the match ended half an hour ago, or TIME: young-404=10m),
    /// retention (404 for matches older than 2 years and timelines older than 1, and such matches are not listed;
    /// retention-listed: they are), odd-values (one thing in the document is odd: null, a fraction, out of range, of a
    /// wrong type, missing, an odd puuid, nobody at all, the same each time). Of match-ids: list-cap (the newest 1000,
    /// or list-cap=500), same-page (start is ignored). Of anything: rename (a player takes another name just before
    /// the call; every fourth takes one that another has left).
    ///
    /// WHERE: a route (kr, asia), a method (account-by-riot-id, summoner, match-ids, match, timeline,
    /// status; a wrong name lists all), or both (asia/match). Everywhere unless told. listed, asia/listed,
    /// listed/match, listed/timeline: matches and timelines that exist.
    ///
    /// WHEN: 5% (each call with this chance), 7 (the seventh call there), 10..20, 10.. (for good),
    /// 30s (from the start), 10s..40s, 10s.., or always, which may be left out after a WHERE. After listed: 5% (of
    /// the ids, the same ones each time), 5%:30m, or 30m. Time that PUT /__simulator/now skips has passed.
    ///
    /// Examples: 503@5%, reset@match:7, 403@10.., 503@kr:30s (an outage), stall=5s@asia/timeline:1%,
    /// 404@listed:5%:30m (they come later), odd-values@listed:10%
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
}

impl BehaviourArgs {
    /// The configuration with this behaviour, or what is wrong with a flag, in one line.
    pub fn over(&self, config: SimulatorConfig) -> Result<SimulatorConfig, CliError> {
        Ok(SimulatorConfig {
            method_limits: flag("--method-limits", read_limits(&self.method_limits))?,
            window_model: flag("--window", self.window.parse())?,
            edge_jitter_ms: self.edge_jitter_ms()?,
            counts_refused: !self.forgive_refused,
            stranger: match &self.stranger {
                Some(text) => Some(flag("--stranger", text.parse())?),
                None => None,
            },
            retry_after: flag("--retry-after", self.retry_after.parse())?,
            latency: match &self.latency {
                Some(text) => flag("--latency", text.parse())?,
                None => config.latency,
            },
            key_expiry: match &self.key_expires_after {
                Some(text) => Some(flag("--key-expires-after", text.parse())?),
                None => None,
            },
            blacklist: match &self.blacklist {
                Some(text) => Some(flag("--blacklist", text.parse())?),
                None => None,
            },
            script: flag(
                "--fault",
                self.faults.iter().map(|text| text.parse()).collect(),
            )?,
            ..config
        })
    }
}

/// Longer than any window that a person waits for.
const EDGE_JITTER_MS_MAX: u64 = 60_000;

impl BehaviourArgs {
    fn edge_jitter_ms(&self) -> Result<u64, CliError> {
        let ms = self.edge_jitter.parse().ok();
        ms.filter(|ms| *ms <= EDGE_JITTER_MS_MAX).ok_or_else(|| {
            CliError::Usage(format!(
                "--edge-jitter: '{}' is no number of milliseconds from 0 to {EDGE_JITTER_MS_MAX}. Write 1000 for a second",
                self.edge_jitter
            ))
        })
    }
}

/// A reading error with the flag it came from.
fn flag<T>(name: &str, read: Result<T, SettingError>) -> Result<T, CliError> {
    read.map_err(|why| CliError::Usage(format!("{name}: {why}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Verb};
    use crate::simulator::{Blacklist, KeyExpiry, Latency, RetryAfter};

    fn read(flags: &[&str]) -> Result<SimulatorConfig, CliError> {
        let words = ["riftsync", "simulate"].iter().chain(flags);
        let Verb::Simulate(args) = Cli::try_parse_from(words).unwrap().verb else {
            panic!("another verb");
        };
        args.behaviour.over(SimulatorConfig::default())
    }

    #[test]
    fn without_flags_no_fault_is_made() {
        let (read, kind) = (read(&[]).unwrap(), SimulatorConfig::default());
        assert_eq!(format!("{read:?}"), format!("{kind:?}"));
    }

    #[test]
    fn every_flag_reaches_the_simulator() {
        let config = read(&[
            "--method-limits=5:10",
            "--window=sliding",
            "--edge-jitter=700",
            "--forgive-refused",
            "--stranger=10:5s",
            "--retry-after=missing",
            "--latency=40:0.5",
            "--key-expires-after=500calls",
            "--blacklist=20:60s:10m",
            "--fault=503@5%",
            "--fault=reset@match:7",
        ])
        .unwrap();
        assert_eq!(config.method_limits, [(5, 10)]);
        assert_eq!(config.window_model, WindowModel::SlidingLog);
        assert_eq!(config.edge_jitter_ms, 700);
        assert!(!config.counts_refused);
        let stranger = config.stranger.map(|it| (it.calls, it.every_ms));
        assert_eq!(stranger, Some((10, 5_000)));
        assert_eq!(config.retry_after, RetryAfter::Missing);
        let latency = Latency {
            median_ms: 40.0,
            sigma: 0.5,
        };
        assert_eq!(config.latency, latency);
        assert_eq!(config.key_expiry, Some(KeyExpiry::AfterCalls(500)));
        let blacklist = Blacklist {
            refusals: 20,
            within_ms: 60_000,
            lasts_ms: 600_000,
        };
        assert_eq!(config.blacklist, Some(blacklist));
        let script = ["503@5%", "reset@match:7"].map(|text| text.parse().unwrap());
        assert_eq!(config.script, script);
    }

    #[test]
    fn a_wrong_flag_is_named_with_its_remedy_in_one_line() {
        for (flag, remedy) in [
            ("--method-limits=5", "20:1,100:120"),
            ("--window=round", "opened, aligned, sliding, lagging"),
            ("--stranger=10", "10:5s"),
            ("--edge-jitter=1s", "1000"),
            ("--edge-jitter=60001", "1000"),
            ("--retry-after=5", "present, missing, zero"),
            ("--latency=fast", "40:0.5"),
            ("--key-expires-after=500", "500calls"),
            ("--blacklist=20", "20:60s:10m"),
            ("--fault=503", "503@5%"),
            ("--fault=404@listed:30m:5%", "listed:5%:30m"),
        ] {
            let error = read(&[flag]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let text = error.to_string();
            assert!(text.starts_with(flag.split('=').next().unwrap()), "{text}");
            assert!(text.contains(remedy) && !text.contains('\n'), "{text}");
        }
    }
}

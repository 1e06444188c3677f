//! Settings: built-in defaults < profile < config file < `RIFTSYNC_SECTION__KEY` environment < flags.
//!
//! A setting that is not known is an error, not a silence: a typing mistake must not run for a week.

mod environment;
mod files;
mod lake;
mod origin;
mod served;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config as Source, File, FileFormat};
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

pub use crate::engine::open_lock;

use self::files::settings_of;
pub use self::files::{Readers, owner_is_us, read_at_most, read_by_others, read_key_file};
pub use self::lake::{LakeAddress, LakeSettings, Secret};
pub use self::origin::Origins;
pub use self::served::{MetricsSettings, WebPages, listen_address};
pub use self::words::LogFormat;
use self::words::word;
use crate::model::records::PayloadKind;
use crate::model::timeline_details::TimelineDetail;
use crate::model::{
    Cadence, CatchUp, DatabaseUrl, Platform, Rate, Retention, RetryPolicy, Route, Share, Timestamp,
};

/// The defaults, also the documentation of every setting.
const DEFAULTS: &str = include_str!("../../config/default.toml");
const PRODUCTION: &str = include_str!("../../config/production.toml");

/// Which kind of key the settings are made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A development or personal key: queues start jobs no faster than it lets them be done
    #[default]
    Development,
    /// A production key: the limits that Riot sends alone meter the calls
    Production,
}

impl Profile {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration is wrong: {0}")]
    Invalid(String),
    #[error("the key file {path} cannot be read: {cause}. Check RIOT_API_KEY_FILE")]
    KeyFile { path: PathBuf, cause: String },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which kind of key the settings are made for.
    pub profile: Option<Profile>,
    pub database: DatabaseConfig,
    pub files: FilesSettings,
    pub riot: RiotConfig,
    pub data: DataSettings,
    pub names: NamesSettings,
    pub lake: LakeSettings,
    pub engine: EngineSettings,
    pub control: ControlSettings,
    pub log: LogSettings,
    pub metrics: MetricsSettings,
    pub web: WebPages,
    pub queues: BTreeMap<String, QueueSettings>,
    pub kinds: BTreeMap<String, KindSettings>,
    pub schedules: BTreeMap<String, ScheduleSettings>,
    /// Where each of them comes from.
    #[serde(skip)]
    pub origins: Origins,
    #[serde(skip)]
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Empty: `riftsync.db` in the data folder.
    pub url: DatabaseUrl,
    /// Connections that write to PostgreSQL.
    pub writers: usize,
    /// PostgreSQL is reached through a pooler that may give every transaction another session.
    pub pooler: bool,
    /// Engines of one PostgreSQL tell each other of new work.
    pub notify: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesSettings {
    #[serde(deserialize_with = "word")]
    pub readable_by: Readers,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiotConfig {
    pub base_url: String,
    /// Where a player is looked for when no platform is named; empty: it must be named.
    pub platform: String,
    /// How long Riot keeps documents; 0: for ever.
    pub matches_kept_days: u32,
    pub timelines_kept_days: u32,
    /// The part of the key's limits that is used, on routes without one of their own.
    pub share: Share,
    /// The same of single routes.
    #[serde(default)]
    pub shares: BTreeMap<Route, Share>,
}

impl RiotConfig {
    pub fn retention(&self) -> Retention {
        let kept = |days: u32| (days > 0).then(|| Duration::from_hours(24 * u64::from(days)));
        Retention {
            matches: kept(self.matches_kept_days),
            timelines: kept(self.timelines_kept_days),
        }
    }

    /// Riot has no timeline of a match that was played before this moment.
    pub fn timelines_gone(&self, now: Timestamp) -> Option<Timestamp> {
        self.retention().begins(PayloadKind::Timeline, now)
    }
}

/// What is stored beside matches.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    #[serde(deserialize_with = "word")]
    pub timeline_rows: TimelineDetail,
    /// Each is one call with every sync of a tracked player.
    pub ranks: bool,
    pub mastery: bool,
}

/// Where names come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamesSettings {
    pub base_url: String,
    pub constants_url: String,
    pub language: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineSettings {
    /// Documents that are in memory at once, as they were received, in MiB.
    pub bodies_mb: u32,
    pub drain_s: u64,
    pub keep_finished_days: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlSettings {
    /// Empty: `riftsync.sock` in `$XDG_RUNTIME_DIR`, or beside the data.
    pub socket: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    #[serde(deserialize_with = "word")]
    pub format: LogFormat,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    pub slots: usize,
    /// As `30/m`; empty: none.
    pub rate: String,
}

impl QueueSettings {
    pub fn rate(&self) -> Result<Option<Rate>, String> {
        if self.rate.is_empty() {
            return Ok(None);
        }
        Rate::parse(&self.rate).map(Some)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindSettings {
    pub retries: u32,
    pub backoff_base_s: u64,
    pub backoff_cap_s: u64,
}

/// What runs by the clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSettings {
    /// A cron expression, `every 6h`, `at 2026-12-01T03:00` or `off`.
    pub when: String,
    pub kind: String,
    #[serde(default)]
    pub args: Option<serde_json::Value>,
    /// IANA name; UTC unless told.
    #[serde(default)]
    pub timezone: Option<String>,
    #[serde(default)]
    pub catch_up: Option<CatchUp>,
}

impl ScheduleSettings {
    pub fn zone(&self) -> &str {
        self.timezone.as_deref().unwrap_or("UTC")
    }

    pub fn cadence(&self) -> Result<Cadence, String> {
        Cadence::parse(&self.when, self.zone())
    }
}

/// Names the first environment variable that is meant for a section and does not reach it.
fn check_environment() -> Result<(), ConfigError> {
    let defaults = Source::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    let sections = defaults
        .build()
        .and_then(Source::try_deserialize::<BTreeMap<String, config::Value>>)
        .map_err(|error| ConfigError::Invalid(error.to_string()))?;
    let sections: Vec<String> = sections.into_keys().collect();
    let mut names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    match names.find_map(|name| environment::misspelt(&name, &sections)) {
        Some(why) => Err(ConfigError::Invalid(why)),
        None => Ok(()),
    }
}

impl Config {
    /// Reads the defaults, what the profile changes, the file (if one is named) and the environment.
    /// The profile is the one that is asked for, else the one that file or environment name, else
    /// `usual`.
    pub fn load(
        asked: Option<Profile>,
        usual: Profile,
        file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let invalid = |error: config::ConfigError| ConfigError::Invalid(error.to_string());
        check_environment()?;
        let text = file.map(settings_of).transpose()?;
        let named = || {
            let mut source = Source::builder();
            if let Some(text) = &text {
                source = source.add_source(File::from_str(text, FileFormat::Toml));
            }
            source.add_source(environment::source()).build()
        };
        let named = named().map_err(invalid)?;
        let profile = match (asked, named.get::<Profile>("profile")) {
            (Some(profile), _) | (None, Ok(profile)) => profile,
            (None, Err(config::ConfigError::NotFound(_))) => usual,
            (None, Err(error)) => return Err(invalid(error)),
        };
        let mut source = Source::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if profile == Profile::Production {
            source = source.add_source(File::from_str(PRODUCTION, FileFormat::Toml));
        }
        let mut config: Self = source
            .add_source(named)
            .build()
            .and_then(Source::try_deserialize)
            .map_err(invalid)?;
        config.profile = Some(profile);
        config.origins = Origins::of(profile, file.zip(text.as_deref()));
        config.file = file.map(Path::to_owned);
        if config.database.url.is_empty()
            && let Ok(url) = std::env::var("DATABASE_URL")
        {
            config.database.url = url.into();
            config.origins.put("database.url", "DATABASE_URL");
        }
        for (setting, variable) in config.lake.fill(|name| std::env::var(name).ok()) {
            config.origins.put(setting, variable);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let invalid = |text: String| Err(ConfigError::Invalid(text));
        if !(1..=16).contains(&self.database.writers) {
            return invalid(format!(
                "database.writers is {}; it must be 1 to 16",
                self.database.writers
            ));
        }
        if !(1..=65_536).contains(&self.engine.bodies_mb) {
            return invalid(format!(
                "engine.bodies_mb is {}; it must be 1 to 65536",
                self.engine.bodies_mb
            ));
        }
        for (name, queue) in &self.queues {
            if !(1..=1_000).contains(&queue.slots) {
                return invalid(format!(
                    "queues.{name}.slots is {}; it must be 1 to 1000",
                    queue.slots
                ));
            }
            if let Err(why) = queue.rate() {
                return invalid(format!("queues.{name}.rate: {why}"));
            }
        }
        for (name, kind) in &self.kinds {
            if kind.retries > 100 {
                return invalid(format!(
                    "kinds.{name}.retries is {}; it must be at most 100",
                    kind.retries
                ));
            }
        }
        for (name, schedule) in &self.schedules {
            if let Err(why) = schedule.cadence() {
                return invalid(format!("schedules.{name}: {why}"));
            }
        }
        if let Err(why) = self.lake.address() {
            return invalid(format!("lake.dir: {why}"));
        }
        self.platform()?;
        self.check_served()
    }

    fn check_served(&self) -> Result<(), ConfigError> {
        let metrics = &self.metrics;
        for (name, value, most) in [
            ("interval_s", metrics.interval_s, 3_600),
            ("file_mb", metrics.file_mb, 10_000),
            ("files", u64::from(metrics.files), 100),
        ] {
            if !(1..=most).contains(&value) {
                return Err(ConfigError::Invalid(format!(
                    "metrics.{name} is {value}; it must be 1 to {most}"
                )));
            }
        }
        let wrong = |name: &str, why| ConfigError::Invalid(format!("{name}: {why}"));
        (metrics.listen()).map_err(|why| wrong("metrics.listen", why))?;
        (self.web.listen()).map_err(|why| wrong("web.listen", why))?;
        Ok(())
    }

    /// The platform to use when none is named.
    pub fn platform(&self) -> Result<Option<Platform>, ConfigError> {
        if self.riot.platform.is_empty() {
            return Ok(None);
        }
        let platform = self.riot.platform.parse();
        platform
            .map(Some)
            .map_err(|error| ConfigError::Invalid(format!("riot.platform: {error}")))
    }

    /// How a kind is retried, if the configuration names it.
    pub fn policy(&self, kind: &str, default: RetryPolicy) -> RetryPolicy {
        self.kinds.get(kind).map_or(default, |kind| {
            RetryPolicy::new(kind.retries, kind.backoff_base_s, kind.backoff_cap_s)
        })
    }

    /// How long finished jobs are kept.
    pub fn keep_finished(&self) -> Duration {
        Duration::from_hours(24 * u64::from(self.engine.keep_finished_days))
    }

    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.engine.drain_s)
    }
}

/// The folder for data: `$XDG_DATA_HOME/riftsync`, or its usual place.
pub fn data_folder() -> PathBuf {
    etcetera::choose_base_strategy()
        .map_or_else(|_| PathBuf::from("."), |strategy| strategy.data_dir())
        .join("riftsync")
}

/// A key as it was found.
pub struct KeyText {
    pub text: String,
    /// From the file that `RIOT_API_KEY_FILE` names.
    pub from_file: bool,
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyText")
            .field("from_file", &self.from_file)
            .finish_non_exhaustive()
    }
}

/// The file that `RIOT_API_KEY_FILE` names.
pub fn api_key_file() -> Option<PathBuf> {
    let named = std::env::var_os("RIOT_API_KEY_FILE").map(PathBuf::from);
    named.filter(|path| !path.as_os_str().is_empty())
}

/// The API key from `RIOT_API_KEY` or the file that `RIOT_API_KEY_FILE` names.
pub fn api_key() -> Result<Option<KeyText>, ConfigError> {
    if let Ok(text) = std::env::var("RIOT_API_KEY")
        && !text.trim().is_empty()
    {
        return Ok(Some(KeyText {
            text,
            from_file: false,
        }));
    }
    let Some(path) = api_key_file() else {
        return Ok(None);
    };
    match read_key_file(&path) {
        Ok(text) => Ok(Some(KeyText {
            text,
            from_file: true,
        })),
        Err(cause) => Err(ConfigError::KeyFile {
            path,
            cause: cause.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_file_overrides_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "[queues.match_processing]\nslots = 3\n").unwrap();
        let config = Config::load(None, Profile::Development, Some(&path)).unwrap();
        assert_eq!(config.queues["match_processing"].slots, 3);
        assert_eq!(config.queues["timeline_processing"].slots, 16);
    }

    #[test]
    fn the_development_profile_has_rates_and_the_production_profile_has_none() {
        let rate = |config: &Config, queue: &str| config.queues[queue].rate().unwrap();
        let development = Config::load(None, Profile::Development, None).unwrap();
        let rates = rate(&development, "match_processing");
        assert_eq!(rates, Some(Rate::parse("30/m").unwrap()));
        // Its jobs make no call that a key allows, and a person who cleans up twice does not wait for an hour.
        assert_eq!(rate(&development, "maintenance"), None);
        let production =
            Config::load(Some(Profile::Production), Profile::Development, None).unwrap();
        for queue in production.queues.keys() {
            assert_eq!(rate(&production, queue), None, "{queue}");
        }
        let slots = |config: &Config| config.queues["match_processing"].slots;
        assert_eq!((slots(&development), slots(&production)), (16, 64));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "profile = \"production\"\n").unwrap();
        let named = Config::load(None, Profile::Development, Some(&path)).unwrap();
        assert_eq!(rate(&named, "match_processing"), None, "the file names it");
    }

    #[test]
    fn the_metrics_are_told_to_this_machine_alone_unless_an_address_says_otherwise() {
        let address = |text| listen_address(text).map(|address| address.to_string());
        assert_eq!(address("9464").unwrap(), "127.0.0.1:9464");
        assert_eq!(address("0.0.0.0:1").unwrap(), "0.0.0.0:1");
        assert_eq!(address("[::1]:1").unwrap(), "[::1]:1");
        for wrong in ["", "localhost", "127.0.0.1", "70000", ":1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_without_an_end_is_refused() {
        for path in ["/dev/zero", "/dev/full"] {
            let path = Path::new(path);
            let error = Config::load(None, Profile::Development, Some(path)).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("more than"), "{error}");
            assert!(error.contains(&*path.to_string_lossy()), "{error}");
            assert!(read_key_file(path).is_err());
        }
    }

    #[test]
    fn an_unknown_setting_and_a_bad_value_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        for (text, named) in [
            ("[engine]\ndrian_s = 3\n", "drian_s"),
            ("[queues.recovery]\nslots = 0\n", "queues.recovery.slots"),
            ("[queues.recovery]\nrate = \"5\"\n", "queues.recovery.rate"),
            ("[riot]\nplatform = \"mars\"\n", "mars"),
            ("[riot]\nshare = \"0%\"\n", "1% to 100%"),
            ("[riot.shares]\nmars = \"50%\"\n", "mars"),
            ("[metrics]\nfiles = 0\n", "metrics.files"),
            ("[metrics]\nlisten = \"all\"\n", "metrics.listen"),
            ("[files]\nreadable_by = \"me\"\n", "readable_by"),
            (
                "[schedules.health_check]\nwhen = \"hourly\"\n",
                "schedules.health_check",
            ),
            ("[schedules.mine]\nwhen = \"off\"\n", "kind"),
            ("profile = \"prod\"\n", "prod"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = Config::load(None, Profile::Development, Some(&path))
                .unwrap_err()
                .to_string();
            assert!(message.contains(named), "{message}");
        }
        assert!(
            Config::load(
                None,
                Profile::Development,
                Some(&folder.path().join("none.toml"))
            )
            .is_err()
        );
    }
}

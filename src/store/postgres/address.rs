//! Where a PostgreSQL database is: its URL, read once. No `Debug`, `Display` or error shows the password.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::tls::{Tls, Verify};
use crate::model::redact;
use crate::store::StoreError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that is silent so long is gone, whatever TCP still hopes.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
    shown: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl FromStr for Address {
    type Err = StoreError;
    fn from_str(url: &str) -> Result<Self, StoreError> {
        let shown = redact(url);
        let wrong = |cause: String| StoreError::PostgresUrl {
            url: shown.clone(),
            cause,
        };
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut mode = "prefer";
        let mut roots = None;
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("sslrootcert", value)) => {
                    let path = percent_encoding::percent_decode_str(value).decode_utf8();
                    roots = Some(path.map_err(|error| wrong(error.to_string()))?.into_owned());
                }
                _ => rest.push(pair),
            }
        }
        let (ssl, verify) = match (mode, &roots) {
            ("disable", _) => (SslMode::Disable, Verify::Nothing),
            ("allow" | "prefer", _) => (SslMode::Prefer, Verify::Nothing),
            ("require", None) => (SslMode::Require, Verify::Nothing),
            ("require" | "verify-ca", _) => (SslMode::Require, Verify::Chain),
            ("verify-full", _) => (SslMode::Require, Verify::ChainAndName),
            (other, _) => {
                return Err(wrong(format!(
                    "sslmode '{other}' is none of disable, prefer, require, verify-ca, verify-full"
                )));
            }
        };
        let plain = format!("{place}?{}", rest.join("&"));
        // What tokio-postgres says of a wrong URL names its options, never its values.
        let mut config = Config::from_str(&plain).map_err(|error| wrong(cause_of(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host".to_owned()));
        }
        config.ssl_mode(ssl);
        if config.get_application_name().is_none() {
            config.application_name("riftsync");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.tcp_user_timeout(SILENCE_MAX);
        config.keepalives_idle(SILENCE_MAX / 2);
        config.keepalives_interval(SILENCE_MAX / 4);
        config.keepalives_retries(2);
        let tls = Tls::new(verify, roots.as_deref()).map_err(wrong)?;
        Ok(Self { config, tls, shown })
    }
}

impl Address {
    /// The name of the database; empty: the server's choice.
    pub(super) fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    /// Another database of the same server.
    pub(super) fn set_database(&mut self, name: &str) {
        self.config.dbname(name);
        self.shown = format!("{} ({name})", self.shown);
    }
}

/// Whether a text is a URL of PostgreSQL.
pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// An error with what lies under it, in one line.
pub(super) fn cause_of(error: &tokio_postgres::Error) -> String {
    if let Some(database) = error.as_db_error() {
        return database.message().to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_shows_wherever_it_stands() {
        for url in [
            "postgres://u:sesame@h/db",
            "postgresql://u:sesame@h:1/db?sslmode=disable",
            "postgres://u:se@sesame@h/db",
            "postgres://u:sesame?x@h/db",
            "postgres://h/db?user=u&password=sesame",
        ] {
            match url.parse::<Address>() {
                Ok(address) => assert!(!format!("{address:?} {address}").contains("sesame")),
                Err(error) => assert!(!format!("{error:?} {error}").contains("sesame")),
            }
        }
    }

    #[test]
    fn sslmode_says_what_is_verified() {
        let tls = |mode: &str| {
            let address: Address = format!("postgres://h/db?sslmode={mode}").parse().unwrap();
            (address.config.get_ssl_mode(), address.tls.verify())
        };
        assert_eq!(tls("disable"), (SslMode::Disable, Verify::Nothing));
        assert_eq!(tls("prefer"), (SslMode::Prefer, Verify::Nothing));
        assert_eq!(tls("require"), (SslMode::Require, Verify::Nothing));
        assert_eq!(tls("verify-ca"), (SslMode::Require, Verify::Chain));
        assert_eq!(tls("verify-full"), (SslMode::Require, Verify::ChainAndName));
        let error = "postgres://h/db?sslmode=maybe"
            .parse::<Address>()
            .unwrap_err();
        assert!(error.to_string().contains("maybe"), "{error}");
    }
}

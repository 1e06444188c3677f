//! What is served over HTTP: where, and by which names it may be asked for.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSettings {
    /// Empty: `metrics.jsonl` beside the data. `none`: no log.
    pub log: String,
    pub interval_s: u64,
    pub file_mb: u64,
    pub files: u32,
    /// Where Prometheus reads the metrics: `9464` is 127.0.0.1:9464; empty: nowhere.
    pub listen: String,
    /// Names by which the page may be asked for, between commas; addresses and localhost always may.
    pub hosts: String,
}

impl MetricsSettings {
    pub fn listen(&self) -> Result<Option<SocketAddr>, String> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        listen_address(&self.listen).map(Some)
    }

    /// The names of `hosts`.
    pub fn hosts(&self) -> Vec<String> {
        names_of(&self.hosts)
    }
}

/// The engine in a browser.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebPages {
    /// `8470` is 127.0.0.1:8470; empty: nowhere, unless `--web` is given.
    pub listen: String,
    /// Names by which the pages may be asked for, between commas; addresses and localhost always may.
    pub hosts: String,
    /// The path that a reverse proxy has them under.
    pub prefix: String,
    pub read_only: bool,
    /// A file with a password; empty: a secret is made, and told when the engine begins.
    pub password_file: String,
}

impl WebPages {
    pub fn listen(&self) -> Result<Option<SocketAddr>, String> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        listen_address(&self.listen).map(Some)
    }

    /// The names of `hosts`.
    pub fn hosts(&self) -> Vec<String> {
        names_of(&self.hosts)
    }
}

/// Names between commas, in small letters.
fn names_of(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_ascii_lowercase)
        .collect()
}

/// A port, which is one of 127.0.0.1, or an address with its port.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.parse().map_err(|_| {
        format!("'{text}' is no address. Write a port (9464, on 127.0.0.1) or an address with one (0.0.0.0:9464, [::]:9464)")
    })
}

//! Where a PostgreSQL database is: its URL, read once. No `Debug`, `Display` or error shows the password.
//!
//! A host that is a path is the folder of a server's socket. There is no TLS on a socket, whatever `sslmode` says: it
//! does not leave the machine, and a server does not speak TLS there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode};

use super::tls::{Tls, Verify};
use crate::store::StoreError;
use riftsync_basics::secrets::keep_password;
use riftsync_basics::{Foreign, redact};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that is silent so long is gone, whatever TCP still hopes.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// The address of a database, as its URL says it.
#[derive(Clone)]
pub struct Address {
    /// One after the other, until one answers. They differ in where the server is, and whether TLS is spoken there.
    configs: Vec<Config>,
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
        let mut ports = None;
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("port", value)) => {
                    let read: Result<Vec<u16>, _> = value.split(',').map(str::parse).collect();
                    ports = Some(read.map_err(|_| wrong(format!("'{value}' is no port")))?);
                }
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
            return Err(wrong(
                "it names no host. A server's socket is named by its folder: ?host=/var/run/postgresql"
                    .to_owned(),
            ));
        }
        if let Some(password) = config.get_password() {
            let beside = [config.get_user(), config.get_dbname()];
            keep_password(password, &beside.map(Option::unwrap_or_default));
        }
        config.ssl_mode(ssl);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.tcp_user_timeout(SILENCE_MAX);
        config.keepalives_idle(SILENCE_MAX / 2);
        config.keepalives_interval(SILENCE_MAX / 4);
        config.keepalives_retries(2);
        let bound = config.get_channel_binding() == ChannelBinding::Require;
        let tls = Tls::new(verify, roots.as_deref(), bound).map_err(wrong)?;
        let configs = by_transport(config, ports).map_err(wrong)?;
        Ok(Self {
            configs,
            tls,
            shown,
        })
    }
}

/// The same connection as often as it takes: where a path is among the hosts each has one of its own, since TLS is for
/// those only that are no path.
///
/// `ports`: what `?port=` says, which counts more than the ports beside the hosts.
fn by_transport(mut config: Config, ports: Option<Vec<u16>>) -> Result<Vec<Config>, String> {
    // An address beside the names is where they are, paths too.
    if !config.get_hostaddrs().is_empty() {
        for port in ports.into_iter().flatten() {
            config.port(port);
        }
        return Ok(vec![config]);
    }
    let named = config.get_hosts().len();
    let hosts: Vec<Host> = config.get_hosts().iter().flat_map(each_of).collect();
    let paths = hosts.iter().filter(|host| matches!(host, Host::Unix(_)));
    let paths = paths.count();
    // The library does what is to be done, host by host.
    if ports.is_none() && named == hosts.len() && paths == 0 {
        return Ok(vec![config]);
    }
    let ports = ports.unwrap_or_else(|| config.get_ports().to_vec());
    if ports.len() > 1 && ports.len() != hosts.len() {
        return Err(format!(
            "it names {} hosts and {} ports",
            hosts.len(),
            ports.len()
        ));
    }
    let of_one = |(n, host): (usize, &Host)| {
        let mut one = without_hosts(&config);
        match host {
            Host::Tcp(name) => one.host(name),
            Host::Unix(path) => one.host_path(path).ssl_mode(SslMode::Disable),
        };
        if let Some(port) = ports.get(n).or_else(|| ports.first()) {
            one.port(*port);
        }
        one
    };
    Ok(hosts.iter().enumerate().map(of_one).collect())
}

/// `?host=` takes several hosts, and the library takes them for one.
fn each_of(host: &Host) -> Vec<Host> {
    let text = match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    };
    let read = |one: &str| {
        if one.starts_with('/') {
            Host::Unix(one.into())
        } else {
            Host::Tcp(one.to_owned())
        }
    };
    if text.contains(',') {
        text.split(',').map(read).collect()
    } else {
        vec![host.clone()]
    }
}

/// Everything but where it is.
fn without_hosts(config: &Config) -> Config {
    let mut one = Config::new();
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(limit) = config.get_connect_timeout() {
        one.connect_timeout(*limit);
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*limit);
    }
    if let Some(pause) = config.get_keepalives_interval() {
        one.keepalives_interval(pause);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs());
    one
}

/// The socket that a connection would use, if it uses one.
pub(super) fn socket_of(config: &Config) -> Option<PathBuf> {
    match config.get_hosts().first() {
        Some(Host::Unix(folder)) if config.get_hostaddrs().is_empty() => {
            let port = config.get_ports().first().copied().unwrap_or(5432);
            Some(folder.join(format!(".s.PGSQL.{port}")))
        }
        _ => None,
    }
}

impl Address {
    pub(super) fn configs(&self) -> &[Config] {
        &self.configs
    }

    /// The name of the database; empty: the server's choice.
    pub fn database(&self) -> &str {
        self.configs[0].get_dbname().unwrap_or_default()
    }

    /// The name of a database beside this one that holds any text.
    pub(super) fn name_beside(&self) -> String {
        match self.database() {
            "" => "jobs_utf8".to_owned(),
            name => format!("{name}_utf8"),
        }
    }

    /// A command that makes this database; none: it has no name, or one of several servers would have it.
    pub(super) fn create_this(&self) -> Option<String> {
        let servers = |config: &Config| config.get_hosts().len().max(config.get_hostaddrs().len());
        let is_one =
            self.configs.iter().map(servers).sum::<usize>() == 1 && !self.database().is_empty();
        is_one.then(|| self.createdb(self.database()))
    }

    /// A command that makes a database on the same server which can hold any text: as somebody types it.
    pub(super) fn createdb(&self, name: &str) -> String {
        let config = &self.configs[0];
        let mut command = "createdb".to_owned();
        let mut option = |flag: &str, value: &str| {
            command.push(' ');
            command.push_str(flag);
            command.push_str(&quoted(value));
        };
        match config.get_hosts().first() {
            Some(Host::Tcp(name)) => option("-h ", name),
            Some(Host::Unix(folder)) => option("-h ", &folder.display().to_string()),
            None => {}
        }
        if let Some(port) = config.get_ports().first() {
            option("-p ", &port.to_string());
        }
        if let Some(user) = config.get_user() {
            option("-U ", user);
        }
        // The template and the locale may be of the other encoding; these go with every one.
        option("-T ", "template0");
        option("-E ", "UTF8");
        option("--locale=", "C");
        option("", name);
        command
    }

    /// Another database of the same server.
    pub fn set_database(&mut self, name: &str) {
        for config in &mut self.configs {
            config.dbname(name);
        }
        self.shown = format!("{} ({name})", self.shown);
    }
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Whether a text is a URL of PostgreSQL.
pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// An error with what lies under it, in one line. The server says it in its own words.
pub(super) fn cause_of(error: &tokio_postgres::Error) -> String {
    if let Some(database) = error.as_db_error() {
        return Foreign::new(database.message()).into();
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
    Foreign::from(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_roots_without_an_end_is_refused() {
        let url = "postgres://h/db?sslmode=verify-full&sslrootcert=/dev/zero";
        let error = url.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("/dev/zero: it has more than"), "{error}");
    }

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
            (address.configs[0].get_ssl_mode(), address.tls.verify())
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

    /// Where a URL leads, and whether TLS is spoken there.
    fn ways(url: &str) -> Vec<String> {
        let address: Address = url.parse().unwrap();
        let way = |config: &Config| {
            let (host, port) = (&config.get_hosts()[0], config.get_ports());
            let user = config.get_user().unwrap_or("-");
            format!("{host:?} {port:?} {user} {:?}", config.get_ssl_mode())
        };
        address.configs.iter().map(way).collect()
    }

    #[test]
    fn there_is_no_tls_where_the_host_is_a_path_whatever_sslmode_says() {
        let modes = [
            "disable",
            "allow",
            "prefer",
            "require",
            "verify-ca",
            "verify-full",
        ];
        for mode in modes {
            for (url, user) in [
                ("postgres:///db?host=/run/pg&user=u", "u"),
                ("postgres:///db?host=%2Frun%2Fpg&port=5432", "-"),
                ("postgres://u@%2Frun%2Fpg/db?x", "u"),
                ("postgres://u@%2Frun%2Fpg:7/db?x", "u"),
                (
                    "postgresql://u:p@%2Frun%2Fpg:5432/db?application_name=x",
                    "u",
                ),
                ("postgres://u@/db?host=/run/pg", "u"),
            ] {
                let url = url.replace("?x", "?port=5432");
                let ways = ways(&format!("{url}&sslmode={mode}"));
                let [way] = ways.as_slice() else {
                    panic!("{ways:?}");
                };
                assert!(way.starts_with("Unix(\"/run/pg\")"), "{url}: {way}");
                assert!(way.ends_with(&format!("{user} Disable")), "{url}: {way}");
            }
        }
    }

    #[test]
    fn of_several_hosts_tls_is_for_those_that_are_no_path() {
        let url = "postgres://u@%2Frun%2Fpg:1,other.example:2/db?sslmode=require";
        assert_eq!(
            ways(url),
            [
                "Unix(\"/run/pg\") [1] u Disable",
                "Tcp(\"other.example\") [2] u Require"
            ]
        );
        let one_port = "postgres:///db?host=other.example,/run/pg&port=7&sslmode=prefer";
        assert_eq!(
            ways(one_port),
            [
                "Tcp(\"other.example\") [7] - Prefer",
                "Unix(\"/run/pg\") [7] - Disable"
            ]
        );
        let tcp = ways("postgres://u@h:5/db?port=6&sslmode=require");
        assert_eq!(tcp, ["Tcp(\"h\") [6] u Require"]);
        let error = "postgres://h/db?port=x".parse::<Address>();
        assert!(error.unwrap_err().to_string().contains("'x' is no port"));
        let error = "postgres:///db?host=a,/b,c&port=1,2".parse::<Address>();
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("3 hosts and 2 ports")
        );
    }

    #[test]
    fn a_url_without_a_host_is_told_how_a_socket_is_named() {
        let error = "postgres:///db".parse::<Address>().unwrap_err();
        assert!(
            error.to_string().contains("?host=/var/run/postgresql"),
            "{error}"
        );
    }

    #[test]
    fn the_command_that_makes_a_database_can_be_typed() {
        for url in ["postgres://u@h", "postgres://u@h,g/db"] {
            assert_eq!(url.parse::<Address>().unwrap().create_this(), None, "{url}");
        }
        let this = "postgres://u@h/db".parse::<Address>().unwrap();
        assert!(this.create_this().unwrap().ends_with(" db"));
        let command = |url: &str| {
            let address: Address = url.parse().unwrap();
            address.createdb(&address.name_beside())
        };
        assert_eq!(
            command("postgres://u:sesame@h:6000/db"),
            "createdb -h h -p 6000 -U u -T template0 -E UTF8 --locale=C db_utf8"
        );
        assert_eq!(
            command("postgres:///my%20db?host=/run/pg&user=a'b"),
            "createdb -h /run/pg -U 'a'\\''b' -T template0 -E UTF8 --locale=C 'my db_utf8'"
        );
    }
}

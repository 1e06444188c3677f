//! A database's URL: it may hold a password, which nothing shows.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize, Serializer};

/// A database URL as it was written. Its `Debug` shows no password.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Without its password, as it is shown: what is written out is read by people.
impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&redact(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl DatabaseUrl {
    /// As it was written, password and all.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for DatabaseUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// What stands where a password was.
const HIDDEN: &str = "***";

/// The URL without its password. Reads more than a URL may hold: a password with an '@' in it, not encoded as it should
/// be, or one behind which the host was forgotten, must not show either.
pub fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        let scheme = url
            .split_once(':')
            .map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        match scheme {
            Some((scheme, _)) if scheme == "postgres" || scheme == "postgresql" => {
                return redact(&url.replacen(':', "://", 1));
            }
            Some((scheme, rest)) if scheme == "sqlite" => {
                return format!("sqlite:{}", redact(rest));
            }
            _ => {}
        }
        // `host=db password=...`, as other programs take it; nothing behind it is needed to know what was meant.
        return match is_pairs(url).then(|| url.find("password")).flatten() {
            Some(at) => format!("{}password={HIDDEN}", &url[..at]),
            None => url.to_owned(),
        };
    };
    let (head, query) = match rest.split_once('?') {
        Some((head, query)) => (head, format!("?{}", without_passwords(query))),
        None => (rest, String::new()),
    };
    let rest = format!("{head}{query}");
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", &rest));
    let user = match user.split_once(':') {
        Some((name, _)) => format!("{name}:{HIDDEN}@"),
        None if user.is_empty() => String::new(),
        None => format!("{user}@"),
    };
    format!("{scheme}://{user}{}", without_odd_ports(place))
}

/// Whether a text names a PostgreSQL database as its own programs take it too: `host=db user=me`.
pub fn is_pairs(text: &str) -> bool {
    let mut names = text
        .split_ascii_whitespace()
        .map_while(|pair| Some(pair.split_once('=')?.0));
    names.any(|name| matches!(name, "host" | "hostaddr" | "dbname" | "user" | "password"))
}

fn without_passwords(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_password(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Whether an option of a URL is a password, however its name is written.
fn is_password(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy();
    name.to_ascii_lowercase().contains("password")
}

/// A port that is no number is what should have been before an '@'.
fn without_odd_ports(place: &str) -> String {
    let end = place.find(['/', '?']).unwrap_or(place.len());
    let (hosts, behind) = place.split_at(end);
    let hosts = hosts.split(',').map(|host| {
        // An address of IPv6 has colons of its own.
        let begin = host.find(']').filter(|_| host.starts_with('['));
        let (address, rest) = host.split_at(begin.map_or(0, |at| at + 1));
        match rest.split_once(':') {
            Some((name, port)) if !is_digits(port) => format!("{address}{name}:{HIDDEN}"),
            _ => host.to_owned(),
        }
    });
    hosts.collect::<Vec<_>>().join(",") + behind
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_shows_wherever_it_stands() {
        for text in [
            "postgres://u:sesame@h/db",
            "postgresql://u:sesame@h:1/db?sslmode=disable",
            "postgres://u:se@sesame@h/db",
            "postgres://u:sesame?x@h/db",
            "postgres://h/db?user=u&password=sesame",
            "postgres://h/db?user=u&password=sesame@1",
            "postgres://h:1/db?user=u&pass%77ord=1@sesame&x=1",
            "postgres://h/db?PASSWORD=sesame",
            "postgres://u:sesame",
            "postgres://u:sesame/db",
            "postgres://u:sesame?sslmode=disable",
            "postgres://u@h1:5432,h2:sesame/db",
            "mysql://u:sesame>x",
            "postgres://u:sesame[::1]:5432/db",
            "host=h user=u password=sesame dbname=d",
            "host=h password='open sesame'",
        ] {
            let url = DatabaseUrl::from(text.to_owned());
            assert!(!format!("{url:?}").contains("sesame"), "{url:?}");
        }
        assert_eq!(redact("postgres://u:x@h/db"), "postgres://u:***@h/db");
        assert_eq!(redact("postgres://u@h/db"), "postgres://u@h/db");
        for same in [
            "/tmp/a:b@c.db",
            "/tmp/user password=1.db",
            "postgres://[::1]:5432,[fe80::1]/db?options=-c%20a%3Db",
            "postgres:///db?host=/run/a:b",
        ] {
            assert_eq!(redact(same), same);
        }
    }
}

//! A database's URL: it may hold a password, which nothing shows.

use std::fmt;

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

/// The URL without its password. Reads more than a URL may hold: a password with an '@' in it, not
/// encoded as it should be, must not show either.
pub fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let user = match user.split_once(':') {
        Some((name, _)) => format!("{name}:***@"),
        None if user.is_empty() => String::new(),
        None => format!("{user}@"),
    };
    let place = match place.split_once('?') {
        None => place.to_owned(),
        Some((place, query)) => {
            let pairs: Vec<String> = query
                .split('&')
                .map(|pair| match pair.split_once('=') {
                    Some((name, _)) if name.contains("password") => format!("{name}=***"),
                    _ => pair.to_owned(),
                })
                .collect();
            format!("{place}?{}", pairs.join("&"))
        }
    };
    format!("{scheme}://{user}{place}")
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
        ] {
            let url = DatabaseUrl::from(text.to_owned());
            assert!(!format!("{url:?}").contains("sesame"), "{url:?}");
        }
        assert_eq!(redact("postgres://u:x@h/db"), "postgres://u:***@h/db");
        assert_eq!(redact("postgres://u@h/db"), "postgres://u@h/db");
        assert_eq!(redact("/tmp/a:b@c.db"), "/tmp/a:b@c.db");
    }
}

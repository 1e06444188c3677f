//! Who may see and do what. Pure: what a request says of itself comes in, a verdict goes out.
//!
//! A page of a stranger's cannot read or do anything here: it would have to be asked for by a name that is ours
//! ([`Denied::Host`]), with a cookie that no other site's request carries, and a change must come from one of our own
//! pages ([`Denied::Origin`]).

use std::fmt;

use axum::http::{HeaderMap, Method, header};
use riftsync_model::host;
use subtle::ConstantTimeEq;

/// The shortest password that the settings may have, in characters.
pub const SECRET_MIN: usize = 12;

/// What opens the pages. No `Debug` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A password that is guessed too easily.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password of the web pages has fewer than {SECRET_MIN} characters")]
pub struct WeakSecret;

impl Secret {
    pub fn new(text: &str) -> Result<Self, WeakSecret> {
        let text = text.trim();
        if text.chars().count() < SECRET_MIN {
            return Err(WeakSecret);
        }
        Ok(Self(text.to_owned()))
    }

    /// To be shown to the person that it belongs to, and to nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Takes the same time however much of it is right.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It was asked for by a name that may be a stranger's.
    Host,
    /// It does not know the secret.
    SignIn,
    /// A change that no page of ours asked for.
    Origin,
    /// Nothing is changed here.
    ReadOnly,
}

/// What decides.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) secret: &'a Secret,
    /// Names in small letters, beside addresses and localhost.
    pub(crate) hosts: &'a [String],
    pub(crate) read_only: bool,
    pub(crate) cookie: &'a str,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Style, script and icon: the sign-in page needs them too.
    Asset,
    /// To sign in.
    SignIn,
    /// Anything else.
    Page,
}

impl Rules<'_> {
    pub(crate) fn judge(
        &self,
        method: &Method,
        headers: &HeaderMap,
        wanted: Wanted,
    ) -> Result<(), Denied> {
        if !text(headers, header::HOST).is_some_and(|name| host::is_known(name, self.hosts)) {
            return Err(Denied::Host);
        }
        let changes = !matches!(*method, Method::GET | Method::HEAD);
        if changes && !is_from_here(headers) {
            return Err(Denied::Origin);
        }
        match wanted {
            Wanted::Page if !self.is_signed_in(headers) => Err(Denied::SignIn),
            Wanted::Page if changes && self.read_only => Err(Denied::ReadOnly),
            // Who has not signed in needs the former to do so.
            Wanted::Asset | Wanted::SignIn | Wanted::Page => Ok(()),
        }
    }

    pub(crate) fn is_signed_in(&self, headers: &HeaderMap) -> bool {
        let mut cookies = headers.get_all(header::COOKIE).iter();
        cookies.any(|cookies| {
            let cookies = cookies.to_str().unwrap_or_default().split(';');
            let mut ours = cookies.filter_map(|pair| pair.trim().split_once('='));
            ours.any(|(name, value)| {
                // A cookie's value takes few letters as they are.
                let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
                name == self.cookie && self.secret.is(&value)
            })
        })
    }
}

/// Whether one of our pages asks. Browsers say so; an older one names the origin of the page, which must then be what
/// it asks for.
fn is_from_here(headers: &HeaderMap) -> bool {
    if let Some(site) = text(headers, "sec-fetch-site") {
        return site == "same-origin";
    }
    let (Some(origin), Some(host)) = (text(headers, header::ORIGIN), text(headers, header::HOST))
    else {
        return false;
    };
    let name = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    name.is_some_and(|name| name.eq_ignore_ascii_case(host))
}

/// The one value of a header; of several, none is to be trusted.
fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn judge(method: &Method, pairs: &[(&str, &str)], read_only: bool) -> Result<(), Denied> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let secret = Secret::new(SECRET).unwrap();
        let rules = Rules {
            secret: &secret,
            hosts: &["riftsync.example".to_owned()],
            read_only,
            cookie: "riftsync_8470",
        };
        rules.judge(method, &headers, Wanted::Page)
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:8470");
    const COOKIE: (&str, &str) = ("cookie", "a=b; riftsync_8470=0123456789abcdef");
    const HERE: (&str, &str) = ("sec-fetch-site", "same-origin");

    #[test]
    fn who_knows_the_secret_and_asks_by_a_name_of_ours_sees_pages() {
        let get = |pairs: &[(&str, &str)]| judge(&Method::GET, pairs, false);
        assert_eq!(get(&[HOST, COOKIE]), Ok(()));
        assert_eq!(get(&[("host", "riftsync.example"), COOKIE]), Ok(()));
        for host in ["evil.example:8470", "127.0.0.1.evil.example"] {
            assert_eq!(get(&[("host", host), COOKIE]), Err(Denied::Host), "{host}");
        }
        assert_eq!(get(&[COOKIE]), Err(Denied::Host), "no name at all");
        assert_eq!(get(&[HOST, HOST, COOKIE]), Err(Denied::Host), "two names");
        for cookie in [
            "riftsync_8470=",
            "riftsync_8470=0123456789abcdeX",
            "riftsync_8470=0123456789abcdef0",
            "riftsync_8471=0123456789abcdef",
            "0123456789abcdef",
        ] {
            let asked = get(&[HOST, ("cookie", cookie)]);
            assert_eq!(asked, Err(Denied::SignIn), "{cookie}");
        }
    }

    #[test]
    fn changes_come_from_our_own_pages_and_from_nowhere_else() {
        let post = |pairs: &[(&str, &str)]| judge(&Method::POST, pairs, false);
        assert_eq!(post(&[HOST, COOKIE, HERE]), Ok(()));
        let own = ("origin", "http://127.0.0.1:8470");
        assert_eq!(post(&[HOST, COOKIE, own]), Ok(()));
        for elsewhere in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "none"),
            ("origin", "http://127.0.0.1:8471"),
            ("origin", "null"),
            ("origin", "http://evil.example"),
            ("referer", "http://127.0.0.1:8470/"),
        ] {
            let asked = post(&[HOST, COOKIE, elsewhere]);
            assert_eq!(asked, Err(Denied::Origin), "{elsewhere:?}");
        }
        let both = [HOST, COOKIE, ("sec-fetch-site", "cross-site"), own];
        assert_eq!(
            post(&both),
            Err(Denied::Origin),
            "what the browser says counts"
        );
        let read_only = judge(&Method::POST, &[HOST, COOKIE, HERE], true);
        assert_eq!(read_only, Err(Denied::ReadOnly));
        assert_eq!(judge(&Method::GET, &[HOST, COOKIE], true), Ok(()));
    }

    #[test]
    fn a_secret_is_long_and_is_shown_by_no_debug() {
        assert_eq!(Secret::new("too short  "), Err(WeakSecret));
        let secret = Secret::new(SECRET).unwrap();
        assert!(!format!("{secret:?}").contains("0123"));
    }
}

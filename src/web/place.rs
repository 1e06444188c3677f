//! Where the pages are, and how they are set.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::access::Secret;

/// How the pages are set.
#[derive(Debug, Clone)]
pub struct WebSettings {
    pub addr: SocketAddr,
    /// Names by which they may be asked for, in small letters; addresses and localhost always may.
    pub hosts: Vec<String>,
    /// The path that a reverse proxy has them under, as `/riftsync`; empty: none.
    pub prefix: String,
    /// Nothing can be changed by them.
    pub read_only: bool,
    pub secret: Secret,
}

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error(
        "the web pages cannot be served at {addr}: {source}. Choose another address with --web ADDRESS:PORT"
    )]
    Address { addr: SocketAddr, source: io::Error },
    #[error("the prefix '{0}' of the web pages is no path. Write it as /riftsync")]
    Prefix(String),
}

/// The address, held for as long as the process lives: a server that is started anew finds it free.
#[derive(Debug)]
pub struct WebPlace {
    listener: TcpListener,
    pub(crate) settings: WebSettings,
}

impl WebPlace {
    pub fn open(mut settings: WebSettings) -> Result<Self, PlaceError> {
        settings
            .prefix
            .truncate(settings.prefix.trim_end_matches('/').len());
        if !is_prefix(&settings.prefix) {
            return Err(PlaceError::Prefix(settings.prefix));
        }
        let addr = settings.addr;
        let failed = |source| PlaceError::Address { addr, source };
        let listener = TcpListener::bind(addr).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        settings.addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, settings })
    }

    /// With the port that the system chose, if it was asked to.
    pub fn addr(&self) -> SocketAddr {
        self.settings.addr
    }

    /// What a person opens, with what lets them in.
    pub fn url(&self) -> String {
        let WebSettings {
            addr,
            prefix,
            secret,
            ..
        } = &self.settings;
        let secret = percent_encoding::utf8_percent_encode(
            secret.expose(),
            percent_encoding::NON_ALPHANUMERIC,
        );
        format!("http://{addr}{prefix}/sign-in?secret={secret}")
    }

    pub(crate) fn listener(&self) -> io::Result<tokio::net::TcpListener> {
        tokio::net::TcpListener::from_std(self.listener.try_clone()?)
    }

    /// Ports of one machine share their cookies.
    pub(crate) fn cookie(&self) -> String {
        format!("riftsync_{}", self.settings.addr.port())
    }
}

/// Segments of letters, digits, `-`, `_` and `.`, as nothing else is the same in a path, a cookie and a link.
fn is_prefix(prefix: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    prefix.is_empty()
        || prefix.strip_prefix('/').is_some_and(|rest| {
            let mut segments = rest.split('/');
            segments.all(|part| {
                !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(prefix: &str, secret: &str) -> Result<WebPlace, PlaceError> {
        WebPlace::open(WebSettings {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            prefix: prefix.to_owned(),
            read_only: false,
            secret: Secret::new(secret).unwrap(),
        })
    }

    #[test]
    fn a_prefix_is_a_plain_path() {
        for prefix in ["", "/", "/riftsync", "/a/b_c-d.e/"] {
            let place = open(prefix, "0123456789abcdef").unwrap();
            assert!(!place.settings.prefix.ends_with('/'));
        }
        for prefix in [
            "riftsync", "//a", "/a//b", "/..", "/a b", "/a;b", "/a\nb", "/<b>",
        ] {
            assert!(
                matches!(open(prefix, "0123456789abcdef"), Err(PlaceError::Prefix(_))),
                "{prefix}"
            );
        }
    }

    #[test]
    fn the_url_names_the_port_and_survives_any_secret() {
        let place = open("/p", "a secret & more #1").unwrap();
        let port = place.addr().port();
        assert_ne!(port, 0);
        let url =
            format!("http://127.0.0.1:{port}/p/sign-in?secret=a%20secret%20%26%20more%20%231");
        assert_eq!(place.url(), url);
    }
}

//! The name by which an HTTP server was asked for.

use std::net::{IpAddr, Ipv6Addr};

/// Whether the value of a `Host` header names us by an address, as localhost, or by one of these names (in small
/// letters). Any other name can be a stranger's who has it point here. An empty one is of a program that says none, as
/// no browser does.
pub fn is_known(host: &str, names: &[String]) -> bool {
    let name = without_port(host).to_ascii_lowercase();
    let address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            name.is_empty()
                || name == "localhost"
                || name.parse::<IpAddr>().is_ok()
                || names.contains(&name)
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_names_of_the_settings_are_known_and_no_others() {
        let names = ["riftsync".to_owned()];
        for host in [
            "127.0.0.1:9464",
            "10.0.0.7",
            "[::1]:9464",
            "[::1]",
            "localhost:1",
            "LocalHost",
            "riftsync:9464",
            "Riftsync",
            "",
        ] {
            assert!(is_known(host, &names), "{host}");
        }
        for host in [
            "evil.example:9464",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "[evil]",
            "[::1].evil.example",
            "riftsync.evil.example",
            "x:y",
        ] {
            assert!(!is_known(host, &names), "{host}");
        }
    }
}

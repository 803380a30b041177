//! Which addresses may be asked: hosts of the open internet, over https. A deployment on one's own
//! machine may also ask that machine.
//!
//! What a name resolves to is for the platform: Workers reach no private networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

/// Names that never are of the open internet.
const PRIVATE_NAMES: [&str; 6] = ["localhost", "local", "internal", "lan", "home.arpa", "intranet"];

/// Whether an address is on one's own machine.
pub(crate) fn is_local(url: &str) -> bool {
    let uri: Result<Uri, _> = url.parse();
    uri.is_ok_and(|uri| uri.host().is_some_and(is_loopback))
}

/// Whether messages may be sent to an address.
///
/// # Errors
/// What it should be.
pub(crate) fn check(url: &str, local: bool) -> Result<(), &'static str> {
    let uri: Uri = url.parse().map_err(|_| "must be URLs, separated by commas")?;
    let authority = uri.authority().ok_or("must be absolute URLs")?;
    if authority.as_str().contains('@') || url.contains('#') {
        return Err("must have no credentials and no fragment");
    }
    let host = authority.host();
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if local && is_loopback(host) => {}
        _ => return Err("must be https URLs"),
    }
    if local || is_public(host) { Ok(()) } else { Err("must be hosts of the open internet") }
}

fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost" || address(&host).is_some_and(|address| address.is_loopback())
}

fn is_public(host: &str) -> bool {
    if let Some(address) = address(host) {
        return match address {
            IpAddr::V4(address) => is_public_v4(address),
            IpAddr::V6(address) => is_public_v6(address),
        };
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let last = host.rsplit('.').next().unwrap_or_default();
    // Browsers and platforms read a host that ends in a number as an address, in many notations.
    let number = last.starts_with(|first: char| first.is_ascii_digit());
    let private = |name: &str| host == name || host.ends_with(&format!(".{name}"));
    host.contains('.')
        && host.bytes().all(plain)
        && !number
        && !PRIVATE_NAMES.iter().any(|name| private(name))
}

/// An address in its one canonical notation.
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    // RFC 6890 and its registry: this network, shared space, IETF assignments, benchmarks, reserved.
    let special = a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240;
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

/// Global unicast, but for what embeds or tunnels to other addresses, and documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = a & 0xe000 == 0x2000;
    let special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || a == 0x3fff;
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_the_open_internet_are_asked_over_https() {
        for url in [
            "https://hooks.example.com/atoms",
            "https://hooks.example.com:8443/atoms?token=x",
            "https://93.184.216.34/",
            "https://[2606:2800:220:1::1]/",
            "https://localhost.example.com/",
        ] {
            assert_eq!(check(url, false), Ok(()), "{url}");
        }
    }

    #[test]
    fn nothing_private_is_ever_asked() {
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "printer",
            "a.localhost",
            "db.internal",
            "nas.local",
            "x.home.arpa",
            "127.0.0.1",
            "127.1",
            "127.0.0.1.",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a00:1]",
            "[64:ff9b::a00:1]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[2001::1]",
            "[2002:a00:1::]",
            "ex%61mple.com",
        ] {
            let url = format!("https://{host}/hook");
            assert!(check(&url, false).is_err(), "{url}");
        }
    }

    #[test]
    fn one_s_own_machine_is_asked_by_itself_alone() {
        for url in ["http://127.0.0.1:9000/", "http://localhost/", "http://[::1]:1/"] {
            assert_eq!(check(url, true), Ok(()), "{url}");
            assert!(check(url, false).is_err(), "{url}");
        }
        assert!(is_local("http://127.0.0.1:8787") && is_local("http://localhost:1"));
        assert!(!is_local("https://edge.example") && !is_local("https://10.0.0.1"));
    }

    #[test]
    fn what_is_no_such_url_is_refused_everywhere() {
        for url in [
            "",
            "hooks.example.com",
            "/hook",
            "ftp://hooks.example.com/",
            "http://hooks.example.com/",
            "https://user:pass@hooks.example.com/",
            "https://hooks.example.com/#part",
            "https:///hook",
        ] {
            for local in [false, true] {
                assert!(check(url, local).is_err(), "{url}");
            }
        }
    }
}

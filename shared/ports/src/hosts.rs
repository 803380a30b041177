//! Which hosts of addresses that others name may be asked: those of the open internet.
//!
//! What a name resolves to is for the platform: Workers reach no private networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names that never are of the open internet.
const PRIVATE_NAMES: [&str; 6] = ["localhost", "local", "internal", "lan", "home.arpa", "intranet"];

/// Whether a host is one's own machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost" || address(&host).is_some_and(|address| address.is_loopback())
}

/// Whether a host, a name or an address, is of the open internet.
pub fn is_public(host: &str) -> bool {
    match address(host) {
        Some(IpAddr::V4(address)) => is_public_v4(address),
        Some(IpAddr::V6(address)) => is_public_v6(address),
        None => is_public_name(host),
    }
}

/// Whether a host is a name, and no address in any notation, that may be of the open internet.
pub fn is_public_name(host: &str) -> bool {
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
    fn an_address_is_public_or_not_and_never_a_name() {
        for host in ["93.184.216.34", "[2606:2800:220:1::1]"] {
            assert!(is_public(host) && !is_public_name(host), "{host}");
        }
        for host in
            ["10.0.0.1", "[fd00::1]", "[::ffff:93.184.216.34]", "127.1", "0x7f.1", "2130706433"]
        {
            assert!(!is_public(host) && !is_public_name(host), "{host}");
        }
        assert!(is_public("hooks.example.com") && is_public_name("hooks.example.com"));
    }

    #[test]
    fn one_s_own_machine_has_few_names() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback(host) && !is_public(host), "{host}");
        }
        for host in ["localhost.example.com", "127.0.0.1.example.com", "example.com"] {
            assert!(!is_loopback(host) && is_public(host), "{host}");
        }
    }
}

//! The network that a request comes from: a prefix of its address, which is all that is kept.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderName};

/// The prefix of an address: the first 24 bits of IPv4, 48 of IPv6. So much one site has in common.
pub fn prefix(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// The network by the header that the deployment's own proxy writes; `None` if none is configured:
/// whatever such a header says would be the client's word. Of a list the last entry counts, which is
/// the one that the nearest proxy has added.
pub fn of(headers: &HeaderMap, trusted: Option<&HeaderName>) -> Option<String> {
    let text = headers.get_all(trusted?).iter().next_back()?.to_str().ok()?;
    let last = text.rsplit(',').next().unwrap_or_default().trim();
    let bare = last.trim_start_matches('[');
    let bare = bare.split(']').next().unwrap_or_default();
    let address: Option<IpAddr> = bare.parse().ok();
    // With a port, as some proxies have it.
    let address = address.or_else(|| last.parse::<std::net::SocketAddr>().ok().map(|it| it.ip()));
    address.map(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: HeaderName = HeaderName::from_static("x-address");

    fn network(text: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(NAME, text.parse().unwrap());
        of(&headers, Some(&NAME))
    }

    #[test]
    fn the_rest_of_the_address_is_not_kept() {
        for (text, expected) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("192.0.2.77:8080", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1234:5678:9abc::1", "2001:db8:1234::/48"),
            ("[2001:db8:1234::1]:443", "2001:db8:1234::/48"),
            ("::1", "::/48"),
            ("198.51.100.1, 192.0.2.1", "192.0.2.0/24"),
        ] {
            assert_eq!(network(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_unknown() {
        for text in ["", "unknown", "192.0.2", "192.0.2.1.1", "_hidden", "192.0.2.1, x"] {
            assert_eq!(network(text), None, "{text}");
        }
    }

    #[test]
    fn a_header_counts_only_if_it_is_the_configured_one() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
        assert_eq!(of(&headers, None), None);
        assert_eq!(of(&headers, Some(&NAME)), None);
    }

    #[test]
    fn of_several_lines_the_last_counts() {
        let mut headers = HeaderMap::new();
        headers.append(NAME, "198.51.100.1".parse().unwrap());
        headers.append(NAME, "192.0.2.1".parse().unwrap());
        assert_eq!(of(&headers, Some(&NAME)).as_deref(), Some("192.0.2.0/24"));
    }
}

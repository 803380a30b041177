//! What may be kept of a network address: the network that it is in, not the address.

use std::net::IpAddr;

/// The network of an address, as `192.0.2.0/24` or `2001:db8:1::/48`: a provider hands out no less
/// to a household. An IPv4 address in IPv6 form counts as what it is. `None` for what is no address.
pub fn prefix(address: &str) -> Option<String> {
    let address: IpAddr = address.trim().parse().ok()?;
    Some(match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_kept_and_the_address_is_not() {
        for (address, network) in [
            ("192.0.2.7", "192.0.2.0/24"),
            (" 192.0.2.255 ", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(prefix(address).as_deref(), Some(network), "{address}");
        }
        for text in ["", "192.0.2", "192.0.2.7:80", "example.com", "2001:db8::/32"] {
            assert_eq!(prefix(text), None, "{text}");
        }
    }
}

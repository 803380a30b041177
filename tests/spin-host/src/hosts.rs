//! `allowed_outbound_hosts`: where a component may connect to.
//!
//! Names are compared as written: `localhost` is not `127.0.0.1`.

use std::net::IpAddr;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use url::Url;

/// The domain under which components reach each other without a socket.
const CHAINING: &str = "spin.internal";

/// The list of one component.
#[derive(Debug, Default)]
pub(crate) struct AllowedHosts(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    /// None allows every scheme.
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Debug)]
enum Host {
    Any,
    /// With its leading dot.
    Below(String),
    /// The application itself, by URLs without an authority.
    Own,
    Name(String),
    /// An address and how many of its leading bits count.
    Network(IpAddr, u8),
}

#[derive(Debug)]
enum Port {
    Any,
    One(u16),
    /// The end is not part of it.
    Range(Range<u16>),
}

impl AllowedHosts {
    /// Reads entries in which every template is resolved.
    pub(crate) fn parse(entries: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self> {
        let parse = |entry: &str| {
            Entry::parse(entry.trim())
                .with_context(|| format!("{entry:?} in allowed_outbound_hosts"))
        };
        Ok(Self(entries.into_iter().map(|entry| parse(entry.as_ref())).collect::<Result<_>>()?))
    }

    /// Whether a URL with an authority may be connected to. What cannot be read is not allowed.
    pub(crate) fn allows(&self, address: &str) -> bool {
        let Ok(url) = Url::parse(address) else { return false };
        let Some(host) = url.host_str() else { return false };
        let port = url.port().or_else(|| well_known(url.scheme()));
        self.0.iter().any(|entry| entry.allows(url.scheme(), host, port))
    }

    /// Whether requests to the application itself are allowed.
    pub(crate) fn allows_own(&self) -> bool {
        let web = |scheme: &str| scheme == "http" || scheme == "https";
        let own = |entry: &Entry| matches!(entry.host, Host::Own | Host::Any);
        self.0.iter().any(|entry| own(entry) && entry.scheme.as_deref().is_none_or(web))
    }

    /// The components that the list names, for a check against the manifest.
    pub(crate) fn chained(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|entry| match &entry.host {
            Host::Name(name) => chained_component(name),
            _ => None,
        })
    }
}

/// The component behind `ID.spin.internal`.
pub(crate) fn chained_component(host: &str) -> Option<&str> {
    let (id, domain) = host.split_once('.')?;
    (domain == CHAINING).then_some(id)
}

impl Entry {
    fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) =
            text.split_once("://").context("has no scheme, such as http:// or *://")?;
        let (host, port) = split_port(rest);
        let port = match port.split_once('/') {
            Some((port, "")) => port,
            Some(_) => bail!("has a path"),
            None => port,
        };
        let alphabetic = scheme == "*" || scheme.chars().all(char::is_alphabetic);
        ensure!(alphabetic, "the scheme has a character that is no letter");
        Ok(Self {
            scheme: (scheme != "*").then(|| scheme.to_owned()),
            host: Host::parse(host)?,
            port: Port::parse(port, scheme)?,
        })
    }

    fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let known = self.scheme.as_deref().is_none_or(|allowed| allowed == scheme);
        known && self.host.allows(host) && self.port.allows(port)
    }
}

/// At the last colon that is not inside an IPv6 address.
fn split_port(rest: &str) -> (&str, &str) {
    match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (rest, ""),
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self> {
        match text.trim_end_matches('/') {
            "" => bail!("has no host"),
            "*" => Ok(Self::Any),
            "self" | "self.alt" => Ok(Self::Own),
            other => Self::parse_name(other),
        }
    }

    fn parse_name(text: &str) -> Result<Self> {
        ensure!(!text.starts_with('{'), "has a list of hosts, which Spin does not know");
        if let Some((address, bits)) = text.split_once('/') {
            let address = address.parse().ok().context("has a path")?;
            return Ok(Self::Network(
                address,
                bits.parse().context("has a prefix that is no number")?,
            ));
        }
        if let Some(domain) = text.strip_prefix("*.") {
            ensure!(!domain.contains('*'), "has a wildcard that is not at the front");
            return Ok(Self::Below(format!(".{domain}")));
        }
        ensure!(!text.contains('*'), "has a wildcard that is not a whole sub-domain");
        Ok(Self::Name(text.to_owned()))
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(domain) => host.ends_with(domain.as_str()),
            Self::Own => false,
            Self::Name(name) => name == host,
            Self::Network(network, bits) => {
                let address = host.trim_start_matches('[').trim_end_matches(']').parse();
                address.is_ok_and(|address| within(address, *network, *bits))
            }
        }
    }
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let bits = u32::from(bits);
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            (u32::from(address) ^ u32::from(network)).leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            (u128::from(address) ^ u128::from(network)).leading_zeros() >= bits
        }
        _ => false,
    }
}

impl Port {
    fn parse(text: &str, scheme: &str) -> Result<Self> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.is_empty() {
            return well_known(scheme)
                .map(Self::One)
                .context("has no port, and its scheme none by itself");
        }
        if let Some((start, end)) = text.split_once("..") {
            let number =
                |text: &str| text.parse::<u16>().context("has a port range that is no numbers");
            return Ok(Self::Range(number(start)?..number(end)?));
        }
        Ok(Self::One(text.parse().context("has a port that is no number")?))
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (_, None) => false,
            (Self::One(allowed), Some(port)) => *allowed == port,
            (Self::Range(allowed), Some(port)) => allowed.contains(&port),
        }
    }
}

fn well_known(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn held(entry: &str, allowed: &[&str], denied: &[&str]) {
        let list = AllowedHosts::parse([entry]).unwrap();
        for address in allowed {
            assert!(list.allows(address), "{entry} should allow {address}");
        }
        for address in denied {
            assert!(!list.allows(address), "{entry} should deny {address}");
        }
    }

    #[test]
    fn scheme_host_and_port_are_all_compared() {
        held(
            "http://127.0.0.1:4100",
            &["http://127.0.0.1:4100", "http://127.0.0.1:4100/path?query"],
            &[
                "http://127.0.0.1:4101",
                "https://127.0.0.1:4100",
                "http://localhost:4100",
                "http://127.0.0.1",
            ],
        );
        held(
            "https://example.com",
            &["https://example.com/", "https://example.com:443"],
            &["http://example.com"],
        );
        held(
            "redis://localhost:6379",
            &["redis://localhost", "redis://user:secret@localhost:6379/0"],
            &["redis://127.0.0.1:6379", "http://localhost:6379"],
        );
    }

    #[test]
    fn a_denied_host_cannot_hide_behind_user_information() {
        held(
            "http://good.example",
            &["http://user@good.example"],
            &[
                "http://good.example@bad.example",
                "http://good.example:80@bad.example",
                "http://bad.example/good.example",
                "http://bad.example#@good.example",
            ],
        );
    }

    #[test]
    fn wildcards_stand_for_a_whole_part() {
        held("*://*:*", &["http://a", "https://b:9", "redis://c"], &["nonsense"]);
        held(
            "https://*.example.com",
            &["https://a.example.com", "https://a.b.example.com"],
            &["https://example.com", "https://badexample.com", "https://a.example.com.evil"],
        );
        held(
            "http://localhost:*",
            &["http://localhost:1", "http://localhost"],
            &["http://other:1"],
        );
        held("http://localhost:3000..3002", &["http://localhost:3001"], &["http://localhost:3002"]);
    }

    #[test]
    fn a_network_holds_addresses_alone() {
        held(
            "http://10.0.0.0/8:*",
            &["http://10.1.2.3:5"],
            &["http://11.0.0.1:5", "http://ten.example:5"],
        );
        held("http://[::1]:80", &["http://[::1]"], &["http://[::2]"]);
    }

    #[test]
    fn the_application_itself_is_asked_for_apart() {
        let list = AllowedHosts::parse(["http://self"]).unwrap();
        assert!(list.allows_own());
        assert!(!list.allows("http://self"));
        assert!(!AllowedHosts::parse(["http://example.com"]).unwrap().allows_own());
        assert!(!AllowedHosts::parse(["redis://self:1"]).unwrap().allows_own());
    }

    #[test]
    fn components_are_named_by_the_domain() {
        let list = AllowedHosts::parse(["http://ledger.spin.internal"]).unwrap();
        assert_eq!(list.chained().collect::<Vec<_>>(), ["ledger"]);
        assert!(list.allows("http://ledger.spin.internal/path"));
        assert!(!list.allows("http://token.spin.internal/path"));
        assert_eq!(chained_component("a.b.spin.internal"), None);
        assert_eq!(chained_component("spin.internal"), None);
    }

    #[test]
    fn what_spin_refuses_is_refused() {
        for entry in [
            "*",
            "example.com",
            "http://a/path",
            "http://a*b",
            "http://*.*.c",
            "ftp://a",
            "http://a:b",
        ] {
            assert!(AllowedHosts::parse([entry]).is_err(), "{entry} was read");
        }
    }
}

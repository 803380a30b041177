//! Which addresses may be asked: hosts of the open internet, over https. A deployment on one's own
//! machine may also ask that machine.

use http::Uri;
use ports::hosts::{is_loopback, is_public};

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

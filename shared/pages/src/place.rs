//! Where an answer goes, in a person's words.

/// Where a redirect URI leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// A program on the person's own computer that listens there (RFC 8252 section 7.3).
    ThisComputer,
    /// A web site, by its host.
    Site(&'a str),
    /// An installed application, by its URI scheme (RFC 8252 section 7.1).
    App(&'a str),
}

impl<'a> Place<'a> {
    pub(crate) fn of(uri: &'a str) -> Self {
        match host(uri) {
            Some("127.0.0.1" | "[::1]" | "localhost") => Self::ThisComputer,
            Some(host) => Self::Site(host),
            None => Self::App(uri.split_once(':').map_or(uri, |(scheme, _)| scheme)),
        }
    }
}

/// The host of a web address, with the port if it is not the usual one; `None` for anything else. What
/// is before an `@` is no part of it: that is where an address pretends to be another.
pub(crate) fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if !(scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")) {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if !port.contains(']') => bare,
        _ => host,
    };
    (!bare.is_empty()).then_some(bare)
}

/// Whether a link may lead there: no scheme that a browser would run or read from the person's computer.
/// Redirect URIs are checked when they are registered; this holds whatever was registered.
pub(crate) fn is_safe(uri: &str) -> bool {
    let Some((scheme, _)) = uri.split_once(':') else { return false };
    let named =
        scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let runs =
        ["javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem"];
    named
        && scheme.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && !runs.iter().any(|bad| scheme.eq_ignore_ascii_case(bad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_by_what_a_person_knows() {
        for (uri, place) in [
            ("https://claude.ai/api/mcp/auth_callback", Place::Site("claude.ai")),
            ("https://app.example:8443/cb?x#y", Place::Site("app.example")),
            ("http://127.0.0.1:52111/callback", Place::ThisComputer),
            ("http://[::1]:52111/callback", Place::ThisComputer),
            ("http://[::1]/callback", Place::ThisComputer),
            ("http://localhost/callback", Place::ThisComputer),
            ("cursor://anysphere.cursor-retrieval/oauth", Place::App("cursor")),
            ("com.example.app:/cb", Place::App("com.example.app")),
            ("https://claude.ai@evil.example/cb", Place::Site("evil.example")),
            ("https://claude.ai:x@evil.example:443/cb", Place::Site("evil.example")),
            ("https://localhost.evil.example/", Place::Site("localhost.evil.example")),
            ("https://evil.example\\@claude.ai/", Place::Site("evil.example")),
        ] {
            assert_eq!(Place::of(uri), place, "{uri}");
        }
    }

    #[test]
    fn links_run_nothing() {
        for uri in ["https://a.example/", "cursor://x", "com.example.app:/cb", "http://[::1]:1/"] {
            assert!(is_safe(uri), "{uri}");
        }
        for uri in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "/relative",
            "",
            ":",
        ] {
            assert!(!is_safe(uri), "{uri:?}");
        }
    }
}

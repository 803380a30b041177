//! Redirect URIs: what one may be at all, and whether the one that a request names is registered.
//!
//! They are compared letter by letter (OAuth 2.1 section 2.3.1, RFC 9700 section 4.1.3): whatever is
//! normalised before comparing is one day normalised differently by a browser. The one exception is the
//! port of an app on the person's own device, which it is given by its system when it starts.

use crate::resource::Site;

/// Longer ones are no client's.
const MAX: usize = 2048;
/// Where an app listens on the person's device: RFC 8252 section 7.3, and `localhost` as OAuth 2.1
/// section 2.3.1 has it and clients in use register it. Its name is taken literally, and only for
/// itself.
const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
/// Schemes that a browser runs, shows or fetches itself: no app is behind them.
const NO_APP: [&str; 13] = [
    "about",
    "blob",
    "data",
    "file",
    "filesystem",
    "ftp",
    "http",
    "intent",
    "javascript",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// Whether a redirect URI may be registered, or used though it is: `https` without user information,
/// `http` to the person's own device, or a scheme of an app (RFC 8252 section 7.1); no fragment.
pub fn acceptable(uri: &str) -> bool {
    // What is no letter of a URI (RFC 3986) is a delimiter to somebody.
    let letter = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
    if uri.len() > MAX || !uri.bytes().all(letter) {
        return false;
    }
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    match scheme {
        "https" => Site::parse(uri).is_some(),
        "http" => loopback(uri).is_some() && Site::parse(uri).is_some(),
        app => is_scheme(app) && !NO_APP.contains(&app) && (rest.starts_with("//") || dotted(app)),
    }
}

/// Whether the redirect URI of a request is one of the client's.
pub fn allowed(registered: &[String], asked: &str) -> bool {
    let same = |known: &String| known == asked || same_but_port(known, asked);
    acceptable(asked) && registered.iter().any(same)
}

fn same_but_port(known: &str, asked: &str) -> bool {
    loopback(known).is_some_and(|known| loopback(asked) == Some(known))
}

/// The host and what follows the port of a URI on the person's own device.
fn loopback(uri: &str) -> Option<(&'static str, &str)> {
    LOOPBACK.into_iter().find_map(|host| {
        let after = uri.strip_prefix(host)?;
        let rest = match after.strip_prefix(':') {
            Some(after) => {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                let (port, rest) = after.split_at(digits);
                port.parse::<u16>().ok().filter(|port| *port > 0).map(|_| rest)?
            }
            None => after,
        };
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
    })
}

/// RFC 3986 section 3.1, in lower case: registered and asked are compared by letter.
fn is_scheme(text: &str) -> bool {
    let letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(letter)
}

/// Whether a scheme is a domain name of the app's maker in reverse, RFC 8252 section 7.1.
fn dotted(scheme: &str) -> bool {
    scheme.contains('.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WEB: &str = "https://client.example/cb";

    fn allows(registered: &str, asked: &str) -> bool {
        allowed(&[registered.to_owned()], asked)
    }

    #[test]
    fn m9_a_redirect_uri_is_compared_letter_by_letter() {
        assert!(allows(WEB, WEB));
        assert!(allows("https://client.example/cb?tenant=1", "https://client.example/cb?tenant=1"));
        for asked in [
            "https://client.example/cb/",
            "https://client.example/CB",
            "https://CLIENT.example/cb",
            "HTTPS://client.example/cb",
            "https://client.example:443/cb",
            "https://client.example:8443/cb",
            "https://client.example./cb",
            "https://client.example/cb?x=1",
            "https://client.example/cb#x",
            "https://client.example/cb/../cb",
            "https://client.example/%63b",
            "https://client.example//cb",
            "http://client.example/cb",
            "https://client.example/c",
            "",
        ] {
            assert!(!allows(WEB, asked), "{asked}");
        }
    }

    #[test]
    fn m9_tricks_of_user_information_slashes_and_look_alikes_are_refused() {
        for asked in [
            "https://client.example@evil.example/cb",
            "https://client.example/cb@evil.example",
            "https://client.example:x@evil.example/cb",
            "https://client.example%2f@evil.example/cb",
            "https://client.example%2fcb",
            "https://client.example/cb%2f..%2f..%2fevil",
            "https://client.example\\@evil.example/cb",
            "https:\\\\client.example/cb",
            "https:/client.example/cb",
            "https:client.example/cb",
            "//client.example/cb",
            "https://client.example.evil.example/cb",
            "https://evil.example/https://client.example/cb",
            "https://client.example/cb\r\nlocation: https://evil.example",
            " https://client.example/cb",
            "https://client.example/cb ",
            "https://clıent.example/cb",
        ] {
            assert!(!allows(WEB, asked), "{asked}");
        }
    }

    #[test]
    fn m9_the_port_is_free_on_the_device_itself_and_nowhere_else() {
        for known in ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb"] {
            for asked in ["http://127.0.0.1/cb", "http://127.0.0.1:52163/cb"] {
                assert!(allows(known, asked), "{known} {asked}");
            }
        }
        assert!(allows("http://[::1]/cb?a=b", "http://[::1]:52163/cb?a=b"));
        // Issue 37767 of Claude Code: that is how its metadata document and its requests look.
        assert!(allows("http://localhost/callback", "http://localhost:58135/callback"));
        for (known, asked) in [
            ("http://127.0.0.1/cb", "http://localhost:80/cb"),
            ("http://localhost/cb", "http://127.0.0.1:80/cb"),
            ("http://127.0.0.1/cb", "http://[::1]:80/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80/cb/"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80/other"),
            ("http://127.0.0.1/cb", "https://127.0.0.1:80/cb"),
            ("https://127.0.0.1/cb", "https://127.0.0.1:80/cb"),
        ] {
            assert!(!allows(known, asked), "{known} {asked}");
        }
    }

    #[test]
    fn m9_what_looks_like_the_device_itself_is_not() {
        for (known, asked) in [
            ("http://localhost/cb", "http://localhost.evil.example/cb"),
            ("http://localhost/cb", "http://localhost.:80/cb"),
            ("http://localhost/cb", "http://LOCALHOST:80/cb"),
            ("http://localhost/cb", "http://localhostx:80/cb"),
            ("http://localhost/cb", "http://localhost:80@evil.example/cb"),
            ("http://localhost/cb", "http://localhost@evil.example/cb"),
            ("http://localhost/cb", "http://localhost:x@evil.example/cb"),
            ("http://localhost/cb", "http://localhost:/cb"),
            ("http://localhost/cb", "http://localhost:0/cb"),
            ("http://localhost/cb", "http://localhost:65536/cb"),
            ("http://localhost/cb", "http://localhost:+80/cb"),
            ("http://localhost/cb", "http://localhost:80:80/cb"),
            ("http://localhost/cb", "http://localhost:80%2f@evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.:80/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80\\@evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.1/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.2:80/cb"),
            ("http://127.0.0.1/cb", "http://2130706433/cb"),
            ("http://127.0.0.1/cb", "http://0x7f.0.0.1/cb"),
            ("http://[::1]/cb", "http://[0:0:0:0:0:0:0:1]/cb"),
            ("http://[::1]/cb", "http://[::1]evil.example/cb"),
            ("http://[::1]/cb", "http://[::ffff:127.0.0.1]/cb"),
        ] {
            assert!(!allows(known, asked), "{known} {asked}");
        }
    }

    #[test]
    fn m9_even_what_is_registered_must_be_a_redirect_uri() {
        for uri in [
            "javascript:alert(1)",
            "javascript://client.example/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "view-source://client.example",
            "http://client.example/cb",
            "http://10.0.0.1/cb",
            "https://user@client.example/cb",
            "https://client.example/cb#",
            "https:///cb",
            "https://",
            "app:cb",
            "App.Example:/cb",
            "1app.example:/cb",
            ":/cb",
            "cb",
            &format!("https://client.example/{}", "a".repeat(MAX)),
        ] {
            assert!(!acceptable(uri) && !allows(uri, uri), "{uri}");
        }
    }

    #[test]
    fn apps_have_schemes_of_their_own() {
        for uri in
            ["com.example.app:/cb", "cursor://anysphere.cursor-mcp/oauth/callback", "vscode://x/y"]
        {
            assert!(allows(uri, uri), "{uri}");
            assert!(!allows(uri, &format!("{uri}x")), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_the_registered_text_is_allowed_on_the_web(asked in ".{0,60}", tail in ".{0,20}") {
            prop_assert_eq!(allows(WEB, &asked), asked == WEB);
            prop_assert_eq!(allows(WEB, &format!("{WEB}{tail}")), tail.is_empty());
        }

        #[test]
        fn only_a_port_can_come_between_host_and_path(between in ".{0,24}") {
            let asked = format!("http://localhost{between}/cb");
            let port = between.strip_prefix(':').filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
            let port = port.and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
            prop_assert_eq!(allows("http://localhost/cb", &asked), between.is_empty() || port.is_some());
        }
    }
}

use auth::remote::Remote;
use oauth::client_metadata::{ClientMetadata, clean};
use oauth::redirect::acceptable;
use oauth::scope::THIRD_PARTY;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use testing::World;
use url::{Host, Url};

use crate::fuzz;
use crate::mutation::{mutated, mutations};

const URL: &str = "https://app.example/client.json";

fn valid() -> Vec<Vec<u8>> {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": oauth::base64url(&[1; 32]) });
    let minimal = json!({
        "client_id": URL,
        "client_name": "The app",
        "redirect_uris": ["https://app.example/cb", "http://127.0.0.1:1/cb", "com.example:/cb"],
    });
    let mut keyed = minimal.clone();
    keyed["token_endpoint_auth_method"] = "private_key_jwt".into();
    keyed["jwks"] = json!({ "keys": [key] });
    let mut full = minimal.clone();
    for (name, value) in [
        ("grant_types", json!(["authorization_code", "refresh_token"])),
        ("response_types", json!(["code"])),
        ("scope", json!("atoms:workspace.read offline_access")),
        ("client_uri", json!("https://app.example")),
        ("logo_uri", json!("https://app.example/logo.png")),
        ("dpop_bound_access_tokens", json!(true)),
        ("token_endpoint_auth_method", json!("none")),
    ] {
        full[name] = value;
    }
    [minimal, keyed, full].map(|value| value.to_string().into_bytes()).to_vec()
}

fn is_safe(read: &ClientMetadata) -> Result<(), TestCaseError> {
    prop_assert!(!read.redirect_uris.is_empty());
    for uri in &read.redirect_uris {
        prop_assert!(acceptable(uri), "{uri}");
        // What a browser cannot read leads nowhere.
        let Ok(url) = Url::parse(uri) else { continue };
        let local = ["127.0.0.1", "[::1]", "localhost"].map(Some);
        prop_assert!(url.scheme() != "http" || local.contains(&url.host_str()), "{uri}");
        prop_assert!(url.username().is_empty() && url.password().is_none(), "{uri}");
        prop_assert!(url.fragment().is_none() && url.scheme() != "javascript", "{uri}");
        // A browser goes where we have read that it goes.
        let special = ["http", "https"].contains(&url.scheme());
        prop_assert!(!special || url.path() == path(uri), "{uri}");
    }
    prop_assert!(read.scopes.iter().all(|scope| THIRD_PARTY.contains(&scope.as_str())));
    prop_assert!(read.grant_types.contains(&"authorization_code".to_owned()));
    for name in read.name.iter().chain(&read.software_id) {
        prop_assert!(clean(name).as_ref() == Some(name), "{name:?}");
    }
    for shown in read.client_uri.iter().chain(&read.logo_uri) {
        prop_assert!(shown.starts_with("https://"), "{shown}");
    }
    prop_assert!(read.jwks.is_none() || read.jwks_uri.is_none());
    Ok(())
}

/// As it is written.
fn path(uri: &str) -> &str {
    let uri = uri.split('?').next().unwrap_or_default();
    let after = uri.split_once("//").map_or("", |(_, after)| after);
    after.find('/').map_or("/", |at| &after[at..])
}

#[test]
fn whatever_metadata_is_read_is_safe() {
    let valid = valid();
    for text in &valid {
        assert!(ClientMetadata::document(text, URL).is_ok());
    }
    fuzz(&mutations(), |(which, mutations)| {
        let text = mutated(&valid, which, &mutations);
        if let Ok(read) = ClientMetadata::registration(&text) {
            is_safe(&read)?;
        }
        if let Ok(read) = ClientMetadata::document(&text, URL) {
            is_safe(&read)?;
            let whole: Value = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(&whole["client_id"], URL);
            prop_assert!(!read.auth_method.has_secret() && read.name.is_some());
        }
        Ok(())
    });
}

/// Two readers of one address: whatever ours takes for a host of the open internet is one to a browser,
/// too, and the same one.
#[test]
fn an_address_that_may_be_asked_is_one_host_to_everybody() {
    let remote = Remote::load(&World::new().platform).unwrap();
    let valid: Vec<_> = [
        URL,
        "https://127.0.0.1/client.json",
        "https://user:password@app.example:443/a/b?c=d#e",
        "https://[::ffff:127.0.0.1]:8443/x",
        "https://0x7f.1/x",
        "https://a.b.c.internal./x",
        "http://localhost:80\\@app.example/%2e%2e/x",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let pieces = select(vec![
        "@",
        ":",
        "/",
        "\\",
        ".",
        "#",
        "?",
        "%2e",
        "%00",
        "[",
        "]",
        "127.0.0.1",
        "localhost",
        "0x7f",
        "\u{3002}",
        "xn--",
        "\t",
        "https://",
        ":443",
    ]);
    let grafts = proptest::collection::vec((any::<proptest::sample::Index>(), pieces), 0..4);
    fuzz(&(mutations(), grafts), |((which, mutations), grafts)| {
        let bytes = mutated(&valid, which, &mutations);
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        for (at, piece) in grafts {
            let at = at.index(text.chars().count() + 1);
            let at = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
            text.insert_str(at, piece);
        }
        if !remote.permits(&text) {
            prop_assert!(!remote.may_be_document(&text));
            return Ok(());
        }
        // What others cannot read, they cannot ask.
        let Ok(url) = Url::parse(&text) else { return Ok(()) };
        prop_assert_eq!((url.scheme(), url.port()), ("https", None), "{}", text);
        let Some(Host::Domain(host)) = url.host() else {
            return Err(TestCaseError::fail(format!("{text} is no name")));
        };
        let ours = text.parse::<http::Uri>().unwrap();
        prop_assert!(ours.host().is_some_and(|own| own.eq_ignore_ascii_case(host)), "{text}");
        prop_assert!(host.contains('.') && !host.ends_with('.'), "{}", text);
        prop_assert!(!host.ends_with(".internal") && !host.ends_with(".localhost"), "{}", text);
        prop_assert!(url.username().is_empty() && url.fragment().is_none(), "{}", text);
        if remote.may_be_document(&text) {
            prop_assert_eq!(url.path(), path(&text), "{}", text);
            prop_assert!(url.path().len() > 1);
        }
        Ok(())
    });
}

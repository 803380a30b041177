//! Clients that sign who they are, RFC 7523, and that nobody proves himself in another way than the one
//! that he is registered for.

use auth::Failure;
use data::clients::ClientRecord;
use futures::executor::block_on;
use futures::future::join_all;
use ports::Clock as _;
use serde_json::{Value, json};
use testing::{Dependency, Fault, ProofKey, SERVICE_SECRET};

use crate::support::{DAY, Edge, HOUR, MINUTE, SECOND, basic, form, word};
use crate::web::Page;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ISSUER: &str = "https://edge.example";
const KEYS: &str = "https://app.example/jwks.json";

/// `atoms-service` with keys in place of its secret.
fn keyed(jwks: Option<Value>, jwks_uri: Option<&str>) -> Edge {
    let edge = Edge::new();
    edge.world.database.change("atoms-service", |client| {
        client.secret_hashes.clear();
        client.auth_method = Some("private_key_jwt".to_owned());
        client.jwks = jwks;
        client.jwks_uri = jwks_uri.map(str::to_owned);
    });
    edge
}

fn set(keys: &[&ProofKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

/// With one key of its own.
fn with_key() -> (Edge, ProofKey) {
    let key = ProofKey::eddsa(1);
    (keyed(Some(set(&[&key])), None), key)
}

fn claims(edge: &Edge, jti: &str) -> Value {
    let now = edge.world.platform.now() / 1000;
    json!({
        "iss": "atoms-service", "sub": "atoms-service", "aud": ISSUER,
        "iat": now, "exp": now + 60, "jti": jti,
    })
}

fn alg(key: &ProofKey) -> Value {
    json!({ "alg": if matches!(key, ProofKey::P256(_)) { "ES256" } else { "EdDSA" } })
}

fn signed(edge: &Edge, key: &ProofKey, jti: &str) -> String {
    key.sign(&alg(key), &claims(edge, jti))
}

fn presented(edge: &Edge, assertion: &str) -> Result<ClientRecord, Failure> {
    let fields = [("client_assertion_type", TYPE), ("client_assertion", assertion)];
    block_on(edge.authenticate(None, &form(&fields)))
}

#[test]
fn c4_a_client_signs_who_it_is() {
    for key in [ProofKey::eddsa(1), ProofKey::es256(1)] {
        let edge = keyed(Some(set(&[&ProofKey::eddsa(9), &key, &ProofKey::es256(9)])), None);
        let record = presented(&edge, &signed(&edge, &key, "1")).unwrap();
        assert_eq!(record.client_id, "atoms-service");
        let newer = key.sign(&json!({ "alg": "Ed25519" }), &claims(&edge, "2"));
        assert_eq!(presented(&edge, &newer).is_ok(), matches!(key, ProofKey::Ed25519(_)));
        for (number, aud) in
            [json!("https://edge.example/oauth/token"), json!([ISSUER])].into_iter().enumerate()
        {
            let mut claims = claims(&edge, &format!("aud {number}"));
            claims["aud"] = aud;
            assert!(presented(&edge, &key.sign(&alg(&key), &claims)).is_ok());
        }
    }
}

#[test]
fn c4_what_is_not_its_own_or_not_for_us_proves_nothing() {
    let (edge, key) = with_key();
    let with = |name: &str, value: Value| {
        let mut claims = claims(&edge, "1");
        claims[name] = value;
        key.sign(&alg(&key), &claims)
    };
    let seconds = edge.world.platform.now() / SECOND;
    for (what, text) in [
        ("another's key", signed(&edge, &ProofKey::eddsa(2), "1")),
        ("another kind of key", signed(&edge, &ProofKey::es256(1), "1")),
        ("no signature", key.sign(&json!({ "alg": "none" }), &claims(&edge, "1"))),
        ("the public key as a secret", key.sign(&json!({ "alg": "HS256" }), &claims(&edge, "1"))),
        ("another name of the key", {
            key.sign(&json!({ "alg": "EdDSA", "kid": "x" }), &claims(&edge, "1"))
        }),
        ("a proof of possession", {
            key.sign(&json!({ "alg": "EdDSA", "typ": "dpop+jwt" }), &claims(&edge, "1"))
        }),
        ("for another", with("aud", json!("https://other.example"))),
        ("for others, too", with("aud", json!([ISSUER, "https://other.example"]))),
        ("by another", with("iss", json!("atoms-api"))),
        ("of another", with("sub", json!("atoms-api"))),
        ("over", with("exp", json!(seconds - 60))),
        ("too long", with("exp", json!(seconds + 361))),
        ("not yet", with("nbf", json!(seconds + 61))),
        ("without a name", with("jti", json!(""))),
        ("no text", "x".to_owned()),
    ] {
        // Whoever fails too often is not looked at; that is tested elsewhere.
        edge.client.failures.take();
        assert_eq!(word(presented(&edge, &text)), "invalid_client", "{what}");
    }
    assert!(presented(&edge, &signed(&edge, &key, "1")).is_ok(), "nobody else has used it up");
}

#[test]
fn c4_an_assertion_is_used_once() {
    let (edge, key) = with_key();
    let text = signed(&edge, &key, "1");
    let fields = [("client_assertion_type", TYPE), ("client_assertion", text.as_str())];
    let form = form(&fields);
    let attempts = join_all((0..50).map(|_| edge.authenticate(None, &form)));
    assert_eq!(block_on(attempts).iter().filter(|outcome| outcome.is_ok()).count(), 1);
    edge.client.failures.take();
    let mut longer = claims(&edge, "1");
    longer["exp"] = json!(edge.world.platform.now() / SECOND + 120);
    assert_eq!(
        word(presented(&edge, &key.sign(&alg(&key), &longer))),
        "invalid_client",
        "its name"
    );
    assert!(presented(&edge, &signed(&edge, &key, "2")).is_ok());
    // While it is remembered it is of use, and no longer.
    edge.client.failures.take();
    edge.world.platform.advance(2 * MINUTE);
    assert_eq!(word(presented(&edge, &text)), "invalid_client");
}

#[test]
fn c4_an_outage_is_no_bad_client() {
    let (edge, key) = with_key();
    edge.world.platform.fail(Dependency::Ledger, Fault::Away);
    assert_eq!(word(presented(&edge, &signed(&edge, &key, "1"))), "unavailable");
    edge.world.platform.heal(Dependency::Ledger);
    assert!(presented(&edge, &signed(&edge, &key, "1")).is_ok());
}

#[test]
fn whoever_guesses_is_slowed_down() {
    let (edge, key) = with_key();
    edge.come_from(&[("x-address", "192.0.2.1")], ports::Place::default());
    let mut edge = edge;
    edge.client.proxy_header = Some("x-address".parse().unwrap());
    for _ in 0..5 {
        let forged = signed(&edge, &ProofKey::eddsa(2), "1");
        assert_eq!(word(presented(&edge, &forged)), "invalid_client");
    }
    assert_eq!(word(presented(&edge, &signed(&edge, &key, "1"))), "backoff");
}

/// Downgrade: whoever could choose the weakest method would need no other.
#[test]
fn c4_a_client_uses_the_method_that_it_is_registered_for() {
    let edge = Edge::new();
    let key = ProofKey::eddsa(1);
    let methods = [
        None,
        Some("none"),
        Some("client_secret_basic"),
        Some("client_secret_post"),
        Some("private_key_jwt"),
    ];
    for registered in methods {
        edge.world.database.change("atoms-service", |client| {
            client.auth_method = registered.map(str::to_owned);
            // Both are there, so that only the method decides.
            client.jwks = Some(set(&[&key]));
        });
        edge.world.platform.advance(MINUTE);
        let header = basic("atoms-service", SERVICE_SECRET);
        let posted = [("client_id", "atoms-service"), ("client_secret", SERVICE_SECRET)];
        let name = format!("of {registered:?}");
        let tries = [
            ("none", block_on(edge.authenticate(None, &form(&posted[..1])))),
            ("client_secret_basic", block_on(edge.authenticate(Some(&header), &form(&[])))),
            ("client_secret_post", block_on(edge.authenticate(None, &form(&posted)))),
            ("private_key_jwt", presented(&edge, &signed(&edge, &key, &name))),
        ];
        for (method, outcome) in tries {
            let right = match registered {
                Some(registered) => registered == method,
                None => method.starts_with("client_secret"),
            };
            assert_eq!(outcome.is_ok(), right, "{method} for {registered:?}");
            if let Err(failure) = outcome {
                assert!(matches!(failure, Failure::Client { .. }), "{method} for {registered:?}");
            }
        }
    }
}

#[test]
fn c3_two_methods_at_once_are_an_invalid_request() {
    let (edge, key) = with_key();
    let text = signed(&edge, &key, "1");
    let assertion = [("client_assertion_type", TYPE), ("client_assertion", text.as_str())];
    let header = basic("atoms-service", SERVICE_SECRET);
    let with_header = block_on(edge.authenticate(Some(&header), &form(&assertion)));
    assert_eq!(word(with_header), "invalid_request");
    let secret = [&assertion[..], &[("client_secret", "x")]].concat();
    assert_eq!(word(block_on(edge.authenticate(None, &form(&secret)))), "invalid_request");
    let other = [&assertion[..], &[("client_id", "atoms-web")]].concat();
    assert_eq!(word(block_on(edge.authenticate(None, &form(&other)))), "invalid_request");
    assert!(presented(&edge, &text).is_ok(), "none of them has used it up");
}

fn asked(edge: &Edge) -> u32 {
    edge.world.platform.calls(Dependency::Clients)
}

#[test]
fn keys_elsewhere_are_fetched_and_kept_and_fetched_anew_for_another_key() {
    let edge = keyed(None, Some(KEYS));
    let page = Page::at(&edge.world.platform, KEYS);
    let (old, new) = (ProofKey::eddsa(1), ProofKey::es256(2));
    page.shows(&set(&[&old]));
    let mut number = 0;
    let mut proves = |key: &ProofKey| {
        number += 1;
        edge.client.failures.take();
        presented(&edge, &signed(&edge, key, &number.to_string())).is_ok()
    };
    assert!(proves(&old) && proves(&old));
    assert_eq!(asked(&edge), 1);
    page.shows(&set(&[&new]));
    assert!(!proves(&new), "the set was fetched a moment ago");
    assert_eq!(asked(&edge), 1, "made-up keys make nobody ask");
    edge.world.platform.advance(MINUTE);
    assert!(proves(&new), "the client has changed its key");
    assert!(!proves(&old), "and the old one is no longer there");
    assert_eq!(asked(&edge), 2);
    edge.world.platform.fail(Dependency::Clients, Fault::Away);
    edge.world.platform.advance(2 * HOUR);
    assert!(proves(&new), "its host is away");
    edge.world.platform.advance(DAY);
    let late = presented(&edge, &signed(&edge, &new, "late"));
    assert_eq!(word(late), "unavailable");
}

/// A registered address may be one that was fine once, or that an operator has mistyped.
#[test]
fn keys_are_never_asked_for_inside() {
    for url in [
        "http://app.example/jwks.json",
        "https://10.0.0.1/jwks.json",
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/jwks.json",
        "https://2130706433/jwks.json",
        "https://localhost/jwks.json",
        "https://db.internal/jwks.json",
        "https://app.example:8443/jwks.json",
        "https://user@app.example/jwks.json",
        "https://edge.example/.well-known/jwks.json",
        "file:///etc/jwks.json",
    ] {
        let edge = keyed(None, Some(url));
        let key = ProofKey::eddsa(1);
        Page::at(&edge.world.platform, url).shows(&set(&[&key]));
        assert_eq!(word(presented(&edge, &signed(&edge, &key, "1"))), "invalid_client", "{url}");
        assert_eq!(asked(&edge), 0, "{url}");
    }
}

#[test]
fn a_set_that_is_none_has_no_key() {
    let key = ProofKey::eddsa(1);
    let good = set(&[&key]);
    let mut private = good.clone();
    private["keys"][0]["d"] = json!("c2VjcmV0");
    let json = ("content-type", "application/jwk-set+json");
    let padded = format!("{good}{}", " ".repeat(16 * 1024));
    for (what, status, headers, body, fine) in [
        ("fine", 200, vec![json], good.to_string(), true),
        ("oversized", 200, vec![json], padded, false),
        ("private", 200, vec![json], private.to_string(), false),
        ("elsewhere", 302, vec![json, ("location", KEYS)], good.to_string(), false),
        ("a page", 200, vec![("content-type", "text/html")], good.to_string(), false),
        ("not there", 404, vec![json], good.to_string(), false),
        ("nothing", 200, vec![json], "{}".to_owned(), false),
    ] {
        let edge = keyed(None, Some(KEYS));
        Page::at(&edge.world.platform, KEYS).answers(status, &headers, &body);
        let proved = presented(&edge, &signed(&edge, &key, "1"));
        assert_eq!(proved.is_ok(), fine, "{what}");
        assert!(fine || word(proved) == "invalid_client", "{what}");
    }
}

/// A document may name keys; it is found and fetched by the assertion itself.
#[test]
fn m10_a_client_of_a_document_proves_itself_by_its_keys() {
    let edge = Edge::new();
    let url = "https://app.example/oauth/client.json";
    let key = ProofKey::es256(3);
    let document = |keys: Value| {
        let mut document = json!({
            "client_id": url,
            "client_name": "The app",
            "redirect_uris": ["https://app.example/cb"],
            "token_endpoint_auth_method": "private_key_jwt",
        });
        document.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        document
    };
    let page = Page::at(&edge.world.platform, url);
    Page::at(&edge.world.platform, KEYS).shows(&set(&[&key]));
    let mut number = 0;
    let mut prove = || {
        number += 1;
        edge.world.platform.advance(DAY);
        let mut claims = claims(&edge, &number.to_string());
        (claims["iss"], claims["sub"]) = (json!(url), json!(url));
        presented(&edge, &key.sign(&alg(&key), &claims))
    };
    page.shows(&document(json!({ "jwks": set(&[&key]) })));
    assert_eq!(prove().unwrap().client_id, url);
    page.shows(&document(json!({ "jwks_uri": KEYS })));
    assert_eq!(prove().unwrap().client_id, url);
    page.shows(&document(json!({ "jwks_uri": "https://10.0.0.1/jwks.json" })));
    assert_eq!(word(prove()), "invalid_client");
    page.shows(&document(json!({ "jwks_uri": KEYS, "jwks": set(&[&key]) })));
    assert_eq!(word(prove()), "invalid_client");
    page.shows(&document(json!({ "jwks_uri": KEYS })));
    let bare = form(&[("client_id", url)]);
    edge.world.platform.advance(DAY);
    assert_eq!(word(block_on(edge.authenticate(None, &bare))), "invalid_client", "downgraded");
}

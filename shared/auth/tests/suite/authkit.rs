//! Whether an AuthKit token is in force, and how often its provider is asked for keys.

use std::time::Duration;

use auth::Failure;
use auth::authkit::{Identity, verify};
use bytes::Bytes;
use futures::executor::block_on;
use http::StatusCode;
use ports::{Clock as _, Kv as _};
use serde_json::{Value, json};
use testing::{AuthKitToken, Dependency, FakeWorkos, Fault, NOW, WORKOS_CLIENT_ID};

use crate::support::{DAY, Edge, MINUTE, SECOND, tampered, word};

fn check(edge: &Edge, text: &str) -> Result<Identity, Failure> {
    block_on(verify(&edge.world.platform, &edge.mint.workos, text))
}

fn token() -> AuthKitToken {
    AuthKitToken::of("ada", "s", NOW)
}

fn signed(edge: &Edge, token: &AuthKitToken) -> Result<Identity, Failure> {
    check(edge, &edge.world.workos.sign(token))
}

#[test]
fn it_tells_who_signed_in() {
    let edge = Edge::new();
    let identity = signed(&edge, &token().with("org_id", "org_acme").with("role", "admin"));
    let expected = Identity {
        user: "ada".to_owned(),
        session: "s".to_owned(),
        organization: Some("org_acme".to_owned()),
        role: Some("admin".to_owned()),
        issued_at: NOW,
        expires_at: NOW + 300_000,
    };
    assert_eq!(identity, Ok(expected));
}

#[test]
fn the_client_is_named_by_either_claim() {
    let edge = Edge::new();
    let bare = token().without("client_id");
    assert!(signed(&edge, &bare.clone().with("aud", WORKOS_CLIENT_ID)).is_ok());
    assert!(signed(&edge, &bare.clone().with("aud", json!(["x", WORKOS_CLIENT_ID]))).is_ok());
    for other in [
        bare.clone(),
        bare.clone().with("aud", "client_other"),
        bare.clone().with("aud", json!([])),
        token().with("client_id", "client_other"),
    ] {
        assert_eq!(word(signed(&edge, &other)), "invalid_request", "{:?}", other.claims());
    }
}

#[test]
fn claims_that_are_wrong_or_missing_are_refused() {
    let edge = Edge::new();
    for bad in [
        token().with("iss", "https://evil.example"),
        token().with("iss", ""),
        token().without("iss"),
        token().without("sub"),
        token().with("sub", ""),
        token().without("sid"),
        token().with("sid", ""),
        token().without("exp"),
        token().without("iat"),
        token().with("sub", 7),
        token().with("exp", "tomorrow"),
        token().with("exp", -1),
        token().with("iat", -1),
        token().with("org_id", 7),
    ] {
        assert_eq!(word(signed(&edge, &bad)), "invalid_request", "{:?}", bad.claims());
    }
}

#[test]
fn its_time_counts_with_a_minute_of_leeway() {
    let edge = Edge::new();
    let text = edge.world.workos.sign(&token());
    edge.world.platform.advance(300 * SECOND + MINUTE - 1);
    assert!(check(&edge, &text).is_ok());
    edge.world.platform.advance(1);
    assert_eq!(word(check(&edge, &text)), "invalid_request", "expired");

    let edge = Edge::new();
    let ahead = |seconds: u64| token().with("iat", NOW / 1000 + seconds);
    assert!(signed(&edge, &ahead(60)).is_ok());
    assert_eq!(word(signed(&edge, &ahead(61))), "invalid_request", "from the future");
}

#[test]
fn forgeries_are_refused() {
    let edge = Edge::new();
    let text = edge.world.workos.sign(&token());
    let other = edge.world.workos.sign(&token().with("sub", "bob"));
    let parts: Vec<&str> = text.split('.').collect();
    let other: Vec<&str> = other.split('.').collect();
    let header = |header: Value| oauth::base64url(header.to_string().as_bytes());
    let kid = FakeWorkos::KID;
    let hs256 = header(json!({ "alg": "HS256", "kid": kid }));
    let none = header(json!({ "alg": "none", "kid": kid }));
    let ps256 = header(json!({ "alg": "PS256", "kid": kid }));
    for bad in [
        tampered(&text, text.len() - 20),
        format!("{}.{}.{}", parts[0], other[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{none}.{}.", parts[1]),
        format!("{hs256}.{}.{}", parts[1], parts[2]),
        format!("{ps256}.{}.{}", parts[1], parts[2]),
        edge.world.workos.sign(&token().by_key(None)),
        edge.sign_in("ada").tokens.access_token,
        edge.sign_in("ada").refresh().to_owned(),
        String::new(),
        "...".to_owned(),
        "x".repeat(20_000),
    ] {
        assert_eq!(word(check(&edge, &bad)), "invalid_request", "{bad}");
    }
}

#[test]
fn keys_are_fetched_once_in_ten_minutes() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    let ask = || signed(&edge, &AuthKitToken::of("ada", "s", platform.now()));
    for _ in 0..3 {
        assert!(ask().is_ok());
    }
    platform.advance(10 * MINUTE - 1);
    assert!(ask().is_ok());
    assert_eq!(platform.calls(Dependency::Workos), 1);
    platform.advance(1);
    assert!(ask().is_ok());
    assert_eq!(platform.calls(Dependency::Workos), 2);
}

#[test]
fn an_unknown_key_has_them_fetched_at_most_every_five_seconds() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    assert!(signed(&edge, &token()).is_ok());
    let made_up = edge.world.workos.sign(&token().by_key(Some("made-up")));
    let rotated = edge.world.workos.sign(&token().by_key(Some("new-key")));
    for _ in 0..20 {
        assert_eq!(word(check(&edge, &made_up)), "invalid_request");
    }
    assert_eq!(platform.calls(Dependency::Workos), 1, "the set is younger than five seconds");
    platform.advance(5 * SECOND);
    edge.world.workos.publish(&["new-key", FakeWorkos::KID]);
    for _ in 0..20 {
        assert_eq!(word(check(&edge, &made_up)), "invalid_request");
    }
    assert_eq!(platform.calls(Dependency::Workos), 2);
    assert!(check(&edge, &rotated).is_ok(), "the new key came with that");
    assert_eq!(platform.calls(Dependency::Workos), 2);
}

#[test]
fn a_withdrawn_key_stops_working_when_the_set_is_fetched_again() {
    let edge = Edge::new();
    assert!(signed(&edge, &token()).is_ok());
    edge.world.workos.publish(&["new-key"]);
    edge.world.platform.advance(10 * MINUTE);
    let fresh = AuthKitToken::of("ada", "s", edge.world.platform.now());
    assert_eq!(word(signed(&edge, &fresh)), "invalid_request");
}

#[test]
fn known_keys_serve_a_day_while_the_provider_is_away() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    assert!(signed(&edge, &token()).is_ok());
    platform.fail(Dependency::Workos, Fault::Away);
    platform.advance(DAY - 1);
    let at = |now| AuthKitToken::of("ada", "s", now);
    assert!(signed(&edge, &at(platform.now())).is_ok());
    let unknown = at(platform.now()).by_key(Some("unknown"));
    assert_eq!(word(signed(&edge, &unknown)), "unavailable", "of this one nothing can be said");
    platform.advance(1);
    assert_eq!(word(signed(&edge, &at(platform.now()))), "unavailable");
}

#[test]
fn a_cache_that_keeps_too_long_prolongs_nothing() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    let key = format!("jwks/{}", edge.mint.workos.jwks_url());
    assert!(signed(&edge, &token()).is_ok());
    let kept = block_on(platform.get(&key)).unwrap().unwrap();
    block_on(platform.put(&key, &kept, Duration::from_secs(1 << 20))).unwrap();
    platform.fail(Dependency::Workos, Fault::Away);
    let at = |now| AuthKitToken::of("ada", "s", now);
    platform.advance(DAY - 1);
    assert!(signed(&edge, &at(platform.now())).is_ok());
    platform.advance(1);
    assert_eq!(word(signed(&edge, &at(platform.now()))), "unavailable");
}

#[test]
fn the_provider_away_without_a_known_key_is_an_outage_and_not_a_refusal() {
    for fault in [
        Fault::Away,
        Fault::Timeout,
        Fault::AnswerLost,
        Fault::Answers(StatusCode::SERVICE_UNAVAILABLE, Bytes::new()),
        Fault::Answers(StatusCode::NOT_FOUND, Bytes::from_static(b"{}")),
        Fault::Answers(StatusCode::FOUND, Bytes::new()),
        Fault::Answers(StatusCode::OK, Bytes::from_static(b"<html>")),
        Fault::Answers(StatusCode::OK, Bytes::from_static(b"{}")),
    ] {
        let edge = Edge::new();
        edge.world.platform.fail(Dependency::Workos, fault.clone());
        assert_eq!(word(signed(&edge, &token())), "unavailable", "{fault:?}");
        edge.world.platform.heal(Dependency::Workos);
        edge.world.platform.advance(SECOND);
        assert!(signed(&edge, &token()).is_ok(), "{fault:?} left nothing behind");
    }
}

#[test]
fn a_provider_that_is_away_is_left_alone_for_a_second() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    platform.fail(Dependency::Workos, Fault::Timeout);
    for _ in 0..20 {
        assert_eq!(word(signed(&edge, &token())), "unavailable");
    }
    assert_eq!(platform.calls(Dependency::Workos), 1);
    platform.advance(SECOND);
    assert_eq!(word(signed(&edge, &token())), "unavailable");
    assert_eq!(platform.calls(Dependency::Workos), 2);
}

#[test]
fn the_cache_away_costs_time_only() {
    let edge = Edge::new();
    edge.world.platform.fail(Dependency::Kv, Fault::Away);
    for _ in 0..2 {
        assert!(signed(&edge, &token()).is_ok());
    }
    assert_eq!(edge.world.platform.calls(Dependency::Workos), 2);
}

#[test]
fn keys_of_other_kinds_in_the_set_do_no_harm() {
    let edge = Edge::new();
    let strange = json!({ "keys": [
        { "kty": "EC", "kid": "sso_oidc_key_1", "crv": "P-256", "x": "AA", "y": "AA" },
        { "kty": "oct", "kid": "made-up", "k": "AA" },
        7,
    ]});
    let body = Bytes::from(strange.to_string());
    edge.world.platform.fail(Dependency::Workos, Fault::Answers(StatusCode::OK, body));
    assert_eq!(word(signed(&edge, &token())), "invalid_request");
}

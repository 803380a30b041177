//! RFC 7662 in strong mode, and RFC 9701.

use auth::introspect;
use auth::published;
use data::clients::ClientRecord;
use futures::executor::block_on;
use oauth::access_token::{InvalidAccessToken, Presented};
use oauth::internal_mac::InternalKeys;
use oauth::jwk::KeySet;
use oauth::jws::{self, Jws};
use oauth::{RefreshToken, software};
use serde_json::{Value, json};
use testing::{Dependency, PUBLIC_URL};

use crate::support::{Edge, MINUTE, SECOND, basic, form, tampered, without_macs, word};

const INACTIVE: &str = "{\"active\":false}";

fn members(answer: &Value) -> Vec<&str> {
    let mut members: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

#[test]
fn i1_only_registered_resource_servers_may_ask() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let token = [("token", issued.access())];
    assert_eq!(word(edge.introspect_as("atoms-web", &token)), "invalid_client", "public");
    assert_eq!(word(edge.introspect_as("atoms-service", &token)), "unauthorized_client");
    // Without or with bad credentials nobody gets as far as the token.
    let nobody = block_on(edge.authenticate(None, &form(&token)));
    assert_eq!(word(nobody), "invalid_client");
    let wrong = block_on(edge.authenticate(Some(&basic("atoms-api", "wrong")), &form(&token)));
    assert_eq!(word(wrong), "invalid_client");
}

#[test]
fn an_access_token_in_force_is_described() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let answer = edge.introspect(issued.access());
    let expected = [
        "active",
        "aud",
        "client_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "org",
        "roles",
        "scope",
        "sid",
        "sub",
        "token_type",
    ];
    assert_eq!(members(&answer), expected);
    let claims = edge.claims(issued.access());
    assert_eq!(answer["active"], json!(true), "a JSON boolean");
    assert_eq!(answer["exp"], json!(claims.exp), "a number");
    assert_eq!(answer["iat"], json!(claims.iat), "a number");
    assert_eq!((&answer["iss"], &answer["sub"]), (&json!(PUBLIC_URL), &json!("ada")));
    assert_eq!(answer["aud"], json!([PUBLIC_URL, "https://edge.example/mcp"]));
    assert_eq!(answer["scope"], json!(issued.tokens.scope), "separated by spaces");
    assert_eq!((&answer["sid"], &answer["jti"]), (&json!(issued.session), &json!(claims.jti)));
    assert_eq!((&answer["token_type"], &answer["roles"]), (&json!("Bearer"), &json!(["owner"])));
}

#[test]
fn a_refresh_token_in_force_is_described() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let answer = edge.introspect(issued.refresh());
    let expected =
        ["active", "client_id", "exp", "iat", "iss", "org", "roles", "scope", "sid", "sub"];
    assert_eq!(members(&answer), expected, "no aud, jti or token_type");
    assert_eq!(answer["exp"], json!((testing::NOW + 30 * MINUTE) / 1000), "the idle end");
    assert_eq!(answer["iat"], json!(testing::NOW / 1000));
}

#[test]
fn i2_everything_else_is_inactive_and_nothing_more() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let elsewhere = Edge::with(&[("PUBLIC_URL", "https://other.example")]).sign_in("ada");
    let unknown = RefreshToken {
        key_id: 1,
        address: edge.settings.user_ledger("nobody"),
        session: "00112233445566778899aabbccddeeff".parse().unwrap(),
        generation: 0,
        counter: 0,
    };
    let (access, refresh) = (issued.access(), issued.refresh());
    for bad in [
        "x".to_owned(),
        "ar1_x".to_owned(),
        "a.b.c".to_owned(),
        without_macs(access),
        tampered(refresh, refresh.len() - 3),
        format!("{access}A"),
        "y".repeat(50_000),
        elsewhere.access().to_owned(),
        elsewhere.refresh().to_owned(),
        edge.world.authkit("ada", "s"),
        unknown.encode(PUBLIC_URL, &edge.client.refresh_keys).unwrap(),
    ] {
        assert_eq!(edge.introspect(&bad).to_string(), INACTIVE, "{bad}");
    }
}

#[test]
fn i2_an_expired_access_token_is_inactive() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(15 * MINUTE - 1);
    assert!(edge.active(issued.access()));
    edge.world.platform.advance(1);
    assert_eq!(edge.introspect(issued.access()).to_string(), INACTIVE);
    assert!(edge.active(issued.refresh()), "the session goes on");
}

#[test]
fn an_idle_session_has_no_tokens_in_force() {
    let edge = Edge::with(&[("SESSION_IDLE_SECONDS", "60")]);
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(MINUTE);
    for token in [issued.access(), issued.refresh()] {
        assert_eq!(edge.introspect(token).to_string(), INACTIVE);
    }
}

#[test]
fn use_keeps_a_session_alive() {
    let edge = Edge::new();
    let mut issued = edge.sign_in("ada");
    for _ in 0..10 {
        edge.world.platform.advance(14 * MINUTE);
        assert!(edge.active(issued.access()));
        edge.world.platform.advance(29 * MINUTE);
        issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    }
}

#[test]
fn i4_the_hint_never_decides() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    for token in [issued.access(), issued.refresh()] {
        for hint in ["access_token", "refresh_token", "id_token", ""] {
            let parameters = [("token", token), ("token_type_hint", hint)];
            let (answer, _) = edge.introspect_as("atoms-api", &parameters).unwrap();
            assert_eq!(answer["active"], json!(true), "{hint}");
        }
    }
}

#[test]
fn i5_a_token_is_needed() {
    let edge = Edge::new();
    for parameters in [[].as_slice(), &[("token", "")], &[("token_type_hint", "access_token")]] {
        assert_eq!(word(edge.introspect_as("atoms-api", parameters)), "invalid_request");
    }
}

#[test]
fn i2_a_resource_server_sees_its_own_audience_only() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let issuer_only = edge.exchange("atoms-cli", &token, &[("resource", PUBLIC_URL)]).unwrap();
    let both = edge.sign_in("bob");
    for (token, expected) in [
        (issuer_only.access(), false),
        (issuer_only.refresh(), false),
        (both.access(), true),
        (both.refresh(), true),
    ] {
        let (answer, _) = edge.introspect_as("atoms-narrow", &[("token", token)]).unwrap();
        if expected {
            assert_eq!(answer["active"], json!(true));
        } else {
            assert_eq!(answer.to_string(), INACTIVE);
        }
    }
}

#[test]
fn the_previous_refresh_token_is_active_in_its_grace_and_asking_is_no_reuse() {
    let edge = Edge::new();
    let first = edge.sign_in("ada");
    let second = edge.refresh("atoms-cli", first.refresh()).unwrap();
    assert!(edge.active(first.refresh()) && edge.active(second.refresh()));
    edge.world.platform.advance(5 * MINUTE);
    assert!(!edge.active(first.refresh()), "its grace is over");
    let third = edge.refresh("atoms-cli", second.refresh()).unwrap();
    assert!(!edge.active(first.refresh()));
    assert!(edge.active(third.access()), "asking about an old token harms nobody");
}

#[test]
fn asking_rotates_nothing() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let before = edge.world.platform.ledgers();
    edge.world.platform.advance(SECOND);
    for token in [issued.access(), issued.refresh()] {
        assert!(edge.active(token));
    }
    assert_eq!(edge.world.platform.ledgers(), before);
    assert!(!edge.refresh("atoms-cli", issued.refresh()).unwrap().repeated);
}

#[test]
fn a_token_of_a_foreign_audience_asks_no_ledger() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let issued = edge.exchange("atoms-cli", &token, &[("resource", PUBLIC_URL)]).unwrap();
    let before = edge.world.platform.calls(Dependency::Ledger);
    edge.introspect_as("atoms-narrow", &[("token", issued.access())]).unwrap();
    assert_eq!(edge.world.platform.calls(Dependency::Ledger), before);
}

/// What `atoms-api` is sent when it asks for a JWT.
fn signed(edge: &Edge, token: &str) -> String {
    let (platform, record) = (&edge.world.platform, edge.record("atoms-api"));
    let form = form(&[("token", token)]);
    block_on(async {
        let Edge { settings, client, verifier, introspector, .. } = edge;
        let asked = introspect::introspect(
            platform,
            settings,
            client,
            verifier,
            introspector,
            &record,
            &form,
        );
        let answer = asked.await.unwrap().answer;
        introspect::sign(platform, settings, introspector, &record, &answer).await.unwrap()
    })
}

#[test]
fn i9_a_signed_answer_says_the_same_to_the_caller_alone() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let published = published::keys(&edge.world.platform).unwrap().to_string();
    let published = KeySet::parse_ed25519(published.as_bytes()).unwrap();
    for token in [issued.access(), "nonsense"] {
        let text = signed(&edge, token);
        let jws = Jws::parse(&text).unwrap();
        assert_eq!(jws.header.typ.as_deref(), Some("token-introspection+jwt"));
        let key = published.get(jws.header.kid.as_deref().unwrap()).unwrap();
        assert!(software::verify(key, jws.signing_input.as_bytes(), &jws.signature));
        let claims: Value = serde_json::from_slice(&jws.payload).unwrap();
        assert_eq!(members(&claims), ["aud", "iat", "iss", "token_introspection"]);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(PUBLIC_URL), &json!("atoms-api")));
        assert_eq!(claims["iat"], json!(testing::NOW / 1000));
        assert_eq!(claims["token_introspection"], edge.introspect(token));
    }
}

#[test]
fn i9_a_signed_answer_is_no_token() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let answer = signed(&edge, issued.access());
    assert_eq!(edge.introspect(&answer).to_string(), INACTIVE);
    // By neither the type nor the key, each of which would do.
    let keys = &edge.verifier.keys;
    let refused = Presented::parse(&answer, keys).err();
    assert_eq!(refused, Some(InvalidAccessToken::Unsupported));
    let key = &edge.introspector.signing_key;
    let claims = edge.claims(issued.access());
    let input = claims.signing_input(&key.kid, &InternalKeys::default(), &edge.settings.resources);
    let forged = jws::assemble(&input, &software::sign(&key.key, input.as_bytes()));
    let refused = Presented::parse(&forged, keys).err();
    assert_eq!(refused, Some(InvalidAccessToken::UnknownKey));
    assert_eq!(edge.introspect(&forged).to_string(), INACTIVE);
}

#[test]
fn i8_asking_is_limited_per_caller_and_person() {
    let edge = Edge::with(&[("RATE_LIMIT_TIER", "1")]);
    // A client that has other business with us than introspection has less of it.
    let asks = ClientRecord {
        client_id: "atoms-both".to_owned(),
        grant_types: vec!["refresh_token".to_owned()],
        ..edge.record("atoms-api")
    };
    edge.world.database.register(asks);
    let (ada, bob) = (edge.sign_in("ada"), edge.sign_in("bob"));
    let admitted = |caller: &str, token: &str| {
        let asked = (0..310).map(|_| edge.introspect_as(caller, &[("token", token)]));
        asked.filter(Result::is_ok).count()
    };
    assert_eq!(admitted("atoms-both", ada.access()), 30);
    assert_eq!(admitted("atoms-both", ada.refresh()), 0, "either token is of the same person");
    assert_eq!(admitted("atoms-both", bob.access()), 30);
    assert_eq!(admitted("atoms-api", ada.access()), 300);
    assert_eq!(word(edge.introspect_as("atoms-api", &[("token", ada.access())])), "limited");
    assert_eq!(admitted("atoms-narrow", ada.access()), 300, "each caller by itself");
    let policy = Some(json!({ "rate_limit_tier": 5 }));
    let more =
        ClientRecord { client_id: "atoms-more".to_owned(), policy, ..edge.record("atoms-both") };
    edge.world.database.register(more);
    assert_eq!(admitted("atoms-more", ada.access()), 150, "and by what it is registered for");
    let refreshed = edge.refresh("atoms-cli", ada.refresh());
    assert!(refreshed.is_ok(), "the person's own limits are others");
    edge.world.platform.advance(2 * MINUTE);
    assert!(edge.active(ada.access()));
}

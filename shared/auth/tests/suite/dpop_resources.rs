//! Tokens that are bound to a key, at our own resources: RFC 9449 section 7.

use auth::bearer::{Bearer, BearerError, Scheme, authenticate};
use auth::extend::extend;
use auth::sessions::authorize;
use futures::executor::block_on;
use futures::future::join_all;
use http::header::AUTHORIZATION;
use ledger::{Command, Ledger, Once, OnceId, Outcome};
use oauth::base64url;
use oauth::dpop::InvalidProof;
use oauth::scope::SESSIONS_WRITE;
use ports::{Ledgers as _, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testing::{Dependency, Fault, NOW, ProofKey};

use crate::dpop::{Holder, with};
use crate::support::{Edge, MINUTE, SECOND};

const MCP: &str = "https://edge.example/mcp";

/// The claims of a proof that is good for a call of the MCP endpoint with this token.
fn claims(holder: &Holder<'_>, token: &str) -> Value {
    let hash = base64url(&Sha256::digest(token));
    with(holder.claims("POST", MCP), "ath", json!(hash))
}

fn call(scheme: &str, token: &str, proof: Option<&str>) -> Request {
    let mut request = Request::default();
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/mcp?a=b".parse().unwrap();
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, format!("{scheme} {token}").parse().unwrap());
    if let Some(proof) = proof {
        headers.insert("dpop", proof.parse().unwrap());
    }
    request
}

async fn enter(edge: &Edge, request: &Request) -> Result<Bearer, BearerError> {
    authenticate(&edge.world.platform, &edge.settings, &edge.resource, request, MCP).await
}

/// What becomes of a call with a proof of these claims.
fn judged(holder: &Holder<'_>, token: &str, claims: &Value) -> Result<(), BearerError> {
    let request = call("DPoP", token, Some(&holder.key.proof(claims)));
    block_on(enter(holder.edge, &request)).map(drop)
}

const fn wrong(invalid: InvalidProof) -> Result<(), BearerError> {
    Err(BearerError::Proof(invalid))
}

#[test]
fn f13_a_bound_token_lets_in_with_a_proof_of_its_key() {
    let edge = Edge::new();
    for key in [ProofKey::es256(1), ProofKey::eddsa(1)] {
        let holder = Holder { edge: &edge, key };
        let bound = holder.sign_in("ada");
        for scheme in ["DPoP", "dpop", "DPOP"] {
            let proof = holder.key.proof(&claims(&holder, bound.access()));
            let request = call(scheme, bound.access(), Some(&proof));
            assert_eq!(Scheme::of(&request), Some(Scheme::Dpop));
            let bearer = block_on(enter(&edge, &request)).unwrap();
            assert_eq!(bearer.key(), Some(holder.key.thumbprint().as_str()));
            assert_eq!(bearer.claims.sub, "ada");
        }
    }
}

#[test]
fn f13_a_stolen_token_is_of_no_use_without_its_key() {
    let edge = Edge::new();
    let (own, thief) = (Holder::of(&edge, 1), Holder::of(&edge, 2));
    let bound = own.sign_in("ada");
    let token = bound.access();
    let refused = |request: Request| block_on(enter(&edge, &request)).unwrap_err();
    let downgraded = BearerError::Invalid("bound to a key, presented as a bearer token");
    assert_eq!(refused(call("Bearer", token, None)), downgraded);
    let good = own.key.proof(&claims(&own, token));
    assert_eq!(refused(call("Bearer", token, Some(&good))), downgraded, "whatever else there is");
    assert_eq!(refused(call("DPoP", token, None)), BearerError::Proof(InvalidProof::Missing));
    let his = claims(&thief, token);
    assert_eq!(judged(&thief, token, &his), wrong(InvalidProof::WrongKey));
    // The victim's key, and another's signature.
    let forged = thief.key.sign(&own.key.header(), &his);
    let refusal = refused(call("DPoP", token, Some(&forged)));
    assert_eq!(refusal, BearerError::Proof(InvalidProof::BadSignature));
    assert!(block_on(enter(&edge, &call("DPoP", token, Some(&good)))).is_ok(), "nothing is lost");
}

#[test]
fn an_unbound_token_is_no_token_of_a_key() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let unbound = edge.sign_in("ada");
    let outcome = judged(&holder, unbound.access(), &claims(&holder, unbound.access()));
    assert_eq!(outcome, Err(BearerError::Invalid("bound to no key")));
    // Beside a bearer token a proof says nothing.
    let request = call("Bearer", unbound.access(), Some("nonsense"));
    assert!(block_on(enter(&edge, &request)).is_ok());
}

#[test]
fn f13_a_proof_is_for_one_request_with_one_token() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let (bound, other) = (holder.sign_in("ada"), holder.sign_in("bob"));
    let token = bound.access();
    let good = || claims(&holder, token);
    for (claims, refusal) in [
        (with(good(), "htm", json!("GET")), InvalidProof::Method),
        (with(good(), "htu", json!("https://edge.example/auth/sessions")), InvalidProof::Url),
        (with(good(), "htu", json!("https://evil.example/mcp")), InvalidProof::Url),
        (with(good(), "ath", json!(null)), InvalidProof::AccessToken),
        (claims(&holder, other.access()), InvalidProof::AccessToken),
        (claims(&holder, bound.refresh()), InvalidProof::AccessToken),
        (with(good(), "iat", json!(1)), InvalidProof::NotNow),
    ] {
        assert_eq!(judged(&holder, token, &claims), wrong(refusal), "{claims}");
    }
    // One of the token endpoint, which is for no token.
    let grant = holder.claims("POST", "https://edge.example/oauth/token");
    assert_eq!(judged(&holder, token, &grant), wrong(InvalidProof::Url));
    for nonce in [json!(null), json!("guessed")] {
        let claims = with(good(), "nonce", nonce);
        assert_eq!(judged(&holder, token, &claims), Err(BearerError::Nonce));
    }
    assert_eq!(judged(&holder, token, &good()), Ok(()));
}

#[test]
fn f13_of_many_copies_of_a_proof_one_is_good() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let bound = holder.sign_in("ada");
    let proof = holder.key.proof(&claims(&holder, bound.access()));
    let request = call("DPoP", bound.access(), Some(&proof));
    let outcomes = block_on(join_all((0..50).map(|_| enter(&edge, &request))));
    let (good, bad): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(good.len(), 1);
    let replayed = BearerError::Proof(InvalidProof::Replayed);
    assert!(bad.into_iter().all(|outcome| outcome.unwrap_err() == replayed));
    edge.world.platform.advance(59 * SECOND);
    assert_eq!(block_on(enter(&edge, &request)).unwrap_err(), replayed, "until it is too old");
    edge.world.platform.advance(2 * SECOND);
    let late = block_on(enter(&edge, &request)).unwrap_err();
    assert_eq!(late, BearerError::Proof(InvalidProof::NotNow));
}

#[test]
fn a_proof_does_not_revive_a_token() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let bound = holder.sign_in("ada");
    edge.revoke("atoms-cli", &[("token", bound.access())]).unwrap();
    let outcome = judged(&holder, bound.access(), &claims(&holder, bound.access()));
    assert_eq!(outcome, Err(BearerError::Invalid("token revoked")));
    edge.world.platform.advance(15 * MINUTE);
    let outcome = judged(&holder, bound.access(), &claims(&holder, bound.access()));
    assert_eq!(outcome, Err(BearerError::Invalid("expired")));
}

#[test]
fn a_ledger_that_is_away_or_full_is_no_verdict_on_a_proof() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let bound = holder.sign_in("ada");
    let judged = || judged(&holder, bound.access(), &claims(&holder, bound.access()));
    let unavailable = |outcome| matches!(outcome, Err(BearerError::Unavailable(_)));
    edge.world.platform.fail(Dependency::Ledger, Fault::Away);
    assert!(unavailable(judged()));
    edge.world.platform.heal(Dependency::Ledger);
    // With the one of the sign-in there is room for one more.
    let once = (0..Ledger::MAX_CONSUMED - 2).map(|at| {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&at.to_be_bytes());
        Once::new(OnceId::from_bytes(id), NOW + 70 * SECOND)
    });
    let command = Command::Consume { once: once.collect() };
    let (envelope, address) = (edge.settings.envelope(command), edge.settings.user_ledger("ada"));
    let answer = block_on(edge.world.platform.execute(&address, &envelope)).unwrap();
    assert_eq!(answer, Outcome::Consumed);
    assert_eq!(judged(), Ok(()));
    assert!(unavailable(judged()));
    edge.world.platform.advance(71 * SECOND);
    assert_eq!(judged(), Ok(()));
}

#[test]
fn f13_an_extended_session_has_tokens_of_the_same_key() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    let bound = holder.sign_in("ada");
    let path = format!("/auth/sessions/{}/extend", bound.session);
    let url = format!("https://edge.example{path}");
    let hash = base64url(&Sha256::digest(bound.access()));
    let proof = holder.key.proof(&with(holder.claims("POST", &url), "ath", json!(hash)));
    let mut request = call("DPoP", bound.access(), Some(&proof));
    *request.uri_mut() = path.parse().unwrap();
    let Edge { settings, client, mint, resource, .. } = &edge;
    let platform = &edge.world.platform;
    let tokens = block_on(async {
        let person = authorize(platform, settings, resource, &request, SESSIONS_WRITE).await;
        let person = person.unwrap();
        extend(platform, settings, client, mint, &person, &bound.session).await.unwrap().0
    });
    assert_eq!(tokens.token_type, "DPoP");
    let claims = edge.claims(&tokens.access_token);
    assert_eq!(claims.cnf.map(|cnf| cnf.jkt), Some(holder.key.thumbprint()));
}

//! The authorization code grant: RFC 6749 section 4.1.3, RFC 7636, RFC 8707, and what thieves try.

use auth::Failure;
use futures::executor::block_on;
use futures::future::join_all;
use ledger::{AuditKind, Command, EndReason};
use oauth::code::{self, CodeGrant};
use oauth::pkce::challenge;
use oauth::{ErrorCode, jws::Jws};
use ports::{Clock as _, Ledgers as _, Place};
use testing::{Dependency, Fault, NOW, PUBLIC_URL};

use crate::dpop::Holder;
use crate::support::{DAY, Edge, HOUR, Issued, MINUTE, SECOND, form, tampered, word};

const CLI: &str = "atoms-cli";
const MCP: &str = "https://edge.example/mcp";
const CALLBACK: &str = "http://127.0.0.1/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What a person has granted to a client, by a code of this number.
fn grant(edge: &Edge, number: u8) -> CodeGrant {
    CodeGrant {
        id: format!("{number:032x}"),
        client_id: CLI.to_owned(),
        redirect_uri: CALLBACK.to_owned(),
        code_challenge: challenge(VERIFIER),
        scopes: ["sessions:read", "atoms:workspace.read"].map(str::to_owned).to_vec(),
        resources: [PUBLIC_URL, MCP].map(str::to_owned).to_vec(),
        key: None,
        user: "ada".to_owned(),
        organization: Some("org_acme".to_owned()),
        role: Some("admin".to_owned()),
        sign_in: "sign-in of ada".to_owned(),
        authenticated_at: NOW,
        upstream: None,
        expires_at: edge.world.platform.now() + code::LIFETIME,
    }
}

fn sealed(edge: &Edge, grant: &CodeGrant) -> String {
    code::seal(&edge.mint.code_keys, &[7; 24], grant).unwrap()
}

fn code(edge: &Edge, number: u8) -> String {
    sealed(edge, &grant(edge, number))
}

/// With a code and nothing wrong, but for what is said otherwise; what is empty is as if omitted.
fn redeem(edge: &Edge, code: &str, otherwise: &[(&str, &str)]) -> Result<Issued, Failure> {
    redeem_at(edge, CLI, code, otherwise)
}

fn redeem_at(
    edge: &Edge,
    client_id: &str,
    code: &str,
    otherwise: &[(&str, &str)],
) -> Result<Issued, Failure> {
    let mut parameters = otherwise.to_vec();
    let usual = [("code", code), ("code_verifier", VERIFIER), ("redirect_uri", CALLBACK)];
    let is_said = |name: &str| otherwise.iter().any(|(said, _)| *said == name);
    parameters.extend(usual.into_iter().filter(|(name, _)| !is_said(name)));
    edge.redeem_form(client_id, &form(&parameters))
}

fn kinds(edge: &Edge) -> Vec<AuditKind> {
    edge.world.platform.audit().iter().map(|event| event.kind).collect()
}

#[test]
fn m12_a_code_is_exchanged_for_tokens_of_what_was_granted() {
    let edge = Edge::new();
    let issued = redeem(&edge, &code(&edge, 1), &[]).unwrap();
    let tokens = &issued.tokens;
    assert_eq!((tokens.token_type, tokens.expires_in, tokens.refresh_in), ("Bearer", 900, 600));
    assert_eq!((tokens.issued_token_type, issued.repeated), (None, false));
    let header = Jws::parse(issued.access()).unwrap().header;
    assert_eq!((header.typ.as_deref(), header.alg.as_str()), (Some("at+jwt"), "EdDSA"));
    let claims = edge.claims(issued.access());
    assert_eq!((claims.iss.as_str(), claims.sub.as_str()), (PUBLIC_URL, "ada"));
    assert_eq!((claims.client_id.as_str(), claims.sid.to_string()), (CLI, issued.session.clone()));
    assert_eq!((claims.iat, claims.exp), (NOW / 1000, NOW / 1000 + 900));
    assert_eq!(claims.scope, "sessions:read atoms:workspace.read");
    assert_eq!(tokens.scope, claims.scope);
    assert!(claims.aud.contains(PUBLIC_URL) && claims.aud.contains(MCP) && !claims.jti.is_empty());
    assert!(claims.org.is_some() && claims.roles == ["admin"], "as at the sign-in");
    assert!(edge.active(issued.access()) && edge.active(issued.refresh()));
    let next = edge.refresh(CLI, issued.refresh()).unwrap();
    assert_eq!((next.session, next.tokens.scope), (issued.session, claims.scope));
}

#[test]
fn f18_a_code_that_is_replayed_ends_what_it_has_issued() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    let issued = redeem(&edge, &code, &[]).unwrap();
    let next = edge.refresh(CLI, issued.refresh()).unwrap();
    assert_eq!(word(redeem(&edge, &code, &[])), "invalid_grant");
    for dead in [issued.access(), issued.refresh(), next.access(), next.refresh()] {
        assert!(!edge.active(dead));
    }
    assert_eq!(word(edge.refresh(CLI, next.refresh())), "invalid_grant");
    assert_eq!(kinds(&edge).last(), Some(&AuditKind::CodeReplayed));
    assert_eq!(word(redeem(&edge, &code, &[])), "invalid_grant", "and again");
}

#[test]
fn f18_a_code_is_remembered_for_as_long_as_what_it_has_started() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    let mut last = redeem(&edge, &code, &[]).unwrap();
    for _ in 0..3 {
        edge.world.platform.advance(20 * MINUTE);
        last = edge.refresh(CLI, last.refresh()).unwrap();
    }
    assert_eq!(word(redeem(&edge, &code, &[])), "invalid_grant");
    assert!(!edge.active(last.access()), "an hour later");
}

#[test]
fn f18_a_replay_with_anything_wrong_ends_nothing() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    let issued = redeem(&edge, &code, &[]).unwrap();
    let other = "another-verifier-of-the-right-length-0123456789";
    for otherwise in [
        [("code_verifier", other)],
        [("redirect_uri", "http://127.0.0.1/other")],
        [("resource", "https://other.example")],
        [("code_verifier", "")],
    ] {
        assert!(redeem(&edge, &code, &otherwise).is_err(), "{otherwise:?}");
    }
    assert_eq!(word(redeem_at(&edge, "atoms-web", &code, &[])), "invalid_grant");
    assert_eq!(word(redeem(&edge, &tampered(&code, 60), &[])), "invalid_grant");
    assert!(edge.active(issued.access()) && edge.active(issued.refresh()));
}

#[test]
fn f18_of_fifty_redemptions_at_once_one_succeeds() {
    for number in 1..=5 {
        let edge = Edge::new();
        let (code, record) = (code(&edge, number), edge.record(CLI));
        let form = form(&[("code", &code), ("code_verifier", VERIFIER)]);
        let all = join_all((0..50).map(|_| edge.redeem_as(&record, &form)));
        let outcomes = block_on(all);
        let (issued, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((issued.len(), refused.len()), (1, 49));
        assert!(refused.into_iter().all(|outcome| word(outcome) == "invalid_grant"));
        let issued = issued.into_iter().flatten().next().unwrap();
        assert!(!edge.active(issued.access()), "and the other forty-nine have ended it");
        let ledgers = edge.world.platform.ledgers();
        assert_eq!(ledgers[0].sessions.len(), 1);
    }
}

#[test]
fn f2_a_code_lives_for_a_minute() {
    let edge = Edge::new();
    let (used, late) = (code(&edge, 1), code(&edge, 2));
    edge.world.platform.advance(MINUTE - 1);
    assert!(redeem(&edge, &used, &[]).is_ok());
    edge.world.platform.advance(1);
    edge.world.platform.fail(Dependency::Sql, Fault::Away);
    assert_eq!(word(redeem(&edge, &late, &[])), "invalid_grant", "nobody is provisioned for it");
    let ledgers = edge.world.platform.ledgers();
    assert_eq!(ledgers[0].sessions.len(), 1);
    assert_eq!(kinds(&edge).last(), Some(&AuditKind::CodeRefused));
}

#[test]
fn m8_without_its_verifier_a_code_is_worth_nothing_and_is_not_used_up() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    for wrong in [
        challenge(VERIFIER).as_str(),
        VERIFIER.trim_end_matches('k'),
        &VERIFIER.to_lowercase(),
        &"a".repeat(129),
        "short",
        "é",
    ] {
        let refused = redeem(&edge, &code, &[("code_verifier", wrong)]);
        assert_eq!(word(refused), "invalid_grant", "{wrong}");
    }
    assert_eq!(word(redeem(&edge, &code, &[("code_verifier", "")])), "invalid_request");
    assert!(redeem(&edge, &code, &[]).is_ok());
}

#[test]
fn a_code_is_of_no_use_to_another_client() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    for client in ["atoms-web", "atoms-service", "third-party"] {
        assert_eq!(word(redeem_at(&edge, client, &code, &[])), "invalid_grant", "{client}");
    }
    assert!(redeem(&edge, &code, &[]).is_ok(), "and not used up by it");
}

#[test]
fn who_tells_where_the_code_was_sent_tells_it_exactly() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    for uri in
        ["http://127.0.0.1/callback/", "http://127.0.0.1:80/callback", "http://localhost/callback"]
    {
        assert_eq!(word(redeem(&edge, &code, &[("redirect_uri", uri)])), "invalid_grant", "{uri}");
    }
    // OAuth 2.1 has no such parameter any more.
    assert!(redeem(&edge, &code, &[("redirect_uri", "")]).is_ok());
}

#[test]
fn what_was_not_sealed_by_us_is_no_code() {
    let edge = Edge::new();
    let good = code(&edge, 1);
    let session = edge.sign_in("bob");
    let elsewhere = code::seal(&edge.mint.upstream.keys, &[7; 24], &grant(&edge, 1)).unwrap();
    let long = format!("ac1_{}", "A".repeat(20_000));
    for text in ["x", "ac1_", session.refresh(), session.access(), &good[4..], &elsewhere, &long] {
        assert_eq!(word(redeem(&edge, text, &[])), "invalid_grant", "{text}");
    }
    assert_eq!(word(redeem(&edge, "", &[])), "invalid_request");
    assert!(edge.active(session.access()));
}

#[test]
fn who_guesses_codes_is_kept_waiting() {
    let edge = Edge::with(&[("TRUSTED_PROXY_HEADER", "x-real-address")]);
    edge.come_from(&[("x-real-address", "192.0.2.1")], Place::default());
    let enter = || block_on(edge.authenticate(None, &form(&[("client_id", CLI)])));
    assert!(enter().is_ok());
    for _ in 0..5 {
        assert_eq!(word(redeem(&edge, "ac1_guess", &[])), "invalid_grant");
    }
    assert_eq!(word(enter()), "backoff");
}

#[test]
fn f7_a_resource_narrows_the_first_access_token_and_no_later_one() {
    let edge = Edge::new();
    let issued = redeem(&edge, &code(&edge, 1), &[("resource", MCP)]).unwrap();
    let claims = edge.claims(issued.access());
    assert_eq!(claims.aud.iter().collect::<Vec<_>>(), [MCP]);
    assert!(edge.active(issued.access()));
    let next = edge.refresh(CLI, issued.refresh()).unwrap();
    assert_eq!(edge.claims(next.access()).aud.iter().count(), 2);
}

#[test]
fn f7_a_resource_that_was_not_granted_is_refused_and_the_code_still_good() {
    let edge = Edge::new();
    let resources = vec![MCP.to_owned()];
    let code = sealed(&edge, &CodeGrant { resources, ..grant(&edge, 1) });
    for resource in [PUBLIC_URL, "https://other.example", "/mcp", "https://edge.example/mcp#x"] {
        let refused = redeem(&edge, &code, &[("resource", resource)]);
        assert_eq!(word(refused), "invalid_target", "{resource}");
    }
    assert!(redeem(&edge, &code, &[]).is_ok());
}

#[test]
fn f6_a_refresh_narrows_the_scopes_of_a_code_and_does_not_widen_them() {
    let edge = Edge::new();
    let issued = redeem(&edge, &code(&edge, 1), &[]).unwrap();
    let wider = [("scope", "sessions:read sessions:write")];
    assert_eq!(word(edge.refresh_with(CLI, issued.refresh(), &wider)), "invalid_scope");
    let narrow = [("scope", "sessions:read")];
    let narrowed = edge.refresh_with(CLI, issued.refresh(), &narrow).unwrap();
    assert_eq!(narrowed.tokens.scope, "sessions:read");
    let whole = edge.refresh(CLI, narrowed.refresh()).unwrap();
    assert_eq!(whole.tokens.scope, issued.tokens.scope, "the refresh token is as wide as ever");
}

#[test]
fn only_who_is_registered_for_codes_gets_any_redeemed() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    edge.world.database.change(CLI, |client| client.grant_types = vec!["refresh_token".to_owned()]);
    assert_eq!(word(redeem(&edge, &code, &[])), "unauthorized_client");
}

#[test]
fn a_client_that_may_not_refresh_gets_no_refresh_token() {
    let edge = Edge::new();
    let only = vec!["authorization_code".to_owned()];
    edge.world.database.change(CLI, |client| client.grant_types = only);
    let issued = redeem(&edge, &code(&edge, 1), &[]).unwrap();
    assert_eq!(issued.tokens.refresh_token, None);
    let body = serde_json::to_value(&issued.tokens).unwrap();
    assert!(body.get("refresh_token").is_none());
    assert!(edge.active(issued.access()));
}

#[test]
fn offline_access_decides_how_long_the_session_lives() {
    let edge = Edge::new();
    let lives = |number, scopes: &[&str]| {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let code = sealed(&edge, &CodeGrant { scopes, ..grant(&edge, number) });
        redeem(&edge, &code, &[]).unwrap()
    };
    let (short, long) = (lives(1, &["sessions:read"]), lives(2, &["offline_access"]));
    edge.world.platform.advance(HOUR);
    assert_eq!(word(edge.refresh(CLI, short.refresh())), "invalid_grant");
    edge.world.platform.advance(6 * DAY);
    assert!(edge.refresh(CLI, long.refresh()).is_ok());
}

#[test]
fn each_code_of_a_sign_in_starts_a_session_of_its_own() {
    let edge = Edge::new();
    let one = redeem(&edge, &code(&edge, 1), &[]).unwrap();
    let two = redeem(&edge, &code(&edge, 2), &[]).unwrap();
    let exchanged = edge.sign_in("ada");
    assert!(one.session != two.session && exchanged.session != one.session);
    assert_eq!(word(redeem(&edge, &code(&edge, 1), &[])), "invalid_grant");
    assert!(!edge.active(one.access()));
    assert!(edge.active(two.access()) && edge.active(exchanged.access()));
}

#[test]
fn a_code_is_over_with_its_sign_in_and_with_all_sessions() {
    let edge = Edge::new();
    let address = edge.settings.user_ledger("ada");
    let run = |command| {
        let envelope = edge.settings.envelope(command);
        block_on(edge.world.platform.execute(&address, &envelope)).unwrap()
    };
    let before = redeem(&edge, &code(&edge, 1), &[]).unwrap();
    let in_flight = code(&edge, 2);
    edge.world.platform.advance(SECOND);
    run(Command::RevokeAll { except: None, reason: None });
    assert_eq!(word(redeem(&edge, &in_flight, &[])), "invalid_grant");
    assert!(!edge.active(before.access()));
    edge.world.platform.advance(SECOND);
    assert!(redeem(&edge, &code(&edge, 3), &[]).is_ok(), "who comes later comes in");
    run(Command::RevokeExternal { external_id: "workos:sign-in of ada".into(), reason: None });
    edge.world.platform.advance(SECOND);
    assert_eq!(word(redeem(&edge, &code(&edge, 4), &[])), "invalid_grant");
}

#[test]
fn the_grant_of_a_sign_in_goes_into_its_session_and_is_renewed_there() {
    let edge = Edge::new();
    let token = edge.world.workos.grant("ada", "sign-in of ada");
    let plain = grant(&edge, 1);
    let upstream =
        code::seal_upstream(&edge.mint.upstream.keys, &[9; 24], &plain.id, &token).unwrap();
    let code = sealed(&edge, &CodeGrant { upstream: Some(upstream.clone()), ..plain });
    let issued = redeem(&edge, &code, &[]).unwrap();
    let kept = edge.world.platform.ledgers()[0].sessions[0].upstream.clone().unwrap();
    assert!(!kept.sealed.contains(&token) && kept.sealed != upstream, "sealed for its session");
    assert_eq!(
        (kept.organization.as_deref(), kept.role.as_deref()),
        (Some("org_acme"), Some("admin"))
    );
    edge.world.platform.advance(10 * SECOND);
    edge.refresh(CLI, issued.refresh()).unwrap();
    assert_eq!(edge.world.workos.renewals(), 1);
    let other = sealed(&edge, &CodeGrant { upstream: Some(upstream), ..grant(&edge, 2) });
    redeem(&edge, &other, &[]).unwrap();
    let sessions = &edge.world.platform.ledgers()[0].sessions;
    assert_eq!(sessions[1].upstream, None, "a grant opens with its own code only");
}

#[test]
fn f15_an_outage_uses_up_no_code() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    for dependency in [Dependency::Sql, Dependency::Ledger] {
        edge.world.platform.fail(dependency, Fault::Away);
        assert_eq!(word(redeem(&edge, &code, &[])), "unavailable");
        edge.world.platform.heal(dependency);
    }
    assert!(redeem(&edge, &code, &[]).is_ok());
}

#[test]
fn a_client_with_a_policy_that_is_none_uses_up_no_code() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    let none = serde_json::json!({ "session_max": "many" });
    edge.world.database.change(CLI, |client| client.policy = Some(none));
    assert_eq!(word(redeem(&edge, &code, &[])), "misconfigured");
    edge.world.database.change(CLI, |client| client.policy = None);
    assert!(redeem(&edge, &code, &[]).is_ok());
}

#[test]
fn f17_a_code_that_is_bound_to_a_key_is_redeemed_with_it() {
    let edge = Edge::new();
    let (owner, thief) = (Holder::of(&edge, 1), Holder::of(&edge, 2));
    let key = Some(owner.key.thumbprint());
    let code = sealed(&edge, &CodeGrant { key: key.clone(), ..grant(&edge, 1) });
    assert_eq!(word(redeem(&edge, &code, &[])), "invalid_grant", "without a proof");
    thief.come();
    assert_eq!(word(redeem(&edge, &code, &[])), "invalid_grant");
    owner.come();
    let issued = redeem(&edge, &code, &[]).unwrap();
    assert_eq!(issued.tokens.token_type, "DPoP");
    assert_eq!(edge.claims(issued.access()).cnf.map(|bound| bound.jkt), key);
    thief.come();
    assert_eq!(word(edge.refresh(CLI, issued.refresh())), "invalid_grant");
    owner.come();
    assert!(edge.refresh(CLI, issued.refresh()).is_ok());
    owner.come();
    assert_eq!(word(redeem(&edge, &code, &[])), "invalid_grant");
    let ended = &edge.world.platform.ledgers()[0].sessions[0].state;
    assert!(matches!(ended, ledger::State::Ended { reason: EndReason::CodeReplayed, .. }));
}

#[test]
fn every_refusal_of_a_code_reads_alike() {
    let edge = Edge::new();
    let code = code(&edge, 1);
    let told = |outcome: Result<Issued, Failure>| match outcome.unwrap_err() {
        Failure::Refused { told, .. } => (told.code, told.description),
        other => panic!("{other:?}"),
    };
    let forged = told(redeem(&edge, "ac1_forged", &[]));
    assert_eq!(forged.0, ErrorCode::InvalidGrant);
    assert_eq!(told(redeem_at(&edge, "atoms-web", &code, &[])), forged);
    assert_eq!(told(redeem(&edge, &code, &[("code_verifier", &"x".repeat(43))])), forged);
    redeem(&edge, &code, &[]).unwrap();
    assert_eq!(told(redeem(&edge, &code, &[])), forged);
}

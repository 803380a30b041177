//! RFC 8693: from an AuthKit access token to a session.

use futures::executor::block_on;
use futures::future::join_all;
use oauth::ErrorCode;
use testing::{AuthKitToken, Dependency, Fault, PUBLIC_URL};

use crate::support::{ACCESS_TOKEN_TYPE, Edge, MINUTE, SECOND, form, subject, word};

#[test]
fn the_answer_is_as_the_contract_has_it() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let tokens = &issued.tokens;
    assert_eq!(tokens.issued_token_type, Some(ACCESS_TOKEN_TYPE));
    assert_eq!((tokens.expires_in, tokens.refresh_in, tokens.token_type), (900, 600, "Bearer"));
    let claims = edge.claims(issued.access());
    assert_eq!((claims.iss.as_str(), claims.sub.as_str()), (PUBLIC_URL, "ada"));
    assert_eq!(claims.sid.to_string(), issued.session);
    assert_eq!(claims.scope, tokens.scope);
    assert!(claims.aud.contains(PUBLIC_URL) && claims.aud.contains("https://edge.example/mcp"));
    assert_eq!(claims.roles, ["owner"], "of the personal organization");
}

#[test]
fn the_organization_and_role_are_those_of_the_sign_in() {
    let edge = Edge::new();
    let claims = |user: &str, role: &str| {
        let token = AuthKitToken::of(user, user, testing::NOW)
            .with("org_id", "org_acme")
            .with("role", role);
        let token = edge.world.workos.sign(&token);
        edge.claims(edge.exchange("atoms-cli", &token, &[]).unwrap().access())
    };
    let (ada, bob) = (claims("ada", "admin"), claims("bob", "emperor"));
    assert_eq!(ada.org, bob.org, "one organization");
    assert_eq!((ada.roles, bob.roles), (vec!["admin".to_owned()], vec!["member".to_owned()]));
    assert_eq!(edge.world.database.organizations(), 1);
}

#[test]
fn a_switch_of_organization_within_a_sign_in_moves_its_session() {
    let edge = Edge::new();
    let signed_in = |organization: &str, role: &str| {
        let token = AuthKitToken::of("ada", "s", testing::NOW)
            .with("org_id", organization)
            .with("role", role);
        let token = edge.world.workos.sign(&token);
        edge.exchange("atoms-cli", &token, &[]).unwrap()
    };
    let at_home = edge.exchange("atoms-cli", &edge.world.authkit("ada", "s"), &[]).unwrap();
    let home = edge.claims(at_home.access());
    edge.world.platform.advance(SECOND);
    let at_acme = signed_in("org_acme", "admin");
    let acme = edge.claims(at_acme.access());
    assert_eq!((acme.sid, acme.roles), (home.sid, vec!["admin".to_owned()]));
    assert!(acme.org != home.org && acme.jti != home.jti && !at_acme.repeated);
    let again = signed_in("org_acme", "admin");
    assert_eq!(again.both(), at_acme.both(), "a repetition is one as ever");
    let next = edge.refresh("atoms-cli", at_acme.refresh()).unwrap();
    assert_eq!(edge.claims(next.access()).org, acme.org, "and a refresh stays there");
    assert_eq!(edge.introspect(next.refresh())["org"], edge.introspect(next.access())["org"]);
    let other = edge.claims(signed_in("org_other", "viewer").access());
    assert!(other.org != acme.org && other.org != home.org);
    assert_eq!(other.roles, ["viewer"]);
    let promoted = edge.claims(signed_in("org_other", "member").access());
    assert_eq!((promoted.org, promoted.roles), (other.org, vec!["member".to_owned()]));
    let old = edge.introspect(at_home.access());
    assert_eq!((&old["active"], &old["org"]), (&true.into(), &home.org.into()), "until it expires");
}

#[test]
fn a_repetition_that_asks_for_nothing_gets_what_the_first_one_asked_for() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let asked = [("scope", "sessions:read"), ("resource", "https://edge.example/mcp")];
    let first = edge.exchange("atoms-cli", &token, &asked).unwrap();
    let plain = edge.exchange("atoms-cli", &token, &[]).unwrap();
    assert_eq!((plain.both(), plain.tokens.scope.as_str()), (first.both(), "sessions:read"));
    for more in [("scope", "sessions:write"), ("resource", PUBLIC_URL)] {
        assert!(edge.exchange("atoms-cli", &token, &[more]).is_err(), "{more:?}");
    }
    // Nor does it matter what the client was registered for in the meantime.
    let cli = edge.sign_in("bob");
    edge.world.database.change("atoms-cli", |client| client.scopes.push("more".to_owned()));
    edge.world.platform.advance(MINUTE);
    let again = edge.sign_in("bob");
    assert_eq!((again.session, again.tokens.scope), (cli.session, cli.tokens.scope));
}

#[test]
fn repeating_it_yields_the_same_session_and_tokens() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let first = edge.exchange("atoms-cli", &token, &[]).unwrap();
    edge.world.platform.advance(10 * SECOND);
    let again = edge.exchange("atoms-cli", &token, &[]).unwrap();
    assert!(!first.repeated && again.repeated);
    assert_eq!(again.both(), first.both());
    assert_eq!(again.tokens.expires_in, first.tokens.expires_in - 10);
    // A newer AuthKit token of the same sign-in is the same sign-in.
    let newer = edge.world.authkit("ada", "s");
    assert_eq!(edge.exchange("atoms-cli", &newer, &[]).unwrap().session, first.session);
}

#[test]
fn parallel_exchanges_of_one_sign_in_make_one_session() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let (record, parameters) = (edge.record("atoms-cli"), form(&subject(&token)));
    let racers = (0..20).map(|_| edge.exchange_as(&record, &parameters));
    let answers: Vec<_> = block_on(join_all(racers)).into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| answer.tokens == answers[0].tokens), "byte for byte");
    assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1);
}

#[test]
fn other_clients_sign_ins_and_people_have_other_sessions() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let sessions = [
        edge.exchange("atoms-cli", &token, &[]).unwrap().session,
        edge.exchange("atoms-web", &token, &[]).unwrap().session,
        edge.exchange("atoms-cli", &edge.world.authkit("ada", "t"), &[]).unwrap().session,
        edge.exchange("atoms-cli", &edge.world.authkit("bob", "s"), &[]).unwrap().session,
    ];
    for (at, session) in sessions.iter().enumerate() {
        assert!(!sessions[..at].contains(session));
    }
}

#[test]
fn the_default_scope_is_all_but_offline_access() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let expected =
        "atoms:workspace.read atoms:workspace.write sessions:read sessions:write audit:read";
    assert_eq!(issued.tokens.scope, expected);
    edge.world.database.change("atoms-web", |client| {
        client.scopes = vec!["offline_access".to_owned(), "sessions:read".to_owned()];
    });
    assert_eq!(edge.sign_in_at("atoms-web", "ada").tokens.scope, "sessions:read");
}

#[test]
fn only_registered_scopes_are_granted() {
    let edge = Edge::new();
    edge.world.database.change("atoms-cli", |client| {
        client.scopes = vec!["sessions:read".to_owned(), "offline_access".to_owned()];
    });
    let token = edge.world.authkit("ada", "s");
    for scope in ["sessions:write", "sessions:read sessions:write", "unknown", "a\\b", " ", "   "] {
        let outcome = edge.exchange("atoms-cli", &token, &[("scope", scope)]);
        assert_eq!(word(outcome), "invalid_scope", "{scope}");
    }
    assert!(edge.world.platform.ledgers().is_empty(), "no session was created");
    let asked = [("scope", "offline_access  sessions:read offline_access")];
    let issued = edge.exchange("atoms-cli", &token, &asked).unwrap();
    assert_eq!(issued.tokens.scope, "offline_access sessions:read");
}

#[test]
fn only_first_party_clients_registered_for_it_may_exchange() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    assert_eq!(word(edge.exchange("third-party", &token, &[])), "unauthorized_client");
    assert_eq!(word(edge.exchange("atoms-api", &token, &[])), "unauthorized_client");
    edge.world.database.change("atoms-cli", |client| {
        client.grant_types.retain(|grant| grant == "refresh_token");
    });
    assert_eq!(word(edge.exchange("atoms-cli", &token, &[])), "unauthorized_client");
    assert_eq!(edge.world.platform.calls(Dependency::Workos), 0, "nobody was bothered");
}

#[test]
fn malformed_requests_are_told_so() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let [subject_token, token_type] = subject(&token);
    for parameters in [
        vec![],
        vec![subject_token],
        vec![token_type],
        vec![subject_token, ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2")],
        vec![subject_token, token_type, ("requested_token_type", "urn:x")],
        vec![subject_token, token_type, ("actor_token", "x")],
    ] {
        let outcome = edge.exchange_form("atoms-cli", &form(&parameters));
        assert_eq!(word(outcome), "invalid_request", "{parameters:?}");
    }
    for resource in ["https://elsewhere.example", "mcp", "https://edge.example/mcp#x"] {
        let outcome = edge.exchange("atoms-cli", &token, &[("resource", resource)]);
        assert_eq!(word(outcome), "invalid_target", "{resource}");
    }
    assert!(edge.world.platform.ledgers().is_empty());
}

#[test]
fn the_jwt_token_type_and_the_named_request_type_are_fine() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let parameters = form(&[
        ("subject_token", &token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("requested_token_type", ACCESS_TOKEN_TYPE),
    ]);
    assert!(edge.exchange_form("atoms-cli", &parameters).is_ok());
}

#[test]
fn resources_become_the_audience() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let mcp = "https://edge.example/mcp";
    let asked =
        [("resource", mcp), ("audience", mcp), ("resource", "https://EDGE.example:443/mcp")];
    let issued = edge.exchange("atoms-cli", &token, &asked).unwrap();
    assert_eq!(serde_json::to_value(edge.claims(issued.access()).aud).unwrap(), mcp);
}

#[test]
fn the_database_away_means_no_session() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let platform = &edge.world.platform;
    for fault in [Fault::Away, Fault::Timeout] {
        platform.fail(Dependency::Sql, fault);
        assert_eq!(word(edge.exchange("atoms-cli", &token, &[])), "unavailable");
    }
    assert_eq!(platform.calls(Dependency::Ledger), 0, "no session was created");
    platform.heal(Dependency::Sql);
    assert!(edge.exchange("atoms-cli", &token, &[]).is_ok());
}

#[test]
fn a_lost_answer_is_found_again() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    for dependency in [Dependency::Ledger, Dependency::Sql] {
        edge.world.platform.fail_times(dependency, Fault::AnswerLost, 1);
        assert_eq!(word(edge.exchange("atoms-cli", &token, &[])), "unavailable");
    }
    assert!(edge.exchange("atoms-cli", &token, &[]).unwrap().repeated);
    assert_eq!(edge.world.platform.ledgers()[0].sessions.len(), 1);
    assert_eq!(edge.world.database.organizations(), 1);
}

#[test]
fn a_proof_does_not_outlive_the_session_that_it_started() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let issued = edge.exchange("atoms-cli", &token, &[]).unwrap();
    edge.world.platform.advance(MINUTE);
    edge.revoke("atoms-cli", &[("token", issued.refresh())]).unwrap();
    // RFC 8693 section 2.2.2: a subject token that is unacceptable is an invalid request.
    let outcome = edge.exchange("atoms-cli", &token, &[]);
    assert_eq!(word(outcome), ErrorCode::InvalidRequest.as_str());
    edge.world.platform.advance(SECOND);
    let newer = edge.world.authkit("ada", "s");
    let next = edge.exchange("atoms-cli", &newer, &[]).unwrap();
    assert_ne!(next.session, issued.session);
}

#[test]
fn the_session_limit_evicts_or_denies_as_configured() {
    let evicting = Edge::with(&[("SESSION_MAX", "2")]);
    let denying = Edge::with(&[("SESSION_MAX", "2"), ("SESSION_ON_LIMIT", "deny")]);
    for edge in [&evicting, &denying] {
        for session in ["one", "two"] {
            let token = edge.world.authkit("ada", session);
            edge.exchange("atoms-cli", &token, &[]).unwrap();
            edge.world.platform.advance(SECOND);
        }
    }
    let third = |edge: &Edge| edge.exchange("atoms-cli", &edge.world.authkit("ada", "three"), &[]);
    assert!(third(&evicting).is_ok());
    assert_eq!(word(third(&denying)), "access_denied");
}

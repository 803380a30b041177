//! RFC 6749 section 6, and the promises about races and reuse.

use auth::Failure;
use futures::executor::block_on;
use futures::future::join_all;
use ledger::AuditKind;
use oauth::RefreshToken;
use oauth::keys::{Derived, Master};
use ports::Clock as _;
use testing::{Dependency, PUBLIC_URL, SERVICE_SECRET, World};

use crate::support::{DAY, Edge, HOUR, MINUTE, SECOND, basic, form, tampered, word};

#[test]
fn f1_a_token_is_needed() {
    let edge = Edge::new();
    for parameters in [vec![], vec![("refresh_token", "")], vec![("token", "x")]] {
        let outcome = block_on(edge.refresh_as(&edge.record("atoms-cli"), &form(&parameters)));
        assert_eq!(word(outcome), "invalid_request");
    }
}

#[test]
fn f2_what_is_no_token_of_ours_is_an_invalid_grant_and_asks_no_ledger() {
    let edge = Edge::new();
    let token = edge.sign_in("ada").refresh().to_owned();
    let elsewhere = Edge::with(&[("PUBLIC_URL", "https://other.example")]);
    let foreign = elsewhere.sign_in("ada").refresh().to_owned();
    let before = edge.world.platform.calls(Dependency::Ledger);
    let mut bad = vec![
        "x".to_owned(),
        "ar1_".to_owned(),
        "ar1_!!!".to_owned(),
        format!("{token}A"),
        token[..token.len() - 4].to_owned(),
        token.replace("ar1_", "ar2_"),
        "ar1_".to_owned() + &"A".repeat(100_000),
        edge.world.authkit("ada", "s"),
        foreign,
    ];
    // Every byte of the token counts.
    bad.extend((4..token.len()).map(|at| tampered(&token, at)));
    for text in bad {
        assert_eq!(word(edge.refresh("atoms-cli", &text)), "invalid_grant", "{text}");
    }
    assert_eq!(edge.world.platform.calls(Dependency::Ledger), before, "a forger costs nothing");
    assert!(!edge.refresh("atoms-cli", &token).unwrap().repeated, "nothing was consumed");
}

#[test]
fn a_genuine_token_of_an_unknown_session_is_an_invalid_grant() {
    let edge = Edge::new();
    let token = RefreshToken {
        key_id: 1,
        address: edge.settings.user_ledger("nobody"),
        session: "00112233445566778899aabbccddeeff".parse().unwrap(),
        generation: 0,
        counter: 3,
    };
    let token = token.encode(PUBLIC_URL, &edge.client.refresh_keys).unwrap();
    assert_eq!(word(edge.refresh("atoms-cli", &token)), "invalid_grant");
}

#[test]
fn an_idle_session_expires() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(30 * MINUTE - 1);
    let issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    edge.world.platform.advance(30 * MINUTE);
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "invalid_grant");
}

#[test]
fn f14_rotation_never_extends_the_absolute_end() {
    let edge = Edge::new();
    let mut issued = edge.sign_in("ada");
    let end = edge.world.platform.now() + DAY;
    while edge.world.platform.now() + 29 * MINUTE < end {
        edge.world.platform.advance(29 * MINUTE);
        issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    }
    edge.world.platform.set_now(end - 5 * MINUTE);
    issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    let claims = edge.claims(issued.access());
    assert_eq!(claims.exp * 1000, end, "an access token ends with its session");
    assert_eq!((issued.tokens.expires_in, issued.tokens.refresh_in), (300, 0));
    edge.world.platform.set_now(end);
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "invalid_grant");
}

#[test]
fn offline_sessions_last_longer() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let scope = [("scope", "sessions:read offline_access")];
    let issued = edge.exchange("atoms-cli", &token, &scope).unwrap();
    edge.world.platform.advance(7 * DAY - 1);
    let issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    edge.world.platform.advance(7 * DAY);
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "invalid_grant");
}

#[test]
fn f3_another_clients_token_is_refused_and_not_consumed() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    for other in ["atoms-web", "atoms-service", "third-party"] {
        assert_eq!(word(edge.refresh(other, issued.refresh())), "invalid_grant", "{other}");
    }
    assert!(!edge.refresh("atoms-cli", issued.refresh()).unwrap().repeated);
}

#[test]
fn f4_a_confidential_client_must_authenticate() {
    let edge = Edge::new();
    let issued = edge.sign_in_at("atoms-service", "ada");
    let parameters = form(&[("client_id", "atoms-service"), ("refresh_token", issued.refresh())]);
    assert_eq!(word(block_on(edge.authenticate(None, &parameters))), "invalid_client");
    let header = basic("atoms-service", SERVICE_SECRET);
    let parameters = form(&[("refresh_token", issued.refresh())]);
    let record = block_on(edge.authenticate(Some(&header), &parameters)).unwrap();
    assert!(block_on(edge.refresh_as(&record, &parameters)).is_ok());
}

#[test]
fn a_client_that_is_not_registered_for_the_grant_may_not_use_it() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    edge.world.database.change("atoms-cli", |client| client.grant_types.clear());
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "unauthorized_client");
}

#[test]
fn f5_every_refresh_rotates() {
    let edge = Edge::new();
    let mut issued = edge.sign_in("ada");
    let mut seen = vec![issued.refresh().to_owned()];
    for _ in 0..5 {
        edge.world.platform.advance(SECOND);
        let next = edge.refresh("atoms-cli", issued.refresh()).unwrap();
        assert!(!next.repeated && !seen.iter().any(|one| one == next.refresh()));
        assert_eq!(next.session, issued.session);
        assert_ne!(next.access(), issued.access());
        seen.push(next.refresh().to_owned());
        issued = next;
    }
}

#[test]
fn the_answer_is_as_the_contract_has_it() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(MINUTE);
    let tokens = edge.refresh("atoms-cli", issued.refresh()).unwrap().tokens;
    let body = serde_json::to_value(&tokens).unwrap();
    let mut members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let expected =
        ["access_token", "expires_in", "refresh_in", "refresh_token", "scope", "token_type"];
    assert_eq!(members, expected, "no issued_token_type outside of token exchange");
    assert_eq!((tokens.expires_in, tokens.refresh_in, tokens.token_type), (900, 600, "Bearer"));
    let claims = edge.claims(&tokens.access_token);
    assert_eq!((claims.sub.as_str(), claims.client_id.as_str()), ("ada", "atoms-cli"));
    assert_eq!(claims.exp - claims.iat, 900);
    assert_eq!(claims.roles, ["owner"]);
    assert!(claims.org.is_some());
}

#[test]
fn f6_a_wider_scope_is_refused_and_consumes_nothing() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let issued = edge.exchange("atoms-cli", &token, &[("scope", "sessions:read")]).unwrap();
    for scope in ["sessions:read sessions:write", "offline_access", "admin", "a\"b", "ünï", " "] {
        let outcome = edge.refresh_with("atoms-cli", issued.refresh(), &[("scope", scope)]);
        assert_eq!(word(outcome), "invalid_scope", "{scope}");
    }
    assert!(!edge.refresh("atoms-cli", issued.refresh()).unwrap().repeated);
}

#[test]
fn f6_a_narrower_scope_narrows_the_access_token_alone() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let narrow = [("scope", "sessions:write sessions:read")];
    let narrowed = edge.refresh_with("atoms-cli", issued.refresh(), &narrow).unwrap();
    assert_eq!(narrowed.tokens.scope, "sessions:read sessions:write", "in the grant's order");
    assert_eq!(edge.claims(narrowed.access()).scope, narrowed.tokens.scope);
    let replayed = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    assert_eq!(replayed.refresh(), narrowed.refresh(), "the refresh token is the same");
    let next = edge.refresh("atoms-cli", narrowed.refresh()).unwrap();
    assert_eq!(next.tokens.scope, issued.tokens.scope, "the grant is as wide as it was");
}

#[test]
fn a_resource_that_is_not_ours_is_refused_and_consumes_nothing() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    for resource in [
        "https://elsewhere.example",
        "https://edge.example/mcp#part",
        "/mcp",
        "mcp",
        "https://edge.example/other",
        "https://edge.example.evil.example/mcp",
        "https://user@edge.example/mcp",
    ] {
        let outcome = edge.refresh_with("atoms-cli", issued.refresh(), &[("resource", resource)]);
        assert_eq!(word(outcome), "invalid_target", "{resource}");
    }
    assert!(!edge.refresh("atoms-cli", issued.refresh()).unwrap().repeated);
}

#[test]
fn a_resource_narrows_the_audience() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let resource = [("resource", "https://edge.example/mcp/")];
    let narrowed = edge.refresh_with("atoms-cli", issued.refresh(), &resource).unwrap();
    let audience = edge.claims(narrowed.access()).aud;
    assert!(audience.contains("https://edge.example/mcp") && !audience.contains(PUBLIC_URL));
    let token = edge.world.authkit("bob", "s");
    let issued = edge.exchange("atoms-cli", &token, &resource).unwrap();
    let wider = edge.refresh_with("atoms-cli", issued.refresh(), &[("resource", PUBLIC_URL)]);
    assert_eq!(word(wider), "invalid_target", "not granted at sign-in");
}

#[test]
fn f10_fifty_parallel_refreshes_get_one_successor() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let record = edge.record("atoms-cli");
    let parameters = form(&[("refresh_token", issued.refresh())]);
    let racers = (0..50).map(|_| edge.refresh_as(&record, &parameters));
    let answers: Vec<_> = block_on(join_all(racers)).into_iter().map(Result::unwrap).collect();
    for answer in &answers {
        assert_eq!(answer.tokens, answers[0].tokens, "byte for byte");
    }
    assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1);
    assert!(!edge.refresh("atoms-cli", answers[0].refresh()).unwrap().repeated, "and it works");
}

#[test]
fn f9_a_late_replay_ends_the_session_and_all_its_tokens() {
    let edge = Edge::new();
    let first = edge.sign_in("ada");
    let second = edge.refresh("atoms-cli", first.refresh()).unwrap();
    edge.world.platform.advance(5 * MINUTE);
    assert!(edge.active(second.access()) && edge.active(second.refresh()));
    assert_eq!(word(edge.refresh("atoms-cli", first.refresh())), "invalid_grant");
    assert!(!edge.active(first.access()) && !edge.active(second.access()));
    assert!(!edge.active(second.refresh()));
    assert_eq!(word(edge.refresh("atoms-cli", second.refresh())), "invalid_grant");
    let told = edge.world.platform.audit().last().map(|event| event.kind);
    assert_eq!(told, Some(AuditKind::ReuseDetected));
}

#[test]
fn f11_a_replay_extends_nothing() {
    let edge = Edge::new();
    let first = edge.sign_in("ada");
    let second = edge.refresh("atoms-cli", first.refresh()).unwrap();
    edge.world.platform.advance(299 * SECOND);
    let replayed = edge.refresh("atoms-cli", first.refresh()).unwrap();
    assert_eq!(replayed.both(), second.both(), "the same tokens");
    assert_eq!(replayed.tokens.expires_in, 900 - 299, "and what is left of their time");
    assert_eq!(replayed.tokens.refresh_in, 600 - 299);
    edge.world.platform.advance(SECOND);
    let late = edge.refresh("atoms-cli", first.refresh());
    assert_eq!(word(late), "invalid_grant", "the replay did not move the window");
}

#[test]
fn f12_a_grandparent_is_reuse_even_within_the_window() {
    let edge = Edge::new();
    let first = edge.sign_in("ada");
    let second = edge.refresh("atoms-cli", first.refresh()).unwrap();
    let third = edge.refresh("atoms-cli", second.refresh()).unwrap();
    assert_eq!(word(edge.refresh("atoms-cli", first.refresh())), "invalid_grant");
    assert!(!edge.active(third.access()));
}

#[test]
fn a_token_ahead_of_a_restored_ledger_goes_on() {
    let edge = Edge::new();
    let first = edge.sign_in("ada");
    let address = edge.settings.user_ledger("ada");
    let backup = edge.world.platform.ledger(&address).unwrap();
    let second = edge.refresh("atoms-cli", first.refresh()).unwrap();
    let third = edge.refresh("atoms-cli", second.refresh()).unwrap();
    edge.world.platform.restore_ledger(address, backup);
    let fourth = edge.refresh("atoms-cli", third.refresh()).unwrap();
    assert!(edge.active(fourth.access()));
    let kinds: Vec<_> = edge.world.platform.audit().iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&AuditKind::Rollback) && !kinds.contains(&AuditKind::ReuseDetected));
}

#[test]
fn a_new_master_secret_takes_over_without_a_sign_in() {
    let masters = [Master { id: 2, secret: [9; 32] }, Master { id: 1, secret: [7; 32] }];
    let old = Edge::new();
    let first = old.sign_in("ada");
    let world: World = old.world;
    for (name, value) in Derived::from_masters(&masters).unwrap().settings() {
        world.platform.set(name, value);
    }
    let edge = Edge::on(world);
    assert!(edge.active(first.access()), "tokens of the older key are in force");
    let second = edge.refresh("atoms-cli", first.refresh()).unwrap();
    let key = |token: &str| {
        RefreshToken::decode(token, PUBLIC_URL, &edge.client.refresh_keys).unwrap().key_id
    };
    assert_eq!((key(first.refresh()), key(second.refresh())), (1, 2));
    assert_eq!(edge.refresh("atoms-cli", first.refresh()).unwrap().both(), second.both());
}

#[test]
fn the_settings_of_the_deployment_count() {
    let edge = Edge::with(&[
        ("REFRESH_GRACE_SECONDS", "10"),
        ("ACCESS_TOKEN_SECONDS", "100"),
        ("SESSION_IDLE_SECONDS", "3600"),
    ]);
    let first = edge.sign_in("ada");
    assert_eq!((first.tokens.expires_in, first.tokens.refresh_in), (100, 0));
    edge.world.platform.advance(HOUR - SECOND);
    let second = edge.refresh("atoms-cli", first.refresh()).unwrap();
    edge.world.platform.advance(10 * SECOND);
    assert_eq!(word(edge.refresh("atoms-cli", first.refresh())), "invalid_grant");
    assert!(!edge.active(second.access()));
}

#[test]
fn more_rotations_than_a_person_may_have_are_refused_and_consume_nothing() {
    let edge = Edge::with(&[("RATE_LIMIT_TIER", "1")]);
    let mut issued = edge.sign_in("ada");
    for _ in 0..10 {
        let older = issued.refresh().to_owned();
        issued = edge.refresh("atoms-cli", &older).unwrap();
        // Repeated answers are none of them.
        let again = edge.refresh("atoms-cli", &older).unwrap();
        assert_eq!(again.refresh(), issued.refresh());
    }
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "limited");
    edge.world.platform.advance(2 * MINUTE);
    assert!(edge.refresh("atoms-cli", issued.refresh()).is_ok(), "the token was not consumed");
}

#[test]
fn a_proactive_refresh_waits_for_the_last_five_minutes_and_hands_out_nothing_before() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let refresh = |flags: &[(&str, &str)]| edge.refresh_with("atoms-cli", issued.refresh(), flags);
    let due_at = testing::NOW + 10 * MINUTE;
    assert_eq!(refresh(&[("proactive", "true")]), Err(Failure::NotDue { due_at }));
    edge.world.platform.advance(10 * MINUTE - 1);
    assert_eq!(refresh(&[("proactive", "true")]), Err(Failure::NotDue { due_at }));
    edge.world.platform.advance(1);
    let next = refresh(&[("proactive", "true")]).unwrap();
    assert_ne!(next.refresh(), issued.refresh());
    assert_eq!(word(refresh(&[("proactive", "yes")])), "invalid_request");
}

#[test]
fn a_forced_rotation_overrules_a_proactive_one() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let both = [("proactive", "true"), ("force_rotation", "true")];
    let next = edge.refresh_with("atoms-cli", issued.refresh(), &both).unwrap();
    assert_ne!(next.refresh(), issued.refresh());
}

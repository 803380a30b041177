//! RFC 7009.

use futures::executor::block_on;
use oauth::base64url;

use crate::support::{DAY, Edge, MINUTE, basic, form, tampered, without_macs, word};

#[test]
fn v1_a_refresh_token_ends_its_session_at_once() {
    let edge = Edge::new();
    let first = edge.sign_in("ada");
    let second = edge.refresh("atoms-cli", first.refresh()).unwrap();
    assert_eq!(edge.revoke("atoms-cli", &[("token", second.refresh())]), Ok("revoked"));
    for token in [first.access(), second.access(), first.refresh(), second.refresh()] {
        assert!(!edge.active(token));
    }
    assert_eq!(word(edge.refresh("atoms-cli", second.refresh())), "invalid_grant");
}

#[test]
fn any_genuine_refresh_token_of_the_session_will_do() {
    let edge = Edge::new();
    let first = edge.sign_in("ada");
    let mut last = first.clone();
    for _ in 0..3 {
        last = edge.refresh("atoms-cli", last.refresh()).unwrap();
    }
    assert_eq!(edge.revoke("atoms-cli", &[("token", first.refresh())]), Ok("revoked"));
    assert!(!edge.active(last.access()));
}

#[test]
fn v2_an_access_token_is_revoked_by_itself() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    assert_eq!(edge.revoke("atoms-cli", &[("token", issued.access())]), Ok("revoked"));
    assert!(!edge.active(issued.access()));
    assert!(edge.active(issued.refresh()));
    let next = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    assert!(edge.active(next.access()), "the next one is another token");
}

#[test]
fn a_repeated_exchange_does_not_bring_a_revoked_access_token_back() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    edge.revoke("atoms-cli", &[("token", issued.access())]).unwrap();
    let again = edge.sign_in("ada");
    assert_eq!(again.session, issued.session);
    assert!(edge.active(again.access()) && !edge.active(issued.access()));
    assert_eq!(edge.sign_in("ada").both(), again.both());
    assert!(edge.active(issued.refresh()), "as the one before the current");
}

#[test]
fn all_copies_of_an_access_token_die_together() {
    let edge = Edge::new();
    let first = edge.sign_in("ada");
    let second = edge.refresh("atoms-cli", first.refresh()).unwrap();
    edge.revoke("atoms-cli", &[("token", second.access())]).unwrap();
    let replayed = edge.refresh("atoms-cli", first.refresh()).unwrap();
    assert!(!edge.active(replayed.access()), "a replay does not bring it back");
}

#[test]
fn cascade_takes_the_session_along() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let other = edge.sign_in_at("atoms-web", "ada");
    let parameters = [("token", issued.access()), ("cascade", "true")];
    assert_eq!(edge.revoke("atoms-cli", &parameters), Ok("revoked"));
    assert!(!edge.active(issued.refresh()) && !edge.active(issued.access()));
    assert!(edge.active(other.access()), "another session of the person lives");
    for bad in ["yes", "1", "TRUE"] {
        let parameters = [("token", other.access()), ("cascade", bad)];
        assert_eq!(word(edge.revoke("atoms-web", &parameters)), "invalid_request", "{bad}");
    }
    let parameters = [("token", other.access()), ("cascade", "false")];
    assert_eq!(edge.revoke("atoms-web", &parameters), Ok("revoked"));
    assert!(edge.active(other.refresh()));
}

#[test]
fn v3_what_is_unknown_malformed_or_revoked_already_is_fine() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let (access, refresh) = (issued.access(), issued.refresh());
    for text in [
        "x".to_owned(),
        "ar1_x".to_owned(),
        "a.b.c".to_owned(),
        without_macs(access),
        tampered(refresh, refresh.len() - 3),
        edge.world.authkit("ada", "s"),
    ] {
        let outcome = edge.revoke("atoms-cli", &[("token", &text)]);
        assert_eq!(outcome, Ok("nothing_to_revoke"), "{text}");
    }
    assert!(edge.active(access) && edge.active(refresh), "nobody was harmed");
    for _ in 0..2 {
        assert!(edge.revoke("atoms-cli", &[("token", access)]).is_ok());
        assert!(edge.revoke("atoms-cli", &[("token", refresh)]).is_ok());
    }
    edge.world.platform.advance(15 * MINUTE);
    assert!(edge.revoke("atoms-cli", &[("token", access)]).is_ok(), "expired");
    edge.world.platform.advance(30 * DAY);
    assert!(edge.revoke("atoms-cli", &[("token", refresh)]).is_ok(), "forgotten");
}

#[test]
fn v4_the_hint_never_decides() {
    for hint in ["access_token", "refresh_token", "id_token"] {
        let edge = Edge::new();
        let (ada, bob) = (edge.sign_in("ada"), edge.sign_in("bob"));
        for token in [ada.refresh(), bob.access()] {
            let parameters = [("token", token), ("token_type_hint", hint)];
            assert_eq!(edge.revoke("atoms-cli", &parameters), Ok("revoked"), "{hint}");
            assert!(!edge.active(token), "{hint}");
        }
    }
}

#[test]
fn v5_a_token_is_needed() {
    let edge = Edge::new();
    for parameters in [[].as_slice(), &[("token", "")], &[("refresh_token", "x")]] {
        assert_eq!(word(edge.revoke("atoms-cli", parameters)), "invalid_request");
    }
}

#[test]
fn v6_bad_client_authentication_revokes_nothing() {
    let edge = Edge::new();
    let issued = edge.sign_in_at("atoms-service", "ada");
    let parameters = form(&[("token", issued.refresh())]);
    for header in [None, Some(basic("atoms-service", "wrong"))] {
        let outcome = block_on(edge.authenticate(header.as_deref(), &parameters));
        assert_eq!(word(outcome), "invalid_client");
    }
    assert!(edge.active(issued.refresh()));
}

#[test]
fn v7_another_clients_token_survives() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    for token in [issued.access(), issued.refresh()] {
        for cascade in ["false", "true"] {
            let parameters = [("token", token), ("cascade", cascade)];
            assert_eq!(word(edge.revoke("atoms-web", &parameters)), "invalid_grant");
            assert_eq!(word(edge.revoke("third-party", &parameters)), "invalid_grant");
        }
    }
    assert!(edge.active(issued.access()) && edge.active(issued.refresh()));
}

#[test]
fn v9_an_introspection_answer_is_a_type_of_ours_that_cannot_be_revoked() {
    let edge = Edge::new();
    let typed = |typ: &str| {
        let header = base64url(format!("{{\"alg\":\"EdDSA\",\"typ\":\"{typ}\"}}").as_bytes());
        format!("{header}.e30.AAAA")
    };
    for (typ, expected) in [
        ("token-introspection+jwt", "unsupported_token_type"),
        ("application/Token-Introspection+jwt", "unsupported_token_type"),
    ] {
        let answer = edge.revoke("atoms-cli", &[("token", &typed(typ))]);
        assert_eq!(word(answer), expected, "{typ}");
    }
    let foreign = edge.revoke("atoms-cli", &[("token", &typed("JWT"))]);
    assert_eq!(foreign, Ok("nothing_to_revoke"), "of types that are not ours nobody knows");
}

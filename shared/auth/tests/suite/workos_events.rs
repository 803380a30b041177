//! WorkOS's webhook: a sign-out there is a sign-out here, and nobody else can cause one.

use auth::login::{self, Login, LoginSettings};
use auth::workos_events::{EventError, receive};
use futures::executor::block_on;
use oauth::workos_signature::{InvalidSignature, sign};
use serde_json::{Value, json};
use testing::{Dependency, Fault, WORKOS_WEBHOOK_SECRET};

use crate::login::{browser, login_of};
use crate::support::{Edge, HOUR, MINUTE, SECOND, word};

fn deliver(edge: &Edge, signature: Option<&str>, body: &str) -> Result<&'static str, EventError> {
    let (platform, settings) = (&edge.world.platform, &edge.settings);
    block_on(receive(platform, settings, WORKOS_WEBHOOK_SECRET, signature, body.as_bytes()))
}

fn signed(edge: &Edge, event: &Value) -> Result<&'static str, EventError> {
    let body = event.to_string();
    let now = ports::Clock::now(&edge.world.platform);
    let signature = sign(WORKOS_WEBHOOK_SECRET, now, body.as_bytes());
    deliver(edge, Some(&signature), &body)
}

fn revoked(session: &str, user: &str) -> Value {
    let data = json!({ "object": "session", "id": session, "user_id": user });
    json!({ "id": "event_1", "event": "session.revoked", "data": data })
}

#[test]
fn a_sign_out_at_workos_ends_the_sessions_of_that_sign_in_at_once() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let web = edge.exchange("atoms-web", &token, &[]).unwrap();
    let cli = edge.exchange("atoms-cli", &token, &[]).unwrap();
    let other = edge.exchange("atoms-web", &edge.world.authkit("ada", "t"), &[]).unwrap();
    let bob = edge.sign_in("bob");
    edge.world.platform.advance(SECOND);
    assert_eq!(signed(&edge, &revoked("s", "ada")), Ok("sessions_ended"));
    for ended in [&web, &cli] {
        assert!(!edge.active(ended.access()) && !edge.active(ended.refresh()));
    }
    assert_eq!(word(edge.refresh("atoms-web", web.refresh())), "invalid_grant");
    assert!(edge.active(other.access()) && edge.active(bob.access()));
    // The AuthKit access token outlives the sign-in for some minutes, and is of no use here.
    for client in ["atoms-web", "atoms-cli", "atoms-service"] {
        assert_eq!(word(edge.exchange(client, &token, &[])), "invalid_request", "{client}");
    }
}

#[test]
fn an_event_may_come_any_number_of_times_and_of_what_we_do_not_know() {
    let edge = Edge::new();
    edge.sign_in("ada");
    assert_eq!(signed(&edge, &revoked("sign-in of ada", "ada")), Ok("sessions_ended"));
    // Somebody may be signed in by it in a browser, of which we keep nothing.
    for event in [revoked("another", "ada"), revoked("s", "nobody")] {
        assert_eq!(signed(&edge, &event), Ok("nothing_to_end"), "{event}");
    }
    let before = edge.world.platform.ledgers();
    for event in [
        revoked("sign-in of ada", "ada"),
        revoked("another", "ada"),
        revoked("s", "nobody"),
        json!({ "event": "user.created", "data": { "id": "ada" } }),
        json!({ "event": "session.created" }),
        json!({ "event": "" }),
    ] {
        assert!(matches!(signed(&edge, &event), Ok("nothing_to_end" | "ignored")), "{event}");
        assert_eq!(edge.world.platform.ledgers(), before);
    }
}

#[test]
fn a_person_who_is_deleted_there_has_no_sessions_here() {
    let edge = Edge::new();
    let sessions = [edge.sign_in("ada"), edge.sign_in_at("atoms-web", "ada")];
    let bob = edge.sign_in("bob");
    let event = json!({ "event": "user.deleted", "data": { "id": "ada", "object": "user" } });
    for outcome in ["sessions_ended", "nothing_to_end", "nothing_to_end"] {
        assert_eq!(signed(&edge, &event), Ok(outcome));
    }
    assert!(sessions.iter().all(|session| !edge.active(session.access())));
    assert!(edge.active(bob.access()));
}

#[test]
fn who_is_signed_out_or_deleted_there_is_signed_out_in_browsers_here() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    let settings = LoginSettings::load(platform).unwrap();
    let who = |login: &Login| {
        let headers = browser(platform, &settings, login);
        let current = login::current(platform, &edge.settings, &settings, &headers);
        block_on(current).unwrap().is_some()
    };
    let ada = login_of(platform, "ada");
    let other = Login { sign_in: "another".to_owned(), ..login_of(platform, "ada") };
    let bob = login_of(platform, "bob");
    assert!(who(&ada) && who(&other) && who(&bob));
    assert_eq!(signed(&edge, &revoked(&ada.sign_in, "ada")), Ok("nothing_to_end"));
    assert!(!who(&ada) && who(&other) && who(&bob));
    let event = json!({ "event": "user.deleted", "data": { "id": "ada", "object": "user" } });
    assert_eq!(signed(&edge, &event), Ok("nothing_to_end"));
    assert!(!who(&other) && who(&bob));
    // The same names mean nothing of anybody else.
    assert_eq!(signed(&edge, &revoked(&bob.sign_in, "ada")), Ok("nothing_to_end"));
    assert!(who(&bob));
}

#[test]
fn the_limits_of_a_person_are_not_for_their_provider() {
    let edge = Edge::with(&[("RATE_LIMIT_TIER", "1"), ("SESSION_MAX", "20")]);
    for number in 0..8 {
        let session = format!("s{number}");
        let token = edge.world.authkit("ada", &session);
        edge.exchange("atoms-web", &token, &[]).unwrap();
        assert_eq!(signed(&edge, &revoked(&session, "ada")), Ok("sessions_ended"));
    }
}

#[test]
fn what_workos_did_not_sign_or_not_now_does_nothing() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let body = revoked("sign-in of ada", "ada").to_string();
    let now = testing::NOW;
    let good = sign(WORKOS_WEBHOOK_SECRET, now, body.as_bytes());
    let wrong = Err(EventError::Signature(InvalidSignature::Wrong));
    let forged = sign("another secret", now, body.as_bytes());
    assert_eq!(deliver(&edge, Some(&forged), &body), wrong);
    assert_eq!(deliver(&edge, Some(&good), &body.replace("ada", "eve")), wrong);
    for absent in [None, Some(""), Some("v1=00")] {
        let malformed = Err(EventError::Signature(InvalidSignature::Malformed));
        assert_eq!(deliver(&edge, absent, &body), malformed);
    }
    for time in [now - 5 * MINUTE - 1, now + HOUR] {
        let signature = sign(WORKOS_WEBHOOK_SECRET, time, body.as_bytes());
        let late = Err(EventError::Signature(InvalidSignature::NotNow));
        assert_eq!(deliver(&edge, Some(&signature), &body), late);
    }
    assert!(edge.active(issued.access()));
    // One that was recorded ends what it ended, and later nothing at all.
    assert_eq!(deliver(&edge, Some(&good), &body), Ok("sessions_ended"));
    edge.world.platform.advance(SECOND);
    let again = edge.sign_in("ada");
    edge.world.platform.advance(5 * MINUTE);
    assert!(deliver(&edge, Some(&good), &body).is_err());
    assert!(edge.active(again.access()));
}

#[test]
fn what_is_signed_and_no_event_is_refused() {
    let edge = Edge::new();
    let now = testing::NOW;
    for body in [
        "",
        "[]",
        "{}",
        "{\"event\":7}",
        "{\"event\":\"session.revoked\"}",
        "{\"event\":\"session.revoked\",\"data\":[]}",
        "{\"event\":\"session.revoked\",\"data\":{\"id\":\"s\"}}",
        "{\"event\":\"session.revoked\",\"data\":{\"id\":\"s\",\"user_id\":\"\"}}",
        "{\"event\":\"session.revoked\",\"data\":{\"id\":7,\"user_id\":\"ada\"}}",
        "{\"event\":\"user.deleted\",\"data\":null}",
    ] {
        let signature = sign(WORKOS_WEBHOOK_SECRET, now, body.as_bytes());
        assert_eq!(deliver(&edge, Some(&signature), body), Err(EventError::Malformed), "{body}");
    }
}

#[test]
fn the_ledger_away_is_told_so_that_workos_tries_again() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    for fault in [Fault::Away, Fault::AnswerLost] {
        edge.world.platform.fail_times(Dependency::Ledger, fault, 1);
        let outcome = signed(&edge, &revoked("sign-in of ada", "ada"));
        assert!(matches!(outcome, Err(EventError::Unavailable(_))), "{outcome:?}");
    }
    assert_eq!(signed(&edge, &revoked("sign-in of ada", "ada")), Ok("sessions_ended"));
    assert!(!edge.active(issued.access()));
}

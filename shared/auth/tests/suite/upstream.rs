//! AuthKit grants: handed over at sign-in, renewed when a client refreshes, and what that costs a
//! client when WorkOS is away or says no.

use auth::sessions::{Caller, authorize, list};
use bytes::Bytes;
use futures::executor::block_on;
use futures::future::join_all;
use http::StatusCode;
use ledger::{AuditKind, State, UpstreamState};
use oauth::scope::SESSIONS_READ;
use testing::{Dependency, Fault};

use crate::support::{DAY, Edge, HOUR, Issued, MINUTE, SECOND, calling, form, word};

const REFRESH_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const SERVICE: &str = "atoms-service";
/// AuthKit access tokens of the fake live five minutes, so a grant is due when it has rested.
const DUE: u64 = 10 * SECOND;

fn hand_over(edge: &Edge, client: &str, token: &str) -> Result<Issued, auth::Failure> {
    let parameters = [
        ("subject_token", token),
        ("subject_token_type", REFRESH_TOKEN_TYPE),
        ("scope", "offline_access sessions:read"),
    ];
    edge.exchange_form(client, &form(&parameters))
}

/// A session of a person with a grant, of a sign-in of their name.
fn granted(edge: &Edge, user: &str) -> Issued {
    let token = edge.world.workos.grant(user, user);
    hand_over(edge, SERVICE, &token).unwrap()
}

fn refresh(edge: &Edge, issued: &Issued) -> Result<Issued, auth::Failure> {
    edge.refresh(SERVICE, issued.refresh())
}

/// The grant as the ledger keeps it.
fn kept(edge: &Edge) -> ledger::Upstream {
    edge.world.platform.ledgers()[0].sessions[0].upstream.clone().unwrap()
}

fn kinds(edge: &Edge) -> Vec<AuditKind> {
    edge.world.platform.audit().iter().map(|event| event.kind).collect()
}

/// What the person sees of it.
fn shown(edge: &Edge, issued: &Issued) -> Option<&'static str> {
    let (platform, settings) = (&edge.world.platform, &edge.settings);
    let header = format!("Bearer {}", issued.access());
    let request = calling(Some(&header));
    let person = authorize(platform, settings, &edge.resource, &request, SESSIONS_READ);
    let acting = Caller::Person(Box::new(block_on(person).unwrap())).acting(settings, None);
    let acting = acting.unwrap();
    block_on(list(platform, settings, &acting)).unwrap().value[0].upstream
}

#[test]
fn a_service_hands_its_grant_over_and_gets_a_session_that_holds_it() {
    let edge = Edge::new();
    let token = edge.world.workos.grant("ada", "s");
    let issued = hand_over(&edge, SERVICE, &token).unwrap();
    assert_eq!(edge.claims(issued.access()).sub, "ada");
    assert_eq!(shown(&edge, &issued), Some("active"));
    assert_eq!(edge.world.workos.renewals(), 1, "the copy of the client is dead");
    assert_eq!(kept(&edge).issued_at, testing::NOW);
    assert_eq!(kept(&edge).expires_at, testing::NOW + 5 * MINUTE);
    let plain = edge.sign_in("bob");
    assert_eq!(shown(&edge, &plain), None, "an access token comes with none");
}

#[test]
fn only_first_party_clients_that_keep_a_secret_may_hand_one_over() {
    let edge = Edge::new();
    let token = edge.world.workos.grant("ada", "s");
    for client in ["atoms-web", "atoms-cli", "third-party", "atoms-api"] {
        assert_eq!(word(hand_over(&edge, client, &token)), "unauthorized_client", "{client}");
    }
    edge.world.database.change(SERVICE, |client| client.first_party = false);
    assert_eq!(word(hand_over(&edge, SERVICE, &token)), "unauthorized_client");
    assert_eq!(edge.world.workos.renewals(), 0, "and it is as good as before");
}

#[test]
fn a_token_that_is_not_in_force_is_refused_as_rfc_8693_says() {
    let edge = Edge::new();
    let token = edge.world.workos.grant("ada", "s");
    edge.world.workos.end("s");
    for token in [token.as_str(), "made-up", &"x".repeat(2_000)] {
        assert_eq!(word(hand_over(&edge, SERVICE, token)), "invalid_request");
    }
    assert!(edge.world.platform.ledgers().is_empty());
}

#[test]
fn one_sign_in_is_one_session_also_when_its_grant_comes_later() {
    let edge = Edge::new();
    let first = edge.exchange(SERVICE, &edge.world.authkit("ada", "s"), &[]).unwrap();
    assert_eq!(shown(&edge, &first), None);
    let token = edge.world.workos.grant("ada", "s");
    let parameters =
        [("subject_token", token.as_str()), ("subject_token_type", REFRESH_TOKEN_TYPE)];
    let second = edge.exchange_form(SERVICE, &form(&parameters)).unwrap();
    assert_eq!(second.both(), first.both());
    assert_eq!(shown(&edge, &second), Some("active"));
}

#[test]
fn a_hand_over_that_failed_on_our_side_is_repeated_with_the_same_token() {
    let edge = Edge::new();
    let token = edge.world.workos.grant("ada", "s");
    for dependency in [Dependency::Sql, Dependency::Ledger] {
        for fault in [Fault::Away, Fault::AnswerLost] {
            edge.world.platform.fail_times(dependency, fault, 1);
            assert_eq!(word(hand_over(&edge, SERVICE, &token)), "unavailable");
        }
    }
    let issued = hand_over(&edge, SERVICE, &token).unwrap();
    assert_eq!(edge.world.workos.renewals(), 1);
    assert_eq!(shown(&edge, &issued), Some("active"));
    // Not by another client, and not for ever.
    edge.world.database.change("atoms-api", |client| {
        let service = ["urn:ietf:params:oauth:grant-type:token-exchange".to_owned()];
        (client.first_party, client.grant_types) = (true, service.to_vec());
        client.scopes = vec!["offline_access".to_owned(), "sessions:read".to_owned()];
    });
    assert_eq!(word(hand_over(&edge, "atoms-api", &token)), "invalid_request");
    edge.world.platform.advance(HOUR);
    assert_eq!(word(hand_over(&edge, SERVICE, &token)), "invalid_request");
}

#[test]
fn a_repeated_hand_over_does_not_bring_an_older_grant_back() {
    let edge = Edge::new();
    let token = edge.world.workos.grant("ada", "s");
    let issued = hand_over(&edge, SERVICE, &token).unwrap();
    edge.world.platform.advance(DUE);
    refresh(&edge, &issued).unwrap();
    let newest = kept(&edge);
    hand_over(&edge, SERVICE, &token).unwrap();
    assert_eq!(kept(&edge), newest);
}

#[test]
fn a_hand_over_does_not_revive_a_session_that_was_ended() {
    let edge = Edge::new();
    let token = edge.world.workos.grant("ada", "s");
    let issued = hand_over(&edge, SERVICE, &token).unwrap();
    edge.revoke(SERVICE, &[("token", issued.refresh())]).unwrap();
    assert_eq!(word(hand_over(&edge, SERVICE, &token)), "invalid_request");
}

#[test]
fn workos_away_at_a_hand_over_is_an_outage() {
    let edge = Edge::new();
    let token = edge.world.workos.grant("ada", "s");
    let wrong_key = Fault::Answers(StatusCode::UNAUTHORIZED, Bytes::from_static(b"{}"));
    for fault in [Fault::Away, Fault::Timeout, wrong_key] {
        edge.world.platform.fail_times(Dependency::Workos, fault, 1);
        assert_eq!(word(hand_over(&edge, SERVICE, &token)), "unavailable");
    }
    assert!(hand_over(&edge, SERVICE, &token).is_ok());
}

#[test]
fn a_grant_is_renewed_when_a_client_refreshes_and_it_is_due() {
    let edge = Edge::new();
    edge.world.workos.tell("ada", "exp", 3_600);
    let token = edge.world.workos.grant("ada", "ada");
    edge.world.workos.tell("ada", "exp", 3_600);
    let mut issued = hand_over(&edge, SERVICE, &token).unwrap();
    edge.world.platform.advance(54 * MINUTE);
    issued = refresh(&edge, &issued).unwrap();
    assert_eq!(edge.world.workos.renewals(), 1, "not due yet");
    edge.world.platform.advance(MINUTE);
    issued = refresh(&edge, &issued).unwrap();
    assert_eq!(edge.world.workos.renewals(), 2);
    assert_eq!(kept(&edge).expires_at, testing::NOW + 115 * MINUTE);
    refresh(&edge, &issued).unwrap();
    assert_eq!(edge.world.workos.renewals(), 2);
}

#[test]
fn of_parallel_refreshes_one_renews_the_grant_and_all_converge() {
    let edge = Edge::new();
    let issued = granted(&edge, "ada");
    edge.world.platform.advance(DUE);
    let (record, parameters) = (edge.record(SERVICE), form(&[("refresh_token", issued.refresh())]));
    let racers = (0..20).map(|_| edge.refresh_as(&record, &parameters));
    let answers: Vec<_> = block_on(join_all(racers)).into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| answer.both() == answers[0].both()), "byte for byte");
    assert_eq!(edge.world.workos.renewals(), 2, "the hand-over, and one more");
    assert!(refresh(&edge, &answers[0]).is_ok());
}

#[test]
fn the_tokens_speak_of_what_workos_says_at_that_moment() {
    let edge = Edge::new();
    let issued = granted(&edge, "ada");
    let home = edge.claims(issued.access());
    edge.world.workos.tell("ada", "org_id", "org_acme");
    edge.world.workos.tell("ada", "role", "admin");
    edge.world.platform.advance(DUE);
    let moved = refresh(&edge, &issued).unwrap();
    let acme = edge.claims(moved.access());
    assert!(acme.org != home.org && acme.roles == ["admin"]);
    assert!(kinds(&edge).contains(&AuditKind::SessionMoved));
    edge.world.workos.tell("ada", "role", "viewer");
    edge.world.platform.advance(DUE);
    let demoted = edge.claims(refresh(&edge, &moved).unwrap().access());
    assert_eq!((demoted.org, demoted.roles), (acme.org, vec!["viewer".to_owned()]));
}

#[test]
fn a_change_that_the_database_could_not_be_told_of_is_found_again() {
    let edge = Edge::new();
    let mut issued = granted(&edge, "ada");
    edge.world.workos.tell("ada", "org_id", "org_acme");
    edge.world.platform.advance(DUE);
    edge.world.platform.fail(Dependency::Sql, Fault::Away);
    let home = edge.claims(issued.access()).org;
    issued = refresh(&edge, &issued).unwrap();
    assert_eq!((edge.claims(issued.access()).org, edge.world.workos.renewals()), (home.clone(), 2));
    edge.world.platform.heal(Dependency::Sql);
    edge.world.platform.advance(DUE);
    issued = refresh(&edge, &issued).unwrap();
    assert_ne!(edge.claims(issued.access()).org, home);
}

#[test]
fn f16_a_grant_that_workos_has_ended_ends_the_session() {
    let edge = Edge::new();
    let issued = granted(&edge, "ada");
    edge.world.workos.end("ada");
    edge.world.platform.advance(DUE);
    assert_eq!(word(refresh(&edge, &issued)), "invalid_grant");
    assert!(!edge.active(issued.access()) && !edge.active(issued.refresh()));
    assert!(kinds(&edge).contains(&AuditKind::SessionUpstreamEnded));
    let ended = edge.world.platform.ledgers()[0].sessions[0].clone();
    assert!(matches!(ended.state, State::Ended { .. }) && ended.upstream.is_none());
}

#[test]
fn workos_away_never_costs_a_refresh_nor_a_session() {
    let html = Bytes::from_static(b"<html>");
    for fault in [
        Fault::Away,
        Fault::Timeout,
        Fault::AnswerLost,
        Fault::Answers(StatusCode::OK, html.clone()),
        Fault::Answers(StatusCode::UNAUTHORIZED, Bytes::from_static(br#"{"code":"unauthorized"}"#)),
        Fault::Answers(StatusCode::NOT_FOUND, html.clone()),
        Fault::Answers(StatusCode::TOO_MANY_REQUESTS, html.clone()),
        Fault::Answers(StatusCode::INTERNAL_SERVER_ERROR, html.clone()),
        Fault::Answers(StatusCode::BAD_GATEWAY, html),
    ] {
        let edge = Edge::new();
        let mut issued = granted(&edge, "ada");
        edge.world.platform.fail(Dependency::Workos, fault.clone());
        for _ in 0..20 {
            edge.world.platform.advance(10 * MINUTE);
            issued = refresh(&edge, &issued).unwrap();
            assert!(edge.active(issued.access()), "{fault:?}");
        }
        assert_eq!(kept(&edge).failures, 20);
        edge.world.platform.heal(Dependency::Workos);
        edge.world.platform.advance(10 * MINUTE);
        issued = refresh(&edge, &issued).unwrap();
        // What was lost was lost once; all else goes on as before.
        let lost = fault == Fault::AnswerLost;
        let expected = if lost { UpstreamState::NeedsSignIn } else { UpstreamState::Good };
        assert_eq!(kept(&edge).state, expected, "{fault:?}");
        assert!(edge.active(issued.access()));
    }
}

#[test]
fn while_workos_is_away_it_is_asked_less_and_less_often() {
    let edge = Edge::new();
    let mut issued = granted(&edge, "ada");
    edge.world.platform.fail(Dependency::Workos, Fault::Away);
    let before = edge.world.platform.calls(Dependency::Workos);
    for _ in 0..600 {
        edge.world.platform.advance(SECOND);
        issued = refresh(&edge, &issued).unwrap();
    }
    let asked = edge.world.platform.calls(Dependency::Workos) - before;
    // 10 s, and then 1 to 2, 2 to 4, … 128 to 256 and 150 to 300 s later.
    assert!((8..=11).contains(&asked), "{asked}");
}

#[test]
fn a_lost_answer_costs_the_grant_and_not_the_session_until_the_next_sign_in() {
    let edge = Edge::new();
    let mut issued = granted(&edge, "ada");
    edge.world.platform.advance(DUE);
    edge.world.platform.fail_times(Dependency::Workos, Fault::AnswerLost, 1);
    issued = refresh(&edge, &issued).unwrap();
    assert_eq!(shown(&edge, &issued), Some("active"), "perhaps nothing is lost");
    edge.world.platform.advance(MINUTE);
    issued = refresh(&edge, &issued).unwrap();
    assert_eq!(shown(&edge, &issued), Some("sign_in_required"));
    assert!(kinds(&edge).contains(&AuditKind::UpstreamSignIn));
    let calls = edge.world.platform.calls(Dependency::Workos);
    edge.world.platform.advance(DAY);
    issued = refresh(&edge, &issued).unwrap();
    assert_eq!(edge.world.platform.calls(Dependency::Workos), calls, "there is nothing to ask");
    let token = edge.world.workos.grant("ada", "ada");
    let again = hand_over(&edge, SERVICE, &token).unwrap();
    assert_eq!((again.session.as_str(), shown(&edge, &again)), (&*issued.session, Some("active")));
}

#[test]
fn who_dies_with_the_lease_holds_nobody_up() {
    let edge = Edge::new();
    let mut issued = granted(&edge, "ada");
    edge.world.platform.advance(DUE);
    let (record, parameters) = (edge.record(SERVICE), form(&[("refresh_token", issued.refresh())]));
    // Dropped in the midst of it, as an isolate is: after the claim, before the answer is stored.
    let mut dying = Box::pin(edge.refresh_as(&record, &parameters));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while edge.world.workos.renewals() < 2 {
        assert!(dying.as_mut().poll(&mut context).is_pending());
    }
    drop(dying);
    issued = refresh(&edge, &issued).unwrap();
    assert_eq!(edge.world.workos.renewals(), 2, "the lease is out");
    edge.world.platform.advance(MINUTE);
    issued = refresh(&edge, &issued).unwrap();
    assert!(kinds(&edge).contains(&AuditKind::UpstreamAnswerLost));
    assert_eq!(shown(&edge, &issued), Some("sign_in_required"));
    assert!(edge.active(issued.access()));
}

#[test]
fn the_ledger_away_in_the_midst_of_it_is_an_outage() {
    let edge = Edge::new();
    let issued = granted(&edge, "ada");
    edge.world.platform.advance(DUE);
    // The refresh, the claim, the answer: each may find it away.
    for calls_before in 0..4 {
        let (record, parameters) =
            (edge.record(SERVICE), form(&[("refresh_token", issued.refresh())]));
        let before = edge.world.platform.calls(Dependency::Ledger);
        let mut request = Box::pin(edge.refresh_as(&record, &parameters));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let outcome = loop {
            if edge.world.platform.calls(Dependency::Ledger) - before == calls_before {
                edge.world.platform.fail(Dependency::Ledger, Fault::Away);
            }
            if let std::task::Poll::Ready(outcome) = request.as_mut().poll(&mut context) {
                break outcome;
            }
        };
        edge.world.platform.heal(Dependency::Ledger);
        if let Err(failure) = outcome {
            assert!(matches!(failure, auth::Failure::Unavailable(_)), "{failure:?}");
        }
        edge.world.platform.advance(MINUTE);
    }
    assert!(refresh(&edge, &issued).is_ok(), "nothing was consumed");
}

#[test]
fn a_token_that_is_not_the_newest_renews_nothing() {
    let edge = Edge::new();
    let issued = granted(&edge, "ada");
    edge.world.platform.advance(SECOND);
    let next = refresh(&edge, &issued).unwrap();
    edge.world.platform.advance(DUE);
    assert_eq!(refresh(&edge, &issued).unwrap().both(), next.both(), "a replay");
    assert_eq!(word(edge.refresh("atoms-cli", next.refresh())), "invalid_grant", "a thief");
    assert_eq!(edge.world.workos.renewals(), 1);
}

#[test]
fn an_answer_about_another_person_is_none() {
    let edge = Edge::new();
    let mut issued = granted(&edge, "ada");
    edge.world.workos.tell("ada", "sub", "mallory");
    edge.world.platform.advance(DUE);
    issued = refresh(&edge, &issued).unwrap();
    assert_eq!(edge.claims(issued.access()).sub, "ada");
    assert_eq!(kept(&edge).failures, 1);
}

#[test]
fn a_grant_opens_at_its_own_session_only() {
    let edge = Edge::new();
    let (ada, bob) = (granted(&edge, "ada"), granted(&edge, "bob"));
    let place = |user: &str| edge.settings.user_ledger(user);
    let mut stolen = edge.world.platform.ledger(&place("bob")).unwrap();
    let grant = edge.world.platform.ledger(&place("ada")).unwrap().sessions[0].upstream.clone();
    stolen.sessions[0].upstream = grant;
    edge.world.platform.restore_ledger(place("bob"), stolen);
    edge.world.platform.advance(DUE);
    let renewals = edge.world.workos.renewals();
    refresh(&edge, &bob).unwrap();
    assert_eq!(edge.world.workos.renewals(), renewals, "it does not open");
    refresh(&edge, &ada).unwrap();
    assert_eq!(edge.world.workos.renewals(), renewals + 1);
}

#[test]
fn the_refresh_token_of_workos_is_in_no_answer_no_store_and_no_log() {
    let edge = Edge::new();
    let token = edge.world.workos.grant("ada", "canary");
    let mut issued = hand_over(&edge, SERVICE, &token).unwrap();
    let mut told = vec![format!("{issued:?}")];
    for fault in [None, Some(Fault::Away), Some(Fault::AnswerLost)] {
        edge.world.platform.advance(10 * MINUTE);
        if let Some(fault) = fault {
            edge.world.platform.fail_times(Dependency::Workos, fault, 1);
        }
        issued = refresh(&edge, &issued).unwrap();
        told.push(format!("{issued:?}"));
        told.push(serde_json::to_string(&edge.world.platform.ledgers()).unwrap());
        told.push(format!("{:?}", edge.world.platform.audit()));
    }
    assert_eq!(edge.world.workos.renewals(), 3);
    told.extend(edge.world.platform.lines());
    told.extend(edge.world.platform.cached());
    for text in told {
        assert!(!text.contains("workos-refresh"), "{text}");
    }
}

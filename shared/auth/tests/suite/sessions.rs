//! A person's own sessions.

use auth::bearer::BearerError;
use auth::sessions::{
    Acting, Caller, SessionEntry, SessionsError, authorize, end, end_all, list, scope_for,
};
use futures::executor::block_on;
use oauth::scope::{SESSIONS_READ, SESSIONS_WRITE};
use testing::{Dependency, Fault, NOW};

use crate::support::{DAY, Edge, Issued, MINUTE, calling};

fn enter(edge: &Edge, token: &str, scope: &'static str) -> Result<Acting, SessionsError> {
    let header = format!("Bearer {token}");
    let platform = &edge.world.platform;
    let request = calling(Some(&header));
    let person = block_on(authorize(platform, &edge.settings, &edge.resource, &request, scope))?;
    Caller::Person(Box::new(person)).acting(&edge.settings, None)
}

fn caller(edge: &Edge, issued: &Issued) -> Acting {
    enter(edge, issued.access(), SESSIONS_WRITE).unwrap()
}

fn listed(edge: &Edge, acting: &Acting) -> Vec<SessionEntry> {
    block_on(list(&edge.world.platform, &edge.settings, acting)).unwrap().value
}

fn ended(edge: &Edge, acting: &Acting, session: &str) -> Result<(), SessionsError> {
    let platform = &edge.world.platform;
    block_on(end(platform, &edge.settings, acting, session, None)).map(|done| done.value)
}

fn all_ended(edge: &Edge, acting: &Acting, except: bool) -> Result<u32, SessionsError> {
    let platform = &edge.world.platform;
    block_on(end_all(platform, &edge.settings, acting, except, None)).map(|done| done.value)
}

#[test]
fn a_person_sees_their_sessions_the_last_used_first() {
    let edge = Edge::new();
    let cli = edge.sign_in("ada");
    edge.world.platform.advance(MINUTE);
    let web = edge.sign_in_at("atoms-web", "ada");
    edge.sign_in("bob");
    let sessions = listed(&edge, &enter(&edge, cli.access(), SESSIONS_READ).unwrap());
    let names: Vec<_> = sessions.iter().map(|entry| entry.id.to_string()).collect();
    assert_eq!(names.len(), 2, "none of bob's");
    assert!(names.contains(&cli.session) && names.contains(&web.session));
    let own = sessions.iter().find(|entry| entry.current).unwrap();
    assert_eq!(own.id.to_string(), cli.session);
    assert_eq!((own.client_id.as_str(), own.device.label.as_str()), ("atoms-cli", "curl"));
    assert_eq!(own.scope, cli.tokens.scope);
    assert_eq!(own.created_at, NOW / 1000, "in seconds");
    assert_eq!(own.last_seen_at, (NOW + MINUTE) / 1000, "this very request is use");
    assert_eq!(own.idle_expires_at, (NOW + MINUTE + 30 * MINUTE) / 1000);
    assert_eq!(own.expires_at, (NOW + DAY) / 1000);
    assert_eq!(sessions.iter().filter(|entry| entry.current).count(), 1);
}

#[test]
fn one_session_is_ended() {
    let edge = Edge::new();
    let (cli, web) = (edge.sign_in("ada"), edge.sign_in_at("atoms-web", "ada"));
    let caller = caller(&edge, &cli);
    let end = |session: &str| ended(&edge, &caller, session);
    assert_eq!(end(&web.session), Ok(()));
    assert!(!edge.active(web.access()) && edge.active(cli.access()));
    assert_eq!(end(&web.session), Ok(()), "the answer may have been lost");
    edge.world.platform.advance(MINUTE);
    let bob = edge.sign_in("bob");
    for unknown in [
        web.session.as_str(),
        &bob.session,
        "00112233445566778899aabbccddeeff",
        "x",
        "",
        &web.session.to_uppercase(),
    ] {
        assert_eq!(end(unknown), Err(SessionsError::NotFound), "{unknown}");
    }
    assert!(edge.active(bob.access()), "another person's session lives");
}

#[test]
fn a_lost_answer_to_an_ending_is_no_error_the_next_time() {
    let edge = Edge::new();
    let (cli, web) = (edge.sign_in("ada"), edge.sign_in_at("atoms-web", "ada"));
    let caller = caller(&edge, &cli);
    edge.world.platform.fail_times(Dependency::Ledger, Fault::AnswerLost, 1);
    let end = || ended(&edge, &caller, &web.session);
    assert!(matches!(end(), Err(SessionsError::Unavailable(_))));
    assert_eq!(end(), Ok(()));
}

#[test]
fn all_sessions_are_ended_or_all_but_the_current() {
    let edge = Edge::new();
    let (cli, web) = (edge.sign_in("ada"), edge.sign_in_at("atoms-web", "ada"));
    let bob = edge.sign_in("bob");
    let caller = caller(&edge, &cli);
    let end = |except| all_ended(&edge, &caller, except);
    assert_eq!(end(true), Ok(1));
    assert!(edge.active(cli.access()) && !edge.active(web.access()));
    assert_eq!(end(true), Ok(0), "repeating it changes nothing");
    assert_eq!(end(false), Ok(1));
    assert!(!edge.active(cli.access()) && edge.active(bob.access()));
}

#[test]
fn each_direction_has_its_scope() {
    let edge = Edge::new();
    assert_eq!((scope_for(true), scope_for(false)), (SESSIONS_READ, SESSIONS_WRITE));
    let token = edge.world.authkit("ada", "s");
    let issued = edge.exchange("atoms-cli", &token, &[("scope", SESSIONS_READ)]).unwrap();
    assert!(enter(&edge, issued.access(), SESSIONS_READ).is_ok());
    let outcome = enter(&edge, issued.access(), SESSIONS_WRITE);
    assert_eq!(outcome.map(drop), Err(SessionsError::Scope(SESSIONS_WRITE)));
}

#[test]
fn only_first_party_apps_with_a_token_for_the_issuer_are_let_in() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let refused = |token: &str| enter(&edge, token, SESSIONS_READ).map(drop).unwrap_err();
    let token = edge.world.authkit("ada", "t");
    let mcp = [("resource", "https://edge.example/mcp")];
    let other = edge.exchange("atoms-cli", &token, &mcp).unwrap();
    let wrong = SessionsError::Bearer(BearerError::Invalid("wrong audience"));
    assert_eq!(refused(other.access()), wrong);
    edge.world.database.change("atoms-cli", |client| client.first_party = false);
    assert_eq!(refused(issued.access()), SessionsError::ThirdParty);
    edge.world.database.change("atoms-cli", |client| {
        client.first_party = true;
        client.disabled = true;
    });
    edge.world.platform.advance(MINUTE);
    assert_eq!(refused(issued.access()), SessionsError::ThirdParty, "disabled");
    let missing = block_on(authorize(
        &edge.world.platform,
        &edge.settings,
        &edge.resource,
        &calling(None),
        SESSIONS_READ,
    ));
    assert_eq!(missing.map(drop), Err(SessionsError::Bearer(BearerError::Missing)));
}

#[test]
fn an_ended_session_is_let_in_no_more() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let caller = caller(&edge, &issued);
    ended(&edge, &caller, &issued.session).unwrap();
    let outcome = enter(&edge, issued.access(), SESSIONS_READ);
    let ended = SessionsError::Bearer(BearerError::Invalid("session ended"));
    assert_eq!(outcome.map(drop), Err(ended));
}

#[test]
fn an_outage_is_told_as_one() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let platform = &edge.world.platform;
    let enter = || enter(&edge, issued.access(), SESSIONS_WRITE);
    let outage = |error: SessionsError| {
        let bearer = matches!(error, SessionsError::Bearer(BearerError::Unavailable(_)));
        bearer || matches!(error, SessionsError::Unavailable(_))
    };
    platform.fail(Dependency::Sql, Fault::Away);
    assert!(outage(enter().unwrap_err()), "an unknown client cannot be judged");
    platform.heal(Dependency::Sql);
    let caller = enter().unwrap();
    platform.fail(Dependency::Sql, Fault::Away);
    assert!(enter().is_ok(), "a cached one can");
    platform.fail(Dependency::Ledger, Fault::Away);
    assert!(outage(enter().unwrap_err()));
    assert!(outage(block_on(list(platform, &edge.settings, &caller)).unwrap_err()));
    assert!(outage(all_ended(&edge, &caller, false).unwrap_err()));
    assert!(outage(ended(&edge, &caller, &issued.session).unwrap_err()));
    platform.heal(Dependency::Ledger);
    assert_eq!(listed(&edge, &caller).len(), 1, "nothing was ended");
}

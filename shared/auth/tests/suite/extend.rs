//! A session that goes on.

use auth::bearer::BearerError;
use auth::extend::extend;
use auth::issue::TokenResponse;
use auth::sessions::{SessionsError, authorize};
use futures::executor::block_on;
use oauth::scope::{SESSIONS_READ, SESSIONS_WRITE};
use testing::{Dependency, Fault};

use crate::support::{DAY, Edge, HOUR, Issued, MINUTE, calling, refresh_of, word};

fn extended(edge: &Edge, token: &str, id: &str) -> Result<TokenResponse, SessionsError> {
    let Edge { settings, client, mint, resource, .. } = edge;
    let (platform, header) = (&edge.world.platform, format!("Bearer {token}"));
    let request = calling(Some(&header));
    let person = block_on(authorize(platform, settings, resource, &request, SESSIONS_WRITE))?;
    block_on(extend(platform, settings, client, mint, &person, id)).map(|(tokens, _)| tokens)
}

fn own(edge: &Edge, issued: &Issued) -> TokenResponse {
    extended(edge, issued.access(), &issued.session).unwrap()
}

#[test]
fn the_session_goes_on_with_new_tokens_within_its_absolute_end() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(10 * MINUTE);
    let tokens = own(&edge, &issued);
    assert_ne!(refresh_of(&tokens), issued.refresh());
    assert_eq!(edge.claims(&tokens.access_token).sid.to_string(), issued.session);
    edge.world.platform.advance(29 * MINUTE);
    let next = edge.refresh("atoms-cli", refresh_of(&tokens)).unwrap();
    assert_eq!(next.session, issued.session, "idle anew");
    let mut last = next;
    for _ in 0..46 {
        edge.world.platform.advance(29 * MINUTE);
        let refreshed = edge.refresh("atoms-cli", last.refresh()).unwrap();
        last = Issued { tokens: own(&edge, &refreshed), ..refreshed };
    }
    let age = (10 + 29 * 47) * MINUTE;
    assert!(last.tokens.expires_in <= (DAY - age) / 1000, "the absolute end stays");
    edge.world.platform.advance(HOUR);
    assert_eq!(word(edge.refresh("atoms-cli", last.refresh())), "invalid_grant");
}

#[test]
fn the_token_before_converges_within_the_grace_and_is_reuse_after_it() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let tokens = own(&edge, &issued);
    assert_eq!(own(&edge, &issued).refresh_token, tokens.refresh_token, "a repeated call");
    let replayed = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    assert_eq!(replayed.refresh(), refresh_of(&tokens));
    edge.world.platform.advance(5 * MINUTE);
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "invalid_grant");
    assert!(!edge.active(refresh_of(&tokens)), "reuse");
}

#[test]
fn only_its_own_tokens_extend_a_session() {
    let edge = Edge::new();
    let (cli, bob) = (edge.sign_in("ada"), edge.sign_in("bob"));
    let web = edge.sign_in_at("atoms-web", "ada");
    let token = edge.world.authkit("ada", "another");
    let same_client = edge.exchange("atoms-cli", &token, &[]).unwrap();
    for other in [&web.session, &bob.session, &same_client.session] {
        assert_eq!(extended(&edge, cli.access(), other), Err(SessionsError::NotOwn));
    }
    for malformed in ["", "x", &cli.session.to_uppercase()] {
        assert_eq!(extended(&edge, cli.access(), malformed), Err(SessionsError::NotFound));
    }
    assert!(edge.active(same_client.refresh()) && edge.active(bob.refresh()));
}

#[test]
fn a_session_is_extended_by_who_may_write_and_while_it_lives() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let reader = edge.exchange("atoms-cli", &token, &[("scope", SESSIONS_READ)]).unwrap();
    let outcome = extended(&edge, reader.access(), &reader.session);
    assert_eq!(outcome, Err(SessionsError::Scope(SESSIONS_WRITE)));
    let issued = edge.sign_in("ada");
    edge.revoke("atoms-cli", &[("token", issued.refresh())]).unwrap();
    let ended = SessionsError::Bearer(BearerError::Invalid("session ended"));
    assert_eq!(extended(&edge, issued.access(), &issued.session), Err(ended));
}

#[test]
fn extensions_and_rotations_share_a_limit() {
    let edge = Edge::with(&[("RATE_LIMIT_TIER", "1")]);
    let mut issued = edge.sign_in("ada");
    for _ in 0..5 {
        let tokens = own(&edge, &issued);
        issued = Issued { tokens, ..issued };
        issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    }
    let outcome = extended(&edge, issued.access(), &issued.session);
    assert!(matches!(outcome, Err(SessionsError::Limited(_))), "{outcome:?}");
}

#[test]
fn an_outage_is_told_as_one_and_its_repetition_gives_the_same_tokens() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let platform = &edge.world.platform;
    assert!(extended(&edge, issued.access(), &issued.session).is_ok());
    let first = own(&edge, &issued);
    platform.fail(Dependency::Ledger, Fault::Away);
    let outcome = extended(&edge, issued.access(), &issued.session);
    let away = SessionsError::Bearer(BearerError::Unavailable("ledger: away".to_owned()));
    assert_eq!(outcome, Err(away));
    platform.heal(Dependency::Ledger);
    assert_eq!(own(&edge, &issued).refresh_token, first.refresh_token);
}

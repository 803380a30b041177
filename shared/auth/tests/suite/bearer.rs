//! Tokens at our own resources: RFC 6750, RFC 9068 section 4.

use auth::bearer::{Bearer, BearerError, authenticate};
use futures::executor::block_on;
use testing::{Dependency, Fault, PUBLIC_URL};

use crate::support::{Edge, MINUTE, calling, without_macs};

const MCP: &str = "https://edge.example/mcp";

fn enter(edge: &Edge, header: Option<&str>, audience: &str) -> Result<Bearer, BearerError> {
    let platform = &edge.world.platform;
    let request = calling(header);
    block_on(authenticate(platform, &edge.settings, &edge.resource, &request, audience))
}

fn with_token(edge: &Edge, token: &str) -> Result<Bearer, BearerError> {
    enter(edge, Some(&format!("Bearer {token}")), PUBLIC_URL)
}

fn reason(outcome: Result<Bearer, BearerError>) -> &'static str {
    match outcome.unwrap_err() {
        BearerError::Missing => "missing",
        BearerError::Invalid(reason) => reason,
        BearerError::Proof(invalid) => invalid.as_str(),
        BearerError::Nonce => "nonce",
        BearerError::Unavailable(_) => "unavailable",
        BearerError::Internal(_) => "internal",
    }
}

#[test]
fn a_token_in_force_lets_in() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        for audience in [PUBLIC_URL, MCP] {
            let header = format!("{scheme} {}", issued.access());
            let bearer = enter(&edge, Some(&header), audience).unwrap();
            assert_eq!(
                (bearer.claims.sub.as_str(), &bearer.standing.subject.id[..]),
                ("ada", "ada")
            );
            assert!(bearer.has_scope("sessions:read"));
            assert!(!bearer.has_scope("sessions") && !bearer.has_scope("offline_access"));
        }
    }
}

#[test]
fn without_a_token_none_is_called_invalid() {
    let edge = Edge::new();
    for header in [None, Some(""), Some("Basic YTpi"), Some("token"), Some("Bearerx")] {
        assert_eq!(reason(enter(&edge, header, PUBLIC_URL)), "missing", "{header:?}");
    }
}

#[test]
fn what_is_not_in_force_is_invalid() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let access = issued.access();
    assert_eq!(reason(with_token(&edge, "")), "malformed");
    assert_eq!(reason(with_token(&edge, "x")), "malformed");
    assert_eq!(reason(with_token(&edge, issued.refresh())), "malformed");
    assert_eq!(reason(with_token(&edge, &without_macs(access))), "bad signature");
    let upstream = edge.world.authkit("ada", "s");
    assert_eq!(reason(with_token(&edge, &upstream)), "wrong algorithm or type", "no passthrough");
    let elsewhere = Edge::with(&[("PUBLIC_URL", "https://other.example")]).sign_in("ada");
    assert_eq!(reason(with_token(&edge, elsewhere.access())), "wrong issuer");
    let header = format!("Bearer {access}");
    assert_eq!(reason(enter(&edge, Some(&header), "https://edge.example/other")), "wrong audience");
    edge.world.platform.advance(15 * MINUTE);
    assert_eq!(reason(with_token(&edge, access)), "expired");
}

#[test]
fn the_ledger_is_asked_every_time() {
    let edge = Edge::new();
    let (one, two) = (edge.sign_in("ada"), edge.sign_in_at("atoms-web", "ada"));
    edge.revoke("atoms-cli", &[("token", one.access())]).unwrap();
    edge.revoke("atoms-web", &[("token", two.refresh())]).unwrap();
    assert_eq!(reason(with_token(&edge, one.access())), "token revoked");
    assert_eq!(reason(with_token(&edge, two.access())), "session ended");
    let address = edge.settings.user_ledger("ada");
    edge.world.platform.restore_ledger(address, ledger::Ledger::default());
    assert_eq!(reason(with_token(&edge, two.access())), "unknown session");
}

#[test]
fn a_token_for_one_resource_is_none_for_another() {
    let edge = Edge::new();
    let token = edge.world.authkit("ada", "s");
    let issued = edge.exchange("atoms-cli", &token, &[("resource", MCP)]).unwrap();
    assert_eq!(reason(with_token(&edge, issued.access())), "wrong audience");
    assert!(enter(&edge, Some(&format!("Bearer {}", issued.access())), MCP).is_ok());
}

#[test]
fn the_ledger_away_is_no_verdict_on_the_token() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    for fault in [Fault::Away, Fault::AnswerLost] {
        edge.world.platform.fail(Dependency::Ledger, fault);
        assert_eq!(reason(with_token(&edge, issued.access())), "unavailable");
    }
    edge.world.platform.heal(Dependency::Ledger);
    assert!(with_token(&edge, issued.access()).is_ok());
}

#[test]
fn the_business_database_and_the_provider_are_not_needed() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    for dependency in [Dependency::Sql, Dependency::Workos, Dependency::Kv] {
        edge.world.platform.fail(dependency, Fault::Away);
    }
    assert!(with_token(&edge, issued.access()).is_ok());
}

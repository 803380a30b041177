//! The client credentials grant: RFC 6749 section 4.4, RFC 9068 section 2.2.

use auth::Failure;
use auth::bearer::{BearerError, authenticate};
use auth::sessions::{SessionsError, authorize};
use data::clients::ClientKind;
use futures::executor::block_on;
use futures::future::join_all;
use ledger::AuditKind;
use oauth::scope::SESSIONS_READ;
use ports::Place;
use serde_json::json;
use testing::{Dependency, Fault, NOW, PUBLIC_URL};

use crate::dpop::Holder;
use crate::support::{DAY, Edge, Issued, MINUTE, SECOND, calling, form, word};

const SERVICE: &str = "atoms-service";
const MCP: &str = "https://edge.example/mcp";

fn own(edge: &Edge, parameters: &[(&str, &str)]) -> Result<Issued, Failure> {
    edge.credentials_form(SERVICE, &form(parameters))
}

fn token(edge: &Edge) -> Issued {
    own(edge, &[]).unwrap()
}

#[test]
fn m12_a_client_gets_a_token_that_speaks_of_itself_and_no_refresh_token() {
    let edge = Edge::new();
    let issued = token(&edge);
    let tokens = &issued.tokens;
    assert_eq!((tokens.token_type, tokens.expires_in), ("Bearer", 900));
    assert_eq!((&tokens.refresh_token, tokens.issued_token_type), (&None, None));
    let claims = edge.claims(issued.access());
    assert_eq!((claims.iss.as_str(), claims.sub.as_str()), (PUBLIC_URL, SERVICE));
    assert_eq!((claims.client_id.as_str(), claims.sid.to_string()), (SERVICE, issued.session));
    assert_eq!((claims.iat, claims.exp), (NOW / 1000, NOW / 1000 + 900));
    assert!(claims.org.is_none() && claims.roles.is_empty());
    let body = serde_json::to_value(&claims).unwrap();
    assert!(body.get("org").is_none() && body.get("roles").is_none());
    assert!(claims.scope.contains("sessions:read") && !claims.scope.contains("offline_access"));
    assert!(claims.aud.contains(PUBLIC_URL) && claims.aud.contains(MCP));
}

#[test]
fn its_tokens_are_introspected_and_revoked_like_all_others() {
    let edge = Edge::new();
    let first = token(&edge);
    let told = edge.introspect(first.access());
    assert_eq!((&told["active"], &told["sub"]), (&json!(true), &json!(SERVICE)));
    assert_eq!(edge.revoke(SERVICE, &[("token", first.access())]), Ok("revoked"));
    assert!(!edge.active(first.access()));
    let second = token(&edge);
    assert!(edge.active(second.access()) && second.session == first.session);
    let whole = [("token", second.access()), ("cascade", "true")];
    edge.revoke(SERVICE, &whole).unwrap();
    assert!(!edge.active(second.access()));
    let third = token(&edge);
    assert!(edge.active(third.access()) && third.session != first.session, "it goes on at once");
    let _ = edge.revoke("atoms-cli", &[("token", third.access())]);
    assert!(edge.active(third.access()), "a stranger ends nothing");
}

#[test]
fn its_ledger_is_no_persons() {
    let edge = Edge::new();
    // Even if somebody is called so.
    let person = edge.sign_in(SERVICE);
    let issued = token(&edge);
    assert_eq!(edge.world.platform.ledgers().len(), 2);
    edge.revoke(SERVICE, &[("token", issued.access()), ("cascade", "true")]).unwrap();
    assert!(edge.active(person.access()));
}

#[test]
fn its_instances_share_one_token_while_it_is_fresh() {
    let edge = Edge::new();
    let (record, nothing) = (edge.record(SERVICE), form(&[]));
    let all = join_all((0..50).map(|_| edge.credentials_as(&record, &nothing)));
    let all: Vec<_> = block_on(all).into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|one| one.access() == all[0].access()));
    assert_eq!(all.iter().filter(|one| !one.repeated).count(), 1);
    edge.world.platform.advance(10 * MINUTE - SECOND);
    let still = token(&edge);
    assert_eq!((still.access(), still.tokens.expires_in), (all[0].access(), 301));
    edge.world.platform.advance(SECOND);
    let next = token(&edge);
    assert_ne!(next.access(), all[0].access());
    assert_eq!((next.tokens.expires_in, &next.session), (900, &still.session));
    assert!(edge.active(still.access()), "which ends nobody's before its time");
}

#[test]
fn it_never_gets_a_token_that_is_about_to_end() {
    let edge = Edge::new();
    let mut sessions = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let issued = token(&edge);
        assert!(issued.tokens.expires_in > 300, "{}", issued.tokens.expires_in);
        sessions.insert(issued.session);
        edge.world.platform.advance(11 * MINUTE);
    }
    assert!(300 * 11 * MINUTE > 2 * DAY && sessions.len() == 3, "one a day");
    let young = Edge::with(&[("ACCESS_TOKEN_SECONDS", "60"), ("REFRESH_GRACE_SECONDS", "30")]);
    let first = token(&young);
    young.world.platform.advance(39 * SECOND);
    assert_eq!(token(&young).access(), first.access(), "a third of a short life");
    young.world.platform.advance(SECOND);
    assert_ne!(token(&young).access(), first.access());
}

#[test]
fn each_part_that_is_asked_for_has_a_token_of_its_own() {
    let edge = Edge::new();
    let narrow = own(&edge, &[("scope", "sessions:read"), ("resource", MCP)]).unwrap();
    let wide = token(&edge);
    let again = own(&edge, &[("resource", MCP), ("scope", "sessions:read")]).unwrap();
    assert_eq!(narrow.session, wide.session);
    assert_eq!(narrow.access(), again.access());
    let (small, large) = (edge.claims(narrow.access()), edge.claims(wide.access()));
    assert_eq!(
        (small.scope.as_str(), small.aud.iter().collect::<Vec<_>>()),
        ("sessions:read", vec![MCP])
    );
    assert!(large.scope.contains("atoms:workspace.write") && large.jti != small.jti);
    edge.revoke(SERVICE, &[("token", narrow.access())]).unwrap();
    assert!(!edge.active(narrow.access()) && edge.active(wide.access()));
}

#[test]
fn it_gets_what_it_is_registered_for_by_now_and_nothing_else() {
    let edge = Edge::new();
    let asked = |scope: &str| word(own(&edge, &[("scope", scope)]));
    assert_eq!(asked("sessions:read made:up"), "invalid_scope");
    assert_eq!(asked("offline_access"), "invalid_scope", "there is nobody to be away");
    assert_eq!(word(own(&edge, &[("resource", "https://other.example")])), "invalid_target");
    assert!(edge.world.platform.ledgers().is_empty());
    let few = vec!["sessions:read".to_owned()];
    edge.world.database.change(SERVICE, |client| client.scopes = few);
    assert_eq!(token(&edge).tokens.scope, "sessions:read");
    let more = ["sessions:read", "audit:read"].map(str::to_owned).to_vec();
    edge.world.database.change(SERVICE, |client| client.scopes = more);
    assert_eq!(token(&edge).tokens.scope, "sessions:read audit:read");
    edge.world.database.change(SERVICE, |client| client.scopes.clear());
    assert_eq!(word(own(&edge, &[])), "invalid_scope");
}

#[test]
fn only_confidential_clients_that_are_registered_for_it_may() {
    let edge = Edge::new();
    for client in ["atoms-web", "atoms-cli", "third-party", "atoms-api"] {
        let refused = edge.credentials_form(client, &form(&[]));
        assert_eq!(word(refused), "unauthorized_client", "{client}");
    }
    edge.world.database.change(SERVICE, |client| client.kind = ClientKind::Public);
    assert_eq!(word(own(&edge, &[])), "unauthorized_client");
    assert!(edge.world.platform.ledgers().is_empty());
}

#[test]
fn it_is_let_in_as_itself_where_a_person_is_not_needed() {
    let edge = Edge::new();
    let (platform, settings) = (&edge.world.platform, &edge.settings);
    let request = calling(Some(&format!("Bearer {}", token(&edge).access())));
    let entered = block_on(authenticate(platform, settings, &edge.resource, &request, MCP));
    assert_eq!(entered.unwrap().standing.subject.id, SERVICE);
    let acting = authorize(platform, settings, &edge.resource, &request, SESSIONS_READ);
    assert_eq!(block_on(acting).unwrap_err(), SessionsError::ThirdParty, "it has no sessions");
}

#[test]
fn f17_each_instance_has_tokens_of_its_own_key() {
    let edge = Edge::new();
    let (one, other) = (Holder::of(&edge, 1), Holder::of(&edge, 2));
    let issue = |holder: &Holder<'_>| {
        holder.come();
        let issued = token(&edge);
        edge.come_from(&[], Place::default());
        issued
    };
    let (first, second) = (issue(&one), issue(&other));
    assert_eq!(first.tokens.token_type, "DPoP");
    assert_eq!((&first.session, first.access() == second.access()), (&second.session, false));
    let bound = |issued: &Issued| edge.claims(issued.access()).cnf.map(|cnf| cnf.jkt);
    assert_eq!(bound(&first), Some(one.key.thumbprint()));
    assert_eq!(bound(&second), Some(other.key.thumbprint()));
    let request = calling(Some(&format!("Bearer {}", first.access())));
    let (platform, settings) = (&edge.world.platform, &edge.settings);
    let entered = block_on(authenticate(platform, settings, &edge.resource, &request, MCP));
    assert!(matches!(entered, Err(BearerError::Invalid(_))), "not as a bearer token");
}

#[test]
fn f13_a_proof_is_good_for_one_token_request() {
    let edge = Edge::new();
    let holder = Holder::of(&edge, 1);
    holder.come();
    assert!(own(&edge, &[]).is_ok());
    assert_eq!(word(own(&edge, &[])), "invalid_dpop_proof", "the same one again");
    assert_eq!(edge.world.platform.audit().last().unwrap().kind, AuditKind::OnceReplayed);
    holder.come();
    assert!(own(&edge, &[]).is_ok());
}

#[test]
fn f15_an_outage_is_one_and_no_refusal() {
    let edge = Edge::new();
    edge.world.platform.fail(Dependency::Ledger, Fault::Away);
    assert_eq!(word(own(&edge, &[])), "unavailable");
    edge.world.platform.heal(Dependency::Ledger);
    edge.world.platform.fail(Dependency::Sql, Fault::Away);
    assert!(own(&edge, &[]).is_ok(), "nobody is provisioned");
}

//! Operators, who act for other people.

use auth::bearer::BearerError;
use auth::operator::Operators;
use auth::sessions::{Acting, SessionsError, end, end_all, enter, list};
use futures::executor::block_on;
use ledger::Actor;
use oauth::keys::hash_operator_key;
use oauth::scope::SESSIONS_WRITE;

use crate::support::{Edge, MINUTE, calling};

const OLD: &str = "op_old-secret-of-grace";
const NEW: &str = "op_new-secret-of-grace";

fn operators(edge: &Edge) -> Operators {
    let (old, new) = (hash_operator_key(OLD), hash_operator_key(NEW));
    let hashes = format!("grace={old}, grace={new},alan={}", hash_operator_key("op_alan"));
    edge.world.platform.set("OPERATOR_KEY_HASHES", &hashes);
    Operators::load(&edge.world.platform).unwrap()
}

fn acting(
    edge: &Edge,
    operators: &Operators,
    token: &str,
    user: Option<&str>,
) -> Result<Acting, SessionsError> {
    let (platform, settings) = (&edge.world.platform, &edge.settings);
    let header = format!("Bearer {token}");
    let request = calling(Some(&header));
    let entering = enter(platform, settings, &edge.resource, operators, &request, SESSIONS_WRITE);
    block_on(entering)?.acting(settings, user)
}

#[test]
fn an_operator_sees_and_ends_anothers_sessions_and_the_audit_trail_tells_who_did() {
    let edge = Edge::with(&[("RATE_LIMIT_TIER", "1")]);
    let operators = operators(&edge);
    let (cli, web) = (edge.sign_in("ada"), edge.sign_in_at("atoms-web", "ada"));
    let bob = edge.sign_in("bob");
    let (platform, settings) = (&edge.world.platform, &edge.settings);
    for credential in [OLD, NEW] {
        let grace = acting(&edge, &operators, credential, Some("ada")).unwrap();
        assert_eq!(grace.actor, Actor::Operator("grace".to_owned()));
        let listed = block_on(list(platform, settings, &grace)).unwrap();
        assert_eq!(listed.value.len(), 2);
        assert!(listed.value.iter().all(|entry| !entry.current));
        assert_eq!(listed.budget, None, "the person's limits are not spent");
    }
    let grace = acting(&edge, &operators, NEW, Some("ada")).unwrap();
    let why = Some("support ticket 7".to_owned());
    block_on(end(platform, settings, &grace, &web.session, why.clone())).unwrap();
    assert!(!edge.active(web.access()) && edge.active(cli.access()));
    assert_eq!(block_on(end_all(platform, settings, &grace, true, why)).unwrap().value, 1);
    assert!(!edge.active(cli.access()) && edge.active(bob.access()));
    let told = platform.audit();
    let ended: Vec<_> = told.iter().filter(|event| event.reason.is_some()).collect();
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|event| event.actor == grace.actor));
    assert!(ended.iter().all(|event| event.reason.as_deref() == Some("support ticket 7")));
}

#[test]
fn only_an_operator_may_name_a_person_and_has_to() {
    let edge = Edge::new();
    let operators = operators(&edge);
    let issued = edge.sign_in("ada");
    for user in ["bob", "ada"] {
        let outcome = acting(&edge, &operators, issued.access(), Some(user)).map(drop);
        assert_eq!(outcome, Err(SessionsError::OperatorOnly), "{user}");
    }
    let outcome = acting(&edge, &operators, NEW, None).map(drop);
    assert_eq!(outcome, Err(SessionsError::UserMissing));
}

#[test]
fn what_is_no_operators_credential_is_an_invalid_token() {
    let edge = Edge::new();
    let known = operators(&edge);
    let none = Operators::default();
    let invalid = SessionsError::Bearer(BearerError::Invalid("no operator's credential"));
    for (operators, credential) in
        [(&known, "op_wrong"), (&known, "op_"), (&known, "op_old-secret-of-grac"), (&none, NEW)]
    {
        let outcome = acting(&edge, operators, credential, Some("ada")).map(drop);
        assert_eq!(outcome, Err(invalid.clone()), "{credential}");
    }
    let unmarked = acting(&edge, &known, "grace", Some("ada")).map(drop);
    assert_eq!(unmarked, Err(SessionsError::Bearer(BearerError::Invalid("malformed"))));
}

#[test]
fn a_person_of_whom_nothing_is_known_has_no_sessions_and_gets_no_ledger() {
    let edge = Edge::new();
    let operators = operators(&edge);
    let (platform, settings) = (&edge.world.platform, &edge.settings);
    let grace = acting(&edge, &operators, NEW, Some("nobody")).unwrap();
    assert!(block_on(list(platform, settings, &grace)).unwrap().value.is_empty());
    assert_eq!(block_on(end_all(platform, settings, &grace, false, None)).unwrap().value, 0);
    edge.world.platform.advance(MINUTE);
    assert!(platform.ledgers().is_empty());
}

#[test]
fn hashes_that_are_none_are_refused_at_start() {
    let edge = Edge::new();
    let good = hash_operator_key(NEW);
    for text in [
        "grace",
        "grace=",
        "=x",
        "grace=x",
        good.as_str(),
        &format!("g r={good}"),
        &format!("grace={good},"),
    ] {
        edge.world.platform.set("OPERATOR_KEY_HASHES", text);
        let error = Operators::load(&edge.world.platform).err();
        assert_eq!(error.map(|error| error.setting), Some("OPERATOR_KEY_HASHES"), "{text}");
    }
}

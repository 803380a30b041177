//! What a client has of its own of the numbers of sessions, and `NOT_BEFORE`.

use auth::Failure;
use auth::bearer::{BearerError, authenticate};
use futures::executor::block_on;
use serde_json::{Value, json};
use testing::NOW;

use crate::support::{Edge, HOUR, Issued, MINUTE, SECOND, calling, word};

/// A deployment in which `atoms-cli` has a policy of its own and `atoms-web` has none.
fn edge(policy: &Value) -> Edge {
    let edge = Edge::new();
    edge.world.database.change("atoms-cli", |client| client.policy = Some(policy.clone()));
    edge
}

fn sign_in(edge: &Edge, client: &str, number: u32) -> Result<Issued, Failure> {
    edge.exchange(client, &edge.world.authkit("ada", &format!("{client} {number}")), &[])
}

fn used(edge: &Edge, token: &str) -> Result<(), BearerError> {
    let (platform, settings) = (&edge.world.platform, &edge.settings);
    let header = format!("Bearer {token}");
    let (request, audience) = (calling(Some(&header)), settings.resources.mcp());
    block_on(authenticate(platform, settings, &edge.resource, &request, audience)).map(drop)
}

#[test]
fn an_idle_time_of_its_own_holds_at_refresh_introspection_and_use() {
    for (policy, minutes) in [
        (json!({ "session_idle_seconds": 300 }), 5),
        (json!({ "session_absolute_seconds": 420 }), 7),
    ] {
        let edge = edge(&policy);
        let (short, usual) =
            (sign_in(&edge, "atoms-cli", 1).unwrap(), sign_in(&edge, "atoms-web", 1).unwrap());
        edge.world.platform.advance(minutes * MINUTE - SECOND);
        assert!(edge.world.platform.ledgers()[0].sessions.len() == 2);
        edge.world.platform.advance(SECOND);
        assert!(!edge.active(short.access()) && !edge.active(short.refresh()), "{policy}");
        assert!(matches!(used(&edge, short.access()), Err(BearerError::Invalid(_))));
        assert_eq!(word(edge.refresh("atoms-cli", short.refresh())), "invalid_grant");
        assert_eq!(used(&edge, usual.access()), Ok(()), "{policy}");
        assert!(edge.refresh("atoms-web", usual.refresh()).is_ok());
    }
}

#[test]
fn it_may_be_longer_than_the_deployments_too() {
    let edge = edge(&json!({ "session_idle_seconds": 7200, "access_token_seconds": 3600 }));
    let (long, usual) =
        (sign_in(&edge, "atoms-cli", 1).unwrap(), sign_in(&edge, "atoms-web", 1).unwrap());
    assert_eq!((long.tokens.expires_in, usual.tokens.expires_in), (3600, 900));
    edge.world.platform.advance(HOUR - SECOND);
    assert_eq!(used(&edge, long.access()), Ok(()));
    assert!(used(&edge, usual.access()).is_err());
    assert!(edge.refresh("atoms-cli", long.refresh()).is_ok());
    assert_eq!(word(edge.refresh("atoms-web", usual.refresh())), "invalid_grant");
}

#[test]
fn a_grace_of_its_own_holds_for_resource_servers_too() {
    let edge = edge(&json!({ "refresh_grace_seconds": 60 }));
    for (client, after, in_grace) in [("atoms-cli", MINUTE, false), ("atoms-web", MINUTE, true)] {
        let first = sign_in(&edge, client, 1).unwrap();
        edge.refresh(client, first.refresh()).unwrap();
        edge.world.platform.advance(after - 1);
        assert!(edge.active(first.refresh()), "{client}");
        edge.world.platform.advance(1);
        assert_eq!(edge.active(first.refresh()), in_grace, "{client}");
        assert_eq!(edge.refresh(client, first.refresh()).is_ok(), in_grace, "{client}");
    }
}

#[test]
fn sessions_of_its_own_are_limited_by_eviction_or_denial() {
    for (on_limit, denied) in [("evict", false), ("deny", true)] {
        let edge = edge(&json!({ "session_max": 2, "session_on_limit": on_limit }));
        let web: Vec<_> = (0..3).map(|at| sign_in(&edge, "atoms-web", at).unwrap()).collect();
        let first = sign_in(&edge, "atoms-cli", 0).unwrap();
        edge.world.platform.advance(MINUTE);
        let second = sign_in(&edge, "atoms-cli", 1).unwrap();
        let third = sign_in(&edge, "atoms-cli", 2);
        if denied {
            assert_eq!(word(third), "access_denied");
        } else {
            assert!(edge.active(third.unwrap().access()));
        }
        assert_eq!(edge.active(first.access()), denied, "{on_limit}");
        assert!(edge.active(second.access()));
        assert!(web.iter().all(|one| edge.active(one.access())), "other clients' are left alone");
    }
}

#[test]
fn the_deployments_limit_evicts_or_denies() {
    for (on_limit, denied) in [("evict", false), ("deny", true)] {
        let edge = Edge::with(&[("SESSION_MAX", "2"), ("SESSION_ON_LIMIT", on_limit)]);
        let first = sign_in(&edge, "atoms-web", 0).unwrap();
        edge.world.platform.advance(MINUTE);
        sign_in(&edge, "atoms-cli", 0).unwrap();
        let third = sign_in(&edge, "atoms-web", 1);
        assert_eq!(third.is_err(), denied, "{on_limit}");
        assert_eq!(edge.active(first.access()), denied, "{on_limit}");
    }
}

#[test]
fn limits_and_device_changes_follow_it() {
    let edge = Edge::with(&[("RATE_LIMIT_TIER", "1")]);
    let policy = json!({ "rate_limit_tier": 2, "on_device_change": "refuse" });
    edge.world.database.change("atoms-cli", |client| client.policy = Some(policy));
    for (client, allowed) in [("atoms-cli", 20), ("atoms-web", 0)] {
        let mut issued = sign_in(&edge, client, 1).unwrap();
        for _ in 0..allowed {
            issued = edge.refresh(client, issued.refresh()).unwrap();
        }
        assert_eq!(word(edge.refresh(client, issued.refresh())), "limited", "{client}");
    }
    edge.world.platform.advance(2 * MINUTE);
    edge.come_from(&[("user-agent", "Mozilla/5.0 Firefox/140.0")], ports::Place::default());
    let issued = sign_in(&edge, "atoms-cli", 2).unwrap();
    edge.come_from(&[("user-agent", "curl/8")], ports::Place::default());
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "invalid_grant");
}

#[test]
fn a_client_whose_policy_is_none_is_refused_and_nothing_is_consumed() {
    let edge = Edge::new();
    let (issued, web) =
        (sign_in(&edge, "atoms-cli", 1).unwrap(), sign_in(&edge, "atoms-web", 1).unwrap());
    for policy in [
        json!({ "session_idle": 300 }),
        json!({ "session_idle_seconds": 0 }),
        json!({ "session_idle_seconds": -1 }),
        json!({ "session_idle_seconds": "300" }),
        json!({ "session_max": 0 }),
        json!({ "session_max": 70_000 }),
        json!({ "rate_limit_tier": 0 }),
        json!({ "session_on_limit": "ask" }),
        json!({ "on_device_change": "raise_risk" }),
        json!({ "refresh_grace_seconds": 900 }),
        json!({ "access_token_seconds": 300 }),
        json!({ "not_before": 0 }),
        json!([]),
    ] {
        edge.world.database.change("atoms-cli", |client| client.policy = Some(policy.clone()));
        for outcome in [edge.refresh("atoms-cli", issued.refresh()), sign_in(&edge, "atoms-cli", 2)]
        {
            assert_eq!(word(outcome), "misconfigured", "{policy}");
        }
        let revoked = edge.revoke("atoms-cli", &[("token", issued.refresh())]);
        assert_eq!(word(revoked), "misconfigured", "{policy}");
        assert!(edge.refresh("atoms-web", web.refresh()).is_ok(), "others go on");
    }
    edge.world.database.change("atoms-cli", |client| client.policy = None);
    assert!(edge.refresh("atoms-cli", issued.refresh()).is_ok());
}

#[test]
fn nothing_from_before_not_before_is_in_force_anywhere() {
    let edge = Edge::new();
    let old = sign_in(&edge, "atoms-cli", 1).unwrap();
    edge.world.platform.advance(10 * MINUTE);
    let refreshed = edge.refresh("atoms-cli", old.refresh()).unwrap();
    let moment = (NOW + 5 * MINUTE) / 1000;
    edge.world.platform.set("NOT_BEFORE", &moment.to_string());
    let edge = Edge::on(edge.world);
    for token in [old.access(), old.refresh(), refreshed.access(), refreshed.refresh()] {
        assert!(!edge.active(token));
    }
    assert_eq!(used(&edge, old.access()), Err(BearerError::Invalid("from before what is taken")));
    assert_eq!(used(&edge, refreshed.access()), Err(BearerError::Invalid("session ended")));
    assert_eq!(word(edge.refresh("atoms-cli", refreshed.refresh())), "invalid_grant");
    let new = sign_in(&edge, "atoms-cli", 2).unwrap();
    assert_eq!(used(&edge, new.access()), Ok(()));
    assert!(edge.refresh("atoms-cli", new.refresh()).is_ok());
}

#[test]
fn not_before_in_the_future_works_when_it_comes() {
    let edge = Edge::with(&[("NOT_BEFORE", &((NOW + HOUR) / 1000).to_string())]);
    let issued = sign_in(&edge, "atoms-cli", 1).unwrap();
    edge.world.platform.advance(10 * MINUTE);
    let mut last = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    for _ in 0..4 {
        edge.world.platform.advance(10 * MINUTE);
        last = edge.refresh("atoms-cli", last.refresh()).unwrap();
    }
    assert_eq!(used(&edge, last.access()), Ok(()));
    edge.world.platform.advance(10 * MINUTE);
    assert!(used(&edge, last.access()).is_err());
    assert_eq!(word(edge.refresh("atoms-cli", last.refresh())), "invalid_grant");
}

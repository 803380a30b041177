//! Introspection in edge mode: the ledger is not asked, and what was revoked is inactive within the
//! bound whatever fails.

use std::time::Duration;

use futures::executor::block_on;
use ports::{Clock as _, Kv as _};
use serde_json::json;
use snapshot::{REVOCATION_BOUND, SHARDS, SKEW, key};
use testing::{Dependency, Fault};

use crate::support::{Edge, Issued, MINUTE, SECOND, word};

/// The publisher writes this often.
const PERIOD: u64 = 20 * SECOND;

/// A deployment in edge mode whose publishers have been at work for a while.
fn deployment(settings: &[(&str, &str)]) -> Edge {
    let edge = Edge::with(&[settings, &[("INTROSPECTION_MODE", "edge")]].concat());
    let platform = &edge.world.platform;
    block_on(async {
        for shard in 0..SHARDS {
            ports::Publisher::poke(platform, shard).await;
        }
    });
    platform.advance(MINUTE);
    publish(&edge);
    edge
}

fn publish(edge: &Edge) {
    block_on(edge.world.platform.publish()).unwrap();
}

/// By whom an active token was found to be, or why it is not.
fn reason(edge: &Edge, token: &str) -> &'static str {
    let (answer, reason) = edge.introspect_as("atoms-api", &[("token", token)]).unwrap();
    assert_eq!(answer["active"] == json!(true), reason.starts_with("active"));
    reason
}

/// Whether a question was answered without the ledger.
fn without_ledger(edge: &Edge, token: &str) -> bool {
    let before = edge.world.platform.calls(Dependency::Ledger);
    edge.introspect(token);
    edge.world.platform.calls(Dependency::Ledger) == before
}

fn revoke(edge: &Edge, issued: &Issued) {
    edge.revoke("atoms-cli", &[("token", issued.refresh())]).unwrap();
}

#[test]
fn a_token_in_force_is_described_as_by_the_ledger_and_without_it() {
    let (edge, strong) = (deployment(&[]), Edge::new());
    strong.world.platform.advance(MINUTE);
    let issued = edge.sign_in("ada");
    assert_eq!(reason(&edge, issued.access()), "active by the snapshot");
    assert!(without_ledger(&edge, issued.access()));
    assert_eq!(edge.introspect(issued.access()), {
        edge.world.platform.forget_cache();
        edge.world.platform.advance(REVOCATION_BOUND);
        assert_eq!(reason(&edge, issued.access()), "active", "by the ledger");
        edge.introspect(issued.access())
    });
}

#[test]
fn v11_what_is_revoked_is_inactive_with_the_next_snapshot() {
    let edge = deployment(&[]);
    let (gone, alone, kept) = (edge.sign_in("ada"), edge.sign_in("bob"), edge.sign_in("eve"));
    revoke(&edge, &gone);
    edge.revoke("atoms-cli", &[("token", alone.access())]).unwrap();
    assert!(edge.active(gone.access()), "not yet: this is the price of edge mode");
    edge.world.platform.advance(PERIOD);
    publish(&edge);
    for issued in [&gone, &alone] {
        assert_eq!(reason(&edge, issued.access()), "revoked by the snapshot");
        assert!(without_ledger(&edge, issued.access()));
    }
    assert!(edge.active(alone.refresh()), "its session goes on");
    assert_eq!(reason(&edge, kept.access()), "active by the snapshot");
}

#[test]
fn reuse_and_eviction_reach_the_snapshot_too() {
    let edge = deployment(&[("SESSION_MAX", "1")]);
    let stolen = edge.sign_in("ada");
    let second = edge.refresh("atoms-cli", stolen.refresh()).unwrap();
    let third = edge.refresh("atoms-cli", second.refresh()).unwrap();
    assert_eq!(word(edge.refresh("atoms-cli", stolen.refresh())), "invalid_grant");
    let evicted = edge.sign_in("bob");
    let newcomer = edge.sign_in_at("atoms-web", "bob");
    edge.world.platform.advance(PERIOD);
    publish(&edge);
    for token in [stolen.access(), second.access(), third.access(), evicted.access()] {
        assert_eq!(reason(&edge, token), "revoked by the snapshot");
    }
    assert_eq!(reason(&edge, newcomer.access()), "active by the snapshot");
}

#[test]
fn refresh_tokens_are_for_the_ledger_alone() {
    let edge = deployment(&[]);
    let issued = edge.sign_in("ada");
    assert!(edge.active(issued.refresh()) && !without_ledger(&edge, issued.refresh()));
    revoke(&edge, &issued);
    assert!(!edge.active(issued.refresh()), "at once");
}

#[test]
fn without_a_snapshot_that_may_be_believed_the_ledger_is_asked_and_the_publisher_told() {
    type Harm = fn(&Edge);
    let harms: [(&str, Harm); 6] = [
        ("missing", |edge| edge.world.platform.forget_cache()),
        ("unreadable", |edge| edge.world.platform.fail(Dependency::Kv, Fault::Away)),
        ("corrupt", |edge| put_all(edge, |_| b"ars1 nonsense".to_vec())),
        ("damaged", |edge| {
            put_all(edge, |mut bytes| {
                bytes[7] ^= 1;
                bytes
            });
        }),
        ("stale", |edge| edge.world.platform.advance(REVOCATION_BOUND - SKEW + 1)),
        ("of the future", |edge| {
            let now = edge.world.platform.now();
            edge.world.platform.advance(MINUTE);
            publish(edge);
            edge.world.platform.set_now(now);
        }),
    ];
    for (what, harm) in harms {
        let edge = deployment(&[]);
        let (kept, gone) = (edge.sign_in("ada"), edge.sign_in("bob"));
        revoke(&edge, &gone);
        harm(&edge);
        edge.world.platform.fail(Dependency::Publisher, Fault::Away);
        let before = edge.world.platform.calls(Dependency::Publisher);
        assert_eq!(reason(&edge, kept.access()), "active", "{what}");
        assert_eq!(edge.world.platform.calls(Dependency::Publisher), before + 1, "{what}");
        // One request in a while tells it, not each.
        assert_eq!(reason(&edge, kept.access()), "active", "{what}");
        assert_eq!(edge.world.platform.calls(Dependency::Publisher), before + 1, "{what}");
        assert!(!edge.active(gone.access()), "{what}");
    }
}

/// Put something else in place of every shard.
fn put_all(edge: &Edge, harm: impl Fn(Vec<u8>) -> Vec<u8>) {
    let platform = &edge.world.platform;
    block_on(async {
        for shard in 0..SHARDS {
            let bytes = platform.get(&key(shard)).await.unwrap().unwrap();
            platform.put(&key(shard), &harm(bytes), Duration::from_secs(300)).await.unwrap();
        }
    });
}

#[test]
fn a_publisher_that_is_told_goes_on() {
    let edge = deployment(&[]);
    edge.world.platform.advance(REVOCATION_BOUND);
    let issued = edge.sign_in("ada");
    assert_eq!(reason(&edge, issued.access()), "active", "the ledger is asked once");
    edge.world.platform.advance(5 * SECOND);
    assert_eq!(reason(&edge, issued.access()), "active by the snapshot");
}

#[test]
fn tokens_from_before_the_reports_began_are_for_the_ledger() {
    let edge = Edge::with(&[("INTROSPECTION_MODE", "edge")]);
    let (old, revoked) = (edge.sign_in("ada"), edge.sign_in("bob"));
    edge.world.platform.set("INTROSPECTION_MODE", "strong");
    revoke(&edge, &revoked);
    edge.world.platform.set("INTROSPECTION_MODE", "edge");
    edge.world.platform.advance(MINUTE);
    assert_eq!(reason(&edge, old.access()), "active", "tells the publisher");
    edge.world.platform.advance(PERIOD);
    publish(&edge);
    assert_eq!(reason(&edge, old.access()), "active");
    assert_eq!(reason(&edge, revoked.access()), "session ended");
    let new = edge.refresh("atoms-cli", old.refresh()).unwrap();
    assert_eq!(reason(&edge, new.access()), "active by the snapshot");
}

#[test]
fn tokens_from_before_not_before_are_inactive_without_the_ledger() {
    let mut edge = deployment(&[]);
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(SECOND);
    edge.settings.policy.not_before = Some(edge.world.platform.now());
    assert!(!edge.active(issued.access()) && without_ledger(&edge, issued.access()));
}

#[test]
fn tokens_that_live_longer_than_the_end_of_a_session_is_told_of_are_for_the_ledger() {
    for (seconds, by) in [("3600", "active by the snapshot"), ("3601", "active")] {
        let edge = deployment(&[("ACCESS_TOKEN_SECONDS", seconds)]);
        assert_eq!(reason(&edge, edge.sign_in("ada").access()), by, "{seconds}");
    }
}

#[test]
fn v10_nobody_is_told_that_a_revocation_is_done_before_it_is_reported() {
    let edge = deployment(&[]);
    let (issued, other) = (edge.sign_in("ada"), edge.sign_in("bob"));
    edge.world.platform.fail(Dependency::Publisher, Fault::Away);
    let again = || edge.revoke("atoms-cli", &[("token", issued.refresh())]);
    assert_eq!(word(again()), "unavailable");
    assert_eq!(word(again()), "unavailable", "though there is nothing left to revoke");
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "invalid_grant");
    assert!(edge.refresh("atoms-cli", other.refresh()).is_ok(), "whatever else goes on");
    edge.world.platform.heal(Dependency::Publisher);
    assert_eq!(again(), Ok("revoked"));
    edge.world.platform.advance(PERIOD);
    publish(&edge);
    assert_eq!(reason(&edge, issued.access()), "revoked by the snapshot");
}

/// Publishers that stop and start, a cache that answers with what it had before or not at all, a
/// reader whose clock is off: from the bound on, no revoked token is active.
#[test]
fn v11_the_bound_holds_whatever_fails() {
    for seed in 0..5_u64 {
        let edge = deployment(&[]);
        let platform = &edge.world.platform;
        platform.seed(seed);
        let draw = |below: u64| {
            let mut bytes = [0; 8];
            ports::Random::fill(platform, &mut bytes);
            u64::from_be_bytes(bytes) % below
        };
        let mut revoked: Vec<(u64, Issued)> = Vec::new();
        let mut older = Vec::new();
        for step in 0..40 {
            platform.advance(draw(30) * SECOND);
            match draw(6) {
                0 | 1 => drop(block_on(platform.publish())),
                2 => older = block_on(all(&edge)),
                3 => older.iter().for_each(|(shard, bytes)| {
                    let lives = Duration::from_secs(300);
                    let _ = block_on(platform.put(&key(*shard), bytes, lives));
                }),
                4 => {
                    let issued = edge.sign_in(&format!("user {step}"));
                    revoke(&edge, &issued);
                    revoked.push((platform.now(), issued));
                }
                _ => platform.fail_times(Dependency::Kv, Fault::Away, 2),
            }
            let now = platform.now();
            // The reader's clock is off by up to the skew.
            platform.set_now(now + draw(2 * SKEW) - SKEW);
            for (at, issued) in &revoked {
                if *at + REVOCATION_BOUND <= now {
                    assert!(!edge.active(issued.access()), "seed {seed}, step {step}");
                }
            }
            platform.set_now(now);
        }
    }
}

async fn all(edge: &Edge) -> Vec<(u8, Vec<u8>)> {
    let mut shards = Vec::new();
    for shard in 0..SHARDS {
        if let Ok(Some(bytes)) = edge.world.platform.get(&key(shard)).await {
            shards.push((shard, bytes));
        }
    }
    shards
}

#[test]
fn i8_limits_hold_without_the_ledger() {
    let edge = deployment(&[("RATE_LIMIT_TIER", "1")]);
    let (ada, bob) = (edge.sign_in("ada"), edge.sign_in("bob"));
    let asked = (0..400).map(|_| edge.introspect_as("atoms-api", &[("token", ada.access())]));
    assert_eq!(asked.filter(Result::is_ok).count(), 300);
    assert!(without_ledger(&edge, bob.access()));
}

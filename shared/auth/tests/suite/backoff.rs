//! Failures slow down whoever makes them, and nobody else.

use auth::backoff::Backoff;
use ports::{Millis, Place};
use proptest::prelude::*;

use crate::support::{Edge, SECOND, basic, form, tampered, word};

const PROXY: &str = "x-real-address";

fn edge() -> Edge {
    let edge = Edge::with(&[("TRUSTED_PROXY_HEADER", PROXY)]);
    at(&edge, "192.0.2.1");
    edge
}

fn at(edge: &Edge, address: &str) {
    edge.come_from(&[("user-agent", "curl/8"), (PROXY, address)], Place::default());
}

fn sign_on(edge: &Edge, secret: &str) -> &'static str {
    let (header, nothing) = (basic("atoms-service", secret), form(&[]));
    match futures::executor::block_on(edge.authenticate(Some(&header), &nothing)) {
        Ok(_) => "in",
        Err(failure) => word::<()>(Err(failure)),
    }
}

#[test]
fn wrong_secrets_are_slowed_down_in_their_network_only() {
    let edge = edge();
    for _ in 0..5 {
        assert_eq!(sign_on(&edge, "wrong"), "invalid_client");
    }
    assert_eq!(sign_on(&edge, testing::SERVICE_SECRET), "backoff", "nothing is looked at");
    at(&edge, "192.0.3.1");
    assert_eq!(sign_on(&edge, testing::SERVICE_SECRET), "in", "another network");
    at(&edge, "192.0.2.200");
    assert_eq!(sign_on(&edge, "wrong"), "backoff", "the same network");
    edge.world.platform.advance(SECOND);
    assert_eq!(sign_on(&edge, testing::SERVICE_SECRET), "in", "and forgiven");
    assert_eq!(sign_on(&edge, "wrong"), "invalid_client");
    assert_eq!(sign_on(&edge, testing::SERVICE_SECRET), "in");
}

#[test]
fn forged_tokens_are_slowed_down_in_their_network_only() {
    let edge = edge();
    let issued = edge.sign_in("ada");
    let forged = tampered(issued.refresh(), issued.refresh().len() - 3);
    for _ in 0..5 {
        assert_eq!(word(edge.refresh("atoms-cli", &forged)), "invalid_grant");
    }
    let public = form(&[("client_id", "atoms-cli")]);
    let enter = || futures::executor::block_on(edge.authenticate(None, &public));
    assert_eq!(word(enter()), "backoff");
    let other = form(&[("client_id", "atoms-web")]);
    assert!(futures::executor::block_on(edge.authenticate(None, &other)).is_ok());
    at(&edge, "198.51.100.1");
    assert!(enter().is_ok(), "never on a public client alone");
}

#[test]
fn where_the_network_is_unknown_nothing_is_counted() {
    let edge = Edge::new();
    for _ in 0..50 {
        assert_eq!(sign_on(&edge, "wrong"), "invalid_client");
    }
    assert_eq!(sign_on(&edge, testing::SERVICE_SECRET), "in");
}

/// Who does what, and how long after the one before.
#[derive(Debug, Clone, Copy)]
struct Try {
    client: u8,
    network: Option<u8>,
    fails: bool,
    after: Millis,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let after = prop_oneof![Just(0), 1..2_000_u64, Just(60_000), Just(300_000), Just(900_000)];
    let one = (0..2_u8, prop::option::weighted(0.8, 0..2_u8), any::<bool>(), after);
    let one = one.prop_map(|(client, network, fails, after)| Try { client, network, fails, after });
    prop::collection::vec(one, 0..80)
}

proptest! {
    #[test]
    fn nobody_waits_for_anothers_failures_nor_longer_than_five_minutes(tries in tries()) {
        let (mut all, mut now) = (Backoff::default(), 1_000_000);
        // Each pair by itself, as if there were nobody else.
        let mut alone = vec![Backoff::default(); 6];
        for Try { client, network, fails, after } in tries {
            now += after;
            let own = usize::from(client) * 3 + network.map_or(0, |network| usize::from(network) + 1);
            let client = client.to_string();
            let network = network.map(|network| network.to_string());
            let network = network.as_deref();
            let admitted = all.admit(&client, network, now);
            prop_assert_eq!(admitted, alone[own].admit(&client, network, now));
            match admitted {
                Err(until) => {
                    prop_assert!(network.is_some() && now < until && until <= now + 300_000);
                    prop_assert!(all.admit(&client, network, until).is_ok(), "as announced");
                    prop_assert!(all.admit(&client, network, until - 1).is_err());
                }
                Ok(()) if fails => {
                    all.failed(&client, network, now);
                    alone[own].failed(&client, network, now);
                }
                Ok(()) => {
                    all.succeeded(&client, network);
                    alone[own].succeeded(&client, network);
                    prop_assert!(all.admit(&client, network, now).is_ok());
                }
            }
        }
    }

    #[test]
    fn each_further_failure_doubles_the_wait(failures in 5..40_u32) {
        let (mut backoff, mut now, mut last) = (Backoff::default(), 1_000_000, 0);
        for _ in 0..failures {
            if let Err(until) = backoff.admit("c", Some("n"), now) {
                let wait = until - now;
                let expected = if last == 0 { 1_000 } else { (2 * last).min(300_000) };
                prop_assert_eq!(wait, expected);
                (last, now) = (wait, until);
            }
            backoff.failed("c", Some("n"), now);
        }
        prop_assert!(backoff.admit("c", Some("n"), now + 15 * 60_000).is_ok(), "all is forgotten");
    }
}

#[test]
fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
    let mut backoff = Backoff::default();
    for network in 0..1_025_u32 {
        for _ in 0..5 {
            backoff.failed("c", Some(&network.to_string()), 1_000);
        }
    }
    assert!(backoff.admit("c", Some("0"), 1_001).is_ok());
    assert!(backoff.admit("c", Some("1"), 1_001).is_err());
    assert!(backoff.admit("c", Some("1024"), 1_001).is_err());
}

#[test]
fn a_clock_that_went_back_keeps_nobody_waiting_for_long() {
    let mut backoff = Backoff::default();
    for _ in 0..20 {
        backoff.failed("c", Some("n"), 10_000_000);
    }
    assert_eq!(backoff.admit("c", Some("n"), 0), Err(300_000));
}

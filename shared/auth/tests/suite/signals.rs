//! From a request's headers to the ledger's judgement of the session.

use auth::sessions::{Caller, SessionEntry, authorize, list};
use futures::executor::block_on;
use ledger::RiskReason;
use oauth::scope::SESSIONS_READ;
use ports::Place;

use crate::support::{Edge, Issued, MINUTE, calling, word};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const PROXY: &str = "x-real-address";

fn berlin() -> Place {
    Place { country: Some("DE".to_owned()), asn: Some(64_500), degrees: Some((52.52, 13.40)) }
}

fn new_york() -> Place {
    Place { country: Some("US".to_owned()), asn: Some(64_501), degrees: Some((40.71, -74.01)) }
}

fn edge(settings: &[(&str, &str)]) -> Edge {
    let edge = Edge::with(&[&[("TRUSTED_PROXY_HEADER", PROXY)], settings].concat());
    home(&edge);
    edge
}

fn home(edge: &Edge) {
    edge.come_from(&[("user-agent", FIREFOX), (PROXY, "192.0.2.7")], berlin());
}

fn seen(edge: &Edge, issued: &Issued) -> SessionEntry {
    let header = format!("Bearer {}", issued.access());
    let (platform, settings) = (&edge.world.platform, &edge.settings);
    let request = calling(Some(&header));
    let person = authorize(platform, settings, &edge.resource, &request, SESSIONS_READ);
    let acting = Caller::Person(Box::new(block_on(person).unwrap())).acting(settings, None);
    let listed = block_on(list(platform, settings, &acting.unwrap())).unwrap();
    listed.value.into_iter().find(|entry| entry.current).unwrap()
}

#[test]
fn the_list_tells_where_a_session_is_used_and_nothing_closer() {
    let edge = edge(&[]);
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(MINUTE);
    let issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    let entry = seen(&edge, &issued);
    assert_eq!(entry.network.as_deref(), Some("192.0.2.0/24"));
    assert_eq!(entry.device.label, "Firefox on Linux");
    assert_eq!((entry.risk.score, entry.risk.reasons.len()), (0.0, 0));
    assert_eq!(entry.refreshes.len(), 1);
    assert_eq!(entry.refreshes[0].network.as_deref(), Some("192.0.2.0/24"));
    assert!(!entry.refreshes[0].repeated);
    let kept = serde_json::to_string(&edge.world.platform.ledgers()).unwrap();
    assert!(!kept.contains("192.0.2.7") && !kept.contains("Mozilla"), "{kept}");
}

#[test]
fn the_history_holds_the_last_refreshes_and_tells_repeated_ones() {
    let edge = edge(&[]);
    let mut issued = edge.sign_in("ada");
    for _ in 0..6 {
        edge.world.platform.advance(MINUTE);
        let next = edge.refresh("atoms-cli", issued.refresh()).unwrap();
        edge.refresh("atoms-cli", issued.refresh()).unwrap();
        issued = next;
    }
    let refreshes = seen(&edge, &issued).refreshes;
    assert_eq!(refreshes.len(), 5);
    assert!(
        refreshes.iter().any(|past| past.repeated) && refreshes.is_sorted_by_key(|past| past.at)
    );
}

#[test]
fn a_sudden_journey_is_flagged_and_explained() {
    let edge = edge(&[]);
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(10 * MINUTE);
    edge.come_from(&[("user-agent", FIREFOX), (PROXY, "198.51.100.7")], new_york());
    let issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    let risk = seen(&edge, &issued).risk;
    assert_eq!(risk.score, 0.6);
    assert!(risk.reasons.contains(&RiskReason::ImpossibleTravel), "{:?}", risk.reasons);
}

#[test]
fn another_device_in_another_country_ends_the_session() {
    let edge = edge(&[]);
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(10 * MINUTE);
    edge.come_from(&[("user-agent", "curl/8.5.0"), (PROXY, "198.51.100.7")], new_york());
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "invalid_grant");
    home(&edge);
    assert_eq!(word(edge.refresh("atoms-cli", issued.refresh())), "invalid_grant");
    assert!(!edge.active(issued.access()));
}

#[test]
fn an_update_of_the_browser_raises_nothing() {
    let edge = edge(&[]);
    let issued = edge.sign_in("ada");
    edge.world.platform.advance(10 * MINUTE);
    let newer = FIREFOX.replace("140.0", "141.0");
    edge.come_from(&[("user-agent", &newer), (PROXY, "192.0.2.200")], berlin());
    let issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    assert_eq!(seen(&edge, &issued).risk.score, 0.0);
}

#[test]
fn unknown_signals_weigh_nothing() {
    let edge = edge(&[("ON_DEVICE_CHANGE", "refuse"), ("ON_NETWORK_CHANGE", "refuse")]);
    let mut issued = edge.sign_in("ada");
    for _ in 0..2 {
        edge.world.platform.advance(10 * MINUTE);
        edge.come_from(&[], Place::default());
        issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
        assert_eq!(seen(&edge, &issued).risk.score, 0.0);
        edge.world.platform.advance(10 * MINUTE);
        home(&edge);
        issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    }
}

#[test]
fn an_address_counts_only_from_the_configured_header() {
    let edge = Edge::new();
    edge.come_from(
        &[("cf-connecting-ip", "192.0.2.7"), ("x-forwarded-for", "192.0.2.7")],
        Place::default(),
    );
    let issued = edge.sign_in("ada");
    let issued = edge.refresh("atoms-cli", issued.refresh()).unwrap();
    assert_eq!(seen(&edge, &issued).network, None);
}

#[test]
fn another_device_or_network_is_noted_weighed_or_refused_by_policy() {
    // The other app weighs by itself, whatever is said of the device.
    for (setting, agent, address, noted, raised) in [
        ("ON_NETWORK_CHANGE", FIREFOX, "198.51.100.7", 0.0, 0.05),
        ("ON_DEVICE_CHANGE", "curl/8.5.0", "192.0.2.7", 0.15, 0.55),
    ] {
        for (choice, expected) in
            [("note", Some(noted)), ("raise-risk", Some(raised)), ("refuse", None)]
        {
            let edge = edge(&[(setting, choice)]);
            let issued = edge.sign_in("ada");
            edge.world.platform.advance(10 * MINUTE);
            edge.come_from(&[("user-agent", agent), (PROXY, address)], berlin());
            let outcome = edge.refresh("atoms-cli", issued.refresh());
            match expected {
                Some(score) => {
                    let risk = seen(&edge, &outcome.unwrap()).risk;
                    assert_eq!(risk.score, score, "{setting}={choice} {:?}", risk.reasons);
                }
                None => {
                    assert_eq!(word(outcome), "invalid_grant", "{setting}");
                    home(&edge);
                    let kept = edge.refresh("atoms-cli", issued.refresh());
                    assert!(kept.is_ok(), "{setting}: refused without effect");
                }
            }
        }
    }
}

#[test]
fn a_device_object_is_read_at_both_grants_and_refused_if_it_is_none() {
    let edge = edge(&[("ON_DEVICE_CHANGE", "refuse")]);
    let device =
        |id: &str| format!("{{\"id\":\"{id}\",\"app\":\"Atoms\",\"platform\":\"darwin\"}}");
    let (mine, theirs) = (device("1"), device("2"));
    let token = edge.world.authkit("ada", "s");
    let issued = edge.exchange("atoms-cli", &token, &[("device", &mine)]).unwrap();
    let refresh =
        |device: &str| edge.refresh_with("atoms-cli", issued.refresh(), &[("device", device)]);
    assert_eq!(word(refresh(&theirs)), "invalid_grant");
    assert_eq!(word(refresh("[]")), "invalid_request");
    assert_eq!(word(edge.exchange("atoms-cli", &token, &[("device", "1")])), "invalid_request");
    let next = refresh(&mine).unwrap();
    assert_eq!(seen(&edge, &next).device.label, "Atoms on macOS");
    assert!(edge.refresh("atoms-cli", next.refresh()).is_ok(), "what is not told is not compared");
}

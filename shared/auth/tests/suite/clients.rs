//! Who the client is: RFC 6749 section 2.3, and how long a cached record serves.

use std::time::Duration;

use auth::{Failure, clients};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use data::clients::ClientRecord;
use futures::executor::block_on;
use http::StatusCode;
use ports::Kv as _;
use testing::{API_SECRET, Dependency, Fault, SERVICE_SECRET};

use crate::support::{DAY, Edge, MINUTE, SECOND, basic, form, word};

fn by_header(edge: &Edge, header: &str) -> Result<ClientRecord, Failure> {
    block_on(edge.authenticate(Some(header), &form(&[])))
}

fn by_form(edge: &Edge, parameters: &[(&str, &str)]) -> Result<ClientRecord, Failure> {
    block_on(edge.authenticate(None, &form(parameters)))
}

fn find(edge: &Edge, id: &str) -> Result<Option<ClientRecord>, Failure> {
    block_on(clients::find(&edge.world.platform, &edge.settings.sql, id))
}

#[test]
fn each_method_identifies_its_client() {
    let edge = Edge::new();
    let service = edge.record("atoms-service");
    assert_eq!(by_header(&edge, &basic("atoms-service", SERVICE_SECRET)), Ok(service.clone()));
    let posted = [("client_id", "atoms-service"), ("client_secret", SERVICE_SECRET)];
    assert_eq!(by_form(&edge, &posted), Ok(service));
    assert_eq!(by_form(&edge, &[("client_id", "atoms-web")]), Ok(edge.record("atoms-web")));
}

#[test]
fn the_basic_scheme_is_read_as_the_rfc_has_it() {
    let edge = Edge::new();
    let secret = "a+b c%/\u{e9}:";
    let hash = edge.world.hash(secret);
    edge.world.database.change("atoms-service", |client| client.secret_hashes = vec![hash]);
    let encoded = STANDARD.encode("atoms-service:a%2Bb+c%25%2F%C3%A9%3A");
    for scheme in ["Basic", "basic", "BASIC"] {
        assert!(by_header(&edge, &format!("{scheme} {encoded}")).is_ok(), "{scheme}");
    }
    // The same client id in the form is no second method.
    let header = format!("Basic {encoded}");
    let both = form(&[("client_id", "atoms-service")]);
    assert!(block_on(edge.authenticate(Some(&header), &both)).is_ok());
}

#[test]
fn two_methods_at_once_are_an_invalid_request() {
    let edge = Edge::new();
    let header = basic("atoms-service", SERVICE_SECRET);
    for parameters in [
        [("client_id", "atoms-service"), ("client_secret", SERVICE_SECRET)].as_slice(),
        &[("client_secret", SERVICE_SECRET)],
        &[("client_id", "atoms-api")],
    ] {
        let outcome = block_on(edge.authenticate(Some(&header), &form(parameters)));
        assert_eq!(word(outcome), "invalid_request", "{parameters:?}");
    }
    assert_eq!(word(by_form(&edge, &[("client_secret", "x")])), "invalid_request");
}

#[test]
fn whatever_does_not_prove_a_client_is_an_invalid_client() {
    let edge = Edge::new();
    edge.world.database.change("atoms-cli", |client| client.disabled = true);
    for header in [
        basic("atoms-service", API_SECRET),
        basic("atoms-service", ""),
        basic("atoms-service", &SERVICE_SECRET[1..]),
        basic("nobody", SERVICE_SECRET),
        basic("", SERVICE_SECRET),
        basic("atoms-web", "a public client has no secret"),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
        format!("Basic {}", STANDARD.encode("no colon")),
        format!("Basic {}", STANDARD.encode([0xff, b':', 0xff])),
        "Bearer x".to_owned(),
        String::new(),
    ] {
        let outcome = by_header(&edge, &header);
        assert!(
            matches!(outcome, Err(Failure::Client { basic: true, .. })),
            "{header}: {outcome:?}"
        );
    }
    for parameters in [
        [].as_slice(),
        &[("client_id", "")],
        &[("client_id", "nobody")],
        &[("client_id", "atoms-service")],
        &[("client_id", "atoms-service"), ("client_secret", "wrong")],
        &[("client_id", "atoms-web"), ("client_secret", "x")],
        &[("client_id", "atoms-cli")],
        &[("client_id", "atoms-web\n")],
        &[("client_id", "\u{e9}")],
    ] {
        let outcome = by_form(&edge, parameters);
        let refused = matches!(outcome, Err(Failure::Client { basic: false, .. }));
        assert!(refused, "{parameters:?}: {outcome:?}");
    }
}

#[test]
fn the_secret_reaches_no_message() {
    let edge = Edge::new();
    let failure = by_header(&edge, &basic("atoms-service", "canary-secret")).unwrap_err();
    assert!(!format!("{failure} {failure:?}").contains("canary"));
}

#[test]
fn both_secrets_work_while_one_replaces_the_other() {
    let edge = Edge::new();
    let new = edge.world.hash("the new secret");
    edge.world.database.change("atoms-service", |client| client.secret_hashes.insert(0, new));
    for secret in [SERVICE_SECRET, "the new secret"] {
        assert!(by_header(&edge, &basic("atoms-service", secret)).is_ok(), "{secret}");
    }
    assert!(by_header(&edge, &basic("atoms-service", "neither")).is_err());
    edge.world.database.change("atoms-service", |client| client.secret_hashes.truncate(1));
    edge.world.platform.advance(MINUTE);
    assert!(by_header(&edge, &basic("atoms-service", SERVICE_SECRET)).is_err(), "withdrawn");
    assert!(by_header(&edge, &basic("atoms-service", "the new secret")).is_ok());
}

#[test]
fn a_record_is_fresh_for_a_minute() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    let asked = || platform.calls(Dependency::Sql);
    assert!(find(&edge, "atoms-web").unwrap().is_some());
    edge.world.database.change("atoms-web", |client| client.disabled = true);
    platform.advance(MINUTE - 1);
    assert!(!find(&edge, "atoms-web").unwrap().unwrap().disabled, "still the cached one");
    assert_eq!(asked(), 1);
    platform.advance(1);
    assert!(find(&edge, "atoms-web").unwrap().unwrap().disabled);
    assert_eq!(asked(), 2);
    assert!(find(&edge, "atoms-web").unwrap().unwrap().disabled);
    assert_eq!(asked(), 2, "and that is cached, too");
}

#[test]
fn an_instance_asks_the_cache_once_a_minute() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    assert!(find(&edge, "atoms-web").unwrap().is_some());
    let calls = || (platform.calls(Dependency::Kv), platform.calls(Dependency::Sql));
    let before = calls();
    platform.advance(MINUTE - 1);
    assert!(find(&edge, "atoms-web").unwrap().is_some());
    assert_eq!(calls(), before, "it remembers");

    // Another instance has asked the database meanwhile.
    let asked_at = testing::NOW + MINUTE / 2;
    let mut record = edge.record("atoms-web");
    record.disabled = true;
    let record = serde_json::to_string(&record).unwrap();
    let kept = format!("{{\"as_of\":{asked_at},\"record\":{record}}}");
    block_on(platform.put("client/atoms-web", kept.as_bytes(), Duration::from_secs(60))).unwrap();
    platform.advance(1);
    assert!(find(&edge, "atoms-web").unwrap().unwrap().disabled, "its minute is over");
    platform.advance(MINUTE / 2);
    assert!(
        !find(&edge, "atoms-web").unwrap().unwrap().disabled,
        "so is that of the other's answer"
    );
}

#[test]
fn a_record_serves_a_day_while_the_database_is_away() {
    let away = [
        Fault::Away,
        Fault::Timeout,
        Fault::Answers(StatusCode::SERVICE_UNAVAILABLE, Bytes::new()),
        Fault::Answers(StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(b"x")),
        Fault::Answers(StatusCode::BAD_REQUEST, Bytes::from_static(b"{\"code\":\"57P01\"}")),
    ];
    for fault in away {
        let edge = Edge::new();
        let platform = &edge.world.platform;
        assert!(find(&edge, "atoms-web").unwrap().is_some());
        platform.fail(Dependency::Sql, fault.clone());
        platform.advance(DAY - 20 * SECOND);
        assert!(find(&edge, "atoms-web").unwrap().is_some(), "{fault:?}");
        assert_eq!(word(find(&edge, "atoms-cli")), "unavailable", "not cached: {fault:?}");
        platform.advance(20 * SECOND);
        assert_eq!(word(find(&edge, "atoms-web")), "unavailable", "{fault:?}");
    }
}

#[test]
fn a_cache_that_keeps_too_long_prolongs_nothing() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    let record = serde_json::to_string(&edge.record("atoms-web")).unwrap();
    let kept = format!("{{\"as_of\":{},\"record\":{record}}}", testing::NOW);
    block_on(platform.put("client/atoms-web", kept.as_bytes(), Duration::from_secs(1 << 20)))
        .unwrap();
    platform.fail(Dependency::Sql, Fault::Away);
    platform.advance(DAY - 1);
    assert!(find(&edge, "atoms-web").unwrap().is_some());
    platform.advance(1);
    assert_eq!(word(find(&edge, "atoms-web")), "unavailable");
}

#[test]
fn the_cache_away_or_broken_costs_time_only() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    platform.fail(Dependency::Kv, Fault::Away);
    for _ in 0..2 {
        assert!(find(&edge, "atoms-web").unwrap().is_some());
        platform.advance(MINUTE);
    }
    assert_eq!(platform.calls(Dependency::Sql), 2);
    platform.heal(Dependency::Kv);
    for garbage in ["", "{}", "{\"as_of\":1,\"record\":{\"client_id\":\"x\"}}"] {
        platform.advance(MINUTE);
        block_on(platform.put("client/atoms-web", garbage.as_bytes(), Duration::from_secs(60)))
            .unwrap();
        assert!(find(&edge, "atoms-web").unwrap().is_some(), "{garbage}");
    }
}

#[test]
fn everything_away_is_an_outage() {
    let edge = Edge::new();
    edge.world.platform.fail(Dependency::Kv, Fault::Away);
    edge.world.platform.fail(Dependency::Sql, Fault::Away);
    assert_eq!(word(by_form(&edge, &[("client_id", "atoms-web")])), "unavailable");
}

#[test]
fn impossible_names_are_nobodys_without_a_question() {
    let edge = Edge::new();
    let long = "x".repeat(201);
    for id in [long.as_str(), "a b", "a\0b", "\u{e9}"] {
        assert_eq!(find(&edge, id), Ok(None), "{id:?}");
    }
    let platform = &edge.world.platform;
    assert_eq!((platform.calls(Dependency::Kv), platform.calls(Dependency::Sql)), (0, 0));
}

#[test]
fn one_clients_record_is_not_anothers() {
    let edge = Edge::new();
    for id in ["atoms-web", "atoms-cli", "atoms-service"] {
        assert_eq!(find(&edge, id).unwrap().unwrap().client_id, id);
    }
    assert_eq!(find(&edge, "atoms-web/../atoms-cli"), Ok(None));
}

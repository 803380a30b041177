//! Clients whose id is the address of their document: what makes one, how long it is kept, and that
//! whoever makes up addresses reaches nothing and troubles nobody.

use std::time::Duration;

use auth::{Failure, clients};
use bytes::Bytes;
use data::clients::{ClientKind, ClientOrigin, ClientRecord};
use futures::executor::block_on;
use http::StatusCode;
use ports::{ConfigError, Kv as _};
use serde_json::{Value, json};
use testing::{Dependency, Fault, NOW, World};

use crate::support::{DAY, Edge, HOUR, MINUTE, basic, form, word};
use crate::web::Page;

const URL: &str = "https://app.example/oauth/client.json";

fn document(url: &str) -> Value {
    json!({
        "client_id": url,
        "client_name": "The app",
        "redirect_uris": ["https://app.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut document = document(URL);
    document[name] = value.into();
    document
}

fn find(edge: &Edge, id: &str) -> Result<Option<ClientRecord>, Failure> {
    block_on(clients::find(&edge.world.platform, &edge.settings.sql, id))
}

fn asked(edge: &Edge) -> u32 {
    edge.world.platform.calls(Dependency::Clients)
}

fn published() -> (Edge, Page) {
    let edge = Edge::new();
    let page = Page::at(&edge.world.platform, URL);
    page.shows(&document(URL));
    (edge, page)
}

#[test]
fn m10_a_document_makes_a_client() {
    let (edge, page) = published();
    let record = find(&edge, URL).unwrap().unwrap();
    let expected = ClientRecord {
        client_id: URL.to_owned(),
        name: "The app".to_owned(),
        kind: ClientKind::Public,
        scopes: ["atoms:workspace.read", "atoms:workspace.write", "offline_access"]
            .map(str::to_owned)
            .to_vec(),
        grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
        redirect_uris: vec!["https://app.example/cb".to_owned()],
        auth_method: Some("none".to_owned()),
        origin: ClientOrigin::Document,
        ..ClientRecord::default()
    };
    assert_eq!(record, expected);
    assert_eq!(edge.world.platform.calls(Dependency::Sql), 0);
    // Nothing that only we may give.
    for ours in ["first_party", "introspect_audiences", "disabled", "policy", "expires_at"] {
        page.shows(&with(ours, true));
        edge.world.platform.advance(DAY);
        assert_eq!(find(&edge, URL), Ok(Some(expected.clone())), "{ours}");
    }
}

/// Each of them leads, or might lead, somewhere that only we reach, or means two things to two readers.
#[test]
fn m10_addresses_that_may_not_be_asked_are_nobody_s_and_nobody_is_asked() {
    let edge = Edge::new();
    for host in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "printer",
        "a.localhost",
        "nas.local",
        "db.internal",
        "ledger.spin.internal",
        "metadata.google.internal",
        "x.home.arpa",
        "router.lan",
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.0x0.0x0.0x1",
        "0177.0.0.1",
        "017700000001",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "0.0.0.0",
        "0",
        "255.255.255.255",
        "93.184.216.34",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]",
        "[fe80::1%25eth0]",
        "[2606:2800:220:1::1]",
        "app.example.",
        "app.example:80",
        "app.example:8443",
        "app.example:0",
        "app.example:443@10.0.0.1",
        "user@app.example",
        "user:password@app.example",
        "app.example@127.0.0.1",
        "app.example%2f@127.0.0.1",
        "ex%61mple.com",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "exa mple.com",
        "app.example\\.evil.example",
        // Our own.
        "edge.example",
        "EDGE.example:443",
        "",
    ] {
        let id = format!("https://{host}/client.json");
        Page::at(&edge.world.platform, &id).shows(&document(&id));
        assert_eq!(find(&edge, &id), Ok(None), "{id}");
    }
    for id in [
        "https://app.example",
        "https://app.example/",
        "https://app.example/?client.json",
        "https://app.example?x/client.json",
        "https://app.example/client.json#fragment",
        "https://app.example/a/../client.json",
        "https://app.example/./client.json",
        "https://app.example/%2e%2e/client.json",
        "https://app.example/.%2E/client.json",
        "https://app.example/a%2fclient.json",
        "https://app.example/a%5cclient.json",
        "https://app.example\\client.json",
        "https:\\\\app.example\\client.json",
        "https:///client.json",
        "https:/app.example/client.json",
        "https://app.example/client.json\n",
        "https://app.example/client.json ",
        "https://app.example/clıent.json",
        &format!("https://app.example/{}", "x".repeat(300)),
    ] {
        Page::at(&edge.world.platform, "https://app.example/client.json").shows(&document(id));
        assert_eq!(find(&edge, id), Ok(None), "{id}");
    }
    assert_eq!(asked(&edge), 0);
    // What is not of https is no address of a document, and in no database.
    for id in
        ["http://app.example/c", "HTTPS://app.example/c", "ftp://app.example/c", "//app.example/c"]
    {
        assert_eq!(find(&edge, id), Ok(None), "{id}");
    }
    assert_eq!(asked(&edge), 0);
}

#[test]
fn m10_a_document_that_is_none_is_refused_for_a_minute() {
    let json = ("content-type", "application/json");
    let body = |document: Value| document.to_string();
    let good = body(document(URL));
    let padded = format!("{good}{}", " ".repeat(5 * 1024));
    for (what, status, headers, body) in [
        ("another client's", 200, vec![json], body(document("https://evil.example/c"))),
        ("a relative of its", 200, vec![json], body(document(&format!("{URL}?x")))),
        ("nobody's", 200, vec![json], body(with("client_id", Value::Null))),
        ("with a secret", 200, vec![json], body(with("client_secret", "s"))),
        (
            "of a shared secret",
            200,
            vec![json],
            body(with("token_endpoint_auth_method", "client_secret_basic")),
        ),
        ("without a name", 200, vec![json], body(with("client_name", Value::Null))),
        ("to anywhere", 200, vec![json], body(with("redirect_uris", json!([])))),
        (
            "to a page without TLS",
            200,
            vec![json],
            body(with("redirect_uris", json!(["http://a.b"]))),
        ),
        ("oversized", 200, vec![json], padded),
        ("no JSON", 200, vec![json], "<html>".to_owned()),
        ("called a page", 200, vec![("content-type", "text/html")], good.clone()),
        ("called nothing", 200, vec![], good.clone()),
        ("elsewhere", 302, vec![json, ("location", "http://169.254.169.254/")], good.clone()),
        ("elsewhere for good", 301, vec![json, ("location", URL)], good.clone()),
        ("elsewhere with its body", 308, vec![json, ("location", URL)], good.clone()),
        ("a choice", 300, vec![json], good.clone()),
        ("a part", 206, vec![json], good.clone()),
        ("another success", 201, vec![json], good.clone()),
        ("not there", 404, vec![json], good.clone()),
        ("gone", 410, vec![json], good.clone()),
    ] {
        let (edge, page) = published();
        page.answers(status, &headers, &body);
        assert_eq!(find(&edge, URL), Ok(None), "{what}");
        page.shows(&document(URL));
        edge.world.platform.advance(MINUTE - 1);
        assert_eq!((find(&edge, URL), asked(&edge)), (Ok(None), 1), "{what}");
        edge.world.platform.advance(1);
        assert!(find(&edge, URL).unwrap().is_some(), "{what}: it was mended");
    }
}

#[test]
fn m10_a_host_that_is_away_or_slow_is_left_alone_for_a_minute() {
    for fault in [
        Fault::Away,
        Fault::Timeout,
        Fault::Answers(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
        Fault::Answers(StatusCode::TOO_MANY_REQUESTS, Bytes::new()),
        Fault::Answers(StatusCode::FORBIDDEN, Bytes::new()),
    ] {
        let (edge, _page) = published();
        let platform = &edge.world.platform;
        platform.fail(Dependency::Clients, fault.clone());
        let began = platform_now(&edge);
        assert_eq!(word(find(&edge, URL)), "unavailable", "{fault:?}");
        assert!(platform_now(&edge) - began <= 5_000, "it has five seconds");
        platform.heal(Dependency::Clients);
        platform.advance(MINUTE - 1);
        assert_eq!(word(find(&edge, URL)), "unavailable", "{fault:?}");
        assert_eq!(asked(&edge), 1);
        platform.advance(1);
        assert!(find(&edge, URL).unwrap().is_some(), "{fault:?}");
    }
}

fn platform_now(edge: &Edge) -> u64 {
    ports::Clock::now(&edge.world.platform)
}

#[test]
fn m10_a_document_is_kept_as_its_host_has_it_within_bounds() {
    for (control, minutes) in
        [("max-age=600", 10), ("no-store", 1), ("max-age=0", 1), ("max-age=31536000", 24 * 60)]
    {
        let (edge, page) = published();
        page.shows_with(&document(URL), ("cache-control", control));
        assert!(find(&edge, URL).unwrap().is_some());
        edge.world.platform.advance(minutes * MINUTE - 1);
        assert!(find(&edge, URL).unwrap().is_some());
        assert_eq!(asked(&edge), 1, "{control}");
        edge.world.platform.advance(1);
        assert!(find(&edge, URL).unwrap().is_some());
        // The instance itself remembers for a minute what the cache told it.
        edge.world.platform.advance(MINUTE);
        assert!(find(&edge, URL).unwrap().is_some());
        assert!(asked(&edge) >= 2, "{control}");
    }
}

#[test]
fn m10_a_document_serves_a_day_more_while_its_host_is_away() {
    let (edge, _page) = published();
    let platform = &edge.world.platform;
    assert!(find(&edge, URL).unwrap().is_some(), "fresh for an hour, as nothing is said");
    platform.fail(Dependency::Clients, Fault::Away);
    platform.advance(HOUR + DAY - 1);
    assert!(find(&edge, URL).unwrap().is_some());
    platform.advance(MINUTE);
    assert_eq!(word(find(&edge, URL)), "unavailable");
}

#[test]
fn m10_a_document_that_was_taken_back_serves_no_longer() {
    for answer in [Some(404), Some(301), None] {
        let (edge, page) = published();
        assert!(find(&edge, URL).unwrap().is_some());
        match answer {
            Some(status) => page.answers(status, &[("location", "https://new.example/c")], ""),
            None => page.shows(&document("https://new.example/c")),
        }
        edge.world.platform.advance(HOUR);
        assert_eq!(find(&edge, URL), Ok(None), "{answer:?}");
        edge.world.platform.fail(Dependency::Clients, Fault::Away);
        edge.world.platform.advance(HOUR);
        assert_eq!(word(find(&edge, URL)), "unavailable", "{answer:?}");
    }
}

/// Whoever can write the cache, or was once written there, is nobody by that.
#[test]
fn m10_a_poisoned_cache_makes_no_client() {
    let own = |record: ClientRecord| serde_json::to_value(record).unwrap();
    let record = || {
        let (edge, _page) = published();
        find(&edge, URL).unwrap().unwrap()
    };
    let kept = |value: Value, until: u64| {
        json!({ "as_of": NOW, "fresh_until": until, "tried_at": 0, "value": value }).to_string()
    };
    let evil = "https://evil.example/cb".to_owned();
    let other = ClientRecord { client_id: "https://evil.example/c".to_owned(), ..record() };
    let registered = ClientRecord { origin: ClientOrigin::Registered, ..record() };
    let first = ClientRecord { first_party: true, ..record() };
    let inside = Some("https://10.0.0.1/jwks".to_owned());
    let reaching = ClientRecord { jwks_uri: inside, ..record() };
    for (what, text) in [
        ("another's", kept(own(other), NOW + HOUR)),
        ("registered", kept(own(registered), NOW + HOUR)),
        ("of ours", kept(own(first), NOW + HOUR)),
        ("reaching inside", kept(own(reaching), NOW + HOUR)),
        ("no record", kept(json!({ "client_id": URL }), NOW + HOUR)),
    ] {
        let (edge, _page) = published();
        put(&edge, &text);
        assert_eq!(find(&edge, URL), Ok(None), "{what}");
    }
    let lasting = ClientRecord { redirect_uris: vec![evil.clone()], ..record() };
    for (what, text) in [
        ("for ever", kept(own(lasting.clone()), u64::MAX)),
        ("for two days", kept(own(lasting), NOW + 2 * DAY)),
        ("garbage", "{".to_owned()),
        ("of another shape", json!({ "as_of": "x" }).to_string()),
    ] {
        let (edge, _page) = published();
        put(&edge, &text);
        let found = find(&edge, URL).unwrap().unwrap();
        assert_eq!(found.redirect_uris, ["https://app.example/cb"], "{what}");
    }
}

fn put(edge: &Edge, text: &str) {
    let key = format!("document/{URL}");
    block_on(edge.world.platform.put(&key, text.as_bytes(), Duration::from_secs(600))).unwrap();
}

/// Whoever makes up names of clients must not turn us against others.
#[test]
fn m10_an_instance_asks_strangers_only_so_often() {
    let edge = Edge::new();
    let url = |host: u32, page: u32| format!("https://h{host}.example/{page}");
    for host in 0..20 {
        for page in 0..20 {
            Page::at(&edge.world.platform, &url(host, page)).answers(404, &[], "");
        }
    }
    let ask = |host, page| find(&edge, &url(host, page)).is_ok();
    assert_eq!((0..20).filter(|page| ask(0, *page)).count(), 10, "one host");
    assert_eq!(asked(&edge), 10);
    let others = (1..20).flat_map(|host| (0..5).map(move |page| (host, page)));
    assert_eq!(others.filter(|(host, page)| ask(*host, *page)).count(), 50, "all hosts");
    assert_eq!(asked(&edge), 60);
    assert_eq!(word(find(&edge, &url(19, 19))), "unavailable");
    edge.world.platform.advance(MINUTE);
    assert_eq!(find(&edge, &url(19, 19)), Ok(None));
}

#[test]
fn m10_what_is_known_serves_when_too_much_is_asked_for() {
    let (edge, _page) = published();
    assert!(find(&edge, URL).unwrap().is_some());
    edge.world.platform.advance(HOUR);
    for page in 0..60 {
        let url = format!("https://h{page}.example/c");
        Page::at(&edge.world.platform, &url).answers(404, &[], "");
        assert_eq!(find(&edge, &url), Ok(None));
    }
    assert!(find(&edge, URL).unwrap().is_some());
    assert_eq!(asked(&edge), 61);
}

#[test]
fn m10_the_cache_away_costs_time_only() {
    let (edge, _page) = published();
    edge.world.platform.fail(Dependency::Kv, Fault::Away);
    assert!(find(&edge, URL).unwrap().is_some());
    assert!(find(&edge, URL).unwrap().is_some());
    assert_eq!(asked(&edge), 1, "the instance remembers");
}

#[test]
fn c4_a_client_of_a_document_is_public_and_has_no_secret() {
    let (edge, _page) = published();
    let by_name = form(&[("client_id", URL)]);
    let record = block_on(edge.authenticate(None, &by_name)).unwrap();
    assert_eq!(record.client_id, URL);
    let posted = form(&[("client_id", URL), ("client_secret", "x")]);
    assert_eq!(word(block_on(edge.authenticate(None, &posted))), "invalid_client");
    let encoded = basic("https%3A%2F%2Fapp.example%2Foauth%2Fclient.json", "x");
    assert_eq!(word(block_on(edge.authenticate(Some(&encoded), &form(&[])))), "invalid_client");
}

#[test]
fn sessions_are_not_managed_by_strangers_who_are_not_even_asked_for() {
    let (edge, _page) = published();
    let platform = &edge.world.platform;
    let found = block_on(clients::registered(platform, &edge.settings.sql, URL));
    assert_eq!(found, Ok(None));
    assert_eq!((asked(&edge), platform.calls(Dependency::Sql)), (0, 0));
}

fn local(public_url: &str, hosts: &str) -> Result<(), ConfigError> {
    let world = World::new();
    world.platform.set("PUBLIC_URL", public_url);
    world.platform.set("CLIENT_METADATA_HOSTS", hosts);
    auth::remote::Remote::load(&world.platform).map(drop)
}

#[test]
fn one_s_own_machine_is_asked_in_development_alone() {
    let hosts = "http://127.0.0.1:4000, https://app.local";
    let edge =
        Edge::with(&[("PUBLIC_URL", "http://127.0.0.1:8787"), ("CLIENT_METADATA_HOSTS", hosts)]);
    for (url, found) in [
        ("http://127.0.0.1:4000/client.json", true),
        ("https://app.local/client.json", true),
        ("http://127.0.0.1:4001/client.json", false),
        ("http://127.0.0.1:4000@10.0.0.1/client.json", false),
        ("http://127.0.0.1:4000/a/../client.json", false),
        ("http://127.0.0.1:4000/", false),
        ("http://localhost:4000/client.json", false),
        ("https://127.0.0.1:4000/client.json", false),
    ] {
        Page::at(&edge.world.platform, url).shows(&document(url));
        assert_eq!(find(&edge, url).unwrap().is_some(), found, "{url}");
    }
    for public in ["http://127.0.0.1:8787", "http://localhost:1", "http://[::1]:1"] {
        assert_eq!(local(public, hosts), Ok(()), "{public}");
    }
    for (public, hosts) in [
        ("https://edge.example", hosts),
        ("https://localhost.example", hosts),
        ("http://127.0.0.1:1", "http://127.0.0.1:4000/"),
        ("http://127.0.0.1:1", "127.0.0.1:4000"),
        ("http://127.0.0.1:1", "*"),
    ] {
        let refused = local(public, hosts).unwrap_err();
        assert_eq!(refused.setting, "CLIENT_METADATA_HOSTS", "{public} {hosts}");
    }
    assert_eq!(local("https://edge.example", ""), Ok(()));
}

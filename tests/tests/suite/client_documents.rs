//! Clients whose id is the address of their document, draft-ietf-oauth-client-id-metadata-document, and
//! whoever makes such addresses up.

use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::client::{INTROSPECT, REFRESH, REVOKE, TOKEN};
use e2e::{Answer, World};
use serde_json::{Value, json};

use crate::web::{Page, Web};

fn document(url: &str) -> Value {
    json!({
        "client_id": url,
        "client_name": "An app with a document",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
    })
}

fn with(url: &str, name: &str, value: impl Into<Value>) -> Value {
    let mut document = document(url);
    document[name] = value.into();
    document
}

/// What a client of that id is told about a token that is none.
async fn asks(world: &World, id: &str) -> Result<Answer> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", id)];
    world.api.form(TOKEN, &fields).await
}

fn told(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.error())
}

const LET_IN: (u16, &str) = (400, "invalid_grant");
const NOBODY: (u16, &str) = (401, "invalid_client");

#[tokio::test]
async fn m10_the_server_says_that_it_reads_documents() -> Result<()> {
    let world = World::attach()?;
    let metadata = world.api.get("/.well-known/oauth-authorization-server").await?;
    assert_eq!(metadata.body["client_id_metadata_document_supported"], true);
    Ok(())
}

#[tokio::test]
async fn m10_a_document_makes_a_client_and_is_kept() -> Result<()> {
    let world = World::attach()?;
    let web = Web::of(&world)?;
    let url = web.address();
    web.show(&url, Page::json(&document(&url)));
    for _ in 0..5 {
        let answer = asks(&world, &url).await?;
        assert_eq!(told(&answer), LET_IN, "{}", answer.text);
    }
    // Each function has instances of its own, and what the cache tells may be a moment old.
    assert!((1..=5).contains(&web.asked(&url)), "{}", web.asked(&url));
    Ok(())
}

#[tokio::test]
async fn m10_what_is_no_document_of_the_client_is_nobody() -> Result<()> {
    let world = World::attach()?;
    let web = Web::of(&world)?;
    let json = |value: &Value| Page::json(value);
    let inside = web.publish(Page::of("application/json", "{}"));
    let url = || web.address();
    let mut cases = Vec::new();
    let mut case = |what: &'static str, make: &dyn Fn(&str) -> Page| {
        let url = url();
        web.show(&url, make(&url));
        cases.push((what, url));
    };
    case("another's", &|_| json(&document("https://other.example/client.json")));
    case("with a slash more", &|url| json(&document(&format!("{url}/"))));
    case("nobody's", &|url| json(&with(url, "client_id", Value::Null)));
    case("with a secret", &|url| json(&with(url, "client_secret", "x")));
    case("of a shared secret", &|url| {
        json(&with(url, "token_endpoint_auth_method", "client_secret_post"))
    });
    case("without a name", &|url| json(&with(url, "client_name", Value::Null)));
    case("of a script", &|url| json(&with(url, "redirect_uris", json!(["javascript:alert(1)"]))));
    case("oversized", &|url| json(&with(url, "x", "x".repeat(5 * 1024))));
    case("a page", &|url| Page::of("text/html", &document(url).to_string()));
    case("no JSON", &|_| Page::of("application/json", "{"));
    case("elsewhere", &|url| Page {
        status: "302 Found",
        headers: format!("location: {inside}\r\ncontent-type: application/json\r\n"),
        ..json(&document(url))
    });
    case("gone", &|url| Page { status: "410 Gone", ..json(&document(url)) });
    cases.push(("not there", web.address()));
    for (what, url) in cases {
        let answer = asks(&world, &url).await?;
        assert_eq!(told(&answer), NOBODY, "{what}: {}", answer.text);
        assert_eq!(web.asked(&url), 1, "{what}");
    }
    assert_eq!(web.asked(&inside), 0, "nobody follows");
    Ok(())
}

#[tokio::test]
async fn m10_a_host_that_is_slow_or_broken_is_given_up_and_left_alone() -> Result<()> {
    let world = World::attach()?;
    let web = Web::of(&world)?;
    for (status, after) in [("200 OK", 20), ("500 Internal Server Error", 0)] {
        let url = web.address();
        let page = Page::json(&document(&url));
        web.show(&url, Page { status, after: Duration::from_secs(after), ..page });
        let since = Instant::now();
        for _ in 0..2 {
            let answer = asks(&world, &url).await?;
            assert_eq!(told(&answer), (503, "temporarily_unavailable"), "{}", answer.text);
            assert!(!answer.header("retry-after").is_empty());
        }
        assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
        assert_eq!(web.asked(&url), 1, "{status}");
    }
    Ok(())
}

/// Addresses that lead to this very machine, in all the ways there are to write it, but not to the one
/// place that the stack allows.
#[tokio::test]
async fn m10_made_up_addresses_reach_nothing() -> Result<()> {
    let world = World::attach()?;
    let (web, inside) = (Web::of(&world)?, Web::elsewhere()?);
    let (allowed, port) = (web.port(), inside.port());
    let mut ids = Vec::new();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "app.localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "metadata.google.internal",
        "db.local",
        "intranet",
    ] {
        for scheme in ["https", "http"] {
            ids.push(format!("{scheme}://{host}:{port}/client.json"));
            ids.push(format!("{scheme}://{host}/client.json"));
        }
    }
    for id in [
        format!("http://127.0.0.1:{allowed}@127.0.0.1:{port}/client.json"),
        format!("https://app.example@127.0.0.1:{port}/client.json"),
        format!("https://app.example:{port}/client.json"),
        format!("http://127.0.0.1:{allowed}/a/../client.json"),
        format!("http://127.0.0.1:{allowed}/%2e%2e/client.json"),
        format!("http://127.0.0.1:{allowed}/client.json#x"),
        format!("http://127.0.0.1:{allowed}/"),
        format!("http://localhost:{allowed}/client.json"),
        format!("{}/oauth/authorize", world.issuer()),
        "https://app.example\\@127.0.0.1/client.json".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        ids.push(id);
    }
    for (at, id) in ids.iter().enumerate() {
        // All find clients in the same way.
        let paths = [TOKEN, REFRESH, REVOKE, INTROSPECT];
        for path in if at < 10 { &paths[..] } else { &paths[..1] } {
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", "x"),
                ("token", "x"),
                ("client_id", id.as_str()),
            ];
            let answer = world.api.form(path, &fields).await?;
            assert_eq!(told(&answer), NOBODY, "{path} {id}: {}", answer.text);
        }
    }
    assert_eq!(inside.asked_at_all(), 0);
    Ok(())
}

#[tokio::test]
async fn c4_a_client_of_a_document_has_no_secret() -> Result<()> {
    let world = World::attach()?;
    let web = Web::of(&world)?;
    let url = web.address();
    web.show(&url, Page::json(&document(&url)));
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("client_id", url.as_str()),
        ("client_secret", "x"),
    ];
    assert_eq!(told(&world.api.form(TOKEN, &fields).await?), NOBODY);
    assert_eq!(told(&asks(&world, &url).await?), LET_IN);
    // A stranger neither exchanges tokens nor asks about them.
    let person = world.person().await?;
    let tokens = person.sign_in().await?;
    let fields = [
        ("grant_type", e2e::client::TOKEN_EXCHANGE),
        ("subject_token", tokens.access_token.as_str()),
        ("subject_token_type", e2e::client::ACCESS_TOKEN_TYPE),
        ("client_id", url.as_str()),
    ];
    let answer = world.api.form(TOKEN, &fields).await?;
    assert_eq!(told(&answer), (400, "unauthorized_client"), "{}", answer.text);
    let answer = world.api.form(INTROSPECT, &[("token", "x"), ("client_id", &url)]).await?;
    assert_ne!(answer.status, 200, "{}", answer.text);
    Ok(())
}

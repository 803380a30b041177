//! Input that no well-behaved client sends. Whatever it is, the answer is a documented 4xx and
//! nothing is consumed.

use anyhow::{Context as _, Result};
use e2e::client::{INTROSPECT, MCP, REFRESH, REVOKE, REVOKE_ALL, SESSIONS, TOKEN};
use e2e::{Answer, Session, World};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};

const FORM: &str = "application/x-www-form-urlencoded";
const OAUTH: [&str; 4] = [TOKEN, REFRESH, REVOKE, INTROSPECT];
/// No body of this length is read by anybody.
const UNREAD: usize = 1024 * 1024;

/// A form with which the endpoint would consume or end the session.
fn harmful(path: &str, session: &Session) -> String {
    let token = &session.refresh;
    match path {
        TOKEN => format!("client_id=atoms-web&grant_type=refresh_token&refresh_token={token}"),
        REFRESH => format!("client_id=atoms-web&refresh_token={token}"),
        _ => format!("client_id=atoms-web&token={token}"),
    }
}

/// The session is alive and its tokens are still the newest.
async fn untouched(world: &World, session: &Session) -> Result<()> {
    assert!(world.is_untouched(session).await?, "a refused request changed the session");
    Ok(())
}

fn refused(answer: &Answer, status: u16, error: &str, what: &str) {
    assert_eq!((answer.status, answer.error()), (status, error), "{what}: {}", answer.text);
}

#[tokio::test]
async fn c1_tokens_by_get_are_never_processed() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for path in OAUTH {
        let query = format!("{path}?{}", harmful(path, &session));
        assert_eq!(world.api.get(&query).await?.status, 405);
        // Nor from the query of a POST.
        let answer = world.api.form(&query, &[]).await?;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
    }
    untouched(&world, &session).await
}

#[tokio::test]
async fn c1_other_content_types() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let types = [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded-not",
        "x",
        ";",
        "",
    ];
    for path in OAUTH {
        for kind in types {
            let request = world.api.request(Method::POST, path).header(CONTENT_TYPE, kind);
            let answer = world.api.send(request.body(harmful(path, &session))).await?;
            refused(&answer, 400, "invalid_request", &format!("{path} {kind}"));
        }
        let request = world.api.request(Method::POST, path).body(harmful(path, &session));
        refused(&world.api.send(request).await?, 400, "invalid_request", path);
    }
    untouched(&world, &session).await
}

#[tokio::test]
async fn c1_the_content_type_may_have_parameters() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let kind = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    let request = world.api.request(Method::POST, REFRESH).header(CONTENT_TYPE, kind);
    world.api.send(request.body(harmful(REFRESH, &session))).await?.expect(200, kind)?;
    Ok(())
}

#[tokio::test]
async fn c2_duplicate_parameters() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for path in OAUTH {
        let once = harmful(path, &session);
        let token = if once.contains("refresh_token=") { "refresh_token" } else { "token" };
        for again in [
            "client_id=atoms-web".to_owned(),
            format!("{token}={}", session.refresh),
            "scope=a&scope=b".to_owned(),
            "unknown=1&unknown=1".to_owned(),
        ] {
            let answer = post(&world, path, &format!("{once}&{again}")).await?;
            refused(&answer, 400, "invalid_request", &format!("{path} {again:.30}"));
        }
    }
    untouched(&world, &session).await
}

#[tokio::test]
async fn c2_empty_is_omitted_and_unknown_is_ignored() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let form = harmful(REFRESH, &session);
    let form = format!("scope=&refresh_token=&&=&unknown=1&{form}&client_id=&resource=&scope=");
    post(&world, REFRESH, &form).await?.expect(200, "empty and unknown parameters")?;
    Ok(())
}

#[tokio::test]
async fn forms_that_are_none() -> Result<()> {
    let world = World::attach()?;
    let many = (0..200).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
    let bodies: [&[u8]; 8] = [
        b"",
        b"&&&&",
        b"====",
        b"%",
        b"%zz=%zz",
        b"token=%ff%fe&client_id=atoms-web&refresh_token=%ff",
        b"\xff\xfe\x00",
        many.as_bytes(),
    ];
    for path in OAUTH {
        for body in bodies {
            let request = world.api.request(Method::POST, path).header(CONTENT_TYPE, FORM);
            let answer = world.api.send(request.body(body.to_vec())).await?;
            let shown = String::from_utf8_lossy(body);
            assert!((400..500).contains(&answer.status), "{path} {shown:.40}: {}", answer.status);
            assert!(!answer.error().is_empty(), "{path} {shown:.40}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn bodies_over_the_limit() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for path in OAUTH {
        let form = harmful(path, &session);
        let padded = |length: usize| {
            let padding = "x".repeat(length - form.len() - "&p=".len());
            format!("{form}&p={padding}")
        };
        // A hundred tokens may be revoked at once.
        let limit = if path == REVOKE { 256 * 1024 } else { 64 * 1024 };
        let answer = post(&world, path, &padded(limit + 1)).await?;
        refused(&answer, 413, "invalid_request", path);
        let answer = world.api.raw(&chunked(&world, path, &padded(limit + 16 * 1024))).await?;
        refused(&answer, 413, "invalid_request", &format!("{path} in chunks"));
    }
    untouched(&world, &session).await?;
    let session = person.session("atoms-web").await?;
    let form = harmful(REFRESH, &session);
    let fits = format!("{form}&p={}", "x".repeat(64 * 1024 - form.len() - 3));
    post(&world, REFRESH, &fits).await?.expect(200, "a body of exactly 64 KiB")?;
    Ok(())
}

#[tokio::test]
async fn device_objects_that_are_none_or_too_large() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let members = |count: usize| {
        let all: Vec<_> = (0..count).map(|at| format!("\"k{at}\":{at}")).collect();
        format!("{{{}}}", all.join(","))
    };
    let padded = |length: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(length));
    for (device, status) in [
        ("[]".to_owned(), 400),
        ("{".to_owned(), 400),
        ("null".to_owned(), 400),
        (members(65), 400),
        (members(1000), 400),
        (padded(8 * 1024), 400),
        (padded(10 * 1024 * 1024), 413),
    ] {
        for path in [TOKEN, REFRESH] {
            let form = harmful(path, &session);
            let answer = post(&world, path, &format!("{form}&device={device}")).await?;
            refused(&answer, status, "invalid_request", &format!("{path} {device:.20}"));
        }
    }
    untouched(&world, &session).await?;
    let fields = [("device", "{\"app\":\"Atoms\",\"platform\":\"darwin\",\"shoe_size\":43}")];
    let session = person.session_with("atoms-web", &fields).await?;
    let listed = world.api.sessions(&session.access).await?.expect(200, "sessions")?.body;
    assert_eq!(listed["sessions"][0]["device"]["label"], "Atoms on macOS");
    Ok(())
}

#[tokio::test]
async fn chunked_bodies_are_read() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let request = chunked(&world, REFRESH, &harmful(REFRESH, &session));
    let answer = world.api.raw(&request).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn large_bodies_elsewhere() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let body = "x".repeat(64 * 1024 + 1);
    let request = world.api.request(Method::POST, REVOKE_ALL).bearer_auth(&session.access);
    let answer = world.api.send(request.body(body)).await?;
    assert_eq!((answer.status, answer.member("code")), (413, "body_too_large"));
    let large = "x".repeat(4 * 1024 * 1024 + 1);
    let send = async || {
        let request = world.api.mcp_request(&session.access).body(large.clone());
        world.api.send(request).await
    };
    let answer = answer_to_unread(send).await?;
    assert_eq!((answer.status, answer.member("code")), (413, "body_too_large"));
    untouched(&world, &session).await
}

/// A body that is refused unread may still be on its way when the server closes the connection, and the
/// answer is lost with it (RFC 9112 section 9.6): then it is asked for again.
async fn answer_to_unread(send: impl AsyncFn() -> Result<Answer>) -> Result<Answer> {
    let mut lost = 0;
    loop {
        match send().await {
            Err(_) if lost < 20 => lost += 1,
            other => return other,
        }
    }
}

#[tokio::test]
async fn refresh_tokens_of_every_wrong_kind() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let resource_server = world.client("atoms-api")?;
    for token in mangled(&session.refresh) {
        let shown: String = token.chars().take(30).collect();
        let answer = world.api.refresh(&session.client, &token, &[]).await?;
        refused(&answer, 400, "invalid_grant", &shown);
        let answer = world.api.introspect(resource_server, &token, &[]).await?;
        assert_eq!((answer.status, answer.text.as_str()), (200, "{\"active\":false}"), "{shown}");
        let answer = world.api.revoke(&session.client, &token, &[]).await?;
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{shown}");
    }
    untouched(&world, &session).await
}

#[tokio::test]
async fn access_tokens_of_every_wrong_kind() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let resource_server = world.client("atoms-api")?;
    // Our own functions go by the internal MAC, which does not cover the signature itself.
    let (signed, _) = session.access.rsplit_once('.').context("a JWT")?;
    let resigned = |token: &String| {
        token.len() == session.access.len() && token.starts_with(&format!("{signed}."))
    };
    for token in mangled(&session.access).into_iter().filter(|token| !resigned(token)) {
        let shown: String = token.chars().take(30).collect();
        let answer = world.api.introspect(resource_server, &token, &[]).await?;
        assert_eq!((answer.status, answer.text.as_str()), (200, "{\"active\":false}"), "{shown}");
        let cascade = [("cascade", "true")];
        let answer = world.api.revoke(&session.client, &token, &cascade).await?;
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{shown}");
        // A header cannot hold everything that a form can.
        let Ok(header) = HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()) else {
            continue;
        };
        if token.len() > 8 * 1024 {
            continue;
        }
        for (method, path) in
            [(Method::POST, MCP), (Method::GET, SESSIONS), (Method::POST, REVOKE_ALL)]
        {
            let request = world.api.request(method, path).header("authorization", header.clone());
            assert_eq!(world.api.send(request).await?.status, 401, "{path} {shown}");
        }
    }
    untouched(&world, &session).await
}

#[tokio::test]
async fn huge_headers_are_refused() -> Result<()> {
    let world = World::attach()?;
    for (method, path) in [(Method::POST, MCP), (Method::GET, SESSIONS)] {
        let token = "x".repeat(20_000);
        let request = world.api.request(method, path).bearer_auth(token);
        let answer = world.api.send(request).await?;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
    }
    Ok(())
}

#[tokio::test]
async fn c6_refusals_do_not_repeat_the_request() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let canary = "canary-0123456789";
    let codes = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
    ];
    for path in OAUTH {
        for form in [
            format!("client_id={canary}&token={canary}&refresh_token={canary}&grant_type={canary}"),
            format!("client_id=atoms-web&grant_type={canary}&token=&token_type_hint={canary}"),
            format!(
                "{}&scope={canary}&resource={canary}&cascade={canary}",
                harmful(path, &session)
            ),
        ] {
            let answer = post(&world, path, &form).await?;
            assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
            assert!(codes.contains(&answer.error()), "{path}: {}", answer.error());
            assert!(!answer.text.contains(canary) && !answer.text.contains("ar1_"), "{path}");
            assert!(answer.header("location").is_empty());
        }
    }
    untouched(&world, &session).await
}

/// Everything that looks like a good token and is none, and some things that look like nothing.
fn mangled(good: &str) -> Vec<String> {
    let mut all: Vec<String> =
        [0, 1, 4, 5, 20, good.len() / 2, good.len() - 1].map(|end| good[..end].to_owned()).into();
    all.retain(|token| !token.is_empty());
    // One character at a time: the last one before a dot may hold bits that nothing decodes.
    for at in [0, 3, 4, 5, 6, 10, 30, good.len() / 2, good.len() - 5] {
        let old = good.as_bytes()[at];
        let new = if old == b'A' { "B" } else { "A" };
        if old != b'.' {
            all.push(format!("{}{new}{}", &good[..at], &good[at + 1..]));
        }
    }
    let prefix = good.split_at(4).0;
    all.extend([
        format!("{good}A"),
        format!("{good}="),
        format!("{good}.x"),
        format!("{good}{good}"),
        good.to_uppercase(),
        good.replace('_', "/").replace('-', "+") + "/",
        format!("{prefix}{}", "A".repeat(76)),
        format!("{prefix}{}", "A".repeat(50_000)),
        "x".repeat(60_000),
        "ключ".to_owned(),
        "\u{0}\u{1}".to_owned(),
        "null".to_owned(),
        "..".to_owned(),
        "eyJhbGciOiJub25lIn0.e30.".to_owned(),
        "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJ4In0.".to_owned(),
        "'; drop table sessions; --".to_owned(),
    ]);
    all
}

fn chunked(world: &World, path: &str, body: &str) -> Vec<u8> {
    let host = world.issuer().trim_start_matches("http://");
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {FORM}\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    for chunk in body.as_bytes().chunks(8 * 1024) {
        let chunk = String::from_utf8_lossy(chunk);
        request.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    request.push_str("0\r\n\r\n");
    request.into_bytes()
}

async fn post(world: &World, path: &str, body: &str) -> Result<Answer> {
    let send = async || {
        let request = world.api.request(Method::POST, path).header(CONTENT_TYPE, FORM);
        world.api.send(request.body(body.to_owned())).await
    };
    if body.len() < UNREAD { send().await } else { answer_to_unread(send).await }
}

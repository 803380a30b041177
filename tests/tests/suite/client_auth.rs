//! Client authentication, the same at every OAuth endpoint.

use anyhow::Result;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use e2e::client::{INTROSPECT, REFRESH, REVOKE, TOKEN};
use e2e::world::unique;
use e2e::{Answer, World};
use reqwest::Method;
use reqwest::header::AUTHORIZATION;

/// Every OAuth endpoint with what a request needs beside its client.
const ENDPOINTS: [(&str, &[(&str, &str)]); 4] = [
    (TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", "x")]),
    (REFRESH, &[("refresh_token", "x")]),
    (REVOKE, &[("token", "x")]),
    (INTROSPECT, &[("token", "x")]),
];

/// What a registered resource server is told at each endpoint once it is authenticated.
fn let_in(path: &str, answer: &Answer) -> bool {
    match path {
        TOKEN | REFRESH => (answer.status, answer.error()) == (400, "unauthorized_client"),
        _ => answer.status == 200,
    }
}

#[tokio::test]
async fn c3_a_secret_by_header_or_by_form() -> Result<()> {
    let world = World::attach()?;
    let client = world.client("atoms-api")?;
    let secret = client.secret.as_deref().unwrap_or_default();
    let encoded = BASE64_STANDARD.encode(format!("{}:{secret}", client.id));
    // Every byte may be percent-encoded, RFC 6749 section 2.3.1.
    let decoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let percent = BASE64_STANDARD.encode(format!("atoms%2Dapi:{decoded}"));
    for (path, fields) in ENDPOINTS {
        for header in [
            format!("Basic {encoded}"),
            format!("basic {encoded}"),
            format!("BASIC {encoded}"),
            format!("Basic {percent}"),
        ] {
            let answer = with_header(&world, path, &header, fields).await?;
            assert!(let_in(path, &answer), "{path}: {}", answer.text);
        }
        let post = [("client_id", client.id.as_str()), ("client_secret", secret)];
        let answer = world.api.form(path, &[&post, fields].concat()).await?;
        assert!(let_in(path, &answer), "{path}: {}", answer.text);
        // The id may be repeated in the form as long as it is the same.
        let both = [&[("client_id", "atoms-api")], fields].concat();
        let answer = with_header(&world, path, &format!("Basic {encoded}"), &both).await?;
        assert!(let_in(path, &answer), "{path}: {}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn c3_two_methods_at_once_are_refused() -> Result<()> {
    let world = World::attach()?;
    let client = world.client("atoms-api")?;
    let secret = client.secret.as_deref().unwrap_or_default();
    let header = format!("Basic {}", BASE64_STANDARD.encode(format!("atoms-api:{secret}")));
    for (path, fields) in ENDPOINTS {
        for also in [
            &[("client_id", "atoms-api"), ("client_secret", secret)][..],
            &[("client_secret", secret)],
            &[("client_id", "atoms-web")],
        ] {
            let answer = with_header(&world, path, &header, &[also, fields].concat()).await?;
            let got = (answer.status, answer.error());
            assert_eq!(got, (400, "invalid_request"), "{path} {also:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn c4_a_bad_client_is_challenged_in_kind() -> Result<()> {
    let world = World::attach()?;
    let none = unique();
    let with_colon = BASE64_STANDARD.encode("atoms-api:wrong");
    let unknown = BASE64_STANDARD.encode(format!("{none}:x"));
    let empty = BASE64_STANDARD.encode(":x");
    let public = BASE64_STANDARD.encode("atoms-web:x");
    let no_colon = BASE64_STANDARD.encode("atoms-api");
    let not_text = BASE64_STANDARD.encode([0xff, 0xfe, b':', 0xff]);
    for (path, fields) in ENDPOINTS {
        for credentials in
            [&with_colon, &unknown, &empty, &public, &no_colon, &not_text, "", "***", "é"]
        {
            let header = format!("Basic {credentials}");
            let answer = with_header(&world, path, &header, fields).await?;
            let got = (answer.status, answer.error());
            assert_eq!(got, (401, "invalid_client"), "{path} {credentials}");
            if credentials != "é" {
                assert_eq!(answer.header("www-authenticate"), "Basic realm=\"atoms-edge\"");
            }
        }
        for form in [
            &[("client_id", "atoms-api"), ("client_secret", "wrong")][..],
            &[("client_id", "atoms-api")],
            &[("client_id", "atoms-web"), ("client_secret", "x")],
            &[("client_id", none.as_str())],
            &[("client_id", "é")],
            &[],
        ] {
            let answer = world.api.form(path, &[form, fields].concat()).await?;
            assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{path} {form:?}");
            assert_eq!(answer.header("www-authenticate"), "");
        }
    }
    Ok(())
}

#[tokio::test]
async fn c5_every_answer_is_json_that_no_cache_keeps() -> Result<()> {
    let world = World::attach()?;
    let client = world.client("atoms-api")?;
    for (path, fields) in ENDPOINTS {
        for answer in [
            world.api.form_as(path, client, fields).await?,
            world.api.form(path, fields).await?,
            world.api.form(path, &[]).await?,
        ] {
            assert_eq!(answer.header("content-type"), "application/json", "{path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            assert_eq!(answer.header("pragma"), "no-cache", "{path}");
            assert!(answer.body.is_object(), "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn credentials_in_the_query_are_ignored() -> Result<()> {
    let world = World::attach()?;
    let client = world.client("atoms-api")?;
    let secret = client.secret.as_deref().unwrap_or_default();
    for (path, fields) in ENDPOINTS {
        let path = format!("{path}?client_id=atoms-api&client_secret={secret}");
        let answer = world.api.form(&path, fields).await?;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{path}");
    }
    Ok(())
}

async fn with_header(
    world: &World,
    path: &str,
    header: &str,
    fields: &[(&str, &str)],
) -> Result<Answer> {
    let request = world.api.request(Method::POST, path).header(AUTHORIZATION, header);
    world.api.send(request.form(fields)).await
}

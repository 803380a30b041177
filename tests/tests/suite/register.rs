//! Clients that register themselves: RFC 7591, and RFC 7592.

use anyhow::{Context, Result};
use e2e::client::TOKEN;
use e2e::world::unique;
use e2e::{Answer, World};
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

const REGISTER: &str = "/oauth/register";

fn metadata() -> Value {
    json!({
        "redirect_uris": ["http://127.0.0.1/callback"],
        "client_name": "An app that registers itself",
        "grant_types": ["authorization_code", "refresh_token"],
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut metadata = metadata();
    metadata[name] = value.into();
    metadata
}

async fn register(world: &World, metadata: &Value) -> Result<Answer> {
    world.api.send(world.api.request(Method::POST, REGISTER).json(metadata)).await
}

/// What a registration answers to its token.
async fn manage(
    world: &World,
    method: Method,
    told: &Answer,
    token: &str,
    change: Option<&Value>,
) -> Result<Answer> {
    let uri = told.member("registration_client_uri");
    let path = uri.strip_prefix(world.issuer()).context("the registration is elsewhere")?;
    let request = world.api.request(method, path).header(AUTHORIZATION, format!("Bearer {token}"));
    world
        .api
        .send(match change {
            Some(change) => request.json(change),
            None => request,
        })
        .await
}

/// What the token endpoint says to a client about a token that is none.
async fn asks(world: &World, told: &Answer, secret: Option<&str>) -> Result<Answer> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let id = told.member("client_id");
    match secret {
        Some(secret) => {
            let request = world.api.request(Method::POST, TOKEN).basic_auth(id, Some(secret));
            world.api.send(request.form(&fields)).await
        }
        None => world.api.form(TOKEN, &[&[("client_id", id)], &fields[..]].concat()).await,
    }
}

#[tokio::test]
async fn m11_a_client_registers_itself() -> Result<()> {
    let world = World::attach()?;
    let metadata = world.api.get("/.well-known/oauth-authorization-server").await?;
    assert_eq!(metadata.body["registration_endpoint"], world.api.url(REGISTER));
    let told = register(&world, &self::metadata()).await?.expect(201, "registration")?;
    assert_eq!(told.header("cache-control"), "no-store");
    assert_eq!(told.header("pragma"), "no-cache");
    assert_eq!(told.header("content-type"), "application/json");
    assert!(told.header("ratelimit").starts_with("\"register\";r="));
    for name in ["client_id", "client_secret", "registration_access_token"] {
        assert!(!told.member(name).is_empty(), "{name}: {}", told.text);
    }
    assert_eq!(told.body["client_secret_expires_at"], 0);
    assert!(told.body["client_id_issued_at"].is_u64());
    assert_eq!(told.body["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(told.body["redirect_uris"], self::metadata()["redirect_uris"]);
    assert_eq!(told.body["response_types"], json!(["code"]));
    assert!(told.body.as_object().into_iter().flatten().all(|(_, value)| !value.is_null()));
    let answer = asks(&world, &told, Some(told.member("client_secret"))).await?;
    assert_eq!((answer.status, answer.error()), (400, "invalid_grant"), "{}", answer.text);
    for secret in [None, Some("wrong"), Some(told.member("registration_access_token"))] {
        let answer = asks(&world, &told, secret).await?;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn m11_a_public_client_is_told_no_secret() -> Result<()> {
    let world = World::attach()?;
    let told = register(&world, &with("token_endpoint_auth_method", "none")).await?;
    let told = told.expect(201, "registration")?;
    for name in ["client_secret", "client_secret_expires_at"] {
        assert!(told.body.get(name).is_none(), "{name}");
    }
    let answer = asks(&world, &told, None).await?;
    assert_eq!((answer.status, answer.error()), (400, "invalid_grant"), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn m11_errors_are_those_of_the_rfc() -> Result<()> {
    let world = World::attach()?;
    for uri in [
        "http://app.example/cb",
        "https://app.example/cb#x",
        "https://user@app.example/cb",
        "https://app.example@evil.example/cb",
        "https://*.app.example/cb",
        "https://app.example/a%2f..%2fcb",
        "https://app.example/../cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1@evil.example/cb",
        "http://10.0.0.1/cb",
        "javascript://app.example/%0aalert(1)",
        "data:text/html,x",
        "cb",
    ] {
        let answer = register(&world, &with("redirect_uris", json!([uri]))).await?;
        let got = (answer.status, answer.error());
        assert_eq!(got, (400, "invalid_redirect_uri"), "{uri}: {}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    for (name, value) in [
        ("token_endpoint_auth_method", json!("client_secret_jwt")),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("grant_types", json!(["client_credentials"])),
        ("response_types", json!(["token"])),
        ("jwks", json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] })),
        ("client_name", json!(["x"])),
    ] {
        let answer = register(&world, &with(name, value.clone())).await?;
        let got = (answer.status, answer.error());
        assert_eq!(got, (400, "invalid_client_metadata"), "{name} {value}: {}", answer.text);
    }
    for url in ["https://10.0.0.1/jwks", "https://localhost/jwks", "http://app.example/jwks"] {
        let mut metadata = with("token_endpoint_auth_method", "private_key_jwt");
        metadata["jwks_uri"] = url.into();
        let answer = register(&world, &metadata).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_client_metadata"), "{url}");
    }
    let form = world.api.form(REGISTER, &[("redirect_uris", "https://app.example/cb")]).await?;
    assert_eq!((form.status, form.error()), (400, "invalid_client_metadata"));
    let request = world.api.request(Method::POST, REGISTER);
    let answer =
        world.api.send(request.header("content-type", "application/json").body("[")).await?;
    assert_eq!((answer.status, answer.error()), (400, "invalid_client_metadata"));
    assert_eq!(world.api.get(REGISTER).await?.status, 405);
    Ok(())
}

#[tokio::test]
async fn m11_nobody_registers_what_only_we_give() -> Result<()> {
    let world = World::attach()?;
    let mut asked = with("scope", "sessions:write audit:read atoms:workspace.read");
    for (name, value) in [
        ("client_id", json!("atoms-web")),
        ("client_secret", json!("chosen")),
        ("first_party", json!(true)),
        ("introspect_audiences", json!(["*"])),
    ] {
        asked[name] = value;
    }
    let told = register(&world, &asked).await?.expect(201, "registration")?;
    assert_ne!(told.member("client_id"), "atoms-web");
    assert_ne!(told.member("client_secret"), "chosen");
    assert_eq!(told.body["scope"], "atoms:workspace.read");
    let (id, secret) = (told.member("client_id"), told.member("client_secret"));
    let introspect = world.api.request(Method::POST, e2e::client::INTROSPECT);
    let answer =
        world.api.send(introspect.basic_auth(id, Some(secret)).form(&[("token", "x")])).await?;
    assert_ne!(answer.status, 200, "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn m11_what_is_stored_is_no_secret() -> Result<()> {
    let world = World::attach()?;
    let told = register(&world, &metadata()).await?.expect(201, "registration")?;
    let mut connection = PgConnection::connect(&world.info.postgres_url).await?;
    let row: String =
        sqlx::query_scalar("select c::text from app.oauth_clients c where client_id = $1")
            .bind(told.member("client_id"))
            .fetch_one(&mut connection)
            .await?;
    for name in ["client_secret", "registration_access_token"] {
        assert!(!row.contains(told.member(name)), "{name}");
        let bare = told.member(name).split_once('_').map_or("", |(_, bare)| bare);
        assert!(bare.len() > 40 && !row.contains(bare), "{name}");
    }
    connection.close().await?;
    Ok(())
}

#[tokio::test]
async fn m11_a_registration_is_seen_changed_and_ended_by_its_token() -> Result<()> {
    let world = World::attach()?;
    let told = register(&world, &metadata()).await?.expect(201, "registration")?;
    let token = told.member("registration_access_token");
    let seen = manage(&world, Method::GET, &told, token, None).await?.expect(200, "reading")?;
    assert_eq!(seen.header("cache-control"), "no-store");
    assert_eq!(seen.body["redirect_uris"], told.body["redirect_uris"]);
    assert!(seen.body.get("client_secret").is_none(), "it was told once");

    let mut change = with("client_id", told.member("client_id"));
    change["redirect_uris"] = json!(["https://app.example/other"]);
    let seen = manage(&world, Method::PUT, &told, token, Some(&change)).await?;
    assert_eq!(seen.expect(200, "change")?.body["redirect_uris"], change["redirect_uris"]);
    for bad in [metadata(), with("client_id", "atoms-web")] {
        let answer = manage(&world, Method::PUT, &told, token, Some(&bad)).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_client_metadata"));
    }

    let answer = manage(&world, Method::DELETE, &told, token, None).await?;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let answer = asks(&world, &told, Some(told.member("client_secret"))).await?;
    assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{}", answer.text);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(manage(&world, method, &told, token, None).await?.status, 401);
    }
    Ok(())
}

#[tokio::test]
async fn m11_no_other_token_manages_a_registration() -> Result<()> {
    let world = World::attach()?;
    let told = register(&world, &metadata()).await?.expect(201, "registration")?;
    let other = register(&world, &metadata()).await?.expect(201, "registration")?;
    let secret = told.member("client_secret");
    for token in [other.member("registration_access_token"), secret, "x", ""] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let change = with("client_id", told.member("client_id"));
            let answer = manage(&world, method, &told, token, Some(&change)).await?;
            let got = (answer.status, answer.error());
            assert_eq!(got, (401, "invalid_token"), "{token}: {}", answer.text);
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, "Bearer error=\"invalid_token\"");
        }
    }
    // Of whoever we registered, and of nobody, there is none.
    for id in ["atoms-web", &unique()] {
        let path = format!("{REGISTER}/{id}");
        let token = told.member("registration_access_token");
        let request = world.api.request(Method::DELETE, &path).bearer_auth(token);
        assert_eq!(world.api.send(request).await?.status, 401, "{id}");
        assert_eq!(world.api.get(&path).await?.status, 401, "{id}");
    }
    let token = told.member("registration_access_token");
    manage(&world, Method::GET, &told, token, None).await?.expect(200, "it is still there")?;
    Ok(())
}

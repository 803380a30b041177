use anyhow::{Context, Result};
use e2e::client::INTROSPECT;
use e2e::world::unique;
use e2e::{Answer, Jwt, World};
use oauth::introspection_jwt::MEDIA_TYPE as JWT;
use oauth::jwk::KeySet;
use oauth::jws::Jws;
use oauth::software;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use stack::ClientInfo;

#[tokio::test]
async fn i1_bad_credentials_are_never_an_inactive_token() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let api = world.client("atoms-api")?;
    let token = session.access.as_str();
    let wrong = ClientInfo { secret: Some(unique()), ..api.clone() };
    let none = ClientInfo { secret: None, ..api.clone() };
    let nobody = ClientInfo { id: unique(), secret: Some(unique()) };
    for client in [&wrong, &none, &nobody, world.client("atoms-web")?] {
        unauthorized(&world.api.introspect(client, token, &[]).await?);
    }
    unauthorized(&world.api.form(INTROSPECT, &[("token", token)]).await?);
    Ok(())
}

#[tokio::test]
async fn i1_the_challenge_answers_in_kind() -> Result<()> {
    let world = World::attach()?;
    let api = world.client("atoms-api")?;
    let wrong = ClientInfo { secret: Some(unique()), ..api.clone() };
    let basic = world.api.introspect(&wrong, "x", &[]).await?;
    unauthorized(&basic);
    assert_eq!(basic.header("www-authenticate"), "Basic realm=\"atoms-edge\"");
    // Bearer tokens are no way to authenticate here, so the challenge names the way that is.
    let request = world.api.request(Method::POST, INTROSPECT).bearer_auth("x");
    let bearer = world.api.send(request.form(&[("token", "x")])).await?;
    unauthorized(&bearer);
    assert_eq!(bearer.header("www-authenticate"), "Basic realm=\"atoms-edge\"");
    Ok(())
}

#[tokio::test]
async fn a_client_that_is_not_registered_for_it_is_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-service").await?;
    let answer = world.api.introspect(&session.client, &session.access, &[]).await?;
    assert_eq!((answer.status, answer.error()), (403, "unauthorized_client"));
    Ok(())
}

#[tokio::test]
async fn i2_what_is_not_in_force_is_inactive_and_nothing_more() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let authkit = person.sign_in().await?;
    let mut forged = Jwt::read(&session.access)?;
    forged.claims["exp"] = json!(4_000_000_000_u64);
    let mut unsigned = Jwt::read(&session.access)?;
    unsigned.header["alg"] = json!("none");
    unsigned.signature = String::new();
    let ended = person.session("atoms-cli").await?;
    world.api.revoke(&ended.client, &ended.refresh, &[]).await?.expect(200, "revoke")?;
    for token in [
        unique(),
        format!("ar1_{}", unique()),
        forged.text(),
        unsigned.text(),
        authkit.access_token,
        authkit.refresh_token,
        ended.access.clone(),
        ended.refresh.clone(),
    ] {
        let answer = world.api.introspect(world.client("atoms-api")?, &token, &[]).await?;
        assert_eq!((answer.status, &answer.body), (200, &json!({ "active": false })), "{token}");
    }
    assert!(world.is_active(&session.access).await?);
    Ok(())
}

#[tokio::test]
async fn i2_a_caller_sees_only_tokens_for_its_audience() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let narrow = world.client("atoms-narrow")?;
    let (mcp, issuer) = (world.mcp(), world.issuer().to_owned());
    let seen = person.session_with("atoms-web", &[("resource", &mcp)]).await?;
    let unseen = person.session_with("atoms-web", &[("resource", &issuer)]).await?;
    let both = person.session("atoms-web").await?;
    for (session, expected) in [(seen, true), (unseen, false), (both, true)] {
        for token in [&session.access, &session.refresh] {
            let answer = world.api.introspect(narrow, token, &[]).await?;
            assert_eq!(answer.body["active"], json!(expected));
            if !expected {
                assert_eq!(answer.body, json!({ "active": false }));
            }
            assert!(world.is_active(token).await?, "the other caller sees all");
        }
    }
    Ok(())
}

#[tokio::test]
async fn i3_active_is_a_boolean() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for (token, expected) in [(session.access.as_str(), true), ("nothing", false)] {
        let answer = world.api.introspect(world.client("atoms-api")?, token, &[]).await?;
        assert_eq!(answer.body["active"], Value::Bool(expected));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    Ok(())
}

#[tokio::test]
async fn i4_a_hint_changes_nothing() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for token in [&session.access, &session.refresh] {
        for hint in ["access_token", "refresh_token", "saml2", ""] {
            let fields = [("token_type_hint", hint)];
            let answer = world.api.introspect(world.client("atoms-api")?, token, &fields).await?;
            assert_eq!(answer.body["active"], true, "{hint}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn i5_no_token() -> Result<()> {
    let world = World::attach()?;
    for fields in [&[][..], &[("token", "")], &[("token_type_hint", "access_token")]] {
        let answer = world.api.form_as(INTROSPECT, world.client("atoms-api")?, fields).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_request"));
    }
    Ok(())
}

#[tokio::test]
async fn i6_get_is_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let api = world.client("atoms-api")?;
    let path = format!("{INTROSPECT}?token={}", session.access);
    let request = world.api.request(Method::GET, &path).basic_auth(&api.id, api.secret.as_ref());
    let answer = world.api.send(request).await?;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST, OPTIONS"));
    Ok(())
}

#[tokio::test]
async fn i7_an_access_token_is_described() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let answer = world.api.introspect(world.client("atoms-api")?, &session.access, &[]).await?;
    let (body, claims) = (&answer.body, session.claims()?);
    for same in
        ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "sid", "org", "roles"]
    {
        assert!(claims.get(same).is_some(), "no claim {same}");
        assert_eq!(body[same], claims[same], "{same}");
    }
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["sub"], json!(person.user.id));
    assert_eq!(body["client_id"], "atoms-web");
    assert!(body["exp"].is_u64() && body["iat"].is_u64());
    assert!(body["scope"].as_str().is_some_and(|scope| scope.contains(' ')));
    Ok(())
}

#[tokio::test]
async fn i7_a_refresh_token_is_described() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let answer = world.api.introspect(world.client("atoms-api")?, &session.refresh, &[]).await?;
    let (body, claims) = (&answer.body, session.claims()?);
    for same in ["iss", "sub", "client_id", "scope", "sid", "org", "roles"] {
        assert_eq!(body[same], claims[same], "{same}");
    }
    for absent in ["aud", "jti", "token_type"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
    assert!(body["exp"].as_u64() > body["iat"].as_u64());
    Ok(())
}

#[tokio::test]
async fn a_replaced_refresh_token_is_active_within_its_grace_only() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let first = person.session("atoms-web").await?;
    let second = first.refreshed(&world.api).await?;
    assert!(world.is_active(&first.refresh).await?);
    let third = second.refreshed(&world.api).await?;
    assert!(!world.is_active(&first.refresh).await?);
    // Asking is never reuse.
    assert!(world.is_active(&second.refresh).await?);
    third.refreshed(&world.api).await?;
    Ok(())
}

#[tokio::test]
async fn i9_a_signed_answer_for_those_who_prefer_it() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let api = world.client("atoms-api")?;
    let ask = async |accept: &str, token: &str| {
        let request = world.api.request(Method::POST, INTROSPECT).header(ACCEPT, accept);
        let request = request.basic_auth(&api.id, api.secret.as_ref()).form(&[("token", token)]);
        world.api.send(request).await?.expect(200, "introspection")
    };
    for accept in ["*/*", "application/json", &format!("{JWT};q=0.5, */*"), "text/html"] {
        let answer = ask(accept, &session.access).await?;
        assert_eq!(answer.header("content-type"), "application/json", "{accept}");
        assert_eq!(answer.body["active"], true);
    }
    let jwks = world.api.get("/.well-known/jwks.json").await?;
    let keys = KeySet::parse_ed25519(jwks.text.as_bytes())?;
    for (token, active) in [(session.access.as_str(), true), ("nonsense", false)] {
        let answer = ask(&format!("{JWT}, application/json;q=0.9"), token).await?;
        assert_eq!(answer.header("content-type"), JWT);
        assert_eq!(answer.header("cache-control"), "no-store");
        let jws = Jws::parse(&answer.text).context("no JWS")?;
        assert_eq!(jws.header.typ.as_deref(), Some("token-introspection+jwt"));
        let key = keys.get(jws.header.kid.as_deref().unwrap_or_default()).context("no key")?;
        assert!(software::verify(key, jws.signing_input.as_bytes(), &jws.signature));
        let claims: Value = serde_json::from_slice(&jws.payload)?;
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(world.issuer()), &json!(api.id)));
        assert!(claims["iat"].is_u64() && claims.get("exp").is_none());
        assert_eq!(claims["token_introspection"]["active"], active);
        // It is no token anywhere.
        assert!(!world.is_active(&answer.text).await?);
        assert_eq!(world.api.mcp(&answer.text, "ping", json!({})).await?.status, 401);
        assert_eq!(world.api.sessions(&answer.text).await?.status, 401);
    }
    Ok(())
}

fn unauthorized(answer: &Answer) {
    assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{}", answer.text);
    assert!(answer.body.get("active").is_none());
}

use std::time::Duration;

use anyhow::Result;
use e2e::client::{REFRESH, TOKEN, TOKEN_EXCHANGE};
use e2e::{Answer, Session, World, claims};
use serde_json::json;

/// What a session is granted by default.
const GRANTED: &str =
    "atoms:workspace.read atoms:workspace.write sessions:read sessions:write audit:read";

#[tokio::test]
async fn an_answer_has_what_rfc_6749_asks_for() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let next = session.refreshed(&world.api).await?;
    let body = &next.answer.body;
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["scope"], GRANTED);
    assert!(body.get("issued_token_type").is_none(), "that belongs to token exchange");
    let (expires, refresh) = (body["expires_in"].as_u64(), body["refresh_in"].as_u64());
    assert!(expires.is_some_and(|seconds| (890..=900).contains(&seconds)), "{expires:?}");
    assert_eq!(refresh, expires.map(|seconds| seconds - 300));
    assert_eq!(next.answer.header("cache-control"), "no-store");
    assert_eq!(next.answer.header("pragma"), "no-cache");
    assert_eq!(next.answer.header("content-type"), "application/json");
    let (old, new) = (session.claims()?, next.claims()?);
    for same in ["iss", "sub", "aud", "client_id", "scope", "sid", "org", "roles"] {
        assert_eq!(old[same], new[same], "{same}");
    }
    assert_ne!(old["jti"], new["jti"]);
    assert!(world.is_active(&next.access).await?);
    Ok(())
}

#[tokio::test]
async fn both_routes_serve_the_grant() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let fields = [
        ("client_id", "atoms-web"),
        ("refresh_token", session.refresh.as_str()),
        ("grant_type", "refresh_token"),
    ];
    let one = world.api.form(TOKEN, &fields).await?.expect(200, "/oauth/token")?;
    let other = world.api.form(REFRESH, &fields).await?.expect(200, "/auth/token/refresh")?;
    assert_eq!(one.body["refresh_token"], other.body["refresh_token"]);
    Ok(())
}

#[tokio::test]
async fn f1_no_token() -> Result<()> {
    let world = World::attach()?;
    for fields in
        [&[("client_id", "atoms-web")][..], &[("client_id", "atoms-web"), ("refresh_token", "")]]
    {
        refused(&world.api.form(REFRESH, fields).await?, "invalid_request");
    }
    Ok(())
}

#[tokio::test]
async fn f2_a_token_that_is_not_in_force() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    world.api.revoke(&session.client, &session.refresh, &[]).await?.expect(200, "revoke")?;
    let authkit = person.sign_in().await?;
    for token in [&session.refresh, &session.access, &authkit.access_token, &authkit.refresh_token]
    {
        refused(&world.api.refresh(&session.client, token, &[]).await?, "invalid_grant");
    }
    Ok(())
}

#[tokio::test]
async fn f3_another_clients_token_is_not_consumed() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for thief in ["atoms-cli", "atoms-service"] {
        let answer = world.api.refresh(world.client(thief)?, &session.refresh, &[]).await?;
        refused(&answer, "invalid_grant");
    }
    assert!(world.is_untouched(&session).await?);
    // Also not when the token is old: a thief must not be able to end the session.
    let second = session.refreshed(&world.api).await?;
    let third = second.refreshed(&world.api).await?;
    let answer = world.api.refresh(world.client("atoms-cli")?, &session.refresh, &[]).await?;
    refused(&answer, "invalid_grant");
    third.refreshed(&world.api).await?;
    Ok(())
}

#[tokio::test]
async fn f4_a_confidential_client_must_authenticate() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-service").await?;
    let fields = [("client_id", "atoms-service"), ("refresh_token", session.refresh.as_str())];
    let answer = world.api.form(REFRESH, &fields).await?;
    assert_eq!((answer.status, answer.error()), (401, "invalid_client"));
    assert!(world.is_untouched(&session).await?);
    Ok(())
}

#[tokio::test]
async fn f5_a_public_client_gets_a_new_refresh_token_each_time() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let mut session = person.session("atoms-cli").await?;
    let mut seen = vec![session.refresh.clone()];
    for _ in 0..5 {
        session = session.refreshed(&world.api).await?;
        assert!(!seen.contains(&session.refresh));
        seen.push(session.refresh.clone());
    }
    Ok(())
}

#[tokio::test]
async fn f6_a_wider_scope_is_refused_and_consumes_nothing() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session_with("atoms-web", &[("scope", "sessions:read")]).await?;
    for scope in ["sessions:read sessions:write", "offline_access", "made:up", "\"quoted\""] {
        let fields = [("scope", scope)];
        let answer = world.api.refresh(&session.client, &session.refresh, &fields).await?;
        refused(&answer, "invalid_scope");
    }
    assert!(world.is_untouched(&session).await?);
    Ok(())
}

#[tokio::test]
async fn f6_a_narrower_scope_narrows_the_access_token_only() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let narrow = [("scope", "sessions:read")];
    let answer = world.api.refresh(&session.client, &session.refresh, &narrow).await?;
    let narrow = session.then(answer.expect(200, "refresh")?)?;
    assert_eq!(narrow.answer.body["scope"], "sessions:read");
    assert_eq!(narrow.claims()?["scope"], "sessions:read");
    let told = world.api.introspect(world.client("atoms-api")?, &narrow.refresh, &[]).await?;
    assert_eq!(told.body["scope"], GRANTED);
    let wide = narrow.refreshed(&world.api).await?;
    assert_eq!(wide.claims()?["scope"], GRANTED);
    Ok(())
}

#[tokio::test]
async fn f7_a_foreign_resource_is_refused_and_consumes_nothing() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let fragment = format!("{}#part", world.mcp());
    for resource in ["https://elsewhere.example", "/mcp", "mcp", &fragment, "urn:atoms"] {
        let fields = [("resource", resource)];
        let answer = world.api.refresh(&session.client, &session.refresh, &fields).await?;
        refused(&answer, "invalid_target");
    }
    assert!(world.is_untouched(&session).await?);
    Ok(())
}

#[tokio::test]
async fn f7_a_resource_beyond_the_grant_is_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let (mcp, issuer) = (world.mcp(), world.issuer().to_owned());
    let session = person.session_with("atoms-web", &[("resource", &mcp)]).await?;
    let fields = [("resource", issuer.as_str())];
    let answer = world.api.refresh(&session.client, &session.refresh, &fields).await?;
    refused(&answer, "invalid_target");
    assert_eq!(session.refreshed(&world.api).await?.claims()?["aud"], json!(mcp));
    Ok(())
}

#[tokio::test]
async fn a_resource_within_the_grant_narrows_the_audience() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let mcp = world.mcp();
    let answer =
        world.api.refresh(&session.client, &session.refresh, &[("resource", &mcp)]).await?;
    let narrow = session.then(answer.expect(200, "refresh")?)?;
    assert_eq!(narrow.claims()?["aud"], json!(mcp));
    let wide = narrow.refreshed(&world.api).await?;
    assert_eq!(wide.claims()?["aud"], json!([world.issuer(), mcp]));
    Ok(())
}

#[tokio::test]
async fn f8_another_grant_type() -> Result<()> {
    let world = World::attach()?;
    for kind in [TOKEN_EXCHANGE, "password", "authorization_code", "client_credentials"] {
        let fields = [("client_id", "atoms-web"), ("grant_type", kind), ("refresh_token", "x")];
        refused(&world.api.form(REFRESH, &fields).await?, "unsupported_grant_type");
    }
    let fields = [("client_id", "atoms-web"), ("grant_type", "password")];
    refused(&world.api.form(TOKEN, &fields).await?, "unsupported_grant_type");
    Ok(())
}

#[tokio::test]
async fn f9_a_late_replay_ends_the_session() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let first = person.session("atoms-web").await?;
    let second = first.refreshed(&world.api).await?;
    let third = second.refreshed(&world.api).await?;
    let newest = third.refreshed(&world.api).await?;
    assert!(world.is_active(&newest.access).await?);
    refused(&world.api.refresh(&first.client, &first.refresh, &[]).await?, "invalid_grant");
    for session in [&newest, &third, &second] {
        let answer = world.api.refresh(&session.client, &session.refresh, &[]).await?;
        refused(&answer, "invalid_grant");
        assert!(!world.is_active(&session.access).await?);
        assert!(!world.is_active(&session.refresh).await?);
    }
    let answer = world.api.mcp(&newest.access, "ping", json!({})).await?;
    assert_eq!(answer.status, 401);
    Ok(())
}

#[tokio::test]
async fn f9_other_sessions_of_the_person_live_on() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let other = person.session("atoms-cli").await?;
    let first = person.session("atoms-web").await?;
    first.refreshed(&world.api).await?.refreshed(&world.api).await?;
    refused(&world.api.refresh(&first.client, &first.refresh, &[]).await?, "invalid_grant");
    assert!(world.is_active(&other.access).await?);
    other.refreshed(&world.api).await?;
    Ok(())
}

#[tokio::test]
async fn f11_a_replay_extends_nothing() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let next = session.refreshed(&world.api).await?;
    // Two whole seconds, so that one that is cut off does not matter.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let again = session.refreshed(&world.api).await?;
    assert_eq!(again.refresh, next.refresh);
    assert_eq!(again.access, next.access);
    let (before, after) = (claims(&next.access)?, claims(&again.access)?);
    assert_eq!((&before["iat"], &before["exp"]), (&after["iat"], &after["exp"]));
    let remaining = |session: &Session| session.answer.body["expires_in"].as_u64();
    assert!(remaining(&again) < remaining(&next), "expires_in is recomputed");
    assert!(remaining(&again) >= remaining(&next).map(|seconds| seconds - 10));
    Ok(())
}

#[tokio::test]
async fn f12_a_grandparent_within_the_window_is_reuse() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let first = person.session("atoms-web").await?;
    let second = first.refreshed(&world.api).await?;
    let third = second.refreshed(&world.api).await?;
    // The parent within the window is no reuse.
    assert_eq!(second.refreshed(&world.api).await?.refresh, third.refresh);
    refused(&world.api.refresh(&first.client, &first.refresh, &[]).await?, "invalid_grant");
    refused(&world.api.refresh(&third.client, &third.refresh, &[]).await?, "invalid_grant");
    Ok(())
}

#[tokio::test]
async fn f13_a_wider_scope_in_the_grace_ends_nothing() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session_with("atoms-web", &[("scope", "sessions:read")]).await?;
    let next = session.refreshed(&world.api).await?;
    for extra in [("scope", "sessions:write"), ("resource", "https://elsewhere.example")] {
        let answer = world.api.refresh(&session.client, &session.refresh, &[extra]).await?;
        assert_eq!(answer.status, 400);
    }
    next.refreshed(&world.api).await?;
    Ok(())
}

#[tokio::test]
async fn f14_rotation_does_not_move_the_absolute_end() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let end = |answer: Answer| answer.body["sessions"][0]["expires_at"].clone();
    let before = end(world.api.sessions(&session.access).await?.expect(200, "sessions")?);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let session = session.refreshed(&world.api).await?;
    let after = end(world.api.sessions(&session.access).await?.expect(200, "sessions")?);
    assert!(before.is_u64());
    assert_eq!(before, after);
    Ok(())
}

fn refused(answer: &Answer, error: &str) {
    assert_eq!((answer.status, answer.error()), (400, error), "{}", answer.text);
}

#[tokio::test]
async fn a_proactive_refresh_hands_out_nothing_before_it_is_due() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let early = [("proactive", "true")];
    let answer = world.api.refresh(&session.client, &session.refresh, &early).await?;
    assert_eq!((answer.status, &answer.body["refresh_due"]), (200, &json!(false)));
    let seconds = answer.body["refresh_in"].as_u64().unwrap_or_default();
    assert!((590..=600).contains(&seconds), "{}", answer.text);
    assert_eq!(answer.body.as_object().map(serde_json::Map::len), Some(2), "{}", answer.text);
    let forced = [("proactive", "true"), ("force_rotation", "true")];
    let answer = world.api.refresh(&session.client, &session.refresh, &forced).await?;
    assert!(answer.expect(200, "a forced rotation")?.body["refresh_token"].is_string());
    Ok(())
}

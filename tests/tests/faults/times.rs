//! What time does to sessions and tokens.

use anyhow::Result;
use e2e::world::unique;
use e2e::{Answer, Session, World};
use serde_json::json;

use crate::seconds;
use crate::short::{ABSOLUTE, ACCESS, GRACE, IDLE, OFFLINE, Short};

#[tokio::test]
async fn f9_a_replay_after_the_grace_is_reuse() -> Result<()> {
    let Short { world, .. } = Short::get().await?;
    let session = Short::get().await?.session(OFFLINE).await?;
    let next = session.refreshed(&world.api).await?;
    assert_eq!(session.refreshed(&world.api).await?.refresh, next.refresh);
    assert!(world.is_active(&session.refresh).await?);
    seconds(GRACE + 0.3).await;
    // Asking is no reuse.
    assert!(!world.is_active(&session.refresh).await?);
    assert!(world.is_active(&next.refresh).await?);
    refused(&world.api.refresh(&session.client, &session.refresh, &[]).await?);
    refused(&world.api.refresh(&next.client, &next.refresh, &[]).await?);
    assert!(!world.is_active(&next.access).await?);
    Ok(())
}

#[tokio::test]
async fn f11_a_replay_does_not_extend_the_grace() -> Result<()> {
    let Short { world, .. } = Short::get().await?;
    let session = Short::get().await?.session(OFFLINE).await?;
    session.refreshed(&world.api).await?;
    seconds(GRACE * 0.5).await;
    session.refreshed(&world.api).await?;
    seconds(GRACE * 0.7).await;
    refused(&world.api.refresh(&session.client, &session.refresh, &[]).await?);
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_not_used_ends_everywhere() -> Result<()> {
    let Short { world, .. } = Short::get().await?;
    let short = Short::get().await?;
    // One for each way to notice it, as noticing it ends it.
    let (refresh, introspect, mcp) =
        (short.session(&[]).await?, short.session(&[]).await?, short.session(&[]).await?);
    seconds(IDLE + 0.3).await;
    refused(&world.api.refresh(&refresh.client, &refresh.refresh, &[]).await?);
    assert!(!world.is_active(&introspect.access).await?);
    assert_eq!(world.api.mcp(&mcp.access, "ping", json!({})).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_refreshed_is_not_idle_but_ends_at_last() -> Result<()> {
    let Short { world, .. } = Short::get().await?;
    let mut session = Short::get().await?.session(&[]).await?;
    // Longer than it may be idle, in steps that are shorter.
    for _ in 0..3 {
        seconds(ABSOLUTE * 0.25).await;
        session = session.refreshed(&world.api).await?;
    }
    // The access token does not outlive the session.
    let remaining = session.answer.body["expires_in"].as_u64();
    assert!(remaining.is_some_and(|seconds| seconds <= 2), "{remaining:?}");
    seconds(ABSOLUTE * 0.25 + 0.3).await;
    refused(&world.api.refresh(&session.client, &session.refresh, &[]).await?);
    assert!(!world.is_active(&session.access).await?);
    assert_eq!(world.api.mcp(&session.access, "ping", json!({})).await?.status, 401);
    let extended = world.api.extend(&session.access, &session.id()?).await?;
    assert_eq!(extended.status, 401, "nothing goes on beyond it");
    Ok(())
}

#[tokio::test]
async fn an_extension_starts_the_idle_time_anew_within_the_absolute_end() -> Result<()> {
    let Short { world, .. } = Short::get().await?;
    let session = Short::get().await?.session(&[("scope", "sessions:write")]).await?;
    let id = session.id()?;
    seconds(IDLE * 0.6).await;
    let answer = world.api.extend(&session.access, &id).await?.expect(200, "extend")?;
    let extended = session.then(answer)?;
    seconds(IDLE * 0.6).await;
    assert!(world.is_active(&extended.refresh).await?, "it would have been idle");
    seconds(ABSOLUTE - IDLE * 1.2 + 0.3).await;
    assert!(!world.is_active(&extended.refresh).await?);
    refused(&world.api.refresh(&session.client, &extended.refresh, &[]).await?);
    Ok(())
}

#[tokio::test]
async fn i2_an_expired_access_token_is_worth_nothing() -> Result<()> {
    let Short { world, .. } = Short::get().await?;
    let session = Short::get().await?.session(OFFLINE).await?;
    assert!(world.is_active(&session.access).await?);
    // Its times are whole seconds.
    seconds(ACCESS + 1.1).await;
    assert!(!world.is_active(&session.access).await?);
    for answer in [
        world.api.mcp(&session.access, "ping", json!({})).await?,
        world.api.sessions(&session.access).await?,
    ] {
        assert_eq!((answer.status, answer.member("code")), (401, "invalid_token"));
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    // V3: revoking it is a success that takes nothing along.
    let cascade = [("cascade", "true")];
    let answer = world.api.revoke(&session.client, &session.access, &cascade).await?;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    assert!(world.is_active(&session.refresh).await?);
    session.refreshed(&world.api).await?;
    Ok(())
}

#[tokio::test]
async fn an_exchange_is_repeated_with_tokens_that_work() -> Result<()> {
    let Short { world, .. } = Short::get().await?;
    let session = Short::get().await?.session(OFFLINE).await?;
    seconds(ACCESS + 1.1).await;
    let again = world.session_of("atoms-web", &session.subject_token, OFFLINE).await?;
    assert_eq!(again.id()?, session.id()?);
    assert!(world.is_active(&again.access).await?);
    again.refreshed(&world.api).await?;
    Ok(())
}

#[tokio::test]
async fn a_deployment_may_deny_the_session_too_many() -> Result<()> {
    let short = Short::get().await?;
    let world: &World = &short.world;
    let user = format!("user_{}", unique());
    let nothing = json!({});
    let first = short.session_of(&user, OFFLINE, &nothing).await?;
    let second = short.session_of(&user, OFFLINE, &nothing).await?;
    let token = short.provider.token(&user, &unique(), &nothing)?;
    let denied = world.api.exchange(&first.client, &token, OFFLINE).await?;
    assert_eq!((denied.status, denied.error()), (403, "access_denied"));
    for session in [&first, &second] {
        assert!(world.is_active(&session.access).await?);
    }
    world.api.revoke(&first.client, &first.refresh, &[]).await?.expect(200, "revoke")?;
    let third: Session = world.session_of("atoms-web", &token, OFFLINE).await?;
    assert!(world.is_active(&third.access).await?);
    Ok(())
}

fn refused(answer: &Answer) {
    assert_eq!((answer.status, answer.error()), (400, "invalid_grant"), "{}", answer.text);
}

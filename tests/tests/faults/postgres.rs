use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::World;
use e2e::main_job::{create_workspace, workspaces};
use serde_json::json;
use stack::{Stack, StackOptions};

use crate::{health, is, unavailable};

#[tokio::test]
async fn f15_without_postgres_sign_in_and_mcp_pause_and_sessions_go_on() -> Result<()> {
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let api = &world.api;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let workspace = create_workspace(&world, &session.access).await?;
    let other = person.session("atoms-web").await?;
    let authkit = person.sign_in().await?;
    // The client records of these callers are known from here on.
    assert!(world.is_active(&session.access).await?);
    stack.stop_proxy();

    let session = session.refreshed(api).await?;
    assert!(world.is_active(&session.access).await?);
    api.sessions(&session.access).await?.expect(200, "sessions")?;
    api.revoke(&other.client, &other.refresh, &[]).await?.expect(200, "revoke")?;
    assert!(!world.is_active(&other.access).await?);
    api.mcp(&session.access, "tools/list", json!({})).await?.result("tools/list")?;

    unavailable(&api.exchange(&session.client, &authkit.access_token, &[]).await?);
    let list = json!({ "operation": "list_workspaces" });
    let answer = api.workspace(&session.access, list).await?;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(!answer.header("retry-after").is_empty());
    // Whether a client exists that nobody asked for before cannot be known.
    unavailable(&api.refresh(world.client("atoms-cli")?, &session.refresh, &[]).await?);
    assert_eq!(health(&world, "postgres").await?, is(200, "degraded", "unhealthy"));

    stack.start_proxy().await?;
    assert_eq!(health(&world, "postgres").await?, is(200, "healthy", "healthy"));
    person.session_of("atoms-web", &authkit.access_token, &[]).await?;
    assert_eq!(workspaces(&world, &session.access).await?, [workspace]);
    session.refreshed(api).await?;
    Ok(())
}

#[tokio::test]
async fn f15_a_postgres_that_hangs_is_as_good_as_away() -> Result<()> {
    let stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let authkit = person.sign_in().await?;
    stack.pause_proxy(true);
    let since = Instant::now();
    let exchange = world.api.exchange(&session.client, &authkit.access_token, &[]);
    let (exchange, ready) = futures::join!(exchange, health(&world, "postgres"));
    unavailable(&exchange?);
    assert_eq!(ready?, is(200, "degraded", "unhealthy"));
    assert!(since.elapsed() < Duration::from_secs(15), "it took {:?}", since.elapsed());
    session.refreshed(&world.api).await?;
    stack.pause_proxy(false);
    person.session_of("atoms-web", &authkit.access_token, &[]).await?;
    Ok(())
}

use std::time::Duration;

use anyhow::Result;
use e2e::World;
use serde_json::json;
use stack::{Stack, StackOptions};

use crate::{health, is, unavailable};

#[tokio::test]
async fn f15_without_workos_new_sign_ins_pause_and_the_rest_goes_on() -> Result<()> {
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let client = world.client("atoms-web")?;
    let authkit = world.person().await?.sign_in().await?;
    // Its keys have never been fetched.
    stack.stop_workos();
    unavailable(&world.api.exchange(client, &authkit.access_token, &[]).await?);
    assert_eq!(health(&world, "workos").await?, is(200, "degraded", "unhealthy"));

    stack.start_workos().await?;
    assert_eq!(health(&world, "workos").await?, is(200, "healthy", "healthy"));
    // For a second after a failure it is left alone; a client waits longer, by Retry-After.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // It has forgotten everybody.
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let later = person.sign_in().await?;
    stack.stop_workos();
    let session = session.refreshed(&world.api).await?;
    assert!(world.is_active(&session.access).await?);
    world.api.mcp(&session.access, "ping", json!({})).await?.result("ping")?;
    // With keys that are known, even a sign-in is finished.
    person.session_of("atoms-web", &later.access_token, &[]).await?;
    assert_eq!(health(&world, "workos").await?, is(200, "degraded", "unhealthy"));
    Ok(())
}

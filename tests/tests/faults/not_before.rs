//! A deployment whose keys were stolen takes nothing from before.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use e2e::World;
use ports::route::Function;
use serde_json::json;
use stack::{Stack, StackOptions};

#[tokio::test]
async fn nothing_from_before_is_in_force_and_what_comes_after_is() -> Result<()> {
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let (old, refreshed) = (person.session("atoms-web").await?, person.session("atoms-web").await?);
    let refreshed = refreshed.refreshed(&world.api).await?;
    crate::seconds(1.1).await;
    let moment = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().to_string();
    stack.kill_functions();
    for function in Function::ALL {
        stack.set(function.name(), "NOT_BEFORE", Some(&moment))?;
    }
    stack.start_functions().await?;
    for session in [&old, &refreshed] {
        assert!(!world.is_active(&session.access).await?);
        assert!(!world.is_active(&session.refresh).await?);
        assert_eq!(world.api.mcp(&session.access, "ping", json!({})).await?.status, 401);
        assert_eq!(world.api.sessions(&session.access).await?.status, 401);
        let answer = world.api.refresh(&session.client, &session.refresh, &[]).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_grant"));
    }
    let new = person.session("atoms-web").await?;
    assert!(world.is_active(&new.access).await?);
    assert_eq!(world.api.mcp(&new.access, "ping", json!({})).await?.status, 200);
    new.refreshed(&world.api).await?;
    Ok(())
}

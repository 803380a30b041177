use anyhow::Result;
use e2e::World;
use e2e::main_job::{create_workspace, workspaces};
use futures::future::try_join_all;
use stack::{Stack, StackOptions};

#[tokio::test]
async fn sessions_survive_a_crash() -> Result<()> {
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let kept = person.session("atoms-web").await?;
    let revoked = person.session("atoms-cli").await?;
    let withdrawn = person.session("atoms-cli").await?;
    let workspace = create_workspace(&world, &kept.access).await?;
    world.api.revoke(&withdrawn.client, &withdrawn.access, &[]).await?.expect(200, "revoke")?;
    world.api.revoke(&revoked.client, &revoked.refresh, &[]).await?.expect(200, "revoke")?;
    let successors = try_join_all((0..10).map(|_| kept.refreshed(&world.api))).await?;
    // What was answered is durable, even if the crash comes right behind the answer.
    stack.kill_functions();
    assert!(world.api.get("/health/live").await.is_err(), "the functions still answer");
    stack.start_functions().await?;

    let again = kept.refreshed(&world.api).await?;
    assert_eq!(again.refresh, successors[0].refresh);
    assert_eq!(again.access, successors[0].access);
    assert!(world.is_active(&again.access).await?);
    assert!(!world.is_active(&revoked.access).await?);
    assert!(!world.is_active(&withdrawn.access).await?);
    assert!(world.is_active(&withdrawn.refresh).await?);
    assert_eq!(workspaces(&world, &again.access).await?, [workspace]);
    let next = again.refreshed(&world.api).await?.refreshed(&world.api).await?;
    // The memory of what was replaced has survived, too.
    let replay = world.api.refresh(&kept.client, &kept.refresh, &[]).await?;
    assert_eq!((replay.status, replay.error()), (400, "invalid_grant"));
    assert!(!world.is_active(&next.access).await?);
    Ok(())
}

//! Whose workspaces a person sees: their own organization's, by row-level security.

use anyhow::Result;
use e2e::main_job::{create_workspace, workspaces};
use e2e::world::unique;
use e2e::{Person, Session, World};
use serde_json::json;

#[tokio::test]
async fn people_without_an_organization_have_one_of_their_own() -> Result<()> {
    let world = World::attach()?;
    let (ada, bob) = (world.person().await?, world.person().await?);
    let (hers, his) = (ada.session("atoms-web").await?, bob.session("atoms-web").await?);
    assert_ne!(hers.claims()?["org"], his.claims()?["org"]);
    let workspace = create_workspace(&world, &hers.access).await?;
    assert!(workspaces(&world, &his.access).await?.is_empty());
    assert_eq!(workspaces(&world, &hers.access).await?, std::slice::from_ref(&workspace));
    let elsewhere = ada.session("atoms-cli").await?;
    assert_eq!(workspaces(&world, &elsewhere.access).await?, [workspace]);
    Ok(())
}

#[tokio::test]
async fn members_of_an_organization_see_the_same() -> Result<()> {
    let world = World::attach()?;
    let organization = world.workos.create_organization(&unique()).await?;
    let (ada, bob) = (world.person().await?, world.person().await?);
    let hers = member(&world, &ada, &organization, "admin").await?;
    let his = member(&world, &bob, &organization, "member").await?;
    assert_eq!(hers.claims()?["org"], his.claims()?["org"]);
    assert_eq!(hers.claims()?["roles"], json!(["admin"]));
    assert_eq!(his.claims()?["roles"], json!(["member"]));
    let workspace = create_workspace(&world, &his.access).await?;
    assert_eq!(workspaces(&world, &hers.access).await?, std::slice::from_ref(&workspace));
    // Outside the organization she sees her own ones only.
    let own = ada.session("atoms-web").await?;
    assert!(workspaces(&world, &own.access).await?.is_empty());
    let stranger = world.person().await?;
    let theirs = stranger.session("atoms-web").await?;
    assert!(workspaces(&world, &theirs.access).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_viewer_reads_and_does_not_write() -> Result<()> {
    let world = World::attach()?;
    let organization = world.workos.create_organization(&unique()).await?;
    let (ada, eve) = (world.person().await?, world.person().await?);
    let admin = member(&world, &ada, &organization, "admin").await?;
    let viewer = member(&world, &eve, &organization, "viewer").await?;
    assert_eq!(viewer.claims()?["roles"], json!(["viewer"]));
    let workspace = create_workspace(&world, &admin.access).await?;
    let create = json!({ "operation": "create_workspace", "name": "Mine" });
    let result = world.api.workspace(&viewer.access, create).await?.result("create")?;
    assert_eq!(result["isError"], true, "{result}");
    assert_eq!(workspaces(&world, &viewer.access).await?, [workspace]);
    Ok(())
}

async fn member(world: &World, person: &Person, organization: &str, role: &str) -> Result<Session> {
    world.workos.add_membership(&person.user.id, organization, role).await?;
    let authkit = world.workos.sign_in_organization(&person.sign_in().await?, organization).await?;
    person.session_of("atoms-web", &authkit.access_token, &[]).await
}

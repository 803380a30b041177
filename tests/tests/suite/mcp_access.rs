//! Who may use the MCP endpoint.

use anyhow::Result;
use e2e::client::MCP;
use e2e::main_job::workspaces;
use e2e::{Answer, Jwt, World};
use reqwest::Method;
use serde_json::json;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[tokio::test]
async fn m3_without_a_token_there_is_a_challenge_without_an_error() -> Result<()> {
    let world = World::attach()?;
    for authorization in [None, Some("Basic eDp5"), Some("Negotiate x")] {
        let mut request = world.api.request(Method::POST, MCP).body(PING);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = world.api.send(request).await?;
        assert_eq!(answer.status, 401);
        let challenge = challenge(&world, &answer);
        assert!(!challenge.contains("error"), "{challenge}");
    }
    Ok(())
}

#[tokio::test]
async fn m4_a_token_that_is_not_in_force() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let ended = person.session("atoms-cli").await?;
    world.api.revoke(&ended.client, &ended.refresh, &[]).await?.expect(200, "revoke")?;
    let mut forged = Jwt::read(&session.access)?;
    forged.claims["sub"] = json!("user_other");
    let mut retyped = Jwt::read(&session.access)?;
    retyped.header["typ"] = json!("JWT");
    let mut unsigned = Jwt::read(&session.access)?;
    unsigned.header["alg"] = json!("none");
    unsigned.signature.clear();
    for token in [
        ended.access.as_str(),
        &forged.text(),
        &retyped.text(),
        &unsigned.text(),
        &session.refresh,
        "x",
        "",
        "a b",
    ] {
        invalid(&world, &world.api.mcp(token, "ping", json!({})).await?);
    }
    world.api.mcp(&session.access, "ping", json!({})).await?.result("ping")?;
    Ok(())
}

#[tokio::test]
async fn m5_each_operation_needs_its_scope() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let read = [("scope", "atoms:workspace.read")];
    let session = person.session_with("atoms-web", &read).await?;
    let create = json!({ "operation": "create_workspace", "name": "x" });
    let answer = world.api.workspace(&session.access, create).await?;
    assert_eq!(answer.status, 403, "{}", answer.text);
    let challenge = challenge(&world, &answer);
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.contains("scope=\"atoms:workspace.write\""), "{challenge}");
    assert_eq!(answer.body["error"]["code"], -32000);
    assert!(workspaces(&world, &session.access).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn m6_audiences_are_kept_apart() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let (issuer, mcp) = (world.issuer().to_owned(), world.mcp());
    let for_issuer = person.session_with("atoms-web", &[("resource", &issuer)]).await?;
    let for_mcp = person.session_with("atoms-web", &[("resource", &mcp)]).await?;
    invalid(&world, &world.api.mcp(&for_issuer.access, "ping", json!({})).await?);
    world.api.sessions(&for_issuer.access).await?.expect(200, "sessions")?;
    world.api.mcp(&for_mcp.access, "ping", json!({})).await?.result("ping")?;
    let answer = world.api.sessions(&for_mcp.access).await?;
    assert_eq!((answer.status, answer.member("code")), (401, "invalid_token"));
    Ok(())
}

#[tokio::test]
async fn m6_the_providers_tokens_are_not_ours() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    invalid(&world, &world.api.mcp(&authkit.access_token, "ping", json!({})).await?);
    Ok(())
}

#[tokio::test]
async fn m6_a_token_in_the_query_is_ignored() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let path = format!("{MCP}?access_token={}", session.access);
    let request = world.api.request(Method::POST, &path);
    let answer =
        world.api.send(request.header("content-type", "application/json").body(PING)).await?;
    assert_eq!(answer.status, 401);
    assert!(!challenge(&world, &answer).contains("error"));
    Ok(())
}

/// The challenge, with what each has: the way to another token.
fn challenge(world: &World, answer: &Answer) -> String {
    let challenge = answer.header("www-authenticate").to_owned();
    let metadata = format!(
        "resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"",
        world.issuer()
    );
    assert!(challenge.starts_with("Bearer ") && challenge.contains(&metadata), "{challenge}");
    assert!(challenge.contains(" scope=\""), "{challenge}");
    assert!(!challenge.contains("offline_access"), "{challenge}");
    challenge
}

fn invalid(world: &World, answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    let challenge = challenge(world, answer);
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

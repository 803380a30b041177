//! The MCP endpoint for those who may use it.

use anyhow::Result;
use e2e::client::MCP;
use e2e::main_job::{create_workspace, workspaces};
use e2e::{Answer, World};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn both_versions_are_agreed_on() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for (asked, agreed) in
        [("2025-11-25", "2025-11-25"), ("2025-06-18", "2025-06-18"), ("1999-01-01", "2025-11-25")]
    {
        let result = initialize(&world, &session.access, asked).await?.result("initialize")?;
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["serverInfo"]["name"], "atoms-edge");
        assert!(result["capabilities"]["tools"].is_object());
    }
    // The version may be named in a header from the first request on.
    let answer = initialize(&world, &session.access, "2025-11-25").await?;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("mcp-session-id"), "", "there are no sessions to keep");
    Ok(())
}

#[tokio::test]
async fn notifications_want_no_answer() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let answer = send(&world, &session.access, &note.to_string()).await?;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    Ok(())
}

#[tokio::test]
async fn tools_are_listed_by_what_the_token_allows() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let operations = |result: &Value| {
        result["tools"][0]["inputSchema"]["properties"]["operation"]["enum"].clone()
    };
    for (scope, expected) in [
        (
            "atoms:workspace.read atoms:workspace.write",
            json!(["list_workspaces", "create_workspace"]),
        ),
        ("atoms:workspace.read", json!(["list_workspaces"])),
        ("sessions:read", Value::Null),
    ] {
        let session = person.session_with("atoms-web", &[("scope", scope)]).await?;
        let result = world.api.mcp(&session.access, "tools/list", json!({})).await?;
        assert_eq!(operations(&result.result("tools/list")?), expected);
    }
    Ok(())
}

#[tokio::test]
async fn a_workspace_is_made_and_found() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let arguments = json!({ "operation": "create_workspace", "name": "Ünïts 🧪", "description": "Of '); drop" });
    let result = world.api.workspace(&session.access, arguments).await?.result("create")?;
    assert_eq!(result["isError"], false);
    let made = &result["structuredContent"]["workspace"];
    assert_eq!((&made["name"], &made["description"]), (&json!("Ünïts 🧪"), &json!("Of '); drop")));
    assert_eq!(made["organization_id"], session.claims()?["org"]);
    assert!(made["id"].is_string() && made["created_at"].is_string());
    let list = json!({ "operation": "list_workspaces" });
    let result = world.api.workspace(&session.access, list).await?.result("list")?;
    assert_eq!(result["structuredContent"]["workspaces"], json!([made]));
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    assert_eq!(serde_json::from_str::<Value>(text)?, result["structuredContent"]);
    Ok(())
}

#[tokio::test]
async fn a_list_has_pages() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(create_workspace(&world, &session.access).await?);
    }
    let mut seen = Vec::new();
    let mut arguments = json!({ "operation": "list_workspaces", "limit": 2 });
    loop {
        let result =
            world.api.workspace(&session.access, arguments.clone()).await?.result("list")?;
        let content = &result["structuredContent"];
        let page = content["workspaces"].as_array().cloned().unwrap_or_default();
        seen.extend(page.iter().filter_map(|one| Some(one["id"].as_str()?.to_owned())));
        match content["next_cursor"].as_str() {
            Some(cursor) => arguments["cursor"] = json!(cursor),
            None => break,
        }
        assert!(page.len() == 2 && seen.len() <= 3);
    }
    made.sort();
    seen.sort();
    assert_eq!(seen, made);
    Ok(())
}

#[tokio::test]
async fn wrong_arguments_are_explained_to_the_model() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for (arguments, about) in [
        (json!({}), "operation"),
        (json!({ "operation": "drop_workspaces" }), "operation"),
        (json!({ "operation": "create_workspace" }), "name"),
        (json!({ "operation": "create_workspace", "name": "" }), "name"),
        (json!({ "operation": "create_workspace", "name": "x".repeat(300) }), "name"),
        (json!({ "operation": "create_workspace", "name": 1 }), "name"),
        (json!({ "operation": "create_workspace", "name": "a\u{0}b" }), "name"),
        (json!({ "operation": "list_workspaces", "limit": 0 }), "limit"),
        (json!({ "operation": "list_workspaces", "cursor": "x" }), "cursor"),
        (json!({ "operation": "list_workspaces", "extra": 1 }), "extra"),
    ] {
        let answer = world.api.workspace(&session.access, arguments.clone()).await?;
        let result = answer.result(&arguments.to_string())?;
        assert_eq!(result["isError"], true, "{arguments}");
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains(&format!("`{about}`")), "{arguments}: {text}");
    }
    assert!(workspaces(&world, &session.access).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn messages_that_are_none_are_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, status, code) in [
        ("", 400, -32700),
        ("{", 400, -32700),
        ("[]", 400, -32600),
        ("\"x\"", 400, -32600),
        (deep.as_str(), 400, -32600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", 400, -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", 400, -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nope\"}", 200, -32601),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}", 200, -32602),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}",
            200,
            -32602,
        ),
    ] {
        let answer = send(&world, &session.access, body).await?;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.status, status, "{shown}");
        assert_eq!(answer.body["error"]["code"], json!(code), "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn headers_of_the_transport_are_checked() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let bare = || world.api.request(Method::POST, MCP).bearer_auth(&session.access).body(ping);
    let json = || bare().header("content-type", "application/json");
    assert_eq!(world.api.send(json()).await?.status, 200);
    let charset = bare().header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(world.api.send(charset).await?.status, 200);
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let answer = world.api.send(bare().header("content-type", kind)).await?;
        assert_eq!(answer.status, 415, "{kind}");
    }
    for version in ["2025-03-26", "2026-07-28", "x", ""] {
        let answer = world.api.send(json().header("mcp-protocol-version", version)).await?;
        assert_eq!(answer.status, 400, "{version}");
    }
    Ok(())
}

#[tokio::test]
async fn only_known_origins_may_call() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let call = |origin: &str| {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        world.api.mcp_request(&session.access).header("origin", origin.to_owned()).body(body)
    };
    assert_eq!(world.api.send(call(world.issuer())).await?.status, 200);
    for origin in ["https://evil.example", "null", "http://127.0.0.1", "file://"] {
        let answer = world.api.send(call(origin)).await?;
        assert_eq!((answer.status, answer.member("code")), (403, "origin_not_allowed"), "{origin}");
    }
    Ok(())
}

#[tokio::test]
async fn get_and_delete_are_not_served() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let request = world.api.request(method.clone(), MCP).bearer_auth(&session.access);
        let answer = world.api.send(request).await?;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST, OPTIONS"), "{method}");
    }
    Ok(())
}

async fn initialize(world: &World, token: &str, version: &str) -> Result<Answer> {
    let client = json!({ "name": "suite", "version": "1" });
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
    world.api.mcp(token, "initialize", params).await
}

async fn send(world: &World, token: &str, body: &str) -> Result<Answer> {
    world.api.send(world.api.mcp_request(token).body(body.to_owned())).await
}

//! What the product is for, from sign-in to the last refusal, over HTTP only. `cargo xtask dev` runs
//! it once; so does the suite.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use stack::StackInfo;

use crate::world::BROWSER_LABEL;
use crate::{Person, Session, World};

/// How many refreshes of one token happen at once.
const PARALLEL: usize = 50;

/// Told of every step that went well, and how long it took.
pub trait Reporter {
    /// A step is done.
    fn done(&mut self, step: &str, took: Duration);
}

/// Prints a line per step.
pub struct Lines;

impl Reporter for Lines {
    fn done(&mut self, step: &str, took: Duration) {
        println!("✓ {step} … {} ms", took.as_millis());
    }
}

/// Run the main job and print its steps.
///
/// # Errors
/// The first step that fails: its name, what was expected and what came.
pub async fn run(info: &StackInfo) -> Result<()> {
    run_with(info, &mut Lines).await
}

/// Run the main job and report its steps.
///
/// # Errors
/// The first step that fails: its name, what was expected and what came.
pub async fn run_with(info: &StackInfo, reporter: &mut dyn Reporter) -> Result<()> {
    let world = World::of(info)?;
    let mut job = Job { world: &world, reporter };
    let ada = job.step("a person signs in through AuthKit", world.person()).await?;
    let session = job.begin(&ada).await?;
    let workspace = job.use_mcp(&session).await?;
    let session = job.refresh(&session).await?;
    job.look_at_sessions(&session).await?;
    job.meet_a_stranger(&session, &workspace).await?;
    job.revoke(&session).await?;
    job.replay(&ada).await
}

struct Job<'a> {
    world: &'a World,
    reporter: &'a mut dyn Reporter,
}

impl Job<'_> {
    async fn step<T>(&mut self, name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let since = Instant::now();
        let done = work.await.with_context(|| format!("the step \"{name}\" failed"))?;
        self.reporter.done(name, since.elapsed());
        Ok(done)
    }

    async fn begin(&mut self, ada: &Person) -> Result<Session> {
        let world = self.world;
        let authkit = self.step("authorization code → AuthKit tokens", ada.sign_in()).await?;
        let exchange = ada.session_of("atoms-web", &authkit.access_token, &[]);
        let session = self.step("token exchange → our tokens", exchange).await?;
        self.step("introspect: active", active(world, &session.access, true)).await?;
        Ok(session)
    }

    /// Answers the id of the workspace it created.
    async fn use_mcp(&mut self, session: &Session) -> Result<String> {
        let (api, token) = (&self.world.api, session.access.as_str());
        self.step("MCP initialize", async {
            let client = json!({ "name": "main-job", "version": "1" });
            let params = json!({
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client,
            });
            let result = api.mcp(token, "initialize", params).await?.result("initialize")?;
            equal(&result["protocolVersion"], &json!("2025-11-25"), "the protocol version")
        })
        .await?;
        self.step("MCP tools/list", async {
            let result = api.mcp(token, "tools/list", json!({})).await?.result("tools/list")?;
            equal(&result["tools"][0]["name"], &json!("workspace"), "the first tool")
        })
        .await?;
        let create = create_workspace(self.world, token);
        let workspace = self.step("MCP workspace create", create).await?;
        self.step("MCP workspace list", async {
            let ids = workspaces(self.world, token).await?;
            equal(&json!(ids), &json!([workspace]), "the workspaces")
        })
        .await?;
        Ok(workspace)
    }

    async fn refresh(&mut self, session: &Session) -> Result<Session> {
        let api = &self.world.api;
        let session = self.step("refresh", session.refreshed(api)).await?;
        let name = format!("{PARALLEL} parallel refreshes → one successor");
        self.step(&name, async {
            let all = try_join_all((0..PARALLEL).map(|_| session.refreshed(api))).await?;
            let successor = all.first().context("nothing was refreshed")?;
            for other in &all {
                ensure!(other.refresh == successor.refresh, "the refresh tokens differ");
                ensure!(other.access == successor.access, "the access tokens differ");
            }
            successor.refreshed(api).await
        })
        .await
    }

    async fn look_at_sessions(&mut self, session: &Session) -> Result<()> {
        let api = &self.world.api;
        self.step("the session is listed with its device", async {
            let listed = api.sessions(&session.access).await?.expect(200, "sessions")?.body;
            let first = &listed["sessions"][0];
            equal(&first["id"], &json!(session.id()?), "the session")?;
            equal(&first["device"]["label"], &json!(BROWSER_LABEL), "the device")?;
            equal(&first["current"], &json!(true), "whether it is the current one")
        })
        .await
    }

    async fn meet_a_stranger(&mut self, session: &Session, workspace: &str) -> Result<()> {
        let world = self.world;
        self.step("a second person sees none of it", async {
            let bob = world.person().await?;
            let other = bob.session("atoms-cli").await?;
            equal(&json!(workspaces(world, &other.access).await?), &json!([]), "their workspaces")?;
            let sessions = world.api.sessions(&other.access).await?.expect(200, "sessions")?.body;
            ensure!(sessions["sessions"].as_array().is_some_and(|all| all.len() == 1));
            let foreign = world.api.end_session(&other.access, &session.id()?).await?;
            foreign.expect(404, "ending another person's session")?;
            equal(&json!(workspaces(world, &session.access).await?), &json!([workspace]), "ours")
        })
        .await
    }

    async fn revoke(&mut self, session: &Session) -> Result<()> {
        let world = self.world;
        let api = &world.api;
        self.step("revoke", async {
            api.revoke(&session.client, &session.refresh, &[]).await?.expect(200, "revoke")
        })
        .await?;
        self.step("refresh refuses", refused(world, session)).await?;
        self.step("introspect: inactive", active(world, &session.access, false)).await?;
        self.step("MCP refuses", async {
            let answer = api.mcp(&session.access, "tools/list", json!({})).await?;
            answer.expect(401, "MCP with a revoked session")
        })
        .await?;
        Ok(())
    }

    async fn replay(&mut self, ada: &Person) -> Result<()> {
        let world = self.world;
        self.step("replaying an old refresh token kills its session", async {
            let first = ada.session("atoms-web").await?;
            let second = first.refreshed(&world.api).await?;
            let third = second.refreshed(&world.api).await?;
            active(world, &third.access, true).await?;
            refused(world, &first).await?;
            refused(world, &third).await?;
            active(world, &third.access, false).await
        })
        .await
    }
}

async fn active(world: &World, token: &str, expected: bool) -> Result<()> {
    equal(&json!(world.is_active(token).await?), &json!(expected), "active")
}

async fn refused(world: &World, session: &Session) -> Result<()> {
    let answer = world.api.refresh(&session.client, &session.refresh, &[]).await?;
    let answer = answer.expect(400, "refresh with a token that is not in force")?;
    equal(&json!(answer.error()), &json!("invalid_grant"), "the error")
}

/// Create a workspace; answers its id.
///
/// # Errors
/// If it is refused.
pub async fn create_workspace(world: &World, token: &str) -> Result<String> {
    let arguments = json!({ "operation": "create_workspace", "name": "Main job" });
    let result = world.api.workspace(token, arguments).await?.result("create_workspace")?;
    let id = result["structuredContent"]["workspace"]["id"].as_str();
    Ok(id.with_context(|| format!("expected a workspace, got {result}"))?.to_owned())
}

/// The ids of the workspaces that a token's bearer sees.
///
/// # Errors
/// If it is refused.
pub async fn workspaces(world: &World, token: &str) -> Result<Vec<String>> {
    let arguments = json!({ "operation": "list_workspaces" });
    let result = world.api.workspace(token, arguments).await?.result("list_workspaces")?;
    let all = result["structuredContent"]["workspaces"].as_array();
    let all = all.with_context(|| format!("expected workspaces, got {result}"))?;
    all.iter()
        .map(|one| Ok(one["id"].as_str().context("a workspace without id")?.to_owned()))
        .collect()
}

fn equal(got: &Value, expected: &Value, what: &str) -> Result<()> {
    ensure!(got == expected, "{what}: expected {expected}, got {got}");
    Ok(())
}

//! Introspection in edge mode: by the snapshot, and what was revoked is inactive within the bound.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Session, World};
use serde_json::{Value, json};
use snapshot::{REVOCATION_BOUND, SKEW};
use stack::{Platform, Stack, StackOptions};

use crate::seconds;

const BOUND: Duration = Duration::from_millis(REVOCATION_BOUND);

#[tokio::test]
async fn v11_in_edge_mode_a_revocation_is_seen_within_the_bound() -> Result<()> {
    let mut stack = start().await?;
    let world = World::of(stack.info())?;
    if stack.info().platform == Platform::Spin {
        return refused(&world).await;
    }
    let person = world.person().await?;
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(person.session("atoms-web").await?);
    }
    let sessions = judged(&world, sessions).await?;
    let [kept, gone, alone, reused, crashed] = sessions.as_slice() else { unreachable!() };
    world.api.revoke(&gone.client, &gone.refresh, &[]).await?.expect(200, "revoke")?;
    world.api.revoke(&alone.client, &alone.access, &[]).await?.expect(200, "revoke")?;
    let newest = reused.refreshed(&world.api).await?.refreshed(&world.api).await?;
    let replay = world.api.refresh(&reused.client, &reused.refresh, &[]).await?;
    assert_eq!((replay.status, replay.error()), (400, "invalid_grant"));
    let revoked = Instant::now();
    for session in [gone, alone, reused, &newest] {
        // What takes tokens at its own risk asks the ledger in every mode.
        assert_eq!(world.api.mcp(&session.access, "ping", json!({})).await?.status, 401);
    }
    assert!(!world.is_active(&gone.refresh).await?, "refresh tokens are for the ledger");
    for (what, session) in
        [("session", gone), ("access token", alone), ("reuse", reused), ("reuse", &newest)]
    {
        inactive(&world, session, revoked, what).await?;
    }
    assert_eq!(outcome(&world, &kept.access).await?, "active by the snapshot");
    assert!(world.is_active(&alone.refresh).await?, "its session goes on");

    // What was answered holds, even if the crash comes right behind the answer.
    world.api.revoke(&crashed.client, &crashed.refresh, &[]).await?.expect(200, "revoke")?;
    let revoked = Instant::now();
    stack.kill_functions();
    stack.start_functions().await?;
    inactive(&world, crashed, revoked, "session, across a crash").await?;
    assert!(world.is_active(&kept.access).await?);
    for session in [gone, alone, reused] {
        assert!(!world.is_active(&session.access).await?);
    }
    Ok(())
}

/// Nobody publishes what is revoked there, so a deployment that wants edge mode is told, and not served
/// something weaker.
async fn refused(world: &World) -> Result<()> {
    let answer = world.api.introspect(world.client("atoms-api")?, "any", &[]).await?;
    assert_eq!(answer.status, 503, "{}", answer.text);
    let log = crate::misconfigured::wait_for(&world.info, &["INTROSPECTION_MODE"]).await?;
    ensure!(log.contains("must be strong"), "the log does not say what to do");
    Ok(())
}

async fn start() -> Result<Stack> {
    let settings = vec![("INTROSPECTION_MODE".to_owned(), "edge".to_owned())];
    Stack::start(StackOptions { settings, ..StackOptions::default() }).await
}

/// The sessions with access tokens that the snapshot judges: their publishers have heard of everything
/// since before the tokens were made.
async fn judged(world: &World, sessions: Vec<Session>) -> Result<Vec<Session>> {
    for session in &sessions {
        assert_eq!(outcome(world, &session.access).await?, "active", "by the ledger");
    }
    seconds(SKEW as f64 / 1000.0 + 1.5).await;
    let mut judged = Vec::new();
    for session in sessions {
        let session = session.refreshed(&world.api).await?;
        let began = Instant::now();
        while outcome(world, &session.access).await? != "active by the snapshot" {
            ensure!(began.elapsed() < BOUND, "the ledger is asked on and on");
            seconds(0.5).await;
        }
        judged.push(session);
    }
    Ok(judged)
}

/// Waits until an access token is inactive, which must be within the bound.
async fn inactive(world: &World, session: &Session, revoked: Instant, what: &str) -> Result<()> {
    while world.is_active(&session.access).await? {
        ensure!(revoked.elapsed() < BOUND, "{what}: active after {:?}", revoked.elapsed());
        seconds(0.2).await;
    }
    println!("{what}: inactive {:.1} s after the answer", revoked.elapsed().as_secs_f64());
    Ok(())
}

/// What the log says of a question about a token.
async fn outcome(world: &World, token: &str) -> Result<String> {
    let answer = world.api.introspect(world.client("atoms-api")?, token, &[]).await?;
    let id = answer.header("x-request-id").to_owned();
    for _ in 0..50 {
        let log = world.info.logs();
        let line = log.lines().find(|line| line.contains(&id) && line.contains("\"introspect\""));
        if let Some(line) = line {
            // One function's lines may have wrangler's mark before them.
            let json = &line[line.find('{').unwrap_or_default()..];
            let line: Value = serde_json::from_str(json).context("the line is no JSON")?;
            return Ok(line["outcome"].as_str().unwrap_or_default().to_owned());
        }
        seconds(0.1).await;
    }
    anyhow::bail!("the request {id} is not in the log")
}

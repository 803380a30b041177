//! What a deployment on Spin has not granted, or what cannot be read. Workers have no such grants and no
//! such files: there these tests have nothing to ask.

use anyhow::Result;
use e2e::World;
use stack::{Platform, Stack, StackInfo, StackOptions};

use crate::{health, unavailable};

#[tokio::test]
async fn a_host_that_is_not_granted_is_named_and_what_needs_it_is_down() -> Result<()> {
    if Platform::from_environment()? != Platform::Spin {
        return Ok(());
    }
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let session = person.session("atoms-service").await?;
    stack.kill_functions();
    // It would answer, if anybody might ask.
    let elsewhere = stack.info().sql_url.replace("127.0.0.1", "localhost");
    for function in ["token", "mcp", "health", "ledger"] {
        stack.set(function, "SQL_URL", Some(&elsewhere))?;
    }
    stack.start_functions().await?;
    let ready = world.api.get("/health/ready").await?;
    assert_eq!((ready.status, ready.member("code")), (503, "misconfigured"), "{}", ready.text);
    assert_eq!(world.api.get("/health/live").await?.status, 200);
    let asked = world.api.exchange(&session.client, &session.subject_token, &[]).await?;
    assert_eq!((asked.status, asked.member("code")), (503, "misconfigured"), "{}", asked.text);
    assert!(!asked.header("retry-after").is_empty());
    let log = logged(stack.info(), "\"misconfigured\"").await?;
    assert!(log.contains("setting SQL_URL: names a host"), "{log}");
    assert!(!log.contains(&elsewhere), "the log has the address in it");
    Ok(())
}

#[tokio::test]
async fn a_database_that_cannot_be_read_is_named_and_no_session_is_denied() -> Result<()> {
    if Platform::from_environment()? != Platform::Spin {
        return Ok(());
    }
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    stack.kill_functions();
    let database = stack.info().folder.join("state/sqlite.db");
    let kept = std::fs::read(&database)?;
    for file in ["sqlite.db-wal", "sqlite.db-shm"] {
        assert!(!database.with_file_name(file).exists(), "the copy would lack what is in {file}");
    }
    std::fs::write(&database, "this is no database, whatever its name is ".repeat(100))?;
    stack.start_functions().await?;
    let (status, whole, ledger) = health(&world, "ledger").await?;
    assert_eq!((status, whole.as_str(), ledger.as_str()), (503, "unhealthy", "unhealthy"));
    assert_eq!(world.api.get("/health/live").await?.status, 200);
    unavailable(&world.api.refresh(&session.client, &session.refresh, &[]).await?);
    logged(stack.info(), "ledger: ").await?;
    stack.kill_functions();
    std::fs::write(&database, kept)?;
    stack.start_functions().await?;
    session.refreshed(&world.api).await.map(drop)
}

/// The lines of the log with the text in them, once there is one: they are written behind the answers.
async fn logged(info: &StackInfo, text: &str) -> Result<String> {
    for _ in 0..50 {
        let log: String = info.logs().lines().filter(|line| line.contains(text)).collect();
        if !log.is_empty() {
            return Ok(log);
        }
        crate::seconds(0.1).await;
    }
    anyhow::bail!("{text:?} is not in the log")
}

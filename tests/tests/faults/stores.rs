//! The same promises on every store that a deployment may choose in place of the Durable Object.

use anyhow::{Context, Result};
use e2e::{Session, World};
use futures::future::try_join_all;
use serde_json::json;
use sqlx::{Connection, PgConnection, Row};
use stack::{Platform, Stack, StackOptions};

#[tokio::test(flavor = "multi_thread")]
async fn sessions_keep_their_promises_on_redis_over_http() -> Result<()> {
    sessions_keep_their_promises("redis-rest").await
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_keep_their_promises_on_postgres() -> Result<()> {
    sessions_keep_their_promises("postgres").await
}

/// What only Spin reaches, and Workers refuse to take for a store.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_keep_their_promises_on_redis() -> Result<()> {
    if Platform::from_environment()? == Platform::Spin {
        return sessions_keep_their_promises("redis").await;
    }
    let settings = vec![("LEDGER_STORE".to_owned(), "redis".to_owned())];
    let stack = Stack::start(StackOptions { settings, ..StackOptions::default() }).await?;
    let world = World::of(stack.info())?;
    let ready = world.api.get("/health/ready").await?;
    assert_eq!((ready.status, ready.member("code")), (503, "misconfigured"));
    Ok(())
}

#[tokio::test]
async fn sessions_keep_their_promises_on_workers_kv_of_one_location() -> Result<()> {
    sessions_keep_their_promises("platform-kv").await
}

async fn sessions_keep_their_promises(store: &str) -> Result<()> {
    let settings = vec![("LEDGER_STORE".to_owned(), store.to_owned())];
    let mut stack = Stack::start(StackOptions { settings, ..StackOptions::default() }).await?;
    let world = World::of(stack.info())?;
    let (status, _, ledger) = crate::health(&world, "ledger").await?;
    assert_eq!((status, ledger.as_str()), (200, "healthy"));

    parallel_refreshes_converge(&world, store == "platform-kv").await?;
    reuse_ends_the_session(&world).await?;
    what_is_revoked_is_over(&world).await?;
    a_crash_loses_nothing(&mut stack, &world).await?;
    the_trail_is_delivered(&stack, &world).await
}

async fn parallel_refreshes_converge(world: &World, eventual: bool) -> Result<()> {
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let all: Vec<Session> = try_join_all((0..50).map(|_| insisting(world, &session))).await?;
    let first = all[0].claims()?;
    for other in &all {
        assert_eq!(other.refresh, all[0].refresh);
        let claims = other.claims()?;
        // Where nothing is atomic, two may find a second apart that they were the first.
        let same = if eventual { claims["jti"] == first["jti"] } else { claims == first };
        assert!(same, "{claims} is not {first}");
    }
    assert_ne!(all[0].refresh, session.refresh);
    assert!(world.is_active(&all[0].access).await?);
    all[0].refreshed(&world.api).await.map(drop)
}

/// On a store that takes them one after the other, a busy machine may ask some of fifty to come again.
async fn insisting(world: &World, session: &Session) -> Result<Session> {
    for _ in 0..5 {
        let answer = world.api.refresh(&session.client, &session.refresh, &[]).await?;
        if answer.status != 503 {
            return session.then(answer.expect(200, "refresh")?);
        }
        let wait = answer.header("retry-after").parse::<f64>().context("no Retry-After")?;
        crate::seconds(wait).await;
    }
    session.refreshed(&world.api).await
}

async fn reuse_ends_the_session(world: &World) -> Result<()> {
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let first = session.refreshed(&world.api).await?;
    let second = first.refreshed(&world.api).await?;
    let reused = world.api.refresh(&session.client, &session.refresh, &[]).await?;
    assert_eq!((reused.status, reused.error()), (400, "invalid_grant"));
    let victim = world.api.refresh(&second.client, &second.refresh, &[]).await?;
    assert_eq!((victim.status, victim.error()), (400, "invalid_grant"));
    assert!(!world.is_active(&second.access).await?);
    Ok(())
}

async fn what_is_revoked_is_over(world: &World) -> Result<()> {
    let person = world.person().await?;
    let (kept, revoked) = (person.session("atoms-web").await?, person.session("atoms-cli").await?);
    let listed = world.api.sessions(&kept.access).await?.expect(200, "list")?;
    assert_eq!(listed.body["sessions"].as_array().map(Vec::len), Some(2));
    world.api.revoke(&revoked.client, &revoked.refresh, &[]).await?.expect(200, "revoke")?;
    assert!(!world.is_active(&revoked.access).await?);
    assert!(!world.is_active(&revoked.refresh).await?);
    let refused = world.api.refresh(&revoked.client, &revoked.refresh, &[]).await?;
    assert_eq!((refused.status, refused.error()), (400, "invalid_grant"));
    let listed = world.api.sessions(&kept.access).await?.expect(200, "list")?;
    assert_eq!(listed.body["sessions"].as_array().map(Vec::len), Some(1));
    world.api.end_all(&kept.access, Some(json!({}))).await?;
    assert!(!world.is_active(&kept.access).await?, "all but none");
    Ok(())
}

/// Functions hold nothing: what was answered is in the store.
async fn a_crash_loses_nothing(stack: &mut Stack, world: &World) -> Result<()> {
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let before = session.refreshed(&world.api).await?;
    stack.kill_functions();
    stack.start_functions().await?;
    let again = session.refreshed(&world.api).await?;
    assert_eq!(again.refresh, before.refresh, "the answer that may have been lost");
    before.refreshed(&world.api).await.map(drop)
}

/// A busy deployment sees to the work that is due without a schedule.
async fn the_trail_is_delivered(stack: &Stack, world: &World) -> Result<()> {
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let id = session.id()?;
    let mut connection = PgConnection::connect(&stack.info().postgres_url).await?;
    for _ in 0..90 {
        assert!(world.is_active(&session.access).await?);
        let text = "select count(*) from app.audit_events where session_id = $1";
        let row = sqlx::query(text).bind(&id).fetch_one(&mut connection).await?;
        if row.try_get::<i64, _>(0).context("a number")? > 0 {
            return Ok(());
        }
        crate::seconds(1.0).await;
    }
    anyhow::bail!("nothing of the session is in the audit trail")
}

//! What WorkOS tells by its webhook.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use e2e::client::WORKOS_WEBHOOK;
use e2e::world::unique;
use e2e::{Answer, Session, World};
use oauth::workos_signature::sign;
use reqwest::Method;
use serde_json::{Value, json};

fn secret(world: &World) -> Result<&str> {
    let secret = world.info.settings.get("WORKOS_WEBHOOK_SECRET");
    Ok(secret.context("the stack has no webhook secret")?.as_str())
}

#[expect(clippy::disallowed_methods, reason = "a native test: it has a clock")]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

fn revoked(session: &str, user: &str) -> Value {
    let data = json!({ "object": "session", "id": session, "user_id": user });
    json!({ "id": unique(), "event": "session.revoked", "data": data })
}

async fn post(world: &World, signature: Option<&str>, body: &str) -> Result<Answer> {
    let mut request = world.api.request(Method::POST, WORKOS_WEBHOOK).body(body.to_owned());
    if let Some(signature) = signature {
        request = request.header("WorkOS-Signature", signature);
    }
    world.api.send(request.header("content-type", "application/json")).await
}

async fn deliver(world: &World, event: &Value) -> Result<Answer> {
    let body = event.to_string();
    post(world, Some(&sign(secret(world)?, now(), body.as_bytes())), &body).await
}

/// The sign-in that a session came from.
fn sign_in(session: &Session) -> Result<String> {
    let claims = e2e::claims(&session.subject_token)?;
    Ok(claims["sid"].as_str().context("the AuthKit token has no sid")?.to_owned())
}

#[tokio::test]
async fn a_sign_out_at_workos_ends_the_sessions_of_that_sign_in_at_once() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let cli = person.session_of("atoms-cli", &session.subject_token, &[]).await?;
    let other = person.session("atoms-web").await?;
    let event = revoked(&sign_in(&session)?, &person.user.id);
    deliver(&world, &event).await?.expect(200, "the event")?;
    for ended in [&session, &cli] {
        assert!(!world.is_active(&ended.access).await?);
        assert!(!world.is_active(&ended.refresh).await?);
        let answer = world.api.refresh(&ended.client, &ended.refresh, &[]).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_grant"));
    }
    assert!(world.is_active(&other.access).await?);
    // What the sign-in left behind starts nothing either, whichever client has it.
    let service = world.client("atoms-service")?;
    let answer = world.api.exchange(service, &session.subject_token, &[]).await?;
    assert_eq!((answer.status, answer.error()), (400, "invalid_request"));
    deliver(&world, &event).await?.expect(200, "the event once more")?;
    Ok(())
}

#[tokio::test]
async fn the_emulator_itself_signs_a_person_out() -> Result<()> {
    let world = World::attach()?;
    let events = ["session.revoked", "user.deleted"];
    world.workos.add_webhook(&world.api.url(WORKOS_WEBHOOK), secret(&world)?, &events).await?;
    let person = world.person().await?;
    let (one, other) = (person.session("atoms-web").await?, person.session("atoms-web").await?);
    world.workos.revoke_session(&sign_in(&one)?).await?;
    assert!(ends_soon(&world, &one).await?);
    assert!(world.is_active(&other.access).await?);
    world.workos.delete_user(&person.user.id).await?;
    assert!(ends_soon(&world, &other).await?);
    Ok(())
}

async fn ends_soon(world: &World, session: &Session) -> Result<bool> {
    for _ in 0..50 {
        if !world.is_active(&session.access).await? {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(false)
}

#[tokio::test]
async fn what_workos_did_not_sign_or_not_now_does_nothing() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let body = revoked(&sign_in(&session)?, &person.user.id).to_string();
    let (secret, now) = (secret(&world)?, now());
    let good = sign(secret, now, body.as_bytes());
    let (minute, bytes) = (60_000, body.as_bytes());
    for signature in [
        None,
        Some(String::new()),
        Some("t=1".to_owned()),
        Some(sign("another secret", now, bytes)),
        Some(sign(secret, now - 6 * minute, bytes)),
        Some(sign(secret, now + 6 * minute, bytes)),
        Some(sign(secret, now, b"{}")),
        Some(good.replace("v1=", "v0=")),
        Some(good[..good.len() - 1].to_owned()),
    ] {
        let answer = post(&world, signature.as_deref(), &body).await?;
        let got = (answer.status, answer.member("code"));
        assert_eq!(got, (401, "invalid_signature"), "{signature:?}: {}", answer.text);
    }
    assert!(world.is_active(&session.access).await?);
    Ok(())
}

#[tokio::test]
async fn what_is_signed_and_no_event_is_refused_and_others_are_ignored() -> Result<()> {
    let world = World::attach()?;
    for event in [
        json!({ "event": "user.created", "data": { "id": "user_x" } }),
        json!({ "event": "dsync.group.user_added" }),
        revoked("session_nobody", "user_nobody"),
    ] {
        deliver(&world, &event).await?.expect(200, "an event of no interest")?;
    }
    for event in [
        json!([]),
        json!({}),
        json!({ "event": "session.revoked" }),
        json!({ "event": "session.revoked", "data": { "id": 7, "user_id": [] } }),
        json!({ "event": "user.deleted", "data": "user_x" }),
    ] {
        let answer = deliver(&world, &event).await?;
        assert_eq!((answer.status, answer.member("code")), (400, "invalid_event"), "{event}");
    }
    let large = json!({ "event": "x", "data": "x".repeat(100_000) });
    deliver(&world, &large).await?.expect(413, "a body beyond the bound")?;
    let answer = world.api.get(WORKOS_WEBHOOK).await?;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST, OPTIONS"));
    Ok(())
}

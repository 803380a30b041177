use std::time::Duration;

use anyhow::{Result, bail};
use e2e::world::BROWSER_LABEL;
use e2e::{Answer, World};
use serde_json::{Value, json};

/// Delivery begins within five seconds of an event.
const PATIENCE: u32 = 40;

/// The person's events, the newest first, once there are at least so many.
async fn events(world: &World, token: &str, query: &str, least: usize) -> Result<Vec<Value>> {
    for _ in 0..PATIENCE {
        let answer = world.api.audit(token, query).await?.expect(200, "audit")?;
        let events = answer.body["events"].as_array().cloned().unwrap_or_default();
        if events.len() >= least {
            return Ok(events);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    bail!("{least} events have not been delivered")
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["kind"].as_str()).collect()
}

fn bad_filter(answer: &Answer) {
    let got = (answer.status, answer.member("code"));
    assert_eq!(got, (400, "invalid_filter"), "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn a_person_sees_what_happened_to_their_sessions() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let web = person.session("atoms-web").await?;
    let cli = person.session("atoms-cli").await?;
    let ended = world.api.end_session(&web.access, &cli.id()?).await?.expect(204, "delete")?;
    let events = events(&world, &web.access, "", 3).await?;
    assert_eq!(kinds(&events), ["session.revoked", "session.created", "session.created"]);
    let told = &events[0];
    assert_eq!(told["request_id"], ended.header("x-request-id"));
    assert_eq!(told["trace_id"].as_str().map(str::len), Some(32));
    assert_eq!((&told["session_id"], &told["client_id"]), (&json!(cli.id()?), &json!("atoms-cli")));
    assert_eq!((&told["actor"], &told["outcome"]), (&json!("client"), &json!("success")));
    assert_eq!((&told["device"], &told["count"]), (&json!(BROWSER_LABEL), &json!(1)));
    assert_eq!(told["organization_id"], web.claims()?["org"]);
    assert!(told["occurred_at"].as_u64().is_some_and(|at| at > 1_700_000_000));
    assert!(told.get("reason").is_none(), "what does not apply is absent");
    let answer = world.api.audit(&web.access, "").await?;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.body.get("next_cursor").is_none());
    for secret in ["ar1_", "seal", "prev", &person.user.email] {
        assert!(!answer.text.contains(secret), "{secret}");
    }
    Ok(())
}

#[tokio::test]
async fn the_reason_and_the_end_by_reuse_are_told() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let web = person.session("atoms-web").await?;
    let stolen = person.session("atoms-cli").await?;
    stolen.refreshed(&world.api).await?.refreshed(&world.api).await?;
    let reuse = world.api.refresh(&stolen.client, &stolen.refresh, &[]).await?;
    assert_eq!(reuse.status, 400);
    let events = events(&world, &web.access, "?outcome=alert", 1).await?;
    assert_eq!(kinds(&events), ["token.reuse_detected"]);
    assert_eq!(events[0]["session_id"], stolen.id()?);
    assert_eq!(events[0]["request_id"], reuse.header("x-request-id"));
    Ok(())
}

#[tokio::test]
async fn nobody_sees_anothers_events() -> Result<()> {
    let world = World::attach()?;
    let (ada, bob) = (world.person().await?, world.person().await?);
    let hers = ada.session("atoms-web").await?;
    let his = bob.session("atoms-web").await?;
    let seen = events(&world, &hers.access, "", 1).await?;
    assert_eq!(seen[0]["session_id"], hers.id()?);
    let seen = events(&world, &his.access, "", 1).await?;
    assert_eq!((seen.len(), &seen[0]["session_id"]), (1, &json!(his.id()?)));
    let query = format!("?session={}", hers.id()?);
    let answer = world.api.audit(&his.access, &query).await?.expect(200, "audit")?;
    assert_eq!(answer.body, json!({ "events": [] }));
    Ok(())
}

#[tokio::test]
async fn events_are_filtered() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let web = person.session("atoms-web").await?;
    let cli = person.session("atoms-cli").await?;
    world.api.revoke(&cli.client, &cli.refresh, &[]).await?.expect(200, "revoke")?;
    let all = events(&world, &web.access, "", 3).await?;
    let at = all[0]["occurred_at"].as_u64().unwrap_or_default();
    let (cli_id, after, before) = (cli.id()?, at + 1, all[2]["occurred_at"].as_u64());
    for (query, expected) in [
        (format!("?session={cli_id}"), vec!["session.revoked", "session.created"]),
        ("?kind=session.revoked,token.revoked".to_owned(), vec!["session.revoked"]),
        (format!("?kind=session.created&session={cli_id}"), vec!["session.created"]),
        ("?outcome=alert".to_owned(), vec![]),
        (format!("?from={after}"), vec![]),
        (format!("?to={}", before.unwrap_or_default()), vec![]),
        (format!("?from=0&to={after}&limit=1"), vec!["session.revoked"]),
        ("?session=&limit=".to_owned(), kinds(&all)),
    ] {
        let answer = world.api.audit(&web.access, &query).await?.expect(200, &query)?;
        let found = answer.body["events"].as_array().cloned().unwrap_or_default();
        assert_eq!(kinds(&found), expected, "{query}");
    }
    Ok(())
}

#[tokio::test]
async fn pages_follow_one_another_whatever_comes_in_between() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let web = person.session("atoms-web").await?;
    for _ in 0..4 {
        person.session("atoms-cli").await?;
    }
    let all = events(&world, &web.access, "", 5).await?;
    let (mut paged, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = world.api.audit(&web.access, &query).await?.expect(200, "page")?;
        paged.extend(page.body["events"].as_array().cloned().unwrap_or_default());
        if paged.len() == 2 {
            person.session("atoms-cli").await?;
            events(&world, &web.access, "", 6).await?;
        }
        match page.member("next_cursor") {
            "" => break,
            cursor => query = format!("?limit=2&cursor={cursor}"),
        }
    }
    assert_eq!(paged, all);
    Ok(())
}

#[tokio::test]
async fn a_bad_filter_is_refused_by_name() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let web = person.session("atoms-web").await?;
    for query in [
        "session=x",
        "session=%00",
        "kind=anything",
        "outcome=fine",
        "from=yesterday",
        "from=-1",
        "to=99999999999999999999",
        "from=2&to=1",
        "limit=0",
        "limit=101",
        "cursor=x",
        "cursor=MS54",
        "kinds=session.created",
        "limit=1&limit=1",
        "session=%ff",
    ] {
        bad_filter(&world.api.audit(&web.access, &format!("?{query}")).await?);
    }
    Ok(())
}

#[tokio::test]
async fn the_trail_needs_its_scope() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let without = person.session_with("atoms-web", &[("scope", "sessions:read")]).await?;
    let answer = world.api.audit(&without.access, "").await?;
    assert_eq!((answer.status, answer.member("code")), (403, "insufficient_scope"));
    assert!(answer.header("www-authenticate").contains("scope=\"audit:read\""));
    let with = person.session_with("atoms-web", &[("scope", "audit:read")]).await?;
    world.api.audit(&with.access, "").await?.expect(200, "audit")?;
    let answer = world.api.sessions(&with.access).await?;
    assert_eq!((answer.status, answer.member("code")), (403, "insufficient_scope"));
    Ok(())
}

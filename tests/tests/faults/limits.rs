//! Rate limits as a deployment has them by default; the other suites run far above.

use anyhow::{Context, Result};
use e2e::{Answer, World};
use futures::future::try_join_all;
use ports::route::{JWKS, REVOKE_ALL};
use reqwest::Method;
use stack::{Platform, Stack, StackOptions};

#[tokio::test]
async fn what_is_above_a_limit_is_told_when_to_come_back_and_consumes_nothing() -> Result<()> {
    let settings = vec![("RATE_LIMIT_TIER".to_owned(), "1".to_owned())];
    let stack = Stack::start(StackOptions { settings, ..StackOptions::default() }).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let mut session = person.session("atoms-web").await?;
    let first = session.refresh.clone();
    for _ in 0..10 {
        session = session.refreshed(&world.api).await?;
    }
    let refused = world.api.refresh(&session.client, &session.refresh, &[]).await?;
    assert_eq!((refused.status, refused.error()), (429, "temporarily_unavailable"));
    limited(&refused, "refresh", 10);
    assert!(world.is_active(&session.refresh).await?, "the token was not consumed");
    assert!(world.is_active(&session.access).await?);

    // Another person has limits of their own.
    let other = world.person().await?;
    let kept = other.session("atoms-web").await?.refreshed(&world.api).await?;
    let end_all = || world.api.request(Method::POST, REVOKE_ALL).bearer_auth(&kept.access);
    let keep = serde_json::json!({ "except_current": true });
    let (one, two) = (other.session("atoms-cli").await?, other.session("atoms-cli").await?);
    let done = world.api.send(end_all().json(&keep)).await?.expect(200, "revoke-all")?;
    assert_eq!(done.body["revoked"], 2, "however many they are, it is one request");
    assert!(!world.is_active(&one.access).await? && !world.is_active(&two.access).await?);
    let three = other.session("atoms-cli").await?;
    let refused = world.api.send(end_all().json(&keep)).await?;
    assert_eq!((refused.status, refused.member("code")), (429, "rate_limited"));
    assert!(world.is_active(&three.access).await?, "nothing was done");
    limited(&refused, "revoke_all", 1);

    // A replayed token is reuse whatever the limits say.
    let reused = world.api.refresh(&session.client, &first, &[]).await?;
    assert_eq!((reused.status, reused.error()), (400, "invalid_grant"));
    assert!(!world.is_active(&session.access).await?);
    Ok(())
}

#[tokio::test]
async fn m11_registrations_of_one_network_are_limited() -> Result<()> {
    let settings = vec![("RATE_LIMIT_TIER".to_owned(), "1".to_owned())];
    let stack = Stack::start(StackOptions { settings, ..StackOptions::default() }).await?;
    let world = World::of(stack.info())?;
    let register = || {
        let metadata = serde_json::json!({
            "redirect_uris": ["https://app.example/cb"],
            "token_endpoint_auth_method": "none",
        });
        world.api.send(world.api.request(Method::POST, "/oauth/register").json(&metadata))
    };
    // The window slides meanwhile.
    let mut registered = 0;
    let refused = loop {
        let answer = register().await?;
        if answer.status != 201 {
            break answer;
        }
        registered += 1;
        assert!(registered < 20, "nobody is limited");
    };
    assert!(registered >= 10, "{registered}");
    assert_eq!((refused.status, refused.error()), (429, "temporarily_unavailable"));
    limited(&refused, "register", 10);
    Ok(())
}

#[tokio::test]
async fn i8_introspection_is_limited_per_caller_and_person() -> Result<()> {
    let settings = vec![("RATE_LIMIT_TIER".to_owned(), "1".to_owned())];
    let stack = Stack::start(StackOptions { settings, ..StackOptions::default() }).await?;
    let world = World::of(stack.info())?;
    let (person, other) = (world.person().await?, world.person().await?);
    let session = person.session("atoms-web").await?;
    let kept = other.session("atoms-web").await?;
    let ask = |client, token: &str| {
        let (world, token) = (world.clone(), token.to_owned());
        async move { world.api.introspect(world.client(client)?, &token, &[]).await }
    };
    let first = ask("atoms-narrow", &kept.access).await?;
    assert_eq!(first.header("ratelimit-policy"), "\"introspect\";q=300;w=60");
    assert!(first.header("ratelimit").starts_with("\"introspect\";r=299;t="));
    if stack.info().platform == Platform::Spin {
        // What callers have spent is in the memory of instances, which are gone after 128 requests there.
        return Ok(());
    }
    let mut admitted = 0;
    // A little more than the limit, as the window slides meanwhile.
    while admitted < 400 {
        let answers = try_join_all((0..10).map(|_| ask("atoms-api", &session.access))).await?;
        let active = answers.iter().filter(|answer| answer.body["active"] == true).count();
        admitted += active;
        if active < answers.len() {
            break;
        }
    }
    assert!((300..400).contains(&admitted), "{admitted} were let through");
    let asked = try_join_all((0..10).map(|_| ask("atoms-api", &session.refresh))).await?;
    let refused =
        asked.into_iter().find(|answer| answer.status != 200).context("all let through")?;
    assert_eq!((refused.status, refused.error()), (429, "temporarily_unavailable"));
    assert!(refused.body.get("active").is_none());
    limited(&refused, "introspect", 300);
    for (client, token) in [("atoms-api", &kept.access), ("atoms-narrow", &session.access)] {
        assert_eq!(ask(client, token).await?.body["active"], true, "{client}");
    }
    Ok(())
}

fn limited(answer: &Answer, class: &str, limit: u32) {
    let seconds: u32 = answer.header("retry-after").parse().unwrap_or_default();
    // A window slides over two minutes at the most.
    assert!((1..=120).contains(&seconds), "Retry-After: {seconds}");
    assert_eq!(answer.header("ratelimit-policy"), format!("\"{class}\";q={limit};w=60"));
    assert!(answer.header("ratelimit").starts_with(&format!("\"{class}\";r=0;t=")));
}

#[tokio::test]
async fn a_flood_without_credentials_is_turned_away_and_others_are_not() -> Result<()> {
    let options = StackOptions { guard: Some(40), ..StackOptions::default() };
    let stack = Stack::start(options).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let mut turned_away = None;
    for _ in 0..60 {
        let answer = world.api.get(JWKS).await?;
        if answer.status == 429 {
            turned_away = Some(answer);
            break;
        }
    }
    let answer = turned_away.expect("the flood is never turned away");
    assert_eq!(answer.member("code"), "rate_limited");
    assert_eq!(answer.header("retry-after"), "60");
    // Whoever shows credentials is judged by them, not by the neighbours.
    assert_eq!(world.api.sessions(&session.access).await?.status, 200);
    assert!(world.is_active(&session.access).await?);
    Ok(())
}

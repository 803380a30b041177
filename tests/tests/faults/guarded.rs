//! A deployment behind a proxy that tells addresses, with an operator, in which some clients have a
//! policy of their own. One stack for all of its tests.

use anyhow::Result;
use e2e::client::{REVOKE_ALL, SESSIONS};
use e2e::{Answer, Api, Session, World};
use oauth::keys::hash_operator_key;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue, USER_AGENT};
use serde_json::{Value, json};
use stack::{ClientInfo, Stack, StackOptions};
use tokio::sync::OnceCell;

/// In which the proxy would tell the client's address.
const ADDRESS: &str = "x-real-address";
const OPERATOR: &str = "op_a-credential-of-grace";

struct Guarded {
    world: World,
    _stack: Stack,
}

static GUARDED: OnceCell<Guarded> = OnceCell::const_new();

async fn world() -> Result<&'static World> {
    let guarded = GUARDED.get_or_try_init(async || {
        let settings = [
            ("TRUSTED_PROXY_HEADER", ADDRESS.to_owned()),
            ("OPERATOR_KEY_HASHES", format!("grace={}", hash_operator_key(OPERATOR))),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let stack = Stack::start(StackOptions { settings, ..StackOptions::default() }).await?;
        let info = stack.info();
        let short = json!({ "session_max": 1, "session_idle_seconds": 2 });
        info.set_policy("atoms-cli", &short).await?;
        info.set_policy("third-party", &json!({ "session_idle": 2 })).await?;
        anyhow::Ok(Guarded { world: World::of(info)?, _stack: stack })
    });
    Ok(&guarded.await?.world)
}

/// Refresh from somewhere.
async fn from(world: &World, session: &Session, address: &str, agent: &str) -> Result<Answer> {
    let mut headers = HeaderMap::new();
    headers.insert(ADDRESS, HeaderValue::from_str(address)?);
    headers.insert(USER_AGENT, HeaderValue::from_str(agent)?);
    let fields = [("client_id", &*session.client.id), ("refresh_token", &*session.refresh)];
    let request = world.api.request(Method::POST, e2e::client::REFRESH).form(&fields);
    world.api.send(request.headers(headers)).await
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

async fn listed(world: &World, session: &Session) -> Result<Value> {
    let all = world.api.sessions(&session.access).await?.expect(200, "sessions")?.body;
    Ok(all["sessions"][0].clone())
}

#[tokio::test]
async fn another_network_and_device_raise_the_risk_with_reasons() -> Result<()> {
    let world = world().await?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let here = from(world, &session, "192.0.2.7", e2e::world::BROWSER).await?;
    let session = session.then(here.expect(200, "refresh")?)?;
    let entry = listed(world, &session).await?;
    assert_eq!((&entry["network"], &entry["risk"]["score"]), (&json!("192.0.2.0/24"), &json!(0.0)));
    assert!(!entry.to_string().contains("192.0.2.7"));

    let moved = from(world, &session, "198.51.100.7", e2e::world::BROWSER).await?;
    let session = session.then(moved.expect(200, "refresh")?)?;
    let entry = listed(world, &session).await?;
    assert_eq!(entry["risk"], json!({ "score": 0.05, "reasons": ["network_change"] }));
    assert_eq!(entry["refreshes"][1]["network"], "198.51.100.0/24");

    let other = from(world, &session, "198.51.100.7", FIREFOX).await?;
    let session = session.then(other.expect(200, "refresh")?)?;
    let entry = listed(world, &session).await?;
    assert_eq!(entry["risk"]["score"], 0.6);
    let reasons = json!(["network_change", "device_change", "user_agent_change"]);
    assert_eq!(entry["risk"]["reasons"], reasons);
    Ok(())
}

#[tokio::test]
async fn a_replay_from_another_device_is_reuse() -> Result<()> {
    let world = world().await?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let next = session.refreshed(&world.api).await?;
    let thief = from(world, &session, "192.0.2.7", FIREFOX).await?;
    assert_eq!((thief.status, thief.error()), (400, "invalid_grant"));
    assert!(!world.is_active(&next.access).await?);
    Ok(())
}

#[tokio::test]
async fn wrong_secrets_are_slowed_down_where_they_come_from() -> Result<()> {
    let world = world().await?;
    let service = world.client("atoms-service")?;
    let ask = async |secret: &str, address: &str| {
        let request = world.api.request(Method::POST, e2e::client::REFRESH);
        let request = request.basic_auth(&service.id, Some(secret)).header(ADDRESS, address);
        world.api.send(request.form(&[("refresh_token", "x")])).await
    };
    let mut slowed = None;
    for _ in 0..40 {
        let answer = ask("wrong", "203.0.113.5").await?;
        if answer.status == 429 {
            slowed = Some(answer);
            break;
        }
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"));
    }
    let slowed = slowed.expect("it is slowed down");
    assert_eq!(slowed.error(), "temporarily_unavailable");
    assert!(slowed.header("retry-after").parse::<u32>()? >= 1);
    let right = service.secret.as_deref().unwrap_or_default();
    let elsewhere = ask(right, "198.51.100.5").await?;
    assert_eq!((elsewhere.status, elsewhere.error()), (400, "invalid_grant"), "it is let in");
    Ok(())
}

#[tokio::test]
async fn an_operator_acts_for_another_person() -> Result<()> {
    let world = world().await?;
    let person = world.person().await?;
    let (one, two) = (person.session("atoms-web").await?, person.session("atoms-web").await?);
    let operator = |method, path: &str| {
        let request = world.api.request(method, path).bearer_auth(OPERATOR);
        request.query(&[("user", &person.user.id)])
    };
    let answer = world.api.send(operator(Method::GET, SESSIONS)).await?.expect(200, "list")?;
    assert_eq!(answer.body["sessions"].as_array().map(Vec::len), Some(2));
    assert_eq!(answer.body["sessions"][0]["current"], false);
    let path = format!("{SESSIONS}/{}", one.id()?);
    let request = operator(Method::DELETE, &path).query(&[("reason", "lost laptop")]);
    world.api.send(request).await?.expect(204, "delete")?;
    assert!(!world.is_active(&one.access).await? && world.is_active(&two.access).await?);
    let body = json!({ "user": person.user.id, "reason": "left the company" });
    let request = world.api.request(Method::POST, REVOKE_ALL).bearer_auth(OPERATOR).json(&body);
    let answer = world.api.send(request).await?.expect(200, "revoke-all")?;
    assert_eq!(answer.body, json!({ "revoked": 1 }));
    assert!(!world.is_active(&two.access).await?);

    let nobody = world.api.request(Method::GET, SESSIONS).bearer_auth(OPERATOR);
    let answer = world.api.send(nobody).await?;
    assert_eq!((answer.status, answer.member("code")), (400, "user_missing"));
    let wrong = world.api.request(Method::GET, SESSIONS).bearer_auth("op_wrong");
    let answer = world.api.send(wrong.query(&[("user", &person.user.id)])).await?;
    assert_eq!((answer.status, answer.member("code")), (401, "invalid_token"));
    assert!(!world.info.logs().contains(OPERATOR));
    Ok(())
}

#[tokio::test]
async fn a_client_has_limits_of_its_own() -> Result<()> {
    let world = world().await?;
    let person = world.person().await?;
    let usual = person.session("atoms-web").await?;
    let (first, second) = (person.session("atoms-cli").await?, person.session("atoms-cli").await?);
    assert!(!world.is_active(&first.access).await?, "there is room for one");
    assert!(world.is_active(&second.access).await? && world.is_active(&usual.access).await?);
    let other = world.person().await?;
    let third = other.session("atoms-cli").await?;
    crate::seconds(2.3).await;
    // Each way to notice it, as noticing it ends it.
    assert_eq!(world.api.mcp(&second.access, "ping", json!({})).await?.status, 401);
    assert!(!world.is_active(&third.access).await?);
    let refused = world.api.refresh(&second.client, &second.refresh, &[]).await?;
    assert_eq!((refused.status, refused.error()), (400, "invalid_grant"));
    usual.refreshed(&world.api).await?;
    Ok(())
}

#[tokio::test]
async fn a_client_whose_policy_is_none_is_told_to_come_back() -> Result<()> {
    let world = world().await?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let client: &ClientInfo = world.client("third-party")?;
    for answer in [
        world.api.refresh(client, &session.refresh, &[]).await?,
        world.api.revoke(client, &session.refresh, &[]).await?,
    ] {
        crate::unavailable(&answer);
    }
    assert!(world.info.logs().contains("the policy of client third-party"));
    Ok(())
}

#[tokio::test]
async fn what_a_client_stops_telling_makes_it_no_stranger() -> Result<()> {
    let world = world().await?;
    let silent = Api::new(&world.info.base_url, "")?;
    let person = world.person().await?;
    let mut session = person.session("atoms-web").await?;
    for _ in 0..2 {
        session = session.refreshed(&silent).await?;
        session = session.refreshed(&world.api).await?;
    }
    assert_eq!(listed(world, &session).await?["risk"]["score"], 0.0);
    Ok(())
}
